//! What only the flash knows, for whoever asks: one question at a time, answered by the one task that has the stores.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use metering::front_end::Pair;

use super::relay_log::StoredChange;
use super::totals::Row;
use super::trips::Trip;
use crate::history::{Row as HistoryRow, Unplaced};
use crate::platform::Clock;

/// How long a question may take: an erase that is under way, and reading a few kilobytes.
const PATIENCE: Duration = Duration::from_secs(3);
/// Changes in one answer: 3 KB of heap at the most.
pub const CHANGES: usize = 12;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// Up to [`CHANGES`] changes of the relay, newest first, after leaving out so many.
    Changes {
        /// How many are left out.
        skip: usize,
    },
    /// The trip after so many newer ones.
    NewestTrip(usize),
    /// A trip by its number.
    Trip(u32),
    /// Some pairs of a trip, from an index on.
    Pairs {
        /// Number of the trip.
        trip: u32,
        /// The first pair that is wanted.
        first: u16,
    },
    /// The days, newest first.
    Days,
    /// The months, newest first.
    Months,
    /// The history's first rows with a time in (`after`, `until`], oldest first, up to
    /// [`CHUNK`](crate::history::CHUNK).
    History {
        /// Unix seconds.
        after: u32,
        /// Unix seconds.
        until: u32,
        /// The 5-minute means will do: read from them as far as they reach.
        coarse: bool,
    },
    /// From when to when the history reaches.
    HistorySpan,
    /// The starts with rows in the history that never learned the time, oldest first.
    Unplaced,
    /// The first rows of such a start that end later than `after_ds`, up to [`CHUNK`](crate::history::CHUNK).
    UnplacedRows {
        /// Number of the start.
        boot: u32,
        /// Tenths of a second after the start.
        after_ds: u32,
    },
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Found {
    /// To [`Query::Changes`]; none behind the oldest.
    Changes(Vec<StoredChange>),
    /// To [`Query::NewestTrip`] and [`Query::Trip`]; `None` if there is no such trip.
    Trip(Option<Box<Trip>>),
    /// To [`Query::Pairs`]; none behind the last.
    Pairs(Vec<Pair>),
    /// To [`Query::Days`] and [`Query::Months`].
    Rows(Vec<Row>),
    /// To [`Query::History`] and [`Query::UnplacedRows`]; none behind the last.
    History(Vec<HistoryRow>),
    /// To [`Query::HistorySpan`]: where the oldest window begins and the newest ends, Unix seconds; `None` without
    /// a row with a time.
    HistorySpan(Option<(u32, u32)>),
    /// To [`Query::Unplaced`].
    Unplaced(Vec<Unplaced>),
    /// The flash does not say.
    Nothing,
}

/// Where questions wait.
pub struct Archive {
    turn: Mutex<NoopRawMutex, ()>,
    query: Signal<NoopRawMutex, Query>,
    answer: Signal<NoopRawMutex, (Query, Found)>,
    /// Whether somebody waits for an answer: else it is nobody's, and takes memory for nothing.
    awaited: Cell<bool>,
}

/// Somebody who waits; dropped, nobody does any more.
struct Asking<'a>(&'a Archive);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.awaited.set(false);
        self.0.query.reset();
        self.0.answer.reset();
    }
}

impl Archive {
    /// Nobody asked yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { turn: Mutex::new(()), query: Signal::new(), answer: Signal::new(), awaited: Cell::new(false) }
    }

    /// Asks, and waits for the answer; `None` if it does not come in time. Dropping the future takes the question
    /// back.
    pub async fn ask<C: Clock>(&self, clock: &C, query: Query) -> Option<Found> {
        let late = clock.sleep_until(clock.now().after(PATIENCE));
        let answer = async {
            let _turn = self.turn.lock().await;
            let _asking = Asking(self);
            self.awaited.set(true);
            self.query.signal(query);
            loop {
                // What somebody asked who has gone since is nobody's.
                let (asked, found) = self.answer.wait().await;
                if asked == query {
                    return found;
                }
            }
        };
        match select(answer, late).await {
            Either::First(found) => Some(found),
            Either::Second(()) => None,
        }
    }

    /// The next question, for the one task that answers. Dropping the future leaves it there.
    pub async fn next(&self) -> Query {
        self.query.wait().await
    }

    /// Its answer.
    pub fn answer(&self, query: Query, found: Found) {
        if self.awaited.get() {
            self.answer.signal((query, found));
        }
    }
}

impl Default for Archive {
    fn default() -> Self {
        Self::new()
    }
}
