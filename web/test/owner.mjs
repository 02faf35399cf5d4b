// How a test becomes a plug's owner and proves it, past the page: Digest with SHA-256 (RFC 7616) and tokens.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

export const PASSWORD = "test words 10";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** What `Authorization` has to say to a challenge, for one request. */
export function proofOf(challenge, method, target, password = PASSWORD, count = 1) {
  const part = (name) => challenge.match(new RegExp(`${name}="([^"]*)"`))?.[1];
  assert.match(challenge, /^Digest .*algorithm=SHA-256/);
  const [realm, nonce] = [part("realm"), part("nonce")];
  const [nc, cnonce] = [count.toString(16).padStart(8, "0"), randomBytes(8).toString("hex")];
  const owner = sha256(`admin:${realm}:${password}`);
  const response = sha256(`${owner}:${nonce}:${nc}:${cnonce}:auth:${sha256(`${method}:${target}`)}`);
  const quoted = { username: "admin", realm, nonce, uri: target, cnonce, response };
  const words = Object.entries(quoted).map(([name, value]) => `${name}="${value}"`);
  return `Digest ${words.join(", ")}, algorithm=SHA-256, qop=auth, nc=${nc}`;
}

/** Makes the one who asks the owner of a plug that has none and no button. `ask(path, {method, body, headers})`. */
export async function setUp(ask, password = PASSWORD) {
  const answer = await ask("/api/v1/setup", { method: "POST", body: { password } });
  assert.equal(answer.status, 200, `setting up: ${answer.body}`);
}

/** Asks twice: for the challenge, and with the answer to it. */
export async function askSigned(ask, path, { method = "GET", body, password = PASSWORD } = {}) {
  const { status, headers } = await ask("/api/v1/session", { method: "POST" });
  assert.equal(status, 401);
  const authorization = proofOf(headers["www-authenticate"], method, path, password);
  return ask(path, { method, body, headers: { authorization } });
}

/** A token of its owner's that may do everything. */
export async function adminToken(ask, password = PASSWORD) {
  const body = { name: "test", scope: "admin" };
  const answer = await askSigned(ask, "/api/v1/tokens", { method: "POST", body, password });
  assert.equal(answer.status, 201, `making a token: ${answer.body}`);
  return JSON.parse(answer.body).token;
}
