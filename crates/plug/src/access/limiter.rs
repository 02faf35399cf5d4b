//! Counts wrong passwords, so that nobody can try many: for each address, and for all together.
//!
//! ```text
//!            5th wrong                 over              wrong
//!   counted ----------> refused 30 s --------> counted --------> refused 60 s --> ... at most 15 min
//!      5 min without a wrong one, or a right one: forgotten
//! ```

use core::fmt::Write;
use core::net::IpAddr;
use core::time::Duration;

use heapless::{Deque, String};

use crate::platform::Instant;

/// Addresses that are counted at once.
const PEERS: usize = 8;
/// Wrong ones after which an address is refused.
const WRONG: u8 = 5;
/// After how long without a wrong one an address is forgotten.
const FORGET: Duration = Duration::from_secs(300);
/// How long an address is refused first; each time twice as long.
const FIRST: Duration = Duration::from_secs(30);
/// And at most.
const LONGEST: Duration = Duration::from_secs(900);
/// Wrong ones a [`SPAN`] from all addresses together.
const TOGETHER: u8 = 60;
const SPAN: Duration = Duration::from_secs(60);

struct Peer {
    address: IpAddr,
    wrong: u8,
    /// When it may try again; earlier than the last wrong one if it always may.
    free: Instant,
    last: Instant,
}

/// What is counted.
pub(super) struct Limiter {
    /// The one whose last wrong password is longest ago stands first.
    peers: Deque<Peer, PEERS>,
    /// When the running span began.
    span: Instant,
    /// Wrong ones in it.
    together: u8,
}

impl Limiter {
    pub(super) const fn new() -> Self {
        Self { peers: Deque::new(), span: Instant::from_start(Duration::ZERO), together: 0 }
    }

    /// How long nobody looks at what comes from `address`; `None`: somebody looks.
    pub(super) fn refused(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let peer = self.peers.iter().find(|peer| peer.address == address)?;
        Some(peer.free.since(now)).filter(|wait| !wait.is_zero())
    }

    /// How long nobody looks at what comes from anybody new.
    pub(super) fn crowded(&self, now: Instant) -> Option<Duration> {
        let wait = self.span.after(SPAN).since(now);
        (self.together >= TOGETHER && !wait.is_zero()).then_some(wait)
    }

    /// Counts a wrong one.
    pub(super) fn wrong(&mut self, address: IpAddr, now: Instant, say: &mut dyn FnMut(&str)) {
        let known = self.forget(address);
        let recent = known.filter(|peer| now.since(peer.last.max(peer.free)) < FORGET);
        let wrong = recent.map_or(0, |peer| peer.wrong).saturating_add(1);
        let mut free = now;
        let mut line: String<96> = String::new();
        // It fits: an address has 39 characters at most.
        let _ = match wrong {
            1 => write!(line, "wrong password or token from {address}"),
            ..WRONG => Ok(()),
            WRONG.. => {
                let doublings = u32::from(wrong - WRONG).min(5);
                let wait = (FIRST * (1 << doublings)).min(LONGEST);
                free = now.after(wait);
                write!(line, "{address} is refused for {} s: too many wrong passwords", wait.as_secs())
            }
        };
        if !line.is_empty() {
            say(&line);
        }
        self.keep(Peer { address, wrong, free, last: now }, now);
        if now.since(self.span) >= SPAN {
            self.span = now;
            self.together = 0;
        }
        self.together = self.together.saturating_add(1);
        if self.together == TOGETHER {
            say("too many wrong passwords from many addresses: no new sign-in for a minute");
        }
    }

    /// Somebody there knows the password: nothing is counted any more.
    pub(super) fn right(&mut self, address: IpAddr) {
        self.forget(address);
    }

    fn forget(&mut self, address: IpAddr) -> Option<Peer> {
        let mut found = None;
        for _ in 0..self.peers.len() {
            let Some(peer) = self.peers.pop_front() else { break };
            if peer.address == address {
                found = Some(peer);
            } else {
                // It has just made room.
                let _ = self.peers.push_back(peer);
            }
        }
        found
    }

