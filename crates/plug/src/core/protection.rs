//! Instant over-current: the RMS of the last half cycle against a limit, once a block of samples; and what a trip is.
//!
//! A current of at least 1.05 times the limit reaches the threshold before it has flowed for half a cycle; the
//! block adds at most 2 ms. A clipped current counts as over the limit, since nobody knows what it really is, unless
//! the owner says that it counts as what it shows. The slower protections stand in [`crate::core::guard`].

use core::fmt::Write;

use heapless::String;
use metering::meter::{HalfCycle, Meter};
use metering::units::{Amperes, Seconds, Volts, Watts};

use crate::number::{Places, tenths};
use crate::platform::{InstantLimit, InstantTrip};

/// Rated current of the plug: what it opens at.
pub const DEFAULT_LIMIT: Amperes = Amperes(16.0);
/// Where between the limit (never a trip) and 1.05 times it (always one) the threshold lies.
const THRESHOLD: f64 = 1.025;

/// A sentence that says why.
pub type Cause = String<96>;

/// One of the two channels of the converter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// What measures the voltage.
    Voltage,
    /// What measures the current.
    Current,
}

impl Channel {
    /// As it stands in sentences.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voltage => "voltage",
            Self::Current => "current",
        }
    }
}

/// Why protection opened the relay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trip {
    /// Half-cycle RMS current over the limit.
    OverCurrent {
        /// What was seen.
        current: Amperes,
        /// What is allowed.
        limit: Amperes,
    },
    /// The current channel touched its rail.
    ClippedCurrent {
        /// What is allowed.
        limit: Amperes,
    },
    /// More than the rated current for longer than a breaker would bear it.
    InverseTime {
        /// What flowed last.
        current: Amperes,
        /// What may flow for ever.
        rated: Amperes,
    },
    /// Active power over the limit, in either direction.
    OverPower {
        /// What was seen last.
        power: Watts,
        /// What is allowed.
        limit: Watts,
        /// For how long it was over the limit.
        lasted: Seconds,
    },
    /// Voltage over the limit.
    OverVoltage {
        /// What was seen last.
        voltage: Volts,
        /// What is allowed.
        limit: Volts,
        /// For how long it was over the limit.
        lasted: Seconds,
    },
    /// Voltage under the limit.
    UnderVoltage {
        /// What was seen last.
        voltage: Volts,
        /// What is needed.
        limit: Volts,
        /// For how long it was under the limit.
        lasted: Seconds,
    },
    /// The energy of the day is used up.
    EnergyBudget {
        /// What was imported, in watt-hours.
        used_wh: f64,
        /// What is allowed a day, in watt-hours.
        budget_wh: f64,
    },
    /// The chip is too hot.
    OverTemperature {
        /// What was seen, in degrees Celsius.
        temperature_c: f64,
        /// What is allowed, in degrees Celsius.
        limit_c: f64,
    },
    /// No samples come: an over-current would go unseen.
    NoSamples,
    /// A channel shows one and the same count, where it cannot be so.
    StuckSensor(Channel),
}

impl Trip {
    /// Its name in JSON and in flash.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OverCurrent { .. } => "over_current",
            Self::ClippedCurrent { .. } => "clipped",
            Self::InverseTime { .. } => "inverse_time",
            Self::OverPower { .. } => "over_power",
            Self::OverVoltage { .. } => "over_voltage",
            Self::UnderVoltage { .. } => "under_voltage",
            Self::EnergyBudget { .. } => "energy_budget",
            Self::OverTemperature { .. } => "over_temperature",
            Self::NoSamples => "no_samples",
            Self::StuckSensor(_) => "stuck_sensor",
        }
    }

    /// The sentence for people, with numbers and units.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match *self {
            Self::OverCurrent { current, limit } => sentence(format_args!(
                "over-current: {} A in a half cycle, {} A allowed",
                tenths(current.0),
                tenths(limit.0)
            )),
            Self::ClippedCurrent { limit } => sentence(format_args!(
                "over-current: beyond what can be measured, {} A allowed",
                tenths(limit.0)
            )),
            Self::InverseTime { current, rated } => sentence(format_args!(
                "overload: more than {} A for too long, {} A at the end",
                tenths(rated.0),
                tenths(current.0)
            )),
            Self::OverPower { power, limit, lasted } => sentence(format_args!(
                "over-power: {} W, {} W allowed, for {} s",
                Places(power.0, 0),
                Places(limit.0, 0),
                tenths(lasted.0)
            )),
            Self::OverVoltage { voltage, limit, lasted } => sentence(format_args!(
                "over-voltage: {} V, {} V allowed, for {} s",
                tenths(voltage.0),
                tenths(limit.0),
                tenths(lasted.0)
            )),
            Self::UnderVoltage { voltage, limit, lasted } => sentence(format_args!(
                "under-voltage: {} V, at least {} V needed, for {} s",
                tenths(voltage.0),
                tenths(limit.0),
                tenths(lasted.0)
            )),
            Self::EnergyBudget { used_wh, budget_wh } => sentence(format_args!(
                "energy budget: {} Wh of {} Wh a day used",
                tenths(used_wh),
                tenths(budget_wh)
            )),
            Self::OverTemperature { temperature_c, limit_c } => sentence(format_args!(
                "chip too hot: {} °C, {} °C allowed",
                tenths(temperature_c),
                tenths(limit_c)
            )),
            Self::NoSamples => sentence(format_args!("no samples: nothing would protect what is plugged in")),
            Self::StuckSensor(channel) => sentence(format_args!(
                "stuck sensor: the {} channel stands still, nothing protects what is plugged in",
                channel.name()
            )),
        }
    }
}

