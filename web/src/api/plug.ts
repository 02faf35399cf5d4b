// What this page knows of the plug, kept current: by the event stream, by polling when no stream is to be had, and again
// by itself after the plug was gone.
import { Signal } from "../lib/signal";
import { api, denied, desk, EVENTS, NoAnswer, Refused } from "./client";
import { History } from "./history";
import type { Info, LogLine, Reading, RelayStatus, Wifi } from "./types";

export type Link =
  | { state: "connecting" }
  | { state: "live" }
  /** The plug answers but has no stream to spare. */
  | { state: "polling" }
  /** `retryAt` in milliseconds of the browser's clock. */
  | { state: "gone"; retryAt: number }
  /** It answers, but tells nothing to somebody who is not signed in. */
  | { state: "closed" };

/** Who sits here: nobody knows yet, the first one ever, somebody who may read nothing, anybody, the owner. */
export type Who = "unknown" | "first" | "out" | "anonymous" | "in";

/** No event for so long on an open stream: ask whether the plug is still there. */
const SILENCE_MS = 5000;
/** A stream that ends sooner is taken for a refusal, or this page would knock without end. */
const SHORTEST_STREAM_MS = 2000;
const POLL_MS = 2000;
const STREAM_RETRY_MS = [10_000, 20_000, 40_000, 60_000];
const GONE_RETRY_MS = [1000, 2000, 4000, 8000, 10_000];
/** Readings older than this are shown as old. */
export const STALE_MS = 4000;
const MOST_MESSAGES = 50;
/** For so long a flag stays in sight after the last window that had it. */
export const FLAG_MEMORY_MS = 3000;

const pick = (delays: number[], attempt: number): number => delays[Math.min(attempt, delays.length - 1)] as number;

export class Plug {
  readonly info = new Signal<Info | null>(null);
  readonly reading = new Signal<Reading | null>(null);
  readonly relay = new Signal<RelayStatus | null>(null);
  /** How it is connected, as far as this page has heard. */
  readonly wifi = new Signal<Wifi | null>(null);
  readonly who = new Signal<Who>("unknown");
  readonly link = new Signal<Link>({ state: "connecting" });
  /** Rises when the relay has moved: the log has a new line. */
  readonly relayChanges = new Signal(0);
  /** Another program answers than the one this page came with. */
  readonly updated = new Signal(false);
  /** What the plug said since this page was opened, newest first. */
  readonly messages = new Signal<LogLine[]>([]);
  readonly history = new History();
  /** When a flag was last seen, by the browser's clock in milliseconds. */
  readonly flagSeen = new Map<string, number>();
  /** When the newest reading came. */
  receivedAt = 0;
  /** When `relay` was last heard of: `remaining_s` counts from there. */
  relayAt = 0;

