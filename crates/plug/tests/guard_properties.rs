//! The guard under random orders of everything that can happen to it: a lock-out ends only in its two ways, no trip is
//! lost, no retry comes too often or too soon, and the next wake-up is never in the past.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::time::Duration;

use metering::energy::Energy;
use metering::quality::{Flag, Quality};
use metering::reading::{HalfCycleExtremes, Reading};
use metering::units::{Amperes, Seconds, Volts, Watts};
use plug::core::Moment;
use plug::core::guard::{Guard, GuardState, Input, Outcome};
use plug::core::protection::Trip;
use plug::platform::Instant;
use plug::settings::schema::{Hardware, ProtectionSettings};
use proptest::prelude::*;

/// What can happen.
#[derive(Clone, Debug)]
enum Step {
    /// A window: volts, amperes, flags, and the local day if the clock is trusted.
    Window(f64, f64, Vec<Flag>, Option<i64>),
    Instant(Trip),
    Silence,
    Temperature(f64),
    Rearm,
    Cancel,
    /// The owner wants it on or off; on is not obeyed while locked out.
    Switch(bool),
    Set(ProtectionSettings),
    Start(bool),
    /// Time goes by; whoever is due is woken.
    Wait(u32),
    Tick,
}

fn flag() -> impl Strategy<Value = Flag> {
    prop_oneof![
        Just(Flag::NoVoltage),
        Just(Flag::VoltageStuck),
        Just(Flag::CurrentStuck),
        Just(Flag::RelayChanged),
        Just(Flag::BelowNoise),
    ]
}

fn settings() -> impl Strategy<Value = ProtectionSettings> {
    let numbers =
        (0_u8..5, 0_u64..300, 0.5_f64..4.0, 0_u64..5, prop::option::of(1.0_f64..20.0), any::<bool>());
    numbers.prop_map(|(retries, pause, back_off, hold, budget, sensor_fault)| ProtectionSettings {
        rated_current_a: Some(5.0),
        power_limit_w: Some(2000.0),
        power_hold: Duration::from_secs(hold),
        voltage_max_v: Some(250.0),
        voltage_min_v: Some(210.0),
        voltage_hold: Duration::from_secs(hold),
        energy_budget_wh: budget,
        sensor_fault,
        retries,
        retry_pause: Duration::from_secs(pause),
        retry_back_off: back_off,
        ..ProtectionSettings::default()
    })
}

fn trip() -> impl Strategy<Value = Trip> {
    prop_oneof![
        Just(Trip::OverCurrent { current: Amperes(40.0), limit: Amperes(16.0) }),
        Just(Trip::ClippedCurrent { limit: Amperes(16.0) }),
        Just(Trip::NoSamples),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let window = (
        prop_oneof![3 => Just(230.0), 1 => 190.0..260.0],
        prop_oneof![2 => Just(0.0), 2 => 0.0..12.0],
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(flag(), 1..3)],
        prop_oneof![Just(None), (1_i64..4).prop_map(Some)],
    );
    prop_oneof![
        20 => window.prop_map(|(volts, amperes, flags, day)| Step::Window(volts, amperes, flags, day)),
        2 => trip().prop_map(Step::Instant),
        1 => Just(Step::Silence),
        1 => (20.0_f64..100.0).prop_map(Step::Temperature),
        1 => Just(Step::Rearm),
        1 => Just(Step::Cancel),
        4 => any::<bool>().prop_map(Step::Switch),
        1 => settings().prop_map(Step::Set),
        1 => any::<bool>().prop_map(Step::Start),
        5 => (1_u32..400).prop_map(Step::Wait),
        2 => Just(Step::Tick),
    ]
}

/// How long a retried relay must stay on, at the least, to get all its retries back.
const PROBATION: Duration = Duration::from_secs(60);

/// The guard with a relay, and what it must keep to.
struct World {
    guard: Guard,
    settings: ProtectionSettings,
    now: Duration,
    closed: bool,
    wanted: bool,
    imported_wh: f64,
    /// Since the guard was last simply watching, or a retry had proved itself.
    retries: u32,
    /// Since when it has been closed.
    closed_since: Duration,
}

impl World {
    fn new() -> Self {
        let hardware = Hardware { confirms_setup: false, can_hold: false, ..Hardware::ANY };
        Self {
            guard: Guard::new(hardware),
            settings: ProtectionSettings::default(),
            now: Duration::ZERO,
            closed: false,
            wanted: false,
            imported_wh: 0.0,
            retries: 0,
            closed_since: Duration::ZERO,
        }
    }

