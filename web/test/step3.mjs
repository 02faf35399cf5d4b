// A real browser at the pages of control, schedule, protection and settings: `node --test test/step3.mjs`.
// For the variables see harness.mjs. A plug at OSSP_URL gets back the settings that it had, but not its log and trips.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { ask, askJson, close, command, live, looking, noSidewaysScroll, open, PHONE } from "./harness.mjs";

/** What the browser says of each refused request. */
const REFUSING = { allowConsole: true };
/** Below what a kettle draws. */
const LIMIT_A = 4;
const PAGES = ["control", "energy", "schedule", "protection", "settings", "learn"];

let original;

async function patch(body) {
  const answer = await ask("api/v1/settings", "PATCH", body);
  assert.ok(answer.status < 300, `changing the settings: ${answer.status} ${answer.text}`);
}

const settings = () => askJson("api/v1/settings");
const field = (page, path) => page.locator(`[data-field="${path}"]`);
/** The row of a field: its words, its input and what it was refused for. */
const row = (page, path) => page.locator(".field").filter({ has: field(page, path) });
const save = (page) => page.getByRole("button", { name: "Save", exact: true }).click();
const saved = (page) => page.locator(".save-state").filter({ hasText: "Saved." }).waitFor();

/** `HH:MM:SS` in UTC, so many seconds from now, and the day it lies in. */
function timeIn(seconds) {
  const date = new Date(Date.now() + seconds * 1000);
  return {
    at: date.toISOString().slice(11, 19),
    day: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][date.getUTCDay()],
  };
}

before(async () => {
  await open();
  const { device, relay, schedule, protection, time } = await settings();
  original = { device, relay, schedule, protection, time };
});
after(close);
const restore = async () => {
  await patch(original);
  if ((await askJson("api/v1/relay")).locked_out) await command({ rearm: true });
  await command({ release: true });
};
beforeEach(restore);
afterEach(restore);

