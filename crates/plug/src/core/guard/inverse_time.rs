//! Inverse time: how hot a breaker's bimetal would be, and when it would trip.
//!
//! The replica is one thermal mass that the square of the current heats and that loses heat in proportion to its own:
//!
//! ```text
//! d theta/dt = (k^2 - theta) / TIME_CONSTANT,   k = current / rated current,   trips at theta >= TRIP_LEVEL
//! ```
//! Over a window of constant current this has an exact solution, `k^2 + (theta - k^2) exp(-t/TIME_CONSTANT)`; so the
//! length of a window makes no difference.
//!
//! `TRIP_LEVEL` and `TIME_CONSTANT` are chosen so that the points of IEC 60898-1:2015 (second edition), table 7, tests
//! a, b and c for rated currents up to 32 A hold (the first edition of 2002 has the same figures there):
//!
//! | current | from | the standard | here |
//! |---|---|---|---|
//! | 1.13 x rated | cold | no trip within 1 h | never |
//! | 1.45 x rated | right after that hour | trips within 1 h | after 26 s |
//! | 2.55 x rated | cold | trips after 1 s to 60 s | after 30 s |
//! | 5 x rated (a motor's start) | cold | (magnetic part) | after 7 s |
//!
//! Up to 1.2 times the rated current is carried for ever: whoever wants a plug to be safer than a breaker sets a lower
//! rated current. A re-arm does not cool it: like a hot breaker, it then does not stay closed for long. A restart finds the replica cold, as nothing is known of what flowed before.

use metering::reading::Reading;
use metering::units::Amperes;

use super::stretch::Window;

/// Of the replica, in seconds.
pub const TIME_CONSTANT_S: f64 = 120.0;
/// In squares of the rated current: what 1.2 times it reaches after a long time.
pub const TRIP_LEVEL: f64 = 1.44;
/// What counts as cooled down: as hot as the rated current keeps it for ever.
pub const CLEAR_LEVEL: f64 = 1.0;

/// The replica. Heat is in square amperes, so that another rated current needs no conversion.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InverseTime {
    heat: f64,
    /// Of the newest window, in amperes.
    current: f64,
    /// Of the newest window.
    end: Option<f64>,
}

impl InverseTime {
    /// A window was measured. Time before it that no window has counts as its predecessor's current.
    pub(super) fn take(&mut self, reading: &Reading) {
        let window = Window::of(reading);
        let gap = self.end.map_or(0.0, |end| window.start - end);
        self.step(gap);
        let current = reading.current_total.unwrap_or(reading.current).0;
        // What is not a number would stay for ever in the sum.
        if current.is_finite() {
            self.current = current;
        }
        self.step(window.end - window.start);
        self.end = Some(window.end);
    }

    fn step(&mut self, seconds: f64) {
        if seconds > 0.0 {
            let goal = self.current * self.current;
            self.heat = goal + (self.heat - goal) * libm::exp(-seconds / TIME_CONSTANT_S);
        }
    }

    /// Whether a breaker of this rated current would open now.
    pub(super) fn trips(&self, rated: Amperes) -> bool {
        self.heat >= TRIP_LEVEL * rated.0 * rated.0
    }

    /// Whether it has cooled enough to close again.
    pub(super) fn is_clear(&self, rated: Amperes) -> bool {
        self.heat <= CLEAR_LEVEL * rated.0 * rated.0
    }

    /// What flowed in the newest window.
    pub(super) fn current(&self) -> Amperes {
        Amperes(self.current)
    }

    /// Heat in percent of where it trips.
    pub(super) fn percent(&self, rated: Amperes) -> f64 {
        100.0 * self.heat / (TRIP_LEVEL * rated.0 * rated.0)
    }

