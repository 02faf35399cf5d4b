// A real browser looks at a real plug: `node --test test/browser.mjs`.
//
//   OSSP_BIN=PATH       the program (default ../target/release/ossp; dev/mock.mjs works too)
//   OSSP_URL=URL        a plug that already runs; what needs to end and start it is skipped
//   OSSP_BROWSER=PATH   the browser (default /usr/bin/chromium)
//   SCREENSHOTS=1       also keep pictures of the page in test/screenshots/
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Plug } from "./plug.mjs";

const PICTURES = join(dirname(fileURLToPath(import.meta.url)), "screenshots");
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const PATIENCE_MS = 15_000;

let plug = null;
let url = process.env.OSSP_URL;
let browser;

/** A page that notes whatever it should not do; `end` fails if it did. */
async function visit(options = {}, hash = "", prepare = async () => {}) {
  const { allowConsole = false, ...context } = options;
  const page = await browser.newPage({ viewport: DESKTOP, reducedMotion: "reduce", ...context });
  page.setDefaultTimeout(PATIENCE_MS);
  const sins = [];
  const own = new URL(url).host;
  page.on("console", (message) => {
    const text = message.text();
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
  await prepare(page);
  await page.goto(url + hash);
  page.sins = async () => [...sins, ...(await page.evaluate(() => globalThis.violations))];
  return page;
}

/** Runs `steps` on a page, keeps a picture if they fail, and checks that the page did nothing it should not. */
async function looking(name, options, steps, hash, prepare) {
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
    await page.close();
  }
}

const value = (key) => `[data-quantity="${key}"] .number`;

/** Waits until a quantity on the page satisfies `test`, a function of the number, and answers it. */
async function until(page, key, test) {
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

const live = (page) => page.waitForSelector('.link-state[data-link="live"]');

/**
 * Asks the plug, past the page. Each time on a connection of its own: the plug closes idle ones after 2 s, and a request
 * that is just then sent on a kept one is lost (a browser tries again by itself, `fetch` of Node does not).
 */
function ask(path, method = "GET", body = undefined) {
  return new Promise((resolve, reject) => {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const sent = request(new URL(path, url), { method, headers, agent: false }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString() });
    });
    sent.on("error", reject);
    sent.end(body && JSON.stringify(body));
  });
}

const askJson = async (path) => JSON.parse((await ask(path)).text);

/** Switches by the API, whatever the page shows. */
async function command(body) {
  const answer = await ask("api/v1/relay", "PUT", body);
  assert.equal(answer.status, 200, `switching by the API: ${answer.text}`);
}

