//! One text in a place of two halves: how owner and tokens are kept. It is never half-written, never an older one, and
//! what is damaged is told from what was never there.
//!
//! ```text
//!   half, in its first sector:
//!     marker 8 | format 4 | revision 4 | length 4 | CRC-32 4 | text, zeros up to a whole word
//!              |<----------- record: the CRC is over all of it but itself -------------------->|
//!
//!   a change, with the old one in half A (the very first one finds both blank):
//!       A           B
//!     holds       erased          whatever is in B goes, and is seen to be gone
//!     holds       unfinished      the record is written and read back; the marker is still blank
//!     holds       HOLDS           the marker is written: this is the moment
//!     struck out  HOLDS           the marker of A becomes zeros
//!     erased      HOLDS           no old password or token stays readable
//! ```
//!
//! The library for maps skips an item that does not match its CRC. A single flipped bit would make the plug nobody's,
//! or bring back a password that was changed. So here the marker tells what there was, whatever became of the record:
//!
//! | marker                                | record | the half is     |
//! |---------------------------------------|--------|-----------------|
//! | blank                                 | any    | unfinished      |
//! | not struck out                        | whole  | what holds      |
//! | written, up to [`TOLERATED`] bits     | bad    | **damaged**     |
//! | anything else                         | any    | spoiled         |
//!
//! Of the two halves:
//!
//! 1. If one is damaged the place is closed, also beside one that holds. Such a half was whole and had its marker, so it
//!    may have been the newer; the older must not come back. It is no erase that a cut left half-done: the marker is
//!    struck out before each erase, and bits that come up from zeros do not make a marker by chance (1 in 10^13).
//! 2. Otherwise the highest revision that holds. Beside it a spoiled half is one that was struck out or half erased
//!    (then this is the newer), or whose marker a cut left half-written (then the change never was confirmed).
//! 3. Otherwise a spoiled half means closed: something was here, and it is no more to be understood.
//! 4. Otherwise, with two unfinished ones, nothing was ever stored: a power cut in the very first change leaves it so,
//!    since the marker is the last to be written, and an erase only brings bits up, which leaves a blank marker blank.
//!    But the sectors that are never used must be blank then: what is in them is not ours, and the place is closed.
//!
//! A marker that a cut left half-written on a whole record counts: old and new are both right then. The next start
//! finishes what was cut: it completes such a marker and erases the other half.
//!
//! Who erases the whole place (a reset) and is cut leaves, sector by sector, what was there, a closed place or a blank
//! one. None of it lets an old password in that was not good before, and erasing once more always helps.
//!
//! Not covered: a cut between the newer marker and the strike, and after it damage to more than [`TOLERATED`] bits of
//! that marker; then the older holds. The two are a write of 8 bytes apart.

use alloc::vec::Vec;

use embedded_storage_async::nor_flash::NorFlash;

use super::code::{Put, Take};
use super::item::{Found, Item, SaveError, Text, memory};
use super::layout::SECTOR;
use super::sector::{Buffer, Crc, StoreError, Words, erase, is_erased};

/// Longest text.
pub(crate) const MOST: usize = 1280;
/// The marker of a half that holds: half of its bits are ones, in each byte.
const COMMITTED: u64 = 0x9c35_e8d2_6a87_4d1b;
/// So many bits of it may be wrong, of the ones and of the zeros.
const TOLERATED: u32 = 4;
/// Bytes of the marker; the record follows.
const MARKER: u32 = 8;
/// What a record is, and which version of it.
const FORMAT: [u8; 4] = *b"oac\x01";
/// Bytes before the CRC.
const SUMMED: usize = 12;
/// Bytes before the text.
const HEAD: usize = 16;
/// Bytes of the longest record.
const RECORD: usize = HEAD + MOST;
/// How often a sector is erased before it counts as worn.
const TRIES: u32 = 3;

const _: () = assert!(MARKER as usize + RECORD <= SECTOR as usize && RECORD.is_multiple_of(4));

/// What became of a half: see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Unfinished,
    Holds { revision: u32 },
    Damaged,
    Spoiled,
}

