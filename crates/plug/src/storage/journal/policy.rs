//! When the journal is written: often enough for the promise, seldom enough for the flash. Pure.
//!
//! The promise: a power cut loses at most the larger of 1 Wh and what the last 10 s brought. Totals move once a
//! window, and no window is longer than 0.25 s (`docs/metrology.md`); so both limits are taken one window early.

use core::time::Duration;

use super::super::totals::Totals;
use crate::platform::Instant;

/// Longest window: totals stand still for so long.
const WINDOW: Duration = Duration::from_millis(250);
/// What a window of 16 A at 253 V brings in that time, in nano-watt-hours, rounded up.
const WINDOW_ENERGY: u64 = 300_000_000;
/// What may be lost: what came in so long a time ...
pub const LONGEST_LOSS: Duration = Duration::from_secs(10);
/// ... or this energy, whichever is larger; in watt-hours.
pub const LOSS_ENERGY_WH: u64 = 1;
/// From one write to the next for the energy's sake, at least.
pub const WRITE_INTERVAL: Duration = LONGEST_LOSS.saturating_sub(WINDOW);
/// Energy that is worth a write, in nano-watt-hours.
const WRITE_ENERGY: u64 = LOSS_ENERGY_WH * 1_000_000_000 - WINDOW_ENERGY;
/// Anything at all that changed is written after so long.
pub const IDLE_INTERVAL: Duration = Duration::from_secs(60);

/// What decides when to write.
///
/// Three reasons to write, each only if something changed since the last write:
/// - import and export moved by 0.7 Wh together, and the last write is 9.75 s ago;
/// - the last write is 60 s ago;
/// - the mains vanished: at once, once an outage. Mains that flicker would burn the flash, so two writes for that
///   reason are 10 s apart; an outage that comes sooner loses those few seconds, which the promise allows.
///
/// A write that failed counts as one for the distances, not for the totals: a flash that fails is tried again at the
/// same pace. So the most that can ever come are two writes in 10 s.
#[derive(Clone, Debug)]
pub struct JournalPolicy {
    written: Totals,
    /// When it said so last.
    asked: Instant,
    /// When it said so for an outage.
    asked_for_outage: Option<Instant>,
    outage: Outage,
}

/// ```text
///            mains_lost                  changed, and 10 s since the last one
///   none ----------------> unwritten ---------------------------------------> written
///    ^                       |                                                   |
///    +-----------------------+---------------------------------------------------+  mains are there
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    None,
    Unwritten,
    Written,
}

impl JournalPolicy {
    /// From `now` on; `written` is what the journal holds (all zero where it holds nothing).
    #[must_use]
    pub const fn new(now: Instant, written: Totals) -> Self {
        Self { written, asked: now, asked_for_outage: None, outage: Outage::None }
    }

    /// Takes the newest totals, with each reading; `true`: they are to be appended now, then
    /// [`Self::written`] is to be called.
    #[must_use]
    pub fn handle(&mut self, now: Instant, totals: &Totals, mains_lost: bool) -> bool {
        self.outage = match (mains_lost, self.outage) {
            (false, _) => Outage::None,
            (true, Outage::None) => Outage::Unwritten,
            (true, outage) => outage,
        };
        if *totals == self.written {
            return false;
        }
        let waited = now.since(self.asked);
        let outage = self.outage == Outage::Unwritten
            && self.asked_for_outage.is_none_or(|asked| now.since(asked) >= LONGEST_LOSS);
        let energy = waited >= WRITE_INTERVAL && totals.moved_since(&self.written) >= WRITE_ENERGY;
        let due = outage || energy || waited >= IDLE_INTERVAL;
        if due {
            self.asked = now;
        }
        if outage {
            self.asked_for_outage = Some(now);
            self.outage = Outage::Written;
        }
        due
    }

