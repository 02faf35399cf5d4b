//! Sessions, tokens and the password over HTTP: how they come, what they open, how they end, and what a slow or broken
//! flash does to them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::Write;
use std::time::Duration;

use plug::access::SESSION_LIFE;
use serde_json::{Value, json};
use web_support::{ADMIN, CONTROL, PASSWORD, Plug, READ, Response, bearer, digest, read_response};

const SESSION: &str = "/api/v1/session";
const TOKENS: &str = "/api/v1/tokens";
const WAY: &str = "/api/v1/password";
const JSON: &str = "Content-Type: application/json";
const NEW: &str = "a better one, with ä";

/// What a browser sends back of `Set-Cookie`, after a look at the rest of it.
fn cookie(response: &Response, age: u64) -> String {
    let line = response.header("Set-Cookie").unwrap_or_else(|| panic!("{response:?}"));
    let (pair, rest) = line.split_once("; ").unwrap();
    assert_eq!(rest, format!("HttpOnly; SameSite=Strict; Path=/; Max-Age={age}"));
    format!("Cookie: {pair}")
}

fn refusal(response: &Response) -> (u16, String) {
    (response.status, response.code())
}

/// A client with a challenge and another password than the owner of the start.
fn with(plug: &Plug, password: &str) -> digest::Client {
    let refused = plug.ask_plainly("GET", "/api/v1/settings", &[], "");
    digest::Client::new(refused.header("WWW-Authenticate").unwrap(), password)
}

fn make(plug: &Plug, name: &str, scope: &str) -> Value {
    let made = plug.post(TOKENS, &json!({"name": name, "scope": scope}).to_string());
    assert_eq!((made.status, made.header("Cache-Control")), (201, Some("no-store")), "{made:?}");
    made.json()
}

#[test]
fn a_session_opens_reading_until_it_is_signed_out() {
    let plug = Plug::start(1.0);
    let mut client = plug.challenge();
    let answer = plug.post_signed(&mut client, SESSION, "{}");
    assert_eq!(answer.json(), json!({"right": "admin", "expires_in_s": 43_200}));
    let cookie = cookie(&answer, 43_200);
    let (name, value) = cookie.strip_prefix("Cookie: ").unwrap().split_once('=').unwrap();
    assert_eq!(name, "ossp-ab12cd34ef56");
    assert!(value.len() == 32 && value.bytes().all(|digit| digit.is_ascii_hexdigit()), "{value}");
    let shown = plug.ask_plainly("GET", SESSION, &[&cookie], "").json();
    assert_eq!((&shown["right"], &shown["by"]), (&json!("read"), &json!("session")));
    assert!((43_000..=43_200).contains(&shown["expires_in_s"].as_u64().unwrap()), "{shown}");
    assert_eq!(plug.ask_plainly("GET", "/api/v1/settings", &[&cookie], "").status, 200);
    // It changes nothing, and shows nobody who else gets in.
    for (method, path) in
        [("PATCH", "/api/v1/settings"), ("POST", TOKENS), ("POST", SESSION), ("GET", TOKENS)]
    {
        let answer = plug.ask_plainly(method, path, &[&cookie, JSON], "{}");
        assert_eq!(refusal(&answer), (401, "unauthorized".into()), "{method} {path}");
    }
    let gone = plug.ask_plainly("DELETE", SESSION, &[&cookie], "");
    assert_eq!((gone.status, gone.json()), (200, json!({"signed_out": true})));
    assert_eq!(self::cookie(&gone, 0), "Cookie: ossp-ab12cd34ef56=");
    assert_eq!(plug.ask_plainly("GET", SESSION, &[&cookie], "").status, 401);
    // Signed out is signed out; the password does it as well.
    assert_eq!(plug.ask_plainly("DELETE", SESSION, &[&cookie], "").status, 401);
    let line = client.header("DELETE", SESSION);
    assert_eq!(plug.ask_plainly("DELETE", SESSION, &[&line], "").status, 200);
}

#[test]
fn only_the_password_signs_in() {
    let plug = Plug::start(1.0);
    for token in [READ, CONTROL, ADMIN] {
        let answer = plug.ask("POST", SESSION, &[&bearer(token), JSON], "{}");
        assert_eq!(refusal(&answer), (403, "forbidden".into()));
        assert_eq!(answer.header("Set-Cookie"), None);
        assert_eq!(plug.ask("DELETE", SESSION, &[&bearer(token)], "").status, 403);
    }
    let mut client = plug.challenge();
    for (body, wanted) in
        [("", (400, "bad_json")), ("[]", (400, "bad_json")), ("{\"for_s\":1}", (422, "unknown_field"))]
    {
        let answer = plug.post_signed(&mut client, SESSION, body);
        assert_eq!(refusal(&answer), (wanted.0, wanted.1.into()), "{body}");
        assert_eq!(answer.header("Set-Cookie"), None);
    }
    let line = client.header("POST", SESSION);
    assert_eq!(plug.ask_plainly("POST", SESSION, &[&line], "{}").status, 415);
}

