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

use heapless::{String, Vec};
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
    /// Reads the head of an image; `None` if more than these bytes are wanted, at most [`IMAGE_HEAD`].
    ///
    /// # Errors
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ImageError> {
        if bytes.first().is_some_and(|first| *first != MAGIC) {
            return Err(ImageError::NotAnImage);
        }
        let Some(head) = bytes.first_chunk::<IMAGE_HEAD>() else { return Ok(None) };
        let word = |at| head.get(at..).and_then(|rest| rest.first_chunk().copied()).unwrap_or_default();
        let text = |at| head.get(at..).and_then(|rest| rest.first_chunk::<32>()).and_then(text);
        let (Some(version), Some(project), DESCRIPTOR) = (text(48), text(80), u32::from_le_bytes(word(32)))
        else {
            return Err(ImageError::NotAnImage);
        };
        let [low, high, ..] = word(12);
        Ok(Some(Self { chip: ChipId(u16::from_le_bytes([low, high])), project, version }))
    }
}

/// First byte of an image.
const MAGIC: u8 = 0xe9;
/// First word of the descriptor.
const DESCRIPTOR: u32 = 0xabcd_5432;
/// Segments that an image has at the most (`ESP_IMAGE_MAX_SEGMENTS`).
const SEGMENTS: u8 = 16;
/// What the check sum begins with.
const CHECKSUM: u8 = 0xef;
/// Bytes before the first segment, and before the data of each.
const HEAD: usize = 24;
const SEGMENT_HEAD: usize = 8;

/// A text of printable ASCII with zeros behind it.
fn text(bytes: &[u8; 32]) -> Option<String<32>> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = bytes.get(..end).filter(|text| text.iter().all(|byte| (b' '..=b'~').contains(byte)))?;
    String::try_from(core::str::from_utf8(text).ok()?).ok()
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
///
/// ```text
///   Head -> Segment <-> Data -> Padding -> Digest -> Done
/// ```
#[derive(Clone)]
pub struct Walk {
    most: u32,
    length: u32,
    hash: Sha256,
    segments: u8,
    checksum: u8,
    stage: Stage,
    whole: Option<Whole>,
}

#[derive(Clone)]
enum Stage {
    /// The head, as much of it as came.
    Head(Vec<u8, HEAD>),
    /// A segment's head.
    Segment(Vec<u8, SEGMENT_HEAD>),
    /// So many bytes of its data are still to come.
    Data(u32),
    /// Up to the check sum.
    Padding,
    /// What it must be, and how many bytes of it came.
    Digest([u8; 32], usize),
    Done,
}

impl Walk {
    /// Before the first byte of an image of at most `most` bytes.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self {
            most,
            length: 0,
            hash: Sha256::new(),
            segments: 0,
            checksum: CHECKSUM,
            stage: Stage::Head(Vec::new()),
            whole: None,
        }
    }

    /// Takes the next bytes; how many of them belong to the image: fewer than all where it ended.
    ///
    /// # Errors
    /// It is none, is longer than it may be, or is damaged. It is not to be fed on then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, ImageError> {
        let mut rest = bytes;
        while !rest.is_empty() && self.whole.is_none() {
            let taken = self.step(rest)?;
            let (now, later) = rest.split_at_checked(taken).ok_or(ImageError::Damaged)?;
            self.hash.update(now);
            self.length = self.length.checked_add(taken as u32).ok_or(ImageError::Damaged)?;
            rest = later;
            self.turn()?;
        }
        Ok(bytes.len() - rest.len())
    }

    /// Once its last byte was taken, and everything was as it should be.
    #[must_use]
    pub const fn whole(&self) -> Option<Whole> {
        self.whole
    }

    /// Looks at some of `rest`, which is not empty; how many bytes.
    fn step(&mut self, rest: &[u8]) -> Result<usize, ImageError> {
        match &mut self.stage {
            Stage::Head(head) => Ok(gather(head, rest)),
            Stage::Segment(head) => Ok(gather(head, rest)),
            Stage::Data(left) => {
                let now = rest.get(..*left as usize).unwrap_or(rest);
                self.checksum = now.iter().fold(self.checksum, |sum, byte| sum ^ byte);
                *left -= now.len() as u32;
                Ok(now.len())
            }
            Stage::Padding if self.length % 16 < 15 => Ok(1),
            Stage::Padding => {
                // The last byte of sixteen.
                if rest.first() == Some(&self.checksum) { Ok(1) } else { Err(ImageError::Damaged) }
            }
            Stage::Digest(digest, at) => {
                let wanted = digest.get(*at..).unwrap_or(&[]);
                let now = rest.get(..wanted.len()).unwrap_or(rest);
                *at += now.len();
                if wanted.starts_with(now) { Ok(now.len()) } else { Err(ImageError::Damaged) }
            }
            Stage::Done => Err(ImageError::Damaged),
        }
    }

    /// Goes on to the next stage where this one is complete.
    fn turn(&mut self) -> Result<(), ImageError> {
        let next = match &self.stage {
            Stage::Head(head) => match head.as_slice() {
                // Images without a digest cannot be told from damaged ones.
                [MAGIC, segments @ 1..=SEGMENTS, .., 1] if head.is_full() => {
                    self.segments = *segments;
                    Stage::Segment(Vec::new())
                }
                [MAGIC, ..] if !head.is_full() => return Ok(()),
                [MAGIC, ..] => return Err(ImageError::Damaged),
                _ => return Err(ImageError::NotAnImage),
            },
            Stage::Segment(head) => {
                let Some([_, length]) = head.as_chunks::<4>().0.first_chunk().filter(|_| head.is_full())
                else {
                    return Ok(());
                };
                let length = u32::from_le_bytes(*length);
                if length > self.most.saturating_sub(self.length) {
                    return Err(ImageError::Damaged);
                }
                self.segments -= 1;
                self.after_data(length)
            }
            Stage::Data(left) => self.after_data(*left),
            Stage::Padding if self.length.is_multiple_of(16) => {
                Stage::Digest(self.hash.clone().finalize().into(), 0)
            }
            Stage::Digest(digest, at) if *at == digest.len() => {
                if self.length > self.most {
                    return Err(ImageError::Damaged);
                }
                let sha256 = self.hash.clone().finalize().into();
                self.whole = Some(Whole { length: self.length, sha256 });
                Stage::Done
            }
            Stage::Padding | Stage::Digest(..) | Stage::Done => return Ok(()),
        };
        self.stage = next;
        Ok(())
    }

    const fn after_data(&self, left: u32) -> Stage {
        match (left, self.segments) {
            (0, 0) => Stage::Padding,
            (0, _) => Stage::Segment(Vec::new()),
            (left, _) => Stage::Data(left),
        }
    }
}

