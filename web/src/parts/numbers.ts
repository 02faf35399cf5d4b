// The numbers of the newest reading, as cards: one large, the others under it, each with its explanation.
import { plug, STALE_MS } from "../api/plug";
import type { Reading } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { DASH, quantity as format } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import {
  calibration,
  GROUPS,
  type Group,
  LIMITS,
  provenance,
  type Quantity,
  quantityOf,
  whyMissing,
} from "../texts/quantities";
import { flagChips } from "./chips";
import { explainButton } from "./explain";

/** Readings come five times a second; digits that change faster than this cannot be read. */
const REDRAW_MS = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 400;

/** Calls `show` with the newest reading, not more often than can be read, and at once when the relay moved. */
export function watchReadings(life: Lifetime, show: (reading: Reading) => void): void {
  let shownAt = 0;
  let relay: boolean | null = null;
  life.watch(plug.reading, (reading) => {
    const now = Date.now();
    if (!reading || (now - shownAt < REDRAW_MS && reading.relay === relay)) return;
    shownAt = now;
    relay = reading.relay;
    show(reading);
  });
}

/** A value that follows the readings; a dash says why it is one. */
export function liveValue(quantity: Quantity): { node: HTMLElement; update: (reading: Reading) => void } {
  const number = h("span", { class: "number" }, DASH);
  const unit = h("span", { class: "unit" }, quantity.unit);
  const why = h("span", { class: "why" });
  const node = h("span", { "class": "value", "data-quantity": quantity.key }, number, unit, why);
  return {
    node,
    update(reading) {
      const value = quantity.value(reading);
      setText(number, format(value, quantity.unit));
      node.classList.toggle("missing", value === null);
      setText(why, value === null ? whyMissing(quantity, reading, true) : "");
    },
  };
}

/** The group as a list; the page shows the active power elsewhere already. */
function card(life: Lifetime, group: Group, mainClass: string): HTMLElement {
  const entries = group.names
    .filter((name) => name !== "activePower")
    .map((name, n) => {
      const quantity = quantityOf(name);
      const { node, update } = liveValue(quantity);
      const className = n === 0 ? mainClass : "entry";
      return { update, node: h("div", { class: className }, h("dt", {}, explainButton(quantity)), h("dd", {}, node)) };
    });
  watchReadings(life, (reading) => {
    for (const entry of entries) entry.update(reading);
  });
  return h(
    "section",
    { "class": `card group ${group.colour}`, "aria-label": group.title },
    h("dl", {}, ...entries.map((entry) => entry.node)),
  );
}

/** Where the newest reading comes from, with its flags. */
export function originLine(life: Lifetime): HTMLElement {
  const text = h("p", { class: "origin" });
  watchReadings(life, (reading) => setText(text, `From ${provenance(reading)}. Calibration: ${calibration(reading)}.`));
  return h("div", { class: "origin-line" }, flagChips(life), text);
}

export function numberCards(life: Lifetime): HTMLElement {
  return h(
    "div",
    { class: "numbers" },
    ...GROUPS.map((group) => card(life, group, "entry main")),
    card(life, LIMITS, "entry"),
  );
}

/** Greys the numbers of `within` while they are old, and says how old. */
export function markStale(life: Lifetime, within: HTMLElement, age: HTMLElement): void {
  life.every(500, () => {
    const old = Date.now() - plug.receivedAt;
    const stale = plug.receivedAt > 0 && (old > STALE_MS || plug.link.value.state === "gone");
    within.classList.toggle("stale", stale);
    setText(age, stale ? `These numbers are ${Math.round(old / 1000)} s old.` : "");
    setAttribute(age, "hidden", !stale);
  });
}
