//! `GET /metrics`: the Prometheus text format 0.0.4, base units. What does not exist is left out, never 0.

use core::fmt::Write as _;

use embassy_sync::blocking_mutex::raw::RawMutex;
use metering::quality::Flag;
use metering::reading::Reading;

use super::problem::Problem;
use super::reply::{Body, Draft, Reply};
use super::site::Site;
use crate::ledger::Sums;
use crate::platform::{Clock, Identity, Vitals};
use crate::uplink::{self, UplinkStatus};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// All metrics with the longest numbers; a test fills it.
const MOST: usize = 8192;
const JOULES_A_WATT_HOUR: f64 = 3600.0;

pub(super) fn metrics<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let mut page = Page(Draft::new(site.budget, MOST)?);
    plug_metrics(&mut page, site).map_err(|_| Problem::Busy)?;
    machine_metrics(&mut page, &site.plug.machine.vitals()).map_err(|_| Problem::Busy)?;
    if let Some(reading) = site.plug.state.reading.borrow().as_ref() {
        reading_metrics(&mut page, reading).map_err(|_| Problem::Busy)?;
    }
    Ok(Reply::new(TEXT, Body::Made(page.0)))
}

struct Page<'a>(Draft<'a>);

impl Page<'_> {
    fn metric(&mut self, name: &str, kind: &str, help: &str, value: Option<f64>) -> core::fmt::Result {
        let Some(value) = value.filter(|value| value.is_finite()) else { return Ok(()) };
        self.head(name, kind, help)?;
        writeln!(self.0, "ossp_{name} {}", ryu::Buffer::new().format_finite(value))
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Into<Option<f64>>) -> core::fmt::Result {
        self.metric(name, "gauge", help, value.into())
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) -> core::fmt::Result {
        self.metric(name, "counter", help, Some(value))
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) -> core::fmt::Result {
        writeln!(self.0, "# HELP ossp_{name} {help}\n# TYPE ossp_{name} {kind}")
    }

    /// `name="value"`, with what the format wants escaped.
    fn label(&mut self, name: &str, value: &str) -> core::fmt::Result {
        write!(self.0, "{name}=\"")?;
        for character in value.chars() {
            match character {
                '"' | '\\' => write!(self.0, "\\{character}")?,
                '\n' => self.0.write_str("\\n")?,
                other => self.0.write_char(other)?,
            }
        }
        self.0.write_str("\"")
    }

    fn info(&mut self, identity: &Identity) -> core::fmt::Result {
        self.head("info", "gauge", "What this plug is; always 1.")?;
        self.0.write_str("ossp_info{")?;
        for (index, (name, value)) in [
            ("id", identity.id.as_str()),
            ("version", &identity.version),
            ("git", identity.git),
            ("board", identity.board),
            ("chip", identity.chip),
            ("source", &identity.source),
        ]
        .into_iter()
        .enumerate()
        {
            if index > 0 {
                self.0.write_str(",")?;
            }
            self.label(name, value)?;
        }
        self.0.write_str("} 1\n")
    }
}

