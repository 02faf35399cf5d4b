//! Packages for tests, and keys that sign them: made anew each time.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses what it needs")]

use std::fmt::Write;

use ed25519_dalek::{Signer, SigningKey};
use plug::update::image::ChipId;
use plug::update::keys::Key;
use plug::update::made::Made;
use plug::update::package::{DOMAIN, Draft, MAGIC};
use sha2::{Digest, Sha256};

/// Somebody who signs.
pub fn owner(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// Their public key.
pub fn key(number: u8) -> Key {
    Key(owner(number).verifying_key().to_bytes())
}

/// An image of the virtual plug.
pub fn image(version: &str) -> Vec<u8> {
    Made { chip: ChipId::PC, project: "ossp-firmware", version, text: "{}", size: 0 }.image()
}

/// What a manifest says of an image of the virtual plug, before anything is changed.
pub fn draft<'a>(version: &'a str, image: &[u8]) -> Draft<'a> {
    Draft {
        version,
        project: "ossp-firmware",
        chip: "pc",
        board: "virtual",
        size: image.len() as u32,
        sha256: Sha256::digest(image).into(),
        oldest: "0.1.0",
        commit: "0123456789ab",
        rustc: "1.96.0",
        espflash: "4.0.0",
        add: &[],
        retire: &[],
    }
}

/// The head of a package that these sign.
pub fn head(manifest: &str, signers: &[u8]) -> Vec<u8> {
    let message = [DOMAIN, manifest.as_bytes()].concat();
    let mut head = format!("{}{manifest}\n", std::str::from_utf8(MAGIC).unwrap());
    for signer in signers {
        let signature = owner(*signer).sign(&message).to_bytes();
        writeln!(head, "{} {}", key(*signer), plug::access::Hex(&signature)).unwrap();
    }
    head.push('\n');
    head.into_bytes()
}
