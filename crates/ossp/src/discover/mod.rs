//! `ossp discover`: which plugs there are on this machine's networks.

mod plugs;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use clap::Args;
use plug::net::mdns::wire::{GROUP, LONGEST, PORT};
use socket2::SockRef;

pub use plugs::{Found, Plugs, host_question, question};

use crate::failure::Failure;
use crate::host::networks;
use crate::printable::printable_json;

/// When it is asked again, in seconds after the start: a packet to all is easily lost on the air.
const ASKED_AT: [f64; 3] = [0.0, 0.5, 1.5];
/// How long one look at a socket takes.
const LOOK: Duration = Duration::from_millis(20);

/// Options of `ossp discover`.
#[derive(Args, Clone, Debug)]
pub struct DiscoverOptions {
    /// How long answers are waited for
    #[arg(long, value_name = "N", default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// A JSON array instead of a table
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0.1 to 600 is wanted".to_owned()),
    }
}

/// Asks all networks, and prints who answered.
///
/// # Errors
/// If there is no network, or nobody answered.
pub fn run(options: &DiscoverOptions) -> Result<(), Failure> {
    let sockets = sockets();
    let mut plugs = Plugs::default();
    listen(&sockets, &[question()], Duration::from_secs_f64(options.seconds), |bytes| {
        plugs.hear(bytes);
        false
    });
    let found = plugs.found();
    let text = if options.json { json(&found) } else { table(&found) };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::failed(format!("standard output cannot be written ({error})")))?;
    if found.is_empty() {
        return Err(Failure::failed(match sockets.len() {
            0 => "this machine is on no network with others".to_owned(),
            _ => format!(
                "no plug answered within {} s; a plug is found if it has joined the same network, \"device.mdns\" is \
                 on, and nothing in between keeps multicast (UDP 5353) away",
                options.seconds
            ),
        }));
    }
    Ok(())
}

/// A socket on a network: the own address there, and how many bits of it are the network's.
struct Ear {
    socket: UdpSocket,
    own: Ipv4Addr,
    prefix: u8,
}

impl Ear {
    /// Whether somebody is in its network: nobody else answers a question that is asked there (RFC 6762 §11).
    fn is_near(&self, from: SocketAddr) -> bool {
        let IpAddr::V4(from) = from.ip() else { return false };
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
        (from.to_bits() ^ self.own.to_bits()) & mask == 0
    }
}

fn sockets() -> Vec<Ear> {
    let all = networks().into_iter();
    all.filter_map(|(own, prefix)| Some(Ear { socket: socket(own).ok()?, own, prefix })).collect()
}

/// Sends to the group on the network of `own`. Its port is not the group's: answers come to it alone, and no other
/// program on this machine takes them.
fn socket(own: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((own, 0))?;
    let options = SockRef::from(&socket);
    options.set_multicast_if_v4(&own)?;
    options.set_multicast_ttl_v4(255)?;
    options.set_multicast_loop_v4(true)?;
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket)
}

/// Asks until the time is over or `hear` has enough.
fn listen(sockets: &[Ear], questions: &[Vec<u8>], time: Duration, mut hear: impl FnMut(&[u8]) -> bool) {
    let (begin, mut asked) = (Instant::now(), 0);
    let mut bytes = [0; LONGEST];
    while begin.elapsed() < time && !sockets.is_empty() {
        if ASKED_AT.get(asked).is_some_and(|at| begin.elapsed().as_secs_f64() >= *at) {
            asked += 1;
            for (ear, question) in sockets.iter().flat_map(|ear| questions.iter().map(move |one| (ear, one)))
            {
                // A network on which nothing can be sent has no plugs for us.
                let _ = ear.socket.send_to(question, (GROUP, PORT));
            }
        }
        for ear in sockets {
            // An error is the end of the time, or somebody who cannot be reached.
            if let Ok((length, from)) = ear.socket.recv_from(&mut bytes)
                && ear.is_near(from)
                && hear(bytes.get(..length).unwrap_or(&[]))
            {
                return;
            }
        }
    }
}

/// The address of a host in one of this machine's networks, by its name in `.local`, and the port of its web where it is a
/// plug; asked for at most so long.
#[must_use]
pub fn place_of(name: &str, time: Duration) -> Option<(Ipv4Addr, Option<u16>)> {
    let mut hosts = Plugs::default();
    listen(&sockets(), &[host_question(name), question()], time, |bytes| {
        hosts.hear(bytes);
        hosts.address(name).is_some() && hosts.port(name).is_some()
    });
    Some((hosts.address(name)?, hosts.port(name)))
}

fn table(found: &[Found]) -> String {
    let mut rows = vec![["NAME", "ADDRESS", "ID", "VERSION", "BOARD"].map(str::to_owned)];
    rows.extend(found.iter().map(|plug| {
        [plug.name.clone(), plug.place(), plug.id.clone(), plug.version.clone(), plug.board.clone()]
    }));
    if found.is_empty() {
        return String::new();
    }
    let widths: Vec<usize> = (0..5)
        .map(|column| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0))
        .collect();
    rows.iter().fold(String::new(), |text, row| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text + cells.join("  ").trim_end() + "\n"
    })
}

fn json(found: &[Found]) -> String {
    let all: Vec<_> = found
        .iter()
        .map(|plug| {
            serde_json::json!({
                "name": plug.name,
                "address": plug.address.map(|address| address.to_string()),
                "port": plug.port,
                "url": format!("http://{}/", plug.place()),
                "id": plug.id,
                "version": plug.version,
                "board": plug.board,
            })
        })
        .collect();
    printable_json(&serde_json::Value::from(all)) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neighbours_are_heard() {
        let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ear = |prefix| Ear { socket: socket(), own: Ipv4Addr::new(192, 0, 2, 7), prefix };
        let from = |text: &str| format!("{text}:5353").parse().unwrap();
        for (prefix, address, near) in [
            (24, "192.0.2.200", true),
            (24, "192.0.3.7", false),
            (25, "192.0.2.200", false),
            (32, "192.0.2.7", true),
            (32, "192.0.2.8", false),
            (0, "198.51.100.1", true),
        ] {
            assert_eq!(ear(prefix).is_near(from(address)), near, "{address}/{prefix}");
        }
        assert!(!ear(24).is_near(from("[fe80::1]")));
    }
}
