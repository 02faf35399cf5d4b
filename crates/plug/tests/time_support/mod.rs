//! A network of time servers that fail in every way, in simulated time.

#[path = "../idle_clock/mod.rs"]
mod idle_clock;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use edge_nal::{
    AddrType, Dns, MulticastV4, MulticastV6, NoopNet, Readable, TcpConnect, UdpBind, UdpReceive, UdpSend,
    UdpSplit, UdpSplitMulticast,
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_async::{ErrorKind, ErrorType};
use metering::calibration::Calibration;
use plug::core::{Core, Moment};
use plug::ledger::Outside;
use plug::platform::{Clock, Instant};
use plug::settings::Hardware;
use plug::settings::schema::TimeSource;
use plug::state::State;
use plug::timekeeping::{Offset, WallClock, ask, publish};

pub(crate) use idle_clock::IdleClock;

/// 2026-11-30, when the plug is started.
pub(crate) const START_S: f64 = 1_795_996_800.0;

const HARDWARE: Hardware = Hardware::BARE;

/// What a server does with a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mood {
    /// Tells the time, so many seconds off.
    Good(f64),
    /// The same, after so many seconds on the way there, and again so many back.
    Far(f64, f64),
    /// Nothing comes back.
    Silent,
    /// The name has no address.
    Unknown,
    /// A good answer with these bytes at this place instead.
    Wrong(usize, &'static [u8]),
    /// A kiss of death.
    Kiss(&'static [u8; 4]),
    /// Only the first bytes of it.
    Cut(usize),
    /// The question, sent back.
    Echo,
    /// A good answer from another address, and nothing more.
    Stranger,
}

type Servers<'a> = &'a dyn Fn(&str, f64) -> Mood;

/// A network on which every host is a time server.
struct Net<'a> {
    clock: &'a IdleClock,
    servers: Servers<'a>,
    /// Addresses are handed out as names are asked for.
    names: RefCell<Vec<String>>,
    /// Who was asked when.
    asked: &'a RefCell<Vec<(f64, String)>>,
    cookies: &'a RefCell<Vec<[u8; 8]>>,
}

impl Dns for Net<'_> {
    type Error = ErrorKind;

    async fn get_host_by_name(&self, host: &str, _: AddrType) -> Result<IpAddr, ErrorKind> {
        if (self.servers)(host, self.clock.seconds()) == Mood::Unknown {
            self.asked.borrow_mut().push((self.clock.seconds(), host.to_owned()));
            return Err(ErrorKind::NotFound);
        }
        let mut names = self.names.borrow_mut();
        names.push(host.to_owned());
        Ok(Ipv4Addr::new(10, 0, (names.len() >> 8) as u8, names.len() as u8).into())
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::NotFound)
    }
}

impl TcpConnect for Net<'_> {
    type Error = Infallible;
    type Socket<'a>
        = NoopNet
    where
        Self: 'a;

    async fn connect(&self, _: SocketAddr) -> Result<NoopNet, Infallible> {
        panic!("nobody connects to a time server")
    }
}

impl UdpBind for Net<'_> {
    type Error = Infallible;
    type Socket<'a>
        = Socket<'a>
    where
        Self: 'a;

    async fn bind(&self, local: SocketAddr) -> Result<Socket<'_>, Infallible> {
        assert_eq!(local.port(), 0, "an own port is chosen by chance");
        Ok(Socket { net: self, answer: None })
    }
}

/// A datagram on its way: when it comes, and from where.
struct Coming {
    bytes: Vec<u8>,
    from: SocketAddr,
    at: Duration,
}

struct Socket<'a> {
    net: &'a Net<'a>,
    answer: Option<Coming>,
}

impl ErrorType for Socket<'_> {
    type Error = Infallible;
}