describe("control", () => {
  it("shows a trip with its cause and its waveform, and re-arms", () =>
    looking(
      "trip",
      REFUSING,
      async (page) => {
        await live(page);
        await command({ on: true });
        await page.waitForSelector('#relay-switch[aria-checked="true"]');
        await patch({ protection: { current_limit_a: LIMIT_A } });
        const alarm = page.getByRole("alert").filter({ hasText: "Protection has switched off" });
        await alarm.filter({ hasText: /\d A/ }).waitFor();
        await page.locator(".relay-state").filter({ hasText: "Locked out" }).waitFor();
        await page.locator(".claims .holds").filter({ hasText: "Protection" }).filter({ hasText: "decides" }).waitFor();

        // Nobody beats it.
        await page.getByRole("switch", { name: "Socket" }).click();
        await page
          .locator(".problem")
          .filter({ hasText: /re-arm/i })
          .waitFor();

        const trip = page.locator(".trips tbody tr").first();
        await trip.filter({ hasText: "Over-current" }).waitFor();
        await trip.getByRole("button", { name: "Show the waveform" }).click();
        await page.waitForSelector(".trip-picture [data-drawn]");
        assert.ok(Number(await page.getAttribute(".trip-picture [data-drawn]", "data-drawn")) > 100);
        await page.getByLabel("All of it").check();
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.locator(".trip-picture .download").click(),
        ]);
        const chunks = [];
        for await (const chunk of await download.createReadStream()) chunks.push(chunk);
        assert.match(Buffer.concat(chunks).toString(), /^# .*sample_rate_hz: \d+/ms);

        await patch({ protection: { current_limit_a: null } });
        await page.getByRole("button", { name: "Re-arm: allow" }).click();
        await page
          .locator(".relay-state")
          .filter({ hasText: /^O(n|ff)$/ })
          .waitFor();
        await alarm.waitFor({ state: "detached" });
        await command({ on: true });
        await page.waitForSelector('#relay-switch[aria-checked="true"]');
      },
      "#/control",
    ));

  it("counts down to a retry, which can be cancelled", () =>
    looking(
      "retry",
      REFUSING,
      async (page) => {
        await live(page);
        await command({ on: true });
        await patch({ protection: { current_limit_a: LIMIT_A, retries: 2, retry_pause_s: 600 } });
        await page
          .locator(".timer")
          .filter({ hasText: /Tries again by itself in (9|10) min/ })
          .waitFor();
        await page.getByRole("button", { name: "Do not try again" }).click();
        await page.getByRole("button", { name: "Do not try again" }).waitFor({ state: "hidden" });
        assert.equal((await askJson("api/v1/relay")).retry_in_s, null);
      },
      "#/control",
    ));

  it("says who decides and who waits, for how long, and releases", () =>
    looking(
      "claims",
      {},
      async (page) => {
        await live(page);
        await page.getByRole("button", { name: "for 10 min" }).click();
        const first = page.locator(".claims li").first();
        await first
          .filter({ hasText: /By hand|Timer/ })
          .filter({ hasText: /ends in (9|10) min/ })
          .waitFor();
        await page.locator(".for").getByLabel("Off", { exact: true }).check();
        await page.getByLabel("Off for").fill("90");
        await page.getByRole("button", { name: "Switch off" }).click();
        await page
          .locator(".timer")
          .filter({ hasText: /on by itself in 1 min|in 1 min/ })
          .waitFor();
        await page.waitForSelector('#relay-switch[aria-checked="false"]');
        await command({ on: true });
        await page.getByRole("button", { name: /^Release/ }).click();
        await page
          .locator(".claims strong")
          .filter({ hasText: /^By hand$/ })
          .waitFor({ state: "detached" });
      },
      "#/control",
    ));

  it("says that switching on must wait", () =>
    looking(
      "delay",
      REFUSING,
      async (page) => {
        await live(page);
        await command({ on: true });
        await command({ on: false });
        await patch({ relay: { minimum_off_s: 300 } });
        await page.waitForSelector('#relay-switch[aria-checked="false"]');
        await page.getByRole("switch", { name: "Socket" }).click();
        await page.locator(".problem, .timer").filter({ hasText: /\d/ }).first().waitFor();
        assert.equal(await page.getAttribute("#relay-switch", "aria-checked"), "false");
      },
      "#/control",
    ));
});

describe("the schedule", () => {
  it("is made on the page, and says what comes next", () =>
    looking(
      "schedule",
      { timezoneId: "Europe/Berlin" },
      async (page) => {
        await live(page);
        await page.getByRole("switch", { name: "The schedule is on" }).check();
        await page.getByRole("button", { name: "Add an entry" }).click();
        const entry = page.locator(".entry-row").last();
        await entry.getByLabel("Time", { exact: true }).fill("06:30");
        await entry.getByRole("checkbox", { name: "Sunday" }).uncheck();
        await entry.getByLabel("Random").fill("120");
        await page.getByRole("img", { name: /The week: on for/ }).waitFor();
        await page.getByRole("button", { name: "Use Europe/Berlin" }).click();
        await page.locator(".save-state").filter({ hasText: "unsaved" }).waitFor();
        await save(page);
        await saved(page);
        const { schedule, time } = await settings();
        assert.equal(schedule.enabled, true);
        const { at, on, days, random_s } = schedule.entries.at(-1);
        assert.deepEqual({ at, on, random_s }, { at: "06:30", on: true, random_s: 120 });
        assert.deepEqual(days, ["mon", "tue", "wed", "thu", "fri", "sat"]);
        assert.deepEqual([time.zone, time.posix], ["Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"]);
        await page
          .locator(".schedule-now")
          .filter({ hasText: /running.*wants the socket on/ })
          .waitFor();
      },
      "#/schedule",
    ));

  it("switches, and the log says so", () =>
    looking(
      "schedule-runs",
      {},
      async (page) => {
        await live(page);
        await command({ on: true });
        await page.waitForSelector('#relay-switch[aria-checked="true"]');
        const { at, day } = timeIn(5);
        const entries = [{ enabled: true, days: [day], at, on: false, random_s: 0 }];
        await patch({ time: { zone: "Etc/UTC", posix: "UTC0" }, schedule: { enabled: true, entries } });
        await page.waitForSelector('#relay-switch[aria-checked="false"]');
        await page
          .locator(".log tbody tr")
          .first()
          .filter({ hasText: "Off" })
          .filter({ hasText: "the schedule" })
          .waitFor();
        await page.locator(".claims .holds").filter({ hasText: "Schedule" }).waitFor();
      },
      "#/control",
    ));

  it("explains a refused entry beside it", () =>
    looking(
      "schedule-refused",
      REFUSING,
      async (page) => {
        await live(page);
        await page.getByRole("button", { name: "Add an entry" }).click();
        await page.locator(".entry-row").last().getByLabel("Random").fill("99999");
        await save(page);
        await page
          .locator(".entry-row")
          .last()
          .locator(".field-error")
          .filter({ hasText: /3\D?600/ })
          .waitFor();
        assert.deepEqual((await settings()).schedule.entries, original.schedule.entries, "nothing was changed");
      },
      "#/schedule",
    ));
});

