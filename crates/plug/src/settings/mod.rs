//! Settings: one typed schema, checked as a whole, kept in flash as one item.
//!
//! `schema` has the types, `fields` the table of all fields with their ranges, `rules` what fields have to do with each
//! other. `patch` takes a change, `write` makes JSON, `store` keeps it in the flash, `desk` is where a change waits for
//! the one task that stores it ([`run`]).

mod calibration;
mod entries;
mod field;
mod fields;
mod migrate;
mod patch;
mod rules;
pub mod schema;
mod store;
mod stored;
mod write;
mod wrong;

pub use field::Secrets;
pub use patch::{Refusal, patch};
pub use schema::{Basis, Hardware, Settings};
pub use store::{Found, STORED_MOST, SaveError, SettingsStore, Trouble};
pub use write::{etag, json_length, write_json};
pub use wrong::{WRONG_MOST, Wanted, Wrong, WrongField};
