//! Emoncms' own encryption: AES-128-CBC, HMAC-SHA256 and base64url, as a real server was seen to take them.
//!
//! A body is base64url of a fresh random start value and the encrypted text (PKCS#7), without padding signs. Key of both is
//! the write key. The HMAC is over the plain text, and goes in front, in `Authorization`; the answer to a success is the
//! SHA-256 of the plain text. Nothing of that keeps anybody from sending an old body again, so each row has its time.

use alloc::vec::Vec;

use aes::Aes128;
use cbc::Encryptor;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::digest::Key;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// Bytes of a block, a key and a start value.
pub(super) const BLOCK: usize = 16;
/// Digits of base64url (RFC 4648 §5).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A key as its bytes; `None` if it is not 32 hexadecimal digits.
pub(super) fn key_bytes(key: &str) -> Option<[u8; BLOCK]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; BLOCK];
    let (pairs, rest) = key.as_bytes().as_chunks();
    if pairs.len() != BLOCK || !rest.is_empty() {
        return None;
    }
    for (to, [high, low]) in bytes.iter_mut().zip(pairs) {
        *to = (digit(*high)? << 4 | digit(*low)?) as u8;
    }
    Some(bytes)
}

/// The MAC of a text that comes in pieces.
pub(super) type Mac = Hmac<Sha256>;

/// Begins a MAC with a key that is shorter than a block.
pub(super) fn begin_mac(key: &[u8]) -> Mac {
    // It is padded with zeros (RFC 2104 section 2).
    let mut block = Key::<Mac>::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Mac::new(&block)
}

/// How long the body of a plain text of `length` bytes is.
pub(super) const fn body_length(length: usize) -> usize {
    // The start value, and at least one byte of padding.
    let bytes = BLOCK + (length / BLOCK + 1) * BLOCK;
    (bytes * 4).div_ceil(3)
}

/// Encrypts a text that comes in pieces.
pub(super) struct Encryption {
    cbc: Encryptor<Aes128>,
    /// Text that does not fill a block yet.
    block: [u8; BLOCK],
    filled: usize,
    digits: Base64,
}

impl Encryption {
    /// Begins, and writes the start value, which must be a random one that was never used before.
    pub(super) fn begin(key: &[u8; BLOCK], start: &[u8; BLOCK], out: &mut Vec<u8>) -> Self {
        let mut digits = Base64::default();
        digits.push(start, out);
        let cbc = Encryptor::new(&(*key).into(), &(*start).into());
        Self { cbc, block: [0; BLOCK], filled: 0, digits }
    }

    /// Encrypts the next piece; whole blocks come out.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for byte in text {
            if let Some(place) = self.block.get_mut(self.filled) {
                *place = *byte;
            }
            self.filled += 1;
            if self.filled == BLOCK {
                self.encrypt(out);
            }
        }
    }

    /// Encrypts what is left, with its padding.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        // A number from 1 to 16: how many bytes there are of it (PKCS#7, RFC 5652 §6.3).
        let padding = BLOCK - self.filled;
        for place in self.block.iter_mut().skip(self.filled) {
            *place = padding as u8;
        }
        self.encrypt(out);
        self.digits.finish(out);
    }

    fn encrypt(&mut self, out: &mut Vec<u8>) {
        let mut block = self.block.into();
        self.cbc.encrypt_block(&mut block);
        self.digits.push(block.as_slice(), out);
        self.filled = 0;
    }
}

/// Bytes as base64url, three at a time.
#[derive(Default)]
struct Base64 {
    held: u32,
    count: usize,
}

impl Base64 {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            self.held = self.held << 8 | u32::from(*byte);
            self.count += 1;
            if self.count == 3 {
                self.put(4, out);
            }
        }
    }

    fn finish(mut self, out: &mut Vec<u8>) {
        let count = self.count;
        if count > 0 {
            self.held <<= 8 * (3 - count);
            self.put(count + 1, out);
        }
    }

    /// Writes the first `digits` of the four.
    fn put(&mut self, digits: usize, out: &mut Vec<u8>) {
        let held = self.held;
        let all = [18, 12, 6, 0].into_iter();
        out.extend(all.take(digits).filter_map(|shift| DIGITS.get((held >> shift & 63) as usize)));
        (self.held, self.count) = (0, 0);
    }
}

