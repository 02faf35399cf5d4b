//! Where a change of the settings waits for the one task that stores it. One change at a time: whoever comes next sees
//! what the one before made of the settings.
//!
//! ```text
//! Closed --open--> Free --put--> Wanted --next--> Storing --done--> Free
//! ```

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;

use super::schema::Settings;
use super::store::SaveError;

/// Number of a change, to ask what became of it.
pub type Ticket = u32;

enum Slot {
    /// The stored settings are not known yet: nothing can be changed.
    Closed,
    Free,
    /// Somebody wants these.
    Wanted(Box<Settings>),
    /// They are being written.
    Storing,
}

/// The desk. Nothing of a change is lost when whoever asked for it goes away.
pub struct Desk {
    slot: RefCell<Slot>,
    newest: Cell<Ticket>,
    outcome: Cell<Option<(Ticket, Result<(), SaveError>)>>,
    wake: Signal<NoopRawMutex, ()>,
}

impl Desk {
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

    /// Whether the settings are known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(*self.slot.borrow(), Slot::Closed)
    }

    /// Whether a change can be put now.
    #[must_use]
    pub fn is_free(&self) -> bool {
        matches!(*self.slot.borrow(), Slot::Free)
    }

    /// Asks for `settings` to be stored, all of them; `None` if another change is under way.
    pub fn put(&self, settings: Box<Settings>) -> Option<Ticket> {
        if !self.is_free() {
            return None;
        }
        self.slot.replace(Slot::Wanted(settings));
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
    pub(super) async fn next(&self) -> Box<Settings> {
        loop {
            let slot = self.slot.replace(Slot::Storing);
            match slot {
                Slot::Wanted(settings) => return settings,
                other => {
                    self.slot.replace(other);
                    self.wake.wait().await;
                }
            }
        }
    }

    /// The change that [`Desk::next`] gave is stored or not.
    pub(super) fn done(&self, outcome: Result<(), SaveError>) {
        self.outcome.set(Some((self.newest.get(), outcome)));
        self.slot.replace(Slot::Free);
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}
