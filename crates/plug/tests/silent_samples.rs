//! A converter that falls silent: the relay opens and the log says why; a `for_s` ends all the same.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use futures_lite::future::{block_on, or, yield_now};
use metering::calibration::Calibration;
use metering::energy::Resumed;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::history::Storage;
use metering::meter::Meter;
use metering::units::{Hertz, Seconds, Volts};
use plug::app::{Command, Link, run_core};
use plug::core::claims::{Memory, RelayCommand, Source, Wish};
use plug::core::{Begin, Core};
use plug::limits;
use plug::platform::{Block, Clock, Instant, InstantTrip, Relay, Samples};
use plug::settings::{Hardware, Settings};

const HARDWARE: Hardware = Hardware::BARE;

/// Lets the core begin as on a plug that never ran: the relay goes on.
fn begin(link: &Link<NoopRawMutex>) {
    let begin = Begin {
        settings: Box::new(Settings::default()),
        memory: Memory::default(),
        energy: Resumed::default(),
        used_today_wh: None,
        next_trip: 1,
        random: 0.0,
        seed: 0,
    };
    assert!(link.commands.try_send(Command::Begin(Box::new(begin))).is_ok());
}

/// Whoever waits makes the time go by.
#[derive(Clone, Default)]
struct JumpClock(Rc<Cell<Duration>>);

impl Clock for JumpClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.0.get())
    }

    async fn sleep_until(&self, moment: Instant) {
        yield_now().await;
        self.0.set(self.0.get().max(moment.since_start()));
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}

/// Gives some blocks of zeros, then nothing.
struct Failing {
    blocks: u32,
    expected: bool,
    block: [Pair; 8],
    /// Afterwards everything is lost, and the blocks that say so are all that comes.
    lossy: Option<JumpClock>,
}

impl Samples for Failing {
    fn front_end(&self) -> FrontEnd {
        let range = ChannelRange { lowest: -2048, highest: 2047, dc_coupled: true };
        FrontEnd {
            sample_rate: Hertz(4000.0),
            voltage: range,
            current: range,
            channel_skew: Seconds(0.0),
            nominal_voltage: Volts(230.0),
        }
    }

    async fn next(&mut self) -> Option<Block<'_>> {
        if self.blocks == 0 {
            let Some(clock) = &self.lossy else { return pending().await };
            yield_now().await;
            clock.0.set(clock.0.get() + Duration::from_millis(50));
            return Some(Block { lost_before: 200, pairs: &[] });
        }
        self.blocks -= 1;
        Some(Block { lost_before: 0, pairs: &self.block })
    }

    fn measures(&self) -> bool {
        self.expected
    }
}

/// A relay with an interrupt below the core that may have opened it.
#[derive(Clone, Default)]
struct Switch {
    commands: Rc<RefCell<Vec<bool>>>,
    tripped: Rc<Cell<Option<InstantTrip>>>,
}

impl Relay for Switch {
    fn set(&mut self, closed: bool) {
        self.commands.borrow_mut().push(closed);
        self.tripped.set(None);
    }

    fn tripped(&self) -> Option<InstantTrip> {
        self.tripped.get()
    }
}

/// Runs the core until the relay got `commands`, or until two seconds went by, and returns them with all causes.
fn run(
    expected: bool,
    blocks: u32,
    switch: &Switch,
    link: &Link<NoopRawMutex>,
    commands: usize,
) -> Vec<String> {
    run_and_lose(false, expected, blocks, switch, link, commands)
}

/// The same; afterwards nothing comes, or (`lossy`) blocks that say that everything was lost.
fn run_and_lose(
    lossy: bool,
    expected: bool,
    blocks: u32,
    switch: &Switch,
    link: &Link<NoopRawMutex>,
    commands: usize,
) -> Vec<String> {
    let clock = JumpClock::default();
    let lossy = lossy.then(|| clock.clone());
    let mut samples = Failing { blocks, expected, block: [Pair::default(); 8], lossy };
    let rows = Meter::rows_needed(4000.0);
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let calibration = Calibration::ideal(0.2, 0.0, 0.0147, 0.0);
    let mut meter = Meter::new(samples.front_end(), calibration, storage).unwrap();
    let done = async {
        for _ in 0..1000 {
            if switch.commands.borrow().len() >= commands || clock.0.get() > Duration::from_secs(2) {
                break;
            }
            yield_now().await;
        }
    };
    let mut relay = switch.clone();
    let mut core = Core::new(HARDWARE);
    let core = run_core(&mut samples, &mut relay, &clock, &mut meter, &mut core, link);
    block_on(or(core, done));
    std::iter::from_fn(|| link.changes.try_receive().ok()).map(|change| change.cause.to_string()).collect()
}

