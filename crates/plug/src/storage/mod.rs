//! What survives a power cut: where everything lies in the plug's data partition, and who writes it.

pub mod layout;
pub mod region;
