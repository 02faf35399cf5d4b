//! The machine in simulated time: first answers, steps, disagreeing servers, sources that come and go.

use super::*;
use proptest::prelude::*;

/// 2026-11-30.
const NOW_S: f64 = 1_795_996_800.0;

fn at(seconds: f64) -> Instant {
    Instant::from_start(Duration::from_secs_f64(seconds))
}

/// What a source says at so many seconds after the start, if the plug was started at `NOW_S + off_s`.
fn says(source: Source, uptime_s: f64, off_s: f64, uncertainty_s: f64) -> Answer {
    Answer { source, unix_s: NOW_S + off_s + uptime_s, uncertainty_s, at: at(uptime_s) }
}

fn ntp(uptime_s: f64, off_s: f64) -> Answer {
    says(Source::Ntp, uptime_s, off_s, 0.01)
}

fn known() -> Timekeeper {
    let mut keeper = Timekeeper::new();
    assert_eq!(keeper.handle(ntp(10.0, 0.0)), Verdict::First);
    keeper
}

#[test]
fn the_first_answer_is_taken_at_once() {
    let mut keeper = Timekeeper::new();
    assert_eq!((keeper.offset_s(), keeper.quality(at(5.0)), keeper.doubt_now(at(5.0))), (None, None, None));
    assert_eq!(keeper.handle(says(Source::Browser, 10.0, 3.0, 1.0)), Verdict::First);
    assert_eq!(keeper.offset_s(), Some(NOW_S + 3.0));
    let quality = keeper.quality(at(10.0)).unwrap();
    assert_eq!(quality, Quality { source: Source::Browser, uncertainty_s: 1.0, age_s: 0.0 });
}

#[test]
fn what_no_clock_says_is_not_taken() {
    let mut keeper = Timekeeper::new();
    let answer = ntp(10.0, 0.0);
    for unix_s in
        [0.0, EARLIEST_S - 0.001, LATEST_S, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX]
    {
        assert_eq!(keeper.handle(Answer { unix_s, ..answer }), Verdict::Implausible, "{unix_s}");
    }
    for uncertainty_s in [-0.001, 60.001, f64::NAN, f64::INFINITY] {
        assert_eq!(
            keeper.handle(Answer { uncertainty_s, ..answer }),
            Verdict::Implausible,
            "{uncertainty_s}"
        );
    }
    assert_eq!(keeper.offset_s(), None);
    assert_eq!(keeper.handle(Answer { unix_s: EARLIEST_S, ..answer }), Verdict::First);
    // Nor later, not even three times.
    for _ in 0..5 {
        assert_eq!(keeper.handle(Answer { unix_s: LATEST_S, ..answer }), Verdict::Implausible);
    }
    assert_eq!(keeper.offset_s(), Some(EARLIEST_S - 10.0));
}

#[test]
fn the_uncertainty_grows_by_50_ppm() {
    let keeper = known();
    let quality = keeper.quality(at(10.0 + 86_400.0)).unwrap();
    assert!((quality.uncertainty_s - (0.01 + 4.32)).abs() < 1e-9, "{quality:?}");
    assert_eq!(quality.age_s, 86_400.0);
}

#[test]
fn small_steps_are_taken_at_once_in_both_directions() {
    let mut keeper = known();
    assert_eq!(keeper.handle(ntp(3610.0, 0.5)), Verdict::Moved(0.5));
    assert_eq!(keeper.handle(ntp(7210.0, -3599.0)), Verdict::Moved(-3599.5));
    assert_eq!(keeper.offset_s(), Some(NOW_S - 3599.0));
}

/// A poll that took long says nothing against one that did not.
#[test]
fn what_is_known_less_well_does_not_replace_what_is_known_well() {
    let mut keeper = known();
    assert_eq!(keeper.handle(says(Source::Ntp, 70.0, 0.75, 1.0)), Verdict::Confirmed);
    assert_eq!(keeper.offset_s(), Some(NOW_S));
    // Beyond what both know of themselves one of them is wrong: the newer one is believed.
    assert_eq!(keeper.handle(says(Source::Ntp, 70.0, 1.25, 1.0)), Verdict::Moved(1.25));
    // What was known well grows old.
    assert_eq!(keeper.handle(says(Source::Ntp, 70.0 + 86_400.0, 1.0, 2.0)), Verdict::Moved(-0.25));
}

