//! The pure core: `handle(now, event) -> actions`, `poll_at()`. No clock, no socket, no waiting in here.
//!
//! Glossary: a *wish* is what somebody asks of the relay; a *trip* is protection opening it; *locked out* is the
//! state after a trip, which nothing but a re-arm ends; *hold* is a wish with an end (`for_s`).

pub mod button;
pub mod instant;
pub mod led;
pub mod protection;
pub mod relay;

use heapless::Vec;
use metering::reading::Reading;

use crate::core::protection::Trip;
use crate::core::relay::{RelayChange, RelayCommand, RelayMachine, RelayStatus};
use crate::platform::Instant;

/// A moment as the core needs it: the plug's own time, and the time of day if that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Since start.
    pub instant: Instant,
    /// Unix seconds; `None` before the clock is trusted.
    pub time: Option<f64>,
}

/// What the core is told.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The plug starts.
    Start,
    /// Somebody wants to switch.
    Command(RelayCommand),
    /// A window was measured.
    Reading(&'a Reading),
    /// Protection saw what it must not see.
    Trip(Trip),
    /// Nothing but time went by (see [`Core::poll_at`]).
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actions {
    /// Command the relay.
    pub relay: Option<bool>,
    /// Tell the world; a toggle that changes nothing has none.
    pub changes: Vec<RelayChange, 2>,
}

/// The core's state.
#[derive(Clone, Debug)]
pub struct Core {
    relay: RelayMachine,
}

impl Core {
    /// Before [`Event::Start`]: the relay is open. `power_on` is what it becomes then.
    #[must_use]
    pub fn new(power_on: bool) -> Self {
        Self { relay: RelayMachine::new(power_on) }
    }

    /// Takes an event; the effects are the caller's to carry out.
    #[must_use]
    pub fn handle(&mut self, now: Moment, event: Event<'_>) -> Actions {
        match event {
            Event::Start => self.relay.start(now),
            Event::Command(command) => self.relay.command(now, command),
            Event::Reading(reading) => {
                self.relay.note(reading);
                Actions::default()
            }
            Event::Trip(trip) => self.relay.trip(now, &trip),
            Event::Tick => self.relay.tick(now),
        }
    }

    /// When [`Event::Tick`] is due at the latest; `None`: not until something else happens.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        self.relay.poll_at()
    }

    /// Whether the relay is commanded closed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.relay.is_on()
    }

    /// The relay as it is told to the world.
    #[must_use]
    pub fn relay_status(&self, now: Instant, measured: Option<bool>) -> RelayStatus {
        self.relay.status(now, measured)
    }
}
