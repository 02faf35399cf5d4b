// A pretended plug, to work on the page without the real program: serves the built page (or, with --dev, the sources, built
// anew for each visit) and fakes the API with a living kettle or laptop supply. Takes the command line of the real one.
//
//   node dev/mock.mjs [run] [--listen ADDR:PORT] [--source sim:kettle|sim:laptop] [--dev] [--password WORDS] [--button]
//                     [--scenario first-start|home]
//
// With a scenario it has a radio, with the first one no network. Without --password it has no owner yet; with --button whoever claims it must press it: GET /mock?press=1.
// GET /mock?flags=clipped,lost_samples&locked=1&streams=0&null=1&welded=1 brings about what a kettle rarely does;
// &clock=0 makes it forget the time, &uplink=catching_up|backing_off|stopped|... says how the sending to Emoncms stands;
// &safe=1 is safe mode. What it can join and run is in mock-net.mjs.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ASSETS, bundle } from "../build.mjs";
import { Access } from "./mock-access.mjs";
import { Control, energyPage, tripWaveform } from "./mock-control.mjs";
import { csv, History, Report, Time } from "./mock-report.mjs";
import { Net, Slots } from "./mock-net.mjs";
import { Settings } from "./mock-settings.mjs";

const options = parse(process.argv.slice(2));
const RATE_HZ = 4000;
const MAINS_HZ = 50;
const WINDOW = RATE_HZ / 5;
const FRONT_END = { voltage_lsb_v: 0.2, current_lsb_a: 0.0147, voltage_zero_raw: 2048, current_zero_raw: 2045 };
const SKEW_S = 50e-6;
const NOISE_A = 0.0125;
let startedAt = Date.now();
const upSeconds = () => (Date.now() - startedAt) / 1000;

let newest = null;
const state = { flags: [], streams: 4, nulls: false };
const settings = new Settings();
const ID = "ossp-7f3a";
const access = new Access(ID, settings, options);
const control = new Control(settings, upSeconds, () => newest);
const energy = { import: 0, export: 0, belowNoise: 0 };
const listeners = new Set();
const past = new History();
const report = new Report(settings);
const clock = new Time(settings);
const net = new Net(ID, settings, {
  fresh: options.scenario === "first-start",
  hasRadio: options.scenario !== undefined,
});
const slots = new Slots(settings, restart);
let sequence = 0;
let samples = [];
let seed = 7;

function parse(words) {
  const value = (name, otherwise) => (words.includes(name) ? words[words.indexOf(name) + 1] : otherwise);
  const [host, port] = value("--listen", "127.0.0.1:8080").split(":");
  return {
    host,
    port: Number(port),
    source: value("--source", "sim:kettle").split(":")[1],
    password: value("--password"),
    scenario: value("--scenario"),
    button: words.includes("--button"),
    dev: words.includes("--dev"),
  };
}

/** As after a restart: who was connected is not, and sessions are over. */
function restart() {
  startedAt = Date.now();
  access.sessions.clear();
  for (const listener of listeners) listener.destroy();
}

function random() {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648 - 0.5;
}
const gauss = () => random() + random() + random();

/** Volts at a phase of the fundamental, with the flat top that a street full of supplies makes. */
function mains(angle, level) {
  return (
    level *
    Math.SQRT2 *
    (Math.sin(angle) - 0.012 * Math.sin(3 * angle) + 0.021 * Math.sin(5 * angle) - 0.009 * Math.sin(7 * angle))
  );
}

function load(angle, volts, seconds) {
  if (!control.on && !control.alarm) return 0;
  if (options.source === "laptop") {
    const x = Math.sin(angle);
    const share = 0.8 + 0.2 * Math.sin(seconds / 9);
    const pulse = Math.abs(x) > 0.78 ? Math.sign(x) * ((Math.abs(x) - 0.78) / 0.22) ** 0.7 : 0;
    return share * (1.25 * pulse + 0.03 * Math.cos(angle));
  }
  return volts / 26.45;
}

