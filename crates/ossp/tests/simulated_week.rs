//! A week of a plug's life in Berlin, with the end of summer time in it, driven by readings and frozen as a snapshot:
//! what the relay did and why, what each day consumed, and what that cost the flash.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly, their helpers too"
)]

mod week;

use std::fmt::Write;

use plug::core::claims::{Source, Wish};
use week::{Action, Plug, local};

/// Watts that flow while the relay is closed, by the local day (20 to 27 October 2026) and second of it.
fn load(day: u8, second: u32) -> f64 {
    let minute = second / 60;
    let at = |from: (u32, u32), to: (u32, u32)| (from.0 * 60 + from.1..to.0 * 60 + to.1).contains(&minute);
    let weekend = matches!(day, 24 | 25);
    match day {
        // Somebody irons beside the heater.
        20 if (68_400..68_550).contains(&second) => 2300.0,
        // On after lunch, and forgotten.
        21 if at((13, 0), (16, 0)) => 300.0,
        22 if at((12, 0), (14, 0)) => 650.0,
        // With what was used before the power cut it is too much for the day.
        23 if at((14, 0), (17, 0)) => 800.0,
        // A cold evening.
        26 if at((17, 0), (22, 15)) => 1500.0,
        _ if at((6, 0), (9, 0)) && !weekend && minute % 10 < 6 => 900.0,
        _ if at((16, 0), (22, 15)) => 150.0,
        _ => 2.0,
    }
}

/// What people do, and what happens to the plug.
fn story() -> Vec<(f64, Action)> {
    let hand = |wish, for_s, source| Action::Command { wish, for_s, source };
    let (on, web, button) = (Wish::Set(true), Source::Web, Source::Button);
    let story = vec![
        ((21, 13, 0, 0), hand(on, None, web)),
        ((22, 12, 0, 0), hand(on, Some(5400), web)),
        ((23, 14, 0, 0), hand(Wish::Toggle, None, button)),
        ((23, 19, 0, 0), Action::PowerCut { for_s: 40 }),
        ((24, 18, 30, 0), Action::OverCurrent(42.5)),
        ((24, 18, 30, 20), hand(on, None, web)),
        ((24, 18, 30, 40), hand(Wish::Rearm, None, button)),
        ((24, 18, 31, 50), hand(Wish::Toggle, None, button)),
    ];
    story
        .into_iter()
        .map(|((day, hour, minute, second), action)| (local(day, hour, minute, second), action))
        .collect()
}

#[test]
fn a_week() {
    let mut plug = Plug::start(local(20, 0, 0, 0));
    for (at, action) in story() {
        plug.live_until(at, &load);
        plug.act(&action);
    }
    // Midnight after the 27th.
    plug.live_until(local(28, 0, 0, 0) + 10.0, &load);

    let week = plug.end();
    let mut text = String::from("The relay, in local time\n");
    week.lines.iter().for_each(|line| writeln!(text, "{line}").unwrap());
    text.push_str("\nThe days\n");
    week.days.iter().for_each(|line| writeln!(text, "{line}").unwrap());
    writeln!(text, "\n{}", week.flash).unwrap();
    insta::assert_snapshot!(text);

    // What the snapshot cannot be trusted with, in case somebody accepts it unseen.
    assert_eq!(week.trips, ["over_power", "over_power", "energy_budget", "over_current", "energy_budget"]);
    assert!(week.lost_wh <= 1.0, "{} Wh lost by the power cut", week.lost_wh);
    let of_days: f64 = week.import_wh.iter().sum();
    // Nobody knew the day in the first 20 s.
    assert!((of_days - week.total_wh).abs() < 0.005, "{of_days} Wh of {}", week.total_wh);
    assert!((week.consumed_wh - week.lost_wh - week.total_wh).abs() < 1e-3);
}
