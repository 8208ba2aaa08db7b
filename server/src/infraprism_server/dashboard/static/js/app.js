// What every page does: menu, theme, copying, and charts where there are some.
import { drawCharts, redrawCharts } from "./charts.js";

document.addEventListener("click", async (event) => {
  const menu = event.target.closest("[data-menu]");
  if (menu) {
    const open = menu.getAttribute("aria-expanded") !== "true";
    menu.setAttribute("aria-expanded", String(open));
    return;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = copy.closest(".code").querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(copy.closest(".code").querySelector("code"));
      copy.textContent = "Selected";
    }
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  }
});

for (const choice of document.querySelectorAll("[data-theme-choice]")) {
  choice.value = document.documentElement.dataset.theme ?? "";
  choice.addEventListener("change", () => {
    if (choice.value) document.documentElement.dataset.theme = choice.value;
    else delete document.documentElement.dataset.theme;
    try {
      if (choice.value) localStorage.setItem("theme", choice.value);
      else localStorage.removeItem("theme");
    } catch {
      // Chosen for this page alone, then.
    }
    redrawCharts();
  });
}

// A form whose every change is an answer, such as filters.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-submit-on-change]");
  if (form && !event.target.hasAttribute("data-no-submit")) form.requestSubmit();
});

// Empty fields stay out of the address: it is there to be shared.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.elements) {
    if (field.name && field.value === "" && !field.disabled) {
      field.disabled = true;
      setTimeout(() => (field.disabled = false));
    }
  }
});

drawCharts(document);
document.addEventListener("htmx:afterSettle", (event) => drawCharts(event.target));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