#[test]
fn everybody_is_told_who_they_are() {
    let plug = Plug::start(1.0);
    for (token, right) in [(READ, "read"), (CONTROL, "control"), (ADMIN, "admin")] {
        let shown = plug.ask("GET", SESSION, &[&bearer(token)], "").json();
        assert_eq!(shown, json!({"right": right, "by": "token", "expires_in_s": null}));
    }
    let line = plug.challenge().header("GET", SESSION);
    let shown = plug.ask_plainly("GET", SESSION, &[&line], "").json();
    assert_eq!(shown, json!({"right": "admin", "by": "digest", "expires_in_s": null}));
    assert_eq!(plug.ask_plainly("GET", SESSION, &[], "").status, 401);
    plug.open_reading(true);
    let shown = plug.ask_plainly("GET", SESSION, &[], "").json();
    assert_eq!(shown, json!({"right": null, "by": "open", "expires_in_s": null}));
    let fresh = Plug::start_fresh();
    assert_eq!(fresh.ask_plainly("GET", SESSION, &[], "").json()["by"], "open");
    assert_eq!(refusal(&fresh.ask_plainly("POST", SESSION, &[JSON], "{}")), (403, "setup_required".into()));
}

#[test]
fn eight_sessions_for_half_a_day() {
    let plug = Plug::start(1.0);
    let mut client = plug.challenge();
    let cookies: Vec<_> =
        (0..9).map(|_| cookie(&plug.post_signed(&mut client, SESSION, "{}"), 43_200)).collect();
    let opens = |cookie: &String| plug.ask_plainly("GET", SESSION, &[cookie], "").status == 200;
    assert!(!opens(&cookies[0]) && cookies[1..].iter().all(opens));
    plug.inside(|inside| inside.put_forward(SESSION_LIFE));
    assert!(!cookies.iter().any(opens));
}

#[test]
fn a_token_is_shown_once_and_works_until_it_is_revoked() {
    let plug = Plug::start(1.0);
    let made = make(&plug, "Küche \"2\"", "control");
    let token = made["token"].as_str().unwrap();
    assert!(token.len() == 37 && token.starts_with("ossp_"), "{token}");
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("token");
    assert_eq!(shown, json!({"id": 4, "name": "Küche \"2\"", "scope": "control", "created": 1_795_000_000}));
    let list = plug.get(TOKENS);
    assert!(!list.text().contains(&token[5..]));
    let json = list.json();
    assert_eq!((json["most"].as_u64(), json["tokens"].as_array().unwrap().len()), (Some(8), 4));
    assert_eq!(json["tokens"][3], shown);
    let relay = |body| plug.ask("PUT", "/api/v1/relay", &[&bearer(token), JSON], body).status;
    assert_eq!(relay("{\"on\":true}"), 200);
    assert_eq!(plug.ask("GET", TOKENS, &[&bearer(token)], "").status, 403);
    let revoked = plug.ask("DELETE", "/api/v1/tokens/4", &[], "");
    assert_eq!((revoked.status, revoked.json()), (200, json!({"revoked": 4})));
    assert_eq!(relay("{\"on\":false}"), 401);
    // Numbers are not used again.
    assert_eq!(make(&plug, "x", "read")["id"], 5);
    let answer = plug.ask("DELETE", TOKENS, &[JSON], "{\"id\":5}");
    assert_eq!((answer.status, answer.json()), (200, json!({"revoked": 5})));
    for (path, body) in [
        ("/api/v1/tokens/5", ""),
        (TOKENS, "{\"id\":5}"),
        ("/api/v1/tokens/x", ""),
        ("/api/v1/tokens/01", ""),
    ] {
        let answer = plug.ask("DELETE", path, &[JSON], body);
        assert_eq!(refusal(&answer), (404, "no_such_token".into()), "{path} {body}");
    }
    let answer = plug.ask("DELETE", TOKENS, &[JSON], "{\"id\":\"1\"}");
    assert_eq!(refusal(&answer), (422, "bad_field".into()));
    // A program may give up its own.
    assert_eq!(plug.ask("DELETE", "/api/v1/tokens/3", &[&bearer(ADMIN)], "").status, 200);
    assert_eq!(plug.ask("GET", TOKENS, &[&bearer(ADMIN)], "").status, 401);
}

