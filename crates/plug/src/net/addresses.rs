//! Addresses for whoever comes to the access point: a DHCP server (RFC 2131) on one socket.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use edge_dhcp::server::{Server, ServerOptions};
use edge_dhcp::{Options, Packet};
use edge_nal::UdpBind;

use super::datagrams::{self, Answers};
use crate::limits;
use crate::platform::Clock;

/// Port of DHCP servers (RFC 2131 §4.1).
pub const PORT: u16 = 67;
/// Where a client is that has no address yet: everywhere, on the port of DHCP clients.
const NOBODY_YET: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));

/// Hands out addresses on `port` ([`PORT`]; another one in tests) of `sockets`, which reach the access point only.
/// Runs for ever: what a client sends never ends it, and after an error of the socket it rests and binds anew.
/// Dropping the future forgets who has which address.
pub async fn serve<U: UdpBind, C: Clock>(sockets: &U, clock: &C, port: u16) -> ! {
    let mut pool = Pool::new(|| clock.now().since_start().as_secs());
    datagrams::serve(sockets, clock, port, limits::DHCP_PACKET, &mut pool).await
}

impl<F: FnMut() -> u64> Answers for Pool<F> {
    fn answer(&mut self, packet: &mut [u8], length: usize) -> Option<usize> {
        Self::answer(self, packet, length)
    }

    fn destination(&self, sender: SocketAddr) -> SocketAddr {
        destination(sender)
    }
}

/// Who sent from an address is answered there; who has none cannot be reached but by all (RFC 2131 §4.1). The flag
/// that asks for the latter need not be looked at: it comes from clients without an address.
fn destination(sender: SocketAddr) -> SocketAddr {
    if sender.ip().is_unspecified() { NOBODY_YET } else { sender }
}

/// Who has which address: what a packet is answered with, without a socket (and so what is fuzzed).
pub struct Pool<F>(Server<F, { limits::ACCESS_POINT_POOL }>);

impl<F: FnMut() -> u64> Pool<F> {
    /// All free; `now` gives seconds.
    #[must_use]
    pub fn new(now: F) -> Self {
        let mut server = Server::new(now, limits::ACCESS_POINT_ADDRESS);
        let first = u32::from(limits::ACCESS_POINT_ADDRESS) + 1;
        server.range_start = first.into();
        server.range_end = (first + limits::ACCESS_POINT_POOL as u32 - 1).into();
        Self(server)
    }

    /// Answers the first `length` bytes of `packet` in its place; returns the answer's length, or `None` where
    /// nothing is to be said.
    pub fn answer(&mut self, packet: &mut [u8], length: usize) -> Option<usize> {
        let own = [limits::ACCESS_POINT_ADDRESS];
        let mut options = ServerOptions::new(limits::ACCESS_POINT_ADDRESS, None);
        options.gateways = &own;
        options.dns = &own;
        options.lease_duration_secs = limits::ACCESS_POINT_LEASE.as_secs() as u32;
        let mut room = Options::buf();
        // A packet that was longer than there is room is not complete.
        let request = Packet::decode(packet.get(..length)?).ok()?;
        let reply = self.0.handle_request(&mut room, &options, &request)?;
        reply.encode(packet).ok().map(<[u8]>::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::cell::Cell;

    const DISCOVER: u8 = 1;
    const REQUEST: u8 = 3;
    const RELEASE: u8 = 7;

    /// A client's packet as RFC 2131 §2 has it; made here, so that both directions are not of one hand.
    fn packet(kind: u8, client: u8, wanted: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = alloc::vec![0; 240];
        bytes[..4].copy_from_slice(&[1, 1, 6, 0]);
        bytes[4..8].copy_from_slice(&[0xca, 0xfe, 0, client]);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, client]);
        bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
        bytes.extend([53, 1, kind]);
        if let Some(wanted) = wanted {
            bytes.extend([50, 4]);
            bytes.extend(wanted);
        }
        if kind == RELEASE {
            bytes.extend([54, 4, 192, 168, 4, 1]);
        }
        bytes.extend([55, 3, 1, 3, 6, 255]);
        bytes
    }

