// Dialogs, also where the browser knows none.

/** Shows a dialog in front of the page. Safari before 15.4 has none, nor have old phones' captive sheets: a box of the page then. */
export function showModal(dialog: HTMLDialogElement): void {
  document.body.append(dialog);
  if ("showModal" in dialog) {
    dialog.showModal();
    return;
  }
  const box: HTMLElement = dialog;
  Object.assign(box, { close: () => box.dispatchEvent(new Event("close")) });
  box.setAttribute("role", "dialog");
  box.classList.add("box");
  box.querySelector<HTMLElement>("input, button")?.focus();
}
