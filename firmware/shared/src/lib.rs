//! What the shells on embassy share: TCP clients let in on one or two networks, the way out, the clock, the
//! time server that the network names, and the group for names.
#![no_std]

mod clock;
mod group;
mod listener;
mod pool;
#[cfg(target_arch = "riscv32")]
mod save_restore;
mod socket;
mod time_server;
mod way_out;

pub use clock::EmbassyClock;
pub use group::{Group, GroupBuffers, GroupError, GroupSocket};
pub use listener::{HANDSHAKE_TIMEOUT, Listener};
pub use pool::{Buffers, Pool};
pub use socket::{Reader, Socket, Writer};
pub use time_server::{AskingForTime, Looked, NamedTimeServer};
pub use way_out::{WAY_OUT_SOCKETS, WayOut, WayOutBuffers};
