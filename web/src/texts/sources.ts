// Who switches, why something waits, and what tripped, in words.

const SOURCES: Record<string, string> = {
  power_on: "power-up",
  web: "this web page or the API",
  timer: "the timer",
  protection: "protection",
  button: "the button on the plug",
  schedule: "the schedule",
  idle: "off when idle",
  retry: "an automatic retry",
  mqtt: "MQTT",
};

const CLASSES: Record<string, string> = {
  protection: "Protection",
  manual: "By hand",
  timer: "Timer",
  schedule: "Schedule",
  power_on: "Power-up",
};

const DELAYS: Record<string, string> = {
  minimum_off: "it stays off for the minimum time set",
  minimum_on: "it was on a short while ago, and the minimum time set is not over",
  switchings: "it has switched as often in this minute as is allowed",
  start_delay: "the delay after the start is not over",
};

const TRIPS: Record<string, string> = {
  over_current: "Over-current",
  inverse_time: "Over-current for too long",
  over_power: "Over-power",
  over_voltage: "Over-voltage",
  under_voltage: "Under-voltage",
  energy_budget: "Energy budget used up",
  over_temperature: "Chip too hot",
  clipped: "Current beyond what can be measured",
  no_samples: "No samples",
  stuck_sensor: "Sensor stands still",
};

const ALARMS: Record<string, string> = {
  welded: "The relay's contact seems to be welded.",
  no_samples: "No samples come: the plug is blind.",
  stuck_sensor: "A sensor stands still: the plug is blind.",
};

const plain = (name: string): string => name.replaceAll("_", " ");
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Who, in words. */
export const sourceText = (source: string): string => SOURCES[source] ?? plain(source);
/** Class of a claim. */
export const classText = (name: string): string => CLASSES[name] ?? capital(plain(name));
/** Why switching on waits; half a sentence. */
export const delayText = (reason: string | null | undefined): string =>
  reason ? (DELAYS[reason] ?? plain(reason)) : "it must wait";
/** What is wrong without being a trip; a sentence. */
export const alarmText = (kind: string): string => ALARMS[kind] ?? `Alarm: ${plain(kind)}.`;
/** What tripped. */
export const tripText = (kind: string): string => TRIPS[kind] ?? capital(plain(kind));
