//! Raw samples on their way out of the core: for whoever asks, and for the waveform of a trip.

use alloc::vec::Vec;

use metering::calibration::Calibration;
use metering::front_end::Pair;
use metering::history::View;
use metering::meter::Meter;
use metering::reading::Reading;
use metering::window::Span;

use crate::limits;

/// What a capture shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureRequest {
    /// The newest samples, this many mains cycles of them.
    Cycles(u32),
    /// The samples of the newest reading: two cycles before its first edge to two pairs after its last.
    LastWindow,
}

/// Raw pairs on their way out. One buffer goes round between the web and the core: nothing is allocated later.
pub struct Capture {
    /// What was asked.
    pub request: CaptureRequest,
    /// The pairs, lost ones as [`Pair::LOST`]; its capacity is what a capture can hold.
    pub pairs: Vec<Pair>,
    /// With which calibration they are to be understood.
    pub calibration: Option<Calibration>,
    /// The reading that belongs to the pairs, for [`CaptureRequest::LastWindow`].
    pub reading: Option<Reading>,
    /// Where the reading's window lies: positions count from the first of `pairs`.
    pub span: Option<Span>,
    /// Why there is nothing in it.
    pub error: Option<CaptureError>,
}

/// Why a capture failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// No window was measured yet.
    NothingYet,
    /// More cycles than the plug holds.
    TooLong,
    /// The samples were lost or are not there any more.
    Gone,
}

impl Capture {
    /// A buffer for the longest window with its lead, at a sample rate; the only allocation it ever makes.
    #[must_use]
    pub fn for_rate(sample_rate: f64) -> Self {
        Self {
            request: CaptureRequest::LastWindow,
            pairs: Vec::with_capacity((sample_rate * limits::CAPTURE_S) as usize),
            calibration: None,
            reading: None,
            span: None,
            error: None,
        }
    }

    pub(super) fn fill(&mut self, meter: &Meter<'_>, newest: Option<&Reading>) {
        self.pairs.clear();
        self.reading = None;
        self.span = None;
        self.calibration = Some(meter.setup().calibration().clone());
        self.error = match self.request {
            CaptureRequest::Cycles(cycles) => self.fill_cycles(meter, cycles),
            CaptureRequest::LastWindow => self.fill_window(meter, newest),
        }
        .err();
    }

    fn fill_cycles(&mut self, meter: &Meter<'_>, cycles: u32) -> Result<(), CaptureError> {
        let view = meter.newest_cycles(cycles).ok_or(CaptureError::TooLong)?;
        self.copy(view)
    }

    fn fill_window(&mut self, meter: &Meter<'_>, newest: Option<&Reading>) -> Result<(), CaptureError> {
        let (measured, span, view) = meter.newest().ok_or(CaptureError::NothingYet)?;
        let told = newest.filter(|reading| reading.sequence == measured.sequence);
        // A new calibration holds from the next window on: this one's samples need the old one.
        let same_calibration = measured.calibration == meter.setup().calibration().id();
        if view.end() < span.end_row() || view.base > span.first.row() || !same_calibration {
            return Err(CaptureError::Gone);
        }
        self.copy(view)?;
        self.reading = Some(told.unwrap_or(measured).clone());
        self.span = Some(span.counted_from(view.base));
        Ok(())
    }

    fn copy(&mut self, view: View<'_>) -> Result<(), CaptureError> {
        if view.voltage.len() > self.pairs.capacity() {
            return Err(CaptureError::TooLong);
        }
        let pairs = view.voltage.iter().zip(view.current);
        self.pairs.extend(pairs.map(|(&voltage, &current)| Pair { voltage, current }));
        Ok(())
    }
}

/// Some rows of the history: a trip's waveform goes out in such pieces.
pub struct Piece {
    /// The first row that is wanted; afterwards the first that is in here (later, if it was gone).
    pub from: u64,
    /// Up to this row.
    pub to: u64,
    /// The pairs; at most its capacity.
    pub pairs: Vec<Pair>,
    /// Rows from here on are asked for later; `None`: that was the last piece.
    pub keep: Option<u64>,
}

impl Piece {
    /// Room for [`limits::PIECE`] pairs; the only allocation it ever makes.
    #[must_use]
    pub fn new() -> Self {
        Self { from: 0, to: 0, pairs: Vec::with_capacity(limits::PIECE), keep: None }
    }

    /// Takes what is there.
    pub(super) fn fill(&mut self, meter: &mut Meter<'_>) {
        self.pairs.clear();
        let to = self.to.min(self.from.saturating_add(limits::PIECE as u64));
        let view = meter.rows_between(self.from, to);
        self.from = view.base;
        let pairs = view.voltage.iter().zip(view.current);
        self.pairs.extend(pairs.map(|(&voltage, &current)| Pair { voltage, current }));
        meter.keep_rows_from(self.keep);
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::new()
    }
}
