//! Lets TCP clients in, on one network or on two.
//!
//! embassy-net knows no backlog: a client is let in by a socket that listens at that moment, one of those that wait
//! in [`Listener::accept`] side by side. With two networks each of them listens on one:
//!
//! ```text
//!              choose: open networks share          client            Socket
//!  free set ------------------------------> listen --------> shake ----------> the worker's
//!      ^                                      | ^   reset,     |
//!      +--------------------------------------+ +--- silence --+
//!        its network went down, or another one
//!        has two fewer that listen
//! ```
//!
//! `edge-nal-embassy` 0.9 has an acceptor, too, which panics when a client resets at once.

use core::cell::Cell;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Context, Poll};

use edge_nal::TcpAccept;
use embassy_futures::poll_once;
use embassy_net::Stack;
use embassy_net::tcp::{Error, State};
use embassy_time::Duration;
use plug::platform::Acceptor;

use crate::pool::Buffers;
use crate::socket::Socket;

/// How long a client may take from its first packet to its second: milliseconds on a local network, a
/// retransmission or two on a bad one. Without an end, a client that is never heard of again keeps the socket.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// A port, on as many networks as it has `STACKS`. Whoever wants to serve a client waits in `accept`, as many as
/// there are to be clients at once.
pub struct Listener<const STACKS: usize> {
    port: u16,
    buffers: &'static dyn Buffers,
    sides: [Side; STACKS],
    access_point: Option<usize>,
}

/// One network.
struct Side {
    stack: Stack<'static>,
    /// How many sockets its `StackResources` have for us: one more would be a panic in smoltcp.
    room: usize,
    active: Cell<bool>,
    /// Sockets that wait for a client.
    listening: Cell<usize>,
    /// All of ours.
    open: Cell<usize>,
}

impl<const STACKS: usize> Listener<STACKS> {
    /// Listens on `port` of each of `stacks` with buffers of a pool. Beside each stack stands how many of the sockets
    /// of its `StackResources` are for this. All stacks are active.
    #[must_use]
    pub fn new(port: u16, buffers: &'static dyn Buffers, stacks: [(Stack<'static>, usize); STACKS]) -> Self {
        let sides = stacks.map(|(stack, room)| Side {
            stack,
            room,
            active: Cell::new(true),
            listening: Cell::new(0),
            open: Cell::new(0),
        });
        Self { port, buffers, sides, access_point: None }
    }

    /// Network number `which` is the plug's own access point.
    #[must_use]
    pub fn with_access_point(self, which: usize) -> Self {
        Self { access_point: Some(which), ..self }
    }

    /// Network number `which` came up or went down: whoever waits for clients is shared out anew. Connections that
    /// are open stay.
    pub fn set_active(&self, which: usize, active: bool) {
        if let Some(side) = self.sides.get(which)
            && side.active.replace(active) != active
        {
            self.buffers.changed().wake();
        }
    }

    /// How many sockets wait for a client on network number `which`.
    #[must_use]
    pub fn listening(&self, which: usize) -> usize {
        self.sides.get(which).map_or(0, |side| side.listening.get())
    }

    /// The network that the next one should listen on.
    fn choose(&self) -> Option<&Side> {
        self.sides
            .iter()
            .filter(|side| side.has_room())
            .min_by_key(|side| (side.listening.get(), side.open.get()))
    }

    /// Whether somebody who listens on `here` were of more use on another network.
    fn is_wanted_elsewhere(&self, here: &Side) -> bool {
        !here.active.get()
            || self
                .sides
                .iter()
                .any(|side| side.has_room() && side.listening.get() + 1 < here.listening.get())
    }

    /// Waits for a free set of buffers and for a network to listen on.
    async fn socket(&self) -> Socket<'_> {
        poll_fn(|context| {
            if let Some(side) = self.choose()
                && let Some(lease) = self.buffers.lend()
            {
                return Poll::Ready(Socket::new(side.stack, lease, Place::new(side)));
            }
            self.buffers.changed().register(context.waker());
            Poll::Pending
        })
        .await
    }

    /// Waits until a client came or the socket is wanted elsewhere.
    fn poll_client(&self, socket: &Socket<'_>, context: &mut Context<'_>) -> Poll<Outcome> {
        let state = socket.tcp.state();
        if !matches!(state, State::Listen | State::SynReceived) {
            return Poll::Ready(Outcome::Came);
        }
        if STACKS > 1 {
            let side = socket.place.side;
            // Whoever is shaking hands stays, unless the network is gone.
            let may_leave = state == State::Listen || !side.active.get();
            if may_leave && self.is_wanted_elsewhere(side) {
                return Poll::Ready(Outcome::Wanted);
            }
            self.buffers.changed().register(context.waker());
        }
        // Never ready in these states, but it wakes us when the state changes.
        let _ = pin!(socket.tcp.wait_write_ready()).poll(context);
        Poll::Pending
    }
}

enum Outcome {
    /// Somebody came, and may be gone again.
    Came,
    /// Another network has fewer that listen.
    Wanted,
}

impl<const STACKS: usize> TcpAccept for Listener<STACKS> {
    type Error = Error;
    type Socket<'a> = Socket<'a>;

    /// Waits for a client. Dropping the future frees socket and buffers; a client that was shaking hands is lost.
    async fn accept(&self) -> Result<(SocketAddr, Socket<'_>), Error> {
        'choose: loop {
            let mut socket = self.socket().await;
            loop {
                socket.tcp.set_timeout(Some(HANDSHAKE_TIMEOUT));
                // The first poll of embassy's `accept` makes it listen; from then on we look ourselves.
                if let Poll::Ready(Err(_)) = poll_once(socket.tcp.accept(self.port)) {
                    // Only port 0 comes here.
                    return Err(Error::ConnectionReset);
                }
                if let Outcome::Wanted = poll_fn(|context| self.poll_client(&socket, context)).await {
                    drop(socket);
                    continue 'choose;
                }
                // A client that reset at once has left no address, one that fell silent a closed socket.
                if let Some(client) = socket.remote()
                    && socket.tcp.state() != State::Closed
                {
                    // From here on the web layer has its own time-outs.
                    socket.tcp.set_timeout(None);
                    socket.place.connected();
                    if STACKS > 1 {
                        self.buffers.changed().wake();
                    }
                    return Ok((client, socket));
                }
            }
        }
    }
}

impl<const STACKS: usize> Acceptor for Listener<STACKS> {
    fn by_access_point(&self, socket: &Socket<'_>) -> bool {
        let own = self.access_point.and_then(|which| self.sides.get(which));
        own.is_some_and(|own| core::ptr::eq(own, socket.place.side))
    }
}

impl Side {
    fn has_room(&self) -> bool {
        self.active.get() && self.open.get() < self.room
    }
}

/// A socket's place in the count of its network.
pub(crate) struct Place<'l> {
    side: &'l Side,
    listens: bool,
}

impl<'l> Place<'l> {
    fn new(side: &'l Side) -> Self {
        side.open.set(side.open.get() + 1);
        side.listening.set(side.listening.get() + 1);
        Self { side, listens: true }
    }

    fn connected(&mut self) {
        if core::mem::replace(&mut self.listens, false) {
            self.side.listening.set(self.side.listening.get() - 1);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.connected();
        self.side.open.set(self.side.open.get() - 1);
    }
}
