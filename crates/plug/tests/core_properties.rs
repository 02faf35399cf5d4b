//! What the whole core never does, whatever comes in which order: claims, guard, schedule and clock together.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod claims_support;
mod core_events;

use std::time::Duration;

use claims_support::{cause, seconds};
use core_events::{Happening, clock_change, happening, memory, settings, step};
use metering::energy::{Energy, Resumed};
use metering::units::{Amperes, Seconds};
use plug::core::claims::{Class, Memory, Refusal, RelayCommand, RelayStatus, Source, Wish};
use plug::core::guard::{GuardState, SHORTEST_PAUSE};
use plug::core::protection::Trip;
use plug::core::{Actions, Begin, Core, Event, Moment};
use plug::limits;
use plug::platform::Instant;
use plug::settings::{Hardware, Settings};
use proptest::prelude::*;

const HARDWARE: Hardware = Hardware { confirms_setup: false, ..Hardware::ANY };

/// The core, its relay, and what a strict onlooker remembers of both.
struct Watched {
    core: Core,
    settings: Settings,
    now: Duration,
    /// Unix time less the time since the start; `None`: not trusted.
    offset_s: Option<f64>,
    /// Whether ticks come when they are due; if not, they come late.
    punctual: bool,
    /// The relay's pin, as it was commanded.
    pin: bool,
    begun_at: Option<Duration>,
    start_over: Duration,
    last_on: Option<Duration>,
    last_off: Option<Duration>,
    switched: Vec<Duration>,
    trips: u32,
    /// When the newest trip came, and the pause that was set then.
    tripped: Option<(Duration, Duration)>,
    retries: u8,
    sequence: u64,
    imported_wh: f64,
}

impl Watched {
    fn new(kept: bool, punctual: bool) -> Self {
        let start = Instant::from_start(Duration::ZERO);
        let core = if kept { Core::kept_on(HARDWARE, start) } else { Core::new(HARDWARE) };
        let watched = Self {
            core,
            settings: Settings::default(),
            now: Duration::ZERO,
            offset_s: None,
            punctual,
            pin: kept,
            begun_at: None,
            start_over: Duration::ZERO,
            last_on: None,
            last_off: None,
            switched: Vec::new(),
            trips: 0,
            tripped: None,
            retries: 0,
            sequence: 0,
            imported_wh: 0.0,
        };
        assert_eq!(watched.core.is_on(), kept);
        watched.consistent();
        watched
    }

    fn moment(&self) -> Moment {
        let time = self.offset_s.map(|offset| offset + self.now.as_secs_f64());
        Moment { instant: Instant::from_start(self.now), time }
    }

    fn status(&self) -> RelayStatus {
        self.core.relay_status(self.moment(), None)
    }

    fn guard_state(&self) -> GuardState {
        self.core.protection_status(self.moment()).state
    }

    /// Lets time go by, with the ticks that belong to it.
    fn wait(&mut self, step: Duration) {
        let end = self.now + step;
        for _ in 0..10_000 {
            let due = self.core.poll_at(self.moment()).map(Instant::since_start);
            let Some(due) = due.filter(|due| self.punctual && *due <= end) else {
                self.now = end;
                self.tick();
                return;
            };
            self.now = due.max(self.now);
            self.tick();
        }
        panic!("it is always due");
    }

    fn tick(&mut self) {
        self.tell(Event::Tick);
        let due = self.core.poll_at(self.moment());
        assert!(due.is_none_or(|due| due > self.moment().instant), "{due:?} at {:?}", self.now);
    }

