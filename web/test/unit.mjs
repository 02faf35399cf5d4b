// Tests of the page's logic without a browser: `node --test test/unit.mjs`.
import assert from "node:assert/strict";
import { dirname, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const SOURCES = resolve(dirname(fileURLToPath(import.meta.url)), "../src");

async function load(path) {
  const { outputFiles } = await esbuild.build({
    entryPoints: [resolve(SOURCES, path)],
    bundle: true,
    format: "esm",
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

const { parseRecording, risingCrossings, triggered } = await load("api/recording.ts");
const { History } = await load("api/history.ts");
const format = await load("lib/format.ts");
const { QUANTITIES, whyMissing } = await load("texts/quantities.ts");
const { FLAGS, flagText } = await load("texts/flags.ts");

const HEADER = [
  "# sample_rate_hz: 4000",
  "# channel_skew_s: 0.00005",
  "# voltage_lsb_v: 0.2",
  "# current_lsb_a: 0.01",
  "# voltage_zero_raw: 2048",
  "# current_zero_raw: 2000.5",
  "voltage_raw,current_raw",
];

/** Whole numbers of a sine of `cycles` at 80 samples a cycle, that starts at `phase` of a cycle. */
function sine(cycles, phase = 0.3) {
  const rows = Array.from({ length: cycles * 80 }, (_, n) => {
    const x = Math.sin(2 * Math.PI * (n / 80 + phase));
    return `${Math.round(2048 + 1600 * x)},${Math.round(2000.5 + 900 * x)}`;
  });
  return [...HEADER, ...rows, ""].join("\n");
}

describe("a recording", () => {
  it("becomes volts and amperes by what its header says", () => {
    const recording = parseRecording([...HEADER, "2048,2000", "3048,2101", ""].join("\n"));
    assert.deepEqual(recording.voltage, [0, 200]);
    assert.deepEqual(
      recording.current.map((amperes) => amperes.toFixed(6)),
      ["-0.005000", "1.005000"],
    );
    assert.equal(recording.skew, 50e-6);
  });

  it("may be in physical units", () => {
    const recording = parseRecording("# sample_rate_hz: 1000\nvoltage_v,current_a\n1.5,-2\n");
    assert.deepEqual([recording.voltage, recording.current], [[1.5], [-2]]);
  });

  it("is refused with a sentence if it cannot be read", () => {
    assert.throws(() => parseRecording("voltage_v,current_a\n1,2\n"), /sample rate/);
    assert.throws(() => parseRecording("# sample_rate_hz: 9\na,b\n1,2\n"), /columns/);
    assert.throws(() => parseRecording(""), /sample rate/);
  });

  it("is shown from a rising crossing on, for whole cycles, with every sample at its own time", () => {
    const trace = triggered(parseRecording(sine(5)), 4);
    assert.ok(Math.abs(trace.length - 80) < 0.05, `${trace.length} ms are four cycles`);
    const [times, volts] = trace.voltage;
    assert.ok(times[0] <= 0 && times[1] > 0 && volts[0] <= 0 && volts[1] > 0);
    assert.ok(Math.abs(trace.current[0][5] - times[5] - 0.05) < 1e-9, "the current is 50 µs later");
    assert.ok(Math.abs(trace.peakVoltage - 320) < 1);
  });

  it("without crossings is shown as it is", () => {
    const flat = parseRecording([...HEADER, ...Array(10).fill("2048,2000")].join("\n"));
    assert.deepEqual(risingCrossings(flat.voltage), []);
    assert.equal(triggered(flat, 4).voltage[0].length, 10);
  });

  it("does not take noise on a crossing for several crossings", () => {
    assert.equal(risingCrossings([-10, -5, -0.1, 0.1, -0.1, 0.2, 10, -10, 10]).length, 2);
  });
});

describe("the last minutes", () => {
  const reading = (time, power = 1) => ({
    time,
    active_power_w: power,
    voltage_v: 1,
    current_a: 1,
    frequency_hz: null,
  });

  it("keep readings in order and show what is missing as a gap", () => {
    const history = new History();
    history.add(reading(100), 100);
    history.add(reading(100.2), 100.2);
    history.add(reading(110), 110);
    assert.deepEqual(history.tracks.power, [1, 1, null, 1]);
    assert.deepEqual(history.tracks.frequency, [null, null, null, null]);
  });

  it("take a fast simulation for what it is, not for gaps", () => {
    const history = new History();
    history.add(reading(100), 1);
    history.add(reading(160), 1.2);
    assert.deepEqual(history.tracks.power, [1, 1]);
  });

  it("use the browser's clock when the plug has none", () => {
    const history = new History();
    history.add(reading(null), 50);
    assert.deepEqual(history.time, [50]);
  });

  it("forget after ten minutes, and start anew when the clock is set back", () => {
    const history = new History();
    for (let n = 0; n < 4000; n++) history.add(reading(n * 0.2), n * 0.2);
    assert.ok(history.time.length < 3100 && history.time[0] >= 4000 * 0.2 - 600 - 11);
    history.add(reading(10), 801);
    assert.deepEqual(history.time, [10]);
  });
});

describe("numbers for people", () => {
  it("are a dash when there is none, never a zero", () => {
    assert.equal(format.quantity(null, "V"), "–");
    assert.equal(format.withUnit(null, "V"), "–");
    assert.equal(format.decimal(Number.NaN, 1), "–");
  });

  it("have a true minus, thousands set apart, and no minus on zero", () => {
    assert.equal(format.decimal(-12345.67, 1), "\u221212\u202f345.7");
    assert.equal(format.decimal(-0.0001, 2), "0.00");
    assert.equal(format.decimal(1234, 0), "1234");
  });

  it("round axes up to a number that reads well", () => {
    assert.deepEqual([0, 0.9, 1, 1.1, 2100, 326].map(format.roundUp), [1, 1, 1, 1.5, 2500, 400]);
  });

  it("say durations in two units", () => {
    assert.deepEqual([4, 65, 3700, 90000].map(format.duration), ["4 s", "1 min 05 s", "1 h 01 min", "1 d 1 h"]);
  });
});

describe("explanations", () => {
  it("exist for every flag, as one sentence, and for flags of the future", () => {
    for (const [name, { meaning }] of Object.entries(FLAGS)) assert.match(meaning, /^[A-Z].*\.$/, name);
    assert.equal(flagText("new_thing").label, "new thing");
  });

  it("say by the flags why a value is missing", () => {
    assert.match(whyMissing(QUANTITIES.frequency, { quality: ["no_sync"] }), /zero crossings/);
    assert.match(whyMissing(QUANTITIES.powerFactor, { quality: ["below_noise"] }), /noise/);
    assert.match(whyMissing(QUANTITIES.voltageDc, { quality: [] }), /cannot see/);
  });
});
