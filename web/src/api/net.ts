// Requests of the network and update pages: they are part of the second script.
import { change, NoAnswer, parsed, readJson, refusal, signer, takeChallenge } from "./client";
import type { Activated, NetworkWish, Scan, Update, Wifi, WifiTest } from "./types";

const WIFI = "/api/v1/wifi";
const UPDATE = "/api/v1/update";
/** All channels, one after the other. */
const SCAN_TIMEOUT_MS = 30_000;
/** All of an image is read before the plug answers. */
const GO_BACK_TIMEOUT_MS = 60_000;
/** Nothing moves for so long: whatever is sent is lost. */
const STALLED_MS = 60_000;

const target = (allowDowngrade: boolean): string => `${UPDATE}${allowDowngrade ? "?allow_downgrade=true" : ""}`;

export const net = {
  scan: () => readJson<Scan>(`${WIFI}/scan`, true, SCAN_TIMEOUT_MS),
  test: async (wish: NetworkWish) => parsed<WifiTest>(await change("POST", `${WIFI}/test`, () => wish)),
  confirm: async () => parsed<Wifi>(await change("POST", `${WIFI}/confirm`, () => ({}))),
  endTest: () => change("DELETE", `${WIFI}/test`),
  update: () => readJson<Update>(UPDATE),
  goBack: (allowDowngrade: boolean) => change("DELETE", target(allowDowngrade), undefined, {}, GO_BACK_TIMEOUT_MS),
};

interface Sent {
  status: number;
  text: string;
  challenge: string | null;
}

function send(path: string, file: Blob, authorization: string | null, tell: (sent: number) => void): Promise<Sent> {
  return new Promise((done, fail) => {
    // Unlike fetch, it tells how far it is.
    const request = new XMLHttpRequest();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), STALLED_MS);
    };
    request.open("POST", path);
    request.setRequestHeader("X-Requested-With", "ossp");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (authorization) request.setRequestHeader("Authorization", authorization);
    request.upload.onprogress = ({ loaded }) => {
      wait();
      tell(loaded);
    };
    request.onloadend = () => {
      clearTimeout(timer);
      const { status, responseText: text } = request;
      if (status === 0) fail(new NoAnswer());
      else done({ status, text, challenge: request.getResponseHeader("OSSP-Challenge") });
    };
    wait();
    request.send(file);
  });
}

/** Sends a package or an image; `tell` hears how many bytes went. */
export async function upload(file: Blob, allowDowngrade: boolean, tell: (sent: number) => void): Promise<Activated> {
  // A small request first: it gets a nonce and, where nobody is signed in, the password.
  await change("GET", UPDATE);
  const path = target(allowDowngrade);
  for (let again = true; ; again = false) {
    const { status, text, challenge } = await send(path, file, signer.sign("POST", path)?.header ?? null, tell);
    if (status < 300) return JSON.parse(text) as Activated;
    const isStale = takeChallenge(challenge);
    if (status !== 401 || !again || !isStale) throw refusal({ status, headers: new Headers(), text });
  }
}
