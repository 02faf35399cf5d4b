//! The count of starts over power cuts at every step, over foreign bytes and on a broken flash.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use futures_lite::future::block_on;
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::limits::{SAFE_MODE_STARTS, STARTS_REGION};
use plug::starts::{Fault, Starts, Trouble, count, settled};
use proptest::prelude::*;

const SECTORS: usize = 6;

fn start(flash: &mut SimFlash, reason: &str, detail: &str) -> Starts {
    block_on(count(flash, reason, detail))
}

fn fault(start: u32, reason: &str, detail: &str) -> Option<Fault> {
    let (reason, detail) = (reason.try_into().unwrap(), detail.try_into().unwrap());
    Some(Fault { start, reason, detail })
}

#[test]
fn each_start_counts_one_and_the_last_bad_end_is_remembered() {
    let mut flash = SimFlash::new(SECTORS, 1);
    flash.bytes()[STARTS_REGION as usize..].fill(0x5a);
    let first = start(&mut flash, "power_on", "");
    assert_eq!(first, Starts { number: 1, ..Starts::default() });
    assert_eq!(start(&mut flash, "software", "not kept").last_fault, None);
    let third = start(&mut flash, "panic", "index out of range at meter.rs:1");
    assert_eq!(
        (third.number, third.last_fault.clone()),
        (3, fault(2, "panic", "index out of range at meter.rs:1"))
    );
    for number in 4..2000 {
        let starts = start(&mut flash, "power_on", "");
        assert_eq!((starts.number, &starts.last_fault, starts.trouble), (number, &third.last_fault, None));
    }
    assert_eq!(start(&mut flash, "watchdog", "").last_fault, fault(1999, "watchdog", ""));
    assert_eq!(start(&mut flash, "brownout", "").last_fault, fault(2000, "brownout", ""));
    assert!(
        flash.bytes()[STARTS_REGION as usize..].iter().all(|byte| *byte == 0x5a),
        "nothing else is touched"
    );
    // 2000 starts and their share of wear: 100 000 erases are millions of starts.
    assert!(flash.most_erases() <= 4, "{} erases", flash.most_erases());
}

#[test]
fn last_words_are_cut_where_they_do_not_fit() {
    let mut flash = SimFlash::new(SECTORS, 1);
    let starts = start(&mut flash, "panic", &"ä€".repeat(100));
    let detail = starts.last_fault.unwrap().detail;
    assert!(detail.len() > 155 && detail.starts_with("ä€ä€"));
    assert_eq!(start(&mut flash, "power_on", "").last_fault.unwrap().detail, detail);
}

/// What a start does to the flash, in steps: more than usual where a page is full.
fn steps(flash: &SimFlash, reason: &str, detail: &str) -> u64 {
    let mut copy = flash.clone();
    let _ = start(&mut copy, reason, detail);
    copy.words_written() - flash.words_written() + 4 * (copy.erases() - flash.erases())
}

/// From many fills of the pages and from each turn of a page: a cut at each step of a start, then a start that
/// works, and sometimes a cut in the repair too.
#[test]
fn a_power_cut_at_any_step_leaves_the_old_or_the_new_count() {
    let (mut cuts, mut turns) = (0, 0);
    let mut flash = SimFlash::new(SECTORS, 42);
    let mut last_fault = None;
    for number in 0..700_u32 {
        let words = "x".repeat(number as usize % 160);
        let (reason, detail) = if number % 2 == 0 { ("panic", words.as_str()) } else { ("power_on", "") };
        let steps = steps(&flash, reason, detail);
        let usual = if reason == "panic" { 18 + words.len().div_ceil(4) as u64 } else { 13 };
        turns += u32::from(steps > usual);
        if steps > usual || number % 25 < 2 {
            let new = if reason == "panic" { fault(number, reason, detail) } else { last_fault.clone() };
            for after in 0..steps as u32 {
                let next = cut_and_start(&flash, after, reason, detail);
                assert_eq!(next.trouble, None, "start {number}, {after} steps");
                assert!((number + 1..=number + 3).contains(&next.number), "{} after {number}", next.number);
                assert!(next.last_fault == new || next.last_fault == last_fault, "{:?}", next.last_fault);
                cuts += 1;
            }
        }
        let starts = start(&mut flash, reason, detail);
        assert_eq!((starts.number, starts.trouble), (number + 1, None));
        last_fault = starts.last_fault;
    }
    assert!(turns > 5 && flash.erases() > 5, "{turns} turns, {} erases", flash.erases());
    assert!(cuts > 1000, "{cuts} power cuts");
}

