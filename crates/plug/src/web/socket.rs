//! The only file that knows both sides: sockets of `edge-nal` and the plug's clock become what picoserve wants.
//!
//! A refused request (see [`super::gate`]) looks to picoserve like a connection that ended in the middle of a
//! head. picoserve then writes a sentence of its own; [`WriteHalf`] drops it and sends ours instead.

use core::cell::{Cell, RefCell};
use core::time::Duration;

use edge_nal::{Close, TcpShutdown, TcpSplit};
use embassy_futures::select::{Either, select};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use picoserve::mem::{BorrowedBuffer, BorrowedCursor};

use super::crowd::Stay;
use super::gate::Gate;
use super::problem::Problem;
use super::reply;
use crate::limits;
use crate::platform::{Clock, Instant};

/// Names our executor to picoserve's types.
pub(super) struct Runtime;

/// picoserve's timer over the plug's clock.
pub(super) struct Timer<'a, C> {
    pub(super) clock: &'a C,
    pub(super) exchange: &'a Exchange,
}

impl<C: Clock> picoserve::Timer<Runtime> for Timer<'_, C> {
    async fn delay(&self, duration: picoserve::time::Duration) {
        loop {
            let moment = self.clock.now().after(Duration::from_millis(duration.as_millis()));
            self.clock.sleep_until(moment).await;
            // The handler looks after the time of a long body itself.
            if !self.exchange.patient.get() {
                return;
            }
        }
    }
}

/// `future`, or `None` if it takes longer than `limit`.
pub(super) async fn within<C: Clock, F: Future>(clock: &C, limit: Duration, future: F) -> Option<F::Output> {
    let end = clock.now().after(limit);
    match select(future, clock.sleep_until(end)).await {
        Either::First(output) => Some(output),
        Either::Second(()) => None,
    }
}

/// What the handler of a request and the two halves of its socket tell each other.
pub(super) struct Exchange {
    gate: RefCell<Gate>,
    /// Why the next request is not read.
    refusal: RefCell<Option<Problem>>,
    /// Nothing more is read from this connection.
    ended: Cell<bool>,
    /// Nobody looks whether the client still sends something.
    deaf: Cell<bool>,
    /// A handler of ours is at work: what is written is meant.
    handled: Cell<bool>,
    /// The next flush only separates head and body of one answer.
    hold_flush: Cell<bool>,
    /// When the answer at hand must be out.
    deadline: Cell<Option<Instant>>,
    /// picoserve's time for a request does not count: a body comes that may take longer.
    patient: Cell<bool>,
    /// A request was answered already: the client has what it came for.
    answered: Cell<bool>,
}

impl Exchange {
    pub(super) const fn new() -> Self {
        Self {
            gate: RefCell::new(Gate::new()),
            refusal: RefCell::new(None),
            ended: Cell::new(false),
            deaf: Cell::new(false),
            handled: Cell::new(false),
            hold_flush: Cell::new(false),
            deadline: Cell::new(None),
            patient: Cell::new(false),
            answered: Cell::new(false),
        }
    }

    /// A handler begins; its answer must be out by `deadline`.
    pub(super) fn begin(&self, deadline: Instant) {
        self.handled.set(true);
        self.deadline.set(Some(deadline));
    }

    /// The handler's answer is written.
    pub(super) fn finish(&self) {
        self.handled.set(false);
        self.answered.set(true);
        self.deadline.set(None);
    }

    /// From now on the client's end of sending is not seen: it may have ended it and still want its answer.
    pub(super) fn be_deaf(&self) {
        self.deaf.set(true);
    }

    /// Whether the handler looks after the time that the body takes.
    pub(super) fn set_patient(&self, patient: bool) {
        self.patient.set(patient);
    }

    /// Moves the moment at which what is being written must be out.
    pub(super) fn extend(&self, deadline: Instant) {
        self.deadline.set(Some(deadline));
    }

    /// Head and body of the next answer go out together.
    pub(super) fn join_head_and_body(&self) {
        self.hold_flush.set(true);
    }

    /// Whether a part of the request's body has not come yet.
    pub(super) fn body_is_under_way(&self) -> bool {
        self.gate.borrow().in_body()
    }

    /// Whether the client only keeps its connection for another request.
    fn is_idle(&self) -> bool {
        self.answered.get() && !self.handled.get() && self.gate.borrow().between_requests()
    }

