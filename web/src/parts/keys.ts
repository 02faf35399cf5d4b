// The owner's keys: a list to add to and remove from.
import { h, setAttribute, setText } from "../lib/dom";
import type { Control } from "../lib/form";

const MOST = 4;

export function keysControl(): Control {
  let keys: string[] = [];
  const list = h("ul", { class: "tokens" });
  const error = h("p", { class: "field-error", role: "alert", id: "key-error" });
  const input = h("input", {
    "type": "text",
    "id": "new-key",
    "class": "token",
    "autocomplete": "off",
    "spellcheck": "false",
    "aria-describedby": error.id,
  });
  const add = h("button", { type: "button", class: "small", onclick: () => append() }, "Add the key");
  const node = h(
    "div",
    { "data-field": "update.keys", "hidden": true },
    h("h3", {}, "Your own keys"),
    list,
    h("p", { class: "tools" }, h("label", { for: input.id }, "Public key"), input, add),
    error,
  );
  const say = (message: string): void => {
    setText(error, message);
    setAttribute(input, "aria-invalid", message ? "true" : null);
  };
  const changed = (): void => {
    draw();
    node.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const draw = (): void => {
    const rows = keys.map((key, n) => {
      const remove = (): void => {
        keys = keys.filter((_, at) => at !== n);
        changed();
        input.focus();
      };
      const button = { "type": "button", "class": "small", "aria-label": `Remove ${key}`, "onclick": remove };
      return h("li", {}, h("code", {}, key), h("button", button, "Remove"));
    });
    list.replaceChildren(...(rows.length > 0 ? rows : [h("li", { class: "hint" }, "None.")]));
    setAttribute(add, "disabled", keys.length >= MOST);
  };
  const append = (): void => {
    const key = input.value.trim().toLowerCase();
    const wrong = !/^[0-9a-f]{64}$/.test(key) ? "A key has 64 digits from 0 to f." : "It is there already.";
    if (wrong.startsWith("A") || keys.includes(key)) {
      say(wrong);
      input.focus();
      return;
    }
    keys = [...keys, key];
    input.value = "";
    changed();
  };
  return {
    path: "update.keys",
    node,
    set(value) {
      keys = Array.isArray(value) ? value.map(String) : [];
      setAttribute(node, "hidden", value === undefined);
      draw();
    },
    take: () => ({ value: keys }),
    refuse(_, message) {
      say(message);
      return input;
    },
    clear: () => say(""),
  };
}
