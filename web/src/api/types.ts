// The wire shapes of /api/v1, named as in the contract. `null` is "does not exist", never 0.

export interface Reading {
  sequence: number;
  time: number | null;
  uptime_s: number;
  window: { cycles: number | null; samples: number; lost: number; duration_s: number; sample_rate_hz: number };
  voltage_v: number;
  current_a: number;
  active_power_w: number;
  apparent_power_va: number;
  reactive_power_var: number | null;
  power_factor: number | null;
  displacement_power_factor: number | null;
  frequency_hz: number | null;
  thd_voltage_pct: number | null;
  thd_current_pct: number | null;
  harmonics_max_order: number | null;
  crest_factor_current: number | null;
  voltage_dc_v: number | null;
  current_dc_a: number | null;
  current_total_a: number | null;
  current_noise_floor_a: number | null;
  current_noise_corrected_a: number | null;
  half_cycle: {
    voltage_min_v: number | null;
    voltage_max_v: number | null;
    current_min_a: number | null;
    current_max_a: number | null;
  };
  energy_import_wh: number;
  energy_export_wh: number;
  energy_below_noise_wh: number;
  unmeasured_s: number;
  calibration: { version: number; hash: string };
  relay: boolean;
  quality: string[];
}

export interface Info {
  id: string;
  name: string;
  version: string;
  git?: string | null;
  build?: string | null;
  board: string;
  chip?: string | null;
  source?: string | null;
  uptime_s: number;
  reset_reason?: string | null;
  /** It crashed again and again: nothing but network, sign-in and update run. */
  safe_mode?: boolean;
  /** The last time that it ended badly. */
  last_fault?: { start: number; reason: string; detail: string } | null;
  image_sha256?: string | null;
  rustc?: string | null;
  espflash?: string | null;
  setup_complete?: boolean;
  /** Whether everybody may read. What follows is told only to those who may. */
  reading?: "open" | "closed";
  time?: number | null;
  sample_rate_hz?: number;
  nominal_voltage_v?: number;
  lost_samples?: number;
  /** What is written to the flash, and how long it lasts. */
  storage?: {
    journal?: {
      rated?: {
        writes_a_day?: number;
        erases_a_day?: number;
        life_years_10k?: number;
        life_years_100k?: number;
      };
    };
  } | null;
}

export interface Harmonic {
  order: number;
  voltage_v: number | null;
  voltage_phase_deg: number | null;
  current_a: number | null;
  current_phase_deg: number | null;
}

export interface Harmonics {
  sequence: number;
  max_order: number;
  orders: Harmonic[];
}

/** Somebody who wants the relay on or off. */
export interface Claim {
  class: string;
  source: string;
  on: boolean;
  cause: string;
  since: number | null;
  since_uptime_s: number;
  ends_in_s: number | null;
  until: "schedule" | "time" | "released" | null;
  /** This one decides; the others wait. */
  holds: boolean;
}

export interface RelayStatus {
  on: boolean;
  measured: boolean | null;
  commanded_by: string;
  reason: string;
  since: number | null;
  since_uptime_s: number;
  remaining_s: number | null;
  locked_out: boolean;
  switch_count: number;
  /** Highest class first. */
  claims?: Claim[];
  /** It wants to switch on and must wait so long. */
  delayed_s?: number | null;
  delay_reason?: string | null;
  trip?: { kind: string; cause: string; time: number | null; uptime_s: number; number: number } | null;
  retry_in_s?: number | null;
  retries_left?: number;
  alarm?: { kind: string; cause: string; since: number | null; since_uptime_s: number } | null;
  schedule?: {
    state: "off" | "clock_untrusted" | "no_edges" | "running";
    reason: string;
    next: { time: number; on: boolean; entry: number } | null;
  };
}

export interface RelayChange {
  number?: number;
  time: number | null;
  uptime_s: number;
  /** In which run of the plug. */
  start?: number;
  on: boolean;
  source: string;
  cause: string;
  locked_out?: boolean;
  reading_sequence: number | null;
  active_power_w: number | null;
  current_a: number | null;
  voltage_v?: number | null;
}

export interface Trip {
  number: number;
  time: number | null;
  uptime_s: number;
  start: number;
  kind: string;
  cause: string;
  /** How many samples were kept. */
  pairs: number;
  before_s: number;
  after_s: number;
  complete: boolean;
}

