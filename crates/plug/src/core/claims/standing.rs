//! The claims that stand, what each of them is made of, and which of them decides.

use super::Claims;
use super::types::{Cause, Class, Memory, Source};
use super::words::{Why, Words};
use crate::core::Moment;
use crate::limits;
use crate::platform::Instant;
use crate::settings::schema::PowerOn;

/// When a claim was filed, and the how-many-eth it was: tells one from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filed {
    pub(super) number: u32,
    pub(super) at: Moment,
}

/// A claim that this machine made itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) on: bool,
    pub(super) why: Why,
    pub(super) source: Source,
    pub(super) filed: Filed,
    pub(super) ends_at: Option<Instant>,
}

/// Protection's claim: open.
#[derive(Clone, Debug)]
pub(super) struct Protection {
    pub(super) cause: Cause,
    pub(super) filed: Filed,
}

/// The schedule's claim.
#[derive(Clone, Debug)]
pub(super) struct Scheduled {
    pub(super) on: bool,
    pub(super) cause: Cause,
    pub(super) filed: Filed,
    /// It was ended because the load was idle; it comes back with the next edge.
    pub(super) rests: bool,
}

/// A claim of any class, as it is compared and shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) class: Class,
    pub(super) on: bool,
    pub(super) source: Source,
    pub(super) number: u32,
    pub(super) since: Moment,
    pub(super) ends_at: Option<Instant>,
    pub(super) words: Words<'a>,
}

impl Claims {
    /// Every claim that stands, highest class first.
    pub(super) fn standing(&self) -> impl Iterator<Item = View<'_>> {
        let protection = self.protection.as_ref().map(Protection::view);
        let schedule = self.schedule.as_ref().filter(|schedule| !schedule.rests).map(Scheduled::view);
        let manual = self.manual.as_ref().map(|manual| manual.view(Class::Manual));
        let timer = self.timer.as_ref().map(|timer| timer.view(Class::Timer));
        [protection, manual, timer, schedule, Some(self.power_on.view(Class::PowerOn))].into_iter().flatten()
    }

    /// The one that decides.
    pub(super) fn holder(&self) -> View<'_> {
        self.standing().next().unwrap_or(self.power_on.view(Class::PowerOn))
    }
}

impl Claim {
    fn view(&self, class: Class) -> View<'_> {
        let words = Words::Own(self.why, self.on);
        let Filed { number, at: since } = self.filed;
        View { class, on: self.on, source: self.source, number, since, ends_at: self.ends_at, words }
    }
}

impl Protection {
    fn view(&self) -> View<'_> {
        let words = Words::Given(&self.cause);
        let (class, source) = (Class::Protection, Source::Protection);
        let Filed { number, at: since } = self.filed;
        View { class, on: false, source, number, since, ends_at: None, words }
    }
}

impl Scheduled {
    fn view(&self) -> View<'_> {
        let words = Words::Given(&self.cause);
        let (class, source) = (Class::Schedule, Source::Schedule);
        let Filed { number, at: since } = self.filed;
        View { class, on: self.on, source, number, since, ends_at: None, words }
    }
}

/// What the relay becomes after a start.
pub(super) fn power_on_state(set: PowerOn, memory: &Memory) -> (bool, Why) {
    if memory.bad_starts_in_a_row >= limits::BAD_STARTS {
        return (false, Why::BadStarts(memory.bad_starts_in_a_row));
    }
    match (set, memory.on) {
        // What was switched off between the order to restart and the restart stays off.
        _ if memory.planned_restart_kept_on && memory.locked_out.is_none() && memory.on != Some(false) => {
            (true, Why::Kept)
        }
        (PowerOn::Off, _) => (false, Why::AsSet),
        (PowerOn::On, _) => (true, Why::AsSet),
        (PowerOn::Last, _) if memory.locked_out.is_some() => (false, Why::WasLockedOut),
        (PowerOn::Last, None) => (true, Why::NeverSwitched),
        (PowerOn::Last, Some(on)) => (on, Why::AsBefore),
    }
}
