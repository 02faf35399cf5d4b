//! A network with one server in it.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use edge_nal::{AddrType, Close, Dns, NoopNet, Readable, TcpConnect, TcpShutdown, TcpSplit, UdpBind};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use super::emoncms::{Emoncms, Mood};
use super::{IdleClock, unix};

/// Time that a request takes at least.
const ROUND_TRIP_S: f64 = 0.05;

pub(crate) struct Net<'a> {
    pub(crate) clock: &'a IdleClock,
    pub(crate) emoncms: &'a Emoncms,
}

impl Dns for Net<'_> {
    type Error = ErrorKind;

    async fn get_host_by_name(&self, host: &str, _: AddrType) -> Result<IpAddr, ErrorKind> {
        assert_eq!(host.trim_end_matches(".local"), "emonpi");
        if host != "emonpi" || self.emoncms.mood() == Mood::NoName {
            Err(ErrorKind::ConnectionReset)
        } else {
            Ok(Ipv4Addr::new(10, 0, 0, 1).into())
        }
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::ConnectionReset)
    }
}

impl UdpBind for Net<'_> {
    type Error = std::convert::Infallible;
    type Socket<'a>
        = NoopNet
    where
        Self: 'a;

    async fn bind(&self, _: SocketAddr) -> Result<NoopNet, std::convert::Infallible> {
        panic!("nobody asks for the time here")
    }
}

impl TcpConnect for Net<'_> {
    type Error = ErrorKind;
    type Socket<'a>
        = Socket<'a>
    where
        Self: 'a;

    async fn connect(&self, to: SocketAddr) -> Result<Socket<'_>, ErrorKind> {
        assert_eq!(to, SocketAddr::from(([10, 0, 0, 1], 80)));
        match self.emoncms.mood() {
            Mood::Away => Err(ErrorKind::ConnectionReset),
            Mood::Vanished => pending().await,
            _ => Ok(Socket { net: self, request: Vec::new(), answer: None, at: 0 }),
        }
    }
}

/// A connection: what was asked, and what is answered once it is whole.
pub(crate) struct Socket<'a> {
    net: &'a Net<'a>,
    request: Vec<u8>,
    answer: Option<Vec<u8>>,
    at: usize,
}

impl ErrorType for Socket<'_> {
    type Error = ErrorKind;
}

impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if let Mood::ResetsAfter(most) = self.net.emoncms.mood()
            && self.request.len() + bytes.len() > most
        {
            return Err(ErrorKind::ConnectionReset);
        }
        // As a small buffer of a network takes it.
        let count = bytes.len().min(700);
        self.request.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Read for Socket<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        use plug::platform::Clock as _;
        if let Mood::ResetsAfter(_) = self.net.emoncms.mood() {
            return Err(ErrorKind::ConnectionReset);
        }
        if self.answer.is_none() {
            let clock = self.net.clock;
            clock.sleep_until(clock.now().after(std::time::Duration::from_secs_f64(ROUND_TRIP_S))).await;
            self.answer = self.net.emoncms.answer(&self.request, unix(clock));
        }
        let Some(answer) = &self.answer else { pending().await };
        // In pieces that end anywhere.
        let count = bytes.len().min(97).min(answer.len() - self.at);
        bytes[..count].copy_from_slice(&answer[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl Readable for Socket<'_> {
    async fn readable(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl TcpShutdown for Socket<'_> {
    async fn close(&mut self, _: Close) -> Result<(), ErrorKind> {
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// A half of nothing: the gate does not split.
pub(crate) struct Half;

impl ErrorType for Half {
    type Error = ErrorKind;
}

impl Read for Half {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::ConnectionReset)
    }
}

impl Write for Half {
    async fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::ConnectionReset)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Err(ErrorKind::ConnectionReset)
    }
}

impl Readable for Half {
    async fn readable(&mut self) -> Result<(), ErrorKind> {
        Err(ErrorKind::ConnectionReset)
    }
}

impl TcpSplit for Socket<'_> {
    type Read<'a>
        = Half
    where
        Self: 'a;
    type Write<'a>
        = Half
    where
        Self: 'a;

    fn split(&mut self) -> (Half, Half) {
        (Half, Half)
    }
}
