//! A network in memory: TCP to the stand-in Emoncms, UDP to a time server, names; latency, loss, outages.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use edge_nal::io::{ErrorKind, ErrorType, Read, Write};
use edge_nal::{AddrType, Close, Dns, Readable, TcpConnect, TcpShutdown, TcpSplit};
use ossp::stand_in::{Incomplete, Manner, StandIn};

use super::time::World;

/// Where names lead.
pub const EMONCMS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
pub const TIME_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
/// Most of what travels in one piece.
const SEGMENT: usize = 1460;
/// A segment that got lost is sent again after this, then after twice as much (RFC 6298).
const AGAIN: Duration = Duration::from_secs(1);
/// A side that hears nothing for so long gives up.
const GIVES_UP: Duration = Duration::from_secs(120);

/// What a network does with those who use it.
#[derive(Clone)]
pub struct Network(Rc<Inner>);

/// One plug's way into the network.
#[derive(Clone)]
pub struct Link {
    network: Network,
    online: Rc<Cell<bool>>,
}

struct Inner {
    world: World,
    /// The server; its own clock may be wrong by `server_error_s`.
    stand_in: RefCell<StandIn>,
    server_up: Cell<bool>,
    server_error_s: Cell<f64>,
    time_server_up: Cell<bool>,
    time_error_s: Cell<f64>,
    latency: Cell<Duration>,
    /// One segment in so many gets lost; 0: none.
    loses_one_in: Cell<u32>,
    segments: Cell<u64>,
    /// Whatever a plug asked of its way in.
    asked: Cell<u64>,
    connections: Cell<u64>,
    datagrams: Cell<u64>,
    open: Cell<u32>,
    open_most: Cell<u32>,
    largest_write: Cell<usize>,
}

/// What went wrong with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    Refused,
    Reset,
    NoAnswer,
    NoSuchName,
}

impl core::fmt::Display for NetworkError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl core::error::Error for NetworkError {}

impl edge_nal::io::Error for NetworkError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::Reset => ErrorKind::ConnectionReset,
            Self::NoAnswer => ErrorKind::TimedOut,
            Self::NoSuchName => ErrorKind::NotFound,
        }
    }
}

impl Network {
    pub fn new(world: &World, stand_in: StandIn) -> Self {
        Self(Rc::new(Inner {
            world: world.clone(),
            stand_in: RefCell::new(stand_in),
            server_up: Cell::new(true),
            server_error_s: Cell::new(0.0),
            time_server_up: Cell::new(true),
            time_error_s: Cell::new(0.0),
            latency: Cell::new(Duration::from_millis(15)),
            loses_one_in: Cell::new(0),
            segments: Cell::new(0),
            asked: Cell::new(0),
            connections: Cell::new(0),
            datagrams: Cell::new(0),
            open: Cell::new(0),
            open_most: Cell::new(0),
            largest_write: Cell::new(0),
        }))
    }

    /// A plug's way in.
    pub fn link(&self) -> Link {
        Link { network: self.clone(), online: Rc::new(Cell::new(true)) }
    }

    /// Looks at the server, or changes it.
    pub fn server<T>(&self, look: impl FnOnce(&mut StandIn) -> T) -> T {
        look(&mut self.0.stand_in.borrow_mut())
    }

    pub fn set_server_up(&self, up: bool) {
        self.0.server_up.set(up);
    }

    pub fn set_server_error_s(&self, error_s: f64) {
        self.0.server_error_s.set(error_s);
    }

    pub fn set_time_server_up(&self, up: bool) {
        self.0.time_server_up.set(up);
    }

    pub fn set_time_error_s(&self, error_s: f64) {
        self.0.time_error_s.set(error_s);
    }

    /// One segment in so many gets lost; 0: none.
    pub fn loses_one_in(&self, count: u32) {
        self.0.loses_one_in.set(count);
    }

    /// Whatever plugs asked of the network: names, connections, sockets, in vain or not.
    pub fn asked(&self) -> u64 {
        self.0.asked.get()
    }

    pub(super) fn ask(&self) {
        self.0.asked.set(self.0.asked.get() + 1);
    }

    /// TCP connections that were made.
    pub fn connections(&self) -> u64 {
        self.0.connections.get()
    }

    /// Datagrams that were sent.
    pub fn datagrams(&self) -> u64 {
        self.0.datagrams.get()
    }

    /// The most connections that were open at the same time, and those that are now.
    pub fn open_connections(&self) -> (u32, u32) {
        (self.0.open_most.get(), self.0.open.get())
    }

    /// The most bytes that somebody handed over at once.
    pub fn largest_write(&self) -> usize {
        self.0.largest_write.get()
    }

