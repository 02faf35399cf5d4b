// uPlot in the colours of the theme and at the width of its box.
import uPlot from "uplot";
import type { Lifetime } from "../lib/signal";
import { theme } from "../lib/theme";

export type Colour = "text" | "muted" | "line" | "power" | "voltage" | "current" | "energy" | "danger";
export type Palette = (name: Colour) => string;

export interface Chart {
  setData: (data: uPlot.AlignedData, redraw?: (plot: uPlot) => void) => void;
  /** Makes it anew with what `options` now gives. */
  rebuild: () => void;
}

const FONT = "12px system-ui, sans-serif";

/** An axis in muted ink; `size` is its width or height in pixels. */
export function axis(palette: Palette, own: uPlot.Axis): uPlot.Axis {
  const stroke = palette("line");
  return {
    stroke: palette("muted"),
    font: FONT,
    labelFont: FONT,
    labelSize: 18,
    ticks: { stroke, size: 4, width: 1 },
    grid: { stroke, width: 1 },
    ...own,
  };
}

/** Height that suits the width: flatter on a wide screen. */
const heightFor = (width: number, most: number): number => Math.round(Math.min(most, Math.max(200, width * 0.75)));

export function chart(
  life: Lifetime,
  box: HTMLElement,
  tallest: number,
  options: (palette: Palette) => Omit<uPlot.Options, "width" | "height">,
): Chart {
  let plot: uPlot | null = null;
  let data: uPlot.AlignedData | null = null;
  let redraw: ((plot: uPlot) => void) | undefined;

  const make = (): void => {
    plot?.destroy();
    const css = getComputedStyle(document.documentElement);
    const palette: Palette = (name) => css.getPropertyValue(`--${name}`).trim();
    const width = box.clientWidth;
    plot = null;
    if (width === 0 || !data) return;
    plot = new uPlot({ ...options(palette), width, height: heightFor(width, tallest) }, data, box);
    redraw?.(plot);
  };
  const resize = new ResizeObserver(() => {
    const width = box.clientWidth;
    if (!plot) make();
    else if (width > 0 && width !== plot.width) plot.setSize({ width, height: heightFor(width, tallest) });
  });
  resize.observe(box);
  life.add(() => resize.disconnect());
  life.add(() => plot?.destroy());
  life.watch(theme, () => plot && make());

  return {
    setData(newData, how) {
      data = newData;
      redraw = how;
      if (!plot) make();
      else {
        plot.setData(newData, how === undefined);
        how?.(plot);
      }
    },
    rebuild: make,
  };
}
