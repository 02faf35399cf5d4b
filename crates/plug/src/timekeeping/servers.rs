//! The setting `time.ntp_servers`: up to three names or addresses with spaces between them.

/// Most of them.
pub const SERVERS: usize = 3;
/// NTP's port (RFC 5905 §7.2).
pub const NTP_PORT: u16 = 123;

/// A time server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server<'a> {
    /// Its name or its IPv4 address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
}

impl<'a> Server<'a> {
    /// Of `HOST` or `HOST:PORT`; `None` if it is neither.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                (host, port.parse().ok().filter(|port| digits && *port > 0)?)
            }
            None => (text, NTP_PORT),
        };
        let label = |label: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=63).contains(&label.len()) && label.bytes().all(allowed) && !label.starts_with('-')
        };
        host.split('.').all(label).then_some(Self { host, port })
    }
}

/// The servers that `text` names, in its order.
pub fn servers(text: &str) -> impl Iterator<Item = Server<'_>> {
    text.split(' ').filter_map(Server::parse)
}

/// Whether this can be the setting.
#[must_use]
pub fn are_servers(text: &str) -> bool {
    (1..=SERVERS).contains(&text.split(' ').count())
        && text.split(' ').all(|one| Server::parse(one).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn one_to_three_names_or_addresses() {
        let all: Vec<_> = servers("pool.ntp.org 192.168.1.1 localhost:12300").collect();
        let server = |host, port| Server { host, port };
        let expected = [server("pool.ntp.org", 123), server("192.168.1.1", 123), server("localhost", 12300)];
        assert_eq!(all, expected);
        for good in ["pool.ntp.org", "ntp", "a b c", "10.0.0.1:1 x_y.z-1:65535"] {
            assert!(are_servers(good), "{good}");
        }
        let long = "x".repeat(64);
        for bad in [
            "",
            " ",
            "a b c d",
            "a  b",
            " a",
            "a ",
            "a,b",
            "-a",
            "a.",
            ".a",
            "a..b",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:b",
            ":123",
            "::1",
            "[::1]:123",
            "http://a",
            "a/b",
            "ä",
            "a\tb",
            &long,
        ] {
            assert!(!are_servers(bad), "{bad}");
        }
        assert_eq!(servers(&"x".repeat(63).to_string()).count(), 1);
    }
}
