//! What the tests of the history share: rows whose numbers the flash keeps exactly, and a plug that writes them.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

use embassy_sync::mutex::Mutex;
use futures_lite::future::block_on;
use metering::energy::Energy;
use metering::quality::{Flag, Quality};
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::history::{Chunk, History, HistoryError, Row, Rows, Unplaced};
use plug::storage::archive::{Found, Query};
use plug::storage::region::Shared;

/// A Unix time on every grid up to an hour.
pub const NOON: u32 = 1_795_003_200;

/// A flash for the whole log.
pub fn whole_log() -> SimFlash {
    SimFlash::new(plug::history::SECTORS as usize, 1)
}

/// The `number`th row: the counters say which it is.
pub fn row(number: u32, time: Option<u32>, uptime_s: f64, interval_s: u32) -> Row {
    let watts = f64::from(number % 500 * 7) / 100.0;
    let mut quality = Quality::NONE;
    quality.set_if(Flag::BelowNoise, number.is_multiple_of(3));
    Row {
        boot: 0,
        uptime_s,
        time,
        interval_s,
        measured: f64::from(255 - number % 10) / 255.0,
        import: Energy(u64::from(number) * 5_550_000),
        export: Energy(u64::from(number / 2) * 10_000),
        active_power_w: watts,
        power_min_w: (f64::from(number % 500 * 7) - f64::from(number % 7)) / 100.0,
        power_max_w: f64::from(number % 500 * 7 + 41) / 100.0,
        voltage_v: Some(f64::from(23_000 + number % 100) / 100.0),
        current_a: (!number.is_multiple_of(11)).then(|| f64::from(number % 8000) / 100_000.0),
        power_factor: Some(f64::from(number % 20_000) / 20_000.0),
        frequency_hz: (!number.is_multiple_of(13)).then_some(49.987),
        relay: number.is_multiple_of(2),
        relay_changed: number.is_multiple_of(5),
        quality,
    }
}

/// Which row it is.
pub fn number(row: &Row) -> u32 {
    u32::try_from(row.import.0 / 5_550_000).unwrap()
}

/// The same contents; what a power cut leaves is decided anew by `seed`.
pub fn fork(flash: &mut SimFlash, seed: u64) -> SimFlash {
    let mut fork = SimFlash::new(flash.bytes().len() / SECTOR, seed);
    fork.bytes().copy_from_slice(flash.bytes());
    fork
}

/// What is in a flash after one start of the plug has done something with the log.
pub fn start<R>(
    flash: SimFlash,
    start: u32,
    action: impl AsyncFnOnce(&History<'_, SimFlash>) -> R,
) -> (SimFlash, R) {
    let shared: Shared<SimFlash> = Mutex::new(Some(flash));
    let result = block_on(async {
        let history = History::new(&shared).await;
        // A power cut shows in what follows.
        let _ = history.begin(start).await;
        action(&history).await
    });
    (shared.into_inner().unwrap(), result)
}

/// Looks into the log as the start after it would.
pub fn look<R>(flash: &mut SimFlash, action: impl AsyncFnOnce(&History<'_, SimFlash>) -> R) -> R {
    start(fork(flash, 1), 1, action).1
}

/// All rows with a time in (`after`, `until`], in steps as the uplink takes them.
pub async fn read_all(history: &impl Rows, mut after: u32, until: u32) -> Result<Vec<Row>, HistoryError> {
    let (mut all, mut rows) = (Vec::new(), Chunk::new());
    loop {
        history.read(after, until, &mut rows).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        assert!(last.time.unwrap() > after, "each step goes on");
        after = last.time.unwrap();
        all.extend(rows.iter().copied());
    }
}

/// All rows of the 5-minute ring, in steps as the web takes them.
pub async fn read_coarse(history: &History<'_, SimFlash>, mut after: u32) -> Vec<Row> {
    let mut all = Vec::new();
    loop {
        let query = Query::History { after, until: u32::MAX, coarse: true };
        let Some(Found::History(rows)) = history.find(query).await else { panic!("no answer") };
        let Some(last) = rows.last() else { return all };
        after = last.time.unwrap();
        all.extend(rows.iter().filter(|row| row.interval_s >= 300));
    }
}

pub async fn unplaced(history: &History<'_, SimFlash>) -> Vec<Unplaced> {
    match history.find(Query::Unplaced).await {
        Some(Found::Unplaced(starts)) => starts,
        other => panic!("{other:?}"),
    }
}

/// All rows of a start that never learned the time.
pub async fn unplaced_rows(history: &History<'_, SimFlash>, boot: u32) -> Vec<Row> {
    let (mut all, mut after_ds) = (Vec::new(), 0);
    loop {
        let Some(Found::History(rows)) = history.find(Query::UnplacedRows { boot, after_ds }).await else {
            panic!("no answer")
        };
        let Some(last) = rows.last() else { return all };
        after_ds = (last.uptime_s * 10.0).round() as u32;
        all.extend(rows);
    }
}
