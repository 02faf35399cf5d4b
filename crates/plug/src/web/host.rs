//! Under which name the plug was asked, and from whose page: `Host` (RFC 9110 §7.2) and `Origin` (RFC 6454 §7).
//!
//! A page of a stranger can make a browser ask the plug in two ways. By the plug's own address: the browser then names
//! the stranger's page in `Origin`. By a name of the stranger's that suddenly leads to the plug (DNS rebinding): the
//! browser then takes both for one, but the name stands in `Host`. Neither gets through.

use core::net::{IpAddr, Ipv6Addr};

/// Suffixes that routers put behind a host name, and mDNS. Nobody can register one of them.
const SUFFIXES: [&str; 6] = ["local", "lan", "home", "home.arpa", "internal", "localdomain"];
/// What a plug's host name begins with; the last four characters of its id follow.
const PREFIX: &[u8] = b"ossp-";
const SUFFIX_OF_ID: usize = 4;

/// What stands in `Host`: name or address, and perhaps a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host<'a> {
    /// An address: nobody can make another page's name lead there.
    Address(IpAddr),
    /// A name, without the dot at its end.
    Name(&'a str),
}

/// It is no host at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadHost;

impl<'a> Host<'a> {
    /// Reads `name`, `name:80`, `192.0.2.1`, `[2001:db8::1]:80`.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, BadHost> {
        let text = core::str::from_utf8(text).map_err(|_| BadHost)?;
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(BadHost)?;
            check_port(port)?;
            return address
                .parse::<Ipv6Addr>()
                .map(|address| Self::Address(address.into()))
                .map_err(|_| BadHost);
        }
        let end = text.find(':').unwrap_or(text.len());
        let (name, port) = text.split_at_checked(end).ok_or(BadHost)?;
        check_port(port)?;
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() || !name.bytes().all(is_of_a_name) {
            return Err(BadHost);
        }
        Ok(name.parse().map_or(Self::Name(name), Self::Address))
    }

    /// Whether the plug with this id answers under it; `own` is the host name that its owner gave it, `others` are further
    /// names.
    pub(super) fn is_ours<'n>(self, id: &str, own: &str, mut others: impl Iterator<Item = &'n str>) -> bool {
        let name = match self {
            Self::Address(_) => return true,
            Self::Name(name) => name,
        };
        name.eq_ignore_ascii_case("localhost")
            || is_host_name(name, |bare| {
                is_by_id(bare, id) || !own.is_empty() && bare.eq_ignore_ascii_case(own)
            })
            || others.any(|other| name.eq_ignore_ascii_case(other.strip_suffix('.').unwrap_or(other)))
    }
}

/// Whether it is one of the plug's host names, bare or with a suffix.
fn is_host_name(name: &str, is_one: impl Fn(&str) -> bool) -> bool {
    let (bare, suffix) = name.split_once('.').unwrap_or((name, ""));
    is_one(bare) && (suffix.is_empty() || SUFFIXES.iter().any(|known| suffix.eq_ignore_ascii_case(known)))
}

/// Whether it is what the plug is called where its owner gave it no name.
fn is_by_id(bare: &str, id: &str) -> bool {
    let id = id.as_bytes();
    let end = id.get(id.len().saturating_sub(SUFFIX_OF_ID)..).unwrap_or(id);
    match bare.as_bytes().split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) => prefix.eq_ignore_ascii_case(PREFIX) && rest.eq_ignore_ascii_case(end),
        None => false,
    }
}

const fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Nothing, or a colon and a number.
fn check_port(text: &str) -> Result<(), BadHost> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() { Ok(()) } else { Err(BadHost) };
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || (plain && digits.parse::<u16>().is_ok()) { Ok(()) } else { Err(BadHost) }
}

/// Whether a page of `origin` is one of ours where the plug was asked as `host`. The scheme does not count: a proxy may
/// speak TLS.
pub(super) fn is_same_origin(origin: &[u8], host: &[u8]) -> bool {
    let place = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    place.is_some_and(|place| !place.is_empty() && place.eq_ignore_ascii_case(host))
}

