// The weekly schedule: its times in two forms, and the week as bars.

/** `mon` ... `sun`, as in the settings. */
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export interface Entry {
  enabled: boolean;
  days: string[];
  at: string;
  on: boolean;
  random_s: number;
}

/** A time of the day, or minutes after (before, if negative) one of the sun's events. */
export type At = { kind: "clock"; time: string } | { kind: "sunrise" | "sunset"; minutes: number };

export function parseAt(text: string): At {
  const [, kind, sign, offset] = text.match(/^(sunrise|sunset)(?:([+-])(.+))?$/) ?? [];
  if (kind !== "sunrise" && kind !== "sunset") return { kind: "clock", time: text };
  const minutes = offset === undefined ? 0 : minutesOf(offset);
  return { kind, minutes: sign === "-" ? -minutes : minutes };
}

const two = (value: number): string => String(value).padStart(2, "0");

export function formatAt(at: At): string {
  if (at.kind === "clock") return at.time;
  const minutes = Math.abs(Math.round(at.minutes));
  if (minutes === 0) return at.kind;
  return `${at.kind}${at.minutes < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Minutes from `HH:MM` or `HH:MM:SS`; `NaN` if it is neither. */
export function minutesOf(time: string): number {
  const [, hours, minutes, seconds = "0"] = time.match(/^(\d{1,2}):(\d\d)(?::(\d\d))?$/) ?? [];
  return Number(hours) * 60 + Number(minutes) + Number(seconds) / 60;
}

/** Where the picture draws the sun's events: the plug knows better, but they move with the year. */
const SUN = { sunrise: 6 * 60, sunset: 18 * 60 };

/** Minute of the day where the picture draws it; `null`: on no such day. */
function drawnAt(text: string): number | null {
  const at = parseAt(text);
  const minute = at.kind === "clock" ? minutesOf(at.time) : SUN[at.kind] + at.minutes;
  return minute >= 0 && minute < 1440 ? minute : null;
}

export interface Bar {
  /** 0 is Monday. */
  day: number;
  /** Minutes of the day. */
  from: number;
  to: number;
}

/** When the schedule has the socket on, in a week like any other; random offsets left out. */
export function weekBars(entries: Entry[]): Bar[] {
  const edges = entries
    .filter((entry) => entry.enabled)
    .flatMap(({ at, on, days }) => {
      const minute = drawnAt(at);
      return minute === null ? [] : days.map((name) => ({ at: DAYS.indexOf(name as never) * 1440 + minute, on }));
    })
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  if (edges.length === 0) return [];
  const bars: Bar[] = [];
  const add = (from: number, to: number): void => {
    for (let day = Math.floor(from / 1440); day * 1440 < to; day++) {
      const start = Math.max(from, day * 1440) - day * 1440;
      bars.push({ day, from: start, to: Math.min(to, (day + 1) * 1440) - day * 1440 });
    }
  };
  // The week before ended as this one will.
  let onSince = edges.at(-1)?.on ? 0 : null;
  for (const { at, on } of edges) {
    if (on) onSince ??= at;
    else if (onSince !== null) {
      if (at > onSince) add(onSince, at);
      onSince = null;
    }
  }
  if (onSince !== null) add(onSince, 7 * 1440);
  return bars;
}