/// A hash as the server answers it: base64url with its padding sign.
pub(super) fn answer_of(hash: &[u8; 32]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut digits = Base64::default();
    digits.push(hash, &mut text);
    digits.finish(&mut text);
    text.push(b'=');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use hmac::Mac as _;
    use sha2::Digest;

    pub(in crate::uplink) const KEY: &str = "fa8e3b689295332c560bbea31afb61d0";

    /// What a real server took: plain text, HMAC, body, answer.
    const VECTORS: [[&str; 4]; 4] = [
        [
            "node=enc&data=100,200,300",
            "98b271b6b52b948548f1359c822148332e02392850f5a6e6df1500d136d5b402",
            "AAECAwQFBgcICQoLDA0ODxFJYs5_Kfn6wiQVGeo428f2onc_LvDHymy7ahHNhb5w",
            "gzB0pvyidLaVZH46HPDMQnkB7n4fnyIzyye0h7Vi_BM=",
        ],
        [
            "node=enc&fulljson={\"p1\":11.5,\"p2\":-2}",
            "b693b6bcc64947df2faa3e44d0241be68990881a8b7685a68e4643822be71625",
            "AAECAwQFBgcICQoLDA0OD9aW7WtLAMUAHK19Zlwrt7DgAdQ1u9MkAgf94TE35pUNLMyAR2zq-PFn1kYsZ0q5mA",
            "x_GKhd2zMdm6IbwYST5KA5LY7KPdAVOY0uFWkuGd5_g=",
        ],
        [
            "node=enc&fulljson={\"p1\":12}&time=1795378129",
            "0ee3a6b679c7a2959e42c6c90cd783a63b09e0f9de793704602100829cf5b2f2",
            "AAECAwQFBgcICQoLDA0OD9aW7WtLAMUAHK19Zlwrt7DUDvao2XuuiymFzdDbs-CnOfM6NDSVcPV4E6szCLkrJQ",
            "3Tg5mf_dJvxTbWCxp28OD4Br7MOnOtRX4BlpsJoaMEs=",
        ],
        [
            "data=[[0,\"enc\",{\"p1\":16}]]&time=1795378134",
            "051ed646ed7e5730dd6c3ee67c39fb4f95facf3b401cf9ff7d53953c106f0e2c",
            "AAECAwQFBgcICQoLDA0OD0GYkOtBMXn-OYyRBib51Y1bqOs2soLMgQN5-YWs3EHP6Dtei24zwd-Bamqp25ZsAw",
            "RzMtMVvl68l-TuFtnhM-ZXwW4fD1cxybzqsgoW8J8u0=",
        ],
    ];

    fn body(text: &str, piece: usize) -> String {
        let mut out = Vec::new();
        let start = core::array::from_fn(|index| index as u8);
        let mut encryption = Encryption::begin(&key_bytes(KEY).unwrap(), &start, &mut out);
        text.as_bytes().chunks(piece).for_each(|piece| encryption.push(piece, &mut out));
        encryption.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_real_server_took_what_this_makes() {
        for [text, hmac, wanted, answer] in VECTORS {
            for piece in [1, 3, 16, 100] {
                assert_eq!(body(text, piece), wanted);
            }
            let mut mac = begin_mac(&key_bytes(KEY).unwrap());
            mac.update(text.as_bytes());
            let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, hmac);
            assert_eq!(answer_of(&Sha256::digest(text.as_bytes()).into()), answer.as_bytes());
        }
    }

    #[test]
    fn the_length_is_known_beforehand() {
        for length in 0..200 {
            assert_eq!(body(&"x".repeat(length), 7).len(), body_length(length), "{length}");
        }
    }

    #[test]
    fn only_32_digits_are_a_key() {
        assert_eq!(
            key_bytes("000102030405060708090A0b0c0d0e0f"),
            Some(core::array::from_fn(|index| index as u8))
        );
        for key in [
            "",
            "00",
            "000102030405060708090a0b0c0d0e0",
            "000102030405060708090a0b0c0d0e0f0",
            "g00102030405060708090a0b0c0d0e0f",
        ] {
            assert_eq!(key_bytes(key), None, "{key}");
        }
    }
}
