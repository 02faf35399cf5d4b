//! The gate: the only thing in the plug that holds the outbound network. Each thing it does is bounded in time, and
//! stands in the ledger when it is over.

use alloc::rc::Rc;
use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use edge_nal::{AddrType, UdpReceive, UdpSend};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;

use super::book::Ledger;
use super::connection::{Connection, Tally};
use super::names::Names;
use super::purpose::{OutsideError, Place, Purpose};
use crate::apart::apart;
use crate::limits;
use crate::platform::{Clock, Outbound};

/// Port of name servers.
const NAME_SERVER: u16 = 53;

/// The way out.
pub struct Outside<'a, N, C, T> {
    net: &'a N,
    /// The plug's time: when things happened.
    pub(super) clock: &'a C,
    /// The network's time: how long things may take.
    pub(super) timer: &'a T,
    pub(super) ledger: &'a RefCell<Ledger>,
    /// The chip has one socket of each kind.
    tcp: Mutex<NoopRawMutex, ()>,
    udp: Mutex<NoopRawMutex, ()>,
    names: RefCell<Names>,
}

/// The answer to one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its bytes.
    pub length: usize,
    /// From sending to receiving, in the network's time.
    pub took: Duration,
    /// Who was asked.
    pub address: IpAddr,
}

impl<'a, N: Outbound, C: Clock, T: Clock> Outside<'a, N, C, T> {
    /// Over a network, the plug's clock and the network's (see [`crate::web::Plug`]).
    #[must_use]
    pub const fn new(net: &'a N, clock: &'a C, timer: &'a T, ledger: &'a RefCell<Ledger>) -> Self {
        Self {
            net,
            clock,
            timer,
            ledger,
            tcp: Mutex::new(()),
            udp: Mutex::new(()),
            names: RefCell::new(Names::new()),
        }
    }

    /// Connects to a host by its name or address. Waits for its turn: there is one connection at a time. Dropping the
    /// future gives up, and the ledger says so.
    ///
    /// # Errors
    /// There is no such host, or nobody answers in time.
    pub async fn connect(
        &self,
        purpose: Purpose,
        host: &str,
        port: u16,
    ) -> Result<Connection<'_, 'a, N, C, T>, OutsideError> {
        let turn = self.tcp.lock().await;
        let place = place(purpose, host, port)?;
        let address = self.address(&place).await?;
        let mut tally = Tally::begin(self, place);
        let socket = match self
            .within(limits::OUTSIDE_CONNECT, apart(|| self.net.connect(SocketAddr::new(address, port))))
            .await
        {
            Ok(Ok(socket)) => socket,
            Ok(Err(_)) => return Err(self.lost(&mut tally, OutsideError::Unreachable)),
            Err(error) => return Err(self.lost(&mut tally, error)),
        };
        Ok(Connection::new(turn, socket, tally))
    }

    /// Sends one datagram and waits for the answer of whoever it was sent to; what others send is not looked at.
    /// Dropping the future gives up, and the ledger says so.
    ///
    /// # Errors
    /// There is no such host, or it does not answer in time.
    pub async fn udp(
        &self,
        purpose: Purpose,
        host: &str,
        port: u16,
        request: &[u8],
        answer: &mut [u8],
    ) -> Result<Answered, OutsideError> {
        let _turn = self.udp.lock().await;
        let place = place(purpose, host, port)?;
        let address = self.address(&place).await?;
        let mut tally = Tally::begin(self, place);
        let remote = SocketAddr::new(address, port);
        let exchange = self.exchange(remote, request, answer, &mut tally);
        match self.within(limits::OUTSIDE_DATAGRAM, exchange).await {
            Ok(Ok(answered)) => {
                tally.succeed();
                Ok(answered)
            }
            Ok(Err(error)) | Err(error) => Err(self.lost(&mut tally, error)),
        }
    }

    async fn exchange(
        &self,
        remote: SocketAddr,
        request: &[u8],
        answer: &mut [u8],
        tally: &mut Tally<'_, 'a, N, C, T>,
    ) -> Result<Answered, OutsideError> {
        let local: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let unreachable = |_| OutsideError::Unreachable;
        let mut socket = self.net.bind(SocketAddr::new(local, 0)).await.map_err(unreachable)?;
        let sent = self.timer.now();
        socket.send(remote, request).await.map_err(unreachable)?;
        tally.add_out(request.len());
        for _ in 0..=limits::OUTSIDE_STRANGERS {
            // An error may be anybody's datagram: one that is too long is one on the chip.
            let Ok((length, from)) = socket.receive(answer).await else { continue };
            if from == remote {
                tally.add_in(length);
                let took = self.timer.now().since(sent);
                return Ok(Answered { length: length.min(answer.len()), took, address: remote.ip() });
            }
        }
        Err(OutsideError::Unreachable)
    }

    /// The address of a place.
    async fn address(&self, place: &Rc<Place>) -> Result<IpAddr, OutsideError> {
        if let Ok(address) = place.host.parse() {
            return Ok(address);
        }
        // Whoever tries something out may have mended the name server just now.
        let tries = place.purpose == Purpose::EmoncmsTest;
        if let Some(known) = self.names.borrow().find(&place.host, self.timer.now())
            && (known.is_ok() || !tries)
        {
            return known;
        }
        let mut tally =
            Tally::begin(self, Rc::new(Place { port: NAME_SERVER, lookup: true, ..(**place).clone() }));
        // The chip has no other addresses.
        let lookup = apart(|| self.net.get_host_by_name(&place.host, AddrType::IPv4));
        let found = match self.within(limits::OUTSIDE_LOOKUP, lookup).await {
            Ok(Ok(address)) => Ok(address),
            Ok(Err(_)) => Err(OutsideError::NoAddress),
            Err(error) => Err(error),
        };
        match found {
            Ok(_) => tally.succeed(),
            Err(error) => tally.fail(error),
        }
        self.names.borrow_mut().keep(place.clone(), found, self.timer.now());
        found
    }

    /// A connection did not come about or broke: its address may be another one by now.
    pub(super) fn lost(&self, tally: &mut Tally<'_, 'a, N, C, T>, error: OutsideError) -> OutsideError {
        self.names.borrow_mut().doubt(tally.host());
        tally.fail(error);
        error
    }

    /// Runs `work` for so long at the most.
    pub(super) async fn within<O>(
        &self,
        patience: Duration,
        work: impl Future<Output = O>,
    ) -> Result<O, OutsideError> {
        match select(work, self.timer.sleep_until(self.timer.now().after(patience))).await {
            Either::First(done) => Ok(done),
            Either::Second(()) => Err(OutsideError::TimedOut),
        }
    }
}

/// Letters, digits and what else names and addresses are made of.
fn place(purpose: Purpose, host: &str, port: u16) -> Result<Rc<Place>, OutsideError> {
    let fits = (1..=limits::OUTSIDE_HOST).contains(&host.len());
    if !fits || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte)) {
        return Err(OutsideError::BadHost);
    }
    Ok(Rc::new(Place { host: host.into(), port, purpose, lookup: false }))
}
