//! Whether an image may be installed: everything that is known before the first byte is erased.

use core::fmt;

use super::image::{AppImage, ChipId};
use super::keys::{AcceptedKeys, Key};
use super::package::{Header, PackageError};

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

/// Why it is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// What runs is too old to install it.
    VersionTooOldToInstall,
    /// It retires the last key while only signed packages are taken, or there is no room for its keys.
    KeysDoNotFit,
}

impl Refused {
    /// One word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
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
            Self::VersionTooOldToInstall => "version_too_old_to_install",
            Self::KeysDoNotFit => "keys_do_not_fit",
        }
    }
}

impl From<PackageError> for Refused {
    fn from(_: PackageError) -> Self {
        Self::PackageDamaged
    }
}

impl From<super::image::ImageError> for Refused {
    fn from(error: super::image::ImageError) -> Self {
        match error {
            super::image::ImageError::NotAnImage => Self::NotAnImage,
            super::image::ImageError::Damaged => Self::ImageDamaged,
        }
    }
}

/// One sentence that a person can act on.
impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl core::error::Error for Refused {}

/// What was found out of somebody who may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The accepted key that signed it; `None`: unsigned, or by somebody unknown, where anything is taken.
    pub signed_by: Option<Key>,
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
    let _ = (running, candidate, keys, allow_downgrade);
    Err(Refused::NotAnImage)
}
