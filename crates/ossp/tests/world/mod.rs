//! A world in simulated time: plugs that run the real `run_rest`, a network between them and a stand-in Emoncms, and
//! nothing that looks at a clock on the wall.
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses what it needs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

pub mod check;
pub mod datagrams;
pub mod load;
pub mod network;
pub mod plug;
pub mod time;

pub use check::{
    WRITE_KEY, assert_ends_with_the_newest, assert_merged_slots, assert_repeats_are_equal, assert_slots,
    emoncms, last_slot, times, until_up_to_date,
};
pub use load::{Load, Slot, Truth};
pub use network::{Link, Network};
pub use plug::{NODE, Plug, PlugOptions, Running, settings};
pub use time::{EPOCH, World};
