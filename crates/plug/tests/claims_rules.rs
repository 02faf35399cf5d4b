//! Each rule of the claims machine (`plug::core::claims`), by example.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod claims_support;

use claims_support::{at, cause, hand, reading, seconds, wants, with};
use plug::core::claims::{
    Actions, Claims, Class, DelayReason, Memory, Refusal, RelayChange, Source, Until, Wish,
};
use plug::settings::schema::{ManualUntil, PowerOn, RelaySettings};

fn power_on(power_on: PowerOn) -> RelaySettings {
    RelaySettings { power_on, ..RelaySettings::default() }
}

/// Started, with this power-on state.
fn started(settings: &RelaySettings) -> Claims {
    let mut claims = with(settings);
    let _ = claims.start(at(0), &Memory::default(), 0.0);
    claims
}

fn off() -> Claims {
    started(&power_on(PowerOn::Off))
}

fn change(actions: Actions) -> RelayChange {
    actions.change.expect("a change")
}

/// Who decides, and what the newest change says.
fn told(claims: &Claims) -> (bool, Class, Source, String) {
    let status = claims.status(at(0).instant, None);
    let holder = status.claims.iter().find(|claim| claim.holds).unwrap();
    (status.on, holder.class, status.commanded_by, status.reason.to_string())
}

#[test]
fn the_power_on_state_is_taken_from_settings_and_memory() {
    let locked = Some(cause("over-current"));
    let last = |on| Memory { on, ..Memory::default() };
    let table = [
        (PowerOn::Off, last(Some(true)), false, "off after power-up, as set"),
        (PowerOn::On, last(Some(false)), true, "on after power-up, as set"),
        (PowerOn::Last, last(Some(true)), true, "on after power-up, as before it"),
        (PowerOn::Last, last(Some(false)), false, "off after power-up, as before it"),
        (PowerOn::Last, last(None), true, "on after power-up, nobody has switched it yet"),
        (
            PowerOn::Last,
            Memory { bad_starts_in_a_row: 2, ..last(Some(true)) },
            true,
            "on after power-up, as before it",
        ),
        (
            PowerOn::On,
            Memory { bad_starts_in_a_row: 3, planned_restart_kept_on: true, ..last(Some(true)) },
            false,
            "off after power-up: 3 starts in a row ended badly",
        ),
        (
            PowerOn::Off,
            Memory { planned_restart_kept_on: true, ..last(Some(true)) },
            true,
            "on as before, held over a planned restart",
        ),
        (
            PowerOn::Last,
            Memory { planned_restart_kept_on: true, ..last(Some(false)) },
            false,
            "off after power-up, as before it",
        ),
        (
            PowerOn::On,
            Memory { locked_out: locked.clone(), planned_restart_kept_on: true, ..last(Some(true)) },
            false,
            "still locked out after the start; over-current",
        ),
    ];
    for (set, memory, on, words) in table {
        let mut claims = with(&power_on(set));
        assert!(!claims.is_on());
        let actions = claims.start(at(0), &memory, 0.0);
        assert_eq!(actions.relay, Some(on), "{set:?} {memory:?}");
        let change = change(actions);
        assert_eq!((change.on, change.source, change.cause.as_str()), (on, Source::PowerOn, words));
        assert_eq!(change.locked_out, memory.locked_out.is_some());
        assert_eq!(claims.is_on(), on);
    }
}

#[test]
fn a_lock_out_is_one_from_the_start_on_and_the_guard_adds_nothing() {
    let mut claims = with(&power_on(PowerOn::Last));
    let memory = Memory { on: Some(true), locked_out: Some(cause("over-current")), ..Memory::default() };
    let _ = claims.start(at(0), &memory, 0.0);
    assert_eq!(claims.protect(at(0), Some(cause("over-current"))), Actions::default());
    assert_eq!(hand(&mut claims, at(1000), Wish::Set(true), None), Err(Refusal::LockedOut));
    // With `last` it does not even want to.
    let lifted = claims.protect(at(2000), None);
    assert_eq!((lifted.relay, claims.is_on()), (None, false));
    assert_eq!(change(lifted).cause, "no longer locked out; off after power-up, it was locked out before");
}

