//! What the `ossp` program is made of, as a library, so that tests and fuzz targets reach it.

pub mod recording;
pub mod sim;
