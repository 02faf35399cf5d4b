//! The operating system's network as the plug's way out.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use edge_nal::{AddrType, Dns, TcpConnect, UdpBind};
use edge_nal_std::{Stack, TcpSocket, UdpSocket};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;

/// Sockets and names as every program on this machine has them.
#[derive(Clone, Copy, Default)]
pub struct PcNetwork(Stack);

impl TcpConnect for PcNetwork {
    type Error = io::Error;
    type Socket<'a> = TcpSocket;

    async fn connect(&self, remote: SocketAddr) -> io::Result<TcpSocket> {
        self.0.connect(remote).await
    }
}

impl UdpBind for PcNetwork {
    type Error = io::Error;
    type Socket<'a> = UdpSocket;

    async fn bind(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        self.0.bind(local).await
    }
}

impl Dns for PcNetwork {
    type Error = io::Error;

    /// On a thread of its own: the system's resolver blocks for seconds where no name server answers, and the plug must
    /// go on measuring. A lookup that nobody waits for any more ends by itself.
    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> io::Result<IpAddr> {
        let answer = Arc::new(Signal::<CriticalSectionRawMutex, io::Result<IpAddr>>::new());
        let (stack, host, found) = (self.0, host.to_owned(), answer.clone());
        std::thread::Builder::new()
            .name("lookup".to_owned())
            .spawn(move || found.signal(async_io::block_on(stack.get_host_by_name(&host, kind))))?;
        answer.wait().await
    }

    async fn get_host_by_address(&self, address: IpAddr, result: &mut [u8]) -> io::Result<usize> {
        self.0.get_host_by_address(address, result).await
    }
}
