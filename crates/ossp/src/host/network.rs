//! The operating system's network as the plug's way out.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use edge_nal::{AddrType, Dns, TcpConnect, UdpBind};
use edge_nal_std::{Stack, TcpSocket, UdpSocket};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;

use super::WayOut;

/// Sockets and names as every program on this machine has them.
#[derive(Clone, Default)]
pub struct PcNetwork {
    stack: Stack,
    /// What it depends on; without a radio it is always there.
    way_out: Option<WayOut>,
}

impl PcNetwork {
    /// The same, as long as a network is joined.
    #[must_use]
    pub fn by_radio(way_out: WayOut) -> Self {
        Self { way_out: Some(way_out), ..Self::default() }
    }

    /// # Errors
    /// No network is joined.
    fn stack(&self) -> io::Result<&Stack> {
        match &self.way_out {
            Some(way_out) if !way_out.is_there() => Err(io::ErrorKind::NetworkUnreachable.into()),
            _ => Ok(&self.stack),
        }
    }
}

impl TcpConnect for PcNetwork {
    type Error = io::Error;
    type Socket<'a> = TcpSocket;

    async fn connect(&self, remote: SocketAddr) -> io::Result<TcpSocket> {
        self.stack()?.connect(remote).await
    }
}

impl UdpBind for PcNetwork {
    type Error = io::Error;
    type Socket<'a> = UdpSocket;

    async fn bind(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        self.stack()?.bind(local).await
    }
}

impl Dns for PcNetwork {
    type Error = io::Error;

    /// On a thread of its own: the system's resolver blocks for seconds where no name server answers, and the plug must
    /// go on measuring. A lookup that nobody waits for any more ends by itself.
    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> io::Result<IpAddr> {
        let answer = Arc::new(Signal::<CriticalSectionRawMutex, io::Result<IpAddr>>::new());
        let (stack, host, found) = (*self.stack()?, host.to_owned(), answer.clone());
        std::thread::Builder::new()
            .name("lookup".to_owned())
            .spawn(move || found.signal(async_io::block_on(stack.get_host_by_name(&host, kind))))?;
        answer.wait().await
    }

    async fn get_host_by_address(&self, address: IpAddr, result: &mut [u8]) -> io::Result<usize> {
        self.stack()?.get_host_by_address(address, result).await
    }
}
