// What the browser tests share: a plug, a browser, a page that notes its sins, and requests past the page.
//
//   OSSP_BIN=PATH       the program (default ../target/release/ossp; dev/mock.mjs works too)
//   OSSP_URL=URL        a plug that already runs; what needs to end and start it is skipped
//   OSSP_PASSWORD=TEXT  its owner's password
//   OSSP_BROWSER=PATH   the browser (default /usr/bin/chromium)
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { adminToken, askSigned, PASSWORD } from "./owner.mjs";
import { Plug } from "./plug.mjs";

export const PICTURES = join(dirname(fileURLToPath(import.meta.url)), "screenshots");
export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };
const PATIENCE_MS = 15_000;

export let plug = null;
/** Where programs ask. */
export let url = process.env.OSSP_URL;
/** Where the browser looks: by the plug's name, because browsers trust 127.0.0.1 with more than any real plug. */
export let pageUrl;
/** Its owner's. */
export const password = (url && process.env.OSSP_PASSWORD) || PASSWORD;
/** What the owner has: a token for programs, a session's cookie and what the page holds of the password; `null` in a plug's first minutes. */
export let owner = null;
let browser;

const SETTINGS = {
  executablePath: process.env.OSSP_BROWSER ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--host-resolver-rules=MAP *.local 127.0.0.1",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/**
 * A browser as those of captive portals are: no cookies and no storage (Chromium then throws at whoever asks for it), and
 * nothing that opens a window.
 */
async function captive(options) {
  const folder = mkdtempSync(join(tmpdir(), "ossp-captive-"));
  mkdirSync(join(folder, "Default"));
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(folder, "Default", "Preferences"), JSON.stringify(preferences));
  const context = await chromium.launchPersistentContext(folder, { ...SETTINGS, ...options });
  context.folder = folder;
  await context.addInitScript(() => {
    for (const name of ["alert", "confirm", "prompt", "open"])
      globalThis[name] = () => {
        globalThis.violations.push(`called ${name}, which does nothing here`);
        return null;
      };
  });
  return context;
}

