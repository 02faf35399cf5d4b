// The relay: its state, who commanded it and why, and the switch.
import { api } from "../api/client";
import { plug } from "../api/plug";
import type { RelayCommand, RelayStatus } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { duration, momentOrUptime } from "../lib/format";
import type { Lifetime } from "../lib/signal";

const SOURCES: Record<string, string> = {
  power_on: "power-up",
  web: "this web page or the API",
  timer: "the timer",
  protection: "protection",
  button: "the button on the plug",
  schedule: "the schedule",
  mqtt: "MQTT",
};

/** Who, in words. */
export const sourceText = (source: string): string => SOURCES[source] ?? source.replaceAll("_", " ");

const UNITS: [number, string][] = [
  [1, "seconds"],
  [60, "minutes"],
  [3600, "hours"],
];

/** `more` leads to the log. */
export function relayCard(life: Lifetime, more?: Node): HTMLElement {
  const state = h("span", { class: "relay-state" }, "…");
  const toggle = h(
    "button",
    {
      "type": "button",
      "class": "switch",
      "role": "switch",
      "aria-checked": "false",
      "aria-label": "Socket",
      "id": "relay-switch",
    },
    h("span", { class: "knob" }),
  );
  const facts = h("dl", { class: "facts" });
  const problem = h("p", { class: "problem", role: "alert" });
  const timer = h("p", { class: "timer" });

  let busy = false;
  const command = async (body: RelayCommand): Promise<void> => {
    if (busy) return;
    busy = true;
    setAttribute(toggle, "aria-busy", "true");
    setText(problem, "");
    try {
      const answer = await api.switchRelay(body);
      plug.acceptRelay(typeof answer?.on === "boolean" ? answer : await api.relay());
    } catch (error) {
      setText(problem, (error as Error).message);
    } finally {
      busy = false;
      setAttribute(toggle, "aria-busy", null);
    }
  };
  toggle.addEventListener("click", () => void command({ on: toggle.getAttribute("aria-checked") !== "true" }));

  const amount = h("input", {
    type: "number",
    id: "for-amount",
    min: 1,
    max: 999999,
    step: 1,
    value: 60,
    inputmode: "numeric",
  });
  const unit = h(
    "select",
    { "aria-label": "Unit of time" },
    ...UNITS.map(([s, name]) => h("option", { value: s }, name)),
  );
  const form = h(
    "form",
    { class: "for", novalidate: true },
    h("label", { for: "for-amount" }, "On for"),
    amount,
    unit,
    h("button", { type: "submit", class: "small" }, "Switch on"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const seconds = Number(amount.value) * Number(unit.value);
    if (!(seconds >= 1) || !Number.isInteger(seconds)) {
      setText(problem, "Give a whole number of seconds, minutes or hours, at least 1.");
      amount.focus();
      return;
    }
    void command({ on: true, for_s: seconds });
  });

  const rearm = h(
    "button",
    { type: "button", class: "rearm", hidden: true, onclick: () => void command({ rearm: true }) },
    "Re-arm: allow switching on again",
  );

  const showTimer = (): void => {
    const status = plug.relay.value;
    if (!status || status.remaining_s === null) {
      setText(timer, "");
      return;
    }
    const left = status.remaining_s - (Date.now() - plug.relayAt) / 1000;
    setText(timer, `Switches ${status.on ? "off" : "on"} by itself in ${duration(left)}.`);
  };
  function show(status: RelayStatus): void {
    setAttribute(toggle, "aria-checked", String(status.on));
    setAttribute(rearm, "hidden", !status.locked_out);
    setText(state, status.locked_out ? "Locked out" : status.on ? "On" : "Off");
    section.classList.toggle("on", status.on);
    section.classList.toggle("locked", status.locked_out);
    const contact = status.measured === null ? "not measured on this plug" : status.measured ? "closed" : "open";
    const fact = (term: string, text: string): Node => h("div", {}, h("dt", {}, term), h("dd", {}, text));
    facts.replaceChildren(
      fact("By", sourceText(status.commanded_by)),
      fact("Because", status.reason || "no reason was given"),
      fact("Since", momentOrUptime(status.since, status.since_uptime_s)),
      fact("Contact", contact),
      fact("Switched", `${status.switch_count} ${status.switch_count === 1 ? "time" : "times"} since start`),
    );
  }

  const section: HTMLElement = h(
    "section",
    { "class": "card relay", "aria-labelledby": "relay-title" },
    h("header", {}, h("h2", { id: "relay-title" }, "Relay"), more),
    h("div", { class: "relay-main" }, toggle, state),
    rearm,
    problem,
    timer,
    facts,
    form,
  );
  life.watch(plug.relay, (status) => {
    if (status) show(status);
    showTimer();
  });
  life.every(1000, showTimer);
  return section;
}
