//! Who gets in: every route and every method against every kind of caller, made from the table of routes, so that a new
//! route cannot be forgotten. The tables of docs/security.md come from here as well:
//!
//! ```sh
//! cargo test -p plug --test web_doors -- --nocapture the_page
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests may fail loudly; one prints a table for the page"
)]

mod web_support;

use std::io::Write;
use std::time::Duration;

use plug::access::{Right, SESSION_LIFE};
use plug::web::{ROUTES, Route, Who};
use web_support::{ADMIN, CONTROL, PASSWORD, Plug, READ, Response, bearer, digest, read_response};

/// Those that routes have, those that no route has, and one that nobody has.
const METHODS: [&str; 9] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "BREW"];
/// Paths that no route has.
const UNKNOWN: [&str; 9] = [
    "/api",
    "/api/",
    "/api/v1/",
    "/api/v1/nothing",
    "/api/v1/relay/",
    "/api/v1/info/more?x=1",
    "/api/v2/info",
    "/ota",
    "/update/more",
];
/// How long a body is that never comes.
const NO_BODY: &str = "Content-Length: 40";

/// A kind of caller. Those of [`Caller::WITHOUT`] have nothing that is worth anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    Basic,
    UnknownToken,
    ExpiredCookie,
    WrongDigest,
    ReplayedDigest,
    Cookie,
    Digest,
    Token(Right),
}

impl Caller {
    const WITHOUT: [Self; 6] = [
        Self::Nobody,
        Self::Basic,
        Self::UnknownToken,
        Self::ExpiredCookie,
        Self::WrongDigest,
        Self::ReplayedDigest,
    ];
    const WITH: [Self; 5] = [
        Self::Cookie,
        Self::Token(Right::Read),
        Self::Token(Right::Control),
        Self::Token(Right::Admin),
        Self::Digest,
    ];

    /// Whether it shows something wrong, and not only nothing.
    const fn is_wrong(self) -> bool {
        matches!(self, Self::Basic | Self::UnknownToken | Self::WrongDigest | Self::ReplayedDigest)
    }

    fn may(self, right: Right) -> bool {
        match self {
            Self::Digest => true,
            Self::Token(scope) => scope >= right,
            _ => false,
        }
    }
}

/// What a request must be answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Not by the doors: the handler decides, or there is none.
    Inside,
    Unauthorized,
    Forbidden,
    SetupRequired,
}

fn is_for_machines(path: &str) -> bool {
    ["/api", "/ota", "/metrics", "/update"].iter().any(|start| path.starts_with(start))
}

/// Who may do this, as the issue says: what nobody knows asks for the most of its kind.
fn who(route: Option<&Route>, path: &str, method: &str) -> Who {
    let looks = method == "GET" || method == "HEAD";
    // Nobody here asks for a page: ElegantOTA's clients neither.
    if path == "/update" && looks {
        return Who::Admin;
    }
    let known = route.and_then(|route| route.methods.who(method));
    known.unwrap_or(match (is_for_machines(path), looks) {
        (false, _) => Who::Anyone,
        (true, true) => Who::Open,
        (true, false) => Who::Admin,
    })
}

/// What the doors of a plug with an owner say.
fn expected(who: Who, caller: Caller, path: &str, method: &str, open: bool) -> Verdict {
    if !is_for_machines(path) {
        return Verdict::Inside;
    }
    let looks = method == "GET" || method == "HEAD";
    // A session is worth something for looking, and for its own end.
    let session = caller == Caller::Cookie && (looks || who == Who::SignOut);
    let welcome = match who {
        Who::Anyone => !caller.is_wrong(),
        Who::Open => session || caller.may(Right::Read) || (open && !caller.is_wrong()),
        Who::Read => session || caller.may(Right::Read),
        Who::Control => caller.may(Right::Control),
        Who::Admin | Who::Claim => caller.may(Right::Admin),
        Who::SignIn => caller == Caller::Digest,
        Who::SignOut => session || caller == Caller::Digest,
    };
    match caller {
        _ if welcome => Verdict::Inside,
        Caller::Token(_) => Verdict::Forbidden,
        _ => Verdict::Unauthorized,
    }
}

