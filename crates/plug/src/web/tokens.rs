//! `/api/v1/tokens`: what programs show instead of the password. A token's text is shown once, when it is made.

use core::cell::Cell;

use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::String;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use picoserve::response::StatusCode;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::json;
use super::keys::change;
use super::problem::{Name, Problem};
use super::reply::{Body, Draft, JSON, Reply};
use super::site::Site;
use crate::access::{Kept, Right, TOKEN_LETTERS, TOKENS, Token, token_name};
use crate::platform::Clock;

/// Longest text of one token, its name all of characters that are escaped.
const ONE: usize = 160;
const ANSWER: usize = ONE + TOKEN_LETTERS + 16;
const LIST: usize = 32 + TOKENS * ONE;

const NAME: &str = "a text of 1 to 32 bytes, without control characters and without a space at its ends";
const SCOPE: &str = "\"read\", \"control\" or \"admin\"";
const ID: &str = "the id of a token, a whole number";

/// What is wanted of a new one.
#[derive(Debug, PartialEq)]
struct Wanted {
    name: String<32>,
    scope: Right,
}

#[derive(Serialize)]
struct ListPage<'a> {
    #[serde(serialize_with = "listed")]
    tokens: &'a [Token],
    most: usize,
}

/// A token as it is shown later.
#[derive(Serialize)]
struct TokenPage<'a> {
    id: u16,
    name: &'a str,
    scope: Right,
    created: Option<u64>,
}

/// A token as it is shown once.
#[derive(Serialize)]
struct MadePage<'a> {
    id: u16,
    name: &'a str,
    scope: Right,
    created: Option<u64>,
    token: &'a str,
}

#[derive(Serialize)]
struct RevokedPage {
    revoked: u16,
}

fn listed<S: Serializer>(tokens: &[Token], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(tokens.len()))?;
    for Token { id, name, scope, created, .. } in tokens {
        list.serialize_element(&TokenPage { id: *id, name, scope: *scope, created: *created })?;
    }
    list.end()
}

/// `GET`: all of them, without what makes them work.
pub(super) fn list<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let kept = site.plug.state.access.kept();
    Reply::json(site.budget, LIST, &ListPage { tokens: &kept.tokens, most: TOKENS })
}

/// `POST`: makes one, and answers when it is stored.
pub(super) async fn make<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let access = &site.plug.state.access;
    let judged_by = access.kept().ha1;
    let Wanted { name, scope } = wanted(site.json_body(parts, body).await?)?;
    // Room for the answer first: a token that nobody was shown would be lost.
    let mut draft = Draft::new(site.budget, ANSWER)?;
    let (text, hash) = Token::text(access.draw());
    let created = site.plug.clock.time_of_day().map(whole_seconds);
    let id = Cell::new(0);
    change(site, judged_by, &mut |next| {
        id.set(next.next_token);
        add(next, &name, scope, created, hash)
    })
    .await?;
    draft.json(&MadePage { id: id.get(), name: &name, scope, created, token: &text })?;
    let mut reply = Reply::new(JSON, Body::Made(draft));
    reply.status = StatusCode::new(201);
    Ok(reply)
}

/// `DELETE` with the number in the path or as `id` in the body: the token is good for nothing from the answer on.
pub(super) async fn revoke<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    path: Option<&str>,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let judged_by = site.plug.state.access.kept().ha1;
    let id = match path {
        Some(path) => path.rsplit('/').next().and_then(number).ok_or(Problem::NoSuchToken)?,
        None => named(site.json_body(parts, body).await?)?,
    };
    let reply = Reply::json(site.budget, ANSWER, &RevokedPage { revoked: id })?;
    change(site, judged_by, &mut |next| {
        let before = next.tokens.len();
        next.tokens.retain(|token| token.id != id);
        if next.tokens.len() < before { Ok(()) } else { Err(Problem::NoSuchToken) }
    })
    .await?;
    Ok(reply)
}

/// Adds one with the next number, which no token had before.
fn add(
    next: &mut Kept,
    name: &String<32>,
    scope: Right,
    created: Option<u64>,
    hash: [u8; 32],
) -> Result<(), Problem> {
    let id = next.next_token;
    let token = Token { id, name: name.clone(), scope, created, hash };
    next.tokens.push(token).map_err(|_| Problem::TooManyTokens)?;
    // After 65,534 of them there is none left; a flash has been worn out long before.
    next.next_token = id.checked_add(1).ok_or(Problem::TooManyTokens)?;
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float stays in range"
)]
const fn whole_seconds(time: f64) -> u64 {
    time as u64
}

/// Reads `{"name":"prometheus","scope":"read"}`.
fn wanted(body: &[u8]) -> Result<Wanted, Problem> {
    let (mut name, mut scope) = (None, None);
    each_field(body, &mut |field, value| match field {
        "name" => once("name", &mut name, text(value).and_then(|text| token_name(&text)), NAME),
        "scope" => {
            let right = text(value).and_then(|word| Right::named(&word));
            once("scope", &mut scope, right, SCOPE)
        }
        other => Err(Problem::UnknownField { name: Name::new(other) }),
    })?;
    Ok(Wanted {
        name: name.ok_or(Problem::BadField { name: "name", wanted: NAME })?,
        scope: scope.ok_or(Problem::BadField { name: "scope", wanted: SCOPE })?,
    })
}

/// Reads `{"id":3}`.
fn named(body: &[u8]) -> Result<u16, Problem> {
    let mut id = None;
    each_field(body, &mut |field, value| match field {
        "id" => once("id", &mut id, number(value), ID),
        other => Err(Problem::UnknownField { name: Name::new(other) }),
    })?;
    id.ok_or(Problem::BadField { name: "id", wanted: ID })
}

