// What the pretended plug keeps and sends: a week of history, Emoncms, the ledger, the time. In memory and made up, in the
// words and shapes of the real one.

const ROW_S = 10;
const WEEK_S = 7 * 86_400;
const COLUMNS = [
  "time",
  "active_power_w",
  "power_min_w",
  "power_max_w",
  "voltage_v",
  "current_a",
  "power_factor",
  "frequency_hz",
  "energy_import_wh",
  "energy_export_wh",
  "measured",
  "relay",
  "interval_s",
  "quality",
];
const MOST_ROWS = 500;
const HOUR_S = 3600;

/** Always the same number between 0 and 1 for the same whole number. */
const chance = (n) => {
  const x = Math.sin(n * 12.9898) * 43_758.5453;
  return x - Math.floor(x);
};

/** A fridge, a kettle at breakfast and now and then, a lamp in the evening. */
function watts(at) {
  const hour = (at % 86_400) / HOUR_S;
  const fridge = at % 2400 < 900 ? 82 + 6 * chance(Math.floor(at / ROW_S)) : 1.2;
  const kettle = chance(Math.floor(at / 900)) < (hour > 5 && hour < 9 ? 0.25 : 0.06) && at % 900 < 170 ? 2010 : 0;
  return fridge + kettle + (hour > 16 && hour < 21 ? 38 : 0);
}

/** Half an hour that the plug was off two days ago, and seven minutes in the last hour. */
const isOff = (at, now) => {
  const ago = now - at;
  return (ago > 2 * 86_400 && ago < 2 * 86_400 + 9 * HOUR_S) || (ago > 1500 && ago < 1920);
};

export class History {
  #rows = [];
  #wattHours = 1_193_967.8;
  #begun = Date.now() / 1000;

