//! The group in which names are asked for, on one of this machine's networks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdUdpSocket};

use async_io::Async;
use edge_nal_std::UdpSocket;
use plug::net::mdns::wire::{GROUP, PORT};
use plug::platform::Multicast;
use socket2::{Domain, Protocol, Socket, Type};

/// One of this machine's networks, as it is seen from the plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcMulticast {
    ip: Ipv4Addr,
    prefix: u8,
    web_port: u16,
}

impl PcMulticast {
    /// Where others reach a page that is served at `address`, other than at the plug's own access point; `None` where only
    /// this machine does.
    #[must_use]
    pub fn of(address: SocketAddr, access_point: Option<Ipv4Addr>) -> Option<Self> {
        let mut all = networks();
        all.retain(|(own, _)| Some(*own) != access_point);
        let web_port = address.port();
        let (ip, prefix) = match address.ip() {
            ip if ip.is_unspecified() => preferred(&all)?,
            IpAddr::V4(ip) => all.into_iter().find(|(own, _)| *own == ip)?,
            IpAddr::V6(_) => return None,
        };
        Some(Self { ip, prefix, web_port })
    }

    /// Where that is.
    #[must_use]
    pub const fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}

/// This machine's addresses on networks with others, with the bits of their network parts.
#[must_use]
pub fn networks() -> Vec<(Ipv4Addr, u8)> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    all.into_iter()
        .filter_map(|network| match network.addr {
            if_addrs::IfAddr::V4(address) if !address.ip.is_loopback() => {
                Some((address.ip, u32::from(address.netmask).leading_ones() as u8))
            }
            _ => None,
        })
        .collect()
}

/// The one by which the group is reached without being asked for; nothing is sent to find out.
fn preferred(all: &[(Ipv4Addr, u8)]) -> Option<(Ipv4Addr, u8)> {
    let first = all.first()?;
    let usual = StdUdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect((GROUP, PORT)).and_then(|()| socket.local_addr()))
        .ok();
    let usual = usual.and_then(|usual| all.iter().find(|(own, _)| usual.ip() == IpAddr::V4(*own)));
    Some(*usual.unwrap_or(first))
}

impl Multicast for PcMulticast {
    type Error = io::Error;
    type Socket<'a> = UdpSocket;

    async fn join(&self, own: Ipv4Addr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Others speak there, too: the system's own service, a second plug.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.set_multicast_ttl_v4(255)?;
        socket.set_ttl_v4(255)?;
        // Whoever looks for plugs on this machine finds them.
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_if_v4(&own)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
        socket.join_multicast_v4(&GROUP, &own)?;
        Ok(UdpSocket::new(Async::<StdUdpSocket>::new(socket.into())?))
    }

    fn place(&self) -> Option<(Ipv4Addr, u8)> {
        Some((self.ip, self.prefix))
    }

    fn web_port(&self) -> u16 {
        self.web_port
    }
}
