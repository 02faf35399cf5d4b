//! Which of the networks that a scan found is joined, or why none is: a pure function.

use crate::platform::{Credentials, Known, LinkError, Network, Security};
use crate::settings::schema::NETWORKS;

/// Why each of the known networks cannot be joined, or cannot yet.
pub type Errors = [Option<LinkError>; NETWORKS];

/// Which of the known networks are worth joining (a bit for each), and why the others are not. One that hides its name
/// shows nothing in a scan, so whatever the scan says it has to be tried.
#[must_use]
pub fn choose_all(found: &[Network], known: &[Known]) -> (u8, Errors) {
    let (mut joinable, mut errors) = (0, Errors::default());
    for (index, (known, place)) in known.iter().zip(&mut errors).enumerate() {
        match choose(found, &known.credentials) {
            Err(error) if !known.hidden => *place = Some(error),
            _ => joinable |= 1 << index,
        }
    }
    (joinable, errors)
}

/// The strongest network by the name of `known` that can be joined as `known` says. Others of the same name do not
/// matter then: one that is open beside a protected one may be a trap, and is never taken when a password is set.
///
/// # Errors
/// Why none can be joined: what its owner has to change, if several by the name differ.
pub fn choose<'n>(found: &'n [Network], known: &Credentials) -> Result<&'n Network, LinkError> {
    let named = || found.iter().filter(|network| !network.ssid.is_empty() && network.ssid == known.ssid);
    let has = |security| named().any(|network| network.security == security);
    // The ESP32's radio library reports WPA3-only networks as open; a password keeps the plug off them either way.
    let wanted = if known.password.is_some() { Security::Wpa2 } else { Security::Open };
    let strongest =
        named().filter(|network| network.security == wanted).max_by_key(|network| network.signal_dbm);
    if let Some(network) = strongest {
        Ok(network)
    } else if named().next().is_none() {
        Err(LinkError::NotFound)
    } else if has(Security::Wpa2) {
        Err(LinkError::PasswordMissing)
    } else if has(Security::Wpa3) {
        Err(LinkError::OnlyWpa3)
    } else if has(Security::Open) {
        Err(LinkError::ScansAsOpen)
    } else {
        Err(LinkError::Unsupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn network(ssid: &str, signal_dbm: i8, security: Security) -> Network {
        Network { ssid: ssid.try_into().unwrap(), signal_dbm, security, channel: 6 }
    }

    fn known(password: Option<&str>) -> Credentials {
        Credentials {
            ssid: "home".try_into().unwrap(),
            password: password.map(|text| text.try_into().unwrap()),
        }
    }

    /// The signal of what is chosen among networks called `home` with these kinds of protection.
    fn chosen(kinds: &[Security], password: Option<&str>) -> Result<i8, LinkError> {
        let found: Vec<_> =
            kinds.iter().zip(0_i8..).map(|(kind, index)| network("home", -40 - index, *kind)).collect();
        choose(&found, &known(password)).map(|network| network.signal_dbm)
    }

    const SET: Option<&str> = Some("eight888");

    #[test]
    fn each_kind_alone() {
        use Security::{Enterprise, Open, Outdated, Wpa2, Wpa3};
        for (kind, with, without) in [
            (Open, Err(LinkError::ScansAsOpen), Ok(-40)),
            (Wpa2, Ok(-40), Err(LinkError::PasswordMissing)),
            (Wpa3, Err(LinkError::OnlyWpa3), Err(LinkError::OnlyWpa3)),
            (Outdated, Err(LinkError::Unsupported), Err(LinkError::Unsupported)),
            (Enterprise, Err(LinkError::Unsupported), Err(LinkError::Unsupported)),
        ] {
            assert_eq!(chosen(&[kind], SET), with, "{kind:?}");
            assert_eq!(chosen(&[kind], None), without, "{kind:?}");
        }
    }

    #[test]
    fn an_open_twin_is_passed_over_however_strong_it_is() {
        use Security::{Enterprise, Open, Wpa2, Wpa3};
        assert_eq!(chosen(&[Open, Wpa2], SET), Ok(-41));
        assert_eq!(chosen(&[Open, Open, Wpa3, Wpa2, Enterprise], SET), Ok(-43));
        assert_eq!(chosen(&[Open, Wpa3], SET), Err(LinkError::OnlyWpa3));
        assert_eq!(chosen(&[Enterprise, Open], SET), Err(LinkError::ScansAsOpen));
        // Without a password the open one is what was asked for.
        assert_eq!(chosen(&[Wpa2, Open], None), Ok(-41));
    }

    #[test]
    fn the_strongest_of_the_name_is_chosen_and_of_no_other() {
        let found = [
            network("home", -80, Security::Wpa2),
            network("home", -60, Security::Wpa2),
            network("home", -70, Security::Wpa2),
            network("Home", -20, Security::Wpa2),
            network("", -10, Security::Wpa2),
        ];
        assert_eq!(choose(&found, &known(SET)).unwrap().signal_dbm, -60);
        assert_eq!(choose(&found[3..], &known(SET)), Err(LinkError::NotFound));
        assert_eq!(choose(&[], &known(None)), Err(LinkError::NotFound));
        let nameless = Credentials { ssid: heapless::String::new(), password: None };
        assert_eq!(choose(&[network("", -10, Security::Open)], &nameless), Err(LinkError::NotFound));
    }
}
