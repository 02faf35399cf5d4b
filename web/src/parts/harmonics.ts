// Harmonics as bars: how much of each multiple of the mains frequency is in voltage and current.
import { api } from "../api/client";
import { plug } from "../api/plug";
import type { Harmonic, Harmonics } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { DASH, decimal, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { poll } from "./poll";
import { segments } from "./segments";

export type Mode = "percent" | "absolute";
const ORDERS = 40;
/** Height of a full bar; plots.css draws its lines for it. */
const BAR_REM = 10;
/** The scale never zooms in further, in percent of the fundamental: the bars of a pure sine must look small. */
const LEAST_SCALE_PCT = 5;

export interface Channel {
  name: "Voltage" | "Current";
  unit: "V" | "A";
  rms: (harmonic: Harmonic) => number | null;
  phase: (harmonic: Harmonic) => number | null;
}

const CHANNELS: Channel[] = [
  { name: "Voltage", unit: "V", rms: (o) => o.voltage_v, phase: (o) => o.voltage_phase_deg },
  { name: "Current", unit: "A", rms: (o) => o.current_a, phase: (o) => o.current_phase_deg },
];

/** Percent of the fundamental; null without one. */
export function relative(harmonics: Harmonics, channel: Channel, order: number): number | null {
  const fundamental = harmonics.orders.find((o) => o.order === 1);
  const own = harmonics.orders.find((o) => o.order === order);
  const whole = fundamental && channel.rms(fundamental);
  const part = own && channel.rms(own);
  return whole && part !== null && part !== undefined ? (100 * part) / whole : null;
}

/** Upper end of the scale in percent: the largest harmonic above the first, rounded up. */
export function scaleTop(harmonics: Harmonics, channel: Channel): number {
  const parts = harmonics.orders.filter((o) => o.order > 1).map((o) => relative(harmonics, channel, o.order) ?? 0);
  const largest = Math.max(LEAST_SCALE_PCT, ...parts);
  return [5, 10, 20, 50, 100].find((top) => top >= largest) ?? Math.ceil(largest / 100) * 100;
}

interface Bars {
  figure: HTMLElement;
  update: (harmonics: Harmonics, mode: Mode) => void;
  select: (order: number) => void;
}

function makeBars(channel: Channel, onSelect: (order: number) => void): Bars {
  const columns = Array.from({ length: ORDERS }, (_, n) =>
    h("div", { "class": "order", "data-order": n + 1 }, h("i", {}), h("span", {}, n % 2 === 0 ? n + 1 : "")),
  );
  const ticks = [h("span"), h("span"), h("span")];
  const legend = h("figcaption", {});
  const area = h("div", { class: "bars", role: "img" }, ...columns);
  const figure = h(
    "figure",
    { class: `harmonic ${channel.name.toLowerCase()}` },
    legend,
    h("div", { class: "bars-frame" }, h("div", { "class": "bars-scale", "aria-hidden": "true" }, ...ticks), area),
  );
  area.addEventListener("pointermove", (event) => {
    const order = (event.target as Element).closest<HTMLElement>(".order")?.dataset.order;
    if (order) onSelect(Number(order));
  });
  area.addEventListener("pointerdown", (event) => {
    const order = (event.target as Element).closest<HTMLElement>(".order")?.dataset.order;
    if (order) onSelect(Number(order));
  });

  return {
    figure,
    select(order) {
      for (const [n, column] of columns.entries()) column.classList.toggle("selected", n + 1 === order);
    },
    update(harmonics, mode) {
      const top = scaleTop(harmonics, channel);
      const first = harmonics.orders.find((o) => o.order === 1);
      const fundamental = first ? channel.rms(first) : null;
      for (const [n, column] of columns.entries()) {
        const part = relative(harmonics, channel, n + 1);
        const bar = column.firstElementChild as HTMLElement;
        bar.style.height = `${Math.min(1, (part ?? 0) / top) * BAR_REM}rem`;
        column.classList.toggle("beyond", part !== null && part > top);
        column.classList.toggle("absent", n + 1 > harmonics.max_order);
      }
      const label = (pct: number): string => {
        if (mode === "percent") return `${pct} %`;
        return fundamental === null ? DASH : `${+((fundamental * pct) / 100).toPrecision(2)} ${channel.unit}`;
      };
      for (const [n, tick] of ticks.entries()) setText(tick, label((top * (2 - n)) / 2));
      const whole = withUnit(fundamental, channel.unit);
      const noise = channel.unit === "A" && plug.reading.value?.quality.includes("below_noise");
      setText(
        legend,
        noise
          ? "Current: below noise, so these bars are those of the noise"
          : `${channel.name}: the fundamental is ${whole}, that is 100\u00a0%${top < 100 ? ", beyond this scale" : ""}`,
      );
      setAttribute(area, "aria-label", `${channel.name} harmonics as bars; the table below has the numbers.`);
    },
  };
}

function makeTable(): { element: HTMLElement; update: (harmonics: Harmonics) => void } {
  const body = h("tbody");
  const head = ["Order", "Voltage", "of U₁", "Phase", "Current", "of I₁", "Phase"];
  const table = h(
    "table",
    {},
    h("caption", { class: "visually-hidden" }, "Harmonics of voltage and current"),
    h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))),
    body,
  );
  const details = h(
    "details",
    { class: "as-table" },
    h("summary", {}, "Show as a table"),
    h("div", { class: "scrolls" }, table),
  );
  let newest: Harmonics | null = null;
  const fill = (): void => {
    if (!details.open || !newest) return;
    const harmonics = newest;
    body.replaceChildren(
      ...harmonics.orders.map((o) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, o.order),
          ...CHANNELS.flatMap((channel) => [
            h("td", {}, withUnit(channel.rms(o), channel.unit)),
            h("td", {}, withUnit(relative(harmonics, channel, o.order), "%")),
            h("td", {}, channel.phase(o) === null ? DASH : `${decimal(channel.phase(o), 1)}°`),
          ]),
        ),
      ),
    );
  };
  details.addEventListener("toggle", fill);
  return {
    element: details,
    update(harmonics) {
      newest = harmonics;
      fill();
    },
  };
}