const noSidewaysScroll = async (page, where) => {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${where} is ${content} wide in a window of ${window}`);
};

const contrast = (page, selector) =>
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

before(async () => {
  if (!url) {
    plug = await Plug.start();
    url = plug.url;
  }
  if (!url.endsWith("/")) url += "/";
  browser = await chromium.launch({
    executablePath: process.env.OSSP_BROWSER ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

after(async () => {
  await browser?.close();
  await plug?.end();
});

describe("the page", () => {
  beforeEach(() => command({ on: true }));

  it("comes with a policy that lets it load nothing from elsewhere", async () => {
    const policy = (await ask("")).headers["content-security-policy"] ?? "";
    for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'"]) {
      assert.ok(policy.includes(part), `the policy "${policy}" has no ${part}`);
    }
    assert.ok(!policy.includes("unsafe"), policy);
  });

  it("says what this plug is, and that it is virtual", () =>
    looking("identity", {}, async (page) => {
      const info = await askJson("api/v1/info");
      await page.waitForFunction((name) => document.title.includes(name) && document.title.includes("OSSP"), info.name);
      const header = await page.textContent("header.bar");
      assert.ok(header.includes(info.name) && header.includes(info.version), header);
      assert.equal(await page.isVisible(".badge"), info.board === "virtual");
      if (info.source) assert.ok(header.includes(info.source), header);
    }));

  it("shows the numbers of a kettle, and they change", () =>
    looking("numbers", {}, async (page) => {
      await live(page);
      assert.ok((await until(page, "active_power_w", ["above", 500])) < 4000);
      await until(page, "voltage_v", ["above", 200]);
      await until(page, "frequency_hz", ["above", 44]);
      const first = await page.textContent(".origin");
      const voltage = await page.textContent(value("voltage_v"));
      await page.waitForFunction((old) => document.querySelector(".origin").textContent !== old, first);
      await page.waitForFunction(
        ([at, old]) => document.querySelector(at).textContent !== old,
        [value("voltage_v"), voltage],
      );
    }));

  it("explains a number, with the window it comes from", () =>
    looking("explain", {}, async (page) => {
      await until(page, "apparent_power_va", ["above", 500]);
      const button = page.getByRole("button", { name: "Apparent power: explain" });
      await button.focus();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      const text = await dialog.textContent();
      for (const part of ["S = U · I", "Samples", "Calibration", "apparent_power_va"])
        assert.ok(text.includes(part), text);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      assert.ok(await button.evaluate((element) => element === document.activeElement), "focus went back");
    }));

  it("raises no alarm while all is well: the contact follows the command", () =>
    looking("calm", {}, async (page) => {
      for (const [on, contact] of [
        [false, "open"],
        [true, "closed"],
      ]) {
        await command({ on });
        await page.waitForSelector(`#relay-switch[aria-checked="${on}"]`);
        await page
          .locator(".relay .facts")
          .filter({ hasText: new RegExp(`Contact(${contact}|not measured)`) })
          .waitFor();
      }
      assert.equal(
        await page
          .getByRole("alert")
          .allTextContents()
          .then((all) => all.join("")),
        "",
      );
    }));

  it("switches by keyboard: the current falls, the voltage stays, the log knows it; and on again", () =>
    looking("relay", {}, async (page) => {
      await until(page, "active_power_w", ["above", 500]);
      const toggle = page.getByRole("switch", { name: "Socket" });
      assert.equal(await toggle.getAttribute("aria-checked"), "true");
      await toggle.focus();
      await page.keyboard.press("Space");
      await page.waitForSelector('#relay-switch[aria-checked="false"]');
      assert.ok(Math.abs(await until(page, "current_a", ["below", 0.1])) < 0.1);
      await until(page, "voltage_v", ["above", 200]);
      await page.getByRole("link", { name: "Log" }).click();
      const row = page.locator(".log tbody tr").first();
      await row.filter({ hasText: "Off" }).filter({ hasText: "web" }).waitFor();
      assert.match(await row.textContent(), /\d\sW/, "the log has the power of that moment");
      await page.getByRole("switch", { name: "Socket" }).focus();
      await page.keyboard.press("Enter");
      await row.filter({ hasText: "On" }).waitFor();
      await page.getByRole("link", { name: "Now" }).click();
      await until(page, "active_power_w", ["above", 500]);
    }));

  it("switches on for a time, and says when that ends", () =>
    looking("timer", {}, async (page) => {
      await command({ on: false });
      await page.waitForSelector('#relay-switch[aria-checked="false"]');
      await page.getByLabel("On for").fill("90");
      await page.getByRole("button", { name: "Switch on" }).click();
      await page.waitForSelector('#relay-switch[aria-checked="true"]');
      await page
        .locator(".timer")
        .filter({ hasText: /off by itself in 1 min \d\d s/ })
        .waitFor();
      await page.getByLabel("On for").fill("0");
      await page.getByRole("button", { name: "Switch on" }).click();
      await page.locator(".problem").filter({ hasText: "at least 1" }).waitFor();
    }));

  it("draws the scope, the harmonics and the last minutes", () =>
    looking("pictures", {}, async (page) => {
      await page.waitForSelector("[data-drawn]");
      assert.ok(Number(await page.getAttribute("[data-drawn]", "data-drawn")) > 40);
      await page.waitForFunction(() => {
        const coloursOf = (canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size;
        };
        const pictures = [...document.querySelectorAll(".plot canvas")];
        // The scope and the last minutes; an empty canvas has one colour.
        return pictures.length === 2 && pictures.every((canvas) => coloursOf(canvas) > 10);
      });
      await page.waitForFunction(() => {
        const bar = document.querySelector('.harmonic.voltage [data-order="1"] i');
        return bar && bar.getBoundingClientRect().height > 50;
      });
      await page.getByText("Show as a table").click();
      await page.locator(".as-table tbody tr").nth(4).waitFor();
      await page.getByLabel("Look at").fill("5");
      await page
        .locator(".readout")
        .filter({ hasText: /^Order 5.*V.*A/ })
        .waitFor();
    }));

  it("pauses the scope and hands out its samples", () =>
    looking("scope", { acceptDownloads: true }, async (page) => {
      await page.waitForSelector("[data-drawn]");
      await page.getByRole("button", { name: "Pause" }).click();
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByText("Samples (CSV)").click()]);
      const chunks = [];
      for await (const chunk of await download.createReadStream()) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      assert.match(text, /^# .*sample_rate_hz: \d+/ms);
      assert.ok(text.trim().split("\n").length > 60);
      await page.getByRole("button", { name: "Run" }).click();
    }));

  it("warns of what needs attention, and explains each flag", () => {
    const prepare = (page) =>
      page.route("**/api/v1/events", async (route) => {
        const reading = await askJson("api/v1/reading");
        const body = { ...reading, quality: ["clipped", "no_sync"], frequency_hz: null };
        const relay = await askJson("api/v1/relay");
        const locked = { ...relay, on: false, locked_out: true, reason: "Over-current." };
        const event = (type, data) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
        await route.fulfill({
          contentType: "text/event-stream",
          body: `retry: 60000\n${event("relay", locked)}${event("reading", body)}`,
        });
      });
    const steps = async (page) => {
      await page.getByRole("alert").filter({ hasText: "Protection has switched off" }).waitFor();
      await page.getByRole("status").filter({ hasText: "Clipped" }).waitFor();
      const summary = page.locator(".chip summary").filter({ hasText: "Clipped" });
      await summary.focus();
      await page.keyboard.press("Enter");
      await page.locator(".chip p").filter({ hasText: "the true value was larger" }).waitFor();
    };
    return looking("alerts", {}, steps, "", prepare);
  });

  it("asks for readings one by one when no stream is to be had", () => {
    const prepare = (page) => page.route("**/api/v1/events", (route) => route.fulfill({ status: 503, body: "{}" }));
    const steps = async (page) => {
      await page.waitForSelector('.link-state[data-link="polling"]');
      await page.getByRole("status").filter({ hasText: "every 2 seconds" }).waitFor();
      await until(page, "active_power_w", ["above", 500]);
      const first = await page.textContent(".origin");
      await page.waitForFunction((old) => document.querySelector(".origin").textContent !== old, first);
    };
    return looking("polling", { allowConsole: true }, steps, "", prepare);
  });

  it("shows the refusal of a command in the plug's own words", () => {
    const prepare = (page) =>
      page.route("**/api/v1/relay", (route) =>
        route.request().method() === "PUT"
          ? route.fulfill({ status: 409, json: { error: { code: "locked_out", message: "Re-arm it first." } } })
          : route.continue(),
      );
    const steps = async (page) => {
      await page.waitForSelector('#relay-switch[aria-checked="true"]');
      await page.click("#relay-switch");
      await page.locator(".problem").filter({ hasText: "Re-arm it first." }).waitFor();
      assert.equal(await page.getAttribute("#relay-switch", "aria-checked"), "true");
    };
    return looking("refusal", { allowConsole: true }, steps, "", prepare);
  });

  it("fits a phone: the menu works, nothing scrolls sideways", () =>
    looking("phone", { viewport: PHONE, hasTouch: true, isMobile: true }, async (page) => {
      await until(page, "active_power_w", ["above", 500]);
      await page.waitForSelector("[data-drawn]");
      await noSidewaysScroll(page, "the start page");
      for (const [label, heading] of [
        ["Relay", "Every change, and why"],
        ["Learn", "How the numbers come about"],
        ["This plug", "For programs"],
      ]) {
        const menu = page.getByRole("button", { name: "Open the menu" });
        assert.equal(await menu.getAttribute("aria-expanded"), "false");
        await menu.tap();
        await page.getByRole("link", { name: label, exact: true }).tap();
        await page.getByRole("heading", { name: heading }).waitFor();
        await noSidewaysScroll(page, label);
        assert.equal(await page.getAttribute(".menu", "aria-expanded"), "false", "the menu closed");
      }
      await page.setViewportSize({ width: 320, height: 640 });
      await page.evaluate(() => {
        location.hash = "#/";
      });
      await page.waitForSelector("[data-drawn]");
      await noSidewaysScroll(page, "the start page on a small phone");
    }));

  it("has a dark theme, by the system's wish and by its button, with contrast in both", () =>
    looking("dark", { colorScheme: "dark" }, async (page) => {
      await until(page, "active_power_w", ["above", 500]);
      const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
      for (const [expected, next] of [
        ["dark", "Use light colours"],
        ["light", "Use dark colours"],
      ]) {
        assert.equal(await theme(), expected);
        for (const at of [".plug-detail", ".big .number", ".origin", ".hint", ".facts dt", ".chip", ".bar nav a"]) {
          const ratio = await contrast(page, at);
          assert.ok(ratio >= 4.5, `${at} has a contrast of ${ratio.toFixed(2)} in the ${expected} theme`);
        }
        await page.getByRole("button", { name: next }).click();
      }
      assert.equal(await theme(), "dark");
      await page.getByRole("button", { name: "Use light colours" }).click();
      await page.reload();
      await page.waitForSelector(".big");
      assert.equal(await theme(), "light", "the choice is kept");
    }));

  it("can be walked through by keyboard", () =>
    looking("keyboard", {}, async (page) => {
      await live(page);
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(() => document.activeElement.id), "main");
      const nameless = await page.evaluate(() =>
        [...document.querySelectorAll("button, a, input, select, summary")]
          .filter((element) => !element.labels?.length && !element.ariaLabel && !element.textContent.trim())
          .map((element) => element.outerHTML),
      );
      assert.deepEqual(nameless, [], "every control has a name");
    }));
});

