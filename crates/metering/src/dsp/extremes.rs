//! RMS over a sliding half cycle: its least and greatest inside a window, and its newest value for protection.

use crate::dsp::eight::{NARROW, copy_squares, copy_voltage, narrow_squares};
use crate::dsp::kernels::{BLOCK, sum_squares};
use crate::dsp::moments::Zeros;
use crate::front_end::Pair;
use crate::history::{LOST, View};
use crate::position::{FRACTION_BITS, times_power_of_two};

/// Fractional bits of a length in rows.
const LENGTH_BITS: u32 = 8;

/// A length in rows with 8 fractional bits, as long as half a mains cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HalfCycleLength(u32);

impl HalfCycleLength {
    pub(crate) fn from_rows(rows: f64) -> Self {
        Self((times_power_of_two(rows, LENGTH_BITS.cast_signed()) as u32).max(1 << LENGTH_BITS))
    }

    /// Half of a cycle in units of 2^-20 of a row.
    pub(crate) fn from_cycle(cycle: u64) -> Self {
        let length = u32::try_from(cycle >> (FRACTION_BITS + 1 - LENGTH_BITS)).unwrap_or(u32::MAX);
        Self(length.max(1 << LENGTH_BITS))
    }

    pub(crate) fn whole_rows(self) -> u32 {
        self.0 >> LENGTH_BITS
    }

    /// What the oldest row counts of its square, of up to 26 bits.
    #[inline(always)]
    pub(crate) fn share_of(self, square: u32) -> u32 {
        ((u64::from(square) * u64::from(self.fraction())) >> LENGTH_BITS) as u32
    }

    fn fraction(self) -> u32 {
        self.0 & ((1 << LENGTH_BITS) - 1)
    }

    /// Rows that a sum over this length looks at.
    pub(crate) fn rows_needed(self) -> u32 {
        self.whole_rows() + 1
    }
}

/// A sum of squares over a half cycle, in counts squared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumOfSquares {
    sum: i64,
    length: HalfCycleLength,
}

impl SumOfSquares {
    pub(crate) fn new(sum: i64, length: HalfCycleLength) -> Self {
        Self { sum, length }
    }

    /// Mean square in counts squared.
    #[must_use]
    pub fn mean(self) -> f64 {
        times_power_of_two(self.sum as f64, LENGTH_BITS.cast_signed()) / f64::from(self.length.0)
    }

    /// RMS in counts.
    #[must_use]
    pub fn rms_counts(self) -> f64 {
        libm::sqrt(self.mean())
    }

    /// Whether the RMS is at least `limit` counts: integers only, for the path that must never wait.
    #[must_use]
    pub fn rms_at_least(self, limit: u32) -> bool {
        // sum / length >= limit^2, with the length's fraction apart so that all fits 64 bits.
        let square = u64::from(limit) * u64::from(limit);
        let (rows, fraction) = (self.length.whole_rows(), self.length.fraction());
        let needed = if let Ok(square) = u32::try_from(square) {
            // Nearly always: two multiplications of 32 bits.
            u64::from(square) * u64::from(rows) + ((u64::from(square) * u64::from(fraction)) >> LENGTH_BITS)
        } else {
            let fraction = square.saturating_mul(u64::from(fraction)) >> LENGTH_BITS;
            square.saturating_mul(u64::from(rows)).saturating_add(fraction)
        };
        self.sum.max(0) as u64 >= needed
    }
}

/// The current's sum of squares over the newest half cycle: rows enter in front and leave behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sliding {
    length: HalfCycleLength,
    zeros: Zeros,
    /// Of the `whole_rows` before the end.
    sum: i64,
}

impl Sliding {
    /// Over the newest rows of a channel.
    pub(crate) fn start(current: &[i32], zeros: Zeros, length: HalfCycleLength) -> Self {
        let from = current.len().saturating_sub(length.whole_rows() as usize);
        Self { length, zeros, sum: sum_squares(current.get(from..).unwrap_or(&[]), zeros.current) }
    }

