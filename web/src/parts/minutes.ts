// The last minutes as a line, from the readings this page has received.
import type uPlot from "uplot";
import { KEPT_S, type Track } from "../api/history";
import { plug } from "../api/plug";
import { h, setAttribute } from "../lib/dom";
import { clockTime, roundUp, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { axis, type Colour, chart } from "./chart";
import { segments } from "./segments";

interface Look {
  label: string;
  unit: string;
  colour: Colour;
  /** Lower and upper end of the scale for these extremes. */
  range: (least: number, most: number) => [number, number];
}

const fromZero =
  (atLeast: number) =>
  (least: number, most: number): [number, number] => [
    least < 0 ? -roundUp(-least * 1.05) : 0,
    most > 0 ? Math.max(atLeast, roundUp(most * 1.05)) : atLeast,
  ];
const around =
  (margin: number) =>
  (least: number, most: number): [number, number] => {
    const step = margin / 2;
    return [Math.floor((least - step) / step) * step, Math.ceil((most + step) / step) * step];
  };

const LOOKS: Record<Track, Look> = {
  power: { label: "Power", unit: "W", colour: "power", range: fromZero(1) },
  current: { label: "Current", unit: "A", colour: "current", range: fromZero(0.1) },
  voltage: { label: "Voltage", unit: "V", colour: "voltage", range: around(2) },
  frequency: { label: "Frequency", unit: "Hz", colour: "muted", range: around(0.04) },
};
const SHORTEST_S = 60;
const REDRAW_MS = 500;

export function lastMinutes(life: Lifetime): HTMLElement {
  let track: Track = "power";
  let span: [number, number] = [0, 1];
  let extremes: [number, number] = [0, 1];
  const box = h("div", { "class": "plot", "role": "img", "aria-label": "Power of the last minutes" });

  const picture = chart(life, box, 240, (palette) => {
    const look = LOOKS[track];
    const ink = palette(look.colour);
    return {
      scales: { x: { range: () => span }, y: { range: () => look.range(...extremes) } },
      padding: [12, 30, 0, 0],
      cursor: { drag: { x: false, y: false } },
      axes: [
        axis(palette, { size: 30, space: 90, values: (_, ticks) => ticks.map(clockTime) }),
        axis(palette, { size: 56, values: (_, ticks) => ticks.map((t) => `${+t.toFixed(3)}`), label: look.unit }),
      ],
      series: [
        { label: "At", value: (_, at) => (at === null ? "now" : clockTime(at)) },
        {
          label: look.label,
          stroke: ink,
          fill: track === "power" || track === "current" ? `${ink}22` : undefined,
          width: 2,
          points: { show: false },
          // Under the pointer what was then, otherwise what is now.
          value: (_, value) => withUnit(value ?? plug.history.tracks[track].at(-1), look.unit),
        } as uPlot.Series,
      ],
    };
  });

  let drawnAt = 0;
  const draw = (): void => {
    const { time, tracks } = plug.history;
    const newest = time.at(-1);
    if (newest === undefined || document.hidden) return;
    drawnAt = Date.now();
    const from = Math.max(newest - KEPT_S, Math.min(time[0] as number, newest - SHORTEST_S));
    span = [from, newest];
    const values = tracks[track];
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (const value of values) {
      if (value === null) continue;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    extremes = least <= most ? [least, most] : [0, 1];
    picture.setData([time, values]);
    const { label, unit } = LOOKS[track];
    const between = `between ${withUnit(extremes[0], unit)} and ${withUnit(extremes[1], unit)}`;
    setAttribute(box, "aria-label", `${label} of the last minutes: ${between}.`);
  };
  life.watch(plug.reading, () => {
    if (Date.now() - drawnAt >= REDRAW_MS) draw();
  });

  return h(
    "section",
    { "class": "minutes", "aria-labelledby": "minutes-title" },
    h(
      "header",
      {},
      h("h3", { id: "minutes-title" }, "The last minutes"),
      segments<Track>(
        "What the line shows",
        (Object.keys(LOOKS) as Track[]).map((name) => [name, LOOKS[name].label]),
        track,
        (value) => {
          track = value;
          draw();
          picture.rebuild();
        },
      ),
    ),
    box,
  );
}
