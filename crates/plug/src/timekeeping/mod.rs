//! Where the time of day comes from: what is believed of it, how good it is, and the clock that everybody else reads.
//!
//! ```text
//!   NTP server --ask--+
//!   Date header ------+--> State::offer_time(Answer) --> Timekeeper --offset--> Link::time --> WallClock
//!   a browser --------+        (sanity, rank, steps)                                         core, web, stores
//! ```
//! Glossary: an *answer* is what somebody says the time is; the *offset* is Unix time less the time since the start; a
//! *step* is an answer that differs from what is held by more than an hour, and is *doubted* until others agree.

pub mod date;
mod keeper;
mod wall_clock;

use core::cell::RefCell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;

pub use keeper::{Doubt, Quality, Timekeeper, Verdict};
pub use wall_clock::{Offset, WallClock};

use crate::platform::Instant;

/// Who says what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A browser's clock, or whoever sends one by `POST /api/v1/time`.
    Browser,
    /// The `Date` header of the server that takes the readings.
    Server,
    /// An NTP server that the network named (DHCP option 42).
    Dhcp,
    /// An NTP server of the settings.
    Ntp,
}

impl Source {
    /// As the settings call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Server => "server",
            Self::Dhcp => "dhcp",
            Self::Ntp => "ntp",
        }
    }

    /// A higher one is believed rather than a lower one.
    const fn rank(self) -> u8 {
        match self {
            Self::Browser => 0,
            Self::Server => 1,
            Self::Dhcp | Self::Ntp => 2,
        }
    }
}

/// What somebody says the time is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Who.
    pub source: Source,
    /// Unix seconds at `at`.
    pub unix_s: f64,
    /// How far off that may be, as far as whoever asked can tell: the way there and back, the resolution.
    pub uncertainty_s: f64,
    /// When, on the plug's own clock.
    pub at: Instant,
}

/// What `run_rest` knows of the time: part of [`State`](crate::state::State).
pub struct Timekeeping {
    /// What is believed.
    pub keeper: RefCell<Timekeeper>,
    /// It is believed anew.
    pub(crate) changed: Signal<NoopRawMutex, ()>,
}

impl Timekeeping {
    /// Nobody has said anything.
    #[must_use]
    pub const fn new() -> Self {
        Self { keeper: RefCell::new(Timekeeper::new()), changed: Signal::new() }
    }
}

impl Default for Timekeeping {
    fn default() -> Self {
        Self::new()
    }
}
