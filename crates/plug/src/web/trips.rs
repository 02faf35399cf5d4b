//! `GET /api/v1/trips`: the trips that the flash keeps; `GET /api/v1/trips/N/waveform`: the samples around one of them in
//! the recording format, piece by piece out of the flash: once for their length and gaps, once for the client.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Write as _;

use embassy_sync::blocking_mutex::raw::RawMutex;
use metering::front_end::Pair;
use picoserve::ResponseSent;
use picoserve::io::{Read, Write};
use picoserve::request::RequestBodyConnection;
use picoserve::response::{Content, IntoResponse, Response, ResponseWriter, StatusCode};
use serde::Serialize;

use super::problem::Problem;
use super::reply::{Body, Draft, FIRST_HEADER, JSON, Lines, Reply};
use super::site::Site;
use super::waveform::{
    CSV, Exact, Gaps, calibration_lines, columns_line, hardware_lines, rows_length, write_rows,
};
use crate::platform::Clock;
use crate::storage::archive::{Found, Query};
use crate::storage::trips::{PLACES, Trip};

/// The longest trip in the list; a test builds it.
const TRIP_JSON: usize = 400;
/// Room for the header lines, with some gaps among them.
const HEADER: usize = 2560;

/// A trip in the list.
#[derive(Serialize)]
struct TripRow<'a> {
    number: u32,
    time: Option<f64>,
    uptime_s: f64,
    start: u32,
    kind: &'a str,
    cause: &'a str,
    current_a: Option<f64>,
    pairs: u16,
    before_s: f64,
    after_s: f64,
    complete: bool,
}

impl<'a> TripRow<'a> {
    fn of(trip: &'a Trip) -> Self {
        let head = &trip.head;
        let seconds = |pairs: u16| f64::from(pairs) / head.front_end.sample_rate.value();
        Self {
            number: trip.number,
            time: head.time,
            uptime_s: head.uptime_s,
            start: head.start,
            kind: &head.kind,
            cause: &head.cause,
            current_a: head.current_a,
            pairs: trip.pairs,
            before_s: seconds(head.pairs_before.min(trip.pairs)),
            after_s: seconds(trip.pairs.saturating_sub(head.pairs_before)),
            complete: trip.complete(),
        }
    }
}

/// Newest first.
pub(super) async fn trips<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let mut draft = Draft::new(site.budget, 64 + PLACES * TRIP_JSON)?;
    draft.write_str("{\"trips\":[").map_err(|_| Problem::Busy)?;
    for position in 0..PLACES {
        let Some(trip) = trip(site, Query::NewestTrip(position)).await? else { break };
        if position > 0 {
            draft.write_str(",").map_err(|_| Problem::Busy)?;
        }
        draft.json(&TripRow::of(&trip))?;
    }
    draft.write_str("]}").map_err(|_| Problem::Busy)?;
    Ok(Reply::new(JSON, Body::Made(draft)))
}

async fn trip<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    query: Query,
) -> Result<Option<Box<Trip>>, Problem> {
    match site.plug.state.archive.ask(site.plug.network_clock, query).await {
        Some(Found::Trip(trip)) => Ok(trip),
        _ => Err(Problem::FlashSilent),
    }
}

/// The next pairs of a trip; none behind the last, or where the flash does not say.
async fn pairs<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    trip: u32,
    first: u16,
) -> Option<Vec<Pair>> {
    match site.plug.state.archive.ask(site.plug.network_clock, Query::Pairs { trip, first }).await {
        Some(Found::Pairs(pairs)) if !pairs.is_empty() => Some(pairs),
        _ => None,
    }
}

/// The recording of a trip on its way to a client.
pub(super) struct TripRecording<'a> {
    header: Draft<'a>,
    number: u32,
    pairs: u16,
    /// Bytes of all rows.
    rows: usize,
}