/** How near the protections are to a trip. */
export interface Protection {
  state: string;
  /** Why it is locked out. */
  cause?: string | null;
  retry_in_s?: number | null;
  /** `pause` or `condition`: that what tripped is gone. */
  retry_waits_for?: string | null;
  thermal_pct?: number | null;
  /** Until inverse time trips at the present current. */
  thermal_trip_in_s?: number | null;
  over_power_s?: number | null;
  over_voltage_s?: number | null;
  under_voltage_s?: number | null;
  chip_temperature_c?: number | null;
  budget?: { used_wh: number; of_wh: number | null; since: number | null } | null;
  /** What is in force, by the settings' names. */
  limits?: Record<string, number | boolean | null>;
}

export interface EnergyPart {
  import_wh: number;
  export_wh: number;
  unmeasured_s: number;
}

export interface Energy {
  meter_id: string;
  energy_import_wh: number;
  energy_export_wh: number;
  energy_below_noise_wh: number;
  unmeasured_s: number;
  today: EnergyPart | null;
  days: (EnergyPart & { date: string })[];
  months: (EnergyPart & { month: string })[];
}

export interface CalibrationPage {
  id: { version: number; hash: string };
  in_use: { [name: string]: Json };
}

/** Anything JSON. The settings are taken as such: the table of fields in texts/settings.ts says what is in them. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Settings as the plug gave them, with the tag that says which ones these are. */
export interface Kept {
  settings: { [name: string]: Json };
  etag: string | null;
}

/** A line of the plug's log, as it comes with the events. */
export interface LogLine {
  sequence: number;
  time: number | null;
  uptime_s: number;
  message: string;
}

export interface RelayCommand {
  on?: boolean;
  toggle?: true;
  /** Ends a lock-out. */
  rearm?: true;
  /** Ends the claim made by hand. */
  release?: true;
  cancel_retries?: true;
  for_s?: number;
}

export type Right = "read" | "control" | "admin";

/** Who this browser is to the plug. */
export interface Session {
  right: Right | null;
  by: "session" | "digest" | "token" | "open";
  expires_in_s: number | null;
}

/** A plug's first minutes. */
export interface SetupState {
  setup_complete: boolean;
  /** Somebody has to press the button. */
  button?: boolean;
  waiting?: { expires_in_s: number } | null;
  /** In the answer to a claim that waits for the button. */
  expires_in_s?: number;
  proposed?: { name: string; access_point_ssid: string };
  password_characters?: number;
}

/** A program's key, without its secret. */
export interface Token {
  id: number;
  name: string;
  scope: Right;
  created: number | null;
}

/** Rows over steps, oldest first; a step without a row is a row of nulls but for its time. */
export interface HistoryPage {
  step_s: number;
  columns: string[];
  rows: (number | boolean | string | null)[][];
  /** Starts of the plug that never learned the time: their rows have no place here. Not told where one is asked for. */
  unplaced?: { boot: number; from_uptime_s: number; to_uptime_s: number; rows: number }[];
}

/** How the sending to Emoncms stands. */
export interface Uplink {
  configured: boolean;
  enabled: boolean;
  transport: "encrypted" | "plain";
  url: string;
  node: string;
  state: string;
  last_success: number | null;
  last_error: { time: number | null; code: string; message: string; server_said?: string | null } | null;
  queued: number;
  oldest_queued: number | null;
  newest_queued: number | null;
  /** Gone before the server took them. */
  dropped: number;
  /** Of these the log has means over longer steps only. */
  thinned?: number;
  set_aside: number;
  last_set_aside?: number | null;
  set_aside_because?: string;
  rate_rows_per_s: number | null;
  catch_up_s: number | null;
  next_attempt_s: number | null;
  cursor: number | null;
  conflict: { code: string; message: string; server_time: number } | null;
  interval_s: number;
  send_every_s: number;
  sent_rows: number;
}

/** One real request to Emoncms, as it went out and what came back. */
export interface UplinkTest {
  sent: {
    method: string;
    url: string;
    headers: Record<string, string>;
    body: string;
    plaintext?: string | null;
  } | null;
  received: { status: number; headers: Record<string, string>; body: string } | null;
  verdict: { ok: boolean; code: string; message: string };
  took_s: number | null;
}