impl Half {
    fn judge(marker: u64, record: Option<Record<'_>>) -> Self {
        let lost = (COMMITTED & !marker).count_ones();
        let open = (marker & !COMMITTED).count_ones();
        match record {
            _ if marker == u64::MAX => Self::Unfinished,
            Some(Record { revision, .. }) if lost <= TOLERATED => Self::Holds { revision },
            _ if lost <= TOLERATED && open <= TOLERATED => Self::Damaged,
            _ => Self::Spoiled,
        }
    }

    const fn revision(self) -> Option<u32> {
        match self {
            Self::Holds { revision } => Some(revision),
            _ => None,
        }
    }
}

/// A whole one.
#[derive(Clone, Copy)]
struct Record<'a> {
    revision: u32,
    text: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (summed, sum) = head.split_at_checked(SUMMED)?;
        let mut take = Take(summed.strip_prefix(&FORMAT)?);
        let (revision, length) = (take.u32()?, usize::try_from(take.u32()?).ok()?);
        let text = rest.get(..length)?;
        let padded = rest.get(..length.next_multiple_of(4))?;
        (Crc::new().with(summed).with(padded).sum() == sum).then_some(Self { revision, text })
    }

    /// Puts one into `bytes`; how long it is.
    fn write(bytes: &mut [u8], revision: u32, text: &Item<'_>) -> Option<usize> {
        let (head, rest) = bytes.split_at_mut_checked(HEAD)?;
        let length = text.write(rest)?;
        let padded = rest.get_mut(..length.next_multiple_of(4))?;
        padded.get_mut(length..)?.fill(0);
        let (summed, sum) = head.split_at_mut_checked(SUMMED)?;
        Put::new(summed).bytes(&FORMAT).u32(revision).u32(u32::try_from(length).ok()?);
        sum.copy_from_slice(&Crc::new().with(summed).with(padded).sum());
        Some(HEAD + padded.len())
    }
}

/// Memory for one operation.
struct Room {
    record: Vec<u8>,
    piece: Buffer,
}

impl Room {
    fn new<E>() -> Result<Self, StoreError<E>> {
        Ok(Self { record: memory(RECORD).ok_or(StoreError::NoMemory)?, piece: Buffer::new()? })
    }
}

/// The store; it remembers nothing, so whatever another one did to the flash is seen.
pub(crate) struct Halves<F>(F);

impl<F: NorFlash> Halves<F> {
    /// In all of `flash`: two sectors at least.
    pub(crate) const fn new(flash: F) -> Self {
        Self(flash)
    }

    /// Gives what is stored to `read`; does not call it if nothing ever was. Finishes what a power cut has
    /// interrupted. Dropping the future is a power cut.
    pub(crate) async fn load(&mut self, read: &mut dyn FnMut(&[u8])) -> Result<(), Found> {
        let newest = self.find(read).await.map_err(|error| match error {
            StoreError::Gone => Found::Corrupt,
            _ => Found::Unreadable,
        })?;
        if let Some(half) = newest {
            // It holds in any case; the next start tries again.
            let _ = self.finish(half).await;
        }
        Ok(())
    }

    /// Stores `text` and looks whether it is there. Dropping the future is a power cut.
    pub(crate) async fn save(&mut self, text: Text<'_>) -> Result<(), SaveError> {
        let text = Item(text);
        if text.length() > MOST {
            return Err(SaveError::TooLarge);
        }
        let half = self.write(&text).await.map_err(|error| match error {
            StoreError::NoMemory => SaveError::Memory,
            _ => SaveError::Flash,
        })?;
        // It holds by now.
        let _ = self.finish(half).await;
        Ok(())
    }

    /// Where each half begins.
    fn places(&self) -> [u32; 2] {
        let sectors = u32::try_from(self.0.capacity()).unwrap_or(u32::MAX) / SECTOR;
        [0, sectors / 2 * SECTOR]
    }

