//! The numbers that a Digest is made with. Handing one out costs no memory: it says itself when it was made, and a MAC
//! says that it is ours. Only those that a right answer came with are remembered, so that no answer counts twice.
//!
//! ```text
//! when it was made, s   running number   MAC of both
//! 8 digits              16 digits        32 digits
//! ```

use core::fmt::{self, Display, Formatter};
use core::time::Duration;

use ctutils::CtEq;
use heapless::Deque;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::hex::{self, Hex};
use crate::platform::Instant;

/// How long a nonce is good.
pub(super) const LIFE: Duration = Duration::from_secs(300);
/// Nonces that are remembered.
pub(super) const REMEMBERED: usize = 16;
/// What the MAC is made over.
const BODY: usize = 4 + 8;

/// HMAC-SHA-256 of some parts, one after the other.
pub(super) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key that is shorter than a block is padded with zeros (RFC 2104 §2).
    let mut block = Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The first half of it.
fn half(mac: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(mac) {
        *to = from;
    }
    half
}

/// Chance from the start, and what is drawn from it.
pub(super) struct Seed {
    key: [u8; 32],
    drawn: u64,
}

impl Seed {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key, drawn: 0 }
    }

    /// Never the same twice.
    pub(super) fn draw(&mut self) -> [u8; 16] {
        self.drawn += 1;
        half(mac(&self.key, &[b"draw", &self.drawn.to_be_bytes()]))
    }

    /// The MAC of a nonce.
    fn sign(&self, body: &[u8; BODY]) -> [u8; 16] {
        half(mac(&self.key, &[b"nonce", body]))
    }
}

/// A nonce: as text 56 digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonce {
    body: [u8; BODY],
    mac: [u8; 16],
}

impl Display for Nonce {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", Hex(&self.body), Hex(&self.mac))
    }
}

/// A nonce that a right answer came with.
struct Remembered {
    number: u64,
    /// The highest count of it.
    count: u32,
}

/// What is known of them.
pub(super) struct Nonces {
    /// Number of the next one.
    next: u64,
    /// The one that was longest without use stands first.
    used: Deque<Remembered, REMEMBERED>,
    /// Lower ones may have fallen out of `used`.
    lowest: u64,
}

impl Nonces {
    pub(super) const fn new() -> Self {
        Self { next: 0, used: Deque::new(), lowest: 0 }
    }

    /// A new one.
    pub(super) fn issue(&mut self, seed: &Seed, now: Instant) -> Nonce {
        // Enough for 136 years.
        let seconds = u32::try_from(now.since_start().as_secs()).unwrap_or(u32::MAX);
        let mut body = [0; BODY];
        for (to, from) in
            body.iter_mut().zip(seconds.to_be_bytes().into_iter().chain(self.next.to_be_bytes()))
        {
            *to = from;
        }
        self.next += 1;
        Nonce { body, mac: seed.sign(&body) }
    }

    /// Takes a right answer that was made with the nonce `text` for the `count`th time; whether it may count. Once it
    /// did, the same one, or one before it, does not.
    pub(super) fn take(&mut self, seed: &Seed, text: &[u8], count: u32, now: Instant) -> bool {
        let Some(number) = ours(seed, text, now) else { return false };
        let mut taken = None;
        for _ in 0..self.used.len() {
            // Each goes once round, but for ours, which stands last then.
            let Some(nonce) = self.used.pop_front() else { break };
            if nonce.number == number {
                taken = Some(nonce);
            } else {
                // It has just made room.
                let _ = self.used.push_back(nonce);
            }
        }
        let (fresh, highest) = match &taken {
            Some(known) => (count > known.count, known.count.max(count)),
            None => (number >= self.lowest && count > 0, count),
        };
        if taken.is_none() {
            if !fresh {
                return false;
            }
            if self.used.is_full()
                && let Some(oldest) = self.used.pop_front()
            {
                self.lowest = self.lowest.max(oldest.number + 1);
            }
        }
        // There is room by now.
        let _ = self.used.push_back(Remembered { number, count: highest });
        fresh
    }

    /// Whether a right answer came with the nonce `text` before.
    pub(super) fn proven(&self, seed: &Seed, text: &[u8], now: Instant) -> bool {
        ours(seed, text, now).is_some_and(|number| self.used.iter().any(|nonce| nonce.number == number))
    }
}

