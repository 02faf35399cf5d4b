//! Whether an image may be installed: everything that is known before the first byte is erased.

use alloc::boxed::Box;
use core::cmp::Ordering;
use core::fmt;

use heapless::String;

use super::image::{AppImage, ChipId, ImageError};
use super::keys::{Accept, AcceptedKeys, Key, UpdateSettings};
use super::package::{Header, PackageError};
use super::version::{VERSION_MOST, Version};

/// What runs now.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// Its version.
    pub version: &'a str,
    /// The project's name: [`PROJECT`].
    pub project: &'a str,
    /// [`Identity::chip`](crate::platform::Identity::chip).
    pub chip: &'a str,
    /// [`Identity::board`](crate::platform::Identity::board).
    pub board: &'a str,
    /// Bytes of a slot.
    pub capacity: u32,
}

/// The name of this project in the descriptor of an image.
pub const PROJECT: &str = "ossp-firmware";

/// What came.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The package's head; `None`: a bare image.
    pub header: Option<&'a Header>,
    /// What the image says of itself.
    pub image: &'a AppImage,
    /// Bytes of the image, as far as they were announced.
    pub size: u32,
}

/// Which version runs, and which it would have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// What runs, as it names itself.
    pub running: String<VERSION_MOST>,
    /// The oldest that may install it.
    pub oldest: String<VERSION_MOST>,
}

impl TooOld {
    /// What is longer than a version is cut: it is there to be read.
    #[must_use]
    pub fn new(running: &str, oldest: &str) -> Self {
        let cut = |text: &str| text.chars().filter(char::is_ascii_graphic).take(VERSION_MOST).collect();
        Self { running: cut(running), oldest: cut(oldest) }
    }
}

/// Why it is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is longer than a slot.
    ImageTooLarge,
    /// It is no firmware.
    NotAnImage,
    /// The image is damaged.
    ImageDamaged,
    /// The package is damaged, or says something else than its image.
    PackageDamaged,
    /// It is for another chip.
    WrongChip(ChipId),
    /// It is another program.
    WrongProject,
    /// It is for another board.
    WrongBoard,
    /// Nobody signed it.
    SignatureMissing,
    /// It is signed by nobody whose key is accepted.
    SignatureUnknown,
    /// It was not signed with the key that it names.
    SignatureWrong,
    /// It is older than what runs.
    OlderVersion,
    /// What runs is too old to install it. On the heap, since refusals lie in many places and this is rare.
    VersionTooOldToInstall(Box<TooOld>),
    /// It retires the last key while only signed packages are taken, or there is no room for its keys.
    KeysDoNotFit,
    /// It retires every key that signed it: it could not be installed a second time.
    SignersRetired,
}

impl Refused {
    /// One word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ImageTooLarge => "image_too_large",
            Self::NotAnImage => "not_an_image",
            Self::ImageDamaged => "image_damaged",
            Self::PackageDamaged => "package_damaged",
            Self::WrongChip(_) => "wrong_chip",
            Self::WrongProject => "wrong_project",
            Self::WrongBoard => "wrong_board",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureUnknown => "signature_unknown",
            Self::SignatureWrong => "signature_wrong",
            Self::OlderVersion => "older_version",
            Self::VersionTooOldToInstall(_) => "version_too_old_to_install",
            Self::KeysDoNotFit => "keys_do_not_fit",
            Self::SignersRetired => "signers_retired",
        }
    }
}

impl From<PackageError> for Refused {
    fn from(_: PackageError) -> Self {
        Self::PackageDamaged
    }
}

impl From<ImageError> for Refused {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::NotAnImage => Self::NotAnImage,
            ImageError::Damaged => Self::ImageDamaged,
        }
    }
}

/// One sentence that a person can act on.
impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WrongChip(chip) => {
                return write!(
                    formatter,
                    "This firmware is for {}, which this plug does not have.",
                    chip.name()
                );
            }
            Self::VersionTooOldToInstall(versions) => {
                let TooOld { running, oldest } = &**versions;
                return write!(
                    formatter,
                    "This plug runs {running}, and only {oldest} or newer can install this: install {oldest} first."
                );
            }
            Self::ImageTooLarge => {
                "This is longer than its place: send a package or the application, not the whole flash."
            }
            Self::NotAnImage => {
                "This is no firmware of a plug: send a package or the application, not the whole flash."
            }
            Self::ImageDamaged => "This firmware is damaged: get the file once more.",
            Self::PackageDamaged => "This package is damaged: get the file once more.",
            Self::WrongProject => "This is the firmware of something else.",
            Self::WrongBoard => "This firmware is for another board: its pins are not this plug's.",
            Self::SignatureMissing => {
                "This firmware is not signed: take a package, or let update.accept be any."
            }
            Self::SignatureUnknown => "This package is signed with a key that is not in update.keys.",
            Self::SignatureWrong => {
                "The signature of this package is wrong: get the file from where it was made."
            }
            Self::OlderVersion => "This firmware is older than the one that runs: confirm that you want it.",
            Self::KeysDoNotFit => {
                "This leaves no key that is accepted, or too many: look at update.keys and update.retired."
            }
            Self::SignersRetired => {
                "This package retires every key that signed it: it must be signed with its new key, too."
            }
        })
    }
}

