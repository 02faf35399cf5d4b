// A real browser looks at a real plug: `node --test test/browser.mjs`. For the variables see harness.mjs, and
//
//   SCREENSHOTS=1       also keep pictures of the page in test/screenshots/
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  PHONE,
  PICTURES,
  ask,
  askJson,
  close,
  command,
  contrast,
  live,
  looking,
  noSidewaysScroll,
  open,
  plug,
  until,
  value,
} from "./harness.mjs";

before(open);
after(close);

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
      await page.getByRole("link", { name: "More" }).click();
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
        ["Control", "Every change, and why"],
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
    ["control", {}, "#/control"],
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
