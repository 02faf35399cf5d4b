//! `ossp stand-in` as its user meets it, and whatever bytes somebody sends to it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod stand_in_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use proptest::prelude::*;
use stand_in_support::{BEARER, FORM, NOW, request, stand_in};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(more: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ossp"));
    command.arg("stand-in").args(["--listen", "127.0.0.1:0"]).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn it_prints_what_a_plug_needs_and_tells_what_comes_in() {
    let mut child = Running(start(&["--fault", "fatal*1"]));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.next().unwrap();
    let rest: Vec<String> = lines.by_ref().take(3).collect();
    assert_eq!(rest[0], "write key fa8e3b689295332c560bbea31afb61d0");
    assert!(rest[1].starts_with("read key ") && rest[2] == "user id 4", "{rest:?}");
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/emoncms/").unwrap();
    let headers = [FORM, BEARER, ("Connection", "close")];
    let ask = |body: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&request("POST", "/emoncms/input/post", &headers, body.as_bytes())).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("node=n&csv=1").contains("<b>Fatal error</b>"));
    assert!(ask("node=n&csv=7.5").ends_with("\r\n\r\nok"));
    let mut errors = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = errors.find(|line| line.contains("csv=7.5")).unwrap();
    assert!(told.contains("node=n"), "{told}");
    let answered = errors.next().unwrap();
    assert!(answered.contains("200 OK: ok"), "{answered}");
}

#[test]
fn wrong_use_is_said_with_status_2() {
    for more in [["--fault", "nonsense"], ["--write-key", "abc"], ["--listen", "127.0.0.1:0:1"]] {
        let output = start(&more).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = stand_in().handle(&bytes, NOW);
    }

    #[test]
    fn any_form_is_answered(
        target in "(/input/(post|bulk|get/n|list)|/feed/data|/feed/create|/stand-in/fault)(\\?[ -~]{0,40})?",
        body in "(data|fulljson|json|csv|time|node|c|cb|sentat)=[ -~]{0,60}(&[a-z]{1,4}=[ -~]{0,20})?",
    ) {
        let target = target.replace(' ', "+");
        let delivery = stand_in().handle(&request("POST", &target, &[FORM, BEARER], body.as_bytes()), NOW).unwrap();
        prop_assert!(delivery.bytes.starts_with(b"HTTP/1."));
    }

    #[test]
    fn any_rows_are_answered(data in "\\[(\\[[0-9]{1,3},\"n\",[0-9a-z\\[\\]{}\":,.-]{0,20}\\],?){0,3}\\]") {
        let body = format!("data={data}");
        let delivery = stand_in().handle(&request("POST", "/input/bulk", &[FORM, BEARER], body.as_bytes()), NOW).unwrap();
        prop_assert!(delivery.bytes.starts_with(b"HTTP/1.1 200"));
    }
}
