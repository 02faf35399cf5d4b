//! Who gets in, with the real program and Debian's curl: set-up, sign-in, tokens, wrong passwords, names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod virtual_plug;

use std::process::Command;

use serde_json::{Value, json};
use virtual_plug::client::{ask, proof, signer};
use virtual_plug::{Answer, Folder, Knows, PASSWORD, Plug};

const HEATER: [&str; 2] = ["--source", "sim:heater"];
/// What somebody may know of a plug who cannot prove anything.
const BASICS: [&str; 14] = [
    "board",
    "build",
    "chip",
    "espflash",
    "git",
    "id",
    "image_sha256",
    "name",
    "reading",
    "reset_reason",
    "rustc",
    "setup_complete",
    "uptime_s",
    "version",
];

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, wanted: &str) {
    assert_eq!((answer.status, code(answer).as_str()), (status, wanted), "{answer:?}");
}

/// The plug as somebody sees it who knows nothing.
fn stranger(plug: &Plug, head: &str, headers: &str, body: &str) -> Answer {
    ask(&plug.address, head, headers, body).unwrap()
}

/// Status and body of what curl gets.
#[track_caller]
fn curl(arguments: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"])
        .args(arguments)
        .output()
        .expect("curl is installed: ./ci.sh install");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

fn token(plug: &Plug, name: &str, scope: &str) -> (Value, String) {
    let body = json!({"name": name, "scope": scope}).to_string();
    let made = plug.ask("POST /api/v1/tokens", "", &body).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let token = made["token"].as_str().unwrap().to_owned();
    (made["id"].clone(), token)
}

#[test]
fn fresh_from_the_factory_only_the_set_up_changes_anything() {
    let folder = Folder::new("fresh");
    let mut plug = Plug::start_bare(&folder.0, &HEATER);
    plug.reading(|_| true);
    assert_eq!(plug.json("/api/v1/info")["setup_complete"], false);
    let offer = plug.json("/api/v1/setup");
    assert_eq!(
        (&offer["setup_complete"], &offer["button"], &offer["waiting"]),
        (&json!(false), &json!(false), &Value::Null),
        "{offer}"
    );
    assert_eq!(curl(&[&format!("http://{}/", plug.address), "--output", "/dev/null"]).0, 200);
    for path in ["/metrics", "/api/v1/settings", "/api/v1/relay/log", "/api/v1/openapi.json"] {
        assert_eq!(stranger(&plug, &format!("GET {path}"), "", "").status, 200, "{path}");
    }
    for (head, body) in [
        ("PUT /api/v1/relay", r#"{"on":false}"#),
        ("PATCH /api/v1/settings", r#"{"device":{"name":"mine"}}"#),
        ("POST /api/v1/restart", "{}"),
        ("POST /api/v1/reset", r#"{"confirm":"factory reset"}"#),
        ("POST /api/v1/tokens", r#"{"name":"mine","scope":"admin"}"#),
        ("POST /api/v1/session", ""),
        ("POST /api/v1/password", r#"{"password":"mine from now on"}"#),
        ("POST /api/v1/no-such-thing", "{}"),
        ("POST /ota/upload", ""),
    ] {
        refused(&stranger(&plug, head, "", body), 403, "setup_required");
    }
    let wrong = |body: Value| {
        let answer = stranger(&plug, "POST /api/v1/setup", "", &body.to_string());
        refused(&answer, 422, "bad_settings");
        answer.json()["error"]["fields"].to_string()
    };
    assert!(wrong(json!({"password": "too short"})).contains("password"));
    assert!(wrong(json!({"password": PASSWORD, "colour": "red"})).contains("colour"));
    assert!(wrong(json!({"password": PASSWORD, "time": {"posix": "nowhere"}})).contains("time.posix"));
    assert_eq!(plug.json("/api/v1/info")["setup_complete"], false);

    let form = json!({
        "password": PASSWORD, "name": "Heater", "access_point_ssid": "Attic",
        "time": {"zone": "Europe/Berlin", "posix": "CET-1CEST,M3.5.0,M10.5.0/3", "source": "browser"},
    });
    let done = stranger(&plug, "POST /api/v1/setup", "", &form.to_string());
    assert_eq!((done.status, &done.json()["setup_complete"]), (200, &json!(true)), "{done:?}");
    // From now on its owner is another person than anybody.
    refused(&stranger(&plug, "GET /api/v1/reading", "", ""), 401, "unauthorized");
    refused(&stranger(&plug, "POST /api/v1/setup", "", &form.to_string()), 401, "unauthorized");
    let basics = stranger(&plug, "GET /api/v1/info", "", "").json();
    assert_eq!(basics.as_object().unwrap().keys().collect::<Vec<_>>(), BASICS, "{basics}");
    assert_eq!((&basics["setup_complete"], &basics["reading"]), (&json!(true), &json!("closed")));

    plug.knows(Knows::Password(PASSWORD.to_owned()));
    refused(&plug.ask("POST /api/v1/setup", "", &form.to_string()).unwrap(), 409, "already_set_up");
    let settings = plug.json("/api/v1/settings");
    assert_eq!(
        (&settings["device"]["name"], &settings["time"]["zone"]),
        (&json!("Heater"), &json!("Europe/Berlin"))
    );
    let wifi = &settings["wifi"];
    assert_eq!(
        (&wifi["access_point_ssid"], &wifi["access_point_password"]),
        (&json!("Attic"), &json!("set"))
    );
    assert_eq!(plug.switch(r#"{"on":false}"#)["on"], false);
}

#[test]
fn curl_signs_in_with_digest() {
    let folder = Folder::new("curl");
    let plug = Plug::start(&folder.0, &HEATER);
    plug.reading(|_| true);
    let at = |path: &str| format!("http://{}{path}", plug.address);
    let (owner, other) = (format!("admin:{PASSWORD}"), format!("guest:{PASSWORD}"));
    let json_type = "Content-Type: application/json";
    assert_eq!(curl(&[&at("/api/v1/reading")]).0, 401);
    assert_eq!(curl(&["--digest", "-u", &owner, &at("/api/v1/reading")]).0, 200);
    // Several requests over one connection, with a query in their address.
    let (reading, waveform) = (at("/api/v1/reading"), at("/api/v1/waveform?cycles=2"));
    let (status, body) = curl(&["--digest", "-u", &owner, &reading, &waveform, &waveform]);
    assert_eq!((status, body.matches("sample_rate_hz:").count()), (200, 2));
    let put = ["-X", "PUT", "-H", json_type, "-d", r#"{"on":false}"#];
    let relay = at("/api/v1/relay");
    let (status, body) = curl(&[&["--digest", "-u", &owner], &put[..], &[&relay]].concat());
    assert_eq!(status, 200, "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["on"], false);
    assert_eq!(curl(&["--anyauth", "-u", &owner, &reading]).0, 200);
    // The password itself is not taken, lest anybody get used to sending it.
    assert_eq!(curl(&["--basic", "-u", &owner, &reading]).0, 401);
    assert_eq!(curl(&["--digest", "-u", "admin:not this one", &reading]).0, 401);
    assert_eq!(curl(&["--digest", "-u", &other, &reading]).0, 401);
    let (_, token) = token(&plug, "curl", "control");
    let bearer = format!("Authorization: Bearer {token}");
    let (status, body) = curl(&[&["-H", &bearer], &put[..], &[&relay]].concat());
    assert_eq!(status, 200, "{body}");
}

#[test]
fn a_proof_is_good_for_one_request() {
    let folder = Folder::new("replay");
    let plug = Plug::start(&folder.0, &HEATER);
    let head = "GET /api/v1/settings";
    let mut signer = signer(&stranger(&plug, head, "", ""), PASSWORD).unwrap();
    signer.set_count(4);
    let first = proof(&mut signer, head);
    assert_eq!(stranger(&plug, head, &first, "").status, 200);
    let again = stranger(&plug, head, &first, "");
    refused(&again, 401, "unauthorized");
    assert!(again.header("www-authenticate").unwrap().contains("stale=true"), "{again:?}");
    signer.set_count(3);
    refused(&stranger(&plug, head, &proof(&mut signer, head), ""), 401, "unauthorized");
    // Nor for another request than the one that it was made for.
    signer.set_count(5);
    let other = proof(&mut signer, head);
    refused(&stranger(&plug, "PUT /api/v1/relay", &other, r#"{"on":false}"#), 401, "unauthorized");
    assert_eq!(plug.relay()["on"], true);
}

#[test]
fn a_token_may_what_it_is_for_until_it_is_revoked() {
    let folder = Folder::new("tokens");
    let mut plug = Plug::start(&folder.0, &HEATER);
    plug.reading(|_| true);
    let made: Vec<(Value, String)> =
        ["read", "control", "admin"].iter().map(|scope| token(&plug, scope, scope)).collect();
    let asks = |plug: &Plug, which: usize, head: &str, body: &str| {
        stranger(plug, head, &format!("Authorization: Bearer {}\r\n", made[which].1), body)
    };
    let rights = [
        ("GET /api/v1/reading", "", 0),
        ("GET /api/v1/settings", "", 0),
        ("PUT /api/v1/relay", r#"{"on":true}"#, 1),
        ("PATCH /api/v1/settings", r#"{"device":{"led_off":true}}"#, 2),
        ("GET /api/v1/tokens", "", 2),
    ];
    let check = |plug: &Plug| {
        plug.reading(|_| true);
        for (head, body, least) in rights {
            for which in 0..3 {
                let answer = asks(plug, which, head, body);
                if which >= least {
                    assert_eq!(answer.status, 200, "{head}: {answer:?}");
                } else {
                    refused(&answer, 403, "forbidden");
                }
            }
        }
    };
    check(&plug);
    let list = plug.ask("GET /api/v1/tokens", "", "").unwrap();
    assert_eq!(list.json()["tokens"].as_array().unwrap().len(), 3, "{list:?}");
    drop(plug);

    let flash = std::fs::read(folder.flash()).unwrap();
    let secrets: Vec<&str> = made.iter().map(|(_, token)| token.as_str()).chain(["\"token\""]).collect();
    for secret in secrets {
        assert!(!list.body.contains(secret) && !holds(&flash, secret), "{secret}");
    }
    // Kept over a restart, revoked ones too.
    plug = Plug::start(&folder.0, &HEATER);
    check(&plug);
    let revoked = asks(&plug, 2, &format!("DELETE /api/v1/tokens/{}", made[1].0), "");
    assert_eq!((revoked.status, &revoked.json()["revoked"]), (200, &made[1].0));
    refused(&asks(&plug, 1, "GET /api/v1/reading", ""), 401, "unauthorized");
    drop(plug);
    plug = Plug::start(&folder.0, &HEATER);
    plug.reading(|_| true);
    refused(&asks(&plug, 1, "GET /api/v1/reading", ""), 401, "unauthorized");
    assert_eq!(asks(&plug, 0, "GET /api/v1/reading", "").status, 200);
    // Numbers are not used again.
    assert!(token(&plug, "next", "read").0.as_u64() > made[2].0.as_u64());
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn guessing_is_answered_with_a_wait_and_tokens_go_on() {
    let folder = Folder::new("too-many");
    let words = folder.0.with_extension("words");
    let plug = Plug::start_telling(&folder.0, &HEATER, &words);
    plug.reading(|_| true);
    let (_, token) = token(&plug, "house", "control");
    let head = "GET /api/v1/settings";
    let challenged = stranger(&plug, head, "", "");
    let mut used = 0;
    let mut tries = |password: &str| {
        let mut signer = signer(&challenged, password).unwrap();
        signer.set_count(used);
        used += 1;
        stranger(&plug, head, &proof(&mut signer, head), "")
    };
    for guess in 0..5 {
        refused(&tries(&format!("guess number {guess}")), 401, "unauthorized");
    }
    for password in ["one more guess", PASSWORD] {
        let answer = tries(password);
        refused(&answer, 429, "too_many_attempts");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{answer:?}");
    }
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(stranger(&plug, "PUT /api/v1/relay", &bearer, r#"{"on":true}"#).status, 200);
    drop(plug);
    let said = std::fs::read_to_string(&words).unwrap();
    let _ = std::fs::remove_file(&words);
    assert!(said.contains("127.0.0.1"), "{said}");
    assert!(!said.contains("guess") && !said.contains(PASSWORD) && !said.contains(&token), "{said}");
}

#[test]
fn a_session_only_looks_and_ends_with_a_restart() {
    let folder = Folder::new("session");
    let plug = Plug::start(&folder.0, &HEATER);
    plug.reading(|_| true);
    let sign_in = |plug: &Plug| {
        let answer = plug.ask("POST /api/v1/session", "", "{}").unwrap();
        assert_eq!((answer.status, &answer.json()["right"]), (200, &json!("admin")), "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    };
    let looks = |plug: &Plug, cookie: &str| stranger(plug, "GET /api/v1/reading", cookie, "").status;
    let cookie = sign_in(&plug);
    assert!(cookie.contains(plug.json("/api/v1/info")["id"].as_str().unwrap()), "named after the plug");
    assert_eq!(looks(&plug, &cookie), 200);
    assert_eq!(stranger(&plug, "GET /api/v1/session", &cookie, "").json()["by"], "session");
    refused(&stranger(&plug, "PUT /api/v1/relay", &cookie, r#"{"on":false}"#), 401, "unauthorized");
    let out = stranger(&plug, "DELETE /api/v1/session", &cookie, "");
    assert_eq!((out.status, looks(&plug, &cookie)), (200, 401), "{out:?}");

    let cookie = sign_in(&plug);
    let (_, token) = token(&plug, "stays", "read");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let restart = plug.ask("POST /api/v1/restart", "", "{}").unwrap();
    assert_eq!(restart.status, 202, "{restart:?}");
    plug.await_json("/api/v1/info", |info| info["starts"] == 2);
    plug.reading(|_| true);
    assert_eq!((looks(&plug, &cookie), looks(&plug, &bearer)), (401, 200));
    // Another password ends the sessions; tokens have their own life.
    let cookie = sign_in(&plug);
    let changed = plug.ask("POST /api/v1/password", "", r#"{"password":"another one now"}"#).unwrap();
    assert_eq!((changed.status, &changed.json()["changed"]), (200, &json!(true)), "{changed:?}");
    assert_eq!((looks(&plug, &cookie), looks(&plug, &bearer)), (401, 200));
    assert_eq!(plug.ask("GET /api/v1/settings", "", "").unwrap().status, 401);
    drop(plug);
    let mut plug = Plug::start_bare(&folder.0, &HEATER);
    plug.knows(Knows::Password("another one now".to_owned()));
    assert_eq!(plug.ask("GET /api/v1/settings", "", "").unwrap().status, 200);
}

#[test]
fn reading_is_open_to_everybody_if_the_owner_says_so() {
    let folder = Folder::new("open");
    let plug = Plug::start(&folder.0, &HEATER);
    plug.set(r#"{"access":{"reading":"open"}}"#);
    plug.reading(|_| true);
    for path in ["/api/v1/reading", "/api/v1/relay", "/metrics"] {
        assert_eq!(stranger(&plug, &format!("GET {path}"), "", "").status, 200, "{path}");
    }
    for head in ["GET /api/v1/settings", "GET /api/v1/wifi", "GET /api/v1/tokens", "PUT /api/v1/relay"] {
        refused(&stranger(&plug, head, "", ""), 401, "unauthorized");
    }
}

#[test]
fn a_plug_has_its_own_names_and_no_other() {
    let folder = Folder::new("names");
    let plug = Plug::start(&folder.0, &HEATER);
    let id = plug.json("/api/v1/info")["id"].as_str().unwrap().to_owned();
    let port = plug.address.rsplit_once(':').unwrap().1;
    let owner = format!("admin:{PASSWORD}");
    let asks = |host: &str| {
        let resolve = format!("{host}:{port}:127.0.0.1");
        let url = format!("http://{host}:{port}/api/v1/settings");
        let (status, body) = curl(&["--resolve", &resolve, "--digest", "-u", &owner, &url]);
        (status, body.contains("wrong_host"))
    };
    let own = format!("ossp-{}", &id[id.len() - 4..]);
    for name in [own.clone(), own.to_uppercase(), format!("{own}.local"), format!("{own}.home.arpa")] {
        assert_eq!(asks(&name), (200, false), "{name}");
    }
    assert_eq!(asks("localhost"), (200, false));
    for name in ["plug.example.org", "ossp.local", "ossp-zzzz.local"] {
        assert_eq!(asks(name), (421, true), "{name}");
    }
    plug.set(r#"{"access":{"hosts":["plug.example.org"]}}"#);
    assert_eq!(asks("plug.example.org"), (200, false));
    assert_eq!(asks("www.plug.example.org"), (421, true));
    // A page from elsewhere in its owner's browser.
    let origin = "Origin: http://example.org\r\n";
    refused(&plug.ask("PUT /api/v1/relay", origin, r#"{"on":false}"#).unwrap(), 403, "wrong_origin");
    refused(&plug.ask("GET /api/v1/reading", "Origin: null\r\n", "").unwrap(), 403, "wrong_origin");
    let same = format!("Origin: http://{}\r\n", plug.address);
    assert_eq!(plug.ask("PUT /api/v1/relay", &same, r#"{"on":false}"#).unwrap().status, 200);
}
