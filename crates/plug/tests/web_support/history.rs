//! A history as the flash keeps it, and how it answers.

use metering::energy::Energy;
use metering::quality::{Flag, Quality};
use plug::history::{CHUNK, Row, Unplaced};
use plug::storage::archive::{Found, Query};

/// A row of 10 s with everything in it.
pub(crate) fn row(time: u32) -> Row {
    Row {
        boot: 7,
        uptime_s: f64::from(time % 100_000),
        time: Some(time),
        interval_s: 10,
        measured: 1.0,
        import: Energy(u64::from(time % 1_000_000) * 1_000_000_000),
        export: Energy(500_000_000),
        active_power_w: 100.0,
        power_min_w: 90.0,
        power_max_w: 110.0,
        voltage_v: Some(230.5),
        current_a: Some(0.5),
        power_factor: Some(0.9),
        frequency_hz: Some(50.01),
        relay: true,
        relay_changed: false,
        quality: Quality::NONE,
    }
}

/// So many rows without a gap, the first of which begins at `start`; two more of a start without a time.
pub(crate) fn rows(start: u32, count: u32) -> Vec<Row> {
    let mut rows: Vec<_> = (1..=count).map(|number| row(start + 10 * number)).collect();
    for (number, uptime_s) in [(0_u32, 12.3), (1, 22.3)] {
        rows.push(Row { boot: 3, uptime_s, time: None, ..row(number) });
    }
    if let Some(first) = rows.first_mut() {
        first.quality.set(Flag::Clipped);
        first.quality.set(Flag::RelayChanged);
    }
    rows
}

/// What the flash says of such a history, oldest first.
pub(crate) fn find(history: &[Row], query: Query) -> Found {
    match query {
        Query::History { after, until, .. } => {
            let within = |row: &&Row| row.time.is_some_and(|time| after < time && time <= until);
            Found::History(history.iter().filter(within).take(CHUNK).copied().collect())
        }
        Query::HistorySpan => {
            let mut placed = history.iter().filter(|row| row.time.is_some());
            let oldest = placed.next().and_then(|row| Some(row.time? - row.interval_s));
            let newest = history.iter().filter_map(|row| row.time).max();
            Found::HistorySpan(oldest.zip(newest))
        }
        Query::Unplaced => {
            let mut starts: Vec<Unplaced> = Vec::new();
            for row in history.iter().filter(|row| row.time.is_none()) {
                match starts.iter_mut().find(|start| start.boot == row.boot) {
                    Some(start) => (start.to_uptime_s, start.rows) = (row.uptime_s, start.rows + 1),
                    None => starts.push(Unplaced {
                        boot: row.boot,
                        from_uptime_s: row.uptime_s - f64::from(row.interval_s),
                        to_uptime_s: row.uptime_s,
                        rows: 1,
                    }),
                }
            }
            Found::Unplaced(starts)
        }
        Query::UnplacedRows { boot, after_ds } => {
            let later = |row: &&Row| {
                row.time.is_none() && row.boot == boot && (row.uptime_s * 10.0).round() > f64::from(after_ds)
            };
            Found::History(history.iter().filter(later).take(CHUNK).copied().collect())
        }
        _ => Found::Nothing,
    }
}
