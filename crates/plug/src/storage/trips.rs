//! Waveforms of trips in the flash: four places that take turns, one of them erased ahead, so that beginning a trip
//! needs no erase.
//!
//! ```text
//!            begin                write ...                finish
//!   clean ----------> incomplete ----------> incomplete ----------> complete
//!     ^                    |                                           |
//!     |                    +-----------------+-------------------------+
//!     |  erase five sectors, mark            | the oldest of all, when no place is clean
//!     +---------------------------------- struck out
//! ```
//! A place is a sector that says what the trip was, and four sectors of pairs:
//!
//! ```text
//!   first sector, word 0   from 4            from 512              from 768
//!   clean mark             the head          64 checksums, one     the end: count of pairs,
//!                          with its CRC      for 32 pairs each     with its CRC
//! ```
//! Each word is written once. A power cut leaves an incomplete trip with the pairs whose checksum was written: at most
//! 31 of those that were there are missing. Pairs whose checksum is wrong are given as lost, in their place.

mod record;
mod write;

use embedded_storage_async::nor_flash::NorFlash;
use metering::front_end::Pair;
use metering::units::Hertz;

use self::record::{End, HEAD, PAIR, TAIL, take_end, take_head, take_pair};
pub use self::record::{TripHead, TripTail};
pub use self::write::TripWriter;
use super::layout::SECTOR;
use super::sector::{Buffer, Crc, ERASED, StoreError, WORD, Words, is_erased, is_marked, read_word};

/// Most pairs of a trip: 200 ms before it and 300 ms after it at 4 kHz.
pub const PAIRS: u16 = 2048;
/// Pairs that share a checksum; also what [`TripStore::read`] gives at most.
pub const CHUNK: u16 = 32;
/// Places for trips; at least one fewer is kept.
pub const PLACES: usize = 4;
/// Sectors of a place: one and the pairs.
const PLACE_SECTORS: u32 = 5;
const PLACE: u32 = PLACE_SECTORS * SECTOR;
/// Where what lies in the first sector.
const HEAD_AT: u32 = WORD;
const SUMS_AT: u32 = 512;
const END_AT: u32 = 768;

/// How many pairs before and after the trip are kept: 200 ms and 300 ms where they fit into [`PAIRS`], else two and
/// three fifths of it.
#[must_use]
pub fn pairs_around(sample_rate: Hertz) -> (u16, u16) {
    let wanted = sample_rate.0 * 0.5;
    let pairs = if wanted <= f64::from(PAIRS) { wanted as u16 } else { PAIRS };
    let before = (u32::from(pairs) * 2 / 5) as u16;
    (before, pairs - before)
}

/// What is known of a trip from the flash.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// Counts trips for ever, from 1.
    pub number: u32,
    /// What was known at its beginning.
    pub head: TripHead,
    /// Pairs that can be read, lost ones among them.
    pub pairs: u16,
    /// What was known at its end; `None`: it is still being written, or the power went before the end.
    pub tail: Option<TripTail>,
}

impl Trip {
    /// Whether all its pairs are there.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.tail.is_some()
    }
}

/// What a place holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing that counts; to be erased.
    StruckOut,
    Clean,
    /// A trip; `known` if this program can read its version.
    Trip {
        number: u32,
        pairs: u16,
        known: bool,
    },
}

/// The trips. One operation at a time; dropping the future of one is like a power cut in it.
#[derive(Debug)]
pub struct TripStore<F> {
    flash: F,
    places: [Place; PLACES],
    /// The place that is being erased, and how many of its sectors are.
    erasing: Option<(usize, u32)>,
}

