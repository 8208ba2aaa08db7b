// Dialogs: a button opens the one behind it; Escape, Cancel and a click beside it close it.
// Runs before the page is there, so that a button works as soon as it can be seen.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) opener.nextElementSibling.showModal();
  else if (event.target.closest("[data-closes]") || event.target.matches("dialog")) event.target.closest("dialog")?.close();
});
