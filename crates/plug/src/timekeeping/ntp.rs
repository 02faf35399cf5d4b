//! NTP, as a client that asks once (RFC 5905 §14; the modes of RFC 4330): a request of 48 bytes, and what is believed of
//! the answer.
//!
//! Our own rather than the crate `sntpc`: there the time that the client puts into the request is its clock, from which
//! way and era are computed afterwards. A plug without the time has none but its uptime, which is guessed easily and
//! nobody's business; here it is chance, and the way is measured beside it. And what is left is this page.

use core::time::Duration;

use super::{Answer, Source};
use crate::platform::Instant;

/// Bytes of a request, and of an answer without extensions: what is sent has none, so that an answer has none.
pub const PACKET: usize = 48;
/// No leap warning, version 4, client.
const CLIENT: u8 = 4 << 3 | 3;
const SERVER_MODE: u8 = 4;
/// The leap indicator of a clock that is not set.
const NOT_SET: u8 = 3;
/// Strata from here on are not synchronised.
const STRATA: u8 = 16;
/// A server further from its reference is not used, in seconds (MAXDIST).
const FARTHEST_S: f64 = 1.0;
/// From the beginning of NTP's era 0 (1900) to that of Unix time.
const NTP_TO_UNIX_S: f64 = 2_208_988_800.0;
/// Seconds of an era: 2^32. Era 1 begins in 2036.
const ERA_S: f64 = 4_294_967_296.0;
/// How much longer a server may claim to have taken than the answer was under way: its clock runs otherwise.
const SLACK_S: f64 = 0.001;

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtpError {
    /// It is no answer of an NTP server.
    Malformed,
    /// It does not repeat what was sent: it answers somebody else, or nobody.
    NotOurs,
    /// The server's own clock is not set.
    NotSynchronized,
    /// The server is too far from its reference.
    TooUncertain,
    /// The server does not want to be asked so often.
    KissRate,
    /// The server does not want to be asked at all.
    KissDenied,
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reply {
    /// Unix seconds when it sent that.
    pub sent_s: f64,
    /// How long it had the request.
    pub stayed_s: f64,
    /// How far off its clock may be: half the way to its reference, and the dispersion.
    pub distance_s: f64,
    /// How many servers are between it and a reference clock, itself included.
    pub stratum: u8,
}

/// The request. `cookie` is chance, and says nothing of the plug's clock; the rest is as little as a client can say.
#[must_use]
pub fn request(cookie: u64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = CLIENT;
    if let Some(transmitted) = packet.last_chunk_mut() {
        *transmitted = cookie.to_be_bytes();
    }
    packet
}

/// Reads the answer to the request with this `cookie`.
///
/// # Errors
/// Why it is not believed. What stands in an answer that is not ours counts for nothing.
pub fn read(packet: &[u8], cookie: u64) -> Result<Reply, NtpError> {
    let packet: &[u8; PACKET] = packet.try_into().map_err(|_| NtpError::Malformed)?;
    let (words, []) = packet.as_chunks::<4>() else { return Err(NtpError::Malformed) };
    let word = |index: usize| u32::from_be_bytes(words.get(index).copied().unwrap_or_default());
    let pair = |index: usize| u64::from(word(index)) << 32 | u64::from(word(index + 1));
    if pair(ORIGINATE) != cookie {
        return Err(NtpError::NotOurs);
    }
    let [first, stratum, ..] = *packet;
    let (leap, version, mode) = (first >> 6, first >> 3 & 7, first & 7);
    if mode != SERVER_MODE || !(3..=4).contains(&version) {
        return Err(NtpError::Malformed);
    }
    if stratum == 0 {
        return Err(kiss(words.get(REFERENCE_ID).copied().unwrap_or_default()));
    }
    if leap == NOT_SET || stratum >= STRATA {
        return Err(NtpError::NotSynchronized);
    }
    if pair(TRANSMIT) == 0 || pair(RECEIVE) == 0 {
        return Err(NtpError::Malformed);
    }
    let distance_s = short_s(word(ROOT_DELAY)) / 2.0 + short_s(word(ROOT_DISPERSION));
    if distance_s > FARTHEST_S {
        return Err(NtpError::TooUncertain);
    }
    // Over the end of an era too.
    let stayed = pair(TRANSMIT).wrapping_sub(pair(RECEIVE)).cast_signed();
    Ok(Reply { sent_s: unix_s(pair(TRANSMIT)), stayed_s: stayed as f64 / ERA_S, distance_s, stratum })
}

/// Words of a packet (RFC 5905, figure 8).
const ROOT_DELAY: usize = 1;
const ROOT_DISPERSION: usize = 2;
const REFERENCE_ID: usize = 3;
const ORIGINATE: usize = 6;
const RECEIVE: usize = 8;
const TRANSMIT: usize = 10;

/// What a server says instead of the time (RFC 5905 §7.4). Other codes tell what is wrong with its own clock.
const fn kiss(code: [u8; 4]) -> NtpError {
    match &code {
        b"RATE" => NtpError::KissRate,
        b"DENY" | b"RSTR" => NtpError::KissDenied,
        _ => NtpError::NotSynchronized,
    }
}

/// A number with 16 bits behind the point.
fn short_s(word: u32) -> f64 {
    f64::from(word) / 65_536.0
}

/// A time with 32 bits behind the point. Before 1968 means after 2036 (RFC 4330 §3).
fn unix_s(time: u64) -> f64 {
    let seconds = (time >> 32) as u32;
    let era_s = if seconds >> 31 == 0 { ERA_S } else { 0.0 };
    f64::from(seconds) + era_s - NTP_TO_UNIX_S + f64::from(time as u32) / ERA_S
}

impl Reply {
    /// What that makes of the time, for an answer that came at `at`, `took` after the request was sent: the way there and
    /// the way back are taken to be equally long, which is wrong by half of both at the most.
    ///
    /// # Errors
    /// The server had the request for longer than that, or for less than no time.
    pub fn answer(&self, source: Source, took: Duration, at: Instant) -> Result<Answer, NtpError> {
        let took_s = took.as_secs_f64();
        if !(0.0..=took_s + SLACK_S).contains(&self.stayed_s) {
            return Err(NtpError::Malformed);
        }
        let half_s = (took_s - self.stayed_s).max(0.0) / 2.0;
        let uncertainty_s = half_s + self.distance_s;
        Ok(Answer { source, unix_s: self.sent_s + half_s, uncertainty_s, at })
    }
}

#[cfg(test)]
mod tests;
