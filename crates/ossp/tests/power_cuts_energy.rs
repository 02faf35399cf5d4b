//! The energy's journal over power cuts: a long random history, forked at each word written and in each erase.
//! `OSSP_POWER_CUTS` is how many cuts (700; 35,000 in `./ci.sh long`), shared with `power_cuts_totals.rs`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::time::Duration;

use futures_lite::future::block_on;
use metering::energy::Energy;
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::platform::Instant;
use plug::storage::budget::WriteBudget;
use plug::storage::journal::{Journal, JournalError, JournalPolicy};
use plug::storage::layout::ENERGY;
use plug::storage::totals::Totals;
use power_cuts::{Dice, METER_TAG, cuts, flash, later, progress, steps};

mod power_cuts;

fn open(flash: SimFlash) -> (Journal<SimFlash>, Option<Totals>) {
    let (journal, found) = block_on(Journal::open(flash, METER_TAG));
    (journal, found.unwrap())
}

/// As a plug does: append, and then what is not urgent.
fn keep(journal: &mut Journal<SimFlash>, totals: &Totals) -> Result<(), JournalError> {
    block_on(journal.append(totals))?;
    block_on(journal.maintain()).map(|_| ())
}

#[test]
fn a_cut_at_any_step_leaves_the_old_or_the_new_totals() {
    let wanted = cuts() * 3 / 5;
    let (mut done, mut turns, mut new, mut old) = (0, 0, 0, 0);
    let mut dice = Dice::new(7);
    let (mut journal, found) = open(flash(ENERGY, 11));
    assert_eq!(found, None);
    let mut kept: Option<Totals> = None;
    while done < wanted {
        let next = later(&kept.unwrap_or_default(), &mut dice);
        let mut whole = journal.clone();
        keep(&mut whole, &next).unwrap();
        let steps = steps(journal.flash(), whole.flash());
        let turn = whole.flash().erases() > journal.flash().erases();
        turns += u32::from(turn);
        // The rarer it is, the surer it is cut at each step.
        let mut continued = None;
        if turn || dice.one_in(if steps > 2 { 20 } else { 150 }) {
            for after in 0..steps {
                let found = cut(&journal, after, kept, &next, &mut dice, &mut continued);
                (old, new) = if found == Some(next) { (old, new + 1) } else { (old + 1, new) };
                done += 1;
                progress("journal", done, wanted);
            }
        }
        // The history goes on over some of the cuts, and over restarts.
        (journal, kept) = match continued {
            Some(branch) => branch,
            None if dice.one_in(250) => open(whole.flash().clone()),
            None => (whole, Some(next)),
        };
    }
    assert!(turns > 5 && old > 50 && new > 20, "{turns} sectors, {old} old and {new} new totals");
}

type Branch = (Journal<SimFlash>, Option<Totals>);

/// The journal after a cut: what it holds.
fn cut(
    journal: &Journal<SimFlash>,
    after: u32,
    kept: Option<Totals>,
    next: &Totals,
    dice: &mut Dice,
    continued: &mut Option<Branch>,
) -> Option<Totals> {
    let mut fork = journal.clone();
    fork.flash().cut_power_after(after);
    assert_eq!(keep(&mut fork, next), Err(JournalError::Flash), "after {after} steps");
    assert!(fork.flash().is_off());
    let mut image = fork.flash().clone();
    image.restore_power();
    let (_, found) = open(image.clone());
    assert!(found == kept || found == Some(*next), "{found:?} after {kept:?} and {next:?}, {after} steps");
    // Each repair may be cut too.
    for _ in 0..dice.below(3) {
        image.cut_power_after(dice.below(14) as u32);
        let (mut second, _) = block_on(Journal::open(image, METER_TAG));
        let _ = block_on(second.maintain());
        let _ = block_on(second.append(&found.unwrap_or_default()));
        image = second.flash().clone();
        image.restore_power();
        let again = open(image.clone()).1;
        assert!(again == found || (found.is_none() && again == Some(Totals::default())), "{again:?}");
    }
    // It goes on from the flash, or, were it not the power, from where it was.
    let restarted = dice.one_in(2);
    let mut goes_on = if restarted { open(image).0 } else { fork };
    goes_on.flash().restore_power();
    let mut last = *next;
    for _ in 0..2 {
        last = later(&last, dice);
        keep(&mut goes_on, &last).unwrap();
        assert_eq!(goes_on.newest(), Some(last));
        assert_eq!(open(goes_on.flash().clone()).1, Some(last), "after a cut after {after} steps");
    }
    assert_eq!(block_on(goes_on.append(next)), Err(JournalError::GoesBack));
    if dice.one_in(40) {
        *continued = Some((goes_on, Some(last)));
    }
    found
}

fn at(seconds: f64) -> Instant {
    Instant::from_start(Duration::from_secs_f64(seconds))
}

