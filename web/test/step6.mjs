// A real browser joins networks and installs updates: `node --test test/step6.mjs`. For the variables see harness.mjs; a plug
// at OSSP_URL is of no use here.
//
//   SCREENSHOTS=1       also keep pictures in test/screenshots/
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ask, askJson, close, contrast, DESKTOP, live, looking, noSidewaysScroll, open, own } from "./harness.mjs";
import { password as PASSWORD, PHONE, PICTURES } from "./harness.mjs";
import { firmware, isMock, keyPair } from "./images.mjs";

const SKIP = Boolean(process.env.OSSP_URL) && "OSSP_URL is given";
const phone = { viewport: PHONE, isMobile: true, hasTouch: true };
/** As the browser that a phone opens by itself on an access point. */
const captive = { ...phone, cookieless: true, stranger: true, allowConsole: true };
const TRIAL_MS = 60_000;
const UPDATE_MS = 90_000;

async function picture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const field = (page, path) => page.locator(`[data-field="${path}"]`);
const network = (page, name) => page.getByRole("radio", { name: new RegExp(`^${name}`) });
const says = (page, text, timeout = TRIAL_MS) =>
  page.locator(".uplink-state").filter({ hasText: text }).waitFor({ timeout });
const failedAt = (page, step) =>
  page
    .locator(".tried [data-how=failed]")
    .filter({ hasText: `✗ ${step}` })
    .waitFor();
const settings = () => askJson("api/v1/settings");

/** Inputs and buttons that assistive technology could not name, and how many there are in all. */
async function everythingIsNamed(page) {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("main button, main a, main input, main select, main summary")]
      .filter((element) => !element.labels?.length && !element.ariaLabel && !element.textContent.trim())
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(nameless, []);
}

/** The same in both themes, on a phone and on a desk. */
async function looksGood(page, name) {
  await noSidewaysScroll(page, name);
  await everythingIsNamed(page);
  const size = page.viewportSize();
  for (const [where, viewport] of [
    ["phone", PHONE],
    ["desk", DESKTOP],
  ])
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await noSidewaysScroll(page, `${name}, ${where}`);
      for (const at of [".hint", ".uplink-state", ".networks label:has(:disabled) .hint"]) {
        if ((await page.locator(at).count()) === 0 || !(await page.locator(at).first().isVisible())) continue;
        const ratio = await contrast(page, at);
        assert.ok(ratio >= 4.5, `${name}, ${colorScheme}: ${at} has a contrast of ${ratio.toFixed(2)}`);
      }
      await picture(page, `${name}-${where}-${colorScheme}`);
    }
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: "light" });
}

/** Chooses a network of the list, or with `hidden` types its name and says whether it hides it, and tries it. */
async function tryNetwork(page, name, words, { hidden } = {}) {
  if (hidden !== undefined) {
    await network(page, "Another one").check();
    await field(page, "ssid").fill(name);
    await field(page, "hidden").setChecked(hidden);
  } else await network(page, name).check();
  if (words !== null) await field(page, "password").last().fill(words);
  await button(page, "Try it").click();
}

after(close);

