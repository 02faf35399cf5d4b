//! A web interface on a loopback port with a core that the test plays, and a client that trusts nobody.

// Each test file uses its own part of this.
#![allow(dead_code, reason = "shared by several test programs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

pub(crate) mod digest;
pub(crate) mod history;
pub(crate) mod radio;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use async_io::Async;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use futures_lite::future::{or, pending, yield_now};
use metering::calibration::Calibration;
use metering::energy::Energy;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::idle::Idle;
use metering::position::Position;
use metering::quality::{Flag, Quality};
use metering::reading::{HalfCycleExtremes, Harmonics, Reading, Window};
use metering::units::{Amperes, Degrees, Hertz, Percent, Seconds, Vars, VoltAmperes, Volts, Watts};
use metering::window::Span;
use plug::access::{self, AccessStore, Ha1, Kept as Owner, Right, Token};
use plug::app::{Answer, Capture, CaptureError, CaptureRequest, Command, Details, Link};
use plug::core::Moment;
use plug::core::claims::{
    ClaimStatus, Class, Refusal, RelayChange, RelayCommand, RelayStatus, Source, Until, Wish,
};
use plug::core::guard::Guard;
use plug::core::schedule::ScheduleStatus;
use plug::defaults::Defaults;
use plug::history::Row as HistoryRow;
use plug::ledger::{Kept as LedgerBody, Outcome, Place, Purpose, Record};
use plug::limits;
use plug::platform::{self, Identity};
use plug::settings::{self, Basis, Hardware, Settings, SettingsStore};
use plug::starts::{Fault, Starts};
use plug::state::State;
use plug::storage::archive::{CHANGES, Found, Query};
use plug::storage::relay_log::StoredChange;
use plug::storage::totals::Row;
use plug::storage::trips::{Trip, TripHead, TripTail};
use plug::update::Image;
use radio::{Air, House};
use socket2::{Domain, Socket, Type};

/// The owner's password where there is an owner.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// A token of each scope.
pub(crate) const READ: &str = "ossp_01010101010101010101010101010101";
pub(crate) const CONTROL: &str = "ossp_02020202020202020202020202020202";
pub(crate) const ADMIN: &str = "ossp_03030303030303030303030303030303";

