//! How the parts of `access` work together.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::*;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));
const PASSWORD: &str = "correct horse";

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

fn owned() -> Access {
    let access = Access::new();
    let (_, hash) = Token::text([0x11; 16]);
    let mut kept =
        Kept { ha1: Some(Ha1::of("0a1b2c3d", PASSWORD)), tokens: heapless::Vec::new(), next_token: 5 };
    let name = token_name("a meter").unwrap();
    kept.tokens.push(Token { id: 4, name, scope: Right::Control, created: None, hash }).unwrap();
    access.open(Ok(kept), "0a1b2c3d", [3; 32]);
    access
}

fn nonce(access: &Access, now: Instant) -> String {
    let text = access.challenge(now, false).to_string();
    text.split_once("nonce=\"").unwrap().1.split_once('"').unwrap().0.into()
}

/// What a client sends that has this password.
fn answer(password: &str, nonce: &str, count: u32, (method, target): (&str, &str)) -> String {
    let nc = format!("{count:08x}");
    let given = Given {
        username: USER,
        realm: b"",
        uri: target.as_bytes(),
        nonce: nonce.as_bytes(),
        nc: nc.as_bytes(),
        count,
        cnonce: b"0123",
        response: [0; 32],
    };
    let response = given.right(&Ha1::of("0a1b2c3d", password).0, method);
    format!(
        "Digest username=\"admin\", realm=\"ossp-0a1b2c3d\", nonce=\"{nonce}\", uri=\"{target}\", cnonce=\"0123\", \
         nc={nc}, qop=auth, response=\"{}\", algorithm=SHA-256",
        Hex(&response)
    )
}

const SWITCH: (&str, &str) = ("PUT", "/api/v1/relay?now=1");

fn judge_from(access: &Access, peer: IpAddr, authorization: &str, now: Instant) -> Verdict {
    let (method, target) = SWITCH;
    let authorization = Some(authorization.as_bytes());
    access.judge(&Presented { authorization, cookie: None, method, target, peer }, now, |_| {})
}

fn judge(access: &Access, authorization: &str, now: Instant) -> Verdict {
    judge_from(access, PEER, authorization, now)
}

const ADMIN: Verdict = Verdict::Known(Credential { right: Right::Admin, by: By::Digest });
const WRONG: Verdict = Verdict::Wrong { stale: false };
const STALE: Verdict = Verdict::Wrong { stale: true };

#[test]
fn a_challenge_has_all_that_a_client_needs() {
    let access = owned();
    let text = access.challenge(at(1), true).to_string();
    let (before, after) = text.split_once("nonce=\"").unwrap();
    assert_eq!(before, "realm=\"ossp-0a1b2c3d\", qop=\"auth\", algorithm=SHA-256, ");
    assert_eq!(&after[56..], "\", charset=UTF-8, stale=true");
    assert!(access.challenge(at(1), false).to_string().ends_with("UTF-8"));
}

#[test]
fn the_right_password_counts_once() {
    let access = owned();
    let nonce = nonce(&access, at(0));
    let first = answer(PASSWORD, &nonce, 1, SWITCH);
    assert_eq!(judge(&access, &first, at(1)), ADMIN);
    assert_eq!(judge(&access, &first, at(1)), STALE, "a replay");
    assert_eq!(judge(&access, &answer(PASSWORD, &nonce, 2, SWITCH), at(1)), ADMIN);
    assert_eq!(judge(&access, &answer(PASSWORD, &nonce, 3, ("PUT", "/api/v1/other")), at(1)), WRONG);
    assert_eq!(judge(&access, &answer(PASSWORD, &nonce, 3, ("GET", SWITCH.1)), at(1)), WRONG);
    assert_eq!(judge(&access, &answer(PASSWORD, &nonce, 3, SWITCH), at(300)), STALE, "too old");
    assert_eq!(judge(&access, &answer(PASSWORD, "made up", 1, SWITCH), at(1)), STALE);
}

