//! Where an upload goes from the web to the task that owns the slots: one at a time, one piece at a time. The piece's
//! memory goes to and fro; between uploads there is none.
//!
//! ```text
//!   web                              desk                        task that owns the slots
//!   begin ------------------------> Begin(order) ------------->  take: a new writer
//!         <------------------------- Ok or why not <-----------  answer
//!   put(piece) -------------------> Piece(bytes) ------------->  judged, erased, written
//!         <------------------------- the memory, or why not <--  answer
//!   finish(memory) ---------------> End(memory) -------------->  read back, activated
//!         <------------------------- Activated or why not <----  answer
//!   dropped ----------------------> Gone --------------------->  forgets the writer
//!
//!   go_back(memory) --------------> Back(memory) ------------->  the other image: read, judged, activated
//!         <------------------------- Activated or why not <----  answer
//! ```

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::net::IpAddr;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use heapless::String;

use super::fault::Fault;
use super::record::Why;
use super::version::VERSION_MOST;
use crate::limits;
use crate::platform::Instant;

/// What is wanted of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Bytes that come.
    pub length: u32,
    /// Whether exactly so many come, or at the most.
    pub exact: bool,
    /// An older version is meant.
    pub allow_downgrade: bool,
}

/// What was activated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activated {
    /// Its version.
    pub version: String<VERSION_MOST>,
    /// SHA-256 of the bare image, as it was read back.
    pub image_sha256: [u8; 32],
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// There is none.
    #[default]
    Idle,
    /// Pieces come.
    Receiving,
    /// All are there and are read back.
    Checking,
    /// The new image runs from the next start on, which is near.
    Activated,
}

impl Progress {
    /// Its public name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Receiving => "receiving",
            Self::Checking => "checking",
            Self::Activated => "activated",
        }
    }
}

/// How the last update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new image was checked and runs from the next start on.
    Activated,
    /// It proved itself.
    Confirmed,
    /// It did not: the one before it runs again.
    WentBack(Why),
    /// It was not taken.
    Refused(Fault),
}

impl Outcome {
    /// Its public name.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::Confirmed => "confirmed",
            Self::WentBack(_) => "went_back",
            Self::Refused(_) => "refused",
        }
    }
}

/// The last update that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Last {
    /// How.
    pub outcome: Outcome,
    /// Which version it brought; empty where nobody got to know.
    pub version: String<VERSION_MOST>,
    /// When, Unix seconds; `None` if the plug did not know the time then, as after a crash.
    pub time: Option<f64>,
    /// When, seconds after start; `None`: before this start.
    pub uptime_s: Option<f64>,
}

/// Somebody said that an upload comes soon, and which MD5 it has.
#[derive(Clone, Copy, Debug)]
struct Hold {
    peer: IpAddr,
    md5: [u8; 16],
    until: Instant,
}

