//! What each system's test for the internet is answered on the access point: whatever makes it show the set-up page, and
//! on the network's side what it was before.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod web_support;

use std::io::{Read, Write};

use web_support::{Plug, Response, read_response};

/// System, name of the host that it asks, path, what else it sends, and whether it speaks HTTP/1.0.
const PROBES: [(&str, &str, &str, &str, bool); 19] = [
    (
        "Android",
        "connectivitycheck.gstatic.com",
        "/generate_204",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
        false,
    ),
    ("Android", "www.google.com", "/gen_204", "Connection: Keep-Alive", false),
    ("Android", "play.googleapis.com", "/generate_204", "Accept-Encoding: gzip", false),
    ("Android (Xiaomi)", "connect.rom.miui.com", "/generate_204", "", false),
    ("Android (Huawei)", "connectivitycheck.platform.hicloud.com", "/generate_204", "", false),
    ("ChromeOS, Chrome", "www.gstatic.com", "/generate_204", "Cache-Control: no-cache", false),
    (
        "iOS, macOS",
        "captive.apple.com",
        "/hotspot-detect.html",
        "User-Agent: CaptiveNetworkSupport-407.0.2 wispr",
        true,
    ),
    ("iOS, macOS", "captive.apple.com", "/hotspot-detect.html", "Connection: close", false),
    ("iOS, macOS", "www.apple.com", "/library/test/success.html", "Connection: close", true),
    ("macOS, old", "www.thinkdifferent.us", "/abcdef/ghijkl.html", "Connection: close", true),
    ("Windows", "www.msftconnecttest.com", "/connecttest.txt", "User-Agent: Microsoft NCSI", false),
    ("Windows", "www.msftconnecttest.com", "/redirect", "Accept: text/html", false),
    ("Windows, old", "www.msftncsi.com", "/ncsi.txt", "User-Agent: Microsoft NCSI", false),
    ("Firefox", "detectportal.firefox.com", "/canonical.html", "Pragma: no-cache", false),
    ("Firefox", "detectportal.firefox.com", "/success.txt?ipv4", "Pragma: no-cache", false),
    ("GNOME", "nmcheck.gnome.org", "/check_network_status.txt", "Connection: close", false),
    ("Ubuntu", "connectivity-check.ubuntu.com", "/", "Connection: close", false),
    ("Kindle", "spectrum.s3.amazonaws.com", "/kindle-wifi/wifistub.html", "", false),
    ("anybody's browser", "anything.example", "/", "Accept: text/html", false),
];
/// What some system waits for, as a sign that it is in the internet.
const SIGNS: [&str; 4] = ["success", "microsoft", "networkmanager", "http-equiv"];

/// One request, word for word.
fn ask(plug: &Plug, method: &str, path: &str, version: &str, lines: &[&str]) -> Response {
    let lines: String =
        lines.iter().filter(|line| !line.is_empty()).map(|line| format!("{line}\r\n")).collect();
    let mut stream = plug.connect();
    stream.write_all(format!("{method} {path} {version}\r\n{lines}\r\n").as_bytes()).unwrap();
    read_response(&mut stream, method == "HEAD").unwrap()
}

/// That the answer makes whoever looked show the plug's page.
fn leads_to_the_page(answer: &Response, about: &str) {
    assert_eq!((answer.status, answer.header("Location")), (302, Some("http://192.168.4.1/")), "{about}");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{about}");
    assert!(answer.header("Content-Type").unwrap().starts_with("text/html"), "{about}");
    let length: usize = answer.header("Content-Length").unwrap().parse().unwrap();
    assert!((60..300).contains(&length), "{about}: {length}");
}

#[test]
fn each_system_is_led_to_the_page() {
    let plug = Plug::start_as_access_point();
    for (system, host, path, line, old) in PROBES {
        let version = if old { "HTTP/1.0" } else { "HTTP/1.1" };
        let host = format!("Host: {host}");
        let about = format!("{system} {host} {path}");
        let answer = ask(&plug, "GET", path, version, &[&host, line]);
        leads_to_the_page(&answer, &about);
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert!(text.contains("<a href=\"http://192.168.4.1/\">"), "{about}: {text}");
        let text = text.to_lowercase();
        assert!(SIGNS.iter().all(|sign| !text.contains(sign)), "{about}: {text}");
        let head = ask(&plug, "HEAD", path, version, &[&host, line]);
        leads_to_the_page(&head, &about);
        assert!(head.body.is_empty(), "{about}");
        let absolute = format!("http://{}{path}", &host[6..]);
        leads_to_the_page(&ask(&plug, "GET", &absolute, version, &[&host, line]), &about);
    }
}

#[test]
fn a_test_page_is_one_under_the_plugs_address_too_and_nothing_else_is() {
    let plug = Plug::start_as_access_point();
    let at_home = |method: &str, path: &str, host: &str| plug.ask_plainly(method, path, &[host], "");
    for host in ["Host: 192.168.4.1", "Host: 10.1.2.3", "Host: ossp-ef56.local", "Host: localhost"] {
        for (system, _, path, ..) in PROBES.iter().filter(|(.., path, _, _)| path.len() > 1) {
            // Whatever names these ask for, they ask for no address.
            if ["macOS, old", "Kindle"].contains(system) {
                continue;
            }
            for method in ["GET", "HEAD"] {
                leads_to_the_page(&at_home(method, path, host), &format!("{method} {host} {path}"));
            }
        }
    }
    let home = |path| at_home("GET", path, "Host: 192.168.4.1");
    assert_eq!((home("/").status, home("/favicon.svg").status), (200, 200));
    assert_eq!(home("/nothing").status, 404);
    assert_eq!(home("/generate_2040").status, 404);
    assert_eq!(home("/api/v1/generate_204").status, 401);
}

/// There are few connections, and a phone that keeps one goes on elsewhere.
#[test]
fn the_connection_ends_with_the_answer() {
    let plug = Plug::start_as_access_point();
    let mut stream = plug.connect();
    stream
        .write_all(b"GET /generate_204 HTTP/1.1\r\nHost: www.gstatic.com\r\nConnection: keep-alive\r\n\r\n")
        .unwrap();
    let answer = read_response(&mut stream, false).unwrap();
    assert_eq!(answer.header("Connection"), Some("close"));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn who_looks_for_the_rules_of_a_proxy_finds_none() {
    let plug = Plug::start_as_access_point();
    for host in ["wpad", "wpad.local", "wpad.example.org"] {
        let answer = ask(&plug, "GET", "/wpad.dat", "HTTP/1.1", &[&format!("Host: {host}")]);
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{host}");
    }
}

#[test]
fn nothing_but_looking_is_led_anywhere() {
    let plug = Plug::start_as_access_point();
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = plug.ask_plainly(method, "/generate_204", &["Host: connectivitycheck.gstatic.com"], "");
        assert_eq!((answer.status, answer.code().as_str()), (421, "wrong_host"), "{method}");
    }
    // Without a name it is no request at all.
    assert_eq!(ask(&plug, "GET", "/generate_204", "HTTP/1.1", &[]).code(), "bad_host");
}

#[test]
fn on_the_networks_side_nothing_of_it_is_there() {
    let plug = Plug::start(1.0);
    for (system, host, path, line, _) in PROBES {
        let host = format!("Host: {host}");
        let lines: Vec<_> = [host.as_str(), line].into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(plug.ask_plainly("GET", path, &lines, "").status, 421, "{system}");
        let status = plug.ask_plainly("GET", path, &["Host: 192.168.4.1"], "").status;
        assert_eq!(status, if path == "/" { 200 } else { 404 }, "{system}");
    }
}