/// The line with which a program shows a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// `requests` as they are sent by somebody who may do everything; they bring no `Host`.
pub(crate) fn signed(requests: &str) -> Vec<u8> {
    let lines = format!(" HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(ADMIN));
    requests.replace(" HTTP/1.1\r\n", &lines).into_bytes()
}

/// What the flash keeps of an owner with three tokens.
fn owner() -> Owner {
    let mut owner = Owner { ha1: Some(Ha1::of(&identity().id, PASSWORD)), next_token: 4, ..Owner::new() };
    for (number, scope) in (1..).zip([Right::Read, Right::Control, Right::Admin]) {
        let (_, hash) = Token::text([number as u8; 16]);
        let name = scope.word().try_into().unwrap();
        owner.tokens.push(Token { id: number, name, scope, created: None, hash }).unwrap();
    }
    owner
}

/// The plug's clock, or one that runs `speed` times as fast for the time-outs.
pub(crate) struct TestClock {
    start: Instant,
    speed: Cell<f64>,
    /// How far it was put forward.
    ahead: Cell<Duration>,
}

impl TestClock {
    pub(crate) fn new(speed: f64) -> Self {
        Self { start: Instant::now(), speed: Cell::new(speed), ahead: Cell::default() }
    }

    /// Lets time pass at once. Whoever sleeps does not notice.
    pub(crate) fn put_forward(&self, by: Duration) {
        self.ahead.set(self.ahead.get() + by);
    }
}

impl platform::Clock for TestClock {
    fn now(&self) -> platform::Instant {
        platform::Instant::from_start(self.start.elapsed().mul_f64(self.speed.get()) + self.ahead.get())
    }

    async fn sleep_until(&self, moment: platform::Instant) {
        let wait = moment.since(self.now()).div_f64(self.speed.get());
        async_io::Timer::after(wait).await;
    }

    fn time_of_day(&self) -> Option<f64> {
        Some(1_795_000_000.5)
    }
}

/// Sockets as a shell makes them (without Nagle's delay); every third `accept` fails where it shall.
pub(crate) struct Door {
    listener: Async<TcpListener>,
    calls: Cell<u32>,
    by_access_point: bool,
    fails: bool,
}

impl edge_nal::TcpAccept for Door {
    type Error = std::io::Error;
    type Socket<'a> = edge_nal_std::TcpSocket;

    async fn accept(&self) -> Result<(SocketAddr, Self::Socket<'_>), Self::Error> {
        self.calls.set(self.calls.get() + 1);
        if self.fails && self.calls.get().is_multiple_of(3) {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        let (stream, peer) = self.listener.accept().await?;
        stream.get_ref().set_nodelay(true)?;
        // Little room, as on a chip: slow readers are felt at once.
        socket2::SockRef::from(stream.get_ref()).set_send_buffer_size(4096)?;
        Ok((peer, edge_nal_std::TcpSocket::new(stream)))
    }
}

impl platform::Acceptor for Door {
    fn by_access_point(&self, _: &Self::Socket<'_>) -> bool {
        self.by_access_point
    }
}

/// A machine with something to tell.
struct Bench;

impl platform::Machine for Bench {
    fn vitals(&self) -> platform::Vitals {
        platform::Vitals {
            memory: Some(platform::Memory {
                heap_used_bytes: 60_000,
                heap_free_bytes: 40_000,
                heap_least_free_bytes: 30_000,
                stack_least_free_bytes: Some(20_000),
            }),
            sampling: Some(platform::Sampling {
                skew_s: 125.25e-6,
                jitter_s: 1.5e-6,
                late_conversions: 2,
                missed_ticks: 1,
            }),
            flash: Some(platform::FlashUse { erases: 7, longest_erase_s: 0.045, lost_pairs: 3 }),
            chip_temperature_c: Some(41.5),
        }
    }

    fn request_restart(&self, _: platform::Restart) {}
}

/// What the test can reach inside the server's thread.
pub(crate) struct Inside {
    pub(crate) state: State,
    pub(crate) link: Link<NoopRawMutex>,
    /// The plug's time.
    pub(crate) clock: TestClock,
    /// Where its radio is, if it has one.
    pub(crate) house: House,
    radio: Cell<bool>,
    /// That of its clients: how long secrets are good.
    pub(crate) network_clock: TestClock,
    started: Instant,
    /// The core answers nothing while this holds.
    pub(crate) core_stalled: Cell<bool>,
    pub(crate) locked_out: Cell<bool>,
    /// Switching on is answered so.
    pub(crate) refusal: Cell<Option<Refusal>>,
    /// The settings lie here.
    pub(crate) flash: FlashState,
    /// What the core was told of the settings.
    pub(crate) told: RefCell<Vec<Settings>>,
    /// What the flash keeps besides; `None`: it cannot be used.
    pub(crate) kept: RefCell<Option<Kept>>,
    /// Questions that were asked of it.
    pub(crate) asked: RefCell<Vec<Query>>,
}

impl Inside {
    /// Lets time pass at once, for the plug and its clients. Whoever sleeps does not notice.
    pub(crate) fn put_forward(&self, by: Duration) {
        self.clock.put_forward(by);
        self.network_clock.put_forward(by);
    }
}

/// What the flash keeps, all of it newest first.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) changes: Vec<StoredChange>,
    pub(crate) trips: Vec<(Trip, Vec<Pair>)>,
    pub(crate) days: Vec<Row>,
    pub(crate) months: Vec<Row>,
    /// Oldest first.
    pub(crate) history: Vec<HistoryRow>,
}

impl Kept {
    fn find(&self, query: Query) -> Found {
        let trip = |number| self.trips.iter().find(|(trip, _)| trip.number == number);
        match query {
            Query::Changes { skip } => {
                Found::Changes(self.changes.iter().skip(skip).take(CHANGES).cloned().collect())
            }
            Query::NewestTrip(position) => {
                Found::Trip(self.trips.get(position).map(|(trip, _)| Box::new(trip.clone())))
            }
            Query::Trip(number) => Found::Trip(trip(number).map(|(trip, _)| Box::new(trip.clone()))),
            Query::Pairs { trip: number, first } => trip(number).map_or(Found::Nothing, |(_, pairs)| {
                let first = usize::from(first);
                const CHUNK: usize = plug::storage::trips::CHUNK as usize;
                let end = ((first / CHUNK + 1) * CHUNK).min(pairs.len());
                Found::Pairs(pairs[first.min(end)..end].to_vec())
            }),
            Query::Days => Found::Rows(self.days.clone()),
            Query::Months => Found::Rows(self.months.clone()),
            asked => history::find(&self.history, asked),
        }
    }
}

type Task = Box<dyn FnOnce(&Inside) + Send>;

/// Something that runs beside the web interface for as long as that does.
pub(crate) type Beside = for<'a> fn(&'a Inside) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A running web interface.
pub(crate) struct Plug {
    pub(crate) address: SocketAddr,
    tasks: mpsc::Sender<Task>,
}

