//! Signatures: the vectors of RFC 8032, what is strict about them, and the same verdict as `verify_strict` has.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use plug::access::read_hex;
use plug::update::ed25519::verify;
use proptest::prelude::*;

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    read_hex(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}

/// RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc): the public key, the message, the signature.
const VECTORS: [(&str, &str, &str); 4] = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
];

fn message(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| bytes::<1>(core::str::from_utf8(pair).unwrap())[0]).collect()
}

#[test]
fn the_vectors_of_rfc_8032_are_good_and_their_neighbours_are_not() {
    for (key, text, signature) in VECTORS {
        let (key, signature, message) = (bytes(key), bytes(signature), message(text));
        assert!(verify(&key, &signature, &[&message]));
        // The message may come in pieces.
        for cut in 0..=message.len() {
            assert!(verify(&key, &signature, &[&message[..cut], b"", &message[cut..]]));
        }
        assert!(!verify(&key, &signature, &[&message, b"x"]));
    }
    let (key, text, signature) = VECTORS[2];
    let (key, signature, message) = (bytes::<32>(key), bytes::<64>(signature), message(text));
    for bit in 0..512 {
        let mut other = signature;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&key, &other, &[&message]), "bit {bit} of the signature");
    }
    for bit in 0..256 {
        let mut other = key;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&other, &signature, &[&message]), "bit {bit} of the key");
    }
}

/// The group's order (RFC 8032, section 5.1), little-endian.
const ORDER: [u8; 32] = {
    let mut order = [0; 32];
    let low = (27_742_317_777_372_353_535_851_937_790_883_648_493_u128).to_le_bytes();
    let mut at = 0;
    while at < 16 {
        order[at] = low[at];
        at += 1;
    }
    order[31] = 0x10;
    order
};

#[test]
fn a_signature_has_one_form() {
    for (key, text, signature) in VECTORS {
        let (key, mut signature, message) = (bytes(key), bytes::<64>(signature), message(text));
        // s plus the order is the same number to whoever does not look.
        let mut carry = 0_u16;
        for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
            carry += u16::from(*byte) + u16::from(order);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert_eq!(carry, 0);
        assert!(!verify(&key, &signature, &[&message]));
    }
}

/// The eight points of small order, and the ways to write them that are not the shortest.
const SMALL: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// With a key of small order a signature without any secret holds for many messages: nobody must be let in so.
#[test]
fn points_of_small_order_sign_nothing() {
    let mut loose = 0;
    for key in SMALL.map(bytes::<32>) {
        for r in SMALL.map(bytes::<32>) {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&r);
            for text in [&b"a"[..], b"b", b"c", b"d"] {
                assert!(!verify(&key, &signature, &[text]));
                let key = VerifyingKey::from_bytes(&key);
                loose += usize::from(
                    key.is_ok_and(|key| key.verify(text, &Signature::from_bytes(&signature)).is_ok()),
                );
            }
        }
    }
    // Whoever is not strict takes many of them.
    assert!(loose > 20, "{loose}");
    // And with a good key, where R alone is small: s = k * secret would be wanted, which only the owner can make.
    let owner = SigningKey::from_bytes(&[7; 32]);
    let key = owner.verifying_key().to_bytes();
    for r in SMALL.map(bytes::<32>) {
        let mut signature = owner.sign(b"text").to_bytes();
        signature[..32].copy_from_slice(&r);
        assert!(!verify(&key, &signature, &[b"text"]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The oracle says the same, of good signatures and of damaged ones.
    #[test]
    fn the_verdict_is_that_of_verify_strict(
        secret in any::<[u8; 32]>(),
        text in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((0..96_usize, 0..8_u8), 0..2),
    ) {
        let owner = SigningKey::from_bytes(&secret);
        let mut both = [0; 96];
        both[..32].copy_from_slice(&owner.verifying_key().to_bytes());
        both[32..].copy_from_slice(&owner.sign(&text).to_bytes());
        for (at, bit) in &flips {
            both[*at] ^= 1 << bit;
        }
        let (key, signature) = (both[..32].try_into().unwrap(), both[32..].try_into().unwrap());
        let strict = VerifyingKey::from_bytes(&key)
            .is_ok_and(|key| key.verify_strict(&text, &Signature::from_bytes(&signature)).is_ok());
        prop_assert_eq!(verify(&key, &signature, &[&text]), strict);
        prop_assert_eq!(strict, flips.is_empty());
    }

    /// Bytes that nobody made.
    #[test]
    fn any_bytes_at_all_are_verified_or_not(key in any::<[u8; 32]>(), r in any::<[u8; 32]>(), s in any::<[u8; 32]>()) {
        let signature: [u8; 64] = [r, s].concat().try_into().unwrap();
        let strict = VerifyingKey::from_bytes(&key)
            .is_ok_and(|key| key.verify_strict(b"text", &Signature::from_bytes(&signature)).is_ok());
        prop_assert_eq!(verify(&key, &signature, &[b"text"]), strict);
    }
}
