//! With nothing configured nothing leaves the plug: not one question for a name, not one connection, not one datagram.
//!
//! Seen three times: a plug in a simulated world that counts whatever is asked of its network; the real program in a
//! network of its own, whose kernel counts; and its sockets, looked at all the time. Each looker must also see a plug
//! that has something to send, or it proves nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly, their helpers too"
)]

#[cfg(target_os = "linux")]
mod virtual_plug;
mod world;

use world::{Network, Plug, World, emoncms};

const DAY_S: f64 = 86_400.0;
/// All that Emoncms needs, and not the word to begin.
const NOT_YET: &str = r#"{"emoncms":{"enabled":false,"url":"http://emoncms.test/emoncms","node":"plug",
    "write_key":"fa8e3b689295332c560bbea31afb61d0","user_id":4}}"#;

/// What was asked of the network in a day with these settings, and after that once Emoncms is switched on.
fn a_day_with(settings: &str) -> (u64, u64) {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 10, settings);
    world.run(async {
        plug.run(async |running| {
            world.sleep_s(DAY_S / 2.0).await;
            running.restart().await;
        })
        .await;
        plug.run(async |running| {
            world.sleep_s(DAY_S / 2.0).await;
            let before = network.asked();
            assert_eq!(running.state.ledger.borrow().sums().connections, 0);
            running.change(&world::settings("plain")).await;
            world.sleep_s(120.0).await;
            assert!(running.state.ledger.borrow().sums().connections > 0);
            (before, network.asked() - before)
        })
        .await
    })
}

#[test]
fn a_day_of_a_new_plug() {
    let (before, after) = a_day_with("{}");
    assert_eq!(before, 0);
    assert!(after > 2, "the world does not see a plug that sends");
}

#[test]
fn a_day_of_a_plug_that_is_set_up_but_off() {
    for source in ["none", "browser", "server"] {
        let patch = NOT_YET.replacen('{', &format!("{{\"time\":{{\"source\":\"{source}\"}},"), 1);
        assert_eq!(a_day_with(&patch).0, 0, "{source}");
    }
}

/// Once something is configured all of it is told: where to, why, and what was said, without the keys.
#[test]
fn what_leaves_is_told() {
    for transport in ["plain", "encrypted"] {
        let world = World::new();
        let network = Network::new(&world, emoncms());
        let plug = Plug::usual(&world, &network, 10, &world::settings(transport));
        world.run(plug.run(async |running| {
            world.sleep_s(7_200.0).await;
            let ledger = running.state.ledger.borrow();
            let mut places: Vec<_> = ledger
                .destinations()
                .iter()
                .map(|destination| {
                    let place = destination.place();
                    (place.host.to_string(), place.port, place.purpose(), place.purpose.setting())
                })
                .collect();
            places.sort();
            let place = |host: &str, port, purpose, setting| (host.to_owned(), port, purpose, setting);
            assert_eq!(
                places,
                [
                    place("emoncms.test", 53, "dns", "emoncms.enabled"),
                    place("emoncms.test", 80, "emoncms", "emoncms.enabled"),
                    place("pool.ntp.org", 53, "dns", "time.source"),
                    place("pool.ntp.org", 123, "time_server", "time.source"),
                ]
            );
            assert_eq!(ledger.sums().failed, 0);
            assert!(u64::from(ledger.sums().connections) <= network.asked());
            assert_eq!(ledger.bodies().len(), 5);
            for body in ledger.bodies() {
                let text = String::from_utf8(body.kept.bytes.clone()).unwrap();
                assert!(text.starts_with("data=[["), "{transport}: {text}");
                assert!(text.ends_with("]&time=0") || body.kept.cut, "{transport}: {text}");
                assert!(text.contains("\"power\":"), "{transport}: {text}");
                assert!(!text.contains(world::WRITE_KEY));
            }
            // What went over the wire is more: the head, and what encoding adds.
            let post = ledger.bodies().next().unwrap();
            assert!(post.entry.bytes_out as usize > post.kept.bytes.len() + 100);
            assert!(post.entry.bytes_in > 10);
        }));
    }
}

/// The program itself; what is looked at is the kernel's, which only Linux shows in this way.
#[cfg(target_os = "linux")]
mod program {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::virtual_plug::{Folder, PASSWORD, PATIENCE, Plug};

    /// How long the program is looked at; its own time runs faster.
    const WATCHED: Duration = Duration::from_secs(4);
    const SPEED: [&str; 2] = ["--speed", "50"];

