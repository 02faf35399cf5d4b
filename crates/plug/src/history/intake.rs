//! Readings into rows: windows on the clock's grid, and a queue in which rows wait for the flash.
//!
//! Glossary: the *offset* is the Unix time at the beginning of this start, as the readings tell it. A window ends at a
//! multiple of the interval: in Unix time once the offset is known, in uptime before that. A reading belongs to the window
//! in which it ends; so a row's counters are those of the last reading in it.
//!
//! ```text
//!               reading with a time            differs for a while by over half a second
//!   no offset --------------------> offset --------------------------------------------+
//!                                     ^  small differences are followed slowly           |
//!                                     +-------------------------------------------------+
//! ```
//! When the grid moves, the window that is open gets its end on the new one: nothing is lost, nothing counts twice. It also
//! goes on where the flash is so slow that no more rows can wait.

use core::cell::RefCell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use heapless::Deque;
use metering::quality::Flag;
use metering::reading::Reading;

use super::merge::Gathered;
use super::row::Row;
use crate::limits;

/// Differences from the offset up to this are taken for jitter and drift.
const STEP_S: f64 = 0.5;
/// The part of such a difference that is followed with each reading.
const FOLLOW: f64 = 1.0 / 32.0;
/// Readings in a row that must tell of a step: a stall of the plug makes some of them late.
const STEP_READINGS: u8 = 10;
/// Where the clock was put back by so much at the most, the window that is open waits for it.
const WAIT_S: u32 = 60;
/// A reading that ends so little behind the end of a window still belongs to it.
const ROUNDING_S: f64 = 1e-4;

/// Where readings come in; `run_rest` has one.
pub struct Intake {
    windows: RefCell<Windows>,
    queue: RefCell<Deque<Row, { limits::HISTORY_QUEUE }>>,
    waiting: Signal<NoopRawMutex, ()>,
}

impl Intake {
    /// No reading yet.
    #[must_use]
    pub fn new() -> Self {
        Self { windows: RefCell::default(), queue: RefCell::new(Deque::new()), waiting: Signal::new() }
    }

    /// Takes a reading in; rows are to be `interval_s` seconds long.
    pub fn take(&self, reading: &Reading, interval_s: u16) {
        let room = !self.queue.borrow().is_full();
        let row = self.windows.borrow_mut().handle(reading, interval_s, room);
        self.put(row);
    }

    /// Ends the window that is open: the plug is about to restart.
    pub fn close(&self) {
        let row = self.windows.borrow_mut().close();
        self.put(row);
    }

    /// Whether no row waits.
    pub fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// The oldest row, which stays until [`Self::done`]; waits for one. Dropping the future does no harm.
    pub(super) async fn next(&self) -> Row {
        loop {
            if let Some(row) = self.queue.borrow().front() {
                return *row;
            }
            self.waiting.wait().await;
        }
    }

    /// The oldest row is kept, or never will be.
    pub(super) fn done(&self) {
        self.queue.borrow_mut().pop_front();
    }

    fn put(&self, row: Option<Row>) {
        let Some(row) = row else { return };
        // There is room, but for the very last row before a restart.
        let _ = self.queue.borrow_mut().push_back(row);
        self.waiting.signal(());
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self::new()
    }
}

/// When a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Unix seconds.
    Time(u32),
    /// Seconds after the start.
    Uptime(u64),
}

/// The window that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    end: End,
    interval_s: u32,
}

/// What becomes of readings; time comes with them.
#[derive(Debug, Default)]
pub(super) struct Windows {
    gathered: Gathered,
    open: Option<Open>,
    offset: Option<f64>,
    /// Readings in a row that tell of another offset.
    differing: u8,
    /// Time of the newest row.
    newest: Option<u32>,
}