#[test]
fn what_is_meant_for_another_plug_is_not_counted() {
    let access = owned();
    let nonce = nonce(&access, at(0));
    let right = answer(PASSWORD, &nonce, 1, SWITCH);
    for _ in 0..10 {
        assert_eq!(judge(&access, &right.replace("ossp-0a1b2c3d", "ossp-ffffffff"), at(1)), WRONG);
        assert_eq!(judge(&access, "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==", at(1)), WRONG);
        assert_eq!(judge(&access, &right.replace(", qop=auth", ""), at(1)), WRONG);
    }
    assert_eq!(judge(&access, &right, at(1)), ADMIN);
    let other_user = answer(PASSWORD, &nonce, 2, SWITCH).replace("\"admin\"", "\"root\"");
    assert_eq!(judge(&access, &other_user, at(1)), WRONG);
}

#[test]
fn many_wrong_passwords_are_refused_and_replays_do_not_help() {
    let access = owned();
    let nonce = nonce(&access, at(0));
    let old = answer(PASSWORD, &nonce, 1, SWITCH);
    assert_eq!(judge(&access, &old, at(0)), ADMIN);
    for _ in 0..5 {
        assert_eq!(judge(&access, &answer("wrong", &nonce, 2, SWITCH), at(1)), WRONG);
        // Somebody who listened.
        assert_ne!(judge(&access, &old, at(1)), ADMIN);
    }
    let right = answer(PASSWORD, &nonce, 2, SWITCH);
    let wait = Duration::from_secs(30);
    assert_eq!(judge(&access, &right, at(1)), Verdict::TooMany { wait });
    let mapped = IpAddr::V6(Ipv4Addr::new(192, 168, 1, 9).to_ipv6_mapped());
    assert_eq!(judge_from(&access, mapped, &right, at(1)), Verdict::TooMany { wait });
    let token = format!("Bearer {}", Token::text([0x11; 16]).0);
    let known = Verdict::Known(Credential { right: Right::Control, by: By::Token(4) });
    assert_eq!(judge(&access, &token, at(1)), known);
    assert_eq!(
        judge(&access, &right, at(1)),
        Verdict::TooMany { wait },
        "a token says nothing of the password"
    );
    let other = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 10));
    assert_eq!(judge_from(&access, other, &right, at(1)), ADMIN);
    assert_eq!(judge(&access, &answer(PASSWORD, &nonce, 3, SWITCH), at(31)), ADMIN);
    assert_eq!(judge(&access, &answer("wrong", &nonce, 4, SWITCH), at(31)), WRONG);
    assert_eq!(judge(&access, &answer(PASSWORD, &nonce, 4, SWITCH), at(31)), ADMIN);
}

#[test]
fn from_many_addresses_only_those_who_proved_themselves_pass() {
    let access = owned();
    let proven = nonce(&access, at(0));
    assert_eq!(judge(&access, &answer(PASSWORD, &proven, 1, SWITCH), at(0)), ADMIN);
    let fresh = nonce(&access, at(0));
    for number in 0..60 {
        let peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, number));
        assert_eq!(judge_from(&access, peer, &answer("wrong", &fresh, 1, SWITCH), at(60)), WRONG);
    }
    let crowded = Verdict::TooMany { wait: Duration::from_secs(60) };
    assert_eq!(judge(&access, &answer(PASSWORD, &fresh, 1, SWITCH), at(60)), crowded);
    assert_eq!(judge(&access, "Bearer ossp_00000000000000000000000000000000", at(60)), crowded);
    assert_eq!(judge(&access, &answer(PASSWORD, &proven, 2, SWITCH), at(60)), ADMIN);
    assert_eq!(judge(&access, &answer(PASSWORD, &fresh, 1, SWITCH), at(120)), ADMIN);
}

#[test]
fn a_wrong_token_is_a_wrong_password() {
    let access = owned();
    for text in ["", "ossp_", "ossp_1111", "11111111111111111111111111111111"] {
        assert_eq!(judge(&access, &format!("Bearer {text}"), at(1)), WRONG);
    }
    let wrong = "Bearer ossp_22222222222222222222222222222222";
    assert_eq!(judge(&access, wrong, at(1)), WRONG);
    assert!(matches!(judge(&access, wrong, at(1)), Verdict::TooMany { .. }));
}

