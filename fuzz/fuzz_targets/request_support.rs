//! A web interface with one client in memory and a clock that only moves when everybody waits for it: what takes a minute
//! on a network takes no time here, and always ends.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use edge_nal::{Close, Readable, TcpAccept, TcpShutdown, TcpSplit};
use embassy_futures::join::{join, join4};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd};
use metering::units::{Hertz, Seconds, Volts};
use ossp::sim::flash::SimFlash;
use plug::access::{self, AccessStore, Ha1, Kept, Right, Token};
use plug::app::{Answer, CaptureError, Command, Link};
use plug::core::{Core, Moment};
use plug::defaults::Defaults;
use plug::platform::{Acceptor, Clock, Identity, Instant, Machine, Restart, UpdateSlots, Vitals};
use plug::settings::{self, Basis, Hardware, Settings, SettingsStore};
use plug::starts::Starts;
use plug::state::State;
use plug::storage::archive::Found;
use plug::update::writer::{Standard, serve};

/// Time does not move further than this from the start: whoever is still there is given up (a live stream).
const LONG: std::time::Duration = std::time::Duration::from_secs(900);
/// Bytes that the client takes before it goes: a few answers of the longest kind.
const MOST_WRITTEN: usize = 256 * 1024;
/// Who the plug is.
const ID: &str = "ab12cd34ef56";
/// Times that everybody may be asked to go on: far more than any request needs.
const MOST_TURNS: u32 = 1_000_000;

/// A clock that stands still but for [`StillClock::next`].
struct StillClock {
    now: Cell<Instant>,
    /// The earliest moment that somebody waits for.
    due: Cell<Option<Instant>>,
}

impl StillClock {
    /// Goes on to the moment that somebody waits for; `false` if there is none that counts.
    fn next(&self) -> bool {
        match self.due.take() {
            Some(due) if due.since_start() < LONG => {
                self.now.set(due.max(self.now.get()));
                true
            }
            _ => false,
        }
    }
}

impl Clock for StillClock {
    fn now(&self) -> Instant {
        self.now.get()
    }

    async fn sleep_until(&self, moment: Instant) {
        poll_fn(|_| {
            if self.now.get() >= moment {
                return Poll::Ready(());
            }
            self.due.set(Some(self.due.get().map_or(moment, |due| due.min(moment))));
            Poll::Pending
        })
        .await;
    }

    fn time_of_day(&self) -> Option<f64> {
        Some(1_795_000_000.5)
    }
}

/// Both ends of the one connection, as the client sees them.
struct Wire {
    /// What the client sends.
    sent: Vec<u8>,
    read: Cell<usize>,
    /// At most so many at once.
    piece: usize,
    /// What it got.
    got: RefCell<Vec<u8>>,
    /// The plug has let it go.
    over: Cell<bool>,
}

/// The client is gone.
#[derive(Clone, Copy, Debug)]
struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the client is gone")
    }
}

impl std::error::Error for Gone {}

impl embedded_io_async::Error for Gone {
    fn kind(&self) -> ErrorKind {
        ErrorKind::ConnectionReset
    }
}

/// The plug's end of the wire, or one half of it.
struct End<'a>(&'a Wire);

/// The whole end: when it is dropped, the connection is over.
struct Socket<'a>(End<'a>);

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        self.0.0.over.set(true);
    }
}

impl ErrorType for End<'_> {
    type Error = Gone;
}

impl Read for End<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Gone> {
        let wire = self.0;
        let rest = &wire.sent[wire.read.get()..];
        let length = rest.len().min(buffer.len()).min(wire.piece);
        buffer[..length].copy_from_slice(&rest[..length]);
        wire.read.set(wire.read.get() + length);
        Ok(length)
    }
}

impl Readable for End<'_> {
    async fn readable(&mut self) -> Result<(), Gone> {
        Ok(())
    }
}

impl Write for End<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Gone> {
        let mut got = self.0.got.borrow_mut();
        if got.len() >= MOST_WRITTEN {
            return Err(Gone);
        }
        got.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        Ok(())
    }
}

impl ErrorType for Socket<'_> {
    type Error = Gone;
}

impl Read for Socket<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Gone> {
        self.0.read(buffer).await
    }
}

impl Readable for Socket<'_> {
    async fn readable(&mut self) -> Result<(), Gone> {
        Ok(())
    }
}

impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Gone> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        Ok(())
    }
}

impl TcpSplit for Socket<'_> {
    type Read<'a>
        = End<'a>
    where
        Self: 'a;
    type Write<'a>
        = End<'a>
    where
        Self: 'a;

    fn split(&mut self) -> (End<'_>, End<'_>) {
        (End(self.0.0), End(self.0.0))
    }
}

impl TcpShutdown for Socket<'_> {
    async fn close(&mut self, _: Close) -> Result<(), Gone> {
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), Gone> {
        Ok(())
    }
}