#[test]
fn the_start_delay_holds_back_everybody_but_a_person() {
    let settings =
        RelaySettings { start_delay: seconds(10), start_delay_random: seconds(20), ..power_on(PowerOn::On) };
    let mut claims = with(&settings);
    let actions = claims.start(at(0), &Memory::default(), 0.5);
    assert_eq!(actions.relay, Some(false));
    assert_eq!(change(actions).cause, "waits 20.0 s (start delay); on after power-up, as set");
    assert_eq!(claims.poll_at(), Some(at(20_000).instant));
    let status = claims.status(at(5000).instant, None);
    assert_eq!((status.delayed_s, status.delay_reason), (Some(15.0), Some(DelayReason::StartDelay)));
    // The schedule as well: it would switch on a whole street at once.
    assert_eq!(claims.schedule(at(6000), wants(true, true)).relay, None);
    assert_eq!(claims.poll_at(), Some(at(20_000).instant));
    assert_eq!(claims.tick(at(19_999)), Actions::default());
    let actions = claims.tick(at(20_000));
    assert_eq!(actions.relay, Some(true));
    let change = change(actions);
    assert_eq!(
        (change.cause.as_str(), change.source),
        ("waited (start delay); schedule: on", Source::Schedule)
    );
    assert_eq!(claims.poll_at(), None);

    let mut claims = with(&settings);
    let _ = claims.start(at(0), &Memory::default(), 2.0);
    assert_eq!(claims.poll_at(), Some(at(30_000).instant), "chance has an end");
    assert_eq!(hand(&mut claims, at(1000), Wish::Set(true), None).unwrap().relay, Some(true));

    let mut claims = with(&settings);
    let kept = Memory { planned_restart_kept_on: true, ..Memory::default() };
    assert_eq!(claims.start(at(0), &kept, 0.5).relay, Some(true));
    assert_eq!(claims.status(at(0).instant, None).switch_count, 0, "it has been on all the time");
}

#[test]
fn nothing_switches_it_on_before_the_start() {
    let mut claims = with(&power_on(PowerOn::On));
    let too_soon = Refusal::TooSoon { wait: seconds(1), why: DelayReason::StartDelay };
    assert_eq!(hand(&mut claims, at(0), Wish::Set(true), None), Err(too_soon));
    assert_eq!(claims.schedule(at(1), wants(true, true)).relay, None);
    let status = claims.status(at(2).instant, None);
    assert_eq!((status.delayed_s, status.delay_reason), (None, Some(DelayReason::StartDelay)));
    assert_eq!((claims.tick(at(3)), claims.poll_at()), (Actions::default(), None));
    // An off is heard.
    assert_eq!(hand(&mut claims, at(4), Wish::Set(false), None).unwrap().relay, None);
    assert_eq!(claims.start(at(5), &Memory::default(), 0.0).relay, Some(false));
}

#[test]
fn the_highest_class_decides_and_the_others_are_told() {
    let mut claims = started(&power_on(PowerOn::On));
    assert_eq!(claims.schedule(at(1000), wants(false, true)).relay, Some(false));
    assert_eq!(hand(&mut claims, at(2000), Wish::Set(true), None).unwrap().relay, Some(true));
    assert_eq!(hand(&mut claims, at(3000), Wish::Set(true), Some(60)).unwrap().relay, None);
    assert_eq!(claims.protect(at(4000), Some(cause("over-current"))).relay, Some(false));
    let status = claims.status(at(5000).instant, Some(false));
    let rows: Vec<_> =
        status.claims.iter().map(|claim| (claim.class, claim.on, claim.until, claim.holds)).collect();
    assert_eq!(
        rows,
        [
            (Class::Protection, false, None, true),
            (Class::Manual, true, Some(Until::Time), false),
            (Class::Timer, true, Some(Until::Schedule), false),
            (Class::Schedule, false, None, false),
            (Class::PowerOn, true, None, false),
        ]
    );
    assert_eq!((status.claims[1].ends_in_s, status.remaining_s), (Some(58.0), None));
    assert!(status.locked_out);
    assert_eq!((status.switch_count, status.measured), (4, Some(false)));
}

