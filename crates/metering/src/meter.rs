//! The meter: blocks of raw pairs in, readings out, protection's half-cycle values on the side.

use crate::calibration::Calibration;
pub use crate::dsp::extremes::SumOfSquares;
use crate::dsp::extremes::{HalfCycleLength, Sliding};
use crate::dsp::kernels::MANY;
use crate::energy::{EnergyTotals, Resumed};
use crate::front_end::{FrontEnd, FrontEndError, Pair};
use crate::history::{History, Storage, View};
use crate::idle::Idle;
use crate::plan::{Closed, Plan};
use crate::position::{Position, in_samples};
use crate::quality::{Flag, Quality};
use crate::reading::{Harmonics, Reading};
use crate::span::{DEFAULT_HALF_CYCLE_S, Span};
use crate::tracker::{Crossing, Thresholds, Tracker};
use crate::units::Seconds;
use crate::window::Setup;

/// The hysteresis of the zero crossings, as a part of nominal voltage: with a tenth of it (`no_voltage` below) the
/// peaks still reach it.
const HYSTERESIS: f64 = 0.1;
/// How long after a switching command its effect may show: the contact's own time and its bounce.
const RELAY_EFFECT_S: f64 = 0.030;
/// Two cycles are equally long if they differ by one part in so many.
const STEADY_CYCLES: u64 = 32;
/// History that is kept for any purpose: two cycles at 45 Hz.
const LEAD_S: f64 = 0.045;
/// History that a meter needs: the newest window (0.25 s) with its lead, and as much for the one in progress.
const HISTORY_S: f64 = 0.65;

/// Why a meter cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterError {
    /// The front end is not one this crate is made for.
    FrontEnd(FrontEndError),
    /// The lent memory is too small; this many rows are needed.
    Storage(usize),
}

impl core::fmt::Display for MeterError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::FrontEnd(error) => error.fmt(f),
            Self::Storage(rows) => write!(f, "memory for {rows} samples is needed"),
        }
    }
}

/// The newest half-cycle sum, about the calibrated zero, for protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfCycle {
    /// Of the current.
    pub current: SumOfSquares,
    /// Whether the current touched a rail in the newest block: the true value is larger than any number here.
    pub current_clipped: bool,
}

/// Who is told of readings.
type Take<'t> = dyn FnMut(&Reading, &Harmonics) + 't;

/// Samples in, readings out. No heap, no clock; the memory for samples is lent by the caller.
#[derive(Debug)]
pub struct Meter<'a> {
    setup: Setup,
    next_calibration: Option<Calibration>,
    history: History<'a>,
    tracker: Tracker,
    plan: Plan,
    /// How many of the newest rows have not been searched for crossings.
    unsearched: usize,
    /// How many rows after the last that was searched the plan's deadline lies; 32 bits are enough for the path that
    /// every block takes.
    patience: isize,
    half_length: HalfCycleLength,
    /// The newest cycle, good or not.
    newest_cycle: u64,
    half_cycle: Sliding,
    current_clipped: bool,
    relay: bool,
    relay_commanded: Option<u64>,
    /// Flags that the next window gets beside its own.
    next_quality: Quality,
    sequence: u64,
    totals: EnergyTotals,
    lost_rows: u64,
    /// Of those, how many were bridged since the newest edge.
    bridged_rows: u64,
    unmeasured_rows: u64,
    /// Of earlier runs.
    unmeasured_before: Seconds,
    newest: Option<(Span, Reading)>,
    /// First row of the newest reading's capture; `u64::MAX` without one.
    newest_lead: u64,
    /// See [`Self::keep_rows_from`]; `u64::MAX` without a wish.
    kept_from: u64,
    /// History that is kept for any purpose, in rows.
    lead_rows: u64,
    harmonics: Harmonics,
    with_harmonics: bool,
    idle: Idle,
}

impl<'a> Meter<'a> {
    /// Rows of [`Storage`] that a meter needs at a sample rate.
    #[must_use]
    pub fn rows_needed(sample_rate: f64) -> usize {
        (sample_rate * HISTORY_S) as usize + 64
    }