    /// The journal holds these now, for whatever reason they were written.
    pub fn written(&mut self, totals: &Totals) {
        self.written = *totals;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::collections::VecDeque;
    use metering::energy::Energy;

    const NANO: f64 = 1e9;

    fn at(seconds: f64) -> Instant {
        Instant::from_start(Duration::from_secs_f64(seconds))
    }

    fn import(watt_hours: f64) -> Totals {
        Totals { import: Energy((watt_hours * NANO) as u64), ..Totals::default() }
    }

    /// Runs windows of a load, `power(time)`; what would be lost at the worst moment, over what is allowed then, and
    /// the number of writes.
    fn run(seconds: f64, window: f64, power: impl Fn(f64) -> f64) -> (f64, u32) {
        let mut policy = JournalPolicy::new(at(0.0), Totals::default());
        let (mut total, mut written, mut writes, mut worst) = (0.0, 0.0, 0, 0.0_f64);
        let mut last_10_s = VecDeque::new();
        let (mut recent, mut time) = (0.0, 0.0);
        while time < seconds {
            let energy = power(time) * window / 3600.0;
            time += window;
            total += energy;
            recent += energy;
            last_10_s.push_back((time, energy));
            while last_10_s.front().is_some_and(|(end, _)| end - window < time - 10.0 - 1e-9) {
                recent -= last_10_s.pop_front().unwrap().1;
            }
            // The worst moment for a cut: the totals are told, and not written yet.
            worst = worst.max((total - written) / 1_f64.max(recent));
            let totals = import(total);
            if policy.handle(at(time), &totals, false) {
                policy.written(&totals);
                written = total;
                writes += 1;
            }
        }
        (worst, writes)
    }

    #[test]
    fn any_steady_load_loses_at_most_1_wh_or_10_s() {
        for power in [0.1, 1.0, 10.0, 42.0, 100.0, 250.0, 300.0, 355.0, 361.0, 500.0, 1000.0, 2300.0, 3680.0]
        {
            for window in [0.18, 0.2, 0.2004, 0.25] {
                let (worst, writes) = run(1800.0, window, |_| power);
                assert!(worst <= 1.0 + 1e-9, "{power} W, {window} s: {worst}");
                assert!((29..=185).contains(&writes), "{power} W, {window} s: {writes} writes");
            }
        }
    }

    #[test]
    fn so_does_a_load_that_jumps() {
        let powers = [0.3, 95.0, 4000.0, 0.0, 340.0, 3680.0, 60.0];
        for pace in [0.7, 3.1, 9.8, 27.0, 33.3] {
            let (worst, _) = run(7200.0, 0.25, |time| powers[(time / pace) as usize % powers.len()]);
            assert!(worst <= 1.0 + 1e-9, "{pace} s: {worst}");
        }
    }

    #[test]
    fn nothing_that_stands_still_is_written() {
        let mut policy = JournalPolicy::new(at(0.0), import(3.0));
        assert!((0..10_000).all(|second| !policy.handle(
            at(f64::from(second)),
            &import(3.0),
            second % 7 == 0
        )));
        let more_time = Totals { unmeasured_us: 1, ..import(3.0) };
        assert!(policy.handle(at(10_001.0), &more_time, false), "time counts as much as energy");
    }

    #[test]
    fn an_outage_is_written_at_once_and_once() {
        let mut policy = JournalPolicy::new(at(0.0), Totals::default());
        assert!(!policy.handle(at(1.0), &import(0.1), false));
        assert!(policy.handle(at(1.2), &import(0.11), true));
        policy.written(&import(0.11));
        // The last window comes after it: not worth another write.
        assert!(!policy.handle(at(1.4), &import(0.12), true));
        // Flicker: not within 10 s, then again.
        assert!(!policy.handle(at(3.0), &import(0.2), false));
        assert!(!policy.handle(at(4.0), &import(0.3), true));
        assert!(policy.handle(at(11.2), &import(0.3), true));
        policy.written(&import(0.3));
        assert!(!policy.handle(at(11.4), &import(0.3), false));
        // With nothing to write, it waits for the last window.
        assert!(!policy.handle(at(22.0), &import(0.3), true));
        assert!(policy.handle(at(22.2), &import(0.31), true));
    }

    #[test]
    fn mains_that_flicker_for_hours_cost_two_writes_in_10_s_at_most() {
        let mut policy = JournalPolicy::new(at(0.0), Totals::default());
        let mut writes = 0;
        for step in 0..18_000_u32 {
            let totals = import(f64::from(step) * 0.2);
            if policy.handle(at(f64::from(step) * 0.2), &totals, step % 4 < 2) {
                policy.written(&totals);
                writes += 1;
            }
        }
        assert!(writes <= 720, "{writes} in an hour");
    }

    #[test]
    fn a_flash_that_fails_is_tried_again_at_the_same_pace() {
        let mut policy = JournalPolicy::new(at(0.0), Totals::default());
        let due =
            (0..500).filter(|step| policy.handle(at(f64::from(*step) * 0.2), &import(50.0), false)).count();
        assert_eq!(due, 10);
    }
}
