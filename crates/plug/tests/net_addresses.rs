//! The access point's addresses over real sockets on the loopback.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::cell::Cell;
use std::net::UdpSocket;
use std::time::Duration;

use edge_dhcp::{DhcpOption, MessageType, Options, Packet};
use edge_nal::UdpBind;
use edge_nal_std::Stack;
use plug::limits;
use plug::net::addresses::serve;
use plug::platform::{Clock, Instant};

struct RealClock(std::time::Instant);

impl Clock for RealClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.0.elapsed())
    }

    async fn sleep_until(&self, moment: Instant) {
        async_io::Timer::at(self.0 + moment.since_start()).await;
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}

/// Sockets that cannot be had at the first two attempts: the access point is just opening.
struct Late(Stack, Cell<u32>);

impl UdpBind for Late {
    type Error = std::io::Error;
    type Socket<'a> = <Stack as UdpBind>::Socket<'a>;

    async fn bind(&self, local: std::net::SocketAddr) -> Result<Self::Socket<'_>, Self::Error> {
        self.1.set(self.1.get() + 1);
        if self.1.get() < 3 {
            Err(std::io::ErrorKind::AddrNotAvailable.into())
        } else {
            self.0.bind(local).await
        }
    }
}

/// A server on a free port, and a client's socket that knows it.
fn serving() -> UdpSocket {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::thread::spawn(move || {
        let sockets = Late(Stack::new(), Cell::new(0));
        async_io::block_on(serve(&sockets, &RealClock(std::time::Instant::now()), port));
    });
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    client
}

/// Sends and waits for the answer: its kind, its address and its lease.
fn ask(socket: &UdpSocket, client: u8, options: Options<'_>) -> Option<(MessageType, [u8; 4])> {
    let request = Packet::new_request([2, 0, 0, 0, 1, client], 77, 0, None, false, options);
    let mut buffer = [0; 1024];
    socket.send(request.encode(&mut buffer).unwrap()).ok()?;
    let length = socket.recv(&mut buffer).ok()?;
    let reply = Packet::decode(&buffer[..length]).unwrap();
    assert!(reply.is_for_us(&[2, 0, 0, 0, 1, client], 77));
    let kind = reply.options.iter().find_map(|option| match option {
        DhcpOption::MessageType(kind) => Some(kind),
        _ => None,
    });
    if kind == Some(MessageType::Ack) {
        let lease = limits::ACCESS_POINT_LEASE.as_secs() as u32;
        assert!(reply.options.iter().any(|option| option == DhcpOption::IpAddressLeaseTime(lease)));
    }
    Some((kind.unwrap(), reply.yiaddr.octets()))
}

fn discover(socket: &UdpSocket, client: u8) -> Option<(MessageType, [u8; 4])> {
    ask(socket, client, Options::discover(None, &mut Options::buf()))
}

fn request(socket: &UdpSocket, client: u8, address: [u8; 4]) -> Option<(MessageType, [u8; 4])> {
    ask(socket, client, Options::request(address.into(), &mut Options::buf()))
}

#[test]
fn clients_get_addresses_whatever_else_arrives() {
    let socket = serving();
    // It binds at the third attempt; until then nobody answers.
    let mut attempts = 0;
    while discover(&socket, 0).is_none() {
        attempts += 1;
        assert!(attempts < 60, "it never came up");
        std::thread::sleep(Duration::from_millis(100));
    }
    for client in 0..limits::ACCESS_POINT_POOL as u8 {
        let address = [192, 168, 4, 2 + client];
        assert_eq!(discover(&socket, client), Some((MessageType::Offer, address)));
        for garbage in [&[][..], &[1], &[0xff; 300], &[1, 1, 6, 0], &[0; 1400]] {
            socket.send(garbage).unwrap();
        }
        assert_eq!(request(&socket, client, address), Some((MessageType::Ack, address)));
    }
    // All are taken: no offer, and a claim is refused.
    assert_eq!(discover(&socket, 99), None);
    assert_eq!(request(&socket, 99, [192, 168, 4, 3]), Some((MessageType::Nak, [0; 4])));
    // Who has one keeps it.
    assert_eq!(request(&socket, 3, [192, 168, 4, 5]), Some((MessageType::Ack, [192, 168, 4, 5])));
}
