// Every quantity of a reading: where it stands, what it is, how it is computed, and why it may be missing.
import type { Reading } from "../api/types";
import { decimal, withUnit } from "../lib/format";

export interface Quantity {
  /** Its name on the wire. */
  key: string;
  name: string;
  symbol: string;
  unit: string;
  value: (r: Reading) => number | null;
  /** What it is, for somebody who learns it now. */
  what: string;
  formula: string;
  /** The formula with this reading's numbers. */
  worked?: (r: Reading) => string | null;
  /** Why it is missing, where the flags do not say it. */
  missing?: string;
  /** Flags that make it missing. */
  missingBy?: string[];
}

const NEEDS_CYCLES = ["no_voltage", "no_sync", "lost_samples"];
const NEEDS_CURRENT = [...NEEDS_CYCLES, "below_noise"];

/** In a word or two for a card, and as half a sentence. */
const REASONS: Record<string, [string, string]> = {
  no_voltage: ["no voltage", "there is no voltage, so there are no cycles to work with"],
  no_sync: ["no cycles found", "no zero crossings were found, and this needs whole cycles"],
  lost_samples: ["samples lost", "more than 1 % of the window's samples were lost"],
  below_noise: ["below noise", "the current cannot be told from noise, and this would be a property of the noise"],
};

/** Why `quantity` is not there in `reading`. */
export function whyMissing(quantity: Quantity, reading: Reading, brief = false): string {
  const flag = quantity.missingBy?.find((name) => reading.quality.includes(name));
  return (flag && REASONS[flag]?.[brief ? 0 : 1]) ?? quantity.missing ?? "the plug gives no value for this window";
}

const V = (value: number | null): string => withUnit(value, "V");
const A = (value: number | null): string => withUnit(value, "A");
const W = (value: number | null): string => withUnit(value, "W");
const VA = (value: number | null): string => withUnit(value, "VA");
const plain = (value: number | null): string => decimal(value, 3);

