//! Power cuts in the history: at each word and in the middle of erases of long random lives of a plug, with starts that know
//! the time, learn it late or never do. `OSSP_POWER_CUTS` is how many there are (700; 35,000 in `./ci.sh long`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod history_support;
mod power_cuts;

use history_support::{NOON, fork, look, number, read_all, row, start, unplaced, unplaced_rows};
use ossp::sim::flash::SimFlash;
use plug::history::{HistoryError, Row};
use power_cuts::{Dice, cuts, progress, steps};

/// A small log, so that both rings go round often: 12 sectors of rows and 4 of means.
const SECTORS: usize = 16;
const FINE_SECTORS: usize = 12;
const A_SECTOR: usize = 127;

/// What one start of the plug measures.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Unix time of the start, in tenths of a second.
    began_ds: u64,
    boot: u32,
    rows: u32,
    /// After how many rows the time becomes known, if ever.
    timeless: Option<u32>,
    /// Number of the first row.
    first: u32,
}

impl Run {
    /// The rows as they are handed to the log.
    fn rows(self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for index in 0..self.rows {
            let (time, uptime_s) = match self.timeless {
                Some(timeless) if index >= timeless => {
                    let before_ds = rows.last().map_or(0, |row| (row.uptime_s * 10.0).round() as u64);
                    let time = ((self.began_ds + before_ds) / 10 + 1).next_multiple_of(10);
                    (Some(time as u32), (time * 10 - self.began_ds) as f64 / 10.0)
                }
                _ => (None, f64::from((index + 1) * 10)),
            };
            rows.push(row(self.first + index, time, uptime_s, 10));
        }
        rows
    }

    /// The first `kept` of them as they are to be read: with their times, if the time was learned.
    fn told(self, kept: u32, learned: bool) -> Vec<Row> {
        let mut rows = self.rows();
        rows.truncate(kept as usize);
        for row in &mut rows {
            row.boot = self.boot;
            let end_ds = self.began_ds + (row.uptime_s * 10.0).round() as u64;
            row.time = learned.then_some((end_ds / 10) as u32);
        }
        rows
    }

    fn learned(self, kept: u32) -> bool {
        self.timeless.is_some_and(|timeless| kept > timeless)
    }

    fn end_ds(self) -> u64 {
        self.began_ds + self.rows().last().map_or(0, |row| (row.uptime_s * 10.0) as u64)
    }
}

/// All that was ever kept, and what may be.
#[derive(Clone, Default)]
struct Life {
    rows: Vec<Row>,
    next_ds: u64,
    boot: u32,
}

impl Life {
    fn new() -> Self {
        Self { rows: Vec::new(), next_ds: u64::from(NOON) * 10, boot: 1 }
    }

    /// A run that begins a while after all before it.
    fn run(&self, dice: &mut Dice) -> Run {
        let most = if dice.one_in(4) { 70 } else { 4 };
        let rows = 1 + dice.below(most) as u32;
        let timeless = match dice.below(4) {
            0 => Some(dice.below(u64::from(rows) + 1) as u32),
            1 if dice.one_in(3) => None,
            _ => Some(0),
        };
        let pause_ds = if dice.one_in(20) { dice.below(90_000) } else { dice.below(300) };
        let first = self.rows.last().map_or(1, |row| number(row) + 1);
        Run { began_ds: self.next_ds + 11 + pause_ds, boot: self.boot, rows, timeless, first }
    }

    /// With the first `kept` rows of a run.
    fn with(&self, run: Run, kept: u32, learned: bool) -> Self {
        let mut rows = self.rows.clone();
        rows.extend(run.told(kept, learned));
        Self { rows, next_ds: run.end_ds(), boot: self.boot + 1 }
    }
}

/// Appends the rows; how many the log took.
fn live(flash: SimFlash, run: Run) -> (SimFlash, u32) {
    start(flash, run.boot, async |history| {
        let mut kept = 0;
        for row in run.rows() {
            match history.append(row).await {
                Ok(()) => kept += 1,
                Err(error) => {
                    assert_eq!(error, HistoryError::Flash);
                    break;
                }
            }
        }
        kept
    })
}

/// What a log says of itself: rows with a time, and those without.
fn found(flash: &mut SimFlash) -> (Vec<Row>, Vec<Row>) {
    look(flash, async |history| {
        let mut timeless = Vec::new();
        for start in unplaced(history).await {
            timeless.extend(unplaced_rows(history, start.boot).await);
        }
        (read_all(history, 0, u32::MAX).await.unwrap(), timeless)
    })
}

/// Uptime is kept in tenths.
fn rounded(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|row| Row { uptime_s: (row.uptime_s * 10.0).round() / 10.0, ..*row }).collect()
}

