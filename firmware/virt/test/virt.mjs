// The plug as a riscv32 program, driven from outside: `node --test firmware/virt/test/virt.mjs`.
//
//   OSSP_BIN=PATH           the program for the PC (default target/release/ossp), which has to agree with it
//   OSSP_VIRT_SECONDS=N     how long it is used before its memory is compared (60)
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { resetAtOnce, resetBeforeTheAnswer, slow, stall, use } from "./hardship.mjs";
import { StandIn } from "../../../web/test/stand-in.mjs";
import { Machine, PATIENCE_MS, ROOT, measuredOf, memoryOf } from "./machine.mjs";

const OSSP = resolve(ROOT, process.env.OSSP_BIN ?? join(process.env.CARGO_TARGET_DIR ?? "target", "release/ossp"));
const RECORDING = join(ROOT, "crates/metering/tests/data/kettle_start_2k.csv");
const IDENTITY = join(ROOT, "crates/metering/tests/identity.rs");
const SECONDS = Number(process.env.OSSP_VIRT_SECONDS ?? 60);
const SAMPLE_RATE = 2000;
const LSB_V = 1e-4;
const LSB_A = 1e-5;
/** What the C3 leaves an application. */
const RAM = 200 * 1024;
/** Below this the kettle is off, above the other it is on; the recording has 8.2 A. */
const OFF_A = 0.01;
const ON_A = 8;

let plug;
const folder = mkdtempSync(join(tmpdir(), "ossp-virt-"));

before(async () => {
  plug = await Machine.boot();
});

after(async () => {
  await plug?.end();
  rmSync(folder, { recursive: true });
});

/** What the program for the PC makes of a recording. */
function replay(name, text) {
  const file = join(folder, name);
  writeFileSync(file, text);
  const output = execFileSync(OSSP, ["replay", "--format", "json", file], { maxBuffer: 1 << 28 });
  return JSON.parse(output);
}

/** The recording as the plug plays it, in the counts that it has (build.rs); after its end it goes on, for ever. */
async function endless(seconds) {
  const [, last, next] = (await plug.says(/^after pair /)).match(/^after pair (\d+) comes pair (\d+)$/).map(Number);
  const count = (text, lsb) => Math.sign(text) * Math.round(Math.abs(text / lsb));
  const lines = readFileSync(RECORDING, "utf8").trimEnd().split("\n");
  const rows = lines
    .slice(lines.findIndex((line) => line.startsWith("voltage_v")) + 1)
    .map((line) => line.split(",").map(Number))
    .map(([voltage, current]) => `${count(voltage, LSB_V)},${count(current, LSB_A)}`);
  assert.equal(rows.length, last + 1);
  for (let at = next; rows.length < seconds * SAMPLE_RATE; at = at === last ? next : at + 1) rows.push(rows[at]);
  const head = [`sample_rate_hz: ${SAMPLE_RATE}`, `voltage_lsb_v: ${LSB_V}`, `current_lsb_a: ${LSB_A}`];
  const zeros = ["voltage_zero_raw: 0", "current_zero_raw: 0"];
  const header = [...head, ...zeros].map((line) => `# ${line}`);
  return [...header, "voltage_raw,current_raw", ...rows, ""].join("\n");
}

async function collect(count) {
  const readings = [];
  for await (const reading of plug.readings()) {
    if (readings.push(reading) === count) break;
  }
  assert.equal(readings.length, count, "the stream ended");
  return readings;
}

/** What can be looked at as it stands there: no stream, no number to fill in, no command. */
// A stream, what it has no radio for, and what begins an upload are none.
const NONE = ["/api/v1/events", "/api/v1/wifi/scan", "/ota/start"];
const isPage = (path, paths) => paths[path].get && !NONE.includes(path) && !path.includes("{");

const sequences = (readings) => readings.map((reading) => reading.sequence);
const consecutive = (readings) => readings.map((_, index) => readings[0].sequence + index);