/// Lets the one client in.
struct Door<'a> {
    wire: &'a Wire,
    open: Cell<bool>,
}

impl TcpAccept for Door<'_> {
    type Error = Gone;
    type Socket<'a>
        = Socket<'a>
    where
        Self: 'a;

    async fn accept(&self) -> Result<(SocketAddr, Socket<'_>), Gone> {
        if !self.open.replace(false) {
            pending::<Infallible>().await;
        }
        Ok((SocketAddr::from(([192, 0, 2, 7], 50_000)), Socket(End(self.wire))))
    }
}

impl Acceptor for Door<'_> {}

impl Machine for Bench {
    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    fn request_restart(&self, _: Restart) {}
}

/// Somebody of the plug's tasks has news for another one.
struct News(AtomicBool);

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A plug with one client.
pub(crate) struct Bench {
    wire: Wire,
    state: State,
    link: Link<NoopRawMutex>,
    basis: Basis,
    /// Who may do what at the start.
    kept: Kept,
    /// The relay was to be switched.
    switched: Cell<bool>,
    pub(crate) slots: Rc<Slots>,
}

/// What the slots hold; slot 0 runs, slot 1 can be written.
pub(crate) struct Slots {
    pub(crate) other: RefCell<Vec<u8>>,
    record: RefCell<[[u8; 256]; 2]>,
}

impl Slots {
    /// Bytes of one.
    const CAPACITY: u32 = 32 * 1024;

    /// Whether the other one was chosen.
    pub(crate) fn is_chosen(&self) -> bool {
        // The last word of an entry is written last.
        self.record.borrow().iter().any(|entry| entry[28..32] != [0xff; 4] && entry[28..32] != [0; 4])
    }
}

struct RamSlots(Rc<Slots>);

impl UpdateSlots for RamSlots {
    type Error = Infallible;

    fn running(&self) -> u8 {
        0
    }

    fn capacity(&self) -> u32 {
        Slots::CAPACITY
    }

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0.other.borrow_mut()[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let mut cells = self.0.other.borrow_mut();
        for (cell, byte) in cells[offset as usize..][..bytes.len()].iter_mut().zip(bytes) {
            assert_eq!(*cell, 0xff, "written twice");
            *cell &= byte;
        }
        Ok(())
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.other.borrow()[offset as usize..][..bytes.len()]);
        Ok(())
    }

    async fn read_running(&mut self, _: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0xff);
        Ok(())
    }

    async fn read_record(&mut self, sector: u8, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.record.borrow()[usize::from(sector)][offset as usize..][..bytes.len()]);
        Ok(())
    }

    async fn erase_record(&mut self, sector: u8) -> Result<(), Infallible> {
        self.0.record.borrow_mut()[usize::from(sector)] = [0xff; 256];
        Ok(())
    }

    async fn write_record(&mut self, sector: u8, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let mut record = self.0.record.borrow_mut();
        for (cell, byte) in record[usize::from(sector)][offset as usize..].iter_mut().zip(bytes) {
            *cell &= byte;
        }
        Ok(())
    }
}

impl Bench {
    /// One whose client sends `bytes`, which come in pieces of at most `piece`; it may be nobody's yet.
    pub(crate) fn new(bytes: Vec<u8>, piece: usize, fresh: bool) -> Self {
        let hardware = Hardware::ANY;
        let board = Calibration::ideal(0.2, 2047.5, 0.0147, 2048.25);
        let relay = Core::new(hardware).relay_status(Moment::default(), None);
        let got = RefCell::default();
        Self {
            wire: Wire { sent: bytes, read: Cell::new(0), piece, got, over: Cell::new(false) },
            state: State::new(relay, board.clone()),
            link: Link::new(),
            basis: Basis { hardware, board, zone: |_| true },
            kept: if fresh { Kept::new() } else { owner() },
            switched: Cell::new(false),
            slots: Rc::new(Slots {
                other: RefCell::new(vec![0xff; Slots::CAPACITY as usize]),
                record: RefCell::new([[0xff; 256]; 2]),
            }),
        }
    }

