//! What survives a power cut: where everything lies in the plug's data partition, and who writes it.
//!
//! `layout` has the places, `region` makes a flash of each. Every store stands in a file of its own; [`keeper`] opens
//! them all and has the tasks that write, [`archive`] is where the web asks for what only the flash knows.

pub mod archive;
pub mod before;
pub mod budget;
pub mod careful;
pub(crate) mod code;
pub(crate) mod halves;
pub mod import;
pub(crate) mod item;
pub mod journal;
pub mod keeper;
pub mod layout;
pub mod meter_id;
pub mod region;
pub mod relay_log;
pub mod reset;
pub(crate) mod sector;
pub mod totals;
pub mod trips;

pub use sector::StoreError;
