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

/// Gathers rows, which come oldest first, into windows of a longer interval: multiples of it in Unix time, or in a
/// start's uptime where the time is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    step_s: u32,
    gathered: Gathered,
}

/// The first multiple of `step_s` at or after `end_s`.
pub(super) fn window_end(end_s: u64, step_s: u32) -> u64 {
    end_s.next_multiple_of(u64::from(step_s.max(1)))
}

impl Merge {
    /// Into windows of `step_s` seconds. A row that is longer than that stays as it is.
    #[must_use]
    pub const fn new(step_s: u32) -> Self {
        let gathered = Gathered {
            last: None,
            measured_s: 0.0,
            power: Mean { sum: 0.0, weight: 0.0 },
            minimum: 0.0,
            maximum: 0.0,
            voltage_squared: Mean { sum: 0.0, weight: 0.0 },
            current_squared: Mean { sum: 0.0, weight: 0.0 },
            power_factor: Mean { sum: 0.0, weight: 0.0 },
            frequency: Mean { sum: 0.0, weight: 0.0 },
            relay_changed: false,
            quality: Quality::NONE,
        };
        Self { step_s, gathered }
    }

    /// Takes a row in; the window before, if this row is the first behind it.
    pub fn push(&mut self, row: &Row) -> Option<Row> {
        let ended = match self.gathered.last() {
            Some(last) if !self.together(last, row) => self.finish(),
            _ => None,
        };
        self.gathered.add(row, row.measured * f64::from(row.interval_s));
        ended
    }

    /// What was gathered so far, as a window with its regular end, even if that is still to come; nothing is left.
    pub fn finish(&mut self) -> Option<Row> {
        let gathered = core::mem::take(&mut self.gathered);
        let last = *gathered.last()?;
        let step_s = self.step_s.max(last.interval_s);
        let mut row = gathered.row(step_s)?;
        let (time, uptime_s) = self.end(&last);
        row.uptime_s +=
            time.map_or(uptime_s - last.uptime_s, |time| time as f64 - last.time.unwrap_or(0) as f64);
        row.time = time.and_then(|time| u32::try_from(time).ok());
        Some(row)
    }

    /// The end of the row's window: Unix seconds, and uptime where they are not known.
    fn end(&self, row: &Row) -> (Option<u64>, f64) {
        if row.interval_s >= self.step_s {
            return (row.time.map(u64::from), row.uptime_s);
        }
        let uptime = libm::ceil(row.uptime_s) as u64;
        (row.time.map(|time| window_end(time.into(), self.step_s)), window_end(uptime, self.step_s) as f64)
    }

    fn together(&self, last: &Row, row: &Row) -> bool {
        match (self.end(last), self.end(row)) {
            ((Some(last), _), (Some(row), _)) => last == row,
            ((None, last_s), (None, row_s)) => last.boot == row.boot && last_s == row_s,
            _ => false,
        }
    }
}