export const QUANTITIES = {
  activePower: {
    key: "active_power_w",
    name: "Active power",
    symbol: "P",
    unit: "W",
    value: (r) => r.active_power_w,
    what: "What the load really turns into heat, light or motion, and what you pay for. At every instant the power is voltage times current; the active power is the mean of that over whole cycles. Positive: the load consumes. Negative: it delivers.",
    formula: "P = mean of u(t) · i(t)",
    worked: (r) =>
      r.power_factor === null
        ? null
        : `P = U · I · PF = ${V(r.voltage_v)} × ${A(r.current_a)} × ${plain(r.power_factor)} = ${W(r.active_power_w)}`,
  },
  apparentPower: {
    key: "apparent_power_va",
    name: "Apparent power",
    symbol: "S",
    unit: "VA",
    value: (r) => r.apparent_power_va,
    what: "Voltage times current, as if both always moved together. Wires and fuses must carry it, even the part that does no work.",
    formula: "S = U · I",
    worked: (r) => `S = ${V(r.voltage_v)} × ${A(r.current_a)} = ${VA(r.apparent_power_va)}`,
  },
  reactivePower: {
    key: "reactive_power_var",
    name: "Reactive power",
    symbol: "Q₁",
    unit: "var",
    value: (r) => r.reactive_power_var,
    what: "Power that swings between the mains and the load twice a cycle and does no work, taken from the fundamental (the 50 or 60 Hz part) only. Positive for motors and coils, whose current comes late; negative for capacitors, whose current comes early.",
    formula: "Q₁ = U₁ · I₁ · sin φ₁",
    missingBy: NEEDS_CYCLES,
  },
  powerFactor: {
    key: "power_factor",
    name: "Power factor",
    symbol: "PF",
    unit: "",
    value: (r) => r.power_factor,
    what: "Which part of the apparent power does work. 1 for a kettle; less when the current is shifted or distorted. It carries the sign of the active power and is not forced into −1 to 1.",
    formula: "PF = P / S",
    worked: (r) =>
      r.power_factor === null
        ? null
        : `PF = ${W(r.active_power_w)} / ${VA(r.apparent_power_va)} = ${plain(r.power_factor)}`,
    missingBy: ["below_noise", "no_voltage"],
    missing: "voltage or current is zero, and nothing can be divided by it",
  },
  displacementPowerFactor: {
    key: "displacement_power_factor",
    name: "Displacement PF",
    symbol: "cos φ₁",
    unit: "",
    value: (r) => r.displacement_power_factor,
    what: "The power factor of the fundamental alone: only how far the current is shifted, not how it is distorted. Compare it with the power factor to tell a motor (both low) from a laptop supply (this one high, the other low).",
    formula: "cos φ₁ = P₁ / (U₁ · I₁)",
    missingBy: NEEDS_CURRENT,
  },
  voltage: {
    key: "voltage_v",
    name: "Voltage",
    symbol: "U",
    unit: "V",
    value: (r) => r.voltage_v,
    what: "The RMS value: the direct voltage that would heat a resistor just as much. RMS is the root of the mean of the squares. The mean of the window is taken out first, so this is the alternating part.",
    formula: "U = √( mean of u² − (mean of u)² )",
  },
  frequency: {
    key: "frequency_hz",
    name: "Frequency",
    symbol: "f",
    unit: "Hz",
    value: (r) => r.frequency_hz,
    what: "How many cycles the mains makes in a second. It is the same in the whole grid and sinks a little when more power is used than made. Found from the moments at which the voltage crosses zero, between the samples too.",
    formula: "f = cycles / time between the first and the last crossing",
    worked: (r) =>
      r.frequency_hz === null || r.window.cycles === null || r.window.lost > 0
        ? null
        : `f = ${r.window.cycles} / ${decimal(r.window.duration_s, 6)} s = ${withUnit(r.frequency_hz, "Hz")}`,
    missingBy: NEEDS_CYCLES,
  },
  thdVoltage: {
    key: "thd_voltage_pct",
    name: "Distortion (THD)",
    symbol: "THDᵤ",
    unit: "%",
    value: (r) => r.thd_voltage_pct,
    what: "How far the voltage is from a pure sine: all harmonics together, compared with the fundamental. 1 to 4 % is usual in a house.",
    formula: "THD = 100 · √( U₂² + U₃² + … ) / U₁",
    missingBy: NEEDS_CYCLES,
  },
  voltageMin: {
    key: "half_cycle.voltage_min_v",
    name: "Half cycle, min",
    symbol: "U½ min",
    unit: "V",
    value: (r) => r.half_cycle.voltage_min_v,
    what: "The smallest RMS voltage over any half cycle that ended inside the window. A short dip, as when a motor starts, is seen here though the mean hides it.",
    formula: "least of √( mean of u² over half a cycle )",
  },
  voltageMax: {
    key: "half_cycle.voltage_max_v",
    name: "Half cycle, max",
    symbol: "U½ max",
    unit: "V",
    value: (r) => r.half_cycle.voltage_max_v,
    what: "The largest RMS voltage over any half cycle that ended inside the window.",
    formula: "greatest of √( mean of u² over half a cycle )",
  },
  voltageDc: {
    key: "voltage_dc_v",
    name: "Direct voltage",
    symbol: "U₀",
    unit: "V",
    value: (r) => r.voltage_dc_v,
    what: "The mean of the voltage against the calibrated zero of its channel. In a healthy mains it is close to 0; much of what is seen here is drift of the sensor.",
    formula: "U₀ = mean of u",
    missing: "this plug's voltage sensor cannot see direct voltage",
  },
  current: {
    key: "current_a",
    name: "Current",
    symbol: "I",
    unit: "A",
    value: (r) => r.current_a,
    what: "The RMS value of the alternating part of the current. The noise of the sensor is in it and is not subtracted: with nothing plugged in you see the noise, not a zero.",
    formula: "I = √( mean of i² − (mean of i)² )",
  },
  thdCurrent: {
    key: "thd_current_pct",
    name: "Distortion (THD)",
    symbol: "THDᵢ",
    unit: "%",
    value: (r) => r.thd_current_pct,
    what: "How far the current is from a pure sine. A kettle has as much as the voltage; chargers and LED lamps, which draw current in short pulses, reach 100 % and more.",
    formula: "THD = 100 · √( I₂² + I₃² + … ) / I₁",
    missingBy: NEEDS_CURRENT,
  },
  crestFactor: {
    key: "crest_factor_current",
    name: "Crest factor",
    symbol: "î / I",
    unit: "",
    value: (r) => r.crest_factor_current,
    what: "How much higher the peak of the current is than its RMS value. 1.41 for a sine; 3 and more for pulses, which strain wires and supplies.",
    formula: "crest = peak of |i| / I",
    worked: (r) =>
      r.crest_factor_current === null
        ? null
        : `peak ≈ ${plain(r.crest_factor_current)} × ${A(r.current_a)} = ${A(r.crest_factor_current * r.current_a)}`,
    missingBy: ["below_noise"],
  },
  currentMin: {
    key: "half_cycle.current_min_a",
    name: "Half cycle, min",
    symbol: "I½ min",
    unit: "A",
    value: (r) => r.half_cycle.current_min_a,
    what: "The smallest RMS current over any half cycle that ended inside the window.",
    formula: "least of √( mean of i² over half a cycle )",
  },
  currentMax: {
    key: "half_cycle.current_max_a",
    name: "Half cycle, max",
    symbol: "I½ max",
    unit: "A",
    value: (r) => r.half_cycle.current_max_a,
    what: "The largest RMS current over any half cycle that ended inside the window: the surge when something starts. Protection looks at this value.",
    formula: "greatest of √( mean of i² over half a cycle )",
  },
  currentDc: {
    key: "current_dc_a",
    name: "Direct current",
    symbol: "I₀",
    unit: "A",
    value: (r) => r.current_dc_a,
    what: "The mean of the current against the calibrated zero. Loads that use only one half of each cycle, such as a hair dryer at half power, draw it.",
    formula: "I₀ = mean of i",
    missing: "this plug's current sensor cannot see direct current",
  },
  currentTotal: {
    key: "current_total_a",
    name: "Total current",
    symbol: "Iₜ",
    unit: "A",
    value: (r) => r.current_total_a,
    what: "Alternating and direct current together: what heats the wires.",
    formula: "Iₜ = √( I² + I₀² )",
    worked: (r) =>
      r.current_dc_a === null || r.current_total_a === null
        ? null
        : `Iₜ = √( ${plain(r.current_a)}² + ${plain(r.current_dc_a)}² ) = ${A(r.current_total_a)}`,
    missing: "the direct part is not known",
  },
  noiseFloor: {
    key: "current_noise_floor_a",
    name: "Noise floor",
    symbol: "n",
    unit: "A",
    value: (r) => r.current_noise_floor_a,
    what: "What the current channel shows when nothing flows: the noise of sensor and converter, measured while the relay is open. Currents near it mean little.",
    formula: "n = RMS of the channel without current",
    missing: "nobody has measured the noise of this plug's current channel yet",
  },
  noiseCorrected: {
    key: "current_noise_corrected_a",
    name: "Without noise",
    symbol: "I′",
    unit: "A",
    value: (r) => r.current_noise_corrected_a,
    what: "The current as it would be without the noise. It stands beside the measured current and never replaces it.",
    formula: "I′ = √( I² − n² )",
    worked: (r) =>
      r.current_noise_corrected_a === null
        ? null
        : `I′ = √( ${decimal(r.current_a, 4)}² − ${decimal(r.current_noise_floor_a, 4)}² ) = ${A(r.current_noise_corrected_a)}`,
    missingBy: ["below_noise"],
    missing: "the noise floor is not known, or the current is smaller than it",
  },
  energyImport: {
    key: "energy_import_wh",
    name: "Energy used",
    symbol: "E+",
    unit: "Wh",
    value: (r) => r.energy_import_wh,
    what: "All the energy the load has taken. Each window adds its power times its time, counted in whole numbers much finer than shown, so that nothing is lost by rounding. 1000 Wh are 1 kWh, the unit on the bill.",
    formula: "E = sum of P · Δt over windows with P > 0",
    worked: (r) =>
      `this window: ${W(r.active_power_w)} × ${decimal(r.window.duration_s, 4)} s / 3600 = ${decimal(
        ((r.active_power_w * r.window.duration_s) / 3600) * 1000,
        3,
      )} mWh`,
  },
  energyExport: {
    key: "energy_export_wh",
    name: "Energy delivered",
    symbol: "E−",
    unit: "Wh",
    value: (r) => r.energy_export_wh,
    what: "Energy that flowed from the load into the mains, as a small solar inverter does. It is counted apart and never set off against the energy used.",
    formula: "E = sum of −P · Δt over windows with P < 0",
  },
  energyBelowNoise: {
    key: "energy_below_noise_wh",
    name: "Of it below noise",
    symbol: "Eₙ",
    unit: "Wh",
    value: (r) => r.energy_below_noise_wh,
    what: "The part of both that was counted while the current could not be told from noise. Other plugs set it to zero without a word; here you see how much is uncertain.",
    formula: "sum of |P| · Δt over windows flagged “below noise”",
  },
  unmeasured: {
    key: "unmeasured_s",
    name: "Not measured",
    symbol: "t",
    unit: "s",
    value: (r) => r.unmeasured_s,
    what: "Time for which samples are missing. No energy is made up for it.",
    formula: "sum of lost samples / sample rate",
  },
} satisfies Record<string, Quantity>;

