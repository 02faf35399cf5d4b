//! The access point's servers against real clients, in networks of their own: who asks for an address, for a name, for
//! its maker's test page, and a browser. Where a machine does not have the clients, the test is left out with a word about
//! it; CI (`OSSP_REQUIRE_NETWORKS`) must have them.
#![cfg(target_os = "linux")]
#![allow(dead_code, missing_docs, unreachable_pub, reason = "helpers of several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests may fail loudly"
)]

mod air;

use std::process::Stdio;

use air::{Air, Client, works};

/// What a new plug in a flat is.
const FIRST_START: [&str; 2] = ["--scenario", "first-start"];
/// What asks for a page of the plug, and no longer than it takes.
const CURL: &str = "curl -sS --max-time 20 --retry 3";
/// The test pages of each system.
const PROBES: [&str; 12] = [
    "http://connectivitycheck.gstatic.com/generate_204",
    "http://www.google.com/gen_204",
    "http://play.googleapis.com/generate_204",
    "http://captive.apple.com/hotspot-detect.html",
    "http://www.apple.com/library/test/success.html",
    "http://www.msftconnecttest.com/connecttest.txt",
    "http://www.msftconnecttest.com/redirect",
    "http://www.msftncsi.com/ncsi.txt",
    "http://detectportal.firefox.com/canonical.html",
    "http://detectportal.firefox.com/success.txt?ipv4",
    "http://nmcheck.gnome.org/check_network_status.txt",
    "http://192.168.4.1/generate_204",
];

/// The access point is open once names are answered.
fn open(air: &Air) {
    works(&mut air.on_the_phone("ip address add 192.168.4.77/24 dev phone"));
    air.await_answer("dig @192.168.4.1 +short +time=1 +tries=1 open.example", |answer| {
        answer == "192.168.4.1\n"
    });
}

#[test]
fn real_clients_get_an_address_names_and_the_page() {
    let Some(air) = Air::new("clients") else { return };
    let _plug = air.start(&FIRST_START);
    open(&air);
    for client in [Client::Udhcpc, Client::Dhclient, Client::Udhcpc] {
        let told = air.ask_for_an_address(client);
        let told: Vec<_> = told.lines().collect();
        assert!(told[0].starts_with("ip=192.168.4.") && told[0] != "ip=192.168.4.1", "{client:?}: {told:?}");
        assert_eq!(
            told[1..],
            [
                "mask=255.255.255.0",
                "router=192.168.4.1",
                "dns=192.168.4.1",
                "lease=600",
                "server=192.168.4.1"
            ],
            "{client:?}"
        );
    }
    names(&air);
    for probe in PROBES {
        for look in ["", "--head"] {
            let line = format!(
                "{CURL} {look} --output /dev/null --write-out %{{http_code}}|%{{redirect_url}}|%{{remote_ip}}"
            );
            let answer = air.ask(&format!("{line} {probe}"));
            assert_eq!(answer, "302|http://192.168.4.1/|192.168.4.1", "{look} {probe}");
        }
    }
    let page =
        air.ask(&format!("{CURL} --location --compressed http://captive.apple.com/hotspot-detect.html"));
    assert!(page.contains("<title>OSSP smart plug</title>"), "{page}");
    let wifi = air.ask(&format!("{CURL} http://192.168.4.1/api/v1/wifi"));
    assert!(wifi.contains("\"open\":true"), "{wifi}");
}

/// What the phone's resolver finds, and what it is told word for word.
fn names(air: &Air) {
    let dig = |line: &str| air.ask(&format!("dig +time=5 +tries=3 {line}"));
    let answer = dig("AnyThing.Example");
    for words in ["status: NOERROR", "ANSWER: 1", "SERVER: 192.168.4.1#53"] {
        assert!(answer.contains(words), "{words}: {answer}");
    }
    let record = answer.lines().find(|line| line.starts_with("AnyThing.Example.")).unwrap_or_default();
    assert_eq!(
        record.split_whitespace().collect::<Vec<_>>(),
        ["AnyThing.Example.", "0", "IN", "A", "192.168.4.1"]
    );
    for line in ["www.google.com AAAA", "www.google.com HTTPS", "example.org MX", "-x 192.168.4.1", ". NS"] {
        let answer = dig(line);
        assert!(answer.contains("status: NOERROR") && answer.contains("ANSWER: 0"), "{line}: {answer}");
    }
    assert_eq!(dig("+noedns +short plain"), "192.168.4.1\n");
    assert!(dig("version.bind CH TXT").contains("status: REFUSED"));
    assert!(dig("+opcode=NOTIFY example.org").contains("status: NOTIMP"));
}

