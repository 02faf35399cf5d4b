//! The plug's name on a real network, looked for by a stranger's program (python-zeroconf) and by ours, in networks of
//! their own. Where a machine lacks a tool, the test is left out with a word about it; CI (`OSSP_REQUIRE_NETWORKS`) must
//! have them.
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

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use air::{Air, PATIENCE, works};
use serde_json::Value;

const PASSWORD: &str = "test-words-10";
/// Debian's Python, which has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";
const PACKAGE: &str = "python3-zeroconf";

/// Says what it finds and what goes, a line each, until it is ended.
const BROWSER: &str = r#"
import sys, time
from zeroconf import Zeroconf, ServiceBrowser, IPVersion
class Listener:
    def add_service(self, zeroconf, kind, name):
        info = zeroconf.get_service_info(kind, name, 5000)
        words = {key.decode(): value.decode() for key, value in info.properties.items()}
        print("found", name, info.server, info.port, ",".join(info.parsed_addresses()), words.get("id"), words.get("board"), words.get("path"), flush=True)
    def update_service(self, *_): pass
    def remove_service(self, zeroconf, kind, name): print("gone", name, flush=True)
browser = ServiceBrowser(Zeroconf(ip_version=IPVersion.V4Only, interfaces=[sys.argv[1]]), ["_ossp._tcp.local.", "_http._tcp.local."], Listener())
print("looking", flush=True)
time.sleep(120)
"#;

/// Has a name for itself until it is ended.
const RIVAL: &str = r#"
import socket, sys, time
from zeroconf import Zeroconf, ServiceInfo, IPVersion
kind = "_ossp._tcp.local."
info = ServiceInfo(kind, "kettle." + kind, addresses=[socket.inet_aton(sys.argv[1])], port=9, server="kettle.local.", properties={"id": "rival"})
Zeroconf(ip_version=IPVersion.V4Only, interfaces=[sys.argv[1]]).register_service(info)
print("registered", flush=True)
time.sleep(120)
"#;

/// A program that tells what happens; ended when it is dropped.
struct Telling {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Telling {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The first line that has all of these.
    fn await_line(&mut self, parts: &[&str]) -> String {
        loop {
            let line = self.next();
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// A plug at a port of the plug's network.
fn plug(air: &Air, port: u16) -> Telling {
    let mut command = air.at_the_plug(env!("CARGO_BIN_EXE_ossp"));
    command.args(["run", "--password", PASSWORD, "--listen", &format!("0.0.0.0:{port}"), "--state"]);
    command.arg(air.folder().join(port.to_string())).stderr(Stdio::null());
    let mut plug = Telling::start(command);
    assert!(plug.next().starts_with("http://"));
    plug
}

fn curl(air: &Air, port: u16, path: &str, more: &[&str]) -> Value {
    let mut command = air.at_the_plug("curl -sS --max-time 20 --digest");
    command.args(["-u", &format!("admin:{PASSWORD}"), &format!("http://127.0.0.1:{port}{path}")]).args(more);
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}

/// Its name as soon as it is this one.
#[track_caller]
fn await_name(air: &Air, port: u16, wanted: &Value) {
    let begin = Instant::now();
    loop {
        let name = curl(air, port, "/api/v1/wifi", &[])["mdns"].clone();
        if name == *wanted {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{name}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

fn set(air: &Air, port: u16, patch: &str) {
    let more = ["-X", "PATCH", "-H", "Content-Type: application/json", "-d", patch];
    assert!(curl(air, port, "/api/v1/settings", &more)["device"].is_object());
}

#[test]
fn strangers_find_the_plug_and_keep_their_names() {
    let Some(air) = Air::new("mdns") else { return };
    let has = Command::new(PYTHON).args(["-c", "import zeroconf"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("OSSP_REQUIRE_NETWORKS").is_none(), "{PACKAGE} is missing");
        eprintln!("left out: {PACKAGE} is missing");
        return;
    }
    works(&mut air.on_the_phone("ip address add 192.168.4.77/24 dev phone"));
    works(&mut air.on_the_phone("ip route add default dev phone"));
    let script = |text: &str, own: &str| {
        let mut command = air.on_the_phone(PYTHON);
        command.args(["-c", text, own]);
        Telling::start(command)
    };
    let mut browser = script(BROWSER, "192.168.4.77");
    assert_eq!(browser.next(), "looking");
    let first = plug(&air, 8081);
    let info = curl(&air, 8081, "/api/v1/info", &[]);
    let (id, name) = (info["id"].as_str().unwrap(), info["name"].as_str().unwrap());
    let tail = format!("{name}.local. 8081 192.168.4.1 {id} virtual /");
    browser.await_line(&["found", &format!("{name}._ossp._tcp.local."), &tail]);
    await_name(&air, 8081, &format!("{name}.local").into());

    // Somebody has the name that its owner wants, and a second plug wants it, too.
    let mut rival = script(RIVAL, "192.168.4.77");
    assert_eq!(rival.next(), "registered");
    let second = plug(&air, 8082);
    set(&air, 8081, r#"{"device":{"host":"kettle"}}"#);
    await_name(&air, 8081, &"kettle-2.local".into());
    browser.await_line(&["found", "kettle-2._http._tcp.local.", "kettle-2.local. 8081"]);
    set(&air, 8082, r#"{"device":{"host":"Kettle"}}"#);
    await_name(&air, 8082, &"Kettle-3.local".into());

    // Our own look at the same network, and a plug that is asked by its name.
    let found = air.ask(&format!("{} discover --json --seconds 2", env!("CARGO_BIN_EXE_ossp")));
    let found: Value = serde_json::from_str(&found).unwrap();
    let places: Vec<_> = found.as_array().unwrap().iter().map(|plug| &plug["url"]).collect();
    assert!(places.contains(&&"http://192.168.4.1:8081/".into()), "{found}");
    assert!(places.contains(&&"http://192.168.4.1:8082/".into()), "{found}");
    let mut ask = air.on_the_phone(env!("CARGO_BIN_EXE_ossp"));
    ask.args(["plug", "kettle-2.local:8081", "--password", PASSWORD, "status", "--json"]);
    let status: Value = serde_json::from_slice(&ask.output().unwrap().stdout).unwrap();
    assert_eq!(status["info"]["id"], info["id"]);

    // What left stands in the ledger.
    let ledger = curl(&air, 8081, "/api/v1/ledger", &[]);
    let place = &ledger["destinations"][0];
    assert_eq!((&place["host"], &place["purpose"]), (&"224.0.0.251".into(), &"mdns".into()));
    assert_eq!(place["setting"], "device.mdns");
    assert_eq!(ledger["total"]["failed"], 0);

    // Switched off, and gone.
    set(&air, 8082, r#"{"device":{"mdns":false}}"#);
    browser.await_line(&["gone", "Kettle-3._ossp._tcp.local."]);
    await_name(&air, 8082, &Value::Null);
    drop(first);
    browser.await_line(&["gone", "kettle-2._ossp._tcp.local."]);
    drop(second);
}
