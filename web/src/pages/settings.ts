// Settings of the plug as a whole: device, relay, time, log, calibration; moving them, starting anew.
import { api } from "../api/client";
import { plug } from "../api/plug";
import { h, setAttribute, setText } from "../lib/dom";
import { moment } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { type Editor, editor } from "../parts/editor";
import { groupCard } from "../parts/groups";
import { moveCard } from "../parts/move";
import { placeCard } from "../parts/place";
import { question } from "../parts/question";
import { CALIBRATION, DEVICE, LOG, RELAY } from "../texts/settings";

const CONTENTS: [string, string][] = [
  ["device", "Device"],
  ["relay", "Relay"],
  ["time", "Time and place"],
  ["log", "Log"],
  ["calibration", "Calibration"],
  ["move", "Export and import"],
  ["restart", "Restart and reset"],
];

/** Which calibration is in use; the settings have its numbers only. */
function calibrationInUse(life: Lifetime, { form }: Editor): HTMLElement {
  const node = h("p", { class: "calibration-now" });
  life.watch(form.loaded, async (count) => {
    if (count === 0) return;
    try {
      const { id, in_use } = await api.calibration();
      const date = typeof in_use.date === "number" ? `, of ${moment(in_use.date)}` : "";
      const from = id.version === 0 ? "the board's own, never calibrated" : `version ${id.version}${date}`;
      setText(node, `In use: ${from}; fingerprint ${id.hash}.`);
    } catch {
      setText(node, ""); // The numbers below are there all the same.
    }
  });
  return node;
}

function calibrationCard(life: Lifetime, own: Editor): HTMLElement {
  const { form, send } = own;
  const back = async (): Promise<void> => {
    const words = "The numbers that were measured for this plug are forgotten.";
    if (await question("Go back to the board's own calibration?", words, "Go back"))
      await send({ calibration: { reset: true } });
  };
  const card = groupCard(
    form,
    CALIBRATION,
    calibrationInUse(life, own),
    h(
      "p",
      { class: "tools" },
      h("button", { type: "button", class: "small", onclick: () => void back() }, "Back to the board's own"),
    ),
  );
  // Long, and seldom needed: the inputs are folded away.
  const rows = card.querySelector(".fields") as HTMLElement;
  const folded = h("details", { class: "as-table" }, h("summary", {}, "Change its numbers"));
  rows.replaceWith(folded);
  folded.append(rows);
  form.changed.watch(() => {
    if (rows.querySelector(".changed, [aria-invalid]")) folded.open = true;
  });
  return card;
}

const RESET_WORDS = "factory reset";

function restartCard(): HTMLElement {
  const note = h("p", { role: "status" });
  const problem = h("p", { class: "problem", role: "alert" });
  const run = async (action: () => Promise<unknown>, after: string): Promise<void> => {
    setText(problem, "");
    try {
      await action();
      setText(note, after);
    } catch (error) {
      setText(problem, (error as Error).message);
    }
  };
  const restart = async (): Promise<void> => {
    const warning = plug.relay.value?.on ? " The socket is on: what it does meanwhile is a setting of the relay." : "";
    if (!(await question("Restart the plug?", `It takes some seconds.${warning}`, "Restart"))) return;
    void run(api.restart, "It restarts. This page comes back by itself in some seconds.");
  };
  const typed = h("input", { type: "text", id: "reset-words", autocomplete: "off", spellcheck: "false" });
  const reset = h("button", { type: "submit", class: "danger", disabled: true }, "Reset to factory settings");
  const words = (): string => typed.value.trim().toLowerCase();
  typed.addEventListener("input", () => setAttribute(reset, "disabled", words() !== RESET_WORDS));
  const form = h(
    "form",
    { class: "reset" },
    h("label", { for: "reset-words" }, "To reset, type ", h("code", {}, RESET_WORDS)),
    typed,
    reset,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (words() !== RESET_WORDS) return;
    const after = "Everything set is erased. The plug restarts; it may come back on its own access point.";
    void run(() => api.factoryReset(RESET_WORDS), after);
  });
  return h(
    "section",
    { "class": "card settings", "id": "restart", "tabindex": -1, "aria-labelledby": "restart-title" },
    h("h2", { id: "restart-title" }, "Restart and reset"),
    h(
      "p",
      { class: "tools" },
      h("button", { type: "button", class: "small", onclick: () => void restart() }, "Restart the plug"),
    ),
    h("h3", {}, "Factory reset"),
    h(
      "p",
      { class: "hint" },
      "Erases settings, network, schedule, passwords, log and trips. Energy starts anew under another meter identity. Calibration, identity and firmware stay.",
    ),
    form,
    note,
    problem,
  );
}

export function settingsPage(life: Lifetime): Node {
  const own = editor(life);
  const { form, bar } = own;
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Settings"),
    h(
      "ul",
      { "class": "contents", "aria-label": "On this page" },
      ...CONTENTS.map(([id, title]) => h("li", {}, h("a", { href: `#/settings/${id}` }, title))),
      h("li", {}, h("a", { href: "#/network" }, "Network…")),
      h("li", {}, h("a", { href: "#/update" }, "Update…")),
      h("li", {}, h("a", { href: "#/schedule" }, "Schedule…")),
      h("li", {}, h("a", { href: "#/protection" }, "Protection…")),
      h("li", {}, h("a", { href: "#/report" }, "Emoncms…")),
    ),
    groupCard(form, DEVICE),
    groupCard(form, RELAY),
    placeCard(life, form),
    groupCard(form, LOG),
    calibrationCard(life, own),
    moveCard(own),
    restartCard(),
    bar,
  );
}
