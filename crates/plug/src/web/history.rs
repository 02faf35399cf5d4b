//! `GET /api/v1/history`: means over steps out of the log, as JSON or CSV. Rows come from the flash some at a time and leave
//! before the next ones are read, so that no span is too long; steps in which nothing was measured are rows of nulls.

use alloc::boxed::Box;
use alloc::vec::{self, Vec};
use core::fmt::{Result as Written, Write as _};

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::request::RequestParts;

use super::flow::Step;
use super::ledger::fields;
use super::problem::Problem;
use super::query::{Parameter, text};
use super::reply::{Draft, JSON};
use super::site::Site;
use super::waveform::CSV;
use crate::history::{Merge, Row, Unplaced};
use crate::limits;
use crate::number;
use crate::platform::Clock;
use crate::storage::archive::{Found, Query};

/// Seconds of a row in the log's second ring, at which and at multiples of which it is good enough.
const COARSE_S: u32 = 300;
/// From this step on it is good enough at any: a row that lies across two steps is counted to the later one, which is a
/// tenth of it at the most. So no piece of an answer takes hundreds of questions to the flash.
const LONG_S: u32 = 10 * COARSE_S;
/// What is told when nobody says how much.
const SPAN_S: u32 = 3600;
/// As many rows make a good picture.
const ROWS: u32 = 500;
/// Steps are at most a year.
const LONGEST_S: usize = 31_536_000;

/// Behind the first, which is the time.
const COLUMNS: [&str; 13] = [
    "active_power_w",
    "power_min_w",
    "power_max_w",
    "voltage_v",
    "current_a",
    "power_factor",
    "frequency_hz",
    "energy_import_wh",
    "energy_export_wh",
    "measured",
    "relay",
    "interval_s",
    "quality",
];

const STEP: Parameter = Parameter {
    name: "step",
    wanted: "whole seconds, not less than history.interval_s",
    least: 1,
    most: LONGEST_S,
};
const BOOT: Parameter = Parameter {
    name: "boot",
    wanted: "the number of a start that never learned the time; they stand under unplaced",
    least: 0,
    most: u32::MAX as usize,
};

/// What stands in a row's first place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Unix seconds.
    Clock,
    /// Seconds after this start.
    Boot(u32),
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    line: Line,
    step: u32,
    /// Rows are asked for that end behind this and not behind `until`.
    after: u32,
    until: u32,
    /// Between these, steps without a row are told.
    from: u32,
    to: u32,
}

/// Where the telling is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Head,
    Rows,
    Tail,
    End,
}

/// The history on its way to a client.
pub(super) struct HistoryPage {
    span: Span,
    csv: bool,
    at: At,
    comma: bool,
    /// Rows that were read, and the end of the last one.
    read: vec::IntoIter<Row>,
    last: u32,
    merge: Merge,
    ended: bool,
    /// A row that waits for the empty steps before it.
    ready: Option<Row>,
    /// What was told reaches up to here.
    told: u32,
    /// Starts without a time.
    unplaced: vec::IntoIter<Unplaced>,
}

/// Finds out what is asked for, and whether the flash answers.
pub(super) async fn history<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    parts: &RequestParts<'_>,
) -> Result<Box<HistoryPage>, Problem> {
    let query = parts.query().map_or("", |query| query.0);
    let csv = match text(query, "format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Problem::BadParameter { name: "format", wanted: "json or csv" }),
    };
    let line = BOOT.of(parts)?.map_or(Line::Clock, |boot| Line::Boot(boot as u32));
    let asked = Asked {
        line,
        start: seconds(query, "start")?,
        end: seconds(query, "end")?,
        step: STEP.of(parts)?.map(|step| step as u32),
        interval: site.plug.state.settings.borrow().history.interval_s.into(),
    };
    let unplaced = match ask(site, Query::Unplaced).await {
        Some(Found::Unplaced(unplaced)) => unplaced,
        _ => return Err(Problem::FlashSilent),
    };
    let (there, now) = match line {
        Line::Boot(boot) => {
            let found = unplaced.iter().find(|unplaced| unplaced.boot == boot);
            let wrong = Problem::BadParameter { name: BOOT.name, wanted: BOOT.wanted };
            let found = found.ok_or(wrong)?;
            (Some((found.from_uptime_s as u32, libm::ceil(found.to_uptime_s) as u32)), None)
        }
        Line::Clock => match ask(site, Query::HistorySpan).await {
            Some(Found::HistorySpan(there)) => (there, site.plug.clock.time_of_day().map(|now| now as u32)),
            _ => return Err(Problem::FlashSilent),
        },
    };
    let span = asked.span(there, now)?;
    // Who asks for one start has found the list already.
    let unplaced = if line == Line::Clock && !csv { unplaced } else { Vec::new() };
    Ok(Box::new(HistoryPage {
        span,
        csv,
        at: At::Head,
        comma: false,
        read: Vec::new().into_iter(),
        last: span.after,
        merge: Merge::new(span.step),
        ended: false,
        ready: None,
        told: span.from,
        unplaced: unplaced.into_iter(),
    }))
}