/** Waits for a reading that is as it should be. */
async function reading(fits) {
  const end = Date.now() + PATIENCE_MS;
  for await (const reading of plug.readings()) {
    if (fits(reading)) return reading;
    assert.ok(Date.now() < end, `still ${JSON.stringify(reading)}`);
  }
  assert.fail("the stream ended");
}

describe("whose it is", () => {
  it("is nobody's at first: everybody may look, and nobody may change anything", async () => {
    assert.equal((await plug.json("/api/v1/info")).setup_complete, false);
    await reading(({ current_a }) => current_a > ON_A);
    const refused = await plug.askPatiently("/api/v1/relay", { method: "PUT", body: { on: false } });
    assert.equal(refused.status, 403);
    assert.equal(JSON.parse(refused.body).error.code, "setup_required");
  });

  it("is somebody's once it is set up, and knows nobody else then", async () => {
    const short = await plug.askPatiently("/api/v1/setup", { method: "POST", body: { password: "too short" } });
    assert.equal(short.status, 422);
    await plug.claim();
    assert.equal((await plug.json("/api/v1/info")).setup_complete, true);
    const headers = { authorization: `Bearer ossp_${"0".repeat(32)}` };
    for (const [path, method] of [["/api/v1/reading", "GET"], ["/api/v1/relay", "PUT"], ["/api/v1/setup", "POST"]]) {
      assert.equal((await plug.askPatiently(path, { method, headers })).status, 401, `${method} ${path}`);
    }
  });
});

