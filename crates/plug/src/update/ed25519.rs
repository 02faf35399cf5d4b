//! Verifies signatures of Ed25519 (RFC 8032) with little stack and code, on the curve's arithmetic of `curve25519-dalek`.
//!
//! The same verdict as `verify_strict` of `ed25519-dalek` has, with which the tests compare it: s below the group's order,
//! neither the key nor R of a small order, and R's bytes exactly those that are computed. That crate's own way holds tables
//! of multiples: 8.9 KB of stack on a riscv32, which the chip's main stack does not have, and its numbers modulo the order
//! take 9 KB of code. This one adds and doubles; nothing here is a secret, so it may take as long as the numbers have it.
//! Measured in QEMU's riscv32: 2.6 KB of stack, 13.5 KB of code with SHA-512, 6.8 million instructions.

use alloc::boxed::Box;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT as BASE;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

/// A number below 2^256, the lowest word first.
type Number = [u32; 8];

/// The group's order, 2^252 + 27742317777372353535851937790883648493 (RFC 8032, 5.1).
const ORDER: Number = [0x5cf5_d3ed, 0x5812_631a, 0xa2f7_9cd6, 0x14de_f9de, 0, 0, 0, 0x1000_0000];

/// Whether `signature` is that of the key `key` for the message that `parts` are, one after the other.
#[must_use]
pub fn verify(key: &[u8; 32], signature: &[u8; 64], parts: &[&[u8]]) -> bool {
    let Some((r, s)) = signature.split_first_chunk::<32>() else { return false };
    let s = number(s);
    if !is_less(&s, &ORDER) {
        return false;
    }
    let Some(mut point) = read_point(key) else { return false };
    if point.is_small_order() {
        return false;
    }
    negate(&mut point);
    let hash = hash(r, key, parts);
    is_strictly(&sum(&s, &hash, &point), r)
}

// Each step apart, so that none stands on the stack while another runs; points of 160 bytes lie on the heap.

#[inline(never)]
fn read_point(key: &[u8; 32]) -> Option<Box<EdwardsPoint>> {
    CompressedEdwardsY(*key).decompress().map(Box::new)
}

#[inline(never)]
fn negate(point: &mut EdwardsPoint) {
    *point = -*point;
}

/// The hash modulo the order: the only way in which it is used.
#[inline(never)]
fn hash(r: &[u8; 32], key: &[u8; 32], parts: &[&[u8]]) -> Number {
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(key);
    parts.iter().for_each(|part| hash.update(part));
    modulo_order(&hash.finalize().into())
}

/// A number of 64 bytes modulo the order, bit by bit from the top.
fn modulo_order(bytes: &[u8; 64]) -> Number {
    let mut rest = Number::default();
    for byte in bytes.iter().rev() {
        for bit in (0..8).rev() {
            // Less than twice the order: it fits.
            let mut carry = u32::from(byte >> bit & 1);
            for word in &mut rest {
                (*word, carry) = (*word << 1 | carry, *word >> 31);
            }
            if !is_less(&rest, &ORDER) {
                let mut borrow = false;
                for (word, order) in rest.iter_mut().zip(ORDER) {
                    (*word, borrow) = word.borrowing_sub(order, borrow);
                }
            }
        }
    }
    rest
}

fn is_less(one: &Number, other: &Number) -> bool {
    one.iter().rev().lt(other.iter().rev())
}

fn number(bytes: &[u8]) -> Number {
    let mut number = Number::default();
    for (word, bytes) in number.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    number
}

/// `s * BASE + k * minus_key`, both numbers bit by bit from the top (Shamir's trick).
#[inline(never)]
fn sum(s: &Number, k: &Number, minus_key: &EdwardsPoint) -> Box<EdwardsPoint> {
    let mut both = Box::new(BASE);
    add(&mut both, minus_key);
    let mut sum = Box::new(EdwardsPoint::identity());
    for (s, k) in s.iter().zip(k).rev() {
        for bit in (0..32).rev() {
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
    add(point, &same);
}

#[inline(never)]
fn is_strictly(point: &EdwardsPoint, bytes: &[u8; 32]) -> bool {
    point.compress().as_bytes() == bytes && !point.is_small_order()
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::scalar::Scalar;

    #[test]
    fn the_order_is_taken_off_as_often_as_it_can_be() {
        let mut bytes = [0; 64];
        let mut state = 1_u64;
        for round in 0..500 {
            for byte in &mut bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            if round % 4 == 0 {
                bytes = [if round % 8 == 0 { 0xff } else { 0 }; 64];
                for (to, order) in
                    bytes.iter_mut().skip(round / 16).zip(ORDER.map(u32::to_le_bytes).as_flattened())
                {
                    *to = *order;
                }
            }
            let expected = Scalar::from_bytes_mod_order_wide(&bytes);
            assert_eq!(modulo_order(&bytes), number(expected.as_bytes()), "{bytes:?}");
        }
    }
}
