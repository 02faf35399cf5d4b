//! Images and their slots: which one is started, and how a new one proves itself.

mod back;
pub mod beside;
pub mod desk;
pub mod ed25519;
pub mod fault;
pub mod image;
pub mod judge;
pub mod keys;
pub mod made;
pub mod package;
pub mod probation;
pub mod record;
pub mod task;
pub mod trial;
mod turns;
pub mod version;
pub mod writer;

use heapless::String;
use serde::Serialize;

pub use desk::Desk;
pub use fault::Fault;
pub use judge::{Candidate, Judged, Refused, Running, TooOld, judge};

use crate::platform::{ImageState, UpdateSlots};
use crate::state::State;
use record::{Reached, RecordError, Standing};
use version::VERSION_MOST;

/// The image that runs, as it is told to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Number of its slot.
    pub slot: u8,
    /// What is known of it.
    pub state: ImageState,
}

/// What is known of both images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firmware {
    /// Version of the running image, as its descriptor has it; empty where there is none.
    pub version: String<VERSION_MOST>,
    /// SHA-256 of the running image, once it was computed.
    pub image_sha256: Option<[u8; 32]>,
    /// How far the running image's probation is, while it is on one.
    pub probation: Option<probation::Status>,
    /// What is in the other slot; `None` where that is no image.
    pub other: Option<Other>,
}

/// What is in the other slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its version.
    pub version: String<VERSION_MOST>,
    /// What is known of it.
    pub state: OtherState,
}

/// What is known of an image that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherState {
    /// It ran before the one that runs.
    Former,
    /// It was new, and the plug went back from it.
    WentBack,
    /// It is started next.
    Activated,
}

/// Has the other image, of this version, started from the next start on, on trial; what it has to reach is what holds now.
/// `asked_back`: it ran before, and somebody asked for it; `time` is now, where that is known. Dropping the future is a power cut: the running image stays
/// chosen, or the other one is.
///
/// # Errors
/// If the flash does not take it; the running image stays chosen then.
pub async fn activate<S: UpdateSlots>(
    slots: &mut S,
    state: &State,
    version: String<VERSION_MOST>,
    asked_back: bool,
    time: Option<f64>,
) -> Result<(), RecordError<S::Error>> {
    let before = Reached::of(state);
    let other = 1 - slots.running().min(1);
    record::choose(slots, other, Standing::OnTrial { before, crashes: 0, asked_back }, time).await?;
    let mut firmware = state.firmware.borrow_mut();
    firmware.other = Some(Other { version, state: OtherState::Activated });
    Ok(())
}

/// Slots of a shell that has none: there is no value of this type.
#[derive(Clone, Copy, Debug)]
pub enum NoSlots {}

impl UpdateSlots for NoSlots {
    type Error = core::convert::Infallible;

    fn running(&self) -> u8 {
        match *self {}
    }

    fn capacity(&self) -> u32 {
        match *self {}
    }

    async fn erase(&mut self, _: u32, _: u32) -> Result<(), Self::Error> {
        match *self {}
    }

    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), Self::Error> {
        match *self {}
    }

    async fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), Self::Error> {
        match *self {}
    }

    async fn read_running(&mut self, _: u32, _: &mut [u8]) -> Result<(), Self::Error> {
        match *self {}
    }

    async fn read_record(&mut self, _: u8, _: u32, _: &mut [u8]) -> Result<(), Self::Error> {
        match *self {}
    }

    async fn erase_record(&mut self, _: u8) -> Result<(), Self::Error> {
        match *self {}
    }

    async fn write_record(&mut self, _: u8, _: u32, _: &[u8]) -> Result<(), Self::Error> {
        match *self {}
    }
}
