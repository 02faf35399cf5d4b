//! `GET /api/v1/waveform`: raw samples in the recording format, row by row out of the capture buffer.

use core::fmt::Write as _;

use embassy_sync::blocking_mutex::raw::RawMutex;
use metering::calibration::Calibration;
use metering::front_end::{FrontEnd, Pair};
use metering::window::Span;
use picoserve::io::Write;
use picoserve::mem::BorrowedCursor;
use picoserve::request::RequestParts;

use super::api::READING_JSON;
use super::core_desk::Lent;
use super::problem::Problem;
use super::reply::{Body, Draft, Reply};
use super::site::Site;
use crate::app::{Capture, CaptureRequest};
use crate::limits;
use crate::platform::{Clock, Identity};

/// Room for the header lines, with a reading and some gaps among them.
const HEADER: usize = 2048 + READING_JSON;
/// `-2147483648,-2147483648` and its line end.
const ROW: usize = 24;
pub(super) const CSV: &str = "text/csv; charset=utf-8";
const COLUMNS: &str = "voltage_raw,current_raw\n";

/// A recording on its way to a client.
pub(super) struct Recording<'a> {
    header: Draft<'a>,
    lent: Lent<'a>,
}

pub(super) async fn waveform<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
) -> Result<Reply<'a>, Problem> {
    let request = request(parts.query().map_or("", |query| query.0))?;
    let lent = site.core.capture(site.plug.network_clock, request).await?;
    let mut header = Draft::new(site.budget, HEADER)?;
    if let Some(capture) = lent.capture() {
        let plug = site.plug;
        let newest = plug.state.calibration.borrow();
        let calibration = capture.calibration.as_ref().unwrap_or(&newest);
        hardware_lines(&mut header, plug.identity, plug.front_end).map_err(|_| Problem::Busy)?;
        calibration_lines(&mut header, calibration).map_err(|_| Problem::Busy)?;
        window_lines(&mut header, capture)?;
        // More gaps than the header has room for: these samples are of no use.
        let mut gaps = Gaps::default();
        gaps.take(&mut header, &capture.pairs).map_err(|_| Problem::SamplesGone)?;
        gaps.end(&mut header).map_err(|_| Problem::SamplesGone)?;
        columns_line(&mut header).map_err(|_| Problem::Busy)?;
    }
    Ok(Reply::new(CSV, Body::Recording(Recording { header, lent })))
}

/// What is asked: `cycles=N` or `window=last`; unknown parameters are nobody's business.
fn request(query: &str) -> Result<CaptureRequest, Problem> {
    let (mut cycles, mut last) = (None, false);
    for parameter in query.split('&') {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("cycles", value) => {
                let wrong = Problem::BadParameter { name: "cycles", wanted: "a whole number from 1" };
                cycles = Some(value.parse().ok().filter(|cycles| *cycles > 0).ok_or(wrong)?);
            }
            ("window", "last") => last = true,
            ("window", _) => {
                return Err(Problem::BadParameter { name: "window", wanted: "last, or left out" });
            }
            _ => {}
        }
    }
    match (cycles, last) {
        (Some(_), true) => {
            Err(Problem::BadParameter { name: "cycles", wanted: "left out when window is given" })
        }
        (None, true) => Ok(CaptureRequest::LastWindow),
        (cycles, false) => Ok(CaptureRequest::Cycles(cycles.unwrap_or(limits::WAVEFORM_CYCLES))),
    }
}

/// Writes a number so that reading it gives the same bits (the shortest such text).
pub(super) struct Exact(pub(super) f64);

impl core::fmt::Display for Exact {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(ryu::Buffer::new().format(self.0))
    }
}

