//! The way out over one of embassy's stacks: a TCP socket, a UDP socket and the stack's own resolver.
//!
//! There is one socket of each kind, which is what [`plug::ledger::Outside`] uses at once. `StackResources` need three for
//! this, one of them for the resolver: [`WAY_OUT_SOCKETS`]. A host's name may have 94 characters here: the resolver keeps
//! eight, four for each stack (`SMOLTCP_DNS_MAX_NAME_SIZE` in `firmware/.cargo/config.toml`).

use core::net::{IpAddr, SocketAddr};

use edge_nal::{AddrType, TcpConnect, UdpBind};
use edge_nal_embassy::{
    Dns, DnsError, Tcp, TcpBuffers, TcpError, TcpSocket, Udp, UdpBuffers, UdpError, UdpSocket,
};
use embassy_net::Stack;

/// Places in the stack's `StackResources`.
pub const WAY_OUT_SOCKETS: usize = 3;
/// What waits for its acknowledgement: a whole segment, so that a post that is made piece by piece fills its packets.
const SEND: usize = 1460;
/// What of an answer may come before it is read: servers say little, and wait when they may say no more. No host sends
/// larger segments than this unasked (RFC 9293 §3.7.1).
const RECEIVE: usize = 536;
/// The longest datagram: a time server's answer has 48 bytes, with a signature 68.
const DATAGRAM: usize = 96;

/// Its buffers: 2.4 KB. Put them into a static cell.
pub struct WayOutBuffers {
    tcp: TcpBuffers<1, SEND, RECEIVE>,
    // The answer that comes, and the one that came too late before it.
    udp: UdpBuffers<1, DATAGRAM, { 2 * DATAGRAM }, 2>,
}

impl WayOutBuffers {
    /// Free.
    #[must_use]
    pub const fn new() -> Self {
        Self { tcp: TcpBuffers::new(), udp: UdpBuffers::new() }
    }
}

impl Default for WayOutBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// Connections that the plug makes itself.
pub struct WayOut {
    tcp: Tcp<'static>,
    udp: Udp<'static>,
    dns: Dns<'static>,
}

impl WayOut {
    /// Over the stack of the network that was joined.
    #[must_use]
    pub fn new(stack: Stack<'static>, buffers: &'static WayOutBuffers) -> Self {
        let (tcp, udp) = (Tcp::new(stack, &buffers.tcp), Udp::new(stack, &buffers.udp));
        Self { tcp, udp, dns: Dns::new(stack) }
    }
}

impl TcpConnect for WayOut {
    type Error = TcpError;
    type Socket<'a> = TcpSocket<'a>;

    async fn connect(&self, remote: SocketAddr) -> Result<TcpSocket<'_>, TcpError> {
        self.tcp.connect(remote).await
    }
}

impl UdpBind for WayOut {
    type Error = UdpError;
    type Socket<'a> = UdpSocket<'a>;

    async fn bind(&self, local: SocketAddr) -> Result<UdpSocket<'_>, UdpError> {
        self.udp.bind(local).await
    }
}

impl edge_nal::Dns for WayOut {
    type Error = DnsError;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, DnsError> {
        self.dns.get_host_by_name(host, kind).await
    }

    /// Nobody asks for names, and the resolver does not have them: its own answer is `todo!()`.
    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, DnsError> {
        Err(embassy_net::dns::Error::Failed.into())
    }
}
