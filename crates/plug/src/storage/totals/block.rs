//! Marks of four days or months that follow each other, as they lie in the flash: one value of the map.

use heapless::Vec;
use metering::energy::Energy;

use super::{Row, Totals};

/// Marks of a block.
pub(super) const MARKS: usize = 4;
/// Bytes of a mark: day, whether midnight was seen, import, export, unmeasured time; little-endian.
const MARK: usize = 4 + 1 + 3 * 8;
/// Bytes of a block: the meter's tag and its marks.
pub(super) const BLOCK: usize = 4 + MARKS * MARK;

/// What the meter showed when a day began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Days since 1970-01-01 in local time.
    pub(super) day: i32,
    /// Whether the day's beginning was seen; if not, this is the first that was.
    pub(super) from_midnight: bool,
    import: u64,
    export: u64,
    unmeasured_us: u64,
}

impl Mark {
    pub(super) const fn new(day: i32, from_midnight: bool, totals: &Totals) -> Self {
        let Totals { import, export, unmeasured_us, .. } = *totals;
        Self { day, from_midnight, import: import.0, export: export.0, unmeasured_us }
    }

    /// What came between this mark and the next.
    pub(super) const fn row(&self, next: &Self, exact: bool) -> Row {
        Row {
            day: self.day,
            import: Energy(next.import.saturating_sub(self.import)),
            export: Energy(next.export.saturating_sub(self.export)),
            unmeasured_us: next.unmeasured_us.saturating_sub(self.unmeasured_us),
            exact,
        }
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        let numbers = [self.import, self.export, self.unmeasured_us];
        let numbers = numbers.into_iter().flat_map(u64::to_le_bytes);
        self.day.to_le_bytes().into_iter().chain([u8::from(self.from_midnight)]).chain(numbers)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (day, rest) = bytes.split_first_chunk()?;
        let (from_midnight, rest) = rest.split_first()?;
        let (import, rest) = rest.split_first_chunk()?;
        let (export, rest) = rest.split_first_chunk()?;
        let (unmeasured_us, _) = rest.split_first_chunk()?;
        Some(Self {
            day: i32::from_le_bytes(*day),
            from_midnight: *from_midnight != 0,
            import: u64::from_le_bytes(*import),
            export: u64::from_le_bytes(*export),
            unmeasured_us: u64::from_le_bytes(*unmeasured_us),
        })
    }
}

/// The marks of a block, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    meter: u32,
    marks: Vec<Mark, MARKS>,
}

impl Block {
    /// Of this meter; no marks where the bytes are another's, or nobody's.
    pub(super) fn from_bytes(meter: u32, bytes: &[u8]) -> Self {
        let own = bytes.split_first_chunk().filter(|(tag, _)| u32::from_le_bytes(**tag) == meter);
        let marks = own.map_or(&[][..], |(_, marks)| marks).chunks_exact(MARK).take(MARKS);
        Self { meter, marks: marks.filter_map(Mark::from_bytes).collect() }
    }

    /// As it is stored.
    pub(super) fn bytes(&self) -> Vec<u8, BLOCK> {
        let marks = self.marks.iter().flat_map(Mark::bytes);
        self.meter.to_le_bytes().into_iter().chain(marks).collect()
    }

    /// The marks, oldest first.
    pub(super) fn marks(&self) -> impl DoubleEndedIterator<Item = Mark> + '_ {
        self.marks.iter().copied()
    }

    /// Keeps only some of the marks; `true` if that took any away.
    pub(super) fn keep(&mut self, mut keeps: impl FnMut(&Mark) -> bool) -> bool {
        let before = self.marks.len();
        self.marks.retain(|mark| keeps(mark));
        self.marks.len() != before
    }

    /// Adds the newest mark; there is room, since a block has as many periods as places.
    pub(super) fn push(&mut self, mark: &Mark) {
        let _ = self.marks.push(*mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_for_its_meter_only() {
        let totals =
            Totals { import: Energy(u64::MAX), export: Energy(7), unmeasured_us: 8, ..Totals::default() };
        let mut block = Block::from_bytes(5, &[]);
        for day in [-3, 100, 20_000, i32::MAX] {
            block.push(&Mark::new(day, day > 0, &totals));
        }
        let bytes = block.bytes();
        assert_eq!(bytes.len(), BLOCK);
        assert_eq!(Block::from_bytes(5, &bytes), block);
        assert_eq!(Block::from_bytes(6, &bytes).marks().count(), 0);
        assert_eq!(Block::from_bytes(5, &bytes[..BLOCK - 1]).marks().count(), MARKS - 1);
        assert!(block.keep(|mark| mark.day < 100) && !block.keep(|_| true));
        assert_eq!(block.marks().next().map(|mark| (mark.day, mark.from_midnight)), Some((-3, false)));
    }
}
