//! Firmware as files: keys, packages, and the images that the virtual plug runs.

pub mod image;
mod keys;
mod sign;
mod verify;

pub use image::{ImageOptions, make};
pub use keys::{KeygenOptions, keygen};
pub use sign::{SignOptions, sign};
pub use verify::{VerifyOptions, verify};

use plug::update::keys::Key;

/// A public key of the command line.
fn key(text: &str) -> Result<Key, String> {
    Key::parse(text)
        .ok_or_else(|| "the 64 hexadecimal digits of a public key in small letters are wanted".to_owned())
}
