// The pretended plug's radio and slots: the networks of the program's scenario `first-start`, to try with and without success,
// and updates that are kept or go back. A version that ends in "-crash" goes back after a while.
import { createHash } from "node:crypto";

const CONFIRM_S = 180;
const STEP_MS = 700;
const NETWORKS = [
  { ssid: "home", signal_dbm: -52, security: "wpa2", channel: 6, joinable: true },
  { ssid: "Glass Tower", signal_dbm: -63, security: "wpa3", channel: 11, joinable: false },
  { ssid: "Cafe downstairs", signal_dbm: -74, security: "open", channel: 3, joinable: true },
  { ssid: "Flat 12", signal_dbm: -79, security: "wpa2", channel: 1, joinable: true },
  { ssid: "Office", signal_dbm: -82, security: "enterprise", channel: 6, joinable: false },
];
const PASSWORDS = { home: "by-the-window", attic: "up-the-ladder" };
const ADDRESSES = { home: "192.168.178.50", attic: "10.0.3.17" };
const SENTENCES = {
  not_found: (ssid) => `No network "${ssid}" is in range; check its name, and that it is on 2.4 GHz.`,
  wrong_password: (ssid) => `The network "${ssid}" does not take this password; check it, capitals too.`,
  only_wpa3: (ssid) => `The network "${ssid}" offers only WPA3, which this plug cannot join; allow WPA2 on it.`,
  no_address: (ssid) => `The network "${ssid}" was joined but gave no address; check that DHCP is on in its router.`,
};

/** Why it cannot be joined, at which step; nothing if it can. */
function failure({ ssid, password, hidden, address }) {
  const found = NETWORKS.find((one) => one.ssid === ssid);
  if (!found && !(hidden && ssid === "attic")) return ["searching", "not_found"];
  if (found?.security === "wpa3") return ["searching", "only_wpa3"];
  if (found?.security !== "open" && password !== PASSWORDS[ssid]) return ["joining", "wrong_password"];
  return !ADDRESSES[ssid] && !address ? ["address", "no_address"] : null;
}

export class Net {
  #test = null;
  #wish = null;
  #timer;
  #address = "192.168.178.50";

  constructor(id, settings, { fresh, hasRadio }) {
    this.id = id;
    this.settings = settings;
    this.available = hasRadio;
    if (fresh) Object.assign(settings.current.wifi, { ssid: "", password: null });
  }

  page() {
    const { wifi, device } = this.settings.current;
    const joined = wifi.ssid !== "" || this.#test?.state === "succeeded";
    return {
      available: this.available,
      state: joined ? "joined" : "no_network_known",
      ssid: wifi.ssid || null,
      signal_dbm: joined ? -52 : null,
      address: joined ? this.#address : null,
      gateway: joined ? "192.168.178.1" : null,
      last_error: null,
      last_error_message: null,
      retry_in_s: null,
      host: device.host || this.id,
      mdns: device.mdns ? `${device.host || this.id}.local` : null,
      access_point: { open: wifi.ssid === "", ssid: "OSSP-7F3A", address: "192.168.4.1", clients: 1 },
      networks: [wifi.ssid, ...wifi.more.map(({ ssid }) => ssid)].filter(Boolean),
      test: this.test(),
    };
  }