    /// Serves the client until it is let go; what it was answered.
    pub(crate) fn serve(&self) -> Vec<u8> {
        self.state.access.open(Ok(self.kept.clone()), ID, [7; 32]);
        let clock = StillClock { now: Cell::default(), due: Cell::new(None) };
        let door = Door { wire: &self.wire, open: Cell::new(true) };
        let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: true };
        let front_end = FrontEnd {
            sample_rate: Hertz(4000.0),
            voltage: range,
            current: range,
            channel_skew: Seconds(0.0),
            nominal_voltage: Volts(230.0),
        };
        let web = plug::web::Plug {
            clock: &clock,
            network_clock: &clock,
            state: &self.state,
            link: &self.link,
            identity: &identity(),
            front_end: &front_end,
            machine: self,
            starts: &Starts::default(),
            defaults: &Defaults::default(),
            basis: &self.basis,
        };
        let identity = identity();
        let web_task = async {
            plug::web::serve(&door, &web).await;
        };
        let mut slots = RamSlots(self.slots.clone());
        let slots_task = async {
            serve(&mut slots, &clock, &self.state, Standard::of(&identity, None)).await;
        };
        let stores = join(self.keep_settings(), self.keep_access());
        self.run(&clock, join4(join(slots_task, web_task), stores, self.core(), self.keep()));
        self.wire.got.take()
    }

    /// Lets everybody go on until the client is gone.
    fn run(&self, clock: &StillClock, everybody: impl Future) {
        let mut everybody = pin!(everybody);
        let news = Arc::new(News(AtomicBool::new(false)));
        let waker = Waker::from(news.clone());
        for _ in 0..MOST_TURNS {
            let _ = everybody.as_mut().poll(&mut Context::from_waker(&waker));
            let idle = !news.0.swap(false, Ordering::Relaxed);
            if self.wire.over.get() || (idle && !clock.next()) {
                return;
            }
        }
        panic!("the request never ends");
    }

    async fn keep_settings(&self) {
        let flash = || SimFlash::new(4, 1);
        let mut store = SettingsStore::new(flash(), flash());
        settings::begin(&mut store, &self.state, &self.basis, &Defaults::default()).await;
        settings::run(&mut store, &self.state, &self.basis, async |_: &Settings| {}).await;
    }

    async fn keep_access(&self) {
        access::run(&mut AccessStore::new(SimFlash::new(4, 1)), &self.state, |_| {}).await;
    }

    /// A core that obeys and has measured nothing.
    async fn core(&self) {
        loop {
            let answer = match self.link.commands.receive().await {
                Command::Relay(_) => {
                    self.switched.set(true);
                    Answer::Relay(Ok(()))
                }
                Command::Capture(mut capture) => {
                    capture.error = Some(CaptureError::NothingYet);
                    Answer::Capture(capture)
                }
                _ => continue,
            };
            self.link.answers.send(answer).await;
        }
    }

    /// A flash in which nothing was kept yet.
    async fn keep(&self) {
        loop {
            let query = self.state.archive.next().await;
            self.state.archive.answer(query, Found::Nothing);
        }
    }

    /// Whether the client had the plug do something.
    pub(crate) fn something_changed(&self) -> bool {
        let settings = *self.state.settings.borrow() != Settings::default();
        let access = *self.state.access.kept() != self.kept;
        settings || access || self.switched.get() || self.state.restart.signaled()
    }
}

/// The line with the token that stands for this byte.
pub(crate) fn line(byte: u8) -> String {
    format!("Authorization: Bearer {}\r\n", Token::text([byte; 16]).0)
}

/// Somebody with a token that may read and one that may do all.
fn owner() -> Kept {
    let mut kept = Kept { ha1: Some(Ha1::of(ID, "correct horse")), next_token: 3, ..Kept::new() };
    for (id, scope) in [(1, Right::Read), (2, Right::Admin)] {
        let (_, hash) = Token::text([id as u8; 16]);
        let name = scope.word().try_into().unwrap();
        kept.tokens.push(Token { id, name, scope, created: None, hash }).unwrap();
    }
    kept
}

fn identity() -> Identity {
    Identity {
        id: ID.try_into().unwrap(),
        version: "0.1.0".try_into().unwrap(),
        board: "virtual",
        chip: "pc",
        git: "unknown",
        rustc: "unknown",
        espflash: None,
        build: "fuzz",
        reset_reason: "start",
        reset_detail: heapless::String::new(),
        source: heapless::String::new(),
    }
}

/// The statuses of the answers in what a client got, each with its whole body. The last may be a live stream, and the client may have
/// been given up in the middle of it.
pub(crate) fn answers(mut bytes: &[u8]) -> Vec<u16> {
    let mut answers = Vec::new();
    if bytes.len() >= MOST_WRITTEN {
        return answers;
    }
    while !bytes.is_empty() {
        let end = find(bytes, b"\r\n\r\n").expect("a head ends") + 4;
        let head = core::str::from_utf8(&bytes[..end]).expect("a head is text");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        answers.push(status.expect("a status"));
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case(name).then_some(value)
            })
        };
        bytes = &bytes[end..];
        if field("content-length").is_none() {
            assert_eq!(field("content-type"), Some("text/event-stream"));
            return answers;
        }
        let length: usize = field("content-length").unwrap().parse().expect("a length");
        // Of HEAD and 304 only the head comes.
        if !bytes.is_empty() && !bytes.starts_with(b"HTTP/1.1 ") {
            bytes = bytes.get(length..).expect("a whole body");
        }
    }
    answers
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
