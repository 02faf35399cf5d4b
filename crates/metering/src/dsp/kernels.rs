//! Exact integer sums over plain slices, eight rows at a time.
//!
//! A 12 to 14 bit sample's square fits 26 bits, so that 64 of them in four lanes are summed in 32 bits: cheap on a chip
//! that has no 64-bit arithmetic, and a few instructions on a PC. Larger samples take the 64-bit way. Both are
//! exact, so which way a block takes is never seen in a result.

use crate::dsp::eight::{COUNT, Eight, NARROW};
use crate::history::LOST;

/// Rows a block.
pub(crate) const BLOCK: usize = COUNT;
/// Blocks that are summed before their lanes are.
const GROUP: usize = Eight::GROUP;
/// Rows a group.
const GROUP_ROWS: usize = GROUP * BLOCK;

/// From so many rows on, vectors gain by looking at all of them for one thing after the other.
pub(crate) const MANY: usize = if GROUP > 1 { 4 * BLOCK } else { usize::MAX };

/// `raw - zero` of a group's blocks in 16 bits, if all of them are small.
#[inline(always)]
fn narrow_group(raw: &[i32; GROUP_ROWS], zero: i32) -> Option<[Eight; GROUP]> {
    let (blocks, _) = raw.as_chunks::<BLOCK>();
    let mut out = [Eight::ZERO; GROUP];
    let mut beyond = 0;
    for (out, block) in out.iter_mut().zip(blocks) {
        let (eight, outside) = Eight::about(block, zero);
        *out = eight;
        beyond |= outside;
    }
    (beyond & !0x3fff == 0).then_some(out)
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
    let (a_groups, a_rest) = a.as_chunks::<GROUP_ROWS>();
    let others = others.map(<[i32]>::as_chunks::<GROUP_ROWS>);
    for (sum, (_, b_rest)) in sums.iter_mut().zip(&others) {
        *sum = a_rest.iter().zip(*b_rest).map(|(&a, &b)| wide_product(a, a_zero, b, b_zero)).sum();
    }
    let mut others = others.map(|(groups, _)| groups.iter());
    for a in a_groups {
        let a_narrow = narrow_group(a, a_zero);
        for (sum, b) in sums.iter_mut().zip(&mut others) {
            let Some(b) = b.next() else { continue };
            *sum += match (&a_narrow, narrow_group(b, b_zero)) {
                (Some(a), Some(b)) => Eight::dot_group(a, &b),
                _ => a.iter().zip(b).map(|(&a, &b)| wide_product(a, a_zero, b, b_zero)).sum(),
            };
        }
    }
    sums
}

/// Products that are added up in 32 bits.
const NARROW_PRODUCTS: usize = 16;
const _: () = assert!((NARROW_PRODUCTS as i64) * ((NARROW + 1) as i64).pow(2) < 1 << 31);

/// As [`sum_products`] with `others` that lie a row apart: the first begins with the fourth of `b`, the last with its
/// first. All are known to be narrow; each row is loaded once.
pub(crate) fn narrow_products(a: &[i32], a_zero: i32, b: &[i32], b_zero: i32) -> [i64; 4] {
    let mut sums = [0; 4];
    let [third, second, first, newest @ ..] = b else { return sums };
    let (mut first, mut second, mut third) = (first - b_zero, second - b_zero, third - b_zero);
    let mut add = |a: &[i32], b: &[i32]| {
        let (mut s0, mut s1, mut s2, mut s3) = (0, 0, 0, 0);
        for (&a, &b) in a.iter().zip(b) {
            let (a, newest) = (a - a_zero, b - b_zero);
            s0 += a * newest;
            s1 += a * first;
            s2 += a * second;
            s3 += a * third;
            (first, second, third) = (newest, first, second);
        }
        sums.iter_mut().zip([s0, s1, s2, s3]).for_each(|(sum, part)| *sum += i64::from(part));
    };
    let (a, a_rest) = a.as_chunks::<NARROW_PRODUCTS>();
    let (b, b_rest) = newest.as_chunks::<NARROW_PRODUCTS>();
    a.iter().zip(b).for_each(|(a, b)| add(a, b));
    add(a_rest, b_rest);
    sums
}

