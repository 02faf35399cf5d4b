//! `GET /api/v1/events`: server-sent events. A stream that is late skips windows (its numbers show it); it never
//! holds up the others or the measuring.

use core::fmt::Write as _;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::watch::Receiver;
use picoserve::io::Write;
use serde::Serialize;

use super::api::{READING_JSON, RELAY_JSON};
use super::doors::Caller;
use super::problem::Problem;
use super::reply::{Budget, Draft};
use super::site::Site;
use crate::core::claims::RelayStatus;
use crate::limits;
use crate::platform::{Clock, Instant};
use crate::state::State;

type Changes<'a> = Receiver<'a, NoopRawMutex, u32, { limits::LISTENERS }>;

/// What an event has around its JSON: name, id and the empty line.
const AROUND: usize = 64;
/// The longest line of the log: a message of 96 characters that are all escaped, and its numbers.
const LOG_JSON: usize = 768;

/// A live stream's place; free again when it is dropped.
pub(super) struct Seat<'a> {
    state: &'a State,
    changes: Changes<'a>,
    /// Each event takes its room of it only while it is written: an open page leaves the room to other answers.
    budget: &'a Budget,
    caller: Caller,
    /// [`Access::epoch`](crate::access::Access::epoch) when it was let in.
    epoch: u32,
    /// When the session that it was let in with is over.
    until: Option<Instant>,
}

impl<'a> Seat<'a> {
    /// # Errors
    /// All places are taken.
    pub(super) fn take(
        state: &'a State,
        budget: &'a Budget,
        caller: &Caller,
        until: Option<Instant>,
    ) -> Result<Self, Problem> {
        if state.streams.get() >= limits::EVENT_STREAMS {
            return Err(Problem::TooManyStreams);
        }
        let changes = state.changed.receiver().ok_or(Problem::TooManyStreams)?;
        state.streams.set(state.streams.get() + 1);
        let epoch = state.access.epoch();
        Ok(Self { state, changes, budget, caller: *caller, epoch, until })
    }

    /// Whether what it was let in with may still be good. A client that it is good for comes again by itself.
    fn is_welcome(&self, now: Instant) -> bool {
        self.epoch == self.state.access.epoch() && self.until.is_none_or(|until| now < until)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.state.streams.set(self.state.streams.get().saturating_sub(1));
    }
}

/// A live stream on its way to a client.
pub(super) struct Stream<'s, 'a, C, N, M: RawMutex> {
    site: &'s Site<'a, C, N, M>,
    seat: Seat<'s>,
    sent: Sent,
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
    /// Of claims, delays, trip, retries, alarm and schedule.
    rest: Print,
}

impl RelayKey {
    fn of(status: &RelayStatus) -> Self {
        let mut rest = Print::NONE;
        for claim in &status.claims {
            rest.add(&[claim.class.number(), claim.source.number(), claim.on.into(), claim.holds.into()]);
            rest.add(&claim.since_uptime_s.to_bits().to_le_bytes());
            rest.add(&[claim.ends_in_s.is_some().into(), claim.until.map_or(0, |until| until as u8 + 1)]);
        }
        rest.add(&[
            status.delayed_s.is_some().into(),
            status.delay_reason.map_or(0, |reason| reason as u8 + 1),
        ]);
        rest.add(&status.trip.as_ref().map_or(0, |trip| trip.number).to_le_bytes());
        rest.add(&[status.retry_in_s.is_some().into(), status.retries_left]);
        if let Some(alarm) = &status.alarm {
            rest.add(&[alarm.kind as u8 + 1]);
            rest.add(&alarm.since_uptime_s.to_bits().to_le_bytes());
        }
        rest.add(&[status.schedule.state as u8]);
        rest.add(status.schedule.reason.as_bytes());
        if let Some(next) = &status.schedule.next {
            rest.add(&next.time.to_bits().to_le_bytes());
            rest.add(&[next.on.into(), next.entry]);
        }
        Self {
            on: status.on,
            measured: status.measured,
            locked_out: status.locked_out,
            timed: status.remaining_s.is_some(),
            switch_count: status.switch_count,
            since_uptime_s: status.since_uptime_s,
            rest,
        }
    }
}

