//! What the servers of the access point have in common: one socket, one buffer, an answer for each datagram.

use alloc::vec;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use edge_nal::{UdpBind, UdpReceive, UdpSend};

use crate::limits;
use crate::platform::Clock;

/// What a server says and to whom.
pub(super) trait Answers {
    /// Answers the first `length` bytes of `packet` in its place; the answer's length, or `None` where nothing is to be
    /// said.
    fn answer(&mut self, packet: &mut [u8], length: usize) -> Option<usize>;
    /// Where the answer to what `sender` asked goes.
    fn destination(&self, sender: SocketAddr) -> SocketAddr;
}

/// Answers on `port` of `sockets` with datagrams of at most `longest` bytes. Runs for ever: what a client sends never
/// ends it, and after an error of the socket it rests and binds anew.
pub(super) async fn serve<U: UdpBind, C: Clock>(
    sockets: &U,
    clock: &C,
    port: u16,
    longest: usize,
    server: &mut dyn Answers,
) -> ! {
    let place = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    let mut packet = vec![0; longest];
    loop {
        if let Ok(mut socket) = sockets.bind(place).await {
            while let Ok((length, sender)) = socket.receive(&mut packet).await {
                let Some(length) = server.answer(&mut packet, length) else { continue };
                let Some(reply) = packet.get(..length) else { continue };
                // Who cannot be reached asks again; it must not keep others waiting.
                let _ = socket.send(server.destination(sender), reply).await;
            }
        }
        clock.sleep_until(clock.now().after(limits::ACCESS_POINT_PAUSE)).await;
    }
}
