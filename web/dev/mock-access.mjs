// Who may do what at the pretended plug: its first minutes, Digest, sessions, tokens, in memory and in the real one's words.
import { createHash, createHmac, randomBytes } from "node:crypto";

const RANK = { read: 1, control: 2, admin: 3 };
const SESSION_S = 43_200;
const NONCE_MS = 5 * 60_000;
const MOST_WRONG = 5;
const BLOCK_S = 30;

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const unauthorized = [401, "unauthorized", "Sign in first."];

/** The right that a request needs: `null` none, or a word; `open`: read, unless everybody may. */
function needed(method, path) {
  if (!/^\/(api\/v1|metrics|ota)/.test(path)) return null;
  if (path === "/api/v1/info" || (path === "/api/v1/setup" && method === "GET")) return null;
  if (path === "/api/v1/session") return method === "GET" ? "open" : null;
  if (method === "GET") {
    if (path === "/api/v1/tokens" || path === "/api/v1/ledger") return "admin";
    return path === "/api/v1/settings" ? "read" : "open";
  }
  return path === "/api/v1/relay" || path === "/api/v1/identify" || path === "/api/v1/time" ? "control" : "admin";
}

export class Access {
  ha1 = null;
  tokens = [];
  sessions = new Map();
  waiting = null;
  #next = 1;
  #nonces = new Map();
  #wrong = 0;
  #blockedUntil = 0;

  constructor(id, settings, { password, button }) {
    this.realm = `ossp-${id}`;
    this.settings = settings;
    this.button = button;
    if (password) this.ha1 = this.ha1Of(password);
  }

  ha1Of = (password) => sha256(`admin:${this.realm}:${password}`);

  get open() {
    return this.ha1 === null || this.settings.current.access.reading === "open";
  }

  /** For a 401; `stale` if only the nonce was too old. */
  challenge(stale = false) {
    const nonce = randomBytes(16).toString("hex");
    this.#nonces.set(nonce, { at: Date.now(), nc: 0 });
    return `realm="${this.realm}", qop="auth", algorithm=SHA-256, nonce="${nonce}", charset=UTF-8${stale ? ", stale=true" : ""}`;
  }

