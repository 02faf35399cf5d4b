// Requests to the plug. Reads go one at a time: a small chip has few sockets, and this page must not take them all.
import type {
  CalibrationPage,
  Energy,
  Harmonics,
  Info,
  Json,
  Kept,
  Protection,
  Reading,
  RelayChange,
  RelayCommand,
  RelayStatus,
  Trip,
} from "./types";

const TIMEOUT_MS = 5000;
/** A change is answered once it lies in the flash, which may just be erasing. */
const CHANGE_TIMEOUT_MS = 10_000;

/** A field of the settings that was refused. */
export interface RefusedField {
  /** With dots: `protection.current_limit_a`. */
  field: string;
  message: string;
}

/** The plug answered, and refused; `message` is its own sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: RefusedField[] = [],
  ) {
    super(message);
  }
}

/** The plug did not answer, or not in time. */
export class NoAnswer extends Error {
  constructor() {
    super("The plug does not answer.");
  }
}

interface Answer {
  text: string;
  etag: string | null;
}

async function request(path: string, options: RequestInit = {}, timeout = TIMEOUT_MS): Promise<Answer> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, { cache: "no-store", ...options, signal: abort.signal });
    text = await response.text();
  } catch {
    throw new NoAnswer();
  } finally {
    clearTimeout(timer);
  }
  if (!response.ok) throw refusal(response.status, text);
  return { text, etag: response.headers.get("ETag") };
}

function refusal(status: number, text: string): Refused {
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; fields?: RefusedField[] } };
    return new Refused(status, error.code, error.message, error.fields);
  } catch {
    return new Refused(status, "unknown", `The plug refused the request (status ${status}).`);
  }
}

let tail: Promise<unknown> = Promise.resolve();

function read(path: string): Promise<Answer> {
  const mine = tail.then(() => request(path));
  tail = mine.catch(() => undefined);
  return mine;
}

const readJson = async <T>(path: string): Promise<T> => JSON.parse((await read(path)).text) as T;

function change(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const sent = { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } };
  return request(path, sent, CHANGE_TIMEOUT_MS);
}

const parsed = <T>({ text }: Answer): T | null => (text === "" ? null : (JSON.parse(text) as T));
const kept = ({ text, etag }: Answer): Kept => ({ settings: JSON.parse(text) as Kept["settings"], etag });

export const EVENTS = "/api/v1/events";
export const waveformPath = (cycles: number): string => `/api/v1/waveform?cycles=${cycles}`;

export const tripPath = (number: number): string => `/api/v1/trips/${number}/waveform`;
const SETTINGS = "/api/v1/settings";

export const api = {
  info: () => readJson<Info>("/api/v1/info"),
  reading: () => readJson<Reading>("/api/v1/reading"),
  harmonics: () => readJson<Harmonics>("/api/v1/harmonics"),
  waveform: async (cycles: number) => (await read(waveformPath(cycles))).text,
  relay: () => readJson<RelayStatus>("/api/v1/relay"),
  relayLog: async () => (await readJson<{ changes: RelayChange[] }>("/api/v1/relay/log")).changes,
  switchRelay: async (command: RelayCommand) => parsed<RelayStatus>(await change("PUT", "/api/v1/relay", command)),
  trips: async () => (await readJson<{ trips: Trip[] }>("/api/v1/trips")).trips,
  tripWaveform: async (number: number) => (await read(tripPath(number))).text,
  protection: () => readJson<Protection>("/api/v1/protection"),
  energy: () => readJson<Energy>("/api/v1/energy"),
  calibration: () => readJson<CalibrationPage>("/api/v1/calibration"),
  settings: async () => kept(await read(SETTINGS)),
  /** Takes a JSON merge patch (RFC 7396); with a tag only if these are still the settings. Answers the new ones. */
  async changeSettings(patch: Json, etag: string | null): Promise<Kept> {
    const answer = await change("PATCH", SETTINGS, patch, etag === null ? {} : { "If-Match": etag });
    return answer.text.includes('"schema"') && answer.etag !== null ? kept(answer) : api.settings();
  },
  identify: () => change("POST", "/api/v1/identify", {}),
  restart: () => change("POST", "/api/v1/restart", {}),
  factoryReset: (confirm: string) => change("POST", "/api/v1/reset", { confirm }),
};