/// Whether the log holds what this life wrote: its newest rows as they were, and means of those before them.
fn holds(found: &(Vec<Row>, Vec<Row>), life: &Life) -> Result<(), String> {
    let (placed, timeless) = found;
    let split = placed.iter().position(|row| row.interval_s == 10).unwrap_or(placed.len());
    let (means, short) = placed.split_at(split);
    let with_time: Vec<Row> = life.rows.iter().filter(|row| row.time.is_some()).copied().collect();
    let skipped = with_time.len().saturating_sub(short.len());
    if rounded(short) != rounded(&with_time[skipped..]) {
        let at =
            rounded(short).iter().zip(rounded(&with_time[skipped..])).position(|(one, other)| *one != other);
        return Err(format!("{} rows, of {} the {at:?}th differs", short.len(), with_time.len()));
    }
    let without: Vec<Row> = life.rows.iter().filter(|row| row.time.is_none()).copied().collect();
    let own: Vec<Row> = timeless.iter().filter(|row| row.interval_s == 10).copied().collect();
    if !rounded(&without).ends_with(&rounded(&own)) {
        return Err(format!("of {} rows without a time {} are something else", without.len(), own.len()));
    }
    // One sector was erased and not begun, and each start takes a base or two.
    let kept = short.len() + own.len();
    let slots = (FINE_SECTORS - 2) * A_SECTOR * 2 / 5;
    if kept < life.rows.len().min(slots) {
        return Err(format!("only {kept} of {} are left", life.rows.len()));
    }
    covers(means, &with_time[..skipped])
}

/// Each row that has only means left is in one of them, from the oldest on.
fn covers(means: &[Row], rows: &[Row]) -> Result<(), String> {
    let Some(oldest) = means.first() else {
        return if rows.is_empty() { Ok(()) } else { Err("there are no means".to_owned()) };
    };
    let from = oldest.time.unwrap();
    let mut at = 0;
    for row in rows.iter().filter(|row| row.time.unwrap() > from) {
        let time = row.time.unwrap();
        // Windows of two starts may overlap.
        let before = |mean: &Row| mean.time.unwrap() < time || number(mean) < number(row);
        while means.get(at).is_some_and(before) {
            at += 1;
        }
        let mean = means.get(at).ok_or_else(|| format!("no mean at or after {time}"))?;
        if mean.time.unwrap() - time > 300 {
            return Err(format!("{time} is in no mean: the next one ends at {:?}", mean.time));
        }
    }
    Ok(())
}

fn check(flash: &mut SimFlash, lives: &[Life]) -> Life {
    let found = found(flash);
    let mut faults = Vec::new();
    for life in lives {
        match holds(&found, life) {
            Ok(()) => return life.clone(),
            Err(fault) => faults.push(fault),
        }
    }
    panic!("{faults:#?}");
}

#[test]
fn a_power_cut_costs_the_row_under_way_and_nothing_else() {
    let (mut dice, wanted) = (Dice::new(11), cuts());
    let (mut flash, mut life, mut done) = (SimFlash::new(SECTORS, 3), Life::new(), 0);
    // Both rings go round.
    while done < wanted || life.rows.len() < 4000 {
        let run = life.run(&mut dice);
        let (mut after, kept) = live(fork(&mut flash, dice.roll()), run);
        assert_eq!(kept, run.rows);
        let next = life.with(run, kept, run.learned(kept));
        let erases = after.erases() > 0;
        if done < wanted && dice.one_in(if erases { 3 } else { 60 }) {
            let fresh = fork(&mut flash, 0);
            let all = steps(&fresh, &after);
            // Each step of a short run, some of a long one.
            let mut step = 0;
            while step < all && done < wanted {
                done += 1;
                progress("history", done, wanted);
                let mut cut = fork(&mut flash, dice.roll());
                cut.cut_power_after(step);
                let (mut cut, kept) = live(cut, run);
                assert!(cut.is_off() && kept < run.rows);
                cut.restore_power();
                let left = check(&mut cut, &possible(&life, run, kept));
                if dice.one_in(4) {
                    go_on(cut, left, &mut dice);
                }
                step += 1 + if all > 120 { dice.below(30) as u32 } else { 0 };
            }
        }
        if dice.one_in(10) {
            check(&mut after, std::slice::from_ref(&next));
        }
        (flash, life) = (after, next);
    }
}

/// What may be there after a cut in the row behind the `kept` first: without it, with it, or with only its base, which may
/// tell the time of its start.
fn possible(life: &Life, run: Run, kept: u32) -> Vec<Life> {
    vec![
        life.with(run, kept, run.learned(kept)),
        life.with(run, kept + 1, run.learned(kept + 1)),
        life.with(run, kept, run.learned(kept + 1)),
    ]
}

/// After a cut another one in the next start, and then a start that works.
fn go_on(mut flash: SimFlash, mut life: Life, dice: &mut Dice) {
    for left in [dice.below(120) as u32, u32::MAX] {
        flash.cut_power_after(left);
        let run = life.run(dice);
        let (cut, kept) = live(flash, run);
        flash = cut;
        let off = flash.is_off();
        flash.restore_power();
        assert_eq!(off, kept < run.rows);
        let whole = vec![life.with(run, kept, run.learned(kept))];
        life = check(&mut flash, &if off { possible(&life, run, kept) } else { whole });
    }
}
