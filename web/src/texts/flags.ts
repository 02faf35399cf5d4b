// Every quality flag in words. A flag never changes a number; it says what to think of it.

export interface FlagText {
  label: string;
  /** One sentence. */
  meaning: string;
  /** `warn` also shows in the banner. */
  weight: "note" | "warn";
}

export const FLAGS: Record<string, FlagText> = {
  clipped: {
    label: "Clipped",
    meaning: "A sample reached the end of the converter's range, so the true value was larger than the one shown.",
    weight: "warn",
  },
  no_voltage: {
    label: "No voltage",
    meaning: "The voltage is below a tenth of what the mains should have: the socket has no supply.",
    weight: "warn",
  },
  no_sync: {
    label: "No cycles found",
    meaning:
      "The voltage has no usable zero crossings, so the window has a fixed length and everything that needs whole cycles is left out.",
    weight: "warn",
  },
  below_noise: {
    label: "Below noise",
    meaning:
      "The current is so small that it cannot be told from the noise of the sensor; power factor, distortion and crest factor are left out.",
    weight: "note",
  },
  lost_samples: {
    label: "Samples lost",
    meaning:
      "Some samples of this window were lost; the numbers come from the others, and the lost time counts as unmeasured.",
    weight: "warn",
  },
  dc_current: {
    label: "Direct current",
    meaning: "Beside the alternating current a direct current flows, as half-wave loads draw it.",
    weight: "note",
  },
  uncalibrated: {
    label: "Uncalibrated",
    meaning:
      "Nobody has compared this plug with a reference instrument: the numbers use the design values of the board.",
    weight: "note",
  },
  relay_changed: {
    label: "Relay switched",
    meaning: "The relay was switched inside this window: the numbers are a mean over before and after.",
    weight: "note",
  },
  calibration_changed: {
    label: "New calibration",
    meaning: "This is the first window under a new calibration: do not compare it with the ones before.",
    weight: "note",
  },
  clock_untrusted: {
    label: "Clock not set",
    meaning: "The plug does not know the time of day well enough to date this reading.",
    weight: "note",
  },
  frequency_unstable: {
    label: "Frequency unstable",
    meaning:
      "The cycles of this window differ in length by more than 2 %: the frequency is a mean over something that moved.",
    weight: "note",
  },
  voltage_stuck: {
    label: "Voltage stuck",
    meaning: "The voltage channel did not move by a single count: the sensor is broken or not connected.",
    weight: "warn",
  },
  current_stuck: {
    label: "Current stuck",
    meaning: "The current channel did not move by a single count: the sensor is broken or not connected.",
    weight: "warn",
  },
  export: {
    label: "Export",
    meaning:
      "The active power is negative: the load delivers energy to the mains, or the current sensor sits the wrong way round.",
    weight: "note",
  },
  short_window: {
    label: "Short window",
    meaning: "The window ended early, at its last whole cycle, because the cycles stopped coming.",
    weight: "note",
  },
};

/** A newer plug may know flags that this page does not. */
export function flagText(name: string): FlagText {
  return (
    FLAGS[name] ?? {
      label: name.replaceAll("_", " "),
      meaning: "This page does not know this flag; the plug's documentation does.",
      weight: "note",
    }
  );
}
