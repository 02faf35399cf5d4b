//! The task around the plug's name: a network that comes and goes, settings, a socket that fails, and what stands in the
//! ledger; in simulated time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod idle_clock;
mod mdns_support;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use edge_nal::{Readable, UdpReceive, UdpSend};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_async::{ErrorKind, ErrorType};
use idle_clock::IdleClock;
use mdns_support::{A, GROUP, Made, read};
use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd};
use metering::units::{Hertz, Seconds, Volts};
use plug::app::Link;
use plug::core::{Core, Moment};
use plug::defaults::Defaults;
use plug::net::mdns::serve;
use plug::net::{LinkState, WifiStatus};
use plug::platform::{Address, Clock, Identity, Machine, Multicast, Restart, Ssid, Vitals};
use plug::settings::{Basis, Hardware};
use plug::starts::Starts;
use plug::state::State;

const HARDWARE: Hardware = Hardware::BARE;

struct Bench;

impl Machine for Bench {
    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    fn request_restart(&self, _: Restart) {}
}

/// A network, and what was sent on it: when, where to, what.
struct Network<'a> {
    clock: &'a IdleClock,
    sent: RefCell<Vec<(Duration, SocketAddr, Vec<u8>)>>,
    /// What comes next.
    coming: RefCell<Vec<(SocketAddr, Vec<u8>)>>,
    joined: Cell<u32>,
    /// Nothing gets out.
    stuck: Cell<bool>,
    /// Where this machine says that it is.
    place: Cell<Option<(Ipv4Addr, u8)>>,
}

struct Socket<'a>(&'a Network<'a>);

impl ErrorType for Socket<'_> {
    type Error = ErrorKind;
}

impl UdpReceive for Socket<'_> {
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), ErrorKind> {
        let next = self.0.coming.borrow_mut().pop();
        let Some((from, bytes)) = next else { return pending().await };
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok((bytes.len(), from))
    }
}

impl UdpSend for Socket<'_> {
    async fn send(&mut self, to: SocketAddr, data: &[u8]) -> Result<(), ErrorKind> {
        if self.0.stuck.get() {
            return Err(ErrorKind::Other);
        }
        self.0.sent.borrow_mut().push((self.0.clock.now.get(), to, data.to_vec()));
        Ok(())
    }
}

impl Readable for Socket<'_> {
    async fn readable(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Multicast for Network<'_> {
    type Error = Infallible;
    type Socket<'b>
        = Socket<'b>
    where
        Self: 'b;

    async fn join(&self, own: Ipv4Addr) -> Result<Socket<'_>, Infallible> {
        assert_eq!(own.octets()[..3], [192, 0, 2]);
        self.joined.set(self.joined.get() + 1);
        Ok(Socket(self))
    }

    fn place(&self) -> Option<(Ipv4Addr, u8)> {
        self.place.get()
    }
}

impl Network<'_> {
    /// What was sent since the last look: whether it answers, the first answer's time to live.
    fn taken(&self) -> Vec<(bool, Option<u32>)> {
        let sent = std::mem::take(&mut *self.sent.borrow_mut());
        sent.iter()
            .map(|(_, to, bytes)| {
                assert_eq!(*to, SocketAddr::V4(GROUP));
                let said = read(bytes);
                (said.flags & 0x8000 != 0, said.answers.first().map(|record| record.ttl))
            })
            .collect()
    }
}

const PROBE: (bool, Option<u32>) = (false, None);
const SAID: (bool, Option<u32>) = (true, Some(120));
const GONE: (bool, Option<u32>) = (true, Some(0));
/// Taking a name.
const TAKEN: [(bool, Option<u32>); 5] = [PROBE, PROBE, PROBE, SAID, SAID];

/// A plug whose task runs as `script` lets time pass.
struct World<'a> {
    clock: &'a IdleClock,
    network: &'a Network<'a>,
    state: &'a State,
    poll: &'a mut dyn FnMut(),
}

