//! Power cuts in the relay's log, in trips and in a factory reset: at each write and in the middle of erases of long
//! random histories. `OSSP_POWER_CUTS` is how many there are in all (700; 35,000 in `./ci.sh long`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod log_samples;

use std::collections::BTreeMap;

use futures_lite::future::block_on;
use log_samples::{change, head, pairs};
use metering::front_end::Pair;
use ossp::sim::flash::{SECTOR, SimFlash, SimFlashError};
use plug::storage::StoreError;
use plug::storage::layout::{CALIBRATION, Place, RELAY_LOG, STARTS, TRIPS};
use plug::storage::relay_log::{RelayLog, StoredChange};
use plug::storage::reset::{MARK, Reset, begin_reset, finish_if_begun};
use plug::storage::trips::{CHUNK, Trip, TripStore, TripTail};

type Result<T> = std::result::Result<T, StoreError<SimFlashError>>;

/// Numbers by chance, the same each time (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u32) -> u32 {
        (self.next() >> 33) as u32 % limit
    }
}

/// Counts cuts up to this test's share of all, and says now and then how many there were.
struct Cuts {
    what: &'static str,
    done: u32,
    wanted: u32,
}

impl Cuts {
    fn share(what: &'static str, tenths: u32) -> Self {
        let all = std::env::var("OSSP_POWER_CUTS").map_or(700, |count| count.parse().unwrap());
        Self { what, done: 0, wanted: (all * tenths / 10).max(1) }
    }

    fn enough(&self) -> bool {
        self.done >= self.wanted
    }

    fn one(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of((self.wanted / 10).max(100)) {
            eprintln!("{}: {} of {} power cuts", self.what, self.done, self.wanted);
        }
    }
}

/// The same contents; what a power cut leaves is decided anew by `seed`.
fn fork(flash: &mut SimFlash, seed: u64) -> SimFlash {
    let mut fork = SimFlash::new(flash.bytes().len() / SECTOR, seed);
    fork.bytes().copy_from_slice(flash.bytes());
    fork
}

/// What an operation costs, in steps, and the flash after it.
fn whole(flash: &mut SimFlash, operation: impl FnOnce(&mut SimFlash)) -> (u32, SimFlash) {
    let mut after = fork(flash, 0);
    operation(&mut after);
    ((after.words_written() + 4 * after.erases()) as u32, after)
}

fn append(flash: &mut SimFlash, change: &StoredChange) -> Result<u32> {
    block_on(async { RelayLog::open(flash).await?.append(change).await })
}

fn maintain_log(flash: &mut SimFlash) -> Result<()> {
    block_on(async { RelayLog::open(flash).await?.maintain().await })
}

/// All that can be read, by number; checked to be newest first and without a hole.
fn all_changes(flash: &mut SimFlash) -> BTreeMap<u32, StoredChange> {
    let mut changes = Vec::new();
    let mut log = block_on(RelayLog::open(flash)).unwrap();
    block_on(log.read_newest_first(0, usize::MAX, |change| changes.push(change.clone()))).unwrap();
    assert_eq!(block_on(log.newest()).unwrap(), changes.first().cloned());
    assert_eq!(log.newest_number(), changes.first().map_or(0, |newest| newest.number));
    assert!(changes.is_sorted_by(|newer, older| newer.number == older.number + 1));
    changes.into_iter().map(|change| (change.number, change)).collect()
}

/// Each entry is one that was there before or is there after; those that are in both are there, whole.
fn check_changes(
    flash: &mut SimFlash,
    before: &BTreeMap<u32, StoredChange>,
    after: &BTreeMap<u32, StoredChange>,
) {
    let now = all_changes(flash);
    for (number, change) in &now {
        assert!(before.get(number) == Some(change) || after.get(number) == Some(change), "{change:?}");
    }
    for (number, change) in before.iter().filter(|(number, _)| after.contains_key(number)) {
        assert_eq!(now.get(number), Some(change));
    }
}

#[test]
fn the_relay_log_keeps_every_change_but_the_one_being_written() {
    let mut cuts = Cuts::share("relay log", 4);
    let (mut random, mut flash) = (Random(3), SimFlash::new(RELAY_LOG.length as usize / SECTOR, 1));
    let (mut before, mut number, mut erasing) = (BTreeMap::new(), 0, 0);
    while !cuts.enough() || erasing < 20 {
        let maintain = random.below(12) == 0;
        number += u32::from(!maintain);
        let operation = |flash: &mut SimFlash| match maintain {
            true => maintain_log(flash),
            false => append(flash, &change(number)).map(|given| assert_eq!(given, number)),
        };
        let (steps, mut next) = whole(&mut flash, |flash| operation(flash).unwrap());
        let after = all_changes(&mut next);
        let erases = next.erases() > 0;
        erasing += u32::from(erases);
        if random.below(if erases { 4 } else { 60 }) == 0 && !cuts.enough() {
            for step in 0..steps {
                let mut cut = fork(&mut flash, random.next());
                cut.cut_power_after(step);
                assert!(operation(&mut cut).is_err() && cut.is_off());
                cut.restore_power();
                check_changes(&mut cut, &before, &after);
                go_on(cut, &before, &after, &mut random);
                cuts.one();
            }
        }
        (flash, before) = (next, after);
    }
    assert!(before.len() > 170 && number > before.len() as u32, "{} of {number}", before.len());
}

