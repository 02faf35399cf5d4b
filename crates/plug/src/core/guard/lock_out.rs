//! What follows a trip: the machine that is drawn in [the module's head](super). It knows no protection: whether the
//! condition is clear is told to it.

use core::time::Duration;

use super::{GuardState, Limits};
use crate::core::protection::{Cause, Trip};
use crate::platform::Instant;

/// A retried relay must stay on for its pause, but at least this long, to get all its retries back.
const LEAST_PROBATION: Duration = Duration::from_secs(60);

/// Open until somebody re-arms.
#[derive(Clone, Debug)]
struct LockedOut {
    cause: Cause,
}

/// Open until the pause is over and the condition clear.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    trip: Trip,
    retries_used: u8,
    pause: Duration,
    retry_at: Instant,
}

/// May be closed again, on probation.
#[derive(Clone, Copy, Debug)]
struct Retrying {
    /// This one included.
    retries_used: u8,
    /// Before this retry.
    pause: Duration,
    /// When it has proved itself; `None` while it is off.
    proved_at: Option<Instant>,
    cancelled: bool,
}

#[derive(Clone, Debug)]
enum State {
    Watching,
    LockedOut(LockedOut),
    Waiting(Waiting),
    Retrying(Retrying),
}

/// The machine.
#[derive(Clone, Debug)]
pub(super) struct LockOut {
    state: State,
    on: bool,
}

impl LockOut {
    pub(super) const fn new() -> Self {
        Self { state: State::Watching, on: false }
    }

    /// Whether the relay is commanded closed.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    pub(super) fn is_locked_out(&self) -> bool {
        matches!(self.state, State::LockedOut(_) | State::Waiting(_))
    }

    pub(super) fn state(&self) -> GuardState {
        match self.state {
            State::Watching => GuardState::Watching,
            State::LockedOut(_) => GuardState::LockedOut,
            State::Waiting(_) => GuardState::WaitingToRetry,
            State::Retrying(_) => GuardState::Retrying,
        }
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        match &self.state {
            State::LockedOut(locked) => Some(locked.cause.clone()),
            State::Waiting(waiting) => Some(waiting.trip.cause()),
            State::Watching | State::Retrying(_) => None,
        }
    }

    /// What is waited for: the trip whose condition has to be clear.
    pub(super) fn waits_for(&self) -> Option<&Trip> {
        match &self.state {
            State::Waiting(waiting) => Some(&waiting.trip),
            _ => None,
        }
    }

    /// When the pause before the next retry ends.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting(waiting) => Some(waiting.retry_at),
            _ => None,
        }
    }

    /// When a retried relay has proved itself.
    pub(super) fn proved_at(&self) -> Option<Instant> {
        match &self.state {
            State::Retrying(retrying) => retrying.proved_at,
            _ => None,
        }
    }

    pub(super) fn retries_left(&self, limits: &Limits) -> u8 {
        match &self.state {
            State::Watching => limits.retries,
            State::LockedOut(_) => 0,
            State::Waiting(waiting) => limits.retries.saturating_sub(waiting.retries_used),
            State::Retrying(retrying) if retrying.cancelled => 0,
            State::Retrying(retrying) => limits.retries.saturating_sub(retrying.retries_used),
        }
    }

    /// It was locked out when the plug was last running. What retries there were ended with it: nobody knows how long
    /// the power was gone.
    pub(super) fn resume(&mut self, cause: Cause) {
        if !self.is_locked_out() {
            self.state = State::LockedOut(LockedOut { cause });
        }
    }

    /// Protection has opened the relay. Returns whether that is news: a second trip for the same reason only puts the
    /// retry off, and one that comes while locked out for good changes nothing.
    pub(super) fn trip(&mut self, now: Instant, trip: Trip, limits: &Limits) -> bool {
        match &mut self.state {
            State::LockedOut(_) => false,
            State::Waiting(waiting) => {
                let is_news = waiting.trip.kind() != trip.kind();
                waiting.trip = trip;
                waiting.retry_at = now.after(waiting.pause);
                is_news
            }
            State::Watching => self.lock(now, trip, 0, limits.first_pause(), limits),
            State::Retrying(retrying) => {
                let retrying = *retrying;
                if retrying.cancelled {
                    self.lock(now, trip, u8::MAX, retrying.pause, limits)
                } else if retrying.proved_at.is_some_and(|proved| proved <= now) {
                    self.lock(now, trip, 0, limits.first_pause(), limits)
                } else {
                    self.lock(now, trip, retrying.retries_used, limits.next_pause(retrying.pause), limits)
                }
            }
        }
    }

    /// Waits for a retry if one is left.
    fn lock(&mut self, now: Instant, trip: Trip, retries_used: u8, pause: Duration, limits: &Limits) -> bool {
        self.state = if retries_used < limits.retries {
            State::Waiting(Waiting { trip, retries_used, pause, retry_at: now.after(pause) })
        } else {
            State::LockedOut(LockedOut { cause: trip.cause() })
        };
        true
    }

    /// Time went by, or the condition may have changed. Returns whether the relay may be closed again from now on.
    pub(super) fn tick(&mut self, now: Instant, is_clear: bool) -> bool {
        match self.state {
            State::Waiting(waiting) if waiting.retry_at <= now && is_clear => {
                self.retry(waiting);
                true
            }
            State::Retrying(Retrying { proved_at: Some(proved), .. }) if proved <= now => {
                self.state = State::Watching;
                false
            }
            _ => false,
        }
    }

    fn retry(&mut self, waiting: Waiting) {
        self.state = State::Retrying(Retrying {
            retries_used: waiting.retries_used.saturating_add(1),
            pause: waiting.pause,
            proved_at: None,
            cancelled: false,
        });
        self.on = false;
    }

    /// The relay was commanded. The probation of a retry runs only while it is on.
    pub(super) fn commanded(&mut self, now: Instant, on: bool) {
        self.on = on;
        if let State::Retrying(retrying) = &mut self.state {
            let probation = retrying.pause.max(LEAST_PROBATION);
            retrying.proved_at = on.then(|| retrying.proved_at.unwrap_or_else(|| now.after(probation)));
        }
    }

    /// Somebody wants to use the relay again. Returns whether it was locked out.
    pub(super) fn rearm(&mut self) -> bool {
        let was_locked_out = self.is_locked_out();
        if was_locked_out {
            self.state = State::Watching;
        }
        was_locked_out
    }

    /// Somebody wants no more retries.
    pub(super) fn cancel_retries(&mut self) {
        match &mut self.state {
            State::Waiting(waiting) => {
                let cause = waiting.trip.cause();
                self.state = State::LockedOut(LockedOut { cause });
            }
            State::Retrying(retrying) => retrying.cancelled = true,
            State::Watching | State::LockedOut(_) => {}
        }
    }

    /// Other settings: a retry that is no longer allowed is not waited for.
    pub(super) fn settings_changed(&mut self, limits: &Limits) {
        if let State::Waiting(waiting) = &self.state
            && waiting.retries_used >= limits.retries
        {
            self.cancel_retries();
        }
    }
}