    /// Copies a block to both channels, of which `at` rows are there, those from `narrow_from` on known to be narrow;
    /// says whether this block is.
    #[inline(always)]
    pub(crate) fn enter(
        &mut self,
        pairs: &[Pair; BLOCK],
        (voltage, current): (&mut [i32], &mut [i32]),
        at: usize,
        narrow_from: usize,
    ) -> bool {
        let leave = at.checked_sub(self.length.whole_rows() as usize).filter(|&leave| leave >= narrow_from);
        let leaving = leave.and_then(|leave| current.get(leave..)?.first_chunk::<BLOCK>());
        let leaves = leaving.map(|block| narrow_squares(block, self.zeros.current));
        let (Some(into_voltage), Some(into_current)) = (
            voltage.get_mut(at..).and_then(<[i32]>::first_chunk_mut),
            current.get_mut(at..).and_then(<[i32]>::first_chunk_mut),
        ) else {
            return false;
        };
        let (enters, current_narrow) = copy_squares(pairs, into_current, self.zeros.current);
        if let (Some(leaves), true) = (leaves, current_narrow) {
            // Sums of eight squares of 26 bits.
            self.sum += i64::from(enters - leaves);
        } else if let Some(rows) = current.get(..at + BLOCK) {
            self.advance(rows, BLOCK);
        }
        copy_voltage(pairs, into_voltage, self.zeros.voltage) & current_narrow
    }

    /// The newest `step` rows have entered, the long way.
    #[inline(never)]
    pub(crate) fn advance(&mut self, current: &[i32], step: usize) {
        let end = current.len();
        let gone = end.saturating_sub(self.length.whole_rows() as usize);
        self.sum += self.squares(current, end.saturating_sub(step), end)
            - self.squares(current, gone.saturating_sub(step), gone);
    }

    fn squares(&self, current: &[i32], from: usize, to: usize) -> i64 {
        sum_squares(current.get(from..to).unwrap_or(&[]), self.zeros.current)
    }

    /// Whether a pair is there and narrow.
    pub(crate) fn is_narrow(&self, pair: &Pair) -> bool {
        // A lost pair is far from any zero.
        let near =
            |raw: i32, zero: i32| raw.wrapping_sub(zero).wrapping_add(NARROW + 1) & !(2 * NARROW + 1) == 0;
        near(pair.voltage, self.zeros.voltage) & near(pair.current, self.zeros.current)
    }

    /// Takes another length: the rows by which it differs enter or leave at the far end.
    pub(crate) fn adjust(&mut self, length: HalfCycleLength, current: &[i32]) {
        let start = |length: HalfCycleLength| current.len().saturating_sub(length.whole_rows() as usize);
        let (old, new) = (start(self.length), start(length));
        self.sum += self.squares(current, new.min(old), old) - self.squares(current, old.min(new), new);
        self.length = length;
    }

    /// The sum over the newest half cycle, its oldest row by its share.
    #[inline(always)]
    pub(crate) fn value(&self, current: &[i32]) -> SumOfSquares {
        let oldest = current
            .len()
            .checked_sub(self.length.rows_needed() as usize)
            .and_then(|row| current.get(row))
            .filter(|&&count| count != LOST)
            .map_or(0, |&count| i64::from(count - self.zeros.current).pow(2));
        SumOfSquares {
            sum: self.sum + ((oldest * i64::from(self.length.fraction())) >> LENGTH_BITS),
            length: self.length,
        }
    }
}

/// Least and greatest of a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) least: SumOfSquares,
    pub(crate) greatest: SumOfSquares,
}

/// Least and greatest of both channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extremes {
    pub(crate) voltage: Range,
    pub(crate) current: Range,
}

impl Extremes {
    fn none(length: HalfCycleLength) -> Self {
        let sum = |sum| SumOfSquares { sum, length };
        let range = Range { least: sum(i64::MAX), greatest: sum(i64::MIN) };
        Self { voltage: range, current: range }
    }
}

