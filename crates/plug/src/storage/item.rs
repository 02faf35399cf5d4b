//! One item of a map in a flash of its own, so that a power cut leaves the old or the new one, never a mixture: how
//! settings and calibration are kept.

use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter, Write};

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage, SerializationError, Value};

/// The one key of each map; never used for anything else.
const KEY: u8 = 1;

/// Why something was not stored; what was there before is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveError {
    /// It is longer than what is kept.
    TooLarge,
    /// The flash does not read or write.
    Flash,
    /// There is no memory for it now.
    Memory,
}

impl Display for SaveError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooLarge => "too long to be kept",
            Self::Flash => "the flash cannot be used",
            Self::Memory => "there is no memory to store it now",
        })
    }
}

/// What became of one place in the flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// What was stored, or nothing because nothing ever was.
    #[default]
    Whole,
    /// Something that cannot be understood.
    Corrupt,
    /// It cannot be read.
    Unreadable,
}

/// All maps of the plug: one kind of flash beneath them, or a chip would have the library's code several times.
pub(crate) type Map<'f, F> = MapStorage<u8, &'f mut F, Cache<Uncached, Uncached, Uncached, u8>>;
type Error<F> = sequential_storage::Error<<F as embedded_storage_async::nor_flash::ErrorType>::Error>;

/// The map in the first `length` bytes of `flash`.
pub(crate) fn map<F: NorFlash>(flash: &mut F, length: u32) -> Option<Map<'_, F>> {
    let config = MapConfig::try_new(0..length).ok()?;
    Some(Map::new(flash, config, Cache::new_uncached()))
}

/// The map in all of `flash`.
fn whole<F: NorFlash>(flash: &mut F) -> Option<Map<'_, F>> {
    let length = u32::try_from(flash.capacity()).ok()?;
    map(flash, length)
}

/// Memory for key and value, in whole words of any flash, for as long as it is needed.
fn buffer(most: usize) -> Option<Vec<u8>> {
    memory((1 + most).next_multiple_of(32))
}

/// Memory for as long as it is needed.
pub(crate) fn memory(length: usize) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(length).ok()?;
    buffer.resize(length, 0);
    Some(buffer)
}

/// Gives what is stored, `most` bytes at the most, to `read`; does not call it if nothing is.
pub(crate) async fn fetch<F: NorFlash>(
    flash: &mut F,
    most: usize,
    read: &mut dyn FnMut(&[u8]),
) -> Result<(), Found> {
    let mut map = whole(flash).ok_or(Found::Unreadable)?;
    let mut buffer = buffer(most).ok_or(Found::Unreadable)?;
    match map.fetch_item::<&[u8]>(&mut buffer, &KEY).await {
        Ok(None) => Ok(()),
        Ok(Some(bytes)) => {
            read(bytes);
            Ok(())
        }
        Err(sequential_storage::Error::Storage { .. }) => Err(Found::Unreadable),
        // Not what this program wrote, or worn out: what a power cut leaves is repaired by the map itself.
        Err(_) => Err(Found::Corrupt),
    }
}

/// Where an item goes: text, or bytes that are none.
pub(crate) trait Out: Write {
    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result;
}

/// What is written straight into the map's buffer: it never lies in memory twice.
pub(crate) type Text<'a> = &'a dyn Fn(&mut dyn Out) -> fmt::Result;

/// Stores `text`, `most` bytes at the most, and looks whether it is there. Dropping the future is a power cut.
pub(crate) async fn put<F: NorFlash>(flash: &mut F, most: usize, text: Text<'_>) -> Result<(), SaveError> {
    let text = Item(text);
    if text.length() > most {
        return Err(SaveError::TooLarge);
    }
    let mut map = whole(flash).ok_or(SaveError::Flash)?;
    let mut buffer = buffer(most).ok_or(SaveError::Memory)?;
    match write(&mut map, &mut buffer, &text).await {
        Ok(()) => return Ok(()),
        // The flash itself failed, or the power goes: what is there must stay.
        Err(sequential_storage::Error::Storage { .. }) => return Err(SaveError::Flash),
        Err(_) => {}
    }
    // What is there cannot be understood, so nothing is lost.
    map.erase_all().await.map_err(|_| SaveError::Flash)?;
    write(&mut map, &mut buffer, &text).await.map_err(|_| SaveError::Flash)
}

