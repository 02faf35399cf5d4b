//! What survives a power cut: where everything lies in the plug's data partition, and who writes it.

mod code;
pub mod layout;
pub mod region;
pub mod relay_log;
pub mod reset;
mod sector;
pub mod trips;

pub use sector::StoreError;