describe("a new plug in a flat", { skip: SKIP }, () => {
  before(() => open({ fresh: true, more: ["--scenario", "first-start"] }));

  it("is claimed and joins a network in the browser of a captive portal, and says why it could not", () =>
    looking("captive", captive, async (page) => {
      const storage = page.evaluate(() => localStorage.length);
      await assert.rejects(storage, /Access is denied|SecurityError/, "there is no storage here");
      await field(page, "password").fill(PASSWORD);
      await field(page, "again").fill(PASSWORD);
      await button(page, "Make this plug mine").click();
      await page.getByRole("heading", { name: "This plug is yours" }).waitFor();
      await page.getByText("no internet here: stay").waitFor();
      await network(page, "home").waitFor({ timeout: TRIAL_MS });
      assert.equal((await page.context().cookies()).length, 0, "no cookie stays");
      assert.equal(await network(page, "home").count(), 1, "two access points are one network");
      await page.getByText("very good signal · WPA2").waitFor();
      assert.equal(await network(page, "Glass Tower").isDisabled(), true);
      await page.getByText("only WPA3, which this plug cannot join").waitFor();
      await page.getByText("1 in range hides its name").waitFor();
      await looksGood(page, "join-list");

      await network(page, "home").check();
      const words = field(page, "password");
      await words.fill("wrong words");
      assert.equal(await words.getAttribute("type"), "password");
      await page.getByRole("button", { name: "Show what was typed" }).first().click();
      assert.equal(await words.getAttribute("type"), "text");
      await page.getByText("your phone may drop").waitFor();
      await looksGood(page, "join-form");
      await button(page, "Try it").click();
      await says(page, "The plug tries “home”");
      await says(page, "does not take this password");
      await failedAt(page, "Joining it");
      await picture(page, "join-wrong-password-phone");

      await button(page, "Try again").click();
      await tryNetwork(page, "Glass Tower", "look-at-the-view", { hidden: true });
      await says(page, "offers only WPA3");
      await button(page, "Try again").click();
      await tryNetwork(page, "Cafe downstairs", null);
      await says(page, "gave no address");
      await failedAt(page, "Getting an address");

      await button(page, "Try again").click();
      await tryNetwork(page, "home", "by-the-window");
      await says(page, "It works: the plug is in “home”");
      await page.getByText(/Keep it within 2 min/).waitFor();
      await page.locator(".curl").filter({ hasText: "192.168.178.50" }).waitFor();
      await page.locator(".curl").filter({ hasText: "192.168.4.1" }).waitFor();
      await looksGood(page, "join-works");
    }));

  it("shows the result to whoever comes back, who keeps it", () =>
    looking("captive-back", captive, async (page) => {
      await page.getByRole("heading", { name: "Sign in to" }).waitFor();
      await page.locator("#password").fill(PASSWORD);
      await button(page, "Sign in").last().click();
      await page.getByText("It works in “home”").waitFor();
      await page.locator(".link-state[data-link=polling]").waitFor();
      assert.equal(await page.getByText("live streams are in use").count(), 0);
      await button(page, "Keep it…").click();
      await says(page, "It works: the plug is in “home”");
      await page.locator(".curl").filter({ hasText: "192.168.178.50" }).waitFor();
      await button(page, "Keep it").click();
      await says(page, "Kept: the plug stays in “home”");
      await looksGood(page, "join-kept");
      await page.locator("#known strong").filter({ hasText: "home" }).waitFor();
      await own();
      const { ssid, password } = (await settings()).wifi;
      assert.deepEqual([ssid, password], ["home", "set"]);
    }));
});

describe("the network page", { skip: SKIP }, () => {
  it("knows several networks in an order that can be changed", () =>
    looking(
      "networks",
      { allowConsole: true },
      async (page) => {
        await says(page, "Joined “home”");
        await button(page, "Try another network").click();
        await network(page, "home").waitFor({ timeout: TRIAL_MS });
        await network(page, "Another one").check();
        await page.getByText("While it tries").waitFor();
        await field(page, "ssid").fill("attic");
        await field(page, "password").fill("up-the-ladder");
        await page.locator(".join summary").click();
        await field(page, "ip").fill("10.0.3");
        await button(page, "Try it").click();
        await page.locator(".join .problem:not(:empty), .join .field-error:not(:empty)").first().waitFor();
        await field(page, "ip").fill("10.0.3.99");
        await field(page, "gateway").fill("10.0.3.1");
        await button(page, "Try it").click();
        await says(page, "It works: the plug is in “attic”");
        await page.locator(".curl").filter({ hasText: "10.0.3.99" }).waitFor();
        await button(page, "Keep it").click();
        await says(page, "Kept: the plug stays in “attic”");
        const names = page.locator("#known strong");
        await names.nth(1).waitFor();
        assert.deepEqual(await names.allInnerTexts(), ["attic", "home"]);
        await page.getByText("hidden, 10.0.3.99").waitFor();
        await looksGood(page, "networks");

        await button(page, "Move up: home").focus();
        await page.keyboard.press("Enter");
        await page.locator("#known li").first().filter({ hasText: "home" }).waitFor();
        const { wifi } = await settings();
        assert.deepEqual(
          [wifi.ssid, wifi.more.map(({ ssid, address }) => [ssid, address.ip])],
          ["home", [["attic", "10.0.3.99"]]],
        );
        assert.deepEqual([wifi.password, wifi.more[0].password], ["set", "set"], "each keeps its password");

        await button(page, "Remove: attic").click();
        await page.getByRole("dialog").waitFor();
        await button(page, "Cancel").click();
        assert.equal(await names.count(), 2);
        await button(page, "Remove: attic").click();
        await button(page, "Remove it").click();
        await names.nth(1).waitFor({ state: "detached" });
        assert.deepEqual((await settings()).wifi.more, []);
      },
      "#/network",
    ));

  it("goes back where nobody keeps what was tried", () =>
    looking(
      "goes-back",
      phone,
      async (page) => {
        await button(page, "Try another network").click();
        await network(page, "Another one").waitFor({ timeout: TRIAL_MS });
        assert.equal(await field(page, "hidden").isVisible(), false, "only of a name that is typed");
        await network(page, "Another one").check();
        assert.equal(await field(page, "hidden").isChecked(), true, "what the list does not have hides its name");
        // It is not called by its name, and hides it.
        await tryNetwork(page, "attic", "up-the-ladder", { hidden: false });
        await says(page, `No network "attic" is in range`);
        await button(page, "Try again").click();
        await tryNetwork(page, "attic", "up-the-ladder", { hidden: true });
        await says(page, "It works: the plug is in “attic”");
        await button(page, "Go back").click();
        await says(page, "Nobody kept “attic”");
        await says(page, "Joined “home”");
        assert.equal((await settings()).wifi.ssid, "home");
      },
      "#/network",
    ));

  it("sets the access point, the host name and whether it is found by name", () =>
    looking(
      "access-point",
      { allowConsole: true },
      async (page) => {
        await field(page, "wifi.access_point").selectOption("button");
        await field(page, "wifi.access_point_after_loss_s").fill("-1");
        await button(page, "Save").click();
        await page.locator(".field-error:not(:empty)").first().waitFor();
        await field(page, "wifi.access_point_after_loss_s").fill("120");
        await field(page, "device.host").fill("kettle-plug");
        await button(page, "Save").click();
        await page.locator(".save-state").filter({ hasText: "Saved." }).waitFor();
        await page.locator(".facts dd").filter({ hasText: "kettle-plug" }).waitFor();
        await field(page, "device.mdns").uncheck();
        await button(page, "Save").click();
        await page.locator(".save-state").filter({ hasText: "Saved." }).waitFor();
        const { wifi, device } = await settings();
        assert.deepEqual([wifi.access_point, wifi.access_point_after_loss_s], ["button", 120]);
        assert.deepEqual([device.host, device.mdns], ["kettle-plug", false]);
      },
      "#/network",
    ));
});