    fn begin(&mut self, settings: &Settings, memory: &Memory, random: f64, used_wh: Option<f64>) {
        self.settings = settings.clone();
        self.begun_at = Some(self.now);
        let (kept, before) = (self.pin, self.status());
        let begin = Begin {
            settings: Box::new(settings.clone()),
            memory: memory.clone(),
            energy: Resumed {
                import: Energy(0),
                export: Energy(0),
                below_noise: Energy(0),
                unmeasured: Seconds(0.0),
            },
            used_today_wh: used_wh.map(|used| (20_746, used)),
            next_trip: 1 + self.trips,
            random,
            seed: 77,
        };
        let well = memory.locked_out.is_none() && memory.bad_starts_in_a_row < limits::BAD_STARTS;
        let well = well && memory.on != Some(false);
        let relay = &settings.relay;
        let delay = relay.start_delay + relay.start_delay_random.mul_f64(random);
        self.start_over = if kept && well { self.now } else { self.now + delay };
        self.last_off = (!(kept && well)).then_some(self.now);
        let actions = self.core.handle(self.moment(), Event::Begin(&begin)).unwrap();
        assert!(actions.relay.is_some(), "the pin is driven in any case");
        self.check(&before, GuardState::Watching, &actions);
        assert!(memory.locked_out.is_none() || self.status().locked_out, "a lock-out stays one");
    }