#[test]
fn a_step_of_over_an_hour_needs_three_answers_that_agree() {
    for off_s in [3640.0, -3640.0, 1e8] {
        let mut keeper = known();
        assert_eq!(keeper.handle(ntp(20.0, off_s)), Verdict::Doubted { by_s: off_s, missing: 2 });
        assert_eq!(keeper.doubt_now(at(20.0)), Some(Doubt { answers: 1, by_s: off_s, first: false }));
        assert_eq!(
            keeper.handle(ntp(84.0, off_s + 30.0)),
            Verdict::Doubted { by_s: off_s + 30.0, missing: 1 }
        );
        assert_eq!(keeper.offset_s(), Some(NOW_S));
        assert_eq!(keeper.handle(ntp(148.0, off_s - 10.0)), Verdict::Moved(off_s - 10.0));
        assert_eq!((keeper.offset_s(), keeper.doubt_now(at(148.0))), (Some(NOW_S + off_s - 10.0), None));
    }
}

#[test]
fn answers_that_agree_with_nobody_are_never_taken() {
    let mut keeper = known();
    for turn in 1..100 {
        let answer = ntp(f64::from(turn) * 64.0, 7200.0 * f64::from(turn));
        assert!(matches!(keeper.handle(answer), Verdict::Doubted { missing: 2, .. }), "{turn}");
    }
    assert_eq!(keeper.offset_s(), Some(NOW_S));
}

/// One of three servers is wrong, and they are asked in turn: its answers never come together, however long it lasts.
#[test]
fn one_wrong_server_of_three_is_never_believed() {
    let mut keeper = known();
    for turn in 0..300 {
        let off_s = if turn % 3 == 0 { 7200.0 } else { 0.0 };
        let verdict = keeper.handle(ntp(f64::from(turn) * 3600.0, off_s));
        assert_eq!(verdict.agrees(), off_s == 0.0, "{turn}: {verdict:?}");
    }
    assert_eq!(keeper.offset_s(), Some(NOW_S));
}

/// The wrong one was the first to be asked: the others win all the same.
#[test]
fn two_right_servers_win_against_a_wrong_first_one() {
    let mut keeper = Timekeeper::new();
    let mut turns = 0;
    while keeper.offset_s() != Some(NOW_S) {
        let off_s = if turns % 3 == 0 { 7200.0 } else { 0.0 };
        keeper.handle(ntp(f64::from(turns) * 64.0, off_s));
        turns += 1;
        assert!(turns <= 6, "not yet after {turns}");
    }
}

#[test]
fn doubts_do_not_outlast_four_hours() {
    let mut keeper = known();
    assert!(matches!(keeper.handle(ntp(20.0, 7200.0)), Verdict::Doubted { missing: 2, .. }));
    assert!(matches!(keeper.handle(ntp(84.0, 7200.0)), Verdict::Doubted { missing: 1, .. }));
    let last_s = DOUBT_LASTS.as_secs_f64();
    assert!(keeper.doubt_now(at(83.0 + last_s)).is_some());
    assert_eq!(keeper.doubt_now(at(84.0 + last_s)), None);
    assert!(matches!(keeper.handle(ntp(84.0 + last_s, 7200.0)), Verdict::Doubted { missing: 2, .. }));
}

/// Whoever reads the same clock again at once says nothing new.
#[test]
fn answers_within_a_minute_are_one() {
    let mut keeper = known();
    for uptime_s in [20.0, 20.3, 21.0, 50.0, 83.9] {
        let verdict = keeper.handle(ntp(uptime_s, 7200.0));
        assert!(matches!(verdict, Verdict::Doubted { missing: 2, .. }), "{uptime_s}: {verdict:?}");
    }
    // However often it is said, each minute counts.
    let turns = (0..100).map(|turn| 84.0 + f64::from(turn));
    let taken = turns.into_iter().find(|uptime_s| keeper.handle(ntp(*uptime_s, 7200.0)).agrees());
    assert_eq!(taken, Some(148.0));
}

/// The log's newest row is of that time.
fn with_floor(before_s: f64) -> Timekeeper {
    let mut keeper = Timekeeper::new();
    keeper.set_floor(Some(NOW_S - before_s));
    keeper
}

#[test]
fn a_first_answer_that_goes_with_the_log_is_taken_at_once() {
    for before_s in [-60.0, 0.0, 10.0, 86_400.0, 300.0 * 86_400.0] {
        let mut keeper = with_floor(before_s);
        assert_eq!(keeper.handle(ntp(5.0, 0.0)), Verdict::First, "{before_s}");
        assert_eq!(keeper.doubt_now(at(5.0)), None);
    }
}

#[test]
fn a_first_answer_before_the_log_or_long_after_it_needs_two_more() {
    for (before_s, by_s) in [(-61.0, -61.0), (-1e7, -1e7), (4e7, 4e7)] {
        let mut keeper = with_floor(before_s);
        assert_eq!(keeper.handle(ntp(5.0, 0.0)), Verdict::Doubted { by_s, missing: 2 });
        assert_eq!((keeper.offset_s(), keeper.quality(at(5.0))), (None, None));
        assert_eq!(keeper.doubt_now(at(5.0)), Some(Doubt { answers: 1, by_s, first: true }));
        assert!(matches!(keeper.handle(ntp(69.0, 0.0)), Verdict::Doubted { missing: 1, .. }));
        assert_eq!(keeper.handle(ntp(133.0, 0.0)), Verdict::First);
        assert_eq!((keeper.offset_s(), keeper.doubt_now(at(133.0))), (Some(NOW_S), None));
    }
}

