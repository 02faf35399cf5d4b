//! Images and their slots; writing one comes with the step that updates over the air.

pub mod confirm;
pub mod desk;
pub mod fault;
pub mod image;
pub mod judge;
pub mod keys;
pub mod package;
pub mod version;
pub mod writer;

use serde::Serialize;

pub use desk::Desk;
pub use fault::Fault;
pub use judge::{Candidate, Judged, Refused, Running, judge};

use crate::platform::{ImageState, UpdateSlots};

/// The image that runs, as it is told to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Number of its slot.
    pub slot: u8,
    /// What is known of it.
    pub state: ImageState,
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

    async fn state(&mut self) -> Result<ImageState, Self::Error> {
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

    async fn activate(&mut self) -> Result<(), Self::Error> {
        match *self {}
    }

    async fn confirm(&mut self) -> Result<(), Self::Error> {
        match *self {}
    }
}
