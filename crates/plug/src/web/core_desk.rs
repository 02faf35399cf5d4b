//! Asks the core and brings its answers to whoever asked, in the order of the questions.
//!
//! One future ([`CoreDesk::run`]) takes the answers off the link, so that an answer whose asker has gone is never
//! taken for somebody else's and the capture buffer always comes back.

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::Deque;
use metering::front_end::FrontEnd;

use super::problem::Problem;
use super::socket::within;
use crate::app::{Answer, Capture, CaptureError, CaptureRequest, Command, Link};
use crate::core::claims::{Refusal, RelayCommand};
use crate::limits;
use crate::platform::Clock;
use crate::state::{State, keep};

/// Where the one capture buffer is.
enum Buffer {
    /// Here, free.
    Idle(Box<Capture>),
    /// With the core; somebody waits for it or not.
    Away { awaited: bool },
    /// Back from the core, for who waits.
    Filled(Box<Capture>),
    /// Being sent to a client.
    Lent,
}

/// The way to the core.
pub(super) struct CoreDesk<'a, M: RawMutex> {
    link: &'a Link<M>,
    state: &'a State,
    /// Relay commands sent, and answered.
    asked: Cell<u32>,
    answered: Cell<u32>,
    /// Which of them were refused, and why: the newest.
    refused: RefCell<Deque<(u32, Refusal), { limits::COMMAND_QUEUE }>>,
    buffer: RefCell<Buffer>,
}

impl<'a, M: RawMutex> CoreDesk<'a, M> {
    /// Allocates the capture buffer: once, before the heap is in pieces.
    pub(super) fn new(link: &'a Link<M>, state: &'a State, front_end: &FrontEnd) -> Self {
        let capture = Box::new(Capture::for_rate(front_end.sample_rate.value()));
        Self {
            link,
            state,
            asked: Cell::new(0),
            answered: Cell::new(0),
            refused: RefCell::new(Deque::new()),
            buffer: RefCell::new(Buffer::Idle(capture)),
        }
    }

    /// Takes the core's answers for as long as the plug runs.
    pub(super) async fn run(&self) -> ! {
        loop {
            match self.link.answers.receive().await {
                Answer::Relay(result) => {
                    let number = self.answered.get().wrapping_add(1);
                    self.answered.set(number);
                    if let Err(refusal) = result {
                        keep(&mut self.refused.borrow_mut(), (number, refusal));
                    }
                    // The core says what became of it before it answers.
                    if let Some(status) = self.link.relay.try_take() {
                        self.state.put_relay(status);
                    }
                    self.state.touch();
                }
                Answer::Capture(capture) => {
                    self.buffer.replace_with(|buffer| match buffer {
                        Buffer::Away { awaited: true } => Buffer::Filled(capture),
                        _ => Buffer::Idle(capture),
                    });
                    self.state.touch();
                }
            }
        }
    }

    /// Has the relay switched. Afterwards the state says what became of it, and of what came after it.
    ///
    /// # Errors
    /// Why the core refuses it; [`Problem::CoreBusy`]: it did not take the command or did not answer in time.
    pub(super) async fn switch<C: Clock>(&self, clock: &C, command: RelayCommand) -> Result<(), Problem> {
        self.link.commands.try_send(Command::Relay(command)).map_err(|_| Problem::CoreBusy)?;
        let asked = self.asked.get().wrapping_add(1);
        self.asked.set(asked);
        // Whoever was answered later has an answer that is newer: then ours took effect before it.
        let answered = || (asked.wrapping_sub(self.answered.get()).cast_signed() <= 0).then_some(());
        self.wait(clock, limits::CORE_ANSWER_TIMEOUT, answered).await.ok_or(Problem::CoreBusy)?;
        let refused = self.refused.borrow();
        match refused.iter().find(|(number, _)| *number == asked) {
            None => Ok(()),
            Some((_, Refusal::LockedOut)) => Err(Problem::LockedOut),
            Some((_, Refusal::TooSoon { wait, why })) => Err(Problem::TooSoon { wait: *wait, why: *why }),
        }
    }

