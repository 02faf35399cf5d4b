//! What survives a power cut: where everything lies in the plug's data partition, and who writes it.

pub mod budget;
pub mod careful;
pub mod journal;
pub mod layout;
pub mod meter_id;
pub mod region;
pub mod totals;
