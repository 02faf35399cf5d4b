//! The core goes on whatever becomes of the rest: every sample is measured, and a trip comes on time.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::cell::{Cell, RefCell};
use std::f64::consts::TAU;
use std::rc::Rc;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use futures_lite::future::{block_on, yield_now};
use metering::calibration::Calibration;
use metering::energy::Resumed;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::history::Storage;
use metering::meter::Meter;
use metering::reading::Reading;
use metering::units::{Hertz, Seconds, Volts};
use plug::app::{Command, Link, run_core};
use plug::core::claims::{Memory, Source};
use plug::core::{Begin, Core};
use plug::platform::{Block, Clock, Instant, Relay, Samples};
use plug::settings::{Hardware, Settings};

const RATE: f64 = 4000.0;
/// Pairs in a block: 2 ms.
const BLOCK: usize = 8;

/// Time that the samples drive.
#[derive(Clone, Default)]
struct SampleClock(Rc<Cell<Duration>>);

impl Clock for SampleClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.0.get())
    }

    async fn sleep_until(&self, _: Instant) {
        std::future::pending().await
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}

/// A current as a function of time; the relay is a switch in its way.
struct Bench {
    clock: SampleClock,
    current: Box<dyn Fn(f64) -> f64>,
    frequency: f64,
    end: f64,
    row: u64,
    closed: Rc<Cell<bool>>,
    block: [Pair; BLOCK],
}

impl Samples for Bench {
    fn front_end(&self) -> FrontEnd {
        let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: true };
        FrontEnd {
            sample_rate: Hertz(RATE),
            voltage: range,
            current: range,
            channel_skew: Seconds(0.0),
            nominal_voltage: Volts(230.0),
        }
    }

    async fn next(&mut self) -> Option<Block<'_>> {
        // As on a plug: between two blocks there is time for a command.
        yield_now().await;
        for pair in &mut self.block {
            let time = self.row as f64 / RATE;
            let voltage = 325.3 * (TAU * self.frequency * time).sin();
            let current = if self.closed.get() { (self.current)(time) } else { 0.0 };
            let count = |value: f64, lsb: f64| ((value / lsb).round() as i32 + 2048).clamp(0, 4095);
            *pair = Pair { voltage: count(voltage, 0.2), current: count(current, 0.0147) };
            self.row += 1;
        }
        let now = self.row as f64 / RATE;
        self.clock.0.set(Duration::from_secs_f64(now));
        (now <= self.end).then_some(Block { lost_before: 0, pairs: &self.block })
    }
}

/// Remembers when it was commanded.
#[derive(Clone)]
struct BenchRelay {
    clock: SampleClock,
    closed: Rc<Cell<bool>>,
    commands: Rc<RefCell<Vec<(f64, bool)>>>,
}

impl Relay for BenchRelay {
    fn set(&mut self, closed: bool) {
        self.closed.set(closed);
        self.commands.borrow_mut().push((self.clock.0.get().as_secs_f64(), closed));
    }
}

struct Outcome {
    commands: Vec<(f64, bool)>,
    readings: Vec<Reading>,
    causes: Vec<(Source, String)>,
}

const HARDWARE: Hardware = Hardware::BARE;

/// The relay's pin is made sure of; then the plug begins and goes on.
const ON: [(f64, bool); 2] = [(0.0, false), (0.0, true)];

/// What a plug that never ran begins with.
fn begin() -> Begin {
    Begin {
        settings: Box::new(Settings::default()),
        memory: Memory::default(),
        energy: Resumed::default(),
        used_today_wh: None,
        next_trip: 1,
        random: 0.0,
        seed: 0,
    }
}