    /// Fetches samples; the buffer goes back when the result is dropped.
    ///
    /// # Errors
    /// The buffer is in use, the core did not answer, or it has no such samples.
    pub(super) async fn capture<C: Clock>(
        &self,
        clock: &C,
        request: CaptureRequest,
    ) -> Result<Lent<'_>, Problem> {
        let free = || self.take(|buffer| matches!(buffer, Buffer::Idle(_)), Buffer::Lent);
        let mut capture =
            self.wait(clock, limits::CORE_ANSWER_TIMEOUT, free).await.ok_or(Problem::CaptureBusy)?;
        capture.request = request;
        self.send(capture)?;
        let waiting = Waiting(&self.buffer);
        let back = || self.take(|buffer| matches!(buffer, Buffer::Filled(_)), Buffer::Lent);
        let capture = self.wait(clock, limits::CORE_ANSWER_TIMEOUT, back).await;
        drop(waiting);
        let lent =
            Lent { capture: Some(capture.ok_or(Problem::CoreBusy)?), desk: &self.buffer, state: self.state };
        match lent.error() {
            None => Ok(lent),
            Some(CaptureError::NothingYet) => Err(Problem::NothingMeasuredYet),
            Some(CaptureError::TooLong) => Err(Problem::TooManyCycles),
            Some(CaptureError::Gone) => Err(Problem::SamplesGone),
        }
    }

    /// Gives the buffer to the core, or keeps it when the core has too much to do.
    fn send(&self, capture: Box<Capture>) -> Result<(), Problem> {
        self.buffer.replace(Buffer::Away { awaited: true });
        match self.link.commands.try_send(Command::Capture(capture)) {
            Ok(()) => Ok(()),
            Err(embassy_sync::channel::TrySendError::Full(command)) => {
                if let Command::Capture(capture) = command {
                    self.buffer.replace(Buffer::Idle(capture));
                }
                Err(Problem::CoreBusy)
            }
        }
    }

    /// The capture, if the buffer is as wanted; `left` stays in its place.
    fn take(&self, wanted: impl Fn(&Buffer) -> bool, left: Buffer) -> Option<Box<Capture>> {
        let mut buffer = self.buffer.borrow_mut();
        if !wanted(&buffer) {
            return None;
        }
        match core::mem::replace(&mut *buffer, left) {
            Buffer::Idle(capture) | Buffer::Filled(capture) => Some(capture),
            other => {
                *buffer = other;
                None
            }
        }
    }

    /// Tries now and after each change of the state until `limit` is over.
    async fn wait<C: Clock, T>(
        &self,
        clock: &C,
        limit: Duration,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if let Some(result) = attempt() {
            return Some(result);
        }
        // One receiver for each worker and each stream exists, so this never comes back empty.
        let mut changed = self.state.changed.receiver()?;
        within(clock, limit, async {
            loop {
                if let Some(result) = attempt() {
                    return result;
                }
                changed.changed().await;
            }
        })
        .await
    }
}

/// Dropped when nobody waits for the core's capture any more.
struct Waiting<'a>(&'a RefCell<Buffer>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.replace_with(|buffer| match core::mem::replace(buffer, Buffer::Lent) {
            Buffer::Away { .. } => Buffer::Away { awaited: false },
            Buffer::Filled(capture) => Buffer::Idle(capture),
            other => other,
        });
    }
}

/// The capture buffer, filled; goes back when it is dropped.
pub(super) struct Lent<'a> {
    capture: Option<Box<Capture>>,
    desk: &'a RefCell<Buffer>,
    state: &'a State,
}

impl Lent<'_> {
    /// What the core put into it.
    pub(super) fn capture(&self) -> Option<&Capture> {
        self.capture.as_deref()
    }

    fn error(&self) -> Option<CaptureError> {
        self.capture().and_then(|capture| capture.error)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(capture) = self.capture.take() {
            self.desk.replace(Buffer::Idle(capture));
            self.state.touch();
        }
    }
}
