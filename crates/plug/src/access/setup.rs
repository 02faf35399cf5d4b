//! The first minutes: somebody claims a plug that nobody owns, and where there is a button, whoever stands at the plug
//! says yes to it.
//!
//! ```text
//!         offer, with a button            confirm
//!   Free ----------------------> Waiting ---------> Wanted ---> Storing ---> Free, with an owner
//!    ^ |                          |  ^ |              ^                       or not, if the flash fails
//!    | |        120 s             |  +-+              |
//!    | +<-------------------------+  the same peer    |
//!    +------------------------------------------------+
//!                  offer, without a button
//! ```

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};
use core::net::IpAddr;
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use heapless::Vec;

use super::{Ha1, Kept};
use crate::desk::{Desk, Ticket};
use crate::limits;
use crate::platform::Instant;
use crate::settings::Settings;
use crate::state::State;
use crate::storage::item::SaveError;

/// What becomes of the plug if the claim is granted.
pub struct Claim {
    /// All its settings.
    pub settings: Box<Settings>,
    /// The owner's password.
    pub ha1: Ha1,
}

/// Why a claim came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// Somebody was faster.
    Owned,
    /// It was not stored.
    Save(SaveError),
}

/// Another claim waits, or is being stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending;

enum Slot {
    Free,
    /// For the button.
    Waiting {
        claim: Box<Claim>,
        peer: IpAddr,
        until: Instant,
    },
    Wanted(Box<Claim>),
    Storing,
}

/// Where a claim waits. Nothing of it is lost when whoever claims goes away.
pub struct Setup {
    slot: RefCell<Slot>,
    newest: Cell<Ticket>,
    outcome: Cell<Option<(Ticket, Result<(), ClaimError>)>>,
    wake: Signal<NoopRawMutex, ()>,
}

