//! Energy as integers: each window's energy goes to import or export by its sign, what is left is carried.

use serde::{Serialize, Serializer};

use crate::units::Seconds;

/// An energy in units of a nano-watt-hour (3.6 microjoule); 2^64 of them are 18 gigawatt-hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Energy(pub u64);

/// Nano-watt-hours in a watt-hour.
const UNITS_A_WATT_HOUR: f64 = 1e9;
/// Seconds in an hour.
const SECONDS_AN_HOUR: f64 = 3600.0;

impl Energy {
    /// In watt-hours: the integer, divided once.
    #[must_use]
    pub fn watt_hours(self) -> f64 {
        self.0 as f64 / UNITS_A_WATT_HOUR
    }

    fn add(&mut self, units: u64) {
        self.0 = self.0.saturating_add(units);
    }
}

impl Serialize for Energy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.watt_hours())
    }
}

/// The running totals of a meter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EnergyTotals {
    /// Consumed.
    pub import: Energy,
    /// Delivered.
    pub export: Energy,
    /// The part of both that could not be told from noise.
    pub below_noise: Energy,
    /// Not yet a whole unit, of import minus export.
    carried: f64,
}

/// What an earlier run of the same meter counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resumed {
    /// Consumed.
    pub import: Energy,
    /// Delivered.
    pub export: Energy,
    /// The part of both that could not be told from noise.
    pub below_noise: Energy,
    /// Time that was not measured.
    pub unmeasured: Seconds,
}

impl EnergyTotals {
    /// Adds the totals of an earlier run to what was counted since the start.
    pub(crate) fn resume(&mut self, before: &Resumed) {
        self.import.add(before.import.0);
        self.export.add(before.export.0);
        self.below_noise.add(before.below_noise.0);
    }

    /// Adds a window: `power` watts over `duration` seconds.
    pub fn add(&mut self, power: f64, duration: f64, below_noise: bool) {
        let exact = power * duration * UNITS_A_WATT_HOUR / SECONDS_AN_HOUR + self.carried;
        let whole = libm::round(exact);
        self.carried = exact - whole;
        let units = libm::fabs(whole) as u64;
        if whole < 0.0 {
            self.export.add(units);
        } else {
            self.import.add(units);
        }
        if below_noise {
            self.below_noise.add(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_milliwatt_for_a_day_is_not_lost() {
        let mut totals = EnergyTotals::default();
        for _ in 0..5 * 86_400 {
            totals.add(0.001, 0.2, false);
        }
        assert!((totals.import.watt_hours() - 0.024).abs() < 2e-9, "{}", totals.import.watt_hours());
        assert_eq!(totals.export, Energy(0));
    }

    #[test]
    fn the_sign_decides() {
        let mut totals = EnergyTotals::default();
        totals.add(3600.0, 1.0, false);
        totals.add(-7200.0, 1.0, true);
        assert_eq!(totals.import, Energy(1_000_000_000));
        assert_eq!(totals.export, Energy(2_000_000_000));
        assert_eq!(totals.below_noise, Energy(2_000_000_000));
    }
}
