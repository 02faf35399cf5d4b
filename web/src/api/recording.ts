// Reads the recording format (CSV) into volts and amperes, and finds where a cycle starts.

export interface Recording {
  header: Map<string, string>;
  sampleRate: number;
  /** How much later the current of a row was sampled than its voltage, in seconds. */
  skew: number;
  voltage: number[];
  current: number[];
}

/** Throws with a sentence if the text is not a recording. */
export function parseRecording(text: string): Recording {
  const header = new Map<string, string>();
  const voltage: number[] = [];
  const current: number[] = [];
  let columns = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) {
      const colon = line.indexOf(":");
      if (colon > 0) header.set(line.slice(1, colon).trim(), line.slice(colon + 1).trim());
    } else if (columns === "") {
      columns = line.trim();
    } else {
      const comma = line.indexOf(",");
      if (comma < 0) continue;
      voltage.push(Number(line.slice(0, comma)));
      current.push(Number(line.slice(comma + 1)));
    }
  }
  const number = (key: string, otherwise: number): number => Number(header.get(key) ?? otherwise);
  const sampleRate = number("sample_rate_hz", 0);
  if (!(sampleRate > 0)) throw new Error("The recording does not say its sample rate.");
  if (columns === "voltage_raw,current_raw") {
    toPhysical(voltage, number("voltage_zero_raw", 0), number("voltage_lsb_v", Number.NaN));
    toPhysical(current, number("current_zero_raw", 0), number("current_lsb_a", Number.NaN));
  } else if (columns !== "voltage_v,current_a") {
    throw new Error(`The recording has columns this page does not know: ${columns.slice(0, 40)}`);
  }
  return { header, sampleRate, skew: number("channel_skew_s", 0), voltage, current };
}

function toPhysical(counts: number[], zero: number, step: number): void {
  for (let n = 0; n < counts.length; n++) counts[n] = ((counts[n] as number) - zero) * step;
}

/** Where the signal rises through zero, in samples with fraction; a crossing counts after a real dip below zero. */
export function risingCrossings(signal: number[]): number[] {
  const peak = signal.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const dip = -0.1 * peak;
  const found: number[] = [];
  let armed = false;
  for (let n = 1; n < signal.length; n++) {
    const before = signal[n - 1] as number;
    const after = signal[n] as number;
    if (before < dip) armed = true;
    if (armed && before < 0 && after >= 0) {
      found.push(n - 1 + before / (before - after));
      armed = false;
    }
  }
  return found;
}

export interface Trace {
  /** Milliseconds after the first rising zero crossing of the voltage, and the value there. */
  voltage: [number[], number[]];
  current: [number[], number[]];
  /** Length of the picture in milliseconds. */
  length: number;
  peakVoltage: number;
  peakCurrent: number;
}

/**
 * The samples of `cycles` cycles from a rising zero crossing on, so that the picture stands still. No sample is changed
 * or made up: each stands at the time it was taken, the current later by the skew.
 */
export function triggered(recording: Recording, cycles: number): Trace {
  const { voltage, sampleRate } = recording;
  const crossings = risingCrossings(voltage);
  const start = crossings[0] ?? 0;
  const wanted = crossings[Math.min(cycles, crossings.length - 1)];
  const period = crossings.length > 1 ? ((crossings.at(-1) as number) - start) / (crossings.length - 1) : 0;
  const end = period > 0 ? Math.max(wanted ?? 0, start + cycles * period) : voltage.length - 1;
  const last = Math.min(voltage.length - 1, Math.ceil(end));
  return cut(recording, Math.floor(start), last, start, ((end - start) * 1000) / sampleRate);
}

/** All samples, with times counted from `moment` seconds after the first. */
export function around(recording: Recording, moment: number): Trace {
  const last = recording.voltage.length - 1;
  return cut(recording, 0, last, moment * recording.sampleRate, (last * 1000) / recording.sampleRate);
}

/** Rows `first` to `last`, with times counted from row `zero` (which may lie between two). */
function cut(recording: Recording, first: number, last: number, zero: number, length: number): Trace {
  const { voltage, current, sampleRate, skew } = recording;
  const milliseconds = (n: number): number => ((n - zero) * 1000) / sampleRate;
  const trace: Trace = {
    voltage: [[], []],
    current: [[], []],
    length,
    peakVoltage: 0,
    peakCurrent: 0,
  };
  for (let n = first; n <= last; n++) {
    const u = voltage[n] as number;
    const i = current[n] as number;
    trace.voltage[0].push(milliseconds(n));
    trace.voltage[1].push(u);
    trace.current[0].push(milliseconds(n + skew * sampleRate));
    trace.current[1].push(i);
    trace.peakVoltage = Math.max(trace.peakVoltage, Math.abs(u));
    trace.peakCurrent = Math.max(trace.peakCurrent, Math.abs(i));
  }
  return trace;
}