/** A window of raw pairs and the reading made of it. */
function measure() {
  const seconds = upSeconds();
  const level = 230 + 1.2 * Math.sin(seconds / 17) + 0.15 * gauss();
  const pairs = [];
  for (let n = 0; n < WINDOW; n++) {
    const angle = 2 * Math.PI * MAINS_HZ * (n / RATE_HZ);
    const later = angle + 2 * Math.PI * MAINS_HZ * SKEW_S;
    const u = mains(angle, level);
    const i = load(later, mains(later, level), seconds) + NOISE_A * gauss();
    pairs.push([
      Math.round(u / FRONT_END.voltage_lsb_v + FRONT_END.voltage_zero_raw),
      Math.round(i / FRONT_END.current_lsb_a + FRONT_END.current_zero_raw),
    ]);
  }
  samples = pairs;
  return reading(pairs, seconds);
}

function component(values, order) {
  let re = 0;
  let im = 0;
  const step = (2 * Math.PI * MAINS_HZ * order) / RATE_HZ;
  values.forEach((x, n) => {
    re += x * Math.sin(step * n);
    im += x * Math.cos(step * n);
  });
  const scale = Math.SQRT2 / values.length;
  return { rms: Math.hypot(re, im) * scale, phase: (Math.atan2(im, re) * 180) / Math.PI };
}

function physical(pairs) {
  const u = pairs.map(([raw]) => (raw - FRONT_END.voltage_zero_raw) * FRONT_END.voltage_lsb_v);
  const i = pairs.map(([, raw]) => (raw - FRONT_END.current_zero_raw) * FRONT_END.current_lsb_a);
  return { u, i };
}

function harmonicsOf(pairs) {
  const { u, i } = physical(pairs);
  return Array.from({ length: 39 }, (_, n) => {
    const [voltage, current] = [component(u, n + 1), component(i, n + 1)];
    const skew = 360 * MAINS_HZ * (n + 1) * SKEW_S;
    return {
      order: n + 1,
      voltage_v: voltage.rms,
      voltage_phase_deg: voltage.phase,
      current_a: current.rms,
      current_phase_deg: current.phase - skew,
    };
  });
}

function reading(pairs, seconds) {
  const { u, i } = physical(pairs);
  const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const rms = (values) => Math.sqrt(mean(values.map((x) => x * x)) - mean(values) ** 2);
  const voltage = rms(u);
  const current = rms(i);
  const idc = mean(i);
  const active = mean(u.map((x, n) => x * i[n])) - mean(u) * idc;
  const apparent = voltage * current;
  const orders = harmonicsOf(pairs);
  const thd = (pick) => (100 * Math.sqrt(orders.slice(1).reduce((sum, o) => sum + pick(o) ** 2, 0))) / pick(orders[0]);
  const floor = NOISE_A;
  const belowNoise = current ** 2 < floor ** 2 * (1 + 3 * Math.sqrt(2 / WINDOW));
  const angle = ((orders[0].voltage_phase_deg - orders[0].current_phase_deg) * Math.PI) / 180;
  const hours = WINDOW / RATE_HZ / 3600;
  energy[active < 0 ? "export" : "import"] += Math.abs(active) * hours;
  if (belowNoise) energy.belowNoise += Math.abs(active) * hours;
  const gone = state.nulls;
  const orNull = (value, isNull) => (isNull || gone ? null : value);
  return {
    sequence: sequence++,
    time: clock.now,
    uptime_s: seconds,
    window: { cycles: orNull(10), samples: WINDOW, lost: 0, duration_s: WINDOW / RATE_HZ, sample_rate_hz: RATE_HZ },
    voltage_v: voltage,
    current_a: current,
    active_power_w: active,
    apparent_power_va: apparent,
    reactive_power_var: orNull(orders[0].voltage_v * orders[0].current_a * Math.sin(angle)),
    power_factor: orNull(active / apparent, belowNoise),
    displacement_power_factor: orNull(Math.cos(angle), belowNoise),
    frequency_hz: orNull(MAINS_HZ + 0.02 * Math.sin(seconds / 23) + 0.002 * gauss()),
    thd_voltage_pct: orNull(thd((o) => o.voltage_v)),
    thd_current_pct: orNull(
      thd((o) => o.current_a),
      belowNoise,
    ),
    harmonics_max_order: orNull(39),
    crest_factor_current: orNull(Math.max(...i.map(Math.abs)) / current, belowNoise),
    voltage_dc_v: null,
    current_dc_a: idc,
    current_total_a: Math.hypot(current, idc),
    current_noise_floor_a: floor,
    current_noise_corrected_a: orNull(Math.sqrt(Math.max(0, current ** 2 - floor ** 2)), current < floor),
    half_cycle: {
      voltage_min_v: voltage - 0.3,
      voltage_max_v: voltage + 0.3,
      current_min_a: current * 0.998,
      current_max_a: current * 1.002,
    },
    energy_import_wh: energy.import,
    energy_export_wh: energy.export,
    energy_below_noise_wh: energy.belowNoise,
    unmeasured_s: 0,
    calibration: calibrationId(),
    relay: control.on,
    quality: [
      ...new Set([
        ...(belowNoise ? ["below_noise"] : []),
        ...(settings.calibration.version === 0 ? ["uncalibrated"] : []),
        ...state.flags,
      ]),
    ],
  };
}

