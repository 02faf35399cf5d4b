// Requests to the plug. Reads go one at a time: a small chip has few sockets, and this page must not take them all.
import type { Harmonics, Info, Reading, RelayChange, RelayCommand, RelayStatus } from "./types";

const TIMEOUT_MS = 5000;

/** The plug answered, and refused; `message` is its own sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
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

async function request(path: string, options: RequestInit = {}): Promise<string> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  let status: number;
  let text: string;
  try {
    const response = await fetch(path, { cache: "no-store", ...options, signal: abort.signal });
    status = response.status;
    text = await response.text();
  } catch {
    throw new NoAnswer();
  } finally {
    clearTimeout(timer);
  }
  if (status >= 200 && status < 300) return text;
  throw refusal(status, text);
}

function refusal(status: number, text: string): Refused {
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new Refused(status, error.code, error.message);
  } catch {
    return new Refused(status, "unknown", `The plug refused the request (status ${status}).`);
  }
}

let tail: Promise<unknown> = Promise.resolve();

function read(path: string): Promise<string> {
  const mine = tail.then(() => request(path));
  tail = mine.catch(() => undefined);
  return mine;
}

const readJson = async <T>(path: string): Promise<T> => JSON.parse(await read(path)) as T;

async function changeJson<T>(method: string, path: string, body: unknown): Promise<T | null> {
  const text = await request(path, {
    method,
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  });
  return text === "" ? null : (JSON.parse(text) as T);
}

export const EVENTS = "/api/v1/events";
export const waveformPath = (cycles: number): string => `/api/v1/waveform?cycles=${cycles}`;

export const api = {
  info: () => readJson<Info>("/api/v1/info"),
  reading: () => readJson<Reading>("/api/v1/reading"),
  harmonics: () => readJson<Harmonics>("/api/v1/harmonics"),
  waveform: (cycles: number) => read(waveformPath(cycles)),
  relay: () => readJson<RelayStatus>("/api/v1/relay"),
  relayLog: async () => (await readJson<{ changes: RelayChange[] }>("/api/v1/relay/log")).changes,
  switchRelay: (command: RelayCommand) => changeJson<RelayStatus>("PUT", "/api/v1/relay", command),
};
