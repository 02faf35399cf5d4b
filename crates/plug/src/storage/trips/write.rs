//! Writing a trip, and making room for the next one.

use embedded_storage_async::nor_flash::NorFlash;
use metering::front_end::Pair;

use super::record::{End, PAIR, put_end, put_head, put_pair, take_head};
use super::{
    CHUNK, END_AT, HEAD_AT, PAIRS, PLACE_SECTORS, PLACES, Place, TripHead, TripStore, TripTail, pair_at,
    place_at, sum_at,
};
use crate::storage::layout::SECTOR;
use crate::storage::sector::{Buffer, Crc, StoreError, Words, erase, mark, strike_out, write_word};

/// A trip that is being written: where it goes on. Dropped without [`TripStore::finish`], it stays incomplete.
#[derive(Debug)]
pub struct TripWriter {
    place: usize,
    number: u32,
    next: u16,
    lost: u16,
    /// Of the pairs of the chunk that is not full yet.
    crc: Crc,
}

impl TripWriter {
    /// The number that the trip got.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Index of the pair that comes next: how many there are.
    #[must_use]
    pub const fn next_index(&self) -> u16 {
        self.next
    }
}

impl<F: NorFlash> TripStore<F> {
    /// Begins a trip: its head is in the flash afterwards, and it is listed as incomplete. Needs no erase if
    /// [`Self::maintain`] was called since the trip before; else the oldest trip is erased now (five sectors).
    ///
    /// # Errors
    /// If the flash fails, or there is no memory.
    pub async fn begin(&mut self, head: &TripHead) -> Result<TripWriter, StoreError<F::Error>> {
        self.begin_as(0, head).await
    }

    /// [`Self::begin`] under this number, if none that is kept is as high: trips that were not kept count too.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_as(
        &mut self,
        number: u32,
        head: &TripHead,
    ) -> Result<TripWriter, StoreError<F::Error>> {
        let number = self.newest_number().saturating_add(1).max(number);
        let mut buffer = Buffer::new()?;
        for _ in 0..PLACES {
            while self.maintain().await? {}
            let Some(place) = self.clean_place() else { break };
            // From here on the place is used, even if this does not come to its end.
            self.set(place, Place::StruckOut);
            let length = put_head(head, number, &mut buffer);
            let at = place_at(place) + HEAD_AT;
            self.flash.write(at, buffer.start(length)).await.map_err(StoreError::Flash)?;
            self.read_head(place, &mut buffer).await?;
            if take_head(&buffer).is_some_and(|(kept, _)| kept == number) {
                self.set(place, Place::Trip { number, pairs: 0, known: true });
                return Ok(TripWriter { place, number, next: 0, lost: 0, crc: Crc::new() });
            }
        }
        Err(StoreError::NotKept)
    }

    /// Writes the pairs from index `first` on. What lies between the last piece and this one is written as lost; what
    /// comes behind [`PAIRS`] is not kept. After an error, and if the future was dropped, the same piece can be
    /// written again from [`TripWriter::next_index`] on.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] for pairs that were written already, [`StoreError::Gone`] if the trip made room for
    /// others; or the flash fails, or there is no memory.
    pub async fn write(
        &mut self,
        writer: &mut TripWriter,
        first: u16,
        pairs: &[Pair],
    ) -> Result<(), StoreError<F::Error>> {
        self.check(writer)?;
        let gap = first.checked_sub(writer.next).ok_or(StoreError::OutOfOrder)?;
        let mut buffer = Buffer::new()?;
        let mut pairs = (0..gap).map(|_| Pair::LOST).chain(pairs.iter().copied());
        while writer.next < PAIRS {
            let room = usize::from(CHUNK - writer.next % CHUNK);
            let (places, _) = buffer.as_chunks_mut::<PAIR>();
            let (mut count, mut lost) = (0, 0);
            for (place, pair) in places.iter_mut().take(room).zip(&mut pairs) {
                *place = put_pair(pair);
                (count, lost) = (count + 1, lost + u16::from(pair.is_lost()));
            }
            if count == 0 {
                break;
            }
            let bytes = buffer.start(usize::from(count) * PAIR);
            let at = pair_at(writer.place, writer.next);
            self.flash.write(at, bytes).await.map_err(StoreError::Flash)?;
            let mut crc = writer.crc.with(bytes);
            let next = writer.next + count;
            if next.is_multiple_of(CHUNK) {
                self.write_sum(writer.place, next / CHUNK - 1, crc).await?;
                crc = Crc::new();
            }
            (writer.next, writer.lost, writer.crc) = (next, writer.lost + lost, crc);
            self.set(
                writer.place,
                Place::Trip { number: writer.number, pairs: next - next % CHUNK, known: true },
            );
        }
        Ok(())
    }

    /// Writes the end: the trip is complete with the pairs that were written.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if the trip made room for others; or the flash fails.
    pub async fn finish(&mut self, writer: TripWriter, tail: &TripTail) -> Result<(), StoreError<F::Error>> {
        self.check(&writer)?;
        if !writer.next.is_multiple_of(CHUNK) {
            self.write_sum(writer.place, writer.next / CHUNK, writer.crc).await?;
        }
        let end = End { pairs: writer.next, lost: writer.lost, tail: *tail };
        let at = place_at(writer.place) + END_AT;
        self.flash.write(at, &Words(put_end(end)).0).await.map_err(StoreError::Flash)?;
        self.set(writer.place, Place::Trip { number: writer.number, pairs: writer.next, known: true });
        Ok(())
    }

    /// Whether [`Self::maintain`] has something to do.
    #[must_use]
    pub fn wants_maintenance(&self) -> bool {
        self.clean_place().is_none()
    }

    /// Erases the oldest trip if no place is clean: at most one sector a call. Whether there is more to do. To be
    /// called when an erase does no harm, and not while a trip is being written or read: it could be the oldest.
    ///
    /// # Errors
    /// If the flash fails.
    pub async fn maintain(&mut self) -> Result<bool, StoreError<F::Error>> {
        if self.clean_place().is_some() {
            return Ok(false);
        }
        let (place, done) = self.erasing.unwrap_or((self.oldest(), 0));
        self.erasing = Some((place, done));
        let at = place_at(place);
        if done == 0 {
            self.set(place, Place::StruckOut);
            strike_out(&mut self.flash, at).await?;
        }
        // The first sector last: until then it says that the place does not count.
        erase(&mut self.flash, at + (done + 1) % PLACE_SECTORS * SECTOR).await?;
        if done + 1 < PLACE_SECTORS {
            self.erasing = Some((place, done + 1));
            return Ok(true);
        }
        mark(&mut self.flash, at).await?;
        self.erasing = None;
        self.set(place, Place::Clean);
        Ok(false)
    }

    fn clean_place(&self) -> Option<usize> {
        self.places.iter().position(|place| *place == Place::Clean)
    }

    /// The place whose contents are missed least.
    fn oldest(&self) -> usize {
        let ages = self.places.iter().enumerate();
        ages.min_by_key(|(_, place)| place.number()).map_or(0, |(place, _)| place)
    }

    fn check(&self, writer: &TripWriter) -> Result<(), StoreError<F::Error>> {
        let held = self.places.get(writer.place).and_then(|place| place.number());
        if held == Some(writer.number) { Ok(()) } else { Err(StoreError::Gone) }
    }

    async fn write_sum(&mut self, place: usize, chunk: u16, crc: Crc) -> Result<(), StoreError<F::Error>> {
        write_word(&mut self.flash, sum_at(place, chunk), crc.sum()).await
    }
}