    fn set(&mut self, settings: &Settings) {
        self.settings = settings.clone();
        self.tell(Event::Settings(settings));
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Command(command) => self.command(*command),
            Happening::Reading(load) => {
                self.sequence += 1;
                self.imported_wh += load.power_w.max(0.0) / 3600.0 * 0.2;
                let reading = load.reading(self.sequence, self.now, self.core.is_on(), self.imported_wh);
                self.tell(Event::Reading(&reading));
            }
            Happening::Trip(trip) => {
                self.tell(Event::Trip(*trip));
                assert!(!self.pin && self.status().locked_out, "a trip is never delayed");
            }
            Happening::Silence => self.tell(Event::Silence),
            Happening::Temperature(celsius) => self.tell(Event::Temperature(*celsius)),
            Happening::Settings(settings) if self.begun_at.is_some() => self.set(settings),
            // Nobody knows them before the start.
            Happening::Settings(_) => {}
            Happening::Clock(change) => self.offset_s = clock_change(self.offset_s, *change),
        }
    }

    fn command(&mut self, command: RelayCommand) {
        let (before, state, was_on) = (self.status(), self.guard_state(), self.pin);
        let wished = match command.wish {
            Wish::Set(on) => Some(on),
            Wish::Toggle => Some(!was_on),
            _ => None,
        };
        match self.core.handle(self.moment(), Event::Command(command)) {
            Err(refusal) => {
                assert_eq!(wished, Some(true), "nothing but an on is refused");
                assert_eq!(refusal == Refusal::LockedOut, before.locked_out);
                assert_eq!((self.status(), self.core.is_on()), (before, was_on), "nothing has changed");
            }
            Ok(actions) => {
                self.check(&before, state, &actions);
                if let Some(on) = wished {
                    // A fault that stands opens it in the same moment.
                    let tripped = actions.trip.is_some();
                    assert_eq!(self.pin, on && !tripped, "at once");
                    assert!(!tripped || self.status().locked_out);
                    let own = actions.changes.iter().any(|change| change.source == command.source);
                    assert!(own, "the log says who: {:?}", actions.changes);
                }
                if command.wish == Wish::Rearm {
                    assert!(!self.status().locked_out && (!before.locked_out || !self.pin));
                }
                if command.wish == Wish::CancelRetries {
                    assert_ne!(self.guard_state(), GuardState::WaitingToRetry);
                    assert_eq!(self.pin, was_on);
                }
            }
        }
    }

    /// What nobody can refuse.
    fn tell(&mut self, event: Event<'_>) {
        let (before, state) = (self.status(), self.guard_state());
        let actions = self.core.handle(self.moment(), event).expect("only commands are refused");
        self.check(&before, state, &actions);
    }

    /// What holds for every event: relay, log and status say the same.
    fn check(&mut self, before: &RelayStatus, state: GuardState, actions: &Actions) {
        let was_on = self.pin;
        self.pin = actions.relay.unwrap_or(self.pin);
        let after = self.status();
        if let Some(change) = actions.changes.last() {
            assert_eq!((change.on, change.class), (self.pin, after.claims[0].class), "{actions:?}");
            assert_eq!(change.locked_out, after.locked_out, "{actions:?}");
        }
        assert!(was_on == self.pin || !actions.changes.is_empty() || self.begun_at.is_none());
        assert!(actions.changes.iter().all(|change| !change.cause.is_empty()));
        let had_schedule = before.claims.iter().any(|claim| claim.class == Class::Schedule);
        if !self.settings.schedule.enabled && !had_schedule && before.commanded_by != Source::Schedule {
            let lies = actions.changes.iter().any(|change| change.source == Source::Schedule);
            assert!(!lies, "there is no schedule: {:?}", actions.changes);
        }
        self.check_trip(before, &after, state, actions);
        self.check_retry(before, &after, state, actions);
        self.check_switchings(&after, before.switch_count, was_on);
        self.check_ranks(before, &after);
        self.consistent();
    }

    /// A trip is one off, one line and a lock-out.
    fn check_trip(
        &mut self,
        before: &RelayStatus,
        after: &RelayStatus,
        state: GuardState,
        actions: &Actions,
    ) {
        let Some(trip) = actions.trip else {
            assert_eq!(after.trip, before.trip, "no trip, no number");
            return;
        };
        self.trips += 1;
        if self.last_on.is_some_and(|on| self.now - on >= seconds(60)) {
            // It may have proved itself at this very moment.
            self.retries = 0;
        }
        let set = self.settings.protection.retry_pause.max(SHORTEST_PAUSE);
        // Pauses of a row grow from its first one, whatever was set meanwhile.
        let of_the_row = self.tripped.filter(|_| state != GuardState::Watching).map(|(_, pause)| pause);
        self.tripped = Some((self.now, of_the_row.unwrap_or(set).min(set)));
        let is_its_line = |change: &&plug::core::claims::RelayChange| {
            // An alarm that is raised in the same moment, before it, has a line of its own.
            change.source == Source::Protection && change.locked_out && change.cause == trip.cause()
        };
        assert_eq!(actions.changes.iter().filter(is_its_line).count(), 1, "{actions:?}");
        assert!(actions.relay != Some(true) && !self.pin, "{actions:?}");
        assert!(after.locked_out && after.claims[0].class == Class::Protection);
        let seen = after.trip.as_ref().unwrap();
        assert_eq!((seen.number, seen.kind, &seen.cause), (self.trips, trip.kind(), &trip.cause()));
    }

    /// A lock-out ends by hand, or by a retry that was allowed.
    fn check_retry(
        &mut self,
        before: &RelayStatus,
        after: &RelayStatus,
        state: GuardState,
        actions: &Actions,
    ) {
        if before.locked_out && !after.locked_out {
            let by = actions.changes.iter().find(|change| !change.locked_out).unwrap();
            let retried = state == GuardState::WaitingToRetry && by.source == Source::Retry;
            assert!(retried || by.cause.contains("re-armed"), "{:?}", actions.changes);
            if retried {
                self.retries += 1;
                let (tripped, pause) = self.tripped.unwrap();
                assert!(self.now - tripped >= pause, "the pause is kept");
                // A tick that is late lets a proven retry trip anew unseen.
                let counted = self.retries + after.retries_left;
                let allowed = self.settings.protection.retries;
                assert!(!self.punctual || counted <= allowed, "{counted} of {allowed} retries");
            }
        }
        if self.guard_state() == GuardState::Watching {
            self.retries = 0;
        }
    }

    /// Nothing goes on sooner or more often than it may.
    fn check_switchings(&mut self, after: &RelayStatus, count_before: u32, was_on: bool) {
        let switched = after.switch_count - count_before;
        assert!(switched <= 2, "{switched} switchings at once");
        for _ in 0..switched {
            self.switched.push(self.now);
        }
        if (was_on && !self.pin) || switched == 2 {
            self.last_off = Some(self.now);
        }
        if !self.pin || switched == 0 {
            assert!(was_on || !self.pin, "on without a switching");
            return;
        }
        assert!(self.begun_at.is_some(), "on before the start");
        let relay = &self.settings.relay;
        let waited = |since: Option<Duration>, time| since.is_none_or(|since| self.now - since >= time);
        assert!(waited(self.last_on, relay.minimum_on), "minimum on time");
        assert!(waited(self.last_off, relay.minimum_off), "minimum off time");
        let limit = usize::from(relay.switchings_a_minute).min(60);
        let in_a_minute = self.switched.iter().filter(|at| self.now - **at < seconds(60)).count();
        assert!(limit == 0 || in_a_minute <= limit, "{in_a_minute} switchings in a minute");
        assert!(after.claims[0].class == Class::Manual || self.now >= self.start_over, "start delay");
        self.last_on = Some(self.now);
    }

    /// As long as the one that decides stays, nobody below it changes anything.
    fn check_ranks(&self, before: &RelayStatus, after: &RelayStatus) {
        let (was, is) = (&before.claims[0], &after.claims[0]);
        let same = was.class == is.class && was.since_uptime_s == is.since_uptime_s && was.on == is.on;
        if same && before.on != after.on && before.switch_count != after.switch_count {
            assert!(is.on && after.on && before.delay_reason.is_some(), "it had waited");
        }
    }

    fn consistent(&self) {
        let status = self.status();
        let holder = &status.claims[0];
        assert_eq!(self.pin, self.core.is_on(), "the relay is as the core thinks");
        assert_eq!(status.on, self.pin, "and as the world is told");
        assert!(status.claims.is_sorted_by(|higher, lower| higher.class > lower.class));
        assert_eq!(status.claims.iter().filter(|claim| claim.holds).count(), 1, "exactly one owner");
        assert!(holder.holds, "the highest");
        let locked_out = matches!(self.guard_state(), GuardState::LockedOut | GuardState::WaitingToRetry);
        assert_eq!(status.locked_out, locked_out, "claims and guard agree");
        assert_eq!(status.locked_out, holder.class == Class::Protection);
        assert!(!(status.locked_out && self.pin), "never on while locked out");
        let kept = self.begun_at.is_none() && self.pin;
        assert!(holder.on || !self.pin || kept, "never on against the one that decides");
        assert!(!kept || self.now < limits::RELAY_HOLD || !self.punctual, "held for 5 s at most");
        assert!(status.retries_left <= self.settings.protection.retries);
        if self.begun_at.is_some() {
            assert_eq!(status.delay_reason.is_some(), holder.on && !self.pin, "off for a reason");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order(
        kept in any::<bool>(),
        punctual in any::<bool>(),
        early in proptest::collection::vec((0..2500_u64, happening()), 0..4),
        set in settings(),
        memory in memory(),
        random_pct in 0..=100_u32,
        used_wh in proptest::option::of(0.0..2.0_f64),
        events in proptest::collection::vec((step(), happening()), 0..80),
    ) {
        let mut watched = Watched::new(kept, punctual);
        for (step_ms, happening) in &early {
            watched.wait(Duration::from_millis(*step_ms));
            watched.happen(happening);
        }
        watched.begin(&set, &memory, f64::from(random_pct) / 100.0, used_wh);
        for (step_ms, happening) in &events {
            watched.wait(Duration::from_millis(*step_ms));
            watched.happen(happening);
        }
        watched.wait(seconds(3600));
    }

    /// The core task tells readings and trips at a moment at which something is due as well; a command waits for that.
    #[test]
    fn what_is_due_may_come_after_what_happens(
        set in settings(),
        events in proptest::collection::vec(happening(), 1..80),
    ) {
        let mut watched = Watched::new(false, true);
        watched.begin(&set, &Memory::default(), 0.5, None);
        for happening in &events {
            let due = watched.core.poll_at(watched.moment()).map_or(watched.now, Instant::since_start);
            watched.now = watched.now.max(due).min(watched.now + seconds(100));
            watched.punctual = false;
            if matches!(happening, Happening::Command(_)) {
                watched.tick();
            }
            watched.happen(happening);
            watched.tick();
        }
    }

    /// A pin that was held closed opens after 5 s, and at once on a trip, unless the plug begins.
    #[test]
    fn a_pin_that_was_held_opens_in_time(
        early in proptest::collection::vec((0..1500_u64, happening()), 0..5),
    ) {
        let mut watched = Watched::new(true, true);
        for (step_ms, happening) in &early {
            watched.wait(Duration::from_millis(*step_ms));
            watched.happen(happening);
            if watched.trips > 0 {
                prop_assert!(!watched.core.is_on());
            }
        }
        watched.wait(limits::RELAY_HOLD.saturating_sub(watched.now));
        prop_assert!(!watched.core.is_on());
        watched.wait(seconds(60));
        prop_assert!(!watched.core.is_on(), "it does not come back by itself");
    }
}

const SHORT: Trip = Trip::OverCurrent { current: Amperes(40.0), limit: Amperes(16.0) };

#[test]
fn a_pin_that_was_held_opens_after_five_seconds() {
    let mut watched = Watched::new(true, true);
    assert_eq!(watched.core.poll_at(watched.moment()).unwrap().since_start(), limits::RELAY_HOLD);
    watched.wait(Duration::from_millis(4999));
    assert!(watched.core.is_on());
    watched.wait(Duration::from_millis(1));
    assert!(!watched.core.is_on());
    assert!(!watched.status().locked_out, "it was no trip");
}

#[test]
fn a_pin_that_was_held_opens_with_any_trip_or_wish() {
    let off = |wish| Happening::Command(RelayCommand { wish, duration: None, source: Source::Button });
    let cases = [
        (Happening::Trip(SHORT), true),
        (Happening::Trip(Trip::NoSamples), true),
        (Happening::Silence, true),
        (Happening::Temperature(120.0), true),
        (off(Wish::Set(false)), false),
        (off(Wish::Toggle), false),
    ];
    for (happening, locked_out) in cases {
        let mut watched = Watched::new(true, true);
        watched.wait(seconds(1));
        watched.happen(&happening);
        assert!(!watched.core.is_on(), "{happening:?}");
        assert_eq!(watched.status().locked_out, locked_out, "{happening:?}");
        watched.begin(&Settings::default(), &Memory { on: Some(true), ..Memory::default() }, 0.0, None);
        assert!(!watched.core.is_on(), "{happening:?}: it stays off");
    }
}

#[test]
fn a_pin_that_was_held_stays_closed_when_the_plug_begins() {
    let mut watched = Watched::new(true, true);
    watched.wait(seconds(2));
    watched.begin(&Settings::default(), &Memory { on: Some(true), ..Memory::default() }, 0.0, None);
    assert!(watched.core.is_on());
    assert_eq!(watched.status().switch_count, 0);
    watched.wait(seconds(600));
    assert!(watched.core.is_on());
    watched.happen(&Happening::Trip(SHORT));
    assert!(!watched.core.is_on());
}

#[test]
fn what_was_switched_off_before_the_planned_restart_stays_off() {
    let mut watched = Watched::new(true, true);
    watched.begin(&Settings::default(), &Memory { on: Some(false), ..Memory::default() }, 0.0, None);
    assert!(!watched.core.is_on());
    watched.wait(seconds(600));
    assert!(!watched.core.is_on());
}

#[test]
fn a_lock_out_of_before_stays_whatever_was_held() {
    let mut watched = Watched::new(true, true);
    let memory = Memory { on: Some(true), locked_out: Some(cause("over-current")), ..Memory::default() };
    watched.begin(&Settings::default(), &memory, 0.0, None);
    assert!(!watched.core.is_on() && watched.status().locked_out);
}
