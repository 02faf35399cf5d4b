// The relay with its log: every change, who wanted it, why, and the reading at that moment.
import { api } from "../api/client";
import { plug } from "../api/plug";
import type { RelayChange } from "../api/types";
import { h, setText } from "../lib/dom";
import { momentOrUptime, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { relayCard, sourceText } from "../parts/relay";

const HEAD = ["Time", "Relay", "By", "Because", "Power then", "Current then", "Window"];

function line(change: RelayChange): Node {
  const cells: [string, string | Node][] = [
    ["Time", momentOrUptime(change.time, change.uptime_s)],
    ["Relay", h("span", { class: change.on ? "tag on" : "tag" }, change.on ? "On" : "Off")],
    ["By", sourceText(change.source)],
    ["Because", change.cause],
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
          : "Newest first. Power and current are those of the last window before the change.",
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

export function relayPage(life: Lifetime): Node {
  return h("div", { class: "relay-page" }, h("h1", { class: "visually-hidden" }, "Relay"), relayCard(life), log(life));
}
