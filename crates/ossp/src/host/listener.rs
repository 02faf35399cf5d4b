//! The listening sockets: that of `--listen`, which tells its port (`edge-nal-std`'s own keeps it to itself, and port 0 has
//! to be named), and that of the access point while it is open.

use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;

use async_io::Async;
use edge_nal::TcpAccept;
use edge_nal_std::TcpSocket;
use embassy_futures::select::{Either3, select3};
use plug::platform::Acceptor;

use super::AccessPoint;

/// Waits for clients.
#[derive(Debug)]
pub struct Listener {
    network: Async<TcpListener>,
    access_point: Rc<AccessPoint>,
}

impl Listener {
    /// Listens, also on the access point while it is open; port 0 takes a free one.
    ///
    /// # Errors
    /// If the operating system does not let it, for instance because the port is in use.
    pub fn bind(address: SocketAddr, access_point: Rc<AccessPoint>) -> io::Result<Self> {
        Ok(Self { network: Async::<TcpListener>::bind(address)?, access_point })
    }

    /// Where it listens, apart from the access point.
    ///
    /// # Errors
    /// If the operating system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.network.get_ref().local_addr()
    }
}

impl TcpAccept for Listener {
    type Error = io::Error;
    type Socket<'a> = TcpSocket;

    async fn accept(&self) -> Result<(SocketAddr, TcpSocket), io::Error> {
        loop {
            let open = self.access_point.is_open();
            let web = self.access_point.web();
            let by_access_point = async {
                match &web {
                    Some(web) => web.accept().await,
                    None => pending().await,
                }
            };
            let changed = self.access_point.changed(open);
            let (socket, peer) = match select3(self.network.accept(), by_access_point, changed).await {
                Either3::First(client) => client?,
                Either3::Second(client) => {
                    self.access_point.note_visit();
                    client?
                }
                Either3::Third(()) => continue,
            };
            return Ok((peer, TcpSocket::new(socket)));
        }
    }
}

impl Acceptor for Listener {
    fn by_access_point(&self, socket: &TcpSocket) -> bool {
        socket.get_ref().local_addr().is_ok_and(|local| self.access_point.is_at(local))
    }
}