fn plug_metrics<C: Clock, N: Clock, M: RawMutex>(
    page: &mut Page<'_>,
    site: &Site<'_, C, N, M>,
) -> core::fmt::Result {
    let state = site.plug.state;
    page.info(site.plug.identity)?;
    page.gauge(
        "uptime_seconds",
        "Time since the plug started.",
        site.plug.clock.now().since_start().as_secs_f64(),
    )?;
    #[expect(clippy::cast_precision_loss, reason = "2^53 pairs at 50 kHz are 5700 years")]
    page.counter("lost_samples_total", "Sample pairs lost since start.", state.lost_samples.get() as f64)?;
    page.gauge(
        "event_streams",
        "Live event streams that are open.",
        f64::from(u32::try_from(state.streams.get()).unwrap_or(u32::MAX)),
    )?;
    let relay = state.relay.borrow();
    page.gauge("relay_on", "Whether the relay is commanded closed.", f64::from(u8::from(relay.on)))?;
    page.gauge(
        "relay_locked_out",
        "Whether protection holds the relay open.",
        f64::from(u8::from(relay.locked_out)),
    )?;
    page.gauge(
        "relay_alarm",
        "Whether a person should look at the relay or the sensors.",
        f64::from(u8::from(relay.alarm.is_some())),
    )?;
    let trips = relay.trip.as_ref().map(|trip| f64::from(trip.number));
    page.metric("trips_total", "counter", "Trips over the plug's life, told after one.", trips)?;
    let thermal = state.protection.borrow().as_ref().and_then(|status| status.thermal_pct);
    page.gauge(
        "protection_thermal_ratio",
        "Heat of a breaker that carried this load, over where it opens.",
        thermal.map(|percent| percent / 100.0),
    )?;
    page.counter(
        "journal_writes_total",
        "Records of the energy journal since start.",
        f64::from(state.journal_writes.get()),
    )?;
    page.counter("relay_switches_total", "Changes of the relay since start.", f64::from(relay.switch_count))?;
    ledger_metrics(page, state.ledger.borrow().sums())?;
    uplink_metrics(page, &state.uplink.status.borrow())?;
    let starts = Some(site.plug.starts.number).filter(|number| *number > 0);
    page.metric("starts_total", "counter", "Starts of the plug, this one too.", starts.map(f64::from))?;
    let wifi = state.wifi.borrow();
    let signal = wifi.as_ref().and_then(|wifi| wifi.signal_dbm);
    page.gauge("wifi_signal_dbm", "Signal of the joined network.", signal.map(f64::from))
}

fn ledger_metrics(page: &mut Page<'_>, sums: Sums) -> core::fmt::Result {
    page.counter(
        "outbound_connections_total",
        "Connections to the outside since start.",
        sums.connections.into(),
    )?;
    page.counter("outbound_failures_total", "Those that did not do what they were for.", sums.failed.into())?;
    #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are more than a plug sends")]
    let [sent, received] = [sums.bytes_out, sums.bytes_in].map(|bytes| bytes as f64);
    page.counter("outbound_sent_bytes_total", "What was sent in them.", sent)?;
    page.counter("outbound_received_bytes_total", "What came back in them.", received)
}

/// Left out until somebody wants an uplink.
fn uplink_metrics(page: &mut Page<'_>, status: &UplinkStatus) -> core::fmt::Result {
    if status.state == uplink::State::Off {
        return Ok(());
    }
    page.gauge("uplink_queued_rows", "Rows that the server still misses.", f64::from(status.queued))?;
    page.counter(
        "uplink_sent_rows_total",
        "Rows that the server took since start.",
        status.sent_rows.into(),
    )?;
    page.counter("uplink_refused_rows_total", "Rows that it refused one by one.", status.set_aside.into())?;
    page.gauge("uplink_success_time_seconds", "Unix time when it last took rows.", status.last_success)
}

fn machine_metrics(page: &mut Page<'_>, vitals: &Vitals) -> core::fmt::Result {
    if let Some(memory) = &vitals.memory {
        page.gauge("heap_used_bytes", "Heap in use.", f64::from(memory.heap_used_bytes))?;
        page.gauge("heap_free_bytes", "Heap that is free.", f64::from(memory.heap_free_bytes))?;
        page.gauge(
            "heap_least_free_bytes",
            "Least heap that was free since start.",
            f64::from(memory.heap_least_free_bytes),
        )?;
        page.gauge(
            "stack_least_free_bytes",
            "Least stack that was free since start.",
            memory.stack_least_free_bytes.map(f64::from),
        )?;
    }
    if let Some(sampling) = &vitals.sampling {
        page.gauge("sampling_skew_seconds", "How much later current is sampled.", sampling.skew_s)?;
        page.gauge("sampling_jitter_seconds", "Unevenness of the samples since start.", sampling.jitter_s)?;
        page.counter(
            "late_conversions_total",
            "Conversions not finished in time.",
            f64::from(sampling.late_conversions),
        )?;
        page.counter(
            "missed_ticks_total",
            "Sampling interrupts a sample late.",
            f64::from(sampling.missed_ticks),
        )?;
    }
    if let Some(flash) = &vitals.flash {
        page.counter("flash_erases_total", "Flash sectors erased since start.", f64::from(flash.erases))?;
        page.gauge("flash_longest_erase_seconds", "Longest of them.", flash.longest_erase_s)?;
        page.counter(
            "flash_lost_samples_total",
            "Sample pairs lost while erasing.",
            f64::from(flash.lost_pairs),
        )?;
    }
    if let Some(celsius) = vitals.chip_temperature_c {
        page.gauge("chip_temperature_celsius", "How warm the chip is inside.", celsius)?;
    }
    Ok(())
}