impl core::error::Error for Refused {}

/// What was found out of somebody who may be installed.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The accepted key that signed it; `None`: unsigned, or by somebody unknown, where anything is taken.
    pub signed_by: Option<Key>,
    /// What the keys that it brings and retires make of the settings; `None` where they stay. To be stored once the image was
    /// verified, before it is activated.
    pub settings: Option<UpdateSettings>,
}

/// Judges what came. Verifying a signature takes a tenth of a second on the chip.
///
/// # Errors
/// Why not.
pub fn judge(
    running: &Running<'_>,
    candidate: &Candidate<'_>,
    keys: &AcceptedKeys,
    allow_downgrade: bool,
) -> Result<Judged, Refused> {
    let Candidate { header, image, size } = *candidate;
    if size > running.capacity {
        return Err(Refused::ImageTooLarge);
    }
    if ChipId::of_name(running.chip) != Some(image.chip) {
        return Err(Refused::WrongChip(image.chip));
    }
    if image.project != running.project {
        return Err(Refused::WrongProject);
    }
    let manifest = header.map(|header| &header.manifest);
    if let Some(manifest) = manifest {
        if manifest.word("board") != running.board {
            return Err(Refused::WrongBoard);
        }
        let same = manifest.word("chip") == running.chip
            && manifest.word("project") == image.project
            && manifest.version.as_str() == image.version
            && manifest.size == size;
        if !same {
            return Err(Refused::PackageDamaged);
        }
    }
    let signed_by = signed_by(header, keys)?;
    let now = Version::parse(running.version);
    // What cannot be read counts as older, on either side.
    if let Some(manifest) = manifest
        && now.as_ref().is_none_or(|now| *now < manifest.oldest)
    {
        let versions = TooOld::new(running.version, manifest.oldest.as_str());
        return Err(Refused::VersionTooOldToInstall(Box::new(versions)));
    }
    let order = Version::parse(&image.version).zip(now).map(|(then, now)| then.cmp(&now));
    let settings = match header.filter(|_| signed_by.is_some() && order == Some(Ordering::Greater)) {
        Some(header) => settings_after(header, keys)?,
        None => None,
    };
    if order.is_some_and(Ordering::is_ge) || allow_downgrade {
        Ok(Judged { signed_by, settings })
    } else {
        Err(Refused::OlderVersion)
    }
}

/// What a package makes of the settings. It must be good by them, too: the plug may come back from it, or lose its power before
/// it is activated, and it is to be installed again then.
fn settings_after(header: &Header, keys: &AcceptedKeys) -> Result<Option<UpdateSettings>, Refused> {
    let after = keys.after(&header.manifest)?;
    if let Some(settings) = &after {
        signed_by(Some(header), &keys.with(settings)).map_err(|why| match why {
            Refused::SignatureUnknown => Refused::SignersRetired,
            why => why,
        })?;
    }
    Ok(after)
}

/// The accepted key that signed it. Every signature by an accepted key must be good.
fn signed_by(header: Option<&Header>, keys: &AcceptedKeys) -> Result<Option<Key>, Refused> {
    let signatures = header.map(|header| header.signatures.as_slice()).unwrap_or_default();
    let mut signed_by = None;
    for signature in signatures.iter().filter(|signature| keys.has(&signature.key)) {
        if !header.is_some_and(|header| header.manifest.is_signed(signature)) {
            return Err(Refused::SignatureWrong);
        }
        signed_by = signed_by.or(Some(signature.key));
    }
    match (signed_by, keys.accept()) {
        (None, Accept::Signed) if signatures.is_empty() => Err(Refused::SignatureMissing),
        (None, Accept::Signed) => Err(Refused::SignatureUnknown),
        (signed_by, _) => Ok(signed_by),
    }
}
