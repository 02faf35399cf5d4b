//! `ossp keygen`: a pair of keys. The secret one is a file as OpenSSL has it too (PKCS #8 in PEM, RFC 8410).

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use plug::update::keys::Key;

use crate::failure::Failure;
use crate::file::{self, Readers};

/// Options of `ossp keygen`.
#[derive(Args, Clone, Debug)]
pub struct KeygenOptions {
    /// The file for the secret key: keep it where nobody else gets at it, and never in a repository
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replaces a file that is there
    #[arg(long)]
    force: bool,
}

/// Makes a secret key and prints the public one that goes with it.
///
/// # Errors
/// If there is no chance to be had, or the file cannot be written.
pub fn keygen(options: &KeygenOptions) -> Result<(), Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Failure::failed(format!("this system has no random numbers ({error})")))?;
    let key = SigningKey::from_bytes(&seed);
    // Without the public key beside it: what other programs read.
    let pair = KeypairBytes { secret_key: seed, public_key: None };
    let text = pair.to_pkcs8_pem(LineEnding::LF).map_err(|error| Failure::failed(error.to_string()))?;
    file::write(&options.output, text.as_bytes(), Readers::Owner, options.force)?;
    let _ = writeln!(
        std::io::stderr(),
        "ossp: the secret key is in {}; the public one, for OSSP_UPDATE_KEY of a build or update.keys of a plug:",
        options.output.display()
    );
    writeln!(std::io::stdout(), "{}", public(&key))
        .map_err(|error| Failure::failed(format!("standard output cannot be written ({error})")))
}

/// The secret key in a file.
pub(super) fn read(path: &Path) -> Result<SigningKey, Failure> {
    let bytes = file::read(path)?;
    let text = core::str::from_utf8(&bytes).unwrap_or_default();
    SigningKey::from_pkcs8_pem(text).map_err(|_| {
        Failure::failed(format!(
            "{} holds no secret key of Ed25519 (PEM, as `ossp keygen` and `openssl genpkey -algorithm ed25519` make it)",
            path.display()
        ))
    })
}

/// The public key of a secret one.
pub(super) fn public(key: &SigningKey) -> Key {
    Key(key.verifying_key().to_bytes())
}
