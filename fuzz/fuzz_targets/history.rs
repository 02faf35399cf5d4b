//! Any bytes at all where the history lies, then starts that write rows with and without power cuts: all can be read, times
//! rise, and what is written afterwards is there.
#![no_main]

use embassy_sync::mutex::Mutex;
use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use metering::energy::Energy;
use metering::quality::Quality;
use ossp::sim::flash::SimFlash;
use plug::history::{Chunk, History, Row, Rows};
use plug::storage::archive::{Found, Query};
use plug::storage::region::Shared;

const SECTORS: usize = 16;
const SECTOR: usize = 4096;
/// Beyond all times that a patch can make by chance, and that a start writes.
const LATE: u32 = 4_000_000_000;

/// Rows of one start: how many, whether they know the time and when that is, how long each is, when the power goes.
type Start = (u8, Option<u32>, u16, u16);

fuzz_target!(|input: (Vec<(u16, Vec<u8>)>, Vec<Start>, u64)| {
    let (patches, starts, seed) = input;
    let mut flash = SimFlash::new(SECTORS, seed);
    // Something to damage first.
    for first in 0..3 {
        flash = live(flash, (200, (first != 1).then_some(1_795_000_000 + 9000 * first), 10, u16::MAX)).0;
    }
    for (at, bytes) in patches {
        let at = usize::from(at) * 4 % (SECTORS * SECTOR);
        for (cell, byte) in flash.bytes()[at..].iter_mut().zip(bytes) {
            *cell = byte;
        }
    }
    for start in starts.into_iter().take(8) {
        flash = live(flash, start).0;
        flash = read(flash);
    }
    let (flash, kept) = live(flash, (3, Some(LATE), 10, u16::MAX));
    assert_eq!(kept, 3, "a flash that works is used");
    let shared: Shared<SimFlash> = Mutex::new(Some(flash));
    block_on(async {
        let history = History::new(&shared).await;
        let (mut newest, mut rows) = (LATE - 1, Chunk::new());
        loop {
            history.read(newest, u32::MAX, &mut rows).await.unwrap();
            let Some(last) = rows.last().and_then(|row| row.time) else { break };
            newest = last;
        }
        assert!(newest >= LATE + 20, "{newest}");
        assert_eq!(history.newest().await, Ok(Some(newest)));
    });
});

/// What one start writes; how many rows were taken.
fn live(mut flash: SimFlash, (count, time, interval_s, steps): Start) -> (SimFlash, u32) {
    if steps < u16::MAX {
        flash.cut_power_after(u32::from(steps));
    }
    let shared: Shared<SimFlash> = Mutex::new(Some(flash));
    let interval_s = u32::from(interval_s % 4000).max(1);
    let kept = block_on(async {
        let history = History::new(&shared).await;
        let _ = history.begin(0).await;
        let mut kept = 0;
        for index in 0..u32::from(count) {
            let since = index * interval_s;
            let time = time.map(|time| time.saturating_add(since));
            kept += u32::from(history.append(row(time, f64::from(since), interval_s)).await.is_ok());
        }
        kept
    });
    let mut flash = shared.into_inner().unwrap();
    flash.restore_power();
    (flash, kept)
}

fn row(time: Option<u32>, uptime_s: f64, interval_s: u32) -> Row {
    Row {
        boot: 0,
        uptime_s,
        time,
        interval_s,
        measured: 1.0,
        import: Energy((uptime_s * 1e7) as u64),
        export: Energy(0),
        active_power_w: 36.0,
        power_min_w: 35.0,
        power_max_w: 37.0,
        voltage_v: Some(230.0),
        current_a: Some(0.16),
        power_factor: Some(0.98),
        frequency_hz: Some(50.0),
        relay: true,
        relay_changed: false,
        quality: Quality::NONE,
    }
}

/// Reads all that there is, in all ways.
fn read(flash: SimFlash) -> SimFlash {
    let shared: Shared<SimFlash> = Mutex::new(Some(flash));
    block_on(async {
        let history = History::new(&shared).await;
        let _ = history.begin(0).await;
        let (mut after, mut rows) = (0, Chunk::new());
        loop {
            history.read(after, u32::MAX, &mut rows).await.unwrap();
            let Some(last) = rows.last().and_then(|row| row.time) else { break };
            assert!(last > after && rows.is_sorted_by(|one, other| one.time < other.time));
            after = last;
        }
        let _ = history.count(0, u32::MAX).await.unwrap();
        assert!(history.find(Query::HistorySpan).await.is_some());
        let Some(Found::Unplaced(starts)) = history.find(Query::Unplaced).await else { panic!("no answer") };
        for start in starts {
            let mut after_ds = 0;
            loop {
                let query = Query::UnplacedRows { boot: start.boot, after_ds };
                let Some(Found::History(rows)) = history.find(query).await else { panic!("no answer") };
                let Some(last) = rows.last() else { break };
                let next = (last.uptime_s * 10.0) as u32;
                // Two rows of one moment are no reason to go round in circles.
                if next <= after_ds {
                    break;
                }
                after_ds = next;
            }
        }
    });
    shared.into_inner().unwrap()
}
