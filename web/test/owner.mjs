// The owner at a plug's API, past the page: signs in by Digest once, and asks with a token of the widest scope then.
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** One request on a connection of its own. */
function send(url, method, headers, body) {
  return new Promise((resolve, reject) => {
    const more = body === undefined ? {} : { "Content-Type": "application/json" };
    const sent = request(url, { method, headers: { ...more, ...headers }, agent: false }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString() });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Asks as `curl --digest` does: first without, then with what the 401 gave. */
export async function digest(url, method, ha1, body) {
  const first = await send(url, method, {}, body);
  const value = (name) => first.headers["www-authenticate"]?.match(new RegExp(`\\b${name}="?([^",]*)`))?.[1];
  const [realm, nonce, cnonce, nc] = [value("realm"), value("nonce"), randomBytes(8).toString("hex"), "00000001"];
  if (!nonce) throw new Error(`no challenge at ${url}: ${first.status} ${first.text}`);
  const uri = new URL(url).pathname;
  const response = sha256(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${sha256(`${method}:${uri}`)}`);
  const Authorization = `Digest username="admin", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=SHA-256, qop=auth, nc=${nc}, cnonce="${cnonce}", response="${response}"`;
  return send(url, method, { Authorization }, body);
}

export class Owner {
  /** Goes with each request. */
  headers;
  /** Of a session. */
  cookie;
  /** What the page keeps of the password. */
  held;

  static async signIn(url, id, password) {
    const realm = `ossp-${id}`;
    const ha1 = sha256(`admin:${realm}:${password}`);
    const session = await digest(`${url}api/v1/session`, "POST", ha1, "{}");
    if (session.status !== 200) throw new Error(`signing in: ${session.status} ${session.text}`);
    const wish = JSON.stringify({ name: "browser test", scope: "admin" });
    const made = await digest(`${url}api/v1/tokens`, "POST", ha1, wish);
    if (made.status !== 201) throw new Error(`making a token: ${made.status} ${made.text}`);
    const owner = new Owner();
    owner.headers = { Authorization: `Bearer ${JSON.parse(made.text).token}` };
    [owner.cookie] = session.headers["set-cookie"][0].split(";");
    owner.held = `${realm} ${ha1}`;
    return owner;
  }
}
