//! A plug with slots, and somebody who sends it firmware.

#![allow(dead_code, reason = "shared by several test programs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;

use plug::update::judge::{PROJECT, Running};
use plug::update::writer::{Standard, serve};

use crate::upload_support::{FakeSlots, Flash};
use crate::web_support::{ADMIN, Plug, Response, bearer, defaults, read_response};

thread_local! {
    /// Of the plug whose thread this is.
    static FLASH: RefCell<Option<Rc<Flash>>> = const { RefCell::new(None) };
}

pub(crate) fn flash() -> Rc<Flash> {
    FLASH.with(|flash| flash.borrow().clone().unwrap())
}

/// A plug that runs 0.1.0, with slots.
pub(crate) fn start() -> Plug {
    start_as(1.0, false)
}

pub(crate) fn start_as(speed: f64, fresh: bool) -> Plug {
    let plug = Plug::start_beside(speed, fresh, |inside| {
        Box::pin(async move {
            let flash = Flash::new();
            FLASH.with(|place| place.borrow_mut().replace(flash.clone()));
            let running =
                Running { version: "0.1.0", project: PROJECT, chip: "pc", board: "virtual", capacity: 0 };
            serve(
                &mut FakeSlots(flash),
                &inside.clock,
                &inside.state,
                Standard { running, key: defaults().update_key },
            )
            .await;
        })
    });
    while plug.inside(|inside| inside.state.update.capacity().is_none()) {}
    if !fresh {
        // The bench's build brought a key, and so takes signed packages only.
        assert_eq!(owner_patches(&plug, "{\"update\":{\"accept\":\"any\"}}").status, 200);
    }
    plug
}

/// A change of the settings by somebody who knows the password.
pub(crate) fn owner_patches(plug: &Plug, body: &str) -> Response {
    let line = plug.challenge().header("PATCH", "/api/v1/settings");
    plug.patch_settings(&[&line], body)
}

pub(crate) fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever is refused may not read on.
    let _ = stream.write_all(body);
}

/// The head of an upload of `length` bytes.
pub(crate) fn head(plug: &Plug, path: &str, headers: &[&str], length: usize) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {length}\r\n\r\n", plug.address)
}

pub(crate) fn post(plug: &Plug, path: &str, headers: &[&str], body: &[u8]) -> Response {
    let mut stream = plug.connect();
    send(&mut stream, &head(plug, path, headers, body.len()), body);
    read_response(&mut stream, false).expect("an answer")
}

pub(crate) fn upload(plug: &Plug, query: &str, body: &[u8]) -> Response {
    post(plug, &format!("/api/v1/update{query}"), &[&bearer(ADMIN)], body)
}

pub(crate) fn next_start(plug: &Plug) -> u8 {
    plug.inside(|_| flash().next_start())
}