export type QuantityName = keyof typeof QUANTITIES;
export const quantityOf = (name: QuantityName): Quantity => QUANTITIES[name];

export interface Group {
  title: string;
  colour: "power" | "voltage" | "current" | "energy" | "sensor";
  /** The first is shown large. */
  names: QuantityName[];
}

export const GROUPS: Group[] = [
  { title: "Voltage", colour: "voltage", names: ["voltage", "frequency", "thdVoltage", "voltageMin", "voltageMax"] },
  { title: "Current", colour: "current", names: ["current", "thdCurrent", "crestFactor", "currentMin", "currentMax"] },
  {
    title: "Power",
    colour: "power",
    names: ["activePower", "apparentPower", "reactivePower", "powerFactor", "displacementPowerFactor"],
  },
  {
    title: "Energy",
    colour: "energy",
    names: ["energyImport", "energyExport", "energyBelowNoise", "unmeasured"],
  },
];

/** What lies at the limits of the sensors: shown smaller. */
export const LIMITS: Group = {
  title: "Direct current and noise",
  colour: "sensor",
  names: ["currentDc", "currentTotal", "voltageDc", "noiseFloor", "noiseCorrected"],
};

/** Where the numbers of a reading come from, in one line. */
export function provenance(r: Reading): string {
  const w = r.window;
  const cycles = w.cycles === null ? "a fixed time (no cycles found)" : `${w.cycles} cycles`;
  const lost = w.lost === 0 ? "none lost" : `${w.lost} lost`;
  return `window ${r.sequence}: ${cycles}, ${w.samples} samples (${lost}), ${decimal(w.duration_s, 4)} s`;
}

/** Which calibration, in words. */
export function calibration(r: Reading): string {
  const { version, hash } = r.calibration;
  return version === 0 ? `board defaults (${hash})` : `version ${version} (${hash})`;
}
