// A row of buttons of which one is chosen: radio buttons, so that the arrow keys work.
import { h } from "../lib/dom";

let count = 0;

export function segments<T extends string | number>(
  legend: string,
  choices: [T, string][],
  chosen: T,
  onChoose: (value: T) => void,
): HTMLElement {
  const name = `segments-${++count}`;
  return h(
    "fieldset",
    { class: "segments" },
    h("legend", { class: "visually-hidden" }, legend),
    ...choices.map(([value, label]) =>
      h(
        "label",
        {},
        h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onChoose(value) }),
        h("span", {}, label),
      ),
    ),
  );
}
