// The last minutes as a line, from the readings this page has received.
import type uPlot from "uplot";
import { KEPT_S, type Track } from "../api/history";
import { plug } from "../api/plug";
import { h, setAttribute } from "../lib/dom";
import { clockTime, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { axis, chart } from "./chart";
import { LOOKS } from "./looks";
import { segments } from "./segments";

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
        (Object.keys(plug.history.tracks) as Track[]).map((name) => [name, LOOKS[name].label]),
        track,
        (value) => {
          track = value;
          draw();
          picture.rebuild();
        },
      ),
    ),
    box,
    h("p", { class: "hint" }, h("a", { href: "#/history" }, "Hours, days and weeks")),
  );
}