/// The start after one that was cut off after so many steps.
fn cut_and_start(flash: &SimFlash, after: u32, reason: &str, detail: &str) -> Starts {
    let mut flash = flash.clone();
    flash.cut_power_after(after);
    let interrupted = start(&mut flash, reason, detail);
    assert!(flash.is_off(), "after {after} steps");
    assert_eq!(interrupted, Starts { trouble: Some(Trouble::Flash), ..Starts::default() });
    if after.is_multiple_of(3) {
        flash.restore_power();
        flash.cut_power_after(after / 3);
        let _ = start(&mut flash, "power_on", "");
    }
    flash.restore_power();
    let next = start(&mut flash, "power_on", "");
    let then = start(&mut flash, "power_on", "");
    assert_eq!((then.number, &then.last_fault), (next.number + 1, &next.last_fault));
    next
}

#[test]
fn bad_ends_in_a_row_are_counted_until_a_run_lasts() {
    let mut flash = SimFlash::new(SECTORS, 5);
    let mut bad = |reason| start(&mut flash, reason, "").bad_in_a_row;
    assert_eq!([bad("power_on"), bad("brownout"), bad("panic"), bad("watchdog")], [0, 1, 2, 3]);
    assert_eq!([bad("software"), bad("brownout")], [0, 1]);
    let starts = start(&mut flash, "brownout", "");
    assert_eq!(starts.bad_in_a_row, 2);
    block_on(settled(&mut flash, &starts)).unwrap();
    assert_eq!(start(&mut flash, "brownout", "").bad_in_a_row, 1);
}

const REASONS: [&str; 5] = ["panic", "watchdog", "brownout", "power_on", "software"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Against a count by hand, over runs that end soon or last, and power cuts at any step of a start: safe mode is
    /// called for by crashes alone, and never by a start that follows none.
    #[test]
    fn only_crashes_call_for_safe_mode(
        runs in prop::collection::vec((0..REASONS.len(), any::<bool>(), prop::option::weighted(0.2, 0..40_u32)), 1..60)
    ) {
        let mut flash = SimFlash::new(SECTORS, 7);
        // Crashes and bad ends: what a power cut left of them may be the old or the new number.
        let (mut crashes, mut bad) = ((0, 0), (0, 0));
        for (reason, lasts, cut_after) in runs {
            let reason = REASONS[reason];
            let crashed = ["panic", "watchdog"].contains(&reason);
            let more = |(least, most): (u8, u8), new: bool| (least + u8::from(new), most + u8::from(new));
            let after = match reason {
                "panic" | "watchdog" | "brownout" => (more(crashes, crashed), more(bad, true)),
                _ => ((0, 0), (0, 0)),
            };
            if let Some(steps) = cut_after {
                flash.cut_power_after(steps);
                let _ = start(&mut flash, reason, "words");
                let was_cut = flash.is_off();
                flash.restore_power();
                let either = |old: (u8, u8), new: (u8, u8)| (old.0.min(new.0), old.1.max(new.1));
                (crashes, bad) = if was_cut { (either(crashes, after.0), either(bad, after.1)) } else { after };
                continue;
            }
            (crashes, bad) = after;
            let starts = start(&mut flash, reason, "words");
            prop_assert_eq!(starts.trouble, None);
            prop_assert!((bad.0..=bad.1).contains(&starts.bad_in_a_row), "{:?} {:?}", bad, starts);
            prop_assert!((crashes.0..=crashes.1).contains(&starts.crashes_in_a_row), "{:?} {:?}", crashes, starts);
            prop_assert_eq!(
                starts.call_for_safe_mode(),
                crashed && starts.crashes_in_a_row >= SAFE_MODE_STARTS
            );
            (crashes, bad) = ((starts.crashes_in_a_row, starts.crashes_in_a_row), (starts.bad_in_a_row, starts.bad_in_a_row));
            if lasts {
                block_on(settled(&mut flash, &starts)).unwrap();
                (crashes, bad) = ((0, 0), (0, 0));
            }
        }
    }
}