/// What the task is to do next.
#[derive(Debug)]
pub(super) enum Work {
    Begin(Order),
    Piece(Vec<u8>),
    /// All were handed over; memory to read back with.
    End(Vec<u8>),
    /// What is in the other slot is to be started; memory to read it with.
    Back {
        allow_downgrade: bool,
        memory: Vec<u8>,
    },
    /// Whoever sent it is gone.
    Gone,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Done {
    /// Go on; here is the memory.
    More(Vec<u8>),
    All(Activated),
    Refused(Fault),
}

/// The desk.
pub struct Desk {
    /// Why nothing is taken now; `None`: it is.
    closed: RefCell<Option<Fault>>,
    /// Bytes that a slot holds; `None` before somebody looks after them.
    capacity: Cell<Option<u32>>,
    taken: Cell<bool>,
    /// The task is at work on what it took.
    at_work: Cell<bool>,
    progress: Cell<Progress>,
    size: Cell<u32>,
    received: Cell<u32>,
    last: RefCell<Option<Last>>,
    back: Cell<bool>,
    hold: Cell<Option<Hold>>,
    work: Signal<NoopRawMutex, Work>,
    done: Signal<NoopRawMutex, Done>,
}

impl Desk {
    /// Closed until the task that owns the slots opens it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            closed: RefCell::new(Some(Fault::NoSlots)),
            capacity: Cell::new(None),
            taken: Cell::new(false),
            at_work: Cell::new(false),
            progress: Cell::new(Progress::Idle),
            size: Cell::new(0),
            received: Cell::new(0),
            last: RefCell::new(None),
            back: Cell::new(false),
            hold: Cell::new(None),
            work: Signal::new(),
            done: Signal::new(),
        }
    }

    /// Uploads are taken from now on, for slots of so many bytes.
    pub fn open(&self, capacity: u32) {
        self.capacity.set(Some(capacity));
        self.closed.replace(None);
    }

    /// None is, and why; the slots have so many bytes.
    pub fn close(&self, why: Fault, capacity: u32) {
        self.capacity.set(Some(capacity));
        self.closed.replace(Some(why));
    }

    /// Bytes that a slot holds, if there are slots.
    #[must_use]
    pub fn capacity(&self) -> Option<u32> {
        self.capacity.get()
    }

    /// Why no upload by `peer` would be taken now.
    #[must_use]
    pub fn closed(&self, peer: IpAddr, now: Instant) -> Option<Fault> {
        let kept_for_others = self.held(now).is_some_and(|hold| hold.peer != peer);
        self.closed.borrow().clone().or((self.taken.get() || kept_for_others).then_some(Fault::Busy))
    }

    fn held(&self, now: Instant) -> Option<Hold> {
        self.hold.get().filter(|hold| now < hold.until)
    }

    /// Keeps the place for an upload by `peer` for [`limits::UPDATE_HOLD`], or until its next one ends. Nothing is erased.
    ///
    /// # Errors
    /// Why there is no place.
    pub fn hold(&self, peer: IpAddr, md5: [u8; 16], now: Instant) -> Result<(), Fault> {
        match self.closed(peer, now) {
            Some(why) => Err(why),
            None => {
                self.hold.set(Some(Hold { peer, md5, until: now.after(limits::UPDATE_HOLD) }));
                Ok(())
            }
        }
    }

    /// No place is kept any more: whoever knows the password does not wait for somebody who only said that he will come.
    pub fn release(&self) {
        self.hold.set(None);
    }

    /// The MD5 that `peer` said, if its place is still kept.
    #[must_use]
    pub fn held_md5(&self, peer: IpAddr, now: Instant) -> Option<[u8; 16]> {
        self.held(now).filter(|hold| hold.peer == peer).map(|hold| hold.md5)
    }

    /// How far the upload is, how many bytes it has, and how many of them came.
    #[must_use]
    pub fn progress(&self) -> (Progress, u32, u32) {
        (self.progress.get(), self.size.get(), self.received.get())
    }

    /// How the last one ended.
    #[must_use]
    pub fn last(&self) -> Option<Last> {
        self.last.borrow().clone()
    }

    /// Remembers how one ended.
    pub fn set_last(&self, last: Last) {
        self.last.replace(Some(last));
    }

    /// Somebody wants to go back from the image that is on probation.
    pub fn ask_back(&self) {
        self.back.set(true);
    }

    /// Whether somebody does.
    pub(super) const fn is_asked_back(&self) -> bool {
        self.back.get()
    }

    /// Whether somebody does; asked once.
    pub(super) fn take_back(&self) -> bool {
        self.back.take()
    }

    /// Begins an upload by `peer`.
    ///
    /// # Errors
    /// Another one is under way, or none is taken now.
    pub async fn begin(&self, order: Order, peer: IpAddr, now: Instant) -> Result<Upload<'_>, Fault> {
        let upload = self.occupy(Progress::Receiving, order.length, peer, now)?;
        match self.ask(Work::Begin(order)).await {
            Done::Refused(why) => Err(why),
            Done::More(_) | Done::All(_) => Ok(upload),
        }
    }

    /// Has the image in the other slot started from the next start on, if it is whole and would be taken today; the plug
    /// restarts soon after. `memory` is what it is read with. Dropping the future does not undo it.
    ///
    /// # Errors
    /// Why it is not started.
    pub async fn go_back(
        &self,
        allow_downgrade: bool,
        memory: Vec<u8>,
        peer: IpAddr,
        now: Instant,
    ) -> Result<Activated, Fault> {
        let _place = self.occupy(Progress::Checking, 0, peer, now)?;
        match self.ask(Work::Back { allow_downgrade, memory }).await {
            Done::All(activated) => Ok(activated),
            Done::Refused(why) => Err(why),
            Done::More(_) => Err(Fault::Busy),
        }
    }

    /// Takes the one place that there is.
    fn occupy(
        &self,
        progress: Progress,
        length: u32,
        peer: IpAddr,
        now: Instant,
    ) -> Result<Upload<'_>, Fault> {
        if let Some(why) = self.closed(peer, now) {
            return Err(why);
        }
        self.hold.set(None);
        self.taken.set(true);
        self.size.set(length);
        self.received.set(0);
        self.progress.set(progress);
        Ok(Upload { desk: self })
    }

    async fn ask(&self, work: Work) -> Done {
        self.done.reset();
        self.work.signal(work);
        self.done.wait().await
    }

    /// Waits for what is to be done next. Dropping the future loses nothing.
    pub(super) async fn take(&self) -> Work {
        let work = self.work.wait().await;
        self.at_work.set(!matches!(work, Work::Gone));
        work
    }

    /// There is room for another upload.
    pub(super) fn free(&self) {
        if self.progress.get() != Progress::Activated {
            self.progress.set(Progress::Idle);
            self.taken.set(false);
        }
    }

    /// What [`Desk::take`] gave is done.
    pub(super) fn answer(&self, done: Done) {
        self.at_work.set(false);
        if let Done::All(_) = done {
            self.progress.set(Progress::Activated);
        }
        self.done.signal(done);
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

/// An upload under way. Dropping it before its end breaks it off; nothing of it counts then.
pub struct Upload<'a> {
    desk: &'a Desk,
}

impl Upload<'_> {
    /// Hands over the next bytes; returns their memory, empty, when they are written.
    ///
    /// # Errors
    /// Why the image is not taken. Nothing more of it is.
    pub async fn put(&self, piece: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        match self.desk.ask(Work::Piece(piece)).await {
            Done::More(mut memory) => {
                memory.clear();
                self.desk.received.set(self.desk.received.get().saturating_add(length));
                Ok(memory)
            }
            Done::Refused(why) => Err(why),
            // Nobody asked for the end.
            Done::All(_) => Err(Fault::Busy),
        }
    }

    /// All bytes were handed over, and here is their memory: the image is read back, checked and activated. The plug
    /// restarts soon after. Dropping the future does not undo it.
    ///
    /// # Errors
    /// Why it is not activated.
    pub async fn finish(self, memory: Vec<u8>) -> Result<Activated, Fault> {
        self.desk.progress.set(Progress::Checking);
        match self.desk.ask(Work::End(memory)).await {
            Done::All(activated) => Ok(activated),
            Done::Refused(why) => Err(why),
            Done::More(_) => Err(Fault::Busy),
        }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        let desk = self.desk;
        // After that one there is none before the restart.
        if desk.progress.get() == Progress::Activated {
            return;
        }
        desk.work.signal(Work::Gone);
        // What is under way in the flash ends first; else the next one may come at once.
        if !desk.at_work.get() {
            desk.free();
        }
    }
}