/// Somebody who stands before a plug.
struct Visitor<'a> {
    plug: &'a Plug,
    caller: Caller,
    cookie: String,
    digest: Option<digest::Client>,
}

impl<'a> Visitor<'a> {
    fn new(plug: &'a Plug, caller: Caller) -> Self {
        let digest = match caller {
            Caller::Digest => Some(plug.challenge()),
            Caller::WrongDigest => Some(plug.challenge_for("correct horse buttery")),
            Caller::ReplayedDigest => {
                let mut client = plug.challenge();
                let first = client.header("GET", "/api/v1/session");
                assert_eq!(plug.ask_plainly("GET", "/api/v1/session", &[&first], "").status, 200);
                Some(client)
            }
            _ => None,
        };
        let cookie = match caller {
            Caller::Cookie | Caller::ExpiredCookie => plug.session(),
            _ => String::new(),
        };
        if caller == Caller::ExpiredCookie {
            plug.inside(|inside| inside.put_forward(SESSION_LIFE + Duration::from_secs(1)));
        }
        Self { plug, caller, cookie, digest }
    }

    fn header(&mut self, method: &str, path: &str) -> String {
        match self.caller {
            Caller::Nobody => "X-Nothing: 1".to_owned(),
            Caller::Basic => "Authorization: Basic YWRtaW46Y29ycmVjdCBob3JzZSBiYXR0ZXJ5".to_owned(),
            Caller::UnknownToken => bearer("ossp_00000000000000000000000000000000"),
            Caller::Cookie | Caller::ExpiredCookie => self.cookie.clone(),
            Caller::Token(Right::Read) => bearer(READ),
            Caller::Token(Right::Control) => bearer(CONTROL),
            Caller::Token(Right::Admin) => bearer(ADMIN),
            Caller::Digest | Caller::WrongDigest => self.digest.as_mut().unwrap().header(method, path),
            // Made for this very request, but its count was used already.
            Caller::ReplayedDigest => self.digest.as_ref().unwrap().header_again(method, path),
        }
    }

    /// One request that promises a body and never sends it; it says nothing of its type.
    fn ask(&mut self, method: &str, path: &str) -> Response {
        let header = self.header(method, path);
        self.plug.ask_plainly(method, path, &[&header, NO_BODY], "")
    }
}

/// Every path with its route.
fn paths() -> impl Iterator<Item = (Option<&'static Route>, String)> {
    let known = ROUTES.iter().map(|route| (Some(route), route.path.replace("{number}", "1")));
    known.chain(UNKNOWN.iter().map(|path| (None, (*path).to_owned())))
}

/// Without a type nearly every change is refused behind the doors (415). Not tried by those who may: what needs no body,
/// and a stream, which has no end.
fn is_safe_to_try(method: &str, route: Option<&Route>) -> bool {
    let looks = matches!(method, "GET" | "HEAD");
    match route {
        Some(route) if route.path == "/api/v1/events" => !looks,
        Some(route) => method != "DELETE" || !route.methods.allow(method),
        None => true,
    }
}

fn check(answer: &Response, verdict: Verdict, context: &str) {
    let code = if answer.body.is_empty() || answer.header("Content-Type") != Some("application/json") {
        None
    } else {
        serde_json::from_slice::<serde_json::Value>(&answer.body)
            .ok()
            .and_then(|json| Some(json["error"]["code"].as_str()?.to_owned()))
    };
    let (status, name) = match verdict {
        Verdict::Unauthorized => (401, "unauthorized"),
        Verdict::Forbidden => (403, "forbidden"),
        Verdict::SetupRequired => (403, "setup_required"),
        Verdict::Inside => {
            let outside =
                ["unauthorized", "forbidden", "setup_required", "wrong_origin", "too_many_attempts"];
            let kept_out = matches!(answer.status, 401 | 403 | 421 | 429);
            assert!(!kept_out && !outside.contains(&code.as_deref().unwrap_or("")), "{context}: {answer:?}");
            return;
        }
    };
    assert_eq!(answer.status, status, "{context}: {answer:?}");
    if let Some(code) = code {
        assert_eq!(code, name, "{context}");
    }
    assert_eq!(answer.header("WWW-Authenticate").is_some(), status == 401, "{context}");
}