#[test]
fn a_hold_goes_back_to_what_was_before_the_first_one() {
    let mut claims = off();
    assert_eq!(hand(&mut claims, at(1000), Wish::Set(true), Some(10)).unwrap().relay, Some(true));
    assert_eq!(hand(&mut claims, at(5000), Wish::Set(true), Some(10)).unwrap().relay, None);
    assert_eq!(claims.poll_at(), Some(at(15_000).instant));
    assert_eq!(claims.tick(at(14_999)), Actions::default());
    assert_eq!(claims.tick(at(15_000)).relay, Some(false));
    let words = "the time asked for is over; off after power-up, as set".to_string();
    assert_eq!(told(&claims), (false, Class::PowerOn, Source::Timer, words));
    assert_eq!(claims.poll_at(), None);

    // What was wished by hand before comes back as well, although the power-on state says otherwise.
    for first in [false, true] {
        let mut claims = started(&power_on(if first { PowerOn::Off } else { PowerOn::On }));
        let _ = hand(&mut claims, at(1000), Wish::Set(first), None).unwrap();
        let _ = hand(&mut claims, at(2000), Wish::Toggle, Some(10)).unwrap();
        let _ = hand(&mut claims, at(3000), Wish::Toggle, Some(10)).unwrap();
        let _ = hand(&mut claims, at(4000), Wish::Set(!first), Some(10)).unwrap();
        assert_eq!(claims.tick(at(14_000)).relay, Some(first));
        assert_eq!((told(&claims).1, told(&claims).2), (Class::Timer, Source::Timer));
    }
}

#[test]
fn a_later_wish_ends_a_hold() {
    let mut claims = started(&power_on(PowerOn::On));
    assert_eq!(hand(&mut claims, at(1000), Wish::Toggle, Some(10)).unwrap().relay, Some(false));
    let actions = hand(&mut claims, at(2000), Wish::Set(false), None).unwrap();
    assert_eq!((actions.relay, change(actions).cause.as_str()), (None, "switched off by hand"));
    assert_eq!(claims.poll_at(), None);
    assert_eq!(claims.tick(at(100_000)), Actions::default());
}

#[test]
fn an_edge_ends_what_was_wished_by_hand_unless_set_otherwise() {
    for (until, on) in [(ManualUntil::Schedule, false), (ManualUntil::Released, true)] {
        let mut claims = started(&RelaySettings { manual_until: until, ..power_on(PowerOn::Off) });
        let _ = claims.schedule(at(0), wants(true, true));
        let _ = hand(&mut claims, at(1000), Wish::Set(false), None).unwrap();
        let _ = hand(&mut claims, at(2000), Wish::Set(true), None).unwrap();
        assert_eq!(claims.schedule(at(3000), wants(false, false)).change, None, "not an edge");
        let actions = claims.schedule(at(4000), wants(false, true));
        assert_eq!((actions.relay, claims.is_on()), ((!on).then_some(false), on));
        assert_eq!(actions.change.map(|change| change.source), (!on).then_some(Source::Schedule));
    }
}

#[test]
fn a_hold_outlives_an_edge_but_not_what_it_would_go_back_to() {
    let mut claims = off();
    let _ = claims.schedule(at(0), wants(false, true));
    let _ = hand(&mut claims, at(1000), Wish::Set(false), None).unwrap();
    let _ = hand(&mut claims, at(2000), Wish::Set(true), Some(60)).unwrap();
    assert_eq!(claims.schedule(at(3000), wants(true, true)), Actions::default());
    let actions = claims.tick(at(62_000));
    assert_eq!((actions.relay, claims.is_on()), (None, true));
    let change = change(actions);
    assert_eq!((change.source, change.class), (Source::Timer, Class::Schedule));
    assert_eq!(change.cause, "the time asked for is over; schedule: on");
}

#[test]
fn an_edge_to_the_same_state_is_a_change_of_who_decides() {
    let mut claims = started(&power_on(PowerOn::On));
    let actions = claims.schedule(at(1000), wants(true, true));
    assert_eq!((actions.relay, change(actions).source), (None, Source::Schedule));
    assert_eq!(claims.schedule(at(2000), wants(true, false)), Actions::default());
    assert!(claims.schedule(at(3000), wants(true, true)).change.is_some());
    let actions = claims.schedule(at(4000), None);
    assert_eq!(change(actions).cause, "no schedule any more; on after power-up, as set");
    assert_eq!(claims.schedule(at(5000), None), Actions::default());
}

