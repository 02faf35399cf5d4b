//! Which plug is meant: `http://ossp-a1b2.local/`, `192.0.2.7:8080`, `ossp-a1b2`.

use std::time::Duration;

use crate::discover;
use crate::failure::Failure;

/// How long a name in `.local` is asked for before the system is.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The start of a plug's addresses, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    port: Option<u16>,
}

impl Place {
    /// Reads it.
    ///
    /// # Errors
    /// If it is no plug's.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::wrong_use(format!("\"{text}\" is no plug's address: {why}"));
        let rest = match text.split_once("://") {
            None => text,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err(wrong("plugs speak http, not https"));
            }
            Some(_) => return Err(wrong("it begins with http:// or has no such beginning")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(wrong("a password does not belong there, but into OSSP_PASSWORD"));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(wrong("only the host, and perhaps a port, is wanted"));
        }
        let port = |digits: &str| digits.parse().map_err(|_| wrong("its port is no number from 0 to 65535"));
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (format!("[{host}]"), None),
            Some((host, behind)) => (format!("[{host}]"), Some(port(behind.trim_start_matches(':'))?)),
            None => match rest.split_once(':') {
                Some((host, digits)) => (host.to_owned(), Some(port(digits)?)),
                None => (rest.to_owned(), None),
            },
        };
        let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(of_a_host) {
            return Err(wrong("it has no host"));
        }
        Ok(Self { host, port })
    }

    fn name(&self) -> &str {
        self.host.strip_suffix('.').unwrap_or(&self.host)
    }

    fn is_local(&self) -> bool {
        self.name().to_ascii_lowercase().ends_with(".local")
    }

    /// Why its name leads nowhere.
    pub(super) fn unknown(&self) -> &'static str {
        if self.is_local() {
            "nobody on this machine's networks answers to that name"
        } else {
            "no host of that name is known here"
        }
    }

    /// Where that is now: names in `.local` are asked for on the network, since not every system knows them.
    pub(super) fn base(&self) -> String {
        let found = if self.is_local() { discover::place_of(self.name(), PATIENCE) } else { None };
        let host = found.map_or_else(|| self.host.clone(), |(address, _)| address.to_string());
        let told = found.and_then(|(_, port)| port).filter(|port| *port != 80);
        match self.port.or(told) {
            Some(port) => format!("http://{host}:{port}"),
            None => format!("http://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_perhaps_a_port() {
        for (text, base) in [
            ("http://192.0.2.7/", "http://192.0.2.7"),
            ("HTTP://192.0.2.7:8080", "http://192.0.2.7:8080"),
            ("192.0.2.7:8080/", "http://192.0.2.7:8080"),
            ("ossp-a1b2", "http://ossp-a1b2"),
            ("[2001:db8::1]:80", "http://[2001:db8::1]:80"),
            ("http://[2001:db8::1]/", "http://[2001:db8::1]"),
        ] {
            assert_eq!(Place::parse(text).unwrap().base(), base);
        }
        for text in [
            "",
            "http://",
            "https://192.0.2.7/",
            "ftp://192.0.2.7/",
            "http://admin:secret@192.0.2.7/",
            "http://192.0.2.7/update",
            "192.0.2.7:x",
            "192.0.2.7:65536",
            "a b",
        ] {
            assert_eq!(Place::parse(text).unwrap_err().status, 2, "{text}");
        }
    }
}