    /// Seconds until it trips if the current stays as it is; `None`: never.
    pub(super) fn trips_in(&self, rated: Amperes) -> Option<f64> {
        let (goal, level) = (self.current * self.current, TRIP_LEVEL * rated.0 * rated.0);
        if self.heat >= level {
            return Some(0.0);
        }
        (goal > level).then(|| TIME_CONSTANT_S * libm::log((goal - self.heat) / (goal - level)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::reading;
    use super::*;

    const RATED: Amperes = Amperes(10.0);

    /// Lets a multiple of the rated current flow and says after how many seconds it tripped.
    fn flow(replica: &mut InverseTime, multiple: f64, window: f64, seconds: f64) -> Option<f64> {
        let start = replica.end.unwrap_or(0.0);
        let mut end = start;
        while end - start < seconds {
            end += window;
            let mut reading = reading(end);
            reading.window.duration.0 = window;
            reading.current.0 = multiple * RATED.0;
            replica.take(&reading);
            if replica.trips(RATED) {
                return Some(end - start);
            }
        }
        None
    }

    #[test]
    fn test_a_113_percent_from_cold_does_not_trip_within_an_hour() {
        assert_eq!(flow(&mut InverseTime::default(), 1.13, 0.2, 3600.0), None);
    }

    #[test]
    fn test_b_145_percent_right_after_it_trips_within_an_hour() {
        let mut replica = InverseTime::default();
        assert_eq!(flow(&mut replica, 1.13, 0.2, 3600.0), None);
        let after = flow(&mut replica, 1.45, 0.2, 3600.0);
        assert!(after.is_some_and(|after| (26.0..27.0).contains(&after)), "{after:?}");
    }

    #[test]
    fn test_c_255_percent_from_cold_trips_between_1_and_60_seconds() {
        let after = flow(&mut InverseTime::default(), 2.55, 0.2, 61.0);
        assert!(after.is_some_and(|after| (29.9..30.3).contains(&after)), "{after:?}");
        let motor = flow(&mut InverseTime::default(), 5.0, 0.2, 60.0);
        assert!(motor.is_some_and(|after| (7.0..7.3).contains(&after)), "{motor:?}");
    }

    #[test]
    fn the_length_of_windows_and_gaps_make_no_difference() {
        let heat = |window: f64| {
            let mut replica = InverseTime::default();
            assert_eq!(flow(&mut replica, 1.1, window, 59.99), None);
            (replica.heat, replica.end.unwrap())
        };
        let (short, long) = (heat(0.02), heat(0.25));
        assert!(
            (short.0 - long.0).abs() < 1e-9 * long.0 && (short.1 - long.1).abs() < 1e-6,
            "{short:?} {long:?}"
        );
        // A gap of 30 s counts as the current before it.
        let mut gap = InverseTime::default();
        let _ = flow(&mut gap, 1.1, 0.2, 29.9);
        let mut after = reading(60.0);
        after.current.0 = 11.0;
        gap.take(&after);
        assert!((gap.heat - long.0).abs() < 1e-6 * long.0);
    }

    #[test]
    fn it_cools_while_nothing_flows_and_says_when_it_will_trip() {
        let mut replica = InverseTime::default();
        let _ = flow(&mut replica, 2.55, 0.2, 29.0);
        let left = replica.trips_in(RATED);
        assert!(left.is_some_and(|left| (left - 1.0).abs() < 0.2), "{left:?}");
        assert!((replica.percent(RATED) - 97.0).abs() < 1.0, "{}", replica.percent(RATED));
        assert!(flow(&mut replica, 2.55, 0.2, 2.0).is_some() && !replica.is_clear(RATED));
        let _ = flow(&mut replica, 0.0, 43.0, 43.0);
        assert!(!replica.is_clear(RATED));
        let _ = flow(&mut replica, 0.0, 2.0, 2.0);
        assert!(replica.is_clear(RATED));
        assert_eq!(replica.trips_in(RATED), None);
    }

    #[test]
    fn the_total_counts_where_it_is_known_and_nonsense_never() {
        let mut replica = InverseTime::default();
        let mut direct = reading(0.2);
        direct.current_total = Some(Amperes(50.0));
        direct.current.0 = 1.0;
        replica.take(&direct);
        assert_eq!(replica.current(), Amperes(50.0));
        let mut broken = reading(0.4);
        broken.current.0 = f64::NAN;
        broken.current_total = None;
        replica.take(&broken);
        assert!(replica.current() == Amperes(50.0) && replica.heat.is_finite());
    }
}