fn try_everything(plug: &Plug, caller: Caller, open: bool) {
    let mut visitor = Visitor::new(plug, caller);
    for (route, path) in paths() {
        for method in METHODS {
            let verdict = expected(who(route, &path, method), caller, &path, method, open);
            if verdict == Verdict::Inside && !is_safe_to_try(method, route) {
                continue;
            }
            // A wrong token each time would be too many soon.
            if matches!(caller, Caller::UnknownToken | Caller::WrongDigest) {
                plug.inside(|inside| inside.put_forward(Duration::from_secs(901)));
            }
            let answer = visitor.ask(method, &path);
            check(&answer, verdict, &format!("{caller:?}, {method} {path}, open: {open}"));
        }
    }
}

#[test]
fn nobody_without_credentials_does_anything() {
    for caller in Caller::WITHOUT {
        let plug = Plug::start(1.0);
        try_everything(&plug, caller, false);
        assert!(plug.inside(|inside| inside.link.commands.is_empty()));
    }
}

#[test]
fn everybody_does_what_theirs_is() {
    let plug = Plug::start(1.0);
    for caller in Caller::WITH {
        try_everything(&plug, caller, false);
    }
}

#[test]
fn open_reading_is_for_reading_only() {
    let plug = Plug::start(1.0);
    plug.open_reading(true);
    for caller in [Caller::Nobody, Caller::Cookie, Caller::Token(Right::Read), Caller::UnknownToken] {
        try_everything(&plug, caller, true);
    }
    plug.open_reading(false);
    try_everything(&plug, Caller::Nobody, false);
}

#[test]
fn without_an_owner_everything_is_read_and_nothing_changed() {
    let plug = Plug::start_fresh();
    for caller in ["X-Nothing: 1", &bearer(ADMIN)] {
        for (route, path) in paths() {
            for method in METHODS {
                let looks = method == "GET" || method == "HEAD";
                let who = who(route, &path, method);
                if !is_safe_to_try(method, route) || who == Who::Claim {
                    continue;
                }
                let refused =
                    is_for_machines(&path) && (!looks || (method, path.as_str()) == ("GET", "/ota/start"));
                let verdict = if refused { Verdict::SetupRequired } else { Verdict::Inside };
                let answer = plug.ask_plainly(method, &path, &[caller, NO_BODY], "");
                check(&answer, verdict, &format!("{caller}, {method} {path}"));
            }
        }
    }
    let info = plug.ask_plainly("GET", "/api/v1/info", &[], "").json();
    assert_eq!(info["setup_complete"], false);
    assert!(info["vitals"].is_object(), "{info}");
}

#[test]
fn a_plug_that_cannot_read_who_owns_it_lets_nobody_in() {
    let plug = Plug::start_closed();
    for caller in [Caller::Nobody, Caller::UnknownToken, Caller::Cookie] {
        let caller = if caller == Caller::Cookie { Caller::ExpiredCookie } else { caller };
        try_everything(&plug, caller, false);
    }
    let mut client = digest::Client::new(
        plug.ask_plainly("GET", "/api/v1/settings", &[], "").header("WWW-Authenticate").unwrap(),
        PASSWORD,
    );
    let header = client.header("GET", "/api/v1/settings");
    assert_eq!(plug.ask_plainly("GET", "/api/v1/settings", &[&header], "").status, 401);
}

#[test]
fn a_wrong_name_or_page_is_refused_before_all_else() {
    let plug = Plug::start(1.0);
    let own = format!("http://{}", plug.address);
    let refused: [(&[&str], u16, &str); 7] = [
        (&["Host: evil.example"], 421, "wrong_host"),
        (&["Host: ossp-0000.local"], 421, "wrong_host"),
        (&["Host: a b"], 400, "bad_host"),
        (&["Host:"], 400, "bad_host"),
        (&["Origin: http://evil.example"], 403, "wrong_origin"),
        (&["Origin: null"], 403, "wrong_origin"),
        (&["Host: evil.example", &format!("Origin: {own}")], 421, "wrong_host"),
    ];
    for (route, path) in paths() {
        for method in METHODS {
            for (headers, status, code) in refused {
                let token = bearer(ADMIN);
                let headers: Vec<_> = headers.iter().copied().chain([token.as_str(), NO_BODY]).collect();
                let answer = plug.ask_plainly(method, &path, &headers, "");
                assert_eq!(answer.status, status, "{method} {path} {headers:?}");
                assert!(method == "HEAD" || answer.code() == code, "{method} {path} {headers:?}");
                assert!(answer.header("Access-Control-Allow-Origin").is_none());
            }
        }
        let _ = route;
    }
}

