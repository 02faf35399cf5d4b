//! `GET /api/v1/ledger`: what left the plug. It may change while it is told: each step looks anew where it stands.

use core::fmt::{Result as Written, Write as _};

use embassy_sync::blocking_mutex::raw::RawMutex;

use super::Plug;
use super::flow::Step;
use super::reply::Draft;
use crate::json::{Number, Quoted};
use crate::ledger::{Entry, Ledger};
use crate::platform::Clock;

/// Bytes of a body that are told at once; each may take six.
const PART: usize = 64;

/// How far it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Head,
    /// The destination behind this number.
    Destination(u32),
    /// The hours of this destination that begin behind so many seconds.
    Hours(u32, Option<u32>),
    /// The connection below this number.
    Connection(Option<u32>),
    /// The body of the connection below this number.
    Body(Option<u32>),
    /// Its bytes from here on.
    Bytes(u32, usize),
}

/// The ledger on its way to a client.
pub(super) struct LedgerPage {
    at: At,
    /// A comma stands before the next item of the list.
    comma: bool,
}

impl LedgerPage {
    pub(super) const fn new() -> Self {
        Self { at: At::Head, comma: false }
    }

    /// Adds one item.
    pub(super) fn step<C: Clock, N: Clock, M: RawMutex>(
        &mut self,
        plug: &Plug<'_, C, N, M>,
        draft: &mut Draft<'_>,
    ) -> Step {
        let now = plug.clock.now();
        let mut ledger = plug.state.ledger.borrow_mut();
        if self.at == At::Head {
            ledger.forget_old(now);
        }
        let uptime_s = now.since_start().as_secs_f64();
        let when = When { uptime_s, time: plug.clock.time_of_day() };
        match self.write(&ledger, when, draft) {
            Ok(true) => Step::More,
            Ok(false) => Step::End,
            Err(_) => Step::Broken,
        }
    }

    /// Whether there is more.
    fn write(
        &mut self,
        ledger: &Ledger,
        when: When,
        draft: &mut Draft<'_>,
    ) -> Result<bool, core::fmt::Error> {
        match self.at {
            At::Head => {
                head(ledger, when, draft)?;
                self.begin(At::Destination(0));
            }
            At::Destination(last) => self.destination(ledger, last, draft)?,
            At::Hours(number, last) => self.hour(ledger, number, last, when, draft)?,
            At::Connection(last) => {
                let next = ledger.connections().find(|entry| last.is_none_or(|last| entry.number < last));
                if let Some(entry) = next {
                    self.comma(draft)?;
                    connection(entry, when, draft)?;
                    draft.write_str("}")?;
                    self.at = At::Connection(Some(entry.number));
                } else {
                    draft.write_str("],\"bodies\":[")?;
                    self.begin(At::Body(None));
                }
            }
            At::Body(last) => {
                let mut bodies = ledger.bodies();
                let Some(body) = bodies.find(|body| last.is_none_or(|last| body.entry.number < last)) else {
                    draft.write_str("]}")?;
                    return Ok(false);
                };
                self.comma(draft)?;
                connection(&body.entry, when, draft)?;
                write!(draft, ",\"cut\":{},\"body\":\"", body.kept.cut)?;
                self.at = At::Bytes(body.entry.number, 0);
            }
            At::Bytes(number, from) => self.bytes(ledger, number, from, draft)?,
        }
        Ok(true)
    }

    fn destination(&mut self, ledger: &Ledger, last: u32, draft: &mut Draft<'_>) -> Written {
        let Some(next) = ledger.destinations().iter().find(|destination| destination.number > last) else {
            draft.write_str("],\"connections\":[")?;
            self.begin(At::Connection(None));
            return Ok(());
        };
        self.comma(draft)?;
        let place = next.place();
        write!(draft, "{{\"host\":{},\"port\":{},", Quoted(&place.host), place.port)?;
        write!(draft, "\"purpose\":\"{}\",\"setting\":\"{}\",", place.purpose(), place.purpose.setting())?;
        write!(draft, "\"why\":{},\"hours\":[", Quoted(place.why()))?;
        self.begin(At::Hours(next.number, None));
        Ok(())
    }

