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

use crate::history::{LOST, View};
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

/// The detector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tracker {
    thresholds: Thresholds,
    armed: bool,
    /// Newest row that was there, with its count.
    previous: (u64, i32),
}

impl Tracker {
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, armed: false, previous: (0, 0) }
    }

    pub(crate) fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
    }

    /// Forgets the past, as after a long gap.
    pub(crate) fn restart(&mut self) {
        self.armed = false;
    }

    /// The first crossing in the rows of `view`, with the row that fired; `None` when all rows are used up.
    pub(crate) fn find(&mut self, view: View<'_>) -> Option<(Position, u64)> {
        let mut row = view.base;
        let (blocks, rest) = view.voltage.as_chunks::<BLOCK>();
        for block in blocks {
            if !self.skip(block, row)
                && let Some(found) = self.find_in(block, row)
            {
                return Some(found);
            }
            row += BLOCK as u64;
        }
        self.find_in(rest, row)
    }

    /// Most blocks hold nothing of interest: one look at their extremes tells.
    #[inline(always)]
    fn skip(&mut self, block: &[i32; BLOCK], row: u64) -> bool {
        let [.., newest] = *block;
        let dull = if self.armed {
            newest != LOST
                && block.iter().fold(i32::MIN, |most, &count| most.max(count)) < self.thresholds.fire
        } else {
            block.iter().fold(i32::MAX, |least, &count| least.min(count)) >= self.thresholds.arm
        };
        if dull {
            self.previous = (row + BLOCK as u64 - 1, newest);
        }
        dull
    }

    fn find_in(&mut self, counts: &[i32], base: u64) -> Option<(Position, u64)> {
        for (&count, row) in counts.iter().zip(base..) {
            if count == LOST {
                continue;
            }
            let before = core::mem::replace(&mut self.previous, (row, count));
            if self.armed && count >= self.thresholds.fire {
                self.armed = false;
                return Some((self.place(before, (row, count)), row));
            }
            if count < self.thresholds.arm {
                self.armed = true;
            }
        }
        None
    }

    /// Where the straight line through two counts meets zero.
    fn place(&self, (row, count): (u64, i32), (next_row, next_count): (u64, i32)) -> Position {
        let below = self.thresholds.zero - (i64::from(count) << ZERO_BITS);
        let rise = (i64::from(next_count) - i64::from(count)) << ZERO_BITS;
        let rows = (next_row - row) as i64;
        // Counts have 24 bits, so below * rows * 2^20 needs at most 24 + 8 + 20 + 10 bits.
        let distance = if rise > 0 { ((below * rows) << FRACTION_BITS) / rise } else { 0 };
        Position::at(row).after(distance.clamp(0, rows << FRACTION_BITS) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(voltage: &[i32]) -> View<'_> {
        View { base: 0, voltage, current: voltage }
    }

    #[test]
    fn crossings_are_placed_between_the_counts_and_need_the_hysteresis() {
        let thresholds = Thresholds::new(0.5, 100.0);
        let mut tracker = Tracker::new(thresholds);
        let counts = [200, -50, 40, -50, 40, -101, -30, 10, -40, 200, LOST, -300, LOST, 300];
        assert_eq!(tracker.find(view(&counts)), Some((Position::new(6, ((305 << 20) / 400) as u32), 7)));
        let rest = View { base: 8, ..view(&counts[8..]) };
        assert_eq!(tracker.find(rest), Some((Position::at(12).after((1 << 20) / 600), 13)));
    }
}
