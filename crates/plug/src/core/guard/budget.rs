//! The energy budget of a day: what was imported since local midnight.
//!
//! ```text
//!                     readings say another, later day
//!   counts for day d ---------------------------------> counts for the later day, from 0
//!        ^
//!        | the first trusted day: what was used without a clock counts for it,
//!        | what the storage had counts if it was of the same day or of none
//!   counts without a day --+
//!        ^                 | 24 h are over: from 0
//!        +-----------------+
//! ```
//! A clock that is set back brings no new budget; one that is set forward does.

use core::time::Duration;

use metering::energy::Energy;
use metering::reading::Reading;

use super::Limits;
use crate::core::Moment;
use crate::core::protection::Trip;
use crate::platform::Instant;

/// A day where nobody knows the local one.
const DAY: Duration = Duration::from_secs(86_400);

/// What was used, and of which day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// What the storage knew at the start.
    before: Energy,
    /// Local day that it belongs to; `None`: not known.
    day_before: Option<i64>,
    /// Imported since then.
    used: Energy,
    /// The trusted local day that all this counts for.
    day: Option<i64>,
    /// Whether the newest reading knew its day; where none does, 24 h after `since` is as good a midnight as any.
    is_dated: bool,
    /// Since when it counts.
    since: Moment,
    /// The running total of the newest reading.
    total: Option<Energy>,
}

impl Budget {
    /// What the storage knows: energy that was imported on a local day.
    pub(super) fn start(&mut self, now: Moment, used_wh: f64, day: Option<i64>) {
        self.before = from_watt_hours(used_wh);
        self.day_before = day;
        self.since = now;
    }

    /// A window was measured, on this local day if that is known.
    pub(super) fn take(&mut self, now: Moment, reading: &Reading, day: Option<i64>) {
        // Totals that are new, or begin anew, say nothing about this window but what it says itself.
        let imported = match self.total {
            Some(before) if before <= reading.energy_import => reading.energy_import.0 - before.0,
            _ => from_watt_hours(reading.active_power.0 * reading.window.duration.0 / 3600.0).0,
        };
        self.total = Some(reading.energy_import);
        self.is_dated = day.is_some();
        match day {
            Some(day) => self.date(now, day),
            None => self.tick(now),
        }
        self.used.0 = self.used.0.saturating_add(imported);
    }

    /// Time went by: without a trusted clock, the period may be over.
    pub(super) fn tick(&mut self, now: Moment) {
        if self.period_ends().is_some_and(|end| end <= now.instant) {
            self.begin_anew(now, None);
        }
    }

    /// When [`Self::tick`] begins a new period; `None` where the local day does.
    pub(super) fn period_ends(&self) -> Option<Instant> {
        (!self.is_dated).then(|| self.since.instant.after(DAY))
    }

    /// The local day is known.
    fn date(&mut self, now: Moment, day: i64) {
        match self.day {
            Some(counted) if counted < day => self.begin_anew(now, Some(day)),
            Some(_) => self.day = Some(day),
            None => {
                if self.day_before.is_some_and(|before| before < day) {
                    self.before = Energy(0);
                }
                self.day = Some(day);
            }
        }
    }

    fn begin_anew(&mut self, now: Moment, day: Option<i64>) {
        (self.before, self.used) = (Energy(0), Energy(0));
        (self.day, self.day_before) = (day, None);
        self.since = now;
    }

    /// Used of the budget, in watt-hours.
    pub(super) fn used_wh(&self) -> f64 {
        Energy(self.before.0.saturating_add(self.used.0)).watt_hours()
    }

    /// Since when this period counts; before that the storage knows.
    pub(super) fn since(&self) -> Moment {
        self.since
    }

    /// Whether the budget is used up.
    pub(super) fn verdict(&self, limits: &Limits) -> Option<Trip> {
        let (used_wh, budget_wh) = (self.used_wh(), limits.energy_budget_wh?);
        (used_wh >= budget_wh).then_some(Trip::EnergyBudget { used_wh, budget_wh })
    }
}

/// The integer nearest to so many watt-hours; nothing, where that is negative or no number.
fn from_watt_hours(watt_hours: f64) -> Energy {
    Energy(libm::round(watt_hours * 1e9) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, reading};
    use super::*;

    /// A day of windows would be long: one that imports this much, ending at `end`.
    fn imports(budget: &mut Budget, end: f64, total_wh: f64, day: Option<i64>) {
        let mut reading = reading(end);
        reading.energy_import = Energy((total_wh * 1e9) as u64);
        budget.take(at(end), &reading, day);
    }

    fn started(used_wh: f64, day: Option<i64>) -> Budget {
        let mut budget = Budget::default();
        budget.start(at(0.0), used_wh, day);
        // Totals of before are nobody's business here.
        imports(&mut budget, 0.2, 7.0, None);
        budget
    }

    #[test]
    fn a_later_day_begins_anew_and_an_earlier_one_does_not() {
        let mut budget = started(100.0, Some(5));
        imports(&mut budget, 1.0, 17.0, Some(5));
        assert_eq!(budget.used_wh(), 110.0);
        imports(&mut budget, 2.0, 20.0, Some(4));
        assert_eq!(budget.used_wh(), 113.0);
        imports(&mut budget, 3.0, 21.0, Some(5));
        assert_eq!((budget.used_wh(), budget.since()), (1.0, at(3.0)));
        assert_eq!(budget.period_ends(), None);
    }

    #[test]
    fn what_was_used_without_a_clock_counts_for_the_first_day_that_is_known() {
        for (day_before, expected) in [(Some(5), 110.0), (None, 110.0), (Some(4), 10.0)] {
            let mut budget = started(100.0, day_before);
            imports(&mut budget, 1.0, 17.0, None);
            assert_eq!(budget.used_wh(), 110.0);
            imports(&mut budget, 2.0, 17.0, Some(5));
            assert_eq!(budget.used_wh(), expected, "{day_before:?}");
        }
    }

    #[test]
    fn without_a_clock_a_day_is_24_hours() {
        let mut budget = started(100.0, None);
        assert_eq!(budget.period_ends(), Some(at(86_400.0).instant));
        imports(&mut budget, 86_399.0, 57.0, None);
        assert_eq!(budget.used_wh(), 150.0);
        budget.tick(at(86_400.0));
        assert_eq!(budget.used_wh(), 0.0);
        // The same where the clock was trusted once and is not any more.
        imports(&mut budget, 86_500.0, 57.0, Some(5));
        assert_eq!(budget.period_ends(), None);
        imports(&mut budget, 86_600.0, 60.0, None);
        assert_eq!(budget.used_wh(), 3.0);
        assert_eq!(budget.period_ends(), Some(at(2.0 * 86_400.0).instant));
    }

    #[test]
    fn the_first_reading_and_totals_that_begin_anew_count_their_own_energy() {
        let mut budget = Budget::default();
        let mut kettle = reading(0.2);
        kettle.active_power.0 = 1800.0;
        kettle.energy_import = Energy(5_000_000_000);
        budget.take(at(0.2), &kettle, None);
        assert!((budget.used_wh() - 0.1).abs() < 1e-9);
        kettle.energy_import = Energy(100_000_000);
        budget.take(at(0.4), &kettle, None);
        assert!((budget.used_wh() - 0.2).abs() < 1e-9);
        kettle.active_power.0 = -1800.0;
        budget.take(at(0.6), &kettle, None);
        assert!((budget.used_wh() - 0.2).abs() < 1e-9, "what is exported is not imported");
    }
}
