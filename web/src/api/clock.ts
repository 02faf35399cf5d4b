// The browser as the plug's clock: tells it the time, where the owner wants that, while this page is open.
import { api, signer } from "./client";
import { plug } from "./plug";
import type { TimeState } from "./types";

/** A clock that is known so well is left alone; a browser's word counts for one second, and gets worse with time. */
const GOOD_ENOUGH_S = 1.5;
/** Unless it says something else than this browser. */
const SAME_S = 5;
/** What the plug doubts it wants to hear again, but not within a minute. */
const AGAIN_MS = 65_000;

/** Whether this page should tell the plug the time, which is `now`. */
export function wantsTime({ source, from, time, uncertainty_s: uncertainty, doubt }: TimeState, now: number): boolean {
  if (source !== "browser" || from === "platform") return false;
  if (doubt !== null) return true;
  return time === null || uncertainty === null || uncertainty > GOOD_ENOUGH_S || Math.abs(time - now) > SAME_S;
}

/** Asks the plug whether it wants the time, and tells it; never asks whoever sits there for a password. */
export async function offerTime(): Promise<void> {
  if (!signer.able) return;
  try {
    if (wantsTime(await api.time(), Date.now() / 1000)) await api.tellTime();
  } catch {
    // The next time.
  }
}

export function startClock(): void {
  plug.who.watch((who) => who === "in" && void offerTime());
  setInterval(() => plug.who.value === "in" && void offerTime(), AGAIN_MS);
}