/// A picture on another page is fetched without an `Origin`.
#[test]
fn other_pages_bring_nothing_about_by_a_get() {
    let plug = Plug::start_with_radio_at(1.0);
    let token = bearer(ADMIN);
    let announce = "/ota/start?mode=fr&hash=d41d8cd98f00b204e9800998ecf8427e";
    let ask = |method, path, site: &str| {
        plug.ask_plainly(method, path, &[&token, &format!("Sec-Fetch-Site: {site}")], "")
    };
    for path in ["/api/v1/wifi/scan", announce] {
        for site in ["cross-site", "same-site", "Same-Origin", ""] {
            let answer = ask("GET", path, site);
            assert_eq!((answer.status, answer.code().as_str()), (403, "wrong_origin"), "{path} {site}");
        }
        assert_ne!(ask("GET", path, "same-origin").status, 403, "{path}");
        assert_ne!(ask("GET", path, "none").status, 403, "{path}");
    }
    assert_eq!(
        plug.inside(|inside| inside.house.calls.borrow().iter().filter(|call| *call == "scan").count()),
        1
    );
    // A link leads to the pages and to what only tells.
    for path in ["/", "/update", "/api/v1/info"] {
        let answer = plug.ask_plainly("GET", path, &["Accept: text/html", "Sec-Fetch-Site: cross-site"], "");
        assert_eq!(answer.status, 200, "{path}");
    }
    // Whoever only wants to look announces nothing.
    let looks = ask("HEAD", announce, "none");
    assert_eq!((looks.status, looks.header("Allow")), (405, Some("GET")));
}

#[test]
fn what_is_too_long_or_no_request_gets_nowhere() {
    let plug = Plug::start(1.0);
    let long = format!("X-Long: {}", "x".repeat(plug::limits::REQUEST_HEAD));
    let refused: [(&str, &str, u16); 5] = [
        (&long, NO_BODY, 431),
        ("Content-Length: x", "X-Nothing: 1", 400),
        ("Content-Length: 5", "Content-Length: 6", 400),
        ("Transfer-Encoding: chunked", "X-Nothing: 1", 411),
        (" folded: 1", NO_BODY, 400),
    ];
    for (_, path) in paths() {
        for method in METHODS {
            for (one, other, status) in refused {
                let token = bearer(ADMIN);
                let answer = plug.ask_plainly(method, &path, &[&token, one, other], "");
                assert_eq!(answer.status, status, "{method} {path} {one:.20}");
            }
        }
    }
    assert!(plug.inside(|inside| inside.link.commands.is_empty()));
}

#[test]
fn a_host_is_named_once() {
    let plug = Plug::start(1.0);
    for (head, code) in [
        ("GET / HTTP/1.1\r\n\r\n", "bad_host"),
        ("GET / HTTP/1.0\r\n\r\n", "bad_host"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n", "bad_host"),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "wrong_host"),
        ("GET http:/// HTTP/1.1\r\nHost: localhost\r\n\r\n", "bad_host"),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: null\r\n\r\n",
            "bad_request",
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic x\r\nAuthorization: Basic x\r\n\r\n",
            "bad_request",
        ),
    ] {
        let mut stream = plug.connect();
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(read_response(&mut stream, false).unwrap().code(), code, "{head}");
    }
    for head in [
        "GET http://localhost/ HTTP/1.1\r\nHost: ignored.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: OSSP-EF56.local.:8080\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]\r\nOrigin: http://[::1]\r\n\r\n",
    ] {
        let mut stream = plug.connect();
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(read_response(&mut stream, false).unwrap().status, 200, "{head}");
    }
}

#[test]
fn the_owner_may_give_it_more_names() {
    let plug = Plug::start(1.0);
    let ask = || plug.ask_plainly("GET", "/api/v1/info", &["Host: Plug.example.org:8443"], "").status;
    assert_eq!(ask(), 421);
    assert_eq!(plug.patch_settings(&[], "{\"access\":{\"hosts\":[\"plug.example.org\"]}}").status, 200);
    assert_eq!(ask(), 200);
}