/// The running number of a nonce that we made not long ago.
fn ours(seed: &Seed, text: &[u8], now: Instant) -> Option<u64> {
    let (body, mac) = text.split_at_checked(2 * BODY)?;
    let (body, mac) = (hex::read::<BODY>(body)?, hex::read::<16>(mac)?);
    if !seed.sign(&body).ct_eq(&mac).to_bool() {
        return None;
    }
    let (seconds, number) = body.split_first_chunk::<4>()?;
    let made = Instant::from_start(Duration::from_secs(u32::from_be_bytes(*seconds).into()));
    let number = u64::from_be_bytes(number.try_into().ok()?);
    (now.since(made) < LIFE).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn issue(nonces: &mut Nonces, seed: &Seed, now: Instant) -> String {
        nonces.issue(seed, now).to_string()
    }

    /// RFC 4231 §4.3: a key shorter than a block.
    #[test]
    fn the_mac_is_hmac_sha_256() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            Hex(&mac(&key, &[b"what do ya want ", b"for nothing?"])).to_string(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_nonce_counts_upwards_and_ages() {
        let (seed, mut nonces) = (Seed::new([7; 32]), Nonces::new());
        let text = issue(&mut nonces, &seed, at(1000));
        let text = text.as_bytes();
        assert!(!nonces.proven(&seed, text, at(1000)));
        assert!(!nonces.take(&seed, text, 0, at(1000)), "counts begin with 1");
        assert!(nonces.take(&seed, text, 1, at(1000)));
        assert!(nonces.proven(&seed, text, at(1000)));
        assert!(!nonces.take(&seed, text, 1, at(1000)), "a replay");
        assert!(nonces.take(&seed, text, 5, at(1001)), "some may get lost");
        assert!(!nonces.take(&seed, text, 4, at(1001)));
        assert!(nonces.take(&seed, text, 6, at(1299)));
        assert!(!nonces.take(&seed, text, 7, at(1300)), "too old");
        assert!(!nonces.proven(&seed, text, at(1300)));
    }

    #[test]
    fn what_fell_out_of_memory_does_not_come_back() {
        let (seed, mut nonces) = (Seed::new([7; 32]), Nonces::new());
        let texts: alloc::vec::Vec<_> = (0..20).map(|_| issue(&mut nonces, &seed, at(0))).collect();
        for text in &texts[1..17] {
            assert!(nonces.take(&seed, text.as_bytes(), 1, at(1)));
        }
        // The first of those is used again, so the second is the one that must go.
        assert!(nonces.take(&seed, texts[1].as_bytes(), 2, at(1)));
        assert!(nonces.take(&seed, texts[17].as_bytes(), 1, at(1)));
        assert!(!nonces.take(&seed, texts[2].as_bytes(), 2, at(1)));
        assert!(
            !nonces.take(&seed, texts[0].as_bytes(), 1, at(1)),
            "nobody knows any more that it was not used"
        );
        assert!(nonces.take(&seed, texts[1].as_bytes(), 3, at(1)));
        assert!(nonces.take(&seed, texts[19].as_bytes(), 1, at(1)));
        assert_eq!(nonces.used.len(), REMEMBERED);
    }

    #[test]
    fn a_foreign_nonce_does_not_count() {
        let (seed, mut nonces) = (Seed::new([7; 32]), Nonces::new());
        let text = issue(&mut nonces, &Seed::new([8; 32]), at(0));
        assert!(!nonces.take(&seed, text.as_bytes(), 1, at(0)));
        let mut text = issue(&mut nonces, &seed, at(0)).into_bytes();
        assert!(!nonces.take(&seed, &text[..55], 1, at(0)));
        assert!(!nonces.take(&seed, b"", 1, at(0)));
        text[0] = if text[0] == b'0' { b'1' } else { b'0' };
        assert!(!nonces.take(&seed, &text, 1, at(0)));
    }

    #[test]
    fn what_is_drawn_differs_each_time_and_with_each_seed() {
        let (mut one, mut other) = (Seed::new([7; 32]), Seed::new([8; 32]));
        let drawn = [one.draw(), one.draw(), other.draw(), other.draw()];
        for (index, bytes) in drawn.iter().enumerate() {
            assert!(!drawn[..index].contains(bytes));
        }
    }
}
