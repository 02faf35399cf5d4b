// Requests to the plug. Reads go one at a time: a small chip has few sockets, and this page must not take them all.
import { Signal } from "../lib/signal";
import { ha1Of, readChallenge, type Signature, Signer } from "./digest";
import type {
  CalibrationPage,
  Energy,
  Harmonics,
  HistoryPage,
  Info,
  Json,
  Kept,
  Ledger,
  Protection,
  Reading,
  RelayChange,
  RelayCommand,
  RelayStatus,
  Right,
  Session,
  SetupState,
  TimeState,
  Token,
  Trip,
  Uplink,
  UplinkTest,
  Wifi,
} from "./types";

const TIMEOUT_MS = 5000;
/** A change is answered once it lies in the flash, which may just be erasing. */
const CHANGE_TIMEOUT_MS = 10_000;
/** So often a request is repeated that the plug had no time for. */
const MOST_BUSY = 4;
const SESSION = "/api/v1/session";
const TOKENS = "/api/v1/tokens";
const TIME = "/api/v1/time";
const LEDGER = "/api/v1/ledger";
/** A week is read from the flash. */
const FLASH_TIMEOUT_MS = 30_000;
/** The plug waits for a server that may not answer. */
const OUTSIDE_TIMEOUT_MS = 60_000;

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
    /** Seconds to wait before the next try, where the plug asks for that. */
    readonly wait = 0,
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

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

interface Request {
  method: string;
  path: string;
  /** As JSON; made anew for each try, because a new password is hidden behind that try's signature. */
  body?: (signature: Signature | null) => unknown;
  headers?: Record<string, string>;
  timeout?: number;
}

export const signer = new Signer();

/** Rises when something was refused because nobody is signed in. */
export const denied = new Signal(0);

/**
 * Asks whoever sits there to sign in, true: done; and whether somebody is just becoming the owner. Pages set both.
 * `cookieless`: this browser keeps no cookies, as that of a captive portal, so each request is signed.
 */
export const desk: { ask: () => Promise<boolean>; claiming: boolean; cookieless: boolean } = {
  ask: async () => false,
  claiming: false,
  cookieless: false,
};

let asking: Promise<boolean> | undefined;

function ask(): Promise<boolean> {
  asking ??= desk.ask().finally(() => {
    asking = undefined;
  });
  return asking;
}

/** Goes on with what the plug handed out; whether only the nonce was too old. */
export function takeChallenge(header: string | null): boolean {
  const challenge = readChallenge(header);
  if (challenge) signer.challenge(challenge);
  return challenge?.stale ?? false;
}

async function send({ method, path, body, headers, timeout }: Request, signature: Signature | null): Promise<Answer> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout ?? (method === "GET" ? TIMEOUT_MS : CHANGE_TIMEOUT_MS));
  try {
    const response = await fetch(path, {
      method,
      cache: "no-store",
      signal: abort.signal,
      body: body ? JSON.stringify(body(signature)) : null,
      headers: {
        "X-Requested-With": "ossp",
        ...(body && { "Content-Type": "application/json" }),
        ...(signature && { Authorization: signature.header }),
        ...headers,
      },
    });
    const text = await response.text();
    takeChallenge(response.headers.get("OSSP-Challenge"));
    return { status: response.status, headers: response.headers, text };
  } catch {
    throw new NoAnswer();
  } finally {
    clearTimeout(timer);
  }
}

export function refusal({ status, headers, text }: Answer): Refused {
  const wait = Number(headers.get("Retry-After"));
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; fields?: RefusedField[] } };
    return new Refused(status, error.code, error.message, error.fields, wait);
  } catch {
    return new Refused(status, "unknown", `The plug refused the request (status ${status}).`, [], wait);
  }
}

let signed: Promise<unknown> = Promise.resolve();

/** One try; signed ones go one at a time, because the plug wants their numbers to rise. */
function attempt(request: Request, sign: (() => Signature | null) | null): Promise<[Answer, Signature | null]> {
  const work = async (): Promise<[Answer, Signature | null]> => {
    const signature = sign?.() ?? null;
    return [await send(request, signature), signature];
  };
  if (!sign) return work();
  const mine = signed.then(work);
  signed = mine.catch(() => undefined);
  return mine;
}

/**
 * Sends, and again where the plug is busy or wants a signature (or one with a new nonce). `sign` makes it; `wrong` is called
 * when the signature was not right or there is none, and answers whether to try again.
 */