/// What people were told before a cut, and what is there after it: at most 1 Wh less, or what 10 s brought.
#[test]
fn a_cut_loses_no_more_than_is_promised() {
    const WINDOW: f64 = 0.2;
    let wanted = cuts() / 5;
    let mut dice = Dice::new(23);
    let mut image = flash(ENERGY, 5);
    let mut total = Totals::default();
    for done in 1..=wanted {
        let (mut journal, found) = open(image);
        total = found.unwrap_or_default();
        let mut policy = JournalPolicy::new(at(0.0), total);
        let cut_at = 1 + dice.below(600);
        let mut power = 0;
        let mut last_10_s = std::collections::VecDeque::from([0; 50]);
        let mut outage_kept = false;
        for window in 1..=cut_at {
            if window == 1 || dice.one_in(60) {
                power = [0, 100, 8_000, 95_000, 360_000, 1_500_000, 3_680_000][dice.below(7) as usize];
            }
            // Milliwatts for 0.2 s in nano-watt-hours.
            let energy = power * 200 / 3600 * 1_000_000 / 1000;
            last_10_s.push_back(energy);
            last_10_s.pop_front();
            total = total.plus(Totals { import: Energy(energy), ..Totals::default() });
            let mains_lost = window == cut_at && done.is_multiple_of(3);
            let now = at(window as f64 * WINDOW);
            if policy.handle(now, &total, mains_lost) {
                if window == cut_at && !mains_lost {
                    journal.flash().cut_power_after(dice.below(13) as u32);
                }
                if keep(&mut journal, &total).is_ok() {
                    policy.written(&total);
                    outage_kept = mains_lost;
                }
            }
        }
        image = journal.flash().clone();
        image.restore_power();
        let kept = open(image.clone()).1.unwrap_or_default();
        let lost = total.import.0.checked_sub(kept.import.0).unwrap();
        let allowed = last_10_s.iter().sum::<u64>().max(1_000_000_000);
        assert!(lost <= allowed, "{lost} nWh lost, {allowed} allowed, cut {done}");
        assert!(!outage_kept || lost == 0, "an outage that was seen loses nothing");
        progress("promise", done, wanted);
    }
    assert!(total.import.0 > 0);
}

#[test]
fn a_day_costs_what_the_budget_says() {
    let load = Totals { import: Energy(3_680_000_000 / 5 / 3600 * 1000), ..Totals::default() };
    let noise =
        Totals { import: Energy(100), export: Energy(90), below_noise: Energy(190), unmeasured_us: 10 };
    let budgets = [WriteBudget::journal_rated(), WriteBudget::journal_idle()];
    for (window, budget) in [load, noise].into_iter().zip(budgets) {
        let (mut journal, _) = open(flash(ENERGY, 1));
        let mut total = Totals::default();
        let mut policy = JournalPolicy::new(at(0.0), total);
        let mut writes = 0;
        for step in 1..=5 * 86_400_u32 {
            total = total.plus(window);
            if policy.handle(at(f64::from(step) * 0.2), &total, false) {
                keep(&mut journal, &total).unwrap();
                policy.written(&total);
                writes += 1;
            }
        }
        let share = |real: f64, said: f64| {
            assert!(real <= said * 1.001 && real >= said * 0.99, "{real} is not {said}: {budget:?}");
        };
        share(f64::from(writes), budget.writes_a_day);
        let flash = journal.flash();
        share(flash.words_written() as f64 * 4.0, budget.bytes_a_day);
        // The sector ahead was erased once more, and the first was blank but had no stamp.
        let turns = flash.erases() as f64 - 1.0;
        assert!((turns - budget.erases_a_day).abs() <= 1.0, "{turns}: {budget:?}");
        assert!(f64::from(flash.most_erases()) <= budget.erases_a_sector_a_day + 1.0);
        assert!(budget.life_years_10k > 20.0);
    }
}

#[test]
fn an_append_needs_no_erase_where_somebody_maintains() {
    let mut dice = Dice::new(3);
    let (mut journal, _) = open(flash(ENERGY, 1));
    assert_eq!(block_on(journal.maintain()), Ok(true), "the first sector is erased");
    let mut total = Totals::default();
    for _ in 0..20_000 {
        total = later(&total, &mut dice);
        let erases = journal.flash().erases();
        block_on(journal.append(&total)).unwrap();
        assert_eq!(journal.flash().erases(), erases);
        block_on(journal.maintain()).unwrap();
    }
    let (most, all) = (journal.flash().most_erases(), journal.flash().erases());
    assert!(u64::from(most) <= all / 16 + 1, "{most} of {all}: sectors take turns");
}

