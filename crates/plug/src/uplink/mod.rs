//! The uplink: brings the log's rows to the owner's Emoncms, each once or overwritten by itself, and none lost on the way.
//!
//! ```text
//!            settings, network, clock              answers, classified
//!                      |                                   |
//!   history::Rows --> Machine --Action--> run --> batch --> body (encrypted or plain) --> ledger::Outside
//!                      ^                   |
//!                      +----- Outcome -----+--> cursor (flash), State::uplink (web)
//! ```
//!
//! Glossary: a *batch* is the rows of one post; the *cursor* is the time of the newest row that the server is known to
//! have; its *fingerprint* says which server, node and key that is true for; a row is *set aside* when the server refuses
//! it alone; a refusal is *systemic* when it is not about a row.

pub mod answer;
pub mod batch;
mod body;
mod client;
mod crypt;
pub mod cursor;
pub mod http;
pub mod machine;
pub mod resume;
pub mod status;
mod task;
mod text;

pub use cursor::CursorStore;
pub use status::{Conflict, NoTest, State, TestReport, Uplink, UplinkStatus};
pub use task::{Way, node_of, run};