async function request(
  what: Request,
  sign: ((method: string, path: string) => Signature | null) | null,
  wrong: (signature: Signature | null) => Promise<boolean>,
): Promise<Answer> {
  for (let again = 0, busy = 0; ;) {
    const [answer, signature] = await attempt(what, sign && (() => sign(what.method, what.path)));
    if (answer.status < 300) return answer;
    const refused = refusal(answer);
    if (refused.code === "busy" && busy++ < MOST_BUSY) {
      await new Promise((done) => setTimeout(done, (refused.wait || 1) * 1000));
      continue;
    }
    if (answer.status !== 401) throw refused;
    const isStale = readChallenge(answer.headers.get("OSSP-Challenge"))?.stale ?? false;
    // The first time there was no nonce yet, the second time it may have become too old meanwhile.
    if (sign && again++ < 3 && (isStale || (!signature && signer.able))) continue;
    if (!(await wrong(signature))) throw refused;
    again = 0;
  }
}

const signature = (method: string, path: string): Signature | null => signer.sign(method, path);

let renewal: Promise<boolean> | undefined;

/** A new session with what is held of the password, if anything is. */
function renew(): Promise<boolean> {
  renewal ??= openSession(signature)
    .then(
      () => true,
      (error: unknown) => {
        if (error instanceof Refused && error.status === 401) signer.hold(null);
        return false;
      },
    )
    .finally(() => {
      renewal = undefined;
    });
  return renewal;
}

const openSession = (sign: (method: string, path: string) => Signature | null): Promise<Answer> =>
  request({ method: "POST", path: SESSION, body: () => ({}) }, sign, async () => false);

/** Signs in; refused with 401 if the password is wrong, with 429 after too many of those. */
export async function signIn(password: string): Promise<void> {
  if (!signer.realm) {
    // To learn the plug's own name, and get a nonce.
    await send({ method: "POST", path: SESSION, body: () => ({}) }, null);
  }
  const ha1 = ha1Of(signer.realm ?? "", password);
  await openSession((method, path) => signer.sign(method, path, ha1));
  signer.hold(ha1);
}

export async function signOut(): Promise<void> {
  signer.hold(null);
  await request({ method: "DELETE", path: SESSION }, null, async () => false).catch((error: unknown) => {
    if (!(error instanceof Refused)) throw error;
  });
}

const isUnauthorized = (error: unknown): boolean => error instanceof Refused && error.status === 401;

async function get(path: string, timeout?: number): Promise<Answer> {
  let renewed = false;
  const wrong = async (): Promise<boolean> => {
    if (renewed || !signer.able) return false;
    renewed = true;
    return renew();
  };
  const once = (): Promise<Answer> =>
    request({ method: "GET", path, ...(timeout && { timeout }) }, desk.cookieless ? signature : null, wrong);
  try {
    return await once();
  } catch (error) {
    if (!isUnauthorized(error) || !renewed || !signer.able || desk.cookieless) throw error;
    desk.cookieless = true; // There is a new session, and its cookie did not come back.
    return once();
  }
}

let tail: Promise<unknown> = Promise.resolve();

/** With `asks`, whoever is not signed in is asked to. */
export async function read(path: string, asks = false, timeout?: number): Promise<Answer> {
  const mine = tail.then(() => get(path, timeout));
  tail = mine.catch(() => undefined);
  try {
    return await mine;
  } catch (error) {
    if (!isUnauthorized(error)) throw error;
    // Outside of the queue: what is live goes on meanwhile.
    if (asks && (await ask())) return read(path);
    denied.value++;
    throw error;
  }
}

export const readJson = async <T>(path: string, asks = false, timeout?: number): Promise<T> =>
  JSON.parse((await read(path, asks, timeout)).text) as T;

export function change(
  method: string,
  path: string,
  body?: (signature: Signature | null) => unknown,
  headers: Record<string, string> = {},
  timeout?: number,
): Promise<Answer> {
  const what = { method, path, headers, ...(body && { body }), ...(timeout && { timeout }) };
  return request(what, signature, (signature) => {
    if (signature) signer.hold(null); // The password is another one now.
    return ask();
  });
}

export const parsed = <T>({ text }: Answer): T | null => (text === "" ? null : (JSON.parse(text) as T));
const kept = ({ text, headers }: Answer): Kept => ({
  settings: JSON.parse(text) as Kept["settings"],
  etag: headers.get("ETag"),
});

export const EVENTS = "/api/v1/events";
export const waveformPath = (cycles: number): string => `/api/v1/waveform?cycles=${cycles}`;

