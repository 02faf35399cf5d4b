// The pictures of the history: power with its band between least and most, and one other quantity, under one pointer.
import type uPlot from "uplot";
import { h, setAttribute } from "../lib/dom";
import { clockTime, duration, withUnit } from "../lib/format";
import { energySince, extremes, lonely, type Past, type Series, type Span } from "../lib/past";
import type { Lifetime } from "../lib/signal";
import { axis, chart, type Palette } from "./chart";
import { LOOKS, type LookName } from "./looks";

export type Second = Exclude<LookName, "power">;

export interface PastPlots {
  power: HTMLElement;
  second: HTMLElement;
  draw: (past: Past, span: Span, second: Second) => void;
  /** Puts the pointer on a point. */
  point: (n: number) => void;
}

interface Wishes {
  /** The pointer is on this point. */
  onPoint: (n: number) => void;
  /** Somebody drew over a part of the picture. */
  onZoom: (start: number, end: number) => void;
}

const COLUMNS: Record<Exclude<Second, "energy">, string> = {
  voltage: "voltage_v",
  current: "current_a",
  frequency: "frequency_hz",
};
const SHORTEST_ZOOM = 30;

const short = (text: string): string => text.slice(0, 5);

/** Time of day, or the day at its begin; where nobody knows the time, hours since the start. */
function tickText(ticks: number[], step: number, boot: boolean): string[] {
  if (boot) return ticks.map((t) => (t < 3600 ? duration(t).replace(/ 00 s$/, "") : `${+(t / 3600).toFixed(2)} h`));
  return ticks.map((t) => {
    const date = new Date(t * 1000);
    const midnight = date.getHours() + date.getMinutes() === 0;
    if (midnight || step >= 86_400) return date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
    return step < 60 ? clockTime(t) : short(clockTime(t));
  });
}

/** What the second picture shows. */
export const secondSeries = (past: Past, name: Second): Series =>
  name === "energy" ? energySince(past) : (past.of[COLUMNS[name]] ?? []);

export function pastPlots(life: Lifetime, { onPoint, onZoom }: Wishes): PastPlots {
  let past: Past = { step: 1, time: [], of: {}, flags: [] };
  let span: Span = { start: 0, end: 1 };
  let second: Second = "voltage";
  let ends: [[number, number], [number, number]] = [
    [0, 1],
    [0, 1],
  ];
  const live: (uPlot | null)[] = [null, null];

  const line = (palette: Palette, name: LookName, more: Partial<uPlot.Series> = {}): uPlot.Series =>
    ({
      label: LOOKS[name].label,
      stroke: palette(LOOKS[name].colour),
      width: 2,
      points: { show: false, size: 4, filter: (plot: uPlot, n: number) => lonely(plot.data[n] as Series) },
      ...more,
    }) as uPlot.Series;
  const options = (palette: Palette, index: 0 | 1, name: LookName): Omit<uPlot.Options, "width" | "height"> => ({
    scales: { x: { range: () => [span.start, span.end] }, y: { range: () => LOOKS[name].range(...ends[index]) } },
    padding: [12, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: false }, sync: { key: "history" } },
    hooks: {
      ready: [
        (plot) => {
          live[index] = plot;
        },
      ],
      destroy: [
        () => {
          live[index] = null;
        },
      ],
      setCursor: [({ cursor: { idx } }) => typeof idx === "number" && onPoint(idx)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 5) return;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
          if (to - from >= SHORTEST_ZOOM) onZoom(from, to);
        },
      ],
    },
    axes: [
      axis(palette, {
        size: 30,
        space: 70,
        values: (_, ticks, __, ___, step) => tickText(ticks, step, span.boot !== undefined),
      }),
      axis(palette, {
        size: 58,
        values: (_, ticks) => ticks.map((t) => `${+t.toFixed(3)}`),
        label: LOOKS[name].unit,
      }),
    ],
    series: [],
  });

  const frame = (): HTMLElement => h("div", { class: "plot", role: "img" });
  const power = frame();
  const other = frame();
  const powerPicture = chart(life, power, 300, (palette) => {
    const edge = { stroke: `${palette("power")}55`, width: 1 };
    return {
      ...options(palette, 0, "power"),
      series: [{}, line(palette, "power"), line(palette, "power", edge), line(palette, "power", edge)],
      bands: [{ series: [2, 3], fill: `${palette("power")}33` }],
    };
  });
  const otherPicture = chart(life, other, 220, (palette) => {
    const fill = second === "energy" ? { fill: `${palette("energy")}22` } : {};
    return { ...options(palette, 1, second), series: [{}, line(palette, second, fill)] };
  });

  const describe = (box: HTMLElement, name: LookName, of: [number, number] | null): void => {
    const { label, unit } = LOOKS[name];
    const what = of ? `between ${withUnit(of[0], unit)} and ${withUnit(of[1], unit)}` : "nothing measured";
    setAttribute(box, "aria-label", `${label} over time: ${what}. The slider below reads single points.`);
  };
  return {
    power,
    second: other,
    draw(newPast, newSpan, newSecond) {
      const anew = newSecond !== second || newSpan.boot !== span.boot;
      [past, span, second] = [newPast, newSpan, newSecond];
      const { active_power_w: mean = [], power_max_w: most = [], power_min_w: least = [] } = past.of;
      const values = secondSeries(past, second);
      const found = [extremes(mean, most, least), extremes(values)] as const;
      ends = [found[0] ?? [0, 0], found[1] ?? (second === "voltage" ? [229, 231] : [0, 0])];
      powerPicture.setData([past.time, mean, most, least]);
      otherPicture.setData([past.time, values]);
      if (anew) otherPicture.rebuild();
      describe(power, "power", found[0]);
      describe(other, second, found[1]);
    },
    point(n) {
      const at = past.time[n];
      if (at === undefined) return;
      for (const plot of live) plot?.setCursor({ left: plot.valToPos(at, "x"), top: 10 }, false);
    },
  };
}
