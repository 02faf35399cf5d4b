//! How the journal's sectors and records look in the flash: pure bytes, no flash in here.
//!
//! All is little-endian and begins at a slot of 8 bytes. In each write the check comes last and in a word of its
//! own, so that a write that was cut never passes: a flash word that is half-written has bits too many, never too few.
//!
//! ```text
//! slot 0        blank stamp: written once the erase is over
//! slots 1..=6   header: magic and format, sequence, meter, totals, CRC-32
//! slots 7..512  records:  step  1 slot   what was added to one of the energies
//!                         full  5 slots  all totals
//! ```

use metering::energy::Energy;

use super::super::layout::SECTOR;
use super::super::totals::Totals;

/// Bytes of a slot.
pub(super) const SLOT: usize = 8;
/// Slots of a sector.
pub(super) const SLOTS: u16 = SECTOR as u16 / SLOT as u16;
/// Where the header is.
pub(super) const HEADER_SLOT: u16 = 1;
/// Bytes of a header.
pub(super) const HEADER: usize = 48;
/// Where the records begin.
pub(super) const FIRST_RECORD: u16 = HEADER_SLOT + (HEADER / SLOT) as u16;
/// Bytes of a full record.
pub(super) const FULL: usize = 40;
/// Slots of a full record.
pub(super) const FULL_SLOTS: u16 = (FULL / SLOT) as u16;
/// An erased slot.
pub(super) const BLANK: [u8; SLOT] = [0xff; SLOT];
/// Bytes of all totals.
const TOTALS: usize = 32;

/// "OSJ" and the format's number.
const MAGIC: u32 = u32::from_le_bytes(*b"OSJ\x01");
/// First word of a full record.
const FULL_MARK: u32 = u32::from_le_bytes(*b"Full");
/// First word of a stamp; the second is its complement.
const STAMP_WORD: u32 = u32::from_le_bytes(*b"void");
/// Sequence numbers end here: 2^31 sectors are a thousand times what a flash can bear, so more is no header.
pub(super) const LAST_SEQUENCE: u32 = u32::MAX / 2;
/// A step has 35 bits: 34.3 Wh, what 12 kW bring in 10 s.
const STEP_BITS: u32 = 35;
/// Bit of the nibble that says export.
const EXPORT: u8 = 0b1000;

/// What says that an erase was finished: bytes that only look erased may fade.
pub(super) const STAMP: [u8; SLOT] = pair(STAMP_WORD, !STAMP_WORD);

/// A sector's header: with the totals of its beginning, so that each sector stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// One more in each new sector.
    pub(super) sequence: u32,
    /// Whose energy it is.
    pub(super) meter: u32,
    /// At its beginning.
    pub(super) totals: Totals,
}

impl Header {
    /// As it is written.
    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &self.sequence.to_le_bytes());
        put(&mut bytes, 8, &self.meter.to_le_bytes());
        put(&mut bytes, 12, &totals_bytes(&self.totals));
        let check = crc32(&[&bytes[..HEADER - 4]]);
        put(&mut bytes, HEADER - 4, &check.to_le_bytes());
        bytes
    }

    /// `None` for what is no header of this format.
    pub(super) fn from_bytes(bytes: &[u8; HEADER]) -> Option<Self> {
        let header = Self {
            sequence: word(bytes, 4)?,
            meter: word(bytes, 8)?,
            totals: totals_from(bytes.get(12..)?)?,
        };
        (header.bytes() == *bytes && header.sequence <= LAST_SEQUENCE).then_some(header)
    }
}

/// Where a record stands: goes into its check, so that bytes of another place or of an earlier round are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The sector's.
    pub(super) sequence: u32,
    /// In the sector.
    pub(super) slot: u16,
}

/// A full record as it is written.
pub(super) fn full(at: Position, totals: &Totals) -> [u8; FULL] {
    let mut bytes = [0; FULL];
    put(&mut bytes, 0, &FULL_MARK.to_le_bytes());
    put(&mut bytes, 4, &totals_bytes(totals));
    let check = crc32(&[&at.bytes(), &bytes[..FULL - 4]]);
    put(&mut bytes, FULL - 4, &check.to_le_bytes());
    bytes
}