    pub(super) fn world(&self) -> &World {
        &self.0.world
    }

    pub(super) fn latency(&self) -> Duration {
        self.0.latency.get()
    }

    pub(super) fn time_error_s(&self) -> f64 {
        self.0.time_error_s.get()
    }

    /// Counts a datagram; whether it gets there, and somebody answers.
    pub(super) fn takes_datagram(&self, link: &Link) -> bool {
        self.0.datagrams.set(self.0.datagrams.get() + 1);
        link.is_online() && self.0.time_server_up.get() && !self.is_lost()
    }

    fn is_lost(&self) -> bool {
        let number = self.0.segments.get() + 1;
        self.0.segments.set(number);
        let one_in = u64::from(self.0.loses_one_in.get());
        // Spread without a pattern that a number of segments a post could fall into.
        one_in > 0 && (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(one_in)
    }

    fn server_time(&self) -> f64 {
        self.0.world.unix() + self.0.server_error_s.get()
    }
}

impl Link {
    pub fn set_online(&self, online: bool) {
        self.online.set(online);
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub fn is_online(&self) -> bool {
        self.online.get()
    }

    /// A segment on its way: it takes the latency, and longer where it has to be sent again.
    async fn travel(&self) -> Result<(), NetworkError> {
        let inner = &self.network.0;
        let (began, mut again) = (inner.world.now(), AGAIN);
        loop {
            if self.online.get() && !self.network.is_lost() {
                inner.world.sleep(inner.latency.get()).await;
                if self.online.get() {
                    return Ok(());
                }
            }
            if inner.world.now() - began > GIVES_UP {
                return Err(NetworkError::NoAnswer);
            }
            inner.world.sleep(again).await;
            again *= 2;
        }
    }
}

impl Dns for Link {
    type Error = NetworkError;

    async fn get_host_by_name(&self, host: &str, _: AddrType) -> Result<IpAddr, NetworkError> {
        self.network.ask();
        self.travel().await?;
        self.travel().await?;
        match host {
            "emoncms.test" => Ok(EMONCMS),
            "pool.ntp.org" | "time.test" => Ok(TIME_SERVER),
            _ => Err(NetworkError::NoSuchName),
        }
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, NetworkError> {
        self.network.ask();
        Err(NetworkError::NoSuchName)
    }
}

/// The client's end of a connection to the stand-in.
pub struct Socket(Rc<Connection>);

struct Connection {
    link: Link,
    /// What the client wrote and did not send yet: segments are filled, as TCP does (RFC 896).
    unsent: RefCell<Vec<u8>>,
    /// What the server has of requests that are not whole.
    received: RefCell<Vec<u8>>,
    /// What the client has not read yet, and from when on it can.
    answers: RefCell<VecDeque<(Duration, Vec<u8>)>>,
    /// How it ends once all that was read: `Some(None)`: closed.
    end: Cell<Option<Option<NetworkError>>>,
    /// The server does not read any more.
    deaf: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

impl TcpConnect for Link {
    type Error = NetworkError;
    type Socket<'a> = Socket;

    async fn connect(&self, remote: SocketAddr) -> Result<Socket, NetworkError> {
        self.network.ask();
        self.travel().await?;
        self.travel().await?;
        let inner = &self.network.0;
        if remote.ip() != EMONCMS || remote.port() != 80 || !inner.server_up.get() {
            return Err(NetworkError::Refused);
        }
        inner.connections.set(inner.connections.get() + 1);
        inner.open.set(inner.open.get() + 1);
        inner.open_most.set(inner.open_most.get().max(inner.open.get()));
        Ok(Socket(Rc::new(Connection {
            link: self.clone(),
            unsent: RefCell::default(),
            received: RefCell::default(),
            answers: RefCell::default(),
            end: Cell::new(None),
            deaf: Cell::new(false),
            reader: RefCell::default(),
        })))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let open = &self.link.network.0.open;
        open.set(open.get() - 1);
    }
}

impl Connection {
    async fn write(&self, bytes: &[u8]) -> Result<usize, NetworkError> {
        let largest = &self.link.network.0.largest_write;
        largest.set(largest.get().max(bytes.len()));
        let room = SEGMENT - self.unsent.borrow().len();
        let piece = &bytes[..bytes.len().min(room)];
        self.unsent.borrow_mut().extend_from_slice(piece);
        if piece.len() == room {
            self.send().await?;
        }
        Ok(piece.len())
    }

