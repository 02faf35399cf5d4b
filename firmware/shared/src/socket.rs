//! One client's connection: embassy-net's socket with its buffers, in the words of `edge-nal`.

use core::net::SocketAddr;

use edge_nal::{Close, Readable, TcpShutdown, TcpSplit};
use embassy_futures::join::join;
use embassy_net::Stack;
use embassy_net::tcp::{Error, TcpReader, TcpSocket, TcpWriter};
use embedded_io_async::{ErrorType, Read, Write};

use crate::listener::Place;
use crate::pool::Lease;

/// A connection. Dropping it frees its socket and buffers at once; the client hears of it when it sends next.
pub struct Socket<'l> {
    // The order matters: what is declared first is dropped first.
    pub(crate) tcp: TcpSocket<'static>,
    _buffers: Lease,
    pub(crate) place: Place<'l>,
}

impl<'l> Socket<'l> {
    pub(crate) fn new(stack: Stack<'static>, mut lease: Lease, place: Place<'l>) -> Self {
        // SAFETY: called once for this lease. The socket, the only user, leaves the stack when it is dropped, and it
        // is dropped before the lease because it is declared before it.
        let (send, receive) = unsafe { lease.buffers() };
        Self { tcp: TcpSocket::new(stack, receive, send), _buffers: lease, place }
    }

    /// The client's address; `None` once the connection is gone.
    #[must_use]
    pub fn remote(&self) -> Option<SocketAddr> {
        self.tcp.remote_endpoint().map(|client| SocketAddr::new(client.addr.into(), client.port))
    }
}

impl ErrorType for Socket<'_> {
    type Error = Error;
}

impl Read for Socket<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.tcp.read(buffer).await
    }
}

impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.tcp.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.tcp.flush().await
    }
}

impl Readable for Socket<'_> {
    async fn readable(&mut self) -> Result<(), Error> {
        self.tcp.split().0.until_readable().await
    }
}

impl TcpShutdown for Socket<'_> {
    /// Waits for the client: bound it. Dropping the future leaves the connection as far as it got.
    async fn close(&mut self, what: Close) -> Result<(), Error> {
        if matches!(what, Close::Write | Close::Both) {
            self.tcp.close();
        }
        let (mut reader, mut writer) = self.tcp.split();
        match what {
            Close::Read => reader.discard().await,
            Close::Write => writer.flush().await,
            Close::Both => {
                let (flushed, ended) = join(writer.flush(), reader.discard()).await;
                flushed.and(ended)
            }
        }
    }

    /// Waits until the reset is sent, which takes an answer of the neighbour cache at most.
    async fn abort(&mut self) -> Result<(), Error> {
        self.tcp.abort();
        self.tcp.flush().await
    }
}

impl TcpSplit for Socket<'_> {
    type Read<'a>
        = Reader<'a>
    where
        Self: 'a;
    type Write<'a>
        = Writer<'a>
    where
        Self: 'a;

    fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        let (reader, writer) = self.tcp.split();
        (Reader(reader), Writer(writer))
    }
}

/// The half of a [`Socket`] that reads.
pub struct Reader<'s>(TcpReader<'s>);

impl ErrorType for Reader<'_> {
    type Error = Error;
}

impl Read for Reader<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.0.read(buffer).await
    }
}

impl Readable for Reader<'_> {
    async fn readable(&mut self) -> Result<(), Error> {
        self.0.until_readable().await
    }
}

/// The half of a [`Socket`] that writes.
pub struct Writer<'s>(TcpWriter<'s>);

impl ErrorType for Writer<'_> {
    type Error = Error;
}

impl Write for Writer<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.0.flush().await
    }
}

trait Receive {
    async fn until_readable(&mut self) -> Result<(), Error>;
    async fn discard(&mut self) -> Result<(), Error>;
}

impl Receive for TcpReader<'_> {
    /// Until there is something to read, be it the end: embassy's `wait_read_ready` does not return for the end.
    async fn until_readable(&mut self) -> Result<(), Error> {
        // An error says that nothing will come any more, which the next read will say, too.
        let _ = self.read_with(|_| (0, ())).await;
        Ok(())
    }

    /// Reads until the client ends its side.
    async fn discard(&mut self) -> Result<(), Error> {
        while self.read_with(|bytes| (bytes.len(), bytes.len())).await.is_ok() {}
        // A reset looks the same as the end here; neither is of interest any more.
        Ok(())
    }
}
