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

// A dialog that the server opened; the rest of dialogs is in dialogs.js.
for (const dialog of document.querySelectorAll("dialog[data-open]")) dialog.showModal();

// A dropped box closes when something else is looked at.
document.addEventListener("click", (event) => {
  for (const drop of document.querySelectorAll("details.drop[open]")) if (!drop.contains(event.target)) drop.open = false;
});
document.addEventListener("keydown", (event) => {
  const drop = event.key === "Escape" && event.target.closest?.("details.drop[open]");
  if (drop) {
    drop.open = false;
    drop.querySelector("summary").focus();
  }
});

// A page that takes a while says so; one that comes back from the browser's memory does not.
let stays = false;
document.addEventListener("click", (event) => (stays = event.target.closest("[data-stays]") !== null), true);
addEventListener("beforeunload", () => {
  if (!stays) document.documentElement.dataset.leaving = "";
});
addEventListener("pageshow", () => delete document.documentElement.dataset.leaving);

// A part that renews itself leaves alone what somebody has opened in it.
for (const name of ["htmx:beforeRequest", "htmx:beforeSwap"])
  document.addEventListener(name, (event) => {
    if (event.target.hasAttribute("aria-live") && event.target.querySelector("dialog[open], details[open]")) event.preventDefault();
  });

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

// The time zones that the browser knows, once somebody wants to choose one.
document.addEventListener("focusin", (event) => {
  const list = event.target.matches?.("[data-zones]") && event.target.list;
  if (!list || list.options.length) return;
  for (const name of ["UTC", ...Intl.supportedValuesOf("timeZone")]) list.append(new Option(name, name));
});

// A part that could not be fetched: say so until the next one comes.
function failing(text) {
  document.getElementById("failing")?.remove();
  if (!text) return;
  const told = Object.assign(document.createElement("p"), { id: "failing", className: "problem", textContent: text });
  told.setAttribute("role", "status");
  document.getElementById("main").prepend(told);
}
// Numbers that come after their page: what went wrong stands where they would.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status < 400 || event.detail.target.id !== "numbers") return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});
document.addEventListener("htmx:sendError", () => failing("The server does not answer. What you see may be old; this page goes on trying."));
document.addEventListener("htmx:responseError", (event) => failing(`The server answered ${event.detail.xhr.status}. What you see may be old; this page goes on trying.`));
document.addEventListener("htmx:afterOnLoad", (event) => event.detail.successful !== false && failing(""));

// A live list marks what was not there before.
let known = new Set();
const rowIds = (within) => new Set([...within.querySelectorAll("tr[id]")].map((row) => row.id));
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.matches?.("[data-tail]")) known = rowIds(event.target);
});
document.addEventListener("htmx:afterSettle", (event) => {
  const tail = document.querySelector("[data-tail]");
  if (!tail || !known.size || event.target !== tail) return;
  for (const row of tail.querySelectorAll("tr[id]")) if (!known.has(row.id)) row.classList.add("new");
});

drawCharts(document);
document.addEventListener("htmx:afterSettle", (event) => drawCharts(event.target));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
