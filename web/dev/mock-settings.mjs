// The settings of the pretended plug: defaults, merge patches, refusals and tags as the real one has them. In memory.
import { createHash } from "node:crypto";

const DEFAULTS = {
  schema: 1,
  device: { name: "Workbench", button_locked: false, led_off: false, host: "", mdns: true },
  wifi: {
    ssid: "home",
    password: "hidden",
    hidden: false,
    address: null,
    more: [],
    access_point: "fallback",
    access_point_ssid: "",
    access_point_password: "hidden too",
    access_point_after_loss_s: 300,
    access_point_linger_s: 60,
  },
  update: { accept: "default", keys: [], retired: [], warn_above_a: 1 },
  access: { reading: "closed", hosts: [] },
  relay: {
    power_on: "last",
    start_delay_s: 0,
    start_delay_random_s: 0,
    minimum_on_s: 0,
    minimum_off_s: 0,
    switchings_a_minute: 30,
    manual_until: "schedule",
    inching_s: null,
    idle_off_below_w: null,
    idle_off_after_s: 600,
    hold_on_restart: false,
  },
  schedule: { enabled: false, entries: [] },
  protection: {
    current_limit_a: null,
    rated_current_a: null,
    inverse_time: true,
    power_limit_w: null,
    power_hold_s: 10,
    voltage_max_v: null,
    voltage_min_v: null,
    voltage_hysteresis_v: 5,
    voltage_hold_s: 1,
    energy_budget_wh: null,
    chip_temperature_max_c: 90,
    sensor_fault: true,
    clipped: true,
    retries: 0,
    retry_pause_s: 60,
    retry_back_off: 2,
  },
  calibration: null,
  time: {
    zone: "Etc/UTC",
    posix: "UTC0",
    source: "none",
    ntp_servers: "pool.ntp.org",
    latitude_deg: null,
    longitude_deg: null,
  },
  history: { interval_s: 10 },
  emoncms: {
    enabled: false,
    url: "",
    node: "",
    write_key: null,
    read_key: null,
    user_id: null,
    transport: "encrypted",
    interval_s: 10,
    send_every_s: 10,
    begin: "now",
    input_power: "power",
    input_energy: "energy",
    input_energy_kwh: "",
    input_energy_export: "",
    input_voltage: "voltage",
    input_current: "current",
    input_power_factor: "power_factor",
    input_frequency: "frequency",
    input_power_min: "",
    input_power_max: "",
    input_relay: "",
  },
};

const channel = (gain, zero_raw) => ({ gain, gain_uncertainty_pct: 3, zero_raw, zero_uncertainty_raw: 2 });
export const BOARD_CALIBRATION = {
  version: 0,
  date: null,
  reference: "computed from the parts",
  voltage: channel(0.2, 2048),
  current: channel(0.0147, 2045),
  phase_deg: 0,
  phase_uncertainty_deg: 0.5,
  current_noise_floor_a: 0.0125,
};

/** Least, most and whether there may be none, by path. */
const NUMBERS = {
  "relay.start_delay_s": [0, 3600],
  "relay.start_delay_random_s": [0, 3600],
  "relay.minimum_on_s": [0, 86400],
  "relay.minimum_off_s": [0, 86400],
  "relay.switchings_a_minute": [0, 60],
  "relay.inching_s": [1, 86400, true],
  "relay.idle_off_below_w": [0.1, 4000, true],
  "relay.idle_off_after_s": [1, 86400],
  "protection.current_limit_a": [0.1, 16, true],
  "protection.rated_current_a": [0.1, 16, true],
  "protection.power_limit_w": [1, 4000, true],
  "protection.power_hold_s": [0, 3600],
  "protection.voltage_max_v": [100, 300, true],
  "protection.voltage_min_v": [50, 300, true],
  "protection.voltage_hysteresis_v": [0, 50],
  "protection.voltage_hold_s": [0, 3600],
  "protection.energy_budget_wh": [1, 1e6, true],
  "protection.chip_temperature_max_c": [40, 125, true],
  "protection.retries": [0, 10],
  "protection.retry_pause_s": [1, 86400],
  "protection.retry_back_off": [1, 10],
  "history.interval_s": [1, 3600],
  "update.warn_above_a": [0, 16],
  "wifi.access_point_after_loss_s": [0, 86400],
  "wifi.access_point_linger_s": [0, 86400],
  "emoncms.interval_s": [1, 3600],
  "emoncms.send_every_s": [1, 3600],
  "emoncms.user_id": [1, 4_294_967_295, true],
  "time.latitude_deg": [-90, 90, true],
  "time.longitude_deg": [-180, 180, true],
};

const isGroup = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** RFC 7396, but null is a value here: "off". */
function merge(target, patch) {
  if (!isGroup(patch)) return patch;
  const result = isGroup(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) result[name] = merge(result[name], value);
  return result;
}

/** Names in `settings` that `known` does not have. */
function unknown(settings, known, prefix = "") {
  return Object.entries(settings).flatMap(([name, value]) => {
    const path = prefix + name;
    if (prefix === "calibration." || path === "calibration") return [];
    if (!(name in known)) return [{ field: path, message: "is not a setting of this plug" }];
    return isGroup(value) && isGroup(known[name]) ? unknown(value, known[name], `${path}.`) : [];
  });
}

