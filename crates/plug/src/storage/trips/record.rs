//! What a trip's place says of it, as bytes.

use heapless::String;
use metering::calibration::{Calibration, ChannelCalibration};
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::units::{Amperes, Degrees, Hertz, Seconds, Volts};

use crate::storage::code::{Put, Take};
use crate::storage::sector::Crc;

/// The version that this program writes.
const VERSION: u8 = 1;
/// Bytes of the head in the flash, at most: what follows has its fixed place.
pub(super) const HEAD: usize = 508;
/// Bytes of the tail in the flash.
pub(super) const TAIL: usize = 16;
/// Bytes of a pair.
pub(super) const PAIR: usize = 8;

/// What is known of a trip when its waveform begins to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct TripHead {
    /// Number of the start in which it happened.
    pub start: u32,
    /// When, Unix seconds; `None` before the clock was trusted.
    pub time: Option<f64>,
    /// When, seconds after the start.
    pub uptime_s: f64,
    /// Which protection it was: `over_current`, ...
    pub kind: String<24>,
    /// Why, in words.
    pub cause: String<96>,
    /// The current that tripped, where it was one.
    pub current_a: Option<f64>,
    /// Pairs before the one at which the trip was seen.
    pub pairs_before: u16,
    /// The pair at which the relay was commanded, where that is known.
    pub relay_command_index: Option<u16>,
    /// The hardware that took the samples.
    pub front_end: FrontEnd,
    /// The calibration in force.
    pub calibration: Calibration,
}

/// What is known when the last pair was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TripTail {
    /// The pair from which on no current flowed, where somebody looked.
    pub current_ended_index: Option<u16>,
}

/// What the flash keeps of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) pairs: u16,
    pub(super) lost: u16,
    pub(super) tail: TripTail,
}

/// Writes a head with its number into `buffer`; its length, in whole words.
///
/// ```text
///   length of the payload, version, 0    number, ... (the payload)    CRC-32 of all before
/// ```
pub(super) fn put_head(head: &TripHead, number: u32, buffer: &mut [u8]) -> usize {
    let length = {
        let mut put = Put::new(buffer);
        put.u32(0).u32(number).u32(head.start).f64(head.uptime_s).maybe_f64(head.time);
        put.text(&head.kind).text(&head.cause).maybe_f64(head.current_a).u16(head.pairs_before);
        put.maybe(head.relay_command_index.map(u64::from));
        put_front_end(&mut put, &head.front_end);
        put_calibration(&mut put, &head.calibration);
        put.pad().length()
    };
    Put::new(buffer).u16((length - 4) as u16).u8(VERSION).u8(0);
    let crc = Crc::new().with(buffer.get(..length).unwrap_or_default()).sum();
    Put::new(buffer.get_mut(length..).unwrap_or_default()).bytes(&crc);
    length + crc.len()
}

/// A whole head: its number, and what it says if this program knows its version.
pub(super) fn take_head(bytes: &[u8]) -> Option<(u32, Option<TripHead>)> {
    let mut take = Take(bytes);
    let (length, version) = (take.u16()?, take.u8()?);
    let (record, rest) = bytes.split_at_checked(4 + usize::from(length))?;
    let crc = rest.first_chunk()?;
    if Crc::new().with(record).sum() != *crc {
        return None;
    }
    let mut payload = Take(record.get(4..)?);
    let number = payload.u32()?;
    Some((number, if version == VERSION { take_known(&mut payload) } else { None }))
}

fn take_known(take: &mut Take<'_>) -> Option<TripHead> {
    Some(TripHead {
        start: take.u32()?,
        uptime_s: take.f64()?,
        time: take.maybe_f64()?,
        kind: take.text()?,
        cause: take.text()?,
        current_a: take.maybe_f64()?,
        pairs_before: take.u16()?,
        relay_command_index: take.maybe()?.and_then(|index| index.try_into().ok()),
        front_end: take_front_end(take)?,
        calibration: take_calibration(take)?,
    })
}

fn put_front_end(put: &mut Put<'_>, front_end: &FrontEnd) {
    put.f64(front_end.sample_rate.0).f64(front_end.channel_skew.0).f64(front_end.nominal_voltage.0);
    for range in [front_end.voltage, front_end.current] {
        put.i32(range.lowest).i32(range.highest).flag(range.dc_coupled);
    }
}

fn take_front_end(take: &mut Take<'_>) -> Option<FrontEnd> {
    let (sample_rate, channel_skew, nominal_voltage) = (take.f64()?, take.f64()?, take.f64()?);
    let mut range =
        || Some(ChannelRange { lowest: take.i32()?, highest: take.i32()?, dc_coupled: take.flag()? });
    Some(FrontEnd {
        sample_rate: Hertz(sample_rate),
        voltage: range()?,
        current: range()?,
        channel_skew: Seconds(channel_skew),
        nominal_voltage: Volts(nominal_voltage),
    })
}

fn put_calibration(put: &mut Put<'_>, calibration: &Calibration) {
    put.u32(calibration.version).maybe(calibration.date).text(&calibration.reference);
    for channel in [calibration.voltage, calibration.current] {
        put.f64(channel.gain).f64(channel.gain_uncertainty_pct);
        put.f64(channel.zero_raw).f64(channel.zero_uncertainty_raw);
    }
    put.f64(calibration.phase.0).f64(calibration.phase_uncertainty.0);
    put.maybe_f64(calibration.current_noise_floor.map(|noise| noise.0));
}