fn reading_metrics(page: &mut Page<'_>, reading: &Reading) -> core::fmt::Result {
    let ratio = |percent: Option<metering::units::Percent>| percent.map(|percent| percent.value() / 100.0);
    page.gauge("voltage_volts", "RMS voltage of the newest window.", reading.voltage.value())?;
    page.gauge("current_amperes", "RMS current of the newest window.", reading.current.value())?;
    page.gauge(
        "active_power_watts",
        "Active power; positive for consumption.",
        reading.active_power.value(),
    )?;
    page.gauge(
        "apparent_power_voltamperes",
        "RMS voltage times RMS current.",
        reading.apparent_power.value(),
    )?;
    page.gauge(
        "reactive_power_vars",
        "Reactive power of the fundamental; positive for a lagging load.",
        reading.reactive_power.map(|power| power.value()),
    )?;
    page.gauge("power_factor_ratio", "Active over apparent power.", reading.power_factor)?;
    page.gauge(
        "displacement_power_factor_ratio",
        "Cosine of the angle between the fundamentals.",
        reading.displacement_power_factor,
    )?;
    page.gauge("frequency_hertz", "Mains frequency.", reading.frequency.map(|frequency| frequency.value()))?;
    page.gauge("thd_voltage_ratio", "THD of the voltage over its fundamental.", ratio(reading.thd_voltage))?;
    page.gauge("thd_current_ratio", "THD of the current over its fundamental.", ratio(reading.thd_current))?;
    page.gauge("crest_factor_current_ratio", "Peak over RMS of the current.", reading.crest_factor_current)?;
    page.gauge("voltage_dc_volts", "Mean voltage.", reading.voltage_dc.map(|voltage| voltage.value()))?;
    page.gauge("current_dc_amperes", "Mean current.", reading.current_dc.map(|current| current.value()))?;
    let joules = |energy: metering::energy::Energy| energy.watt_hours() * JOULES_A_WATT_HOUR;
    page.counter("energy_import_joules_total", "Energy consumed.", joules(reading.energy_import))?;
    page.counter("energy_export_joules_total", "Energy delivered.", joules(reading.energy_export))?;
    page.counter(
        "energy_below_noise_joules_total",
        "The part of both that was measured below the noise of the current channel.",
        joules(reading.energy_below_noise),
    )?;
    page.counter("unmeasured_seconds_total", "Time that was not measured.", reading.unmeasured.value())?;
    #[expect(clippy::cast_precision_loss, reason = "2^53 windows are 57 million years")]
    page.counter("windows_total", "Windows measured since start.", reading.sequence as f64 + 1.0)?;
    page.gauge("window_end_time_seconds", "Unix time of the window's end.", reading.time)?;
    page.head("quality", "gauge", "What is to be said of the newest window: 1 where it holds.")?;
    for flag in Flag::ALL {
        let holds = u8::from(reading.quality.has(*flag));
        writeln!(page.0, "ossp_quality{{flag=\"{}\"}} {holds}", flag.name())?;
    }
    Ok(())
}
