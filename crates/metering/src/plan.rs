//! Where windows begin and end: whole cycles while there are crossings, fixed times while there are none.
//!
//! ```text
//!                crossing                    10th or 12th crossing: window, goes on
//!  Searching ---------------> Cycles <----+
//!     |                        |   ^ \____/
//!     | 30 ms without one      |   |
//!     v                        v   | crossing: window ends there
//!   Timed <--------------------+---+
//!     ^ | 30 ms without one: window of the whole cycles so far; Timed from its last edge
//!     +-+ 200 ms: window, goes on
//! ```

use crate::dsp::moments::MAX_WINDOW_ROWS;
use crate::front_end::FASTEST_HZ;
use crate::position::{Position, distance, in_samples};
use crate::quality::{Flag, Quality};
use crate::window::Span;

/// Without a crossing for this long there is no sync.
const PATIENCE_S: f64 = 0.030;
/// Length of windows without sync.
const TIMED_WINDOW_S: f64 = 0.200;
/// No window is longer.
const LONGEST_WINDOW_S: f64 = 0.250;
const _: () = assert!(LONGEST_WINDOW_S * FASTEST_HZ < MAX_WINDOW_ROWS as f64);
/// Crossings nearer than this to the one before are not cycles.
const SHORTEST_CYCLE_S: f64 = 0.012;
/// Cycles of a window below and above the border.
const CYCLES_50: u32 = 10;
const CYCLES_60: u32 = 12;
/// The border between both, and its hysteresis.
const BORDER_HZ: f64 = 55.0;
const BORDER_HYSTERESIS_HZ: f64 = 0.5;
/// Cycles in one window may differ by this part of their mean before it is said.
const UNSTABLE: f64 = 0.02;
/// A gap longer than this part of a cycle ends the window.
const LONGEST_GAP_CYCLES: f64 = 0.25;
/// The cycle that is assumed where none is known.
const DEFAULT_CYCLE_S: f64 = 0.020;
/// Rows after a timed edge that must be there before its window is computed.
const AFTER_EDGE: u64 = 3;

/// A window that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) span: Span,
    pub(crate) quality: Quality,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before the first edge.
    Searching { since: u64 },
    /// Between crossings.
    Cycles { first: Position, last: Position, count: u32, shortest: u64, longest: u64 },
    /// Without crossings.
    Timed { first: Position },
}

/// The window in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    sample_rate: f64,
    /// The times above in rows, worked out once: a chip without floating point asks for them with every block.
    patience: u64,
    timed_window: u64,
    /// Distances: the shortest cycle, and the longest window that has room for another cycle.
    shortest_cycle: u64,
    roomy_window: u64,
    state: State,
    /// Whether the last whole window had twelve cycles; `None` before the first.
    twelve: Option<bool>,
    /// The newest cycle's length, while there are crossings.
    cycle: Option<u64>,
}

impl Plan {
    pub(crate) fn new(sample_rate: f64) -> Self {
        let rows = |seconds: f64| libm::ceil(seconds * sample_rate) as u64;
        Self {
            sample_rate,
            patience: rows(PATIENCE_S),
            timed_window: rows(TIMED_WINDOW_S),
            shortest_cycle: distance(SHORTEST_CYCLE_S * sample_rate),
            // Another cycle may take as long as patience lasts.
            roomy_window: distance((LONGEST_WINDOW_S - PATIENCE_S) * sample_rate),
            state: State::Searching { since: 0 },
            twelve: None,
            cycle: None,
        }
    }

    /// First edge of the window in progress; `None` before the first.
    pub(crate) fn first(&self) -> Option<Position> {
        match self.state {
            State::Searching { .. } => None,
            State::Cycles { first, .. } | State::Timed { first } => Some(first),
        }
    }

    /// The newest edge that a window ended or may end at.
    pub(crate) fn newest_edge(&self) -> Option<Position> {
        match self.state {
            State::Searching { .. } => None,
            State::Cycles { last, .. } => Some(last),
            State::Timed { first } => Some(first),
        }
    }

    /// Length of the newest cycle, if crossings are coming in.
    pub(crate) fn cycle(&self) -> Option<u64> {
        self.cycle
    }

    /// Lost pairs up to this many are bridged; more end the window.
    pub(crate) fn longest_gap(&self) -> u64 {
        let cycle = self.cycle.map_or(DEFAULT_CYCLE_S * self.sample_rate, in_samples);
        (cycle * LONGEST_GAP_CYCLES) as u64
    }

