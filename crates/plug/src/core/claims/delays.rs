//! What delays switching on: the start delay, the minimum times, and how often a minute. Nothing delays an off.

use core::time::Duration;

use heapless::Vec;

use super::types::{Class, DelayReason};
use crate::platform::Instant;
use crate::settings::schema::RelaySettings;

/// The window in which switchings are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Switchings that are remembered: one a second over that window.
pub(super) const SWITCHINGS: usize = 60;

/// What stands against switching on, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    /// `None`: until [`Delays::start`].
    pub(super) until: Option<Instant>,
    pub(super) reason: DelayReason,
}

/// When the relay was switched.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays {
    /// When the start delay is over; `None` before the start.
    start_over: Option<Instant>,
    last_on: Option<Instant>,
    last_off: Option<Instant>,
    newest: Instant,
    /// How long before `newest` each switching of that minute was, in ms, rounded down; oldest first, `newest` last.
    ages_ms: Vec<u16, SWITCHINGS>,
}

impl Delays {
    /// The plug starts. How long the relay has been off before is not known: it counts as switched off now.
    pub(super) fn start(&mut self, now: Instant, delay: Duration, kept_on: bool) {
        self.start_over = Some(now.after(delay));
        self.last_off = (!kept_on).then_some(now);
    }

    /// The relay was switched.
    pub(super) fn switched(&mut self, now: Instant, on: bool) {
        *(if on { &mut self.last_on } else { &mut self.last_off }) = Some(now);
        let gap_ms = now.since(self.newest).as_millis();
        let earlier = core::mem::take(&mut self.ages_ms);
        self.newest = now;
        // Room for the new one; what is counted never needs more (see `too_often_until`).
        let surplus = (earlier.len() + 1).saturating_sub(SWITCHINGS);
        for age_ms in earlier.into_iter().skip(surplus) {
            let age_ms = u128::from(age_ms) + gap_ms;
            if age_ms < MINUTE.as_millis() {
                let _ = self.ages_ms.push(u16::try_from(age_ms).unwrap_or(u16::MAX));
            }
        }
        let _ = self.ages_ms.push(0);
    }

    /// What still stands against switching on.
    pub(super) fn now(&self, now: Instant, settings: &RelaySettings, class: Class) -> Option<Delay> {
        self.latest(settings, class).filter(|delay| delay.until.is_none_or(|until| until > now))
    }

    /// The delay that ends last, whether it is over or not.
    pub(super) fn latest(&self, settings: &RelaySettings, class: Class) -> Option<Delay> {
        let Some(start_over) = self.start_over else {
            return Some(Delay { until: None, reason: DelayReason::StartDelay });
        };
        // Somebody who stands before the plug does not wait for the street.
        let start = (class != Class::Manual).then_some(start_over);
        let minimum_on = self.last_on.map(|last| last.after(settings.minimum_on));
        let minimum_off = self.last_off.map(|last| last.after(settings.minimum_off));
        [
            (start, DelayReason::StartDelay),
            (minimum_on, DelayReason::MinimumOn),
            (self.too_often_until(settings.switchings_a_minute), DelayReason::Switchings),
            (minimum_off, DelayReason::MinimumOff),
        ]
        .into_iter()
        .filter_map(|(until, reason)| until.map(|until| Delay { until: Some(until), reason }))
        .max_by_key(|delay| delay.until)
    }

    /// When there will be room for one more switching in a minute.
    fn too_often_until(&self, limit: u8) -> Option<Instant> {
        let limit = usize::from(limit).min(SWITCHINGS);
        let in_the_way = self.ages_ms.len().checked_sub(limit).filter(|_| limit > 0)?;
        let age = Duration::from_millis(u64::from(*self.ages_ms.get(in_the_way)?));
        Some(Instant::from_start(self.newest.since_start().saturating_add(MINUTE).saturating_sub(age)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_start(Duration::from_millis(milliseconds))
    }

    fn switchings(limit: u8) -> RelaySettings {
        RelaySettings { switchings_a_minute: limit, ..RelaySettings::default() }
    }

    #[test]
    fn the_oldest_switching_that_is_in_the_way_decides_how_long_it_takes() {
        let mut delays = Delays::default();
        delays.start(at(0), Duration::ZERO, false);
        for milliseconds in [1000, 2000, 3500] {
            delays.switched(at(milliseconds), milliseconds != 2000);
        }
        for (limit, until) in [(1, Some(63_500)), (2, Some(62_000)), (3, Some(61_000)), (4, None), (0, None)]
        {
            assert_eq!(delays.too_often_until(limit), until.map(at), "{limit}");
        }
        assert_eq!(
            delays.now(at(61_999), &switchings(2), Class::Manual).map(|delay| delay.reason),
            Some(DelayReason::Switchings)
        );
        assert_eq!(delays.now(at(62_000), &switchings(2), Class::Manual), None);
    }

    #[test]
    fn no_more_are_remembered_than_fit_and_old_ones_go() {
        let mut delays = Delays::default();
        delays.start(at(0), Duration::ZERO, false);
        for step in 0..200 {
            delays.switched(at(step * 100), step % 2 == 0);
        }
        assert_eq!(delays.ages_ms.len(), SWITCHINGS);
        assert_eq!(delays.too_often_until(60), Some(at(14_000 + 60_000)), "the 60th before");
        assert_eq!(delays.too_often_until(255), delays.too_often_until(60));
        delays.switched(at(19_900 + 60_000), true);
        assert_eq!(delays.ages_ms.as_slice(), [0]);
        // Months later as well.
        delays.switched(at(10_000_000_000), false);
        assert_eq!(delays.ages_ms.as_slice(), [0]);
    }

    #[test]
    fn the_delay_that_ends_last_is_named() {
        let settings = RelaySettings {
            minimum_on: Duration::from_secs(30),
            minimum_off: Duration::from_secs(20),
            ..RelaySettings::default()
        };
        let mut delays = Delays::default();
        let unknown = Delay { until: None, reason: DelayReason::StartDelay };
        assert_eq!(delays.latest(&settings, Class::Manual), Some(unknown));
        delays.start(at(0), Duration::from_secs(25), false);
        let latest = |delays: &Delays, class| {
            delays.latest(&settings, class).map(|delay| (delay.reason, delay.until.unwrap()))
        };
        assert_eq!(latest(&delays, Class::PowerOn), Some((DelayReason::StartDelay, at(25_000))));
        assert_eq!(latest(&delays, Class::Manual), Some((DelayReason::MinimumOff, at(20_000))));
        delays.switched(at(40_000), true);
        assert_eq!(latest(&delays, Class::Manual), Some((DelayReason::MinimumOn, at(70_000))));
        delays.switched(at(60_000), false);
        assert_eq!(latest(&delays, Class::Manual), Some((DelayReason::MinimumOff, at(80_000))));
    }
}
