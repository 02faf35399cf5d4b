// A real browser takes a plug from the factory to its first schedule, and tries what must not work: `node --test
// test/step4.mjs`. For the variables see harness.mjs; a plug at OSSP_URL is of no use here, because it has an owner already.
//
//   SCREENSHOTS=1       also keep pictures in test/screenshots/
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  ask,
  askBare,
  askJson,
  close,
  DESKTOP,
  live,
  looking,
  noSidewaysScroll,
  open,
  own,
  owner,
} from "./harness.mjs";
import { contrast, password as PASSWORD, PHONE, PICTURES, pageUrl, url } from "./harness.mjs";
import { askSigned } from "./owner.mjs";

const SKIP = Boolean(process.env.OSSP_URL) && "OSSP_URL is given";
const NEW_PASSWORD = "quite another four words";
const phone = { viewport: PHONE, isMobile: true, hasTouch: true };
const small = { ...phone, viewport: { ...PHONE, width: 320 } };
const stranger = { stranger: true, allowConsole: true };

async function picture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** Asks with other credentials than the owner's. */
async function asks(method, path, headers = {}, body = undefined) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(new URL(path, url), {
    method,
    headers: { Connection: "close", ...json, ...headers },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, text: await answer.text() };
}

const label = (page, text) => page.getByLabel(text, { exact: true });
const button = (page, name) => page.getByRole("button", { name, exact: true });
const alerts = (page, text) => page.getByRole("alert").filter({ hasText: text });
const field = (page, path) => page.locator(`[data-field="${path}"]`);
const signedIn = (page) => button(page, "Sign out").waitFor();

async function signIn(page, password = PASSWORD) {
  await label(page, "Password").fill(password);
  await button(page, "Sign in").last().click();
}

const nameless = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("button, a, input, select, summary")]
      .filter((element) => !element.labels?.length && !element.ariaLabel && !element.textContent.trim())
      .map((element) => element.outerHTML),
  );

after(close);

/** As another browser would: with the password, since no token may. */
async function changePassword(from, to) {
  const body = { password: to };
  const answer = await askSigned(askBare, "/api/v1/password", { method: "POST", body, password: from });
  assert.equal(answer.status, 200, answer.body);
}

describe("a plug without an owner", { skip: SKIP }, () => {
  before(() => open({ fresh: true }));

  it("shows its form at every address, and its readings; nobody can switch", () =>
    looking("setup-fresh", { ...stranger, ...phone }, async (page) => {
      assert.equal(
        await page.evaluate(() => isSecureContext || Boolean(crypto.subtle)),
        false,
        "a page as in real life",
      );
      await page.getByRole("heading", { name: "Make this plug yours" }).waitFor();
      await page.locator(".setup-live").filter({ hasText: /\d\sV/ }).waitFor();
      await page.getByText("everybody can look up").waitFor();
      assert.equal(await page.locator("nav").isVisible(), false);
      await noSidewaysScroll(page, "the form");
      assert.deepEqual(await nameless(page), []);
      await picture(page, "setup-phone");
      await page.evaluate(() => {
        location.hash = "#/settings";
      });
      await page.getByRole("heading", { name: "Make this plug yours" }).waitFor();
      await page.getByRole("link", { name: "Look at the readings" }).click();
      await live(page);
      await page.getByRole("status").filter({ hasText: "has no owner" }).waitFor();
      await page.getByRole("switch", { name: "Socket" }).click();
      await page.locator(".problem:not(:empty)").waitFor();
      await button(page, "Set it up").click();
      await page.getByRole("heading", { name: "Make this plug yours" }).waitFor();
    }));

  it("says beside the inputs what is wrong, shows what is typed, and judges its length", () =>
    looking("setup-wrong", stranger, async (page) => {
      const submit = button(page, "Make this plug mine");
      const password = field(page, "password");
      await password.fill("short");
      await page.getByText("5 more characters needed").first().waitFor();
      await submit.click();
      await alerts(page, "5 more characters needed").waitFor();
      assert.ok(await password.evaluate((input) => input === document.activeElement && input.ariaInvalid === "true"));
      await password.fill(PASSWORD);
      await field(page, "again").fill("something else");
      await submit.click();
      await alerts(page, "not the same").waitFor();
      assert.equal(await password.getAttribute("type"), "password");
      await page.locator(".field").filter({ has: password }).getByRole("button", { name: "Show" }).click();
      assert.equal(await password.getAttribute("type"), "text");
      await field(page, "again").fill(PASSWORD);
      await field(page, "access_point_password").fill("short");
      await submit.click();
      const row = page.locator(".field").filter({ has: field(page, "access_point_password") });
      await row.locator(".field-error:not(:empty)").waitFor();
      assert.equal((await askJson("api/v1/info")).setup_complete, false);
    }));

  it("belongs to whoever fills it in; the page goes on signed in, to the first schedule", () =>
    looking(
      "setup",
      { ...stranger, timezoneId: "Europe/Berlin" },
      async (page) => {
        await field(page, "name").fill("Kettle");
        await field(page, "password").fill(PASSWORD);
        await field(page, "again").fill(PASSWORD);
        assert.equal(await field(page, "time.zone").inputValue(), "Europe/Berlin");
        await field(page, "time.source").selectOption("ntp");
        await page.getByRole("status").filter({ hasText: "pool.ntp.org" }).waitFor();
        await field(page, "time.source").selectOption("none");
        await button(page, "Make this plug mine").click();
        await signedIn(page);
        await live(page);
        await page.locator(".plug-name").filter({ hasText: "Kettle" }).waitFor();

        await page.getByRole("link", { name: "Schedule", exact: true }).click();
        await button(page, "Add an entry").click();
        await page.getByLabel("The schedule is on").check();
        await button(page, "Save").click();
        await page.locator(".save-state").filter({ hasText: "Saved." }).waitFor();

        const kept = await page.evaluate(
          () => JSON.stringify({ ...sessionStorage, ...localStorage }) + document.cookie,
        );
        assert.ok(!kept.includes(PASSWORD), "the password is not kept");
        assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the cookie");
        await own();
        const { schedule, time, device, wifi } = await askJson("api/v1/settings");
        assert.equal(schedule.entries.length, 1);
        assert.equal(schedule.enabled, true);
        assert.equal(time.zone, "Europe/Berlin");
        assert.equal(device.name, "Kettle");
        assert.equal(wifi.access_point_password, "set");
      },
      "#/control",
    ));

  it("can be claimed once only", async () => {
    const again = await asks("POST", "api/v1/setup", {}, { password: "somebody else's" });
    assert.equal(again.status, 401);
  });
});

