//! What survives a power cut: where everything lies in the plug's data partition, and who writes it.

pub mod budget;
pub mod journal;
mod code;
pub mod layout;
pub mod meter_id;
pub mod region;
pub mod totals;
pub mod relay_log;
pub mod reset;
mod sector;
pub mod trips;

pub use sector::StoreError;
