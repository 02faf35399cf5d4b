// The scope: the samples themselves, voltage and current of the last cycles.
import uPlot from "uplot";
import { api, waveformPath } from "../api/client";
import { plug } from "../api/plug";
import { parseRecording, type Recording, triggered } from "../api/recording";
import { h, ICONS, icon, setAttribute, setText } from "../lib/dom";
import { decimal, roundUp, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { axis, chart } from "./chart";
import { poll } from "./poll";
import { segments } from "./segments";

const MOST_CYCLES = 10;
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

export function scope(life: Lifetime): HTMLElement {
  let cycles = 4;
  let running = true;
  let text = "";
  let recording: Recording | null = null;
  let length = 1;
  let voltageRange = 400;
  let currentRange = LEAST_CURRENT_A;
  const fitVoltage = makeRange(LEAST_VOLTAGE_V);
  const fitCurrent = makeRange(LEAST_CURRENT_A);

  const box = h("div", { "class": "plot", "role": "img", "aria-label": "Waveform of voltage and current" });
  const note = h("p", { class: "hint" }, "Waiting for samples…");
  const fifths = (range: number): number[] => [-range, -range / 2, 0, range / 2, range];
  let peaks: [number, number] = [0, 0];
  // Under the pointer the sample there, otherwise the peak.
  const volts = (_: unknown, value: number | null | undefined): string =>
    (value ?? null) === null ? `peak ${withUnit(peaks[0], "V")}` : withUnit(value, "V");
  const amperes = (_: unknown, value: number | null | undefined): string =>
    (value ?? null) === null ? `peak ${withUnit(peaks[1], "A")}` : withUnit(value, "A");

  const picture = chart(life, box, 400, (palette) => ({
    scales: {
      x: { time: false, range: () => [0, length] },
      u: { range: () => [-voltageRange, voltageRange] },
      i: { range: () => [-currentRange, currentRange] },
    },
    cursor: { drag: { x: false, y: false } },
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

  const draw = (): void => {
    if (!recording) return;
    const trace = triggered(recording, cycles);
    length = trace.length;
    voltageRange = fitVoltage(trace.peakVoltage);
    // Lower than the voltage, or the two lines of a kettle would hide each other.
    currentRange = fitCurrent(trace.peakCurrent * 1.4);
    peaks = [trace.peakVoltage, trace.peakCurrent];
    const data =
      recording.skew === 0
        ? ([trace.voltage[0], trace.voltage[1], trace.current[1]] as uPlot.AlignedData)
        : uPlot.join([trace.voltage, trace.current]);
    picture.setData(data);
    const summary = `peaks ${withUnit(trace.peakVoltage, "V")} and ${withUnit(trace.peakCurrent, "A")}`;
    const rate = `${decimal(recording.sampleRate, 0)} samples a second`;
    const skew = recording.skew === 0 ? "" : `, current ${decimal(recording.skew * 1e6, 0)} µs after voltage`;
    setText(note, `${trace.voltage[0].length} samples as the converter took them: ${rate}${skew}.`);
    setAttribute(box, "aria-label", `Waveform of ${cycles} cycles: ${summary}.`);
    setAttribute(box, "data-drawn", trace.voltage[0].length);
  };

  const load = async (): Promise<void> => {
    try {
      // One cycle more than shown, to begin at a zero crossing; the plug has no more than ten.
      text = await api.waveform(Math.min(cycles + 1, MOST_CYCLES));
      recording = parseRecording(text);
      if (!life.over) draw();
    } catch (error) {
      if (plug.link.value.state !== "gone") setText(note, (error as Error).message);
    }
  };
  const section = h("section", { "class": "card", "aria-labelledby": "scope-title" });
  const loading = poll(life, section, 1000, () => running && plug.link.value.state !== "gone", load);

  const runButton = h("button", { "type": "button", "class": "small", "aria-pressed": "false" });
  const showRun = (): void => {
    setAttribute(runButton, "aria-pressed", String(!running));
    runButton.replaceChildren(icon(running ? ICONS.pause : ICONS.run), running ? "Pause" : "Run");
  };
  runButton.addEventListener("click", () => {
    running = !running;
    showRun();
    if (running) loading.poke();
  });
  showRun();

  const download = h("a", { class: "download", download: "ossp-waveform.csv" }, icon(ICONS.download), "Samples (CSV)");
  const choose = (value: number): void => {
    cycles = value;
    download.href = waveformPath(value);
    if (running) loading.poke();
    else draw();
  };
  choose(cycles);
  download.addEventListener("click", () => {
    if (text === "") return;
    // What is on the screen, not what the plug measures a moment later.
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    download.href = url;
    setTimeout(() => {
      URL.revokeObjectURL(url);
      download.href = waveformPath(cycles);
    }, 1000);
  });

  section.append(
    h(
      "header",
      {},
      h("h2", { id: "scope-title" }, "Scope"),
      h(
        "div",
        { class: "tools" },
        segments(
          "Cycles shown",
          [
            [2, "2"],
            [4, "4"],
            [10, "10 cycles"],
          ],
          cycles,
          choose,
        ),
        runButton,
        download,
      ),
    ),
    box,
    note,
    h(
      "p",
      { class: "hint" },
      "To compute a reading again with ",
      h("code", {}, "ossp replay"),
      ", take ",
      h("a", { href: "/api/v1/waveform?window=last", download: "ossp-window.csv" }, "the samples of the newest window"),
      ": its reading and its calibration stand in the header.",
    ),
  );
  return section;
}
