//! Sines without floating point: a unit phasor in 2^-30, from a phase in turns.

/// 1.0 in a [`Phasor`].
pub(crate) const ONE: i32 = 1 << BITS;
/// Fractional bits of a [`Phasor`].
pub(crate) const BITS: u32 = 30;

/// A complex number with 30 fractional bits a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phasor {
    pub(crate) re: i32,
    pub(crate) im: i32,
}

fn product(a: i64, b: i64) -> i64 {
    (a * b + (1 << (BITS - 1))) >> BITS
}

impl Phasor {
    /// `exp(i 2 pi turns)`, `turns` in units of 2^-64; error below 2 units of 2^-30 a part.
    ///
    /// The phase is reduced to an eighth of a turn, where the Taylor series of sine and cosine to the 11th and
    /// 12th power leave less than 2^-37 (Abramowitz and Stegun 4.3.65, 4.3.66).
    pub(crate) fn at(turns: u64) -> Self {
        /// pi/2 in 2^-30.
        const HALF_PI: i64 = 1_686_629_713;
        let one = i64::from(ONE);
        let turns = (turns >> 32) as u32;
        let quadrant = turns.wrapping_add(1 << 29) >> 30;
        let rest = turns.wrapping_sub(quadrant << 30) as i32;
        let x = product(i64::from(rest), HALF_PI);
        let xx = product(x, x);
        // The quotients fit 32 bits: a chip without a 64-bit divider need not emulate one.
        let series = |divisors: [i32; 5]| {
            divisors.iter().fold(one, |tail, d| one - i64::from(product(xx, tail) as i32 / d))
        };
        let sine = product(x, series([110, 72, 42, 20, 6]));
        let cosine = one - product(xx, series([132, 90, 56, 30, 12])) / 2;
        let (sine, cosine) = (sine as i32, cosine as i32);
        match quadrant & 3 {
            0 => Self { re: cosine, im: sine },
            1 => Self { re: -sine, im: cosine },
            2 => Self { re: -cosine, im: -sine },
            _ => Self { re: sine, im: -cosine },
        }
    }

    /// The product of two, rounded.
    #[inline(always)]
    pub(crate) fn times(self, by: Self) -> Self {
        let (re, im) = (i64::from(self.re), i64::from(self.im));
        let (by_re, by_im) = (i64::from(by.re), i64::from(by.im));
        let round = 1 << (BITS - 1);
        Self {
            re: ((re * by_re - im * by_im + round) >> BITS) as i32,
            im: ((re * by_im + im * by_re + round) >> BITS) as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phasors_are_sines() {
        let scale = f64::from(ONE);
        for n in 0..10_000_u64 {
            let turns = n.wrapping_mul(0x0001_a36e_2eb1_c432) ^ (n << 50);
            let angle = (turns >> 32) as f64 / 4_294_967_296.0 * core::f64::consts::TAU;
            let phasor = Phasor::at(turns);
            assert!((f64::from(phasor.re) / scale - libm::cos(angle)).abs() < 3.0 / scale);
            assert!((f64::from(phasor.im) / scale - libm::sin(angle)).abs() < 3.0 / scale);
        }
    }
}