#[test]
fn nine_tokens_are_too_many() {
    let plug = Plug::start(1.0);
    let made: Vec<_> = (0..5).map(|number| make(&plug, &"\"".repeat(28 + number), "control")).collect();
    assert!(made.iter().zip(&made[1..]).all(|(one, next)| one["token"] != next["token"]));
    let answer = plug.post(TOKENS, "{\"name\":\"one more\",\"scope\":\"read\"}");
    assert_eq!(refusal(&answer), (409, "too_many_tokens".into()));
    assert_eq!(plug.get(TOKENS).json()["tokens"].as_array().unwrap().len(), 8);
    assert_eq!(plug.ask("DELETE", "/api/v1/tokens/1", &[], "").status, 200);
    assert_eq!(make(&plug, "one more", "read")["id"], 9);
}

#[test]
fn wrong_wishes_for_a_token_change_nothing() {
    let plug = Plug::start(1.0);
    let before = plug.get(TOKENS).json();
    for (body, code) in [
        ("{}", "bad_field"),
        ("{\"name\":\"\",\"scope\":\"read\"}", "bad_field"),
        ("{\"name\":\"a\",\"scope\":\"write\"}", "bad_field"),
        ("{\"name\":\"a\",\"scope\":\"read\",\"token\":\"ossp_0\"}", "unknown_field"),
        ("[]", "bad_json"),
    ] {
        assert_eq!(plug.post(TOKENS, body).code(), code, "{body}");
    }
    assert_eq!(plug.ask("POST", TOKENS, &["Content-Type: text/plain"], "{}").status, 415);
    assert_eq!(plug.post(TOKENS, &format!("{{{}}}", " ".repeat(600))).status, 413);
    assert_eq!(plug.get(TOKENS).json(), before);
}

/// In clear, and so that whoever listens learns nothing of it.
#[test]
fn another_password_ends_sessions_and_leaves_tokens() {
    for masked in [false, true] {
        let plug = Plug::start(1.0);
        let (mut client, cookie) = (plug.challenge(), plug.session());
        let line = client.header("POST", WAY);
        let body =
            if masked { json!({"masked_ha1": client.masked_ha1(NEW)}) } else { json!({"password": NEW}) };
        let answer = plug.ask_plainly("POST", WAY, &[&line, JSON], &body.to_string());
        assert_eq!((answer.status, answer.json()), (200, json!({"changed": true})), "masked: {masked}");
        assert_eq!(plug.ask_plainly("GET", SESSION, &[&cookie], "").status, 401);
        assert_eq!(plug.post_signed(&mut client, SESSION, "{}").status, 401);
        assert_eq!(plug.post_signed(&mut with(&plug, NEW), SESSION, "{}").status, 200, "masked: {masked}");
        assert_eq!(plug.get(TOKENS).json()["tokens"].as_array().unwrap().len(), 3);
        // The request that was recorded is good for nothing any more.
        assert_eq!(plug.ask_plainly("POST", WAY, &[&line, JSON], &body.to_string()).status, 401);
    }
}

#[test]
fn only_whoever_may_do_all_sets_a_password_and_a_good_one() {
    let plug = Plug::start(1.0);
    let body = json!({"password": NEW}).to_string();
    for token in [READ, CONTROL] {
        let answer = plug.ask("POST", WAY, &[&bearer(token), JSON], &body);
        assert_eq!(refusal(&answer), (403, "forbidden".into()));
    }
    let cookie = plug.session();
    assert_eq!(plug.ask_plainly("POST", WAY, &[&cookie, JSON], &body).status, 401);
    for (body, code) in [
        (json!({}), "bad_field"),
        (json!({"password": "too short"}), "bad_field"),
        (json!({"password": "x".repeat(129)}), "bad_field"),
        (json!({"password": NEW, "old": PASSWORD}), "unknown_field"),
        // There is no Digest that it could be masked with.
        (json!({"masked_ha1": "0".repeat(64)}), "bad_field"),
    ] {
        let answer = plug.post(WAY, &body.to_string());
        assert_eq!(refusal(&answer), (422, code.into()), "{body}");
    }
    // The old one still holds; a token that may do all sets another.
    assert_eq!(plug.post_signed(&mut plug.challenge(), SESSION, "{}").status, 200);
    assert_eq!(plug.post(WAY, &body).status, 200);
    assert_eq!(plug.post_signed(&mut with(&plug, NEW), SESSION, "{}").status, 200);
}

