//! DHCP option 42, the network's time servers (RFC 2132 §8.3), in frames that a network stack sends and receives which
//! knows nothing of it: as pure functions over Ethernet frames.
//!
//! What is sent keeps its length: the largest size of an answer (option 57) makes room for one more code in the list of
//! what is asked for (option 55). A server then sends no more than every client has to take, 576 bytes.

use core::net::Ipv4Addr;
use core::ops::Range;

const ETHERNET: usize = 14;
const IPV4: [u8; 2] = [8, 0];
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const CLIENT: u16 = 68;
const SERVER: u16 = 67;
/// Of a DHCP message to its options (RFC 2131 §2), and what stands before them.
const FIXED: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

const PAD: u8 = 0;
const END: u8 = 255;
const TIME_SERVERS: u8 = 42;
const MESSAGE_TYPE: u8 = 53;
const WANTED: u8 = 55;
const LARGEST: u8 = 57;
const ACKNOWLEDGED: [u8; 1] = [5];

/// What tells a conversation with a DHCP server from those of others on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    transaction: [u8; 4],
    hardware: [u8; 6],
}

/// Adds 42 to what is asked for where `frame`, which is about to be sent, is a DHCP client's message; whose answer has
/// to be looked at then.
pub fn ask(frame: &mut [u8]) -> Option<Conversation> {
    let message = message(frame, CLIENT, SERVER, 1)?;
    let conversation = Conversation::of(frame.get(message.clone())?)?;
    if insert(frame.get_mut(message.start + FIXED..message.end)?).is_some() {
        mend(frame, message)?;
    }
    Some(conversation)
}

/// What `frame`, which was received, says about the time: `None` if it does not acknowledge an address to us, else the
/// first time server that it names, if it names one.
#[must_use]
pub fn read(frame: &[u8], ours: &Conversation) -> Option<Option<Ipv4Addr>> {
    let message = frame.get(message(frame, SERVER, CLIENT, 2)?)?;
    let options = message.get(FIXED..)?;
    let kind = options.get(find(options, MESSAGE_TYPE)?)?;
    if Conversation::of(message)? != *ours || kind != ACKNOWLEDGED {
        return None;
    }
    let first = find(options, TIME_SERVERS).and_then(|at| options.get(at)?.first_chunk::<4>().copied());
    Some(first.map(Ipv4Addr::from).filter(|address| is_a_host(*address)))
}

fn is_a_host(address: Ipv4Addr) -> bool {
    let special = address.is_unspecified() || address.is_broadcast() || address.is_multicast();
    !special && !address.is_loopback()
}

impl Conversation {
    fn of(message: &[u8]) -> Option<Self> {
        let transaction = *message.get(4..)?.first_chunk()?;
        let hardware = *message.get(28..)?.first_chunk()?;
        Some(Self { transaction, hardware })
    }
}

/// Where the DHCP message of this direction is in a frame.
fn message(frame: &[u8], from: u16, to: u16, operation: u8) -> Option<Range<usize>> {
    let ip = frame.get(ETHERNET..)?;
    let whole = frame.get(12..ETHERNET)? == IPV4
        && ip.first()? >> 4 == 4
        && ip.get(9) == Some(&UDP)
        // No fragment.
        && word(ip, 6)? & 0x3fff == 0;
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let datagram = ETHERNET + header;
    let length = usize::from(word(frame, datagram + 4)?);
    let end = datagram + length;
    let fits = header >= 20 && length >= UDP_HEADER + FIXED && end <= ETHERNET + usize::from(word(ip, 2)?);
    let ports = word(frame, datagram)? == from && word(frame, datagram + 2)? == to;
    let message = datagram + UDP_HEADER..end;
    let bytes = frame.get(message.clone())?;
    // Of Ethernet, with addresses of six bytes.
    let kind = bytes.starts_with(&[operation, 1, 6]) && bytes.get(FIXED - COOKIE.len()..FIXED)? == COOKIE;
    (whole && fits && ports && kind).then_some(message)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

/// Where the data of an option is.
fn find(options: &[u8], wanted: u8) -> Option<Range<usize>> {
    let mut at = 0;
    loop {
        match *options.get(at)? {
            PAD => at += 1,
            END => return None,
            code => {
                let start = at + 2;
                let end = start + usize::from(*options.get(at + 1)?);
                options.get(start..end)?;
                if code == wanted {
                    return Some(start..end);
                }
                at = end;
            }
        }
    }
}

/// Puts 42 into the list in the place of option 57. `None`: nothing has changed.
fn insert(options: &mut [u8]) -> Option<()> {
    let list = find(options, WANTED)?;
    if options.get(list)?.contains(&TIME_SERVERS) {
        return None;
    }
    let largest = find(options, LARGEST)?;
    let freed = largest.len() + 2;
    options.copy_within(largest.end.., largest.start - 2);
    let used = options.len() - freed;
    options.get_mut(used..)?.fill(PAD);
    let list = find(options, WANTED)?;
    options.copy_within(list.end..used, list.end + 1);
    *options.get_mut(list.end)? = TIME_SERVERS;
    *options.get_mut(list.start - 1)? += 1;
    Some(())
}

/// Makes the UDP checksum right again; 0 means that there is none (RFC 768).
fn mend(frame: &mut [u8], message: Range<usize>) -> Option<()> {
    let datagram = message.start - UDP_HEADER..message.end;
    let checksum = datagram.start + 6..datagram.start + 8;
    if frame.get(checksum.clone())? == [0, 0] {
        return Some(());
    }
    frame.get_mut(checksum.clone())?.fill(0);
    // Both addresses, the protocol and the length go with it.
    let addresses = frame.get(ETHERNET + 12..ETHERNET + 20)?;
    let beside = u32::from(UDP) + datagram.len() as u32;
    let sum = sum(addresses) + beside + sum(frame.get(datagram)?);
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = !((folded & 0xffff) + (folded >> 16)) as u16;
    let told = if folded == 0 { 0xffff } else { folded };
    frame.get_mut(checksum)?.copy_from_slice(&told.to_be_bytes());
    Some(())
}

/// Of the words, the last one filled up: a frame has too few for it to overflow.
fn sum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<2>();
    let words: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    words + rest.first().map_or(0, |last| u32::from(*last) << 8)
}

#[cfg(test)]
mod tests;