    /// Kind and address of the answer.
    fn ask<F: FnMut() -> u64>(pool: &mut Pool<F>, request: &[u8]) -> Option<(u8, [u8; 4])> {
        let mut buffer = alloc::vec![0; limits::DHCP_PACKET];
        buffer[..request.len()].copy_from_slice(request);
        let length = pool.answer(&mut buffer, request.len())?;
        let reply = &buffer[..length];
        assert_eq!((reply[0], &reply[4..8]), (2, &request[4..8]));
        assert_eq!(reply[28..34], request[28..34]);
        assert_eq!(reply[236..242], [99, 130, 83, 99, 53, 1]);
        Some((reply[242], reply[16..20].try_into().unwrap()))
    }

    #[test]
    fn eight_clients_have_an_address_and_the_ninth_when_one_leaves_or_sleeps() {
        let now = Cell::new(0);
        let mut pool = Pool::new(|| now.get());
        for client in 0..8 {
            let address = [192, 168, 4, 2 + client];
            assert_eq!(ask(&mut pool, &packet(DISCOVER, client, None)), Some((2, address)));
            assert_eq!(ask(&mut pool, &packet(REQUEST, client, Some(address))), Some((5, address)));
        }
        // Its own address again, whatever it asks for.
        assert_eq!(ask(&mut pool, &packet(DISCOVER, 3, None)), Some((2, [192, 168, 4, 5])));
        assert_eq!(ask(&mut pool, &packet(DISCOVER, 9, None)), None);
        assert_eq!(ask(&mut pool, &packet(REQUEST, 9, Some([192, 168, 4, 4]))), Some((6, [0; 4])));
        assert_eq!(ask(&mut pool, &packet(REQUEST, 9, Some([10, 0, 0, 4]))), Some((6, [0; 4])));
        assert_eq!(ask(&mut pool, &packet(RELEASE, 5, None)), None);
        assert_eq!(ask(&mut pool, &packet(DISCOVER, 9, None)), Some((2, [192, 168, 4, 7])));
        assert_eq!(ask(&mut pool, &packet(REQUEST, 9, Some([192, 168, 4, 7]))), Some((5, [192, 168, 4, 7])));
        assert_eq!(ask(&mut pool, &packet(DISCOVER, 10, None)), None);
        now.set(limits::ACCESS_POINT_LEASE.as_secs() + 1);
        assert!(ask(&mut pool, &packet(DISCOVER, 10, None)).is_some());
    }

    #[test]
    fn router_names_mask_and_lease_are_told() {
        let mut pool = Pool::new(|| 0);
        let mut buffer = packet(DISCOVER, 1, None);
        let length = buffer.len();
        buffer.resize(limits::DHCP_PACKET, 0);
        let length = pool.answer(&mut buffer, length).unwrap();
        let mut options = &buffer[243..length];
        let mut found = Vec::new();
        while options[0] != 255 {
            let end = 2 + usize::from(options[1]);
            found.push((options[0], options[2..end].to_vec()));
            options = &options[end..];
        }
        let own = [192, 168, 4, 1].to_vec();
        assert!(found.contains(&(3, own.clone())) && found.contains(&(6, own.clone())), "{found:?}");
        assert!(found.contains(&(54, own)) && found.contains(&(1, [255, 255, 255, 0].to_vec())));
        assert!(found.contains(&(51, limits::ACCESS_POINT_LEASE.as_secs().to_be_bytes()[4..].to_vec())));
    }

    /// Changed bytes, cut ends, wrong lengths: an answer or none, never a panic.
    #[test]
    fn nothing_that_arrives_ends_it() {
        let mut pool = Pool::new(|| 0);
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for round in 0..50_000 {
            let mut buffer = packet([DISCOVER, REQUEST, RELEASE][random(3)], random(256) as u8, None);
            if round % 3 == 0 {
                let length = random(buffer.len() + 1);
                buffer.truncate(length);
            }
            for _ in 0..random(6) {
                let length = buffer.len().max(1);
                // The options are where it gets interesting.
                let at = if random(2) == 0 { random(length) } else { (236 + random(24)).min(length - 1) };
                if let Some(byte) = buffer.get_mut(at) {
                    *byte = random(256) as u8;
                }
            }
            let length = if random(50) == 0 { random(2000) } else { buffer.len() };
            buffer.resize(limits::DHCP_PACKET, random(256) as u8);
            let _ = pool.answer(&mut buffer, length);
        }
    }
}