impl Range {
    /// Takes in the half cycles that end before `channel[end]` and every `STEP` rows after, up to `until`.
    fn widen<const STEP: usize>(&mut self, channel: &[i32], (end, until): (usize, usize), zero: i32) {
        let length = self.least.length;
        let start = end.saturating_sub(length.whole_rows() as usize);
        let rows = |from: usize, to: usize| channel.get(from..to).unwrap_or(&[]);
        let mut sum = sum_squares(rows(start, end), zero);
        let mut take = |sum: i64, oldest: i32| {
            let oldest = i64::from(oldest - zero) * i64::from(oldest - zero);
            let sum = sum + ((oldest * i64::from(length.fraction())) >> LENGTH_BITS);
            self.least.sum = self.least.sum.min(sum);
            self.greatest.sum = self.greatest.sum.max(sum);
        };
        let mut oldest = rows(start.saturating_sub(1), channel.len()).iter().step_by(STEP);
        if let Some(&oldest) = oldest.next() {
            take(sum, oldest);
        }
        let (entering, _) = rows(end, until).as_chunks::<STEP>();
        let (leaving, _) = rows(start, channel.len()).as_chunks::<STEP>();
        for ((entering, leaving), &oldest) in entering.iter().zip(leaving).zip(oldest) {
            sum += sum_squares(entering, zero) - sum_squares(leaving, zero);
            take(sum, oldest);
        }
    }
}

/// Rows from one evaluation to the next: about 2 ms, but not more than a block.
pub(crate) fn step(sample_rate: f64) -> usize {
    match sample_rate {
        rate if rate >= 4000.0 => BLOCK,
        rate if rate >= 2000.0 => 4,
        _ => 2,
    }
}

/// Where half cycles end in a run of rows, counted from its first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// The first half cycle ends before this row.
    pub(crate) first: usize,
    /// The window's last row.
    pub(crate) last: usize,
    /// None ends after this row.
    pub(crate) until: usize,
}

impl Ends {
    /// Every `step` rows after row `first` of the window up to row `last`, as far as all rows of a half cycle are in
    /// the run; `None` if there is no such end.
    pub(crate) fn of(
        run: View<'_>,
        (first, last): (u64, u64),
        length: HalfCycleLength,
        step: usize,
    ) -> Option<Self> {
        // Ends are counted from the window's first row, whatever of the past is at hand.
        let needed = run.base + u64::from(length.rows_needed());
        let mut end = first + step as u64;
        if needed > end {
            end += (needed - end).div_ceil(step as u64) * step as u64;
        }
        let here = |row: u64| (row - run.base) as usize;
        let until = (last + 1).min(run.end());
        (end <= until).then(|| Self { first: here(end), last: here(last.min(run.end())), until: here(until) })
    }
}

/// Extremes of the half-cycle sums that end after row `first`, every `step` rows, up to row `last`, and for which
/// all rows are in the view; `None` if there is none.
pub(crate) fn extremes(
    view: View<'_>,
    window: (u64, u64),
    zeros: Zeros,
    length: HalfCycleLength,
    step: usize,
) -> Option<Extremes> {
    let mut found: Option<Extremes> = None;
    for run in view.runs() {
        let Some(Ends { first: end, until, .. }) = Ends::of(run, window, length, step) else { continue };
        let range = found.get_or_insert_with(|| Extremes::none(length));
        let channels = [
            (&mut range.voltage, run.voltage, zeros.voltage),
            (&mut range.current, run.current, zeros.current),
        ];
        for (range, channel, zero) in channels {
            match step {
                BLOCK => range.widen::<BLOCK>(channel, (end, until), zero),
                4 => range.widen::<4>(channel, (end, until), zero),
                _ => range.widen::<2>(channel, (end, until), zero),
            }
        }
    }
    found
}
