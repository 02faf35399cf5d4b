// Settings of the plug as a whole: device, relay, network, time, calibration; moving them, starting anew.
import { api } from "../api/client";
import { plug } from "../api/plug";
import type { CalibrationPage, Kept } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { merged } from "../lib/form";
import { moment } from "../lib/format";
import { type Group, put, valueAt } from "../lib/patch";
import type { Lifetime } from "../lib/signal";
import { type Editor, type Hooks, editor } from "../parts/editor";
import { groupCard } from "../parts/groups";
import { moveCard } from "../parts/move";
import { placeCard } from "../parts/place";
import { CALIBRATION, DEVICE, RELAY, WIFI } from "../texts/settings";

const CONTENTS: [string, string][] = [
  ["device", "Device"],
  ["relay", "Relay"],
  ["time", "Time and place"],
  ["wifi", "Wi-Fi"],
  ["calibration", "Calibration"],
  ["move", "Export and import"],
  ["restart", "Restart and reset"],
];

/** The calibration in use stands in the inputs, also where the settings say "the board's own". */
class CalibrationInUse {
  #page: CalibrationPage | null = null;
  #own = false;
  readonly node = h("p", { class: "calibration-now" });

  readonly hooks: Hooks = {
    arriving: (kept) => this.#arriving(kept),
    sending: (patch) => this.#sending(patch),
  };

  async #arriving({ settings }: Kept): Promise<Group> {
    try {
      this.#page = await api.calibration();
    } catch {
      return settings; // The other settings need none.
    }
    const { id, in_use } = this.#page;
    this.#own = id.version === 0;
    const date = typeof in_use.date === "number" ? `, of ${moment(in_use.date)}` : "";
    const from = this.#own ? "The board's own, never calibrated" : `Version ${id.version}${date}`;
    setText(this.node, `In use: ${from}; fingerprint ${id.hash}.`);
    const { version: _, ...numbers } = in_use;
    return { ...settings, calibration: numbers };
  }

  /** A calibration is sent with its date, and as a whole where there was none before. */
  #sending(patch: Group): Group {
    const { calibration } = patch;
    if (typeof calibration !== "object" || calibration === null || Array.isArray(calibration)) return patch;
    if (!this.#page) return patch;
    const { version: _, ...numbers } = this.#page.in_use;
    const sent = structuredClone(this.#own ? merged(numbers, calibration) : calibration);
    put(sent, "date", Math.floor(Date.now() / 1000));
    return { ...patch, calibration: sent };
  }
}

function calibrationCard({ form, send }: Editor, inUse: CalibrationInUse): HTMLElement {
  const back = async (): Promise<void> => {
    if (confirm("Go back to the board's own calibration?")) await send({ calibration: { reset: true } });
  };
  const card = groupCard(
    form,
    CALIBRATION,
    inUse.node,
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
  const restart = (): void => {
    const held = valueAt({ on: plug.relay.value?.on ?? false }, "on") === true;
    const warning = held ? " The socket is on: what it does meanwhile is a setting of the relay." : "";
    if (!confirm(`Restart the plug?${warning}`)) return;
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
    h("p", { class: "tools" }, h("button", { type: "button", class: "small", onclick: restart }, "Restart the plug")),
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
  const inUse = new CalibrationInUse();
  const own = editor(life, inUse.hooks);
  const { form, bar } = own;
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Settings"),
    h(
      "ul",
      { "class": "contents", "aria-label": "On this page" },
      ...CONTENTS.map(([id, title]) => h("li", {}, h("a", { href: `#/settings/${id}` }, title))),
      h("li", {}, h("a", { href: "#/schedule" }, "Schedule…")),
      h("li", {}, h("a", { href: "#/protection" }, "Protection…")),
    ),
    groupCard(form, DEVICE),
    groupCard(form, RELAY),
    placeCard(life, form),
    groupCard(form, WIFI),
    calibrationCard(own, inUse),
    moveCard(own),
    restartCard(),
    bar,
  );
}
