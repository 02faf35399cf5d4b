//! The last samples, in two plain slices that the caller lends: what windows, protection and captures look at.

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
        Self { storage, base: 0, len: 0 }
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
    }

    /// Appends pairs, at most as many as [`Self::make_room`] said there is room for.
    pub(crate) fn append(&mut self, pairs: &[Pair]) {
        let range = self.len..self.len + pairs.len();
        if let (Some(voltage), Some(current)) =
            (self.storage.voltage.get_mut(range.clone()), self.storage.current.get_mut(range))
        {
            for ((pair, voltage), current) in pairs.iter().zip(voltage).zip(current) {
                *voltage = pair.voltage;
                *current = pair.current;
            }
            self.len += pairs.len();
        }
    }

    /// Makes room for at least one more row by forgetting rows before `keep_from` (all but the newest quarter if
    /// that is not enough), and says for how many there is room.
    pub(crate) fn make_room(&mut self, keep_from: u64) -> usize {
        let capacity = self.capacity();
        if self.len == capacity {
            let wanted = usize::try_from(keep_from.saturating_sub(self.base)).unwrap_or(usize::MAX);
            let forget = if wanted == 0 { capacity - capacity / 4 } else { wanted.min(self.len) };
            self.storage.voltage.copy_within(forget..self.len, 0);
            self.storage.current.copy_within(forget..self.len, 0);
            self.len -= forget;
            self.base += forget as u64;
        }
        capacity - self.len
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