async fn ask<C: Clock, N: Clock, M: RawMutex>(site: &Site<'_, C, N, M>, query: Query) -> Option<Found> {
    site.plug.state.archive.ask(site.plug.network_clock, query).await
}

/// A moment in the query; fractions are nobody's business.
fn seconds(query: &str, name: &'static str) -> Result<Option<f64>, Problem> {
    let wrong =
        Problem::BadParameter { name, wanted: "a number of seconds, not negative and below 4294967296" };
    text(query, name)
        .map(|text| number::parse(text).filter(|number| (0.0..4_294_967_296.0).contains(number)).ok_or(wrong))
        .transpose()
}

/// What the client said.
struct Asked {
    line: Line,
    start: Option<f64>,
    end: Option<f64>,
    step: Option<u32>,
    interval: u32,
}

impl Asked {
    /// What that comes to, if the log has rows from `there.0` to `there.1` and it is `now`.
    fn span(&self, there: Option<(u32, u32)>, now: Option<u32>) -> Result<Span, Problem> {
        let newest = there.map(|(_, newest)| newest);
        let end = self.end.map_or(now.or(newest).unwrap_or(0), |end| libm::ceil(end) as u32);
        let start = match (self.start, self.line) {
            (Some(start), _) => start as u32,
            (None, Line::Boot(_)) => 0,
            (None, Line::Clock) => end.saturating_sub(SPAN_S),
        };
        if start >= end && (self.start.is_some() || self.end.is_some()) {
            return Err(Problem::BadParameter { name: "start", wanted: "earlier than end" });
        }
        // What lies before the oldest row is not told, so it need not be shared out.
        let first = there.map_or(start, |(oldest, _)| start.max(oldest.min(end)));
        let step = self.step.unwrap_or_else(|| good_step(end - first, self.interval));
        if step < self.interval {
            return Err(Problem::BadParameter { name: STEP.name, wanted: STEP.wanted });
        }
        let down = |moment: u32| moment / step * step;
        let up = |moment: u32| moment.checked_next_multiple_of(step).unwrap_or(u32::MAX);
        let (after, until) = (down(start), up(end));
        let (from, to) = match there {
            // The step that is under way has an end in the future.
            Some((_, newest)) => (down(first), until.min(down(now.map_or(newest, |now| now.max(newest))))),
            None => (after, after),
        };
        if to.saturating_sub(from) / step > limits::HISTORY_STEPS {
            let wanted = "longer for so long a span: 300000 steps are the most";
            return Err(Problem::BadParameter { name: STEP.name, wanted });
        }
        Ok(Span { line: self.line, step, after, until, from, to })
    }
}

/// The shortest step that makes at most [`ROWS`] of a span: a multiple of what the log has.
fn good_step(span: u32, interval: u32) -> u32 {
    let interval = interval.max(1);
    let least = span.div_ceil(ROWS).max(interval);
    let unit = if least > COARSE_S && COARSE_S.is_multiple_of(interval) { COARSE_S } else { interval };
    least.div_ceil(unit).saturating_mul(unit)
}