/// `/api/v1/trips/N/waveform`: looks at all of it once.
pub(super) async fn recording<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    path: &str,
) -> Result<TripRecording<'a>, Problem> {
    let number = number(path).ok_or(Problem::NoSuchTrip)?;
    let trip = trip(site, Query::Trip(number)).await?.ok_or(Problem::NoSuchTrip)?;
    let mut header = Draft::new(site.budget, HEADER)?;
    hardware_lines(&mut header, site.plug.identity, &trip.head.front_end).map_err(|_| Problem::Busy)?;
    calibration_lines(&mut header, &trip.head.calibration).map_err(|_| Problem::Busy)?;
    trip_lines(&mut header, &trip).map_err(|_| Problem::Busy)?;
    let there = trip.pairs;
    drop(trip);
    let (mut gaps, mut rows, mut at) = (Gaps::default(), 0, 0);
    while at < there {
        let piece = pairs(site, number, at).await.ok_or(Problem::FlashSilent)?;
        let piece = piece.get(..usize::from(there - at)).unwrap_or(&piece);
        // More gaps than the header has room for: these samples are of no use.
        gaps.take(&mut header, piece).map_err(|_| Problem::SamplesGone)?;
        rows += rows_length(piece.iter().copied());
        at += piece.len() as u16;
    }
    gaps.end(&mut header).map_err(|_| Problem::SamplesGone)?;
    columns_line(&mut header).map_err(|_| Problem::Busy)?;
    Ok(TripRecording { header, number, pairs: there, rows })
}

fn number(path: &str) -> Option<u32> {
    let text = path.rsplit('/').nth(1)?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// What it was. `trip_index` and `trip_relay_index` count pairs from the first, lost ones too.
fn trip_lines(text: &mut Draft<'_>, trip: &Trip) -> core::fmt::Result {
    let head = &trip.head;
    writeln!(text, "# trip_number: {}", trip.number)?;
    writeln!(text, "# trip_kind: {}", head.kind)?;
    text.write_str("# trip_cause: ")?;
    for character in head.cause.chars().filter(|character| !character.is_control()) {
        text.write_char(character)?;
    }
    writeln!(text, "\n# trip_start: {}", head.start)?;
    writeln!(text, "# trip_uptime_s: {}", Exact(head.uptime_s))?;
    if let Some(time) = head.time {
        writeln!(text, "# trip_time: {}", Exact(time))?;
    }
    if let Some(index) = head.relay_command_index {
        writeln!(text, "# trip_relay_index: {index}")?;
    }
    writeln!(text, "# trip_complete: {}", trip.complete())?;
    writeln!(text, "# trip_index: {}", head.pairs_before)
}

/// Answers with the recording.
///
/// # Errors
/// The client is gone or too slow.
pub(super) async fn send<C: Clock, N: Clock, M: RawMutex, R: Read, W: ResponseWriter<Error = R::Error>>(
    site: &Site<'_, C, N, M>,
    recording: TripRecording<'_>,
    head_only: bool,
    connection: RequestBodyConnection<'_, R>,
    writer: W,
) -> Result<ResponseSent, W::Error> {
    let connection = connection.finalize().await?;
    site.exchange.join_head_and_body();
    Response::new(StatusCode::new(200), Sheet { site, recording, head_only })
        .with_header(FIRST_HEADER, Lines::new())
        .write_to(connection, writer)
        .await
}

struct Sheet<'s, 'a, C, N, M: RawMutex> {
    site: &'s Site<'a, C, N, M>,
    recording: TripRecording<'s>,
    head_only: bool,
}

impl<C: Clock, N: Clock, M: RawMutex> Content for Sheet<'_, '_, C, N, M> {
    fn content_type(&self) -> &'static str {
        CSV
    }

    fn content_length(&self) -> usize {
        self.recording.header.bytes().len() + self.recording.rows
    }

    async fn write_content<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        let Self { site, recording, head_only } = self;
        if head_only {
            return Ok(());
        }
        writer.write_all(recording.header.bytes()).await?;
        let mut at = 0;
        while at < recording.pairs {
            let Some(piece) = pairs(site, recording.number, at).await else {
                // A newer trip took its place: an answer that ends early, and its connection with it.
                site.exchange.end();
                return Ok(());
            };
            let piece = piece.get(..usize::from(recording.pairs - at)).unwrap_or(&piece);
            write_rows(&mut writer, piece.iter().copied()).await?;
            at += piece.len() as u16;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_in_the_path() {
        assert_eq!(number("/api/v1/trips/17/waveform"), Some(17));
        for path in
            ["/api/v1/trips//waveform", "/api/v1/trips/+1/waveform", "/api/v1/trips/4294967296/waveform"]
        {
            assert_eq!(number(path), None, "{path}");
        }
    }
}