function wrongEntry(entry, n) {
  const at = /^(([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?|sun(rise|set)([+-]0[0-6]:[0-5]\d)?)$/;
  const wrong = (name, message) => ({ field: `schedule.entries[${n}].${name}`, message });
  return [
    !at.test(entry.at) &&
      wrong("at", "must be a time such as 06:30, sunrise or sunset-00:30, at most 6 h from the sun"),
    entry.days?.length === 0 && wrong("days", "must name a day"),
    !(entry.random_s >= 0 && entry.random_s <= 3600) && wrong("random_s", "must be a number from 0 to 3600"),
  ].filter(Boolean);
}

function wrongFields(settings) {
  const found = unknown(settings, DEFAULTS);
  const wrong = (field, message) => found.push({ field, message });
  for (const [path, [least, most, optional]] of Object.entries(NUMBERS)) {
    const [group, name] = path.split(".");
    const value = settings[group][name];
    if (value === null && optional) continue;
    if (typeof value !== "number" || value < least || value > most)
      wrong(path, `must be a number from ${least} to ${most}${optional ? ", or null" : ""}`);
  }
  const { voltage_min_v: low, voltage_max_v: high } = settings.protection;
  if (low !== null && high !== null && low >= high) wrong("protection.voltage_min_v", "must be below voltage_max_v");
  if (settings.device.name.length > 32) wrong("device.name", "must have at most 32 bytes");
  const { ssid, password, access_point_password: own } = settings.wifi;
  if (own !== null && !/^[ -~]{8,63}$/.test(own)) wrong("wifi.access_point_password", "must have 8 to 63 characters");
  if (settings.access.hosts.length > 4) wrong("access.hosts", "must be at most four names");
  if (ssid.length > 32) wrong("wifi.ssid", "must have at most 32 bytes");
  if (password !== null && (password.length < 6 || password.length > 64))
    wrong("wifi.password", "must have 8 to 64 characters");
  if (!/^[A-Z<]/.test(settings.time.posix))
    wrong("time.posix", "must be a POSIX TZ string such as CET-1CEST,M3.5.0,M10.5.0/3");
  const { entries } = settings.schedule;
  if (entries.length > 16) wrong("schedule.entries", "must be at most 16");
  found.push(...entries.flatMap(wrongEntry));
  found.push(...wrongEmoncms(settings));
  const gain = settings.calibration?.voltage?.gain;
  if (gain !== undefined && !(gain > 0)) wrong("calibration.voltage.gain", "must be a number above 0");
  return found;
}

/** What Emoncms needs once it is on. */
function wrongEmoncms({ emoncms, time }) {
  const { enabled, url, transport, user_id, write_key } = emoncms;
  const found = [];
  const wrong = (field, message) => found.push({ field: `emoncms.${field}`, message });
  if (/^https/.test(url)) wrong("url", "must begin with http://: this plug has no TLS yet");
  else if (url && !/^http:\/\/./.test(url)) wrong("url", "must begin with http://");
  if (write_key !== null && !/^[0-9a-f]{32}$/.test(write_key)) wrong("write_key", "must have 32 hexadecimal digits");
  if (!enabled) return found;
  if (!url) wrong("url", "must be given");
  if (write_key === null) wrong("write_key", "must be given");
  if (transport === "encrypted" && user_id === null) wrong("user_id", "must be given for the encrypted transport");
  if (time.source === "none") wrong("enabled", "needs a source of the time (time.source)");
  return found;
}

/** "set" stays what it is for a network of that name, wherever it stands now. */
function keepPasswords(wanted, { ssid, password, more }) {
  const known = new Map([...more, { ssid, password }].map((one) => [one.ssid, one.password]));
  wanted.more = wanted.more.map((one) => (one.password === "set" ? { ...one, password: known.get(one.ssid) } : one));
  if (wanted.password === "set" || wanted.ssid !== ssid) wanted.password = known.get(wanted.ssid) ?? wanted.password;
  if (wanted.password === "set") wanted.password = null;
}

const told = (secret) => (secret === null ? null : "set");

export class Settings {
  current = structuredClone(DEFAULTS);

  get calibration() {
    return this.current.calibration ?? BOARD_CALIBRATION;
  }

  /** As told: without secrets. */
  get told() {
    const { wifi, emoncms } = this.current;
    const { version: _, ...calibration } = this.calibration;
    return {
      ...this.current,
      calibration,
      emoncms: { ...emoncms, write_key: told(emoncms.write_key), read_key: told(emoncms.read_key) },
      wifi: {
        ...wifi,
        password: told(wifi.password),
        more: wifi.more.map((one) => ({ ...one, password: told(one.password) })),
        access_point_password: told(wifi.access_point_password),
      },
    };
  }

  get etag() {
    return `"${createHash("sha256").update(JSON.stringify(this.current)).digest("hex").slice(0, 16)}"`;
  }

  /** Answers `[status, code, message, fields]` of a refusal, or nothing. */
  change(patch, ifMatch) {
    if (ifMatch !== undefined && ifMatch !== this.etag)
      return [412, "changed_meanwhile", "The settings were changed meanwhile: load them again."];
    if (!isGroup(patch)) return [422, "bad_settings", "The settings must be a JSON object."];
    const wanted = merge(this.current, patch);
    keepPasswords(wanted.wifi, this.current.wifi);
    if (patch.calibration?.reset) wanted.calibration = null;
    else if (patch.calibration) {
      const { version } = this.calibration;
      const date = Math.floor(Date.now() / 1000);
      wanted.calibration = merge(this.calibration, { date, ...patch.calibration, version: version + 1 });
    }
    const fields = wrongFields(wanted);
    if (fields.length > 0) {
      const count = fields.length === 1 ? "One setting was" : `${fields.length} settings were`;
      return [422, "bad_settings", `${count} refused; nothing was changed.`, fields];
    }
    this.current = wanted;
  }
}