export function harmonics(life: Lifetime): HTMLElement {
  let mode: Mode = "percent";
  let newest: Harmonics | null = null;
  let selected = 3;

  const slider = h("input", { type: "range", min: 1, max: ORDERS, step: 1, value: selected, id: "harmonic-order" });
  const readout = h("output", { for: "harmonic-order", class: "readout" });
  const note = h("p", { class: "hint" }, "Waiting for harmonics…");
  const table = makeTable();

  const describe = (): void => {
    setText(readout, newest ? sentence(newest, selected) : DASH);
    setAttribute(slider, "aria-valuetext", readout.textContent);
  };
  const select = (order: number): void => {
    selected = order;
    slider.value = String(order);
    for (const chart of bars) chart.select(order);
    describe();
  };
  const bars: Bars[] = CHANNELS.map((channel) => makeBars(channel, select));
  slider.addEventListener("input", () => select(Number(slider.value)));

  const draw = (): void => {
    if (!newest) return;
    for (const chart of bars) chart.update(newest, mode);
    table.update(newest);
    describe();
    setText(
      note,
      newest.max_order === 0
        ? "This window has no harmonics: they need whole cycles."
        : `Up to order ${newest.max_order}, from window ${newest.sequence}. Order 1 is the mains frequency, order 3 three times that.`,
    );
  };
  const section = h(
    "section",
    { "class": "card harmonics", "aria-labelledby": "harmonics-title" },
    h(
      "header",
      {},
      h("h2", { id: "harmonics-title" }, "Harmonics"),
      segments<Mode>(
        "Scale of the bars",
        [
          ["percent", "%"],
          ["absolute", "V and A"],
        ],
        mode,
        (value) => {
          mode = value;
          draw();
        },
      ),
    ),
    ...bars.map((chart) => chart.figure),
    h("div", { class: "look-at" }, h("label", { for: "harmonic-order" }, "Look at"), slider, readout),
    note,
    table.element,
  );
  select(selected);
  poll(
    life,
    section,
    1000,
    () => plug.link.value.state !== "gone",
    async () => {
      try {
        newest = await api.harmonics();
        if (!life.over) draw();
      } catch (error) {
        if (plug.link.value.state !== "gone") setText(note, (error as Error).message);
      }
    },
  );
  return section;
}

/** One order in words. */
function sentence(harmonics: Harmonics, order: number): string {
  const own = harmonics.orders.find((o) => o.order === order);
  if (!own || order > harmonics.max_order) return `Order ${order}: not computed at this sample rate.`;
  const base = plug.reading.value?.frequency_hz;
  const at = base ? ` (${decimal(base * order, 0)} Hz)` : "";
  const parts = CHANNELS.map((channel) => {
    const phase = channel.phase(own);
    const angle = phase === null ? "" : `, ${decimal(phase, 0)}°`;
    return `${withUnit(channel.rms(own), channel.unit)}, ${withUnit(relative(harmonics, channel, order), "%")}${angle}`;
  });
  return `Order ${order}${at}: ${parts.join(" · ")}`;
}
