//! Emoncms' encrypted transport: AES-128-CBC under the write key, an HMAC of the plaintext before it, its hash after it.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::account::Account;
use super::form::Fields;
use super::input::{hex, inflated};

/// An accepted body.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// Its fields.
    pub fields: Fields,
    /// What the answer says on success: the plaintext's hash.
    pub hash: String,
}

/// The content types of this transport, spelled exactly so.
#[must_use]
pub fn is_encrypted(content_type: &str) -> bool {
    matches!(content_type, "aes128cbc" | "aes128cbcgz")
}

/// Opens a body.
///
/// # Errors
/// Emoncms' bare sentence.
pub fn open(
    account: &Account,
    content_type: &str,
    authorization: Option<&str>,
    body: &[u8],
) -> Result<Opened, &'static str> {
    let authorization = authorization.ok_or("missing authorization header")?;
    let mut parts = authorization.split(':');
    let (Some(user), Some(sent), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err("authorization header format should be userid:hmac");
    };
    if user != account.user_id.to_string() {
        return Err("User not found");
    }
    if body.is_empty() {
        return Err("no content in post body");
    }
    let key = hex(account.write_key.as_bytes()).unwrap_or_default();
    // Where it cannot be decrypted PHP goes on with an empty text, whose HMAC nobody sends.
    let plaintext = base64_decoded(body).and_then(|sealed| decrypted(&key, &sealed)).unwrap_or_default();
    if sent != hmac_of(&key, &plaintext) {
        return Err("invalid data");
    }
    let text = if content_type == "aes128cbcgz" {
        inflated(&plaintext).unwrap_or_default()
    } else {
        plaintext.clone()
    };
    Ok(Opened { fields: split(&text), hash: base64url(&Sha256::digest(&plaintext)) })
}

/// Split on `&` and `=`, nothing decoded; what has not exactly one `=` is left out.
fn split(text: &[u8]) -> Fields {
    let mut fields = Fields::default();
    for chunk in text.split(|byte| *byte == b'&') {
        let mut halves = chunk.split(|byte| *byte == b'=');
        if let (Some(name), Some(value), None) = (halves.next(), halves.next(), halves.next()) {
            fields.add(&String::from_utf8_lossy(name), value);
        }
    }
    fields
}

fn decrypted(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (iv, rest) = sealed.split_at_checked(16)?;
    let opener = cbc::Decryptor::<Aes128>::new_from_slices(key, iv).ok()?;
    opener.decrypt_padded_vec::<Pkcs7>(rest).ok()
}

fn hmac_of(key: &[u8], text: &[u8]) -> String {
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return String::new() };
    mac.update(text);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// base64url with its padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            let letter = usize::try_from(index).ok().and_then(|index| ALPHABET.get(index)).copied();
            text.push(if place <= group.len() { char::from(letter.unwrap_or(b'=')) } else { '=' });
        }
    }
    text
}

/// base64url or standard base64, padded or not; what is no letter of either is skipped, as PHP does.
fn base64_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for letter in text {
        let letter = match letter {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        let Some(value) = ALPHABET.iter().position(|other| *other == letter) else { continue };
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0x3fff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}
