//! One change of the relay as bytes.
//!
//! ```text
//!   word 0                           words                        last word
//!   words, version, check of both    payload, padded with zeros   CRC-32 of all before
//! ```
//! Every version's payload begins with the number, and a later version only adds at the end or counts the version up:
//! then this program skips it, but still goes on with the numbers behind it.

use heapless::String;

use crate::storage::code::{Put, Take};
use crate::storage::sector::{Crc, WORD};

/// The version that this program writes.
const VERSION: u8 = 1;
/// Bytes of the header.
pub(super) const HEADER: u32 = WORD;
/// Most words of a payload that is read: with its CRC it fits into a buffer.
const MOST_WORDS: u8 = 126;

/// A change of the relay as the log keeps it. What the bytes `source` and `class` stand for is decided where the
/// changes come from; it must never change its meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChange {
    /// Counts changes for ever, from 1; the log gives it.
    pub number: u32,
    /// Number of the start in which it happened.
    pub start: u32,
    /// When, Unix seconds; `None` before the clock was trusted.
    pub time: Option<f64>,
    /// When, seconds after the start.
    pub uptime_s: f64,
    /// What the relay became.
    pub on: bool,
    /// Who.
    pub source: u8,
    /// Which class of claim decided.
    pub class: u8,
    /// Whether protection held it open from then on.
    pub locked_out: bool,
    /// Why, in words.
    pub cause: String<96>,
    /// `sequence` of the newest reading when it happened; `None` before the first.
    pub reading_sequence: Option<u64>,
    /// Active power in that reading.
    pub active_power_w: Option<f64>,
    /// Current in that reading.
    pub current_a: Option<f64>,
    /// Voltage in that reading.
    pub voltage_v: Option<f64>,
}

/// The first word of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    words: u8,
    version: u8,
}

impl Header {
    /// `None` for what is no header.
    pub(super) fn of(word: [u8; 4]) -> Option<Self> {
        let [words, version, ..] = word;
        let header = Self { words, version };
        (word == header.word() && (1..=MOST_WORDS).contains(&words)).then_some(header)
    }

    fn word(self) -> [u8; 4] {
        let [low, high, ..] = Crc::new().with(&[self.words, self.version]).sum();
        [self.words, self.version, low, high]
    }

    /// Bytes after the header: payload and CRC.
    pub(super) fn rest(self) -> u32 {
        (u32::from(self.words) + 1) * WORD
    }

    /// The payload, if the `rest` bytes after the header are whole.
    pub(super) fn payload(self, rest: &[u8]) -> Option<&[u8]> {
        let (payload, crc) = rest.split_last_chunk()?;
        (Crc::new().with(&self.word()).with(payload).sum() == *crc).then_some(payload)
    }

    /// The change; `None` for a version that this program does not know.
    pub(super) fn change(self, payload: &[u8]) -> Option<StoredChange> {
        if self.version != VERSION {
            return None;
        }
        let mut take = Take(payload);
        Some(StoredChange {
            number: take.u32()?,
            start: take.u32()?,
            source: take.u8()?,
            class: take.u8()?,
            on: take.flag()?,
            locked_out: take.flag()?,
            uptime_s: take.f64()?,
            time: take.maybe_f64()?,
            reading_sequence: take.maybe()?,
            active_power_w: take.maybe_f64()?,
            current_a: take.maybe_f64()?,
            voltage_v: take.maybe_f64()?,
            cause: take.text()?,
        })
    }
}

/// The number of a payload of any version.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    Take(payload).u32()
}

/// Writes the whole record with this number into `buffer`, which has room for 176 bytes; its length.
pub(super) fn encode(change: &StoredChange, number: u32, buffer: &mut [u8]) -> usize {
    let length = {
        let mut put = Put::new(buffer);
        put.u32(0).u32(number).u32(change.start);
        put.u8(change.source).u8(change.class).flag(change.on).flag(change.locked_out);
        put.f64(change.uptime_s).maybe_f64(change.time).maybe(change.reading_sequence);
        put.maybe_f64(change.active_power_w).maybe_f64(change.current_a).maybe_f64(change.voltage_v);
        put.text(&change.cause).pad().length()
    };
    let words = (length / WORD as usize - 1) as u8;
    Put::new(buffer).bytes(&Header { words, version: VERSION }.word());
    let crc = Crc::new().with(buffer.get(..length).unwrap_or_default()).sum();
    Put::new(buffer.get_mut(length..).unwrap_or_default()).bytes(&crc);
    length + crc.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sector::BUFFER;

    fn longest() -> StoredChange {
        StoredChange {
            number: 0,
            start: 7,
            time: Some(1.8e9),
            uptime_s: 12.5,
            on: true,
            source: 200,
            class: 3,
            locked_out: true,
            cause: "ä".repeat(48).as_str().try_into().unwrap(),
            reading_sequence: Some(u64::MAX),
            active_power_w: Some(-0.0),
            current_a: Some(f64::MIN_POSITIVE),
            voltage_v: Some(229.9),
        }
    }

    fn decode(bytes: &[u8]) -> Option<StoredChange> {
        let (word, rest) = bytes.split_first_chunk()?;
        let header = Header::of(*word)?;
        header.change(header.payload(rest.get(..header.rest() as usize)?)?)
    }

    #[test]
    fn a_change_comes_back() {
        let empty = StoredChange {
            time: None,
            cause: String::new(),
            reading_sequence: None,
            active_power_w: None,
            current_a: None,
            voltage_v: None,
            on: false,
            ..longest()
        };
        for (change, length) in [(longest(), 172), (empty, 36)] {
            let mut buffer = [0xff; BUFFER];
            let written = encode(&change, 42, &mut buffer);
            assert_eq!(written, length);
            assert_eq!(decode(&buffer), Some(StoredChange { number: 42, ..change }));
        }
    }

    #[test]
    fn no_changed_bit_goes_unseen_and_other_versions_are_skipped() {
        let mut buffer = [0xff; BUFFER];
        let length = encode(&longest(), 1, &mut buffer);
        for bit in 0..length * 8 {
            let mut changed = buffer;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&changed), None, "bit {bit}");
        }
        let header = Header { words: 2, version: 9 };
        assert_eq!(Header::of(header.word()), Some(header));
        assert_eq!(header.change(&[5, 0, 0, 0, 1, 2, 3, 4]), None);
        assert_eq!(number(&[5, 0, 0, 0, 1, 2, 3, 4]), Some(5));
        assert_eq!(Header::of([0xff; 4]), None);
    }
}