fn take_calibration(take: &mut Take<'_>) -> Option<Calibration> {
    let (version, date, reference) = (take.u32()?, take.maybe()?, take.text()?);
    let mut channel = || {
        Some(ChannelCalibration {
            gain: take.f64()?,
            gain_uncertainty_pct: take.f64()?,
            zero_raw: take.f64()?,
            zero_uncertainty_raw: take.f64()?,
        })
    };
    Some(Calibration {
        version,
        date,
        reference,
        voltage: channel()?,
        current: channel()?,
        phase: Degrees(take.f64()?),
        phase_uncertainty: Degrees(take.f64()?),
        current_noise_floor: take.maybe_f64()?.map(Amperes),
    })
}

/// The end as it lies in the flash.
pub(super) fn put_end(end: End) -> [u8; TAIL] {
    const NONE: u16 = u16::MAX;
    let mut bytes = [0; TAIL];
    let mut put = Put::new(&mut bytes);
    put.u8(VERSION).u8(0).u16(end.pairs).u16(end.lost).u16(end.tail.current_ended_index.unwrap_or(NONE));
    put.u32(0);
    let (record, crc) = bytes.split_at_mut(TAIL - 4);
    crc.copy_from_slice(&Crc::new().with(record).sum());
    bytes
}

/// A whole end. A later version keeps the pairs and the lost where they are.
pub(super) fn take_end(bytes: &[u8; TAIL]) -> Option<End> {
    let (record, crc) = bytes.split_last_chunk()?;
    if Crc::new().with(record).sum() != *crc {
        return None;
    }
    let mut take = Take(record.get(2..)?);
    let (pairs, lost, ended) = (take.u16()?, take.u16()?, take.u16()?);
    Some(End { pairs, lost, tail: TripTail { current_ended_index: (ended != u16::MAX).then_some(ended) } })
}

/// A pair as it lies in the flash.
pub(super) fn put_pair(pair: Pair) -> [u8; PAIR] {
    let [a, b, c, d] = pair.voltage.to_le_bytes();
    let [e, f, g, h] = pair.current.to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

/// And back.
pub(super) fn take_pair([a, b, c, d, e, f, g, h]: [u8; PAIR]) -> Pair {
    Pair { voltage: i32::from_le_bytes([a, b, c, d]), current: i32::from_le_bytes([e, f, g, h]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest() -> TripHead {
        let range = |lowest| ChannelRange { lowest, highest: 4095, dc_coupled: lowest == 0 };
        let channel = |gain| ChannelCalibration {
            gain,
            gain_uncertainty_pct: 0.5,
            zero_raw: 2047.25,
            zero_uncertainty_raw: 0.125,
        };
        TripHead {
            start: u32::MAX,
            time: Some(1.8e9),
            uptime_s: 86_400.25,
            kind: "ö".repeat(12).as_str().try_into().unwrap(),
            cause: "ä".repeat(48).as_str().try_into().unwrap(),
            current_a: Some(17.5),
            pairs_before: 800,
            relay_command_index: Some(803),
            front_end: FrontEnd {
                sample_rate: Hertz(4000.0),
                voltage: range(0),
                current: range(-4096),
                channel_skew: Seconds(-12e-6),
                nominal_voltage: Volts(230.0),
            },
            calibration: Calibration {
                version: 3,
                date: Some(u64::MAX),
                reference: "ü".repeat(24).as_str().try_into().unwrap(),
                voltage: channel(0.2),
                current: channel(0.01),
                phase: Degrees(1.5),
                phase_uncertainty: Degrees(0.1),
                current_noise_floor: Some(Amperes(0.004)),
            },
        }
    }

    #[test]
    fn a_head_comes_back() {
        let mut other = longest();
        (other.time, other.current_a, other.relay_command_index) = (None, None, None);
        (other.calibration.date, other.calibration.current_noise_floor) = (None, None);
        (other.kind, other.cause, other.calibration.reference) = Default::default();
        for head in [longest(), other] {
            let mut buffer = [0xff; HEAD];
            let length = put_head(&head, 9, &mut buffer);
            assert!(length <= HEAD - 64 && length.is_multiple_of(4), "{length}");
            assert_eq!(take_head(&buffer), Some((9, Some(head))));
        }
    }

    #[test]
    fn no_changed_bit_goes_unseen_and_other_versions_have_a_number() {
        let mut buffer = [0xff; HEAD];
        let length = put_head(&longest(), 9, &mut buffer);
        for bit in 0..length * 8 {
            let mut changed = buffer;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(take_head(&changed), None, "bit {bit}");
        }
        let mut later = [4, 0, VERSION + 1, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        let crc = Crc::new().with(&later[..8]).sum();
        later[8..].copy_from_slice(&crc);
        assert_eq!(take_head(&later), Some((7, None)));
    }

    #[test]
    fn ends_and_pairs_come_back() {
        for ended in [None, Some(0), Some(2047)] {
            let end = End { pairs: 2048, lost: 3, tail: TripTail { current_ended_index: ended } };
            let bytes = put_end(end);
            assert_eq!(take_end(&bytes), Some(end));
            for bit in 0..TAIL * 8 {
                let mut changed = bytes;
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(take_end(&changed), None, "bit {bit}");
            }
        }
        for pair in [Pair::LOST, Pair { voltage: -1, current: 1 << 24 }, Pair::default()] {
            assert_eq!(take_pair(put_pair(pair)), pair);
        }
    }
}
