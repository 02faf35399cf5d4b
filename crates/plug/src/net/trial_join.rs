//! A test of a network: what is known of it, and what came of it. Pure; [`super::station`] drives it.
//!
//! ```text
//!              joined             confirmed
//!   Running ----------> Succeeded ----------> Confirmed
//!      |                    | not in time, or taken back
//!      | a step failed      +---------------> Reverted
//!      v                    | lost
//!   Failed <----------------+
//! ```
//! In `Running` and `Succeeded` the test is *active*: its network stands in the place of all that are known. At its end the
//! station goes back to these. Nothing is stored before the confirmation, so a plug that loses power goes back too.

use alloc::boxed::Box;
use core::net::Ipv4Addr;

use crate::limits;
use crate::platform::{Instant, Known, LinkError, Ssid};

/// How far a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialState {
    /// On the way.
    Running,
    /// Joined; somebody has to say that it is wanted.
    Succeeded,
    /// A step failed; the plug goes back.
    Failed,
    /// It is the first network now.
    Confirmed,
    /// Nobody confirmed it, or somebody took it back; the plug goes back.
    Reverted,
}

impl TrialState {
    /// As JSON has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Confirmed => "confirmed",
            Self::Reverted => "reverted",
        }
    }

    /// Whether the plug is on the tested network or on its way there.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Succeeded)
    }
}

/// What is done, or was done last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Looking for it.
    Searching,
    /// Joining it.
    Joining,
    /// Asking it for an address.
    Address,
    /// All of that.
    Done,
}

impl Step {
    /// As JSON has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Searching => "searching",
            Self::Joining => "joining",
            Self::Address => "address",
            Self::Done => "done",
        }
    }
}

/// What the world is told of a test. It stays for whoever comes back later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The network's name.
    pub ssid: Ssid,
    /// How far it is.
    pub state: TrialState,
    /// Which step is or was the last.
    pub step: Step,
    /// Why that failed.
    pub error: Option<LinkError>,
    /// The plug's address there.
    pub address: Option<Ipv4Addr>,
    /// Its address before, if it was on a network.
    pub before: Option<Ipv4Addr>,
    /// Until when it has to be confirmed.
    pub confirm_by: Option<Instant>,
}

impl Report {
    /// A test that begins.
    #[must_use]
    pub fn new(ssid: Ssid, before: Option<Ipv4Addr>) -> Self {
        let (state, step) = (TrialState::Running, Step::Searching);
        Self { ssid, state, step, error: None, address: None, before, confirm_by: None }
    }
}

/// A test.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) report: Report,
    /// While it is active. The password is gone with its end.
    network: Option<Box<Known>>,
}

impl Trial {
    pub(super) fn new(network: Box<Known>, before: Option<Ipv4Addr>) -> Self {
        Self { report: Report::new(network.credentials.ssid.clone(), before), network: Some(network) }
    }

    /// The network, while the test is active.
    pub(super) fn network(&self) -> Option<&Known> {
        self.network.as_deref()
    }

    /// Found, or not to be found by a scan.
    pub(super) fn joins(&mut self) {
        self.report.step = Step::Joining;
    }

    pub(super) fn succeed(&mut self, now: Instant, address: Ipv4Addr) {
        let report = &mut self.report;
        (report.state, report.step, report.error) = (TrialState::Succeeded, Step::Done, None);
        report.address = Some(address);
        report.confirm_by = Some(now.after(limits::TEST_CONFIRM));
    }

    /// The step failed; [`Trial::end`] comes next.
    pub(super) fn fail(&mut self, error: LinkError) {
        self.report.error = Some(error);
        self.report.step = match error {
            LinkError::NotFound => Step::Searching,
            LinkError::NoAddress => Step::Address,
            _ if self.report.step == Step::Done => Step::Joining,
            _ => self.report.step,
        };
    }

    pub(super) fn end(&mut self, state: TrialState) {
        self.report.state = state;
        self.report.confirm_by = None;
        self.network = None;
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.report.confirm_by.is_some_and(|by| by <= now)
    }
}
