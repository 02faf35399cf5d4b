//! `GET /api/v1/events`: server-sent events. A stream that is late skips windows (its numbers show it); it never
//! holds up the others or the measuring.

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::watch::Receiver;
use picoserve::ResponseSent;
use picoserve::io::{Read, Write};
use picoserve::request::RequestBodyConnection;
use picoserve::response::custom::{CustomBody, CustomResponse};
use picoserve::response::{IntoResponse, ResponseWriter, StatusCode};
use serde::Serialize;

use super::Plug;
use super::api::relay_now;
use super::problem::Problem;
use super::reply::{Cache, SECURITY_HEADERS};
use super::site::Site;
use crate::core::relay::RelayStatus;
use crate::limits;
use crate::platform::{Clock, Instant};
use crate::state::State;

type Changes<'a> = Receiver<'a, NoopRawMutex, u32, { limits::EVENT_STREAMS + limits::WEB_WORKERS }>;

/// A live stream's place; free again when it is dropped.
pub(super) struct Seat<'a> {
    state: &'a State,
    changes: Changes<'a>,
}

impl<'a> Seat<'a> {
    /// # Errors
    /// All places are taken.
    pub(super) fn take(state: &'a State) -> Result<Self, Problem> {
        if state.streams.get() >= limits::EVENT_STREAMS {
            return Err(Problem::TooManyStreams);
        }
        let changes = state.changed.receiver().ok_or(Problem::TooManyStreams)?;
        state.streams.set(state.streams.get() + 1);
        Ok(Self { state, changes })
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.state.streams.set(self.state.streams.get().saturating_sub(1));
    }
}

/// Answers with the stream, until the client goes away.
///
/// # Errors
/// The client is gone or does not read.
pub(super) async fn send<C: Clock, N: Clock, M: RawMutex, R: Read, W: ResponseWriter<Error = R::Error>>(
    site: &Site<'_, C, N, M>,
    seat: Seat<'_>,
    head_only: bool,
    connection: RequestBodyConnection<'_, R>,
    writer: W,
) -> Result<ResponseSent, W::Error> {
    let stream = Stream { site, seat, sent: Sent::default(), head_only };
    CustomResponse::build(StatusCode::new(200))
        .with_headers(SECURITY_HEADERS)
        .with_headers([("Cache-Control", Cache::NoStore.value()), ("Content-Type", "text/event-stream")])
        .with_body(stream)
        .write_to(connection.finalize().await?, writer)
        .await
}

struct Stream<'s, 'a, C, N, M: RawMutex> {
    site: &'s Site<'a, C, N, M>,
    seat: Seat<'s>,
    sent: Sent,
    head_only: bool,
}

/// What this client already knows.
#[derive(Default)]
struct Sent {
    reading: Option<u64>,
    relay: Option<RelayKey>,
    log: Option<u32>,
}

/// What makes a relay status news: not the seconds that run down in it.
#[derive(Clone, Copy, PartialEq)]
struct RelayKey {
    on: bool,
    measured: Option<bool>,
    locked_out: bool,
    timed: bool,
    switch_count: u32,
    since_uptime_s: f64,
}

impl RelayKey {
    const fn of(status: &RelayStatus) -> Self {
        Self {
            on: status.on,
            measured: status.measured,
            locked_out: status.locked_out,
            timed: status.remaining_s.is_some(),
            switch_count: status.switch_count,
            since_uptime_s: status.since_uptime_s,
        }
    }
}

/// What to write next.
enum News {
    Reading,
    Relay,
    Log,
}

impl<C: Clock, N: Clock, M: RawMutex> CustomBody for Stream<'_, '_, C, N, M> {
    async fn write_response_body<W: Write>(mut self, mut writer: W) -> Result<(), W::Error> {
        if self.head_only {
            return Ok(());
        }
        let clock = self.site.plug.network_clock;
        // Lines that were written before this client came are not news.
        self.sent.log = self.site.plug.state.log.borrow().back().map(|line| line.sequence);
        writer.write_all(b"retry: 2000\n\n").await?;
        loop {
            while let Some(news) = self.news() {
                self.site.exchange.extend(clock.now().after(limits::ANSWER_TIMEOUT));
                let plug = self.site.plug;
                let sent = &mut self.sent;
                writer
                    .write_with(|mut cursor| {
                        let written = write_news(plug, sent, &news, cursor.as_mut_slice());
                        cursor.advance(written);
                    })
                    .await?;
                writer.flush().await?;
            }
            writer.flush().await?;
            let silence: Instant = clock.now().after(limits::EVENT_KEEP_ALIVE);
            if let Either::Second(()) = select(self.seat.changes.changed(), clock.sleep_until(silence)).await
            {
                self.site.exchange.extend(clock.now().after(limits::ANSWER_TIMEOUT));
                writer.write_all(b": alive\n\n").await?;
                writer.flush().await?;
            }
        }
    }
}

impl<C, N, M: RawMutex> Stream<'_, '_, C, N, M> {
    /// What changed since it was last written; the newest reading first.
    fn news(&self) -> Option<News> {
        let state = self.site.plug.state;
        if state.reading.borrow().as_ref().map(|reading| reading.sequence) != self.sent.reading {
            return Some(News::Reading);
        }
        if Some(RelayKey::of(&state.relay.borrow())) != self.sent.relay {
            return Some(News::Relay);
        }
        let newest = state.log.borrow().back().map(|line| line.sequence);
        (newest != self.sent.log).then_some(News::Log)
    }
}

/// Writes one event into `room` and remembers it as sent; the bytes written, 0 if it does not fit.
fn write_news<C: Clock, N, M: RawMutex>(
    plug: &Plug<'_, C, N, M>,
    sent: &mut Sent,
    news: &News,
    room: &mut [u8],
) -> usize {
    let state = plug.state;
    match news {
        News::Reading => {
            let reading = state.reading.borrow();
            sent.reading = reading.as_ref().map(|reading| reading.sequence);
            reading.as_ref().map_or(0, |reading| event("reading", Some(reading.sequence), reading, room))
        }
        News::Relay => {
            let status = relay_now(plug);
            sent.relay = Some(RelayKey::of(&status));
            event("relay", None, &status, room)
        }
        News::Log => {
            let log = state.log.borrow();
            // The oldest line that this client does not have; lines that are gone are skipped.
            let next = log
                .iter()
                .find(|line| sent.log.is_none_or(|last| line.sequence.wrapping_sub(last).cast_signed() > 0));
            sent.log = next.map_or(sent.log, |line| Some(line.sequence));
            next.map_or(0, |line| event("log", None, line, room))
        }
    }
}

/// One event: name, id, JSON on one line.
fn event<T: Serialize>(name: &str, id: Option<u64>, value: &T, room: &mut [u8]) -> usize {
    use core::fmt::Write;
    let mut head: heapless::String<64> = heapless::String::new();
    let written = match id {
        Some(id) => write!(head, "event: {name}\nid: {id}\ndata: "),
        None => write!(head, "event: {name}\ndata: "),
    };
    let end = b"\n\n";
    let (Ok(()), Some((start, rest))) = (written, room.split_at_mut_checked(head.len())) else { return 0 };
    let Ok(length) = serde_json_core::to_slice(value, rest) else { return 0 };
    let Some(tail) = rest.get_mut(length..length + end.len()) else { return 0 };
    start.copy_from_slice(head.as_bytes());
    tail.copy_from_slice(end);
    head.len() + length + end.len()
}
