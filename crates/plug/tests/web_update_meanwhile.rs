//! Uploads that last: what happens to whoever sends one, and to everybody else, meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod upload_support;
mod web_support;
mod web_update_bench;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use plug::access::Ha1;
use socket2::{Domain, Socket, Type};
use upload_support::{announcement, form, image};
use web_support::{ADMIN, Plug, Response, bearer, identity, read_response};
use web_update_bench::{flash, head, next_start, send, start};

const UPDATE: &str = "/api/v1/update";

/// What shows that it is the owner.
fn signed(plug: &Plug, method: &str, path: &str) -> String {
    plug.challenge().header(method, path)
}

/// Sends the file with `who` in the head, and does `change` when a part of it was taken.
fn upload_while(plug: &Plug, path: &str, who: &[&str], body: &[u8], change: impl Fn()) -> Response {
    let mut stream = plug.connect();
    send(&mut stream, &head(plug, path, who, body.len()), &body[..9000]);
    let begun = Instant::now();
    while plug.inside(|inside| inside.state.update.progress().2) < 4096 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            plug.inside(|inside| inside.state.update.last())
        );
    }
    change();
    stream.write_all(&body[9000..]).unwrap();
    read_response(&mut stream, false).expect("an answer")
}

fn without_tokens(plug: &Plug, numbers: &'static [u16]) {
    plug.inside(move |inside| {
        let access = &inside.state.access;
        let mut kept = access.kept().clone();
        kept.tokens.retain(|token| !numbers.contains(&token.id));
        access.put(kept);
    });
}

fn with_another_password(plug: &Plug) {
    plug.inside(|inside| {
        let access = &inside.state.access;
        let mut kept = access.kept().clone();
        kept.ha1 = Some(Ha1::of(&identity().id, "another one"));
        access.put(kept);
    });
}

#[test]
fn who_may_no_longer_does_not_finish() {
    let file = image("0.2.0", 20_000);
    type Change = fn(&Plug);
    let (revoked, changed): (Change, Change) = (|plug| without_tokens(plug, &[3]), with_another_password);
    for (by_token, change) in [(true, revoked), (false, changed)] {
        let plug = start();
        let who = if by_token { bearer(ADMIN) } else { signed(&plug, "POST", UPDATE) };
        let answer = upload_while(&plug, UPDATE, &[&who], &file, || change(&plug));
        assert_eq!((answer.status, answer.code().as_str()), (403, "right_lost"));
        assert_eq!(next_start(&plug), 0);
        assert!(!plug.inside(|_| flash().other_can_start()));
        let last = plug.inside(|inside| inside.state.update.last().unwrap().outcome.word());
        assert_eq!(last, "refused");
    }
    // By the other wire it is a sentence.
    let plug = start();
    let kind = "Content-Type: multipart/form-data; boundary=b0undary";
    let answer =
        upload_while(&plug, "/update", &[&bearer(ADMIN), kind], &form(&file, None), || revoked(&plug));
    assert_eq!((answer.status, answer.text().contains("counts no more")), (400, true));
}

#[test]
fn what_concerns_others_does_not_break_it_off() {
    let file = image("0.2.0", 20_000);
    let plug = start();
    let answer = upload_while(&plug, UPDATE, &[&bearer(ADMIN)], &file, || {
        // The tokens stay when the password changes.
        without_tokens(&plug, &[1]);
        with_another_password(&plug);
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    let plug = start();
    let who = signed(&plug, "POST", UPDATE);
    let answer = upload_while(&plug, UPDATE, &[&who], &file, || without_tokens(&plug, &[1, 2, 3]));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// From another address than all the rest.
fn elsewhere(plug: &Plug, head: &str, body: &[u8]) -> Response {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&plug.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    send(&mut stream, head, body);
    read_response(&mut stream, false).expect("an answer")
}

/// Somebody with a token announces an upload again and again, and never sends it.
#[test]
fn a_place_that_is_kept_for_a_token_does_not_keep_the_owner_out() {
    let file = image("0.2.0", 9000);
    let announced = |plug: &Plug| plug.get(&announcement(&file)).text().to_owned();
    let plug = start();
    let by = |who: &str| elsewhere(&plug, &head(&plug, UPDATE, &[who], file.len()), &file);
    assert_eq!(announced(&plug), "OK");
    assert_eq!(by(&bearer(ADMIN)).code(), "update_busy");
    let answer = by(&signed(&plug, "POST", UPDATE));
    assert_eq!((answer.status, next_start(&plug)), (200, 1), "{answer:?}");
    // Nor does it in announcing one.
    let plug = start();
    let path = announcement(&file);
    let get = |who: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{who}\r\n\r\n", plug.address);
    assert_eq!(announced(&plug), "OK");
    assert!(elsewhere(&plug, &get(&bearer(ADMIN)), b"").text().contains("announced"));
    assert_eq!(elsewhere(&plug, &get(&signed(&plug, "GET", &path)), b"").text(), "OK");
    assert!(announced(&plug).contains("announced"));
}