/// After a cut, another one in the next change, and then one that works.
fn go_on(
    mut flash: SimFlash,
    before: &BTreeMap<u32, StoredChange>,
    after: &BTreeMap<u32, StoredChange>,
    random: &mut Random,
) {
    flash.cut_power_after(random.below(60));
    let new = change(random.below(1000));
    if append(&mut flash, &new).is_err() {
        flash.restore_power();
        let was = all_changes(&mut flash);
        // What the second one erased may be a sector more.
        let oldest = before.keys().next().map_or(0, |oldest| oldest + 100);
        for number in before.keys().filter(|number| **number > oldest && after.contains_key(number)) {
            assert_eq!(was.get(number), before.get(number));
        }
    }
    flash.restore_power();
    let number = append(&mut flash, &new).unwrap();
    assert_eq!(all_changes(&mut flash).pop_last(), Some((number, StoredChange { number, ..new })));
}

/// A trip from its beginning to its end in pieces, `told` being how many pairs were said to be written.
fn write_trip(flash: &mut SimFlash, number: u32, pairs: &[Pair], told: &mut u16) -> Result<()> {
    block_on(async {
        let mut store = TripStore::open(flash).await?;
        let mut writer = store.begin(&head(number)).await?;
        for piece in pairs.chunks(1 + number as usize % 50) {
            let first = writer.next_index();
            store.write(&mut writer, first, piece).await?;
            *told = writer.next_index();
        }
        store.finish(writer, &TripTail { current_ended_index: Some(number as u16) }).await
    })
}

fn maintain_trips(flash: &mut SimFlash) -> Result<()> {
    block_on(async {
        let mut store = TripStore::open(flash).await?;
        while store.maintain().await? {}
        Ok(())
    })
}

/// All trips with their pairs, by number.
fn all_trips(flash: &mut SimFlash) -> BTreeMap<u32, (Trip, Vec<Pair>)> {
    let mut store = block_on(TripStore::open(flash)).unwrap();
    let mut trips = BTreeMap::new();
    for position in 0..5 {
        let Some(trip) = block_on(store.newest_first(position)).unwrap() else { break };
        let mut pairs = Vec::new();
        let mut some = [Pair::default(); CHUNK as usize];
        loop {
            let count = block_on(store.read(trip.number, pairs.len() as u16, &mut some)).unwrap();
            pairs.extend_from_slice(&some[..count]);
            if count == 0 {
                break;
            }
        }
        assert_eq!(pairs.len(), usize::from(trip.pairs));
        assert!(trips.keys().all(|newer| *newer > trip.number));
        trips.insert(trip.number, (trip, pairs));
    }
    trips
}

#[test]
fn trips_are_intact_or_incomplete_or_gone() {
    let mut cuts = Cuts::share("trips", 4);
    let (mut random, mut flash) = (Random(5), SimFlash::new(TRIPS.length as usize / SECTOR, 1));
    let (mut before, mut newest) = (BTreeMap::new(), 0);
    while !cuts.enough() || newest < 12 {
        let (number, maintain) = (newest + 1, random.below(4) == 0);
        let length = [0, 10, 32, 100, 2048][random.below(5) as usize] + random.below(5) as usize;
        let wave = pairs(number, length.min(2048));
        let operation = |flash: &mut SimFlash, told: &mut u16| match maintain {
            true => maintain_trips(flash),
            false => write_trip(flash, number, &wave, told),
        };
        let (steps, mut next) = whole(&mut flash, |flash| operation(flash, &mut 0).unwrap());
        newest += u32::from(!maintain);
        let after = all_trips(&mut next);
        let mut step = random.below(8);
        while step < steps && !cuts.enough() {
            let mut cut = fork(&mut flash, random.next());
            cut.cut_power_after(step);
            let mut told = 0;
            assert!(operation(&mut cut, &mut told).is_err() && cut.is_off());
            cut.restore_power();
            check_trips(&mut cut, &before, &after, number, told);
            go_on_with_trips(cut, &mut random);
            cuts.one();
            // Each step of the head and the tail, some of the many pairs between them.
            step += 1 + random.below(if (150..steps.saturating_sub(20)).contains(&step) { 150 } else { 8 });
        }
        (flash, before) = (next, after);
    }
}

