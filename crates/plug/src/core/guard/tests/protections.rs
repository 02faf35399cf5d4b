//! Table tests of each protection and each alarm.

use core::time::Duration;

use metering::energy::Energy;
use metering::quality::Flag;
use metering::reading::Reading;
use metering::units::{Amperes, Volts};

use super::*;
use crate::core::guard::{AlarmKind, RetryWaits};

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
