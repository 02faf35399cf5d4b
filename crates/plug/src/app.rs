//! How the product runs: `run_core` (samples, metering, relay; awaits nothing else) beside `run_rest` (everything
//! else), joined by bounded channels that are passed in.

use alloc::boxed::Box;
use alloc::vec::Vec;

use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use metering::front_end::Pair;
use metering::reading::{Harmonics, Reading};

use crate::core::relay::{RelayChange, RelayCommand, RelayStatus};
use crate::limits;

/// What the core is asked to do.
pub enum Command {
    /// Switch the relay; answered by [`Answer::Relay`].
    Relay(RelayCommand),
    /// Fill this with samples; answered by [`Answer::Capture`].
    Capture(Box<Capture>),
}

/// What a capture shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureRequest {
    /// The newest samples, this many mains cycles of them.
    Cycles(u32),
    /// The samples of the newest reading: two cycles before its first edge to two pairs after its last.
    LastWindow,
}

/// Raw pairs on their way out. One buffer goes round between the web and the core: nothing is allocated later.
pub struct Capture {
    /// What was asked.
    pub request: CaptureRequest,
    /// The pairs; its capacity is what a capture can hold.
    pub pairs: Vec<Pair>,
    /// The reading that belongs to the pairs, for [`CaptureRequest::LastWindow`].
    pub reading: Option<Reading>,
    /// Why there is nothing in it.
    pub error: Option<CaptureError>,
}

/// Why a capture failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// No window was measured yet.
    NothingYet,
    /// More cycles than the plug holds.
    TooLong,
    /// The samples were lost or are not there any more.
    Gone,
}

/// The core's answers to commands, in the order of the commands.
pub enum Answer {
    /// What the relay is after the command.
    Relay(RelayStatus),
    /// The buffer back.
    Capture(Box<Capture>),
}

/// The channels between `run_core` and `run_rest`. The core never waits on any of them.
pub struct Link<M: RawMutex> {
    /// To the core.
    pub commands: Channel<M, Command, { limits::COMMAND_QUEUE }>,
    /// From the core.
    pub answers: Channel<M, Answer, { limits::COMMAND_QUEUE }>,
    /// Windows, oldest first; the oldest is dropped when `run_rest` stalls too long.
    pub readings: Channel<M, Reading, { limits::READING_QUEUE }>,
    /// The harmonics of the newest window.
    pub harmonics: Signal<M, Harmonics>,
    /// Relay changes.
    pub changes: Channel<M, RelayChange, { limits::RELAY_QUEUE }>,
}
