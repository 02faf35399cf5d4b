// A group of settings as a card.
import { type Child, h } from "../lib/dom";
import type { Form } from "../lib/form";
import type { FieldGroup } from "../texts/settings";

/** `before` and `after` stand around the rows. */
export function groupCard(form: Form, group: FieldGroup, before?: Child, after?: Child): HTMLElement {
  const title = `${group.id}-title`;
  return h(
    "section",
    { "class": "card settings", "id": group.id, "tabindex": -1, "aria-labelledby": title },
    h("h2", { id: title }, group.title),
    group.what && h("p", { class: "hint" }, group.what),
    before,
    h("div", { class: "fields" }, ...form.rows(group.fields)),
    after,
  );
}