#[test]
fn on_the_access_point_every_name_leads_to_the_page() {
    let plug = Plug::start_as_access_point();
    for path in ["/", "/generate_204", "/api/v1/relay", "http://captive.example/hotspot-detect.html"] {
        let answer = plug.ask_plainly("GET", path, &["Host: captive.example"], "");
        assert_eq!((answer.status, answer.header("Location")), (302, Some("http://192.168.4.1/")), "{path}");
    }
    let change = plug.ask_plainly("POST", "/api/v1/restart", &["Host: captive.example", &bearer(ADMIN)], "");
    assert_eq!(change.code(), "wrong_host");
    assert_eq!(plug.ask_plainly("GET", "/", &["Host: 192.168.4.1"], "").status, 200);
    assert_eq!(plug.ask_plainly("GET", "/api/v1/reading", &["Host: 192.168.4.1"], "").status, 401);
}

#[test]
fn info_tells_strangers_no_more_than_that_it_is_there() {
    let plug = Plug::start(1.0);
    let names = |headers: &[&str]| -> Vec<String> {
        let json = plug.ask_plainly("GET", "/api/v1/info", headers, "").json();
        json.as_object().unwrap().keys().cloned().collect()
    };
    let mut basics = vec![
        "id",
        "name",
        "version",
        "git",
        "build",
        "board",
        "chip",
        "uptime_s",
        "reset_reason",
        "setup_complete",
        "reading",
        "image_sha256",
        "rustc",
        "espflash",
    ];
    basics.sort_unstable();
    let mut told = names(&[]);
    told.sort_unstable();
    assert_eq!(told, basics);
    assert!(names(&[&bearer(READ)]).len() > basics.len());
    assert!(names(&[&plug.session()]).len() > basics.len());
    plug.open_reading(true);
    assert!(names(&[]).len() > basics.len());
}

/// Whoever can build the same image with another password in it could compare.
#[test]
fn the_hash_of_an_image_with_secrets_is_not_for_strangers() {
    let hash_known = |plug: &Plug| {
        plug.inside(|inside| inside.state.firmware.borrow_mut().image_sha256 = Some([0x5e; 32]))
    };
    let told = |plug: &Plug, headers: &[&str]| {
        ["/api/v1/info", "/api/v1/update"].map(|path| {
            let json = plug.ask_plainly("GET", path, headers, "").json();
            let hash = json.pointer("/image_sha256").or(json.pointer("/running/image_sha256"));
            hash.and_then(|hash| hash.as_str()).map(str::to_owned)
        })
    };
    let (nothing, whole) = ([None, None], [Some("5e".repeat(32)), Some("5e".repeat(32))]);
    let plug = Plug::start(1.0);
    hash_known(&plug);
    for is_open in [false, true] {
        plug.open_reading(is_open);
        assert_eq!(told(&plug, &[]), nothing);
        assert_eq!(told(&plug, &[&bearer(READ)]), whole);
        assert_eq!(told(&plug, &[&plug.session()]), whole);
    }
    // Before it has an owner everybody reads.
    let plug = Plug::start_fresh();
    hash_known(&plug);
    assert_eq!(plug.ask_plainly("GET", "/api/v1/update", &[], "").status, 200);
    assert_eq!(told(&plug, &[]), nothing);
}

/// Every line of the table of routes, as docs/security.md shows it.
fn table() -> String {
    let mut table = "| path | method | who | what |\n|---|---|---|---|\n".to_owned();
    for route in ROUTES {
        for (method, who) in route.methods.0 {
            let methods = method.names().join(", ");
            let (path, who, what) = (route.path, who.words(), route.purpose);
            table += &format!("| `{path}` | {methods} | {who} | {what} |\n");
        }
    }
    table
}

#[test]
fn the_page_has_the_table_of_routes() {
    let table = table();
    println!("{table}");
    let page = include_str!("../../../docs/security.md");
    let (_, rest) = page.split_once("<!-- routes -->\n").expect("a place for the table");
    let (shown, _) = rest.split_once("<!-- /routes -->").expect("its end");
    assert_eq!(shown.trim(), table.trim());
}