impl Plug {
    /// Starts one with an owner; its time-outs run `speed` times as fast as the wall clock.
    pub(crate) fn start(speed: f64) -> Self {
        Self::start_as(speed, Some(owner()), false, false)
    }

    /// Starts one whose time-outs run `speed` times as fast, and beside it `task`, which may do with its state what it
    /// likes; it belongs to nobody if `fresh`.
    pub(crate) fn start_beside(speed: f64, fresh: bool, task: Beside) -> Self {
        let owner = if fresh { Owner::new() } else { owner() };
        Self::start_with(speed, Some(owner), false, false, task)
    }

    /// Starts one that belongs to nobody yet.
    pub(crate) fn start_fresh() -> Self {
        Self::start_as(1.0, Some(Owner::new()), false, false)
    }

    /// The same, with a button that somebody can press.
    pub(crate) fn start_fresh_with_button() -> Self {
        Self::start_as(1.0, Some(Owner::new()), false, true)
    }

    /// Starts one whose clients all come by its access point.
    pub(crate) fn start_as_access_point() -> Self {
        Self::start_as(1.0, Some(owner()), true, false)
    }

    /// Starts one that cannot read who owns it.
    pub(crate) fn start_closed() -> Self {
        Self::start_as(1.0, None, false, false)
    }

    /// Starts one whose time-outs hardly ever come, for tests that fill it.
    pub(crate) fn start_patient() -> Self {
        Self::start_as(0.02, Some(owner()), false, false)
    }

    /// Starts one with a radio, asked by its access point. The radio's time goes thirty times as fast.
    pub(crate) fn start_with_radio() -> Self {
        Self::start_with_radio_at(30.0)
    }

    pub(crate) fn start_with_radio_at(speed: f64) -> Self {
        let plug = Self::start_as(1.0, Some(owner()), true, false);
        plug.inside(move |inside| {
            inside.clock.speed.set(speed);
            inside.radio.set(true);
        });
        plug
    }

    fn start_as(speed: f64, owner: Option<Owner>, by_access_point: bool, confirms_setup: bool) -> Self {
        Self::start_with(speed, owner, by_access_point, confirms_setup, |_| Box::pin(never()))
    }

