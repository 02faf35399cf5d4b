// Trips of the protection: a list, and the waveform around each.
import { api, tripPath } from "../api/client";
import { plug } from "../api/plug";
import { around, parseRecording, type Recording, type Trace } from "../api/recording";
import type { Trip } from "../api/types";
import { h, ICONS, icon, setAttribute, setText } from "../lib/dom";
import { decimal, momentOrUptime, sentence, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { tripText } from "../texts/sources";
import { segments } from "./segments";
import { traces } from "./traces";

/** How much is shown close by, in milliseconds before and after the trip. */
const CLOSE_MS: [number, number] = [-40, 40];
const HEAD = ["Time", "What", "Because", "Waveform"];

interface Picture {
  node: HTMLElement;
  show: (trip: Trip) => Promise<void>;
}

function picture(life: Lifetime): Picture {
  const { box, draw } = traces(life, "trip");
  const title = h("h3", { tabindex: -1 });
  const note = h("p", { class: "hint", role: "status" });
  const download = h("a", { class: "download" }, icon(ICONS.download), "Samples (CSV)");
  let close = true;
  let shown: { trace: Trace; recording: Recording; trip: Trip } | null = null;
  let asked = -1;

  const redraw = (): void => {
    if (!shown) return;
    const { trace, recording, trip } = shown;
    const first = -trip.before_s * 1000;
    const whole: [number, number] = [first, first + trace.length];
    const span: [number, number] = close ? [Math.max(whole[0], CLOSE_MS[0]), Math.min(whole[1], CLOSE_MS[1])] : whole;
    draw(trace, span, recording.skew);
    setAttribute(box, "data-drawn", trace.voltage[0].length);
  };
  const node = h(
    "div",
    { class: "trip-picture", hidden: true },
    h(
      "header",
      {},
      title,
      h(
        "div",
        { class: "tools" },
        segments<string>(
          "How much is shown",
          [
            ["close", "Close by"],
            ["all", "All of it"],
          ],
          "close",
          (value) => {
            close = value === "close";
            redraw();
          },
        ),
        download,
      ),
    ),
    box,
    note,
  );
  return {
    node,
    async show(trip) {
      asked = trip.number;
      setAttribute(node, "hidden", null);
      setText(title, `Trip ${trip.number}: ${tripText(trip.kind)}, ${momentOrUptime(trip.time, trip.uptime_s)}`);
      setText(note, "Fetching the samples…");
      download.href = tripPath(trip.number);
      download.download = `ossp-trip-${trip.number}.csv`;
      title.focus();
      try {
        const recording = parseRecording(await api.tripWaveform(trip.number));
        if (life.over || asked !== trip.number) return;
        const trace = around(recording, trip.before_s);
        shown = { trace, recording, trip };
        redraw();
        const lengths = `${decimal(trip.before_s * 1000, 0)} ms before and ${decimal(trip.after_s * 1000, 0)} ms after`;
        const peaks = `peaks ${withUnit(trace.peakVoltage, "V")} and ${withUnit(trace.peakCurrent, "A")}`;
        const cut = trip.complete ? "" : " It is not complete: the power went, or something had to give way.";
        setText(note, `${recording.voltage.length} samples, ${lengths} the trip; ${peaks}.${cut}`);
        setAttribute(box, "aria-label", `Waveform around the trip: ${peaks}.`);
      } catch (error) {
        setText(note, (error as Error).message);
      }
    },
  };
}

export function trips(life: Lifetime): HTMLElement {
  const body = h("tbody");
  const note = h("p", { class: "hint" }, "Waiting for the trips…");
  const { node, show } = picture(life);
  const table = h(
    "table",
    { class: "stacks", hidden: true },
    h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
    body,
  );
  const line = (trip: Trip): Node => {
    const look = h(
      "button",
      { "type": "button", "class": "small", "aria-label": `Show the waveform of trip ${trip.number}` },
      "Show",
    );
    look.addEventListener("click", () => void show(trip));
    const cells: [string, string | Node][] = [
      ["Time", momentOrUptime(trip.time, trip.uptime_s)],
      ["What", tripText(trip.kind)],
      ["Because", sentence(trip.cause)],
      ["Waveform", trip.pairs > 0 ? look : "none"],
    ];
    return h("tr", {}, ...cells.map(([label, content]) => h("td", { "data-label": label }, content)));
  };
  const load = async (): Promise<void> => {
    try {
      const list = await api.trips();
      setAttribute(table, "hidden", list.length === 0);
      body.replaceChildren(...list.map(line));
      setText(
        note,
        list.length === 0
          ? "Nothing has tripped yet."
          : "Newest first. The samples around each were written down after the relay was told to open.",
      );
    } catch (error) {
      setText(note, (error as Error).message);
    }
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  life.add(() => clearTimeout(timer));
  let known: number | undefined;
  life.watch(plug.relay, (status) => {
    const newest = status?.trip?.number ?? -1;
    if (newest === known) return;
    // The samples come after the trip: 300 ms of them, and the time to write them.
    if (known !== undefined) timer = setTimeout(() => void load(), 2000);
    known = newest;
    void load();
  });
  return h(
    "section",
    { "class": "card trips", "aria-labelledby": "trips-title" },
    h("header", {}, h("h2", { id: "trips-title" }, "Trips")),
    table,
    note,
    node,
  );
}
