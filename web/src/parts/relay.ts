// The relay: its state, who commanded it and why, and the switch.
import { api } from "../api/client";
import { plug } from "../api/plug";
import type { RelayCommand, RelayStatus } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { duration, momentOrUptime, sentence } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { delayText, sourceText } from "../texts/sources";
import { segments } from "./segments";

const UNITS: [number, string][] = [
  [1, "seconds"],
  [60, "minutes"],
  [3600, "hours"],
];

/** Lengths offered as buttons, in seconds. */
const QUICK_S = [60, 600, 3600, 8 * 3600];

/** Sends a command and shows the answer; `problem` says what went wrong. One at a time. */
function commander(problem: HTMLElement, busyElement: HTMLElement): (body: RelayCommand) => Promise<void> {
  let busy = false;
  return async (body) => {
    if (busy) return;
    busy = true;
    setAttribute(busyElement, "aria-busy", "true");
    setText(problem, "");
    try {
      const answer = await api.switchRelay(body);
      plug.acceptRelay(typeof answer?.on === "boolean" ? answer : await api.relay());
    } catch (error) {
      setText(problem, (error as Error).message);
    } finally {
      busy = false;
      setAttribute(busyElement, "aria-busy", null);
    }
  };
}

type Command = (body: RelayCommand) => void;

/** Switches for a time: a form, and with `full` also off, and buttons for the usual lengths. */
function forATime(command: Command, problem: HTMLElement, full: boolean): HTMLElement {
  let on = true;
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
  const submit = h("button", { type: "submit", class: "small" }, "Switch on");
  const label = h("label", { for: "for-amount" }, "On for");
  const choose = (value: "on" | "off"): void => {
    on = value === "on";
    setText(label, on ? "On for" : "Off for");
    setText(submit, on ? "Switch on" : "Switch off");
  };
  const form = h(
    "form",
    { class: "for", novalidate: true },
    full && h("h3", {}, "For a time"),
    full &&
      segments<"on" | "off">(
        "Switch on or off",
        [
          ["on", "On"],
          ["off", "Off"],
        ],
        "on",
        choose,
      ),
    full &&
      h(
        "span",
        { "class": "quick", "role": "group", "aria-label": "For the usual lengths of time" },
        ...QUICK_S.map((seconds) => {
          const text = duration(seconds).replace(/ 00 (s|min)$/, "");
          return h(
            "button",
            { type: "button", class: "small", onclick: () => command({ on, for_s: seconds }) },
            h("span", { class: "visually-hidden" }, "for "),
            text,
          );
        }),
      ),
    label,
    amount,
    unit,
    submit,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const seconds = Number(amount.value) * Number(unit.value);
    if (!(seconds >= 1) || !Number.isInteger(seconds)) {
      setText(problem, "Give a whole number of seconds, minutes or hours, at least 1.");
      amount.focus();
      return;
    }
    command({ on, for_s: seconds });
  });
  return form;
}

/** What will happen by itself, each with the seconds that are left. */
function soon(status: RelayStatus): [number, (left: string) => string][] {
  const found: [number, (left: string) => string][] = [];
  if (typeof status.delayed_s === "number") {
    const why = delayText(status.delay_reason);
    found.push([status.delayed_s, (left) => `Will switch on in ${left}: ${why}.`]);
  }
  if (typeof status.retry_in_s === "number") {
    const more = status.retries_left ?? 0;
    const after = more > 0 ? `, and at most ${more} more ${more === 1 ? "time" : "times"}` : "";
    found.push([status.retry_in_s, (left) => `Tries again by itself in ${left}${after}.`]);
  }
  if (status.remaining_s !== null) {
    found.push([status.remaining_s, (left) => `Switches ${status.on ? "off" : "on"} by itself in ${left}.`]);
  }
  return found;
}

function facts(status: RelayStatus): Node[] {
  const contact = status.measured === null ? "not measured on this plug" : status.measured ? "closed" : "open";
  const entries: [string, string][] = [
    ["By", sourceText(status.commanded_by)],
    ["Because", sentence(status.reason) || "No reason was given."],
    ["Since", momentOrUptime(status.since, status.since_uptime_s)],
    ["Contact", contact],
    ["Switched", `${status.switch_count} ${status.switch_count === 1 ? "time" : "times"} since start`],
  ];
  return entries.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text)));
}

export interface CardOptions {
  /** Leads to the log. */
  more?: Node;
  /** With all that can be done. */
  full?: boolean;
}

export function relayCard(life: Lifetime, { more, full = false }: CardOptions = {}): HTMLElement {
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
  const list = h("dl", { class: "facts" });
  const problem = h("p", { class: "problem", role: "alert" });
  const timer = h("p", { class: "timer" });
  const trip = h("p", { class: "trip-cause" });
  const command = commander(problem, toggle);
  const act = (body: RelayCommand) => (): void => void command(body);
  toggle.addEventListener("click", () => void command({ on: toggle.getAttribute("aria-checked") !== "true" }));

  const rearm = h(
    "button",
    { type: "button", class: "rearm", hidden: true, onclick: act({ rearm: true }) },
    "Re-arm: allow switching on again",
  );
  const cancel = h(
    "button",
    { type: "button", class: "small", hidden: true, onclick: act({ cancel_retries: true }) },
    "Do not try again by itself",
  );
  const release = h(
    "button",
    { type: "button", class: "small", hidden: true, onclick: act({ release: true }) },
    "Release: end what was switched by hand",
  );

  const showTimer = (): void => {
    const status = plug.relay.value;
    if (!status) return;
    const passed = (Date.now() - plug.relayAt) / 1000;
    setText(
      timer,
      soon(status)
        .map(([left, text]) => text(duration(left - passed)))
        .join(" "),
    );
  };
  const show = (status: RelayStatus): void => {
    setAttribute(toggle, "aria-checked", String(status.on));
    setAttribute(rearm, "hidden", !status.locked_out);
    setAttribute(cancel, "hidden", typeof status.retry_in_s !== "number");
    setAttribute(release, "hidden", !(full && status.claims?.some((claim) => claim.class === "manual")));
    setText(state, status.locked_out ? "Locked out" : status.on ? "On" : "Off");
    setText(trip, status.locked_out && status.trip ? sentence(status.trip.cause) : "");
    section.classList.toggle("on", status.on);
    section.classList.toggle("locked", status.locked_out);
    list.replaceChildren(...facts(status));
  };

  const section: HTMLElement = h(
    "section",
    { "class": "card relay", "aria-labelledby": "relay-title" },
    h("header", {}, h("h2", { id: "relay-title" }, "Relay"), more),
    h("div", { class: "relay-main" }, toggle, state),
    trip,
    rearm,
    problem,
    timer,
    h("p", { class: "tools" }, cancel, release),
    list,
    forATime((body) => void command(body), problem, full),
  );
  life.watch(plug.relay, (status) => {
    if (status) show(status);
    showTimer();
  });
  life.every(1000, showTimer);
  return section;
}
