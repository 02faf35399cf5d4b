//! What credentials are worth over HTTP: challenges, replays, wrong ones, too many of them, broken ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::time::Duration;

use web_support::{Plug, READ, bearer, digest};

/// How long a body is that never comes.
const NO_BODY: &str = "Content-Length: 40";

#[test]
fn a_challenge_goes_where_no_dialog_opens() {
    let plug = Plug::start(1.0);
    let ask = |headers: &[&str]| plug.ask_plainly("GET", "/api/v1/reading", headers, "");
    let plain = ask(&[]);
    let challenge = plain.header("WWW-Authenticate").unwrap();
    assert!(
        challenge
            .starts_with("Digest realm=\"ossp-ab12cd34ef56\", qop=\"auth\", algorithm=SHA-256, nonce=\"")
    );
    assert!(challenge.ends_with("\", charset=UTF-8"), "{challenge}");
    assert!(plain.header("OSSP-Challenge").is_none());
    let page = ask(&["Accept: text/html,application/xhtml+xml,*/*;q=0.8"]);
    assert!(page.header("WWW-Authenticate").is_none() && page.header("OSSP-Challenge").is_none());
    for accept in ["*/*", "text/html"] {
        let script = ask(&["X-Requested-With: ossp", &format!("Accept: {accept}")]);
        assert!(script.header("WWW-Authenticate").is_none());
        let hidden = script.header("OSSP-Challenge").unwrap();
        assert!(hidden.starts_with("realm=\"ossp-ab12cd34ef56\", qop=\"auth\""), "{hidden}");
    }
    // A browser's own stream cannot say that it is the page's.
    let stream = ask(&["Accept: text/event-stream"]);
    assert!(stream.header("WWW-Authenticate").is_none() && stream.header("OSSP-Challenge").is_some());
}

#[test]
fn an_answer_is_good_once_and_for_its_request() {
    let plug = Plug::start(1.0);
    plug.measure(1);
    const PATH: &str = "/api/v1/reading?since=1";
    let ask = |method: &str, path: &str, header: &str| plug.ask_plainly(method, path, &[header], "");
    let mut client = plug.challenge();
    let header = client.header("GET", PATH);
    assert_eq!(ask("GET", PATH, &header).status, 200);
    let again = ask("GET", PATH, &header);
    assert_eq!(again.status, 401, "a replay");
    assert!(again.header("WWW-Authenticate").unwrap().ends_with(", stale=true"));
    // The recorded answer to a look does not switch, nor does it look elsewhere.
    for (method, path) in [("PUT", "/api/v1/relay"), ("GET", "/api/v1/settings"), ("GET", "/api/v1/reading")]
    {
        let refused = ask(method, path, &client.header("GET", PATH));
        assert_eq!(refused.status, 401, "{method} {path}");
    }
    assert_eq!(ask("GET", PATH, &client.header("GET", PATH)).status, 200);
    plug.inside(|inside| inside.put_forward(Duration::from_secs(301)));
    let late = ask("GET", PATH, &client.header("GET", PATH));
    assert!(late.header("WWW-Authenticate").unwrap().ends_with(", stale=true"), "{late:?}");
}

#[test]
fn too_many_wrong_passwords_are_not_looked_at_but_tokens_are() {
    let plug = Plug::start(1.0);
    plug.measure(1);
    let challenge = plug.ask_plainly("GET", "/api/v1/reading", &[], "");
    let mut wrong =
        digest::Client::new(challenge.header("WWW-Authenticate").unwrap(), "correct horse batterz");
    let mut answers = (0..8).map(|_| {
        let header = wrong.header("GET", "/api/v1/reading");
        plug.ask_plainly("GET", "/api/v1/reading", &[&header], "")
    });
    let refused = answers.find(|answer| answer.status != 401).expect("some of them are too many");
    assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_attempts"));
    let wait: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(refused.header("WWW-Authenticate").is_none());
    // Not even the right one.
    let header = plug.challenge().header("GET", "/api/v1/reading");
    assert_eq!(plug.ask_plainly("GET", "/api/v1/reading", &[&header], "").status, 429);
    assert_eq!(plug.ask_plainly("GET", "/api/v1/reading", &[&bearer(READ)], "").status, 200);
    assert_eq!(plug.ask_plainly("GET", "/", &[&header], "").status, 200);
    let log = plug.inside(|inside| format!("{:?}", inside.state.log.borrow()));
    assert!(log.contains("127.0.0.1") && !log.contains("horse") && !log.contains("nonce"), "{log}");
    plug.inside(move |inside| inside.put_forward(Duration::from_secs(wait)));
    let header = plug.challenge().header("GET", "/api/v1/reading");
    assert_eq!(plug.ask_plainly("GET", "/api/v1/reading", &[&header], "").status, 200);
}

#[test]
fn long_and_broken_credentials_are_wrong_ones() {
    let plug = Plug::start(1.0);
    let long = "a".repeat(1500);
    for value in [
        "",
        "Digest",
        "Digest ,,,=\"",
        "Digest username",
        "Digest username=\"admin\", realm=\"ossp-ab12cd34ef56\"",
        "Bearer",
        "Bearer ossp_",
        "Bearer ossp_03",
        "Bearer ossp_030303030303030303030303030303031",
        "bearer\tossp_\u{ff}",
        "Basic YWRtaW46YQ==",
        "Negotiate",
        &long,
        &format!("Digest nonce=\"{long}\""),
        &format!("Bearer {long}"),
    ] {
        plug.inside(|inside| inside.put_forward(Duration::from_secs(901)));
        let answer =
            plug.ask_plainly("PUT", "/api/v1/relay", &[&format!("Authorization: {value}"), NO_BODY], "");
        assert_eq!(answer.status, 401, "{value}");
    }
    for cookie in
        ["", "ossp-ab12cd34ef56", "ossp-ab12cd34ef56=", "ossp-ab12cd34ef56=0", &long, ";;;=;", "\u{ff}"]
    {
        let answer = plug.ask_plainly("GET", "/api/v1/reading", &[&format!("Cookie: {cookie}")], "");
        assert_eq!(answer.status, 401, "{cookie}");
    }
    let much = format!("Authorization: Digest {}", "a".repeat(3000));
    assert_eq!(plug.ask_plainly("GET", "/api/v1/reading", &[&much], "").status, 431);
}