impl Windows {
    /// Takes a reading in; the row that ended before it, if one did. Without `room` for it the window goes on instead.
    pub(super) fn handle(&mut self, reading: &Reading, interval_s: u16, room: bool) -> Option<Row> {
        let stepped = self.follow(reading);
        let interval_s = u32::from(interval_s.max(1));
        let uptime_s = reading.uptime.0;
        let end = self.end(uptime_s, interval_s);
        let mut row = None;
        if let Some(open) = self.open {
            let same_grid = open.interval_s == interval_s
                && !stepped
                && matches!((open.end, end), (End::Time(_), End::Time(_)) | (End::Uptime(_), End::Uptime(_)));
            let over = if same_grid { open.end } else { self.end_of_gathered(end, interval_s) };
            if over != end && room {
                self.open = Some(Open { end: over, ..open });
                row = self.close();
            }
        }
        let duration_s = reading.window.duration.0;
        if duration_s > 0.0 {
            self.open = Some(Open { end, interval_s });
            self.gathered.add(&row_of(reading), duration_s);
        }
        row
    }

    /// The grid moved: where the window that is open ends on the new one. A step may come just when it was over, and then
    /// the reading must not join it.
    fn end_of_gathered(&self, end: End, interval_s: u32) -> End {
        match (self.gathered.last(), end) {
            (Some(last), End::Time(_)) => self.end(last.uptime_s, interval_s),
            _ => end,
        }
    }

    /// Ends the window that is open; the row, if anything was measured in it.
    pub(super) fn close(&mut self) -> Option<Row> {
        let open = self.open.take()?;
        let gathered = core::mem::take(&mut self.gathered);
        let mut row = gathered.row(open.interval_s)?;
        match open.end {
            End::Time(time) => {
                row.time = Some(time);
                row.uptime_s = self.offset.map_or(row.uptime_s, |offset| (f64::from(time) - offset).max(0.0));
                self.newest = Some(time);
            }
            End::Uptime(uptime_s) => row.uptime_s = uptime_s as f64,
        }
        Some(row)
    }

    /// The end of the window in which a reading lies that ends at `uptime_s`.
    fn end(&self, uptime_s: f64, interval_s: u32) -> End {
        let multiple = |seconds: f64| {
            let interval = f64::from(interval_s);
            libm::ceil((seconds - ROUNDING_S) / interval).max(1.0) * interval
        };
        let Some(offset) = self.offset else { return End::Uptime(multiple(uptime_s) as u64) };
        let time = multiple(uptime_s + offset) as u32;
        match self.newest {
            // The clock was put back a little: until it is there again, all goes into the next window.
            Some(newest) if time <= newest && newest - time <= WAIT_S => {
                End::Time(newest.saturating_add(1).checked_next_multiple_of(interval_s).unwrap_or(newest))
            }
            _ => End::Time(time),
        }
    }

    /// Follows the clock; whether it stepped, or became known.
    fn follow(&mut self, reading: &Reading) -> bool {
        // Once known, the time of a start is known: should the clock be distrusted again, uptime goes on telling it.
        let Some(time) = reading.time else { return false };
        let told = time - reading.uptime.0;
        let Some(offset) = self.offset else {
            self.offset = Some(told);
            return true;
        };
        let difference = told - offset;
        if libm::fabs(difference) <= STEP_S {
            self.differing = 0;
            self.offset = Some(offset + difference * FOLLOW);
            return false;
        }
        self.differing += 1;
        if self.differing < STEP_READINGS {
            return false;
        }
        self.differing = 0;
        self.offset = Some(told);
        true
    }
}

/// A reading as a row of its own; whoever gathers it knows the rest.
fn row_of(reading: &Reading) -> Row {
    Row {
        boot: 0,
        uptime_s: reading.uptime.0,
        time: None,
        interval_s: 1,
        measured: 1.0,
        import: reading.energy_import,
        export: reading.energy_export,
        active_power_w: reading.active_power.0,
        power_min_w: reading.active_power.0,
        power_max_w: reading.active_power.0,
        voltage_v: Some(reading.voltage.0),
        current_a: Some(reading.current.0),
        power_factor: reading.power_factor,
        frequency_hz: reading.frequency.map(|frequency| frequency.0),
        relay: reading.relay,
        relay_changed: reading.quality.has(Flag::RelayChanged),
        quality: reading.quality,
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