    /// A meter at its start: no samples seen, relay open, totals zero.
    ///
    /// # Errors
    /// If the front end is outside what this crate is made for, or the storage is too small.
    pub fn new(
        front_end: FrontEnd,
        calibration: Calibration,
        storage: Storage<'a>,
    ) -> Result<Self, MeterError> {
        front_end.check().map_err(MeterError::FrontEnd)?;
        let rate = front_end.sample_rate.0;
        let needed = Self::rows_needed(rate);
        let history = History::new(storage);
        if history.capacity() < needed {
            return Err(MeterError::Storage(needed));
        }
        let setup = Setup::new(front_end, calibration);
        let half_length = HalfCycleLength::from_rows(DEFAULT_HALF_CYCLE_S * rate);
        let mut meter = Self {
            next_calibration: None,
            history,
            tracker: Tracker::new(thresholds(&setup)),
            plan: Plan::new(rate),
            unsearched: 0,
            patience: 0,
            half_length,
            newest_cycle: 0,
            half_cycle: Sliding::start(&[], setup.zeros, half_length),
            current_clipped: false,
            relay: false,
            relay_commanded: None,
            next_quality: Quality::NONE,
            sequence: 0,
            totals: EnergyTotals::default(),
            lost_rows: 0,
            bridged_rows: 0,
            unmeasured_rows: 0,
            unmeasured_before: Seconds(0.0),
            newest: None,
            newest_lead: u64::MAX,
            kept_from: u64::MAX,
            lead_rows: (LEAD_S * rate) as u64 + 1,
            harmonics: Harmonics::NONE,
            with_harmonics: true,
            idle: Idle::NONE,
            setup,
        };
        meter.follow_plan();
        Ok(meter)
    }

    /// Whether harmonics and THD are computed (they are, unless this says no).
    pub fn set_harmonics(&mut self, on: bool) {
        self.with_harmonics = on;
    }

    /// Takes in `lost_before` missing pairs and then `pairs`, and calls `take` with each reading that is complete.
    ///
    /// How the pairs are cut into blocks makes no difference to any reading.
    pub fn push(&mut self, lost_before: u32, pairs: &[Pair], mut take: impl FnMut(&Reading, &Harmonics)) {
        self.push_all(lost_before, pairs, &mut take);
    }