/** A page that notes whatever it should not do; `end` fails if it did. */
export async function visit(options = {}, hash = "", prepare = async () => {}) {
  const { allowConsole = false, stranger = false, cookieless = false, ...more } = options;
  const all = { viewport: DESKTOP, reducedMotion: "reduce", ...more };
  const context = cookieless ? await captive(all) : await browser.newContext(all);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const sins = [];
  const own = new URL(pageUrl).host;
  page.on("console", (message) => {
    const text = message.text();
    // The plug hands out its nonce with a 401, and Chromium notes each.
    if (/status of 401/.test(text)) return;
    const violation = /Content Security Policy|Refused to/i.test(text);
    if (violation || (!allowConsole && ["error", "warning"].includes(message.type()))) sins.push(text);
  });
  page.on("pageerror", (error) => sins.push(`uncaught: ${error.message}`));
  page.on("request", (request) => {
    const { host, protocol } = new URL(request.url());
    if (host !== own && !["data:", "blob:"].includes(protocol)) sins.push(`asked another host: ${request.url()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
    });
  });
  if (owner && !stranger) await signedIn(page);
  await prepare(page);
  await page.goto(pageUrl + hash);
  page.sins = async () => [...sins, ...(await page.evaluate(() => globalThis.violations))];
  return page;
}

/** As a page that was signed in before. */
async function signedIn(page) {
  const [name, value] = owner.cookie.split("=");
  await page.context().addCookies([{ name, value, url: pageUrl, httpOnly: true, sameSite: "Strict" }]);
  await page.addInitScript((held) => sessionStorage.setItem("ossp-ha1", held), owner.held);
}

/** Runs `steps` on a page, keeps a picture if they fail, and checks that the page did nothing it should not. */
export async function looking(name, options, steps, hash, prepare) {
  const page = await visit(options, hash, prepare);
  try {
    await steps(page);
    assert.deepEqual(await page.sins(), [], "the page did what it should not");
  } catch (error) {
    mkdirSync(PICTURES, { recursive: true });
    const path = join(PICTURES, `failed-${name}.png`);
    await page.screenshot({ path, fullPage: true }).catch(() => {});
    const sins = await page.sins().catch(() => []);
    error.message += ` (picture: ${path})${sins.length > 0 ? `; the page also said: ${sins.join("; ")}` : ""}`;
    throw error;
  } finally {
    const context = page.context();
    await context.close();
    if (context.folder) await rm(context.folder, { recursive: true, maxRetries: 20, retryDelay: 100 });
  }
}

export const value = (key) => `[data-quantity="${key}"] .number`;

/** Waits until a quantity on the page satisfies `test`, a function of the number, and answers it. */
export async function until(page, key, test) {
  const handle = await page.waitForFunction(
    ([selector, source]) => {
      const text = document.querySelector(selector)?.textContent ?? "";
      const number = Number(text.replace(/[\s\u202f]/g, "").replace("\u2212", "-") || Number.NaN);
      // The plug's policy forbids eval on the page, so the comparison comes as data.
      const [comparison, limit] = source;
      const meets = { above: number > limit, below: number < limit }[comparison];
      return !Number.isNaN(number) && meets ? { number } : false;
    },
    [value(key), test],
  );
  return (await handle.jsonValue()).number;
}

export const live = (page) => page.waitForSelector('.link-state[data-link="live"]');

/**
 * Asks the plug, past the page, as nobody. Each time on a connection of its own: the plug closes idle ones after 2 s, and
 * a request that is just then sent on a kept one is lost (a browser tries again by itself, `fetch` of Node does not).
 */
export function askBare(path, { method = "GET", body, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const all = body ? { "content-type": "application/json", ...headers } : headers;
    const sent = request(new URL(path, url), { method, headers: all, agent: false }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks).toString() });
    });
    sent.on("error", reject);
    sent.end(body && JSON.stringify(body));
  });
}

/** The same as the owner, with a token, once there is one. */
export async function ask(path, method = "GET", body = undefined) {
  const headers = owner ? { authorization: `Bearer ${owner.token}` } : {};
  const { body: text, ...answer } = await askBare(path, { method, body, headers });
  return { ...answer, text };
}

export const askJson = async (path) => JSON.parse((await ask(path)).text);

/** Switches by the API, whatever the page shows. */
export async function command(body) {
  const answer = await ask("api/v1/relay", "PUT", body);
  assert.equal(answer.status, 200, `switching by the API: ${answer.text}`);
}

export const noSidewaysScroll = async (page, where) => {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${where} is ${content} wide in a window of ${window}`);
};

export const contrast = (page, selector) =>
  page.evaluate((selector) => {
    const luminance = (colour) => {
      const [r, g, b] = colour
        .match(/[\d.]+/g)
        .slice(0, 3)
        .map((part) => part / 255)
        .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const element = document.querySelector(selector);
    let ground = element;
    while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    const [a, b] = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }, selector);

/** Starts the plug, unless one is given, and the browser; for `before`. With `fresh` nobody has set it up yet. */
export async function open({ fresh = false, more } = {}) {
  if (!url) {
    plug = await Plug.start({ fresh, more });
    url = plug.url;
  }
  if (!url.endsWith("/")) url += "/";
  const { id } = await askJson("api/v1/info");
  const { hostname, port } = new URL(url);
  pageUrl = hostname === "127.0.0.1" ? `http://ossp-${id.slice(-4).toLowerCase()}.local:${port}/` : url;
  if (!fresh) await own();
  browser = await chromium.launch(SETTINGS);
}

/** From now on the owner asks. */
export async function own(words = password) {
  const realm = `ossp-${(await askJson("api/v1/info")).id}`;
  const session = await askSigned(askBare, "/api/v1/session", { method: "POST", body: {}, password: words });
  assert.equal(session.status, 200, `signing in: ${session.body}`);
  const [cookie] = session.headers["set-cookie"][0].split(";");
  const ha1 = createHash("sha256").update(`admin:${realm}:${words}`).digest("hex");
  owner = { token: owner?.token ?? (await adminToken(askBare, words)), cookie, held: `${realm} ${ha1}` };
}

/** Ends both; for `after`. Then `open` starts another plug. */
export async function close() {
  await browser?.close();
  await plug?.end();
  if (plug) url = undefined;
  plug = null;
  owner = null;
}