/// Fills `head` from `rest`; how many bytes it took.
fn gather<const N: usize>(head: &mut Vec<u8, N>, rest: &[u8]) -> usize {
    let now = rest.get(..N - head.len()).unwrap_or(rest);
    // It fits.
    let _ = head.extend_from_slice(now);
    now.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::made::Made;
    use alloc::vec;
    use alloc::vec::Vec;

    fn made(size: usize) -> Vec<u8> {
        Made { chip: ChipId(5), project: "ossp-firmware", version: "0.2.0", text: "{}", size }.image()
    }

    /// One of two segments, the second one empty, as a linker may make it.
    fn two_segments() -> Vec<u8> {
        let mut image = made(0);
        image.truncate(32 + 260);
        image[1] = 2;
        image.extend_from_slice(&[0, 0, 0x38, 0x40, 0, 0, 0, 0]);
        let checksum = image[32..32 + 260].iter().fold(0xef, |sum, byte| sum ^ byte);
        image.resize((image.len() + 1).next_multiple_of(16) - 1, 0);
        image.push(checksum);
        let digest = Sha256::digest(&image);
        image.extend_from_slice(&digest);
        image
    }

    fn walk(image: &[u8], piece: usize) -> Result<Option<Whole>, ImageError> {
        let mut walk = Walk::new(u32::MAX);
        for piece in image.chunks(piece) {
            if walk.feed(piece)? < piece.len() {
                return Err(ImageError::Damaged);
            }
        }
        Ok(walk.whole())
    }

    #[test]
    fn an_image_says_what_it_is() {
        let image = made(0);
        let app = AppImage::parse(&image).unwrap().unwrap();
        assert_eq!((app.chip.name(), &*app.project, &*app.version), ("esp32c3", "ossp-firmware", "0.2.0"));
        for length in 0..IMAGE_HEAD {
            assert_eq!(AppImage::parse(&image[..length]), Ok(None), "{length}");
        }
        assert_eq!(AppImage::parse(&image[..IMAGE_HEAD]), Ok(Some(app)));
        for (at, byte) in [(0, 0xe8), (32, 0), (35, 0xac), (48, 0x80), (80, 7), (81, b'\n')] {
            let mut other = image.clone();
            other[at] = byte;
            assert_eq!(AppImage::parse(&other), Err(ImageError::NotAnImage), "{at}");
        }
        assert_eq!(AppImage::parse(b"OSSP1"), Err(ImageError::NotAnImage));
        assert_eq!(ChipId::of_name("pc"), Some(ChipId::PC));
        assert_eq!((ChipId::of_name("esp8266"), ChipId(77).name()), (None, "another chip"));
    }

    #[test]
    fn an_image_is_followed_to_its_end_however_it_comes() {
        for image in [made(0), made(5000), made(4096), two_segments()] {
            let expected = Whole { length: image.len() as u32, sha256: Sha256::digest(&image).into() };
            for piece in [1, 3, 7, 16, 64, 4096, image.len()] {
                assert_eq!(walk(&image, piece), Ok(Some(expected)), "{piece}");
            }
            for length in 0..image.len() {
                assert_eq!(walk(&image[..length], 64), Ok(None), "{length}");
            }
            // What stands behind it is left.
            let mut walk = Walk::new(u32::MAX);
            let longer = [&*image, b"behind"].concat();
            assert_eq!(walk.feed(&longer), Ok(image.len()));
            assert_eq!((walk.whole(), walk.feed(b"x")), (Some(expected), Ok(0)));
            assert_eq!(Walk::new(image.len() as u32).feed(&image), Ok(image.len()));
            assert!(Walk::new(image.len() as u32 - 1).feed(&image).is_err());
        }
    }

    #[test]
    fn each_bit_that_is_turned_is_seen() {
        for image in [made(0), two_segments()] {
            for at in 0..image.len() {
                for bit in 0..8 {
                    let mut other = image.clone();
                    other[at] ^= 1 << bit;
                    assert!(!matches!(walk(&other, 64), Ok(Some(_))), "byte {at}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn an_image_that_cannot_be_checked_is_none() {
        let mut image = made(0);
        for (at, byte) in [(1, 0), (1, 17), (23, 0), (23, 2)] {
            let before = core::mem::replace(&mut image[at], byte);
            assert_eq!(walk(&image, 64), Err(ImageError::Damaged), "{at} {byte}");
            image[at] = before;
        }
        // Lengths that no image has.
        for length in [u32::MAX, 0x8000_0000, 5000] {
            let mut image = vec![0; 5000];
            image[..292].copy_from_slice(&made(0)[..292]);
            image[28..32].copy_from_slice(&length.to_le_bytes());
            assert_eq!(Walk::new(4096).feed(&image), Err(ImageError::Damaged));
        }
    }
}
