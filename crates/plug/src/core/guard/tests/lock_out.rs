//! Tests of each transition after a trip, and of what the guard tells.

use core::time::Duration;

use metering::units::{Amperes, Watts};

use super::*;
use crate::core::guard::GuardState;

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