    /// The row at which [`Self::time_out`] must be called unless a crossing comes before.
    pub(crate) fn deadline(&self) -> u64 {
        match self.state {
            State::Searching { since } => since + self.patience,
            State::Cycles { last, .. } => last.row() + self.patience,
            State::Timed { first } => first.row() + self.timed_window + AFTER_EDGE,
        }
    }

    /// A crossing was found.
    pub(crate) fn crossing(&mut self, at: Position) -> Option<Closed> {
        match self.state {
            State::Searching { .. } => {
                self.begin_cycles(at);
                None
            }
            State::Timed { first } => {
                self.begin_cycles(at);
                Some(timed(first, at))
            }
            State::Cycles { first, last, count, shortest, longest } => {
                let cycle = at.since(last);
                if cycle < self.shortest_cycle {
                    return None;
                }
                self.cycle = Some(cycle);
                let (shortest, longest) = (shortest.min(cycle), longest.max(cycle));
                let state = State::Cycles { first, last: at, count: count + 1, shortest, longest };
                self.state = state;
                let length = at.since(first);
                let full = count + 1 >= self.cycles_wanted(count + 1, length);
                if !full && length <= self.roomy_window {
                    return None;
                }
                let closed = self.whole_cycles(state, full);
                self.begin_cycles(at);
                closed
            }
        }
    }

    /// The deadline passed without a crossing.
    pub(crate) fn time_out(&mut self) -> Option<Closed> {
        match self.state {
            State::Searching { since } => {
                self.state = State::Timed { first: Position::at(since) };
                None
            }
            State::Cycles { last, .. } => {
                let closed = self.whole_cycles(self.state, false);
                self.lose_sync(last);
                closed
            }
            State::Timed { first } => {
                let last = Position::at(first.row() + self.timed_window);
                self.state = State::Timed { first: last };
                Some(timed(first, last))
            }
        }
    }

    /// A long gap: samples end before row `end` and go on with row `next`. At most two windows are complete.
    pub(crate) fn gap(&mut self, end: u64, next: u64) -> [Option<Closed>; 2] {
        let whole = self.whole_cycles(self.state, false);
        let rest = self.newest_edge().map(|edge| timed(edge, Position::before(end)));
        self.state = match self.state {
            State::Searching { .. } => State::Searching { since: next },
            _ => State::Timed { first: Position::before(next) },
        };
        self.cycle = None;
        [whole, rest.filter(|closed| closed.span.last > closed.span.first)]
    }

    fn begin_cycles(&mut self, first: Position) {
        self.state = State::Cycles { first, last: first, count: 0, shortest: u64::MAX, longest: 0 };
    }

    fn lose_sync(&mut self, last: Position) {
        self.state = State::Timed { first: last };
        self.cycle = None;
    }

    /// Ten cycles or twelve, decided when ten are there.
    fn cycles_wanted(&mut self, count: u32, length: u64) -> u32 {
        if count < CYCLES_50 {
            return CYCLES_50;
        }
        if count == CYCLES_50 {
            let frequency = f64::from(count) * self.sample_rate / in_samples(length);
            let border = match self.twelve {
                Some(true) => BORDER_HZ - BORDER_HYSTERESIS_HZ,
                Some(false) => BORDER_HZ + BORDER_HYSTERESIS_HZ,
                None => BORDER_HZ,
            };
            self.twelve = Some(frequency > border);
        }
        if self.twelve == Some(true) { CYCLES_60 } else { CYCLES_50 }
    }

    /// The window of the cycles so far, if there is one; `full`: it has as many as it should have.
    fn whole_cycles(&self, state: State, full: bool) -> Option<Closed> {
        let State::Cycles { first, last, count, shortest, longest } = state else { return None };
        if count == 0 {
            return None;
        }
        let mut quality = Quality::NONE;
        let mean = in_samples(last.since(first)) / f64::from(count);
        quality.set_if(Flag::FrequencyUnstable, in_samples(longest - shortest) > UNSTABLE * mean);
        quality.set_if(Flag::ShortWindow, !full);
        Some(Closed { span: Span { first, last, cycles: Some(count) }, quality })
    }
}

fn timed(first: Position, last: Position) -> Closed {
    Closed { span: Span { first, last, cycles: None }, quality: Quality::NONE }
}