impl<F: NorFlash> TripStore<F> {
    /// Looks what is in `flash`, which is [`super::layout::TRIPS`]. Nothing is written. Reads 20 KB for each place that
    /// is clean or incomplete.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub async fn open(flash: F) -> Result<Self, StoreError<F::Error>> {
        let mut store = Self { flash, places: [Place::StruckOut; PLACES], erasing: None };
        let mut buffer = Buffer::new()?;
        for place in 0..PLACES {
            let found = store.look(place, &mut buffer).await?;
            store.set(place, found);
        }
        Ok(store)
    }

    /// Number of the newest trip; 0 if there is none.
    #[must_use]
    pub fn newest_number(&self) -> u32 {
        self.places.iter().filter_map(|place| place.number()).max().unwrap_or(0)
    }

    /// The trip after `position` newer ones; `None` behind the oldest.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub async fn newest_first(&mut self, position: usize) -> Result<Option<Trip>, StoreError<F::Error>> {
        let mut numbers = [0; PLACES];
        for (number, place) in numbers.iter_mut().zip(&self.places) {
            if let Place::Trip { number: of_trip, known: true, .. } = place {
                *number = *of_trip;
            }
        }
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        match numbers.get(position) {
            None | Some(0) => Ok(None),
            Some(number) => self.trip(*number).await.map(Some),
        }
    }

    /// The trip with this number.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if there is none; or the flash cannot be read, or there is no memory.
    pub async fn trip(&mut self, number: u32) -> Result<Trip, StoreError<F::Error>> {
        let (place, pairs) = self.find(number)?;
        let mut buffer = Buffer::new()?;
        let tail = self.end(place).await?.map(|end| end.tail);
        self.read_head(place, &mut buffer).await?;
        match take_head(&buffer) {
            Some((in_flash, Some(head))) if in_flash == number => Ok(Trip { number, head, pairs, tail }),
            _ => Err(StoreError::Gone),
        }
    }

    /// Reads pairs of a trip from the `first` on into `pairs`: up to the next multiple of [`CHUNK`], so that each is
    /// read once. How many; 0 behind the last. What the flash did not keep is [`Pair::LOST`].
    ///
    /// # Errors
    /// [`StoreError::Gone`] if the trip is not there, or made room in between; or the flash cannot be read, or there
    /// is no memory.
    pub async fn read(
        &mut self,
        number: u32,
        first: u16,
        pairs: &mut [Pair],
    ) -> Result<usize, StoreError<F::Error>> {
        let (place, there) = self.find(number)?;
        if first >= there {
            return Ok(0);
        }
        let mut buffer = Buffer::new()?;
        let chunk = first / CHUNK;
        let in_chunk = (there - chunk * CHUNK).min(CHUNK);
        let whole = self.read_chunk(place, chunk, in_chunk, &mut buffer).await?;
        let (places, _) = buffer.as_chunks::<PAIR>();
        let skipped = usize::from(first % CHUNK);
        let there = places.iter().take(in_chunk.into()).skip(skipped);
        let given = pairs.iter_mut().zip(there).map(|(to, bytes)| {
            *to = if whole { take_pair(*bytes) } else { Pair::LOST };
        });
        Ok(given.count())
    }

    /// The flash, back again.
    pub fn into_flash(self) -> F {
        self.flash
    }

    fn set(&mut self, place: usize, to: Place) {
        if let Some(place) = self.places.get_mut(place) {
            *place = to;
        }
    }

    /// Where a trip that can be read lies, and its pairs.
    fn find(&self, wanted: u32) -> Result<(usize, u16), StoreError<F::Error>> {
        self.places
            .iter()
            .enumerate()
            .find_map(|(at, place)| match place {
                Place::Trip { number, pairs, known: true } if *number == wanted => Some((at, *pairs)),
                _ => None,
            })
            .ok_or(StoreError::Gone)
    }

    /// Looks what is in a place.
    async fn look(&mut self, place: usize, buffer: &mut Buffer) -> Result<Place, StoreError<F::Error>> {
        let at = place_at(place);
        if !is_marked(&mut self.flash, at).await? {
            return Ok(Place::StruckOut);
        }
        self.read_head(place, buffer).await?;
        if let Some((number, known)) = take_head(buffer).map(|(number, head)| (number, head.is_some())) {
            let pairs = match self.end(place).await? {
                Some(end) => end.pairs.min(PAIRS),
                None => self.pairs_with_sum(place, buffer).await?,
            };
            return Ok(Place::Trip { number, pairs, known });
        }
        let clean = is_erased(&mut self.flash, at + WORD, at + PLACE, buffer).await?;
        Ok(if clean { Place::Clean } else { Place::StruckOut })
    }

    /// Pairs up to the last whole chunk that was written: of an incomplete trip.
    async fn pairs_with_sum(
        &mut self,
        place: usize,
        buffer: &mut Buffer,
    ) -> Result<u16, StoreError<F::Error>> {
        let mut pairs = 0;
        for chunk in 0..PAIRS / CHUNK {
            if self.read_chunk(place, chunk, CHUNK, buffer).await? {
                pairs = (chunk + 1) * CHUNK;
            }
        }
        Ok(pairs)
    }

    /// Reads a head into the buffer; [`take_head`] says whether it is one.
    async fn read_head(&mut self, place: usize, buffer: &mut Buffer) -> Result<(), StoreError<F::Error>> {
        let at = place_at(place) + HEAD_AT;
        self.flash.read(at, buffer.start(HEAD)).await.map_err(StoreError::Flash)
    }

    async fn end(&mut self, place: usize) -> Result<Option<End>, StoreError<F::Error>> {
        let mut bytes = Words([0; TAIL]);
        self.flash.read(place_at(place) + END_AT, &mut bytes.0).await.map_err(StoreError::Flash)?;
        Ok(take_end(&bytes.0))
    }

    /// Reads so many pairs of a chunk; whether their checksum is right.
    async fn read_chunk(
        &mut self,
        place: usize,
        chunk: u16,
        pairs: u16,
        buffer: &mut Buffer,
    ) -> Result<bool, StoreError<F::Error>> {
        let sum = read_word(&mut self.flash, sum_at(place, chunk)).await?;
        if sum == ERASED {
            return Ok(false);
        }
        let bytes = buffer.start(usize::from(pairs) * PAIR);
        self.flash.read(pair_at(place, chunk * CHUNK), bytes).await.map_err(StoreError::Flash)?;
        Ok(Crc::new().with(bytes).sum() == sum)
    }
}

impl Place {
    fn number(self) -> Option<u32> {
        match self {
            Self::Trip { number, .. } => Some(number),
            _ => None,
        }
    }
}

/// Where a place begins.
fn place_at(place: usize) -> u32 {
    place as u32 * PLACE
}

/// Where the checksum of a chunk lies.
fn sum_at(place: usize, chunk: u16) -> u32 {
    place_at(place) + SUMS_AT + u32::from(chunk) * WORD
}

/// Where a pair lies.
fn pair_at(place: usize, index: u16) -> u32 {
    place_at(place) + SECTOR + u32::from(index) * PAIR as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_its_place() {
        assert_eq!(PLACES as u32 * PLACE, crate::storage::layout::TRIPS.length);
        assert_eq!(HEAD_AT + HEAD as u32, SUMS_AT);
        assert_eq!(sum_at(0, PAIRS / CHUNK), END_AT);
        assert_eq!(pair_at(1, PAIRS), place_at(2));
    }

    #[test]
    fn a_fast_converter_keeps_the_shares() {
        assert_eq!(pairs_around(Hertz(1000.0)), (200, 300));
        assert_eq!(pairs_around(Hertz(4000.0)), (800, 1200));
        assert_eq!(pairs_around(Hertz(4096.0)), (819, 1229));
        assert_eq!(pairs_around(Hertz(50_000.0)), (819, 1229));
    }
}
