//! The pure core: `handle(now, event) -> actions`, `poll_at()`. No clock, no socket, no waiting in here.
//!
//! ```text
//!   settings, readings, temperature --> guard ----- trip, retry ----+
//!   instant trip, silence ------------^                             v
//!   the clock ------------------------> schedule -- edge --------> claims --> the relay, its log
//!   button, web ------------------------------------------------- ^
//! ```
//! Glossary: a *claim* is what somebody wants of the relay, the highest class decides ([`claims`]); a *trip* is
//! protection opening it ([`guard`]); *locked out* is what follows.

pub mod button;
pub mod civil;
pub mod claims;
pub mod guard;
pub mod instant;
pub mod led;
pub mod protection;
pub mod schedule;

use alloc::boxed::Box;

use heapless::Vec;
use metering::energy::Resumed;
use metering::reading::Reading;

use crate::core::civil::{Zone, local_day};
use crate::core::claims::{
    Claims, Memory, Refusal, RelayChange, RelayCommand, RelayStatus, ScheduleClaim, Source, TripSeen, Wish,
};
use crate::core::guard::{Guard, Input, Outcome, ProtectionStatus};
use crate::core::protection::{OverCurrent, Trip};
use crate::core::schedule::Schedule;
use crate::limits;
use crate::platform::Instant;
use crate::settings::{Hardware, Settings};

/// A moment as the core needs it: the plug's own time, and the time of day if that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Since start.
    pub instant: Instant,
    /// Unix seconds; `None` before the clock is trusted.
    pub time: Option<f64>,
}

/// What the flash remembers, and what comes by chance: all that the core begins with.
#[derive(Clone, Debug)]
pub struct Begin {
    /// What a person set.
    pub settings: Box<Settings>,
    /// Of the relay.
    pub memory: Memory,
    /// Of the meter.
    pub energy: Resumed,
    /// What was imported on which local day; `None` if the day is not known.
    pub used_today_wh: Option<(i64, f64)>,
    /// Number of the next trip.
    pub next_trip: u32,
    /// From 0 to 1: the part of the start delay that is left to chance.
    pub random: f64,
    /// Decides the schedule's random offsets; the same for this plug's whole life.
    pub seed: u64,
}