/// What the hardware is.
pub(super) fn hardware_lines(
    text: &mut Draft<'_>,
    identity: &Identity,
    front_end: &FrontEnd,
) -> core::fmt::Result {
    // A line end in a name would end the header line.
    text.write_str("# source: ")?;
    for character in identity.source.chars().filter(|character| !character.is_control()) {
        text.write_char(character)?;
    }
    writeln!(text, "\n# id: {}", identity.id)?;
    writeln!(text, "# sample_rate_hz: {}", Exact(front_end.sample_rate.value()))?;
    writeln!(text, "# channel_skew_s: {}", Exact(front_end.channel_skew.value()))?;
    writeln!(text, "# mains_nominal: {} V", Exact(front_end.nominal_voltage.value()))?;
    writeln!(text, "# voltage_raw_min: {}", front_end.voltage.lowest)?;
    writeln!(text, "# voltage_raw_max: {}", front_end.voltage.highest)?;
    writeln!(text, "# current_raw_min: {}", front_end.current.lowest)?;
    writeln!(text, "# current_raw_max: {}", front_end.current.highest)?;
    writeln!(text, "# dc_coupled: {} {}", front_end.voltage.dc_coupled, front_end.current.dc_coupled)
}

/// How counts become volts and amperes.
pub(super) fn calibration_lines(text: &mut Draft<'_>, calibration: &Calibration) -> core::fmt::Result {
    let id = calibration.id();
    writeln!(text, "# calibration_version: {}", id.version)?;
    text.write_str("# calibration_hash: ")?;
    for byte in id.hash {
        write!(text, "{byte:02x}")?;
    }
    writeln!(text, "\n# voltage_lsb_v: {}", Exact(calibration.voltage.gain))?;
    writeln!(text, "# current_lsb_a: {}", Exact(calibration.current.gain))?;
    writeln!(text, "# voltage_zero_raw: {}", Exact(calibration.voltage.zero_raw))?;
    writeln!(text, "# current_zero_raw: {}", Exact(calibration.current.zero_raw))?;
    writeln!(text, "# phase_deg: {}", Exact(calibration.phase.value()))?;
    writeln!(text, "# phase_uncertainty_deg: {}", Exact(calibration.phase_uncertainty.value()))?;
    for (name, channel) in [("voltage", &calibration.voltage), ("current", &calibration.current)] {
        writeln!(text, "# {name}_gain_uncertainty_pct: {}", Exact(channel.gain_uncertainty_pct))?;
        writeln!(text, "# {name}_zero_uncertainty_raw: {}", Exact(channel.zero_uncertainty_raw))?;
    }
    if let Some(noise) = calibration.current_noise_floor {
        writeln!(text, "# current_noise_a: {}", Exact(noise.value()))?;
    }
    Ok(())
}

/// The reading that belongs to the samples and where its window lies in them: the edges in samples, sample 0 being
/// the first row. The fractions are multiples of 2^-20, so the numbers are exact.
fn window_lines(text: &mut Draft<'_>, capture: &Capture) -> Result<(), Problem> {
    if let Some(reading) = &capture.reading {
        text.write_str("# reading: ").map_err(|_| Problem::Busy)?;
        text.json(reading)?;
        text.write_str("\n").map_err(|_| Problem::Busy)?;
    }
    if let Some(span) = capture.span {
        edge_lines(text, &span).map_err(|_| Problem::Busy)?;
    }
    Ok(())
}

fn edge_lines(text: &mut Draft<'_>, span: &Span) -> core::fmt::Result {
    writeln!(text, "# window_first_edge: {}", Exact(span.first.samples()))?;
    writeln!(text, "# window_last_edge: {}", Exact(span.last.samples()))?;
    match span.cycles {
        Some(cycles) => writeln!(text, "# window_cycles: {cycles}"),
        None => writeln!(text, "# window_cycles: none"),
    }
}

/// Where pairs are missing: the row before which they are, and how many. Pairs may come in pieces.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    row: u32,
    lost: u32,
}

impl Gaps {
    pub(super) fn take(&mut self, text: &mut Draft<'_>, pairs: &[Pair]) -> core::fmt::Result {
        for pair in pairs {
            if pair.is_lost() {
                self.lost += 1;
                continue;
            }
            self.end(text)?;
            self.row += 1;
        }
        Ok(())
    }

    /// No more pairs come, or one that is there.
    pub(super) fn end(&mut self, text: &mut Draft<'_>) -> core::fmt::Result {
        match core::mem::take(&mut self.lost) {
            0 => Ok(()),
            lost => writeln!(text, "# lost: {} {lost}", self.row),
        }
    }
}

