//! Where the web leaves what it wants of the radio for the one task that has it: a scan, a test of a network, its end.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use heapless::Deque;

use crate::limits;
use crate::platform::{Instant, Known, LinkError, Network};
use crate::state::keep;

/// What somebody wants of the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Try(Box<Known>),
    TakeBack,
    /// This network is stored.
    Confirmed(Box<Known>),
}

/// What a scan found, as long as somebody reads it or it is told again.
pub type Found = Rc<Result<alloc::vec::Vec<Network>, LinkError>>;

/// Lives in [`crate::state::State`], on one executor.
#[derive(Default)]
pub struct RadioDesk {
    /// A test and its end, both before the radio comes to it.
    wishes: RefCell<Deque<Wish, 2>>,
    /// The network under test, with its password.
    tested: RefCell<Option<Box<Known>>>,
    /// Who waits for a scan.
    waiting: Cell<u8>,
    /// When a scan ended, and what it found.
    found: RefCell<Option<(Instant, Found)>>,
    wake: Signal<NoopRawMutex, ()>,
}

impl RadioDesk {
    fn want(&self, wish: Wish) {
        keep(&mut self.wishes.borrow_mut(), wish);
        self.wake.signal(());
    }

    /// Asks for a test of a network. The caller has looked whether another one is active.
    pub fn try_network(&self, network: Known) {
        self.tested.replace(Some(Box::new(network.clone())));
        self.want(Wish::Try(Box::new(network)));
    }

    /// Asks for the end of a test.
    pub fn take_back(&self) {
        self.want(Wish::TakeBack);
    }

    /// Says that this network, which was tested, is stored.
    pub fn confirmed(&self, network: Box<Known>) {
        self.want(Wish::Confirmed(network));
    }

    /// The network under test.
    #[must_use]
    pub fn tested(&self) -> Option<Box<Known>> {
        self.tested.borrow().clone()
    }

    /// Asks for a scan; [`Waiting::found`] has what it found, once there is something: what a scan shortly before found, at
    /// once.
    #[must_use]
    pub fn scan(&self, now: Instant) -> Waiting<'_> {
        self.forget_old(now);
        self.waiting.set(self.waiting.get().saturating_add(1));
        self.wake.signal(());
        Waiting(self)
    }

    pub(super) fn take_wish(&self) -> Option<Wish> {
        self.wishes.borrow_mut().pop_front()
    }

    /// The test is over: its password is not needed any more.
    pub(super) fn forget(&self) {
        if self.wishes.borrow().is_empty() {
            self.tested.take();
        }
    }

    pub(super) fn wants_scan(&self) -> bool {
        self.waiting.get() > 0 && self.found.borrow().is_none()
    }

    /// What a scan found, for whoever waits for it.
    pub(super) fn put(&self, now: Instant, found: Result<&[Network], LinkError>) {
        if self.waiting.get() > 0 {
            self.found.replace(Some((now, Rc::new(found.map(<[Network]>::to_vec)))));
        }
    }

    /// What was found is told for [`limits::SCAN_KEPT`], and to whoever waited for it.
    pub(super) fn forget_old(&self, now: Instant) {
        let old = |(at, _): &(Instant, Found)| at.after(limits::SCAN_KEPT) <= now;
        if self.waiting.get() == 0 && self.found.borrow().as_ref().is_some_and(old) {
            self.found.take();
        }
    }

    /// Returns when somebody wants something of the station.
    pub(super) async fn wished(&self) {
        while self.wishes.borrow().is_empty() {
            self.wake.wait().await;
        }
    }

    /// The same, or a scan.
    pub(super) async fn woken(&self) {
        while self.wishes.borrow().is_empty() && !self.wants_scan() {
            self.wake.wait().await;
        }
    }
}

/// Somebody who waits for a scan. That it failed goes with the last one.
pub struct Waiting<'a>(&'a RadioDesk);

impl Waiting<'_> {
    /// What the scan found.
    #[must_use]
    pub fn found(&self) -> Option<Found> {
        self.0.found.borrow().as_ref().map(|(_, found)| found.clone())
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let left = self.0.waiting.get().saturating_sub(1);
        self.0.waiting.set(left);
        let failed = self.0.found.borrow().as_ref().is_some_and(|(_, found)| found.is_err());
        if left == 0 && failed {
            self.0.found.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn what_was_found_is_told_for_ten_seconds() {
        let desk = RadioDesk::default();
        let at = |ms| Instant::default().after(Duration::from_millis(ms));
        let waiting = desk.scan(at(0));
        assert!(waiting.found().is_none() && desk.wants_scan());
        desk.put(at(2_000), Ok(&[]));
        assert!(waiting.found().is_some());
        drop(waiting);
        let again = desk.scan(at(11_999));
        assert!(again.found().is_some() && !desk.wants_scan());
        // Whoever waited gets it, however late he looks.
        desk.forget_old(at(20_000));
        assert!(again.found().is_some());
        drop(again);
        assert!(desk.scan(at(20_000)).found().is_none());
    }

    #[test]
    fn a_scan_that_failed_is_tried_again_and_what_nobody_asks_for_is_not_kept() {
        let desk = RadioDesk::default();
        let now = Instant::default();
        let waiting = desk.scan(now);
        desk.put(now, Err(LinkError::Radio));
        assert!(waiting.found().is_some_and(|found| found.is_err()));
        drop(waiting);
        assert!(desk.scan(now).found().is_none());
        desk.put(now, Ok(&[]));
        assert!(desk.scan(now).found().is_none());
        drop(desk.scan(now));
        desk.put(now, Ok(&[]));
        desk.forget_old(now);
        assert!(desk.found.borrow().is_none());
    }
}