fn with_cookie(access: &Access, method: &str, target: &str, cookie: &str, now: Instant) -> Verdict {
    let cookie = Some(cookie.as_bytes());
    access.judge(&Presented { authorization: None, cookie, method, target, peer: PEER }, now, |_| {})
}

/// What a browser sends of it.
fn sent(cookie: &SessionCookie) -> String {
    cookie.to_string().split(';').next().unwrap().into()
}

#[test]
fn a_session_is_for_looking() {
    let access = owned();
    let cookie = access.sign_in(at(100));
    let text = cookie.to_string();
    assert!(text.starts_with("ossp-0a1b2c3d="));
    assert_eq!(&text[14 + 32..], "; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200");
    let cookie = sent(&cookie);
    let known = Verdict::Known(Credential { right: Right::Read, by: By::Session });
    for (method, target, verdict) in [
        ("GET", "/api/v1/settings", known),
        ("HEAD", "/api/v1/reading", known),
        ("DELETE", "/api/v1/session", known),
        ("DELETE", "/api/v1/session?x", known),
        ("POST", "/api/v1/session", Verdict::Nobody),
        ("DELETE", "/api/v1/tokens", Verdict::Nobody),
        ("PUT", "/api/v1/relay", Verdict::Nobody),
        ("get", "/api/v1/reading", Verdict::Nobody),
    ] {
        assert_eq!(with_cookie(&access, method, target, &cookie, at(101)), verdict, "{method} {target}");
    }
    for (text, right) in [
        (format!("a=b; {cookie}"), true),
        (format!("ossp-0a1b2c3d=00; {cookie};c=d"), true),
        (format!("x{cookie}"), false),
        (cookie[..40].to_string(), false),
        (cookie.to_uppercase(), false),
    ] {
        assert_eq!(with_cookie(&access, "GET", "/", &text, at(101)) == known, right, "{text}");
    }
    assert_eq!(access.session_left(Some(cookie.as_bytes()), at(101)), Some(Duration::from_secs(43199)));
    assert_eq!(with_cookie(&access, "GET", "/", &cookie, at(100 + 43200)), Verdict::Nobody);
    let end = access.sign_out(Some(cookie.as_bytes())).to_string();
    assert_eq!(end, "ossp-0a1b2c3d=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    assert_eq!(with_cookie(&access, "GET", "/", &cookie, at(101)), Verdict::Nobody);
}

#[test]
fn a_ninth_session_ends_the_first_and_another_password_all() {
    let access = owned();
    let cookies: Vec<_> = (0..9).map(|_| sent(&access.sign_in(at(0)))).collect();
    let left = |index: usize| access.session_left(Some(cookies[index].as_bytes()), at(1)).is_some();
    assert!(!left(0) && (1..9).all(left));
    let mut kept = access.kept().clone();
    kept.tokens.clear();
    access.put(kept.clone());
    assert!((1..9).all(left));
    kept.ha1 = Some(Ha1::of("0a1b2c3d", "another one"));
    access.put(kept);
    assert!(!(0..9).any(left));
}

#[test]
fn a_password_under_a_mask() {
    let access = owned();
    let nonce = nonce(&access, at(0));
    let header = answer(PASSWORD, &nonce, 0x1a, SWITCH);
    let new = Ha1::of("0a1b2c3d", "a longer password");
    let mut masked =
        mac(&Ha1::of("0a1b2c3d", PASSWORD).0, &[format!("ossp-password:{nonce}:0000001a:0123").as_bytes()]);
    for (byte, new) in masked.iter_mut().zip(new.0) {
        *byte ^= new;
    }
    assert_eq!(access.unmask(header.as_bytes(), masked), Some(new));
    assert_eq!(access.unmask(b"Bearer x", masked), None);
}

#[test]
fn before_the_flash_was_read_and_when_it_cannot_be_nobody_gets_in() {
    let access = Access::new();
    assert!(access.has_owner());
    access.open(Err(Unreadable), "0a1b2c3d", [3; 32]);
    assert!(access.has_owner());
    let nonce = nonce(&access, at(0));
    assert_eq!(judge(&access, &answer("", &nonce, 1, SWITCH), at(1)), WRONG);
    assert_eq!(access.desk.put(Box::default()), None);
}

#[test]
fn a_plug_without_an_owner_knows_nobody() {
    let access = Access::new();
    access.open(Ok(Kept::new()), "0a1b2c3d", [3; 32]);
    assert!(!access.has_owner() && access.desk.is_free());
    let nonce = nonce(&access, at(0));
    assert_eq!(judge(&access, &answer("", &nonce, 1, SWITCH), at(1)), Verdict::Nobody);
    assert_eq!(judge(&access, "Bearer x", at(1)), Verdict::Nobody);
}

fn text(kept: &Kept) -> String {
    let mut text = String::new();
    kept.write(&mut text).unwrap();
    text
}

#[test]
fn what_is_stored_comes_back_and_nothing_else_is_understood() {
    assert_eq!(text(&Kept::new()), "ossp-access 1\nnext 1\n");
    let kept = owned().kept().clone();
    let stored = text(&kept);
    assert_eq!(Kept::read(stored.as_bytes()), Ok(kept));
    for wrong in [
        String::new(),
        "ossp-access 1\n".into(),
        "ossp-access 2\nnext 1\n".into(),
        stored.trim_end().into(),
        format!("{stored}\n"),
        format!("{stored}more\n"),
        format!("{stored}{}\n", stored.lines().last().unwrap()),
        stored.replace("owner ", "owner 0"),
        stored.replace("owner ", "owned "),
        stored.replace("next 5", "next 4"),
        stored.replace("next 5", "next 05"),
        stored.replace("next 5", "next +5"),
        stored.replace("next 5", "next 65536"),
        stored.replace("control", "all"),
        stored.replace(" - ", "  "),
        stored.replace("a meter", ""),
        stored.replace("a meter", &"m".repeat(33)),
        stored.replace("a meter", "a\tmeter"),
        stored.replace('\n', "\r\n"),
    ] {
        assert_eq!(Kept::read(wrong.as_bytes()), Err(Unreadable), "{wrong}");
    }
    for end in 0..stored.len() {
        let cut = Kept::read(&stored.as_bytes()[..end]);
        assert!(cut.is_err() || cut.is_ok_and(|kept| kept.ha1.is_some()), "{end}");
    }
}

#[test]
fn the_longest_there_can_be_has_room() {
    let mut kept = Kept { ha1: Some(Ha1([255; 32])), tokens: heapless::Vec::new(), next_token: u16::MAX };
    for id in 0..8 {
        let name = token_name(&"n".repeat(32)).unwrap();
        let (scope, created, id) = (Right::Control, Some(u64::MAX), u16::MAX - 1 - id);
        kept.tokens.push(Token { id, name, scope, created, hash: [255; 32] }).unwrap();
    }
    assert_eq!(Kept::read(text(&kept).as_bytes()), Ok(kept.clone()));
    assert!(text(&kept).len() <= crate::storage::halves::MOST, "{}", text(&kept).len());
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let access = owned();
    let text = format!("{:?}", access.kept());
    assert!(!text.contains("255") && text.contains("ha1: Some(Ha1)"), "{text}");
    let hash = Token::text([0x11; 16]).1;
    assert!(!text.contains(&format!("{hash:?}")[1..20]), "{text}");
}

#[test]
fn names_of_tokens() {
    for good in ["x", "Zähler im Keller", "a b"] {
        assert!(token_name(good).is_some());
    }
    for bad in ["", " ", " x", "x ", "a\nb", &"x".repeat(33), "\u{7f}"] {
        assert!(token_name(bad).is_none());
    }
}
