// Tests of the page's logic without a browser: `node --test test/unit.mjs`.
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { image, packed } from "./images.mjs";

const SOURCES = resolve(dirname(fileURLToPath(import.meta.url)), "../src");

async function load(path) {
  const { outputFiles } = await esbuild.build({
    entryPoints: [resolve(SOURCES, path)],
    bundle: true,
    format: "esm",
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

const { around, parseRecording, risingCrossings, triggered } = await load("api/recording.ts");
const { History } = await load("api/history.ts");
const format = await load("lib/format.ts");
const { QUANTITIES, whyMissing } = await load("texts/quantities.ts");
const { FLAGS, flagText } = await load("texts/flags.ts");
const patches = await load("lib/patch.ts");
const form = await load("lib/form.ts");
const zones = await load("lib/zones.ts");
const week = await load("lib/week.ts");
const hashes = await load("lib/sha256.ts");
const digests = await load("api/digest.ts");
const { strength } = await load("texts/access.ts");
const accessTexts = await load("texts/access.ts");
const settingsTexts = await load("texts/settings.ts");
const reportTexts = await load("texts/report.ts");
const networkTexts = await load("texts/network.ts");
const updateTexts = await load("texts/update.ts");
const packages = await load("lib/package.ts");
const pasts = await load("lib/past.ts");
const hours = await load("lib/hours.ts");
const { Range } = await load("lib/range.ts");
const { wantsTime } = await load("api/clock.ts");
const { clockText } = await load("parts/clock.ts");

const HEADER = [
  "# sample_rate_hz: 4000",
  "# channel_skew_s: 0.00005",
  "# voltage_lsb_v: 0.2",
  "# current_lsb_a: 0.01",
  "# voltage_zero_raw: 2048",
  "# current_zero_raw: 2000.5",
  "voltage_raw,current_raw",
];

/** Whole numbers of a sine of `cycles` at 80 samples a cycle, that starts at `phase` of a cycle. */
function sine(cycles, phase = 0.3) {
  const rows = Array.from({ length: cycles * 80 }, (_, n) => {
    const x = Math.sin(2 * Math.PI * (n / 80 + phase));
    return `${Math.round(2048 + 1600 * x)},${Math.round(2000.5 + 900 * x)}`;
  });
  return [...HEADER, ...rows, ""].join("\n");
}

describe("a recording", () => {
  it("becomes volts and amperes by what its header says", () => {
    const recording = parseRecording([...HEADER, "2048,2000", "3048,2101", ""].join("\n"));
    assert.deepEqual(recording.voltage, [0, 200]);
    assert.deepEqual(
      recording.current.map((amperes) => amperes.toFixed(6)),
      ["-0.005000", "1.005000"],
    );
    assert.equal(recording.skew, 50e-6);
  });

  it("may be in physical units", () => {
    const recording = parseRecording("# sample_rate_hz: 1000\nvoltage_v,current_a\n1.5,-2\n");
    assert.deepEqual([recording.voltage, recording.current], [[1.5], [-2]]);
  });

  it("is refused with a sentence if it cannot be read", () => {
    assert.throws(() => parseRecording("voltage_v,current_a\n1,2\n"), /sample rate/);
    assert.throws(() => parseRecording("# sample_rate_hz: 9\na,b\n1,2\n"), /columns/);
    assert.throws(() => parseRecording(""), /sample rate/);
  });

  it("is shown from a rising crossing on, for whole cycles, with every sample at its own time", () => {
    const trace = triggered(parseRecording(sine(5)), 4);
    assert.ok(Math.abs(trace.length - 80) < 0.05, `${trace.length} ms are four cycles`);
    const [times, volts] = trace.voltage;
    assert.ok(times[0] <= 0 && times[1] > 0 && volts[0] <= 0 && volts[1] > 0);
    assert.ok(Math.abs(trace.current[0][5] - times[5] - 0.05) < 1e-9, "the current is 50 µs later");
    assert.ok(Math.abs(trace.peakVoltage - 320) < 1);
  });

  it("without crossings is shown as it is", () => {
    const flat = parseRecording([...HEADER, ...Array(10).fill("2048,2000")].join("\n"));
    assert.deepEqual(risingCrossings(flat.voltage), []);
    assert.equal(triggered(flat, 4).voltage[0].length, 10);
  });

  it("is shown as a whole around a moment, the current later by the skew", () => {
    const trace = around(parseRecording(sine(5)), 0.02);
    assert.deepEqual([trace.voltage[0].length, trace.voltage[0][0], trace.voltage[0][80]], [400, -20, 0]);
    assert.ok(Math.abs(trace.current[0][80] - 0.05) < 1e-9);
    assert.ok(Math.abs(trace.length - 99.75) < 1e-9);
  });

  it("does not take noise on a crossing for several crossings", () => {
    assert.equal(risingCrossings([-10, -5, -0.1, 0.1, -0.1, 0.2, 10, -10, 10]).length, 2);
  });
});

describe("the last minutes", () => {
  const reading = (time, power = 1) => ({
    time,
    active_power_w: power,
    voltage_v: 1,
    current_a: 1,
    frequency_hz: null,
  });

  it("keep readings in order and show what is missing as a gap", () => {
    const history = new History();
    history.add(reading(100), 100);
    history.add(reading(100.2), 100.2);
    history.add(reading(110), 110);
    assert.deepEqual(history.tracks.power, [1, 1, null, 1]);
    assert.deepEqual(history.tracks.frequency, [null, null, null, null]);
  });

  it("take a fast simulation for what it is, not for gaps", () => {
    const history = new History();
    history.add(reading(100), 1);
    history.add(reading(160), 1.2);
    assert.deepEqual(history.tracks.power, [1, 1]);
  });

  it("use the browser's clock when the plug has none", () => {
    const history = new History();
    history.add(reading(null), 50);
    assert.deepEqual(history.time, [50]);
  });

  it("forget after ten minutes, and start anew when the clock is set back", () => {
    const history = new History();
    for (let n = 0; n < 4000; n++) history.add(reading(n * 0.2), n * 0.2);
    assert.ok(history.time.length < 3100 && history.time[0] >= 4000 * 0.2 - 600 - 11);
    history.add(reading(10), 801);
    assert.deepEqual(history.time, [10]);
  });
});

describe("numbers for people", () => {
  it("are a dash when there is none, never a zero", () => {
    assert.equal(format.quantity(null, "V"), "–");
    assert.equal(format.withUnit(null, "V"), "–");
    assert.equal(format.decimal(Number.NaN, 1), "–");
  });

  it("have a true minus, thousands set apart, and no minus on zero", () => {
    assert.equal(format.decimal(-12345.67, 1), "\u221212\u202f345.7");
    assert.equal(format.decimal(-0.0001, 2), "0.00");
    assert.equal(format.decimal(1234, 0), "1234");
  });

  it("make a sentence of a cause", () => {
    assert.deepEqual(["16.8 A", "switched on", "Over.", ""].map(format.sentence), [
      "16.8 A.",
      "Switched on.",
      "Over.",
      "",
    ]);
  });

  it("round axes up to a number that reads well", () => {
    assert.deepEqual([0, 0.9, 1, 1.1, 2100, 326].map(format.roundUp), [1, 1, 1, 1.5, 2500, 400]);
  });

  it("say durations in two units", () => {
    assert.deepEqual([4, 65, 3700, 90000].map(format.duration), ["4 s", "1 min 05 s", "1 h 01 min", "1 d 1 h"]);
  });
});

describe("explanations", () => {
  it("exist for every flag, as one sentence, and for flags of the future", () => {
    for (const [name, { meaning }] of Object.entries(FLAGS)) assert.match(meaning, /^[A-Z].*\.$/, name);
    assert.equal(flagText("new_thing").label, "new thing");
  });

  it("say by the flags why a value is missing", () => {
    assert.match(whyMissing(QUANTITIES.frequency, { quality: ["no_sync"] }), /zero crossings/);
    assert.match(whyMissing(QUANTITIES.powerFactor, { quality: ["below_noise"] }), /noise/);
    assert.match(whyMissing(QUANTITIES.voltageDc, { quality: [] }), /cannot see/);
  });
});

describe("a patch of the settings", () => {
  const base = {
    relay: { inching_s: null, minimum_off_s: 5 },
    protection: { power_limit_w: 2300 },
    schedule: { entries: [{ at: "06:30", days: ["mon"], on: true }] },
  };

  it("has only what was changed, and null where something was switched off", () => {
    const values = [
      ["relay.inching_s", null],
      ["relay.minimum_off_s", 60],
      ["protection.power_limit_w", null],
    ];
    const patch = patches.patchOf(base, values);
    assert.deepEqual(patch, { relay: { minimum_off_s: 60 }, protection: { power_limit_w: null } });
    assert.deepEqual(patches.patchOf(base, [["relay.minimum_off_s", 5]]), {});
  });

  it("takes a list as a whole, and does not mind the order of names", () => {
    const same = [{ on: true, at: "06:30", days: ["mon"] }];
    assert.deepEqual(patches.patchOf(base, [["schedule.entries", same]]), {});
    const more = [...same, { at: "08:00", days: ["mon"], on: false }];
    assert.deepEqual(patches.patchOf(base, [["schedule.entries", more]]), { schedule: { entries: more } });
  });

  it("of a file lists what it would change, and leaves out what is the same or not in the file", () => {
    const found = patches.differences(base, { relay: { inching_s: 3, minimum_off_s: 5 }, extra: 1 });
    assert.deepEqual(found, [
      { path: "relay.inching_s", from: null, to: 3 },
      { path: "extra", from: undefined, to: 1 },
    ]);
  });

  it("never takes a secret into a file, but an open network stays one", () => {
    const wifi = (password) => patches.withoutSecrets({ wifi: { ssid: "home", password } }).wifi;
    assert.deepEqual([wifi("set"), wifi(null)], [{ ssid: "home" }, { ssid: "home", password: null }]);
    const { emoncms } = patches.withoutSecrets({ emoncms: { url: "http://x", write_key: "set", read_key: null } });
    assert.deepEqual(emoncms, { url: "http://x", read_key: null });
  });

  it("knows both ways to write a place in a list", () => {
    assert.equal(patches.plainPath("schedule.entries[2].at"), "schedule.entries.2.at");
    assert.equal(patches.plainPath("schedule.entries.2.at"), "schedule.entries.2.at");
  });
});

describe("an input", () => {
  const typed = (text, more = {}) => ({ text, checked: false, off: false, ...more });
  const limit = { path: "a.b", kind: "number", label: "Limit", off: "Off" };
  const secret = { path: "wifi.password", kind: "secret", label: "Password", off: "None" };

  it("gives a number, null where it is off, and a sentence where it is neither", () => {
    assert.deepEqual(form.take(limit, typed("2300.5"), 1), { value: 2300.5 });
    assert.deepEqual(form.take(limit, typed("7", { off: true }), 1), { value: null });
    assert.match(form.take(limit, typed(" "), 1).problem, /number.*Off/);
    assert.deepEqual(form.take({ ...limit, kind: "switch" }, typed("", { checked: true }), false), { value: true });
  });

  it("leaves a secret alone unless something is typed, or it is taken away", () => {
    assert.deepEqual(form.take(secret, typed(""), "set"), { value: "set" });
    assert.deepEqual(form.take(secret, typed("12345678"), "set"), { value: "12345678" });
    assert.deepEqual(form.take(secret, typed("", { off: true }), "set"), { value: null });
    assert.match(form.take(secret, typed(""), null).problem, /None/);
    assert.equal(form.show(secret, "set").text, "");
  });

  it("shows what it would give", () => {
    for (const value of [0, 12.5, null]) assert.deepEqual(form.take(limit, form.show(limit, value), value), { value });
  });

  it("stands once for each setting, with words", () => {
    const { DEVICE, RELAY, TIME, LOG, PROTECTIONS, CALIBRATION } = settingsTexts;
    const { ACCESS } = accessTexts;
    const { ACCESS_POINT, NAME } = networkTexts;
    const { ACCEPT } = updateTexts;
    const { EMONCMS, EMONCMS_MORE } = reportTexts;
    const groups = [DEVICE, RELAY, TIME, LOG, ...PROTECTIONS, CALIBRATION, ACCESS, ACCESS_POINT, NAME, ACCEPT];
    const fields = [...groups, EMONCMS, EMONCMS_MORE].flatMap((group) => group.fields);
    const paths = fields.map((field) => field.path);
    assert.equal(new Set(paths).size, paths.length);
    for (const { path, label, help } of fields) {
      assert.match(label, /^[A-Z]/, path);
      if (help) assert.match(help, /[.”]$/, path);
    }
  });
});

describe("a time zone", () => {
  const table = {
    "CET-1CEST,M3.5.0,M10.5.0/3": "Europe/Berlin Europe/Paris",
    "UTC0": "Etc/UTC",
    "IST-5:30": "Asia/Kolkata",
  };
  const known = zones.readZones(table);

  it("is proposed by the browser's, where the plug's rules are others", () => {
    const berlin = { zone: "Europe/Berlin", posix: "CET-1CEST,M3.5.0,M10.5.0/3" };
    assert.deepEqual(zones.proposeZone(known, "Europe/Berlin", "UTC0"), berlin);
    assert.equal(zones.proposeZone(known, "Europe/Berlin", berlin.posix), null);
    assert.equal(zones.proposeZone(known, "Europe/Paris", berlin.posix), null, "clocks there are the same");
    // The rules of a zone change at times: then the same name is proposed again.
    assert.deepEqual(zones.proposeZone(known, "Europe/Berlin", "CET-1"), berlin);
    assert.equal(zones.proposeZone(known, "Moon/Tranquility", "UTC0"), null);
  });

  it("stands in the table that is built in", () => {
    const builtIn = zones.readZones(JSON.parse(readFileSync(resolve(SOURCES, "texts/zones.json"), "utf8")));
    for (const name of ["Europe/Berlin", "America/New_York", "Etc/UTC", "UTC", "Asia/Calcutta"])
      assert.ok(builtIn.get(name), name);
  });
});

describe("the weekly schedule", () => {
  const entry = (at, on, days = week.DAYS, enabled = true) => ({ enabled, days, at, on, random_s: 0 });

  it("reads and writes its times as the plug does", () => {
    for (const at of ["06:30", "23:59:59", "sunrise", "sunset", "sunset-00:30", "sunrise+01:05"])
      assert.equal(week.formatAt(week.parseAt(at)), at);
    assert.deepEqual(week.parseAt("sunset-01:30"), { kind: "sunset", minutes: -90 });
    assert.equal(week.formatAt({ kind: "sunrise", minutes: 0 }), "sunrise");
  });

  it("is drawn as bars that go on over midnight and over the end of the week", () => {
    const bars = week.weekBars([entry("22:00", true, ["sun"]), entry("06:00", false, ["mon"])]);
    assert.deepEqual(bars, [
      { day: 0, from: 0, to: 360 },
      { day: 6, from: 1320, to: 1440 },
    ]);
    const days = week.weekBars([entry("06:00", true, ["tue"]), entry("06:00", false, ["thu"])]);
    assert.deepEqual(days, [
      { day: 1, from: 360, to: 1440 },
      { day: 2, from: 0, to: 1440 },
      { day: 3, from: 0, to: 360 },
    ]);
  });

  it("leaves out entries that are off, days that are none, and is empty without any", () => {
    assert.deepEqual(week.weekBars([]), []);
    assert.deepEqual(week.weekBars([entry("06:00", true, week.DAYS, false)]), []);
    assert.deepEqual(week.weekBars([entry("06:00", true, [])]), []);
    assert.equal(week.weekBars([entry("06:00", true)]).length, 7, "never off: the whole week");
  });
});

describe("a hash", () => {
  const node = (bytes) => createHash("sha256").update(bytes).digest("hex");

  it("is SHA-256, by the standard's examples and at every length around a block", () => {
    const known = {
      "": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq":
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    };
    for (const [text, hash] of Object.entries(known)) {
      assert.equal(hashes.hex(hashes.sha256(hashes.utf8(text))), hash);
    }
    for (let length = 0; length <= 200; length++) {
      const bytes = randomBytes(length);
      assert.equal(hashes.hex(hashes.sha256(bytes)), node(bytes), bytes.toString("hex"));
    }
    const long = randomBytes(100_000);
    assert.equal(hashes.hex(hashes.sha256(long)), node(long));
  });

  it("with a key is HMAC, with keys shorter and longer than a block", () => {
    for (const length of [0, 1, 20, 32, 63, 64, 65, 131, 200]) {
      const [key, message] = [randomBytes(length), randomBytes(length * 2)];
      const expected = createHmac("sha256", key).update(message).digest("hex");
      assert.equal(hashes.hex(hashes.hmac(key, message)), expected, `a key of ${length} bytes`);
    }
    assert.equal(hashes.hex(hashes.fromHex("00ff10")), "00ff10");
  });
});

describe("a signature", () => {
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const header = 'realm="ossp-7f3a", qop="auth", algorithm=SHA-256, nonce="abc123", charset=UTF-8';
  const of = (text, name) => text.match(new RegExp(`\\b${name}="?([^",]*)`))[1];

  it("is what RFC 7616 says, with a number that rises and starts anew with a nonce", () => {
    const signer = new digests.Signer();
    assert.equal(signer.sign("GET", "/"), null, "nothing to sign with");
    signer.challenge(digests.readChallenge(header));
    const ha1 = digests.ha1Of("ossp-7f3a", "pässwörd ten");
    assert.equal(ha1, sha256("admin:ossp-7f3a:pässwörd ten"));
    assert.equal(signer.able, false);
    signer.hold(ha1);
    for (const nc of ["00000001", "00000002"]) {
      const { header: signed } = signer.sign("PUT", "/api/v1/relay?a=b");
      assert.match(signed, /^Digest username="admin", realm="ossp-7f3a", nonce="abc123", uri="\/api\/v1\/relay\?a=b"/);
      assert.equal(of(signed, "nc"), nc);
      const proof = sha256("PUT:/api/v1/relay?a=b");
      const expected = sha256(`${ha1}:abc123:${nc}:${of(signed, "cnonce")}:auth:${proof}`);
      assert.equal(of(signed, "response"), expected);
    }
    signer.challenge(digests.readChallenge(header.replace("abc123", "def456")));
    assert.equal(of(signer.sign("PUT", "/").header, "nc"), "00000001");
    signer.hold(null);
    assert.equal(signer.sign("PUT", "/"), null);
  });

  it("is never made for another plug at the same address", () => {
    const signer = new digests.Signer();
    signer.challenge(digests.readChallenge(header));
    signer.hold(digests.ha1Of("ossp-7f3a", "ten letters"));
    signer.challenge(digests.readChallenge(header.replace("7f3a", "0000")));
    assert.equal(signer.able, false);
    assert.equal(signer.sign("GET", "/"), null);
  });

  it("hides a new password behind the old one", () => {
    const signer = new digests.Signer();
    signer.challenge(digests.readChallenge(header));
    const [old, next] = [randomBytes(32), randomBytes(32)];
    signer.hold(old.toString("hex"));
    const { header: signed, mask } = signer.sign("POST", "/api/v1/password");
    const words = `ossp-password:abc123:${of(signed, "nc")}:${of(signed, "cnonce")}`;
    const pad = createHmac("sha256", old).update(words).digest();
    const masked = Buffer.from(mask(next.toString("hex")), "hex");
    assert.deepEqual(
      masked.map((byte, n) => byte ^ pad[n]),
      next,
    );
  });

  it("wants a challenge that can be read", () => {
    assert.equal(digests.readChallenge(null), null);
    assert.equal(digests.readChallenge("Basic"), null);
    assert.equal(digests.readChallenge(`${header}, stale=true`).stale, true);
    assert.equal(digests.readChallenge(header).stale, false);
  });
});

describe("a new password", () => {
  it("is judged by its length, in characters as people count them", () => {
    assert.match(strength(""), /At least 10/);
    assert.match(strength("123456789"), /^1 more character needed/);
    assert.match(strength("pässwörter"), /Long enough/);
    assert.match(strength("correct horse battery"), /very good/);
    assert.match(strength("123", 12), /^9 more characters/);
  });
});

describe("the history", () => {
  const columns = ["time", "active_power_w", "energy_import_wh", "energy_export_wh", "measured", "relay"];
  const row = (time, power, total, more = [0, 1, true]) => [time, power, total, ...more];
  const gap = (time) => [time, null, null, null, null, null];
  const page = (...rows) => pasts.pastOf({ step_s: 10, columns, rows });

  it("becomes series by the names of its columns, with gaps as null", () => {
    const past = page(row(10, 5, 100), gap(20), row(30, 7, 101, [0, 1, false]));
    assert.deepEqual(past.time, [10, 20, 30]);
    assert.deepEqual(past.of.active_power_w, [5, null, 7]);
    assert.deepEqual(past.of.relay, [1, null, 0]);
    assert.deepEqual(pasts.energySince(past), [0, null, 1]);
    assert.equal(pasts.unmeasured(past, 2), 10);
    assert.equal(pasts.unmeasured(past, 0), 0);
    const boot = pasts.pastOf({ step_s: 10, columns: ["uptime_s"], rows: [[10], [20]] });
    assert.deepEqual(boot.time, [10, 20], "whatever the first column is called");
  });

  it("grows by what is newer, takes the newer word for what it had, and forgets what left the picture", () => {
    const past = page(row(10, 1, 100), row(20, 2, 101), gap(30));
    const more = page(row(20, 2.5, 101.5), row(30, 3, 102), row(40, 4, 103));
    const grown = pasts.extended(past, more, 5);
    assert.deepEqual(grown.time, [10, 20, 30, 40]);
    assert.deepEqual(grown.of.active_power_w, [1, 2.5, 3, 4]);
    assert.deepEqual(pasts.extended(past, more, 15).time, [20, 30, 40]);
    assert.deepEqual(pasts.extended(past, page(), 15).time, [20, 30], "nothing new");
  });

  it("marks points that a line would not show", () => {
    assert.deepEqual(pasts.lonely([1, null, 2, 3, null, undefined, 4, null]), [0, 6]);
    assert.deepEqual(pasts.lonely([5]), [0]);
    assert.deepEqual(pasts.lonely([null, null]), []);
  });

  it("knows least and most of several series, and when there is nothing", () => {
    assert.deepEqual(pasts.extremes([3, null], [1], undefined), [1, 3]);
    assert.equal(pasts.extremes([null], []), null);
  });

  it("tells from which counters a point came, less what was given back", () => {
    const past = page(row(10, 1, 100, [4, 1, true]), row(20, 1, 103, [5, 1, true]), gap(30), row(40, 1, 104));
    assert.deepEqual(pasts.originOf(past, 1), { from: 100, to: 103, energy: 2 });
    assert.deepEqual(pasts.originOf(past, 0), { from: null, to: 100, energy: null });
    assert.equal(pasts.originOf(past, 3).energy, null, "after a gap nobody knows");
  });
});

describe("the part of the history that is looked at", () => {
  it("has a length and ends now, moves by its length, and comes back", () => {
    const range = new Range(3600);
    assert.deepEqual(range.span(10_000.2), { start: 6401, end: 10_001 });
    range.move(-1, 10_000);
    assert.deepEqual([range.end, range.plain], [6400, false]);
    range.move(1, 10_050);
    assert.equal(range.end, 10_000, "not yet now, which went on meanwhile");
    range.move(1, 10_050);
    assert.deepEqual([range.end, range.plain], [null, true]);
    range.zoom(5000, 5100);
    range.choose(86_400);
    assert.deepEqual(range.span(range.end), { start: 0, end: 5100 });
    range.zoom(5000, 5100);
    range.reset();
    assert.deepEqual([range.end, range.plain], [null, true]);
  });

  it("can be of a start without a time, with its first minute whole", () => {
    const range = new Range(3600);
    range.look(3, true);
    assert.deepEqual([range.span(2.5), range.plain], [{ start: 0, end: 60, boot: 3 }, true]);
    range.look(3);
    assert.equal(range.plain, false, "somebody chose it");
  });
});

describe("what leaves", () => {
  it("is told in words and times that people read", () => {
    assert.deepEqual([0.0842, 1.25, 90].map(format.moments), ["84\u00a0ms", "1.3\u00a0s", "1 min 30 s"]);
    assert.equal(format.decoded("data=%5B%5B1%5D%5D&time=0"), "data=[[1]]&time=0");
    assert.equal(format.decoded("data=%5"), "data=%5");
  });

  const hour = (ago, count, failed = 0) => ({
    uptime_s: 3600 * (200 - ago),
    count,
    failed,
    bytes_out: 10,
    bytes_in: 5,
  });

  it("stands as bars of seven days, as tall as the busiest hour", () => {
    const bars = hours.bars([hour(0, 2), hour(1, 4, 1), hour(167, 1), hour(168, 9)], 3600 * 200 + 1800);
    assert.deepEqual(
      bars.map(({ ago, height, failed }) => [ago, height, failed]),
      [
        [0, 2 / 9, 0],
        [1, 4 / 9, 0.25],
        [167, 1 / 9, 0],
      ],
    );
    assert.deepEqual(hours.bars([], 0), []);
  });

  it("is summed up", () => {
    assert.deepEqual(hours.sumOf([hour(0, 2, 1), hour(1, 3)]), { count: 5, failed: 1, out: 20, in: 10 });
    assert.deepEqual(
      [hours.bytes(999), hours.bytes(1200), hours.bytes(2.5e6)],
      ["999\u00a0B", "1.2\u00a0kB", "2.5\u00a0MB"],
    );
  });

  it("has a word for each state, and a sentence for what it does not know", () => {
    assert.equal(reportTexts.uplinkState("up_to_date")[1], "good");
    assert.deepEqual(reportTexts.uplinkState("brand_new"), ["brand new.", "note"]);
    assert.match(reportTexts.adviceFor("no_address"), /name/);
    assert.equal(reportTexts.adviceFor("accepted"), "");
    assert.equal(reportTexts.settingPlace("time.source"), "#/settings/time");
    assert.equal(reportTexts.settingPlace("emoncms.url"), "#/report");
  });
});

describe("a number that may be left out", () => {
  const field = { path: "x", kind: "number", label: "X", blank: true };
  it("is nothing when nothing is typed, and a number otherwise", () => {
    const take = (text) => form.take(field, { text, checked: false, off: false }, null);
    assert.deepEqual([take(""), take(" "), take("4")], [{ value: null }, { value: null }, { value: 4 }]);
    assert.ok("problem" in take("four"));
  });
});

describe("the plug's clock", () => {
  const nothing = { from: null, uncertainty_s: null, age_s: null, doubt: null, asked: null };
  const known = {
    time: 1000,
    source: "browser",
    from: "browser",
    uncertainty_s: 1,
    age_s: 60,
    doubt: null,
    asked: null,
  };

  it("is told by this browser where the owner wants that and it is unknown, old or another", () => {
    const unknown = { time: null, ...nothing };
    assert.equal(wantsTime({ source: "browser", ...unknown }, 1000), true);
    for (const source of ["none", "ntp", "dhcp", "server"])
      assert.equal(wantsTime({ source, ...unknown }, 1000), false, source);
    assert.equal(wantsTime(known, 1000), false);
    assert.equal(wantsTime({ source: "browser", ...nothing, time: 1, from: "platform" }, 1000), false);
    assert.equal(wantsTime({ ...known, uncertainty_s: 2 }, 1000), true);
    assert.equal(wantsTime(known, 1010), true);
    const doubt = { by_s: -7200, answers: 1, needed: 3, first: false };
    assert.equal(wantsTime({ ...known, doubt }, 1000), true);
    assert.equal(wantsTime({ ...known, source: "ntp", doubt }, 1000), false);
  });

  it("is described with who told it, how good it is, and what is doubted", () => {
    assert.match(clockText({ time: null, source: "none", ...nothing }), /does not know the time, and nobody/);
    assert.match(clockText({ time: null, source: "ntp", ...nothing }), /yet\.$/);
    const text = clockText({ ...known, doubt: { by_s: -7200, answers: 1, needed: 3, first: false } });
    const first = { by_s: -7200, answers: 2, needed: 3, first: true };
    assert.match(clockText({ time: null, source: "ntp", ...nothing, doubt: first }), /2 h.* before the log.* 2 did\.$/);
    assert.match(text, /from a browser, 1 min 00 s ago\. It is right to within 1.0\u00a0s\. .*wrong by 2 h.* 3 agree/);
    const error = { code: "timed_out", message: "the other side took too long" };
    const asked = { server: "pool.ntp.org", ago_s: 5, error };
    assert.match(clockText({ ...known, asked }), /pool\.ntp\.org was asked 5 s ago: The other side took too long\.$/);
  });
});

describe("a network", () => {
  const network = (more) => ({ ssid: "n", signal_dbm: -50, security: "wpa2", channel: 1, joinable: true, ...more });

  it("is told with its signal as bars and a word, and why it cannot be joined", () => {
    assert.deepEqual(
      [-40, -55, -56, -70, -90].map((dbm) => networkTexts.signal(dbm)[0]),
      [4, 4, 3, 2, 1],
    );
    assert.equal(networkTexts.aboutNetwork(network()), "very good signal · WPA2");
    for (const security of ["wpa3", "outdated", "enterprise", "of tomorrow"])
      assert.match(networkTexts.aboutNetwork(network({ security, joinable: false })), /cannot|broken/, security);
  });

  it("is the first of a list, whose order is a patch of the settings", () => {
    const wifi = { ssid: "a", password: "set", hidden: false, address: null, access_point: "fallback" };
    const b = { ssid: "b", password: null, hidden: true, address: { ip: "10.0.0.2", prefix: 24 } };
    const list = networkTexts.networksOf({ wifi: { ...wifi, more: [b] } });
    assert.deepEqual(
      list.map(({ ssid }) => ssid),
      ["a", "b"],
    );
    const { access_point: _, ...a } = wifi;
    assert.deepEqual(networkTexts.patchOfNetworks([...list].reverse()), { wifi: { ...b, more: [a] } });
    assert.deepEqual(networkTexts.networksOf({ wifi: { ...wifi, ssid: "", more: [] } }), []);
    const none = { ssid: "", password: null, hidden: false, address: null, more: [] };
    assert.deepEqual(networkTexts.patchOfNetworks([]), { wifi: none });
  });

  it("stands in a sentence", () => {
    const wifi = { available: true, state: "waiting", ssid: "n", retry_in_s: 90, last_error_message: "It is gone." };
    assert.deepEqual(networkTexts.linkText(wifi), ["It is gone. It tries again in 1 min 30 s.", "warn"]);
    assert.match(networkTexts.linkText({ ...wifi, state: "joined" })[0], /^Joined “n”/);
    assert.match(networkTexts.linkText({ ...wifi, available: false })[0], /no radio/);
  });

  it("says where the plug is to be found while it tries another", () => {
    const { trialWarning, silence } = networkTexts;
    const open = { open: true, ssid: "OSSP-1" };
    const joined = { state: "joined", ssid: "n", mdns: "p.local", access_point: { ...open, open: false } };
    const away = trialWarning(joined);
    assert.match(away, /leaves “n”: look in the new network, at p\.local, or here once it is back/);
    // Its access point stays closed, and nobody is sent there.
    assert.doesNotMatch(away + silence({ ...joined, state: "joining" }), /access point|OSSP-1/);
    assert.match(trialWarning({ ...joined, mdns: null }), /in the new network, or here/);
    assert.match(silence(joined), /does not answer.*at p\.local, or wait/);
    for (const wifi of [
      { ...joined, access_point: open },
      { ...joined, state: "no_network_known", access_point: open },
    ]) {
      assert.match(trialWarning(wifi), /your phone may drop from its access point/);
      assert.match(silence(wifi), /access point “OSSP-1”, join it again/);
      assert.match(silence(wifi, "Mine"), /access point “Mine”, join it again/);
    }
    assert.match(silence(null), /its access point, join it again/);
  });
});

/** As much of a document as a dialog takes, in a browser that knows no dialogs. */
function oldDocument() {
  class Node extends EventTarget {
    children = [];
    attributes = {};
    classList = { add: (name) => (this.attributes.class += ` ${name}`) };
    appendChild(child) {
      this.children.push(child);
      child.parent = this;
    }
    append(child) {
      this.appendChild(child);
    }
    remove() {
      this.parent.children = this.parent.children.filter((child) => child !== this);
    }
    setAttribute(name, value) {
      this.attributes[name] = value;
    }
    getAttribute(name) {
      return this.attributes[name] ?? null;
    }
    find(tag) {
      return [this, ...this.children.flatMap((child) => child.find?.(tag) ?? [])].filter((node) => node.tag === tag);
    }
    querySelector() {
      return { focus: () => (document.focused = true) };
    }
  }
  const make = (tag) => Object.assign(new Node(), { tag });
  const document = { body: make("body"), createElement: make, createTextNode: () => make("#text") };
  return { Node, document };
}

describe("a question", () => {
  it("is asked where the browser knows no dialogs too", async () => {
    const { question } = await load("parts/question.ts");
    const { Node, document } = oldDocument();
    Object.assign(globalThis, { Node, document });
    try {
      for (const [index, answer] of [false, true].entries()) {
        const asked = question("Leave?", "It would be lost.", "Leave it");
        const [dialog] = document.body.find("dialog");
        assert.equal(dialog.attributes.class, "explanation box");
        assert.ok(document.focused);
        dialog.find("button")[index].dispatchEvent(new Event("click"));
        assert.equal(await asked, answer);
        assert.deepEqual(document.body.children, []);
      }
    } finally {
      delete globalThis.Node;
      delete globalThis.document;
    }
  });
});

describe("a file for an update", () => {
  it("tells what it is by its first bytes", () => {
    const bare = packages.readHead(image("0.2.0").subarray(0, packages.HEAD_BYTES));
    assert.deepEqual(bare, { isPackage: false, version: "0.2.0", project: "ossp-firmware", chip: "pc", keys: [] });
    assert.equal(packages.readHead(image("1.0.0-rc.1", { chip: 5 })).chip, "esp32c3");
    assert.equal(packages.readHead(image("1.0.0", { chip: 77 })).chip, "another chip");
    const whole = packages.readHead(packed("0.2.0", { key: "11".repeat(32) }).subarray(0, packages.HEAD_BYTES));
    assert.equal(whole.isPackage, true);
    assert.deepEqual([whole.version, whole.chip, whole.commit], ["0.2.0", "pc", "89abcde"]);
    assert.deepEqual(whole.keys, ["11".repeat(32)]);
    assert.deepEqual(packages.readHead(packed("0.2.0")).keys, []);
  });

  it("is refused with a sentence if it is something else", () => {
    const read = (bytes) => () => packages.readHead(new Uint8Array(bytes));
    for (const bytes of [[], [0xe9], Buffer.from("{}"), image("1.0.0").subarray(0, 60), Buffer.alloc(4096, 0xe9)])
      assert.throws(read(bytes), /neither an OSSP package nor an image/);
    for (const text of ["OSSP1\n", "OSSP1\n{\n\n", "OSSP1\n\n"]) assert.throws(read(Buffer.from(text)), /damaged/);
  });

  it("is older, newer or the same", () => {
    const ordered = ["0.1.9", "0.1.10-rc.2", "0.1.10-rc.10", "0.1.10", "0.2.0", "1.0.0"];
    for (const [n, a] of ordered.entries())
      for (const [m, b] of ordered.entries())
        assert.equal(Math.sign(packages.compareVersions(a, b)), Math.sign(n - m), `${a} and ${b}`);
    assert.equal(packages.compareVersions("v1.0.0+dirty", "1.0.0"), 0);
    assert.equal(packages.compareVersions("abc", "1.0.0"), 0, "nobody knows");
  });

  it("is followed over the restart until it is kept or went back", () => {
    const sent = { version: "0.2.0", image_sha256: "aa", restart_in_s: 1 };
    const running = (slot, state, version) => ({ slot, image_sha256: null, state, version });
    const old = running(0, "confirmed", "0.1.0");
    const told = (update, before = old, lastBefore = null, restarted = false) =>
      updateTexts.outcome(
        sent,
        { state: "idle", running: before, last: lastBefore },
        { state: "idle", last: null, ...update },
        restarted,
      );
    assert.match(told({ state: "activated", running: old }).words, /restarts/);
    assert.equal(told({ running: old }), null, "not to be seen yet");
    assert.equal(told({ running: running(1, "on_probation", "0.2.0") }).mood, "note");
    assert.equal(told({ running: running(1, "confirmed", "0.2.0") }).mood, "good");
    const last = { result: "went_back", version: "0.2.0", message: "it crashed" };
    const back = told({ running: old, last });
    // Of two builds of one version: that it runs says nothing.
    const same = running(0, "confirmed", "0.2.0");
    assert.equal(told({ running: same }, same), null);
    assert.deepEqual(told({ running: same, last }, same), back);
    assert.equal(back.words, "Version 0.2.0 did not prove itself. It crashed.");
    // An answer from before the restart tells how the update before ended; after it the same words are about this one.
    assert.equal(told({ running: old, last }, old, { ...last }), null);
    assert.deepEqual(told({ running: old, last }, old, { ...last }, true), back);
    const asked = { ...last, code: "asked", message: "Somebody asked." };
    assert.equal(told({ running: old, last: asked }).words, "Back from version 0.2.0. Somebody asked.");
    assert.deepEqual(updateTexts.lastText({ ...asked, time: null }), [
      "it went back from version 0.2.0. Somebody asked.",
      "note",
    ]);
    assert.match(updateTexts.lastText({ ...last, code: "crashed", time: null })[0], /did not prove itself/);
  });
});