export const tripPath = (number: number): string => `/api/v1/trips/${number}/waveform`;
const SETTINGS = "/api/v1/settings";

/** Rows of the log over a span, in Unix seconds or, with `boot`, in seconds since that start; JSON unless `format` says CSV. */
export function historyPath(span: {
  start: number;
  end: number;
  step?: number;
  boot?: number;
  format?: string;
}): string {
  const query = Object.entries(span).map(([name, value]) => `${name}=${value}`);
  return `/api/v1/history?${query.join("&")}`;
}

export const api = {
  info: () => readJson<Info>("/api/v1/info"),
  reading: () => readJson<Reading>("/api/v1/reading"),
  harmonics: () => readJson<Harmonics>("/api/v1/harmonics"),
  waveform: async (cycles: number) => (await read(waveformPath(cycles))).text,
  relay: () => readJson<RelayStatus>("/api/v1/relay"),
  relayLog: async () => (await readJson<{ changes: RelayChange[] }>("/api/v1/relay/log")).changes,
  switchRelay: async (command: RelayCommand) =>
    parsed<RelayStatus>(await change("PUT", "/api/v1/relay", () => command)),
  trips: async () => (await readJson<{ trips: Trip[] }>("/api/v1/trips")).trips,
  tripWaveform: async (number: number) => (await read(tripPath(number))).text,
  protection: () => readJson<Protection>("/api/v1/protection"),
  energy: () => readJson<Energy>("/api/v1/energy"),
  history: (path: string) => readJson<HistoryPage>(path, false, FLASH_TIMEOUT_MS),
  uplink: () => readJson<Uplink>("/api/v1/uplink"),
  testUplink: async () =>
    parsed<UplinkTest>(await change("POST", "/api/v1/uplink/test", () => ({}), {}, OUTSIDE_TIMEOUT_MS)),
  /** Takes the password, as tokens do. */
  ledger: async () => JSON.parse((await change("GET", LEDGER)).text) as Ledger,
  time: () => readJson<TimeState>(TIME),
  /** Tells the time, if this page holds what it takes; asks nobody for the password. */
  tellTime: () =>
    request({ method: "POST", path: TIME, body: () => ({ time: Date.now() / 1000 }) }, signature, async () => false),
  calibration: () => readJson<CalibrationPage>("/api/v1/calibration"),
  settings: async () => kept(await read(SETTINGS, true)),
  /** Takes a JSON merge patch (RFC 7396); with a tag only if these are still the settings. Answers the new ones. */
  async changeSettings(patch: Json, etag: string | null): Promise<Kept> {
    const answer = await change("PATCH", SETTINGS, () => patch, etag === null ? {} : { "If-Match": etag });
    return answer.text.includes('"schema"') && answer.headers.has("ETag") ? kept(answer) : api.settings();
  },
  identify: () => change("POST", "/api/v1/identify", () => ({})),
  restart: () => change("POST", "/api/v1/restart", () => ({})),
  factoryReset: (confirm: string) => change("POST", "/api/v1/reset", () => ({ confirm })),
  wifi: () => readJson<Wifi>("/api/v1/wifi"),
  /** Who this browser is to the plug; renewed where it can be. */
  async session(): Promise<Session> {
    const session = await readJson<Session>(SESSION);
    if (session.by !== "open" || !signer.able || !(await renew())) return session;
    const renewed = await readJson<Session>(SESSION);
    if (renewed.by !== "open") return renewed;
    desk.cookieless = true;
    return readJson<Session>(SESSION);
  },
  setup: () => readJson<SetupState>("/api/v1/setup"),
  claim: async (wish: Json) => parsed<SetupState>(await change("POST", "/api/v1/setup", () => wish)),
  /** Not even these are told to a session: it takes the password. */
  tokens: async () => (JSON.parse((await change("GET", TOKENS)).text) as { tokens: Token[] }).tokens,
  makeToken: async (name: string, scope: Right) =>
    parsed<Token & { token: string }>(await change("POST", TOKENS, () => ({ name, scope }))),
  revokeToken: (id: number) => change("DELETE", `${TOKENS}/${id}`),
  /** Ends all sessions; the new password opens one for this page. */
  async changePassword(password: string): Promise<void> {
    await change("POST", "/api/v1/password", (signature) => ({
      masked_ha1: signature?.mask(ha1Of(signer.realm ?? "", password)),
    }));
    await signIn(password);
  },
};
