//! What an `Authorization` header says, and what a right HTTP Digest is (RFC 7616, with SHA-256 and `qop=auth` only).
//!
//! The parser is stricter than it would have to be: what no client sends (an escape, a parameter twice or one that
//! nobody knows, spaces around `=`) is not understood.

use sha2::{Digest, Sha256};

use super::hex::{self, Hex};
use core::fmt::Write;

/// Longest header that is looked at: the target is in it.
const HEADER: usize = 1024;
/// Longest nonce and longest client's nonce.
const NONCE: usize = 128;

/// What a header says.
#[derive(Debug)]
pub(super) enum Authorization<'a> {
    /// An answer to a challenge.
    Digest(Given<'a>),
    /// A token.
    Bearer(&'a [u8]),
    /// Something else, or nothing that is understood.
    Other,
}

/// An answer to a challenge.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) username: &'a [u8],
    pub(super) realm: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) nonce: &'a [u8],
    /// How often this nonce was used, with this time; as eight digits, and as a number.
    pub(super) nc: &'a [u8],
    pub(super) count: u32,
    pub(super) cnonce: &'a [u8],
    pub(super) response: [u8; 32],
}

/// How a value may stand there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Quoted,
    /// Without quotes; some clients set them all the same.
    Either,
}

/// The parameters that there are (RFC 7616 §3.4).
const PARAMETERS: [(&str, Form); 11] = [
    ("username", Form::Quoted),
    ("realm", Form::Quoted),
    ("uri", Form::Quoted),
    ("nonce", Form::Quoted),
    ("nc", Form::Either),
    ("cnonce", Form::Quoted),
    ("response", Form::Quoted),
    ("algorithm", Form::Either),
    ("qop", Form::Either),
    ("userhash", Form::Either),
    // Nobody asked for it, but it harms nobody.
    ("opaque", Form::Quoted),
];

/// Reads a header's value.
pub(super) fn read(header: &[u8]) -> Authorization<'_> {
    let end = header.iter().position(|byte| *byte == b' ').unwrap_or(header.len());
    let Some((scheme, rest)) = header.split_at_checked(end) else { return Authorization::Other };
    let rest = rest.trim_ascii();
    if header.len() > HEADER {
        Authorization::Other
    } else if scheme.eq_ignore_ascii_case(b"bearer") {
        Authorization::Bearer(rest)
    } else if scheme.eq_ignore_ascii_case(b"digest") {
        given(rest).map_or(Authorization::Other, Authorization::Digest)
    } else {
        Authorization::Other
    }
}

fn given(text: &[u8]) -> Option<Given<'_>> {
    let mut values = [None; PARAMETERS.len()];
    let mut rest = text;
    loop {
        let (name, after) = split_at_first(rest, b'=')?;
        let (value, quoted, after) = value(after)?;
        let known = |(known, _): &(&str, Form)| name.eq_ignore_ascii_case(known.as_bytes());
        let index = PARAMETERS.iter().position(known)?;
        let (_, form) = PARAMETERS.get(index)?;
        if (*form == Form::Quoted && !quoted) || values.get_mut(index)?.replace(value).is_some() {
            return None;
        }
        rest = after.trim_ascii_start();
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(b",")?.trim_ascii_start();
    }
    let [username, realm, uri, nonce, nc, cnonce, response, algorithm, qop, userhash, _] = values;
    let (nonce, cnonce, nc) = (nonce?, cnonce?, nc?);
    let fits = nonce.len() <= NONCE && (1..=NONCE).contains(&cnonce.len());
    let ours = algorithm?.eq_ignore_ascii_case(b"SHA-256")
        && qop? == b"auth"
        && userhash.is_none_or(|hashed| hashed.eq_ignore_ascii_case(b"false"));
    let count = u32::from_be_bytes(hex::read(nc)?);
    let response = hex::read(response?)?;
    let given = Given { username: username?, realm: realm?, uri: uri?, nonce, nc, count, cnonce, response };
    (fits && ours).then_some(given)
}

/// A value, whether it stood in quotes, and what follows it.
fn value(text: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    if let Some(text) = text.strip_prefix(b"\"") {
        let (value, after) = split_at_first(text, b'"')?;
        let plain = value.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\');
        return plain.then_some((value, true, after));
    }
    let end = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    let (value, after) = text.split_at_checked(end)?;
    (end > 0).then_some((value, false, after))
}

/// What stands before the first `byte`, and after it.
fn split_at_first(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|other| *other == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Given<'_> {
    /// What the response is if the password is the one of `ha1` (RFC 7616 §3.4.1).
    pub(super) fn right(&self, ha1: &[u8; 32], method: &str) -> [u8; 32] {
        let mut action = Sha256::new();
        for part in [method.as_bytes(), b":", self.uri] {
            action.update(part);
        }
        let action: [u8; 32] = action.finalize().into();
        let mut response = Response(Sha256::new());
        response.digits(ha1);
        for part in [b":", self.nonce, b":", self.nc, b":", self.cnonce, b":auth:"] {
            response.0.update(part);
        }
        response.digits(&action);
        response.0.finalize().into()
    }
}