/// The totals of a full record; `None` for anything else.
pub(super) fn full_from(at: Position, bytes: &[u8; FULL]) -> Option<Totals> {
    let totals = totals_from(bytes.get(4..)?)?;
    (full(at, &totals) == *bytes).then_some(totals)
}

/// Whether a slot begins a full record, finished or not: its other slots are no records of their own.
pub(super) fn begins_full(slot: &[u8; SLOT]) -> bool {
    word(slot, 0) == Some(FULL_MARK)
}

/// A step as it is written: one energy grew and nothing else changed; `None` where a full record is needed.
///
/// The low 32 bits of what was added, then 24 bits of CRC, then a nibble (3 high bits, and the direction) and the
/// nibble's complement: bits too many show in one of the two.
pub(super) fn step(at: Position, before: &Totals, after: &Totals) -> Option<[u8; SLOT]> {
    let same = before.below_noise == after.below_noise && before.unmeasured_us == after.unmeasured_us;
    let import = after.import.0.checked_sub(before.import.0)?;
    let export = after.export.0.checked_sub(before.export.0)?;
    let (added, direction) = match (import, export) {
        (added, 0) => (added, 0),
        (0, added) => (added, EXPORT),
        _ => return None,
    };
    let low = added as u32;
    if !same || added == 0 || added >> STEP_BITS != 0 || low == FULL_MARK {
        return None;
    }
    Some(step_bytes(at, low, (added >> 32) as u8 | direction))
}

fn step_bytes(at: Position, low: u32, nibble: u8) -> [u8; SLOT] {
    let check = crc32(&[&at.bytes(), &low.to_le_bytes(), &[nibble]]) & 0x00ff_ffff;
    let twice = u32::from(nibble | (!nibble << 4));
    pair(low, check | (twice << 24))
}

/// The totals after a step; `None` for what is no step.
pub(super) fn after_step(at: Position, before: &Totals, slot: &[u8; SLOT]) -> Option<Totals> {
    let low = word(slot, 0)?;
    let nibble = (word(slot, 4)? >> 24) as u8 & 0x0f;
    if step_bytes(at, low, nibble) != *slot {
        return None;
    }
    let added = u64::from(low) | (u64::from(nibble & !EXPORT) << 32);
    let mut after = *before;
    let grown = if nibble & EXPORT == 0 { &mut after.import } else { &mut after.export };
    *grown = Energy(grown.0.checked_add(added)?);
    Some(after)
}

impl Position {
    fn bytes(self) -> [u8; 6] {
        let mut bytes = [0; 6];
        put(&mut bytes, 0, &self.sequence.to_le_bytes());
        put(&mut bytes, 4, &self.slot.to_le_bytes());
        bytes
    }
}

fn totals_bytes(totals: &Totals) -> [u8; TOTALS] {
    let mut bytes = [0; TOTALS];
    let numbers = [totals.import.0, totals.export.0, totals.below_noise.0, totals.unmeasured_us];
    for (at, number) in (0..).step_by(8).zip(numbers) {
        put(&mut bytes, at, &number.to_le_bytes());
    }
    bytes
}

fn totals_from(bytes: &[u8]) -> Option<Totals> {
    let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    Some(Totals {
        import: Energy(number(0)?),
        export: Energy(number(8)?),
        below_noise: Energy(number(16)?),
        unmeasured_us: number(24)?,
    })
}

/// Two words.
const fn pair(first: u32, second: u32) -> [u8; SLOT] {
    (first as u64 | ((second as u64) << 32)).to_le_bytes()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Copies `part` to `at`; all callers have room for it.
fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(part) {
        *to = *from;
    }
}

