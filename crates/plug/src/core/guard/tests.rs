//! Table tests of each protection and of each transition.

use core::time::Duration;

use metering::calibration::CalibrationId;
use metering::energy::Energy;
use metering::quality::{Flag, Quality};
use metering::reading::{HalfCycleExtremes, Reading, Window};
use metering::units::{Amperes, Hertz, Seconds, VoltAmperes, Volts, Watts};

use crate::core::Moment;
use crate::platform::Instant;

pub(super) fn at(seconds: f64) -> Moment {
    Moment { instant: Instant::from_start(Duration::from_secs_f64(seconds)), time: None }
}

/// A window of 0.2 s at 230 V with nothing flowing and the relay off, ending at `end`.
pub(super) fn reading(end: f64) -> Reading {
    Reading {
        sequence: 0,
        time: None,
        uptime: Seconds(end),
        window: Window {
            cycles: Some(10),
            samples: 800,
            lost: 0,
            duration: Seconds(0.2),
            sample_rate: Hertz(4000.0),
        },
        voltage: Volts(230.0),
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
        half_cycle: HalfCycleExtremes::default(),
        energy_import: Energy(0),
        energy_export: Energy(0),
        energy_below_noise: Energy(0),
        unmeasured: Seconds(0.0),
        calibration: CalibrationId { version: 1, hash: [0; 8] },
        relay: false,
        quality: Quality::NONE,
    }
}
