//! A plug in the world: the real `run_rest` on a simulated flash, beside a core that has no samples but a load's numbers.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use edge_nal::{NoopNet, TcpAccept};
use embassy_futures::select::{Either, Either4, select, select4};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use metering::calibration::Calibration;
use metering::energy::Energy;
use metering::front_end::{ChannelRange, FrontEnd};
use metering::reading::Reading;
use metering::units::{Hertz, Seconds, Volts};
use ossp::host::{Erasing, SlowFlash};
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::app::{Answer, Command, Link as CoreLink, Parts, Rest, run_rest};
use plug::core::civil::Zone;
use plug::core::{Core, Moment};
use plug::defaults::Defaults;
use plug::ledger::Ledger;
use plug::net::{NoWifi, factory_access_point};
use plug::platform::{Acceptor, Clock, Identity, Machine, NoButton, NoLed, Random, Restart, Vitals};
use plug::settings::{Basis, Hardware, Settings, SettingsStore};
use plug::starts;
use plug::state::{Restarting, State};
use plug::storage::layout;
use plug::storage::region::{Region, Shared};
use plug::timekeeping::WallClock;
use plug::update::NoSlots;

use super::load::{Load, Truth, reading};
use super::network::{Link, Network, Socket};
use super::time::{EPOCH, PlugClock, World};

/// The node that plugs send to.
pub const NODE: &str = "plug";
/// The data partition.
const DATA_SECTORS: usize = plug::storage::layout::SECTORS as usize;
/// The log's.
const LOG_SECTORS: usize = plug::history::SECTORS as usize;
/// Readings end in the middle of a second: a clock that is a little off changes no slot.
const READ_AT: Duration = Duration::from_millis(500);

/// What tells plugs apart.
#[derive(Clone, Debug)]
pub struct PlugOptions {
    pub id: &'static str,
    pub load: Load,
    /// Seconds of a reading: longer ones make long simulations short.
    pub every_s: u32,
    /// A JSON merge patch onto the settings of a new plug.
    pub settings: String,
}

/// Emoncms over the given transport, with time from a time server.
pub fn settings(transport: &str) -> String {
    format!(
        r#"{{"time":{{"source":"ntp"}},"emoncms":{{"enabled":true,"url":"http://emoncms.test/emoncms","node":"{NODE}",
        "write_key":"fa8e3b689295332c560bbea31afb61d0","user_id":4,"transport":"{transport}"}}}}"#
    )
}

/// A plug, whether it has power or not.
pub struct Plug {
    pub world: World,
    pub link: Link,
    pub truth: Truth,
    options: PlugOptions,
    data: RefCell<SimFlash>,
    log: RefCell<SimFlash>,
    starts: Cell<u32>,
    /// Sequence of random numbers.
    random: Cell<u64>,
}

/// A plug that has power: what a script can reach.
pub struct Running<'a> {
    pub world: &'a World,
    pub state: &'a State,
    pub wall_clock: &'a WallClock<'a, PlugClock, NoopRawMutex>,
    pub basis: &'a Basis,
    machine: &'a Bench,
}

impl Running<'_> {
    /// Changes settings as the web does.
    pub async fn change(&self, patch: &str) {
        let changed = {
            let settings = self.state.settings.borrow();
            plug::settings::patch(&settings, patch, self.basis, None).unwrap()
        };
        while !self.state.settings_desk.is_free() {
            self.world.sleep_s(0.1).await;
        }
        let ticket = self.state.settings_desk.put(changed).unwrap();
        while self.state.settings_desk.outcome(ticket).is_none() {
            self.world.sleep_s(0.1).await;
        }
        self.state.settings_desk.outcome(ticket).unwrap().unwrap();
    }

    /// Waits for a planned restart, in which what is known is kept.
    pub async fn restart(&self) {
        self.state.restart.signal(Restarting::Plain);
        self.machine.restart.wait().await;
    }

    /// What the plug takes the time for.
    pub fn wall_clock_time(&self) -> Option<f64> {
        self.wall_clock.time_of_day()
    }

    /// Lines of the plug's log.
    pub fn log(&self) -> Vec<String> {
        self.state.log.borrow().iter().map(|line| line.message.to_string()).collect()
    }
}

/// Nobody ever comes.
struct Nobody;

impl TcpAccept for Nobody {
    type Error = super::network::NetworkError;
    type Socket<'a> = Socket;

    async fn accept(&self) -> Result<(SocketAddr, Socket), Self::Error> {
        std::future::pending().await
    }
}

impl Acceptor for Nobody {}

struct Bench {
    restart: Signal<NoopRawMutex, Restart>,
}