/// The parts of a request's target: the authority of one in absolute form (RFC 9112 §3.2.2), and the path.
pub(super) fn split_target(target: &str) -> (Option<&str>, &str) {
    let scheme = |name: &str| {
        let (start, rest) = target.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(rest)
    };
    match scheme("http://").or_else(|| scheme("https://")) {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
            (Some(authority), if path.is_empty() { "/" } else { path })
        }
        None => (None, target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "a1b2c3d4E5f6";

    fn verdict(text: &str) -> Result<bool, BadHost> {
        Host::parse(text.as_bytes())
            .map(|host| host.is_ours(ID, "Cellar-2", ["plug.example.org", "Kettle"].into_iter()))
    }

    #[test]
    fn addresses_and_our_names_are_ours() {
        for text in [
            "192.0.2.1",
            "192.0.2.1:8080",
            "[::1]",
            "[fe80::1]:80",
            "localhost",
            "LocalHost:1234",
            "ossp-e5f6",
            "OSSP-E5F6.local",
            "ossp-e5f6.local.",
            "ossp-e5f6.lan:80",
            "ossp-e5f6.home",
            "ossp-e5f6.home.arpa",
            "ossp-e5f6.internal",
            "ossp-e5f6.localdomain",
            "plug.example.org",
            "PLUG.example.org.:443",
            "kettle",
            "kettle:",
            "cellar-2",
            "CELLAR-2.local:80",
            "cellar-2.lan",
        ] {
            assert_eq!(verdict(text), Ok(true), "{text}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for text in [
            "example.org",
            "ossp-e5f6.example.org",
            "ossp-e5f6.fritz.box",
            "ossp-e5f6.local.example.org",
            "ossp-c3d4",
            "xossp-e5f6",
            "ossp-e5f6x",
            "ossp",
            "localhost.example.org",
            "192.0.2.1.example.org",
            "kettle.local",
            "cellar-2.example.org",
            "cellar-",
            "1.2.3",
            "0x7f000001",
            "2130706433",
        ] {
            assert_eq!(verdict(text), Ok(false), "{text}");
        }
    }

    #[test]
    fn no_name_of_its_own_is_no_name_at_all() {
        let ours =
            |text: &str| Host::parse(text.as_bytes()).map(|host| host.is_ours(ID, "", core::iter::empty()));
        assert_eq!((ours("ossp-e5f6"), ours("cellar-2"), ours(".local")), (Ok(true), Ok(false), Ok(false)));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ":80",
            ".",
            "a b",
            "a/b",
            "user@localhost",
            "localhost:80:80",
            "localhost:x",
            "localhost:65536",
            "[::1",
            "[::1]x",
            "[192.0.2.1]",
            "::1",
            "localhost, localhost",
            "l\u{f6}calhost",
            "localhost:+80",
            "localhost:80 ",
        ] {
            assert_eq!(verdict(text), Err(BadHost), "{text}");
        }
        assert_eq!(Host::parse(b"\xff"), Err(BadHost));
    }

    #[test]
    fn an_origin_is_the_host_or_somebody_else() {
        let same = |origin: &str| is_same_origin(origin.as_bytes(), b"plug.local:8080");
        assert!(same("http://plug.local:8080"));
        assert!(same("https://PLUG.local:8080"));
        for other in [
            "null",
            "",
            "http://",
            "plug.local:8080",
            "http://plug.local",
            "http://plug.local:8080/",
            "ftp://plug.local:8080",
        ] {
            assert!(!same(other), "{other}");
        }
        assert!(!is_same_origin(b"http://", b""));
    }

    #[test]
    fn a_target_may_name_its_authority() {
        assert_eq!(split_target("/a"), (None, "/a"));
        assert_eq!(split_target("http://plug/a"), (Some("plug"), "/a"));
        assert_eq!(split_target("HTTP://plug:80"), (Some("plug:80"), "/"));
        assert_eq!(split_target("https:///a"), (Some(""), "/a"));
        assert_eq!(split_target("*"), (None, "*"));
    }
}