impl Setup {
    /// Nobody claims anything.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slot: RefCell::new(Slot::Free),
            newest: Cell::new(0),
            outcome: Cell::new(None),
            wake: Signal::new(),
        }
    }

    /// Takes the claim of `peer`. With `confirms` it waits [`limits::CLAIM`] for the button, else it is granted at once.
    /// Another one of the same peer takes its place.
    ///
    /// # Errors
    /// Somebody else's claim waits.
    pub fn offer(
        &self,
        peer: IpAddr,
        claim: Box<Claim>,
        now: Instant,
        confirms: bool,
    ) -> Result<Ticket, Pending> {
        let peer = peer.to_canonical();
        let mut slot = self.slot.borrow_mut();
        match *slot {
            Slot::Waiting { peer: before, until, .. } if before != peer && now < until => {
                return Err(Pending);
            }
            Slot::Wanted(_) | Slot::Storing => return Err(Pending),
            Slot::Free | Slot::Waiting { .. } => {}
        }
        *slot = if confirms {
            Slot::Waiting { claim, peer, until: now.after(limits::CLAIM) }
        } else {
            self.wake.signal(());
            Slot::Wanted(claim)
        };
        let ticket = self.newest.get().wrapping_add(1);
        self.newest.set(ticket);
        Ok(ticket)
    }

    /// Somebody pressed the button: whether that was the answer to a claim.
    pub fn confirm(&self, now: Instant) -> bool {
        let mut slot = self.slot.borrow_mut();
        match core::mem::replace(&mut *slot, Slot::Free) {
            Slot::Waiting { claim, until, .. } if now < until => {
                *slot = Slot::Wanted(claim);
                self.wake.signal(());
                true
            }
            // Its time is over.
            Slot::Waiting { .. } => false,
            other => {
                *slot = other;
                false
            }
        }
    }

    /// For how long a claim still waits for the button. One whose time is over is forgotten.
    pub fn waiting(&self, now: Instant) -> Option<Duration> {
        let mut slot = self.slot.borrow_mut();
        let Slot::Waiting { until, .. } = *slot else { return None };
        let left = until.since(now);
        if left.is_zero() {
            *slot = Slot::Free;
            return None;
        }
        Some(left)
    }

    /// What became of a claim: `None` while it waits or is stored, when it was forgotten, and once there was another.
    #[must_use]
    pub fn outcome(&self, ticket: Ticket) -> Option<Result<(), ClaimError>> {
        self.outcome.get().filter(|(done, _)| *done == ticket).map(|(_, outcome)| outcome)
    }

    /// Waits for the next claim that is to be granted. Dropping the future loses nothing.
    async fn next(&self) -> Box<Claim> {
        loop {
            let slot = self.slot.replace(Slot::Storing);
            match slot {
                Slot::Wanted(claim) => return claim,
                other => {
                    self.slot.replace(other);
                    self.wake.wait().await;
                }
            }
        }
    }

    fn done(&self, outcome: Result<(), ClaimError>) {
        self.outcome.set(Some((self.newest.get(), outcome)));
        self.slot.replace(Slot::Free);
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

/// Grants claims, one after the other: the settings first, then the owner. Until the owner is stored the plug is
/// nobody's, whenever the power goes. `say` takes a line for the plug's log. Runs for ever.
pub async fn run(state: &State, mut say: impl FnMut(&str)) -> ! {
    loop {
        let claim = state.setup.next().await;
        let outcome = grant(state, *claim).await;
        match outcome {
            Ok(()) => say("set-up: this plug has an owner now"),
            Err(ClaimError::Owned) => {}
            Err(ClaimError::Save(_)) => {
                say("set-up: the owner could not be stored; the plug is still nobody's")
            }
        }
        state.setup.done(outcome);
        state.touch();
    }
}

async fn grant(state: &State, claim: Claim) -> Result<(), ClaimError> {
    if state.access.has_owner() {
        return Err(ClaimError::Owned);
    }
    store(state, &state.settings_desk, claim.settings).await?;
    let next_token = state.access.kept().next_token;
    // Tokens of an owner before this one are worth nothing.
    let kept = Box::new(Kept { ha1: Some(claim.ha1), tokens: Vec::new(), next_token });
    store(state, &state.access.desk, kept).await
}

/// Has `change` stored at `desk`, and waits for it.
async fn store<T>(state: &State, desk: &Desk<T>, change: T) -> Result<(), ClaimError> {
    // There is one for this, so it never comes back empty.
    let Some(mut changed) = state.changed.receiver() else { return Err(ClaimError::Save(SaveError::Memory)) };
    while !desk.is_free() {
        changed.changed().await;
    }
    let Some(ticket) = desk.put(change) else { return Err(ClaimError::Save(SaveError::Memory)) };
    loop {
        if let Some(outcome) = desk.outcome(ticket) {
            return outcome.map_err(ClaimError::Save);
        }
        changed.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 4, 2));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 4, 3));

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn claim(password: &str) -> Box<Claim> {
        Box::new(Claim { settings: Box::default(), ha1: Ha1::of("a1b2c3", password) })
    }

    fn next(setup: &Setup) -> Option<Ha1> {
        let claim = futures_lite::future::block_on(futures_lite::future::poll_once(setup.next()));
        claim.map(|claim| claim.ha1)
    }

    #[test]
    fn without_a_button_it_is_granted_at_once() {
        let setup = Setup::new();
        let ticket = setup.offer(ONE, claim("first"), at(0), false).unwrap();
        assert_eq!(setup.waiting(at(0)), None);
        // One at a time.
        assert_eq!(setup.offer(ONE, claim("second"), at(0), false), Err(Pending));
        assert_eq!(next(&setup), Some(Ha1::of("a1b2c3", "first")));
        assert_eq!(setup.offer(ONE, claim("second"), at(0), false), Err(Pending));
        assert_eq!(setup.outcome(ticket), None);
        setup.done(Err(ClaimError::Save(SaveError::Flash)));
        assert_eq!(setup.outcome(ticket), Some(Err(ClaimError::Save(SaveError::Flash))));
        let again = setup.offer(ONE, claim("second"), at(1), false).unwrap();
        assert_eq!(setup.outcome(again), None);
    }

    #[test]
    fn with_one_it_waits_two_minutes_for_it() {
        let setup = Setup::new();
        assert!(!setup.confirm(at(0)), "there is nothing to say yes to");
        let ticket = setup.offer(ONE, claim("first"), at(10), true).unwrap();
        assert_eq!((next(&setup), setup.outcome(ticket)), (None, None));
        assert_eq!(setup.waiting(at(10)), Some(limits::CLAIM));
        assert_eq!(setup.waiting(at(129)), Some(Duration::from_secs(1)));
        assert!(setup.confirm(at(129)));
        assert!(!setup.confirm(at(129)), "a press counts once");
        assert_eq!(setup.waiting(at(129)), None);
        assert_eq!(next(&setup), Some(Ha1::of("a1b2c3", "first")));
        setup.done(Ok(()));
        assert_eq!(setup.outcome(ticket), Some(Ok(())));
    }

    #[test]
    fn a_press_that_comes_too_late_is_a_press_like_any_other() {
        for looks in [false, true] {
            let setup = Setup::new();
            setup.offer(ONE, claim("first"), at(0), true).unwrap();
            if looks {
                assert_eq!(setup.waiting(at(120)), None);
            }
            assert!(!setup.confirm(at(120)));
            assert_eq!((next(&setup), setup.waiting(at(0))), (None, None));
        }
    }

    #[test]
    fn the_same_peer_may_claim_again_and_others_must_wait() {
        let setup = Setup::new();
        setup.offer(ONE, claim("first"), at(0), true).unwrap();
        assert_eq!(setup.offer(OTHER, claim("theirs"), at(100), true), Err(Pending));
        // The same address, as a socket of both families shows it.
        let mapped = IpAddr::V6(Ipv4Addr::new(192, 168, 4, 2).to_ipv6_mapped());
        setup.offer(mapped, claim("second"), at(100), true).unwrap();
        assert_eq!(setup.waiting(at(100)), Some(limits::CLAIM));
        assert_eq!(setup.offer(OTHER, claim("theirs"), at(219), true), Err(Pending));
        assert_eq!(setup.offer(IpAddr::V6(Ipv6Addr::LOCALHOST), claim("x"), at(219), true), Err(Pending));
        // Its time is over.
        setup.offer(OTHER, claim("theirs"), at(220), true).unwrap();
        assert!(setup.confirm(at(221)));
        assert_eq!(next(&setup), Some(Ha1::of("a1b2c3", "theirs")));
    }
}
