//! Table tests of each protection and of each transition.

extern crate std;

use core::time::Duration;

use metering::calibration::CalibrationId;
use metering::energy::Energy;
use metering::quality::{Flag, Quality};
use metering::reading::{HalfCycleExtremes, Reading, Window};
use metering::units::{Amperes, Hertz, Seconds, VoltAmperes, Volts, Watts};

use super::{AlarmKind, Guard, GuardState, Input, Outcome, RetryWaits};
use crate::core::Moment;
use crate::core::protection::Trip;
use crate::platform::Instant;
use crate::settings::schema::{Hardware, ProtectionSettings};

pub(super) fn at(seconds: f64) -> Moment {
    Moment { instant: Instant::from_start(Duration::from_secs_f64(seconds)), time: None }
}

/// A window of 0.2 s at 230 V with nothing flowing and the relay off, ending at `end`.
pub(super) fn reading(end: f64) -> Reading {
    Reading {
        sequence: 0,
        time: None,
        uptime: Seconds(end),
        window: Window {
            cycles: Some(10),
            samples: 800,
            lost: 0,
            duration: Seconds(0.2),
            sample_rate: Hertz(4000.0),
        },
        voltage: Volts(230.0),
        current: Amperes(0.0),
        active_power: Watts(0.0),
        apparent_power: VoltAmperes(0.0),
        reactive_power: None,
        power_factor: None,
        displacement_power_factor: None,
        frequency: None,
        thd_voltage: None,
        thd_current: None,
        harmonics_max_order: None,
        crest_factor_current: None,
        voltage_dc: None,
        current_dc: None,
        current_total: None,
        current_noise_floor: None,
        current_noise_corrected: None,
        half_cycle: HalfCycleExtremes::default(),
        energy_import: Energy(0),
        energy_export: Energy(0),
        energy_below_noise: Energy(0),
        unmeasured: Seconds(0.0),
        calibration: CalibrationId { version: 1, hash: [0; 8] },
        relay: false,
        quality: Quality::NONE,
    }
}

const HARDWARE: Hardware =
    Hardware { maximum_current_a: 16.0, has_button: true, has_led: true, can_hold: false };

/// A guard with a relay that obeys it and whose owner always wants it on.
struct Bench {
    guard: Guard,
    settings: ProtectionSettings,
    seconds: f64,
    on: bool,
    day: Option<i64>,
}

impl Bench {
    fn new(set: impl FnOnce(&mut ProtectionSettings)) -> Self {
        let mut settings = ProtectionSettings::default();
        set(&mut settings);
        let guard = Guard::new(HARDWARE);
        let mut bench = Self { guard, settings, seconds: 0.0, on: false, day: None };
        bench.set(|_| ());
        let start = Input::Start { locked_out: None, budget_used_wh: 0.0, day: None };
        assert_eq!(bench.tell(start), Outcome::default());
        bench.switch(true);
        bench
    }

    fn set(&mut self, set: impl FnOnce(&mut ProtectionSettings)) {
        set(&mut self.settings);
        self.guard.set_settings(at(self.seconds), &self.settings);
    }

    fn tell(&mut self, input: Input<'_>) -> Outcome {
        let outcome = self.guard.handle(at(self.seconds), input);
        if outcome.tripped.is_some() {
            self.switch(false);
        }
        if outcome.retry || outcome.rearmed {
            self.switch(true);
        }
        outcome
    }

    fn switch(&mut self, on: bool) {
        self.on = on;
        let _ = self.guard.handle(at(self.seconds), Input::Commanded { on });
    }

    /// The next window of 0.2 s.
    fn window(&mut self, change: impl Fn(&mut Reading)) -> Outcome {
        self.seconds += 0.2;
        let mut reading = reading(self.seconds);
        reading.relay = self.on;
        change(&mut reading);
        self.tell(Input::Reading { reading: &reading, on: self.on, day: self.day })
    }

