//! RMS over a sliding half cycle: its least and greatest inside a window, and its newest value for protection.

use crate::dsp::kernels::{BLOCK, sum_squares};
use crate::history::{LOST, View};
use crate::position::FRACTION_BITS;

/// Fractional bits of a length in rows.
const LENGTH_BITS: u32 = 8;

/// A length in rows with 8 fractional bits, as long as half a mains cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HalfCycleLength(u64);

impl HalfCycleLength {
    pub(crate) fn from_rows(rows: f64) -> Self {
        Self(((rows * f64::from(1_u32 << LENGTH_BITS)) as u64).max(1 << LENGTH_BITS))
    }

    /// Half of a cycle in units of 2^-20 of a row.
    pub(crate) fn from_cycle(cycle: u64) -> Self {
        Self((cycle >> (FRACTION_BITS + 1 - LENGTH_BITS)).max(1 << LENGTH_BITS))
    }

    pub(crate) fn whole_rows(self) -> u64 {
        self.0 >> LENGTH_BITS
    }

    fn fraction(self) -> i64 {
        (self.0 & ((1 << LENGTH_BITS) - 1)) as i64
    }

    /// Rows that a sum over this length looks at.
    pub(crate) fn rows_needed(self) -> u64 {
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
    /// Mean square in counts squared.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.sum as f64 * f64::from(1_u32 << LENGTH_BITS) / self.length.0 as f64
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
        let rows = square.saturating_mul(self.length.whole_rows());
        let fraction = square.saturating_mul(self.length.fraction() as u64) >> LENGTH_BITS;
        self.sum.max(0) as u64 >= rows.saturating_add(fraction)
    }
}

/// A sum of squares that moves along one channel: rows enter in front and leave behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sliding {
    zero: i32,
    length: HalfCycleLength,
    /// Of the `whole_rows` before `end`.
    sum: i64,
}

impl Sliding {
    /// Over the rows before `channel[end]`.
    pub(crate) fn start(channel: &[i32], end: usize, zero: i32, length: HalfCycleLength) -> Self {
        let from = end.saturating_sub(length.whole_rows() as usize);
        Self { zero, length, sum: sum_squares(channel.get(from..end).unwrap_or(&[]), zero) }
    }

    /// From `channel[..end]` to `channel[..end + step]`.
    #[inline(always)]
    pub(crate) fn advance(&mut self, channel: &[i32], end: usize, step: usize) {
        let leave = end.saturating_sub(self.length.whole_rows() as usize);
        let gone = (end + step).saturating_sub(self.length.whole_rows() as usize);
        let entering = channel.get(end..end + step).unwrap_or(&[]);
        let leaving = channel.get(leave..gone).unwrap_or(&[]);
        self.sum += sum_squares(entering, self.zero) - sum_squares(leaving, self.zero);
    }

    /// Takes another length, if that needs no other rows.
    pub(crate) fn adjust(&mut self, length: HalfCycleLength) -> bool {
        let same_rows = length.whole_rows() == self.length.whole_rows();
        if same_rows {
            self.length = length;
        }
        same_rows
    }

    /// The sum over the half cycle before `channel[end]`, its oldest row by its share.
    pub(crate) fn value(&self, channel: &[i32], end: usize) -> SumOfSquares {
        let oldest = end
            .checked_sub(self.length.rows_needed() as usize)
            .and_then(|row| channel.get(row))
            .filter(|&&count| count != LOST)
            .map_or(0, |&count| i64::from(count - self.zero) * i64::from(count - self.zero));
        SumOfSquares {
            sum: self.sum + ((oldest * self.length.fraction()) >> LENGTH_BITS),
            length: self.length,
        }
    }
}

/// Least and greatest of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) least: SumOfSquares,
    pub(crate) greatest: SumOfSquares,
}

/// Least and greatest of both channels.
#[derive(Clone, Copy, Debug)]
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
            let sum = sum + ((oldest * length.fraction()) >> LENGTH_BITS);
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

/// Extremes of the half-cycle sums that end after row `first`, every `step` rows, up to row `last`, and for which
/// all rows are in the view; `None` if there is none.
pub(crate) fn extremes(
    view: View<'_>,
    (first, last): (u64, u64),
    zeros: (i32, i32),
    length: HalfCycleLength,
    step: usize,
) -> Option<Extremes> {
    let mut found: Option<Extremes> = None;
    for run in view.runs() {
        // Ends are counted from the window's first row, whatever of the past is at hand.
        let needed = run.base + length.rows_needed();
        let mut end = first + step as u64;
        if needed > end {
            end += (needed - end).div_ceil(step as u64) * step as u64;
        }
        if end > last + 1 || end > run.end() {
            continue;
        }
        let end = (end - run.base) as usize;
        let until = ((last + 1).min(run.end()) - run.base) as usize;
        let range = found.get_or_insert_with(|| Extremes::none(length));
        let channels =
            [(&mut range.voltage, run.voltage, zeros.0), (&mut range.current, run.current, zeros.1)];
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
