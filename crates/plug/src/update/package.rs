//! The package: what is known of an image and who vouches for it, in front of the bare image.
//!
//! ```text
//! OSSP1                                        the magic: this line
//! {"version":"0.2.0",...}                      the manifest: JSON, one line, see [`Manifest`]
//! <64 digits: key> <128 digits: signature>     none to four such lines
//!                                              an empty line
//! <the bare image>
//! ```
//!
//! Lines end with one line feed. All but the image is text: `head -n 3 FILE` shows it. A signature is Ed25519's (RFC 8032)
//! over [`DOMAIN`] followed by the manifest's bytes without the line feed, and so over the image's SHA-256 in it.

use alloc::boxed::Box;
use core::fmt;

use super::keys::{KEYS, Key};
use super::version::Version;

/// The first line.
pub const MAGIC: &[u8] = b"OSSP1\n";
/// What is signed begins with this, so that a signature for something else is none for a package.
pub const DOMAIN: &[u8] = b"OSSP firmware package, version 1\n";
/// Longest manifest.
pub const MANIFEST_MOST: usize = 1024;
/// Longest of all that stands before the image.
pub const HEAD_MOST: usize = 2048;
/// Signatures of a package.
pub const SIGNATURES: usize = 4;

/// All that stands before the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is known of the image.
    pub manifest: Manifest,
    /// Who vouches for it, or says so: nothing was verified yet.
    pub signatures: heapless::Vec<Signature, SIGNATURES>,
}

/// A key and what it signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whose.
    pub key: Key,
    /// R and s.
    pub bytes: Box<[u8; 64]>,
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    text: Box<str>,
    /// `version` of the image.
    pub version: Version,
    /// `size` of the image in bytes.
    pub size: u32,
    /// `sha256` of the image.
    pub sha256: [u8; 32],
    /// `oldest` version that may install it.
    pub oldest: Version,
    /// `add`: keys that are accepted from now on.
    pub add: heapless::Vec<Key, KEYS>,
    /// `retire`: keys that are not accepted any more.
    pub retire: heapless::Vec<Key, KEYS>,
}

impl Manifest {
    /// As it was signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `project`, `chip`, `board`, `commit`, `rustc` or `espflash`.
    #[must_use]
    pub fn word(&self, name: &str) -> &str {
        let _ = name;
        ""
    }
}

/// What is wrong with a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageError {
    /// It does not begin like one: perhaps it is a bare image.
    NotAPackage,
    /// It cannot be read.
    Damaged,
}

impl fmt::Display for PackageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAPackage => "This file is no package.",
            Self::Damaged => "This package is damaged: get the file once more.",
        })
    }
}

impl core::error::Error for PackageError {}

impl Header {
    /// Reads the head of a package: it, and how many bytes it has. `None` if more bytes are wanted, at most
    /// [`HEAD_MOST`].
    ///
    /// # Errors
    /// It is none, or is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, PackageError> {
        let _ = bytes;
        Err(PackageError::NotAPackage)
    }
}
