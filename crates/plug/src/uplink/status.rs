//! What the web shows of the uplink, and how it asks for a test.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;

use super::answer::Answer;
use crate::history::Dropped;
use crate::platform::Instant;

/// What the uplink does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody wants it.
    #[default]
    Off,
    /// The time is not known: nothing can be sent.
    WaitingForClock,
    /// There is no network.
    WaitingForNetwork,
    /// The server has everything that can be sent.
    UpToDate,
    /// A row or a few are on their way.
    Sending,
    /// The server misses more than a few rows.
    CatchingUp,
    /// Something failed; it is tried again soon.
    BackingOff,
    /// The server refuses, and a person has to change something. It is tried again now and then.
    Stopped,
}

impl State {
    /// As the web says it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::WaitingForClock => "waiting_for_clock",
            Self::WaitingForNetwork => "waiting_for_network",
            Self::UpToDate => "up_to_date",
            Self::Sending => "sending",
            Self::CatchingUp => "catching_up",
            Self::BackingOff => "backing_off",
            Self::Stopped => "stopped",
        }
    }
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// When, Unix seconds; `None` before the clock was known.
    pub time: Option<f64>,
    /// What it was.
    pub answer: Answer,
    /// What the server said, as it said it; empty if nothing.
    pub server_said: String,
}

/// How the uplink stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UplinkStatus {
    /// What it does.
    pub state: State,
    /// When the server last took rows, Unix seconds.
    pub last_success: Option<f64>,
    /// What went wrong last; where [`last_success`](Self::last_success) is not before it, it is over.
    pub last_error: Option<Trouble>,
    /// About how many rows the server still misses.
    pub queued: u32,
    /// The oldest of them, Unix seconds.
    pub oldest_queued: Option<u32>,
    /// The newest of them.
    pub newest_queued: Option<u32>,
    /// What made room in the log before it was sent.
    pub dropped: Dropped,
    /// Rows that the server refused one by one, since the start.
    pub set_aside: u32,
    /// When the last of them was measured.
    pub last_set_aside: Option<u32>,
    /// What the server said to it.
    pub set_aside_because: String,
    /// Rows a second, of the last few posts.
    pub rate_rows_per_s: Option<f64>,
    /// When it is tried again, in the network's time; `None`: now, or when there is something to send.
    pub next_attempt: Option<Instant>,
    /// Time of the newest row that the server is known to have.
    pub cursor: Option<u32>,
    /// Why the server's own state is not believed.
    pub conflict: Option<Conflict>,
    /// Rows that the server took since the start.
    pub sent_rows: u32,
}

/// What the server says of its newest row does not go with the plug's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// It has a newer one than the plug ever sent: another device sends to this node, or a clock was wrong.
    Newer {
        /// Its time there.
        server: u32,
    },
    /// It has another value: another device sends to this node.
    OtherValue {
        /// Its time there.
        server: u32,
    },
    /// It went back: a backup was restored. The plug went back with it.
    WentBack {
        /// Its time there.
        server: u32,
    },
}

impl Conflict {
    /// In one word, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Newer { .. } => "newer_on_server",
            Self::OtherValue { .. } => "other_value_on_server",
            Self::WentBack { .. } => "server_went_back",
        }
    }

    /// In a sentence, for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Newer { .. } => {
                "The server has a newer row than this plug ever sent: another device sends to this node, or a clock \
                 was wrong. The plug goes on from what it knows."
            }
            Self::OtherValue { .. } => {
                "The server's newest row is not this plug's: another device sends to this node. Give each plug a node \
                 of its own."
            }
            Self::WentBack { .. } => {
                "The server lost rows that it had, as after a backup was restored: the plug sent them again, as far \
                 as its log reaches."
            }
        }
    }

    /// The time of the server's newest row.
    #[must_use]
    pub const fn server(self) -> u32 {
        match self {
            Self::Newer { server } | Self::OtherValue { server } | Self::WentBack { server } => server,
        }
    }
}

/// A request that somebody asked for, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct TestReport {
    /// The whole address.
    pub url: String,
    /// Names and values, the key masked.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body as it was sent.
    pub body: String,
    /// The same before it was encrypted.
    pub plaintext: Option<String>,
    /// What came back.
    pub received: Option<Received>,
    /// Whether the server took it.
    pub ok: bool,
    /// In one word.
    pub code: &'static str,
    /// In a sentence.
    pub message: &'static str,
    /// From reading the log to the answer.
    pub took: Duration,
}

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body, as far as it is kept.
    pub body: String,
}

/// Why there is no test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTest {
    /// There is no address, key or user id.
    NotConfigured,
    /// The time is not known.
    NoClock,
    /// There is no network.
    NoNetwork,
    /// Nothing was measured yet that has a time.
    NoRow,
    /// There is no memory for it now.
    NoMemory,
    /// Another one is under way, or it did not end in time.
    Busy,
}

impl NoTest {
    /// In a sentence that a person can act on.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::NotConfigured => {
                "Set the address of Emoncms and the write key first, and for the encrypted transport the user id."
            }
            Self::NoClock => "The plug does not know the time yet; see /api/v1/time, and try again then.",
            Self::NoNetwork => "The plug has no network just now; see /api/v1/wifi.",
            Self::NoRow => "The log has no row with a time yet; try again in half a minute.",
            Self::NoMemory => "The plug has no memory for it just now; try again in a second.",
            Self::Busy => "A test is under way, or took too long; try again in a second.",
        }
    }
}

/// What came of asking for a test.
pub type Tested = Result<Box<TestReport>, NoTest>;

/// What `run_rest` knows of the uplink: part of [`State`](crate::state::State).
#[derive(Default)]
pub struct Uplink {
    /// How it stands.
    pub status: RefCell<UplinkStatus>,
    /// Something changed that whoever sends should see at once.
    pub(crate) wake: Signal<NoopRawMutex, ()>,
    /// Somebody waits for one.
    testing: Cell<bool>,
    /// Somebody wants a test.
    pub(crate) test_wanted: Cell<bool>,
    /// What came of it.
    pub(crate) tested: Signal<NoopRawMutex, Tested>,
    /// Somebody is there who sends: a plug without a way out has nobody.
    pub(crate) running: Cell<bool>,
    /// The plug is about to restart: the cursor is to be kept.
    pub(crate) parting: Cell<bool>,
    /// It is.
    pub(crate) parted: Signal<NoopRawMutex, ()>,
}

/// Somebody who waits for a test; dropped, nobody does any more.
struct Asking<'a>(&'a Uplink);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.testing.set(false);
        self.0.test_wanted.set(false);
    }
}

impl Uplink {
    /// Off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes one real request with the newest row. Dropping the future takes the wish back, or leaves the answer to nobody.
    pub async fn test(&self) -> Tested {
        if !self.running.get() {
            return Err(NoTest::NoNetwork);
        }
        if self.testing.replace(true) {
            return Err(NoTest::Busy);
        }
        let _asking = Asking(self);
        self.tested.reset();
        self.test_wanted.set(true);
        self.wake.signal(());
        self.tested.wait().await
    }

    /// Keeps the cursor, before a restart. Nothing is sent any more. Waits as long as it takes; dropping the future
    /// leaves it to be done.
    pub async fn part(&self) {
        if !self.running.get() {
            return;
        }
        self.parted.reset();
        self.parting.set(true);
        self.wake.signal(());
        self.parted.wait().await;
    }
}
