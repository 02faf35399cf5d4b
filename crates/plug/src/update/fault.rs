//! Why an image is not taken, with the code and the sentence that people see.

use core::fmt::{self, Display, Formatter};

use super::judge::Refused;
#[cfg(test)]
use super::judge::TooOld;

/// Why an image is not taken. Whatever it is, the running image stays chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing can be written here: there are no slots, or nobody looks after them.
    NoSlots,
    /// Another upload is under way, or announced from elsewhere.
    Busy,
    /// The running image has not proved itself yet; the other slot is the way back.
    OnProbation,
    /// There is no image beside the one that runs.
    NoOther,
    /// The current is near its limit, and an erase could blind protection.
    NearTheLimit,
    /// It is not one for this plug.
    Refused(Refused),
    /// There is no memory to take it.
    NoMemory,
    /// It is no form with one file in it.
    NotAForm,
    /// Nobody announced it, or too long ago.
    NotAnnounced,
    /// Fewer or more bytes came than were said.
    Incomplete,
    /// The client did not go on.
    Stalled,
    /// The MD5 that the client gave is not that of what it sent.
    WrongMd5,
    /// The flash does not take it, or says something else when it is read.
    Flash,
    /// The keys of its manifest could not be stored.
    KeysNotStored,
    /// What it was let in with does not count any more.
    RightLost,
}

impl Fault {
    /// HTTP's status and the public code.
    #[must_use]
    pub const fn kind(&self) -> (u16, &'static str) {
        match self {
            Self::NoSlots => (503, "update_unavailable"),
            Self::Busy => (409, "update_busy"),
            Self::OnProbation => (409, "on_probation"),
            Self::NoOther => (409, "no_other_firmware"),
            Self::NearTheLimit => (409, "near_the_limit"),
            Self::Refused(Refused::ImageTooLarge) => (413, Refused::ImageTooLarge.code()),
            Self::Refused(why) => (422, why.code()),
            Self::NoMemory => (503, "busy"),
            Self::NotAForm => (400, "bad_form"),
            Self::NotAnnounced => (400, "not_announced"),
            Self::Incomplete => (400, "body_missing"),
            Self::Stalled => (408, "upload_stalled"),
            Self::WrongMd5 => (422, "md5_wrong"),
            Self::Flash => (500, "flash_failed"),
            Self::KeysNotStored => (500, "keys_not_stored"),
            Self::RightLost => (403, "right_lost"),
        }
    }
}

/// One sentence a person can act on.
impl Display for Fault {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoSlots => "This plug cannot be updated now: nobody looks after its firmware's slots.",
            Self::Busy => "Another update is under way or announced; try again when it has ended.",
            Self::OnProbation => {
                "The running firmware has not proved itself yet, the other one is the way back; try again in ten minutes."
            }
            Self::NoOther => "There is no other firmware in this plug that could be started: install one.",
            Self::NearTheLimit => {
                "The current is near its limit, and an update interrupts protection; switch the load off and try again."
            }
            Self::Refused(why) => return why.fmt(formatter),
            Self::NoMemory => "The plug has no memory for an upload just now; try again in a minute.",
            Self::NotAForm => "The body is no whole form with one file in it; send multipart/form-data.",
            Self::NotAnnounced => "Ask /ota/start?mode=fr&hash=MD5 first, and upload within a minute.",
            Self::Incomplete => "The file did not arrive whole; nothing was changed, send it again.",
            Self::Stalled => "The upload stood still for too long; nothing was changed, send it again.",
            Self::WrongMd5 => "The file's MD5 is not the one that was given; nothing was changed, send it again.",
            Self::Flash => "The flash did not take the image as it was sent; the running one stays, try again.",
            Self::KeysNotStored => "The package's keys could not be stored; the running image stays, try again.",
            Self::RightLost => {
                "The token or the password that this upload was let in with counts no more; the running firmware stays."
            }
        })
    }
}

#[cfg(test)]
impl Fault {
    /// Every one of them. Whoever adds one is told here by the compiler.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        core::iter::successors(Some(Self::NoSlots), |fault| {
            Some(match fault {
                Self::NoSlots => Self::Busy,
                Self::Busy => Self::OnProbation,
                Self::OnProbation => Self::NoOther,
                Self::NoOther => Self::NearTheLimit,
                Self::NearTheLimit => Self::NoMemory,
                Self::NoMemory => Self::NotAForm,
                Self::NotAForm => Self::NotAnnounced,
                Self::NotAnnounced => Self::Incomplete,
                Self::Incomplete => Self::Stalled,
                Self::Stalled => Self::WrongMd5,
                Self::WrongMd5 => Self::Flash,
                Self::Flash => Self::KeysNotStored,
                Self::KeysNotStored => Self::RightLost,
                Self::RightLost => Self::Refused(Refused::ImageTooLarge),
                Self::Refused(why) => Self::Refused(match why {
                    Refused::ImageTooLarge => Refused::NotAnImage,
                    Refused::NotAnImage => Refused::ImageDamaged,
                    Refused::ImageDamaged => Refused::PackageDamaged,
                    Refused::PackageDamaged => Refused::WrongChip(super::image::ChipId(5)),
                    Refused::WrongChip(_) => Refused::WrongProject,
                    Refused::WrongProject => Refused::WrongBoard,
                    Refused::WrongBoard => Refused::SignatureMissing,
                    Refused::SignatureMissing => Refused::SignatureUnknown,
                    Refused::SignatureUnknown => Refused::SignatureWrong,
                    Refused::SignatureWrong => Refused::OlderVersion,
                    Refused::OlderVersion => Refused::VersionTooOldToInstall(alloc::boxed::Box::new(
                        TooOld::new(&"9".repeat(99), &"1".repeat(99)),
                    )),
                    Refused::VersionTooOldToInstall(_) => Refused::KeysDoNotFit,
                    Refused::KeysDoNotFit => Refused::SignersRetired,
                    Refused::SignersRetired => return None,
                }),
            })
        })
    }
}
