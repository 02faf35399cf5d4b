//! What leaves the plug: the gate that all outbound traffic goes through, and the book in which it stands.
//!
//! ```text
//!   uplink, timekeeping --> Outside --> DNS, TCP, UDP        the only one in here that holds the network
//!                              |
//!                              v
//!                           Ledger --> GET /api/v1/ledger    destinations by hour, connections, bodies
//! ```
//!
//! A *destination* is a host with its port and the purpose for which it is contacted; looking up a host's address is a
//! destination of its own. What answers somebody who asked the plug (the web, DHCP on the access point) does not go
//! through the gate, nor does what keeps the plug on its network (DHCP, ARP). What the plug says of its name
//! ([`crate::net::mdns`]) goes to everybody on that network by a socket of its own, and is counted in the book.

mod book;
mod connection;
mod gate;
mod mask;
mod names;
mod purpose;

pub(crate) use mask::mask;

pub use book::{Body, Destination, Entry, Hour, Kept, Ledger, Record, Sums};
pub use connection::Connection;
pub use gate::{Answered, Outside};
pub use purpose::{Outcome, OutsideError, Place, Purpose};
