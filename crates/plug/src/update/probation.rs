//! A new image proves itself by what it does, never by time alone.
//!
//! It is confirmed once it has measured [`limits::PROBATION_WINDOWS`] windows, has opened what the flash keeps, and has
//! reached the network as the one before it had. What it does not reach within [`limits::PROBATION`] sends the plug
//! back; a network that is off the air is no fault of the image, and its time does not run then.

use core::time::Duration;

use serde::Serialize;

use super::record::Reached;
use crate::limits;
use crate::net::{LinkState, WifiStatus};
use crate::platform::{Instant, LinkError};
use crate::state::State;

/// How it stands with the network that the image before had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Joined.
    Joined,
    /// There was none to join: the access point is open, or there is no radio.
    AccessPoint,
    /// Not there yet.
    Waiting,
    /// It was looked for, and nobody answers by its name.
    OffTheAir,
}

impl Network {
    /// Whether that is what was wanted.
    const fn is_reached(self) -> bool {
        matches!(self, Self::Joined | Self::AccessPoint)
    }

    /// How it stands, if it is to be as `before`.
    #[must_use]
    pub fn of(before: Reached, wifi: Option<&WifiStatus>) -> Self {
        match (before, wifi) {
            (_, Some(wifi)) if wifi.link == LinkState::Joined => Self::Joined,
            (Reached::Nothing, _) => Self::AccessPoint,
            (Reached::AccessPoint, Some(wifi)) if wifi.access_point_open => Self::AccessPoint,
            (Reached::Network, Some(wifi)) if wifi.last_error == Some(LinkError::NotFound) => Self::OffTheAir,
            _ => Self::Waiting,
        }
    }
}

impl Reached {
    /// What there is now.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match &*state.wifi.borrow() {
            None => Self::Nothing,
            Some(wifi) if wifi.link == LinkState::Joined => Self::Network,
            Some(_) => Self::AccessPoint,
        }
    }
}

/// What the plug shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Windows measured since the start.
    pub windows: u64,
    /// Settings and journal were opened, and understood.
    pub stores_open: bool,
    /// How it stands with the network.
    pub network: Network,
}

/// How far it is, for the world.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Windows measured so far, at most as many as are wanted.
    pub windows: u32,
    /// Windows that are wanted.
    pub windows_wanted: u32,
    /// Settings and journal were opened.
    pub stores_open: bool,
    /// How it stands with the network.
    pub network: Network,
    /// Seconds after which the plug goes back; null while that waits for a network that is off the air.
    pub gives_up_in_s: Option<f64>,
}

impl Eq for Status {}

/// What follows from a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not known yet.
    Wait,
    /// The image has proved itself.
    Confirm,
    /// It has not, and its time is over.
    GoBack,
}

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct Probation {
    wanted: u32,
    /// Time without what is wanted, but for a network that was off the air.
    used: Duration,
    looked: Instant,
    status: Status,
}

impl Probation {
    /// Begins at the start of the plug; `measures`: whether there will be windows at all.
    #[must_use]
    pub fn new(measures: bool) -> Self {
        let wanted = if measures { limits::PROBATION_WINDOWS } else { 0 };
        let status = Status {
            windows: 0,
            windows_wanted: wanted,
            stores_open: false,
            network: Network::Waiting,
            gives_up_in_s: Some(limits::PROBATION.as_secs_f64()),
        };
        Self { wanted, used: Duration::ZERO, looked: Instant::default(), status }
    }

    /// Looks at the plug, about once a [`limits::PROBATION_INTERVAL`].
    pub fn look(&mut self, now: Instant, look: &Look) -> Verdict {
        let windows = u32::try_from(look.windows).unwrap_or(u32::MAX).min(self.wanted);
        let works = windows >= self.wanted && look.stores_open;
        // Only what the image can do something about counts.
        let waits = works && look.network == Network::OffTheAir;
        if !waits {
            self.used = self.used.saturating_add(now.since(self.looked));
        }
        self.looked = now;
        let left = limits::PROBATION.saturating_sub(self.used);
        self.status = Status {
            windows,
            windows_wanted: self.wanted,
            stores_open: look.stores_open,
            network: look.network,
            gives_up_in_s: (!waits).then(|| left.as_secs_f64()),
        };
        match (works && look.network.is_reached(), left.is_zero()) {
            (true, _) => Verdict::Confirm,
            (false, true) => Verdict::GoBack,
            (false, false) => Verdict::Wait,
        }
    }

    /// How far it is.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }
}
