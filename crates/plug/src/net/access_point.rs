//! The access point: as it is, and what it is to be when.

use crate::platform::Instant;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AccessPoint {
    pub(super) open: bool,
    /// It was told to change and said that it did not: a driver that starts anew for it may be anywhere.
    pub(super) doubtful: bool,
    /// What it is to become next, and when.
    pub(super) next: Option<(bool, Instant)>,
    /// Somebody asked for it: until when it stays open, whatever becomes of the network.
    pub(super) asked_until: Option<Instant>,
    /// It closes because it gets another name or password, whoever is on it.
    pub(super) anew: bool,
}

impl AccessPoint {
    pub(super) fn is_surely_open(self) -> bool {
        self.open && !self.doubtful
    }

    pub(super) fn may_be_open(self) -> bool {
        self.open || self.doubtful
    }

    /// When it may close where that is wanted at an instant.
    pub(super) fn closes_at(self, at: Instant) -> Instant {
        self.asked_until.map_or(at, |until| until.max(at))
    }

    pub(super) fn is_asked_for(self, now: Instant) -> bool {
        self.asked_until.is_some_and(|until| now < until)
    }

    /// What it is to become next, if it does not close before `kept`.
    pub(super) fn next(self, kept: Option<Instant>) -> Option<(bool, Instant)> {
        let (open, due) = self.next?;
        Some((open, if open || self.anew { due } else { kept.map_or(due, |kept| kept.max(due)) }))
    }
}
