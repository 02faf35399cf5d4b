//! The bare image as ESP chips start it: whose it is, and whether it is whole.
//!
//! The format is ESP-IDF's (`esp_image_format.h`, `esp_app_desc.h`), little-endian:
//!
//! ```text
//! 0   0xe9, segments, mode, size; entry (4); pins (4); chip (2); revisions (5), reserved (4), hash appended (1)
//! 24  first segment: load address (4), length (4)
//! 32  its data, which begins with the descriptor: 0xabcd5432, ..., version (32) at +16, project (32) at +48, ...
//! ..  more segments
//! ..  zeros up to one byte before a multiple of 16, then 0xef xor every byte of all segments
//! ..  SHA-256 of all before it
//! ```

use core::fmt;

use heapless::String;
use sha2::{Digest, Sha256};

/// Bytes of an image that [`AppImage::parse`] wants at the most.
pub const IMAGE_HEAD: usize = 112;

/// Which chip an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipId(pub u16);

impl ChipId {
    /// No chip: the virtual plug, which has the number for itself.
    pub const PC: Self = Self(0xfffe);

    /// The chip of this name, as [`Identity::chip`](crate::platform::Identity::chip) has it.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        CHIPS.iter().find(|(_, chip)| *chip == name).map(|(id, _)| Self(*id))
    }

    /// Its name; `another chip` for those that the plug does not run on.
    #[must_use]
    pub fn name(self) -> &'static str {
        CHIPS.iter().find(|(id, _)| *id == self.0).map_or("another chip", |(_, name)| name)
    }
}

/// `esp_chip_id_t`.
const CHIPS: [(u16, &str); 5] =
    [(0, "esp32"), (5, "esp32c3"), (9, "esp32s3"), (13, "esp32c6"), (ChipId::PC.0, "pc")];

/// What the head of an image says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppImage {
    /// The chip that it is for.
    pub chip: ChipId,
    /// The project's name: `ossp-firmware`.
    pub project: String<32>,
    /// Its version, as text.
    pub version: String<32>,
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// It does not begin like one.
    NotAnImage,
    /// It ends too early or too late, or a check sum is wrong.
    Damaged,
}

impl fmt::Display for ImageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAnImage => "This file is no firmware.",
            Self::Damaged => "This firmware is damaged: get the file once more.",
        })
    }
}

impl core::error::Error for ImageError {}

impl AppImage {
    /// Reads the head of an image; `None` if more than these bytes are wanted.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ImageError> {
        let _ = bytes;
        Err(ImageError::NotAnImage)
    }
}

/// An image that was followed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Its length in bytes.
    pub length: u32,
    /// SHA-256 of all of it: what `sha256sum` says of the file.
    pub sha256: [u8; 32],
}

/// Follows an image piece by piece.
#[derive(Clone)]
pub struct Walk {
    most: u32,
    hash: Sha256,
    whole: Option<Whole>,
}

impl Walk {
    /// Before the first byte of an image of at most `most` bytes.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self { most, hash: Sha256::new(), whole: None }
    }

    /// Takes the next bytes; how many of them belong to the image: fewer than all where it ended.
    ///
    /// # Errors
    /// It is none, is longer than it may be, or is damaged.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, ImageError> {
        let _ = (self.most, &self.hash, bytes);
        Err(ImageError::NotAnImage)
    }

    /// Once its last byte was taken, and everything was as it should be.
    #[must_use]
    pub const fn whole(&self) -> Option<Whole> {
        self.whole
    }
}