    /// The half that holds, and its text to `read`; [`StoreError::Gone`] if there is one that cannot be understood.
    async fn find(&mut self, read: &mut dyn FnMut(&[u8])) -> Result<Option<usize>, StoreError<F::Error>> {
        let mut room = Room::new()?;
        let halves = self.look(&mut room).await?;
        if halves.contains(&Half::Damaged) {
            return Err(StoreError::Gone);
        }
        let Some(newest) = newest(halves) else {
            let ours = !halves.contains(&Half::Spoiled) && self.rest_is_blank(&mut room.piece).await?;
            return if ours { Ok(None) } else { Err(StoreError::Gone) };
        };
        let record = self.record(newest, &mut room.record).await?;
        read(record.ok_or(StoreError::Gone)?.text);
        Ok(Some(newest))
    }

    async fn look(&mut self, room: &mut Room) -> Result<[Half; 2], StoreError<F::Error>> {
        let mut halves = [Half::Unfinished; 2];
        for (number, half) in halves.iter_mut().enumerate() {
            let marker = self.marker(number).await?;
            *half = Half::judge(marker, self.record(number, &mut room.record).await?);
        }
        Ok(halves)
    }

    /// Writes it into the half that does not hold the newest; which one that is.
    async fn write(&mut self, text: &Item<'_>) -> Result<usize, StoreError<F::Error>> {
        let mut room = Room::new()?;
        let halves = self.look(&mut room).await?;
        let (half, revision) = match newest(halves) {
            Some(newest) => (1 - newest, halves.iter().filter_map(|half| half.revision()).max().unwrap_or(0)),
            // What is damaged stays until the new one holds: nothing in between may look like nobody's.
            None => (usize::from(halves.first() != Some(&Half::Unfinished)), 0),
        };
        let revision = revision.checked_add(1).ok_or(StoreError::NotKept)?;
        // Also if it reads blank: an erase that was cut can leave bits that only seem to be.
        self.clear(half, &mut room.piece).await?;
        let length = Record::write(&mut room.record, revision, text).ok_or(StoreError::NotKept)?;
        let bytes = room.record.get(..length).unwrap_or_default();
        self.0.write(self.place(half) + MARKER, bytes).await.map_err(StoreError::Flash)?;
        let record = self.record(half, &mut room.record).await?;
        if !record.is_some_and(|record| record.revision == revision && text.is(record.text)) {
            return Err(StoreError::NotKept);
        }
        let kept = self.commit(half).await;
        if kept.is_err() {
            // Whoever is told that it failed must find the old one.
            let _ = self.clear(half, &mut room.piece).await;
        }
        kept.map(|()| half)
    }

    /// Completes the marker of the half that holds, and makes the other one blank.
    async fn finish(&mut self, half: usize) -> Result<(), StoreError<F::Error>> {
        if self.marker(half).await? != COMMITTED {
            self.put_marker(half, COMMITTED).await?;
        }
        let other = 1 - half;
        let mut piece = Buffer::new()?;
        let from = self.place(other);
        if !is_erased(&mut self.0, from, from + SECTOR, &mut piece).await? {
            self.clear(other, &mut piece).await?;
        }
        Ok(())
    }

    /// Erases a half. It is struck out first, so that nothing which a cut leaves is taken for a damaged one.
    async fn clear(&mut self, half: usize, piece: &mut Buffer) -> Result<(), StoreError<F::Error>> {
        if self.marker(half).await? != u64::MAX {
            self.put_marker(half, 0).await?;
        }
        let from = self.place(half);
        for _ in 0..TRIES {
            erase(&mut self.0, from).await?;
            if is_erased(&mut self.0, from, from + SECTOR, piece).await? {
                return Ok(());
            }
        }
        Err(StoreError::NotKept)
    }

    async fn commit(&mut self, half: usize) -> Result<(), StoreError<F::Error>> {
        self.put_marker(half, COMMITTED).await?;
        if self.marker(half).await? == COMMITTED { Ok(()) } else { Err(StoreError::NotKept) }
    }

    /// Whether the sectors that are never used are blank.
    async fn rest_is_blank(&mut self, piece: &mut Buffer) -> Result<bool, StoreError<F::Error>> {
        let [first, second] = self.places();
        let end = u32::try_from(self.0.capacity()).unwrap_or(u32::MAX);
        Ok(is_erased(&mut self.0, first + SECTOR, second, piece).await?
            && is_erased(&mut self.0, second + SECTOR, end, piece).await?)
    }