/// The first server to be asked lies, however often it may try: one that is right wins at once.
#[test]
fn one_wrong_first_answer_does_no_harm() {
    let mut keeper = with_floor(3600.0);
    assert!(matches!(keeper.handle(ntp(5.0, -1e7)), Verdict::Doubted { missing: 2, .. }));
    assert_eq!(keeper.handle(ntp(69.0, 0.0)), Verdict::First);
    assert_eq!((keeper.offset_s(), keeper.doubt_now(at(69.0))), (Some(NOW_S), None));
    for turn in 2..300 {
        let off_s = if turn % 3 == 0 { -1e7 } else { 0.0 };
        keeper.handle(ntp(f64::from(turn) * 64.0, off_s));
        assert_eq!(keeper.offset_s(), Some(NOW_S), "{turn}");
    }
}

/// The log itself is wrong, as after a first start with a wrong server: of three servers the two that agree win.
#[test]
fn two_right_servers_win_against_a_wrong_log() {
    for wrong in 0..3 {
        let mut keeper = with_floor(-1e8);
        let mut turns = 0;
        while keeper.offset_s().is_none() {
            let off_s = if turns % 3 == wrong { 5e7 } else { 0.0 };
            keeper.handle(ntp(f64::from(turns) * 64.0, off_s));
            turns += 1;
            assert!(turns <= 5, "not yet after {turns}");
        }
        assert_eq!(keeper.offset_s(), Some(NOW_S), "{wrong}");
    }
}

/// Two clocks behind one name, ten minutes apart: each put-back costs the log a sector.
#[test]
fn the_clock_is_put_back_once_in_ten_minutes() {
    let mut keeper = known();
    assert_eq!(keeper.handle(ntp(100.0, -600.0)), Verdict::Moved(-600.0));
    let mut put_back = 0;
    for turn in 1..=100 {
        let uptime_s = 100.0 + 30.0 * f64::from(turn);
        let off_s = if turn % 2 == 0 { -600.0 } else { 0.0 };
        match keeper.handle(ntp(uptime_s, off_s)) {
            Verdict::Moved(by_s) if by_s < 0.0 => put_back += 1,
            Verdict::Unsteady => assert!(keeper.is_unsteady()),
            verdict => assert!(verdict.agrees() && !keeper.is_unsteady(), "{turn}: {verdict:?}"),
        }
    }
    assert_eq!(put_back, 5, "in 50 minutes");
    // A little is always taken.
    let mut keeper = known();
    for turn in 1..10 {
        let off_s = -59.0 * f64::from(turn);
        assert_eq!(keeper.handle(ntp(10.0 + f64::from(turn), off_s)), Verdict::Moved(-59.0));
    }
}

#[test]
fn a_lesser_source_is_passed_over_while_a_better_one_is_fresh() {
    for (lesser, better) in [
        (Source::Browser, Source::Server),
        (Source::Browser, Source::Ntp),
        (Source::Server, Source::Dhcp),
        (Source::Server, Source::Ntp),
    ] {
        let mut keeper = Timekeeper::new();
        assert_eq!(keeper.handle(says(better, 10.0, 0.0, 0.1)), Verdict::First);
        let fresh_s = FRESH.as_secs_f64();
        assert_eq!(keeper.handle(says(lesser, 9.0 + fresh_s, 100.0, 0.0)), Verdict::Lesser);
        assert_eq!(keeper.handle(says(lesser, 9.0 + fresh_s, 1e6, 0.0)), Verdict::Lesser);
        assert_eq!(keeper.doubt_now(at(9.0 + fresh_s)), None);
        // Old, it keeps nobody out.
        assert_eq!(keeper.handle(says(lesser, 10.0 + fresh_s, 100.0, 0.0)), Verdict::Moved(100.0));
        // The better one is back and is believed at once.
        assert_eq!(keeper.handle(says(better, 20.0 + fresh_s, 0.0, 0.1)), Verdict::Moved(-100.0));
    }
    // Both are NTP.
    let mut keeper = known();
    assert_eq!(keeper.handle(says(Source::Dhcp, 20.0, 1.0, 0.0)), Verdict::Moved(1.0));
    assert_eq!(keeper.handle(ntp(30.0, 0.0)), Verdict::Moved(-1.0));
}

