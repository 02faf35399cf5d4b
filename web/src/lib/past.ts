// Rows of the plug's log as series for a picture, and how each point came about.
import type { HistoryPage } from "../api/types";

export interface Span {
  /** Unix seconds, or seconds since the start of the plug. */
  start: number;
  end: number;
  /** A start of the plug that never learned the time; its rows are found by it alone. */
  boot?: number;
}

export type Series = (number | null)[];

export interface Past {
  step: number;
  /** The end of each step, rising. */
  time: number[];
  /** By the names on the wire. */
  of: { [column: string]: Series };
  /** Quality flags, with spaces between. */
  flags: string[];
}

/** What a span holds, with the names of the columns taken from the answer. */
export function pastOf({ step_s: step, columns, rows }: HistoryPage): Past {
  const of: Past["of"] = {};
  const texts = columns.indexOf("quality");
  const column = (n: number): Series =>
    rows.map((row) => (typeof row[n] === "boolean" ? Number(row[n]) : ((row[n] as number) ?? null)));
  for (const [n, name] of columns.entries()) if (n !== texts) of[name] = column(n);
  const [first = ""] = columns;
  return { step, time: (of[first] ?? []) as number[], of, flags: rows.map((row) => String(row[texts] ?? "")) };
}

/** `past` with what `more` knows better or newer; nothing from before `start` stays. */
export function extended(past: Past, more: Past, start: number): Past {
  const from = more.time[0] ?? Number.POSITIVE_INFINITY;
  const kept = past.time.map((at, n) => (at >= start && at < from ? n : -1)).filter((n) => n >= 0);
  const join = <T>(a: T[] = [], b: T[] = []): T[] => [...kept.map((n) => a[n] as T), ...b];
  const of: Past["of"] = {};
  for (const name of Object.keys(more.of)) of[name] = join(past.of[name], more.of[name]);
  return { step: more.step, time: join(past.time, more.time), of, flags: join(past.flags, more.flags) };
}

/** Imported energy in watt-hours since the first row in sight. */
export function energySince(past: Past): Series {
  const counter = past.of.energy_import_wh ?? [];
  const first = counter.find((value) => value !== null) ?? 0;
  return counter.map((value) => (value === null ? null : value - first));
}

/** Points without a neighbour, which a line does not show. */
export function lonely(values: ArrayLike<number | null | undefined>): number[] {
  const there = (n: number): boolean => (values[n] ?? null) !== null;
  return Array.from({ length: values.length }, (_, n) => n).filter((n) => there(n) && !there(n - 1) && !there(n + 1));
}

/** Least and most of some series; `null`: they hold nothing. */
export function extremes(...all: (Series | undefined)[]): [number, number] | null {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const values of all) {
    for (const value of values ?? []) {
      if (value === null) continue;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  return least <= most ? [least, most] : null;
}

export interface Origin {
  /** Imported counter at the begin of the step, where the row before is there, and at its end. */
  from: number | null;
  to: number | null;
  /** What was imported less what was exported, in watt-hours. */
  energy: number | null;
}

/** The counters around a point. */
export function originOf(past: Past, n: number): Origin {
  const at = (name: string, index: number): number | null => past.of[name]?.[index] ?? null;
  const [from, to] = [at("energy_import_wh", n - 1), at("energy_import_wh", n)];
  const [outFrom, outTo] = [at("energy_export_wh", n - 1), at("energy_export_wh", n)];
  const energy = from === null || to === null ? null : to - from - ((outTo ?? 0) - (outFrom ?? 0));
  return { from, to, energy };
}

/** Seconds in which nothing was measured, up to the `newest` point: what follows is still in the making. */
export function unmeasured(past: Past, newest: number): number {
  const missing = past.time.slice(0, newest + 1).map((_, n) => 1 - (past.of.measured?.[n] ?? 0));
  return past.step * missing.reduce((sum, part) => sum + part, 0);
}
