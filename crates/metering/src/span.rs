//! Where a window lies, and which rows it needs.

use crate::position::{Position, distance, in_samples};

/// Without a known cycle a half cycle is taken as that of 50 Hz.
pub(crate) const DEFAULT_HALF_CYCLE_S: f64 = 0.010;

/// Where a window lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First edge.
    pub first: Position,
    /// Last edge; the next window's first.
    pub last: Position,
    /// Whole cycles between them; `None`: a window by sample count.
    pub cycles: Option<u32>,
}

impl Span {
    /// The row that a capture must begin with: two cycles before the first edge (40 ms without cycles).
    #[must_use]
    pub fn lead_row(&self, sample_rate: f64) -> u64 {
        let lead = match self.cycles {
            Some(cycles) if cycles > 0 => self.last.since(self.first) * 2 / u64::from(cycles),
            _ => distance(sample_rate * 4.0 * DEFAULT_HALF_CYCLE_S),
        };
        self.first.row().saturating_sub(in_samples(lead) as u64)
    }

    /// Half a cycle of the window's own mean.
    pub(crate) fn half_cycle_rows(&self, sample_rate: f64) -> f64 {
        match self.cycles {
            Some(cycles) if cycles > 0 => in_samples(self.last.since(self.first)) / (2.0 * f64::from(cycles)),
            _ => DEFAULT_HALF_CYCLE_S * sample_rate,
        }
    }

    /// The same window when row `base` is called row 0.
    #[must_use]
    pub fn counted_from(&self, base: u64) -> Self {
        let shift = |edge: Position| Position::new(edge.row().saturating_sub(base), edge.fraction());
        Self { first: shift(self.first), last: shift(self.last), cycles: self.cycles }
    }

    /// The row after the last that is looked at: two after the last edge.
    #[must_use]
    pub fn end_row(&self) -> u64 {
        self.last.row() + 3
    }
}
