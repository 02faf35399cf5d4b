//! Datagrams to and from the clients of the access point: only while it is open.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use edge_nal::io::ErrorType;
use edge_nal::{
    MulticastV4, MulticastV6, Readable, UdpBind, UdpReceive, UdpSend, UdpSplit, UdpSplitMulticast,
};
use edge_nal_std::UdpSocket;
use embassy_futures::select::{Either, select};

use super::AccessPoint;

/// Sockets on the access point's side.
#[derive(Clone, Debug)]
pub struct AccessPointUdp(Rc<AccessPoint>);

impl AccessPointUdp {
    /// Those of this one.
    #[must_use]
    pub fn new(access_point: Rc<AccessPoint>) -> Self {
        Self(access_point)
    }
}

impl UdpBind for AccessPointUdp {
    type Error = io::Error;
    type Socket<'a> = AccessPointSocket<'a>;

    /// Waits until it is open; of `local` the port counts.
    async fn bind(&self, local: SocketAddr) -> io::Result<AccessPointSocket<'_>> {
        self.0.changed(false).await;
        Ok(AccessPointSocket {
            inner: UdpSocket::new(self.0.datagrams(local.port())?),
            access_point: &self.0,
        })
    }
}

/// A socket that hears nothing any more once the access point closes.
pub struct AccessPointSocket<'a> {
    inner: UdpSocket,
    access_point: &'a AccessPoint,
}

impl ErrorType for AccessPointSocket<'_> {
    type Error = io::Error;
}

impl UdpReceive for AccessPointSocket<'_> {
    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match select(self.inner.receive(buffer), self.access_point.changed(true)).await {
            Either::First(received) => received,
            Either::Second(()) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl UdpSend for AccessPointSocket<'_> {
    async fn send(&mut self, remote: SocketAddr, data: &[u8]) -> io::Result<()> {
        self.inner.send(remote, data).await
    }
}

// What `UdpBind` wants besides; no server of the access point uses it.

impl MulticastV4 for AccessPointSocket<'_> {
    async fn join_v4(&mut self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.inner.join_v4(group, interface).await
    }

    async fn leave_v4(&mut self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.inner.leave_v4(group, interface).await
    }
}

impl MulticastV6 for AccessPointSocket<'_> {
    async fn join_v6(&mut self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.join_v6(group, interface).await
    }

    async fn leave_v6(&mut self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.leave_v6(group, interface).await
    }
}

impl Readable for AccessPointSocket<'_> {
    async fn readable(&mut self) -> io::Result<()> {
        Readable::readable(&mut self.inner).await
    }
}

impl UdpSplit for AccessPointSocket<'_> {
    type Receive<'r>
        = &'r UdpSocket
    where
        Self: 'r;
    type Send<'s>
        = &'s UdpSocket
    where
        Self: 's;

    fn split(&mut self) -> (&UdpSocket, &UdpSocket) {
        self.inner.split()
    }
}

impl UdpSplitMulticast for AccessPointSocket<'_> {
    type MulticastV4<'m>
        = &'m UdpSocket
    where
        Self: 'm;
    type MulticastV6<'m>
        = &'m UdpSocket
    where
        Self: 'm;

    fn split_multicast(&mut self) -> (&UdpSocket, &UdpSocket, &UdpSocket, &UdpSocket) {
        self.inner.split_multicast()
    }
}