impl Machine for Bench {
    fn vitals(&self) -> Vitals {
        Vitals { memory: None, sampling: None, flash: None, chip_temperature_c: None }
    }

    fn request_restart(&self, restart: Restart) {
        self.restart.signal(restart);
    }
}

/// Numbers that nobody guesses, the same in each run of a test.
struct Chance(u64);

impl Random for Chance {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            // Steele and others, SplitMix64.
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb).to_le_bytes()[7];
        }
    }
}

type Flash<'a> = SlowFlash<'a, &'a mut SimFlash, PlugClock>;

struct WorldParts<'a>(core::marker::PhantomData<&'a ()>);

impl<'a> Parts for WorldParts<'a> {
    type Acceptor = Nobody;
    type Flash = Flash<'a>;
    type Random = Chance;
    type Wifi = NoWifi;
    type Udp = Link;
    type Net = Link;
    type Multicast = NoopNet;
    type Slots = NoSlots;
    type Button = NoButton;
    type Led = NoLed;
}

impl Plug {
    pub fn new(world: &World, network: &Network, options: PlugOptions) -> Self {
        let seed = u64::from(options.load.seed);
        Self {
            world: world.clone(),
            link: network.link(),
            truth: Truth::default(),
            data: RefCell::new(SimFlash::new(DATA_SECTORS, seed)),
            log: RefCell::new(SimFlash::new(LOG_SECTORS, seed + 1)),
            starts: Cell::new(0),
            random: Cell::new(seed),
            options,
        }
    }

    /// The one that most tests have.
    pub fn usual(world: &World, network: &Network, every_s: u32, settings: &str) -> Self {
        let load = Load { seed: 1 };
        let settings = settings.to_owned();
        Self::new(world, network, PlugOptions { id: "0123456789ABCDEF", load, every_s, settings })
    }

    /// The plug has power for as long as `script` runs; its end is a power cut, unless it waited for a restart.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "a plug that runs twice at once is a test's mistake"
    )]
    pub async fn run<T>(&self, script: impl AsyncFnOnce(&Running<'_>) -> T) -> T {
        let (mut data, mut log) = (self.data.borrow_mut(), self.log.borrow_mut());
        let clock = PlugClock::start(&self.world);
        let identity = identity(self.options.id);
        let basis = basis();
        if self.starts.replace(self.starts.get() + 1) == 0 {
            first_settings(&mut data, &basis, &self.options.settings).await;
        }
        let starts = starts::count(&mut *data, "power_on", "").await;
        let core = Core::new(basis.hardware);
        let now = Moment { instant: clock.now(), time: None };
        let state = State::new(core.relay_status(now, None), basis.board.clone());
        let link: CoreLink<NoopRawMutex> = CoreLink::new();
        let wall_clock = WallClock::new(&clock, &link.time);
        let machine = Bench { restart: Signal::new() };
        let front_end = front_end();
        let web = plug::web::Plug {
            clock: &wall_clock,
            network_clock: &wall_clock,
            state: &state,
            link: &link,
            identity: &identity,
            front_end: &front_end,
            machine: &machine,
            starts: &starts,
            defaults: &Defaults::default(),
            basis: &basis,
        };
        let erasing = Erasing::new(clock.clone(), self.random.get());
        let (data, log): (&mut SimFlash, &mut SimFlash) = (&mut data, &mut log);
        self.random.set(self.random.get() + 1);
        let rest = Rest::<WorldParts<'_>, _, _, _> {
            acceptor: &Nobody,
            web: &web,
            flash: Some(SlowFlash::new(data, &erasing)),
            log: Some(SlowFlash::new(log, &erasing)),
            random: Chance(self.random.get()),
            wifi: None,
            known: None,
            own: &factory_access_point(),
            access_point_udp: None,
            net: Some(&self.link),
            measures: true,
            multicast: None,
            slots: None,
            button: NoButton,
            led: NoLed,
        };
        let running = Running {
            world: &self.world,
            state: &state,
            wall_clock: &wall_clock,
            basis: &basis,
            machine: &machine,
        };
        let meter = Meters {
            plug: self,
            link: &link,
            wall_clock: &wall_clock,
            began: self.world.now(),
            before: Signal::new(),
        };
        match select4(erasing.stall(run_rest(rest)), meter.commands(), meter.read(), script(&running)).await {
            Either4::Fourth(done) => done,
            _ => unreachable!("these never end"),
        }
    }

    /// What its load takes in the second that ends then.
    pub fn watts(&self, end: u32) -> f64 {
        self.options.load.watts(end)
    }

    /// Erases of the log's most worn sector and on the whole; words written.
    pub fn log_wear(&self) -> (u32, u64, u64) {
        let log = self.log.borrow();
        (log.most_erases(), log.erases(), log.words_written())
    }
}

