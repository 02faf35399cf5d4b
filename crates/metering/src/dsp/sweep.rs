//! One look at each row of a channel for both its moments and its half-cycle extremes, where there are no vectors.
//!
//! A running sum of squares is kept for every row of the last half cycle and a bit: a half cycle's sum is the
//! difference of two of them, so that no row is squared a second time as it leaves. All sums are exact, and the
//! same as those of [`Spread::add`] and [`extremes`](crate::dsp::extremes::extremes).

use crate::dsp::eight::NARROW;
use crate::dsp::extremes::{Ends, Extremes, HalfCycleLength, Range, SumOfSquares};
use crate::dsp::kernels::Spread;
use crate::dsp::moments::Zeros;
use crate::history::View;

/// Running sums that are kept.
const RING: usize = 128;
/// Half cycles up to this many whole rows: their sums fit 32 bits.
const LONGEST: u32 = 63;
const _: () = {
    assert!((LONGEST as u64 + 1) * ((NARROW + 1) as u64).pow(2) <= 1 << 32);
    // A half cycle, its oldest row, and a step that is entered before the oldest one is looked at.
    assert!(LONGEST as usize + 2 + 8 <= RING);
};

/// What [`sweep_both`] finds out about a window.
pub(crate) struct Swept {
    /// Of the rows that lie wholly inside.
    pub(crate) voltage: Spread,
    pub(crate) current: Spread,
    pub(crate) extremes: Extremes,
}

/// Spreads and half-cycle extremes of the window from row `first` to row `last` in a narrow view; `None` if the half
/// cycle is too long or the window too short for it.
pub(crate) fn sweep_both(
    view: View<'_>,
    (first, last): (u64, u64),
    zeros: Zeros,
    length: HalfCycleLength,
    step: usize,
) -> Option<Swept> {
    let ends = Ends::of(view, (first, last), length, step)?;
    let from = usize::try_from((first + 2).checked_sub(view.base)?).ok()?;
    if length.whole_rows() > LONGEST || ends.first > ends.last {
        return None;
    }
    let one = |channel: &[i32], zero: i32| match step {
        8 => sweep::<8>(channel, zero, from, ends, length),
        4 => sweep::<4>(channel, zero, from, ends, length),
        _ => sweep::<2>(channel, zero, from, ends, length),
    };
    let (voltage, voltage_range) = one(view.voltage, zeros.voltage);
    let (current, current_range) = one(view.current, zeros.current);
    Some(Swept { voltage, current, extremes: Extremes { voltage: voltage_range, current: current_range } })
}

/// The running sum of squares before each of the newest rows, modulo 2^32.
struct Ring([u32; RING]);

impl Ring {
    /// Keeps the sum before row `at`, and returns the one after it.
    #[inline(always)]
    fn enter(&mut self, at: usize, sum: u32, value: i32) -> u32 {
        if let Some(before) = self.0.get_mut(at % RING) {
            *before = sum;
        }
        sum.wrapping_add(value.wrapping_mul(value).cast_unsigned())
    }

    /// The half cycle that ends before row `at`, its oldest row by its share.
    #[inline(always)]
    fn half_cycle(&self, at: usize, sum: u32, length: HalfCycleLength) -> u32 {
        let before = |row: usize| self.0.get(row % RING).copied().unwrap_or(0);
        let from = at - length.whole_rows() as usize;
        let oldest = before(from).wrapping_sub(before(from - 1));
        sum.wrapping_sub(before(from)).wrapping_add(length.share_of(oldest))
    }
}

/// The least of some numbers and how far from it the greatest is: whether one more lies between is one comparison.
#[derive(Clone, Copy)]
struct Extent {
    least: u32,
    width: u32,
}

impl Extent {
    fn of(value: u32) -> Self {
        Self { least: value, width: 0 }
    }

    fn greatest(self) -> u32 {
        self.least.wrapping_add(self.width)
    }

    #[inline(always)]
    fn take(&mut self, value: u32) {
        if value.wrapping_sub(self.least) > self.width {
            *self = self.widened(value);
        }
    }

    /// Of numbers with a sign.
    #[inline(always)]
    fn take_signed(&mut self, value: i32) {
        if value.cast_unsigned().wrapping_sub(self.least) > self.width {
            *self = self.widened_signed(value);
        }
    }

    /// Apart, as it is seldom called, so that the loop stays a chain of branches.
    #[cold]
    #[inline(never)]
    fn widened(self, value: u32) -> Self {
        let least = self.least.min(value);
        Self { least, width: self.greatest().max(value) - least }
    }

    #[cold]
    #[inline(never)]
    fn widened_signed(self, value: i32) -> Self {
        let least = self.least.cast_signed().min(value);
        let greatest = self.greatest().cast_signed().max(value);
        Self { least: least.cast_unsigned(), width: greatest.wrapping_sub(least).cast_unsigned() }
    }
}