    /// Not generic, so that it is optimised as this crate is, and not as whoever calls [`Self::push`].
    #[inline(never)]
    fn push_all(&mut self, lost_before: u32, pairs: &[Pair], take: &mut Take<'_>) {
        if lost_before > 0 {
            self.lose(lost_before.into(), take);
        }
        self.current_clipped = false;
        let mut rest = pairs;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.room().min(rest.len()));
            self.current_clipped |= self.append(now);
            self.unsearched += now.len();
            self.search(1, take);
            rest = later;
        }
    }

    /// Tells the meter what the relay was commanded to; windows in which that may have had an effect say so.
    pub fn set_relay(&mut self, closed: bool) {
        if closed != self.relay {
            self.relay = closed;
            self.relay_commanded = Some(self.history.end());
            self.idle = Idle::NONE;
        }
    }

    /// Takes effect with the next window, which says `calibration_changed`. Versions, and the calibrations before,
    /// are the caller's to keep.
    pub fn calibrate(&mut self, calibration: Calibration) {
        self.next_calibration = Some(calibration);
    }

    /// Goes on where an earlier run of the same meter ended: its totals are added to what this run measured so far.
    pub fn resume(&mut self, before: &Resumed) {
        self.totals.resume(before);
        self.unmeasured_before = before.unmeasured;
    }

    /// Asks to keep the rows from this one on for a while, as far as there is memory that no window needs; `None`
    /// ends it. Half a second is always there.
    pub fn keep_rows_from(&mut self, row: Option<u64>) {
        self.kept_from = row.unwrap_or(u64::MAX);
    }

    /// Rows `from..to`, as far as they are there.
    #[must_use]
    pub fn rows_between(&self, from: u64, to: u64) -> View<'_> {
        self.history.view(from, to)
    }

    /// The front end and calibration in use.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The front end.
    #[must_use]
    pub fn front_end(&self) -> &FrontEnd {
        self.setup.front_end()
    }

    /// The half-cycle value at the end of the newest block.
    #[must_use]
    pub fn half_cycle(&self) -> HalfCycle {
        HalfCycle {
            current: self.half_cycle.value(self.history.current()),
            current_clipped: self.current_clipped,
        }
    }

    /// Pairs in a half cycle, as [`Self::half_cycle`] takes it.
    #[must_use]
    pub fn half_cycle_rows(&self) -> u64 {
        self.half_length.whole_rows().into()
    }

    /// The count that [`Self::half_cycle`] takes as no current.
    #[must_use]
    pub fn current_zero(&self) -> i32 {
        self.setup.zeros.current
    }

    /// Energy so far.
    #[must_use]
    pub fn totals(&self) -> &EnergyTotals {
        &self.totals
    }

    /// Time since the first edge that no window measured, with that of earlier runs (see [`Self::resume`]).
    #[must_use]
    pub fn unmeasured(&self) -> Seconds {
        let now = self.unmeasured_rows as f64 / self.setup.front_end.sample_rate.0;
        Seconds(self.unmeasured_before.0 + now)
    }

    /// Pairs lost since start.
    #[must_use]
    pub fn lost_pairs(&self) -> u64 {
        self.lost_rows
    }

    /// Rows taken in so far, lost ones included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.history.end()
    }

    /// First edge of the window in progress: what lies after it is in no window yet. `None` before the first edge.
    #[must_use]
    pub fn newest_edge(&self) -> Option<Position> {
        self.plan.first()
    }

    /// What the open relay lets be known of the current channel's zero and noise; offered, never applied.
    #[must_use]
    pub fn idle(&self) -> &Idle {
        &self.idle
    }

    /// The newest reading with the rows it was made of, from [`Span::lead_row`] to [`Span::end_row`].
    #[must_use]
    pub fn newest(&self) -> Option<(&Reading, Span, View<'_>)> {
        let (span, reading) = self.newest.as_ref()?;
        let view = self.history.view(self.newest_lead, span.end_row());
        Some((reading, *span, view))
    }

    /// The newest rows that make up `cycles` mains cycles (of 20 ms without sync), or `None` if there are not that
    /// many or a pair is missing among them.
    #[must_use]
    pub fn newest_cycles(&self, cycles: u32) -> Option<View<'_>> {
        let rate = self.setup.front_end.sample_rate.0;
        let cycle = self.plan.cycle().map_or(2.0 * DEFAULT_HALF_CYCLE_S * rate, in_samples);
        let rows = libm::ceil(cycle * f64::from(cycles)) as u64 + 1;
        let from = self.history.end().checked_sub(rows).filter(|&from| from >= self.history.base())?;
        let view = self.history.view(from, self.history.end());
        (!view.has_losses()).then_some(view)
    }

    fn rows_of(&self, seconds: f64) -> u64 {
        (seconds * self.setup.front_end.sample_rate.0) as u64
    }

    /// The oldest row that is still of use.
    fn keep_from(&self) -> u64 {
        let window = self.plan.first().map_or(self.history.end(), Position::row);
        window.min(self.history.end()).saturating_sub(self.lead_rows).min(self.newest_lead)
    }

    /// For how many rows there is room: at least one, the history forgets what is of no use any more.
    #[inline(always)]
    fn room(&mut self) -> usize {
        if self.history.room() == 0 {
            let needed = self.keep_from();
            let wished = needed.min(self.kept_from);
            self.history.make_room(if wished > self.history.base() { wished } else { needed });
        }
        self.history.room()
    }

    /// Takes in rows for which there is room, and says whether the current touched a rail.
    #[inline(always)]
    fn append(&mut self, pairs: &[Pair]) -> bool {
        let range = &self.setup.front_end.current;
        let rails = (range.lowest, range.highest);
        if pairs.len() >= MANY {
            return self.history.append(pairs, &mut self.half_cycle, rails);
        }
        let (blocks, rest) = pairs.as_chunks();
        let mut clipped = false;
        for block in blocks {
            clipped |= self.history.append_block(block, &mut self.half_cycle, rails);
        }
        clipped | (!rest.is_empty() && self.history.append(rest, &mut self.half_cycle, rails))
    }

    fn restart_sliding(&mut self) {
        self.half_cycle = Sliding::start(self.history.current(), self.setup.zeros, self.half_length);
    }

    /// Missing pairs: a short gap stays in the window, a long one ends it.
    #[inline(never)]
    fn lose(&mut self, count: u64, take: &mut Take<'_>) {
        self.lost_rows += count;
        // Many short gaps in one cycle are as bad as a long one.
        if self.bridged_rows + count <= self.plan.longest_gap() && self.plan.first().is_some() {
            self.bridged_rows += count;
            const MISSING: [Pair; 16] = [Pair::LOST; 16];
            let mut left = count as usize;
            while left > 0 {
                let room = self.room().min(left).min(MISSING.len());
                self.append(MISSING.get(..room).unwrap_or(&[]));
                self.unsearched += room;
                left -= room;
            }
            return;
        }
        self.search(0, take);
        let end = self.history.end();
        for closed in self.plan.gap(end, end + count).into_iter().flatten() {
            self.close(closed, take);
        }
        if self.plan.first().is_some() {
            self.unmeasured_rows += count;
        }
        self.next_quality.set(Flag::LostSamples);
        // The last missing row stays: the next window begins in the middle between it and the first that is there.
        self.bridged_rows = 0;
        self.history.restart(end + count - 1);
        self.append(&[Pair::LOST]);
        self.unsearched = 0;
        self.follow_plan();
        self.tracker.restart();
        self.newest = None;
        self.newest_lead = u64::MAX;
        self.restart_sliding();
    }

    /// Looks for edges in all rows but the newest `margin`, and closes windows.
    fn search(&mut self, margin: usize, take: &mut Take<'_>) {
        loop {
            let fresh = self.unsearched.cast_signed() - margin.cast_signed();
            let is_due = fresh >= self.patience;
            let count = if is_due { self.patience } else { fresh }.max(0).cast_unsigned();
            let found = if count > 0 {
                self.tracker.find(self.history.newest_voltage(self.unsearched, count))
            } else {
                None
            };
            let closed = if let Some(crossing) = found {
                self.crossing(crossing)
            } else {
                self.unsearched -= count;
                self.patience -= count.cast_signed();
                if !is_due {
                    return;
                }
                self.time_out()
            };
            if let Some(closed) = closed {
                self.close(closed, take);
            }
        }
    }

    #[inline(never)]
    fn crossing(&mut self, crossing: Crossing) -> Option<Closed> {
        let at = crossing.position(self.history.end() - self.unsearched as u64);
        self.unsearched -= crossing.fired + 1;
        self.bridged_rows = 0;
        let closed = self.plan.crossing(at);
        self.follow_plan();
        self.follow_cycle();
        closed
    }

    #[inline(never)]
    fn time_out(&mut self) -> Option<Closed> {
        let closed = self.plan.time_out();
        self.follow_plan();
        closed
    }

    /// To be called after whatever changes the plan or jumps over rows.
    fn follow_plan(&mut self) {
        let searched = self.history.end() - self.unsearched as u64;
        self.patience = self.plan.deadline().cast_signed().wrapping_sub(searched.cast_signed()) as isize;
    }

    /// Keeps the protection's half cycle as long as the newest cycle says; without one it stays as it was. A cycle
    /// counts that is as long as the one before it: voltage that vanishes makes a crossing of its own.
    fn follow_cycle(&mut self) {
        let Some(cycle) = self.plan.cycle() else { return };
        let before = core::mem::replace(&mut self.newest_cycle, cycle);
        if cycle.abs_diff(before) > before / STEADY_CYCLES {
            return;
        }
        self.half_length = HalfCycleLength::from_cycle(cycle);
        self.half_cycle.adjust(self.half_length, self.history.current());
    }

    #[inline(never)]
    fn close(&mut self, closed: Closed, take: &mut Take<'_>) {
        let Closed { span, quality } = closed;
        let view = self.history.view(self.history.base(), self.history.end());
        let harmonics = self.with_harmonics.then_some(&mut self.harmonics);
        let lead_row = span.lead_row(self.setup.front_end.sample_rate.0);
        let narrow = self.history.is_narrow_from(lead_row);
        let mut reading = self.setup.analyse_known(view, span, harmonics, narrow);
        reading.quality = reading.quality.union(quality).union(core::mem::take(&mut self.next_quality));
        let relay_at_rest = self.tell_relay(span, &mut reading);
        let below_noise = reading.quality.has(Flag::BelowNoise);
        self.totals.add(reading.active_power.0, reading.window.duration.0, below_noise);
        self.unmeasured_rows += u64::from(reading.window.lost);
        reading.sequence = self.sequence;
        reading.energy_import = self.totals.import;
        reading.energy_export = self.totals.export;
        reading.energy_below_noise = self.totals.below_noise;
        reading.unmeasured = self.unmeasured();
        self.sequence += 1;
        if !self.relay && relay_at_rest {
            self.idle.add(&self.setup, &reading);
        }
        if let Some(calibration) = self.next_calibration.take() {
            self.setup = Setup::new(self.setup.front_end, calibration);
            self.history.forget_narrow();
            self.tracker.set_thresholds(thresholds(&self.setup));
            self.next_quality.set(Flag::CalibrationChanged);
            self.idle = Idle::NONE;
            self.restart_sliding();
        }
        take(&reading, &self.harmonics);
        self.newest_lead = lead_row;
        self.newest = Some((span, reading));
    }

    /// Says in the reading what the relay was commanded to when its window ended, and whether a command may have had an
    /// effect in it. True if the window lies behind all effects. A window closes some rows after its end: a command may
    /// have come in between, and is none of the window's.
    fn tell_relay(&mut self, span: Span, reading: &mut Reading) -> bool {
        reading.relay = self.relay;
        let Some(row) = self.relay_commanded else { return true };
        let effect_ends = row + self.rows_of(RELAY_EFFECT_S);
        if span.last.row() < row {
            reading.relay = !self.relay;
            return false;
        }
        if span.last.row() > effect_ends {
            self.relay_commanded = None;
        }
        let affected = span.first.row() <= effect_ends;
        reading.quality.set_if(Flag::RelayChanged, affected);
        !affected
    }
}

fn thresholds(setup: &Setup) -> Thresholds {
    let channel = &setup.calibration.voltage;
    let hysteresis = HYSTERESIS * setup.front_end.nominal_voltage.0 / libm::fabs(channel.gain);
    Thresholds::new(channel.zero_raw, hysteresis)
}

#[cfg(test)]
mod tests;
