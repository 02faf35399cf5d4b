//! Rows into one row over a longer interval: for the log's second ring, the uplink's spacing, the history's steps.

use metering::quality::Quality;

use super::row::Row;

/// A mean over the time in which there is a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>, weight: f64) {
        if let Some(value) = value {
            self.sum += value * weight;
            self.weight += weight;
        }
    }

    fn value(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

/// What many rows, or readings as rows, have in common: means by measured time, extremes, and the last state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Gathered {
    last: Option<Row>,
    measured_s: f64,
    power: Mean,
    minimum: f64,
    maximum: f64,
    voltage_squared: Mean,
    current_squared: Mean,
    power_factor: Mean,
    frequency: Mean,
    relay_changed: bool,
    quality: Quality,
}

impl Gathered {
    /// Takes in `row`, of which `measured_s` seconds were measured.
    pub(super) fn add(&mut self, row: &Row, measured_s: f64) {
        let square = |value: Option<f64>| value.map(|value| value * value);
        if let Some(last) = self.last {
            self.minimum = self.minimum.min(row.power_min_w);
            self.maximum = self.maximum.max(row.power_max_w);
            self.relay_changed |= last.relay != row.relay;
        } else {
            (self.minimum, self.maximum) = (row.power_min_w, row.power_max_w);
        }
        self.measured_s += measured_s;
        self.power.add(Some(row.active_power_w), measured_s);
        self.voltage_squared.add(square(row.voltage_v), measured_s);
        self.current_squared.add(square(row.current_a), measured_s);
        self.power_factor.add(row.power_factor, measured_s);
        self.frequency.add(row.frequency_hz, measured_s);
        self.relay_changed |= row.relay_changed;
        self.quality = self.quality.union(row.quality);
        self.last = Some(*row);
    }

    /// The newest row that was taken in.
    pub(super) fn last(&self) -> Option<&Row> {
        self.last.as_ref()
    }

    /// All as one row of `interval_s`, whose end is the newest row's; `None` if nothing was measured.
    pub(super) fn row(&self, interval_s: u32) -> Option<Row> {
        Some(Row {
            interval_s,
            measured: (self.measured_s / f64::from(interval_s.max(1))).min(1.0),
            active_power_w: self.power.value()?,
            power_min_w: self.minimum,
            power_max_w: self.maximum,
            voltage_v: self.voltage_squared.value().map(libm::sqrt),
            current_a: self.current_squared.value().map(libm::sqrt),
            power_factor: self.power_factor.value(),
            frequency_hz: self.frequency.value(),
            relay_changed: self.relay_changed,
            quality: self.quality,
            ..self.last?
        })
    }
}

/// Two rows with the same end, of two starts, as one.
pub(super) fn joined(one: &Row, other: &Row) -> Row {
    let mut both = Gathered::default();
    for row in [one, other] {
        both.add(row, row.measured * f64::from(row.interval_s));
    }
    both.row(one.interval_s.max(other.interval_s)).unwrap_or(*other)
}

/// Gathers rows, which come oldest first, into windows of a longer interval: multiples of it in Unix time, or in a
/// start's uptime where the time is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    step_s: u32,
    gathered: Gathered,
}

impl Merge {
    /// Into windows of `step_s` seconds. A row that is longer than that stays as it is.
    #[must_use]
    pub fn new(step_s: u32) -> Self {
        Self { step_s, gathered: Gathered::default() }
    }

    /// Takes a row in; the window before, if this row is the first behind it.
    pub fn push(&mut self, row: &Row) -> Option<Row> {
        let ended = match self.gathered.last() {
            Some(last) if !self.together(last, row) => self.end_before(Some(row)),
            _ => None,
        };
        self.gathered.add(row, row.measured * f64::from(row.interval_s));
        ended
    }

    /// The newest row that was taken in.
    pub(super) fn last(&self) -> Option<&Row> {
        self.gathered.last()
    }

    /// What was gathered so far; nothing is left. It ends where its window does, even if that is still to come, or, where
    /// the time is not known, with its last row.
    pub fn finish(&mut self) -> Option<Row> {
        self.end_before(None)
    }

    /// As [`Self::finish`], but ending with the last row: what comes next may lie in the same window.
    pub(super) fn cut(&mut self) -> Option<Row> {
        let gathered = core::mem::take(&mut self.gathered);
        let last_s = gathered.last()?.interval_s;
        gathered.row(self.step_s.max(last_s))
    }

    fn end_before(&mut self, next: Option<&Row>) -> Option<Row> {
        let gathered = core::mem::take(&mut self.gathered);
        let last = *gathered.last()?;
        let mut row = gathered.row(self.step_s.max(last.interval_s))?;
        let next = next.filter(|next| next.boot == last.boot);
        let (time, uptime_s) = self.end(&last);
        match (last.time, time) {
            (Some(last_time), Some(time)) => {
                row.time = Some(time);
                row.uptime_s += f64::from(time - last_time);
            }
            // The windows of a start's uptime are left when the time becomes known.
            _ if next.is_some_and(|next| next.time.is_none()) => row.uptime_s = uptime_s,
            _ => {}
        }
        // Where the clock was put back, windows overlap: the rows of a start keep their order all the same.
        row.uptime_s = next.map_or(row.uptime_s, |next| row.uptime_s.min(next.uptime_s).max(last.uptime_s));
        Some(row)
    }

    /// The end of the row's window: Unix seconds, and uptime where they are not known.
    fn end(&self, row: &Row) -> (Option<u32>, f64) {
        if row.interval_s >= self.step_s {
            return (row.time, row.uptime_s);
        }
        let uptime_s = f64::from(self.step_s) * libm::ceil(row.uptime_s / f64::from(self.step_s));
        (row.time.map(|time| next_multiple(time, self.step_s)), uptime_s)
    }

    fn together(&self, last: &Row, row: &Row) -> bool {
        match (self.end(last), self.end(row)) {
            ((Some(last), _), (Some(row), _)) => last == row,
            ((None, last_s), (None, row_s)) => last.boot == row.boot && last_s == row_s,
            _ => false,
        }
    }
}

/// The first multiple of `step` at or after `number`; the number itself where there is none.
fn next_multiple(number: u32, step: u32) -> u32 {
    number.checked_next_multiple_of(step.max(1)).unwrap_or(number)
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