impl World<'_> {
    fn pass(&mut self, seconds: f64) {
        let end = self.clock.now.get() + Duration::from_secs_f64(seconds);
        loop {
            (self.poll)();
            match self.clock.next.take().filter(|next| *next <= end) {
                Some(next) => self.clock.now.set(next.max(self.clock.now.get() + Duration::from_nanos(1))),
                None => break,
            }
        }
        self.clock.now.set(end);
        (self.poll)();
        self.clock.next.take();
    }

    fn joined(&self, last: Option<u8>) {
        let address = last.map(|last| Address {
            ip: Ipv4Addr::new(192, 0, 2, last),
            prefix: 24,
            gateway: None,
            time_server: None,
        });
        self.state.wifi.replace(Some(WifiStatus {
            link: if last.is_some() { LinkState::Joined } else { LinkState::Waiting },
            ssid: None,
            signal_dbm: None,
            address,
            last_error: None,
            retry_at: None,
            access_point_when_asked: false,
            hears: true,
            access_point_open: true,
            access_point_ssid: Ssid::new(),
            access_point_clients: 0,
            networks: Vec::new(),
            test: None,
        }));
    }

    fn name(&self) -> Option<String> {
        self.state.mdns.name().map(|name| name.as_str().to_owned())
    }
}

fn run(script: impl FnOnce(&mut World<'_>)) {
    let clock = IdleClock::default();
    let network = Network {
        clock: &clock,
        sent: RefCell::default(),
        coming: RefCell::default(),
        joined: Cell::new(0),
        stuck: Cell::new(false),
        place: Cell::new(None),
    };
    let board = Calibration::ideal(0.2, 2048.0, 0.0147, 2048.0);
    let core = Core::new(HARDWARE);
    let status = core.relay_status(Moment { instant: clock.now(), time: None }, None);
    let state = State::new(status, board.clone());
    let range = |dc_coupled| ChannelRange { lowest: 0, highest: 4095, dc_coupled };
    let front_end = FrontEnd {
        sample_rate: Hertz(4000.0),
        voltage: range(false),
        current: range(true),
        channel_skew: Seconds(0.0),
        nominal_voltage: Volts(230.0),
    };
    let identity = Identity {
        id: "ab12cd34ef56".try_into().unwrap(),
        board: "virtual",
        chip: "pc",
        version: "0.1.0".try_into().unwrap(),
        git: "unknown",
        build: "test",
        rustc: "1.95.0",
        espflash: None,
        reset_reason: "power_on",
        reset_detail: heapless::String::new(),
        source: heapless::String::new(),
    };
    let link: Link<NoopRawMutex> = Link::new();
    let web = plug::web::Plug {
        clock: &clock,
        network_clock: &clock,
        state: &state,
        link: &link,
        identity: &identity,
        front_end: &front_end,
        machine: &Bench,
        starts: &Starts::default(),
        defaults: &Defaults::default(),
        basis: &Basis { hardware: HARDWARE, board, zone: |_| true },
    };
    let mut task = pin!(serve(&network, &web, 7));
    let mut context = Context::from_waker(Waker::noop());
    let mut poll = || assert!(task.as_mut().poll(&mut context).is_pending());
    script(&mut World { clock: &clock, network: &network, state: &state, poll: &mut poll });
}

#[test]
fn it_says_its_name_while_it_is_on_a_network() {
    run(|world| {
        // Nobody has read the settings yet; then there is no network; then there is one.
        world.joined(Some(7));
        world.pass(10.0);
        assert_eq!((world.network.joined.get(), world.name()), (0, None));
        world.joined(None);
        world.state.settings_desk.open();
        world.pass(60.0);
        assert_eq!((world.network.joined.get(), world.network.taken().len()), (0, 0));
        assert_eq!(world.state.ledger.borrow().sums().connections, 0);
        world.joined(Some(7));
        world.pass(5.0);
        assert_eq!(world.network.taken(), TAKEN);
        assert_eq!(world.name().as_deref(), Some("ossp-ef56.local"));
        assert!(world.state.mdns.is("OSSP-ef56.local") && !world.state.mdns.is("ossp-ef56"));
        // Asked, it answers.
        let question = Made::query().ask("ossp-ef56.local", A).0;
        world.network.coming.borrow_mut().push(("192.0.2.9:5353".parse().unwrap(), question));
        world.pass(1.5);
        assert_eq!(world.network.taken(), [SAID]);
        // Lost without a word, and there again at another address.
        world.joined(None);
        world.pass(5.0);
        assert_eq!((world.name(), world.network.taken().len()), (None, 0));
        world.joined(Some(8));
        world.pass(5.0);
        assert_eq!(world.network.taken(), TAKEN);
        assert_eq!(world.network.joined.get(), 2);
    });
}

#[test]
fn it_does_as_the_settings_say() {
    run(|world| {
        world.joined(Some(7));
        world.state.settings_desk.open();
        world.pass(5.0);
        world.network.taken();
        world.state.settings.borrow_mut().device.host = "kettle".into();
        world.pass(6.0);
        assert_eq!(world.network.taken(), [&[GONE][..], &TAKEN].concat());
        assert_eq!(world.name().as_deref(), Some("kettle.local"));
        world.state.settings.borrow_mut().device.mdns = false;
        world.pass(60.0);
        assert_eq!((world.network.taken(), world.name()), (vec![GONE], None));
        world.state.settings.borrow_mut().device.mdns = true;
        world.pass(6.0);
        assert_eq!(world.network.taken(), TAKEN);
        // A machine that knows better where it is.
        world.network.place.set(Some((Ipv4Addr::new(192, 0, 2, 99), 24)));
        world.pass(6.0);
        let sent = world.network.sent.borrow().last().unwrap().2.clone();
        assert_eq!(read(&sent).answers[0].data, "192.0.2.99");
    });
}

#[test]
fn before_it_leaves_it_takes_its_name_back() {
    run(|world| {
        let waits = |world: &mut World<'_>| {
            let state = world.state;
            let mut parting = pin!(state.mdns.part());
            let mut context = Context::from_waker(Waker::noop());
            let mut turns = 0;
            while parting.as_mut().poll(&mut context).is_pending() {
                world.pass(0.05);
                turns += 1;
                assert!(turns < 40, "it is not let go");
            }
        };
        // Nobody serves it yet, and then there is no network.
        waits(world);
        world.pass(0.1);
        world.state.settings_desk.open();
        waits(world);
        world.joined(Some(7));
        world.pass(5.0);
        world.network.taken();
        waits(world);
        assert_eq!(world.network.taken(), [GONE]);
        // It is about to leave: nothing more is said.
        world.pass(60.0);
        assert_eq!(world.network.taken(), []);
    });
}