#[test]
fn a_release_lets_whoever_is_below_decide() {
    let mut claims = off();
    assert_eq!(hand(&mut claims, at(0), Wish::Release, None), Ok(Actions::default()));
    let _ = hand(&mut claims, at(1000), Wish::Set(true), None).unwrap();
    let _ = hand(&mut claims, at(2000), Wish::Set(true), Some(60)).unwrap();
    let actions = hand(&mut claims, at(3000), Wish::Release, None).unwrap();
    assert_eq!(actions.relay, Some(false));
    assert_eq!(change(actions).cause, "released by hand; off after power-up, as set");
    assert_eq!((claims.poll_at(), claims.tick(at(62_000))), (None, Actions::default()));
}

#[test]
fn inching_ends_each_on_by_hand() {
    let mut claims = started(&RelaySettings { inching: Some(seconds(5)), ..power_on(PowerOn::Off) });
    let actions = hand(&mut claims, at(1000), Wish::Toggle, None).unwrap();
    assert_eq!(change(actions).cause, "switched on by hand for 5.0 s (inching)");
    assert_eq!(claims.tick(at(6000)).relay, Some(false));
    // An own time counts more, and an off is for good.
    let _ = hand(&mut claims, at(10_000), Wish::Set(true), Some(20)).unwrap();
    assert_eq!(claims.poll_at(), Some(at(30_000).instant));
    let _ = hand(&mut claims, at(11_000), Wish::Set(false), None).unwrap();
    assert_eq!(claims.poll_at(), None);
    // Set while it is on for good by hand: the next on ends all the same.
    let mut claims = off();
    let _ = hand(&mut claims, at(1000), Wish::Set(true), None).unwrap();
    let settings = RelaySettings { inching: Some(seconds(5)), ..power_on(PowerOn::Off) };
    let _ = claims.set_settings(at(2000), &settings);
    let _ = hand(&mut claims, at(3000), Wish::Set(true), None).unwrap();
    assert_eq!(claims.tick(at(8000)).relay, Some(false));
}

#[test]
fn while_locked_out_an_off_is_heard_for_later_and_an_on_is_refused() {
    let mut claims = started(&power_on(PowerOn::On));
    let _ = claims.protect(at(1000), Some(cause("over-power")));
    assert_eq!(hand(&mut claims, at(2000), Wish::Set(true), None), Err(Refusal::LockedOut));
    assert_eq!(hand(&mut claims, at(2000), Wish::Toggle, None), Err(Refusal::LockedOut));
    let actions = hand(&mut claims, at(3000), Wish::Set(false), None).unwrap();
    assert_eq!(actions.relay, None);
    let noted = change(actions);
    assert_eq!(
        (noted.cause.as_str(), noted.class),
        ("switched off by hand; still over-power", Class::Protection)
    );
    assert!(noted.locked_out);
    // The status still says why it is open.
    assert_eq!(told(&claims), (false, Class::Protection, Source::Protection, "over-power".to_string()));
    let retry = claims.retry(at(4000));
    assert_eq!(
        (retry.relay, change(retry).cause.as_str()),
        (None, "tries again after a trip; switched off by hand")
    );
}

#[test]
fn a_retry_brings_back_what_stood_below() {
    let mut claims = off();
    assert_eq!(claims.retry(at(0)), Actions::default());
    let _ = hand(&mut claims, at(1000), Wish::Set(true), None).unwrap();
    assert_eq!(claims.protect(at(2000), Some(cause("over-power"))).relay, Some(false));
    assert_eq!(claims.protect(at(2000), Some(cause("over-power"))), Actions::default());
    let actions = claims.retry(at(62_000));
    assert_eq!(actions.relay, Some(true));
    let change = change(actions);
    assert_eq!((change.source, change.class, change.locked_out), (Source::Retry, Class::Manual, false));
    assert_eq!(change.cause, "tries again after a trip; switched on by hand");
}

#[test]
fn after_a_re_arm_it_stays_off_until_somebody_wants_it() {
    for by_hand in [true, false] {
        let mut claims = started(&power_on(PowerOn::On));
        let _ = claims.schedule(at(0), wants(true, true));
        assert_eq!(claims.rearmed(at(0), Source::Web), Actions::default(), "nothing to re-arm");
        let _ = claims.protect(at(1000), Some(cause("over-power")));
        let actions = claims.rearmed(at(2000), Source::Button);
        assert_eq!(actions.relay, None);
        let change = change(actions);
        assert_eq!((change.source, change.class, change.locked_out), (Source::Button, Class::Manual, false));
        assert_eq!(change.cause, "re-armed by hand; still off");
        assert_eq!(claims.tick(at(100_000)), Actions::default());
        let actions = if by_hand {
            hand(&mut claims, at(200_000), Wish::Set(true), None).unwrap()
        } else {
            claims.schedule(at(200_000), wants(true, true))
        };
        assert_eq!(actions.relay, Some(true));
    }
}

