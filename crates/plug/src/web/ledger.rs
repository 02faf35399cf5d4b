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
        let (purpose, setting, why) = (place.purpose(), place.purpose.setting(), place.why());
        write!(draft, "{{\"host\":{},\"port\":{},", Quoted(&place.host), place.port)?;
        // Nothing in these words needs to be escaped.
        write!(draft, "\"purpose\":\"{purpose}\",\"setting\":\"{setting}\",\"why\":\"{why}\",\"hours\":[")?;
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
        let uptime_s = hour.uptime_s().into();
        fields(
            draft,
            &[
                ("{\"time\":", when.time(uptime_s)),
                (",\"uptime_s\":", uptime_s),
                (",\"count\":", hour.count.into()),
                (",\"failed\":", hour.failed.into()),
                (",\"bytes_out\":", hour.bytes_out().into()),
                (",\"bytes_in\":", hour.bytes_in().into()),
            ],
        )?;
        draft.write_str("}")
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

/// Names as they stand in the text, each with its number; what is no number is null.
#[inline(never)]
pub(super) fn fields(draft: &mut Draft<'_>, fields: &[(&str, f64)]) -> Written {
    for (name, number) in fields {
        write!(draft, "{name}{}", Number(*number))?;
    }
    Ok(())
}

fn head(ledger: &Ledger, when: When, draft: &mut Draft<'_>) -> Written {
    let sums = ledger.sums();
    #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are more than a plug sends")]
    let (out, back) = (sums.bytes_out as f64, sums.bytes_in as f64);
    fields(
        draft,
        &[
            ("{\"since_uptime_s\":", 0.0),
            (",\"since\":", when.time(0.0)),
            (",\"uptime_s\":", when.uptime_s),
            (",\"total\":{\"count\":", sums.connections.into()),
            (",\"failed\":", sums.failed.into()),
            (",\"bytes_out\":", out),
            (",\"bytes_in\":", back),
            ("},\"dropped_hours\":", ledger.dropped_hours().into()),
            (",\"forgotten_destinations\":", ledger.forgotten().into()),
        ],
    )?;
    draft.write_str(",\"destinations\":[")
}

/// A connection, but for its last brace.
fn connection(entry: &Entry, when: When, draft: &mut Draft<'_>) -> Written {
    let (place, uptime_s) = (entry.place(), entry.uptime_s());
    let (purpose, result) = (place.purpose(), entry.outcome.word());
    write!(draft, "{{\"host\":{},\"purpose\":\"{purpose}\",\"result\":\"{result}\"", Quoted(&place.host))?;
    fields(
        draft,
        &[
            (",\"port\":", place.port.into()),
            (",\"number\":", entry.number.into()),
            (",\"time\":", when.time(uptime_s)),
            (",\"uptime_s\":", uptime_s),
            (",\"bytes_out\":", entry.bytes_out.into()),
            (",\"bytes_in\":", entry.bytes_in.into()),
            (",\"took_s\":", entry.took_s()),
        ],
    )
}