/// The spread of the rows `from..ends.last` of a narrow channel and its half-cycle extremes at the `ends`, `STEP`
/// rows from one to the next; the first end is not before `from`, and the half cycle before it is there.
fn sweep<const STEP: usize>(
    channel: &[i32],
    zero: i32,
    from: usize,
    ends: Ends,
    length: HalfCycleLength,
) -> (Spread, Range) {
    let rows = |from: usize, to: usize| channel.get(from..to).unwrap_or(&[]);
    let about = |raw: i32| raw.wrapping_sub(zero);
    let mut ring = Ring([0; RING]);
    // The half cycle before the first end, with the row before it; steps begin with a chunk of the ring.
    let lead = length.whole_rows() as usize + 1;
    let mut at = lead.next_multiple_of(STEP) - lead;
    let mut sum = 0;
    for &raw in rows(ends.first - lead, ends.first) {
        sum = ring.enter(at, sum, about(raw));
        at += 1;
    }
    let mut half_cycles = Extent::of(ring.half_cycle(at, sum, length));
    let mut spread = Spread::EMPTY;
    spread.add_wide(rows(from, ends.first), zero);

    let (steps, rest) = rows(ends.first, ends.last).as_chunks::<STEP>();
    // At most 2^14 rows of 2^13.
    let mut total = 0_i32;
    let mut values = Extent {
        least: spread.least.cast_unsigned(),
        width: spread.greatest.wrapping_sub(spread.least).cast_unsigned(),
    };
    let (start, mut wraps) = (sum, 0_u32);
    for step in steps {
        let before = sum;
        let (chunks, _) = ring.0.as_chunks_mut::<STEP>();
        if let Some(chunk) = chunks.get_mut(at / STEP % (RING / STEP)) {
            for (&raw, entry) in step.iter().zip(chunk) {
                let value = about(raw);
                *entry = sum;
                sum = sum.wrapping_add(value.wrapping_mul(value).cast_unsigned());
                total += value;
                values.take_signed(value);
            }
        }
        // Eight squares of 26 bits do not come round to where they began.
        wraps += u32::from(sum < before);
        at += STEP;
        half_cycles.take(ring.half_cycle(at, sum, length));
    }
    spread.sum += i64::from(total);
    spread.squares += (i64::from(wraps) << 32) + i64::from(sum) - i64::from(start);
    (spread.least, spread.greatest) = (values.least.cast_signed(), values.greatest().cast_signed());
    spread.add_wide(rest, zero);
    // The last half cycle may end with rows after those.
    let last = rows(ends.last - rest.len(), ends.until);
    if let Some(last) = last.first_chunk::<STEP>() {
        for &raw in last {
            sum = ring.enter(at, sum, about(raw));
            at += 1;
        }
        half_cycles.take(ring.half_cycle(at, sum, length));
    }
    let of = |sum: u32| SumOfSquares::new(sum.into(), length);
    (spread, Range { least: of(half_cycles.least), greatest: of(half_cycles.greatest()) })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::dsp::extremes::extremes;
    use crate::dsp::moments::{Lags, Moments};
    use crate::position::Position;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn one_look_finds_what_two_find(
            pairs in proptest::collection::vec((0_i32..8192, 0_i32..4096), 40..400),
            first in 3_u64..60,
            rows in 0_u64..350,
            half_cycle in 1_u32..(63 << 8),
            late in proptest::bool::ANY,
            first_lag in -1_i64..4,
            step in 0_usize..3,
        ) {
            let (voltage, current): (Vec<i32>, Vec<i32>) = pairs.iter().copied().unzip();
            let view = View { base: 2, voltage: &voltage, current: &current };
            let last = (first + rows).min(view.end() - 2);
            prop_assume!(first < last);
            let zeros = Zeros { voltage: 4000, current: 1900 };
            let length = HalfCycleLength::from_rows(f64::from(half_cycle) / 256.0);
            let step = [2, 4, 8][step];
            let Some(swept) = sweep_both(view, (first, last), zeros, length, step) else { return Ok(()) };
            let expected = extremes(view, (first, last), zeros, length, step);
            prop_assert_eq!(Some(swept.extremes), expected);
            let lags = Lags {
                current_is_late: late,
                first_lag: first_lag.max(if step == 2 { 0 } else { -1 }),
                count: if step == 2 { 1 } else { 4 },
            };
            let (first, last) = (Position::new(first, 300_000), Position::new(last, 700_000));
            let spreads = (swept.voltage, swept.current);
            let narrow = Moments::of_narrow(view, (first, last), zeros, lags, spreads);
            prop_assert_eq!(narrow, Moments::of(view, first, last, zeros, lags));
        }
    }
}