const calibrationId = () => ({ version: settings.calibration.version, hash: "5f0c7d21a94be830" });

function send(event, data) {
  for (const listener of listeners) listener.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

control.wake = () => send("relay", control.status());

setInterval(() => {
  control.tick();
  newest = measure();
  send("reading", newest);
}, 200);

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = {
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
  html: "text/html",
  json: "application/json",
};

async function asset(name, response) {
  const content = options.dev ? (await bundle()).get(name) : gunzipSync(readFileSync(join(ASSETS, `${name}.gz`)));
  const type = TYPES[name.split(".").pop()];
  response.writeHead(200, {
    "Content-Type": `${type}; charset=utf-8`,
    "Content-Security-Policy": CSP,
    "Cache-Control": options.dev || name === "index.html" ? "no-cache" : "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(content);
}

function json(response, value, status = 200) {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify(value));
}
const refuse = (response, status, code, message, more = {}) =>
  json(response, { error: { code, message, ...more } }, status);

function recording(cycles) {
  const header = { sample_rate_hz: RATE_HZ, channel_skew_s: SKEW_S, ...FRONT_END, source: `mock ${options.source}` };
  const count = Math.min(WINDOW, Math.round((cycles * RATE_HZ) / MAINS_HZ));
  const start = WINDOW - count;
  const lines = Object.entries(header).map(([key, value]) => `# ${key}: ${value}`);
  return `${[...lines, "voltage_raw,current_raw", ...samples.slice(start).map((pair) => pair.join(","))].join("\n")}\n`;
}

/** Reads a JSON body, then `use`s it. */
function withBody(request, response, use) {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    let wish;
    try {
      wish = JSON.parse(body);
    } catch {
      refuse(response, 400, "bad_json", "The body is not JSON.");
      return;
    }
    use(wish);
  });
}

function putRelay(wish, response) {
  const refusal = control.put(wish);
  if (refusal) refuse(response, ...refusal);
  else json(response, control.status());
}

function tellSettings(response) {
  response.setHeader("ETag", settings.etag);
  json(response, settings.told);
}

function patchSettings(patch, response, request) {
  const refusal = settings.change(patch, request.headers["if-match"]);
  if (!refusal) {
    control.decide();
    tellSettings(response);
    return;
  }
  const [status, code, message, fields] = refusal;
  refuse(response, status, code, message, fields && { fields });
}

function reset(body, response) {
  if (body.confirm !== "factory reset") {
    refuse(response, 422, "bad_field", 'The field confirm must be "factory reset".');
    return;
  }
  settings.current = new Settings().current;
  access.ha1 = null;
  json(response, {});
}

function takeUpdate(request, response, query) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const answer = slots.take(Buffer.concat(parts), query.get("allow_downgrade") === "true");
    if (!Array.isArray(answer)) return json(response, answer);
    const [status, code, message] = answer;
    slots.refused(code, message);
    refuse(response, status, code, message);
  });
}

function events(request, response) {
  if (listeners.size >= state.streams) {
    refuse(response, 503, "too_many_streams", "All live streams are in use; ask for /api/v1/reading instead.");
    return;
  }
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  listeners.add(response);
  request.on("close", () => listeners.delete(response));
}

function info(_, response, __, who) {
  const all = INFO();
  const { id, name, version, git, build, board, chip, uptime_s, reset_reason, safe_mode, setup_complete, reading } =
    all;
  const { rustc, espflash } = all;
  const basics = {
    id,
    name,
    version,
    git,
    build,
    board,
    chip,
    uptime_s,
    reset_reason,
    safe_mode,
    setup_complete,
    reading,
    rustc,
    espflash,
  };
  json(response, access.open || who.right ? all : basics);
}

