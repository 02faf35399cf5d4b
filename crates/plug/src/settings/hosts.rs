//! The list of host names in JSON.

use alloc::vec::Vec;
use core::fmt::{Result as Written, Write};

use super::field;
use super::schema::{HOSTS, HostName};
use crate::json::{self, Quoted};

/// What the list must be.
pub(super) const WANTED: &str = "a list of at most 4 host names such as \"plug.example.org\", without a port, of \
                                 lower-case letters, digits, hyphens and dots, at most 64 characters each";

/// The list that `value` is; `None` if it is none, or one of its names cannot be.
pub(super) fn read(value: &str) -> Option<Vec<HostName>> {
    let (mut hosts, mut good) = (Vec::new(), true);
    let whole = json::items(value, |item| match field::text(item).filter(|name| is_host_name(name)) {
        Some(name) if hosts.len() < HOSTS => hosts.push(name),
        _ => good = false,
    });
    (whole.is_ok() && good).then_some(hosts)
}

/// A name as DNS has it for hosts (RFC 1123 section 2.1), and nothing that looks like an IPv4 address: those are
/// allowed in any case.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or("");
    name.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes the list.
pub(super) fn write(hosts: &[HostName], out: &mut dyn Write) -> Written {
    out.write_char('[')?;
    for (index, host) in hosts.iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        write!(out, "{}", Quoted(host))?;
    }
    out.write_char(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use serde_json::{Value, json};

    #[test]
    fn hosts_are_names_of_hosts() {
        let by = |hosts: Value| read(&hosts.to_string());
        let label = "x".repeat(63);
        for hosts in
            [json!([]), json!(["a"]), json!(["a.b", "1-2.c3"]), json!(["a", "b", "c", "d"]), json!([label])]
        {
            let names = by(hosts.clone()).unwrap();
            assert_eq!(json!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>()), hosts);
        }
        for host in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a.-b",
            "A",
            "a_b",
            "a b",
            "a:80",
            "http://a",
            "[::1]",
            "ä",
            "1.2.3.4",
            "a.1",
            "*.a",
            "a/b",
            "a\\",
            "xn--\u{e4}",
        ] {
            assert!(by(json!(["plug", host])).is_none(), "{host}");
        }
        for hosts in [json!("a"), json!({}), json!([1]), json!([null]), json!(["a", "b", "c", "d", "e"])] {
            assert!(by(hosts.clone()).is_none(), "{hosts}");
        }
        let long = |length| format!("{}.a", "x".repeat(length));
        assert!(by(json!([long(62)])).is_some());
        assert!(by(json!([long(63)])).is_none() && by(json!(["x".repeat(64)])).is_none());
    }
}