    fn place(&self, half: usize) -> u32 {
        let [first, second] = self.places();
        if half == 0 { first } else { second }
    }

    async fn marker(&mut self, half: usize) -> Result<u64, StoreError<F::Error>> {
        let mut marker = Words([0; MARKER as usize]);
        self.0.read(self.place(half), &mut marker.0).await.map_err(StoreError::Flash)?;
        Ok(u64::from_le_bytes(marker.0))
    }

    async fn put_marker(&mut self, half: usize, marker: u64) -> Result<(), StoreError<F::Error>> {
        let bytes = Words(marker.to_le_bytes());
        self.0.write(self.place(half), &bytes.0).await.map_err(StoreError::Flash)
    }

    /// The record of a half, if it is whole.
    async fn record<'a>(
        &mut self,
        half: usize,
        bytes: &'a mut [u8],
    ) -> Result<Option<Record<'a>>, StoreError<F::Error>> {
        self.0.read(self.place(half) + MARKER, bytes).await.map_err(StoreError::Flash)?;
        Ok(Record::read(bytes))
    }
}

/// The half with the highest revision that holds.
fn newest([first, second]: [Half; 2]) -> Option<usize> {
    match (first.revision(), second.revision()) {
        (None, None) => None,
        (first, second) => Some(usize::from(second > first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TEXT: Text<'_> = &|_| Ok(());

    fn judge(marker: u64, whole: bool) -> Half {
        Half::judge(marker, whole.then_some(Record { revision: 7, text: b"" }))
    }

    #[test]
    fn the_marker_tells_what_became_of_a_half() {
        let holds = Half::Holds { revision: 7 };
        assert_eq!((judge(u64::MAX, true), judge(u64::MAX, false)), (Half::Unfinished, Half::Unfinished));
        assert_eq!((judge(COMMITTED, true), judge(COMMITTED, false)), (holds, Half::Damaged));
        assert_eq!((judge(0, true), judge(0, false)), (Half::Spoiled, Half::Spoiled));
        for bit in 0..64 {
            let flipped = COMMITTED ^ (1 << bit);
            assert_eq!((judge(flipped, true), judge(flipped, false)), (holds, Half::Damaged));
            let begun = u64::MAX ^ (!COMMITTED & (1 << bit));
            assert!(begun == u64::MAX || (judge(begun, true), judge(begun, false)) == (holds, Half::Spoiled));
        }
        // What fills a flash is no marker, nor nearly one.
        for byte in 0..=254 {
            assert_eq!(judge(u64::from_ne_bytes([byte; 8]), false), Half::Spoiled, "{byte:#x}");
        }
        assert!(COMMITTED.to_ne_bytes().iter().all(|byte| byte.count_ones() == 4));
    }

    #[test]
    fn the_newest_of_two_is_found() {
        let holds = |revision| Half::Holds { revision };
        assert_eq!(newest([Half::Unfinished, Half::Spoiled]), None);
        assert_eq!(newest([Half::Spoiled, holds(0)]), Some(1));
        assert_eq!(newest([holds(0), Half::Unfinished]), Some(0));
        assert_eq!((newest([holds(9), holds(8)]), newest([holds(8), holds(9)])), (Some(0), Some(1)));
    }

    #[test]
    fn a_record_reads_as_it_was_written_or_not_at_all() {
        let mut bytes = [0xff; 40];
        let length = Record::write(&mut bytes, 5, &Item(&|out| out.write_str("hello"))).unwrap();
        assert_eq!(length, HEAD + 8);
        let record = Record::read(&bytes).unwrap();
        assert_eq!((record.revision, record.text), (5, &b"hello"[..]));
        for bit in 0..length * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::read(&bytes).is_none(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Record::write(&mut bytes, 5, &Item(&|out| out.write_str(&"x".repeat(25)))), None);
        assert_eq!(Record::write(&mut [0; HEAD], 5, &Item(NO_TEXT)), Some(HEAD));
        assert!(Record::read(&[0xff; RECORD]).is_none() && Record::read(&[]).is_none());
    }
}
