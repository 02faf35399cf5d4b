// A question in the page itself: the browsers of captive portals know no other, and it can say more.
import { type Child, h } from "../lib/dom";
import { showModal } from "../lib/modal";

export function question(title: string, words: Child, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = false;
    const button = (label: string, value: boolean, kind: string): HTMLElement =>
      h(
        "button",
        {
          type: "button",
          class: kind,
          onclick: () => {
            answer = value;
            dialog.close();
          },
        },
        label,
      );
    const dialog = h(
      "dialog",
      { "class": "explanation", "aria-labelledby": "question-title" },
      h("h2", { id: "question-title" }, title),
      h(
        "div",
        { class: "sign-in" },
        h("p", {}, words),
        h("p", { class: "tools" }, button("Cancel", false, "small"), button(yes, true, "danger")),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    showModal(dialog);
  });
}