#[test]
fn a_source_that_confirms_stays_fresh() {
    let mut keeper = known();
    let fresh_s = FRESH.as_secs_f64();
    assert_eq!(keeper.handle(says(Source::Ntp, fresh_s, 0.0, 5.0)), Verdict::Confirmed);
    assert_eq!(keeper.handle(says(Source::Browser, fresh_s + 100.0, 9.0, 0.0)), Verdict::Lesser);
    // What a lesser one confirms makes nothing fresher.
    let mut keeper = known();
    assert_eq!(keeper.handle(says(Source::Browser, 20.0 + fresh_s, 0.0, 5.0)), Verdict::Confirmed);
    assert_eq!(keeper.handle(says(Source::Browser, 21.0 + fresh_s, 9.0, 0.1)), Verdict::Moved(9.0));
}

#[test]
fn another_source_in_the_settings_is_heard_at_once() {
    let mut keeper = known();
    assert_eq!(keeper.handle(says(Source::Browser, 20.0, 9.0, 0.1)), Verdict::Lesser);
    keeper.source_changed();
    assert_eq!(keeper.offset_s(), Some(NOW_S), "what was learned still holds");
    assert_eq!(keeper.handle(says(Source::Browser, 20.0, 9.0, 0.1)), Verdict::Moved(9.0));
    // Not so a step.
    keeper.source_changed();
    assert!(matches!(keeper.handle(says(Source::Server, 30.0, 1e5, 0.5)), Verdict::Doubted { .. }));
}

#[test]
fn a_platform_that_knows_the_time_wants_no_other() {
    let mut keeper = Timekeeper::new();
    keeper.platform_knows();
    assert!(keeper.is_of_platform());
    assert_eq!(keeper.handle(ntp(10.0, 0.0)), Verdict::Unwanted);
    assert_eq!((keeper.offset_s(), keeper.quality(at(20.0))), (None, None));
}

fn any_answer() -> impl Strategy<Value = (u8, f64, f64, f64)> {
    let off_s = prop_oneof![
        Just(0.0),
        -2.0..2.0_f64,
        -4000.0..4000.0_f64,
        -1e8..1e8_f64,
        Just(7200.0),
        Just(-2e9),
        Just(3e9),
    ];
    (0..4_u8, 0.0..4000.0_f64, off_s, 0.0..2.0_f64)
}

#[test]
fn dates_to_the_second_do_not_shake_the_clock() {
    let mut keeper = Timekeeper::new();
    keeper.handle(says(Source::Server, 10.0, 0.0, 0.5));
    let first = keeper.offset_s();
    // Cut to the second, each is up to half a second off.
    for post in 1..300 {
        let off_s = f64::from(post * 7 % 10) / 10.0 - 0.45;
        assert_eq!(
            keeper.handle(says(Source::Server, 10.0 + 10.0 * f64::from(post), off_s, 0.5)),
            Verdict::Confirmed
        );
    }
    assert_eq!(keeper.offset_s(), first);
}

proptest! {
    /// Whatever is said: the clock moves only as the verdict tells, by an hour at most unless three answers wanted it,
    /// and always within what is plausible; what is held is known half as well as it says at the worst.
    #[test]
    fn the_clock_moves_only_as_it_is_told(answers in prop::collection::vec(any_answer(), 1..60)) {
        let sources = [Source::Browser, Source::Server, Source::Dhcp, Source::Ntp];
        let mut keeper = Timekeeper::new();
        let (mut uptime_s, mut doubts) = (0.0, 0_usize);
        for (source, pause_s, off_s, uncertainty_s) in answers {
            uptime_s += pause_s;
            let answer = says(sources[usize::from(source)], uptime_s, off_s, uncertainty_s);
            let before = keeper.offset_s();
            let verdict = keeper.handle(answer);
            let after = keeper.offset_s();
            match verdict {
                Verdict::First => {
                    prop_assert!(before.is_none());
                    prop_assert_eq!(after, Some(answer.offset_s()));
                }
                Verdict::Moved(by_s) => {
                    prop_assert_eq!(after, Some(answer.offset_s()));
                    prop_assert!((before.unwrap() + by_s - after.unwrap()).abs() < 1e-6);
                    prop_assert!(by_s.abs() <= STEP_S || doubts == AGREEING - 1);
                }
                _ => prop_assert_eq!(before, after),
            }
            if let Some(offset_s) = after {
                prop_assert!((EARLIEST_S..LATEST_S).contains(&(offset_s + uptime_s)) || verdict == Verdict::Implausible
                    || !verdict.agrees());
                let quality = keeper.quality(answer.at).unwrap();
                prop_assert!(quality.uncertainty_s >= 0.0 && quality.age_s >= 0.0);
                if verdict.agrees() {
                    prop_assert!(quality.uncertainty_s <= BETTER * uncertainty_s + 1e-9);
                }
            }
            doubts = keeper.doubt_now(at(uptime_s)).map_or(0, |doubt| doubt.answers);
            prop_assert!(doubts < AGREEING);
        }
    }
}
