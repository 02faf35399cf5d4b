//! Any bytes at all where the relay's log and the trips lie, then changes and trips with and without power cuts: all
//! can be read, and what is written afterwards is there.
#![no_main]

use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::units::{Hertz, Seconds, Volts};
use ossp::sim::flash::SimFlash;
use plug::storage::layout::{RELAY_LOG, TRIPS};
use plug::storage::relay_log::{RelayLog, StoredChange};
use plug::storage::trips::{CHUNK, TripHead, TripStore, TripTail};

const SECTOR: u32 = 4096;
/// The log's region and then that of the trips.
const ALL: u32 = RELAY_LOG.length + TRIPS.length;

fuzz_target!(|input: (Vec<(u16, Vec<u8>)>, Vec<(u8, u16)>, u64)| {
    let (patches, cuts, seed) = input;
    let mut log = SimFlash::new((RELAY_LOG.length / SECTOR) as usize, seed);
    let mut trips = SimFlash::new((TRIPS.length / SECTOR) as usize, seed);
    // Something to damage first.
    let _ = (append(&mut log, 1), append(&mut log, 2), write(&mut trips, 40));
    for (at, bytes) in patches {
        let at = u32::from(at) * 4 % ALL;
        let (flash, at) =
            if at < RELAY_LOG.length { (&mut log, at) } else { (&mut trips, at - RELAY_LOG.length) };
        for (cell, byte) in flash.bytes()[at as usize..].iter_mut().zip(bytes) {
            *cell = byte;
        }
    }
    for (count, steps) in cuts.into_iter().take(20) {
        log.cut_power_after(u32::from(steps));
        let _ = append(&mut log, count.into());
        log.restore_power();
        trips.cut_power_after(u32::from(steps));
        let _ = write(&mut trips, count.into());
        trips.restore_power();
    }
    read_all(&mut log, &mut trips);
    let number = append(&mut log, 3).expect("a flash that works is used");
    let newest = block_on(async { RelayLog::open(&mut log).await.unwrap().newest().await.unwrap() });
    assert_eq!(newest, Some(StoredChange { number, ..change(3) }));
    let number = write(&mut trips, 70).expect("a flash that works is used");
    let mut store = block_on(TripStore::open(&mut trips)).unwrap();
    let trip = block_on(store.trip(number)).unwrap();
    assert!(trip.complete() && trip.pairs == 70);
    let mut pairs = [Pair::default(); CHUNK as usize];
    assert_eq!(block_on(store.read(number, 64, &mut pairs)), Ok(6));
    assert_eq!(pairs[5], pair(69));
});

type Result<T> = core::result::Result<T, plug::storage::StoreError<ossp::sim::flash::SimFlashError>>;

fn change(detail: u32) -> StoredChange {
    StoredChange {
        number: 0,
        start: detail,
        time: None,
        uptime_s: 1.0,
        on: true,
        source: 1,
        class: 2,
        locked_out: false,
        cause: "somebody".try_into().unwrap(),
        reading_sequence: Some(7),
        active_power_w: None,
        current_a: None,
        voltage_v: None,
    }
}

fn append(flash: &mut SimFlash, detail: u32) -> Result<u32> {
    block_on(async { RelayLog::open(flash).await?.append(&change(detail)).await })
}

fn pair(index: u16) -> Pair {
    Pair { voltage: index.into(), current: -i32::from(index) }
}

fn write(flash: &mut SimFlash, count: u16) -> Result<u32> {
    let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: true };
    let head = TripHead {
        start: 1,
        time: None,
        uptime_s: 2.0,
        kind: "over_current".try_into().unwrap(),
        cause: "somebody".try_into().unwrap(),
        current_a: Some(17.0),
        pairs_before: 20,
        relay_command_index: None,
        front_end: FrontEnd {
            sample_rate: Hertz(4000.0),
            voltage: range,
            current: range,
            channel_skew: Seconds(0.0),
            nominal_voltage: Volts(230.0),
        },
        calibration: Calibration::ideal(0.2, 0.0, 0.01, 0.0),
    };
    let pairs: Vec<Pair> = (0..count).map(pair).collect();
    block_on(async {
        let mut store = TripStore::open(flash).await?;
        let mut writer = store.begin(&head).await?;
        store.write(&mut writer, 0, &pairs).await?;
        let number = writer.number();
        store.finish(writer, &TripTail::default()).await?;
        Ok(number)
    })
}

fn read_all(log: &mut SimFlash, trips: &mut SimFlash) {
    block_on(async {
        let mut log = RelayLog::open(log).await.unwrap();
        let mut last = None;
        let give = |change: &StoredChange| last = Some(change.number);
        let count = log.read_newest_first(0, usize::MAX, give).await.unwrap();
        assert_eq!(count > 0, last.is_some());
        let mut store = TripStore::open(trips).await.unwrap();
        for position in 0..5 {
            // A patch can make two places the same trip.
            let Ok(Some(trip)) = store.newest_first(position).await else { break };
            let mut pairs = [Pair::default(); CHUNK as usize];
            for first in (0..=u16::MAX).step_by(usize::from(CHUNK)) {
                let count = store.read(trip.number, first, &mut pairs).await.unwrap();
                assert_eq!(count > 0, first < trip.pairs);
                if count == 0 {
                    break;
                }
            }
        }
    });
}
