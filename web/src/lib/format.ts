// Numbers and times as people read them. What is not there is a dash, never a zero.

export const DASH = "–";
const NARROW_SPACE = "\u202f";

/** `null` and what is not finite become a dash; thousands are set apart by a narrow space. */
export function decimal(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const [whole = "", fraction] = Math.abs(value).toFixed(digits).split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE) : whole;
  const isZero = !/[1-9]/.test(whole + (fraction ?? ""));
  return (value < 0 && !isZero ? "\u2212" : "") + grouped + (fraction ? `.${fraction}` : "");
}

/** Decimals for a value of a unit: enough to see it move, no more than the front end resolves. */
export function digitsFor(unit: string, value: number): number {
  const size = Math.abs(value);
  switch (unit) {
    case "V":
      return 2;
    case "A":
      return size < 1 ? 4 : 3;
    case "W":
    case "VA":
    case "var":
      return size < 10 ? 3 : size < 100 ? 2 : 1;
    case "Hz":
      return 3;
    case "%":
      return 2;
    case "Wh":
      return size < 100 ? 4 : 1;
    case "s":
      return size === 0 ? 0 : 2;
    default:
      return 3;
  }
}

export function quantity(value: number | null | undefined, unit: string): string {
  return value === null || value === undefined ? DASH : decimal(value, digitsFor(unit, value));
}

/** A number with its unit; the space between does not break. */
export function withUnit(value: number | null | undefined, unit: string): string {
  return value === null || value === undefined ? DASH : `${quantity(value, unit)}\u00a0${unit}`.trim();
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");

/** `1 h 02 min`, `3 min 05 s`, `12 s`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** The same for short times: `84 ms`, `1.2 s`. */
export function moments(seconds: number): string {
  return seconds < 1
    ? `${decimal(seconds * 1000, 0)}\u00a0ms`
    : seconds < 60
      ? `${decimal(seconds, 1)}\u00a0s`
      : duration(seconds);
}

/** Percent-encoded text as it was before; anything else as it is. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Cut off in the middle of a character.
  }
}

/** The plug gives causes as half sentences: with a capital and a full stop. */
export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return whole === "" || /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** Time of day in the browser's zone, 24 hours. */
export function clockTime(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Date and time of day; without the date when it is today. */
export function moment(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  if (date.toDateString() === new Date().toDateString()) return clockTime(unixSeconds);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockTime(unixSeconds)}`;
}

/** The moment if the plug knew it, otherwise how long after its start. */
export function momentOrUptime(time: number | null, uptime: number): string {
  return time === null ? `${duration(uptime)} after start` : moment(time);
}

/** The next "round" number at or above: 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((s) => s * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}