/// A fingerprint: FNV-1a of 32 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>), a multiplication a byte.
#[derive(Clone, Copy, PartialEq)]
struct Print(u32);

impl Print {
    const NONE: Self = Self(0x811c_9dc5);

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// What to write next.
enum News {
    Reading,
    Relay,
    Log,
}

impl<'s, 'a, C: Clock, N: Clock, M: RawMutex> Stream<'s, 'a, C, N, M> {
    pub(super) fn new(site: &'s Site<'a, C, N, M>, seat: Seat<'s>) -> Self {
        Self { site, seat, sent: Sent::default() }
    }

    /// Writes what happens, until the client's right ends.
    pub(super) async fn flow<W: Write>(&mut self, mut writer: W) -> Result<(), W::Error> {
        let clock = self.site.plug.network_clock;
        // Lines that were written before this client came are not news.
        self.sent.log = self.site.plug.state.log.borrow().back().map(|line| line.sequence);
        writer.write_all(b"retry: 2000\n\n").await?;
        while self.seat.is_welcome(clock.now()) {
            // Without room now, it comes with the next change.
            if let Some(event) = self.news().and_then(|news| self.write_event(&news)) {
                self.site.exchange.extend(clock.now().after(limits::ANSWER_TIMEOUT));
                writer.write_all(event.bytes()).await?;
                drop(event);
                writer.flush().await?;
                continue;
            }
            writer.flush().await?;
            let mut silence: Instant = clock.now().after(limits::EVENT_KEEP_ALIVE);
            if let Some(until) = self.seat.until {
                silence = silence.min(until);
            }
            if let Either::Second(()) = select(self.seat.changes.changed(), clock.sleep_until(silence)).await
            {
                self.site.exchange.extend(clock.now().after(limits::ANSWER_TIMEOUT));
                writer.write_all(b": alive\n\n").await?;
                writer.flush().await?;
            }
        }
        Ok(())
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
        if !self.seat.caller.sees_all {
            // Its lines name networks and who signed in.
            return None;
        }
        let newest = state.log.borrow().back().map(|line| line.sequence);
        (newest != self.sent.log).then_some(News::Log)
    }
}

impl<'s, C, N, M: RawMutex> Stream<'s, '_, C, N, M> {
    /// Puts one event together and remembers it as sent; `None` where there is no room for it now.
    #[inline(never)]
    fn write_event(&mut self, news: &News) -> Option<Draft<'s>> {
        let most = match news {
            News::Reading => READING_JSON,
            News::Relay => RELAY_JSON,
            News::Log => LOG_JSON,
        };
        let mut draft = Draft::new(self.seat.budget, most + AROUND).ok()?;
        let (state, sent) = (self.site.plug.state, &mut self.sent);
        let written = match news {
            News::Reading => {
                let reading = state.reading.borrow();
                sent.reading = reading.as_ref().map(|reading| reading.sequence);
                reading.as_ref().map(|reading| event(&mut draft, "reading", Some(reading.sequence), reading))
            }
            News::Relay => {
                let status = state.relay.borrow();
                sent.relay = Some(RelayKey::of(&status));
                Some(event(&mut draft, "relay", None, &*status))
            }
            News::Log => {
                let log = state.log.borrow();
                // The oldest line that this client does not have; lines that are gone are skipped.
                let next = log.iter().find(|line| {
                    sent.log.is_none_or(|last| line.sequence.wrapping_sub(last).cast_signed() > 0)
                });
                sent.log = next.map_or(sent.log, |line| Some(line.sequence));
                next.map(|line| event(&mut draft, "log", None, line))
            }
        };
        if written != Some(Ok(())) {
            // Half an event would spoil the next one too.
            draft.clear();
        }
        Some(draft)
    }
}

/// One event: name, id, JSON on one line.
fn event<T: Serialize>(draft: &mut Draft<'_>, name: &str, id: Option<u64>, value: &T) -> core::fmt::Result {
    draft.clear();
    writeln!(draft, "event: {name}")?;
    if let Some(id) = id {
        writeln!(draft, "id: {id}")?;
    }
    draft.write_str("data: ")?;
    draft.json(value).map_err(|_| core::fmt::Error)?;
    draft.write_str("\n\n")
}
