//! The last samples, in two plain slices that the caller lends: what windows, protection and captures look at.

use crate::dsp::eight::any_outside;
use crate::dsp::extremes::Sliding;
use crate::dsp::kernels::BLOCK;
use crate::front_end::Pair;

/// Stands in the voltage channel for a pair that was lost.
pub(crate) const LOST: i32 = Pair::LOST.voltage;

/// The memory for raw samples, lent by the shell (a `static` on the chip, a `Vec` on a PC).
#[derive(Debug)]
pub struct Storage<'a> {
    /// Voltage counts.
    pub voltage: &'a mut [i32],
    /// Current counts, as many.
    pub current: &'a mut [i32],
}

/// Rows `base..end` of both channels. Rows are numbered from the first sample ever, lost ones included.
#[derive(Debug)]
pub(crate) struct History<'a> {
    storage: Storage<'a>,
    base: u64,
    len: usize,
    /// Elements from this one on are all there and narrow about the zeros in use (see [`NARROW`](crate::dsp::eight::NARROW)).
    narrow_from: usize,
}

/// A part of the history: row `base + n` is element `n` of both slices.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The row of the first elements.
    pub base: u64,
    /// Voltage counts.
    pub voltage: &'a [i32],
    /// Current counts.
    pub current: &'a [i32],
}

impl<'a> History<'a> {
    pub(crate) fn new(storage: Storage<'a>) -> Self {
        Self { storage, base: 0, len: 0, narrow_from: 0 }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.storage.voltage.len().min(self.storage.current.len())
    }

    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// The row after the newest.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.len as u64
    }

    /// Forgets everything; the next pair is row `next`.
    pub(crate) fn restart(&mut self, next: u64) {
        self.base = next;
        self.len = 0;
        self.narrow_from = 0;
    }

    /// Appends a block for which there is [`Self::room`], and moves the half cycle on; says whether the current
    /// touched a rail.
    #[inline(always)]
    pub(crate) fn append_block(
        &mut self,
        pairs: &[Pair; BLOCK],
        half_cycle: &mut Sliding,
        rails: (i32, i32),
    ) -> bool {
        let Storage { voltage, current } = &mut self.storage;
        let at = self.len;
        self.len += BLOCK;
        if !half_cycle.enter(pairs, (voltage, current), at, self.narrow_from) {
            self.narrow_from = self.len;
        }
        any_outside(pairs, rails)
    }

    /// Appends pairs for which there is [`Self::room`], and moves the half cycle on; says whether the current
    /// touched a rail.
    #[inline(never)]
    pub(crate) fn append(&mut self, pairs: &[Pair], half_cycle: &mut Sliding, rails: (i32, i32)) -> bool {
        let range = self.len..self.len + pairs.len();
        let Storage { voltage, current } = &mut self.storage;
        if let (Some(voltage), Some(current)) = (voltage.get_mut(range.clone()), current.get_mut(range)) {
            for ((pair, voltage), current) in pairs.iter().zip(voltage).zip(current) {
                *voltage = pair.voltage;
                *current = pair.current;
            }
            self.len += pairs.len();
        }
        half_cycle.advance(self.current(), pairs.len());
        // Not `all` and `any`: without an early end eight rows are looked at at once.
        if !pairs.iter().fold(true, |all, pair| all & half_cycle.is_narrow(pair)) {
            self.narrow_from = self.len;
        }
        let outside = |pair: &Pair| (pair.current <= rails.0) | (pair.current >= rails.1);
        pairs.iter().fold(false, |any, pair| any | outside(pair))
    }

    /// The zeros changed: nothing is known of the rows that are here.
    pub(crate) fn forget_narrow(&mut self) {
        self.narrow_from = self.len;
    }

    /// Whether all rows from this one on are known to be there and narrow.
    pub(crate) fn is_narrow_from(&self, row: u64) -> bool {
        row >= self.base + self.narrow_from as u64
    }

    /// For how many rows there is room.
    pub(crate) fn room(&self) -> usize {
        self.capacity() - self.len
    }

    /// Forgets the rows before `keep_from`, and if that makes no room all but the newest quarter.
    #[inline(never)]
    pub(crate) fn make_room(&mut self, keep_from: u64) {
        let wanted = usize::try_from(keep_from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let capacity = self.capacity();
        let full = self.len == capacity;
        let forget = if wanted == 0 && full { capacity - capacity / 4 } else { wanted.min(self.len) };
        move_to_front(self.storage.voltage, forget, self.len);
        move_to_front(self.storage.current, forget, self.len);
        self.len -= forget;
        self.base += forget as u64;
        self.narrow_from = self.narrow_from.saturating_sub(forget);
    }

    /// All current counts.
    #[inline(always)]
    pub(crate) fn current(&self) -> &[i32] {
        self.storage.current.get(..self.len).unwrap_or(&[])
    }

    /// `count` voltage counts, beginning with the newest `back`.
    #[inline(always)]
    pub(crate) fn newest_voltage(&self, back: usize, count: usize) -> &[i32] {
        let from = self.len.saturating_sub(back);
        self.storage.voltage.get(from..from + count).unwrap_or(&[])
    }

    /// Rows `from..to`, as far as they are there.
    pub(crate) fn view(&self, from: u64, to: u64) -> View<'_> {
        let from = from.clamp(self.base, self.end());
        let range = self.offset(from)..self.offset(to.max(from));
        View {
            base: from,
            voltage: self.storage.voltage.get(range.clone()).unwrap_or(&[]),
            current: self.storage.current.get(range).unwrap_or(&[]),
        }
    }

    fn offset(&self, row: u64) -> usize {
        usize::try_from(row.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.len)
    }
}

