//! The relay's log, the trips and the factory reset on a simulated flash, without power cuts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod log_samples;

use futures_lite::future::block_on;
use log_samples::{change, head, pairs};
use metering::front_end::Pair;
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::storage::layout::{RELAY_LOG, TRIPS};
use plug::storage::relay_log::{RelayLog, StoredChange};
use plug::storage::reset::forget_access;
use plug::storage::trips::{CHUNK, PAIRS, Trip, TripStore, TripTail};
use plug::storage::{StoreError, layout};

const LOG_SECTORS: usize = RELAY_LOG.length as usize / SECTOR;
const TRIP_SECTORS: usize = TRIPS.length as usize / SECTOR;

fn log(flash: SimFlash) -> RelayLog<SimFlash> {
    block_on(RelayLog::open(flash)).unwrap()
}

fn store(flash: SimFlash) -> TripStore<SimFlash> {
    block_on(TripStore::open(flash)).unwrap()
}

fn newest_first(log: &mut RelayLog<SimFlash>, skip: usize, take: usize) -> Vec<StoredChange> {
    let mut changes = Vec::new();
    let count = block_on(log.read_newest_first(skip, take, |change| changes.push(change.clone()))).unwrap();
    assert_eq!(count, changes.len());
    changes
}

#[test]
fn an_empty_log_has_nothing_and_takes_the_first_change() {
    let mut log = log(SimFlash::new(LOG_SECTORS, 1));
    assert_eq!((block_on(log.newest()).unwrap(), log.newest_number()), (None, 0));
    assert!(newest_first(&mut log, 0, 10).is_empty());
    assert_eq!(block_on(log.append(&change(1))), Ok(1));
    assert_eq!(block_on(log.newest()).unwrap(), Some(change(1)));
}

#[test]
fn changes_come_back_newest_first_page_by_page_and_the_oldest_go() {
    let mut log = log(SimFlash::new(LOG_SECTORS, 1));
    let mut least = usize::MAX;
    for number in 1..=2000 {
        assert_eq!(block_on(log.append(&change(number))), Ok(number));
        if number % 3 == 0 && log.wants_maintenance() {
            block_on(log.maintain()).unwrap();
            assert!(!log.wants_maintenance());
        }
        if number % 50 == 0 {
            log = self::log(log.into_flash());
        }
        assert_eq!(block_on(log.newest()).unwrap().unwrap().number, number);
        if number > 1000 && number % 7 == 0 {
            least = least.min(newest_first(&mut log, 0, 1000).len());
        }
    }
    let all = newest_first(&mut log, 0, 1000);
    assert!(least >= 200, "{least} changes are kept");
    for (change, number) in all.iter().zip((1..=2000).rev()) {
        assert_eq!(*change, self::change(number));
    }
    for (skip, take) in [(0, 32), (1, 1), (32, 32), (70, 100), (all.len() - 1, 32), (all.len(), 5)] {
        let end = all.len().min(skip + take);
        assert_eq!(newest_first(&mut log, skip, take), all[skip..end]);
    }
    let flash = log.into_flash();
    // 2000 changes at 100 a day are 20 days: 20 years are 3000 erases.
    assert!(flash.most_erases() <= 9, "{} erases", flash.most_erases());
}

#[test]
fn one_bad_record_costs_one_entry() {
    let mut log = log(SimFlash::new(LOG_SECTORS, 1));
    for number in 1..=60 {
        block_on(log.append(&change(number))).unwrap();
    }
    let mut flash = log.into_flash();
    for place in [100, SECTOR + 300] {
        flash.bytes()[place] ^= 1;
    }
    let mut log = self::log(flash);
    let left = newest_first(&mut log, 0, 100);
    assert_eq!(left.len(), 58);
    assert!(left.iter().all(|entry| *entry == change(entry.number)));
    assert_eq!(block_on(log.append(&change(61))), Ok(61));
    assert_eq!(newest_first(&mut log, 0, 100).len(), 59);
}

#[test]
fn a_log_on_a_broken_flash_says_so() {
    let mut flash = SimFlash::new(LOG_SECTORS, 1);
    flash.break_down();
    assert!(matches!(block_on(RelayLog::open(&mut flash)), Err(StoreError::Flash(_))));
    assert!(matches!(block_on(TripStore::open(&mut flash)), Err(StoreError::Flash(_))));
}

/// Writes a whole trip in pieces of this length.
fn write(store: &mut TripStore<SimFlash>, number: u32, pairs: &[Pair], piece: usize) {
    let mut writer = block_on(store.begin(&head(number))).unwrap();
    assert_eq!(writer.number(), number);
    for piece in pairs.chunks(piece) {
        let first = writer.next_index();
        block_on(store.write(&mut writer, first, piece)).unwrap();
    }
    block_on(store.finish(writer, &TripTail { current_ended_index: Some(7) })).unwrap();
}

#[test]
fn a_trip_has_the_number_that_was_told_but_never_one_twice() {
    let mut store = store(SimFlash::new(TRIP_SECTORS, 1));
    let mut begin = |number| block_on(store.begin_as(number, &head(number))).unwrap().number();
    assert_eq!([begin(1), begin(5), begin(5), begin(2)], [1, 5, 6, 7]);
}

fn read(store: &mut TripStore<SimFlash>, number: u32) -> Vec<Pair> {
    let mut all = Vec::new();
    loop {
        let mut some = [Pair::default(); CHUNK as usize];
        match block_on(store.read(number, all.len() as u16, &mut some)).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&some[..count]),
        }
    }
}

fn list(store: &mut TripStore<SimFlash>) -> Vec<Trip> {
    (0..).map_while(|position| block_on(store.newest_first(position)).unwrap()).collect()
}

