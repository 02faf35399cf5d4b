// The scope: the samples themselves, voltage and current of the last cycles.
import { api, waveformPath } from "../api/client";
import { plug } from "../api/plug";
import { parseRecording, type Recording, triggered } from "../api/recording";
import { h, ICONS, icon, setAttribute, setText } from "../lib/dom";
import { decimal, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { poll } from "./poll";
import { segments } from "./segments";
import { traces } from "./traces";

const MOST_CYCLES = 10;
export function scope(life: Lifetime): HTMLElement {
  let cycles = 4;
  let running = true;
  let text = "";
  let recording: Recording | null = null;
  const { box, draw: drawTraces } = traces(life);
  const note = h("p", { class: "hint" }, "Waiting for samples…");

  const draw = (): void => {
    if (!recording) return;
    const trace = triggered(recording, cycles);
    drawTraces(trace, [0, trace.length], recording.skew);
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