#[test]
fn what_it_sends_stands_in_the_ledger() {
    run(|world| {
        world.joined(Some(7));
        world.state.settings_desk.open();
        world.pass(5.0);
        let bytes: usize = world.network.sent.borrow().iter().map(|(.., bytes)| bytes.len()).sum();
        {
            let ledger = world.state.ledger.borrow();
            let sums = ledger.sums();
            assert_eq!((sums.connections, sums.failed, sums.bytes_out), (5, 0, bytes as u64));
            let [place] = ledger.destinations() else { panic!("{:?}", ledger.destinations()) };
            assert_eq!((&*place.place().host, place.place().port), ("224.0.0.251", 5353));
            assert_eq!(place.place().purpose(), "mdns");
            assert_eq!(place.place().purpose.setting(), "device.mdns");
            assert_eq!(place.hours().map(|hour| u32::from(hour.count)).sum::<u32>(), 5);
            // They would push out what the plug does by itself.
            assert_eq!(ledger.connections().len(), 0);
        }
        // Nothing gets out: told, and tried again, not faster than once in a while.
        world.joined(None);
        world.pass(3.0);
        world.network.stuck.set(true);
        world.joined(Some(7));
        world.pass(60.0);
        let failed = world.state.ledger.borrow().sums().failed;
        assert!((10..=60).contains(&failed), "{failed}");
        assert_eq!(world.name(), None);
        world.network.stuck.set(false);
        world.network.taken();
        world.pass(6.0);
        assert_eq!(world.network.taken(), TAKEN);
    });
}
