//! Where the time of day comes from: what is believed of it, how good it is, and the clock that everybody else reads.
//!
//! ```text
//!   NTP server --ask--+
//!   Date header ------+--> State::offer_time(Answer) --> Timekeeper --offset--> Link::time --> WallClock
//!   a browser --------+        (sanity, rank, steps)                                         core, web, stores
//! ```
//! Glossary: an *answer* is what somebody says the time is; the *offset* is Unix time less the time since the start; a
//! *step* is an answer that differs from what is held by more than an hour, and is *doubted* until others agree; so is a
//! first answer that does not go with the *floor*, the newest time that the flash knew at the start.

pub mod asker;
pub(crate) mod chance;
pub mod date;
mod keeper;
pub mod ntp;
pub mod option42;
pub mod servers;
mod task;
mod wall_clock;

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};
use core::fmt;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;

pub use chance::SEED;
pub(crate) use keeper::AGREEING;
pub use keeper::{Doubt, Quality, Timekeeper, Verdict};
pub use task::{ask, publish};
pub use wall_clock::{Offset, WallClock};

use crate::ledger::OutsideError;
use crate::platform::Instant;
use crate::settings::schema::TimeSource;
use crate::state::State;
use ntp::NtpError;

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

/// Why asking a time server was of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskError {
    /// It was not reached.
    Outside(OutsideError),
    /// Its answer is not believed.
    Ntp(NtpError),
    /// No clock says that.
    Implausible,
}

impl From<OutsideError> for AskError {
    fn from(error: OutsideError) -> Self {
        Self::Outside(error)
    }
}

impl From<NtpError> for AskError {
    fn from(error: NtpError) -> Self {
        Self::Ntp(error)
    }
}

impl AskError {
    /// For programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Outside(OutsideError::BadHost | OutsideError::NoAddress) => "no_address",
            Self::Outside(OutsideError::Unreachable | OutsideError::Broken) => "unreachable",
            Self::Outside(OutsideError::TimedOut) => "timed_out",
            Self::Ntp(NtpError::Malformed | NtpError::NotOurs) => "bad_answer",
            Self::Ntp(NtpError::NotSynchronized) => "not_synchronized",
            Self::Ntp(NtpError::TooUncertain) => "too_uncertain",
            Self::Ntp(NtpError::KissRate) => "asked_too_often",
            Self::Ntp(NtpError::KissDenied) => "denied",
            Self::Implausible => "implausible",
        }
    }
}

/// For people.
impl fmt::Display for AskError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Outside(error) => return error.fmt(formatter),
            Self::Ntp(NtpError::Malformed) => "this is no answer of a time server",
            Self::Ntp(NtpError::NotOurs) => "its answer is to another question",
            Self::Ntp(NtpError::NotSynchronized) => "its own clock is not set",
            Self::Ntp(NtpError::TooUncertain) => "its own clock may be more than a second off",
            Self::Ntp(NtpError::KissRate) => "it does not want to be asked so often",
            Self::Ntp(NtpError::KissDenied) => "it does not want to be asked",
            Self::Implausible => "its time is before 2025 or after 2099",
        };
        formatter.write_str(words)
    }
}

/// The last question to a time server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who was asked.
    pub server: Box<str>,
    /// Why that was of no use; `None`: it was.
    pub error: Option<AskError>,
    /// When.
    pub at: Instant,
}

/// What `run_rest` knows of the time: part of [`State`].
pub struct Timekeeping {
    /// What is believed.
    pub keeper: RefCell<Timekeeper>,
    /// The last question; `None` before the first one to those that are to be asked now.
    pub asked: RefCell<Option<Asked>>,
    /// When the next one is due; `None`: nobody is to be asked, or there is no network.
    pub next_question: Cell<Option<Instant>>,
    /// Something was said.
    changed: Signal<NoopRawMutex, ()>,
}

impl Timekeeping {
    /// Nobody has said anything.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            keeper: RefCell::new(Timekeeper::new()),
            asked: RefCell::new(None),
            next_question: Cell::new(None),
            changed: Signal::new(),
        }
    }
}

impl Default for Timekeeping {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Takes what somebody says the time is. What is believed of it holds for everybody a moment later. `Date` headers
    /// and browsers count only where the settings name them as the source.
    pub fn offer_time(&self, answer: Answer) -> Verdict {
        let source = self.settings.borrow().time.source;
        let wanted = match answer.source {
            Source::Server => source == TimeSource::Server,
            Source::Browser => source == TimeSource::Browser,
            // Whoever asked did so because the settings said so.
            Source::Dhcp | Source::Ntp => true,
        };
        if !wanted {
            return Verdict::Unwanted;
        }
        let verdict = self.timekeeping.keeper.borrow_mut().handle(answer);
        self.timekeeping.changed.signal(());
        verdict
    }

    /// Whether somebody says that the time is quite different, and nobody knows yet who is right.
    #[must_use]
    pub fn time_is_doubted(&self, now: Instant) -> bool {
        self.timekeeping.keeper.borrow().doubt_now(now).is_some()
    }

    /// The time server that the joined network named (DHCP option 42).
    #[must_use]
    pub fn time_server(&self) -> Option<core::net::Ipv4Addr> {
        self.wifi.borrow().as_ref()?.address?.time_server
    }
}
