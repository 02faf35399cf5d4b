//! Settings: one typed schema, checked as a whole, kept in flash as one item.

pub mod schema;

pub use schema::{Hardware, Settings};
