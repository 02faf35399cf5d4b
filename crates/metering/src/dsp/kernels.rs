//! Exact integer sums over plain slices, eight rows at a time.
//!
//! A 12 to 14 bit sample's square fits 26 bits, so eight of them are summed in 32 bits: cheap on a chip that has
//! no 64-bit arithmetic, and one instruction on a PC. Larger samples take the 64-bit way. Both are exact, so which
//! way a block takes is never seen in a result.

/// Rows a block.
pub(crate) const BLOCK: usize = 8;

/// Largest magnitude that takes the short way: `8 * 8191^2 < 2^31`.
const NARROW: i32 = 8191;

/// `raw - zero` of a block in 16 bits, if all of it is small.
#[inline(always)]
pub(crate) fn narrow<const N: usize>(raw: &[i32; N], zero: i32) -> Option<[i16; N]> {
    let mut out = [0_i16; N];
    let mut beyond = 0_u32;
    for (out, raw) in out.iter_mut().zip(raw) {
        let value = raw.wrapping_sub(zero);
        // Non-zero where the value is outside -8192..8192.
        beyond |= (value.wrapping_add(NARROW + 1) as u32) >> 14;
        *out = value as i16;
    }
    (beyond == 0).then_some(out)
}

/// Sum of products of two narrow blocks.
#[inline(always)]
pub(crate) fn dot(a: &[i16; BLOCK], b: &[i16; BLOCK]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

/// Sum of products about their zeros, of one slice with another of the same length.
pub(crate) fn sum_products(a: &[i32], a_zero: i32, b: &[i32], b_zero: i32) -> i64 {
    let (a_blocks, a_rest) = a.as_chunks::<BLOCK>();
    let (b_blocks, b_rest) = b.as_chunks::<BLOCK>();
    let wide = |a: &[i32], b: &[i32]| -> i64 {
        a.iter().zip(b).map(|(a, b)| i64::from(a - a_zero) * i64::from(b - b_zero)).sum()
    };
    let mut sum = wide(a_rest, b_rest);
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        sum += match (narrow(a, a_zero), narrow(b, b_zero)) {
            (Some(a), Some(b)) => i64::from(dot(&a, &b)),
            _ => wide(a, b),
        };
    }
    sum
}

/// Sum of squares about a zero; a lost row counts nothing.
pub(crate) fn sum_squares(raw: &[i32], zero: i32) -> i64 {
    let (blocks, rest) = raw.as_chunks::<BLOCK>();
    let wide = |raw: &[i32]| -> i64 {
        raw.iter()
            .filter(|&&count| count != crate::history::LOST)
            .map(|count| i64::from(count - zero) * i64::from(count - zero))
            .sum()
    };
    let mut sum = wide(rest);
    for block in blocks {
        sum += match narrow(block, zero) {
            Some(block) => i64::from(dot(&block, &block)),
            None => wide(block),
        };
    }
    sum
}

/// First and second moment and extremes of a slice about a zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) sum: i64,
    pub(crate) squares: i64,
    pub(crate) least: i32,
    pub(crate) greatest: i32,
}

impl Spread {
    pub(crate) const EMPTY: Self = Self { sum: 0, squares: 0, least: i32::MAX, greatest: i32::MIN };

    /// Takes in rows, none of them lost.
    pub(crate) fn add(&mut self, raw: &[i32], zero: i32) {
        let (blocks, rest) = raw.as_chunks::<BLOCK>();
        for block in blocks {
            match narrow(block, zero) {
                Some(block) => {
                    self.sum += i64::from(block.iter().map(|&value| i32::from(value)).sum::<i32>());
                    self.squares += i64::from(dot(&block, &block));
                    let (least, greatest) = block
                        .iter()
                        .fold((i16::MAX, i16::MIN), |(low, high), &value| (low.min(value), high.max(value)));
                    self.least = self.least.min(i32::from(least));
                    self.greatest = self.greatest.max(i32::from(greatest));
                }
                None => self.add_wide(block, zero),
            }
        }
        self.add_wide(rest, zero);
    }

    fn add_wide(&mut self, raw: &[i32], zero: i32) {
        for count in raw {
            let value = count - zero;
            self.sum += i64::from(value);
            self.squares += i64::from(value) * i64::from(value);
            self.widen(value);
        }
    }

    /// Takes a value into the extremes only.
    pub(crate) fn widen(&mut self, value: i32) {
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_and_long_way_agree(raw in proptest::collection::vec(-20_000_i32..20_000, 0..100), zero in -9000_i32..9000) {
            let expected: i64 = raw.iter().map(|x| i64::from(x - zero).pow(2)).sum();
            prop_assert_eq!(sum_squares(&raw, zero), expected);
            prop_assert_eq!(sum_products(&raw, zero, &raw, zero), expected);
            let mut spread = Spread::EMPTY;
            spread.add(&raw, zero);
            prop_assert_eq!(spread.squares, expected);
            prop_assert_eq!(spread.sum, raw.iter().map(|x| i64::from(x - zero)).sum::<i64>());
            if let Some(least) = raw.iter().min() {
                prop_assert_eq!(spread.least, least - zero);
            }
        }
    }

    #[test]
    fn full_scale_does_not_overflow() {
        let raw = [1 << 24; 1 << 10];
        assert_eq!(sum_squares(&raw, 0), (1 << 48) * (1 << 10));
        let edge = [8191 + 5; 8];
        assert_eq!(sum_squares(&edge, 5), 8 * 8191 * 8191);
    }
}
