//! Exact integer sums over plain slices, eight rows at a time.
//!
//! A 12 to 14 bit sample's square fits 26 bits, so eight of them are summed in 32 bits: cheap on a chip that has
//! no 64-bit arithmetic, and one instruction on a PC. Larger samples take the 64-bit way. Both are exact, so which
//! way a block takes is never seen in a result.

use wide::{i16x8, i32x8};

/// Rows a block.
pub(crate) const BLOCK: usize = 8;

/// Largest magnitude that takes the short way: `8 * 8191^2 < 2^31`.
const NARROW: i32 = 8191;

/// `raw - zero` of a block in 16 bits, if all of it is small.
#[inline(always)]
pub(crate) fn narrow(raw: &[i32; BLOCK], zero: i32) -> Option<i16x8> {
    let values = i32x8::new(*raw) - i32x8::splat(zero);
    // Non-zero bits above the 14th where a value is outside -8192..8192.
    let beyond = (values + i32x8::splat(NARROW + 1)) & i32x8::splat(!0x3fff);
    let inside = beyond.to_array().iter().fold(0, |all, lane| all | lane) == 0;
    inside.then(|| i16x8::from_i32x8_saturate(values))
}

/// Sum of products of two narrow blocks.
#[inline(always)]
pub(crate) fn dot(a: i16x8, b: i16x8) -> i32 {
    let [w, x, y, z] = a.dot(b).to_array();
    (w + y) + (x + z)
}

#[inline(always)]
fn wide_product(a: i32, a_zero: i32, b: i32, b_zero: i32) -> i64 {
    i64::from(a - a_zero) * i64::from(b - b_zero)
}

/// Sums of products of a slice with `N` others of the same length, each about its zero.
#[inline(always)]
pub(crate) fn sum_products<const N: usize>(
    a: &[i32],
    a_zero: i32,
    others: [&[i32]; N],
    b_zero: i32,
) -> [i64; N] {
    let mut sums = [0; N];
    let (a_blocks, a_rest) = a.as_chunks::<BLOCK>();
    let others = others.map(<[i32]>::as_chunks::<BLOCK>);
    for (sum, (_, b_rest)) in sums.iter_mut().zip(&others) {
        *sum = a_rest.iter().zip(*b_rest).map(|(&a, &b)| wide_product(a, a_zero, b, b_zero)).sum();
    }
    let mut others = others.map(|(blocks, _)| blocks.iter());
    for a in a_blocks {
        let a_narrow = narrow(a, a_zero);
        for (sum, b) in sums.iter_mut().zip(&mut others) {
            let Some(b) = b.next() else { continue };
            *sum += match (a_narrow, narrow(b, b_zero)) {
                (Some(a), Some(b)) => i64::from(dot(a, b)),
                _ => a.iter().zip(b).map(|(&a, &b)| wide_product(a, a_zero, b, b_zero)).sum(),
            };
        }
    }
    sums
}

/// Sum of squares of a block about a zero; a lost row counts nothing.
#[inline(always)]
pub(crate) fn block_squares(raw: &[i32; BLOCK], zero: i32) -> i64 {
    match narrow(raw, zero) {
        Some(block) => i64::from(dot(block, block)),
        None => few_squares(raw, zero),
    }
}

#[inline(never)]
fn few_squares(raw: &[i32], zero: i32) -> i64 {
    raw.iter()
        .filter(|&&count| count != crate::history::LOST)
        .map(|&count| wide_product(count, zero, count, zero))
        .sum()
}

/// Sum of squares about a zero; a lost row counts nothing.
#[inline(always)]
pub(crate) fn sum_squares(raw: &[i32], zero: i32) -> i64 {
    let (blocks, rest) = raw.as_chunks::<BLOCK>();
    let whole: i64 = blocks.iter().map(|block| block_squares(block, zero)).sum();
    if rest.is_empty() { whole } else { whole + few_squares(rest, zero) }
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
        let mut least = i16x8::splat(i16::MAX);
        let mut greatest = i16x8::splat(i16::MIN);
        for block in blocks {
            let Some(block) = narrow(block, zero) else {
                self.add_wide(block, zero);
                continue;
            };
            self.sum += i64::from(dot(block, i16x8::ONE));
            self.squares += i64::from(dot(block, block));
            least = least.min(block);
            greatest = greatest.max(block);
        }
        // Without a narrow block these are the other way round.
        if least.reduce_min() <= greatest.reduce_max() {
            self.widen(least.reduce_min().into());
            self.widen(greatest.reduce_max().into());
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
    fn widen(&mut self, value: i32) {
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
            prop_assert_eq!(sum_products(&raw, zero, [&raw, &raw], zero), [expected; 2]);
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