/// CRC-32 of IEEE 802.3 (polynomial 0x04c11db7, reflected), without a table: few bytes, and seldom.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in parts.iter().copied().flatten() {
        remainder ^= u32::from(*byte);
        for _ in 0..8 {
            let low = remainder & 1;
            remainder = (remainder >> 1) ^ (0xedb8_8320 * low);
        }
    }
    !remainder
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position { sequence: 77, slot: 300 };

    fn totals(import: u64, export: u64, below_noise: u64, unmeasured_us: u64) -> Totals {
        Totals {
            import: Energy(import),
            export: Energy(export),
            below_noise: Energy(below_noise),
            unmeasured_us,
        }
    }

    #[test]
    fn the_crc_is_the_one_of_ethernet() {
        assert_eq!(crc32(&[b"12345", b"6789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[]), 0);
    }

    #[test]
    fn headers_and_full_records_come_back() {
        let header = Header { sequence: 9, meter: 0xdead_beef, totals: totals(u64::MAX, 2, 3, 4) };
        assert_eq!(Header::from_bytes(&header.bytes()), Some(header));
        let late = Header { sequence: u32::MAX, ..header };
        assert_eq!(Header::from_bytes(&late.bytes()), None);
        let record = full(AT, &header.totals);
        assert_eq!(full_from(AT, &record), Some(header.totals));
        assert!(begins_full(record.first_chunk().unwrap()));
        for at in [Position { slot: 301, ..AT }, Position { sequence: 78, ..AT }] {
            assert_eq!(full_from(at, &record), None, "{at:?}");
        }
    }

    #[test]
    fn a_step_is_for_one_energy_that_grew() {
        let before = totals(1_000, 2_000, 30, 40);
        for added in [1, 0xffff_ffff, 1 << 32, (1 << 35) - 1] {
            for after in [totals(1_000 + added, 2_000, 30, 40), totals(1_000, 2_000 + added, 30, 40)] {
                let slot = step(AT, &before, &after).unwrap();
                assert_eq!(after_step(AT, &before, &slot), Some(after));
                assert_eq!(after_step(Position { slot: 1, ..AT }, &before, &slot), None);
                assert!(!begins_full(&slot) && slot != BLANK);
            }
        }
        let too_much = [
            before,
            totals(1_000 + (1 << 35), 2_000, 30, 40),
            totals(1_001, 2_001, 30, 40),
            totals(1_001, 2_000, 31, 40),
            totals(1_001, 2_000, 30, 41),
            totals(999, 2_000, 30, 40),
            totals(1_000 + u64::from(FULL_MARK), 2_000, 30, 40),
        ];
        for after in too_much {
            assert_eq!(step(AT, &before, &after), None, "{after:?}");
        }
        let slot = step(AT, &before, &totals(1_001, 2_000, 30, 40)).unwrap();
        assert_eq!(after_step(AT, &totals(u64::MAX, 0, 0, 0), &slot), None, "no overflow");
    }

    /// Any write that was cut: words that were not reached are blank, one has bits too many. None of them passes.
    #[test]
    fn what_was_written_half_is_never_taken() {
        let before = totals(5, 6, 7, 8);
        let after = totals(5 + 0x3_1234_5678, 6, 7, 8);
        let step = step(AT, &before, &after).unwrap();
        let header = Header { sequence: 9, meter: 1, totals: after };
        let mut torn = 0;
        cut(&step, |bytes| {
            torn += 1;
            assert_eq!(after_step(AT, &before, bytes.first_chunk().unwrap()), None, "{bytes:x?}");
        });
        cut(&full(AT, &after), |bytes| assert_eq!(full_from(AT, bytes.first_chunk().unwrap()), None));
        cut(&header.bytes(), |bytes| assert_eq!(Header::from_bytes(bytes.first_chunk().unwrap()), None));
        cut(&STAMP, |bytes| assert_ne!(bytes, STAMP));
        assert!(torn > 1000);
    }

    /// All states that a cut leaves at each word, of bits too many a good sample.
    fn cut(written: &[u8], mut check: impl FnMut(&[u8])) {
        let mut state = 1_u32;
        for reached in (0..written.len()).step_by(4) {
            for _ in 0..1000 {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let mut bytes = [0xff; HEADER];
                bytes[..reached].copy_from_slice(&written[..reached]);
                for (at, extra) in state.to_le_bytes().into_iter().enumerate() {
                    bytes[reached + at] = written[reached + at] | extra;
                }
                let bytes = &bytes[..written.len()];
                if bytes != written {
                    check(bytes);
                }
            }
        }
    }
}
