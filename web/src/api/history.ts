// The last minutes of readings, kept in this page. What was not received stays a gap.
import type { Reading } from "./types";

export const KEPT_S = 600;
/** Longer than this without a reading is drawn as a gap. */
const GAP_S = 2;
/** Simulated plugs can run at many times real time; the memory stays bounded. */
const MOST_POINTS = 12_000;

export const TRACKS = {
  power: (r: Reading): number | null => r.active_power_w,
  voltage: (r: Reading): number | null => r.voltage_v,
  current: (r: Reading): number | null => r.current_a,
  frequency: (r: Reading): number | null => r.frequency_hz,
};
export type Track = keyof typeof TRACKS;
const NAMES = Object.keys(TRACKS) as Track[];

export class History {
  /** Unix seconds, rising. */
  readonly time: number[] = [];
  readonly tracks: Record<Track, (number | null)[]> = { power: [], voltage: [], current: [], frequency: [] };
  #receivedAt = Number.NEGATIVE_INFINITY;

  /** `now` in Unix seconds, for a plug that does not know the time, and to tell a gap from a fast simulation. */
  add(reading: Reading, now: number): void {
    const at = reading.time ?? now;
    const last = this.time.at(-1);
    if (last !== undefined && at <= last) {
      if (last - at < 1) return;
      this.clear(); // The plug's clock was set back: earlier points would lie in the future.
    } else if (last !== undefined && at - last > GAP_S && now - this.#receivedAt > GAP_S) {
      this.#push(last + (at - last) / 2, null);
    }
    this.#receivedAt = now;
    this.#push(at, reading);
    this.#forget(at - KEPT_S);
  }

  clear(): void {
    this.time.length = 0;
    for (const name of NAMES) this.tracks[name].length = 0;
  }

  #push(at: number, reading: Reading | null): void {
    this.time.push(at);
    for (const name of NAMES) this.tracks[name].push(reading && TRACKS[name](reading));
  }

  #forget(before: number): void {
    let count = this.time.findIndex((at) => at >= before);
    if (this.time.length > MOST_POINTS) count = Math.max(count, this.time.length - MOST_POINTS);
    if (count < 50) return; // In batches: cheaper than one by one.
    this.time.splice(0, count);
    for (const name of NAMES) this.tracks[name].splice(0, count);
  }
}
