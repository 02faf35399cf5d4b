//! The body of a post, from the same text twice: first its length and hashes, then its bytes on the wire.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hmac::Mac as _;
use sha2::{Digest, Sha256};

use super::crypt::{BLOCK, Encryption, Mac, begin_mac, body_length};

/// What stands before the rows and behind them: not encoded, since it is the form's own.
pub(super) const BEFORE: &[u8] = b"data=";
/// Times are absolute.
pub(super) const BEHIND: &[u8] = b"&time=0";

/// What the head of a request needs to know of its body.
pub(super) struct Measure {
    hash: Sha256,
    /// With the key, where it is encrypted.
    mac: Option<Mac>,
    plain: usize,
    form: usize,
}

/// The same, at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// Of the body as it is sent.
    pub(super) length: usize,
    /// SHA-256 of the plain text.
    pub(super) hash: [u8; 32],
    /// Its HMAC.
    pub(super) mac: Option<[u8; 32]>,
}

impl Measure {
    pub(super) fn new(key: Option<&[u8; BLOCK]>) -> Self {
        Self { hash: Sha256::new(), mac: key.map(|key| begin_mac(key)), plain: 0, form: 0 }
    }

    fn take(&mut self, text: &[u8]) {
        self.hash.update(text);
        if let Some(mac) = &mut self.mac {
            mac.update(text);
        }
        self.plain += text.len();
    }

    /// Text of the form itself.
    pub(super) fn literal(&mut self, text: &[u8]) {
        self.take(text);
        self.form += text.len();
    }

    /// Text of a value in it.
    pub(super) fn value(&mut self, text: &[u8]) {
        self.take(text);
        self.form += text.iter().map(|byte| if is_plain(*byte) { 1 } else { 3 }).sum::<usize>();
    }

    pub(super) fn finish(self) -> Measured {
        let length = if self.mac.is_some() { body_length(self.plain) } else { self.form };
        let mac = self.mac.map(|mac| mac.finalize().into_bytes().into());
        Measured { length, hash: self.hash.finalize().into(), mac }
    }
}

/// How text becomes a body.
pub(super) enum Coding {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// As Emoncms encrypts.
    Encrypted(Box<Encryption>),
}

impl Coding {
    /// Text of the form itself.
    pub(super) fn literal(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Form => out.extend_from_slice(text),
            Self::Encrypted(encryption) => encryption.push(text, out),
        }
    }

    /// Text of a value in it.
    pub(super) fn value(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Form => text.iter().for_each(|byte| encode(*byte, out)),
            Self::Encrypted(encryption) => encryption.push(text, out),
        }
    }

    /// What is left.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        if let Self::Encrypted(encryption) = self {
            encryption.finish(out);
        }
    }
}

/// Whether a byte stands for itself in a form's value, and in a path.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Writes a byte so that it arrives as it is (RFC 3986 section 2.1).
pub(super) fn encode(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if is_plain(byte) {
        out.push(byte);
    } else {
        out.push(b'%');
        out.extend([byte >> 4, byte & 15].iter().filter_map(|half| HEX.get(usize::from(*half))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[u8] = b"[[1795378130,\"a b\",{\"power\":12.3}],[1795378140,\"a b\",{\"power\":-1e-5}]]";

    fn body(key: Option<&[u8; BLOCK]>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut coding = match key {
            Some(key) => Coding::Encrypted(Box::new(Encryption::begin(key, &[7; BLOCK], &mut out))),
            None => Coding::Form,
        };
        coding.literal(BEFORE, &mut out);
        ROWS.chunks(5).for_each(|piece| coding.value(piece, &mut out));
        coding.literal(BEHIND, &mut out);
        coding.finish(&mut out);
        out
    }

    #[test]
    fn what_is_measured_is_what_is_sent() {
        for key in [None, Some(&[3; BLOCK])] {
            let mut measure = Measure::new(key);
            measure.literal(BEFORE);
            ROWS.chunks(11).for_each(|piece| measure.value(piece));
            measure.literal(BEHIND);
            let measured = measure.finish();
            let plain = [BEFORE, ROWS, BEHIND].concat();
            assert_eq!(measured.length, body(key).len());
            assert_eq!(measured.hash, <[u8; 32]>::from(Sha256::digest(&plain)));
            assert_eq!(measured.mac.is_some(), key.is_some());
        }
    }

    #[test]
    fn a_form_is_strict() {
        let body = alloc::string::String::from_utf8(body(None)).unwrap();
        assert_eq!(
            body,
            "data=%5B%5B1795378130%2C%22a%20b%22%2C%7B%22power%22%3A12.3%7D%5D%2C%5B1795378140%2C%22a%20b%22%2C%7B\
             %22power%22%3A-1e-5%7D%5D%5D&time=0"
        );
    }
}
