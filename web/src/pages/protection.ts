// The protections: how near each is to a trip now, their settings, and what they are not.
import { api, NoAnswer } from "../api/client";
import { plug } from "../api/plug";
import type { Protection } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { decimal, duration, sentence, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { editor } from "../parts/editor";
import { groupCard } from "../parts/groups";
import { poll } from "../parts/poll";
import { NOT_A_FUSE, PROTECTIONS } from "../texts/settings";

const STATES: Record<string, string> = {
  watching: "Watching",
  locked_out: "Locked out: nothing switches on until it is re-armed",
  waiting_to_retry: "Waiting to try again",
  retrying: "Trying again",
};

/** From this share on a bar warns; a good voltage is never far from its limits. */
const NEAR = 0.8;
const NEAR_VOLTAGE = 0.97;

interface Margin {
  name: string;
  /** Share of what trips. */
  share: number;
  text: string;
  /** From this share on it warns. */
  near?: number;
}

/** What is known of each protection that is on. */
function margins(protection: Protection): Margin[] {
  const reading = plug.reading.value;
  const limit = (name: string): number | null => {
    const value = protection.limits?.[name];
    return typeof value === "number" ? value : null;
  };
  const found: Margin[] = [];
  const add = (name: string, value: number | null | undefined, of: number | null | undefined, unit: string): void => {
    if (typeof value !== "number" || typeof of !== "number" || of <= 0) return;
    const near = unit === "V" ? NEAR_VOLTAGE : NEAR;
    found.push({ name, share: value / of, text: `${withUnit(value, unit)} of ${withUnit(of, unit)}`, near });
  };
  add("Current, at once", reading?.half_cycle.current_max_a, limit("current_limit_a"), "A");
  const { thermal_pct: thermal, thermal_trip_in_s: trips } = protection;
  if (typeof thermal === "number") {
    const soon = typeof trips === "number" ? `, trips in ${duration(trips)}` : "";
    found.push({ name: "Heat by the current", share: thermal / 100, text: `${decimal(thermal, 1)} %${soon}` });
  }
  add("Power", reading && Math.abs(reading.active_power_w), limit("power_limit_w"), "W");
  add("Time above that power", protection.over_power_s, limit("power_hold_s"), "s");
  add("Voltage, upper limit", reading?.voltage_v, limit("voltage_max_v"), "V");
  add("Time above that voltage", protection.over_voltage_s, limit("voltage_hold_s"), "s");
  const lowest = limit("voltage_min_v");
  if (reading && lowest !== null && reading.voltage_v > 0) {
    const text = `${withUnit(reading.voltage_v, "V")}, at least ${withUnit(lowest, "V")}`;
    found.push({ name: "Voltage, lower limit", share: lowest / reading.voltage_v, text, near: NEAR_VOLTAGE });
  }
  add("Time below that voltage", protection.under_voltage_s, limit("voltage_hold_s"), "s");
  add("Energy today", protection.budget?.used_wh, protection.budget?.of_wh, "Wh");
  const { chip_temperature_c: chip } = protection;
  const hottest = limit("chip_temperature_max_c");
  if (typeof chip === "number" && hottest !== null) {
    const text = `${decimal(chip, 0)} of ${decimal(hottest, 0)} °C`;
    found.push({ name: "Chip", share: chip / hottest, text });
  }
  return found;
}

/** Where the guard stands, in a sentence. */
function stateText(protection: Protection): string {
  const words = STATES[protection.state] ?? protection.state;
  const why = protection.cause ? ` ${sentence(protection.cause)}` : "";
  if (protection.state !== "waiting_to_retry") return `${words}.${why}`;
  if (protection.retry_waits_for === "condition") return `${words}, once what tripped is gone.${why}`;
  const left = typeof protection.retry_in_s === "number" ? `, in ${duration(protection.retry_in_s)}` : "";
  return `${words}${left}.${why}`;
}

function stateCard(life: Lifetime): HTMLElement {
  const state = h("p", { class: "protection-state" }, "…");
  const list = h("dl", { class: "margins" });
  const lines = new Map<string, { node: HTMLElement; bar: HTMLElement; text: HTMLElement }>();
  let newest: Protection | null = null;

  const line = (name: string): { node: HTMLElement; bar: HTMLElement; text: HTMLElement } => {
    const known = lines.get(name);
    if (known) return known;
    const bar = h("i");
    const text = h("span");
    const node = h("div", {}, h("dt", {}, name), h("dd", {}, h("span", { class: "meter" }, bar), text));
    const made = { node, bar, text };
    lines.set(name, made);
    return made;
  };
  const draw = (): void => {
    if (!newest) return;
    setText(state, stateText(newest));
    setAttribute(state, "data-state", newest.state);
    const shown = margins(newest).map(({ name, share, text, near = NEAR }) => {
      const made = line(name);
      made.bar.style.width = `${Math.min(100, Math.max(0, share * 100))}%`;
      setAttribute(made.bar, "data-near", share >= 1 ? "over" : share >= near ? "near" : null);
      setText(made.text, text);
      return made.node;
    });
    if (shown.length !== list.childElementCount || shown.some((node, n) => node !== list.children[n])) {
      list.replaceChildren(...shown);
    }
  };
  const card = h(
    "section",
    { "class": "card", "aria-labelledby": "state-title" },
    h("h2", { id: "state-title" }, "State now"),
    state,
    list,
    h("p", { class: "hint" }, "A bar that is full trips. Protections that are off have none."),
  );
  poll(
    life,
    card,
    2000,
    () => plug.link.value.state !== "gone",
    async () => {
      try {
        newest = await api.protection();
        draw();
      } catch (error) {
        if (!(error instanceof NoAnswer)) setText(state, (error as Error).message);
      }
    },
  );
  life.watch(plug.reading, draw);
  return card;
}

export function protectionPage(life: Lifetime): Node {
  const { form, bar } = editor(life);
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Protection"),
    h(
      "section",
      { "class": "card not-a-fuse", "aria-labelledby": "not-title" },
      h("h2", { id: "not-title" }, "This is not a fuse"),
      h("p", {}, NOT_A_FUSE[0]),
      h("p", {}, h("a", { href: "#/learn/not-a-fuse" }, "What it cannot do, and when nothing watches")),
    ),
    stateCard(life),
    ...PROTECTIONS.map((group) => groupCard(form, group)),
    bar,
  );
}