struct Response(Sha256);

impl Response {
    fn digits(&mut self, bytes: &[u8; 32]) {
        // A hash has room for everything.
        let _ = write!(self, "{}", Hex(bytes));
    }
}

impl Write for Response {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.update(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    /// RFC 7616 §3.9.1, the answer with SHA-256.
    const EXAMPLE: &str = "Digest username=\"Mufasa\",\n realm=\"http-auth@example.org\",\n uri=\"/dir/index.html\",\n \
         algorithm=SHA-256,\n nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\",\n nc=00000001,\n \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\",\n qop=auth,\n \
         response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\",\n \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    fn understood(header: &str) -> bool {
        matches!(read(header.as_bytes()), Authorization::Digest(_))
    }

    #[test]
    fn the_example_of_the_rfc() {
        // There it stands on several lines.
        let header = EXAMPLE.replace("\n ", " ");
        let Authorization::Digest(given) = read(header.as_bytes()) else { panic!("not understood") };
        let ha1 = Sha256::digest(b"Mufasa:http-auth@example.org:Circle of Life").into();
        assert_eq!(
            Hex(&given.right(&ha1, "GET")).to_string(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        assert_eq!((given.right(&ha1, "GET"), given.count), (given.response, 1));
        assert_ne!(given.right(&ha1, "PUT"), given.response);
    }

    fn header(change: impl Fn(&str) -> String) -> String {
        change(&EXAMPLE.replace("\n ", " "))
    }

    #[test]
    fn what_other_clients_write() {
        for header in [
            header(|text| text.replace("Digest ", "digest  ")),
            header(|text| text.replace("qop=auth", "qop=\"auth\"")),
            header(|text| text.replace("algorithm=SHA-256", "algorithm=\"sha-256\"")),
            header(|text| text.replace("nc=00000001", "nc=\"00000001\"")),
            header(|text| text.replace("nc=00000001", "nc=ffffffff")),
            header(|text| text.replace(", ", ",")),
            header(|text| text.replace(", ", " ,\t")),
            header(|text| text.replace("username", "UserName")),
            header(|text| alloc::format!("{text}, userhash=false")),
        ] {
            assert!(understood(&header), "{header}");
        }
    }

    #[test]
    fn what_is_not_understood() {
        let long = "x".repeat(NONCE + 1);
        for header in [
            header(|text| text.replace("Digest ", "Digest")),
            header(|text| text.replace("Digest ", "Basic ")),
            header(|text| text.replace("username=\"Mufasa\"", "username=Mufasa")),
            header(|text| text.replace("\"Mufasa\"", "\"Mu\\\"fasa\"")),
            header(|text| text.replace("\"Mufasa\"", "\"M\u{fc}fasa\"")),
            header(|text| text.replace("\"Mufasa\"", "\"Mufasa")),
            header(|text| text.replace("\"Mufasa\"", "\"Mufasa\"x")),
            header(|text| text.replace("username=", "username =")),
            header(|text| text.replace("username=", "username= ")),
            header(|text| text.replace("username=", "username*=")),
            header(|text| text.replace("username=\"Mufasa\", ", "")),
            header(|text| text.replace(", opaque", ",, opaque")),
            header(|text| text.replace(", opaque", " opaque")),
            header(|text| alloc::format!("{text},")),
            header(|text| alloc::format!("{text}, ")),
            header(|text| alloc::format!("{text}, qop=auth")),
            header(|text| alloc::format!("{text}, more=yes")),
            header(|text| alloc::format!("{text}, userhash=true")),
            header(|text| text.replace("qop=auth", "qop=auth-int")),
            header(|text| text.replace("qop=auth,", "")),
            header(|text| text.replace("SHA-256", "MD5")),
            header(|text| text.replace("SHA-256", "SHA-256-sess")),
            header(|text| text.replace("algorithm=SHA-256, ", "")),
            header(|text| text.replace("nc=00000001", "nc=1")),
            header(|text| text.replace("nc=00000001", "nc=0000000G")),
            header(|text| text.replace("nc=00000001", "nc=")),
            header(|text| text.replace("753927fa", "753927FA")),
            header(|text| text.replace("753927fa", "753927f")),
            header(|text| text.replace("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "")),
            header(|text| text.replace("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", &long)),
            header(|text| text.replace("/dir/index.html", &"/".repeat(HEADER))),
            "Digest".to_string(),
            "Digest ".to_string(),
            String::new(),
        ] {
            assert!(!understood(&header), "{header}");
        }
    }

    #[test]
    fn a_token_is_what_follows_the_word() {
        for text in ["Bearer ossp_1", "bearer   ossp_1 "] {
            assert!(matches!(read(text.as_bytes()), Authorization::Bearer(b"ossp_1")), "{text}");
        }
        assert!(matches!(read(b"Bearer"), Authorization::Bearer(b"")));
        assert!(matches!(read(b"Bearerossp_1"), Authorization::Other));
    }
}
