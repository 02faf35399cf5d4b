//! What the shells on embassy share: TCP clients let in on one or two networks, the way out, and the clock.
#![no_std]

mod clock;
mod listener;
mod pool;
mod socket;
mod way_out;

pub use clock::EmbassyClock;
pub use listener::{HANDSHAKE_TIMEOUT, Listener};
pub use pool::{Buffers, Pool};
pub use socket::{Reader, Socket, Writer};
pub use way_out::{WAY_OUT_SOCKETS, WayOut, WayOutBuffers};
