//! The limits in force: what the owner set, within what the board can carry and what makes sense.

use core::time::Duration;

use metering::units::{Amperes, Seconds, Volts, Watts};
use serde::Serialize;

use crate::core::protection::OverCurrent;
use crate::settings::schema::{Hardware, ProtectionSettings};

/// The instant limit may be set up to so many times what the board carries for ever: motors start at 5 to 8 times
/// their rated current, and a contact bears that for the seconds that inverse time leaves it.
pub const MOST_INSTANT: f64 = 5.0;
/// Pauses between retries do not grow beyond this: after a day nobody expects a retry any more.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);
/// Pauses are never shorter: a contact that has just broken an over-current must cool.
pub const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The voltage's hysteresis takes at most this part of the band between both limits, so that good voltages are left.
const MOST_HYSTERESIS: f64 = 0.25;

/// What is watched, and from where on it trips. `None` (null) is not watched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// The instant limit, on the RMS of a sliding half cycle.
    #[serde(rename = "current_limit_a")]
    pub current_limit: Amperes,
    /// What may flow for ever; `None`: inverse time is not watched.
    #[serde(rename = "rated_current_a")]
    pub rated_current: Option<Amperes>,
    /// Whether a clipped current counts as over the instant limit.
    pub clipped: bool,
    /// Active power, in either direction.
    #[serde(rename = "power_limit_w")]
    pub power_limit: Option<Watts>,
    /// How long it must be over that.
    #[serde(rename = "power_hold_s")]
    pub power_hold: Seconds,
    /// Over-voltage.
    #[serde(rename = "voltage_max_v")]
    pub voltage_max: Option<Volts>,
    /// Under-voltage.
    #[serde(rename = "voltage_min_v")]
    pub voltage_min: Option<Volts>,
    /// How far back inside the voltage counts as good again.
    #[serde(rename = "voltage_hysteresis_v")]
    pub voltage_hysteresis: Volts,
    /// How long the voltage must be outside.
    #[serde(rename = "voltage_hold_s")]
    pub voltage_hold: Seconds,
    /// Imported energy a day, in watt-hours.
    pub energy_budget_wh: Option<f64>,
    /// Of the chip, in degrees Celsius.
    pub chip_temperature_max_c: Option<f64>,
    /// Whether a sensor that fails opens the relay; otherwise it is an alarm only.
    pub sensor_fault: bool,
    /// Retries after a trip.
    pub retries: u8,
    /// The pause before the first.
    #[serde(rename = "retry_pause_s")]
    pub retry_pause: Seconds,
    /// Each pause is so many times the one before.
    pub retry_back_off: f64,
}

impl Limits {
    /// Resolves settings within the hardware. What makes no sense (zero, negative, not a number) counts as not set.
    #[must_use]
    pub fn of(settings: &ProtectionSettings, hardware: &Hardware) -> Self {
        let carries = hardware.maximum_current_a;
        let voltage_max = positive(settings.voltage_max_v).map(Volts);
        let voltage_min = positive(settings.voltage_min_v).map(Volts);
        let rated = positive(settings.rated_current_a).map_or(carries, |rated| rated.min(carries));
        let instant =
            positive(settings.current_limit_a).map_or(carries, |set| set.min(MOST_INSTANT * carries));
        Self {
            current_limit: Amperes(instant),
            rated_current: settings.inverse_time.then_some(Amperes(rated)),
            clipped: settings.clipped,
            power_limit: positive(settings.power_limit_w).map(Watts),
            power_hold: Seconds(settings.power_hold.as_secs_f64()),
            voltage_max,
            voltage_min,
            voltage_hysteresis: hysteresis(settings.voltage_hysteresis_v, voltage_min, voltage_max),
            voltage_hold: Seconds(settings.voltage_hold.as_secs_f64()),
            energy_budget_wh: settings.energy_budget_wh.filter(|budget| *budget >= 0.0),
            chip_temperature_max_c: settings.chip_temperature_max_c.filter(|limit| limit.is_finite()),
            sensor_fault: settings.sensor_fault,
            retries: settings.retries,
            retry_pause: Seconds(settings.retry_pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE).as_secs_f64()),
            retry_back_off: settings.retry_back_off.max(1.0),
        }
    }

    /// The instant limit as the core compares it, for the current channel's gain.
    #[must_use]
    pub fn over_current(&self, amperes_a_count: f64) -> OverCurrent {
        OverCurrent::new(self.current_limit, amperes_a_count).with_clipped_trips(self.clipped)
    }

    /// The pause before the first retry.
    pub(super) fn first_pause(&self) -> Duration {
        duration(self.retry_pause.0)
    }

    /// The pause after one of this length.
    pub(super) fn next_pause(&self, pause: Duration) -> Duration {
        duration(pause.as_secs_f64() * self.retry_back_off)
    }
}