/// The end of the header.
pub(super) fn columns_line(text: &mut Draft<'_>) -> core::fmt::Result {
    text.write_str(COLUMNS)
}

/// Characters of a number in decimal.
fn width(number: i32) -> usize {
    let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(number < 0)
}

impl Recording<'_> {
    fn pairs(&self) -> &[Pair] {
        self.lent.capture().map_or(&[], |capture| &capture.pairs)
    }

    /// Bytes of the whole recording, without making it.
    pub(super) fn length(&self) -> usize {
        self.header.bytes().len() + rows_length(self.pairs().iter().copied())
    }

    /// Writes the recording; the buffer is free again afterwards, also when the client goes away in between.
    pub(super) async fn write<W: Write>(self, writer: &mut W) -> Result<(), W::Error> {
        writer.write_all(self.header.bytes()).await?;
        write_rows(writer, self.pairs().iter().copied()).await
    }
}

/// Bytes of the rows of pairs that are there.
pub(super) fn rows_length(pairs: impl Iterator<Item = Pair>) -> usize {
    let there = pairs.filter(|pair| !pair.is_lost());
    there.map(|pair| width(pair.voltage) + width(pair.current) + 2).sum()
}

/// Writes a row for each pair that is there.
pub(super) async fn write_rows<W: Write>(
    writer: &mut W,
    pairs: impl Iterator<Item = Pair>,
) -> Result<(), W::Error> {
    let mut pairs = pairs.filter(|pair| !pair.is_lost()).peekable();
    while let Some(next) = pairs.peek().copied() {
        let whole = writer.write_with(|cursor| put_rows(&mut pairs, cursor)).await?;
        if whole == 0 {
            // The end of the buffer: the row goes half into this one and half into the next.
            writer.write_all(row(next).as_bytes()).await?;
            pairs.next();
        }
    }
    Ok(())
}

/// Writes rows while there is room for the longest; how many.
fn put_rows(
    pairs: &mut core::iter::Peekable<impl Iterator<Item = Pair>>,
    mut cursor: BorrowedCursor<'_>,
) -> usize {
    let mut written = 0;
    while cursor.remaining_capacity() >= ROW
        && let Some(pair) = pairs.next()
    {
        // There is room for it.
        let _ = cursor.try_append(row(pair).as_bytes());
        written += 1;
    }
    written
}

fn row(pair: Pair) -> heapless::String<ROW> {
    let mut text = heapless::String::new();
    // Two numbers of at most eleven characters fit.
    let _ = writeln!(text, "{},{}", pair.voltage, pair.current);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_length_of_a_number_is_known_without_writing_it() {
        for number in [0, 1, -1, 9, 10, -10, 99, 100, 4095, -2048, 1 << 24, i32::MAX, i32::MIN] {
            assert_eq!(width(number), number.to_string().len(), "{number}");
        }
        assert!(row(Pair { voltage: i32::MIN, current: i32::MIN }).len() <= ROW);
    }

    #[test]
    fn numbers_come_back_bit_by_bit() {
        for number in [0.2, 14.7e-3, 50e-6, 1.0 / 3.0, 4000.0, 5e-324, f64::MAX, -0.0, 2_047.518_326_1] {
            let back: f64 = Exact(number).to_string().parse().unwrap();
            assert_eq!(back.to_bits(), number.to_bits());
        }
    }

    #[test]
    fn queries_are_read() {
        assert_eq!(request(""), Ok(CaptureRequest::Cycles(limits::WAVEFORM_CYCLES)));
        assert_eq!(request("cycles=10"), Ok(CaptureRequest::Cycles(10)));
        assert_eq!(request("_=1&window=last"), Ok(CaptureRequest::LastWindow));
        for bad in [
            "cycles=0",
            "cycles=",
            "cycles=-1",
            "cycles=1.5",
            "cycles=4294967296",
            "window=first",
            "cycles=1&window=last",
        ] {
            assert!(matches!(request(bad), Err(Problem::BadParameter { .. })), "{bad}");
        }
    }
}