    /// Windows until something comes of it, at most for this long; says what and after how many seconds.
    fn windows(&mut self, seconds: f64, change: impl Fn(&mut Reading)) -> Option<(f64, Outcome)> {
        let start = self.seconds;
        while self.seconds - start < seconds - 0.01 {
            let outcome = self.window(&change);
            if outcome != Outcome::default() {
                return Some((self.seconds - start, outcome));
            }
        }
        None
    }

    /// Windows until it trips; says why and after how many seconds.
    fn trips(&mut self, seconds: f64, change: impl Fn(&mut Reading)) -> Option<(f64, &'static str)> {
        self.windows(seconds, change)
            .and_then(|(after, outcome)| outcome.tripped.map(|trip| (round(after), trip.kind())))
    }

    /// Nothing but windows without anything until a retry.
    fn retries_after(&mut self, seconds: f64, change: impl Fn(&mut Reading)) -> Option<f64> {
        let (after, outcome) = self.windows(seconds, change)?;
        assert!(outcome.retry, "{outcome:?}");
        Some(round(after))
    }
}

fn round(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

fn volts(volts: f64) -> impl Fn(&mut Reading) {
    move |reading| reading.voltage = Volts(volts)
}

fn watts(watts: f64) -> impl Fn(&mut Reading) {
    move |reading| reading.active_power = Watts(watts)
}

fn amperes(amperes: f64) -> impl Fn(&mut Reading) {
    move |reading| reading.current = Amperes(amperes)
}

fn flags(flags: &'static [Flag], about_zero_a: f64) -> impl Fn(&mut Reading) {
    move |reading| {
        flags.iter().for_each(|flag| reading.quality.set(*flag));
        reading.half_cycle.current_min = Some(Amperes(about_zero_a));
    }
}

const SHORT: Trip = Trip::OverCurrent { current: Amperes(40.0), limit: Amperes(16.0) };

#[test]
fn over_power_trips_after_its_hold_in_both_directions_and_a_break_begins_anew() {
    for (power, hold, expected) in [
        (2100.0, 10, Some((10.0, "over_power"))),
        (-2100.0, 10, Some((10.0, "over_power"))),
        (2000.0, 10, None),
        (2100.0, 0, Some((0.2, "over_power"))),
    ] {
        let mut bench = Bench::new(|settings| {
            settings.power_limit_w = Some(2000.0);
            settings.power_hold = Duration::from_secs(hold);
        });
        assert_eq!(bench.trips(60.0, watts(power)), expected, "{power} W, {hold} s");
    }
    let mut bench = Bench::new(|settings| settings.power_limit_w = Some(2000.0));
    for _ in 0..10 {
        assert_eq!(bench.trips(9.8, watts(2100.0)), None);
        assert_eq!(bench.trips(0.2, watts(1900.0)), None);
    }
    assert_eq!(bench.guard.status(at(bench.seconds)).over_power_s, None);
    assert_eq!(bench.trips(60.0, watts(2100.0)), Some((10.0, "over_power")));
    assert_eq!(bench.guard.cause().unwrap(), "over-power: 2100 W, 2000 W allowed, for 10.0 s");
}

#[test]
fn voltages_trip_after_their_hold() {
    for (voltage, expected) in [
        (253.5, Some((1.0, "over_voltage"))),
        (253.0, None),
        (207.0, None),
        (206.9, Some((1.0, "under_voltage"))),
        (30.0, Some((1.0, "under_voltage"))),
    ] {
        let mut bench = Bench::new(|settings| {
            settings.voltage_max_v = Some(253.0);
            settings.voltage_min_v = Some(207.0);
        });
        assert_eq!(bench.trips(60.0, volts(voltage)), expected, "{voltage} V");
    }
}

#[test]
fn no_mains_is_neither_an_under_voltage_nor_a_good_voltage() {
    let mut bench = Bench::new(|settings| {
        settings.voltage_min_v = Some(207.0);
        settings.retries = 1;
    });
    let dark = |reading: &mut Reading| {
        reading.voltage = Volts(1.0);
        reading.quality.set(Flag::NoVoltage);
    };
    assert_eq!(bench.windows(60.0, dark), None);
    assert_eq!(bench.trips(60.0, volts(200.0)), Some((1.0, "under_voltage")));
    assert_eq!(bench.windows(100.0, dark), None);
    assert_eq!(bench.guard.status(at(bench.seconds)).retry_waits_for, Some(RetryWaits::Condition));
    assert_eq!(bench.windows(10.0, volts(211.9)), None, "inside the hysteresis of 5 V");
    assert_eq!(bench.retries_after(10.0, volts(212.1)), Some(0.2));
}

#[test]
fn a_relay_that_closes_on_a_bad_voltage_opens_with_the_first_window() {
    let mut bench = Bench::new(|settings| settings.voltage_max_v = Some(253.0));
    bench.switch(false);
    assert_eq!(bench.windows(10.0, volts(260.0)), None);
    bench.switch(true);
    assert_eq!(bench.trips(10.0, volts(260.0)), Some((0.2, "over_voltage")));
}

#[test]
fn an_over_voltage_is_over_below_its_hysteresis() {
    let mut bench = Bench::new(|settings| {
        settings.voltage_max_v = Some(253.0);
        settings.retries = 1;
    });
    assert_eq!(bench.trips(60.0, volts(254.0)), Some((1.0, "over_voltage")));
    assert_eq!(bench.windows(120.0, volts(248.5)), None);
    assert_eq!(bench.retries_after(1.0, volts(248.0)), Some(0.2));
}

#[test]
fn inverse_time_trips_and_retries_once_cool() {
    let mut bench = Bench::new(|settings| {
        settings.rated_current_a = Some(10.0);
        settings.retries = 1;
        settings.retry_pause = Duration::from_secs(5);
    });
    let (after, kind) = bench.trips(60.0, amperes(25.5)).unwrap();
    assert!((29.0..31.0).contains(&after) && kind == "inverse_time", "{after}");
    assert_eq!(bench.guard.cause().unwrap(), "overload: more than 10.0 A for too long, 25.5 A at the end");
    let cool = bench.retries_after(60.0, |_| ()).unwrap();
    assert!((43.0..45.0).contains(&cool), "{cool}");
    // A hot breaker does not close for long: much sooner than from cold.
    let (after, _) = bench.trips(60.0, amperes(25.5)).unwrap();
    assert!(after < 15.0, "{after}");
    // And one that is re-armed at once opens at once.
    assert!(bench.tell(Input::Rearm).rearmed);
    assert_eq!(bench.trips(60.0, amperes(25.5)), Some((0.2, "inverse_time")));
    let mut off = Bench::new(|settings| settings.inverse_time = false);
    assert_eq!(off.trips(600.0, amperes(60.0)), None);
}

#[test]
fn the_budget_lasts_for_a_local_day() {
    let mut bench = Bench::new(|settings| {
        settings.energy_budget_wh = Some(10.0);
        settings.retries = 1;
    });
    bench.day = Some(100);
    // 3600 W are 0.2 Wh a window.
    assert_eq!(bench.windows(0.2, |_| ()), None);
    let total = std::cell::Cell::new(0);
    let kettle = |reading: &mut Reading| {
        total.set(total.get() + 200_000_000);
        reading.energy_import = Energy(total.get());
    };
    assert_eq!(bench.trips(60.0, kettle), Some((10.0, "energy_budget")));
    let still = |reading: &mut Reading| reading.energy_import = Energy(total.get());
    assert_eq!(bench.windows(100.0, still), None);
    bench.day = Some(101);
    assert_eq!(bench.retries_after(1.0, still), Some(0.2));
    assert_eq!(bench.trips(60.0, kettle), Some((10.0, "energy_budget")));
}

#[test]
fn a_budget_without_a_clock_wakes_the_guard_when_its_24_hours_are_over() {
    let mut bench = Bench::new(|settings| {
        settings.energy_budget_wh = Some(10.0);
        settings.retries = 1;
    });
    let start = Input::Start { locked_out: None, budget_used_wh: 10.0, day: None };
    let _ = bench.tell(start);
    assert_eq!(bench.trips(1.0, |_| ()), Some((0.2, "energy_budget")));
    let due = bench.guard.poll_at().unwrap();
    assert_eq!(due, at(86_400.0).instant);
    bench.seconds = 86_400.0;
    assert!(bench.tell(Input::Tick).retry);
}

#[test]
fn a_hot_chip_trips_and_is_cool_ten_kelvin_below() {
    let mut bench = Bench::new(|settings| settings.retries = 1);
    assert_eq!(bench.tell(Input::Temperature(90.0)), Outcome::default());
    assert_eq!(bench.tell(Input::Temperature(f64::NAN)), Outcome::default());
    assert_eq!(bench.tell(Input::Temperature(90.5)).tripped.unwrap().kind(), "over_temperature");
    bench.seconds = 100.0;
    assert_eq!(bench.tell(Input::Temperature(80.5)), Outcome::default());
    assert!(bench.tell(Input::Temperature(80.0)).retry);
    let mut off = Bench::new(|settings| settings.chip_temperature_max_c = None);
    assert_eq!(off.tell(Input::Temperature(150.0)), Outcome::default());
}

#[test]
fn a_stuck_current_channel_is_a_fault_unless_it_stands_at_zero() {
    for (about_zero, expected) in [(0.0, None), (0.029, None), (0.031, Some((1.0, "stuck_sensor")))] {
        let mut bench = Bench::new(|_| ());
        bench.guard.set_gain(-0.015);
        assert_eq!(bench.trips(60.0, flags(&[Flag::CurrentStuck], about_zero)), expected, "{about_zero}");
        assert_eq!(bench.guard.alarm().is_some(), expected.is_some());
    }
}

#[test]
fn a_stuck_voltage_channel_is_a_fault_while_current_flows() {
    let loaded = |reading: &mut Reading| {
        flags(&[Flag::VoltageStuck, Flag::NoVoltage, Flag::NoSync], 0.0)(reading);
        reading.current = Amperes(5.0);
    };
    let mut bench = Bench::new(|settings| settings.retries = 1);
    assert_eq!(bench.trips(60.0, flags(&[Flag::VoltageStuck], 0.0)), None, "the mains may be gone");
    assert_eq!(bench.trips(60.0, loaded), Some((1.0, "stuck_sensor")));
    assert_eq!(bench.guard.alarm().unwrap().kind, AlarmKind::StuckSensor);
    // Nothing flows any more, but the channel has not moved either: no retry.
    assert_eq!(bench.windows(100.0, flags(&[Flag::VoltageStuck], 0.0)), None);
    let (_, outcome) = bench.windows(1.0, |_| ()).unwrap();
    assert!(outcome.retry && outcome.alarm_changed && bench.guard.alarm().is_none());
}

#[test]
fn a_sensor_fault_is_only_an_alarm_if_so_set() {
    let mut bench = Bench::new(|settings| settings.sensor_fault = false);
    bench.guard.set_gain(0.015);
    let (after, outcome) = bench.windows(60.0, flags(&[Flag::CurrentStuck], 3.0)).unwrap();
    assert!(outcome.alarm_changed && outcome.tripped.is_none() && round(after) == 1.0, "{after}");
    assert!(bench.window(|_| ()).alarm_changed && bench.guard.alarm().is_none());
    let outcome = bench.tell(Input::Silence);
    assert!(outcome.alarm_changed && outcome.tripped.is_none());
    assert_eq!(bench.guard.alarm().unwrap().kind, AlarmKind::NoSamples);
    assert!(bench.window(|_| ()).alarm_changed && bench.guard.alarm().is_none());
    // What is below the core has opened the relay already: the core must not think that it is closed.
    assert_eq!(bench.tell(Input::Instant(Trip::NoSamples)).tripped, Some(Trip::NoSamples));
    let mut set = Bench::new(|settings| settings.retries = 1);
    assert_eq!(set.tell(Input::Silence).tripped, Some(Trip::NoSamples));
    set.seconds = 100.0;
    assert!(!set.tell(Input::Tick).retry && set.guard.poll_at().is_none(), "still silent");
    assert!(set.window(|_| ()).retry);
}

#[test]
fn a_welded_contact_is_an_alarm_after_a_second() {
    let mut bench = Bench::new(|_| ());
    assert_eq!(bench.windows(10.0, amperes(5.0)), None);
    bench.switch(false);
    // The window in which it was switched, and 30 ms, prove nothing.
    let switched = |reading: &mut Reading| {
        amperes(5.0)(reading);
        reading.quality.set(Flag::RelayChanged);
    };
    assert_eq!(bench.window(switched), Outcome::default());
    let (after, outcome) = bench.windows(10.0, amperes(5.0)).unwrap();
    assert!(outcome.alarm_changed && round(after) == 1.0, "{after}");
    let alarm = bench.guard.alarm().unwrap();
    assert_eq!(alarm.kind, AlarmKind::Welded);
    assert_eq!(alarm.cause, "welded: commanded off, and 5.00 A flow all the same; pull the plug");
    assert_eq!(bench.windows(10.0, amperes(5.0)), None, "told once");
    assert_eq!(bench.windows(0.8, amperes(0.01)), None);
    assert_eq!(bench.windows(5.0, amperes(5.0)), None, "it came back");
    let (after, outcome) = bench.windows(10.0, amperes(0.01)).unwrap();
    assert!(outcome.alarm_changed && round(after) == 1.0 && bench.guard.alarm().is_none());
    // Commanding it on ends the alarm as well.
    assert!(bench.windows(10.0, amperes(5.0)).unwrap().1.alarm_changed);
    bench.switch(true);
    assert!(bench.guard.alarm().is_none());
}

#[test]
fn noise_and_leakage_are_no_welded_contact() {
    let noise = |current: f64, floor: Option<f64>| {
        move |reading: &mut Reading| {
            reading.current = Amperes(current);
            reading.current_noise_floor = floor.map(Amperes);
        }
    };
    for (current, floor, welded) in [
        (0.049, Some(0.001), false),
        (0.051, Some(0.001), true),
        (0.29, Some(0.1), false),
        (0.31, Some(0.1), true),
        (0.29, None, false),
        (0.31, None, true),
    ] {
        let mut bench = Bench::new(|_| ());
        bench.switch(false);
        assert_eq!(bench.windows(5.0, noise(current, floor)).is_some(), welded, "{current} {floor:?}");
    }
    let mut bench = Bench::new(|_| ());
    bench.switch(false);
    assert_eq!(bench.windows(5.0, flags(&[Flag::BelowNoise], 1.0)), None);
}

#[test]
fn without_retries_only_a_rearm_ends_a_lock_out() {
    let mut bench = Bench::new(|_| ());
    assert_eq!(bench.tell(Input::Instant(SHORT)).tripped, Some(SHORT));
    assert_eq!(bench.guard.state(), GuardState::LockedOut);
    assert_eq!(bench.guard.cause().unwrap(), "over-current: 40.0 A in a half cycle, 16.0 A allowed");
    assert_eq!((bench.guard.poll_at(), bench.guard.retry_at(), bench.guard.retries_left()), (None, None, 0));
    assert_eq!(bench.tell(Input::Instant(Trip::NoSamples)).tripped, None);
    assert_eq!(bench.windows(1000.0, |_| ()).map(|(_, outcome)| outcome.retry), Some(false));
    bench.set(|settings| settings.retries = 5);
    assert_eq!(bench.windows(1000.0, |_| ()), None, "more retries do not end a lock-out");
    assert!(bench.tell(Input::Rearm).rearmed);
    assert_eq!(bench.guard.state(), GuardState::Watching);
    assert_eq!(bench.guard.retries_left(), 5);
    assert!(!bench.tell(Input::Rearm).rearmed);
}

#[test]
fn retries_come_with_growing_pauses_and_end() {
    let mut bench = Bench::new(|settings| settings.retries = 3);
    for (pause, left) in [(60.0, 3), (120.0, 2), (240.0, 1)] {
        assert_eq!(bench.tell(Input::Instant(SHORT)).tripped, Some(SHORT));
        assert_eq!(bench.guard.state(), GuardState::WaitingToRetry);
        assert_eq!(bench.guard.retries_left(), left);
        assert_eq!(bench.retries_after(300.0, |_| ()), Some(pause));
        assert_eq!((bench.guard.state(), bench.guard.retries_left()), (GuardState::Retrying, left - 1));
        assert_eq!(bench.windows(30.0, |_| ()), None);
    }
    assert_eq!(bench.tell(Input::Instant(SHORT)).tripped, Some(SHORT));
    assert_eq!(bench.guard.state(), GuardState::LockedOut);
}

#[test]
fn a_retried_relay_that_stays_on_gets_its_retries_back() {
    // On the tick, by a reading, or by nothing but the time that went by until the next trip.
    for way in 0..3 {
        let mut bench = Bench::new(|settings| {
            settings.retries = 1;
            settings.retry_pause = Duration::from_secs(100);
        });
        let _ = bench.tell(Input::Instant(SHORT));
        bench.seconds = 100.0;
        assert!(bench.tell(Input::Tick).retry);
        // Time while it is off does not count.
        bench.switch(false);
        bench.seconds = 500.0;
        assert!(!bench.tell(Input::Tick).retry && bench.guard.state() == GuardState::Retrying);
        bench.switch(true);
        assert_eq!(bench.guard.poll_at(), Some(at(600.0).instant));
        bench.seconds = 599.9;
        assert_eq!((bench.tell(Input::Tick), bench.guard.retries_left()), (Outcome::default(), 0));
        bench.seconds = 600.0;
        let state = match way {
            0 => bench.tell(Input::Tick),
            1 => bench.window(|_| ()),
            _ => bench.tell(Input::Instant(SHORT)),
        };
        assert_eq!(state.tripped.is_some(), way == 2);
        let expected = if way == 2 { GuardState::WaitingToRetry } else { GuardState::Watching };
        assert_eq!((bench.guard.state(), bench.guard.retries_left()), (expected, 1), "{way}");
    }
}

#[test]
fn retries_can_be_cancelled_at_any_time() {
    let mut bench = Bench::new(|settings| settings.retries = 3);
    let _ = bench.tell(Input::CancelRetries);
    assert_eq!(bench.guard.retries_left(), 3, "there is nothing to cancel");
    let _ = bench.tell(Input::Instant(SHORT));
    let _ = bench.tell(Input::CancelRetries);
    assert_eq!((bench.guard.state(), bench.guard.poll_at()), (GuardState::LockedOut, None));
    assert!(bench.guard.cause().unwrap().starts_with("over-current"));
    assert_eq!(bench.windows(1000.0, |_| ()), None);
    assert!(bench.tell(Input::Rearm).rearmed);
    // While it is being retried: this one goes on, the next trip is the last.
    let _ = bench.tell(Input::Instant(SHORT));
    assert!(bench.retries_after(100.0, |_| ()).is_some());
    let _ = bench.tell(Input::CancelRetries);
    assert_eq!((bench.guard.state(), bench.guard.retries_left()), (GuardState::Retrying, 0));
    let _ = bench.tell(Input::Instant(SHORT));
    assert_eq!(bench.guard.state(), GuardState::LockedOut);
}

#[test]
fn fewer_retries_end_a_wait() {
    let mut bench = Bench::new(|settings| settings.retries = 3);
    let _ = bench.tell(Input::Instant(SHORT));
    bench.set(|settings| settings.retries = 1);
    assert_eq!(bench.guard.state(), GuardState::WaitingToRetry);
    bench.set(|settings| settings.retries = 0);
    assert_eq!(bench.guard.state(), GuardState::LockedOut);
}

#[test]
fn a_further_trip_puts_the_retry_off_and_is_told_if_it_is_another() {
    let mut bench = Bench::new(|settings| settings.retries = 1);
    let _ = bench.tell(Input::Instant(SHORT));
    bench.seconds = 50.0;
    assert_eq!(bench.tell(Input::Instant(SHORT)).tripped, None);
    assert_eq!(bench.guard.retry_at(), Some(at(110.0).instant));
    bench.seconds = 100.0;
    let clipped = Trip::ClippedCurrent { limit: Amperes(16.0) };
    assert_eq!(bench.tell(Input::Instant(clipped)).tripped, Some(clipped));
    assert_eq!(bench.guard.retry_at(), Some(at(160.0).instant));
    assert_eq!(bench.retries_after(100.0, |_| ()), Some(60.0));
}

#[test]
fn nothing_is_retried_against_another_protection_or_a_welded_contact() {
    let mut bench = Bench::new(|settings| {
        settings.retries = 1;
        settings.voltage_max_v = Some(253.0);
    });
    let _ = bench.tell(Input::Instant(SHORT));
    assert_eq!(bench.windows(100.0, volts(260.0)), None);
    assert_eq!(bench.guard.poll_at(), None);
    assert_eq!(bench.retries_after(1.0, volts(250.0)), Some(0.2));
    let mut bench = Bench::new(|settings| settings.retries = 1);
    let _ = bench.tell(Input::Instant(SHORT));
    assert!(bench.windows(10.0, amperes(3.0)).unwrap().1.alarm_changed);
    assert_eq!(bench.windows(100.0, amperes(3.0)), None);
    let (_, outcome) = bench.windows(10.0, |_| ()).unwrap();
    assert!(outcome.retry && outcome.alarm_changed);
}

#[test]
fn a_lock_out_survives_the_start_and_the_start_ends_none() {
    let mut guard = Guard::new(HARDWARE);
    let settings = ProtectionSettings { retries: 3, ..ProtectionSettings::default() };
    guard.set_settings(at(0.0), &settings);
    let cause = SHORT.cause();
    let start = |locked_out| Input::Start { locked_out, budget_used_wh: 0.0, day: None };
    assert_eq!(guard.handle(at(0.1), start(Some(cause.clone()))), Outcome::default());
    assert_eq!((guard.state(), guard.cause(), guard.poll_at()), (GuardState::LockedOut, Some(cause), None));
    let _ = guard.handle(at(0.2), start(None));
    assert!(guard.is_locked_out());
    assert!(guard.handle(at(0.3), Input::Rearm).rearmed && !guard.is_locked_out());
}

#[test]
fn the_status_is_json_with_limits_and_margins() {
    let mut bench = Bench::new(|settings| {
        settings.power_limit_w = Some(2000.0);
        settings.voltage_max_v = Some(253.0);
        settings.retries = 2;
    });
    let _ = bench.window(|reading| {
        reading.active_power = Watts(1500.0);
        reading.half_cycle.current_max = Some(Amperes(7.0));
    });
    let json = serde_json::to_value(bench.guard.status(at(bench.seconds))).unwrap();
    assert_eq!(json["state"], "watching");
    assert_eq!(json["limits"]["current_limit_a"], 16.0);
    assert_eq!(json["limits"]["voltage_min_v"], serde_json::Value::Null);
    assert_eq!(json["margins"]["current_a"], 9.0);
    assert_eq!(json["margins"]["power_w"], 500.0);
    assert_eq!(json["margins"]["voltage_max_v"], 23.0);
    assert_eq!(json["thermal_pct"], 0.0);
    assert_eq!(json["budget"]["used_wh"], 0.083_333_333);
    let _ = bench.tell(Input::Instant(SHORT));
    let json = serde_json::to_value(bench.guard.status(at(bench.seconds + 10.0))).unwrap();
    assert_eq!(json["state"], "waiting_to_retry");
    assert_eq!((&json["retry_in_s"], &json["retry_waits_for"]), (&50.0.into(), &"pause".into()));
    assert_eq!(json["retries_left"], 2);
}

#[test]
fn the_guard_is_small() {
    assert!(size_of::<Guard>() <= 1024, "{}", size_of::<Guard>());
}
