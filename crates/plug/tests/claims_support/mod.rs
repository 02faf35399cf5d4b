//! What the tests of the claims machine have in common.
#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use metering::calibration::Calibration;
use metering::energy::Energy;
use metering::quality::Quality;
use metering::reading::{HalfCycleExtremes, Reading, Window};
use metering::units::{Amperes, Hertz, Seconds, VoltAmperes, Volts, Watts};
use plug::core::Moment;
use plug::core::claims::{Actions, Cause, Claims, Refusal, RelayCommand, ScheduleClaim, Source, Wish};
use plug::platform::Instant;
use plug::settings::schema::RelaySettings;

pub(crate) fn at(milliseconds: u64) -> Moment {
    Moment { instant: Instant::from_start(Duration::from_millis(milliseconds)), time: None }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn cause(text: &str) -> Cause {
    text.try_into().unwrap()
}

/// An edge of the schedule, or what it wants without one.
pub(crate) fn wants(on: bool, edge: bool) -> Option<ScheduleClaim> {
    Some(ScheduleClaim { on, cause: cause(if on { "schedule: on" } else { "schedule: off" }), edge })
}

pub(crate) fn hand(
    claims: &mut Claims,
    now: Moment,
    wish: Wish,
    for_s: Option<u64>,
) -> Result<Actions, Refusal> {
    claims.command(now, RelayCommand { wish, duration: for_s.map(seconds), source: Source::Web })
}

pub(crate) fn with(settings: &RelaySettings) -> Claims {
    let mut claims = Claims::new();
    assert_eq!(claims.set_settings(at(0), settings), Actions::default());
    claims
}

pub(crate) fn reading(active_power_w: f64) -> Reading {
    Reading {
        sequence: 7,
        time: None,
        uptime: Seconds(0.2),
        window: Window {
            cycles: Some(10),
            samples: 800,
            lost: 0,
            duration: Seconds(0.2),
            sample_rate: Hertz(4000.0),
        },
        voltage: Volts(230.0),
        current: Amperes(0.5),
        active_power: Watts(active_power_w),
        apparent_power: VoltAmperes(115.0),
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
        calibration: Calibration::ideal(0.2, 0.0, 0.0147, 0.0).id(),
        relay: true,
        quality: Quality::NONE,
    }
}