/// Moves `rows[from..to]` to the front: whole blocks, which is four times as fast as the chip's `memmove`.
fn move_to_front(rows: &mut [i32], from: usize, to: usize) {
    let mut at = 0;
    while from > 0 && from + at < to {
        // At most as many as lie between here and there do not overlap.
        let count = from.min(to - from - at);
        let Some(both) = rows.get_mut(at..from + at + count) else { return };
        let Some((here, there)) = both.split_at_mut_checked(from) else { return };
        let (blocks, rest) = there.as_chunks::<BLOCK>();
        let (to_blocks, to_rest) = here.get_mut(..count).unwrap_or(&mut []).as_chunks_mut::<BLOCK>();
        to_blocks.iter_mut().zip(blocks).for_each(|(to, from)| *to = *from);
        to_rest.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        at += count;
    }
}

impl<'a> View<'a> {
    /// The row after the last.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base + self.voltage.len() as u64
    }

    /// Rows `from..to` of this view, as far as they are there.
    #[must_use]
    pub fn rows(&self, from: u64, to: u64) -> Self {
        let from = from.clamp(self.base, self.end());
        let to = to.clamp(from, self.end());
        let range = (from - self.base) as usize..(to - self.base) as usize;
        Self {
            base: from,
            voltage: self.voltage.get(range.clone()).unwrap_or(&[]),
            current: self.current.get(range).unwrap_or(&[]),
        }
    }

    /// The pair of a row; `None` if it is not in here or was lost.
    #[must_use]
    pub fn pair(&self, row: u64) -> Option<Pair> {
        let at = usize::try_from(row.checked_sub(self.base)?).ok()?;
        let pair = Pair { voltage: *self.voltage.get(at)?, current: *self.current.get(at)? };
        (pair.voltage != LOST).then_some(pair)
    }

    /// Whether a pair is missing.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        self.voltage.contains(&LOST)
    }

    /// How many pairs are missing.
    #[must_use]
    pub fn losses(&self) -> u32 {
        self.voltage.iter().map(|&count| u32::from(count == LOST)).sum()
    }

    /// The longest runs without a missing pair, in order.
    pub(crate) fn runs(self) -> Runs<'a> {
        Runs { rest: self }
    }
}

/// Iterator of [`View::runs`].
pub(crate) struct Runs<'a> {
    rest: View<'a>,
}

impl<'a> Iterator for Runs<'a> {
    type Item = View<'a>;

    fn next(&mut self) -> Option<View<'a>> {
        // Nearly always nothing is missing, and that is quick to see.
        if !self.rest.has_losses() {
            let run = self.rest;
            self.rest = run.rows(run.end(), run.end());
            return (!run.voltage.is_empty()).then_some(run);
        }
        let skip = self.rest.voltage.iter().position(|&count| count != LOST)?;
        let from = self.rest.base + skip as u64;
        let rest = self.rest.rows(from, self.rest.end());
        let length = rest.voltage.iter().position(|&count| count == LOST).unwrap_or(rest.voltage.len());
        let run = rest.rows(from, from + length as u64);
        self.rest = rest.rows(run.end(), rest.end());
        Some(run)
    }
}