#[test]
fn a_browser_that_opens_any_page_lands_on_the_set_up_page() {
    let Some(air) = Air::new("browser") else { return };
    let _plug = air.start(&FIRST_START);
    open(&air);
    air.ask_for_an_address(Client::Udhcpc);
    let mut browser =
        air.on_the_phone("chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage");
    browser.args(["--no-first-run", "--disable-background-networking", "--remote-debugging-port=9222"]);
    browser.arg(format!("--user-data-dir={}", air.folder().join("browser").display()));
    browser.arg("http://anything.example/").stdout(Stdio::null()).stderr(Stdio::null());
    let _browser = air::Running::new(browser.spawn().unwrap());
    // What the browser itself says of its pages. The plug's name in the title is the doing of the page's script, which has
    // asked the plug who it is; only the page at its own address may.
    let id = std::fs::read_to_string(air.folder().join("state/id")).unwrap();
    let name = format!("ossp-{}", &id.trim()[8..]);
    air.await_answer("curl -s --max-time 5 http://127.0.0.1:9222/json/list", |pages| {
        let titled = |line: &str| line.contains("\"title\":") && line.to_lowercase().contains(&name);
        pages.contains("\"url\": \"http://192.168.4.1/") && pages.lines().any(titled)
    });
}

#[test]
fn nothing_is_there_but_at_its_address_and_while_it_is_open() {
    let Some(air) = Air::new("closed") else { return };
    let plug = air.start(&[&FIRST_START[..], &["--speed", "20", "--password", "test words 10"]].concat());
    open(&air);
    let web =
        air.sockets().into_iter().filter(|socket| !socket.starts_with("tcp 0100007F:")).collect::<Vec<_>>();
    // The page and names at 192.168.4.1; addresses at the device, since whoever has none asks everybody.
    assert_eq!(web, ["tcp 0104A8C0:0050", "udp 00000000:0043", "udp 0104A8C0:0035"]);
    // Another plug cannot have the same.
    let mut second = air.at_the_plug(env!("CARGO_BIN_EXE_ossp"));
    second.args(["run", "--listen", "127.0.0.1:0", "--access-point", "192.168.4.1", "--state"]);
    let refused = second.arg(air.folder().join("second")).output().unwrap();
    let words = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{words}");
    assert!(words.contains("port 80 of 192.168.4.1 is in use"), "{words}");
    // Once a network is joined it closes.
    let home = r#"{"wifi":{"ssid":"home","password":"by-the-window"}}"#;
    let mut change = air.on_the_phone(CURL);
    change.args([
        "--digest",
        "-u",
        "admin:test words 10",
        "-X",
        "PATCH",
        "-H",
        "Content-Type: application/json",
    ]);
    let changed = works(change.args(["-d", home, "http://192.168.4.1/api/v1/settings"]));
    assert!(changed.contains("\"ssid\":\"home\""), "{changed}");
    let begin = std::time::Instant::now();
    while air.sockets().len() > 1 {
        assert!(begin.elapsed() < air::PATIENCE, "{:?}", air.sockets());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(air.sockets()[0].starts_with("tcp 0100007F:"), "{:?}", air.sockets());
    let gone = air.on_the_phone("curl -s --max-time 5 http://192.168.4.1/").status().unwrap();
    assert_eq!(gone.code(), Some(7), "refused");
    drop(plug);
}

#[test]
fn an_address_of_another_machine_is_refused_with_advice() {
    let tried = std::process::Command::new(env!("CARGO_BIN_EXE_ossp"))
        .args(["run", "--listen", "127.0.0.1:0", "--access-point", "203.0.113.7", "--state"])
        .arg(std::env::temp_dir().join(format!("ossp-nowhere-{}", std::process::id())))
        .output()
        .unwrap();
    let words = String::from_utf8(tried.stderr).unwrap();
    assert_eq!(tried.status.code(), Some(2), "{words}");
    assert!(words.contains("203.0.113.7 is not an address of this machine"), "{words}");
    assert!(words.contains("ip addr add 203.0.113.7/24 dev DEVICE"), "{words}");
}
