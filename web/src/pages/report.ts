// Report: sending what is measured to Emoncms, and how that stands.
import { h, setAttribute } from "../lib/dom";
import { fieldControl, type Form } from "../lib/form";
import { same, valueAt } from "../lib/patch";
import type { Lifetime } from "../lib/signal";
import { editor } from "../parts/editor";
import { groupCard } from "../parts/groups";
import { testCard, uplinkCard } from "../parts/uplink";
import { DESTINATION, EMONCMS, EMONCMS_MORE, KEYS_AGAIN, PLAIN_WARNING } from "../texts/report";

const typed = (form: Form, path: string): unknown => {
  const taken = form.at(path)?.take();
  return taken && "value" in taken ? taken.value : undefined;
};

/** Whether what is typed would send somewhere else. */
const elsewhere = (form: Form): boolean =>
  DESTINATION.some((path) => {
    const taken = form.at(path)?.take();
    return taken && "value" in taken && !same(taken.value, valueAt(form.base, path));
  });

/** Whether a stored key would go to another server, or in clear, and was not typed again. */
const wantsKeys = (form: Form): boolean => {
  const url = typed(form, "emoncms.url");
  const moves = url !== undefined && url !== "" && url !== valueAt(form.base, "emoncms.url");
  const bare = typed(form, "emoncms.transport") === "plain" && valueAt(form.base, "emoncms.transport") !== "plain";
  const stays = (path: string): boolean => valueAt(form.base, path) === "set" && typed(form, path) === "set";
  return (moves || bare) && (stays("emoncms.write_key") || stays("emoncms.read_key"));
};

/** The question that another server, node or key brings up. */
function beginQuestion(form: Form): HTMLElement {
  const begin = fieldControl({
    path: "emoncms.begin",
    kind: "choice",
    label: "Which rows should it get?",
    help: "The server, node or key is another one, so the plug does not know what is there already. From the oldest: also what the log has of the days before.",
    choices: [
      ["now", "from now on"],
      ["oldest", "from the oldest on"],
    ],
  });
  return h("div", { class: "begin", hidden: true, role: "group" }, form.add(begin));
}

export function reportPage(life: Lifetime): Node {
  const { form, bar } = editor(life);
  const warning = h("div", { class: "alert warn", role: "alert", hidden: true }, h("p", {}, PLAIN_WARNING));
  const again = h("div", { class: "alert note", role: "status", hidden: true }, h("p", {}, KEYS_AGAIN));
  const timeless = h(
    "div",
    { class: "alert note", hidden: true },
    h(
      "p",
      {},
      "Rows are sent with their time, so the plug has to know it: ",
      h("a", { href: "#/settings/time" }, "choose who tells it"),
      ".",
    ),
  );
  const question = beginQuestion(form);
  const where = groupCard(form, EMONCMS, timeless, [warning, again, question]);
  const more = groupCard(form, EMONCMS_MORE);
  const rows = more.querySelector(".fields") as HTMLElement;
  const folded = h("details", { class: "as-table" }, h("summary", {}, "Interval and names"));
  rows.replaceWith(folded);
  folded.append(rows);

  const follow = (): void => {
    setAttribute(warning, "hidden", typed(form, "emoncms.transport") !== "plain");
    setAttribute(again, "hidden", !wantsKeys(form));
    const asks = elsewhere(form);
    if (asks !== question.hidden) return;
    setAttribute(question, "hidden", !asks);
    const begin = form.at("emoncms.begin");
    // The answer of last time is not the answer to this question.
    if (asks) begin?.type?.("now");
    else begin?.set(valueAt(form.base, "emoncms.begin"));
  };
  where.addEventListener("input", follow);
  where.addEventListener("change", follow);
  life.watch(form.loaded, () => {
    setAttribute(timeless, "hidden", valueAt(form.base, "time.source") !== "none");
    follow();
  });
  life.watch(form.changed, () => {
    if (rows.querySelector(".changed, [aria-invalid]")) folded.open = true;
  });
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Report to Emoncms"),
    h(
      "p",
      { class: "lead" },
      "Emoncms collects energy data: on a computer of yours, or at somebody else's. The plug keeps every row until the server has taken it, so a gap in the network leaves no gap there. ",
      h("a", { href: "#/leaves" }, "What leaves this plug"),
    ),
    uplinkCard(life, form.loaded),
    where,
    more,
    testCard(() => form.changed.value > 0),
    bar,
  );
}