    /// What was written goes to the server.
    async fn send(&self) -> Result<(), NetworkError> {
        if self.unsent.borrow().is_empty() {
            return Ok(());
        }
        self.link.travel().await?;
        let segment = self.unsent.take();
        if let Some(Some(error)) = self.end.get() {
            return Err(error);
        }
        if !self.link.network.0.server_up.get() {
            self.finish(Some(NetworkError::Reset));
            return Err(NetworkError::Reset);
        }
        if !self.deaf.get() {
            self.serve(&segment);
        }
        Ok(())
    }

    /// The server has this too now.
    fn serve(&self, piece: &[u8]) {
        let network = &self.link.network;
        let now = network.server_time();
        let mut stand_in = network.0.stand_in.borrow_mut();
        let mut received = self.received.borrow_mut();
        received.extend_from_slice(piece);
        if let Some(most) = stand_in.resets_after().filter(|most| received.len() >= *most) {
            stand_in.was_reset(most, now);
            self.finish(Some(NetworkError::Reset));
            return;
        }
        match stand_in.handle(&received, now) {
            Err(Incomplete::More) => {}
            Err(Incomplete::Broken) => self.finish(Some(NetworkError::Reset)),
            Ok(delivery) => {
                let taken = delivery.taken;
                received.drain(..taken);
                self.deliver(delivery.bytes, delivery.manner);
            }
        }
    }

    fn deliver(&self, bytes: Vec<u8>, manner: Manner) {
        let network = &self.link.network.0;
        // A real server took 0.3 s for a thousand rows, a hundredth of that for one.
        let at = network.world.now() + network.latency.get() + Duration::from_millis(30);
        match manner {
            Manner::KeepOpen => self.put(at, bytes),
            Manner::Close => {
                self.put(at, bytes);
                self.finish(None);
            }
            Manner::Slowly(over) => {
                let step = over / u32::try_from(bytes.len().max(1)).unwrap();
                for (number, byte) in (1..).zip(bytes) {
                    self.put(at + step * number, vec![byte]);
                }
                self.finish(None);
            }
            Manner::Reset => {
                self.put(at, bytes);
                self.finish(Some(NetworkError::Reset));
            }
            Manner::Never => self.deaf.set(true),
        }
    }

    fn put(&self, at: Duration, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.answers.borrow_mut().push_back((at, bytes));
        }
        self.wake();
    }

    fn finish(&self, error: Option<NetworkError>) {
        self.end.set(Some(error));
        self.deaf.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.reader.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits until there is something to read; `None`: the end.
    async fn something(&self) -> Result<Option<Duration>, NetworkError> {
        poll_fn(|context| {
            if let Some((at, _)) = self.answers.borrow().front() {
                return Poll::Ready(Ok(Some(*at)));
            }
            match self.end.get() {
                Some(None) => Poll::Ready(Ok(None)),
                Some(Some(error)) => Poll::Ready(Err(error)),
                None => {
                    self.reader.replace(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }

    async fn read(&self, buffer: &mut [u8]) -> Result<usize, NetworkError> {
        if !self.wait().await? {
            return Ok(0);
        }
        let mut answers = self.answers.borrow_mut();
        let (_, bytes) = answers.front_mut().unwrap();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        bytes.drain(..count);
        if bytes.is_empty() {
            answers.pop_front();
        }
        Ok(count)
    }

    /// Until something can be read; `false`: the end.
    async fn wait(&self) -> Result<bool, NetworkError> {
        self.send().await?;
        let Some(at) = self.something().await? else { return Ok(false) };
        let world = &self.link.network.0.world;
        world.sleep_until(at).await;
        if !self.link.is_online() || self.link.network.is_lost() {
            // It is sent again, like everything.
            self.link.travel().await?;
        }
        Ok(true)
    }
}

impl ErrorType for Socket {
    type Error = NetworkError;
}

impl Read for Socket {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, NetworkError> {
        self.0.read(buffer).await
    }
}

impl Write for Socket {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, NetworkError> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), NetworkError> {
        self.0.send().await
    }
}

impl Readable for Socket {
    async fn readable(&mut self) -> Result<(), NetworkError> {
        self.0.wait().await.map(|_| ())
    }
}

impl TcpShutdown for Socket {
    async fn close(&mut self, _: Close) -> Result<(), NetworkError> {
        self.0.send().await?;
        self.0.link.travel().await
    }

    async fn abort(&mut self) -> Result<(), NetworkError> {
        Ok(())
    }
}

impl TcpSplit for Socket {
    type Read<'a> = Self;
    type Write<'a> = Self;

    fn split(&mut self) -> (Self, Self) {
        (Self(self.0.clone()), Self(self.0.clone()))
    }
}
