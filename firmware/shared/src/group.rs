//! The group in which hosts ask each other for names, over one of embassy's stacks.

use core::cell::{RefCell, RefMut};
use core::net::{Ipv4Addr, SocketAddr};

use edge_nal::{UdpReceive, UdpSend};
use embassy_net::udp::{BindError, PacketMetadata, RecvError, SendError, UdpSocket};
use embassy_net::{IpAddress, IpEndpoint, MulticastError, Stack};
use embedded_io_async::{ErrorKind, ErrorType};
use plug::limits;
use plug::platform::Multicast;

/// RFC 6762 §3.
const GROUP: IpAddress = IpAddress::v4(224, 0, 0, 251);
const PORT: u16 = 5353;
/// Shows that a packet came from this network (§11).
const HOP_LIMIT: u8 = 255;
/// A packet of an Ethernet without its heads. One that comes while the last is still there is lost, as on any network: it
/// is asked again.
const RECEIVE: usize = 1472;
/// Packets that wait, or go out.
const PACKETS: usize = 4;

/// Its socket's buffers: 2.3 KB. Put them into a static cell.
pub struct GroupBuffers {
    receive: [u8; RECEIVE],
    send: [u8; limits::MDNS_SAYS],
    received: [PacketMetadata; PACKETS],
    sent: [PacketMetadata; PACKETS],
}

impl GroupBuffers {
    /// Free.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            receive: [0; RECEIVE],
            send: [0; limits::MDNS_SAYS],
            received: [PacketMetadata::EMPTY; PACKETS],
            sent: [PacketMetadata::EMPTY; PACKETS],
        }
    }
}

impl Default for GroupBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// The group on the network of a stack. Takes one place of its `StackResources`, for good.
pub struct Group {
    stack: Stack<'static>,
    socket: RefCell<UdpSocket<'static>>,
    place: fn(Stack<'static>) -> Option<(Ipv4Addr, u8)>,
}

impl Group {
    /// Outside it still. The radio says which address the plug has.
    #[must_use]
    pub fn new(stack: Stack<'static>, buffers: &'static mut GroupBuffers) -> Self {
        let GroupBuffers { receive, send, received, sent } = buffers;
        let socket = RefCell::new(UdpSocket::new(stack, received, receive, sent, send));
        Self { stack, socket, place: |_| None }
    }

    /// As above, for a network without a radio: the stack says which address the plug has.
    #[must_use]
    pub fn of_cable(stack: Stack<'static>, buffers: &'static mut GroupBuffers) -> Self {
        let place = |stack: Stack<'static>| {
            stack.config_v4().map(|config| (config.address.address(), config.address.prefix_len()))
        };
        Self { place, ..Self::new(stack, buffers) }
    }
}

/// Why the group is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// Somebody is in it.
    InUse,
    /// The socket says.
    Bind(BindError),
    /// The stack says.
    Group(MulticastError),
    /// A packet was longer than the reader's room.
    Receive(RecvError),
    /// A packet does not go out.
    Send(SendError),
}

impl core::fmt::Display for GroupError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl core::error::Error for GroupError {}

impl embedded_io_async::Error for GroupError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl Multicast for Group {
    type Error = GroupError;
    type Socket<'a> = GroupSocket<'a>;

    async fn join(&self, _: Ipv4Addr) -> Result<GroupSocket<'_>, GroupError> {
        let socket = self.socket.try_borrow_mut().map_err(|_| GroupError::InUse)?;
        // What follows may fail halfway: dropping it cleans up.
        let mut socket = GroupSocket { stack: self.stack, socket };
        socket.socket.bind(PORT).map_err(GroupError::Bind)?;
        socket.socket.set_hop_limit(Some(HOP_LIMIT));
        self.stack.join_multicast_group(GROUP).map_err(GroupError::Group)?;
        Ok(socket)
    }

    fn place(&self) -> Option<(Ipv4Addr, u8)> {
        (self.place)(self.stack)
    }
}

/// In the group, until it is dropped.
pub struct GroupSocket<'a> {
    stack: Stack<'static>,
    socket: RefMut<'a, UdpSocket<'static>>,
}

impl Drop for GroupSocket<'_> {
    fn drop(&mut self) {
        self.socket.close();
        // An error says that it was not in it.
        let _ = self.stack.leave_multicast_group(GROUP);
    }
}

impl ErrorType for GroupSocket<'_> {
    type Error = GroupError;
}

impl UdpReceive for GroupSocket<'_> {
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), GroupError> {
        let (length, about) = self.socket.recv_from(buffer).await.map_err(GroupError::Receive)?;
        let IpAddress::Ipv4(from) = about.endpoint.addr;
        Ok((length, SocketAddr::from((from, about.endpoint.port))))
    }
}

impl UdpSend for GroupSocket<'_> {
    async fn send(&mut self, remote: SocketAddr, data: &[u8]) -> Result<(), GroupError> {
        let SocketAddr::V4(remote) = remote else { return Err(GroupError::Send(SendError::NoRoute)) };
        let remote = IpEndpoint::new(IpAddress::Ipv4(*remote.ip()), remote.port());
        self.socket.send_to(data, remote).await.map_err(GroupError::Send)
    }
}
