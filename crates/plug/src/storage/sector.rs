//! What the logs share: sectors that are known to be clean, buffers that suit the flash driver, and a checksum.
//!
//! An erase that the power cut short can leave a sector that reads as erased and is not for long. So a sector counts
//! as clean only with a mark that was written after its erase, and the mark is struck out before the next one:
//!
//! ```text
//!             strike out               erase                 mark
//!   anything ------------> struck out -------> reads erased ------> clean --> in use
//!      ^                                                                       |
//!      +-----------------------------------------------------------------------+
//! ```

use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use embedded_storage_async::nor_flash::NorFlash;

use super::layout::SECTOR;

/// Bytes of a word: what is written at once.
pub(crate) const WORD: u32 = 4;
/// The first word of a sector after it was erased to its end. As many ones as zeros: an erase that is cut short, on
/// its way from all zeros to all ones, does not come by.
pub(crate) const CLEAN: [u8; 4] = 0xa5c3_965a_u32.to_le_bytes();
/// What an erased word reads.
pub(crate) const ERASED: [u8; 4] = [0xff; 4];
/// Bytes of a [`Buffer`].
pub(crate) const BUFFER: usize = 512;

/// Why a store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError<E> {
    /// What the flash says.
    Flash(E),
    /// The heap has no room for a buffer of 512 bytes.
    NoMemory,
    /// What was written does not read back: the flash is worn out.
    NotKept,
    /// It is not there any more, or never was.
    Gone,
    /// A piece came before one that was there already.
    OutOfOrder,
}

impl<E> core::fmt::Display for StoreError<E> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Flash(_) => "the flash does not answer",
            Self::NoMemory => "there is not enough memory left",
            Self::NotKept => "the flash does not keep what is written to it",
            Self::Gone => "it is not there any more",
            Self::OutOfOrder => "a piece came too late",
        })
    }
}

/// Bytes that begin at a whole word: the ESP32's driver takes 4 KB of stack for others.
#[repr(C, align(4))]
#[derive(Debug)]
pub(crate) struct Words<const N: usize>(pub(crate) [u8; N]);

/// 512 bytes on the heap for as long as one operation lasts, so that they do not lie in a future.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<Words<BUFFER>>);

impl Buffer {
    /// A new one.
    ///
    /// # Errors
    /// [`StoreError::NoMemory`].
    pub(crate) fn new<E>() -> Result<Self, StoreError<E>> {
        let mut place = Vec::new();
        place.try_reserve_exact(1).map_err(|_| StoreError::NoMemory)?;
        place.push(Words([0; BUFFER]));
        Ok(Self(place))
    }

    /// Its first `length` bytes, or all if there are fewer.
    pub(crate) fn start(&mut self, length: usize) -> &mut [u8] {
        let length = length.min(BUFFER);
        self.get_mut(..length).unwrap_or_default()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.first().map_or(&[], |words| &words.0)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.first_mut().map_or(&mut [], |words| &mut words.0)
    }
}

/// CRC-32 as in Ethernet and ZIP (IEEE 802.3), four bits at a time: a small table, and fast enough for a few kilobytes.
/// Begins with [`Crc::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crc(u32);

impl Crc {
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    /// With `bytes` in it too.
    pub(crate) fn with(self, bytes: &[u8]) -> Self {
        /// The remainders of four bits by the polynomial 0xedb88320 (reflected).
        const TABLE: [u32; 16] = [
            0x0000_0000,
            0x1db7_1064,
            0x3b6e_20c8,
            0x26d9_30ac,
            0x76dc_4190,
            0x6b6b_51f4,
            0x4db2_6158,
            0x5005_713c,
            0xedb8_8320,
            0xf00f_9344,
            0xd6d6_a3e8,
            0xcb61_b38c,
            0x9b64_c2b0,
            0x86d3_d2d4,
            0xa00a_e278,
            0xbdbd_f21c,
        ];
        let step = |crc: u32, nibble: u8| {
            let at = (crc as u8 ^ nibble) & 15;
            (crc >> 4) ^ TABLE.get(usize::from(at)).copied().unwrap_or(0)
        };
        Self(bytes.iter().fold(self.0, |crc, byte| step(step(crc, *byte), byte >> 4)))
    }

    /// The sum as it is stored; never what an erased word reads.
    pub(crate) fn sum(self) -> [u8; 4] {
        let bytes = (!self.0).to_le_bytes();
        if bytes == ERASED { [0; 4] } else { bytes }
    }
}

/// Reads one word.
pub(crate) async fn read_word<F: NorFlash>(flash: &mut F, at: u32) -> Result<[u8; 4], StoreError<F::Error>> {
    let mut word = Words([0; 4]);
    flash.read(at, &mut word.0).await.map_err(StoreError::Flash)?;
    Ok(word.0)
}

/// Writes one word.
pub(crate) async fn write_word<F: NorFlash>(
    flash: &mut F,
    at: u32,
    word: [u8; 4],
) -> Result<(), StoreError<F::Error>> {
    flash.write(at, &Words(word).0).await.map_err(StoreError::Flash)
}

/// Whether the sector at `at` was erased to its end and, if it was used since, not struck out.
pub(crate) async fn is_marked<F: NorFlash>(flash: &mut F, at: u32) -> Result<bool, StoreError<F::Error>> {
    Ok(read_word(flash, at).await? == CLEAN)
}

/// Whether all of `from..to` reads erased.
pub(super) async fn is_erased<F: NorFlash>(
    flash: &mut F,
    mut from: u32,
    to: u32,
    buffer: &mut Buffer,
) -> Result<bool, StoreError<F::Error>> {
    while from < to {
        let bytes = buffer.start((to - from) as usize);
        flash.read(from, bytes).await.map_err(StoreError::Flash)?;
        if bytes.iter().any(|byte| *byte != 0xff) {
            return Ok(false);
        }
        from += bytes.len() as u32;
    }
    Ok(true)
}

/// What lies in the sector at `at` does not count from here on.
pub(crate) async fn strike_out<F: NorFlash>(flash: &mut F, at: u32) -> Result<(), StoreError<F::Error>> {
    write_word(flash, at, [0; 4]).await
}

/// Erases the sector at `at`.
pub(crate) async fn erase<F: NorFlash>(flash: &mut F, at: u32) -> Result<(), StoreError<F::Error>> {
    flash.erase(at, at + SECTOR).await.map_err(StoreError::Flash)
}

/// Says that the sector at `at`, and what belongs to it, was erased to its end.
pub(crate) async fn mark<F: NorFlash>(flash: &mut F, at: u32) -> Result<(), StoreError<F::Error>> {
    write_word(flash, at, CLEAN).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(Crc::new().with(b"123456789").sum(), 0xcbf4_3926_u32.to_le_bytes());
        assert_eq!(Crc::new().with(b"1234").with(b"56789").sum(), 0xcbf4_3926_u32.to_le_bytes());
        // Four bytes of ones have the sum of all ones.
        assert_eq!(Crc::new().with(&[0xff; 4]).sum(), [0; 4]);
    }

    #[test]
    fn buffers_begin_at_a_word_and_half_of_the_mark_is_ones() {
        let mut buffer = Buffer::new::<()>().unwrap();
        assert_eq!((buffer.as_ptr() as usize % 4, buffer.len()), (0, BUFFER));
        assert_eq!((buffer.start(12).len(), buffer.start(1000).len()), (12, BUFFER));
        assert_eq!(u32::from_le_bytes(CLEAN).count_ones(), 16);
    }
}