    fn start_with(
        speed: f64,
        owner: Option<Owner>,
        by_access_point: bool,
        confirms_setup: bool,
        beside: Beside,
    ) -> Self {
        let (tasks, inbox) = mpsc::channel::<Task>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
            tell.send(listener.get_ref().local_addr().unwrap()).unwrap();
            // A rest after a failure would take as long as all else.
            let door = Door { listener, calls: Cell::new(0), by_access_point, fails: speed >= 1.0 };
            async_io::block_on(run(&door, speed, owner, confirms_setup, &inbox, beside));
        });
        Self { address: told.recv().unwrap(), tasks }
    }

    /// Runs `action` on the server's thread and returns what it returns.
    pub(crate) fn inside<T: Send + 'static>(&self, action: impl FnOnce(&Inside) -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.tasks.send(Box::new(move |inside| tell.send(action(inside)).unwrap())).unwrap();
        told.recv().unwrap()
    }

    /// Publishes window number `sequence`.
    pub(crate) fn measure(&self, sequence: u64) {
        self.inside(move |inside| {
            inside.state.put_details(Details {
                sequence,
                harmonics: harmonics(),
                idle: offered(),
                lost_pairs: 3,
            });
            inside.state.put_reading(reading(sequence));
        });
    }

    /// Lets the flash and the core have something to tell of everything.
    pub(crate) fn keep_everything(&self) {
        self.inside(|inside| {
            inside.kept.replace(Some(Kept {
                changes: (1..=30).rev().map(stored).collect(),
                trips: vec![trip(2, 2000), trip(1, 100)],
                days: (0..40).map(|back| row(20_775 - back)).collect(),
                months: (0..14).map(|back| row(20_775 - 30 * back)).collect(),
                history: history::rows(1_794_999_000, 100),
            }));
            let host = "emon.example.org".into();
            let place = Place { host, port: 80, purpose: Purpose::Emoncms, lookup: false };
            inside.state.ledger.borrow_mut().note(Record {
                place: place.into(),
                began: platform::Instant::from_start(Duration::from_secs(1)),
                took: Duration::from_millis(150),
                bytes_out: 300,
                bytes_in: 200,
                outcome: Outcome::Ok,
                body: Some(LedgerBody { bytes: b"data=[]".to_vec(), cut: false }),
            });
            let guard = Guard::new(basis().hardware);
            inside.state.put_protection(guard.status(Moment::default()));
        });
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// One request on its own connection, by somebody who may do everything unless `headers` show somebody else.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Response {
        let token = bearer(ADMIN);
        let shows = headers.iter().any(|header| header.starts_with("Authorization:"));
        let all: Vec<_> = headers.iter().copied().chain((!shows).then_some(token.as_str())).collect();
        self.ask_plainly(method, path, &all, body)
    }

    /// The same by somebody who shows no more than `headers`; their `Host` counts if there is one.
    pub(crate) fn ask_plainly(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Response {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let given = headers.iter().any(|header| header.starts_with("Host:"));
        let host = if given { String::new() } else { format!("Host: {}\r\n", self.address) };
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.1\r\n{host}{headers}{length}\r\n");
        let mut stream = self.connect();
        stream.write_all((head + body).as_bytes()).unwrap();
        read_response(&mut stream, method == "HEAD").expect("an answer")
    }

    /// The challenge of a 401.
    pub(crate) fn challenge(&self) -> digest::Client {
        self.challenge_for(PASSWORD)
    }

    /// The same for somebody who takes this for the password.
    pub(crate) fn challenge_for(&self, password: &str) -> digest::Client {
        let refused = self.ask_plainly("GET", "/api/v1/settings", &[], "");
        assert_eq!(refused.status, 401, "{refused:?}");
        digest::Client::new(refused.header("WWW-Authenticate").unwrap(), password)
    }

    /// A new session's cookie, as a browser sends it.
    pub(crate) fn session(&self) -> String {
        let cookie = self.inside(|inside| {
            use platform::Clock;
            inside.state.access.sign_in(inside.network_clock.now()).to_string()
        });
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    }

    /// A change by somebody who knows the password.
    pub(crate) fn post_signed(&self, client: &mut digest::Client, path: &str, body: &str) -> Response {
        let line = client.header("POST", path);
        self.ask_plainly("POST", path, &[&line, "Content-Type: application/json"], body)
    }

    /// Lets everybody read, or not.
    pub(crate) fn open_reading(&self, open: bool) {
        let word = if open { "open" } else { "closed" };
        let changed = self.patch_settings(&[], &format!("{{\"access\":{{\"reading\":\"{word}\"}}}}"));
        assert_eq!(changed.status, 200, "{changed:?}");
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[], "")
    }

    pub(crate) fn patch_settings(&self, headers: &[&str], body: &str) -> Response {
        let headers: Vec<_> = headers.iter().copied().chain(["Content-Type: application/json"]).collect();
        self.ask("PATCH", "/api/v1/settings", &headers, body)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Response {
        self.ask("POST", path, &["Content-Type: application/json"], body)
    }

    pub(crate) fn put_relay(&self, body: &str) -> Response {
        self.ask("PUT", "/api/v1/relay", &["Content-Type: application/json"], body)
    }
}