#[test]
fn trips_come_back_and_the_oldest_make_room() {
    let mut store = store(SimFlash::new(TRIP_SECTORS, 1));
    assert!(list(&mut store).is_empty() && store.wants_maintenance());
    let lengths = [2048, 0, 1, 31, 32, 33, 2000, 2047, 500, 64];
    for (number, length) in (1..).zip(lengths) {
        while block_on(store.maintain()).unwrap() {}
        assert!(!store.wants_maintenance());
        let erases = store_erases(&mut store);
        write(&mut store, number, &pairs(number, length), 1 + number as usize * 9);
        assert_eq!(store_erases(&mut store), erases, "with a clean place nothing is erased");
        if number % 2 == 0 {
            store = self::store(store.into_flash());
        }
        let trips = list(&mut store);
        assert_eq!(trips.len(), number.min(4) as usize);
        for (trip, number) in trips.iter().zip((1..=number).rev()) {
            let length = lengths[number as usize - 1];
            let tail = Some(TripTail { current_ended_index: Some(7) });
            let expected = Trip { number, head: head(number), pairs: length as u16, tail };
            assert_eq!(*trip, expected);
            assert_eq!(read(&mut store, number), pairs(number, length));
        }
    }
    assert_eq!(block_on(store.trip(6)), Err(StoreError::Gone));
    assert_eq!(block_on(store.read(6, 0, &mut [])), Err(StoreError::Gone));
    let flash = store.into_flash();
    assert!(flash.most_erases() <= 3, "{} erases", flash.most_erases());
}

fn store_erases(store: &mut TripStore<SimFlash>) -> u64 {
    let taken = std::mem::replace(store, self::store(SimFlash::new(TRIP_SECTORS, 1)));
    let flash = taken.into_flash();
    let erases = flash.erases();
    *store = self::store(flash);
    erases
}

#[test]
fn gaps_are_lost_pairs_and_what_is_too_much_is_left_out() {
    let mut store = store(SimFlash::new(TRIP_SECTORS, 1));
    let wave = pairs(1, 2048);
    let mut writer = block_on(store.begin(&head(1))).unwrap();
    block_on(store.write(&mut writer, 0, &wave[..40])).unwrap();
    block_on(store.write(&mut writer, 100, &wave[100..110])).unwrap();
    assert_eq!(block_on(store.write(&mut writer, 109, &wave[109..])), Err(StoreError::OutOfOrder));
    assert_eq!((list(&mut store)[0].pairs, list(&mut store)[0].complete()), (96, false));
    block_on(store.write(&mut writer, 110, &wave[110..])).unwrap();
    block_on(store.write(&mut writer, 2048, &wave[..50])).unwrap();
    block_on(store.write(&mut writer, u16::MAX, &wave[..50])).unwrap();
    block_on(store.finish(writer, &TripTail::default())).unwrap();
    let mut expected = wave;
    expected[40..100].fill(Pair::LOST);
    assert_eq!(read(&mut store, 1), expected);
    assert_eq!(list(&mut store)[0].pairs, PAIRS);
}

#[test]
fn a_damaged_chunk_is_lost_in_its_place() {
    let mut store = store(SimFlash::new(TRIP_SECTORS, 1));
    let wave = pairs(1, 100);
    write(&mut store, 1, &wave, 64);
    let mut flash = store.into_flash();
    flash.bytes()[SECTOR + 40 * 8] ^= 1;
    let mut expected = wave;
    expected[32..64].fill(Pair::LOST);
    assert_eq!(read(&mut self::store(flash), 1), expected);
}

#[test]
fn a_writer_whose_trip_made_room_hears_it() {
    let mut store = store(SimFlash::new(TRIP_SECTORS, 1));
    let mut writer = block_on(store.begin(&head(1))).unwrap();
    for number in 2..=5 {
        write(&mut store, number, &pairs(number, 10), 10);
    }
    assert_eq!(block_on(store.write(&mut writer, 0, &pairs(1, 10))), Err(StoreError::Gone));
    assert_eq!(block_on(store.finish(writer, &TripTail::default())), Err(StoreError::Gone));
}

#[test]
fn forgetting_access_takes_nothing_else() {
    let mut flash = SimFlash::new(plug::storage::layout::SECTORS as usize, 1);
    flash.bytes().fill(0x5a);
    block_on(forget_access(&mut flash)).unwrap();
    let (from, length) = (layout::ACCESS.from as usize, layout::ACCESS.length as usize);
    for (at, byte) in flash.bytes().iter().enumerate() {
        let gone = (from..from + length).contains(&at);
        assert_eq!(*byte, if gone { 0xff } else { 0x5a }, "at {at}");
    }
}

fn size<T: Future>(future: T) -> usize {
    size_of_val(&future)
}

/// Futures of these are part of a task's memory for ever.
#[test]
fn futures_are_small() {
    let mut log = log(SimFlash::new(LOG_SECTORS, 1));
    let mut store = store(SimFlash::new(TRIP_SECTORS, 1));
    let change = change(1);
    let head = head(1);
    let sizes = [
        ("append", size(log.append(&change))),
        ("newest", size(log.newest())),
        ("read log", size(log.read_newest_first(0, 1, |_| ()))),
        ("maintain log", size(log.maintain())),
        ("begin", size(store.begin(&head))),
        ("trip", size(store.trip(1))),
        ("read trip", size(store.read(1, 0, &mut []))),
    ];
    eprintln!("{sizes:?}");
    assert!(sizes.iter().all(|(_, size)| *size < 800), "{sizes:?}");
}