const INFO = () => ({
  id: ID,
  name: settings.current.device.name || ID,
  version: slots.version,
  git: "mock",
  build: "dev",
  board: "virtual",
  chip: "none",
  source: `simulated ${options.source}`,
  uptime_s: upSeconds(),
  reset_reason: "power_on",
  safe_mode: slots.safe ?? false,
  last_fault: slots.safe ? { start: 7, reason: "panic", detail: "meter.rs:12 this was made to crash" } : null,
  rustc: "1.90.0",
  espflash: "4.1.0",
  setup_complete: access.ha1 !== null,
  reading: settings.current.access.reading,
  time: clock.now,
  sample_rate_hz: RATE_HZ,
  nominal_voltage_v: 230,
  lost_samples: 0,
  storage: { journal: { rated: { writes_a_day: 8_862, erases_a_day: 18, life_years_10k: 25, life_years_100k: 250 } } },
});

const CHANGES = {
  "PUT /api/v1/relay": putRelay,
  "PATCH /api/v1/settings": patchSettings,
  "POST /api/v1/identify": (_, response) => json(response, {}),
  "POST /api/v1/restart": (_, response) => json(response, {}),
  "POST /api/v1/reset": reset,
  "POST /api/v1/setup": (body, response) => {
    const [status, answer, ...more] = access.claim(body);
    if (more.length === 0) json(response, answer, status);
    else refuse(response, status, answer, more[0], more[1] && { fields: more[1] });
  },
  "POST /api/v1/session": (_, response) => {
    response.setHeader("Set-Cookie", access.signIn());
    json(response, { right: "admin", expires_in_s: 43_200 });
  },
  "POST /api/v1/wifi/test": (body, response) => {
    const [status, code, message, fields] = net.begin(body) ?? [];
    if (status) refuse(response, status, code, message, { fields });
    else json(response, net.test(), 202);
  },
  "POST /api/v1/wifi/confirm": (_, response) => {
    if (net.confirm()) json(response, net.page());
    else refuse(response, 409, "no_test", "No network waits to be kept.");
  },
  "POST /api/v1/uplink/test": (_, response) => json(response, report.test()),
  "POST /api/v1/time": (body, response) => {
    const refusal = clock.tell(body);
    if (refusal) refuse(response, ...refusal);
    else json(response, clock.page());
  },
  "POST /api/v1/tokens": (body, response) => json(response, access.makeToken(body), 201),
  "POST /api/v1/password": (body, response, _, who) => {
    if (access.change(body, who)) json(response, { changed: true });
    else refuse(response, 422, "bad_field", "The field password must have 10 characters.");
  },
};

