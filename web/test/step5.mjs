// A real browser at the history, Emoncms, what leaves and the time: `node --test test/step5.mjs`. For the variables see
// harness.mjs. The server is the program's own stand-in; a plug at OSSP_URL would send its rows there, so it is skipped.
//
//   SCREENSHOTS=1       also keep pictures in test/screenshots/
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  ask,
  askJson,
  close,
  contrast,
  DESKTOP,
  live,
  looking,
  noSidewaysScroll,
  open,
  password,
  PHONE,
  PICTURES,
  plug,
} from "./harness.mjs";
import { StandIn } from "./stand-in.mjs";

const SKIP = Boolean(process.env.OSSP_URL) && "OSSP_URL is given";
const isMock = Boolean(process.env.OSSP_BIN?.endsWith(".mjs"));
const REFUSING = { allowConsole: true };
const small = { viewport: { ...PHONE, width: 360 }, isMobile: true, hasTouch: true };

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const field = (page, path) => page.locator(`[data-field="${path}"]`);
const row = (page, path) => page.locator(".field").filter({ has: field(page, path) });
const button = (page, name) => page.getByRole("button", { name, exact: true });
const save = (page) => button(page, "Save").click();
const saved = (page) => page.locator(".save-state").filter({ hasText: "Saved." }).waitFor();
const fact = (page, term) =>
  page
    .locator(".facts > div")
    .filter({ has: page.locator("dt", { hasText: term }) })
    .locator("dd");

async function patch(body) {
  const answer = await ask("api/v1/settings", "PATCH", body);
  assert.ok(answer.status < 300, `changing the settings: ${answer.status} ${answer.text}`);
}

async function picture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** Until `test` holds of what `get` gives. */
async function until(what, get, test, patience = 20_000) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await get();
    if (test(value)) return value;
    assert.ok(Date.now() < end, `${what}: still ${JSON.stringify(value).slice(0, 400)}`);
    await pause(200);
  }
}

const nameless = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("button, a, input, select, summary")]
      .filter((element) => !element.labels?.length && !element.ariaLabel && !element.textContent.trim())
      .map((element) => element.outerHTML),
  );

async function accessible(page, name, texts) {
  await noSidewaysScroll(page, name);
  assert.deepEqual(await nameless(page), [], "every control has a name");
  for (const at of texts) {
    const ratio = await contrast(page, at);
    assert.ok(ratio >= 4.5, `${at} has a contrast of ${ratio.toFixed(2)}`);
  }
}

/** Whether something is drawn in each of a hundred upright strips of a picture. */
const strips = (page, at) =>
  page.locator(at).evaluate((plot) => {
    const canvas = plot.querySelector("canvas");
    const over = plot.querySelector(".u-over").getBoundingClientRect();
    const frame = canvas.getBoundingClientRect();
    const scale = canvas.width / frame.width;
    const [left, top, width, height] = [over.left - frame.left, over.top - frame.top, over.width, over.height].map(
      (length) => Math.round(length * scale),
    );
    const { data } = canvas.getContext("2d").getImageData(left, top, width, height);
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--power").match(/\w\w/g);
    const [r, g, b] = ink.map((part) => Number.parseInt(part, 16));
    return Array.from({ length: 100 }, (_, n) => {
      for (let x = Math.ceil((n * width) / 100); x < ((n + 1) * width) / 100; x++)
        for (let y = 0; y < height; y++) {
          const i = 4 * (y * width + x);
          if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 40)
            return true;
        }
      return false;
    });
  });

const drawn = (page) => page.waitForSelector('.history [aria-label*="between"] canvas');

after(close);