async fn write<F: NorFlash>(
    map: &mut Map<'_, F>,
    buffer: &mut [u8],
    text: &Item<'_>,
) -> Result<(), Error<F>> {
    map.store_item_generic::<Item<'_>>(buffer, &KEY, text).await?;
    let there = map.fetch_item::<&[u8]>(buffer, &KEY).await?;
    if there.is_some_and(|bytes| text.is(bytes)) {
        Ok(())
    } else {
        Err(sequential_storage::Error::Corrupted {})
    }
}

/// A text that is to be stored.
pub(crate) struct Item<'t>(pub(crate) Text<'t>);

impl Item<'_> {
    /// Its length in bytes.
    pub(crate) fn length(&self) -> usize {
        let mut length = Length(0);
        // A counter has room for everything.
        let _ = (self.0)(&mut length);
        length.0
    }

    /// Whether `bytes` are this text.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        let mut compare = Compare(bytes);
        (self.0)(&mut compare).is_ok() && compare.0.is_empty()
    }

    /// Puts it at the beginning of `buffer`; its length, if there is room.
    pub(crate) fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let room = buffer.len();
        let mut slice = Slice(buffer);
        (self.0)(&mut slice).ok()?;
        Some(room - slice.0.len())
    }
}

impl<'a> Value<'a> for Item<'_> {
    fn serialize_into(&self, buffer: &mut [u8]) -> Result<usize, SerializationError> {
        self.write(buffer).ok_or(SerializationError::BufferTooSmall)
    }

    fn deserialize_from(_: &'a [u8]) -> Result<(Self, usize), SerializationError> {
        // It is read as bytes.
        Err(SerializationError::InvalidFormat)
    }
}

/// Counts what is written.
pub(crate) struct Length(pub(crate) usize);

impl Out for Length {
    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.0 += bytes.len();
        Ok(())
    }
}

/// What is left of a buffer.
pub(crate) struct Slice<'a>(pub(crate) &'a mut [u8]);

impl Out for Slice<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        let (to, rest) = core::mem::take(&mut self.0).split_at_mut_checked(bytes.len()).ok_or(fmt::Error)?;
        to.copy_from_slice(bytes);
        self.0 = rest;
        Ok(())
    }
}

/// What has not been compared yet.
struct Compare<'a>(&'a [u8]);

impl Out for Compare<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.0 = self.0.strip_prefix(bytes).ok_or(fmt::Error)?;
        Ok(())
    }
}

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes())
    }
}

impl Write for Slice<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes())
    }
}

impl Write for Compare<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::settings::STORED_MOST;
    use crate::storage::careful::Careful;
    use embedded_storage_async::nor_flash::{ErrorType, NorFlashErrorKind, ReadNorFlash};
    use futures_lite::future::block_on;

    /// A flash in memory.
    pub(crate) struct Ram(pub(crate) Vec<u8>);

    impl ErrorType for Ram {
        type Error = NorFlashErrorKind;
    }

    impl ReadNorFlash for Ram {
        const READ_SIZE: usize = 4;
        async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
            bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
            Ok(())
        }
        fn capacity(&self) -> usize {
            self.0.len()
        }
    }

    impl NorFlash for Ram {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 4096;
        async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
            self.0[from as usize..to as usize].fill(0xff);
            Ok(())
        }
        async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
            self.0[offset as usize..].iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
            Ok(())
        }
    }

    /// The longest item fills a sector: it goes there, again and again.
    #[test]
    fn the_longest_item_has_room() {
        let mut flash = Careful::new(Ram(alloc::vec![0xff; 8 * 4096]));
        for round in 0..30_u32 {
            let letter = char::from(b'a' + (round % 26) as u8);
            let text = |out: &mut dyn Out| (0..STORED_MOST).try_for_each(|_| out.write_char(letter));
            assert_eq!(block_on(put(&mut flash, STORED_MOST, &text)), Ok(()));
            let mut seen = false;
            let mut read = |bytes: &[u8]| seen = Item(&text).is(bytes);
            assert_eq!(block_on(fetch(&mut flash, STORED_MOST, &mut read)), Ok(()));
            assert!(seen, "{round}");
        }
    }
}
