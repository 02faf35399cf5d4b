//! A network that behaves badly on purpose, and time that passes when nobody can go on.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses what it needs")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use edge_nal::{
    AddrType, Close, Dns, MulticastV4, MulticastV6, Readable, TcpConnect, TcpShutdown, TcpSplit, UdpBind,
    UdpReceive, UdpSend, UdpSplit, UdpSplitMulticast,
};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use plug::platform::{Clock, Instant};

/// Time that stands still until everybody waits for it.
#[derive(Default)]
pub struct Time {
    now: Cell<Duration>,
    next: RefCell<Vec<Duration>>,
}

impl Clock for Time {
    fn now(&self) -> Instant {
        Instant::from_start(self.now.get())
    }

    async fn sleep_until(&self, moment: Instant) {
        poll_fn(|_| {
            if self.now.get() >= moment.since_start() {
                return Poll::Ready(());
            }
            self.next.borrow_mut().push(moment.since_start());
            Poll::Pending
        })
        .await;
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}

impl Time {
    pub fn pass(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }

    /// Runs `work` to its end; a future that waits for nothing at all would wait for ever.
    pub fn run<O>(&self, work: impl Future<Output = O>) -> O {
        self.run_for(Duration::from_secs(100_000_000), work).expect("it takes three years")
    }

    /// Runs `work` for so long at the most.
    pub fn run_for<O>(&self, most: Duration, work: impl Future<Output = O>) -> Option<O> {
        let end = self.now.get() + most;
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.next.borrow_mut().clear();
            if let Poll::Ready(output) = work.as_mut().poll(&mut context) {
                return Some(output);
            }
            let next = self.next.borrow().iter().copied().min();
            let next = next.expect("nothing can go on, and nobody waits for a time");
            if next > end {
                self.now.set(end);
                return None;
            }
            self.now.set(next);
        }
    }
}

/// What something of the network does.
#[derive(Clone, Debug)]
pub enum Does {
    /// It works.
    Well,
    /// It fails.
    Fails,
    /// It never ends.
    Nothing,
    /// It works after a while.
    Late(Duration),
}

/// What happens to the next bytes that are read.
#[derive(Clone, Debug)]
pub enum Comes {
    /// These.
    Bytes(&'static [u8]),
    /// The end.
    End,
    /// A reset.
    Reset,
    /// Nothing, for ever.
    Silence,
    /// Nothing for a while.
    Pause(Duration),
}

/// The network.
pub struct Net {
    pub time: Time,
    pub lookup: RefCell<Does>,
    pub connecting: RefCell<Does>,
    pub writing: RefCell<Does>,
    pub closing: RefCell<Does>,
    /// What servers say.
    pub comes: RefCell<VecDeque<Comes>>,
    /// What datagrams come, from whom; an empty one is an error.
    pub datagrams: RefCell<VecDeque<(Duration, SocketAddr, Vec<u8>)>>,
    pub address: Cell<IpAddr>,
    /// What was asked of it.
    pub log: RefCell<Vec<String>>,
    pub written: RefCell<Vec<u8>>,
    /// Sockets that are open now, and the most there were.
    pub open: Cell<usize>,
    pub most_open: Cell<usize>,
}

impl Net {
    pub fn new() -> Self {
        Self {
            time: Time::default(),
            lookup: RefCell::new(Does::Well),
            connecting: RefCell::new(Does::Well),
            writing: RefCell::new(Does::Well),
            closing: RefCell::new(Does::Well),
            comes: RefCell::default(),
            datagrams: RefCell::default(),
            address: Cell::new(Ipv4Addr::new(192, 0, 2, 7).into()),
            log: RefCell::default(),
            written: RefCell::default(),
            open: Cell::new(0),
            most_open: Cell::new(0),
        }
    }

    /// What was asked of it since it was last looked at.
    pub fn asked(&self) -> Vec<String> {
        self.log.take()
    }

    fn note(&self, text: String) {
        self.log.borrow_mut().push(text);
    }

    async fn does(&self, what: &RefCell<Does>) -> Result<(), ErrorKind> {
        let what = what.borrow().clone();
        match what {
            Does::Well => Ok(()),
            Does::Fails => Err(ErrorKind::Other),
            Does::Nothing => std::future::pending().await,
            Does::Late(by) => {
                self.time.sleep_until(self.time.now().after(by)).await;
                Ok(())
            }
        }
    }

    fn socket(&self) -> Socket<'_> {
        self.open.set(self.open.get() + 1);
        self.most_open.set(self.most_open.get().max(self.open.get()));
        Socket { net: self }
    }
}

impl Dns for Net {
    type Error = ErrorKind;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, ErrorKind> {
        self.note(format!("lookup {host} {kind:?}"));
        self.does(&self.lookup).await?;
        Ok(self.address.get())
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, ErrorKind> {
        panic!("nobody asks for names")
    }
}

impl TcpConnect for Net {
    type Error = ErrorKind;
    type Socket<'a> = Socket<'a>;

    async fn connect(&self, remote: SocketAddr) -> Result<Socket<'_>, ErrorKind> {
        self.note(format!("connect {remote}"));
        let socket = self.socket();
        self.does(&self.connecting).await?;
        Ok(socket)
    }
}

impl UdpBind for Net {
    type Error = ErrorKind;
    type Socket<'a> = Socket<'a>;

