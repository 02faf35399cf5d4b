//! The skew between the channels: which earlier rows of one channel belong to a row of the other.

use crate::dsp::moments::{Lags, TAPS};
use crate::dsp::rotation::{BITS, Phasor};
use crate::position::times_power_of_two;

/// A complex number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Complex {
    pub(crate) re: f64,
    pub(crate) im: f64,
}

impl Complex {
    /// `exp(i 2 pi turns)`, to 2^-29: integers are much cheaper than a sine where there is no floating point.
    pub(crate) fn turn(turns: u64) -> Self {
        let Phasor { re, im } = Phasor::at(turns);
        let unit = |part: i32| times_power_of_two(part.into(), -BITS.cast_signed());
        Self { re: unit(re), im: unit(im) }
    }

    pub(crate) fn times(self, by: Self) -> Self {
        Self { re: self.re * by.re - self.im * by.im, im: self.re * by.im + self.im * by.re }
    }

    /// Cosine of the angle; `None` of nothing.
    pub(crate) fn cosine(self) -> Option<f64> {
        let length = libm::sqrt(self.re * self.re + self.im * self.im);
        (length > 0.0).then(|| self.re / length)
    }

    pub(crate) fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }
}

/// How products are formed when the current of a row is sampled `rows` after its voltage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay {
    /// In samples; negative if the current is sampled first.
    pub(crate) rows: f64,
    pub(crate) lags: Lags,
    taps: [f64; TAPS],
}

impl Delay {
    /// Of whole rows a plain shift; of a fraction a cubic through four rows (Lagrange), which keeps products of
    /// low harmonics; the fundamental is made exact afterwards (see [`Self::response`]).
    pub(crate) fn new(rows: f64) -> Self {
        let current_is_late = rows >= 0.0;
        let length = libm::fabs(rows);
        let whole = libm::floor(length);
        let x = length - whole;
        let first = whole as i64;
        if x == 0.0 {
            let lags = Lags { current_is_late, first_lag: first, count: 1 };
            return Self { rows, lags, taps: [1.0, 0.0, 0.0, 0.0] };
        }
        let taps = [
            -x * (x - 1.0) * (x - 2.0) / 6.0,
            (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0,
            -(x + 1.0) * x * (x - 2.0) / 2.0,
            (x + 1.0) * x * (x - 1.0) / 6.0,
        ];
        Self { rows, lags: Lags { current_is_late, first_lag: first - 1, count: TAPS }, taps }
    }

    /// The taps with their lags.
    pub(crate) fn taps(&self) -> impl Iterator<Item = (f64, i64)> {
        self.taps.iter().copied().zip(self.lags.first_lag..).take(self.lags.count)
    }

    /// What the interpolation does to a component of so many turns a row (in 2^-64).
    pub(crate) fn response(&self, turns_a_row: u64) -> Complex {
        self.taps().fold(Complex { re: 0.0, im: 0.0 }, |sum, (tap, lag)| {
            let turn = Complex::turn(turns_a_row.wrapping_mul(lag.wrapping_neg().cast_unsigned()));
            Complex { re: sum.re + tap * turn.re, im: sum.im + tap * turn.im }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpolation_is_a_delay() {
        for rows in [-1.7, -0.5, 0.0, 0.2, 0.5, 3.25, 6.0] {
            let delay = Delay::new(rows);
            // 80 rows a cycle.
            let turns = u64::MAX / 80;
            let response = delay.response(turns);
            let ideal = Complex::turn((-(turns as f64) * rows.abs()) as i64 as u64);
            assert!((response.re - ideal.re).abs() < 2e-6 && (response.im - ideal.im).abs() < 2e-6, "{rows}");
            assert!((delay.taps().map(|(tap, _)| tap).sum::<f64>() - 1.0).abs() < 1e-15);
        }
    }
}
