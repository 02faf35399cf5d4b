// HTTP Digest (RFC 7616) as the plug wants it: SHA-256, qop=auth. Of the password only its hash with the plug's name stays
// here (HA1), for this tab and until somebody signs out.
import { fromHex, hex, hmac, sha256, utf8 } from "../lib/sha256";

const USER = "admin";
const STORED = "ossp-ha1";

/** What the plug gave to compute with. */
interface Challenge {
  realm: string;
  nonce: string;
  stale: boolean;
}

/** What one request is signed with. */
export interface Signature {
  /** For `Authorization`. */
  header: string;
  /** A new HA1, so that who listens on the network and does not know the present one learns nothing. */
  mask: (ha1: string) => string;
}

const hash = (text: string): string => hex(sha256(utf8(text)));

export const ha1Of = (realm: string, password: string): string => hash(`${USER}:${realm}:${password}`);

export function readChallenge(header: string | null): Challenge | null {
  const value = (name: string): string | undefined => header?.match(new RegExp(`\\b${name}="?([^",]*)`))?.[1];
  const realm = value("realm");
  const nonce = value("nonce");
  return realm && nonce ? { realm, nonce, stale: value("stale") === "true" } : null;
}

/** Signs with a nonce as long as the plug takes it, each time with the next number. */
export class Signer {
  #challenge: Challenge | null = null;
  #count = 0;
  #held = remembered();

  /** The plug's own name, once it has said it. */
  get realm(): string | null {
    return this.#challenge?.realm ?? null;
  }

  /** Whether requests can be signed. */
  get able(): boolean {
    return this.#ha1 !== null;
  }

  get #ha1(): string | null {
    const [realm, ha1] = this.#held;
    return ha1 && (this.realm ?? realm) === realm ? ha1 : null;
  }

  challenge(challenge: Challenge): void {
    if (challenge.nonce !== this.#challenge?.nonce) this.#count = 0;
    this.#challenge = challenge;
  }

  /** `null` forgets. */
  hold(ha1: string | null): void {
    this.#held = ha1 && this.realm ? [this.realm, ha1] : [];
    try {
      if (ha1) sessionStorage.setItem(STORED, this.#held.join(" "));
      else sessionStorage.removeItem(STORED);
    } catch {
      // It lasts as long as the page, then.
    }
  }

  /** `null`: there is nothing to sign with. */
  sign(method: string, uri: string, ha1 = this.#ha1): Signature | null {
    if (!ha1 || !this.#challenge) return null;
    const { realm, nonce } = this.#challenge;
    const cnonce = hex(crypto.getRandomValues(new Uint8Array(8)));
    const nc = (++this.#count).toString(16).padStart(8, "0");
    const response = hash(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${hash(`${method}:${uri}`)}`);
    return {
      header: `Digest username="${USER}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=SHA-256, qop=auth, nc=${nc}, cnonce="${cnonce}", response="${response}"`,
      mask(next) {
        const mask = hmac(fromHex(ha1), utf8(`ossp-password:${nonce}:${nc}:${cnonce}`));
        return hex(fromHex(next).map((byte, n) => byte ^ (mask[n] as number)));
      },
    };
  }
}

function remembered(): string[] {
  try {
    return sessionStorage.getItem(STORED)?.split(" ") ?? [];
  } catch {
    return [];
  }
}