    async fn bind(&self, local: SocketAddr) -> Result<Socket<'_>, ErrorKind> {
        self.note(format!("bind {local}"));
        self.does(&self.connecting).await?;
        Ok(self.socket())
    }
}

/// A socket of either kind.
pub struct Socket<'a> {
    net: &'a Net,
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        self.net.open.set(self.net.open.get() - 1);
    }
}

impl ErrorType for Socket<'_> {
    type Error = ErrorKind;
}

impl Read for Socket<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        loop {
            let next = self.net.comes.borrow_mut().pop_front();
            match next {
                Some(Comes::Bytes(bytes)) => {
                    let length = bytes.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&bytes[..length]);
                    if length < bytes.len() {
                        self.net.comes.borrow_mut().push_front(Comes::Bytes(&bytes[length..]));
                    }
                    return Ok(length);
                }
                Some(Comes::End) => return Ok(0),
                Some(Comes::Reset) => return Err(ErrorKind::ConnectionReset),
                Some(Comes::Pause(by)) => {
                    let time = &self.net.time;
                    time.sleep_until(time.now().after(by)).await;
                }
                None | Some(Comes::Silence) => std::future::pending().await,
            }
        }
    }
}

impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.net.does(&self.net.writing).await?;
        let length = bytes.len().min(100);
        self.net.written.borrow_mut().extend(&bytes[..length]);
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.net.does(&self.net.writing).await
    }
}

impl Readable for Socket<'_> {
    async fn readable(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl TcpShutdown for Socket<'_> {
    async fn close(&mut self, what: Close) -> Result<(), ErrorKind> {
        self.net.note(format!("close {what:?}"));
        self.net.does(&self.net.closing).await
    }

    async fn abort(&mut self) -> Result<(), ErrorKind> {
        self.net.note("abort".to_owned());
        self.net.does(&self.net.closing).await
    }
}

impl UdpSend for Socket<'_> {
    async fn send(&mut self, remote: SocketAddr, data: &[u8]) -> Result<(), ErrorKind> {
        self.net.note(format!("send {remote} {}", data.len()));
        self.net.does(&self.net.writing).await
    }
}

impl UdpReceive for Socket<'_> {
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), ErrorKind> {
        let next = self.net.datagrams.borrow_mut().pop_front();
        let Some((after, from, bytes)) = next else { return std::future::pending().await };
        self.net.time.sleep_until(self.net.time.now().after(after)).await;
        if bytes.is_empty() {
            return Err(ErrorKind::Other);
        }
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok((bytes.len(), from))
    }
}

/// A half of a socket; nobody splits them.
pub struct Half(Infallible);

impl ErrorType for Half {
    type Error = ErrorKind;
}

impl Read for Half {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        match self.0 {}
    }
}

impl Write for Half {
    async fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        match self.0 {}
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        match self.0 {}
    }
}

impl Readable for Half {
    async fn readable(&mut self) -> Result<(), ErrorKind> {
        match self.0 {}
    }
}

impl UdpSend for Half {
    async fn send(&mut self, _: SocketAddr, _: &[u8]) -> Result<(), ErrorKind> {
        match self.0 {}
    }
}

impl UdpReceive for Half {
    async fn receive(&mut self, _: &mut [u8]) -> Result<(usize, SocketAddr), ErrorKind> {
        match self.0 {}
    }
}

impl MulticastV4 for Half {
    async fn join_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), ErrorKind> {
        match self.0 {}
    }

    async fn leave_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), ErrorKind> {
        match self.0 {}
    }
}

impl MulticastV6 for Half {
    async fn join_v6(&mut self, _: Ipv6Addr, _: u32) -> Result<(), ErrorKind> {
        match self.0 {}
    }

    async fn leave_v6(&mut self, _: Ipv6Addr, _: u32) -> Result<(), ErrorKind> {
        match self.0 {}
    }
}

impl TcpSplit for Socket<'_> {
    type Read<'a>
        = Half
    where
        Self: 'a;
    type Write<'a>
        = Half
    where
        Self: 'a;

    fn split(&mut self) -> (Half, Half) {
        panic!("nobody splits it")
    }
}

impl UdpSplit for Socket<'_> {
    type Receive<'a>
        = Half
    where
        Self: 'a;
    type Send<'a>
        = Half
    where
        Self: 'a;

    fn split(&mut self) -> (Half, Half) {
        panic!("nobody splits it")
    }
}

impl UdpSplitMulticast for Socket<'_> {
    type MulticastV4<'a>
        = Half
    where
        Self: 'a;
    type MulticastV6<'a>
        = Half
    where
        Self: 'a;

    fn split_multicast(&mut self) -> (Half, Half, Half, Half) {
        panic!("nobody splits it")
    }
}

impl MulticastV4 for Socket<'_> {
    async fn join_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), ErrorKind> {
        panic!("no groups")
    }

    async fn leave_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), ErrorKind> {
        panic!("no groups")
    }
}

impl MulticastV6 for Socket<'_> {
    async fn join_v6(&mut self, _: Ipv6Addr, _: u32) -> Result<(), ErrorKind> {
        panic!("no groups")
    }

    async fn leave_v6(&mut self, _: Ipv6Addr, _: u32) -> Result<(), ErrorKind> {
        panic!("no groups")
    }
}
