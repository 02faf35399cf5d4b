//! What the tests of the claims machine have in common.
#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use metering::calibration::Calibration;
use metering::reading::Reading;
use metering::units::{Amperes, Seconds, VoltAmperes, Volts, Watts};
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
        uptime: Seconds(0.2),
        voltage: Volts(230.0),
        current: Amperes(0.5),
        active_power: Watts(active_power_w),
        apparent_power: VoltAmperes(115.0),
        calibration: Calibration::ideal(0.2, 0.0, 0.0147, 0.0).id(),
        relay: true,
        ..Reading::NONE
    }
}