  constructor() {
    const first = Math.ceil((this.#begun - 6.4 * 86_400) / ROW_S) * ROW_S;
    for (let at = first; at < this.#begun; at += ROW_S) this.#add(at);
  }

  #add(at) {
    if (isOff(at, this.#begun)) return;
    const power = watts(at);
    this.#wattHours += (power * ROW_S) / HOUR_S;
    const voltage = 230 + 3 * Math.sin(at / 9000) + chance(at) - 0.5;
    this.#rows.push({ at, power, voltage, total: this.#wattHours, measured: chance(at + 3) < 0.002 ? 0.6 : 1 });
  }

  get #newest() {
    for (let at = this.#rows.at(-1).at + ROW_S; at < Date.now() / 1000; at += ROW_S) this.#add(at);
    return this.#rows;
  }

  /** Rows over steps that end on multiples of the step. */
  page(query) {
    const now = Date.now() / 1000;
    const end = Number(query.get("end") ?? now);
    const start = Number(query.get("start") ?? end - HOUR_S);
    const least = Math.max(ROW_S, (end - start) / MOST_ROWS);
    const step = Math.max(ROW_S, Number(query.get("step") ?? Math.ceil(least / ROW_S) * ROW_S));
    const all = this.#newest;
    const rows = [];
    let n = all.findIndex(({ at }) => at > start);
    for (let to = (Math.floor(start / step) + 1) * step; to <= end; to += step) {
      const mine = [];
      while (n >= 0 && n < all.length && all[n].at <= to) mine.push(all[n++]);
      rows.push(mine.length > 0 ? this.#mean(mine, to, step) : [to, ...COLUMNS.slice(1).map(() => null)]);
    }
    return {
      step_s: step,
      columns: COLUMNS,
      rows,
      unplaced: [{ boot: 2, from_uptime_s: 10, to_uptime_s: 5230, rows: 523 }],
    };
  }

  #mean(rows, to, step) {
    const mean = (pick) => rows.reduce((sum, row) => sum + pick(row), 0) / rows.length;
    const power = mean((row) => row.power);
    const voltage = mean((row) => row.voltage);
    const measured = rows.reduce((sum, row) => sum + row.measured, 0) * (ROW_S / step);
    return [
      to,
      power,
      Math.min(...rows.map((row) => row.power)) * 0.98,
      Math.max(...rows.map((row) => row.power)) * 1.02,
      voltage,
      power / voltage / 0.96,
      power > 5 ? 0.96 : null,
      50 + 0.02 * Math.sin(to / 777),
      rows.at(-1).total,
      0,
      Math.min(1, measured),
      true,
      step,
      "uncalibrated",
    ];
  }

  /** A start that never learned the time. */
  boot(number, query) {
    const { unplaced: _, ...page } = this.page(new URLSearchParams());
    const start = Number(query.get("start") ?? 0);
    const end = Number(query.get("end") ?? 5230);
    const rows = page.rows.map((row, n) => [10 * (n + 1), ...row.slice(1)]).filter(([at]) => at > start && at <= end);
    return { ...page, columns: ["uptime_s", ...COLUMNS.slice(1)], rows };
  }
}

export const csv = ({ columns, rows }) =>
  [columns, ...rows]
    .map((row) => row.map((value) => value ?? "").join(","))
    .join("\n")
    .concat("\n");

const BAD_KEY = "The server does not know this write key: copy it from Emoncms' account page.";
const SERVER_SAID = {
  key: { code: "bad_key", message: BAD_KEY, server_said: "Invalid API key" },
};

/** `GET /mock?uplink=catching_up` and the like chooses what it is at. */
export class Report {
  state = null;
  sent = 0;
  #since = Date.now() / 1000;

  constructor(settings) {
    this.settings = settings;
  }

  uplink() {
    const { enabled, url, node, transport, interval_s, send_every_s } = this.settings.current.emoncms;
    const now = Date.now() / 1000;
    const state = enabled ? (this.state ?? "up_to_date") : "off";
    const behind = { catching_up: 17_280, backing_off: 41, stopped: 960, waiting_for_clock: 12 }[state] ?? 0;
    const queued = state === "catching_up" ? Math.max(20, behind - Math.floor((now - this.#since) * 60)) : behind;
    const trouble = ["backing_off", "stopped"].includes(state);
    const error =
      state === "stopped"
        ? SERVER_SAID.key
        : {
            code: "no_answer",
            message: "The server took too long to answer.",
            server_said: null,
          };
    return {
      configured: url !== "",
      enabled,
      transport,
      url,
      node: node || "ossp-7f3a",
      state,
      last_success: enabled && !trouble ? now - 4 : now - 900,
      last_error: trouble ? { time: now - 20, ...error } : null,
      queued,
      oldest_queued: queued > 0 ? now - queued * 10 : null,
      newest_queued: queued > 0 ? now - 3 : null,
      dropped: state === "catching_up" ? 120 : 0,
      thinned: 0,
      last_set_aside: now - 7200,
      set_aside_because: "Format error, json string supplied is not valid",
      set_aside: state === "catching_up" ? 1 : 0,
      rate_rows_per_s: state === "catching_up" ? 60 : null,
      catch_up_s: state === "catching_up" ? queued / 60 : null,
      next_attempt_s: state === "backing_off" ? 34 : null,
      cursor: now - queued * 10 - 4,
      conflict: this.conflict ? { code: "newer", message: this.conflict, server_time: now - 600 } : null,
      interval_s,
      send_every_s,
      sent_rows: 4 + Math.floor((now - this.#since) / 10),
    };
  }

  test() {
    const { url, node, transport, user_id, write_key } = this.settings.current.emoncms;
    if (!url) {
      const verdict = {
        ok: false,
        code: "not_configured",
        message: "Emoncms is not configured: give a URL and a write key.",
      };
      return { sent: null, received: null, verdict, took_s: null };
    }
    const data = `data=[[${Math.floor(Date.now() / 10_000) * 10},"${node || "ossp-7f3a"}",{"power":1992.1,"energy":1193967}]]&time=0`;
    const secret = transport === "encrypted";
    const ok = write_key !== null && !/^0+$/.test(write_key);
    const headers = {
      "Host": new URL(url).host,
      "Content-Type": secret ? "aes128cbc" : "application/x-www-form-urlencoded",
      "Authorization": secret
        ? `${user_id}:98b271b6b52b948548f1359c822148332e02392850f5a6e6df1500d136d5b402`
        : "Bearer ****",
      "Content-Length": String(data.length),
    };
    return {
      sent: {
        method: "POST",
        url: `${url}/input/bulk`,
        headers,
        body: secret
          ? "AAECAwQFBgcICQoLDA0OD0GYkOtBMXn-OYyRBib51Y1bqOs2soLMgQN5-YWs3EHP6Dtei24zwd-Bamqp25ZsAw"
          : encodeURI(data),
        plaintext: secret ? data : null,
      },
      received: {
        status: ok ? 200 : 401,
        headers: { "Content-Type": "text/plain;charset=UTF-8" },
        body: ok ? (secret ? "RzMtMVvl68l-TuFtnhM-ZXwW4fD1cxybzqsgoW8J8u0=" : "ok") : "Invalid API key",
      },
      verdict: ok
        ? { ok: true, code: "accepted", message: "The server took it." }
        : { ok: false, code: "bad_key", message: BAD_KEY },
      took_s: 0.084,
    };
  }

  /** Nothing, while nothing is configured. */
  ledger(uptime) {
    const { enabled, url } = this.settings.current.emoncms;
    const since = { since: Date.now() / 1000 - uptime, since_uptime_s: 0, uptime_s: uptime };
    const total = { count: 0, failed: 0, bytes_out: 0, bytes_in: 0 };
    if (!enabled || !url) return { ...since, total, destinations: [], connections: [], bodies: [] };
    const hour = Math.floor(Date.now() / 3.6e6) * HOUR_S;
    const { hostname, port } = new URL(url);
    const where = { host: hostname, port: Number(port || 80), purpose: "emoncms" };
    const hours = Array.from({ length: 90 }, (_, n) => ({
      time: hour - n * HOUR_S,
      uptime_s: 4 * 86_400 - n * HOUR_S,
      count: 360,
      failed: n > 20 && n < 26 ? 360 : n % 17 === 3 ? 40 : 0,
      bytes_out: 122_000 + 900 * n,
      bytes_in: 61_000,
    }));
    const one = (n) => ({
      ...where,
      time: Date.now() / 1000 - 10 * n,
      uptime_s: uptime - 10 * n,
      result: n % 7 === 5 ? "timed_out" : "ok",
      bytes_out: 338,
      bytes_in: n % 7 === 5 ? 0 : 171,
      took_s: 0.09,
    });
    const why = "sends the measured rows to Emoncms";
    return {
      ...since,
      // As if it had run for four days.
      uptime_s: 4 * 86_400,
      total: { count: 32_000, failed: 2400, bytes_out: 1.1e7, bytes_in: 5e6 },
      destinations: [
        { ...where, setting: "emoncms.enabled", why, hours },
        {
          host: hostname,
          port: 53,
          purpose: "dns",
          setting: "emoncms.enabled",
          why: "asks the network's name server for the address of this host",
          hours: hours.slice(0, 3).map((hour) => ({ ...hour, count: 2, failed: 0, bytes_out: 66, bytes_in: 98 })),
        },
      ],
      connections: Array.from({ length: 40 }, (_, n) => one(n)),
      bodies: Array.from({ length: 3 }, (_, n) => ({
        ...one(n),
        cut: false,
        body: `data=[[${hour + 10 * n},"ossp-7f3a",{"power":1992.1,"energy":1193967}]]&time=0`,
      })),
    };
  }
}

export class Time {
  known = true;
  #told = Date.now() / 1000 - 300;
  #by = null;

  constructor(settings) {
    this.settings = settings;
  }

  get now() {
    return this.known ? Date.now() / 1000 : null;
  }

  tell({ time }) {
    if (typeof time !== "number") return [422, "bad_field", "The field time must be a number of seconds."];
    this.known = true;
    this.#told = Date.now() / 1000;
    this.#by = "browser";
  }

  page() {
    const { source } = this.settings.current.time;
    const age = Date.now() / 1000 - this.#told;
    return {
      time: this.now,
      source,
      from: this.known ? (this.#by ?? (source === "none" ? "platform" : source)) : null,
      uncertainty_s: this.known ? 0.02 + age * 50e-6 : null,
      age_s: this.known ? age : null,
      doubt: null,
      asked: source === "ntp" ? { server: "pool.ntp.org", ago_s: age, error: null } : null,
    };
  }
}
