//! The history as the real recorder keeps it, from readings, in simulated time: days and a week of them, with power cuts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod world;

use plug::history::Row;
use plug::storage::archive::{Found, Query};
use world::{EPOCH, Network, Plug, Running, World, emoncms};

const SETTINGS: &str = r#"{"time":{"source":"ntp"}}"#;

/// All rows in (`after`, `until`], oldest first.
async fn rows(running: &Running<'_>, mut after: u32, until: u32) -> Vec<Row> {
    let mut all = Vec::new();
    loop {
        match running
            .state
            .archive
            .ask(running.wall_clock, Query::History { after, until, coarse: false })
            .await
        {
            Some(Found::History(rows)) if !rows.is_empty() => {
                all.extend(rows.iter().copied());
                after = rows.last().unwrap().time.unwrap();
            }
            Some(Found::History(_)) => return all,
            _ => panic!("the history does not answer"),
        }
    }
}

#[track_caller]
fn assert_row(plug: &Plug, row: &Row) {
    let end = f64::from(row.time.unwrap());
    let slot = plug.truth.window(end - f64::from(row.interval_s), end);
    let near = |found: f64, expected: f64, least: f64| {
        assert!((found - expected).abs() <= least, "{row:?} {found} {expected}");
    };
    near(row.active_power_w, slot.power(), 0.0051);
    near(row.voltage_v.unwrap(), slot.voltage(), 0.0051);
    near(row.import.watt_hours(), slot.energy_wh, 0.000_011);
    near(row.measured, f64::from(slot.seconds) / f64::from(row.interval_s), 0.002);
}

#[test]
fn a_day_with_power_cuts_is_there_row_by_row() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, SETTINGS);
    let mut cuts = Vec::new();
    for part in 1..=5 {
        world.run(plug.run(async |_| world.until_s(f64::from(part) * 17_001.7).await));
        let cut = world.unix() as u32;
        world.run(world.sleep_s(33.0));
        cuts.push((cut, world.unix() as u32));
    }
    let all = world.run(plug.run(async |running| {
        world.sleep_s(100.0).await;
        rows(running, 0, u32::MAX).await
    }));
    all.iter().for_each(|row| assert_row(&plug, row));
    let missing = |end: &u32| !all.iter().any(|row| row.time == Some(*end));
    let last = all.last().unwrap().time.unwrap();
    let slots = plug.truth.slots(EPOCH + 10, last, 10);
    let missing: Vec<u32> = slots.keys().copied().filter(missing).collect();
    // Of each power cut the window that was open.
    let open: Vec<u32> = cuts.iter().map(|(cut, _)| cut.next_multiple_of(10)).collect();
    assert_eq!(missing, open);
    assert_eq!(slots.len() - missing.len(), all.iter().filter(|row| row.time.unwrap() > EPOCH + 10).count());
}

#[test]
fn a_week_leaves_three_days_of_rows_and_means_before() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 5, SETTINGS);
    let all = world.run(plug.run(async |running| {
        world.until_s(7.0 * 86_400.0 + 4321.0).await;
        rows(running, 0, u32::MAX).await
    }));
    all.iter().for_each(|row| assert_row(&plug, row));
    let now = world.unix() as u32;
    let fine: Vec<&Row> = all.iter().filter(|row| row.interval_s == 10).collect();
    let border = fine[0].time.unwrap();
    assert!(border <= now - 3 * 86_400, "{} s of three days are missing", border - (now - 3 * 86_400));
    let newest = fine.last().unwrap().time.unwrap();
    assert!(newest + 20 > now, "{newest} {now}");
    assert_eq!(fine.len() as u32, (newest - border) / 10 + 1, "no gap");
    let coarse: Vec<u32> =
        all.iter().filter(|row| row.interval_s == 300).map(|row| row.time.unwrap()).collect();
    assert!(coarse.windows(2).all(|pair| pair[1] - pair[0] == 300));
    assert!(
        coarse[0] <= EPOCH + 600 && border - coarse.last().unwrap() <= 310,
        "{} {border}",
        coarse.last().unwrap()
    );
    let (most, erases, words) = plug.log_wear();
    eprintln!("{} rows; {erases} erases, {words} words written, {most} erases of one sector", all.len());
    assert!(most <= 3, "{most}");
}