/// Somebody who was let in with the old password, and whose body comes after the new one holds.
#[test]
fn who_was_let_in_with_the_old_password_is_too_late() {
    for (path, body) in [
        (SESSION, "{}".to_owned()),
        (WAY, json!({"password": "of the burglar"}).to_string()),
        (WAY, json!({"masked_ha1": "0".repeat(64)}).to_string()),
        (TOKENS, json!({"name": "back door", "scope": "admin"}).to_string()),
    ] {
        let plug = Plug::start(1.0);
        let mut client = plug.challenge();
        let line = client.header("POST", path);
        let mut slow = plug.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{line}\r\n{JSON}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        slow.write_all(head.as_bytes()).unwrap();
        slow.write_all(&body.as_bytes()[..1]).unwrap();
        // Time to be let in; without it, it is refused for the plainer reason.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(plug.post(WAY, &json!({"password": NEW}).to_string()).status, 200);
        slow.write_all(&body.as_bytes()[1..]).unwrap();
        let answer = read_response(&mut slow, false).unwrap();
        assert_eq!(refusal(&answer), (401, "unauthorized".into()), "{path} {body}");
        assert_eq!(answer.header("Set-Cookie"), None);
        assert_eq!(plug.get(TOKENS).json()["tokens"].as_array().unwrap().len(), 3);
        assert_eq!(plug.post_signed(&mut with(&plug, NEW), SESSION, "{}").status, 200);
    }
}

#[test]
fn what_is_not_stored_does_not_hold() {
    let plug = Plug::start(1.0);
    let before = plug.get(TOKENS).json();
    plug.inside(|inside| inside.flash.broken.set(true));
    let not_stored = (500, "not_stored".to_owned());
    assert_eq!(refusal(&plug.post(TOKENS, "{\"name\":\"a\",\"scope\":\"read\"}")), not_stored);
    assert_eq!(refusal(&plug.ask("DELETE", "/api/v1/tokens/1", &[], "")), not_stored);
    assert_eq!(refusal(&plug.post(WAY, &json!({"password": NEW}).to_string())), not_stored);
    assert_eq!(plug.get(TOKENS).json(), before);
    assert_eq!(plug.ask("GET", SESSION, &[&bearer(READ)], "").status, 200);
    assert_eq!(plug.post_signed(&mut plug.challenge(), SESSION, "{}").status, 200);
    plug.inside(|inside| inside.flash.broken.set(false));
    assert_eq!(make(&plug, "a", "read")["id"], 4);
}

#[test]
fn a_flash_that_stands_still_is_not_waited_for_for_ever() {
    let plug = Plug::start(20.0);
    plug.inside(|inside| inside.flash.stalled.set(true));
    let busy = (503, "settings_busy".to_owned());
    assert_eq!(refusal(&plug.ask("DELETE", "/api/v1/tokens/1", &[], "")), busy);
    let next = plug.post(TOKENS, "{\"name\":\"a\",\"scope\":\"read\"}");
    assert_eq!((refusal(&next), next.header("Retry-After")), (busy, Some("1")));
    plug.inside(|inside| inside.flash.stalled.set(false));
    // The first one was under way and holds after all; the second never began.
    let there = || plug.get(TOKENS).json()["tokens"].as_array().unwrap().len();
    while there() == 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(there(), 2);
    assert_eq!(make(&plug, "a", "read")["id"], 4);
}

#[test]
fn secrets_stay_inside() {
    let plug = Plug::start(1.0);
    let made = make(&plug, "a", "admin");
    let mut client = plug.challenge();
    let cookie = cookie(&plug.post_signed(&mut client, SESSION, "{}"), 43_200);
    assert_eq!(plug.ask("GET", SESSION, &["Authorization: Bearer ossp_wrong"], "").status, 401);
    let body = format!("{{\"password\":\"{NEW}\",\"x\":\"{PASSWORD}\"}}");
    let refused = plug.post(WAY, &body);
    assert_eq!(refused.status, 422);
    let log = plug.inside(|inside| format!("{:?}", inside.state.log.borrow()));
    let mut texts = vec![log, refused.text().to_owned()];
    for path in [TOKENS, SESSION, "/api/v1/info", "/api/v1/settings", "/api/v1/wifi", "/metrics"] {
        texts.push(plug.get(path).text().to_owned());
    }
    let ha1 = digest::hex(&digest::ha1("ossp-ab12cd34ef56", PASSWORD));
    let secrets = [
        PASSWORD,
        NEW,
        &ha1,
        &made["token"].as_str().unwrap()[5..],
        &cookie[cookie.len() - 32..],
        "ossp_wrong",
    ];
    for text in &texts {
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}
