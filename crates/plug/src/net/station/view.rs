//! What there is to be seen of the station.

use super::{Plan, State, Station};
use crate::net::LinkState;
use crate::net::choose::Errors;
use crate::net::trial_join::Report;
use crate::platform::{Address, Instant, Known, LinkError};

impl Station {
    /// What it goes by.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How it stands.
    #[must_use]
    pub fn link(&self) -> LinkState {
        match self.state {
            State::Leaving { .. } if self.wanted().is_empty() => LinkState::NoNetworkKnown,
            State::Idle => LinkState::NoNetworkKnown,
            State::Leaving { .. } | State::Looking | State::Joining { .. } => LinkState::Joining,
            State::Waiting { .. } => LinkState::Waiting,
            State::Joined(_) => LinkState::Joined,
        }
    }

    /// The network that is joined or being joined; else the one that says most about why none is.
    #[must_use]
    pub fn network(&self) -> Option<&Known> {
        let index = match self.state {
            State::Joining { left } => left.trailing_zeros() as usize,
            State::Joined(joined) => joined.index.into(),
            _ => self.trouble().map_or(0, |(index, _)| index),
        };
        self.wanted().get(index)
    }

    /// Its name; empty: none is known.
    #[must_use]
    pub fn ssid(&self) -> &str {
        self.network().map_or("", |known| known.credentials.ssid.as_str())
    }

    /// Our address, while joined.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        match self.state {
            State::Joined(joined) => Some(joined.address),
            _ => None,
        }
    }

    /// When the next attempt is, while waiting.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        let State::Waiting { until } = self.state else { return None };
        let used = self.in_use_until.filter(|_| self.access_point.may_be_open());
        Some(used.map_or(until, |used| used.max(until)))
    }

    /// Why [`Station::network`] was last not joined or left; `None` once one has held.
    #[must_use]
    pub fn last_error(&self) -> Option<LinkError> {
        self.trouble().map(|(_, error)| error)
    }

    /// Why each network of the plan was last not joined.
    #[must_use]
    pub fn errors(&self) -> Errors {
        self.errors
    }

    /// What there is to be said of a test; `None`: there was none since the start.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.trial.as_ref().map(|trial| &trial.report)
    }

    /// Whether a test is active.
    #[must_use]
    pub fn is_testing(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.network().is_some())
    }

    /// Whether the access point is open.
    #[must_use]
    pub fn access_point_open(&self) -> bool {
        self.access_point.open
    }
}