#[test]
fn another_meters_records_are_not_this_ones() {
    let one = Totals { import: Energy(5_000_000_000), ..Totals::default() };
    let (mut journal, _) = open(flash(ENERGY, 1));
    keep(&mut journal, &one).unwrap();
    let image = journal.flash().clone();
    let (mut other, found) = block_on(Journal::open(image, METER_TAG + 1));
    assert_eq!(found, Ok(None));
    let little = Totals { import: Energy(1), ..Totals::default() };
    keep(&mut other, &little).unwrap();
    let image = other.flash().clone();
    assert_eq!(block_on(Journal::open(image.clone(), METER_TAG + 1)).1, Ok(Some(little)));
    let (mut back, found) = open(image);
    assert_eq!(found, Some(one));
    for round in 1..3000 {
        let more = Totals { unmeasured_us: round, ..one };
        keep(&mut back, &more).unwrap();
        assert_eq!(back.newest(), Some(more));
    }
}

/// What another program, or a faulty one, left there.
#[test]
fn foreign_bytes_are_no_records() {
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let (mut journal, _) = open(flash(ENERGY, seed));
        let mut total = Totals::default();
        for _ in 0..seed * 9 {
            total = later(&total, &mut dice);
            keep(&mut journal, &total).unwrap();
        }
        let mut image = journal.flash().clone();
        let every = [1, 3, 50, 4000][seed as usize % 4];
        for byte in image.bytes().iter_mut().step_by(every) {
            *byte = if seed % 8 < 4 { dice.roll() as u8 } else { *byte & dice.roll() as u8 };
        }
        let (mut journal, found) = open(image);
        assert!(found.is_none_or(|found| total.covers(&found)), "seed {seed}");
        for _ in 0..3 {
            total = later(&total, &mut dice);
            keep(&mut journal, &total).unwrap();
            let reopened = open(journal.flash().clone()).1;
            assert_eq!(reopened, Some(total), "seed {seed}");
        }
    }
}

#[test]
fn a_flash_that_does_not_work_is_an_error_and_a_small_one_too() {
    let mut broken = flash(ENERGY, 1);
    broken.break_down();
    let (mut journal, found) = block_on(Journal::open(broken, 1));
    assert_eq!(found, Err(JournalError::Flash));
    assert_eq!(block_on(journal.append(&Totals::default())), Err(JournalError::Flash));
    assert_eq!(journal.newest(), None);
    assert_eq!(block_on(Journal::open(SimFlash::new(2, 1), 1)).1, Err(JournalError::TooSmall));
    assert_eq!(block_on(Journal::open(SimFlash::new(3, 1), 1)).1, Ok(None));
}

mod worn {
    //! A flash with sectors that take nothing any more.
    use super::*;
    use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
    use ossp::sim::flash::SimFlashError;

    #[derive(Clone)]
    struct Worn {
        flash: SimFlash,
        dead: Vec<u32>,
    }

    impl Worn {
        fn is_dead(&self, at: u32) -> bool {
            self.dead.contains(&(at / SECTOR as u32))
        }
    }

    impl ErrorType for Worn {
        type Error = SimFlashError;
    }

    impl ReadNorFlash for Worn {
        const READ_SIZE: usize = 4;

        async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimFlashError> {
            self.flash.read(offset, bytes).await
        }

        fn capacity(&self) -> usize {
            self.flash.capacity()
        }
    }

    impl NorFlash for Worn {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = SECTOR;

        async fn erase(&mut self, from: u32, to: u32) -> Result<(), SimFlashError> {
            if self.is_dead(from) { Ok(()) } else { self.flash.erase(from, to).await }
        }

        async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimFlashError> {
            if self.is_dead(offset) { Ok(()) } else { self.flash.write(offset, bytes).await }
        }
    }

    #[test]
    fn dead_sectors_are_stepped_over() {
        let mut dice = Dice::new(9);
        let worn = Worn { flash: flash(ENERGY, 1), dead: vec![0, 4, 5, 6, 15] };
        let (mut journal, _) = block_on(Journal::open(worn, 1));
        let mut total = Totals::default();
        for round in 0..20_000 {
            total = later(&total, &mut dice);
            block_on(journal.append(&total)).unwrap_or_else(|error| panic!("{error} in round {round}"));
            block_on(journal.maintain()).unwrap();
            if round % 1000 == 0 {
                let image = journal.flash().clone();
                let (again, found) = block_on(Journal::open(image, 1));
                assert_eq!(found, Ok(Some(total)));
                journal = again;
            }
        }
    }

    #[test]
    fn a_sector_that_dies_while_it_is_written_ends_nothing() {
        let mut dice = Dice::new(10);
        let worn = Worn { flash: flash(ENERGY, 1), dead: Vec::new() };
        let (mut journal, _) = block_on(Journal::open(worn, 1));
        let mut total = Totals::default();
        for round in 0..2000 {
            journal.flash().dead = if round % 700 == 650 { (0..16).collect() } else { Vec::new() };
            let next = later(&total, &mut dice);
            match block_on(journal.append(&next)) {
                Ok(()) => total = next,
                Err(error) => assert!(error == JournalError::Worn && round % 700 == 650),
            }
            let image = journal.flash().clone();
            assert_eq!(block_on(Journal::open(image, 1)).1, Ok(Some(total)), "round {round}");
        }
    }
}
