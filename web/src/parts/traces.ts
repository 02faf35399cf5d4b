// Voltage and current over time in one picture: the scope and the trips.
import uPlot from "uplot";
import type { Trace } from "../api/recording";
import { h } from "../lib/dom";
import { decimal, roundUp, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { axis, chart } from "./chart";

/** The current axis never zooms in further: noise would fill the picture and look like a signal. */
const LEAST_CURRENT_A = 0.2;
const LEAST_VOLTAGE_V = 10;

/** Keeps a symmetric range that fits the peak without jumping about. */
function makeRange(least: number): (peak: number) => number {
  let range = 0;
  return (peak) => {
    const wanted = Math.max(least, roundUp(peak * 1.05));
    if (wanted > range || wanted < range * 0.6) range = wanted;
    return range;
  };
}

export interface Traces {
  box: HTMLElement;
  /** Draws what lies between `span[0]` and `span[1]` milliseconds; the line of `mark` stands at 0. */
  draw: (trace: Trace, span: [number, number], skew: number) => void;
}

/** `mark` names what happened at 0 milliseconds. */
export function traces(life: Lifetime, mark?: string): Traces {
  let span: [number, number] = [0, 1];
  let voltageRange = 400;
  let currentRange = LEAST_CURRENT_A;
  let peaks: [number, number] = [0, 0];
  const fitVoltage = makeRange(LEAST_VOLTAGE_V);
  const fitCurrent = makeRange(LEAST_CURRENT_A);
  const fifths = (range: number): number[] => [-range, -range / 2, 0, range / 2, range];
  const box = h("div", { "class": "plot", "role": "img", "aria-label": "Waveform of voltage and current" });
  // Under the pointer the sample there, otherwise the peak.
  const volts = (_: unknown, value: number | null | undefined): string =>
    (value ?? null) === null ? `peak ${withUnit(peaks[0], "V")}` : withUnit(value, "V");
  const amperes = (_: unknown, value: number | null | undefined): string =>
    (value ?? null) === null ? `peak ${withUnit(peaks[1], "A")}` : withUnit(value, "A");

  const picture = chart(life, box, 400, (palette) => ({
    scales: {
      x: { time: false, range: () => span },
      u: { range: () => [-voltageRange, voltageRange] },
      i: { range: () => [-currentRange, currentRange] },
    },
    cursor: { drag: { x: false, y: false } },
    hooks: { draw: mark ? [(plot) => line(plot, mark, palette("danger"))] : [] },
    axes: [
      axis(palette, { label: "milliseconds", size: 34, values: (_, ticks) => ticks.map((t) => String(+t.toFixed(3))) }),
      axis(palette, {
        scale: "u",
        label: "volts",
        stroke: palette("voltage"),
        size: 46,
        splits: () => fifths(voltageRange),
      }),
      axis(palette, {
        scale: "i",
        side: 1,
        label: "amperes",
        stroke: palette("current"),
        size: 46,
        grid: { show: false },
        splits: () => fifths(currentRange),
        values: (_, ticks) => ticks.map((t) => String(+t.toPrecision(3))),
      }),
    ],
    series: [
      { label: "At", value: (_, t) => (t === null ? "point at it" : `${decimal(t, 2)} ms`) },
      { label: "Voltage", scale: "u", stroke: palette("voltage"), width: 2, pxAlign: 0, value: volts },
      { label: "Current", scale: "i", stroke: palette("current"), width: 2, pxAlign: 0, value: amperes },
    ],
  }));

  return {
    box,
    draw(trace, newSpan, skew) {
      span = newSpan;
      voltageRange = fitVoltage(trace.peakVoltage);
      // Lower than the voltage, or the two lines of a kettle would hide each other.
      currentRange = fitCurrent(trace.peakCurrent * 1.4);
      peaks = [trace.peakVoltage, trace.peakCurrent];
      picture.setData(
        skew === 0
          ? ([trace.voltage[0], trace.voltage[1], trace.current[1]] as uPlot.AlignedData)
          : uPlot.join([trace.voltage, trace.current]),
      );
    },
  };
}

/** A dashed line at 0 with its name at the top. */
function line(plot: uPlot, name: string, colour: string): void {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(0, "x", true));
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  const dot = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = 2 * dot;
  ctx.setLineDash([6 * dot, 4 * dot]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `600 ${12 * dot}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  ctx.fillText(name, x + 6 * dot, bbox.top + 4 * dot);
  ctx.restore();
}