    /// One that may try anyway makes room rather than one that is refused.
    fn keep(&mut self, peer: Peer, now: Instant) {
        if self.peers.is_full() {
            let goes = self.peers.iter().find(|peer| peer.free <= now).or(self.peers.front());
            if let Some(address) = goes.map(|peer| peer.address) {
                self.forget(address);
            }
        }
        // There is room by now.
        let _ = self.peers.push_back(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn silent(_: &str) {}

    #[test]
    fn the_fifth_wrong_one_is_refused_and_each_later_one_twice_as_long() {
        let mut limiter = Limiter::new();
        let mut now = at(1000);
        for _ in 0..4 {
            limiter.wrong(HERE, now, &mut silent);
            assert_eq!(limiter.refused(HERE, now), None);
        }
        for wait in [30, 60, 120, 240, 480, 900, 900] {
            limiter.wrong(HERE, now, &mut silent);
            assert_eq!(limiter.refused(HERE, now), Some(Duration::from_secs(wait)));
            now = now.after(Duration::from_secs(wait - 1));
            assert_eq!(limiter.refused(HERE, now), Some(Duration::from_secs(1)));
            now = now.after(Duration::from_secs(1));
            assert_eq!(limiter.refused(HERE, now), None);
        }
        // Five minutes of peace, and it begins anew.
        now = now.after(FORGET);
        limiter.wrong(HERE, now, &mut silent);
        assert_eq!(limiter.refused(HERE, now), None);
    }

    #[test]
    fn a_right_one_forgets_and_others_are_not_concerned() {
        let mut limiter = Limiter::new();
        let other = IpAddr::V6(Ipv6Addr::LOCALHOST);
        for _ in 0..4 {
            limiter.wrong(HERE, at(0), &mut silent);
        }
        limiter.right(HERE);
        limiter.wrong(HERE, at(0), &mut silent);
        assert_eq!(limiter.refused(HERE, at(0)), None);
        for _ in 0..4 {
            limiter.wrong(HERE, at(0), &mut silent);
        }
        assert!(limiter.refused(HERE, at(0)).is_some());
        assert_eq!(limiter.refused(other, at(0)), None);
    }

    #[test]
    fn many_addresses_do_not_free_one_and_are_counted_together() {
        let mut limiter = Limiter::new();
        for _ in 0..5 {
            limiter.wrong(HERE, at(100), &mut silent);
        }
        for number in 0..54 {
            let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, number));
            limiter.wrong(address, at(100), &mut silent);
            assert_eq!(limiter.crowded(at(100)), None);
        }
        assert!(limiter.refused(HERE, at(100)).is_some());
        let mut lines = 0;
        limiter.wrong(IpAddr::V4(Ipv4Addr::new(10, 0, 1, 0)), at(130), &mut |_| lines += 1);
        assert_eq!(lines, 2);
        assert_eq!(limiter.crowded(at(130)), Some(Duration::from_secs(30)));
        assert_eq!(limiter.crowded(at(160)), None);
        limiter.wrong(HERE, at(160), &mut silent);
        assert_eq!(limiter.crowded(at(160)), None);
    }

    #[test]
    fn the_first_one_and_each_refusal_are_told() {
        let mut limiter = Limiter::new();
        let mut lines = alloc::vec::Vec::new();
        let long = "2001:db8:1234:5678:9abc:def0:1234:5678".parse().unwrap();
        for second in 0..6 {
            limiter.wrong(long, at(second * 40), &mut |line| lines.push(alloc::string::String::from(line)));
        }
        assert_eq!(
            lines,
            [
                "wrong password or token from 2001:db8:1234:5678:9abc:def0:1234:5678",
                "2001:db8:1234:5678:9abc:def0:1234:5678 is refused for 30 s: too many wrong passwords",
                "2001:db8:1234:5678:9abc:def0:1234:5678 is refused for 60 s: too many wrong passwords",
            ]
        );
    }
}