/// What the core is told.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// What the flash remembers is known: the plug begins.
    Begin(&'a Begin),
    /// Settings were changed.
    Settings(&'a Settings),
    /// Somebody wants to switch.
    Command(RelayCommand),
    /// A window was measured.
    Reading(&'a Reading),
    /// Protection saw in a block of samples, or with a sample, what it must not see.
    Trip(Trip),
    /// No samples come although they should.
    Silence,
    /// The chip has so many degrees.
    Temperature(f64),
    /// Nothing but time went by (see [`Core::poll_at`]).
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actions {
    /// Command the relay.
    pub relay: Option<bool>,
    /// Keep the waveform of this.
    pub trip: Option<Trip>,
    /// Tell the world, and the log.
    pub changes: Vec<RelayChange, 4>,
}

impl Actions {
    fn add(&mut self, more: claims::Actions) {
        self.relay = more.relay.or(self.relay);
        more.change.into_iter().for_each(|change| self.tell(change));
    }

    /// A line that does not fit is lost: better than a core that stops.
    fn tell(&mut self, change: RelayChange) {
        let _ = self.changes.push(change);
    }
}

/// The core's state.
#[derive(Clone, Debug)]
pub struct Core {
    claims: Claims,
    guard: Guard,
    schedule: Schedule,
    zone: Zone,
    begun: bool,
    /// The relay's pin was held closed over a planned restart, and nobody has decided yet: until when that may last.
    kept_until: Option<Instant>,
    seed: u64,
    next_trip: u32,
    trip: Option<TripSeen>,
}

impl Core {
    /// Before [`Event::Begin`]: the relay is open, and default limits hold.
    #[must_use]
    pub fn new(hardware: Hardware) -> Self {
        Self::started(hardware, None)
    }

    /// As [`Self::new`], with the relay's pin held closed over a planned restart: it stays so until
    /// [`Event::Begin`], or until [`limits::RELAY_HOLD`] after `now`, unless protection opens it.
    #[must_use]
    pub fn kept_on(hardware: Hardware, now: Instant) -> Self {
        Self::started(hardware, Some(now))
    }

    fn started(hardware: Hardware, kept: Option<Instant>) -> Self {
        let mut guard = Guard::new(hardware);
        if let Some(now) = kept {
            // Nothing was measured yet: nothing comes of it.
            let _ = guard.handle(Moment { instant: now, time: None }, Input::Commanded { on: true });
        }
        Self {
            claims: Claims::new(),
            guard,
            schedule: Schedule::new(),
            zone: Zone::UTC,
            begun: false,
            kept_until: kept.map(|now| now.after(limits::RELAY_HOLD)),
            seed: 0,
            next_trip: 1,
            trip: None,
        }
    }

    /// Whether [`Event::Begin`] has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// The instant protection that the settings ask for, for a current channel of this gain.
    pub fn over_current(&mut self, amperes_a_count: f64) -> OverCurrent {
        self.guard.set_gain(amperes_a_count);
        self.guard.limits().over_current(amperes_a_count)
    }

    /// Takes an event; the effects are the caller's to carry out.
    ///
    /// # Errors
    /// A command that is not obeyed, and why; nothing has changed then. No other event is refused.
    pub fn handle(&mut self, now: Moment, event: Event<'_>) -> Result<Actions, Refusal> {
        let mut actions = Actions::default();
        match event {
            Event::Begin(begin) => self.begin(now, begin, &mut actions),
            Event::Settings(settings) => self.set(now, settings, &mut actions),
            Event::Command(command) => self.command(now, command, &mut actions)?,
            Event::Reading(reading) => {
                let day = now.time.map(|time| local_day(time, &self.zone));
                actions.add(self.claims.note(now, reading));
                let input = Input::Reading { reading, on: self.is_on(), day };
                self.ask_guard(now, input, Source::Protection, &mut actions);
            }
            Event::Trip(trip) => {
                self.ask_guard(now, Input::Instant(trip), Source::Protection, &mut actions);
                // Whatever opened the relay below the core is to know that it was heard.
                actions.relay = Some(false);
            }
            Event::Silence => self.ask_guard(now, Input::Silence, Source::Protection, &mut actions),
            Event::Temperature(celsius) => {
                self.ask_guard(now, Input::Temperature(celsius), Source::Protection, &mut actions);
            }
            Event::Tick => {
                if self.kept_until.is_some_and(|until| until <= now.instant) {
                    self.let_go(&mut actions);
                }
                actions.add(self.claims.tick(now));
                self.ask_guard(now, Input::Tick, Source::Protection, &mut actions);
            }
        }
        self.follow_schedule(now, &mut actions);
        if let Some(on) = actions.relay {
            self.kept_until = None;
            let outcome = self.guard.handle(now, Input::Commanded { on });
            self.obey_guard(now, outcome, Source::Protection, &mut actions);
            if on {
                // A fault that stands is no reason to wait for the next reading.
                self.ask_guard(now, Input::Tick, Source::Protection, &mut actions);
            }
        }
        Ok(actions)
    }

    /// When [`Event::Tick`] is due at the latest; `None`: not until something else happens.
    #[must_use]
    pub fn poll_at(&self, now: Moment) -> Option<Instant> {
        let schedule = if self.begun { self.schedule.poll_at(now) } else { None };
        [self.claims.poll_at(), self.guard.poll_at(), schedule, self.kept_until].into_iter().flatten().min()
    }

    /// Number of the newest trip; what [`Begin::next_trip`] says less one before there is any.
    #[must_use]
    pub fn newest_trip(&self) -> u32 {
        self.next_trip.wrapping_sub(1)
    }

    /// Whether the relay is commanded closed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.claims.is_on() || self.kept_until.is_some()
    }

    /// The relay as it is told to the world.
    #[must_use]
    pub fn relay_status(&self, now: Moment, measured: Option<bool>) -> RelayStatus {
        let mut status = self.claims.status(now.instant, measured);
        status.on = self.is_on();
        status.trip.clone_from(&self.trip);
        status.retry_in_s = self.guard.retry_at().map(|at| at.since(now.instant).as_secs_f64());
        status.retries_left = self.guard.retries_left();
        status.alarm = self.guard.alarm().cloned();
        status.schedule = self.schedule.status(now);
        status
    }

    /// Protection as it is told to the world.
    #[must_use]
    pub fn protection_status(&self, now: Moment) -> ProtectionStatus {
        self.guard.status(now)
    }

    fn begin(&mut self, now: Moment, begin: &Begin, actions: &mut Actions) {
        self.begun = true;
        self.next_trip = begin.next_trip;
        self.seed = begin.seed;
        self.set(now, &begin.settings, actions);
        let (day, used_wh) = begin.used_today_wh.map_or((None, 0.0), |(day, used)| (Some(day), used));
        let locked_out = begin.memory.locked_out.clone();
        let start = Input::Start { locked_out, budget_used_wh: used_wh, day };
        self.ask_guard(now, start, Source::Protection, actions);
        let kept = self.kept_until.is_some();
        let memory = Memory { planned_restart_kept_on: kept, ..begin.memory.clone() };
        actions.add(self.claims.start(now, &memory, begin.random));
    }

    fn set(&mut self, now: Moment, settings: &Settings, actions: &mut Actions) {
        self.zone = Zone::parse(&settings.time.posix).unwrap_or(Zone::UTC);
        self.guard.set_settings(now, &settings.protection);
        self.schedule.set(&settings.schedule, &settings.time, self.seed);
        actions.add(self.claims.set_settings(now, &settings.relay));
    }

    fn command(
        &mut self,
        now: Moment,
        mut command: RelayCommand,
        actions: &mut Actions,
    ) -> Result<(), Refusal> {
        if self.kept_until.is_some() && command.wish == Wish::Toggle {
            // The claims know nothing of a pin that is held closed.
            command.wish = Wish::Set(false);
        }
        if command.wish == Wish::Set(false) {
            self.let_go(actions);
        }
        match command.wish {
            Wish::Rearm => self.ask_guard(now, Input::Rearm, command.source, actions),
            Wish::CancelRetries => self.ask_guard(now, Input::CancelRetries, command.source, actions),
            Wish::Set(_) | Wish::Toggle | Wish::Release => actions.add(self.claims.command(now, command)?),
        }
        Ok(())
    }

    /// Opens a pin that was held closed over a restart: claims that are all for off do not.
    fn let_go(&self, actions: &mut Actions) {
        if self.kept_until.is_some() {
            actions.relay = Some(false);
        }
    }

    fn ask_guard(&mut self, now: Moment, input: Input<'_>, source: Source, actions: &mut Actions) {
        let outcome = self.guard.handle(now, input);
        self.obey_guard(now, outcome, source, actions);
    }

    fn obey_guard(&mut self, now: Moment, outcome: Outcome, source: Source, actions: &mut Actions) {
        if let Some(trip) = outcome.tripped {
            let cause = trip.cause();
            self.trip = Some(TripSeen {
                number: self.next_trip,
                kind: trip.kind(),
                cause: cause.clone(),
                time: now.time,
                uptime_s: now.instant.since_start().as_secs_f64(),
            });
            self.next_trip = self.next_trip.wrapping_add(1);
            actions.trip = Some(trip);
            actions.add(self.claims.protect(now, Some(cause)));
            self.let_go(actions);
        }
        if outcome.retry {
            actions.add(self.claims.retry(now));
        }
        if outcome.rearmed {
            actions.add(self.claims.rearmed(now, source));
        }
        // A trip that is an alarm as well has its line.
        let told = outcome.tripped.map(|trip| trip.cause());
        let alarm = self.guard.alarm().filter(|alarm| told.as_ref() != Some(&alarm.cause));
        if let Some(alarm) = alarm.filter(|_| outcome.alarm_changed) {
            let remark = self.claims.remark(now, Source::Protection, alarm.cause.clone());
            actions.tell(remark);
        }
    }

    fn follow_schedule(&mut self, now: Moment, actions: &mut Actions) {
        if !self.begun {
            return;
        }
        let poll = self.schedule.poll(now);
        let claim = poll.claim.map(|edge| ScheduleClaim { on: edge.on, cause: edge.cause, edge: poll.edge });
        actions.add(self.claims.schedule(now, claim));
    }
}
