//! Versions of the firmware and which of two is older: Semantic Versioning 2.0.0.
//!
//! Own code: all that is wanted is the order, and the crate `semver` would bring an allocator's tricks and requirements
//! such as `^1.2` along.

use core::cmp::Ordering;
use core::fmt::{self, Display, Formatter};

use heapless::String;

/// Longest version, as the descriptor of an image holds it with a byte of zero behind it.
pub const VERSION_MOST: usize = 31;

/// A version such as `0.2.0` or `1.0.0-rc.1+abc`. Two are equal if neither is older: what follows a `+` does not count.
#[derive(Clone, Debug)]
pub struct Version(String<VERSION_MOST>);

impl Version {
    /// Reads one; `None` for what is none (Semantic Versioning 2.0.0, 2 to 10).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (core, pre, build) = parts(text);
        let numbers = core.split('.').filter(|number| is_number(number)).count();
        let whole = numbers == 3 && core.split('.').count() == 3;
        let names = |names: Option<&str>, numeric: fn(&str) -> bool| {
            names.is_none_or(|names| names.split('.').all(|name| is_name(name) && numeric(name)))
        };
        let good = whole && names(pre, |name| !is_digits(name) || is_number(name)) && names(build, |_| true);
        if good { String::try_from(text).ok().map(Self) } else { None }
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Version {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    /// Semantic Versioning 2.0.0, 11.
    fn cmp(&self, other: &Self) -> Ordering {
        let ((one, one_pre, _), (other, other_pre, _)) = (parts(&self.0), parts(&other.0));
        let numbers = one.split('.').map(Identifier).cmp(other.split('.').map(Identifier));
        numbers.then_with(|| match (one_pre, other_pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => one.split('.').map(Identifier).cmp(other.split('.').map(Identifier)),
        })
    }
}

/// The three numbers, what follows the first `-`, and what follows the first `+`.
fn parts(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    match text.split_once('-') {
        Some((core, pre)) => (core, Some(pre), build),
        None => (text, None, build),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// One piece between dots: numbers by their value, before all names; names by their letters.
#[derive(PartialEq, Eq)]
struct Identifier<'a>(&'a str);

impl PartialOrd for Identifier<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Identifier<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, other) = (self.0, other.0);
        match (is_digits(one), is_digits(other)) {
            // Without zeros in front the longer number is the larger one, however long.
            (true, true) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => one.cmp(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    /// The order that Semantic Versioning 2.0.0 gives in its section 11, and more of the same.
    #[test]
    fn versions_have_their_order() {
        let rising = [
            "0.0.0",
            "0.0.1",
            "0.1.0-0",
            "0.1.0-1",
            "0.1.0-2",
            "0.1.0-10",
            "0.1.0-99999999999999999999",
            "0.1.0--",
            "0.1.0-1a",
            "0.1.0-a",
            "0.1.0",
            "0.2.0",
            "0.10.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
            "10.0.0",
            "99999999999999999999.0.0",
        ];
        for (at, one) in rising.iter().enumerate() {
            for (other_at, other) in rising.iter().enumerate() {
                assert_eq!(version(one).cmp(&version(other)), at.cmp(&other_at), "{one} {other}");
            }
        }
        assert_eq!(version("1.0.0+a"), version("1.0.0+b.1"));
        assert_eq!(version("1.0.0-x+a-b").cmp(&version("1.0.0-x")), Ordering::Equal);
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "1..0",
            ".1.0",
            "1.0.",
            "01.0.0",
            "1.00.0",
            "1.0.0-",
            "1.0.0-a..b",
            "1.0.0-01",
            "1.0.0+",
            "1.0.0-a_b",
            "v1.0.0",
            "1.0.x",
            "-1.0.0",
            "1.0.0 ",
            "1.0.0-ä",
            "1.0.0+a+b",
            "1.0.0-abcdefghijklmnopqrstuvwxyz",
            "unknown",
        ] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
        for text in ["1.0.0-01a", "1.0.0+01", "1.0.0---", "1.0.0-abcdefghijklmnopqrstuvwxy"] {
            assert_eq!(version(text).as_str(), text);
        }
    }
}