    fn hour(
        &mut self,
        ledger: &Ledger,
        number: u32,
        last: Option<u32>,
        when: When,
        draft: &mut Draft<'_>,
    ) -> Written {
        let destination = ledger.destinations().iter().find(|destination| destination.number == number);
        let mut hours = destination.into_iter().flat_map(|destination| destination.hours());
        let Some(hour) = hours.find(|hour| last.is_none_or(|last| hour.uptime_s() > last)) else {
            self.at = At::Destination(number);
            self.comma = true;
            return draft.write_str("]}");
        };
        self.comma(draft)?;
        self.at = At::Hours(number, Some(hour.uptime_s()));
        let (uptime_s, time) = (hour.uptime_s(), Number(when.time(hour.uptime_s().into())));
        write!(draft, "{{\"time\":{time},\"uptime_s\":{uptime_s},\"count\":{},", hour.count)?;
        write!(draft, "\"failed\":{},\"bytes_out\":{},", hour.failed, hour.bytes_out())?;
        write!(draft, "\"bytes_in\":{}}}", hour.bytes_in())
    }

    fn bytes(&mut self, ledger: &Ledger, number: u32, from: usize, draft: &mut Draft<'_>) -> Written {
        let body = ledger.bodies().find(|body| body.entry.number == number);
        let rest = body.and_then(|body| body.kept.bytes.get(from..)).unwrap_or(&[]);
        // The plug sends ASCII; what else it sent must not break the text.
        let mut room = [0; 4];
        for byte in rest.iter().take(PART) {
            let character = if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
            Quoted(character.encode_utf8(&mut room)).inner(draft)?;
        }
        if rest.len() <= PART {
            self.at = At::Body(Some(number));
            return draft.write_str("\"}");
        }
        self.at = At::Bytes(number, from + PART);
        Ok(())
    }

    fn begin(&mut self, at: At) {
        (self.at, self.comma) = (at, false);
    }

    fn comma(&mut self, draft: &mut Draft<'_>) -> Written {
        if core::mem::replace(&mut self.comma, true) { draft.write_str(",") } else { Ok(()) }
    }
}

/// Now, in both ways of counting.
#[derive(Clone, Copy)]
struct When {
    uptime_s: f64,
    time: Option<f64>,
}

impl When {
    /// Unix seconds of a moment after the start; no number before the clock is trusted.
    fn time(self, uptime_s: f64) -> f64 {
        self.time.map_or(f64::NAN, |time| time - (self.uptime_s - uptime_s))
    }
}

fn head(ledger: &Ledger, when: When, draft: &mut Draft<'_>) -> Written {
    let sums = ledger.sums();
    write!(draft, "{{\"since_uptime_s\":0,\"since\":{},", Number(when.time(0.0)))?;
    write!(draft, "\"uptime_s\":{},\"total\":{{\"count\":{},", Number(when.uptime_s), sums.connections)?;
    write!(draft, "\"failed\":{},\"bytes_out\":{},", sums.failed, sums.bytes_out)?;
    write!(draft, "\"bytes_in\":{}}},\"dropped_hours\":{},", sums.bytes_in, ledger.dropped_hours())?;
    write!(draft, "\"forgotten_destinations\":{},\"destinations\":[", ledger.forgotten())
}

/// A connection, but for its last brace.
fn connection(entry: &Entry, when: When, draft: &mut Draft<'_>) -> Written {
    let (place, uptime_s) = (entry.place(), entry.uptime_s());
    write!(draft, "{{\"number\":{},\"time\":{},", entry.number, Number(when.time(uptime_s)))?;
    write!(draft, "\"uptime_s\":{},\"host\":{},", Number(uptime_s), Quoted(&place.host))?;
    write!(draft, "\"port\":{},\"purpose\":\"{}\",", place.port, place.purpose())?;
    write!(draft, "\"result\":\"{}\",\"bytes_out\":{},", entry.outcome.word(), entry.bytes_out)?;
    write!(draft, "\"bytes_in\":{},\"took_s\":{}", entry.bytes_in, Number(entry.took_s()))
}