/// A sentence; what does not fit is cut, never lost as a whole.
pub(crate) fn sentence(arguments: core::fmt::Arguments<'_>) -> Cause {
    let mut cause = Cause::new();
    let _ = cause.write_fmt(arguments);
    cause
}

/// Limits in raw counts: compared with integers only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverCurrent {
    limit: Amperes,
    amperes_a_count: f64,
    threshold_counts: u32,
    clipped_trips: bool,
}

impl OverCurrent {
    /// For a limit and the current channel's gain; a clipped current counts as over the limit.
    #[must_use]
    pub fn new(limit: Amperes, amperes_a_count: f64) -> Self {
        let gain = if amperes_a_count < 0.0 { -amperes_a_count } else { amperes_a_count };
        let threshold_counts = (limit.0 * THRESHOLD / gain) as u32;
        Self { limit, amperes_a_count: gain, threshold_counts, clipped_trips: true }
    }

    /// Whether a clipped current counts as over the limit (setting `clipped`), or as what it shows.
    #[must_use]
    pub fn with_clipped_trips(self, clipped_trips: bool) -> Self {
        Self { clipped_trips, ..self }
    }

    /// Looks at the newest half cycle.
    #[must_use]
    pub fn check(&self, half_cycle: &HalfCycle) -> Option<Trip> {
        let limit = self.limit;
        if half_cycle.current.rms_at_least(self.threshold_counts) {
            let current = Amperes(self.amperes_a_count * half_cycle.current.rms_counts());
            return Some(Trip::OverCurrent { current, limit });
        }
        (self.clipped_trips && half_cycle.current_clipped).then_some(Trip::ClippedCurrent { limit })
    }

    /// The same limit for whatever takes the samples in below the core.
    #[must_use]
    pub fn instant_limit(&self, meter: &Meter<'_>) -> InstantLimit {
        let range = meter.front_end().current;
        // No converter delivers the ends of 32 bits: nothing counts as clipped then.
        let (lowest, highest) =
            if self.clipped_trips { (range.lowest, range.highest) } else { (i32::MIN, i32::MAX) };
        InstantLimit {
            zero: meter.current_zero(),
            threshold: self.threshold_counts,
            half_cycle: u16::try_from(meter.half_cycle_rows()).unwrap_or(u16::MAX),
            lowest,
            highest,
        }
    }

    /// What the core makes of a trip that came from below.
    #[must_use]
    pub fn instant_trip(&self, trip: InstantTrip) -> Trip {
        let limit = self.limit;
        match trip {
            InstantTrip::OverCurrent(counts) => {
                Trip::OverCurrent { current: Amperes(self.amperes_a_count * f64::from(counts)), limit }
            }
            InstantTrip::Clipped => Trip::ClippedCurrent { limit },
            InstantTrip::NoSamples => Trip::NoSamples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trip_has_a_name_and_a_sentence_that_fits() {
        let (amperes, volts, lasted) = (Amperes(99_999.99), Volts(99_999.99), Seconds(86_400.0));
        let table = [
            (Trip::OverCurrent { current: amperes, limit: amperes }, "over_current", " A allowed"),
            (Trip::ClippedCurrent { limit: amperes }, "clipped", " A allowed"),
            (Trip::InverseTime { current: amperes, rated: amperes }, "inverse_time", " A at the end"),
            (
                Trip::OverPower { power: Watts(-99_999.9), limit: Watts(99_999.9), lasted },
                "over_power",
                " 86400.0 s",
            ),
            (Trip::OverVoltage { voltage: volts, limit: volts, lasted }, "over_voltage", " 86400.0 s"),
            (Trip::UnderVoltage { voltage: volts, limit: volts, lasted }, "under_voltage", " 86400.0 s"),
            (Trip::EnergyBudget { used_wh: 999_999.9, budget_wh: 999_999.9 }, "energy_budget", " a day used"),
            (Trip::OverTemperature { temperature_c: 127.9, limit_c: 90.0 }, "over_temperature", "allowed"),
            (Trip::NoSamples, "no_samples", "plugged in"),
            (Trip::StuckSensor(Channel::Voltage), "stuck_sensor", "plugged in"),
        ];
        for (trip, kind, end) in table {
            assert_eq!(trip.kind(), kind);
            assert!(trip.cause().ends_with(end), "{}", trip.cause());
        }
    }
}