/** What left the plug since it started. */
export interface Ledger {
  /** When counting began; `null` before the clock is known. */
  since: number | null;
  since_uptime_s: number;
  /** Now. */
  uptime_s: number;
  total: { count: number; failed: number; bytes_out: number; bytes_in: number };
  /** Destinations that made room for others. */
  forgotten_destinations?: number;
  destinations: Destination[];
  connections: Connection[];
  bodies: (Connection & { cut: boolean; body: string })[];
}

export interface Destination {
  host: string;
  port: number;
  purpose: string;
  setting: string | null;
  why: string;
  hours: LedgerHour[];
}

export interface LedgerHour {
  /** Begin of the hour; hours count from the start of the plug. */
  time: number | null;
  uptime_s: number;
  count: number;
  failed: number;
  bytes_out: number;
  bytes_in: number;
}

export interface Connection {
  time: number | null;
  uptime_s: number;
  host: string;
  port: number;
  purpose: string;
  result: string;
  bytes_out: number;
  bytes_in: number;
  took_s: number | null;
}

/** What the plug knows of the time of day. */
export interface TimeState {
  time: number | null;
  /** Who may tell it: the setting. */
  source: string;
  /** Who told it last. */
  from: string | null;
  uncertainty_s: number | null;
  /** How long ago that was. */
  age_s: number | null;
  /** Somebody says something quite different, and so many others must agree; `first`: different from the log. */
  doubt: { by_s: number; answers: number; needed: number; first: boolean } | null;
  /** The last question to a time server. */
  asked: { server: string; ago_s: number; error: { code: string; message: string } | null } | null;
}

/** How the plug is connected. */
export interface Wifi {
  /** False: it has no radio. */
  available: boolean;
  state: string | null;
  ssid: string | null;
  signal_dbm: number | null;
  address: string | null;
  gateway?: string | null;
  last_error?: string | null;
  last_error_message?: string | null;
  retry_in_s?: number | null;
  host?: string | null;
  /** `ossp-xxxx.local`; `null`: it does not answer to one. */
  mdns?: string | null;
  access_point?: { open: boolean; ssid: string; address: string | null; clients?: number } | null;
  networks?: string[];
  /** Why networks that it knows were not joined. */
  errors?: { ssid: string; message: string | null }[];
  test?: WifiTest | null;
}

/** A network that is being tried, or how the last try ended. */
export interface WifiTest {
  state: "running" | "succeeded" | "failed" | "confirmed" | "reverted";
  ssid: string;
  step: "searching" | "joining" | "address" | "done";
  error: string | null;
  message: string | null;
  address: string | null;
  address_before: string | null;
  confirm_within_s: number | null;
}

export interface FoundNetwork {
  ssid: string;
  signal_dbm: number;
  security: string;
  channel: number;
  joinable: boolean;
}

export interface Scan {
  /** Strongest first. */
  networks: FoundNetwork[];
  hidden: number;
}

/** An address that is not given by the network. */
export type Static = { ip: string; prefix: number; gateway: string | null; dns: string | null };

/** What to try. */
export interface NetworkWish {
  ssid: string;
  password: string | null;
  hidden: boolean;
  address: Static | null;
}

/** How updates stand. */
export interface Update {
  state: "idle" | "receiving" | "checking" | "activated";
  running: {
    slot: number | null;
    version: string;
    git?: string | null;
    project?: string | null;
    chip?: string | null;
    board?: string | null;
    image_sha256: string | null;
    state: "confirmed" | "on_probation" | "unrecorded";
    probation: Probation | null;
  };
  other: { version: string | null; state: string } | null;
  capacity_bytes: number | null;
  size_bytes: number | null;
  received_bytes: number | null;
  accept: "signed" | "any";
  /** Whether a key came with the program. */
  built_with_key: boolean;
  keys: { key: string; source: "project" | "owner" }[];
  last: {
    result: "activated" | "confirmed" | "went_back" | "refused";
    version: string | null;
    code: string | null;
    message: string | null;
    time: number | null;
    uptime_s: number | null;
  } | null;
  load_current_a: number | null;
  warn_above_a: number;
  safe_mode: boolean;
}

/** What a new program still has to show before it is kept. */
export interface Probation {
  windows: number;
  windows_wanted: number;
  stores_open: boolean;
  network: "joined" | "access_point" | "waiting" | "off_the_air";
  gives_up_in_s: number | null;
}

/** An update was taken; the plug restarts by itself. */
export interface Activated {
  version: string;
  image_sha256: string;
  restart_in_s: number;
}