#[test]
fn brownouts_between_crashes_neither_call_for_safe_mode_nor_hold_it_up() {
    let mut flash = SimFlash::new(SECTORS, 5);
    let _ = start(&mut flash, "power_on", "");
    for _ in 0..4 {
        assert!(!start(&mut flash, "brownout", "").call_for_safe_mode());
    }
    let crash = start(&mut flash, "panic", "");
    assert_eq!((crash.bad_in_a_row, crash.crashes_in_a_row, crash.call_for_safe_mode()), (5, 1, false));
    for crashes in 2..SAFE_MODE_STARTS {
        assert!(!start(&mut flash, "brownout", "").call_for_safe_mode());
        let crash = start(&mut flash, "watchdog", "");
        assert_eq!((crash.crashes_in_a_row, crash.call_for_safe_mode()), (crashes, false));
    }
    assert!(start(&mut flash, "panic", "").call_for_safe_mode());
    assert!(!start(&mut flash, "brownout", "").call_for_safe_mode(), "that was the mains");
    let crash = start(&mut flash, "panic", "");
    assert!(crash.call_for_safe_mode());
    // A run that lasts ends the row, also for a brownout after it.
    block_on(settled(&mut flash, &crash)).unwrap();
    assert_eq!(start(&mut flash, "brownout", "").crashes_in_a_row, 0);
    assert_eq!(start(&mut flash, "panic", "").crashes_in_a_row, 1);
}

/// What a row that has ended leaves in the flash must not count in the next one, whenever the power goes.
#[test]
fn crashes_of_a_row_that_has_ended_do_not_come_back_with_a_power_cut() {
    let mut flash = SimFlash::new(SECTORS, 5);
    let mut starts = start(&mut flash, "power_on", "");
    for _ in 0..4 {
        starts = start(&mut flash, "panic", "");
    }
    block_on(settled(&mut flash, &starts)).unwrap();
    for (reason, most) in [("brownout", 1), ("panic", 2)] {
        for after in 0..steps(&flash, reason, "") as u32 {
            let mut flash = flash.clone();
            flash.cut_power_after(after);
            let _ = start(&mut flash, reason, "");
            flash.restore_power();
            let next = start(&mut flash, "watchdog", "");
            assert!((1..=most).contains(&next.crashes_in_a_row), "{reason}, {after} steps: {next:?}");
        }
    }
}

/// What another program left there is not understood, and must not end this one.
#[test]
fn foreign_bytes_are_cleared_away() {
    let mut anew = 0;
    for seed in 0..300_u64 {
        let mut flash = SimFlash::new(SECTORS, seed);
        for _ in 0..seed % 40 {
            let _ = start(&mut flash, "panic", "some words");
        }
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let every = [1, 3, 50, 1000][seed as usize % 4];
        for byte in flash.bytes().iter_mut().step_by(every) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = if seed % 8 < 4 { state as u8 } else { *byte & state as u8 };
        }
        let starts = start(&mut flash, "power_on", "");
        assert!((1..=41).contains(&starts.number), "seed {seed}: {starts:?}");
        anew += u32::from(starts.trouble == Some(Trouble::BeganAnew));
        let next = start(&mut flash, "power_on", "");
        assert_eq!((next.number, next.trouble), (starts.number + 1, None), "seed {seed}");
    }
    assert!(anew > 0);
}

#[test]
fn without_a_flash_that_works_the_plug_starts_all_the_same() {
    let mut flash = SimFlash::new(SECTORS, 1);
    flash.break_down();
    let nothing = Starts { trouble: Some(Trouble::Flash), ..Starts::default() };
    assert_eq!(start(&mut flash, "panic", "words"), nothing);
    let mut small = SimFlash::new(STARTS_REGION as usize / SECTOR - 1, 1);
    assert_eq!(start(&mut small, "power_on", "").trouble, Some(Trouble::Flash));
}