type Trips = BTreeMap<u32, (Trip, Vec<Pair>)>;

fn check_trips(flash: &mut SimFlash, before: &Trips, after: &Trips, new: u32, told: u16) {
    let now = all_trips(flash);
    for (number, trip) in before.iter().filter(|(number, _)| after.contains_key(number)) {
        assert_eq!(now.get(number), Some(trip), "what is not to make room is as it was");
    }
    for (number, (trip, pairs)) in &now {
        let Some((whole, all)) = after.get(number).filter(|_| !before.contains_key(number)) else {
            assert!(before.get(number) == now.get(number), "trip {number}");
            continue;
        };
        assert_eq!((*number, &trip.head), (new, &whole.head));
        assert_eq!(pairs[..], all[..pairs.len()], "pairs in their places, none made up");
        assert!(pairs.len() >= usize::from(told - told % CHUNK), "{told} were written");
        assert!(!trip.complete() || pairs.len() == all.len());
    }
    assert!(told == 0 || now.contains_key(&new), "a trip that was begun is listed");
}

/// After a cut, another one in the next trip, and then one that works.
fn go_on_with_trips(mut flash: SimFlash, random: &mut Random) {
    for steps in [random.below(300), u32::MAX] {
        flash.cut_power_after(steps);
        let number = all_numbers(&mut flash).pop().unwrap_or(0) + 1;
        let wave = pairs(number, random.below(70) as usize);
        if write_trip(&mut flash, number, &wave, &mut 0).is_ok() {
            let (trip, kept) = all_trips(&mut flash).remove(&number).unwrap();
            assert!(trip.complete() && kept == wave && trip.head == head(number));
        }
        flash.restore_power();
    }
    assert!(!all_numbers(&mut flash).is_empty());
}

fn all_numbers(flash: &mut SimFlash) -> Vec<u32> {
    all_trips(flash).into_keys().collect()
}

const ALL: usize = plug::storage::layout::SECTORS as usize;
/// What another program would see, and must not after a reset.
const SECRET: [u8; 4] = *b"psk!";

fn bytes(flash: &mut SimFlash, place: Place) -> &mut [u8] {
    &mut flash.bytes()[place.from as usize..][..place.length as usize]
}

#[test]
fn a_reset_is_finished_whatever_happens_and_nothing_old_is_left() {
    let mut cuts = Cuts::share("reset", 2);
    let mut random = Random(7);
    let mut flash = SimFlash::new(ALL, 1);
    for word in flash.bytes().chunks_mut(4) {
        word.copy_from_slice(&SECRET);
    }
    bytes(&mut flash, MARK).fill(0xff);
    let reset = |flash: &mut SimFlash| {
        block_on(async {
            begin_reset(flash).await?;
            finish_if_begun(flash, None).await
        })
    };
    let (steps, _) = whole(&mut flash, |flash| assert_eq!(reset(flash), Ok(Reset::Done)));
    while !cuts.enough() {
        let mut cut = fork(&mut flash, random.next());
        // Each eighth one in the first steps, in which it is decided.
        let step = random.below(if cuts.done.is_multiple_of(8) { 8 } else { steps });
        cut.cut_power_after(step);
        assert!(reset(&mut cut).is_err() && cut.is_off());
        while random.below(3) == 0 {
            cut.restore_power();
            cut.cut_power_after(random.below(steps));
            let _ = block_on(finish_if_begun(&mut cut, None));
        }
        cut.restore_power();
        block_on(finish_if_begun(&mut cut, None)).unwrap();
        check_reset(&mut cut, &mut flash, step);
        cuts.one();
    }
}

fn check_reset(flash: &mut SimFlash, before: &mut SimFlash, step: u32) {
    for place in [STARTS, CALIBRATION] {
        assert!(bytes(flash, place) == bytes(before, place), "what stays is as it was");
    }
    let (stays, all) = ((STARTS.length + CALIBRATION.length) as usize / 4, ALL * SECTOR / 4);
    let left = words_left(flash);
    // Words that are not erased: what stays, or all but the mark where it was not begun.
    if left == all - SECTOR / 4 {
        assert!(step < 4, "step {step}: not begun");
    } else {
        assert!(left == stays, "step {step}: something is left");
    }
}

fn words_left(flash: &mut SimFlash) -> usize {
    flash.bytes().chunks(4).filter(|word| *word != [0xff; 4]).count()
}
