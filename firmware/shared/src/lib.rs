//! What the shells on embassy share: TCP clients let in on one or two networks, and the clock.
#![no_std]

mod clock;
mod listener;
mod pool;
mod socket;

pub use clock::EmbassyClock;
pub use listener::{HANDSHAKE_TIMEOUT, Listener};
pub use pool::{Buffers, Pool};
pub use socket::{Reader, Socket, Writer};
