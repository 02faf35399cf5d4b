//! `POST /api/v1/password`: another password for the owner, by whoever knows the old one. All sessions end with it; tokens
//! stay.

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use serde::Serialize;

use super::json;
use super::keys::change;
use super::problem::{Name, Problem};
use super::reply::Reply;
use super::settings::read_body;
use super::site::Site;
use crate::access::{Ha1, read_hex};
use crate::limits;
use crate::platform::Clock;
use crate::settings::read_password;

const ANSWER: usize = 32;

const PASSWORD: &str =
    "10 to 128 characters (Unicode code points) without control characters, unless masked_ha1 is given";
const MASKED: &str = "64 hexadecimal digits in small letters, without password beside it";

/// How the new password comes.
#[derive(Debug, PartialEq)]
enum Wanted {
    /// In clear: all that is kept of it.
    Plain(Ha1),
    /// Under the mask of the request's Digest.
    Masked([u8; 32]),
}

#[derive(Serialize)]
struct ChangedPage {
    changed: bool,
}

/// Answers when the new password is stored, which is when it holds.
pub(super) async fn password<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let access = &site.plug.state.access;
    let judged_by = access.kept().ha1;
    let text = read_body(site, limits::PASSWORD_BODY, parts, body).await?;
    let wanted = wanted(text.bytes(), &site.plug.identity.id)?;
    // The password is in it.
    drop(text);
    let new = match wanted {
        Wanted::Plain(new) => new,
        // The mask is made with the password that the request was judged by.
        Wanted::Masked(_) if access.kept().ha1 != judged_by => {
            return Err(Problem::Unauthorized { stale: false });
        }
        Wanted::Masked(masked) => {
            // Nobody gets here with anything but a Digest.
            let header = parts.headers().get("authorization");
            let new = header.and_then(|header| access.unmask(header.as_raw(), masked));
            new.ok_or(Problem::Unauthorized { stale: false })?
        }
    };
    let reply = Reply::json(site.budget, ANSWER, &ChangedPage { changed: true })?;
    change(site, judged_by, &mut |next| {
        next.ha1 = Some(new);
        Ok(())
    })
    .await?;
    Ok(reply)
}

/// Reads `{"password":"..."}` or `{"masked_ha1":"..."}`.
fn wanted(body: &[u8], id: &str) -> Result<Wanted, Problem> {
    let text = core::str::from_utf8(body).map_err(|_| Problem::BadJson)?;
    let (mut plain, mut masked, mut problem) = (None, None, None);
    let whole = json::members(text, |name, value| {
        let found = match name {
            "password" => match read_password(value) {
                Some(text) => twice("password", plain.replace(Wanted::Plain(Ha1::of(id, &text))).is_some()),
                None => Some(Problem::BadField { name: "password", wanted: PASSWORD }),
            },
            "masked_ha1" => match digits(value) {
                Some(bytes) => twice("masked_ha1", masked.replace(Wanted::Masked(bytes)).is_some()),
                None => Some(Problem::BadField { name: "masked_ha1", wanted: MASKED }),
            },
            other => Some(Problem::UnknownField { name: Name::new(other) }),
        };
        problem = problem.take().or(found);
    });
    whole.map_err(|json::NotJson| Problem::BadJson)?;
    match (problem, plain, masked) {
        (Some(problem), ..) => Err(problem),
        (None, Some(wanted), None) | (None, None, Some(wanted)) => Ok(wanted),
        (None, Some(_), Some(_)) => Err(Problem::BadField { name: "masked_ha1", wanted: MASKED }),
        (None, None, None) => Err(Problem::BadField { name: "password", wanted: PASSWORD }),
    }
}

fn twice(name: &'static str, there: bool) -> Option<Problem> {
    there.then_some(Problem::RepeatedField { name })
}

fn digits(value: &str) -> Option<[u8; 32]> {
    read_hex(value.strip_prefix('"')?.strip_suffix('"')?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    const ID: &str = "ab12cd34ef56";

    fn read(body: &str) -> Result<Wanted, Problem> {
        wanted(body.as_bytes(), ID)
    }

    #[test]
    fn a_password_comes_in_clear_or_masked() {
        let plain = |password: &str| Ok(Wanted::Plain(Ha1::of(ID, password)));
        assert_eq!(read("{\"password\":\"correct horse\"}"), plain("correct horse"));
        assert_eq!(read(" { \"password\" : \"0123456\\u00e4\\\"9\" } "), plain("0123456ä\"9"));
        for password in ["äöüß😀äöüß😀".to_string(), "😀".repeat(128), "x".repeat(128)] {
            assert_eq!(read(&format!("{{\"password\":\"{password}\"}}")), plain(&password));
        }
        let digits = "0123456789abcdef".repeat(4);
        let Ok(Wanted::Masked(bytes)) = read(&format!("{{\"masked_ha1\":\"{digits}\"}}")) else {
            panic!("it is good");
        };
        assert_eq!((bytes[0], bytes[31]), (0x01, 0xef));
    }

    #[test]
    fn other_bodies_are_refused_with_the_reason() {
        let digits = "0123456789abcdef".repeat(4);
        for body in [
            "{}".to_string(),
            "{\"password\":\"123456789\"}".to_string(),
            format!("{{\"password\":\"{}\"}}", "x".repeat(129)),
            format!("{{\"password\":\"{}\"}}", "😀".repeat(129)),
            "{\"password\":\"12345\\n67890\"}".to_string(),
            "{\"password\":1234567890}".to_string(),
            "{\"password\":null}".to_string(),
            "{\"password\":\"0123456789\",\"password\":\"0123456789\"}".to_string(),
            format!("{{\"masked_ha1\":\"{}\"}}", &digits[1..]),
            format!("{{\"masked_ha1\":\"{}\"}}", digits.to_uppercase()),
            format!("{{\"masked_ha1\":\"{digits}00\"}}"),
            format!("{{\"masked_ha1\":\"{digits}\",\"masked_ha1\":\"{digits}\"}}"),
            format!("{{\"masked_ha1\":\"{digits}\",\"password\":\"0123456789\"}}"),
            "{\"masked_ha1\":null}".to_string(),
        ] {
            let problem = read(&body).expect_err(&body);
            assert_eq!(problem.kind().1, "bad_field", "{body}");
        }
        assert_eq!(
            read("{\"password\":\"0123456789\",\"old\":\"x\"}").unwrap_err().kind().1,
            "unknown_field"
        );
        for body in ["", "[]", "{\"password\":\"0123456789\"", "\"0123456789\""] {
            assert_eq!(read(body), Err(Problem::BadJson), "{body}");
        }
        assert_eq!(wanted(b"{\"password\":\"012345678\xff\"}", ID), Err(Problem::BadJson));
    }

    #[test]
    fn no_problem_tells_a_password() {
        let problem = read("{\"password\":\"secret\",\"x\":\"secret\"}").unwrap_err();
        assert!(!format!("{problem:?}").contains("secret"));
    }
}