#[test]
fn off_when_idle_ends_every_claim_for_on_down_to_the_first_for_off() {
    let idle =
        RelaySettings { idle_off_below_w: Some(5.0), idle_off_after: seconds(60), ..power_on(PowerOn::On) };
    let mut claims = started(&idle);
    let _ = claims.schedule(at(0), wants(true, true));
    let _ = hand(&mut claims, at(1000), Wish::Set(true), None).unwrap();
    assert_eq!(claims.note(at(2000), &reading(-4.9)), Actions::default());
    assert_eq!(claims.note(at(50_000), &reading(-5.0)), Actions::default(), "busy");
    assert_eq!(claims.note(at(51_000), &reading(1.0)), Actions::default());
    assert_eq!(claims.note(at(110_999), &reading(1.0)), Actions::default());
    let actions = claims.note(at(111_000), &reading(2.0));
    assert_eq!(actions.relay, Some(false));
    let change = change(actions);
    assert_eq!((change.source, change.class), (Source::Idle, Class::PowerOn));
    assert_eq!(change.cause, "under 5.0 W for 60.0 s; off when idle");
    assert_eq!((change.active_power_w, change.reading_sequence), (Some(2.0), Some(7)));
    assert_eq!((change.voltage_v, change.current_a), (Some(230.0), Some(0.5)));
    assert_eq!(claims.note(at(500_000), &reading(0.0)), Actions::default(), "off already");
    // The schedule rests until its next edge.
    assert_eq!(claims.schedule(at(600_000), wants(true, false)), Actions::default());
    assert_eq!(claims.schedule(at(700_000), wants(true, true)).relay, Some(true));
}

#[test]
fn off_when_idle_leaves_what_wants_it_off_in_charge() {
    let idle =
        RelaySettings { idle_off_below_w: Some(5.0), idle_off_after: seconds(60), ..power_on(PowerOn::Off) };
    let mut claims = started(&idle);
    let _ = claims.schedule(at(0), wants(false, true));
    let _ = hand(&mut claims, at(1000), Wish::Set(true), None).unwrap();
    let _ = claims.note(at(2000), &reading(0.0));
    // Switched meanwhile: the time begins anew.
    let _ = hand(&mut claims, at(30_000), Wish::Set(false), None).unwrap();
    let _ = hand(&mut claims, at(31_000), Wish::Set(true), None).unwrap();
    assert_eq!(claims.note(at(62_000), &reading(f64::NAN)), Actions::default());
    assert_eq!(claims.note(at(63_000), &reading(0.0)), Actions::default());
    let change = change(claims.note(at(123_000), &reading(0.0)));
    assert_eq!(
        (change.class, change.cause.as_str()),
        (Class::Schedule, "under 5.0 W for 60.0 s; schedule: off")
    );
}

#[test]
fn minimum_times_refuse_a_person_and_delay_everybody_else() {
    let settings =
        RelaySettings { minimum_on: seconds(30), minimum_off: seconds(20), ..power_on(PowerOn::Off) };
    let mut claims = started(&settings);
    let too_soon = |wait, why| Err(Refusal::TooSoon { wait: seconds(wait), why });
    let off_time = |wait| too_soon(wait, DelayReason::MinimumOff);
    // How long it was off before the start nobody knows.
    assert_eq!(hand(&mut claims, at(15_000), Wish::Set(true), None), off_time(5));
    let _ = hand(&mut claims, at(20_000), Wish::Set(true), None).unwrap();
    assert_eq!(
        hand(&mut claims, at(21_000), Wish::Set(false), None).unwrap().relay,
        Some(false),
        "never an off"
    );
    assert_eq!(hand(&mut claims, at(22_000), Wish::Toggle, None), too_soon(28, DelayReason::MinimumOn));
    // The schedule waits.
    let actions = claims.schedule(at(23_000), wants(true, true));
    assert_eq!(actions.relay, None);
    let waits = change(actions);
    assert_eq!(waits.cause, "waits 27.0 s (minimum on time); schedule: on");
    assert!(!waits.on);
    assert_eq!(claims.poll_at(), Some(at(50_000).instant));
    assert_eq!(claims.status(at(40_000).instant, None).delayed_s, Some(10.0));
    let actions = claims.tick(at(50_000));
    assert_eq!(
        (actions.relay, change(actions).cause.as_str()),
        (Some(true), "waited (minimum on time); schedule: on")
    );
    assert_eq!(
        hand(&mut claims, at(51_000), Wish::Set(true), None).unwrap().relay,
        None,
        "it is on: no switching"
    );
    // A retry waits as well, and shorter times count at once.
    assert_eq!(claims.protect(at(90_000), Some(cause("over-power"))).relay, Some(false));
    assert_eq!(claims.retry(at(95_000)).relay, None);
    assert_eq!(claims.status(at(95_000).instant, None).delay_reason, Some(DelayReason::MinimumOff));
    let actions = claims.set_settings(at(100_000), &power_on(PowerOn::Off));
    assert_eq!((actions.relay, change(actions).source), (Some(true), Source::Retry));
}

