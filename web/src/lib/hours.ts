// Hours of the ledger as bars: one for each hour, the newest at the right, and a place for those in which nothing left.
import type { LedgerHour } from "../api/types";

export const HOURS = 168;

export interface Bar {
  /** How many hours ago. */
  ago: number;
  /** Of the tallest, 0 to 1. */
  height: number;
  /** The part of it that failed, 0 to 1. */
  failed: number;
  hour: LedgerHour;
}

/** `uptime` in seconds: now. */
export function bars(hours: LedgerHour[], uptime: number): Bar[] {
  const most = Math.max(1, ...hours.map(({ count }) => count));
  return hours
    .map((hour) => ({
      ago: Math.floor(uptime / 3600) - Math.floor(hour.uptime_s / 3600),
      height: hour.count / most,
      failed: hour.count > 0 ? hour.failed / hour.count : 0,
      hour,
    }))
    .filter(({ ago }) => ago >= 0 && ago < HOURS);
}

export interface Sum {
  count: number;
  failed: number;
  out: number;
  in: number;
}

export const sumOf = (hours: LedgerHour[]): Sum =>
  hours.reduce(
    (sum, hour) => ({
      count: sum.count + hour.count,
      failed: sum.failed + hour.failed,
      out: sum.out + hour.bytes_out,
      in: sum.in + hour.bytes_in,
    }),
    { count: 0, failed: 0, out: 0, in: 0 },
  );

/** `1.2 kB`. */
export function bytes(count: number): string {
  if (count < 1000) return `${count}\u00a0B`;
  return count < 1e6 ? `${(count / 1000).toFixed(1)}\u00a0kB` : `${(count / 1e6).toFixed(1)}\u00a0MB`;
}
