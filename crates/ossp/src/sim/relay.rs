//! The relay's contact: it follows its coil late, may bounce when it closes, and may weld.

use super::random::{Random, stream};
use super::scenario::schema;

/// The contact, in steps of simulated time.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    delay: u64,
    bounce: u64,
    /// Shortest time between two bounces, in steps.
    shortest: f64,
    /// Where the coil pulls the armature.
    commanded: bool,
    /// Where the armature is.
    armature: bool,
    closed: bool,
    now: u64,
    /// When the armature follows the coil.
    due: Option<u64>,
    bouncing_until: Option<u64>,
    next_bounce: u64,
    /// From this step on it sticks when it is closed.
    welds_from: u64,
    welded: bool,
    random: Random,
}

impl Contact {
    pub(super) fn new(
        settings: &schema::Relay,
        events: &schema::Events,
        steps_per_s: f64,
        seed: u64,
    ) -> Self {
        let steps = |milliseconds: f64| (milliseconds * 1e-3 * steps_per_s).round() as u64;
        let welds_from = events.weld.iter().map(|weld| steps(weld.at_s * 1e3)).min();
        Self {
            delay: steps(settings.delay_ms),
            bounce: steps(settings.bounce_ms),
            shortest: 50e-6 * steps_per_s,
            commanded: settings.closed,
            armature: settings.closed,
            closed: settings.closed,
            now: 0,
            due: None,
            bouncing_until: None,
            next_bounce: 0,
            welds_from: welds_from.unwrap_or(u64::MAX),
            welded: false,
            random: Random::new(seed, stream::RELAY),
        }
    }

    /// Commands the coil. The contact follows after the delay, unless the coil is commanded back before.
    pub(super) fn command(&mut self, closed: bool) {
        if closed != self.commanded {
            self.commanded = closed;
            // Back before the armature moved: nothing happens.
            self.due = if self.due.is_some() { None } else { Some(self.now + self.delay) };
        }
    }

    /// Where the contact is now.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Goes on by one step and says whether the contact is closed in it.
    #[inline]
    pub(super) fn step(&mut self) -> bool {
        if self.due.is_some() || self.bouncing_until.is_some() {
            self.move_contact();
        }
        if self.now >= self.welds_from {
            self.welded |= self.closed;
            self.closed = self.welded;
        }
        self.now += 1;
        self.closed
    }

    fn move_contact(&mut self) {
        if self.due.is_some_and(|due| self.now >= due) {
            self.due = None;
            self.armature = self.commanded;
            self.closed = self.armature;
            // Contacts bounce when they meet, hardly when they part.
            self.bouncing_until = self.armature.then_some(self.now + self.bounce);
            self.next_bounce = self.now + self.bounce_time();
        } else if self.bouncing_until.is_some_and(|until| self.now >= until) {
            self.bouncing_until = None;
            self.closed = self.armature;
        } else if self.bouncing_until.is_some() && self.now >= self.next_bounce {
            self.closed = !self.closed;
            self.next_bounce = self.now + self.bounce_time();
        }
    }

    fn bounce_time(&mut self) -> u64 {
        (self.shortest + self.random.waiting_time(6.0 * self.shortest)).ceil() as u64
    }
}
