//! Names for whoever comes to the access point: each leads to the plug, so that a phone that looks for its maker's test
//! page finds the set-up page instead. A DNS server (RFC 1035, over UDP) on one socket.
//!
//! Own code: edge-captive 0.8 answers also what is an answer itself, with which two such servers keep each other busy,
//! follows compression in a question, and brings `domain` with its date library for what is one record.

use core::net::SocketAddr;

use edge_nal::UdpBind;

use super::datagrams::{self, Answers};
use crate::limits;
use crate::platform::Clock;

/// Port of name servers (RFC 1035 §4.2.1).
pub const PORT: u16 = 53;

/// Length of a message's head (RFC 1035 §4.1.1): number, two bytes of flags, four counts.
const HEAD: usize = 12;
/// In the first byte of flags: this is an answer ...
const ANSWER: u8 = 0x80;
/// ... to this kind of question (0: an ordinary one) ...
const KIND: u8 = 0x78;
/// ... by the one whose name it is ...
const AUTHORITY: u8 = 0x04;
/// ... and the question asks to have others asked too.
const RECURSION: u8 = 0x01;
/// In the second one: others are asked too. No client needs to look further.
const RECURSIVE: u8 = 0x80;
/// Longest name, its last byte included (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 255;
/// Longest part of one; a byte above it is no length.
const LONGEST_LABEL: u8 = 63;
/// The type of an IPv4 address, and that of everything there is.
const TYPE_A: u16 = 1;
const TYPE_ANY: u16 = 255;
/// The internet's class.
const CLASS_IN: u16 = 1;

/// How a question is answered (RFC 1035 §4.1.1: RCODE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// As it was asked.
    Done = 0,
    /// It cannot be read.
    Malformed = 1,
    /// This kind of question is not known.
    Unknown = 4,
    /// Another class than the internet's.
    Refused = 5,
}

/// Answers questions on `port` ([`PORT`]; another one in tests) of `sockets`, which reach the access point only. Runs for
/// ever: what a client sends never ends it, and after an error of the socket it rests and binds anew.
pub async fn serve<U: UdpBind, C: Clock>(sockets: &U, clock: &C, port: u16) -> ! {
    datagrams::serve(sockets, clock, port, limits::NAMES_PACKET, &mut EveryName).await
}

/// Every name is the plug's.
struct EveryName;

impl Answers for EveryName {
    fn answer(&mut self, packet: &mut [u8], length: usize) -> Option<usize> {
        answer(packet, length)
    }

    fn destination(&self, sender: SocketAddr) -> SocketAddr {
        sender
    }
}

/// Answers the question in the first `length` bytes of `packet` in its place: an IPv4 address of any name is the plug's,
/// good for no time at all, so that nothing of it outlives the access point; of anything else there is none. Returns the
/// answer's length, or `None` where nothing is to be said. What follows the question is not looked at.
#[must_use]
pub fn answer(packet: &mut [u8], length: usize) -> Option<usize> {
    let message = packet.get(..length)?;
    let (&flags, questions) = (message.get(2)?, message.get(4..6)?);
    if message.len() < HEAD || flags & ANSWER != 0 {
        // Whoever answers answers would never hear the end of it.
        return None;
    }
    let (code, end, answers) = if flags & KIND != 0 {
        (Code::Unknown, HEAD, 0)
    } else {
        match question(message).filter(|_| questions == [0, 1]) {
            None => (Code::Malformed, HEAD, 0),
            Some((end, _, class)) if class != CLASS_IN => (Code::Refused, end, 0),
            Some((end, kind, _)) => (Code::Done, end, u8::from(matches!(kind, TYPE_A | TYPE_ANY))),
        }
    };
    let flags = [ANSWER | AUTHORITY | flags & (KIND | RECURSION), RECURSIVE | code as u8];
    packet.get_mut(2..4)?.copy_from_slice(&flags);
    packet.get_mut(4..HEAD)?.copy_from_slice(&[0, u8::from(end > HEAD), 0, answers, 0, 0, 0, 0]);
    if answers == 0 {
        return Some(end);
    }
    // The name is the one at the head's end; then type, class, time to live and length (RFC 1035 §4.1.3).
    const RECORD: [u8; 12] = [0xc0, HEAD as u8, 0, TYPE_A as u8, 0, CLASS_IN as u8, 0, 0, 0, 0, 0, 4];
    let record = packet.get_mut(end..end + RECORD.len() + 4)?;
    let (about, address) = record.split_at_mut_checked(RECORD.len())?;
    about.copy_from_slice(&RECORD);
    address.copy_from_slice(&limits::ACCESS_POINT_ADDRESS.octets());
    Some(end + RECORD.len() + 4)
}

/// Where the first question ends, its type and its class. A name that points elsewhere is none.
fn question(message: &[u8]) -> Option<(usize, u16, u16)> {
    let mut end = HEAD;
    loop {
        let label = *message.get(end)?;
        end += 1 + usize::from(label);
        if label > LONGEST_LABEL || end > HEAD + LONGEST_NAME {
            return None;
        }
        if label == 0 {
            break;
        }
    }
    let [kind, kind_low, class, class_low] = *message.get(end..)?.first_chunk()?;
    Some((end + 4, u16::from_be_bytes([kind, kind_low]), u16::from_be_bytes([class, class_low])))
}

#[cfg(test)]
mod tests;