impl HistoryPage {
    pub(super) const fn content_type(&self) -> &'static str {
        if self.csv { CSV } else { JSON }
    }

    /// About how many rows it has.
    pub(super) fn row_count(&self) -> u32 {
        let Span { step, from, to, .. } = self.span;
        (to.saturating_sub(from) / step)
            .saturating_add(u32::try_from(self.unplaced.len()).unwrap_or(u32::MAX))
    }

    /// Adds one item.
    pub(super) async fn step<C: Clock, N: Clock, M: RawMutex>(
        &mut self,
        site: &Site<'_, C, N, M>,
        draft: &mut Draft<'_>,
    ) -> Step {
        if self.at == At::Rows && self.ready.is_none() && !self.ended && !self.fetch(site).await {
            return Step::Broken;
        }
        match self.write(draft) {
            Ok(()) if self.at == At::End => Step::End,
            Ok(()) => Step::More,
            Err(_) => Step::Broken,
        }
    }

    /// Gets the next row ready, if there is one; `false` where the flash does not say.
    async fn fetch<C: Clock, N: Clock, M: RawMutex>(&mut self, site: &Site<'_, C, N, M>) -> bool {
        let Span { line, step, after: _, until, .. } = self.span;
        while self.ready.is_none() && !self.ended {
            if let Some(row) = self.read.next() {
                let end = end(&row);
                self.last = self.last.max(end);
                if end > until {
                    self.ended = true;
                    self.ready = self.merge.finish();
                } else {
                    self.ready = self.merge.push(&row);
                }
                continue;
            }
            let coarse = step.is_multiple_of(COARSE_S) || step >= LONG_S;
            let query = match line {
                Line::Clock => Query::History { after: self.last, until, coarse },
                Line::Boot(boot) => Query::UnplacedRows { boot, after_ds: self.last.saturating_mul(10) },
            };
            let Some(Found::History(rows)) = ask(site, query).await else { return false };
            // Rows that do not go on would be told for ever.
            if rows.last().is_none_or(|row| end(row) <= self.last) {
                self.ended = true;
                self.ready = self.merge.finish();
            } else {
                self.read = rows.into_iter();
            }
        }
        true
    }

    fn write(&mut self, draft: &mut Draft<'_>) -> Written {
        match self.at {
            At::Head => {
                self.at = At::Rows;
                self.head(draft)
            }
            At::Rows => self.rows(draft),
            At::Tail => self.tail(draft),
            At::End => Ok(()),
        }
    }

    fn head(&self, draft: &mut Draft<'_>) -> Written {
        let time = if self.span.line == Line::Clock { "time" } else { "uptime_s" };
        if !self.csv {
            fields(draft, &[("{\"step_s\":", self.span.step.into())])?;
        }
        let (start, between, end) =
            if self.csv { ("", ",", "\n") } else { (",\"columns\":[\"", "\",\"", "\"],\"rows\":[") };
        draft.write_str(start)?;
        draft.write_str(time)?;
        for column in COLUMNS {
            draft.write_str(between)?;
            draft.write_str(column)?;
        }
        draft.write_str(end)
    }

    /// An empty step, a row, or the rows' end.
    fn rows(&mut self, draft: &mut Draft<'_>) -> Written {
        let step = self.span.step;
        let next = (self.told / step).saturating_add(1).saturating_mul(step);
        let begins = self.ready.as_ref().map(|row| end(row).saturating_sub(row.interval_s));
        if next <= begins.unwrap_or(self.span.to) && next > self.told {
            self.told = next;
            self.begin(draft)?;
            write!(draft, "{next}")?;
            for _ in COLUMNS {
                draft.write_str(if self.csv { "," } else { ",null" })?;
            }
            return self.end(draft);
        }
        if let Some(row) = self.ready.take() {
            self.told = self.told.max(end(&row));
            return self.row(&row, draft);
        }
        self.at = if self.csv { At::End } else { At::Tail };
        self.comma = false;
        match (self.csv, self.span.line) {
            (true, _) => Ok(()),
            (false, Line::Clock) => draft.write_str("],\"unplaced\":["),
            (false, Line::Boot(_)) => {
                self.at = At::End;
                draft.write_str("]}")
            }
        }
    }

    fn row(&mut self, row: &Row, draft: &mut Draft<'_>) -> Written {
        self.begin(draft)?;
        let end = if self.span.line == Line::Clock { end(row).into() } else { rounded(row.uptime_s, 10.0) };
        fields(draft, &[("", end)])?;
        let none = if self.csv { "," } else { ",null" };
        for (value, places) in [
            (Some(row.active_power_w), 1e3),
            (Some(row.power_min_w), 1e3),
            (Some(row.power_max_w), 1e3),
            (row.voltage_v, 1e3),
            (row.current_a, 1e6),
            (row.power_factor, 1e4),
            (row.frequency_hz, 1e3),
            (Some(row.import.watt_hours()), 1e5),
            (Some(row.export.watt_hours()), 1e5),
            (Some(row.measured), 1e4),
        ] {
            match value.filter(|value| value.is_finite()) {
                Some(value) => fields(draft, &[(",", rounded(value, places))])?,
                None => draft.write_str(none)?,
            }
        }
        let quote = if self.csv { "" } else { "\"" };
        write!(draft, ",{},{},{quote}", row.relay, row.interval_s)?;
        let mut space = "";
        for flag in row.quality.iter() {
            draft.write_str(core::mem::replace(&mut space, " "))?;
            draft.write_str(flag.name())?;
        }
        draft.write_str(quote)?;
        self.end(draft)
    }

    /// The starts without a time.
    fn tail(&mut self, draft: &mut Draft<'_>) -> Written {
        let Some(start) = self.unplaced.next() else {
            self.at = At::End;
            return draft.write_str("]}");
        };
        self.comma(draft)?;
        fields(
            draft,
            &[
                ("{\"boot\":", start.boot.into()),
                (",\"from_uptime_s\":", rounded(start.from_uptime_s, 10.0)),
                (",\"to_uptime_s\":", rounded(start.to_uptime_s, 10.0)),
                (",\"rows\":", start.rows.into()),
            ],
        )?;
        draft.write_str("}")
    }

    fn begin(&mut self, draft: &mut Draft<'_>) -> Written {
        if self.csv {
            return Ok(());
        }
        self.comma(draft)?;
        draft.write_str("[")
    }

    fn end(&self, draft: &mut Draft<'_>) -> Written {
        draft.write_str(if self.csv { "\n" } else { "]" })
    }

    fn comma(&mut self, draft: &mut Draft<'_>) -> Written {
        if core::mem::replace(&mut self.comma, true) { draft.write_str(",") } else { Ok(()) }
    }
}

/// A row's end on its line.
fn end(row: &Row) -> u32 {
    row.time.unwrap_or(libm::ceil(row.uptime_s) as u32)
}

/// No more places than were kept.
fn rounded(value: f64, unit: f64) -> f64 {
    libm::rint(value * unit) / unit
}
