// The relay with all that concerns it: who decides and who waits, its log, and its trips.
import { api } from "../api/client";
import { plug } from "../api/plug";
import type { Claim, RelayChange } from "../api/types";
import { h, setText } from "../lib/dom";
import { duration, momentOrUptime, sentence, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { relayCard } from "../parts/relay";
import { trips } from "../parts/trips";
import { classText, sourceText } from "../texts/sources";
import { scheduleText } from "./schedule";

const HEAD = ["Time", "Relay", "By", "Because", "Power then", "Current then", "Window"];

const onOff = (on: boolean): Node => h("span", { class: on ? "tag on" : "tag" }, on ? "On" : "Off");

function line(change: RelayChange): Node {
  const run = change.time === null && change.start !== undefined ? `, start ${change.start}` : "";
  const locked = change.locked_out ? [" ", h("span", { class: "tag locked" }, "Locked out")] : [];
  const cells: [string, string | Node][] = [
    ["Time", `${momentOrUptime(change.time, change.uptime_s)}${run}`],
    ["Relay", h("span", {}, onOff(change.on), ...locked)],
    ["By", sourceText(change.source)],
    ["Because", sentence(change.cause)],
    ["Power then", withUnit(change.active_power_w, "W")],
    ["Current then", withUnit(change.current_a, "A")],
    ["Window", change.reading_sequence === null ? "–" : String(change.reading_sequence)],
  ];
  return h("tr", {}, ...cells.map(([label, content]) => h("td", { "data-label": label }, content)));
}

function log(life: Lifetime): HTMLElement {
  const body = h("tbody");
  const note = h("p", { class: "hint" }, "Waiting for the log…");
  life.watch(plug.relayChanges, async () => {
    try {
      const changes = await api.relayLog();
      body.replaceChildren(...changes.map(line));
      setText(
        note,
        changes.length === 0
          ? "The relay has not moved yet."
          : "Newest first; kept over restarts. Power and current are those of the last window before the change.",
      );
    } catch (error) {
      setText(note, (error as Error).message);
    }
  });
  return h(
    "section",
    { "class": "card log", "aria-labelledby": "log-title" },
    h("header", {}, h("h2", { id: "log-title" }, "Every change, and why")),
    h(
      "table",
      { class: "stacks" },
      h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
      body,
    ),
    note,
  );
}

/** When a claim ends; half a sentence. */
function ending(claim: Claim, passed: number): string {
  if (claim.ends_in_s !== null) return `ends in ${duration(claim.ends_in_s - passed)}`;
  if (claim.until === "schedule") return "until the schedule's next time";
  if (claim.until === "released") return "until somebody releases it";
  return "";
}

function claims(life: Lifetime): HTMLElement {
  const list = h("ol", { class: "claims" });
  const schedule = h("p", { class: "hint" });
  const show = (): void => {
    const status = plug.relay.value;
    if (!status) return;
    const passed = (Date.now() - plug.relayAt) / 1000;
    const items = (status.claims ?? []).map((claim) => {
      const since = `since ${momentOrUptime(claim.since, claim.since_uptime_s)}`;
      const parts = [`by ${sourceText(claim.source)}`, since, ending(claim, passed)].filter(Boolean);
      return h(
        "li",
        { class: claim.holds ? "holds" : null },
        h("strong", {}, classText(claim.class)),
        onOff(claim.on),
        h("span", { class: "claim-role" }, claim.holds ? "decides" : "waits"),
        h("p", {}, sentence(claim.cause)),
        h("p", { class: "hint" }, parts.join(" · ")),
      );
    });
    // Only when something changed, so that a screen reader or a selection is not disturbed every second.
    const text = items.map((item) => item.textContent).join();
    if (text !== list.textContent || items.length !== list.childElementCount) list.replaceChildren(...items);
    setText(schedule, scheduleText(status.schedule, Date.now() / 1000));
  };
  life.watch(plug.relay, show);
  life.every(1000, show);
  return h(
    "section",
    { "class": "card", "aria-labelledby": "claims-title" },
    h("h2", { id: "claims-title" }, "Who decides"),
    h(
      "p",
      { class: "hint" },
      "Everyone who wants the socket on or off says so here. The first in this order decides; the others wait: protection, by hand, timer, schedule, power-up.",
    ),
    list,
    schedule,
  );
}

function identify(): HTMLElement {
  const note = h("span", { class: "hint", role: "status" });
  const blink = async (): Promise<void> => {
    try {
      await api.identify();
      setText(note, "It blinks for half a minute.");
    } catch (error) {
      setText(note, (error as Error).message);
    }
  };
  return h(
    "section",
    { "class": "card", "aria-labelledby": "which-title" },
    h("h2", { id: "which-title" }, "Which plug is this?"),
    h(
      "p",
      { class: "tools" },
      h("button", { type: "button", class: "small", onclick: () => void blink() }, "Blink its light"),
      note,
    ),
  );
}

export function controlPage(life: Lifetime): Node {
  return h(
    "div",
    { class: "relay-page" },
    h("h1", { class: "visually-hidden" }, "Control"),
    h("div", { class: "stack" }, relayCard(life, { full: true }), identify()),
    h("div", { class: "stack" }, claims(life), trips(life), log(life)),
  );
}
