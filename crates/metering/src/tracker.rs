//! Finds the positive-going zero crossings of the voltage: armed well below zero, fired at zero.
//!
//! ```text
//!            count < zero - hysteresis
//!  Waiting ---------------------------> Armed
//!     ^                                   |
//!     +-----------------------------------+
//!       first count >= zero: a crossing, placed by a straight line between the two
//!       counts; not reported within 12 ms of the one before (a notch, not a cycle)
//! ```

use crate::dsp::eight::{any_at_least, any_below};
use crate::history::LOST;
use crate::position::{FRACTION_BITS, Position};

/// Fractional bits of the zero.
const ZERO_BITS: u32 = 8;
/// Rows that are looked at together.
const BLOCK: usize = 8;

/// What must be known of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// Calibrated zero, in 2^-8 counts.
    zero: i64,
    /// Below this count the detector arms.
    arm: i32,
    /// At or above this count it fires.
    fire: i32,
}

impl Thresholds {
    pub(crate) fn new(zero_raw: f64, hysteresis_counts: f64) -> Self {
        Self {
            zero: libm::round(zero_raw * f64::from(1_u32 << ZERO_BITS)) as i64,
            arm: libm::floor(zero_raw - hysteresis_counts.max(1.0)) as i32,
            fire: libm::ceil(zero_raw) as i32,
        }
    }
}

/// A crossing in rows that were looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crossing {
    /// Which of them fired.
    pub(crate) fired: usize,
    /// How many rows before that the previous one was that was there.
    rows: u32,
    /// How far after that one the crossing lies, in 2^-20 of a row.
    after_previous: u64,
}

impl Crossing {
    /// Where it lies; `base` is the first row that was looked at.
    pub(crate) fn position(&self, base: u64) -> Position {
        Position::at((base + self.fired as u64).saturating_sub(self.rows.into())).after(self.after_previous)
    }
}

/// The detector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tracker {
    thresholds: Thresholds,
    armed: bool,
    /// Newest row that was there: how many rows before the next that is looked at, and its count.
    previous: (u32, i32),
}

impl Tracker {
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, armed: false, previous: (1, 0) }
    }

    pub(crate) fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
    }

    /// Forgets the past, as after a long gap.
    pub(crate) fn restart(&mut self) {
        self.armed = false;
    }

    /// The first crossing in these rows, which follow on those of the call before; `None` when all are used up.
    #[inline(always)]
    pub(crate) fn find(&mut self, counts: &[i32]) -> Option<Crossing> {
        let (blocks, rest) = counts.as_chunks::<BLOCK>();
        let mut at = 0;
        for block in blocks {
            if !self.is_dull(block)
                && let Some(fired) = self.fires_in(block)
            {
                return self.fire(counts, at + fired);
            }
            at += BLOCK;
        }
        if !rest.is_empty()
            && let Some(fired) = self.fires_in(rest)
        {
            return self.fire(counts, at + fired);
        }
        self.remember(counts);
        None
    }

    /// Most blocks hold nothing of interest: one look at their extremes tells.
    #[inline(always)]
    fn is_dull(&self, block: &[i32; BLOCK]) -> bool {
        if self.armed {
            !any_at_least(block, self.thresholds.fire)
        } else {
            !any_below(block, self.thresholds.arm)
        }
    }

    /// Which of these counts fires, if any.
    #[inline(never)]
    fn fires_in(&mut self, counts: &[i32]) -> Option<usize> {
        let Thresholds { arm, fire, .. } = self.thresholds;
        let mut at = 0;
        if !self.armed {
            // A lost row is below everything.
            at = counts.iter().position(|&count| count < arm && count != LOST)?;
            self.armed = true;
        }
        let fired = counts.get(at..)?.iter().position(|&count| count >= fire)?;
        Some(at + fired)
    }

    #[inline(never)]
    fn fire(&mut self, counts: &[i32], at: usize) -> Option<Crossing> {
        let (before, rest) = counts.split_at_checked(at)?;
        self.remember(before);
        let (rows, count) = self.previous;
        let fired = *rest.first()?;
        let after_previous = self.place(count, fired, rows);
        self.previous = (1, fired);
        self.armed = false;
        Some(Crossing { fired: at, rows, after_previous })
    }

    /// Keeps the newest row that was there.
    #[inline(always)]
    fn remember(&mut self, counts: &[i32]) {
        if let [.., newest] = *counts
            && newest != LOST
        {
            self.previous = (1, newest);
        } else {
            self.remember_older(counts);
        }
    }

    #[inline(never)]
    fn remember_older(&mut self, counts: &[i32]) {
        for &count in counts {
            self.previous = if count == LOST { (self.previous.0 + 1, self.previous.1) } else { (1, count) };
        }
    }

    /// How far after the first of two counts, so many `rows` apart, the straight line through them meets zero; in 2^-20
    /// of a row.
    fn place(&self, count: i32, next_count: i32, rows: u32) -> u64 {
        let below = self.thresholds.zero - (i64::from(count) << ZERO_BITS);
        let rise = (i64::from(next_count) - i64::from(count)) << ZERO_BITS;
        let rows = i64::from(rows);
        // Counts have 24 bits, so below * rows * 2^20 needs at most 24 + 8 + 20 + 10 bits.
        let distance = if rise > 0 { ((below * rows) << FRACTION_BITS) / rise } else { 0 };
        distance.clamp(0, rows << FRACTION_BITS) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_are_placed_between_the_counts_and_need_the_hysteresis() {
        let thresholds = Thresholds::new(0.5, 100.0);
        let mut tracker = Tracker::new(thresholds);
        let counts = [200, -50, 40, -50, 40, -101, -30, 10, -40, 200, LOST, -300, LOST, 300];
        let found = tracker.find(&counts).map(|found| (found.position(0), found.fired));
        assert_eq!(found, Some((Position::new(6, ((305 << 20) / 400) as u32), 7)));
        let found = tracker.find(&counts[8..]).map(|found| (found.position(8), found.fired));
        assert_eq!(found, Some((Position::at(12).after((1 << 20) / 600), 13 - 8)));
    }
}