    /// Settings of a plug that sends to this server.
    fn sends_to(server: &str) -> String {
        format!(
            r#"{{"time":{{"source":"ntp"}},"emoncms":{{"enabled":true,"url":"http://{server}/emoncms",
            "write_key":"fa8e3b689295332c560bbea31afb61d0","transport":"plain","interval_s":1,"send_every_s":1}},
            "history":{{"interval_s":1}}}}"#
        )
    }

    /// A program in a network of its own; killed when it is dropped.
    struct Lonely(Child);

    impl Drop for Lonely {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Lonely {
        /// `None` where this machine does not let us.
        fn start(state: &Path) -> Option<Self> {
            let mut tried = Command::new("unshare");
            tried.args(["--net", "--map-root-user", "true"]).stderr(Stdio::null());
            if !tried.status().is_ok_and(|status| status.success()) {
                return None;
            }
            let mut child = Command::new("unshare")
                .args(["--net", "--map-root-user", env!("CARGO_BIN_EXE_ossp"), "run"])
                .args(["--listen", "0.0.0.0:0", "--password", PASSWORD, "--state"])
                .arg(state)
                .args(SPEED)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert!(line.starts_with("http://"), "{line}");
            Some(Self(child))
        }

        /// What the kernel of its network counted: connections begun, datagrams sent, packets without a way.
        fn left(&self) -> BTreeMap<String, u64> {
            let text = std::fs::read_to_string(format!("/proc/{}/net/snmp", self.0.id())).unwrap();
            let mut lines = text.lines();
            let mut counts = BTreeMap::new();
            while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
                let kind = names.split(':').next().unwrap();
                for (name, value) in names.split_whitespace().zip(values.split_whitespace()).skip(1) {
                    let name = format!("{kind}.{name}");
                    if ["Tcp.ActiveOpens", "Udp.OutDatagrams", "Ip.OutRequests", "Ip.OutNoRoutes"]
                        .contains(&&*name)
                    {
                        counts.insert(name, value.parse().unwrap());
                    }
                }
            }
            assert_eq!(counts.len(), 4, "{text}");
            counts
        }
    }

    #[test]
    fn its_own_network_counts_nothing() {
        let folder = Folder::new("lonely");
        let Some(plug) = Lonely::start(&folder.0) else {
            eprintln!("no network of its own can be had here: only the sockets are looked at");
            return;
        };
        std::thread::sleep(WATCHED);
        let left = plug.left();
        assert!(left.values().all(|count| *count == 0), "{left:?}");
        drop(plug);
        // The same program with somewhere to send to: the kernel counts it, although nothing can be reached.
        let plug = Plug::start(&folder.0, &[]);
        plug.set(&sends_to("192.0.2.1"));
        assert_eq!(plug.stop(), Some(0));
        let plug = Lonely::start(&folder.0).unwrap();
        let begin = Instant::now();
        while plug.left().values().all(|count| *count == 0) {
            assert!(begin.elapsed() < PATIENCE, "the kernel does not see a plug that sends");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sockets of a program that are not the web's, whose port is `own`: local and remote address as the kernel writes them.
    fn foreign_sockets(id: u32, own: u16) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(format!("/proc/{id}/fd")) else { return Vec::new() };
        let mine: Vec<String> = files
            .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()?.to_str().map(str::to_owned))
            .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let mut foreign = Vec::new();
        let mut known = 0;
        for table in ["tcp", "tcp6", "udp", "udp6"] {
            let Ok(text) = std::fs::read_to_string(format!("/proc/{id}/net/{table}")) else { continue };
            for line in text.lines().skip(1) {
                let fields: Vec<_> = line.split_whitespace().collect();
                if mine.iter().any(|inode| fields[9] == inode) {
                    known += 1;
                    let port = u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap();
                    if port != own || table.starts_with("udp") {
                        foreign.push(format!("{table} {} {}", fields[1], fields[2]));
                    }
                }
            }
        }
        // Not bound yet, or of another kind: a socket that is in no table for longer is looked at again.
        if known == 0 {
            foreign.push("no socket of the web was found".to_owned());
        }
        foreign
    }

    /// Whatever of such sockets is seen in so long a time.
    fn watch(plug: &Plug, time: Duration, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let own = plug.address.rsplit(':').next().unwrap().parse().unwrap();
        let (begin, mut seen) = (Instant::now(), Vec::new());
        while begin.elapsed() < time && !enough(&seen) {
            for socket in foreign_sockets(plug.child.id(), own) {
                if !seen.contains(&socket) {
                    seen.push(socket);
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        seen
    }

    #[test]
    fn it_has_no_socket_but_the_webs() {
        let folder = Folder::new("sockets");
        let plug = Plug::start(&folder.0, &SPEED);
        // Also while somebody looks at everything.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let begin = Instant::now();
                while begin.elapsed() < WATCHED {
                    for path in [
                        "/api/v1/info",
                        "/api/v1/settings",
                        "/api/v1/history",
                        "/api/v1/ledger",
                        "/api/v1/time",
                    ] {
                        assert_eq!(plug.ask(&format!("GET {path}"), "", "").unwrap().status, 200, "{path}");
                    }
                }
            });
            assert_eq!(watch(&plug, WATCHED, |_| false), Vec::<String>::new());
        });
        let ledger = plug.json("/api/v1/ledger");
        assert_eq!((&ledger["total"]["count"], &ledger["destinations"]), (&0.into(), &serde_json::json!([])));
        // A server that accepts and never answers: there is a socket to be seen, and in the end a line in the ledger.
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        plug.set(&sends_to(&address.to_string()));
        let remote = format!(" 0100007F:{:04X}", address.port());
        let there = |seen: &[String]| seen.iter().any(|socket| socket.ends_with(&remote));
        assert!(there(&watch(&plug, PATIENCE, there)), "the looker does not see a plug that sends");
        // Nobody waits for its silence to end.
        drop(server);
        let told = plug.await_json("/api/v1/ledger", |ledger| ledger["total"]["count"].as_u64() > Some(0));
        assert_eq!(told["destinations"][0]["host"], "127.0.0.1");
        assert_eq!(told["connections"][0]["purpose"], "emoncms");
    }
}
