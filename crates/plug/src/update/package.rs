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
use alloc::vec::Vec;
use core::fmt;

use super::ed25519::verify;
use super::keys::Key;
use super::version::Version;
use crate::access::{Hex, read_hex};
use crate::json::{self, Quoted};
use crate::settings::{read_keys, write_keys};

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

/// What is known of an image: `{"version":...,"project":...,"chip":...,"board":...,"size":...,"sha256":...,"oldest":...,
/// "commit":...,"rustc":...,"espflash":...,"add":[...],"retire":[...]}`.
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
    /// `add`: keys that are accepted from now on, at most [`KEYS`](super::keys::KEYS).
    pub add: Vec<Key>,
    /// `retire`: keys that are not accepted any more.
    pub retire: Vec<Key>,
}

/// Names of the manifest's members, in their order. What a later version adds comes behind them.
const MEMBERS: [&str; 12] = [
    "version", "project", "chip", "board", "size", "sha256", "oldest", "commit", "rustc", "espflash", "add",
    "retire",
];

impl Manifest {
    /// Reads a manifest as [`Draft`] writes it: every member, in the one order, without spaces between them. Members that
    /// this version does not know may follow.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, PackageError> {
        if text.len() > MANIFEST_MOST {
            return Err(PackageError::Damaged);
        }
        Self::read(text).ok_or(PackageError::Damaged)
    }

    fn read(text: &str) -> Option<Self> {
        // With nothing between its pieces it has this length.
        let (mut length, mut count, mut good) = (1, 0, true);
        json::members(text, |name, value| {
            length += name.len() + value.len() + 4;
            good &= match MEMBERS.get(count) {
                Some(wanted) => *wanted == name && is_plain(name, value),
                None => !MEMBERS.contains(&name),
            };
            count += 1;
        })
        .ok()?;
        if !good || count < MEMBERS.len() || length != text.len() {
            return None;
        }
        let word = |name| word_of(text, name);
        let keys = |name| read_keys(value_of(text, name));
        Some(Self {
            version: Version::parse(word("version"))?,
            size: value_of(text, "size").parse().ok()?,
            sha256: read_hex(word("sha256").as_bytes())?,
            oldest: Version::parse(word("oldest"))?,
            add: keys("add")?,
            retire: keys("retire")?,
            text: text.into(),
        })
    }

    /// As it was signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `project`, `chip`, `board`, `commit`, `rustc` or `espflash`.
    #[must_use]
    pub fn word(&self, name: &str) -> &str {
        word_of(&self.text, name)
    }

    /// Whether `signature` is its key's for this manifest. Takes a tenth of a second on the chip.
    #[must_use]
    pub fn is_signed(&self, signature: &Signature) -> bool {
        verify(&signature.key.0, &signature.bytes, &[DOMAIN, self.text.as_bytes()])
    }
}

/// Whether the value is written as it must be: strings of printable ASCII that need no escape, whole numbers.
fn is_plain(name: &str, value: &str) -> bool {
    match name {
        "size" => value == "0" || !value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit()),
        "add" | "retire" => read_keys(value).is_some_and(|keys| {
            // Brackets, and quotes and a comma for each key.
            value.len() == (2 * (keys.len() * 32 + keys.len()) + keys.len() + 1).max(2)
        }),
        _ => {
            let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let plain = |byte| matches!(byte, b' '..=b'~') && byte != b'\\' && byte != b'"';
            inner.is_some_and(|inner| inner.bytes().all(plain))
        }
    }
}

fn value_of<'a>(text: &'a str, wanted: &str) -> &'a str {
    let mut found = "";
    // It was read before.
    let _ = json::members(text, |name, value| {
        if name == wanted {
            found = value;
        }
    });
    found
}

fn word_of<'a>(text: &'a str, name: &str) -> &'a str {
    value_of(text, name).trim_matches('"')
}

/// A manifest that is to be written, as [`Manifest`] has it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of a manifest")]
pub struct Draft<'a> {
    pub version: &'a str,
    pub project: &'a str,
    pub chip: &'a str,
    pub board: &'a str,
    pub size: u32,
    pub sha256: [u8; 32],
    pub oldest: &'a str,
    pub commit: &'a str,
    pub rustc: &'a str,
    pub espflash: &'a str,
    pub add: &'a [Key],
    pub retire: &'a [Key],
}

/// What [`Manifest::parse`] reads, if every text is what it must be.
impl fmt::Display for Draft<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = '{';
        for (name, value) in
            [("version", self.version), ("project", self.project), ("chip", self.chip), ("board", self.board)]
        {
            write!(out, "{separator}\"{name}\":{}", Quoted(value))?;
            separator = ',';
        }
        write!(out, ",\"size\":{},\"sha256\":\"{}\"", self.size, Hex(&self.sha256))?;
        for (name, value) in [
            ("oldest", self.oldest),
            ("commit", self.commit),
            ("rustc", self.rustc),
            ("espflash", self.espflash),
        ] {
            write!(out, ",\"{name}\":{}", Quoted(value))?;
        }
        out.write_str(",\"add\":")?;
        write_keys(self.add, out)?;
        out.write_str(",\"retire\":")?;
        write_keys(self.retire, out)?;
        out.write_str("}")
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
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            return if MAGIC.starts_with(bytes) { Ok(None) } else { Err(PackageError::NotAPackage) };
        };
        let Some(text) = line(&mut rest, MANIFEST_MOST)? else { return Ok(None) };
        let manifest = Manifest::parse(text)?;
        let mut signatures = heapless::Vec::new();
        loop {
            let Some(text) = line(&mut rest, SIGNATURE)? else { return Ok(None) };
            if text.is_empty() {
                return Ok(Some((Self { manifest, signatures }, bytes.len() - rest.len())));
            }
            let signature = Signature::parse(text).ok_or(PackageError::Damaged)?;
            let twice = signatures.iter().any(|other: &Signature| other.key == signature.key);
            if twice || signatures.push(signature).is_err() {
                return Err(PackageError::Damaged);
            }
        }
    }
}

/// Length of a line with a signature.
const SIGNATURE: usize = 64 + 1 + 128;

const _: () = assert!(MAGIC.len() + MANIFEST_MOST + 1 + SIGNATURES * (SIGNATURE + 1) < HEAD_MOST);

impl Signature {
    fn parse(line: &str) -> Option<Self> {
        let (key, bytes) = line.split_once(' ')?;
        Some(Self { key: Key::parse(key)?, bytes: Box::new(read_hex(bytes.as_bytes())?) })
    }
}

/// Its line of a package, without the line feed.
impl fmt::Display for Signature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.key, Hex(&*self.bytes))
    }
}

/// Takes the next line of at most `most` bytes; `None` if its end has not come yet.
fn line<'a>(rest: &mut &'a [u8], most: usize) -> Result<Option<&'a str>, PackageError> {
    let bytes = *rest;
    match bytes.iter().take(most + 1).position(|byte| *byte == b'\n') {
        Some(end) => {
            let (line, after) = bytes.split_at_checked(end).ok_or(PackageError::Damaged)?;
            *rest = after.get(1..).unwrap_or(&[]);
            core::str::from_utf8(line).map(Some).map_err(|_| PackageError::Damaged)
        }
        None if bytes.len() > most => Err(PackageError::Damaged),
        None => Ok(None),
    }
}
