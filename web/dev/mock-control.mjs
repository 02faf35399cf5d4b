// Who decides in the pretended plug: claims, a schedule, trips with their waveform, retries, a welded contact. Much
// simpler than the real thing, in the same words.

const CLASSES = ["protection", "manual", "timer", "schedule", "power_on"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const RATE_HZ = 4000;

export class Control {
  claims = new Map();
  on = false;
  since = Date.now() / 1000;
  sinceUptime = 0;
  reason = "";
  source = "power_on";
  switches = 0;
  locked = false;
  trip = null;
  retryAt = null;
  retriesLeft = 0;
  alarm = null;
  changes = [];
  trips = [];
  wake = () => {};

  constructor(settings, uptime, newest) {
    this.settings = settings;
    this.uptime = uptime;
    this.newest = newest;
    this.claim("power_on", { source: "power_on", on: true, cause: "on after power-up, as before it" });
    this.decide(false);
    this.changes = [];
    this.switches = 0;
  }

  claim(name, { source, on, cause, seconds = null, until = null }) {
    const endsAt = seconds === null ? null : Date.now() + seconds * 1000;
    const since = { since: Date.now() / 1000, since_uptime_s: this.uptime() };
    this.claims.set(name, {
      class: name,
      source,
      on,
      cause,
      ...since,
      endsAt,
      until: seconds === null ? until : "time",
    });
  }

  get holder() {
    return CLASSES.map((name) => this.claims.get(name)).find(Boolean);
  }

  /** Seconds that switching on must still wait, and why. */
  get delay() {
    const { minimum_off_s: least } = this.settings.current.relay;
    const left = this.on ? 0 : this.since + least - Date.now() / 1000;
    return this.switches > 0 && left > 0 ? [left, "minimum_off"] : [null, null];
  }

  decide(tell = true) {
    const claim = this.holder;
    const waits = claim.on && this.delay[0] !== null;
    if (claim.on !== this.on && !waits) {
      this.on = claim.on;
      this.since = Date.now() / 1000;
      this.sinceUptime = this.uptime();
      this.switches++;
      const newest = this.newest();
      this.changes.unshift({
        number: this.switches,
        time: this.since,
        uptime_s: this.sinceUptime,
        start: 3,
        on: this.on,
        source: claim.source,
        class: claim.class,
        cause: claim.cause,
        locked_out: this.locked,
        reading_sequence: newest?.sequence ?? null,
        active_power_w: newest?.active_power_w ?? null,
        current_a: newest?.current_a ?? null,
        voltage_v: newest?.voltage_v ?? null,
      });
    }
    this.source = claim.source;
    this.reason = claim.cause;
    if (tell) this.wake();
  }

  status() {
    const now = Date.now();
    const left = (at) => (at === null ? null : Math.max(0, (at - now) / 1000));
    const holder = this.holder;
    const [delayed, why] = holder.on && !this.on ? this.delay : [null, null];
    return {
      on: this.on,
      measured: this.alarm ? true : null,
      commanded_by: this.source,
      reason: this.reason,
      since: this.since,
      since_uptime_s: this.sinceUptime,
      remaining_s: left(holder.endsAt),
      locked_out: this.locked,
      switch_count: this.switches,
      claims: CLASSES.flatMap((name) => this.claims.get(name) ?? []).map(({ endsAt, ...claim }) => ({
        ...claim,
        ends_in_s: left(endsAt),
        holds: claim.class === holder.class,
      })),
      delayed_s: delayed,
      delay_reason: why,
      trip: this.trip,
      retry_in_s: left(this.retryAt),
      retries_left: this.retriesLeft,
      alarm: this.alarm,
      schedule: this.schedule(),
    };
  }

  /** A wish over HTTP; answers `[status, code, message, more]` of a refusal, or nothing. */
  put(wish) {
    if (wish.rearm) this.rearm("re-armed by hand; still off");
    else if (wish.release) this.claims.delete("manual");
    else if (wish.cancel_retries) {
      this.retryAt = null;
      this.retriesLeft = 0;
    } else {
      const on = wish.toggle ? !this.on : wish.on;
      if (typeof on !== "boolean") return [422, "one_wish", 'Give {"on":true}, {"on":false} or {"toggle":true}.'];
      if (on && this.locked) return [409, "locked_out", "Protection holds the relay open: re-arm it first."];
      const [wait] = this.delay;
      if (on && !this.on && wait !== null) {
        const seconds = Math.ceil(wait);
        const message = `It was switched off a short while ago: wait ${seconds} s more (relay.minimum_off_s).`;
        return [409, "too_soon", message, { wait_s: seconds }];
      }
      const inching = on ? this.settings.current.relay.inching_s : null;
      const seconds = wish.for_s ?? inching;
      const cause = `switched ${on ? "on" : "off"} by hand${wish.for_s ? ` for ${wish.for_s} s` : ""}`;
      this.claim("manual", { source: "web", on, cause, seconds, until: this.settings.current.relay.manual_until });
    }
    this.decide();
  }

  rearm(cause) {
    this.locked = false;
    this.trip = null;
    this.retryAt = null;
    this.claims.delete("protection");
    this.claims.delete("manual");
    this.claim("power_on", { source: "web", on: false, cause });
    this.decide();
  }

  /** Protection trips. */
  tripNow(amperes = 16.8) {
    const { retries, retry_pause_s: pause, current_limit_a: limit } = this.settings.current.protection;
    const cause = `over-current: ${amperes.toFixed(1)} A in a half cycle, ${(limit ?? 16).toFixed(1)} A allowed`;
    const number = this.trips.length + 1;
    this.locked = true;
    this.retriesLeft = Math.max(0, retries - 1);
    this.retryAt = retries > 0 ? Date.now() + pause * 1000 : null;
    this.trip = { kind: "over_current", cause, time: Date.now() / 1000, uptime_s: this.uptime(), number };
    const kept = { pairs: 2000, before_s: 0.2, after_s: 0.3, complete: true };
    this.trips.unshift({ ...this.trip, start: 3, ...kept });
    this.claim("protection", { source: "protection", on: false, cause });
    this.decide();
  }

  weld(is) {
    const since = { since: Date.now() / 1000, since_uptime_s: this.uptime() };
    this.alarm = is ? { kind: "welded", cause: "commanded off, and 8.4 A still flow", ...since } : null;
    this.wake();
  }

  /** What time brings about. */
  tick() {
    const now = Date.now();
    let changed = false;
    const current = this.newest()?.current_a ?? 0;
    if (this.on && !this.locked && current > (this.settings.current.protection.current_limit_a ?? 16)) {
      this.tripNow(current);
      return;
    }
    for (const [name, { endsAt, on }] of this.claims) {
      if (endsAt === null || now < endsAt) continue;
      this.claims.delete(name);
      if (on) this.claim("power_on", { source: "timer", on: false, cause: "the time asked for is over; off" });
      changed = true;
    }
    if (this.retryAt !== null && now >= this.retryAt) {
      this.claims.delete("protection");
      Object.assign(this, { locked: false, trip: null, retryAt: null });
      changed = true;
    }
    const { schedule } = this.settings.current;
    const past = schedule.enabled ? this.edges().findLast(({ at }) => at <= now) : undefined;
    if (past && this.claims.get("schedule")?.since !== past.at / 1000) {
      const { on, at } = past;
      const cause = `schedule entry ${past.entry + 1}: ${on ? "on" : "off"}`;
      this.claim("schedule", { source: "schedule", on, cause, until: "schedule" });
      this.claims.get("schedule").since = at / 1000;
      if (this.claims.get("manual")?.until === "schedule") this.claims.delete("manual");
      changed = true;
    }
    if (!past && this.claims.delete("schedule")) changed = true;
    if (changed || this.holder.on !== this.on) this.decide();
  }

  /** Edges of the week around now in the plug's zone as it is today; the sun is taken to rise at 6 and set at 18. */
  edges() {
    const found = [];
    const ahead = zoneAhead(this.settings.current.time.zone);
    for (const [entry, { enabled = true, days, at, on }] of this.settings.current.schedule.entries.entries()) {
      if (!enabled) continue;
      const clock = at.startsWith("sunrise") ? "06:00" : at.startsWith("sunset") ? "18:00" : at;
      const [hours, minutes, seconds = 0] = clock.split(":").map(Number);
      for (let day = -7; day <= 7; day++) {
        const date = new Date(Date.now() + ahead + day * 86_400_000);
        date.setUTCHours(hours, minutes, seconds, 0);
        if (!days || days.includes(DAYS[date.getUTCDay()])) found.push({ at: date.getTime() - ahead, on, entry });
      }
    }
    return found.sort((a, b) => a.at - b.at);
  }

  schedule() {
    if (!this.settings.current.schedule.enabled)
      return { state: "off", reason: "the schedule is switched off", next: null };
    const next = this.edges().find(({ at }) => at > Date.now());
    if (!next) return { state: "no_edges", reason: "no entry is enabled on any day", next: null };
    return {
      state: "running",
      reason: this.claims.get("schedule")?.cause ?? "",
      next: { time: next.at / 1000, on: next.on, entry: next.entry },
    };
  }

  protection(reading, energyWh) {
    const limits = { ...this.settings.current.protection };
    limits.current_limit_a ??= 16;
    limits.rated_current_a ??= 10;
    return {
      state: this.retryAt !== null ? "waiting_to_retry" : this.locked ? "locked_out" : "watching",
      limits,
      thermal_pct: this.on ? Math.min(99, 100 * ((reading?.current_a ?? 0) / 12) ** 2) : 4,
      thermal_trip_in_s: null,
      over_power_s: null,
      over_voltage_s: null,
      under_voltage_s: null,
      chip_temperature_c: 47.3,
      cause: this.trip?.cause ?? null,
      retry_in_s: this.retryAt === null ? null : (this.retryAt - Date.now()) / 1000,
      retry_waits_for: this.retryAt === null ? null : "pause",
      budget: { used_wh: energyWh, of_wh: limits.energy_budget_wh, since: Date.now() / 1000 - 40000 },
    };
  }
}

/** By how many milliseconds a zone's clocks are ahead of UTC now. */
function zoneAhead(zone) {
  try {
    const now = new Date(Math.floor(Date.now() / 1000) * 1000);
    return Date.parse(`${now.toLocaleString("sv-SE", { timeZone: zone }).replace(" ", "T")}Z`) - now.getTime();
  } catch {
    return 0;
  }
}

/** Half a second around a trip: a load as before, then twice the current for a cycle, then nothing. */
export function tripWaveform(frontEnd) {
  const lines = Object.entries({ sample_rate_hz: RATE_HZ, channel_skew_s: 50e-6, ...frontEnd }).map(
    ([key, value]) => `# ${key}: ${value}`,
  );
  lines.push("# trip_at_s: 0.2", "voltage_raw,current_raw");
  for (let n = 0; n < 2000; n++) {
    const angle = (2 * Math.PI * 50 * n) / RATE_HZ;
    const at = n / RATE_HZ - 0.2;
    const peak = at < -0.0095 ? 8.4 : at < 0.0042 ? 16.8 : 0;
    const u = 325 * Math.sin(angle) + Math.sin(5 * angle) * 6;
    const i = peak * Math.SQRT2 * Math.sin(angle) + 0.02 * Math.sin(n * 1.7);
    lines.push(
      [
        Math.round(u / frontEnd.voltage_lsb_v + frontEnd.voltage_zero_raw),
        Math.round(i / frontEnd.current_lsb_a + frontEnd.current_zero_raw),
      ].join(","),
    );
  }
  return `${lines.join("\n")}\n`;
}

/** `GET energy`: the last days and months of a household that is not there. */
export function energyPage({ import: imported, export: exported, belowNoise }) {
  const days = Array.from({ length: 14 }, (_, n) => {
    const date = new Date(Date.now() - n * 86_400_000).toISOString().slice(0, 10);
    const wh = n === 0 ? 640 + imported : 1400 + 900 * Math.sin(n * 1.3) + 300 * Math.cos(n * 3.7);
    return { date, import_wh: wh, export_wh: 0, unmeasured_s: n === 3 ? 754 : 0 };
  });
  const months = Array.from({ length: 5 }, (_, n) => {
    const month = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - n))
      .toISOString()
      .slice(0, 7);
    return { month, import_wh: n === 0 ? 21_400 : 38_000 + 9000 * Math.sin(n * 2.1), export_wh: 0, unmeasured_s: 754 };
  });
  return {
    meter_id: "5b1f0c3e7a9d2468",
    energy_import_wh: 183_250 + imported,
    energy_export_wh: exported,
    energy_below_noise_wh: 3.2 + belowNoise,
    unmeasured_s: 2210,
    today: days[0],
    days,
    months,
  };
}