describe("the history", { skip: SKIP }, () => {
  before(async () => {
    await open();
    await patch({ history: { interval_s: isMock ? 10 : 1 } });
  });

  const query = (text) => new URL(text, "http://plug").searchParams;

  it("is found from the start page, and shows the last hour, day and week", () => {
    const asked = [];
    const prepare = async (page) => {
      page.on("request", (request) => request.url().includes("/api/v1/history?") && asked.push(query(request.url())));
    };
    const steps = async (page) => {
      await live(page);
      await page.getByRole("link", { name: "Hours, days and weeks" }).click();
      await page.getByRole("heading", { name: "History", level: 1 }).waitFor();
      for (const [name, seconds] of [
        ["Hour", 3600],
        ["Day", 86_400],
        ["Week", 604_800],
      ]) {
        await page.getByLabel(name, { exact: true }).check();
        await until(
          name,
          async () => asked.some((one) => Number(one.get("end")) - Number(one.get("start")) === seconds),
          Boolean,
        );
        await drawn(page);
      }
      await picture(page, "history-week-light");
      await page.getByLabel("Hour", { exact: true }).check();
      await button(page, "Earlier").click();
      await until(
        "an hour before",
        async () => asked.at(-1).get("end"),
        (end) => end < Date.now() / 1000 - 3500,
      );
      await button(page, "Until now").click();
      await until(
        "now again",
        async () => asked.at(-1).get("end"),
        (end) => end > Date.now() / 1000 - 100,
      );
    };
    return looking("history", {}, steps, "", prepare);
  });

  it("tells of each point how it came about, by the keyboard too", () =>
    looking(
      "history-point",
      {},
      async (page) => {
        await drawn(page);
        const history = await until(
          "rows",
          () => askJson("api/v1/history"),
          ({ rows, columns }) => rows.filter((row) => row[columns.indexOf("active_power_w")] !== null).length > 3,
        );
        assert.equal(history.columns[0], "time");
        await fact(page, "Which is")
          .filter({ hasText: /the counter went from [\d\s\u202f.]+ to/ })
          .waitFor();
        await fact(page, "Measured")
          .filter({ hasText: /\d % of/ })
          .waitFor();
        const readout = page.locator(".readout");
        const before = await readout.textContent();
        assert.match(before, /^\d\d:\d\d:\d\d to \d\d:\d\d:\d\d: [\d.\u202f\s]+W, between/);
        await page.getByRole("slider").focus();
        await page.keyboard.press("ArrowLeft");
        await page.keyboard.press("ArrowLeft");
        assert.notEqual(await readout.textContent(), before);
        assert.equal(await page.getByRole("slider").getAttribute("aria-valuetext"), await readout.textContent());
        for (const name of ["Current", "Energy", "Frequency"]) {
          await page.getByLabel(name, { exact: true }).check();
          await page.locator(`[aria-label^="${name} over time: between"]`).waitFor();
        }
      },
      "#/history",
    ));

  it("gives what is shown as CSV and as JSON", () =>
    looking(
      "history-files",
      {},
      async (page) => {
        await drawn(page);
        const texts = {};
        for (const name of ["CSV", "JSON"]) {
          const [download] = await Promise.all([
            page.waitForEvent("download"),
            page.getByRole("link", { name, exact: true }).click(),
          ]);
          assert.match(download.suggestedFilename(), new RegExp(`history\\.${name.toLowerCase()}$`));
          const chunks = [];
          for await (const chunk of await download.createReadStream()) chunks.push(chunk);
          texts[name] = Buffer.concat(chunks).toString();
        }
        const { columns, rows } = JSON.parse(texts.JSON);
        const [head, first] = texts.CSV.split(/\r?\n/).filter((line) => !line.startsWith("#"));
        assert.deepEqual(head.split(","), columns);
        assert.equal(Number(first.split(",")[0]), rows[0][0]);
      },
      "#/history",
    ));

  it("shows a time without measurement as a gap, and a part of the picture when somebody draws over it", () =>
    looking(
      "history-gap",
      REFUSING,
      async (page) => {
        if (!isMock) {
          await plug.kill();
          await pause(8000);
          await plug.restart();
          await until(
            "rows after the restart",
            () => askJson("api/v1/history"),
            ({ rows, columns }) => rows.slice(-6).filter((row) => row[columns.indexOf("measured")] > 0).length > 3,
          );
          await page.reload();
        }
        await drawn(page);
        const over = await page.locator(".u-over").first().boundingBox();
        // The last minute and a half; of the pretended plug all of the hour.
        const [from, to] = isMock ? [0.02, 0.99] : [0.97, 0.9995];
        await page.mouse.move(over.x + over.width * from, over.y + 40);
        await page.mouse.down();
        await page.mouse.move(over.x + over.width * to, over.y + 60, { steps: 8 });
        await page.mouse.up();
        await button(page, "Until now").waitFor();
        await until(
          "a gap between two lines",
          () => strips(page, '[aria-label^="Power over time"]'),
          (there) => /1+0{3,}1+/.test(there.map(Number).join("")),
        );
        await page.getByText("not measured: a gap in the line").waitFor();
        await picture(page, "history-gap-light");
      },
      "#/history",
    ));

  it("fits a small phone in the dark", () =>
    looking(
      "history-phone",
      { ...small, colorScheme: "dark" },
      async (page) => {
        await drawn(page);
        await accessible(page, "the history", [".readout", ".history .hint", ".facts dt"]);
        await picture(page, "history-dark-phone");
      },
      "#/history",
    ));
});