impl UdpSend for Socket<'_> {
    async fn send(&mut self, remote: SocketAddr, question: &[u8]) -> Result<(), Infallible> {
        let name = match remote.ip() {
            IpAddr::V4(ip) if ip.octets()[0] == 10 => {
                let [.., high, low] = ip.octets();
                self.net.names.borrow()[usize::from(u16::from_be_bytes([high, low])) - 1].clone()
            }
            ip => ip.to_string(),
        };
        let now = self.net.clock.now.get();
        let name = if remote.port() == 123 { name } else { format!("{name}:{}", remote.port()) };
        self.net.asked.borrow_mut().push((now.as_secs_f64(), name.clone()));
        let cookie: [u8; 8] = question[40..].try_into().unwrap();
        self.net.cookies.borrow_mut().push(cookie);
        let mood = (self.net.servers)(&name, now.as_secs_f64());
        let (off_s, way_s) = match mood {
            Mood::Silent | Mood::Unknown => return Ok(()),
            Mood::Good(off_s) => (off_s, 0.01),
            Mood::Far(there_s, back_s) => {
                let sent = START_S + now.as_secs_f64() + there_s;
                let bytes = packet(cookie, sent).to_vec();
                let at = now + Duration::from_secs_f64(there_s + back_s);
                self.answer = Some(Coming { bytes, from: remote, at });
                return Ok(());
            }
            _ => (0.0, 0.01),
        };
        let mut bytes = packet(cookie, START_S + now.as_secs_f64() + way_s + off_s).to_vec();
        let mut from = remote;
        match mood {
            Mood::Wrong(offset, wrong) => bytes[offset..offset + wrong.len()].copy_from_slice(wrong),
            Mood::Kiss(code) => {
                bytes[1] = 0;
                bytes[12..16].copy_from_slice(code);
            }
            Mood::Cut(length) => bytes.truncate(length),
            Mood::Echo => bytes.copy_from_slice(question),
            Mood::Stranger => from = SocketAddr::new([10, 9, 9, 9].into(), 123),
            _ => {}
        }
        self.answer = Some(Coming { bytes, from, at: now + Duration::from_secs_f64(2.0 * way_s) });
        Ok(())
    }
}

/// A good answer that was sent at `sent_s`.
fn packet(cookie: [u8; 8], sent_s: f64) -> [u8; 48] {
    let mut packet = [0; 48];
    packet[0] = 4 << 3 | 4;
    packet[1] = 2;
    packet[24..32].copy_from_slice(&cookie);
    let time = ((sent_s.floor() as u64 + 2_208_988_800) << 32) | (sent_s.fract() * 4_294_967_296.0) as u64;
    packet[32..40].copy_from_slice(&time.to_be_bytes());
    packet[40..48].copy_from_slice(&time.to_be_bytes());
    packet
}

impl UdpReceive for Socket<'_> {
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Infallible> {
        match self.answer.take() {
            Some(Coming { bytes, from, at }) => {
                self.net.clock.sleep_until(Instant::from_start(at)).await;
                let length = bytes.len().min(buffer.len());
                buffer[..length].copy_from_slice(&bytes[..length]);
                Ok((length, from))
            }
            None => pending().await,
        }
    }
}

impl Readable for Socket<'_> {
    async fn readable(&mut self) -> Result<(), Infallible> {
        pending().await
    }
}

impl UdpSplit for Socket<'_> {
    type Receive<'a>
        = NoopNet
    where
        Self: 'a;
    type Send<'a>
        = NoopNet
    where
        Self: 'a;

    fn split(&mut self) -> (NoopNet, NoopNet) {
        (NoopNet, NoopNet)
    }
}

impl UdpSplitMulticast for Socket<'_> {
    type MulticastV4<'a>
        = NoopNet
    where
        Self: 'a;
    type MulticastV6<'a>
        = NoopNet
    where
        Self: 'a;

    fn split_multicast(&mut self) -> (NoopNet, NoopNet, NoopNet, NoopNet) {
        (NoopNet, NoopNet, NoopNet, NoopNet)
    }
}

