//! Verifies signatures of Ed25519 (RFC 8032) with little stack and code, on the curve's arithmetic of `curve25519-dalek`.
//!
//! The same strictness as `verify_strict` of `ed25519-dalek`, with which the tests compare it: s below the group's order,
//! neither the key nor R of a small order, and R's bytes exactly those that are computed. That crate's own way holds tables
//! of multiples: 8.9 KB of stack on a riscv32, which the chip's main stack does not have. This one adds and doubles: nothing
//! here is a secret, so it may take as long as the numbers have it. Seen on the riscv32: 2.7 KB and 7 million instructions.

use alloc::boxed::Box;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT as BASE;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

/// Whether `signature` is that of the key `key` for the message that `parts` are, one after the other.
#[must_use]
pub fn verify(key: &[u8; 32], signature: &[u8; 64], parts: &[&[u8]]) -> bool {
    let Some((r, s)) = signature.split_first_chunk::<32>() else { return false };
    let scalar = s.first_chunk().and_then(|s| Option::<Scalar>::from(Scalar::from_canonical_bytes(*s)));
    let (Some(scalar), Some(point)) = (scalar, read_point(key)) else { return false };
    let hash = hash(r, key, parts);
    let expected = sum(&scalar, &hash, &point);
    is_strictly(&expected, r)
}

// Each step apart, so that none stands on the stack while another runs; points of 160 bytes lie on the heap.

/// Minus the key's point.
#[inline(never)]
fn read_point(key: &[u8; 32]) -> Option<Box<EdwardsPoint>> {
    let point = Box::new(CompressedEdwardsY(*key).decompress()?);
    if point.is_small_order() { None } else { Some(Box::new(-*point)) }
}

#[inline(never)]
fn hash(r: &[u8; 32], key: &[u8; 32], parts: &[&[u8]]) -> Scalar {
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(key);
    parts.iter().for_each(|part| hash.update(part));
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// `s * BASE + k * minus_key`, both numbers bit by bit from the top (Shamir's trick).
#[inline(never)]
fn sum(s: &Scalar, k: &Scalar, minus_key: &EdwardsPoint) -> Box<EdwardsPoint> {
    let mut both = Box::new(BASE);
    add(&mut both, minus_key);
    let mut sum = Box::new(EdwardsPoint::identity());
    for (s, k) in s.as_bytes().iter().zip(k.as_bytes()).rev() {
        for bit in (0..8).rev() {
            double(&mut sum);
            match (s >> bit & 1 == 1, k >> bit & 1 == 1) {
                (true, true) => add(&mut sum, &both),
                (true, false) => add(&mut sum, &BASE),
                (false, true) => add(&mut sum, minus_key),
                (false, false) => {}
            }
        }
    }
    sum
}

#[inline(never)]
fn add(to: &mut EdwardsPoint, other: &EdwardsPoint) {
    *to += other;
}

#[inline(never)]
fn double(point: &mut EdwardsPoint) {
    let same = *point;
    *point += same;
}

#[inline(never)]
fn is_strictly(point: &EdwardsPoint, bytes: &[u8; 32]) -> bool {
    point.compress().as_bytes() == bytes && !point.is_small_order()
}