describe("a plug that goes away", { skip: Boolean(process.env.OSSP_URL) && "OSSP_URL is given" }, () => {
  it("is told of, and is live again by itself", () =>
    looking("gone", { allowConsole: true }, async (page) => {
      await live(page);
      await until(page, "voltage_v", ["above", 200]);
      await plug.kill();
      await page.getByRole("alert").filter({ hasText: "does not answer" }).waitFor();
      await page.locator(".ticking").filter({ hasText: "Trying again" }).waitFor();
      await page.locator(".now.stale .age").filter({ hasText: "s old" }).waitFor();
      await plug.restart();
      await live(page);
      await page.getByRole("alert").filter({ hasText: "does not answer" }).waitFor({ state: "detached" });
      await page.waitForSelector(".now:not(.stale)");
      await until(page, "voltage_v", ["above", 200]);
    }));
});

describe("pictures", { skip: !process.env.SCREENSHOTS && "SCREENSHOTS is not set" }, () => {
  for (const [name, options, hash] of [
    ["desktop-light", { colorScheme: "light" }, ""],
    ["desktop-dark", { colorScheme: "dark" }, ""],
    ["phone", { viewport: PHONE, deviceScaleFactor: 2, isMobile: true, hasTouch: true }, ""],
    ["relay-log", {}, "#/relay"],
    ["learn", {}, "#/learn"],
  ]) {
    it(name, () =>
      looking(
        name,
        options,
        async (page) => {
          await live(page);
          if (hash === "") {
            await page.waitForSelector("[data-drawn]");
            // Some seconds of history make a better picture.
            const start = Number((await page.textContent(".origin")).match(/\d+/)[0]);
            await page.waitForFunction(
              (from) => Number(document.querySelector(".origin").textContent.match(/\d+/)[0]) > from + 50,
              start,
              { timeout: 30_000 },
            );
          }
          mkdirSync(PICTURES, { recursive: true });
          await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
        },
        hash,
      ),
    );
  }
});
