//! The bounded channels between `run_core` and `run_rest`. The core never waits on any of them.

use alloc::boxed::Box;

use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::{Channel, TrySendError};
use embassy_sync::signal::Signal;
use metering::idle::Idle;
use metering::reading::{Harmonics, Reading};

use super::capture::{Capture, Piece};
use crate::core::Begin;
use crate::core::claims::{Refusal, RelayChange, RelayCommand, RelayStatus};
use crate::core::guard::ProtectionStatus;
use crate::core::protection::Trip;
use crate::limits;
use crate::settings::Settings;
use crate::timekeeping::Offset;

/// What the core is asked to do.
pub enum Command {
    /// What the flash remembers: until it comes, the relay stays open and no reading is told.
    Begin(Box<Begin>),
    /// Switch the relay; answered by [`Answer::Relay`].
    Relay(RelayCommand),
    /// The button was pressed; not answered.
    Press(RelayCommand),
    /// Settings were changed; not answered.
    Settings(Box<Settings>),
    /// The chip has so many degrees; not answered.
    ChipTemperature(f64),
    /// A restart is planned: open the relay unless it may be held; answered by [`Link::parked`].
    Park {
        /// Whether whoever restarts can hold the pin.
        can_hold: bool,
    },
    /// Fill this with samples; answered by [`Answer::Capture`].
    Capture(Box<Capture>),
    /// Fill this with rows; answered by [`Link::pieces`].
    Piece(Box<Piece>),
}

/// The core's answers to commands, in the order of the commands.
pub enum Answer {
    /// Whether the command was obeyed; [`Link::relay`] has what became of it.
    Relay(Result<(), Refusal>),
    /// The buffer back.
    Capture(Box<Capture>),
}

/// What goes with a window beside its reading. Only the newest is of interest.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// Of the reading.
    pub sequence: u64,
    /// Its harmonics.
    pub harmonics: Harmonics,
    /// What the open relay lets be known of the current channel.
    pub idle: Idle,
    /// Pairs lost since start.
    pub lost_pairs: u64,
}

impl Details {
    /// Before the first window.
    pub const NONE: Self = Self { sequence: 0, harmonics: Harmonics::NONE, idle: Idle::NONE, lost_pairs: 0 };
}

/// A trip whose waveform can be fetched in pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Tripped {
    /// Its number, as the relay's state says it.
    pub number: u32,
    /// What tripped.
    pub trip: Trip,
    /// When, Unix seconds; `None` before the clock is trusted.
    pub time: Option<f64>,
    /// When, seconds after the start.
    pub uptime_s: f64,
    /// The row after the newest when the relay was commanded.
    pub row: u64,
    /// The first row that is kept for it.
    pub from: u64,
}

/// The channels.
pub struct Link<M: RawMutex> {
    /// To the core.
    pub commands: Channel<M, Command, { limits::COMMAND_QUEUE }>,
    /// From the core.
    pub answers: Channel<M, Answer, { limits::COMMAND_QUEUE }>,
    /// Windows, oldest first; the oldest is dropped when `run_rest` stalls too long.
    pub readings: Channel<M, Reading, { limits::READING_QUEUE }>,
    /// What goes with the newest window.
    pub details: Signal<M, Details>,
    /// Relay changes.
    pub changes: Channel<M, RelayChange, { limits::RELAY_QUEUE }>,
    /// What the relay is: after each change and with each window.
    pub relay: Signal<M, RelayStatus>,
    /// How protection stands: with each window.
    pub protection: Signal<M, ProtectionStatus>,
    /// Trips, oldest first: a person who re-arms is faster than the flash.
    pub tripped: Channel<M, Tripped, { limits::TRIP_QUEUE }>,
    /// A piece that was asked for.
    pub pieces: Signal<M, Box<Piece>>,
    /// The mains have vanished: what is worth keeping must be kept now.
    pub mains_lost: Signal<M, ()>,
    /// The relay is as it may be over a restart; `true`: it is closed and to be held.
    pub parked: Signal<M, bool>,
    /// The time of day, as it was learned: what a [`WallClock`](crate::timekeeping::WallClock) reads.
    pub time: Offset<M>,
}

impl<M: RawMutex> Link<M> {
    /// Empty channels.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            commands: Channel::new(),
            answers: Channel::new(),
            readings: Channel::new(),
            details: Signal::new(),
            changes: Channel::new(),
            relay: Signal::new(),
            protection: Signal::new(),
            tripped: Channel::new(),
            pieces: Signal::new(),
            mains_lost: Signal::new(),
            parked: Signal::new(),
            time: Offset::new(),
        }
    }
}

impl<M: RawMutex> Default for Link<M> {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends without waiting; when nobody fetches, the oldest makes room.
pub(super) fn send_newest<M: RawMutex, T, const N: usize>(channel: &Channel<M, T, N>, item: T) {
    if let Err(TrySendError::Full(item)) = channel.try_send(item) {
        let _ = channel.try_receive();
        // There is room by now: this task is the only sender.
        let _ = channel.try_send(item);
    }
}