#[test]
fn switchings_a_minute_are_counted_over_a_sliding_minute() {
    let mut claims = started(&RelaySettings { switchings_a_minute: 3, ..power_on(PowerOn::Off) });
    let _ = hand(&mut claims, at(1000), Wish::Toggle, None).unwrap();
    let _ = hand(&mut claims, at(2000), Wish::Toggle, None).unwrap();
    let _ = hand(&mut claims, at(3000), Wish::Toggle, None).unwrap();
    assert_eq!(
        hand(&mut claims, at(4000), Wish::Toggle, None).unwrap().relay,
        Some(false),
        "the fourth, an off"
    );
    let refused = Err(Refusal::TooSoon { wait: seconds(57), why: DelayReason::Switchings });
    assert_eq!(hand(&mut claims, at(5000), Wish::Toggle, None), refused);
    assert_eq!(hand(&mut claims, at(62_000), Wish::Toggle, None).unwrap().relay, Some(true));
}

#[test]
fn the_guards_wishes_are_not_this_machines() {
    let mut claims = off();
    let _ = claims.protect(at(1000), Some(cause("over-power")));
    for wish in [Wish::Rearm, Wish::CancelRetries] {
        assert_eq!(hand(&mut claims, at(2000), wish, None), Ok(Actions::default()));
    }
    assert!(claims.status(at(2000).instant, None).locked_out);
}

#[test]
fn the_status_and_the_log_have_the_agreed_shapes() {
    let mut claims = off();
    let logged = change(hand(&mut claims, at(1000), Wish::Set(true), Some(60)).unwrap());
    let mut buffer = [0; 4096];
    let length = serde_json_core::to_slice(&claims.status(at(11_000).instant, None), &mut buffer).unwrap();
    let expected = serde_json::json!({
        "on": true, "measured": null, "commanded_by": "web", "reason": "switched on by hand for 60.0 s",
        "since": null, "since_uptime_s": 1.0, "remaining_s": 50.0, "locked_out": false, "switch_count": 1,
        "claims": [
            {"class": "manual", "source": "web", "on": true, "cause": "switched on by hand for 60.0 s",
             "since": null, "since_uptime_s": 1.0, "ends_in_s": 50.0, "until": "time", "holds": true},
            {"class": "power_on", "source": "power_on", "on": false, "cause": "off after power-up, as set",
             "since": null, "since_uptime_s": 0.0, "ends_in_s": null, "until": null, "holds": false},
        ],
        "delayed_s": null, "delay_reason": null, "trip": null, "retry_in_s": null, "retries_left": 0,
        "alarm": null, "schedule": {"state": "off", "reason": "", "next": null},
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&buffer[..length]).unwrap(), expected);
    let length = serde_json_core::to_slice(&logged, &mut buffer).unwrap();
    let expected = serde_json::json!({
        "number": 0, "time": null, "uptime_s": 1.0, "start": 0, "on": true, "source": "web", "class": "manual",
        "cause": "switched on by hand for 60.0 s", "locked_out": false, "reading_sequence": null,
        "active_power_w": null, "current_a": null, "voltage_v": null,
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&buffer[..length]).unwrap(), expected);
}

#[test]
fn the_machine_stays_small() {
    assert!(size_of::<Claims>() <= 1088, "{} bytes", size_of::<Claims>());
}
