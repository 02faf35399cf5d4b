//! What goes in and out of the claims machine, apart from the status (`status.rs`).

use core::time::Duration;

use heapless::String;
use serde::Serialize;

/// A sentence that says why.
pub type Cause = String<96>;

/// Who asked for a change of the relay; stands in the log and in the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The state after a start.
    PowerOn,
    /// Somebody through the web interface.
    Web,
    /// Somebody at the plug's own button.
    Button,
    /// The end of a `for_s` or of inching.
    Timer,
    /// The weekly schedule.
    Schedule,
    /// Off when idle.
    Idle,
    /// The protection.
    Protection,
    /// The protection's attempt to close again after a trip.
    Retry,
}

/// The classes of claims; the highest that is there decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The state after a start: always there.
    PowerOn,
    /// The weekly schedule.
    Schedule,
    /// What was wished by hand before a `for_s`, and comes back after it.
    Timer,
    /// A person: button or web, the newest wins.
    Manual,
    /// Open after a trip, whatever anybody wishes.
    Protection,
}

impl Source {
    /// Every source; its place in here is its number in the stored log, and must never change.
    const ALL: [Self; 8] = [
        Self::PowerOn,
        Self::Web,
        Self::Button,
        Self::Timer,
        Self::Schedule,
        Self::Idle,
        Self::Protection,
        Self::Retry,
    ];

    /// Its number in the stored log.
    #[must_use]
    pub fn number(self) -> u8 {
        Self::ALL.iter().zip(0..).find(|(source, _)| **source == self).map_or(u8::MAX, |(_, number)| number)
    }

    /// The source of a number; what a later version wrote counts as the web.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Web)
    }
}

impl Class {
    /// As for [`Source`].
    const ALL: [Self; 5] = [Self::PowerOn, Self::Schedule, Self::Timer, Self::Manual, Self::Protection];

    /// Its number in the stored log.
    #[must_use]
    pub fn number(self) -> u8 {
        Self::ALL.iter().zip(0..).find(|(class, _)| **class == self).map_or(u8::MAX, |(_, number)| number)
    }

    /// The class of a number; what a later version wrote counts as by hand.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Manual)
    }
}

/// What a person asks of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Closed or open.
    Set(bool),
    /// The other way round.
    Toggle,
    /// Give up what was wished by hand: whoever is below decides again.
    Release,
    /// End the lock-out after a trip; the relay stays open. The guard takes it.
    Rearm,
    /// Stay locked out: no further attempts to close. The guard takes it.
    CancelRetries,
}

/// A wish with its time limit (`for_s`): afterwards the relay goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayCommand {
    /// What is asked.
    pub wish: Wish,
    /// For how long; `None` for good.
    pub duration: Option<Duration>,
    /// Who asks.
    pub source: Source,
}

/// Why switching on has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DelayReason {
    /// `minimum_off_s`: it went off too short a time ago.
    MinimumOff,
    /// `minimum_on_s`: it went on too short a time ago.
    MinimumOn,
    /// `switchings_a_minute`: it was switched too often.
    Switchings,
    /// `start_delay_s`: the plug has just started.
    StartDelay,
}

/// Why a command was not taken; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Protection holds the relay open: re-arm first.
    LockedOut,
    /// Switching on is not allowed yet.
    TooSoon {
        /// How long it still takes.
        wait: Duration,
        /// What stands against it.
        why: DelayReason,
    },
}

/// What is known of the time before the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether the relay was on; `None` if nobody ever switched it.
    pub on: Option<bool>,
    /// Why it was locked out; `None` if it was not.
    pub locked_out: Option<Cause>,
    /// The restart was planned and the relay's pin was held closed over it.
    pub planned_restart_kept_on: bool,
    /// How many starts before this one ended badly, without a good one between them.
    pub bad_starts_in_a_row: u8,
}

/// What the schedule wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleClaim {
    /// On or off.
    pub on: bool,
    /// Which entry says so.
    pub cause: Cause,
    /// An edge of the schedule has passed since the call before: manual claims end.
    pub edge: bool,
}

/// One line of `GET /api/v1/relay/log`: a change of the relay's state, of who decides, or a wish that changed neither.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayChange {
    /// Counts changes over the plug's life; the store fills it in.
    pub number: u32,
    /// When, Unix seconds; null before the clock is trusted.
    pub time: Option<f64>,
    /// When, seconds after start.
    pub uptime_s: f64,
    /// In which run of the plug; the store fills it in.
    pub start: u32,
    /// What it became.
    pub on: bool,
    /// Who caused it.
    pub source: Source,
    /// Which class decides from now on.
    pub class: Class,
    /// Why, in words.
    pub cause: Cause,
    /// Whether protection holds it open.
    pub locked_out: bool,
    /// `sequence` of the newest reading when it happened; null before the first.
    pub reading_sequence: Option<u64>,
    /// Active power in that reading.
    pub active_power_w: Option<f64>,
    /// Current in that reading.
    pub current_a: Option<f64>,
    /// Voltage in that reading.
    pub voltage_v: Option<f64>,
}

/// What is to be done after a call, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Actions {
    /// Command the relay.
    pub relay: Option<bool>,
    /// Tell the world, and the log.
    pub change: Option<RelayChange>,
}
