//! Where a change of what is stored (settings, keys) waits for the one task that stores it. One change at a time:
//! whoever comes next sees what the one before made of it.
//!
//! ```text
//! Closed --open--> Free --put--> Wanted --next--> Storing --done--> Free
//! ```

use core::cell::{Cell, RefCell};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;

use crate::storage::item::SaveError;

/// Number of a change, to ask what became of it.
pub type Ticket = u32;

enum Slot<T> {
    /// What is stored is not known yet: nothing can be changed.
    Closed,
    Free,
    /// Somebody wants this.
    Wanted(T),
    /// It is being written.
    Storing,
}

/// The desk. Nothing of a change is lost when whoever asked for it goes away.
pub struct Desk<T> {
    slot: RefCell<Slot<T>>,
    newest: Cell<Ticket>,
    outcome: Cell<Option<(Ticket, Result<(), SaveError>)>>,
    wake: Signal<NoopRawMutex, ()>,
}

impl<T> Desk<T> {
    /// Closed.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slot: RefCell::new(Slot::Closed),
            newest: Cell::new(0),
            outcome: Cell::new(None),
            wake: Signal::new(),
        }
    }

    /// Changes are taken from now on.
    pub fn open(&self) {
        let mut slot = self.slot.borrow_mut();
        if let Slot::Closed = *slot {
            *slot = Slot::Free;
        }
    }

    /// Whether what is stored is known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(*self.slot.borrow(), Slot::Closed)
    }

    /// Whether a change can be put now.
    #[must_use]
    pub fn is_free(&self) -> bool {
        matches!(*self.slot.borrow(), Slot::Free)
    }

    /// Asks for `change` to be stored, as the whole of what is to be there; `None` if another change is under way.
    pub fn put(&self, change: T) -> Option<Ticket> {
        if !self.is_free() {
            return None;
        }
        self.slot.replace(Slot::Wanted(change));
        let ticket = self.newest.get().wrapping_add(1);
        self.newest.set(ticket);
        self.wake.signal(());
        Some(ticket)
    }

    /// What became of a change: `None` while it is under way, and once there was another one.
    #[must_use]
    pub fn outcome(&self, ticket: Ticket) -> Option<Result<(), SaveError>> {
        self.outcome.get().filter(|(done, _)| *done == ticket).map(|(_, outcome)| outcome)
    }

    /// Waits for the next change. Dropping the future loses nothing.
    pub(crate) async fn next(&self) -> T {
        loop {
            let slot = self.slot.replace(Slot::Storing);
            match slot {
                Slot::Wanted(change) => return change,
                other => {
                    self.slot.replace(other);
                    self.wake.wait().await;
                }
            }
        }
    }

    /// The change that [`Desk::next`] gave is stored or not.
    pub(crate) fn done(&self, outcome: Result<(), SaveError>) {
        self.outcome.set(Some((self.newest.get(), outcome)));
        self.slot.replace(Slot::Free);
    }
}

impl<T> Default for Desk<T> {
    fn default() -> Self {
        Self::new()
    }
}