  test() {
    if (!this.#test) return null;
    const { until, ...test } = this.#test;
    const left = until && Math.max(0, (until - Date.now()) / 1000);
    return { ...test, confirm_within_s: test.state === "succeeded" ? left : null };
  }

  scan = () => ({ networks: NETWORKS, hidden: 1 });

  /** Answers a refusal, or nothing. */
  begin(wish) {
    if (typeof wish.ssid !== "string" || wish.ssid === "" || wish.ssid.length > 32)
      return [422, "bad_settings", "Something was refused.", [{ field: "ssid", message: "must have 1 to 32 bytes" }]];
    if (wish.password !== null && (wish.password ?? "").length < 8)
      return [422, "bad_settings", "Refused.", [{ field: "password", message: "must have 8 to 63 characters" }]];
    if (wish.address && !/^\d+(\.\d+){3}$/.test(wish.address.ip))
      return [422, "bad_settings", "Refused.", [{ field: "address", message: "must be an address, or null" }]];
    clearTimeout(this.#timer);
    this.#wish = wish;
    const test = { state: "running", ssid: wish.ssid, step: "searching", error: null, message: null };
    this.#test = { ...test, address: null, address_before: this.settings.current.wifi.ssid ? this.#address : null };
    this.#step(["searching", "joining", "address", "done"]);
  }

  #step([step, ...rest]) {
    const test = this.#test;
    const [where, error] = failure(this.#wish) ?? [];
    test.step = step;
    const next = (action) => {
      this.#timer = setTimeout(action, STEP_MS);
    };
    if (step === "done") {
      Object.assign(test, { state: "succeeded", address: this.#wish.address?.ip ?? ADDRESSES[test.ssid] });
      test.until = Date.now() + CONFIRM_S * 1000;
      this.#timer = setTimeout(() => this.revert(), CONFIRM_S * 1000).unref();
    } else if (step === where)
      next(() => Object.assign(test, { state: "failed", error, message: SENTENCES[error](test.ssid) }));
    else next(() => this.#step(rest));
  }

  confirm() {
    if (this.#test?.state !== "succeeded") return false;
    clearTimeout(this.#timer);
    this.#test.state = "confirmed";
    this.#address = this.#test.address;
    const { wifi } = this.settings.current;
    const { ssid, password, hidden = false, address = null } = this.#wish;
    const { ssid: old, password: secret, hidden: wasHidden, address: had, more } = wifi;
    const former = [{ ssid: old, password: secret, hidden: wasHidden, address: had }, ...more];
    const others = former.filter((one) => one.ssid !== "" && one.ssid !== ssid).slice(0, 3);
    Object.assign(wifi, { ssid, password, hidden, address, more: others });
    return true;
  }

  revert() {
    clearTimeout(this.#timer);
    if (this.#test) this.#test.state = "reverted";
  }
}

const WINDOWS = 20;

export class Slots {
  #state = "idle";
  #running;
  #other = null;
  #last = null;
  #since = 0;

  constructor(settings, restart) {
    this.settings = settings;
    this.restart = restart;
    this.#running = { version: "0.1.0", image_sha256: "5e".repeat(32), slot: 0, state: "confirmed" };
  }

  /** What was looked for in the place of the real thing: an image or a package around one. */
  take(bytes, allowDowngrade) {
    const at = bytes.indexOf(Buffer.from([0x32, 0x54, 0xcd, 0xab]));
    if (at < 32) return [422, "not_an_image", "This is no OSSP package and no image for this chip."];
    const text = (from) =>
      bytes
        .subarray(at + from, at + from + 32)
        .toString("latin1")
        .split("\0")[0];
    const [version, project] = [text(16), text(48)];
    if (project !== "ossp-firmware") return [422, "wrong_project", `The image is of "${project}", not of OSSP.`];
    if (bytes[at - 32] !== 0xe9) return [422, "image_damaged", "The image is damaged."];
    const isPackage = at > 32;
    if (!isPackage && this.#accept() === "signed")
      return [422, "signature_missing", "This image is not signed, and only signed packages are accepted."];
    if (version < this.#running.version && !allowDowngrade)
      return [422, "older_version", `Version ${version} is older than ${this.#running.version}, which runs.`];
    const image_sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#state = "activated";
    this.#last = { result: "activated", version, code: null, message: null, time: Date.now() / 1000, uptime_s: 1 };
    setTimeout(() => this.#start({ version, image_sha256, slot: 1 - this.#running.slot }), 1000);
    return { version, image_sha256, restart_in_s: 1 };
  }

  /** What is in the other slot. */
  goBack(allowDowngrade) {
    const { version } = this.#other ?? {};
    if (!version) return [409, "no_other_firmware", "There is no other firmware in this plug that could be started."];
    if (version < this.#running.version && !allowDowngrade)
      return [422, "older_version", `Version ${version} is older than ${this.#running.version}, which runs.`];
    this.#state = "activated";
    this.#other = { version, state: "activated" };
    const next = { version, image_sha256: "5e".repeat(32), slot: 1 - this.#running.slot };
    setTimeout(() => this.#start(next, this.#running.version), 1000);
    return this.page(null);
  }

  refused(code, message) {
    this.#last = { result: "refused", version: null, code, message, time: Date.now() / 1000, uptime_s: 1 };
  }

  #start(next, leaves) {
    const before = this.#running;
    this.#state = "idle";
    this.#other = { version: before.version, state: "former" };
    this.#running = { ...next, state: "on_probation" };
    this.#since = Date.now();
    this.restart();
    if (leaves) {
      this.#other.state = "went_back";
      const message = "Somebody asked to go back; the firmware before runs again.";
      this.#last = { result: "went_back", version: leaves, code: "asked", message, time: null, uptime_s: 0 };
    }
    setTimeout(() => {
      if (leaves) {
        this.#running.state = "confirmed";
        return;
      }
      const crashes = next.version.endsWith("-crash");
      const about = { version: next.version, code: null, time: Date.now() / 1000, uptime_s: 1 };
      if (!crashes) {
        this.#running.state = "confirmed";
        this.#last = { ...about, result: "confirmed", message: null };
        return;
      }
      this.#running = before;
      this.#other = { version: next.version, state: "went_back" };
      this.#last = { ...about, result: "went_back", code: "crashed", message: "It crashed three times in a row." };
      this.restart();
    }, 5000);
  }

  #accept() {
    const { accept } = this.settings.current.update;
    return accept === "default" ? "any" : accept;
  }

  get version() {
    return this.#running.version;
  }

  page(load) {
    const probation = {
      windows: Math.min(WINDOWS, Math.floor((Date.now() - this.#since) / 200)),
      windows_wanted: WINDOWS,
      stores_open: true,
      network: "joined",
      gives_up_in_s: 600 - (Date.now() - this.#since) / 1000,
    };
    const { keys, warn_above_a } = this.settings.current.update;
    return {
      state: this.#state,
      running: {
        ...this.#running,
        git: "0123abc",
        project: "ossp-firmware",
        chip: "pc",
        board: "virtual",
        probation: this.#running.state === "on_probation" ? probation : null,
      },
      other: this.#other,
      capacity_bytes: 1_376_256,
      size_bytes: null,
      received_bytes: null,
      accept: this.#accept(),
      built_with_key: false,
      keys: keys.map((key) => ({ key, source: "owner" })),
      last: this.#last,
      load_current_a: load,
      warn_above_a,
      safe_mode: this.safe ?? false,
    };
  }
}