describe("who is not signed in", { skip: SKIP }, () => {
  it("sees a form to sign in at every address, and nothing else", () =>
    looking(
      "closed",
      { ...stranger, ...small },
      async (page) => {
        await page.getByRole("heading", { name: "Sign in to Kettle" }).waitFor();
        assert.equal(await page.locator(".card.relay, nav:visible, .link-state[data-link=live]").count(), 0);
        assert.equal(await label(page, "Password").getAttribute("autocomplete"), "current-password");
        assert.equal(await page.locator("input[autocomplete=username]").inputValue(), "admin");
        assert.equal(await page.getByRole("alert").filter({ hasText: /./ }).count(), 0, "no false alarm");
        assert.deepEqual(await nameless(page), []);
        await noSidewaysScroll(page, "the form");
        await picture(page, "sign-in-phone");
        await signIn(page, "not the password");
        await alerts(page, "not the password of this plug").waitFor();
        await signIn(page);
        await page.getByRole("heading", { name: "Energy", exact: true }).waitFor();
        await live(page);
        await noSidewaysScroll(page, "the page");
        await button(page, "Sign out").click();
        await page.getByRole("heading", { name: "Sign in to Kettle" }).waitFor();
        assert.equal(await page.evaluate(() => sessionStorage.getItem("ossp-ha1")), null);
        assert.equal((await page.context().cookies()).length, 0, "the cookie is gone");
      },
      "#/energy",
    ));

  it("sees the readings if they are open, and is asked for the password by what needs it", async () => {
    await ask("api/v1/settings", "PATCH", { access: { reading: "open" } });
    await looking("open", { ...stranger, ...small }, async (page) => {
      await live(page);
      await button(page, "Sign in").waitFor();
      await noSidewaysScroll(page, "the page with a button to sign in");
      const on = (await askJson("api/v1/relay")).on;
      await page.getByRole("switch", { name: "Socket" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      await picture(page, "sign-in-dialog");
      await button(page, "Cancel").click();
      await page.locator(".problem:not(:empty)").waitFor();
      assert.equal((await askJson("api/v1/relay")).on, on, "nothing was switched");

      await page.getByRole("switch", { name: "Socket" }).click();
      await dialog.waitFor();
      assert.ok(await label(page, "Password").evaluate((input) => input === document.activeElement));
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press("Enter");
      await page.waitForSelector(`#relay-switch[aria-checked="${!on}"]`);
      await signedIn(page);
      await page.getByRole("switch", { name: "Socket" }).click();
      await page.waitForSelector(`#relay-switch[aria-checked="${on}"]`);
      await button(page, "Sign out").click();
      await button(page, "Sign in").click();
      await page.getByRole("heading", { name: "Sign in to" }).waitFor();
      await signIn(page);
      await live(page);
      await signedIn(page);
    });
    await ask("api/v1/settings", "PATCH", { access: { reading: "closed" } });
  });

  it("is let in by the cookie in another tab, where changes ask for the password once", () =>
    looking("second-tab", { allowConsole: true }, async (page) => {
      await live(page);
      await page.evaluate(() => sessionStorage.clear());
      const tab = await page.context().newPage();
      await tab.goto(`${pageUrl}#/control`);
      await live(tab);
      const { on } = await askJson("api/v1/relay");
      await tab.waitForSelector(`#relay-switch[aria-checked="${on}"]`);
      await tab.getByRole("switch", { name: "Socket" }).click();
      await tab.getByRole("dialog").waitFor();
      await signIn(tab);
      await tab.waitForSelector(`#relay-switch[aria-checked="${!on}"]`);
      await tab.getByRole("switch", { name: "Socket" }).click();
      await tab.waitForSelector(`#relay-switch[aria-checked="${on}"]`);
      await tab.goto(`${pageUrl}#/access`);
      await tab.reload();
      await tab.locator(".tokens li").first().waitFor();
      await tab.close();
    }));
});

describe("the owner", { skip: SKIP }, () => {
  it("makes a token, which is shown once, works as far as its scope goes, and can be revoked", () =>
    looking(
      "tokens",
      {},
      async (page) => {
        const tokens = page.locator("#tokens");
        await button(page, "Make a token").click();
        await alerts(page, "Give it a name").waitFor();
        await label(page, "For which program").fill("Home Assistant");
        await label(page, "It may").selectOption("read");
        await button(page, "Make a token").click();
        const shown = label(page, "The token");
        const token = await shown.inputValue();
        assert.match(token, /^ossp_[0-9a-f]{32}$/);
        await tokens.getByText(`curl -H "Authorization: Bearer ${token}"`).waitFor();
        await button(page, "Copy").click();
        await tokens.getByRole("status").filter({ hasText: "Copied." }).waitFor();
        const bearer = { Authorization: `Bearer ${token}` };
        assert.equal((await asks("GET", "api/v1/reading", bearer)).status, 200);
        assert.equal((await asks("PUT", "api/v1/relay", bearer, { on: true })).status, 403);
        await picture(page, "access-light");
        await page.reload();
        const row = tokens.locator("li").filter({ hasText: "Home Assistant" });
        await row.waitFor();
        assert.equal(await page.getByText(token).count(), 0, "shown once");
        await button(page, "Revoke Home Assistant").click();
        await page.getByRole("dialog").getByRole("button", { name: "Revoke", exact: true }).click();
        await row.waitFor({ state: "detached" });
        assert.equal((await asks("GET", "api/v1/reading", bearer)).status, 401);
      },
      "#/access",
    ));

  it("opens reading to everybody, names hosts, in both themes and on a phone", () =>
    looking(
      "access",
      { ...small, colorScheme: "dark" },
      async (page) => {
        await field(page, "access.reading").selectOption("open");
        await field(page, "access.hosts").fill("plug.example, other.example");
        await noSidewaysScroll(page, "the page");
        assert.deepEqual(await nameless(page), []);
        for (const at of [".hint", ".tokens .tag", ".secret-input .small"]) {
          const ratio = await contrast(page, at);
          assert.ok(ratio >= 4.5, `${at} has a contrast of ${ratio.toFixed(2)}`);
        }
        await button(page, "Save").click();
        await page.locator(".save-state").filter({ hasText: "Saved." }).waitFor();
        assert.equal((await asks("GET", "api/v1/reading")).status, 200);
        const { access } = await askJson("api/v1/settings");
        assert.deepEqual(access, { reading: "open", hosts: ["plug.example", "other.example"] });
        await picture(page, "access-dark-phone");
        await page.setViewportSize(DESKTOP);
        await picture(page, "access-dark");
        await ask("api/v1/settings", "PATCH", { access: { reading: "closed", hosts: [] } });
      },
      "#/access",
    ));

  it("changes the password, which does not travel; everybody else is out, and the page goes on", () => {
    const sent = [];
    const prepare = async (page) => {
      page.on("request", (request) =>
        sent.push(`${request.url()} ${JSON.stringify(request.headers())} ${request.postData()}`),
      );
    };
    const steps = async (page) => {
      await label(page, "Present password").fill("not the password");
      await label(page, "New password").fill("short");
      await label(page, "The same again").fill("short");
      await button(page, "Change the password").click();
      await alerts(page, "5 more characters needed").waitFor();
      await label(page, "New password").fill(NEW_PASSWORD);
      await label(page, "The same again").fill(NEW_PASSWORD);
      await button(page, "Change the password").click();
      await alerts(page, "not the password of this plug").waitFor();
      await label(page, "Present password").fill(PASSWORD);
      await button(page, "Change the password").click();
      await page.getByRole("status").filter({ hasText: "The password is changed" }).waitFor();
      assert.ok(sent.some((text) => text.includes("masked_ha1")));
      assert.ok(!sent.some((text) => text.includes(PASSWORD) || text.includes(NEW_PASSWORD)));

      await page.getByRole("link", { name: "Now", exact: true }).click();
      await live(page);
      const on = await page.getAttribute("#relay-switch", "aria-checked");
      await page.getByRole("switch", { name: "Socket" }).click();
      await page.waitForSelector(`#relay-switch[aria-checked="${on !== "true"}"]`);
      assert.equal((await asks("GET", "api/v1/settings", { Cookie: owner.cookie })).status, 401, "an old session");
      await own(NEW_PASSWORD);
    };
    return looking("password", { allowConsole: true }, steps, "#/access", prepare);
  });

  it("is asked again where the password was changed meanwhile", () =>
    looking("changed-meanwhile", { allowConsole: true }, async (page) => {
      await ask("api/v1/settings", "PATCH", { access: { reading: "open" } });
      await live(page);
      const { on } = await askJson("api/v1/relay");
      await page.waitForSelector(`#relay-switch[aria-checked="${on}"]`);
      await changePassword(NEW_PASSWORD, PASSWORD);
      await page.getByRole("switch", { name: "Socket" }).click();
      await page.getByRole("dialog").waitFor();
      await signIn(page);
      await page.waitForSelector(`#relay-switch[aria-checked="${!on}"]`);
      await ask("api/v1/settings", "PATCH", { access: { reading: "closed" } });
      await own();
    }));

  it("who is out because of that is asked at every address, and then sees what is live again", () =>
    looking("ended", { allowConsole: true }, async (page) => {
      await live(page);
      await changePassword(PASSWORD, NEW_PASSWORD);
      // Its stream may end at once, or go on until it asks for anything else.
      await page.evaluate(() => {
        location.hash = "#/energy";
      });
      await page.getByRole("heading", { name: "Sign in to Kettle" }).waitFor();
      await signIn(page, NEW_PASSWORD);
      await page.getByRole("heading", { name: "Energy", exact: true }).waitFor();
      await live(page);
    }));
});

describe("too many wrong passwords", { skip: SKIP }, () => {
  it("are answered with how long to wait; programs with a token go on", () =>
    looking("too-many", stranger, async (page) => {
      await page.getByRole("heading", { name: "Sign in to Kettle" }).waitFor();
      const submit = button(page, "Sign in");
      for (let n = 0; n < 8 && !(await submit.isDisabled()); n++) {
        await signIn(page, `wrong ${n}`);
        await page.locator(".problem:not(:empty)").waitFor();
      }
      await alerts(page, /Too many wrong passwords.* \d+ s/).waitFor();
      await alerts(page, /\d+ s left/).waitFor();
      assert.equal(await submit.isDisabled(), true);
      await picture(page, "too-many");
      assert.equal((await ask("api/v1/reading")).status, 200);
    }));
});

describe("a plug with a button", { skip: SKIP }, () => {
  const folder = mkdtempSync(join(tmpdir(), "ossp-button-"));
  const isMock = process.env.OSSP_BIN?.endsWith(".mjs");
  before(async () => {
    await close();
    const scenario = join(folder, "button.toml");
    // Somebody presses it now and then.
    writeFileSync(
      scenario,
      "[[load.heater]]\npower_w = 1000\n[[event.button]]\nat_s = 30\nfor_s = 0.5\nevery_s = 15\n",
    );
    await open({ fresh: true, more: isMock ? ["--button"] : ["--scenario", scenario] });
  });
  after(() => rmSync(folder, { recursive: true }));

  it("waits for a press of it, and belongs to whoever is beside it", () =>
    looking("button", { ...stranger, ...phone }, async (page) => {
      await page.getByText("Then press the button").waitFor();
      await field(page, "password").fill(PASSWORD);
      await field(page, "again").fill(PASSWORD);
      await field(page, "access_point_password").fill("short");
      await button(page, "Make this plug mine").click();
      await page
        .locator(".field")
        .filter({ has: field(page, "access_point_password") })
        .locator(".field-error:not(:empty)")
        .waitFor();
      await field(page, "access_point_password").fill("long enough");
      await picture(page, "setup-filled-phone");
      await button(page, "Make this plug mine").click();
      await page.getByRole("heading", { name: "Now press the button of the plug" }).waitFor();
      await page.locator(".countdown").filter({ hasText: "left" }).waitFor();
      await noSidewaysScroll(page, "the page that waits");
      await picture(page, "setup-button-phone");
      if (isMock) await ask("mock?press=1");
      await button(page, "Sign out").waitFor({ timeout: 60_000 });
      await live(page);
      await own();
      assert.equal((await askJson("api/v1/settings")).wifi.access_point_password, "set");
    }));
});
