//! Datagrams: what is sent to the time server is answered, if it gets there.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use edge_nal::io::ErrorType;
use edge_nal::{
    MulticastV4, MulticastV6, Readable, UdpBind, UdpReceive, UdpSend, UdpSplit, UdpSplitMulticast,
};

use super::network::{Link, NetworkError, TIME_SERVER};

/// Seconds from 1900 to 1970 (RFC 5905).
const NTP_EPOCH: f64 = 2_208_988_800.0;

/// When it is there, its bytes, who sent it.
type Datagram = (Duration, Vec<u8>, SocketAddr);

/// A socket for datagrams; what is sent to the time server is answered.
pub struct Datagrams {
    link: Link,
    answer: Rc<RefCell<Option<Datagram>>>,
    reader: Rc<RefCell<Option<Waker>>>,
}

impl UdpBind for Link {
    type Error = NetworkError;
    type Socket<'a> = Datagrams;

    async fn bind(&self, _: SocketAddr) -> Result<Datagrams, NetworkError> {
        self.network().ask();
        Ok(Datagrams { link: self.clone(), answer: Rc::default(), reader: Rc::default() })
    }
}

impl ErrorType for Datagrams {
    type Error = NetworkError;
}

impl UdpSend for Datagrams {
    async fn send(&mut self, remote: SocketAddr, data: &[u8]) -> Result<(), NetworkError> {
        let network = self.link.network();
        // What is lost is lost: nobody sends a datagram again.
        let there = network.takes_datagram(&self.link);
        if there && remote == SocketAddr::new(TIME_SERVER, 123) && data.len() >= 48 {
            let way = network.latency();
            let arrives = network.world().unix() + way.as_secs_f64() + network.time_error_s();
            let packet = time_packet(data, arrives);
            self.answer.replace(Some((network.world().now() + way * 2, packet, remote)));
            if let Some(waker) = self.reader.borrow_mut().take() {
                waker.wake();
            }
        }
        Ok(())
    }
}

/// A server's answer (RFC 5905 §7.3): stratum 2, the client's own time stamp back, received and sent at once.
fn time_packet(request: &[u8], unix: f64) -> Vec<u8> {
    let mut packet = vec![0; 48];
    packet[..4].copy_from_slice(&[0x24, 2, 6, 0xec]);
    packet[12..16].copy_from_slice(b"TEST");
    packet[24..32].copy_from_slice(&request[40..48]);
    let stamp = ((unix + NTP_EPOCH) * 4_294_967_296.0) as u128 as u64;
    for at in [16, 32, 40] {
        packet[at..at + 8].copy_from_slice(&stamp.to_be_bytes());
    }
    packet
}

impl UdpReceive for Datagrams {
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), NetworkError> {
        self.readable().await?;
        let (_, data, from) = self.answer.borrow_mut().take().unwrap();
        let count = data.len().min(buffer.len());
        buffer[..count].copy_from_slice(&data[..count]);
        Ok((count, from))
    }
}

impl Readable for Datagrams {
    async fn readable(&mut self) -> Result<(), NetworkError> {
        let at = poll_fn(|context| match &*self.answer.borrow() {
            Some((at, ..)) => Poll::Ready(*at),
            None => {
                self.reader.replace(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await;
        self.link.network().world().sleep_until(at).await;
        Ok(())
    }
}

impl UdpSplit for Datagrams {
    type Receive<'a> = Self;
    type Send<'a> = Self;

    fn split(&mut self) -> (Self, Self) {
        let other =
            || Self { link: self.link.clone(), answer: self.answer.clone(), reader: self.reader.clone() };
        (other(), other())
    }
}

impl UdpSplitMulticast for Datagrams {
    type MulticastV4<'a> = Self;
    type MulticastV6<'a> = Self;

    fn split_multicast(&mut self) -> (Self, Self, Self, Self) {
        let ((a, b), (c, d)) = (self.split(), self.split());
        (a, b, c, d)
    }
}

impl MulticastV4 for Datagrams {
    async fn join_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), NetworkError> {
        Ok(())
    }

    async fn leave_v4(&mut self, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), NetworkError> {
        Ok(())
    }
}

impl MulticastV6 for Datagrams {
    async fn join_v6(&mut self, _: Ipv6Addr, _: u32) -> Result<(), NetworkError> {
        Ok(())
    }

    async fn leave_v6(&mut self, _: Ipv6Addr, _: u32) -> Result<(), NetworkError> {
        Ok(())
    }
}