    /// Whether nothing more is read.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Reads nothing more from this client; the answer at hand still goes out.
    pub(super) fn end(&self) {
        self.ended.set(true);
    }
}

/// What can go wrong with a client's socket.
#[derive(Debug)]
pub(super) enum SocketError<E> {
    /// The network says.
    Network(E),
    /// The answer took too long as a whole, or nothing is to be written any more.
    Given,
}

impl<E: core::fmt::Debug> core::fmt::Display for SocketError<E> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Network(error) => write!(formatter, "network: {error:?}"),
            Self::Given => formatter.write_str("the client was given up"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for SocketError<E> {}

impl<E: embedded_io_async::Error> embedded_io_async::Error for SocketError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Network(error) => error.kind(),
            Self::Given => ErrorKind::TimedOut,
        }
    }
}

/// One client's connection.
pub(super) struct Socket<'a, S, C> {
    pub(super) inner: S,
    pub(super) exchange: &'a Exchange,
    pub(super) stay: &'a Stay<'a>,
    pub(super) clock: &'a C,
    /// What is to be written gathers here.
    pub(super) output: &'a mut [u8],
}

impl<S, C> Socket<'_, S, C>
where
    S: Read + Write + TcpShutdown,
    C: Clock,
{
    /// Ends a connection so that neither its last bytes are lost nor a dead client keeps the worker: flush, a
    /// short wait for the client's end, our end, another short wait, and whatever is left is aborted.
    async fn close(mut self) {
        self.stay.leave();
        let clock = self.clock;
        let flushed = within(clock, limits::WRITE_TIMEOUT, self.inner.flush()).await;
        if let Some(Ok(())) = flushed {
            if within(clock, limits::CLOSE_GRACE, drain(&mut self.inner)).await.is_none() {
                let ended = within(clock, limits::CLOSE_WAIT, self.inner.close(Close::Write)).await;
                if let Some(Ok(())) = ended
                    && within(clock, limits::CLOSE_WAIT, drain(&mut self.inner)).await.is_some()
                {
                    return;
                }
            } else if within(clock, limits::CLOSE_WAIT, self.inner.close(Close::Both)).await.is_some() {
                return;
            }
        }
        // A client that does not end its side in time is reset; the worker is needed.
        let _ = within(clock, limits::CLOSE_WAIT, self.inner.abort()).await;
    }
}

/// Reads until the client ends its side or the connection breaks.
async fn drain<R: Read>(reader: &mut R) {
    let mut scratch = [0; 64];
    while let Ok(1..) = reader.read(&mut scratch).await {}
}

impl<'s, S, C> picoserve::io::Socket<Runtime> for Socket<'s, S, C>
where
    S: Read + Write + TcpSplit + TcpShutdown,
    S::Error: 'static,
    C: Clock,
{
    type Error = SocketError<S::Error>;
    type ReadHalf<'a>
        = ReadHalf<'a, S::Read<'a>>
    where
        Self: 'a;
    type WriteHalf<'a>
        = WriteHalf<'a, S::Write<'a>, C>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::ReadHalf<'_>, Self::WriteHalf<'_>) {
        let (reader, writer) = self.inner.split();
        (
            ReadHalf { inner: reader, exchange: self.exchange, stay: self.stay },
            WriteHalf {
                inner: writer,
                exchange: self.exchange,
                clock: self.clock,
                output: self.output,
                used: 0,
                refused: false,
            },
        )
    }

    async fn abort<T: picoserve::Timer<Runtime>>(
        self,
        _timeouts: &picoserve::Timeouts,
        _timer: &T,
    ) -> Result<(), picoserve::Error<Self::Error>> {
        // Not a reset: an answer may be on its way ("too long", "took too long"). `close` is bounded anyway.
        self.close().await;
        Ok(())
    }

    async fn shutdown<T: picoserve::Timer<Runtime>>(
        self,
        _timeouts: &picoserve::Timeouts,
        _timer: &T,
    ) -> Result<(), picoserve::Error<Self::Error>> {
        self.close().await;
        Ok(())
    }
}

/// What picoserve reads from.
pub(super) struct ReadHalf<'a, R> {
    inner: R,
    exchange: &'a Exchange,
    stay: &'a Stay<'a>,
}

impl<R: Read> ErrorType for ReadHalf<'_, R> {
    type Error = SocketError<R::Error>;
}

