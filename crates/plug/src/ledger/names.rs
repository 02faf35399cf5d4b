//! What the name server said, for a while: it need not hear of each connection, and of none more often than once a minute.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::purpose::{OutsideError, Place};
use crate::limits;
use crate::platform::Instant;

/// Hosts that were looked up.
#[derive(Default)]
pub(super) struct Names(Vec<Name>);

struct Name {
    place: Rc<Place>,
    found: Result<IpAddr, OutsideError>,
    asked: Instant,
    until: Instant,
}

impl Names {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// What is known of a host; `None` where the name server has to be asked.
    pub(super) fn find(&self, host: &str, now: Instant) -> Option<Result<IpAddr, OutsideError>> {
        self.0.iter().find(|name| *name.place.host == *host && now < name.until).map(|name| name.found)
    }

    /// Keeps what was said just now, in the place of what was said longest ago.
    pub(super) fn keep(&mut self, place: Rc<Place>, found: Result<IpAddr, OutsideError>, now: Instant) {
        self.0.retain(|name| name.place.host != place.host && now < name.until);
        if self.0.len() >= limits::OUTSIDE_NAMES {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, name)| name.asked);
            if let Some((oldest, _)) = oldest {
                self.0.swap_remove(oldest);
            }
        }
        let kept = if found.is_ok() { limits::OUTSIDE_ADDRESS_KEPT } else { limits::OUTSIDE_LOOKUP_PAUSE };
        // Without memory it is only asked for again.
        if self.0.try_reserve_exact(1).is_ok() {
            self.0.push(Name { place, found, asked: now, until: now.after(kept) });
        }
    }

    /// Nobody answers at a host's address: it may be another one by now.
    pub(super) fn doubt(&mut self, host: &str) {
        for name in self.0.iter_mut().filter(|name| *name.place.host == *host) {
            name.until = name.until.min(name.asked.after(limits::OUTSIDE_LOOKUP_PAUSE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Purpose;
    use core::net::Ipv4Addr;
    use core::time::Duration;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    fn place(host: &str) -> Rc<Place> {
        Rc::new(Place { host: host.into(), port: 80, purpose: Purpose::Emoncms, lookup: false })
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn an_address_is_known_for_ten_minutes_and_that_there_is_none_for_one() {
        let mut names = Names::new();
        names.keep(place("a"), Ok(HERE), at(0));
        names.keep(place("b"), Err(OutsideError::TimedOut), at(0));
        assert_eq!(names.find("a", at(599)), Some(Ok(HERE)));
        assert_eq!(names.find("a", at(600)), None);
        assert_eq!(names.find("b", at(59)), Some(Err(OutsideError::TimedOut)));
        assert_eq!(names.find("b", at(60)), None);
        assert_eq!(names.find("c", at(0)), None);
    }

    #[test]
    fn a_doubted_address_is_asked_for_again_no_sooner_than_after_a_minute() {
        let mut names = Names::new();
        names.keep(place("a"), Ok(HERE), at(100));
        names.doubt("a");
        assert_eq!(names.find("a", at(159)), Some(Ok(HERE)));
        assert_eq!(names.find("a", at(160)), None);
        names.keep(place("a"), Ok(HERE), at(160));
        names.doubt("b");
        assert_eq!(names.find("a", at(700)), Some(Ok(HERE)));
        assert_eq!(names.0.len(), 1);
    }

    #[test]
    fn the_oldest_goes_where_there_are_too_many() {
        let mut names = Names::new();
        for number in 0..10_u64 {
            names.keep(place(&alloc::format!("host-{number}")), Ok(HERE), at(number));
        }
        let known: Vec<_> =
            (0..10).filter(|number| names.find(&alloc::format!("host-{number}"), at(10)).is_some()).collect();
        assert_eq!(known, [6, 7, 8, 9]);
        assert!(names.0.capacity() <= 2 * limits::OUTSIDE_NAMES);
    }
}