fn positive(value: Option<f64>) -> Option<f64> {
    value.filter(|value| *value > 0.0 && value.is_finite())
}

fn hysteresis(set: f64, least: Option<Volts>, most: Option<Volts>) -> Volts {
    let set = set.max(0.0);
    Volts(match (least, most) {
        (Some(least), Some(most)) => set.min((MOST_HYSTERESIS * (most.0 - least.0)).max(0.0)),
        _ => set,
    })
}

/// A pause of so many seconds, within what is allowed.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARDWARE: Hardware = Hardware { confirms_setup: false, can_hold: false, ..Hardware::ANY };

    fn of(change: impl FnOnce(&mut ProtectionSettings)) -> Limits {
        let mut settings = ProtectionSettings::default();
        change(&mut settings);
        Limits::of(&settings, &HARDWARE)
    }

    #[test]
    fn the_board_caps_both_currents() {
        let table = [
            (None, None, 16.0, 16.0),
            (Some(80.0), Some(16.0), 80.0, 16.0),
            (Some(100.0), Some(17.0), 80.0, 16.0),
            (Some(6.0), Some(2.0), 6.0, 2.0),
            (Some(f64::NAN), Some(-1.0), 16.0, 16.0),
        ];
        for (instant, rated, instant_in_force, rated_in_force) in table {
            let limits = of(|settings| {
                settings.current_limit_a = instant;
                settings.rated_current_a = rated;
            });
            assert_eq!(limits.current_limit, Amperes(instant_in_force), "{instant:?}");
            assert_eq!(limits.rated_current, Some(Amperes(rated_in_force)), "{rated:?}");
        }
        assert_eq!(of(|settings| settings.inverse_time = false).rated_current, None);
    }

    #[test]
    fn pauses_grow_to_a_day_and_never_shrink() {
        let limits = of(|settings| settings.retry_back_off = 3.0);
        let mut pause = limits.first_pause();
        assert_eq!(pause, Duration::from_secs(60));
        pause = limits.next_pause(pause);
        assert_eq!(pause, Duration::from_secs(180));
        for _ in 0..10 {
            pause = limits.next_pause(pause);
        }
        assert_eq!(pause, LONGEST_PAUSE);
        for back_off in [f64::NAN, 0.1, -5.0] {
            let limits = of(|settings| settings.retry_back_off = back_off);
            assert_eq!(limits.next_pause(Duration::from_secs(60)), Duration::from_secs(60));
        }
        assert_eq!(of(|settings| settings.retry_pause = Duration::ZERO).first_pause(), SHORTEST_PAUSE);
    }

    #[test]
    fn the_hysteresis_leaves_good_voltages() {
        let limits = of(|settings| {
            settings.voltage_min_v = Some(220.0);
            settings.voltage_max_v = Some(240.0);
            settings.voltage_hysteresis_v = 50.0;
        });
        assert_eq!(limits.voltage_hysteresis, Volts(5.0));
    }
}