describe("what it measures", () => {
  it("says the checksum that the PC's test freezes", async () => {
    const [, frozen] = readFileSync(IDENTITY, "utf8").match(/kettle_start_2k\.csv"\),\s*(0x[0-9a-f_]+)/);
    assert.equal(await plug.says(/^checksum /), `checksum ${frozen.replaceAll("_", "")}`);
  });

  it("tells who it is", async () => {
    const info = await plug.json("/api/v1/info");
    assert.equal(info.board, "qemu-virt");
    assert.equal(info.chip, "riscv32");
    assert.equal(info.sample_rate_hz, SAMPLE_RATE);
    assert.equal(info.lost_samples, 0);
    assert.ok(info.uptime_s > 0);
    assert.equal(info.starts, 1, "its flash is in RAM and was empty");
    assert.equal(info.last_fault, null);
    assert.ok(info.vitals.memory.heap_least_free_bytes > 0);
    assert.ok(info.vitals.memory.stack_least_free_bytes > 0);
  });

  it("streams ten readings in a row, each the same to the last bit as on the PC", async () => {
    const readings = await collect(10);
    assert.deepEqual(sequences(readings), consecutive(readings));
    const { readings: expected } = replay("endless.csv", await endless(Math.ceil(readings.at(-1).uptime_s) + 1));
    for (const { relay, quality, ...measured } of readings) {
      // A recording knows neither the relay, which the plug closed at the start, nor that the clock is not set.
      assert.equal(relay, true);
      assert.ok(quality.includes("clock_untrusted"));
      const ours = ["clock_untrusted", "relay_changed"];
      const { relay: _, ...same } = expected[measured.sequence];
      assert.deepEqual({ ...measured, quality: quality.filter((flag) => !ours.includes(flag)) }, same);
    }
  });

  it("gives its newest window away so that the PC gets the same reading from it", async () => {
    const newest = await plug.json("/api/v1/reading");
    assert.ok(newest.current_a > ON_A);
    const answer = await plug.askPatiently("/api/v1/waveform?window=last");
    assert.equal(answer.status, 200);
    const again = replay("window.csv", answer.body);
    assert.equal(again.reproduced, true);
    assert.equal(again.readings.length, 1);
    assert.ok(again.readings[0].current_a > ON_A);
  });
});

describe("what it does", () => {
  it("switches, and the current follows", async () => {
    const switched = async (on) => {
      const status = await plug.json("/api/v1/relay", { method: "PUT", body: { on } });
      assert.equal(status.on, on);
    };
    await switched(false);
    const off = await reading(({ relay, current_a }) => !relay && current_a < OFF_A);
    assert.ok(off.voltage_v > 200, "the voltage stays");
    await switched(true);
    await reading(({ relay, current_a }) => relay && current_a > ON_A);
    const { changes } = await plug.json("/api/v1/relay/log");
    assert.ok(changes.length >= 2, "both are in the log");
  });

  it("answers at every address of its description", async () => {
    const { paths } = await plug.json("/api/v1/openapi.json");
    for (const [path, { get }] of Object.entries(paths)) {
      if (!isPage(path, paths)) continue;
      const { status, headers, body } = await plug.askPatiently(path);
      assert.equal(status, 200, path);
      const [type] = headers["content-type"].split(";");
      assert.ok(Object.keys(get.responses["200"].content).some((known) => known.startsWith(type)), `${path}: ${type}`);
      assert.ok(body.length > 0, path);
    }
    const scan = await plug.askPatiently("/api/v1/wifi/scan");
    assert.deepEqual([scan.status, JSON.parse(scan.body).error.code], [503, "wifi_unavailable"]);
  });

  it("serves its page with all that it names", async () => {
    const page = await plug.askPatiently("/", { headers: { "accept-encoding": "identity" } });
    const text = page.headers["content-encoding"] === "gzip" ? gunzipSync(page.body) : page.body;
    const names = [...text.toString().matchAll(/(?:href|src)="(\/[^"]*)"/g)].map(([, name]) => name);
    assert.ok(names.length >= 3, `${names}`);
    for (const name of new Set(names)) assert.equal((await plug.askPatiently(name)).status, 200, name);
    assert.equal((await plug.askPatiently("/no-such-page")).status, 404);
  });
});

describe("what it endures", () => {
  it("measures on while clients stall, crawl and break off, and serves again afterwards", async () => {
    const { web_workers: workers } = await plug.json("/api/v1/info");
    const stream = plug.readings();
    const readings = [];
    let watching = true;
    const watch = (async () => {
      for await (const reading of stream) {
        readings.push(reading);
        if (!watching) break;
      }
    })();
    const stalled = await stall(plug, 3 * workers);
    await Promise.all([slow(plug, workers, 12), resetAtOnce(plug, 300), resetBeforeTheAnswer(plug, 100)]);
    for (const socket of stalled) socket.destroy();
    watching = false;
    await watch;
    assert.ok(readings.length > 20, `${readings.length} readings`);
    for (const [index, { sequence, unmeasured_s, window }] of readings.entries()) {
      // A stream that is late may leave one out; measuring may not.
      assert.ok(index === 0 || sequence > readings[index - 1].sequence);
      assert.equal(window.lost, 0);
      assert.equal(unmeasured_s, 0);
    }
    assert.equal((await plug.json("/api/v1/info")).lost_samples, 0);
    await plug.json("/api/v1/reading");
  });

  it(`holds no more memory after ${SECONDS} s of use than before`, async (test) => {
    const { paths } = await plug.json("/api/v1/openapi.json");
    const all = Object.keys(paths).filter((path) => isPage(path, paths));
    // Whatever is allocated once, at first use, is allocated by now: everything was used.
    const before = await plug.quietMemory();
    const answers = await use(plug, all, SECONDS * 1000);
    const after = await plug.quietMemory();
    assert.equal(after.heap, before.heap);
    assert.ok(after.statics + after.heapSize + after.stackSize <= RAM);
    assert.ok(after.stackMost < after.stackSize);
    assert.ok(answers > SECONDS, `${answers} answers`);
    const info = await plug.json("/api/v1/info");
    assert.equal(info.lost_samples, 0);
    test.diagnostic(`${answers} answers; ${plug.lines.find((line) => line.startsWith("image"))}`);
    test.diagnostic(plug.lines.findLast((line) => line.startsWith("memory")));
  });

  it("measures without a network, where nobody answers its request for an address", async () => {
    const alone = await Machine.boot(/^measured: /, () => ({ OSSP_VIRT_NETDEV: "hubport,id=net,hubid=0" }));
    try {
      const first = await alone.hears(measuredOf);
      const later = await alone.hears(measuredOf);
      // Five seconds are 25 windows of ten cycles; a busy machine may make fewer of them.
      assert.ok(later.windows >= first.windows + 5, `${first.windows}, then ${later.windows}`);
      assert.equal(later.lost, 0);
      assert.ok(!alone.lines.some((line) => line.startsWith("http:")));
    } finally {
      await alone.end();
    }
  });

  it("reports to Emoncms, encrypted, with the time from its server, and loses neither samples nor memory", async (test) => {
    const server = await StandIn.start(OSSP);
    // Without `restrict`: the PC is 10.0.2.2 then.
    const way = (port) => ({ OSSP_VIRT_NETDEV: `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:80` });
    const reporter = await Machine.boot(/^http:/, way);
    try {
      await reporter.claim();
      const { port, pathname } = new URL(server.url);
      const emoncms = { enabled: true, url: `http://10.0.2.2:${port}${pathname}`, node: "virt", write_key: server.writeKey };
      const settings = { time: { source: "server" }, history: { interval_s: 1 } };
      const body = { ...settings, emoncms: { ...emoncms, user_id: server.userId, interval_s: 1, send_every_s: 2 } };
      await reporter.json("/api/v1/settings", { method: "PATCH", body });
      const uplink = await reporter.until("/api/v1/uplink", ({ sent_rows }) => sent_rows >= 10);
      assert.equal(uplink.last_error, null);
      const { inputs } = await server.state();
      const names = inputs.filter(({ node }) => node === "virt").map(({ name }) => name);
      assert.deepEqual(names.sort(), ["current", "energy", "frequency", "power", "power_factor", "voltage"]);
      const now = await reporter.json("/api/v1/reading");
      const age = Date.now() / 1000 - now.time;
      assert.ok(Math.abs(age) < 10, `the clock is ${age} s off`);
      assert.equal(now.window.lost, 0);
      const { destinations } = await reporter.json("/api/v1/ledger");
      // Its name is told to its own network alone.
      const elsewhere = destinations.filter(({ purpose }) => purpose !== "mdns");
      assert.ok(elsewhere.every(({ host }) => host === "10.0.2.2"), JSON.stringify(destinations));
      const mdns = destinations.filter(({ purpose }) => purpose === "mdns");
      assert.deepEqual(mdns.map(({ host, port }) => [host, port]), [["224.0.0.251", 5353]]);
      assert.ok(mdns[0].hours[0].count >= 3 && mdns[0].hours[0].failed === 0, JSON.stringify(mdns));
      const before = await reporter.hears(memoryOf);
      const sent = (await reporter.json("/api/v1/uplink")).sent_rows;
      await reporter.until("/api/v1/uplink", ({ sent_rows }) => sent_rows >= sent + 20);
      const after = await reporter.hears(memoryOf);
      // The ledger takes memory for each connection that it remembers, up to its limits.
      assert.ok(after.heapMost - before.heapMost < 4096, `${before.heapMost}, then ${after.heapMost}`);
      assert.ok(after.statics + after.heapSize + after.stackSize <= RAM);
      assert.equal((await reporter.json("/api/v1/info")).lost_samples, 0);
      test.diagnostic(reporter.lines.findLast((line) => line.startsWith("memory")));
    } finally {
      await reporter.end();
      server.end();
    }
  });

  it("never panicked", () => {
    assert.ok(plug.runs);
    assert.deepEqual(
      plug.lines.filter((line) => line.includes("panic")),
      [],
    );
  });
});