  #session(request) {
    const id = request.headers.cookie?.match(new RegExp(`\\b${this.realm}=(\\w+)`))?.[1];
    const until = this.sessions.get(id);
    return until > Date.now() ? { id, left: (until - Date.now()) / 1000 } : null;
  }

  #digest(request, header) {
    const value = (name) => header.match(new RegExp(`\\b${name}="?([^",]*)`))?.[1] ?? "";
    const [nonce, nc, cnonce] = ["nonce", "nc", "cnonce"].map(value);
    const wait = Math.ceil((this.#blockedUntil - Date.now()) / 1000);
    if (wait > 0) return { refusal: [429, "too_many_attempts", `Too many wrong passwords: wait ${wait} s.`], wait };
    const proof = sha256(`${request.method}:${request.url}`);
    const right = sha256(`${this.ha1}:${nonce}:${nc}:${cnonce}:auth:${proof}`);
    if (value("response") !== right) {
      if (++this.#wrong >= MOST_WRONG) this.#blockedUntil = Date.now() + BLOCK_S * 1000;
      return { refusal: unauthorized };
    }
    const known = this.#nonces.get(nonce);
    const count = Number.parseInt(nc, 16);
    if (!known || Date.now() - known.at > NONCE_MS || count <= known.nc) return { refusal: unauthorized, stale: true };
    known.nc = count;
    this.#wrong = 0;
    return { right: "admin", by: "digest", mask: `ossp-password:${nonce}:${nc}:${cnonce}` };
  }

  /** Who asks: a right and by what, or a refusal. */
  judge(request) {
    const header = request.headers.authorization ?? "";
    if (header.startsWith("Bearer ")) {
      const token = this.tokens.find(({ hash }) => hash === sha256(header.slice(7)));
      return token ? { right: token.scope, by: "token" } : { refusal: unauthorized };
    }
    if (header !== "") return this.#digest(request, header);
    const session = this.#session(request);
    return session && request.method === "GET" ? { right: "read", by: "session", left: session.left } : {};
  }

  /** Answers who asks, or has refused. */
  allow(request, path, refuse) {
    const { method } = request;
    if (this.ha1 === null) {
      if (method === "GET" || path === "/api/v1/setup") return {};
      refuse(403, "setup_required", "This plug has no owner yet: set it up first.");
      return null;
    }
    const who = this.judge(request);
    if (who.refusal) {
      refuse(...who.refusal, who);
      return null;
    }
    if (method === "POST" && path === "/api/v1/session" && who.by !== "digest") {
      refuse(...unauthorized, {});
      return null;
    }
    const need = needed(method, path);
    if (need === null || (need === "open" && this.open)) return who;
    const least = RANK[need] ?? RANK.read;
    // With a cookie one may look, and at more counts as nobody.
    if (!who.right || (who.by === "session" && least > RANK.read)) refuse(...unauthorized, {});
    else if (RANK[who.right] < least) refuse(403, "forbidden", "This needs a larger scope.", {});
    else return who;
    return null;
  }

  setupState() {
    const left = this.waiting && (this.waiting.until - Date.now()) / 1000;
    if (left !== null && left <= 0) this.waiting = null;
    return {
      setup_complete: this.ha1 !== null,
      button: this.button,
      waiting: this.waiting && { expires_in_s: Math.ceil(left) },
      proposed: { name: "ossp-7f3a", access_point_ssid: "OSSP-7F3A" },
      password_characters: 10,
    };
  }

  /** `POST setup`: answers `[status, body]`, or a refusal with more than two parts. */
  claim({ password, name, access_point_password: own, wifi, time }) {
    if (this.ha1 !== null) return [409, "already_set_up", "This plug has an owner."];
    const before = this.settings.current;
    const fields = [];
    if (typeof password !== "string" || password.length < 10 || password.length > 128)
      fields.push({ field: "password", message: "must have 10 to 128 characters" });
    else if (own === undefined && !/^[ -~]{8,63}$/.test(password))
      fields.push({ field: "access_point_password", message: "must be given: the password does not fit Wi-Fi" });
    const patch = { wifi: { access_point_password: own ?? password, ...wifi }, ...(time && { time }) };
    if (name !== undefined) patch.device = { name };
    if (fields.length === 0) {
      const refused = this.settings.change(patch, undefined);
      fields.push(...(refused?.[3] ?? []));
    }
    if (fields.length > 0) return [422, "bad_settings", "Something was refused; nothing was changed.", fields];
    const ha1 = this.ha1Of(password);
    if (!this.button) {
      this.ha1 = ha1;
      return [200, { setup_complete: true }];
    }
    this.waiting = { ha1, until: Date.now() + 120_000, wanted: this.settings.current };
    this.settings.current = before;
    return [202, { setup_complete: false, waiting_for: "button", expires_in_s: 120 }];
  }

  press() {
    if (!this.waiting) return;
    this.ha1 = this.waiting.ha1;
    this.settings.current = this.waiting.wanted;
    this.waiting = null;
  }

  signIn() {
    const id = randomBytes(16).toString("hex");
    this.sessions.set(id, Date.now() + SESSION_S * 1000);
    return `${this.realm}=${id}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${SESSION_S}`;
  }

  signOut(request) {
    this.sessions.delete(this.#session(request)?.id);
    return `${this.realm}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0`;
  }

  /** `POST password`; answers whether it could be done. */
  change({ password, masked_ha1: masked }, { mask }) {
    if (typeof masked === "string") {
      const pad = createHmac("sha256", Buffer.from(this.ha1, "hex")).update(mask).digest();
      this.ha1 = Buffer.from(Buffer.from(masked, "hex").map((byte, n) => byte ^ pad[n])).toString("hex");
    } else if (typeof password === "string" && password.length >= 10) this.ha1 = this.ha1Of(password);
    else return false;
    this.sessions.clear();
    return true;
  }

  makeToken({ name, scope }) {
    const token = `ossp_${randomBytes(16).toString("hex")}`;
    const made = { id: this.#next++, name, scope, created: Math.floor(Date.now() / 1000) };
    this.tokens.push({ ...made, hash: sha256(token) });
    return { ...made, token };
  }

  listTokens = () => ({ tokens: this.tokens.map(({ hash: _, ...token }) => token), most: 8 });

  revoke(id) {
    const before = this.tokens.length;
    this.tokens = this.tokens.filter((token) => token.id !== id);
    return this.tokens.length < before;
  }
}