impl MulticastV4 for Socket<'_> {
    async fn join_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), Infallible> {
        Ok(())
    }

    async fn leave_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), Infallible> {
        Ok(())
    }
}

impl MulticastV6 for Socket<'_> {
    async fn join_v6(&mut self, _: std::net::Ipv6Addr, _: u32) -> Result<(), Infallible> {
        Ok(())
    }

    async fn leave_v6(&mut self, _: std::net::Ipv6Addr, _: u32) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What can be looked at from outside while the tasks run.
pub(crate) struct World<'a> {
    pub(crate) clock: &'a IdleClock,
    pub(crate) state: &'a State,
    offset: &'a Offset<NoopRawMutex>,
}

impl World<'_> {
    /// How far the plug's time of day is off; `None`: it knows none.
    pub(crate) fn off_s(&self) -> Option<f64> {
        WallClock::new(self.clock, self.offset)
            .time_of_day()
            .map(|time| time - START_S - self.clock.seconds())
    }
}

/// What was seen.
pub(crate) struct Seen {
    /// Who was asked when.
    pub(crate) asked: Vec<(f64, String)>,
    pub(crate) cookies: Vec<[u8; 8]>,
    /// How far off the clock was at the end.
    pub(crate) off_s: Option<f64>,
    pub(crate) log: Vec<String>,
}

/// At which second, and what.
pub(crate) type Happening<'a> = (f64, &'a dyn Fn(&World<'_>));

/// A plug that asks `names` by NTP until `end_s`.
pub(crate) fn play(end_s: f64, names: &str, servers: Servers<'_>, happens: &[Happening<'_>]) -> Seen {
    let state = State::new(
        Core::new(HARDWARE).relay_status(Moment::default(), None),
        Calibration::ideal(1.0, 0.0, 1.0, 0.0),
    );
    {
        let mut settings = state.settings.borrow_mut();
        settings.time.source = if names.is_empty() { TimeSource::None } else { TimeSource::Ntp };
        settings.time.ntp_servers = names.into();
    }
    let (clock, offset) = (IdleClock::default(), Offset::new());
    let (asked, cookies) = (RefCell::default(), RefCell::default());
    let net = Net { clock: &clock, servers, names: RefCell::default(), asked: &asked, cookies: &cookies };
    let world = World { clock: &clock, state: &state, offset: &offset };
    let mut log: Vec<String> = Vec::new();
    let wall_clock = WallClock::new(&clock, &offset);
    {
        let outside = Outside::new(&net, &wall_clock, &clock, &state.ledger);
        let asking = ask(&outside, &wall_clock, &state, [7; 16]);
        // Memory of a chip.
        assert!(size_of_val(&asking) <= 768, "the task has {} bytes", size_of_val(&asking));
        let mut asking = pin!(asking);
        let mut publishing = pin!(publish(&wall_clock, &state, &offset));
        let mut context = Context::from_waker(Waker::noop());
        let mut happens = happens.iter().peekable();
        loop {
            // Twice: what the second says the first may want to hear.
            for _ in 0..2 {
                assert!(asking.as_mut().poll(&mut context).is_pending());
                assert!(publishing.as_mut().poll(&mut context).is_pending());
            }
            let told = log.len() as u32;
            for line in state.log.borrow().iter().filter(|line| line.sequence >= told) {
                log.push(line.message.to_string());
            }
            let planned = happens.peek().map(|(second, _)| Duration::from_secs_f64(*second));
            let next = clock.next.take().into_iter().chain(planned).min().unwrap();
            if next.as_secs_f64() > end_s {
                break;
            }
            clock.now.set(next.max(clock.now.get()));
            if let Some((_, happen)) = happens.next_if(|(second, _)| *second <= next.as_secs_f64()) {
                happen(&world);
            }
        }
    }
    let off_s = world.off_s();
    Seen { asked: asked.take(), cookies: cookies.take(), off_s, log }
}