describe("the update page", { skip: SKIP }, () => {
  const folder = mkdtempSync(join(tmpdir(), "ossp-update-"));
  const path = (name) => join(folder, name);
  let key;
  before(async () => {
    await close();
    key = keyPair(path("key"));
    await open();
  });
  after(() => rmSync(folder, { recursive: true }));

  const choose = (page, file) => page.locator("#update-file").setInputFiles(file);
  const install = async (page, file, answers = []) => {
    await choose(page, file);
    await button(page, "Install it").click();
    for (const answer of answers) await button(page, answer).click();
  };
  const installed = async () => (await askJson("api/v1/update")).running.version;
  /** The stream of events ends with the restart, and Chromium notes that. */
  const restarts = { allowConsole: true };

  it("lies at /update, tells what runs, and what a file is before anything is sent", () =>
    looking(
      "update",
      { ...phone },
      async (page) => {
        const before = await installed();
        await says(page, `Version ${before} runs.`);
        await page.getByText("This build came without a key").waitFor();
        writeFileSync(path("letter.txt"), "Dear plug,");
        await choose(page, path("letter.txt"));
        await page.getByText("neither an OSSP package nor an image").waitFor();
        assert.equal(await button(page, "Install it").isVisible(), false);
        await choose(page, firmware(path("9.0.0.ossp"), "9.0.0", { key }));
        await page.getByText(`newer: 9.0.0 (${before} now)`).waitFor();
        await page.getByText("a key that this plug does not know").waitFor();
        await page.getByText("protection is interrupted").waitFor();
        await looksGood(page, "update");
        await button(page, "Install it").click();
        await page.getByRole("dialog").filter({ hasText: "flow through the socket" }).waitFor();
        await picture(page, "update-load-phone");
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
        assert.equal(await installed(), before, "nothing was sent");
        assert.equal((await askJson("api/v1/update")).last, null);
        // From here on with any load.
        await ask("api/v1/settings", "PATCH", { update: { warn_above_a: 15 } });
      },
      "update",
    ));

  it("takes signed packages only, once the owner says so, by the owner's key", () =>
    looking(
      "update-signed",
      restarts,
      async (page) => {
        await page.getByLabel("Public key").fill("too short");
        await button(page, "Add the key").click();
        await page.getByText("A key has 64 digits").waitFor();
        await page.getByLabel("Public key").fill(key.public.toUpperCase());
        await button(page, "Add the key").click();
        await button(page, `Remove ${key.public}`).waitFor();
        await field(page, "update.accept").selectOption("signed");
        await button(page, "Save").click();
        await page.getByText("It takes signed packages only.").waitFor();
        assert.deepEqual((await settings()).update.keys, [key.public]);

        const before = await installed();
        await install(page, firmware(path("9.1.0.bin"), "9.1.0", { bare: true }));
        await page.locator("#install .problem").filter({ hasText: /signe/ }).waitFor();
        assert.equal(await installed(), before);
        await page.getByText("Last update:").filter({ hasText: "was refused" }).waitFor();

        await choose(page, firmware(path("9.2.0.ossp"), "9.2.0", { key }));
        await page.getByText("a key of yours").waitFor();
        await button(page, "Install it").click();
        await says(page, "Version 9.2.0 runs, on probation.", UPDATE_MS);
        await page.locator("dt").filter({ hasText: "Windows measured" }).waitFor();
        await button(page, "Go back now").waitFor();
        await looksGood(page, "update-probation");
        await says(page, "Done: version 9.2.0 runs and is kept", UPDATE_MS);
        await picture(page, "update-done-desk");
        const { running, last } = await askJson("api/v1/update");
        assert.deepEqual([running.version, running.state, last.result], ["9.2.0", "confirmed", "confirmed"]);
        assert.equal((await askJson("api/v1/info")).version, "9.2.0");
      },
      "#/update",
    ));

  it("goes back from a version that crashes, and says so", () =>
    looking(
      "update-crash",
      restarts,
      async (page) => {
        await install(page, firmware(path("9.3.0.ossp"), "9.3.0", { key, crashes: 2 }));
        await says(page, /^Version 9\.3\.0\S* did not prove itself/, UPDATE_MS);
        await looksGood(page, "update-went-back");
        const { running, last } = await askJson("api/v1/update");
        assert.deepEqual([running.version, last.result], ["9.2.0", "went_back"]);
      },
      "#/update",
    ));

  it("asks before it goes to an older version", () =>
    looking(
      "update-older",
      { ...restarts, ...phone },
      async (page) => {
        const older = firmware(path("9.0.1.ossp"), "9.0.1", { key });
        await install(page, older);
        await page.getByRole("dialog").filter({ hasText: "Go to an older version?" }).waitFor();
        await picture(page, "update-older-phone");
        await button(page, "Cancel").click();
        assert.equal(await installed(), "9.2.0");
        await install(page, older, ["Install the older one"]);
        await says(page, "Done: version 9.0.1 runs and is kept", UPDATE_MS);
        await live(page);
        // By the page, with the password: no token may do this.
        await field(page, "update.accept").selectOption("any");
        await button(page, "Save").click();
        await page.getByText("It takes signed packages only.").waitFor({ state: "detached" });
      },
      "#/update",
    ));

  it("starts the version before again, for whoever asks", () =>
    looking(
      "update-again",
      { ...restarts, ...phone },
      async (page) => {
        await button(page, "Start version 9.2.0 again").click();
        const dialog = page.getByRole("dialog").filter({ hasText: "Start version 9.2.0?" });
        await dialog.waitFor();
        await picture(page, "update-again-phone");
        await button(page, "Cancel").click();
        await dialog.waitFor({ state: "detached" });
        assert.equal(await installed(), "9.0.1");
        await button(page, "Start version 9.2.0 again").click();
        await button(page, "Start 9.2.0").click();
        await says(page, "Version 9.2.0 runs.", UPDATE_MS);
        await button(page, "Start version 9.0.1 again").waitFor();
        const { running, last } = await askJson("api/v1/update");
        assert.deepEqual([running.version, last.result, last.code], ["9.2.0", "went_back", "asked"]);
      },
      "#/update",
    ));

  it("says on every page that it is in safe mode, once a version has crashed again and again, and is mended there", () =>
    looking("safe-mode", restarts, async (page) => {
      if (isMock) {
        await ask("mock?safe=1");
        await page.reload();
      } else {
        // It proves itself before, each time.
        const bad = firmware(path("9.4.0.bin"), "9.4.0", { bare: true, crashes: 8 });
        await page.getByRole("link", { name: "Update", exact: true }).click();
        await install(page, bad);
        await says(page, "Done: version 9.4.0", UPDATE_MS);
        await page.getByRole("link", { name: "Now", exact: true }).click();
      }
      const alert = page.getByRole("alert").filter({ hasText: "Safe mode." });
      await alert.waitFor({ timeout: UPDATE_MS });
      await button(page, "Update…").click();
      await page.locator("main .alert").filter({ hasText: "Safe mode." }).waitFor();
      await says(page, "runs, in safe mode");
      await page.locator("main .alert").filter({ hasText: "ended with: panic, “" }).waitFor();
      await looksGood(page, "safe-mode");
      if (isMock) await ask("mock?safe=0");
      await install(page, firmware(path("9.5.0.bin"), "9.5.0", { bare: true }));
      await says(page, "Done: version 9.5.0 runs and is kept", UPDATE_MS);
      await page.reload();
      await live(page);
      assert.equal(await alert.count(), 0);
    }));
});