async fn run(
    door: &Door,
    speed: f64,
    owner: Option<Owner>,
    confirms_setup: bool,
    inbox: &mpsc::Receiver<Task>,
    beside: Beside,
) {
    let inside = Inside {
        state: State::new(status(false, 0), calibration()),
        link: Link::new(),
        clock: TestClock::new(1.0),
        house: House::default(),
        radio: Cell::new(false),
        network_clock: TestClock::new(speed),
        started: Instant::now(),
        core_stalled: Cell::new(false),
        locked_out: Cell::new(false),
        refusal: Cell::new(None),
        flash: FlashState::default(),
        told: RefCell::default(),
        kept: RefCell::default(),
        asked: RefCell::default(),
    };
    let mut basis = basis();
    basis.hardware.confirms_setup = confirms_setup;
    inside.state.access.open(owner.ok_or(plug::access::Unreadable), &identity().id, [7; 32]);
    let (identity, front_end) = (identity(), front_end());
    let web = plug::web::Plug {
        clock: &inside.clock,
        network_clock: &inside.network_clock,
        state: &inside.state,
        link: &inside.link,
        identity: &identity,
        front_end: &front_end,
        machine: &Bench,
        starts: &starts(),
        defaults: &defaults(),
        basis: &basis,
    };
    inside.state.image.set(Some(Image { slot: 1, state: platform::ImageState::OnProbation }));
    let tasks = async {
        loop {
            match inbox.try_recv() {
                Ok(task) => task(&inside),
                Err(mpsc::TryRecvError::Empty) => {
                    async_io::Timer::after(Duration::from_millis(1)).await;
                }
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
    };
    let serve = async {
        plug::web::serve(door, &web).await;
    };
    let radio = async {
        while !inside.radio.get() {
            async_io::Timer::after(Duration::from_millis(1)).await;
        }
        let own = plug::net::factory_access_point();
        let birth = plug::net::Birth { known: None, own: &own, id: &identity.id, seed: 1 };
        plug::net::run(&mut Air(&inside.house), &inside.clock, &inside.state, &birth).await;
    };
    let stores = or(keep_settings(&inside, &basis), or(keep_owner(&inside), or(beside(&inside), radio)));
    or(tasks, or(or(serve, stores), or(core(&inside), keep(&inside)))).await;
}

/// Reads the settings and stores changes of them.
async fn keep_settings(inside: &Inside, basis: &Basis) {
    let flash = || RamFlash { bytes: vec![0xff; 8 * 4096], state: &inside.flash };
    let mut store = SettingsStore::new(flash(), flash());
    settings::begin(&mut store, &inside.state, basis, &Defaults::default()).await;
    settings::run(&mut store, &inside.state, basis, async |settings: &plug::settings::Settings| {
        inside.told.borrow_mut().push(settings.clone());
    })
    .await;
}

/// Stores who owns the plug, and grants claims.
async fn keep_owner(inside: &Inside) {
    let mut store = AccessStore::new(RamFlash { bytes: vec![0xff; 8 * 4096], state: &inside.flash });
    let say = |line: &str| inside.state.put_log(None, 0.0, line);
    or(async { access::run(&mut store, &inside.state, say).await }, async {
        access::setup::run(&inside.state, say).await
    })
    .await;
}

/// Answers what only the flash knows.
async fn keep(inside: &Inside) {
    loop {
        let query = inside.state.archive.next().await;
        inside.asked.borrow_mut().push(query);
        if inside.flash.silent.get() {
            continue;
        }
        let found = inside.kept.borrow().as_ref().map_or(Found::Nothing, |kept| kept.find(query));
        inside.state.archive.answer(query, found);
    }
}

/// How a flash is.
#[derive(Default)]
pub(crate) struct FlashState {
    /// Nothing is written while this holds.
    pub(crate) stalled: Cell<bool>,
    pub(crate) broken: Cell<bool>,
    /// Questions to the archive are not answered while this holds.
    pub(crate) silent: Cell<bool>,
}

/// A flash in memory.
struct RamFlash<'a> {
    bytes: Vec<u8>,
    state: &'a FlashState,
}

impl ErrorType for RamFlash<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash<'_> {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let from = offset as usize;
        bytes.copy_from_slice(&self.bytes[from..from + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for RamFlash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.bytes[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        while self.state.stalled.get() {
            async_io::Timer::after(Duration::from_millis(1)).await;
        }
        if self.state.broken.get() {
            return Err(NorFlashErrorKind::Other);
        }
        for (cell, byte) in self.bytes[offset as usize..].iter_mut().zip(bytes) {
            *cell &= byte;
        }
        Ok(())
    }
}

/// A change as the flash keeps it, at its longest.
pub(crate) fn stored(number: u32) -> StoredChange {
    StoredChange {
        number,
        start: u32::MAX,
        time: Some(LONG),
        uptime_s: LONG,
        on: false,
        source: Source::Protection.number(),
        class: Class::Protection.number(),
        locked_out: false,
        cause: "x".repeat(96).as_str().try_into().unwrap(),
        reading_sequence: Some(u64::MAX),
        active_power_w: Some(LONG),
        current_a: Some(LONG),
        voltage_v: Some(LONG),
    }
}

/// A trip as the flash keeps it, of so many pairs with a few gaps.
pub(crate) fn trip(number: u32, pairs: u16) -> (Trip, Vec<Pair>) {
    let head = TripHead {
        start: 1233,
        time: Some(1_795_000_000.25),
        uptime_s: 12.5,
        kind: "over_current".try_into().unwrap(),
        cause: "over-current: 29.4 A in a half cycle, 16.0 A allowed".try_into().unwrap(),
        current_a: Some(29.4),
        pairs_before: 800,
        relay_command_index: Some(801),
        front_end: front_end(),
        calibration: calibration(),
    };
    let mut samples: Vec<_> = (0..i32::from(pairs)).map(pair).collect();
    for (index, pair) in samples.iter_mut().enumerate() {
        if (64..96).contains(&index) || index == 500 {
            *pair = Pair::LOST;
        }
    }
    (Trip { number, head, pairs, tail: Some(TripTail::default()) }, samples)
}

/// A day or a month at its longest.
pub(crate) fn row(day: i32) -> Row {
    Row {
        day,
        import: Energy(u64::MAX / 3),
        export: Energy(u64::MAX / 3),
        unmeasured_us: u64::MAX / 3,
        exact: false,
    }
}

/// What settings are read against.
pub(crate) fn basis() -> Basis {
    Basis {
        hardware: Hardware { confirms_setup: false, ..Hardware::ANY },
        board: calibration(),
        zone: |text| text.starts_with(|first: char| first.is_ascii_uppercase()),
    }
}

/// Answers commands as a core would.
async fn core(inside: &Inside) {
    loop {
        let command = inside.link.commands.receive().await;
        while inside.core_stalled.get() {
            async_io::Timer::after(Duration::from_millis(1)).await;
        }
        match command {
            Command::Relay(command) => {
                let result = switch(inside, command);
                inside.link.answers.send(Answer::Relay(result)).await;
            }
            Command::Capture(mut capture) => {
                fill(inside, &mut capture);
                inside.link.answers.send(Answer::Capture(capture)).await;
            }
            _ => {}
        }
        yield_now().await;
    }
}

fn fill(inside: &Inside, capture: &mut Capture) {
    capture.pairs.clear();
    (capture.reading, capture.span, capture.error) = (None, None, None);
    match capture.request {
        CaptureRequest::Cycles(cycles) if cycles > 15 => capture.error = Some(CaptureError::TooLong),
        CaptureRequest::Cycles(cycles) => capture.pairs.extend((0..cycles as i32 * 80).map(pair)),
        CaptureRequest::LastWindow => match &*inside.state.reading.borrow() {
            None => capture.error = Some(CaptureError::NothingYet),
            Some(reading) => {
                capture.pairs.extend((0..962).map(pair));
                capture.pairs[100..103].fill(Pair::LOST);
                capture.pairs[500] = Pair::LOST;
                capture.reading = Some(reading.clone());
                capture.span = Some(span());
            }
        },
    }
}

/// Obeys or refuses, and tells what became of it as the core does: before the answer.
fn switch(inside: &Inside, command: RelayCommand) -> Result<(), Refusal> {
    let before = inside.state.relay.borrow().clone();
    let on = match command.wish {
        Wish::Set(on) => on,
        Wish::Toggle => !before.on,
        Wish::Release => before.on,
        Wish::Rearm | Wish::CancelRetries => {
            inside.locked_out.set(false);
            false
        }
    };
    if on && let Some(refusal) = inside.refusal.get() {
        return Err(refusal);
    }
    if on && inside.locked_out.get() {
        return Err(Refusal::LockedOut);
    }
    let changed = on != before.on;
    let mut status = status(on, before.switch_count + u32::from(changed));
    status.since_uptime_s = inside.started.elapsed().as_secs_f64();
    status.locked_out = inside.locked_out.get();
    status.remaining_s = command.duration.map(|duration| duration.as_secs_f64());
    if changed {
        inside.state.put_change(change(f64::from(status.switch_count), on));
    }
    inside.link.relay.signal(status);
    Ok(())
}

/// Wherever nothing else is to be waited for.
pub(crate) async fn never() {
    pending::<()>().await;
}

pub(crate) fn pair(index: i32) -> Pair {
    Pair { voltage: 2048 + index % 1700, current: -index }
}

pub(crate) fn span() -> Span {
    Span { first: Position::new(160, 12_345), last: Position::new(960, 1 << 19), cycles: Some(10) }
}

pub(crate) fn identity() -> Identity {
    Identity {
        id: "ab12cd34ef56".try_into().unwrap(),
        board: "virtual",
        chip: "pc",
        version: env!("CARGO_PKG_VERSION").try_into().unwrap(),
        git: "unknown",
        build: "test",
        rustc: "1.95.0",
        espflash: None,
        reset_reason: "start",
        reset_detail: "\u{1}".repeat(limits::RESET_DETAIL).as_str().try_into().unwrap(),
        source: "simulated \"kettle\"".try_into().unwrap(),
    }
}

/// A plug that fell over in its last run but one, with the longest words.
fn starts() -> Starts {
    let detail = "\u{1}".repeat(limits::RESET_DETAIL);
    Starts {
        number: 1234,
        bad_in_a_row: 0,
        crashes_in_a_row: 0,
        last_fault: Some(Fault {
            start: 1232,
            reason: "panic".try_into().unwrap(),
            detail: detail.as_str().try_into().unwrap(),
        }),
        trouble: None,
    }
}

/// A build that brought all it can.
pub(crate) fn defaults() -> Defaults {
    let address = "http://emoncms.example";
    let (key, update) = ("5ec7e75ec7e75ec7e75ec7e75ec7e700", &*"5e".repeat(32).leak());
    Defaults::from_build(Some("Home"), Some("secret-word"), Some(address), Some(key), Some(update)).unwrap()
}

pub(crate) fn front_end() -> FrontEnd {
    let range = |dc_coupled| ChannelRange { lowest: 0, highest: 4095, dc_coupled };
    FrontEnd {
        sample_rate: Hertz(4000.0),
        voltage: range(false),
        current: range(true),
        channel_skew: Seconds(50e-6),
        nominal_voltage: Volts(230.0),
    }
}

pub(crate) fn calibration() -> Calibration {
    let mut calibration = Calibration::ideal(0.2 / 3.0, 2_047.518_326_1, 14.7e-3, 2047.5);
    calibration.phase = Degrees(0.123_456_789_012_345_67);
    calibration.current_noise_floor = Some(Amperes(0.0123));
    calibration
}

pub(crate) fn status(on: bool, switch_count: u32) -> RelayStatus {
    RelayStatus {
        on,
        measured: None,
        commanded_by: Source::Web,
        reason: "switched by somebody".try_into().unwrap(),
        since: None,
        since_uptime_s: 0.0,
        remaining_s: None,
        locked_out: false,
        switch_count,
        claims: [ClaimStatus {
            class: Class::Manual,
            source: Source::Web,
            on,
            cause: "switched by somebody".try_into().unwrap(),
            since: None,
            since_uptime_s: 0.0,
            ends_in_s: None,
            until: Some(Until::Schedule),
            holds: true,
        }]
        .into_iter()
        .collect(),
        delayed_s: None,
        delay_reason: None,
        trip: None,
        retry_in_s: None,
        retries_left: 0,
        alarm: None,
        schedule: ScheduleStatus::OFF,
    }
}

pub(crate) fn change(uptime_s: f64, on: bool) -> RelayChange {
    RelayChange {
        number: 0,
        time: None,
        uptime_s,
        start: 1234,
        on,
        source: Source::Web,
        class: Class::Manual,
        locked_out: false,
        cause: "x".repeat(96).as_str().try_into().unwrap(),
        reading_sequence: Some(u64::MAX),
        active_power_w: Some(LONG),
        current_a: Some(LONG),
        voltage_v: Some(LONG),
    }
}

/// Prints with as many characters as a number can.
pub(crate) const LONG: f64 = -1.234_567_890_123_456_7e-108;

pub(crate) fn reading(sequence: u64) -> Reading {
    let mut quality = Quality::NONE;
    Flag::ALL.iter().for_each(|flag| quality.set(*flag));
    Reading {
        sequence,
        time: Some(LONG),
        uptime: Seconds(LONG),
        window: Window {
            cycles: Some(u32::MAX),
            samples: u32::MAX,
            lost: 0,
            duration: Seconds(LONG),
            sample_rate: Hertz(LONG),
        },
        voltage: Volts(LONG),
        current: Amperes(LONG),
        active_power: Watts(LONG),
        apparent_power: VoltAmperes(LONG),
        reactive_power: Some(Vars(LONG)),
        power_factor: Some(LONG),
        displacement_power_factor: Some(f64::NAN),
        frequency: Some(Hertz(LONG)),
        thd_voltage: Some(Percent(LONG)),
        thd_current: Some(Percent(LONG)),
        harmonics_max_order: Some(40),
        crest_factor_current: Some(LONG),
        voltage_dc: None,
        current_dc: Some(Amperes(LONG)),
        current_total: Some(Amperes(LONG)),
        current_noise_floor: Some(Amperes(LONG)),
        current_noise_corrected: Some(Amperes(LONG)),
        half_cycle: HalfCycleExtremes {
            voltage_min: Some(Volts(LONG)),
            voltage_max: Some(Volts(LONG)),
            current_min: Some(Amperes(LONG)),
            current_max: Some(Amperes(LONG)),
        },
        energy_import: Energy(1_500_000_000),
        energy_export: Energy(u64::MAX),
        energy_below_noise: Energy(u64::MAX),
        unmeasured: Seconds(LONG),
        calibration: calibration().id(),
        relay: false,
        quality,
    }
}

/// What an open relay offers, at its longest.
fn offered() -> Idle {
    Idle {
        windows: u32::MAX,
        current_zero_raw: Some(LONG),
        current_drift_a: Some(LONG),
        current_noise_floor_a: Some(LONG),
    }
}

pub(crate) fn harmonics() -> Harmonics {
    let mut harmonics = Harmonics::NONE;
    harmonics.max_order = 40;
    for channel in [&mut harmonics.voltage, &mut harmonics.current] {
        for component in channel {
            component.rms = LONG;
            component.phase = Degrees(LONG);
        }
    }
    harmonics
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The error's code, after a look at the sentence that goes with it.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.ends_with('.') && message.len() > 20 && !message.contains('\n'), "{message}");
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// Reads the next answer of a connection; `None` if it ends without one.
pub(crate) fn read_response(stream: &mut TcpStream, head_only: bool) -> Option<Response> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ if head.is_empty() => return None,
            other => panic!("the head ends early: {other:?} {:?}", String::from_utf8_lossy(&head)),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    let split = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers: Vec<_> =
        lines.take_while(|line| !line.is_empty()).map(|line| split(line).unwrap()).collect();
    let mut response = Response { status, headers, body: Vec::new() };
    let length = response.header("Content-Length").map(|length| length.parse::<usize>().unwrap());
    if !head_only && response.header("Transfer-Encoding") == Some("chunked") {
        assert!(length.is_none(), "chunks say their length themselves");
        response.body = chunks(stream).expect("the last chunk");
    } else if !head_only && status != 304 {
        response.body = vec![0; length.expect("every answer but a stream has its length")];
        stream.read_exact(&mut response.body).unwrap();
    }
    Some(response)
}

/// A body in chunks (RFC 9112 §7.1); `None` if the last one is missing.
pub(crate) fn chunks(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).ok()?;
        assert_eq!(chunk.split_off(length), b"\r\n");
        if length == 0 {
            return Some(body);
        }
        body.extend(chunk);
    }
}

/// What comes until `text` does; it must come.
pub(crate) fn until(stream: &mut impl Read, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} before {text}: {all}"));
        all.push(byte[0].into());
    }
    all
}
