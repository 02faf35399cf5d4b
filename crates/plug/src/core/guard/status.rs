//! What the guard tells the world: `GET /api/v1/protection`.

use serde::Serialize;

use super::{Guard, Limits};
use crate::core::Moment;
use crate::core::protection::Cause;

/// Where the guard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardState {
    /// The relay may be on.
    Watching,
    /// Open until somebody re-arms.
    LockedOut,
    /// Open until the pause is over and the condition clear.
    WaitingToRetry,
    /// The relay may be on again, on probation.
    Retrying,
}

/// What is wrong without being a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// Commanded off, and current flows.
    Welded,
    /// No samples come.
    NoSamples,
    /// A channel stands still where it cannot be so.
    StuckSensor,
}

/// Something is wrong, for as long as it is so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alarm {
    /// What.
    pub kind: AlarmKind,
    /// In words.
    pub cause: Cause,
    /// Since when, Unix seconds; null before the clock is trusted.
    pub since: Option<f64>,
    /// Since when, seconds after start.
    pub since_uptime_s: f64,
}

/// What a retry still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryWaits {
    /// Time.
    Pause,
    /// The condition to be clear.
    Condition,
}

/// The energy budget as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BudgetStatus {
    /// Imported today, in watt-hours.
    pub used_wh: f64,
    /// Of how much, in watt-hours; null: no budget.
    pub of_wh: Option<f64>,
    /// Since when this plug counts it, Unix seconds; null if the clock was not trusted then.
    pub since: Option<f64>,
    /// Since when, seconds after start.
    pub since_uptime_s: f64,
}

/// How far the newest reading is from each limit; negative beyond it, null where there is no limit or no reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Margins {
    /// Of the instant limit, from the greatest half cycle of the newest window.
    pub current_a: Option<f64>,
    /// Of the power limit.
    pub power_w: Option<f64>,
    /// Up to the over-voltage.
    pub voltage_max_v: Option<f64>,
    /// Down to the under-voltage.
    pub voltage_min_v: Option<f64>,
    /// Of the day's energy.
    pub energy_wh: Option<f64>,
    /// Of the chip's temperature, in kelvin.
    pub chip_temperature_k: Option<f64>,
}

/// `GET /api/v1/protection`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProtectionStatus {
    /// Where the guard stands.
    pub state: GuardState,
    /// Why it is locked out; null when it is not.
    pub cause: Option<Cause>,
    /// Seconds until the pause before the next retry ends; null without one.
    pub retry_in_s: Option<f64>,
    /// What the next retry waits for; null without one.
    pub retry_waits_for: Option<RetryWaits>,
    /// Retries that are left.
    pub retries_left: u8,
    /// What is wrong beside trips; null if nothing is.
    pub alarm: Option<Alarm>,
    /// The limits in force.
    pub limits: Limits,
    /// How far the newest reading is from them.
    pub margins: Margins,
    /// How hot a breaker's bimetal would be, in percent of where it opens; null if that is not watched.
    pub thermal_pct: Option<f64>,
    /// Seconds until it opens at the present current; null: never.
    pub thermal_trip_in_s: Option<f64>,
    /// How long the power has been over its limit; null when it is not.
    pub over_power_s: Option<f64>,
    /// How long the voltage has been over its limit; null when it is not.
    pub over_voltage_s: Option<f64>,
    /// How long the voltage has been under its limit; null when it is not.
    pub under_voltage_s: Option<f64>,
    /// Of the chip, in degrees Celsius; null where it cannot tell.
    pub chip_temperature_c: Option<f64>,
    /// The day's energy.
    pub budget: BudgetStatus,
}

/// What is kept of the newest reading for the margins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) current_a: f64,
    pub(super) power_w: f64,
}

impl Guard {
    /// All of it, as it is told to the world.
    #[must_use]
    pub fn status(&self, now: Moment) -> ProtectionStatus {
        let limits = self.limits;
        let rated = limits.rated_current;
        let [over_voltage_s, under_voltage_s] = self.voltage.lasted();
        let since = self.budget.since();
        ProtectionStatus {
            state: self.state(),
            cause: self.cause(),
            retry_in_s: self.retry_at().map(|at| at.since(now.instant).as_secs_f64()),
            retry_waits_for: self
                .retry_at()
                .map(|at| if at > now.instant { RetryWaits::Pause } else { RetryWaits::Condition }),
            retries_left: self.retries_left(),
            alarm: self.alarm().cloned(),
            limits,
            margins: self.margins(),
            thermal_pct: rated.map(|rated| self.inverse_time.percent(rated)),
            thermal_trip_in_s: rated.and_then(|rated| self.inverse_time.trips_in(rated)),
            over_power_s: self.over_power.lasted(),
            over_voltage_s,
            under_voltage_s,
            chip_temperature_c: self.temperature.newest_c(),
            budget: BudgetStatus {
                used_wh: self.budget.used_wh(),
                of_wh: limits.energy_budget_wh,
                since: since.time,
                since_uptime_s: since.instant.since_start().as_secs_f64(),
            },
        }
    }

    fn margins(&self) -> Margins {
        let limits = &self.limits;
        let volts = self.voltage.volts();
        let temperature = limits.chip_temperature_max_c.zip(self.temperature.newest_c());
        Margins {
            current_a: self.seen.map(|seen| limits.current_limit.0 - seen.current_a),
            power_w: limits
                .power_limit
                .zip(self.seen)
                .map(|(limit, seen)| limit.0 - libm::fabs(seen.power_w)),
            voltage_max_v: limits.voltage_max.zip(volts).map(|(limit, volts)| limit.0 - volts),
            voltage_min_v: limits.voltage_min.zip(volts).map(|(limit, volts)| volts - limit.0),
            energy_wh: limits.energy_budget_wh.map(|budget| budget - self.budget.used_wh()),
            chip_temperature_k: temperature.map(|(limit, newest)| limit - newest),
        }
    }
}
