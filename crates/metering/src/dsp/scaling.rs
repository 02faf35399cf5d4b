//! From raw counts to rows of a size that 16-bit arithmetic makes the most of, and back.

use crate::position::times_power_of_two;

/// Largest scaled row. The residual is at most 1 + 4/pi = 2.2733 times as large (a square wave's fundamental is
/// 4/pi of its peak), twice that after folding: it must fit 16 bits.
pub(crate) const ROW_LIMIT: i32 = 7200;

/// One channel's way from raw counts to scaled rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaling {
    /// Counts that become 0: zero and mean.
    pub(crate) offset: i32,
    /// Left shift; negative: to the right, rounding.
    pub(crate) shift: i32,
}

impl Scaling {
    /// For rows between `least` and `greatest` about `zero`, centred on `mean`.
    pub(crate) fn new(zero: i32, mean: f64, least: i32, greatest: i32) -> Self {
        let mean = libm::round(mean) as i32;
        let peak = (greatest - mean).max(mean - least).max(1);
        let shift = if peak > ROW_LIMIT {
            let mut right = 1;
            while (peak >> right) + 1 > ROW_LIMIT {
                right += 1;
            }
            -right
        } else {
            let mut left = 0;
            while left < 12 && peak << (left + 1) <= ROW_LIMIT {
                left += 1;
            }
            left
        };
        Self { offset: zero + mean, shift }
    }

    #[inline(always)]
    pub(crate) fn row(self, raw: i32) -> i32 {
        let value = raw.wrapping_sub(self.offset);
        if self.shift >= 0 { value << self.shift } else { (value + (1 << (-self.shift - 1))) >> -self.shift }
    }

    pub(crate) fn counts(self, scaled: f64) -> f64 {
        times_power_of_two(scaled, -self.shift)
    }
}