describe("what leaves, before anything is set", { skip: SKIP }, () => {
  it("says that nothing has left, to the owner only", () =>
    looking(
      "leaves-nothing",
      REFUSING,
      async (page) => {
        await page.getByText("Nothing has left this plug since").waitFor();
        await accessible(page, "what leaves", [".uplink-state", ".lead"]);
        await picture(page, "leaves-nothing-light");
        // In another tab, which does not hold the password's proof, it is asked for.
        await page.evaluate(() => sessionStorage.clear());
        await page.addInitScript(() => sessionStorage.removeItem("ossp-ha1"));
        await page.reload();
        await button(page, "Show it").click();
        const dialog = page.getByRole("dialog");
        await dialog.getByLabel("Password", { exact: true }).fill(password);
        await button(dialog, "Sign in").click();
        await page.getByText("Nothing has left this plug since").waitFor();
      },
      "#/leaves",
    ));
});

describe("Emoncms", { skip: SKIP }, () => {
  let server;
  before(async () => {
    server = await StandIn.start();
  });
  after(() => server?.end());

  const uplink = () => askJson("api/v1/uplink");
  const test = async (page) => {
    await button(page, "Send one row now").click();
    await page.getByRole("heading", { name: "What was sent" }).waitFor({ timeout: 60_000 });
  };
  const raw = (page, title) => page.locator(`h3:has-text("${title}") + pre`);

  it("is off, says so, and refuses with reasons beside the inputs", () =>
    looking(
      "report-wrong",
      REFUSING,
      async (page) => {
        await page.getByText("Not set up yet: nothing is sent").waitFor();
        const timeless = page.getByText("the plug has to know it");
        await timeless.waitFor();
        assert.equal(
          await page.getByRole("link", { name: "choose who tells it" }).getAttribute("href"),
          "#/settings/time",
        );
        await field(page, "emoncms.url").fill("https://example.org/emoncms");
        await field(page, "emoncms.write_key").fill("too short");
        await save(page);
        await row(page, "emoncms.url")
          .getByRole("alert")
          .filter({ hasText: /http:\/\/|https/ })
          .waitFor();
        await row(page, "emoncms.write_key").getByRole("alert").filter({ hasText: /32/ }).waitFor();
        await field(page, "emoncms.url").fill("");
        await field(page, "emoncms.write_key").fill("");
        await field(page, "emoncms.enabled").check();
        await save(page);
        await page.locator(".field-error:not(:empty), .save-problem li").first().waitFor();
        assert.equal((await askJson("api/v1/settings")).emoncms.enabled, false);
        await button(page, "Discard").click();
        await patch({ time: { source: "browser" } });
        await page.reload();
        await field(page, "emoncms.url").waitFor();
        assert.equal(await timeless.isVisible(), false);
      },
      "#/report",
    ));

  it("sends encrypted once it is set, and a test shows what went out and what came back", () =>
    looking(
      "report-encrypted",
      REFUSING,
      async (page) => {
        await field(page, "emoncms.url").fill(server.url);
        await page.getByText("Which rows should it get?").waitFor();
        await field(page, "emoncms.write_key").fill(server.writeKey);
        await field(page, "emoncms.user_id").fill(String(server.userId));
        await field(page, "emoncms.enabled").check();
        await page.getByText("Interval and names").click();
        await field(page, "emoncms.interval_s").fill("1");
        await field(page, "emoncms.send_every_s").fill("1");
        await save(page);
        await saved(page);
        assert.equal(await page.getByText("Which rows should it get?").isVisible(), false);
        assert.equal((await askJson("api/v1/settings")).emoncms.write_key, "set");
        await page.locator(".uplink-state").first().scrollIntoViewIfNeeded();
        await page.locator('.uplink-state[data-mood="good"]').first().waitFor();
        await fact(page, "Last success").filter({ hasText: /ago/ }).waitFor();
        if (!isMock) {
          const { inputs } = await until("inputs there", server.state, ({ inputs }) => inputs.length > 3);
          assert.deepEqual(
            inputs
              .map(({ name }) => name)
              .filter((name) => ["power", "energy"].includes(name))
              .sort(),
            ["energy", "power"],
          );
        }
        await test(page);
        const [sent, plain, back] = await Promise.all(
          ["What was sent", "before encryption", "What came back"].map((title) => raw(page, title).textContent()),
        );
        assert.match(sent, /^POST http:.*input\/bulk/);
        assert.match(sent, /aes128cbc/i);
        assert.match(plain, /^data=\[\[\d+,/);
        assert.match(back, /200/);
        assert.equal((sent + plain + back).includes(server.writeKey), false);
        await accessible(page, "the report", [".uplink-state", "pre.raw", ".field .hint", ".facts dt"]);
        await picture(page, "report-light");
        await page.setViewportSize(small.viewport);
        await noSidewaysScroll(page, "the report on a phone");
        await page.setViewportSize(DESKTOP);
      },
      "#/report",
    ));

  it("says what plain transport exposes, asks where to begin with another node, and masks the key", () =>
    looking(
      "report-plain",
      { ...REFUSING, colorScheme: "dark" },
      async (page) => {
        const warning = page.getByRole("alert").filter({ hasText: "can read the numbers" });
        assert.equal(await warning.isVisible(), false);
        await field(page, "emoncms.transport").selectOption("plain");
        await warning.waitFor();
        const question = field(page, "emoncms.begin");
        assert.equal(await question.isVisible(), false);
        await field(page, "emoncms.node").fill("kitchen");
        await question.waitFor();
        assert.equal(await question.inputValue(), "now");
        await question.selectOption("oldest");
        await accessible(page, "the report", [".alert.warn", ".begin .hint"]);
        await picture(page, "report-plain-dark");
        await button(page, "Send one row now").click();
        await page.getByRole("alert").filter({ hasText: "Save first" }).waitFor();
        // The key that is stored was meant for the encrypted transport.
        const again = page.getByRole("status").filter({ hasText: "Type the keys again" });
        assert.equal(await again.isVisible(), true);
        await field(page, "emoncms.write_key").fill(server.writeKey);
        await again.waitFor({ state: "hidden" });
        await save(page);
        await saved(page);
        const { emoncms } = await askJson("api/v1/settings");
        assert.deepEqual([emoncms.transport, emoncms.node, emoncms.begin], ["plain", "kitchen", "oldest"]);
        await test(page);
        const sent = await raw(page, "What was sent").textContent();
        assert.match(sent, /Authorization: Bearer \S+/i);
        assert.equal(sent.includes(server.writeKey), false);
        assert.match(await raw(page, "What came back").textContent(), /200[^]*\nok/);
        if (isMock) return;
        const { cursor } = await until("caught up", uplink, ({ state, cursor }) => state === "up_to_date" && cursor);
        const { inputs } = await server.state();
        const power = inputs.find(({ node, name }) => node === "kitchen" && name === "power");
        assert.ok(power.time >= cursor - 5, "the newest row is there");
      },
      "#/report",
    ));

  it("shows the server's own words when it refuses, and what to do", () =>
    looking(
      "report-refused",
      REFUSING,
      async (page) => {
        if (isMock) await ask("mock?uplink=stopped");
        else await server.fault("wrong-key");
        await page.locator('.uplink-state[data-mood="danger"]').first().waitFor({ timeout: 30_000 });
        await fact(page, "Last refusal").locator("q").filter({ hasText: "Invalid API key" }).waitFor();
        if (!isMock) {
          await test(page);
          await page.locator('[role="status"] .uplink-state[data-mood="danger"]').waitFor();
          assert.match(await raw(page, "What came back").textContent(), /401[^]*Invalid API key/);
        }
        await picture(page, "report-stopped-light");
        if (isMock) await ask("mock?uplink=");
        else await server.fault(null);
      },
      "#/report",
    ));

  it("shows how far it has caught up, a conflict, and what was set aside", () => {
    let queued = 20_000;
    const prepare = (page) =>
      page.route("**/api/v1/uplink", async (route) => {
        const now = Date.now() / 1000;
        queued -= 5000;
        const more = {
          ...{ state: "catching_up", queued, oldest_queued: now - 10 * queued, newest_queued: now, dropped: 7 },
          ...{ set_aside: 2, rate_rows_per_s: 50, catch_up_s: queued / 50 },
          conflict: { code: "newer", message: "Another plug sends to this node.", server_time: now - 600 },
        };
        await route.fulfill({ json: { ...(await uplink()), ...more } });
      });
    const steps = async (page) => {
      await page.getByText("Catching up: the server gets").waitFor();
      await fact(page, "Waiting")
        .filter({ hasText: /rows, the oldest of/ })
        .waitFor();
      await fact(page, "Catching up").filter({ hasText: "50 rows a second" }).waitFor();
      await fact(page, "Set aside").filter({ hasText: "2 rows" }).waitFor();
      await fact(page, "Lost").filter({ hasText: "7 rows" }).waitFor();
      await page.getByRole("alert").filter({ hasText: "Another plug sends" }).waitFor();
      await page.waitForSelector('[role="progressbar"]:not([aria-valuenow="0"])');
      await picture(page, "report-catching-up-light");
    };
    return looking("report-catching-up", REFUSING, steps, "#/report", prepare);
  });

  it("stands in the ledger: where to, why, how often, and without the key", () =>
    looking(
      "leaves",
      { ...REFUSING, colorScheme: "dark" },
      async (page) => {
        const first = page.locator(".leaves li").first();
        await first.filter({ hasText: server.host }).filter({ hasText: "Emoncms" }).waitFor();
        assert.ok((await page.locator(".hours rect").count()) > 0, "bars");
        await page.locator(".log tbody tr").first().waitFor();
        for (const summary of await page.locator(".settings summary").all()) await summary.click();
        const bodies = await page.locator("pre.raw").allTextContents();
        assert.ok(bodies.length > 0 && bodies.every((body) => !body.includes(server.writeKey)));
        assert.ok(bodies.some((body) => body.includes("data=[[")));
        await accessible(page, "what leaves", [".leaves .hint", ".tag", "pre.raw", ".log td"]);
        await picture(page, "leaves-dark");
        await page.setViewportSize(small.viewport);
        await noSidewaysScroll(page, "what leaves on a phone");
        await picture(page, "leaves-dark-phone");
        await first.getByRole("link").first().click();
        await page.getByRole("heading", { name: "Report to Emoncms" }).waitFor();
      },
      "#/leaves",
    ));
});

describe("the time", { skip: SKIP }, () => {
  const folder = mkdtempSync(join(tmpdir(), "ossp-clock-"));
  after(() => rmSync(folder, { recursive: true }));

  it("stands in the settings, with who told it, how good it is, and what goes out for it", () =>
    looking(
      "time",
      {},
      async (page) => {
        await page
          .locator(".clock-line")
          .filter({ hasText: /The plug's clock says .* It has that from/ })
          .waitFor();
        await field(page, "time.source").selectOption("ntp");
        await row(page, "time.source").getByText("those who run them see your address").waitFor();
        await field(page, "time.ntp_servers").fill("192.0.2.1");
        await field(page, "time.source").selectOption("dhcp");
        await row(page, "time.source").getByText("often that is the router").waitFor();
        assert.equal(await page.getByText("from a later version on").count(), 0);
        await picture(page, "time-light");
        await button(page, "Discard").click();
      },
      "#/settings/time",
    ));

  it("is told by this page to a plug that does not know it, where the owner wants that", async () => {
    await close();
    const scenario = join(folder, "clockless.toml");
    writeFileSync(scenario, "[clock]\nknown = false\n[[load.heater]]\npower_w = 1000\n");
    await open(isMock ? {} : { more: ["--scenario", scenario] });
    if (isMock) await ask("mock?clock=0");
    const reading = () => ask("api/v1/reading").then(({ status, text }) => status === 200 && JSON.parse(text));
    await until("a reading without a time", reading, (one) => one && one.time === null);
    await patch({ history: { interval_s: 1 } });
    await looking(
      "time-unknown",
      {},
      async (page) => {
        await page.locator(".history .tools").getByText("after start").waitFor();
        await page.getByRole("heading", { name: "Rows without a time" }).waitFor();
        await drawn(page);
        await picture(page, "history-clockless-light");
        await page.getByRole("link", { name: "Who tells the plug the time?" }).click();
        await page.locator(".clock-line").filter({ hasText: "does not know the time, and nobody" }).waitFor();
        await field(page, "time.source").selectOption("browser");
        await save(page);
        await saved(page);
        await page.locator(".clock-line").filter({ hasText: "from a browser" }).waitFor();
      },
      "#/history",
    );
    const { time } = await until("a reading with a time", reading, ({ time }) => time);
    assert.ok(Math.abs(time - Date.now() / 1000) < 5, `the plug believes ${time}`);
    if (isMock) return;
    // After a restart it is told again by whoever comes, without a word.
    await plug.kill();
    await plug.restart();
    await looking("time-again", REFUSING, async (page) => {
      await live(page);
      await until("told again", reading, ({ time }) => time);
    });
  });
});
