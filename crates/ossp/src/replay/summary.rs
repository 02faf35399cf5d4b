//! The summary of a file's whole windows: energies as sums, all else weighted by duration.

use metering::energy::EnergyTotals;
use metering::quality::{Flag, Quality};
use metering::reading::Reading;
use serde::Serialize;

/// What `ossp replay` says of a file; see CONTRACT.md. Nulls where no window has such a number.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are the readings', each with its unit in its name")]
pub struct Summary {
    pub voltage_v: Option<f64>,
    pub current_a: Option<f64>,
    pub active_power_w: Option<f64>,
    pub apparent_power_va: Option<f64>,
    pub reactive_power_var: Option<f64>,
    pub power_factor: Option<f64>,
    pub frequency_hz: Option<f64>,
    pub thd_voltage_pct: Option<f64>,
    pub thd_current_pct: Option<f64>,
    pub energy_import_wh: f64,
    pub energy_export_wh: f64,
    pub samples: u64,
    pub windows: u64,
    pub duration_s: f64,
    pub leading_s: f64,
    pub trailing_s: f64,
    pub unmeasured_s: f64,
    /// Flags of any window.
    pub quality: Quality,
}

/// A mean over the windows that have the number.
#[derive(Clone, Copy, Debug, Default)]
struct Weighted {
    sum: f64,
    weight: f64,
}

impl Weighted {
    fn add(&mut self, value: impl Into<Option<f64>>, weight: f64) {
        if let Some(value) = value.into() {
            self.sum += value * weight;
            self.weight += weight;
        }
    }

    fn mean(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

/// Takes in the windows one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct SummaryBuilder {
    voltage_squared: Weighted,
    current_squared: Weighted,
    active_power: Weighted,
    apparent_power: Weighted,
    reactive_power: Weighted,
    power_factor: Weighted,
    frequency: Weighted,
    thd_voltage: Weighted,
    thd_current: Weighted,
    energy: EnergyTotals,
    samples: u64,
    windows: u64,
    duration: f64,
    first_edge: Option<f64>,
    quality: Quality,
}

impl SummaryBuilder {
    pub(super) fn add(&mut self, reading: &Reading) {
        let time = reading.window.duration.value();
        let rate = reading.window.sample_rate.value();
        if self.first_edge.is_none() {
            self.first_edge = Some(reading.uptime.value() - time - f64::from(reading.window.lost) / rate);
        }
        self.voltage_squared.add(reading.voltage.value().powi(2), time);
        self.current_squared.add(reading.current.value().powi(2), time);
        self.active_power.add(reading.active_power.value(), time);
        self.apparent_power.add(reading.apparent_power.value(), time);
        self.reactive_power.add(reading.reactive_power.map(|q| q.value()), time);
        self.power_factor.add(reading.power_factor, time);
        self.frequency.add(reading.frequency.map(|f| f.value()), time);
        self.thd_voltage.add(reading.thd_voltage.map(|thd| thd.value()), time);
        self.thd_current.add(reading.thd_current.map(|thd| thd.value()), time);
        let below_noise = reading.quality.has(Flag::BelowNoise);
        self.energy.add(reading.active_power.value(), time, below_noise);
        self.samples += u64::from(reading.window.samples);
        self.windows += 1;
        self.duration += time;
        self.quality = self.quality.union(reading.quality);
    }

    /// `length` is the whole file's, `open_since` the newest edge, `unmeasured` what was lost, all in seconds.
    pub(super) fn build(&self, length: f64, open_since: Option<f64>, unmeasured: f64) -> Summary {
        let root = |square: Weighted| square.mean().map(f64::sqrt);
        let leading = self.first_edge.or(open_since).unwrap_or(length);
        Summary {
            voltage_v: root(self.voltage_squared),
            current_a: root(self.current_squared),
            active_power_w: self.active_power.mean(),
            apparent_power_va: self.apparent_power.mean(),
            reactive_power_var: self.reactive_power.mean(),
            power_factor: self.power_factor.mean(),
            frequency_hz: self.frequency.mean(),
            thd_voltage_pct: self.thd_voltage.mean(),
            thd_current_pct: self.thd_current.mean(),
            energy_import_wh: self.energy.import.watt_hours(),
            energy_export_wh: self.energy.export.watt_hours(),
            samples: self.samples,
            windows: self.windows,
            duration_s: self.duration,
            leading_s: leading,
            trailing_s: open_since.map_or(0.0, |since| (length - since).max(0.0)),
            unmeasured_s: unmeasured,
            quality: self.quality,
        }
    }
}