describe("settings", () => {
  it("explain a refused input beside it, keep what was typed, and take it once it is right", () =>
    looking(
      "refused",
      REFUSING,
      async (page) => {
        await live(page);
        const path = "protection.current_limit_a";
        await row(page, path).getByRole("checkbox").uncheck();
        await field(page, path).fill("9999");
        await field(page, "protection.retry_back_off").fill("");
        await save(page);
        await row(page, "protection.retry_back_off")
          .locator(".field-error")
          .filter({ hasText: "Give a number" })
          .waitFor();
        await field(page, "protection.retry_back_off").fill("2");
        await save(page);
        await row(page, path).locator(".field-error").filter({ hasText: "number" }).waitFor();
        const input = field(page, path);
        assert.equal(await input.getAttribute("aria-invalid"), "true");
        assert.ok(await input.evaluate((element) => element === document.activeElement), "it has the focus");
        assert.equal(await input.inputValue(), "9999");
        assert.equal((await settings()).protection.current_limit_a, original.protection.current_limit_a);
        await input.fill("9.5");
        await save(page);
        await saved(page);
        assert.equal((await settings()).protection.current_limit_a, 9.5);
        assert.equal(await row(page, path).locator(".field-error").textContent(), "");
      },
      "#/protection",
    ));

  it("of two tabs do not overwrite each other", () =>
    looking(
      "two-tabs",
      REFUSING,
      async (page) => {
        await live(page);
        await field(page, "device.name").fill("Mine");
        await patch({ relay: { minimum_off_s: 7 } });
        await save(page);
        await page.getByRole("alert").filter({ hasText: "Another tab" }).waitFor();
        assert.notEqual((await settings()).device.name, "Mine");
        await page.getByRole("button", { name: "keep my changes" }).click();
        await page.waitForFunction(() => document.querySelector('[data-field="relay.minimum_off_s"]').value === "7");
        assert.equal(await field(page, "device.name").inputValue(), "Mine");
        await save(page);
        await saved(page);
        const now = await settings();
        assert.deepEqual([now.device.name, now.relay.minimum_off_s], ["Mine", 7]);
      },
      "#/settings",
    ));

  it("are sent only where they were changed", () =>
    looking(
      "minimal",
      {},
      async (page) => {
        await live(page);
        await row(page, "relay.inching_s").getByRole("checkbox").uncheck();
        await field(page, "relay.inching_s").fill("30");
        const [sent] = await Promise.all([page.waitForRequest((one) => one.method() === "PATCH"), save(page)]);
        assert.deepEqual(JSON.parse(sent.postData()), { relay: { inching_s: 30 } });
        assert.ok(sent.headers()["if-match"]);
        await saved(page);
      },
      "#/settings",
    ));

  it("warn before unsaved changes are lost", () =>
    looking(
      "leaving",
      {},
      async (page) => {
        await live(page);
        await field(page, "device.name").fill("Unsaved");
        await page.locator(".save-state").filter({ hasText: "1 unsaved change" }).waitFor();
        const asked = page.getByRole("dialog").filter({ hasText: "Leave this page?" });
        await page.getByRole("link", { name: "Energy", exact: true }).click();
        await asked.getByRole("button", { name: "Cancel" }).click();
        await asked.waitFor({ state: "detached" });
        assert.equal(await field(page, "device.name").inputValue(), "Unsaved");
        assert.match(page.url(), /#\/settings$/);
        await page.getByRole("link", { name: "Energy", exact: true }).click();
        await asked.getByRole("button", { name: "Leave it" }).click();
        await page.getByRole("heading", { name: "Imported in all" }).waitFor();
      },
      "#/settings",
    ));

  it("go into a file without secrets and come back, and a refusal is explained", () =>
    looking(
      "export",
      { ...REFUSING, acceptDownloads: true },
      async (page) => {
        await live(page);
        await patch({ device: { name: "Before" } });
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: "Export" }).click(),
        ]);
        const chunks = [];
        for await (const chunk of await download.createReadStream()) chunks.push(chunk);
        const file = JSON.parse(Buffer.concat(chunks).toString());
        assert.equal(file.device.name, "Before");
        assert.ok(!file.wifi?.password, "no password in the file");
        await patch({ device: { name: "After" } });

        const give = (content) =>
          page.getByLabel("Import a file").setInputFiles({
            name: "settings.json",
            mimeType: "application/json",
            buffer: Buffer.from(content),
          });
        await give("{}");
        await page.locator("#move .problem").filter({ hasText: "does not hold the settings" }).waitFor();
        const wrong = { ...file, protection: { ...file.protection, current_limit_a: 9999 } };
        await give(JSON.stringify(wrong));
        await page.getByRole("button", { name: "Import these" }).click();
        await page
          .locator(".import tr.refused")
          .filter({ hasText: "protection.current_limit_a" })
          .locator(".field-error")
          .waitFor();
        assert.equal((await settings()).device.name, "After", "nothing was changed");
        await give(JSON.stringify(file));
        await page.locator(".import tr").filter({ hasText: "device.name" }).filter({ hasText: "Before" }).waitFor();
        await page.getByRole("button", { name: "Import these" }).click();
        await page.locator("#move").getByText("Imported.").waitFor();
        assert.equal((await settings()).device.name, "Before");
        assert.equal(await field(page, "device.name").inputValue(), "Before");
      },
      "#/settings",
    ));

  it("are erased only after typing the words", () =>
    looking(
      "reset",
      {},
      async (page) => {
        const button = page.getByRole("button", { name: "Reset to factory settings" });
        await button.waitFor();
        assert.equal(await button.isDisabled(), true);
        await page.getByLabel("To reset, type").fill("factory");
        assert.equal(await button.isDisabled(), true);
        await page.getByLabel("To reset, type").fill("Factory reset");
        assert.equal(await button.isDisabled(), false);
      },
      "#/settings",
    ));
});

describe("every page", () => {
  for (const name of PAGES) {
    it(`${name}: fits a small phone, and each control has a name`, () =>
      looking(
        `phone-${name}`,
        { viewport: { ...PHONE, width: 360 }, isMobile: true, hasTouch: true },
        async (page) => {
          await live(page);
          await page.locator("main h2").first().waitFor();
          if (["schedule", "protection", "settings"].includes(name))
            await page.locator(".field:visible").first().waitFor();
          if (name === "schedule") await page.getByRole("button", { name: "Add an entry" }).click();
          await noSidewaysScroll(page, name);
          const nameless = await page.evaluate(() =>
            [...document.querySelectorAll("button, a, input, select, summary")]
              .filter((element) => !element.labels?.length && !element.ariaLabel && !element.textContent.trim())
              .map((element) => element.outerHTML),
          );
          assert.deepEqual(nameless, [], "every control has a name");
          page.on("dialog", (dialog) => dialog.accept());
        },
        `#/${name}`,
      ));
  }
});