/// What stands in for the core: it reads the load, and obeys as far as it must.
struct Meters<'a> {
    plug: &'a Plug,
    link: &'a CoreLink<NoopRawMutex>,
    wall_clock: &'a WallClock<'a, PlugClock, NoopRawMutex>,
    began: Duration,
    /// What the meter showed before this start.
    before: Signal<NoopRawMutex, Energy>,
}

impl Meters<'_> {
    async fn commands(&self) -> ! {
        loop {
            match self.link.commands.receive().await {
                Command::Begin(begin) => self.before.signal(begin.energy.import),
                Command::Relay(_) => self.link.answers.send(Answer::Relay(Ok(()))).await,
                Command::Park { .. } => self.link.parked.signal(false),
                _ => {}
            }
        }
    }

    /// Readings of some seconds each, which end in the middle of one.
    async fn read(&self) -> ! {
        let (world, every) = (&self.plug.world, self.plug.options.every_s);
        let before = self.before.wait().await;
        let mut meter = Counted { before, hundredths: 0 };
        let mut sequence = 0;
        let mut second = (u32::try_from(world.now().as_secs()).unwrap() + 1).next_multiple_of(every);
        loop {
            let at = Duration::from_secs(second.into()) - READ_AT;
            if at > world.now() {
                world.sleep_until(at).await;
                // Of the first one only a part was measured, or none.
                let from = second.saturating_sub(every).max(self.began.as_secs() as u32);
                let mut reading = self.measure(sequence, from..second, &mut meter);
                reading.time = self.wall_clock.time_of_day();
                // Where nobody fetches them the newest is lost: a test finds it missing.
                let _ = self.link.readings.try_send(reading);
                sequence += 1;
            }
            second += every;
        }
    }

    /// The reading over these seconds, which are in the truth afterwards.
    fn measure(&self, sequence: u64, seconds: core::ops::Range<u32>, meter: &mut Counted) -> Reading {
        let (mut watts, mut volts_squared, duration_s) = (0.0, 0.0, seconds.len() as f64);
        for end in seconds.map(|second| EPOCH + second + 1) {
            let (now_watts, volts) = (self.plug.options.load.watts(end), Load::volts(end));
            watts += now_watts / duration_s;
            volts_squared += volts * volts / duration_s;
            meter.hundredths += (now_watts * 100.0).round() as u64;
            self.plug.truth.note(end, now_watts, volts, meter.import().0 as f64 / 1e9);
        }
        let uptime_s = (self.plug.world.now() - self.began).as_secs_f64();
        reading(sequence, uptime_s, duration_s, watts, volts_squared.sqrt(), meter.import())
    }
}

/// The meter: what it showed before this start, and what was counted since.
struct Counted {
    before: Energy,
    /// Hundredths of a watt-second.
    hundredths: u64,
}

impl Counted {
    /// In nano-watt-hours: 10^9 / 360,000 of them are a hundredth of a watt-second.
    fn import(&self) -> Energy {
        Energy(self.before.0 + self.hundredths * 25_000 / 9)
    }
}

/// Puts settings into the flash of a new plug.
async fn first_settings(data: &mut SimFlash, basis: &Basis, patch: &str) {
    let flash: Shared<&mut SimFlash> = Mutex::new(Some(data));
    let region = |place| Region::new(&flash, place);
    let mut store = SettingsStore::new(region(layout::SETTINGS), region(layout::CALIBRATION));
    let (settings, _) = store.load(basis).await;
    let settings = match plug::settings::patch(&settings, patch, basis, None) {
        Ok(settings) => settings,
        Err(refusal) => panic!("{refusal:?}"),
    };
    store.save(&settings).await.unwrap();
}

fn identity(id: &str) -> Identity {
    Identity {
        id: id.try_into().unwrap(),
        board: "virtual",
        chip: "pc",
        version: env!("CARGO_PKG_VERSION").try_into().unwrap(),
        git: "test",
        build: "test",
        rustc: "test",
        espflash: None,
        reset_reason: "power_on",
        reset_detail: heapless::String::new(),
        source: heapless::String::new(),
    }
}

fn basis() -> Basis {
    let hardware = Hardware::BARE;
    let board = Calibration::ideal(0.2 / 3.0, 2047.5, 14.7e-3, 2047.5);
    Basis { hardware, board, zone: |text| Zone::parse(text).is_ok() }
}

fn front_end() -> FrontEnd {
    let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: false };
    FrontEnd {
        sample_rate: Hertz(8000.0),
        voltage: range,
        current: range,
        channel_skew: Seconds(0.0),
        nominal_voltage: Volts(230.0),
    }
}
