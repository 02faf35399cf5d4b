//! One window's numbers, as everybody outside sees them (`docs/metrology.md` derives each).

use serde::Serialize;

use crate::calibration::CalibrationId;
use crate::energy::Energy;
use crate::quality::Quality;
use crate::units::{Amperes, Degrees, Hertz, Percent, Seconds, Vars, VoltAmperes, Volts, Watts};

/// Highest harmonic order that is ever computed (IEC 61000-4-7).
pub const MAX_ORDER: usize = 40;

/// Where the numbers of a reading come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Whole mains cycles; null in a window by sample count (`no_sync`).
    pub cycles: Option<u32>,
    /// Pairs that were there (edge pairs by their share, rounded).
    pub samples: u32,
    /// Pairs that were lost.
    pub lost: u32,
    /// Measured time: without what was lost.
    #[serde(rename = "duration_s")]
    pub duration: Seconds,
    /// Pairs a second.
    #[serde(rename = "sample_rate_hz")]
    pub sample_rate: Hertz,
}

/// Least and greatest RMS over a half cycle that ends inside the window, about the calibrated zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct HalfCycleExtremes {
    /// Least half-cycle RMS voltage.
    #[serde(rename = "voltage_min_v")]
    pub voltage_min: Option<Volts>,
    /// Greatest half-cycle RMS voltage.
    #[serde(rename = "voltage_max_v")]
    pub voltage_max: Option<Volts>,
    /// Least half-cycle RMS current.
    #[serde(rename = "current_min_a")]
    pub current_min: Option<Amperes>,
    /// Greatest half-cycle RMS current.
    #[serde(rename = "current_max_a")]
    pub current_max: Option<Amperes>,
}

/// The numbers of one window. What does not exist is `None` (JSON `null`), never 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Counts windows since start, from 0.
    pub sequence: u64,
    /// Unix seconds of the window's end; `None` until somebody with a trusted clock fills it in.
    pub time: Option<f64>,
    /// Window's end, counted from the first sample.
    #[serde(rename = "uptime_s")]
    pub uptime: Seconds,
    /// Where the numbers come from.
    pub window: Window,
    /// RMS of the alternating part.
    #[serde(rename = "voltage_v")]
    pub voltage: Volts,
    /// RMS of the alternating part.
    #[serde(rename = "current_a")]
    pub current: Amperes,
    /// Mean of instantaneous power of the alternating parts; positive for consumption (IEEE 1459 §3.1.2).
    #[serde(rename = "active_power_w")]
    pub active_power: Watts,
    /// Voltage times current.
    #[serde(rename = "apparent_power_va")]
    pub apparent_power: VoltAmperes,
    /// Of the fundamental: Im(U1 conj(I1)); positive for a lagging load (IEEE 1459, fundamental reactive
    /// power).
    #[serde(rename = "reactive_power_var")]
    pub reactive_power: Option<Vars>,
    /// Active over apparent power, with the sign of the active power, not clamped.
    pub power_factor: Option<f64>,
    /// Cosine of the angle between the fundamentals, with the sign of their active power.
    pub displacement_power_factor: Option<f64>,
    /// Mean over the window's cycles.
    #[serde(rename = "frequency_hz")]
    pub frequency: Option<Hertz>,
    /// IEC 61000-4-7's THD of the voltage.
    #[serde(rename = "thd_voltage_pct")]
    pub thd_voltage: Option<Percent>,
    /// IEC 61000-4-7's THD of the current.
    #[serde(rename = "thd_current_pct")]
    pub thd_current: Option<Percent>,
    /// Highest order that went into THD.
    pub harmonics_max_order: Option<u32>,
    /// Peak over RMS of the alternating part of the current.
    pub crest_factor_current: Option<f64>,
    /// Mean voltage against the calibrated zero; `None` where the sensor cannot see it.
    #[serde(rename = "voltage_dc_v")]
    pub voltage_dc: Option<Volts>,
    /// Mean current against the calibrated zero; `None` where the sensor cannot see it.
    #[serde(rename = "current_dc_a")]
    pub current_dc: Option<Amperes>,
    /// sqrt(current² + direct current²): what heats the wires.
    #[serde(rename = "current_total_a")]
    pub current_total: Option<Amperes>,
    /// RMS of the channel with nothing flowing, from the calibration.
    #[serde(rename = "current_noise_floor_a")]
    pub current_noise_floor: Option<Amperes>,
    /// sqrt(current² - noise floor²), where that exists. Stands beside `current_a`, never replaces it.
    #[serde(rename = "current_noise_corrected_a")]
    pub current_noise_corrected: Option<Amperes>,
    /// Extremes of the sliding half-cycle RMS.
    pub half_cycle: HalfCycleExtremes,
    /// Consumed since start; running total.
    #[serde(rename = "energy_import_wh")]
    pub energy_import: Energy,
    /// Delivered since start; running total.
    #[serde(rename = "energy_export_wh")]
    pub energy_export: Energy,
    /// The part of both that was measured under `below_noise`; running total.
    #[serde(rename = "energy_below_noise_wh")]
    pub energy_below_noise: Energy,
    /// Time that was not measured since the first window; running total.
    #[serde(rename = "unmeasured_s")]
    pub unmeasured: Seconds,
    /// With which calibration.
    pub calibration: CalibrationId,
    /// Whether the relay was closed at the window's end.
    pub relay: bool,
    /// What is to be said of it.
    pub quality: Quality,
}

impl Reading {
    /// Ten cycles at 50 Hz in which there was nothing: what readings that nobody measured begin with.
    pub const NONE: Self = Self {
        sequence: 0,
        time: None,
        uptime: Seconds(0.0),
        window: Window {
            cycles: Some(10),
            samples: 800,
            lost: 0,
            duration: Seconds(0.2),
            sample_rate: Hertz(4000.0),
        },
        voltage: Volts(0.0),
        current: Amperes(0.0),
        active_power: Watts(0.0),
        apparent_power: VoltAmperes(0.0),
        reactive_power: None,
        power_factor: None,
        displacement_power_factor: None,
        frequency: None,
        thd_voltage: None,
        thd_current: None,
        harmonics_max_order: None,
        crest_factor_current: None,
        voltage_dc: None,
        current_dc: None,
        current_total: None,
        current_noise_floor: None,
        current_noise_corrected: None,
        half_cycle: HalfCycleExtremes {
            voltage_min: None,
            voltage_max: None,
            current_min: None,
            current_max: None,
        },
        energy_import: Energy(0),
        energy_export: Energy(0),
        energy_below_noise: Energy(0),
        unmeasured: Seconds(0.0),
        calibration: CalibrationId { version: 0, hash: [0; 8] },
        relay: false,
        quality: Quality::NONE,
    };
}

/// One harmonic of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Component {
    /// RMS value, volts or amperes.
    pub rms: f64,
    /// Phase against the positive-going zero crossing of the voltage's fundamental, -180 to 180 degrees: a
    /// component `sqrt(2) * rms * sin(order * w * t + phase)`.
    pub phase: Degrees,
}

/// The harmonics of one window; element 0 is order 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Harmonics {
    /// Highest order computed; 0 if the window has none.
    pub max_order: usize,
    /// Volts.
    pub voltage: [Component; MAX_ORDER],
    /// Amperes.
    pub current: [Component; MAX_ORDER],
}

impl Harmonics {
    /// Of a window that has none.
    pub const NONE: Self = Self {
        max_order: 0,
        voltage: [Component { rms: 0.0, phase: Degrees(0.0) }; MAX_ORDER],
        current: [Component { rms: 0.0, phase: Degrees(0.0) }; MAX_ORDER],
    };
}