    fn moment(&self) -> Moment {
        Moment { instant: Instant::from_start(self.now), time: None }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Window(volts, amperes, flags, day) => self.window(volts, amperes, &flags, day),
            Step::Instant(trip) => {
                let was_locked_out = self.guard.is_locked_out();
                let tripped = self.tell(Input::Instant(trip)).tripped;
                assert!(self.guard.is_locked_out(), "a trip is obeyed");
                assert!(was_locked_out || tripped == Some(trip), "a trip is told");
            }
            Step::Silence => {
                let watched = self.closed && self.settings.sensor_fault;
                let tripped = self.tell(Input::Silence).tripped;
                assert!(!watched || tripped.is_some(), "silence is a trip if so set");
                assert!(self.guard.alarm().is_some());
            }
            Step::Temperature(temperature) => drop(self.tell(Input::Temperature(temperature))),
            Step::Rearm => {
                let was_locked_out = self.guard.is_locked_out();
                assert_eq!(self.tell(Input::Rearm).rearmed, was_locked_out);
                assert!(!self.guard.is_locked_out());
            }
            Step::Cancel => {
                let was_locked_out = self.guard.is_locked_out();
                let _ = self.tell(Input::CancelRetries);
                assert_eq!(self.guard.is_locked_out(), was_locked_out);
                assert_eq!(self.guard.retry_at(), None, "nothing is retried any more");
            }
            Step::Switch(on) => {
                self.wanted = on;
                self.follow();
            }
            Step::Set(settings) => self.set(settings),
            Step::Start(locked_out) => {
                let was_locked_out = self.guard.is_locked_out();
                let locked_out = locked_out.then(|| Trip::NoSamples.cause());
                let must = was_locked_out || locked_out.is_some();
                let _ = self.tell(Input::Start { locked_out, budget_used_wh: 1.0, day: Some(1) });
                assert_eq!(self.guard.is_locked_out(), must, "a lock-out survives the start");
            }
            Step::Wait(seconds) => self.wait(seconds),
            Step::Tick => self.tick(),
        }
    }

    fn set(&mut self, settings: ProtectionSettings) {
        let was_locked_out = self.guard.is_locked_out();
        self.settings = settings;
        self.guard.set_settings(self.moment(), &self.settings);
        assert_eq!(self.guard.is_locked_out(), was_locked_out, "settings neither lock nor unlock");
    }

    fn window(&mut self, volts: f64, amperes: f64, flags: &[Flag], day: Option<i64>) {
        self.now += Duration::from_millis(200);
        let amperes = if self.closed { amperes } else { 0.0 };
        let mut quality = Quality::NONE;
        flags.iter().for_each(|flag| quality.set(*flag));
        self.imported_wh += volts * amperes * 0.2 / 3600.0;
        let reading = Reading {
            uptime: Seconds(self.now.as_secs_f64()),
            voltage: Volts(volts),
            current: Amperes(amperes),
            active_power: Watts(volts * amperes),
            energy_import: Energy((self.imported_wh * 1e9) as u64),
            relay: self.closed,
            quality,
            half_cycle: HalfCycleExtremes { current_min: Some(Amperes(3.0)), ..Default::default() },
            ..Reading::NONE
        };
        let _ = self.tell(Input::Reading { reading: &reading, on: self.closed, day });
    }

    fn wait(&mut self, seconds: u32) {
        let until = self.now + Duration::from_secs(seconds.into());
        while let Some(due) = self.guard.poll_at().filter(|due| due.since_start() <= until) {
            self.now = self.now.max(due.since_start());
            self.tick();
        }
        self.now = until;
    }

    fn tick(&mut self) {
        let _ = self.tell(Input::Tick);
        let now = self.moment().instant;
        assert!(self.guard.poll_at().is_none_or(|due| due > now), "the next wake-up is not in the past");
    }

    /// Tells the guard, checks what it did, and lets the relay follow.
    fn tell(&mut self, input: Input<'_>) -> Outcome {
        let (was, retry_at) = (self.guard.state(), self.guard.retry_at());
        let was_locked_out = self.guard.is_locked_out();
        let is_rearm = matches!(input, Input::Rearm);
        let outcome = self.guard.handle(self.moment(), input);
        let now = self.moment().instant;
        if outcome.retry {
            assert_eq!(was, GuardState::WaitingToRetry);
            assert!(retry_at.is_some_and(|at| at <= now), "no retry before its time");
            self.retries += 1;
            assert!(self.retries <= self.settings.retries.into(), "no more retries than set");
        }
        assert!(!outcome.rearmed || is_rearm);
        // A trip in the very moment in which a retry has proved itself: nobody ever sees it watching.
        let lasted = self.closed && self.now - self.closed_since >= PROBATION;
        if outcome.tripped.is_some() && was == GuardState::Retrying && lasted {
            self.retries = 0;
        }
        let unlocked = was_locked_out && !self.guard.is_locked_out();
        assert_eq!(unlocked, outcome.retry || outcome.rearmed, "a lock-out ends in its two ways only");
        assert!(outcome.tripped.is_none() || self.guard.is_locked_out(), "what tripped is locked out");
        self.follow();
        outcome
    }

    /// The relay as the core would command it.
    fn follow(&mut self) {
        let closed = self.wanted && !self.guard.is_locked_out();
        if closed != self.closed {
            (self.closed, self.closed_since) = (closed, self.now);
            let outcome = self.guard.handle(self.moment(), Input::Commanded { on: closed });
            assert!(outcome.tripped.is_none() && !outcome.retry && !outcome.rearmed);
        }
        if self.guard.state() == GuardState::Watching {
            self.retries = 0;
        }
        self.check();
    }

    fn check(&self) {
        let locked_out = self.guard.is_locked_out();
        assert!(!(self.closed && locked_out), "never on while locked out");
        assert_eq!(self.guard.cause().is_some(), locked_out);
        assert!(self.guard.retries_left() <= self.settings.retries);
        assert_eq!(self.guard.retry_at().is_some(), self.guard.state() == GuardState::WaitingToRetry);
        let status = self.guard.status(self.moment());
        assert!(status.thermal_pct.is_none_or(|heat| (0.0..1e6).contains(&heat)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order(
        first in settings(),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut world = World::new();
        world.set(first);
        for step in steps {
            world.step(step);
        }
        // However it stands: when all is well again for long enough, what waits for a retry gets it.
        world.wanted = false;
        world.step(Step::Temperature(20.0));
        for _ in 0..4 {
            world.step(Step::Wait(86_400));
            for _ in 0..10 {
                world.window(230.0, 0.0, &[], Some(100));
            }
        }
        prop_assert_ne!(world.guard.state(), GuardState::WaitingToRetry);
    }
}
