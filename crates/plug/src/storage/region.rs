//! A place of the data partition as a flash of its own; the parts of the plug take turns.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::layout::Place;

/// The data partition, shared on one executor; `None` where it cannot be used: every operation fails then.
pub type Shared<F> = Mutex<NoopRawMutex, Option<F>>;

/// A part of it, with addresses from 0. One operation at a time has the flash: nobody waits for another's whole job.
pub struct Region<'a, F> {
    flash: &'a Shared<F>,
    place: Place,
}

impl<'a, F> Region<'a, F> {
    /// The part of `flash` at `place`.
    #[must_use]
    pub const fn new(flash: &'a Shared<F>, place: Place) -> Self {
        Self { flash, place }
    }

    /// How long it is, in bytes.
    #[must_use]
    pub const fn length(&self) -> u32 {
        self.place.length
    }

    fn at<E>(&self, from: u32, length: u32) -> Result<u32, RegionError<E>> {
        match from.checked_add(length) {
            Some(end) if end <= self.place.length => Ok(self.place.from + from),
            _ => Err(RegionError::Outside),
        }
    }
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionError<E> {
    /// Outside of the part: a fault of whoever asks.
    Outside,
    /// There is no flash.
    Missing,
    /// What the flash says.
    Flash(E),
}

impl<E: NorFlashError> NorFlashError for RegionError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Outside => NorFlashErrorKind::OutOfBounds,
            Self::Missing => NorFlashErrorKind::Other,
            Self::Flash(error) => error.kind(),
        }
    }
}

impl<F: ErrorType> ErrorType for Region<'_, F> {
    type Error = RegionError<F::Error>;
}

impl<F: NorFlash> ReadNorFlash for Region<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let at = self.at(offset, u32::try_from(bytes.len()).unwrap_or(u32::MAX))?;
        let mut flash = self.flash.lock().await;
        let flash = flash.as_mut().ok_or(RegionError::Missing)?;
        flash.read(at, bytes).await.map_err(RegionError::Flash)
    }

    fn capacity(&self) -> usize {
        self.place.length as usize
    }
}

impl<F: NorFlash> NorFlash for Region<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let at = self.at(from, to.saturating_sub(from))?;
        let to = at + to.saturating_sub(from);
        let mut flash = self.flash.lock().await;
        let flash = flash.as_mut().ok_or(RegionError::Missing)?;
        flash.erase(at, to).await.map_err(RegionError::Flash)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let at = self.at(offset, u32::try_from(bytes.len()).unwrap_or(u32::MAX))?;
        let mut flash = self.flash.lock().await;
        let flash = flash.as_mut().ok_or(RegionError::Missing)?;
        flash.write(at, bytes).await.map_err(RegionError::Flash)
    }
}