/// As [`sum_products`] of two slices that are known to be narrow.
pub(crate) fn narrow_product(a: &[i32], a_zero: i32, b: &[i32], b_zero: i32) -> i64 {
    let add = |a: &[i32], b: &[i32]| {
        let products = a.iter().zip(b).map(|(&a, &b)| (a - a_zero) * (b - b_zero));
        i64::from(products.sum::<i32>())
    };
    let (a, a_rest) = a.as_chunks::<NARROW_PRODUCTS>();
    let (b, b_rest) = b.as_chunks::<NARROW_PRODUCTS>();
    a.iter().zip(b).map(|(a, b)| add(a, b)).sum::<i64>() + add(a_rest, b_rest)
}

#[inline(never)]
fn few_squares(raw: &[i32], zero: i32) -> i64 {
    raw.iter().filter(|&&count| count != LOST).map(|&count| wide_product(count, zero, count, zero)).sum()
}

#[inline(always)]
fn block_squares(raw: &[i32; BLOCK], zero: i32) -> i64 {
    let (block, beyond) = Eight::about(raw, zero);
    if beyond & !0x3fff == 0 { i64::from(block.dot(block)) } else { few_squares(raw, zero) }
}

/// Sum of squares about a zero; a lost row counts nothing.
#[inline(always)]
pub(crate) fn sum_squares(raw: &[i32], zero: i32) -> i64 {
    let (groups, rest) = raw.as_chunks::<GROUP_ROWS>();
    let (blocks, rest) = rest.as_chunks::<BLOCK>();
    let mut sum = 0;
    for group in groups {
        sum += match narrow_group(group, zero) {
            Some(group) => Eight::dot_group(&group, &group),
            None => few_squares(group, zero),
        };
    }
    for block in blocks {
        sum += block_squares(block, zero);
    }
    if rest.is_empty() { sum } else { sum + few_squares(rest, zero) }
}

/// First and second moment and extremes of one channel about a zero.
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
        let (groups, rest) = raw.as_chunks::<GROUP_ROWS>();
        let mut least = Eight::GREATEST;
        let mut greatest = Eight::LEAST;
        for group in groups {
            let Some(group) = narrow_group(group, zero) else {
                self.add_wide(group, zero);
                continue;
            };
            self.sum += Eight::dot_group(&group, &[Eight::ONE; GROUP]);
            self.squares += Eight::dot_group(&group, &group);
            for block in group {
                least = least.lesser(block);
                greatest = greatest.greater(block);
            }
        }
        // Without a narrow group these are the other way round.
        if least.least() <= greatest.greatest() {
            self.widen(least.least());
            self.widen(greatest.greatest());
        }
        self.add_wide(rest, zero);
    }

    /// One row at a time, of any size.
    pub(crate) fn add_wide(&mut self, raw: &[i32], zero: i32) {
        for count in raw {
            let value = count - zero;
            self.sum += i64::from(value);
            self.squares += i64::from(value) * i64::from(value);
            self.widen(value);
        }
    }

    fn widen(&mut self, value: i32) {
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;

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
        for rows in [8, 64, 1000] {
            for value in [8191, -8192, 8192, -8191] {
                let edge = vec![value + 5; rows];
                let expected = rows as i64 * i64::from(value) * i64::from(value);
                assert_eq!(sum_squares(&edge, 5), expected);
                assert_eq!(sum_products(&edge, 5, [&edge], 5), [expected]);
                let mut spread = Spread::EMPTY;
                spread.add(&edge, 5);
                assert_eq!(spread.squares, expected);
                assert_eq!(spread.sum, rows as i64 * i64::from(value));
            }
        }
    }
}