impl<R: Read> Read for ReadHalf<'_, R> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        if self.exchange.deaf.get() {
            core::future::pending::<()>().await;
        }
        if self.exchange.ended.get() {
            return Ok(0);
        }
        if buffer.is_empty() {
            // picoserve's buffer is full and the head has not ended (pipelined requests can do that).
            self.exchange.refusal.replace(Some(Problem::HeadTooLong));
            self.exchange.end();
            return Ok(0);
        }
        let read = if self.exchange.is_idle() {
            self.stay.set_idle(true);
            match select(self.inner.read(buffer), self.stay.crowded()).await {
                Either::First(read) => {
                    self.stay.set_idle(false);
                    read
                }
                Either::Second(()) => {
                    self.stay.leave();
                    self.exchange.end();
                    return Ok(0);
                }
            }
        } else {
            self.inner.read(buffer).await
        };
        let length = read.map_err(SocketError::Network)?;
        let verdict = self.exchange.gate.borrow_mut().pass(buffer.get(..length).unwrap_or(&[]));
        match verdict {
            Ok(()) => Ok(length),
            Err((passed, problem)) => {
                self.exchange.refusal.replace(Some(problem));
                self.exchange.end();
                // picoserve must have seen that a request began, or it ends without a word.
                let begun = self.exchange.gate.borrow().head_begun();
                Ok(if begun { passed } else { passed.max(1) })
            }
        }
    }
}

/// What picoserve writes to.
pub(super) struct WriteHalf<'a, W, C> {
    inner: W,
    exchange: &'a Exchange,
    clock: &'a C,
    output: &'a mut [u8],
    used: usize,
    refused: bool,
}

impl<W: Write, C: Clock> WriteHalf<'_, W, C> {
    async fn send(&mut self) -> Result<(), SocketError<W::Error>> {
        let used = core::mem::take(&mut self.used);
        let mut rest = self.output.get(..used).unwrap_or(&[]);
        while !rest.is_empty() {
            check(self.exchange, self.clock)?;
            let sent = self.inner.write(rest).await.map_err(SocketError::Network)?;
            rest = rest.get(sent..).filter(|_| sent > 0).ok_or(SocketError::Given)?;
        }
        Ok(())
    }

    /// picoserve wants to say that it could not read a request: says it our way, once.
    async fn refuse(&mut self) -> Result<(), SocketError<W::Error>> {
        if !core::mem::replace(&mut self.refused, true) {
            let problem = self.exchange.refusal.take().unwrap_or(Problem::BadHead);
            self.exchange.end();
            self.used = reply::refusal(&problem, self.output);
            self.send().await?;
            self.inner.flush().await.map_err(SocketError::Network)?;
        }
        self.used = 0;
        Ok(())
    }
}

fn check<E, C: Clock>(exchange: &Exchange, clock: &C) -> Result<(), SocketError<E>> {
    match exchange.deadline.get() {
        Some(deadline) if clock.now() > deadline => Err(SocketError::Given),
        _ => Ok(()),
    }
}

impl<W: Write, C> ErrorType for WriteHalf<'_, W, C> {
    type Error = SocketError<W::Error>;
}

impl<W: Write, C: Clock> Write for WriteHalf<'_, W, C> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        if !self.exchange.handled.get() {
            return Ok(bytes.len());
        }
        if self.used == self.output.len() {
            self.send().await?;
        }
        if self.used == 0 && bytes.len() >= self.output.len() {
            check(self.exchange, self.clock)?;
            return self.inner.write(bytes).await.map_err(SocketError::Network);
        }
        let room = self.output.get_mut(self.used..).unwrap_or(&mut []);
        let length = room.len().min(bytes.len());
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.used += length;
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        if !self.exchange.handled.get() {
            return self.refuse().await;
        }
        if self.exchange.hold_flush.replace(false) {
            return Ok(());
        }
        self.send().await?;
        self.inner.flush().await.map_err(SocketError::Network)
    }
}

impl<W: Write, C: Clock> picoserve::io::Write for WriteHalf<'_, W, C> {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> R, R>(&mut self, fill: F) -> Result<R, Self::Error> {
        if self.used == self.output.len() {
            self.send().await?;
        }
        if !self.exchange.handled.get() {
            self.used = 0;
        }
        let mut buffer = BorrowedBuffer::new(self.output.get_mut(self.used..).unwrap_or(&mut []));
        let result = fill(buffer.unfilled());
        if self.exchange.handled.get() {
            self.used += buffer.len();
        }
        Ok(result)
    }
}