/// Runs the core alone, from start to end, while nobody takes anything off its channels.
fn core_alone(end: f64, frequency: f64, current: impl Fn(f64) -> f64 + 'static) -> Outcome {
    let clock = SampleClock::default();
    let closed = Rc::new(Cell::new(false));
    let mut samples = Bench {
        clock: clock.clone(),
        current: Box::new(current),
        frequency,
        end,
        row: 0,
        closed: closed.clone(),
        block: [Pair::default(); BLOCK],
    };
    let commands = Rc::default();
    let mut relay = BenchRelay { clock: clock.clone(), closed, commands: Rc::clone(&commands) };
    let rows = Meter::rows_needed(RATE);
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let calibration = Calibration::ideal(0.2, 2048.0, 0.0147, 2048.0);
    let mut meter = Meter::new(samples.front_end(), calibration, storage).unwrap();
    let link: Link<NoopRawMutex> = Link::new();
    assert!(link.commands.try_send(Command::Begin(Box::new(begin()))).is_ok());
    block_on(run_core(&mut samples, &mut relay, &clock, &mut meter, &mut Core::new(HARDWARE), &link));
    let readings = std::iter::from_fn(|| link.readings.try_receive().ok()).collect();
    let causes = std::iter::from_fn(|| link.changes.try_receive().ok())
        .map(|c| (c.source, c.cause.to_string()))
        .collect();
    let commands = commands.borrow().clone();
    Outcome { commands, readings, causes }
}

#[test]
fn a_second_without_the_rest_loses_no_sample() {
    let outcome = core_alone(1.25, 50.0, |time| 8.0 * (TAU * 50.0 * time).sin());
    assert!(outcome.readings.len() >= 5, "{}", outcome.readings.len());
    for pair in outcome.readings.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        let gap = pair[1].uptime.value() - pair[0].uptime.value() - pair[1].window.duration.value();
        assert!(gap.abs() < 1e-6, "{gap}");
        assert_eq!(pair[1].window.lost, 0);
    }
    assert_eq!(outcome.commands, ON);
}

#[test]
fn a_trip_comes_within_half_a_cycle_and_a_block_at_any_phase() {
    for frequency in [45.0, 50.0, 60.0, 65.0] {
        for phase in 0..40 {
            let from = 0.6 + f64::from(phase) / 40.0 / frequency;
            let peak = 1.05 * 16.0 * std::f64::consts::SQRT_2;
            // The over-current begins at any phase of the mains, and a load's own phase may be any too.
            for lag in [0.0, 0.7, 2.0] {
                let current = move |time: f64| {
                    let part = if time < from { 0.3 } else { 1.0 };
                    part * peak * (TAU * frequency * time - lag).sin()
                };
                let outcome = core_alone(1.0, frequency, current);
                assert_eq!(outcome.commands.len(), 3, "{frequency} Hz, phase {phase}");
                let (time, on) = outcome.commands[2];
                assert!(!on);
                let limit = 0.5 / frequency + BLOCK as f64 / RATE + 1e-9;
                assert!(time - from <= limit, "{frequency} Hz, phase {phase}: {} s", time - from);
                let (source, cause) = outcome.causes.last().unwrap();
                assert_eq!(*source, Source::Protection);
                assert!(cause.starts_with("over-current: 1"), "{cause}");
            }
        }
    }
}

#[test]
fn the_rated_current_does_not_trip_and_a_short_does_at_once() {
    let rated = 16.0 * std::f64::consts::SQRT_2;
    let steady = core_alone(3.0, 50.0, move |time| rated * (TAU * 50.0 * time).sin());
    assert_eq!(steady.commands, ON);
    let short = core_alone(1.0, 50.0, |time| if time < 0.5 { 1.0 } else { 325.0 });
    let (time, on) = short.commands[2];
    assert!(!on && time - 0.5 <= 0.0021, "{time}");
    assert_eq!(short.causes.last().unwrap().1, "over-current: beyond what can be measured, 16.0 A allowed");
}

#[test]
fn without_crossings_it_trips_all_the_same() {
    // Direct current has no cycles; the half cycle is then as long as it last was.
    let outcome = core_alone(1.0, 0.0, |time| if time < 0.5 { 1.0 } else { 17.0 });
    let (time, on) = outcome.commands[2];
    assert!(!on && time - 0.5 <= 0.012 + 1e-9, "{time}");
}
