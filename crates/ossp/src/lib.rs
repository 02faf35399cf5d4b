//! What the `ossp` program is made of, as a library, so that tests and fuzz targets reach it.

pub mod discover;
pub mod failure;
mod file;
pub mod host;
mod once;
pub mod owner;
pub mod pack;
mod printable;
pub mod provision;
pub mod recording;
pub mod remote;
pub mod replay;
pub mod run;
pub mod sim;
pub mod stand_in;
