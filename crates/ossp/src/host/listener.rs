//! A listening socket that tells its port: `edge-nal-std`'s own keeps it to itself, and port 0 has to be named.

use std::io;
use std::net::{SocketAddr, TcpListener};

use async_io::Async;
use edge_nal::TcpAccept;
use edge_nal_std::TcpSocket;
use plug::platform::Acceptor;

/// Waits for clients.
#[derive(Debug)]
pub struct Listener(Async<TcpListener>);

impl Listener {
    /// Listens; port 0 takes a free one.
    ///
    /// # Errors
    /// If the operating system does not let it, for instance because the port is in use.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Async::<TcpListener>::bind(address).map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the operating system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

impl TcpAccept for Listener {
    type Error = io::Error;
    type Socket<'a> = TcpSocket;

    async fn accept(&self) -> Result<(SocketAddr, TcpSocket), io::Error> {
        let (socket, peer) = self.0.accept().await?;
        Ok((peer, TcpSocket::new(socket)))
    }
}

impl Acceptor for Listener {}
