//! A connection through the gate: bounded in time, counted, and in the ledger when it is over.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use edge_nal::{Close, TcpConnect, TcpShutdown};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::MutexGuard;
use embedded_io_async::{ErrorType, Read, Write};

use super::book::{Kept, Record};
use super::gate::Outside;
use super::mask::mask;
use super::purpose::{Outcome, OutsideError, Place};
use crate::limits;
use crate::platform::{Clock, Instant, Outbound};

/// What stands in the ledger when this is dropped.
pub(super) struct Tally<'o, 'a, N: Outbound, C: Clock, T: Clock> {
    outside: &'o Outside<'a, N, C, T>,
    record: Option<Record>,
    began: Instant,
    /// Not in the record before it ended: the beginning of the body as it is, and what of it nobody may see.
    body: Vec<u8>,
    cut: bool,
    secrets: Vec<String>,
}

impl<'o, 'a, N: Outbound, C: Clock, T: Clock> Tally<'o, 'a, N, C, T> {
    pub(super) fn begin(outside: &'o Outside<'a, N, C, T>, place: Rc<Place>) -> Self {
        let record = Record {
            place,
            began: outside.clock.now(),
            took: core::time::Duration::ZERO,
            bytes_out: 0,
            bytes_in: 0,
            outcome: Outcome::Abandoned,
            body: None,
        };
        let began = outside.timer.now();
        Self { outside, record: Some(record), began, body: Vec::new(), cut: false, secrets: Vec::new() }
    }

    /// Where it goes; nothing once it is over.
    pub(super) fn host(&self) -> &str {
        self.record.as_ref().map_or("", |record| &record.place.host)
    }

    pub(super) fn succeed(&mut self) {
        self.end(Outcome::Ok);
    }

    pub(super) fn fail(&mut self, error: OutsideError) {
        self.end(error.outcome());
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(record) = &mut self.record {
            record.outcome = outcome;
        }
    }

    pub(super) fn add_out(&mut self, bytes: usize) {
        if let Some(record) = &mut self.record {
            record.bytes_out = record.bytes_out.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn add_in(&mut self, bytes: usize) {
        if let Some(record) = &mut self.record {
            record.bytes_in = record.bytes_in.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }
}

impl<N: Outbound, C: Clock, T: Clock> Drop for Tally<'_, '_, N, C, T> {
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.took = self.outside.timer.now().since(self.began);
            let mut body = core::mem::take(&mut self.body);
            if !body.is_empty() {
                for secret in &self.secrets {
                    mask(&mut body, self.cut, secret.as_bytes());
                }
                record.body = Some(Kept { bytes: body, cut: self.cut });
            }
            self.outside.ledger.borrow_mut().note(record);
        }
    }
}

/// A TCP connection. Each read and write is bounded by [`limits::OUTSIDE_SILENCE`], all of it by
/// [`limits::OUTSIDE_CONNECTION`]. Dropped without [`Connection::finish`], it stands in the ledger as abandoned, or
/// as what went wrong.
pub struct Connection<'o, 'a, N: Outbound + 'o, C: Clock, T: Clock> {
    socket: <N as TcpConnect>::Socket<'o>,
    tally: Tally<'o, 'a, N, C, T>,
    _turn: MutexGuard<'o, NoopRawMutex, ()>,
}

impl<'o, 'a, N: Outbound, C: Clock, T: Clock> Connection<'o, 'a, N, C, T> {
    pub(super) fn new(
        turn: MutexGuard<'o, NoopRawMutex, ()>,
        socket: <N as TcpConnect>::Socket<'o>,
        tally: Tally<'o, 'a, N, C, T>,
    ) -> Self {
        Self { socket, tally, _turn: turn }
    }

    /// Shows the gate what is being said, piece by piece, before it is encoded or encrypted: the ledger keeps the first [`limits::LEDGER_BODY`] bytes.
    pub fn body(&mut self, bytes: &[u8]) {
        let body = &mut self.tally.body;
        let room = limits::LEDGER_BODY.saturating_sub(body.len()).min(bytes.len());
        let kept = if body.try_reserve_exact(room).is_ok() { room } else { 0 };
        body.extend_from_slice(bytes.get(..kept).unwrap_or(&[]));
        self.tally.cut |= kept < bytes.len();
    }

    /// Nobody may see this in the ledger, wherever it stands in the body.
    pub fn hide(&mut self, secret: &str) {
        self.tally.secrets.push(secret.into());
    }

    /// Closes the connection and says what became of it.
    pub async fn finish(mut self, outcome: Outcome) {
        self.tally.end(outcome);
        let outside = self.tally.outside;
        let closed = outside.within(limits::OUTSIDE_CLOSE, self.socket.close(Close::Both)).await;
        if !matches!(closed, Ok(Ok(()))) {
            // The other side should not wait for more.
            let _ = outside.within(limits::OUTSIDE_CLOSE, self.socket.abort()).await;
        }
    }

    /// How long the next step may take.
    fn patience(&self) -> core::time::Duration {
        let passed = self.tally.outside.timer.now().since(self.tally.began);
        limits::OUTSIDE_CONNECTION.saturating_sub(passed).min(limits::OUTSIDE_SILENCE)
    }
}

impl<'o, N: Outbound + 'o, C: Clock, T: Clock> ErrorType for Connection<'o, '_, N, C, T> {
    type Error = OutsideError;
}

impl<'o, N: Outbound + 'o, C: Clock, T: Clock> Read for Connection<'o, '_, N, C, T> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, OutsideError> {
        let patience = self.patience();
        let outside = self.tally.outside;
        match outside.within(patience, self.socket.read(bytes)).await {
            Ok(Ok(count)) => {
                self.tally.add_in(count);
                Ok(count)
            }
            Ok(Err(_)) => Err(outside.lost(&mut self.tally, OutsideError::Broken)),
            Err(error) => Err(outside.lost(&mut self.tally, error)),
        }
    }
}

impl<'o, N: Outbound + 'o, C: Clock, T: Clock> Write for Connection<'o, '_, N, C, T> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, OutsideError> {
        let patience = self.patience();
        let outside = self.tally.outside;
        match outside.within(patience, self.socket.write(bytes)).await {
            Ok(Ok(count)) => {
                self.tally.add_out(count);
                Ok(count)
            }
            Ok(Err(_)) => Err(outside.lost(&mut self.tally, OutsideError::Broken)),
            Err(error) => Err(outside.lost(&mut self.tally, error)),
        }
    }

    async fn flush(&mut self) -> Result<(), OutsideError> {
        let patience = self.patience();
        let outside = self.tally.outside;
        match outside.within(patience, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(outside.lost(&mut self.tally, OutsideError::Broken)),
            Err(error) => Err(outside.lost(&mut self.tally, error)),
        }
    }
}