  #stream: EventSource | null = null;
  #heardAt = 0;
  #failures = 0;
  #refusals = 0;
  #probing = false;
  #introduction: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    void this.meet();
    denied.watch((count) => count > 0 && void this.#introduce());
    setInterval(() => this.#listenForSilence(), 1000);
    addEventListener("online", () => this.retryNow());
    addEventListener("pagehide", () => this.#closeStream());
    addEventListener("pageshow", (event) => event.persisted && void this.meet());
    document.addEventListener("visibilitychange", () => !document.hidden && this.retryNow());
  }

  /** Does not wait for the next attempt. */
  retryNow(): void {
    if (this.link.value.state === "gone") void this.#probe();
  }

  acceptRelay(status: RelayStatus): void {
    const moved = status.switch_count !== this.relay.value?.switch_count;
    this.relayAt = Date.now();
    this.relay.value = status;
    if (moved) this.relayChanges.value++;
  }

  #accept(reading: Reading): void {
    const now = Date.now();
    const before = this.reading.value;
    // The same once more is no news: a plug that answers but no longer measures must look old.
    if (before && before.sequence === reading.sequence && before.uptime_s === reading.uptime_s) return;
    this.receivedAt = now;
    for (const flag of reading.quality) this.flagSeen.set(flag, now);
    this.history.add(reading, now / 1000);
    this.reading.value = reading;
    // It was restarted, or has left safe mode.
    if ((before && reading.uptime_s < before.uptime_s) || this.info.value?.safe_mode) void this.#introduce();
  }

  /** After somebody has signed in or out, too: asks anew, and listens if that is allowed. */
  async meet(): Promise<void> {
    await this.#introduce();
    if (this.who.value === "unknown") this.#isGone();
    else if (this.who.value !== "out" && !this.#stream) this.#openStream();
  }

  #introduce(): Promise<void> {
    this.#introduction ??= this.#ask().finally(() => {
      this.#introduction = undefined;
    });
    return this.#introduction;
  }

  /** What this plug is, who we are to it, and how its relay stands. */
  async #ask(): Promise<void> {
    try {
      const info = await api.info();
      const known = this.info.value;
      if (known && (known.version !== info.version || known.git !== info.git)) this.updated.value = true;
      this.info.value = info;
      const who = info.setup_complete === false ? "first" : await this.#whoami();
      if (who === "out") {
        this.#closeStream();
        clearTimeout(this.#timer);
        this.link.value = { state: "closed" };
      }
      this.who.value = who;
      if (who === "in" && !desk.claiming) this.wifi.value = await api.wifi();
      if (who !== "out") this.acceptRelay(await api.relay());
    } catch {
      // The stream or the next probe tells whether the plug is gone; both lead back here.
    }
  }

  async #whoami(): Promise<Who> {
    try {
      return (await api.session()).by === "open" ? "anonymous" : "in";
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return "out";
      throw error;
    }
  }

  #openStream(): void {
    this.#closeStream();
    clearTimeout(this.#timer);
    if (desk.cookieless) {
      void this.#probe(); // A stream cannot be signed.
      return;
    }
    const stream = new EventSource(EVENTS);
    this.#stream = stream;
    this.#heardAt = Date.now();
    const openedAt = Date.now();
    let worked = false;
    const on = (type: string, use: (data: unknown) => void): void =>
      stream.addEventListener(type, (event) => {
        if (stream !== this.#stream) return;
        this.#heardAt = Date.now();
        worked = true;
        this.#isBack("live");
        use(JSON.parse((event as MessageEvent<string>).data));
      });
    on("reading", (data) => this.#accept(data as Reading));
    on("relay", (data) => this.acceptRelay(data as RelayStatus));
    on("log", (data) => {
      this.messages.value = [data as LogLine, ...this.messages.value].slice(0, MOST_MESSAGES);
    });
    stream.onerror = () => {
      if (stream !== this.#stream) return;
      // The browser would try again at its own pace, and never after an error status: both are decided here.
      this.#closeStream();
      void this.#probe(worked && Date.now() - openedAt > SHORTEST_STREAM_MS);
    };
  }

  #closeStream(): void {
    this.#stream?.close();
    this.#stream = null;
  }

  #listenForSilence(): void {
    if (this.#stream && Date.now() - this.#heardAt > SILENCE_MS) {
      this.#closeStream();
      void this.#probe(true);
    }
  }

  /** Is the plug there at all? `streamWorked`: the stream that just ended had been a good one. */
  async #probe(streamWorked = false): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    clearTimeout(this.#timer);
    const there = await this.#answers();
    this.#probing = false;
    if (!there) this.#isGone();
    else if (["unknown", "out"].includes(this.who.value)) {
      if (this.link.value.state === "gone") void this.meet();
    } else if (this.link.value.state === "gone") {
      this.#failures = 0;
      this.link.value = { state: "connecting" };
      void this.meet();
    } else if (streamWorked) this.#openStream();
    else {
      this.#isBack("polling");
      this.#poll(Date.now() + pick(STREAM_RETRY_MS, this.#refusals++));
    }
  }

  /** Asks for a reading. A refusal (none there yet, for one) is an answer too. */
  async #answers(): Promise<boolean> {
    try {
      this.#accept(await api.reading());
      return true;
    } catch (error) {
      // Whether the stream may be opened at all must be known before.
      const isSafe = error instanceof Refused && error.code === "safe_mode" && !this.info.value?.safe_mode;
      if (isSafe || (error instanceof Refused && error.status === 401)) await this.#introduce();
      return !(error instanceof NoAnswer);
    }
  }

  #isGone(): void {
    const delay = pick(GONE_RETRY_MS, this.#failures++);
    this.link.value = { state: "gone", retryAt: Date.now() + delay };
    this.#timer = setTimeout(() => void this.#probe(), delay);
  }

  /** Asks for readings one by one until it is time to try the stream again. */
  #poll(streamAgainAt: number): void {
    this.#timer = setTimeout(async () => {
      if (Date.now() >= streamAgainAt) {
        this.#openStream();
        return;
      }
      const there = await this.#answers();
      // Somebody opened one meanwhile, or is no longer let in.
      if (this.#stream || this.who.value === "out") return;
      if (!there) {
        this.#isGone();
        return;
      }
      await api.relay().then(
        (status) => this.acceptRelay(status),
        () => undefined, // The next round tells.
      );
      this.#poll(streamAgainAt);
    }, POLL_MS);
  }

  #isBack(state: "live" | "polling"): void {
    if (state === "live") {
      this.#failures = 0;
      this.#refusals = 0;
    }
    if (this.link.value.state !== state) this.link.value = { state };
  }
}

export const plug = new Plug();