const GETS = {
  "/": (_, response) => asset("index.html", response),
  "/update": (_, response) => asset("index.html", response),
  "/app.js": (_, response) => asset("app.js", response),
  "/app.css": (_, response) => asset("app.css", response),
  "/pages.js": (_, response) => asset("pages.js", response),
  "/zones.json": (_, response) => asset("zones.json", response),
  "/favicon.svg": (_, response) => asset("favicon.svg", response),
  "/api/v1/info": info,
  "/api/v1/setup": (_, response) => json(response, access.setupState()),
  "/api/v1/session": (_, response, __, { right = null, by = "open", left = null }) => {
    response.setHeader("OSSP-Challenge", access.challenge());
    json(response, { right, by, expires_in_s: left });
  },
  "/api/v1/wifi": (_, response) => json(response, net.page()),
  "/api/v1/wifi/scan": (_, response) => setTimeout(() => json(response, net.scan()), 800),
  "/api/v1/update": (_, response) => json(response, slots.page(newest?.current_a ?? null)),
  "/api/v1/tokens": (_, response) => json(response, access.listTokens()),
  "/api/v1/reading": (_, response) =>
    newest ? json(response, newest) : refuse(response, 503, "no_reading", "There is no reading yet."),
  "/api/v1/relay": (_, response) => json(response, control.status()),
  "/api/v1/relay/log": (_, response) => json(response, { changes: control.changes }),
  "/api/v1/trips": (_, response) => json(response, { trips: control.trips }),
  "/api/v1/protection": (_, response) => json(response, control.protection(newest, 640 + energy.import)),
  "/api/v1/energy": (_, response) => json(response, energyPage(energy)),
  "/api/v1/settings": (_, response) => tellSettings(response),
  "/api/v1/calibration": (_, response) =>
    json(response, { id: calibrationId(), in_use: settings.calibration, offered: null }),
  "/api/v1/harmonics": (_, response) =>
    json(response, { sequence: newest?.sequence ?? 0, max_order: 39, orders: harmonicsOf(samples) }),
  "/api/v1/history": (_, response, query) => {
    const page = query.has("boot") || !clock.known ? past.boot(query.get("boot"), query) : past.page(query);
    if (!clock.known && !query.has("boot")) {
      page.unplaced = [{ boot: 3, from_uptime_s: 10, to_uptime_s: 3600, rows: 360 }];
      page.rows = [];
    }
    if (query.get("format") !== "csv") return json(response, page);
    response.writeHead(200, { "Content-Type": "text/csv; charset=utf-8" });
    response.end(csv(page));
  },
  "/api/v1/uplink": (_, response) => json(response, report.uplink()),
  "/api/v1/ledger": (_, response) => json(response, report.ledger(upSeconds())),
  "/api/v1/time": (_, response) => json(response, clock.page()),
  "/api/v1/events": events,
  "/api/v1/waveform": (_, response, query) => {
    response.writeHead(200, { "Content-Type": "text/csv; charset=utf-8" });
    response.end(recording(Number(query.get("cycles") ?? 10)));
  },
  "/mock": (_, response, query) => {
    if (query.has("flags")) state.flags = query.get("flags").split(",").filter(Boolean);
    if (query.has("locked")) {
      if (query.get("locked") === "1") control.tripNow();
      else control.rearm("re-armed by hand; still off");
    }
    if (query.has("press")) access.press();
    if (query.has("welded")) control.weld(query.get("welded") === "1");
    if (query.has("null")) state.nulls = query.get("null") === "1";
    if (query.has("streams")) state.streams = Number(query.get("streams"));
    if (query.has("safe")) slots.safe = query.get("safe") === "1";
    if (query.has("clock")) clock.known = query.get("clock") !== "0";
    if (query.has("uplink")) report.state = query.get("uplink") || null;
    if (query.has("conflict")) report.conflict = query.get("conflict") || null;
    if (state.streams === 0) for (const listener of listeners) listener.destroy();
    json(response, state);
  },
};

function unauthorized(request, response, code = "unauthorized", message = "Sign in first.", stale = false) {
  const ours = request.headers["x-requested-with"] === "ossp";
  response.setHeader(
    ours ? "OSSP-Challenge" : "WWW-Authenticate",
    `${ours ? "" : "Digest "}${access.challenge(stale)}`,
  );
  refuse(response, 401, code, message);
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://plug");
  const { method } = request;
  const who = access.allow(request, pathname, (status, code, message, { stale, wait } = {}) => {
    if (wait) response.setHeader("Retry-After", wait);
    if (status === 401) unauthorized(request, response, code, message, stale);
    else refuse(response, status, code, message);
  });
  if (!who) return;
  const change = CHANGES[`${method} ${pathname}`];
  const trip = pathname.match(/^\/api\/v1\/trips\/(\d+)\/waveform$/);
  const token = pathname.match(/^\/api\/v1\/tokens\/(\d+)$/);
  if (method === "POST" && pathname === "/api/v1/update") takeUpdate(request, response, searchParams);
  else if (change) withBody(request, response, (body) => change(body, response, request, who));
  else if (method === "GET" && GETS[pathname]) GETS[pathname](request, response, searchParams, who);
  else if (method === "DELETE" && pathname === "/api/v1/update") {
    const answer = slots.goBack(searchParams.get("allow_downgrade") === "true");
    if (Array.isArray(answer)) refuse(response, ...answer);
    else json(response, answer, 202);
  } else if (method === "DELETE" && pathname === "/api/v1/wifi/test") {
    net.revert();
    json(response, net.test());
  } else if (method === "DELETE" && pathname === "/api/v1/session") {
    response.setHeader("Set-Cookie", access.signOut(request));
    json(response, { signed_out: true });
  } else if (method === "DELETE" && access.revoke(Number(token?.[1]))) json(response, { revoked: Number(token[1]) });
  else if (method === "GET" && control.trips.some(({ number }) => number === Number(trip?.[1]))) {
    response.writeHead(200, { "Content-Type": "text/csv; charset=utf-8" });
    response.end(tripWaveform(FRONT_END));
  } else refuse(response, 404, "not_found", `There is nothing at ${pathname}.`);
});
server.listen(options.port, options.host, () => console.log(`http://${options.host}:${server.address().port}/`));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
