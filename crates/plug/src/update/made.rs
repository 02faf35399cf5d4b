//! Images that no linker made: what the virtual plug "runs", and what tests send. Nothing of this is on a chip.

use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::image::ChipId;

/// An image of one segment: the descriptor, a text behind it, and zeros.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Whom it is for.
    pub chip: ChipId,
    /// The project's name, 31 bytes at the most.
    pub project: &'a str,
    /// Its version, 31 bytes at the most.
    pub version: &'a str,
    /// What stands behind the descriptor.
    pub text: &'a str,
    /// Bytes of the whole image at least; more where the rest needs them.
    pub size: usize,
}

/// Where the segment's data begins, and how long the descriptor in it is.
const DATA: usize = 32;
const DESCRIPTOR: usize = 256;
/// What stands behind the data: the check sum in sixteen bytes, and the digest.
const TAIL: usize = 16 + 32;

impl Made<'_> {
    /// The bytes of the image.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        // A zero ends the text.
        let least = DESCRIPTOR + self.text.len() + 1;
        let length = least.max(self.size.saturating_sub(DATA + TAIL)).next_multiple_of(4);
        let mut image = vec![0; DATA + length];
        let mut put = |at: usize, bytes: &[u8]| {
            image.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
        };
        put(0, &[0xe9, 1, 2, 0x20]);
        put(12, &self.chip.0.to_le_bytes());
        put(23, &[1]);
        // Where ESP chips see their flash as data.
        put(24, &0x3c00_0020_u32.to_le_bytes());
        put(28, &(length as u32).to_le_bytes());
        put(DATA, &0xabcd_5432_u32.to_le_bytes());
        put(DATA + 16, self.version.as_bytes());
        put(DATA + 48, self.project.as_bytes());
        put(DATA + DESCRIPTOR, self.text.as_bytes());
        let checksum = image.iter().skip(DATA).fold(0xef, |sum, byte| sum ^ byte);
        image.resize((image.len() + 1).next_multiple_of(16) - 1, 0);
        image.push(checksum);
        let digest = Sha256::digest(&image);
        image.extend_from_slice(&digest);
        image
    }
}

/// The text behind the descriptor of such an image, in its first bytes; `None` if there is none.
#[must_use]
pub fn text_of(image: &[u8]) -> Option<&str> {
    let text = image.get(DATA + DESCRIPTOR..)?;
    core::str::from_utf8(text.split(|byte| *byte == 0).next()?).ok()
}
