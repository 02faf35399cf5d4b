//! Where an edge lies between samples, and how the pairs beside it are shared out.

/// Bits of a row's fraction in a [`Position`]: 2^-20 of a sample is 1 ns at 1 kHz.
pub const FRACTION_BITS: u32 = 20;
const FRACTION_ONE: u64 = 1 << FRACTION_BITS;

/// Bits of the fraction that goes into the shares; their squares must fit the sums (see [`WEIGHT_ONE`]).
const SHARE_BITS: u32 = 12;

/// The weight of a pair that lies wholly inside a window.
///
/// With fractions of twelve bits the shares below are exact in units of `2^-25`.
pub const WEIGHT_ONE: i64 = 1 << WEIGHT_BITS;
/// Bits of [`WEIGHT_ONE`].
pub const WEIGHT_BITS: u32 = 2 * SHARE_BITS + 1;

/// A point in time, in samples since the first: sample `n` stands at `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Exactly at a row.
    #[must_use]
    pub const fn at(row: u64) -> Self {
        Self(row << FRACTION_BITS)
    }

    /// `fraction` (units of 2^-20) after a row.
    #[must_use]
    pub const fn new(row: u64, fraction: u32) -> Self {
        Self((row << FRACTION_BITS).saturating_add(fraction as u64))
    }

    /// Half a sample before a row: where that row's share of time begins.
    #[must_use]
    pub const fn before(row: u64) -> Self {
        Self((row << FRACTION_BITS).saturating_sub(FRACTION_ONE / 2))
    }

    /// The last row at or before this point.
    #[must_use]
    pub const fn row(self) -> u64 {
        self.0 >> FRACTION_BITS
    }

    /// How far after [`Self::row`], in units of 2^-20 of a sample.
    #[must_use]
    pub const fn fraction(self) -> u32 {
        (self.0 & (FRACTION_ONE - 1)) as u32
    }

    /// Distance from `earlier` in units of 2^-20 of a sample; 0 if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The point `distance` (units of 2^-20 of a sample) later.
    #[must_use]
    pub const fn after(self, distance: u64) -> Self {
        Self(self.0.saturating_add(distance))
    }

    /// In samples.
    #[must_use]
    pub fn samples(self) -> f64 {
        in_samples(self.0)
    }

    /// The share of `row` that lies after this point, of [`WEIGHT_ONE`].
    ///
    /// Between two rows a quantity is taken as a straight line (trapezoidal rule). Integrated from an edge at
    /// `n + f` on, row `n` counts `(1-f)^2/2` and row `n + 1` counts `1 - f^2/2`; what is missing to 1 belongs
    /// to the window before, so that each sample is used exactly once.
    #[must_use]
    pub const fn share_after(self, row: u64) -> i64 {
        let at = self.row();
        if row > at + 1 {
            return WEIGHT_ONE;
        }
        if row < at {
            return 0;
        }
        let f = (self.fraction() >> (FRACTION_BITS - SHARE_BITS)) as i64;
        if row == at {
            let rest = (1 << SHARE_BITS) - f;
            rest * rest
        } else {
            WEIGHT_ONE - f * f
        }
    }
}

/// Samples as a distance in units of 2^-20 of a sample, rounded down.
#[must_use]
pub fn distance(samples: f64) -> u64 {
    (samples * FRACTION_ONE as f64) as u64
}

/// A distance in units of 2^-20 of a sample, in samples.
#[must_use]
pub fn in_samples(distance: u64) -> f64 {
    times_power_of_two(distance as f64, -FRACTION_BITS.cast_signed())
}

/// `value * 2^exponent`, exactly; without floating point a matter of a few instructions.
pub(crate) fn times_power_of_two(value: f64, exponent: i32) -> f64 {
    const EXPONENT: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = value.to_bits();
    let old = (bits >> EXPONENT) as i32 & 0x7ff;
    let new = old + exponent;
    if (1..0x7ff).contains(&old) && (1..0x7ff).contains(&new) {
        f64::from_bits(bits.wrapping_add_signed(i64::from(exponent) << EXPONENT))
    } else {
        times_power_of_two_slowly(value, exponent)
    }
}

/// Apart, or it would be computed every time and thrown away.
#[cold]
#[inline(never)]
fn times_power_of_two_slowly(value: f64, exponent: i32) -> f64 {
    libm::ldexp(value, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_exact() {
        for value in [0.0, -0.0, 1.0, -3.25, 1e-300, 5e-324, 1.7e308, -7e-310, f64::INFINITY] {
            for exponent in [-1000, -60, -30, -20, -1, 0, 1, 7, 40, 900] {
                let factor = libm::exp2(f64::from(exponent));
                assert_eq!(times_power_of_two(value, exponent).to_bits(), (value * factor).to_bits());
            }
        }
    }

    #[test]
    fn shares_of_both_sides_make_one_and_integrate_the_time() {
        for fraction in [0, 1, 77_777, 524_288, 1_000_000, 1_048_575] {
            let edge = Position::new(10, fraction);
            let after: i64 = (8..14).map(|row| edge.share_after(row)).sum();
            // Rows 8..=13 after the edge: from 10 + f to 13.5.
            let time = 3.5 - f64::from(fraction >> 8) / 4096.0;
            assert_eq!(after as f64 / WEIGHT_ONE as f64, time);
        }
        assert_eq!(Position::at(10).share_after(10), WEIGHT_ONE / 2);
        assert_eq!(Position::at(10).share_after(9), 0);
        assert_eq!(Position::at(10).share_after(11), WEIGHT_ONE);
    }
}
