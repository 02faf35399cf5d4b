//! The simulated access point, and the address at which real clients meet it (`--access-point`): while it is open, and
//! only then, its page, its names and its addresses are there.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Async;
use plug::net::{addresses, names};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thiserror::Error;

/// Where browsers look for a page.
const WEB_PORT: u16 = 80;
/// How long somebody counts as being there after asking for something.
const PRESENCE: Duration = Duration::from_secs(60);

/// Why nobody can be met at an address.
#[derive(Debug, Error)]
pub enum AccessPointError {
    /// It is another machine's.
    #[error(
        "{0} is not an address of this machine; give it to the device on which the clients are, for instance with \
         `ip addr add {0}/24 dev DEVICE`"
    )]
    NotOurs(Ipv4Addr),
    /// Ports below 1024 are not for everybody.
    #[error(
        "port {port} of {address} is not for everybody on this machine; run this as root, or let programs have it with \
         `sysctl net.ipv4.ip_unprivileged_port_start=53`"
    )]
    NotAllowed {
        /// Which address.
        address: Ipv4Addr,
        /// Which port.
        port: u16,
    },
    /// Another program is there.
    #[error(
        "port {port} of {address} is in use; end whoever has it (a DHCP, name or web server of this machine), or name \
         another address with --access-point"
    )]
    InUse {
        /// Which address.
        address: Ipv4Addr,
        /// Which port.
        port: u16,
    },
    /// Something else.
    #[error("port {port} of {address} cannot be had ({error})")]
    Other {
        /// Which address.
        address: Ipv4Addr,
        /// Which port.
        port: u16,
        /// The operating system's words.
        error: io::Error,
    },
}

/// Whether the access point is open, and what is there then.
#[derive(Debug, Default)]
pub struct AccessPoint {
    place: Option<Place>,
    open: Cell<bool>,
    web: RefCell<Option<Rc<Async<TcpListener>>>>,
    /// Who waits for it to open or close.
    waiting: RefCell<Vec<Waker>>,
    /// When a client last came by it.
    visited: Cell<Option<Instant>>,
}

/// An address of this machine and the device that has it.
#[derive(Debug)]
struct Place {
    address: Ipv4Addr,
    device: String,
}

impl AccessPoint {
    /// One that real clients can meet, at an address of this machine.
    ///
    /// # Errors
    /// If the address or one of its ports cannot be had.
    pub fn at(address: Ipv4Addr) -> Result<Self, AccessPointError> {
        let devices = if_addrs::get_if_addrs().unwrap_or_default();
        let device = devices.into_iter().find(|device| device.ip() == IpAddr::V4(address));
        let device = device.ok_or(AccessPointError::NotOurs(address))?.name;
        let place = Place { address, device };
        let wrong = |port| move |error| explain(address, port, error);
        drop(place.listen().map_err(wrong(WEB_PORT))?);
        for port in [addresses::PORT, names::PORT] {
            drop(place.datagrams(port).map_err(wrong(port))?);
        }
        Ok(Self { place: Some(place), ..Self::default() })
    }

    /// Whether clients can be met at an address.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.place.is_some()
    }

    /// Opens it.
    ///
    /// # Errors
    /// If its page cannot be served.
    pub fn open(&self) -> io::Result<()> {
        if let Some(place) = &self.place
            && self.web.borrow().is_none()
        {
            self.web.replace(Some(Rc::new(place.listen()?)));
        }
        self.set(true);
        Ok(())
    }

    /// Closes it; nothing is there any more.
    pub fn close(&self) {
        self.web.replace(None);
        self.visited.set(None);
        self.set(false);
    }

    fn set(&self, open: bool) {
        self.open.set(open);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Returns once it is no longer `open`.
    pub(super) async fn changed(&self, open: bool) {
        poll_fn(|context| {
            if self.open.get() != open {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Where its page is served; `None` while it is closed, or where nobody can be met.
    pub(super) fn web(&self) -> Option<Rc<Async<TcpListener>>> {
        self.web.borrow().clone()
    }

    /// Whether a client who was met at `local` came by it.
    pub(super) fn is_at(&self, local: SocketAddr) -> bool {
        let place = self.place.as_ref();
        place.is_some_and(|place| local == SocketAddr::new(place.address.into(), WEB_PORT))
    }

    /// A client came by it.
    pub(super) fn note_visit(&self) {
        self.visited.set(Some(Instant::now()));
    }

    /// Whether a client is on it, as far as it can be known.
    #[must_use]
    pub fn has_visitor(&self) -> bool {
        self.visited.get().is_some_and(|visited| visited.elapsed() < PRESENCE)
    }

    /// A socket for datagrams to this port of it.
    pub(super) fn datagrams(&self, port: u16) -> io::Result<Async<std::net::UdpSocket>> {
        self.place
            .as_ref()
            .map_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()), |place| place.datagrams(port))
    }
}

impl Place {
    fn listen(&self) -> io::Result<Async<TcpListener>> {
        Async::<TcpListener>::bind((self.address, WEB_PORT))
    }

    /// Whoever has no address yet sends to everybody, which a socket with an address would not hear; the device keeps
    /// it to the clients on its side.
    fn datagrams(&self, port: u16) -> io::Result<Async<std::net::UdpSocket>> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        let hears_everybody = port == addresses::PORT;
        let address = if hears_everybody {
            socket.set_broadcast(true)?;
            #[cfg(target_os = "linux")]
            socket.bind_device(Some(self.device.as_bytes()))?;
            Ipv4Addr::UNSPECIFIED
        } else {
            self.address
        };
        socket.bind(&SockAddr::from(SocketAddr::new(address.into(), port)))?;
        Async::new(socket.into())
    }
}

fn explain(address: Ipv4Addr, port: u16, error: io::Error) -> AccessPointError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => AccessPointError::NotAllowed { address, port },
        io::ErrorKind::AddrInUse => AccessPointError::InUse { address, port },
        _ => AccessPointError::Other { address, port, error },
    }
}