/// Goes through the members of an object; the first problem counts.
fn each_field(body: &[u8], visit: &mut dyn FnMut(&str, &str) -> Result<(), Problem>) -> Result<(), Problem> {
    let text = core::str::from_utf8(body).map_err(|_| Problem::BadJson)?;
    let mut result = Ok(());
    let whole = json::members(text, |name, value| {
        let found = visit(name, value);
        if result.is_ok() {
            result = found;
        }
    });
    whole.map_err(|json::NotJson| Problem::BadJson)?;
    result
}

fn once<T>(
    name: &'static str,
    field: &mut Option<T>,
    value: Option<T>,
    wanted: &'static str,
) -> Result<(), Problem> {
    let value = value.ok_or(Problem::BadField { name, wanted })?;
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::RepeatedField { name }),
    }
}

/// A JSON string of at most 32 bytes.
fn text(value: &str) -> Option<String<32>> {
    let mut text = String::new();
    json::unescape(value, &mut |character| text.push(character).is_ok()).then_some(text)
}

/// A number as it is shown: digits only, without a zero in front.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn code<T: core::fmt::Debug>(result: Result<T, Problem>) -> &'static str {
        result.expect_err("a problem").kind().1
    }

    #[test]
    fn a_token_has_a_name_and_a_scope() {
        let token = |name: &str, scope| Ok(Wanted { name: name.try_into().unwrap(), scope });
        assert_eq!(wanted(br#"{"name":"prometheus","scope":"read"}"#), token("prometheus", Right::Read));
        assert_eq!(wanted(br#" {"scope" : "admin", "name":"K\u00fcche"}"#), token("Küche", Right::Admin));
        assert_eq!(wanted(br#"{"name":"a b","scope":"control"}"#), token("a b", Right::Control));
        let longest = "x".repeat(32);
        let body = format!("{{\"name\":\"{longest}\",\"scope\":\"read\"}}");
        assert_eq!(wanted(body.as_bytes()), token(&longest, Right::Read));
    }

    #[test]
    fn other_bodies_are_refused_with_the_reason() {
        let long = format!("{{\"name\":\"{}\",\"scope\":\"read\"}}", "x".repeat(33));
        for body in [
            "{}",
            "{\"name\":\"a\"}",
            "{\"scope\":\"read\"}",
            "{\"name\":\"\",\"scope\":\"read\"}",
            "{\"name\":\" a\",\"scope\":\"read\"}",
            "{\"name\":\"a \",\"scope\":\"read\"}",
            "{\"name\":\"a\\u000ab\",\"scope\":\"read\"}",
            "{\"name\":1,\"scope\":\"read\"}",
            "{\"name\":null,\"scope\":\"read\"}",
            "{\"name\":\"a\",\"scope\":\"Read\"}",
            "{\"name\":\"a\",\"scope\":\"owner\"}",
            "{\"name\":\"a\",\"scope\":[\"read\"]}",
            "{\"name\":\"a\",\"name\":\"a\",\"scope\":\"read\"}",
            "{\"name\":\"a\",\"scope\":\"read\",\"scope\":\"admin\"}",
            &long,
        ] {
            assert_eq!(code(wanted(body.as_bytes())), "bad_field", "{body}");
        }
        assert_eq!(code(wanted(b"{\"name\":\"a\",\"scope\":\"read\",\"id\":1}")), "unknown_field");
        for body in ["", "[]", "{\"name\":\"a\",\"scope\":\"read\"", "{\"name\":\"a\",\"scope\":read}"] {
            assert_eq!(code(wanted(body.as_bytes())), "bad_json", "{body}");
        }
        assert_eq!(code(wanted(b"{\"name\":\"\xff\",\"scope\":\"read\"}")), "bad_json");
    }

    #[test]
    fn a_token_is_named_by_its_number() {
        assert_eq!(named(b"{\"id\":3}"), Ok(3));
        assert_eq!(named(b"{\"id\":65535}"), Ok(u16::MAX));
        for body in ["{}", "{\"id\":0}", "{\"id\":65536}", "{\"id\":-1}", "{\"id\":1.0}", "{\"id\":\"1\"}"] {
            assert_eq!(code(named(body.as_bytes())), "bad_field", "{body}");
        }
        assert_eq!(code(named(b"{\"id\":1,\"id\":1}")), "bad_field");
        assert_eq!(code(named(b"{\"token\":1}")), "unknown_field");
        for text in ["", "+1", "01", "1 ", "x", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_rise_and_nine_are_too_many() {
        let mut kept = Kept::new();
        let name: String<32> = "\"".repeat(32).as_str().try_into().unwrap();
        for _ in 0..TOKENS {
            assert_eq!(add(&mut kept, &name, Right::Control, Some(u64::MAX), [0; 32]), Ok(()));
        }
        assert_eq!(add(&mut kept, &name, Right::Read, None, [0; 32]), Err(Problem::TooManyTokens));
        let ids: alloc::vec::Vec<_> = kept.tokens.iter().map(|token| token.id).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
        kept.tokens.iter_mut().for_each(|token| token.id = u16::MAX);
        let page = ListPage { tokens: &kept.tokens, most: TOKENS };
        assert!(serde_json_core::to_slice(&page, &mut [0; LIST]).is_ok());
        let (text, _) = Token::text([0xff; 16]);
        let Token { id, scope, created, .. } = kept.tokens[0];
        let page = MadePage { id, name: &name, scope, created, token: &text };
        assert!(serde_json_core::to_slice(&page, &mut [0; ANSWER]).is_ok());
        kept.tokens.clear();
        kept.next_token = u16::MAX;
        assert_eq!(add(&mut kept, &name, Right::Read, None, [0; 32]), Err(Problem::TooManyTokens));
    }
}