#[test]
fn without_samples_the_relay_opens_and_says_why() {
    for blocks in [0, 50] {
        let (switch, link) = (Switch::default(), Link::new());
        begin(&link);
        let causes = run(true, blocks, &switch, &link, 3);
        assert_eq!(*switch.commands.borrow(), [false, true, false], "{blocks}");
        assert!(causes.last().unwrap().starts_with("no samples"), "{causes:?}");
    }
    assert!(limits::SAMPLES_MISSING > Duration::from_millis(400), "an erase takes up to 0.4 s");
}

#[test]
fn blocks_of_nothing_but_losses_are_no_samples() {
    let (switch, link) = (Switch::default(), Link::new());
    begin(&link);
    let causes = run_and_lose(true, true, 50, &switch, &link, 3);
    assert_eq!(*switch.commands.borrow(), [false, true, false]);
    assert!(causes.last().unwrap().starts_with("no samples"), "{causes:?}");
}

#[test]
fn where_none_are_expected_it_stays_closed_and_a_for_s_ends() {
    let (switch, link) = (Switch::default(), Link::new());
    begin(&link);
    let command =
        RelayCommand { wish: Wish::Set(false), duration: Some(Duration::from_secs(1)), source: Source::Web };
    assert!(link.commands.try_send(Command::Relay(command)).is_ok());
    let causes = run(false, 0, &switch, &link, 4);
    assert_eq!(*switch.commands.borrow(), [false, true, false, true], "{causes:?}");
}

#[test]
fn what_was_opened_for_a_restart_stays_open_and_is_told_so() {
    let (switch, link) = (Switch::default(), Link::new());
    begin(&link);
    assert!(link.commands.try_send(Command::Park { can_hold: false }).is_ok());
    for on in [false, true] {
        let command = RelayCommand { wish: Wish::Set(on), duration: None, source: Source::Web };
        assert!(link.commands.try_send(Command::Relay(command)).is_ok());
    }
    let causes = run(false, 0, &switch, &link, 5);
    assert_eq!(*switch.commands.borrow(), [false, true, false, false, false], "{causes:?}");
    assert_eq!(link.parked.try_take(), Some(false));
    let told = link.relay.try_take().unwrap();
    assert_eq!((told.on, told.reason.as_str()), (false, "open for a restart that is due"));
    // What is remembered for after the restart is what was wanted.
    assert!(causes.last().unwrap().starts_with("switched on"), "{causes:?}");
}

#[test]
fn a_trip_below_the_core_is_not_lost_to_a_command() {
    let (switch, link) = (Switch::default(), Link::<NoopRawMutex>::new());
    let clock = JumpClock::default();
    let mut samples = Failing { blocks: 0, expected: false, block: [Pair::default(); 8], lossy: None };
    let rows = Meter::rows_needed(4000.0);
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let calibration = Calibration::ideal(0.2, 0.0, 0.0147, 0.0);
    let mut meter = Meter::new(samples.front_end(), calibration, storage).unwrap();
    let mut relay = switch.clone();
    begin(&link);
    let story = async {
        while switch.commands.borrow().last() != Some(&true) {
            yield_now().await;
        }
        // The interrupt opens the relay; before the core sees a block somebody switches.
        switch.tripped.set(Some(InstantTrip::OverCurrent(2000)));
        let toggle = RelayCommand { wish: Wish::Toggle, duration: None, source: Source::Web };
        assert!(link.commands.try_send(Command::Relay(toggle)).is_ok());
        for _ in 0..10 {
            yield_now().await;
        }
    };
    let mut core = Core::new(HARDWARE);
    let core = run_core(&mut samples, &mut relay, &clock, &mut meter, &mut core, &link);
    block_on(or(core, story));
    let causes: Vec<_> =
        std::iter::from_fn(|| link.changes.try_receive().ok()).map(|c| c.cause.to_string()).collect();
    assert!(causes.last().unwrap().starts_with("over-current: 29.4 A"), "{causes:?}");
    assert_eq!(*switch.commands.borrow(), [false, true, false]);
}

#[test]
fn before_it_begins_the_relay_stays_open_whatever_comes() {
    let (switch, link) = (Switch::default(), Link::new());
    let causes = run(false, 50, &switch, &link, 2);
    assert_eq!((switch.commands.borrow().as_slice(), causes.len()), ([false].as_slice(), 0));
    assert!(link.readings.is_empty());
}
