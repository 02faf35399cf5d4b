//! Updates by HTTP: the plug's own way and ElegantOTA's, with clients that break off, stall, lie and come in pairs.

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

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use plug::limits;
use plug::update::judge::PROJECT;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use upload_support::{CAPACITY, Package, Trouble, announcement, form, image, image_of, key, md5, public};
use web_support::{ADMIN, CONTROL, PASSWORD, Plug, READ, Response, bearer, digest, read_response};
use web_update_bench::{flash, head, next_start, owner_patches, post, send, start, start_as, upload};

/// Nothing changed that the next start could see, and the next upload goes through.
fn is_unharmed(plug: &Plug, context: &str) {
    assert_eq!(next_start(plug), 0, "{context}");
    assert!(!plug.inside(|inside| inside.state.restart.signaled()), "{context}");
    let file = image("0.2.0", 9000);
    let answer = upload(plug, "", &file);
    assert_eq!(answer.status, 200, "{context}: {answer:?}");
    assert_eq!(next_start(plug), 1, "{context}");
    assert!(plug.inside(move |_| flash().other.borrow().starts_with(&file)), "{context}");
}

fn status(plug: &Plug) -> Value {
    plug.get("/api/v1/update").json()
}

#[test]
fn an_image_as_the_body_is_activated_and_the_plug_restarts() {
    let plug = start();
    let before = status(&plug);
    assert_eq!((&before["state"], &before["last"]), (&json!("idle"), &Value::Null));
    assert_eq!((&before["capacity_bytes"], &before["accept"]), (&json!(CAPACITY), &json!("any")));
    assert_eq!((&before["built_with_key"], &before["keys"][0]["source"]), (&json!(true), &json!("project")));
    let file = Package::new(&image("0.2.0", 20_000), "0.2.0").signed_by(&[]);
    let answer = upload(&plug, "", &file);
    let json = answer.json();
    let sha256: String = <sha2::Sha256 as sha2::Digest>::digest(image("0.2.0", 20_000))
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(
        (answer.status, &json["version"], &json["image_sha256"]),
        (200, &json!("0.2.0"), &json!(sha256))
    );
    assert!(json["restart_in_s"].as_f64().unwrap() > 0.0);
    assert!(plug.inside(|inside| inside.state.restart.signaled()));
    let after = status(&plug);
    assert_eq!((&after["state"], &after["last"]["result"]), (&json!("activated"), &json!("activated")));
    assert_eq!((&after["last"]["version"], &after["last"]["code"]), (&json!("0.2.0"), &Value::Null));
    assert_eq!(after["received_bytes"], file.len());
    assert_eq!(upload(&plug, "", &file).code(), "update_busy");
}

#[test]
fn each_refusal_has_its_code_and_comes_before_any_erase() {
    let plug = start();
    let good = image("0.2.0", 5000);
    let package = Package::new(&good, "0.2.0");
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (vec![0x42; 30_000], 422, "not_an_image"),
        (image_of(5, PROJECT, "0.2.0", 5000), 422, "wrong_chip"),
        (image_of(0xfffe, "sketch", "0.2.0", 5000), 422, "wrong_project"),
        (Package { board: "nodemcu", ..Package::new(&good, "0.2.0") }.signed_by(&[]), 422, "wrong_board"),
        (package.signed_by(&[])[..1000].to_vec(), 422, "package_damaged"),
        (image("0.0.9", 5000), 422, "older_version"),
        (
            Package { oldest: "0.2.0", ..Package::new(&good, "0.2.0") }.signed_by(&[]),
            422,
            "version_too_old_to_install",
        ),
        (image("0.2.0", CAPACITY as usize), 413, "image_too_large"),
        (vec![0xe9; 4 * 1024 * 1024], 413, "image_too_large"),
    ];
    for (file, code, name) in cases {
        let answer = upload(&plug, "", &file);
        assert_eq!((answer.status, answer.code().as_str()), (code, name));
        assert_eq!(plug.inside(|_| flash().changes.get()), 0, "{name}");
        let last = &status(&plug)["last"];
        assert_eq!((&last["result"], &last["code"]), (&json!("refused"), &json!(name)));
        assert_eq!(last["message"], answer.json()["error"]["message"]);
    }
    assert_eq!(upload(&plug, "?allow_downgrade=1", &good).code(), "bad_parameter");
    assert_eq!(upload(&plug, "", b"").status, 411);
    // A token must not bring a known hole back.
    let older = upload(&plug, "?allow_downgrade=true", &image("0.0.9", 5000));
    assert_eq!((older.status, older.code().as_str()), (403, "forbidden"));
    assert_eq!(plug.inside(|_| flash().changes.get()), 0);
    let path = "/api/v1/update?allow_downgrade=true";
    let older = post(&plug, path, &[&plug.challenge().header("POST", path)], &image("0.0.9", 5000));
    assert_eq!(older.json()["version"], "0.0.9");
}

#[test]
fn only_the_owner_uploads() {
    let plug = start();
    let file = image("0.2.0", 1000);
    for (header, status) in [
        ("X-Nothing: 1".to_owned(), 401),
        (plug.session(), 401),
        (bearer(READ), 403),
        (bearer(CONTROL), 403),
        (format!("{}\r\nOrigin: http://evil.example", bearer(ADMIN)), 403),
    ] {
        for path in ["/api/v1/update", "/ota/upload", "/update"] {
            assert_eq!(post(&plug, path, &[&header], &file).status, status, "{header} {path}");
        }
        let start = plug.ask_plainly("GET", &announcement(&file), &[&header], "");
        assert_eq!(start.status, status, "{header}");
    }
    assert_eq!(plug.inside(|_| flash().changes.get()), 0);
    let nobodys = start_as(1.0, true);
    for path in ["/api/v1/update", "/ota/upload", "/update"] {
        assert_eq!(post(&nobodys, path, &[], &file).code(), "setup_required", "{path}");
    }
    assert_eq!(nobodys.ask_plainly("GET", &announcement(&file), &[], "").code(), "setup_required");
    assert_eq!(nobodys.ask_plainly("GET", "/update", &[], "").status, 200);
}

#[test]
fn whoever_breaks_off_changes_nothing() {
    let plug = start();
    let file = Package::new(&image("0.2.0", 20_000), "0.2.0").signed_by(&[&key(1)]);
    for end in [0, 1, 511, 512, 800, 1024, 4095, 4096, 4097, 8191, 8192, 8193, file.len() - 1] {
        let mut stream = plug.connect();
        send(&mut stream, &head(&plug, "/api/v1/update", &[&bearer(ADMIN)], file.len()), &file[..end]);
        // The plug sees what was sent, then that there is no more.
        while plug.inside(|inside| inside.state.update.progress().0.word()) != "receiving" {}
        let seen = 4096 * (end / 4096);
        while plug.inside(|inside| inside.state.update.progress().2 as usize) < seen {}
        drop(stream);
        while plug.inside(|inside| inside.state.update.progress().0.word()) != "idle" {}
        assert_eq!(next_start(&plug), 0, "{end}");
        let can_start = plug.inside(|_| flash().other_can_start());
        assert!(end < 4096 || !can_start, "{end}");
    }
    // The other half of a connection that is closed for writing still hears why.
    let mut stream = plug.connect();
    send(&mut stream, &head(&plug, "/api/v1/update", &[&bearer(ADMIN)], file.len()), &file[..5000]);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_response(&mut stream, false).unwrap().code(), "body_missing");
    assert_eq!(status(&plug)["last"]["code"], "body_missing");
    is_unharmed(&plug, "after all of them");
}

#[test]
fn a_slow_client_is_waited_for_and_one_that_stands_still_is_not() {
    let speed = 50.0;
    let plug = start_as(speed, false);
    let file = image("0.2.0", 12_000);
    let mut stream = plug.connect();
    send(&mut stream, &head(&plug, "/api/v1/update", &[&bearer(ADMIN)], file.len()), &file[..5000]);
    let answer = read_response(&mut stream, false).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (408, "upload_stalled"));
    assert_eq!(status(&plug)["last"]["code"], "upload_stalled");
    // Longer than a request and an answer may take otherwise, and never still for 15 s.
    let mut stream = plug.connect();
    send(&mut stream, &head(&plug, "/api/v1/update", &[&bearer(ADMIN)], file.len()), &[]);
    let pieces = 16;
    let pause = (limits::ANSWER_TIMEOUT + limits::UPDATE_STALL) / pieces;
    for piece in file.chunks(file.len().div_ceil(pieces as usize)) {
        std::thread::sleep(pause.div_f64(speed));
        stream.write_all(piece).unwrap();
    }
    assert_eq!(read_response(&mut stream, false).unwrap().status, 200);
}

#[test]
fn a_byte_now_and_then_does_not_keep_others_out_for_ever() {
    let speed = 2000.0;
    let plug = start_as(speed, false);
    let file = image("0.2.0", 12_000);
    let mut stream = plug.connect();
    send(&mut stream, &head(&plug, "/api/v1/update", &[&bearer(ADMIN)], file.len()), &[]);
    let begun = std::time::Instant::now();
    for byte in &file {
        if stream.write_all(&[*byte]).is_err() || begun.elapsed().mul_f64(speed) > 2 * limits::UPDATE_TIMEOUT
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(status(&plug)["last"]["code"], "upload_stalled");
    assert!(!plug.inside(|_| flash().other_can_start()) || plug.inside(|_| flash().changes.get()) == 0);
}

#[test]
fn two_at_once_do_not_mix() {
    let plug = start();
    let (first, second) = (image("0.2.0", 20_000), image("0.3.0", 20_000));
    let mut stream = plug.connect();
    send(&mut stream, &head(&plug, "/api/v1/update", &[&bearer(ADMIN)], first.len()), &first[..9000]);
    while plug.inside(|inside| inside.state.update.progress().2) < 8192 {}
    let during = status(&plug);
    assert_eq!((&during["state"], &during["size_bytes"]), (&json!("receiving"), &json!(first.len())));
    let answer = upload(&plug, "", &second);
    assert_eq!((answer.status, answer.code().as_str()), (409, "update_busy"));
    assert_eq!(form_upload(&plug, "/update", &form(&second, None)).status, 400);
    stream.write_all(&first[9000..]).unwrap();
    assert_eq!(read_response(&mut stream, false).unwrap().json()["version"], "0.2.0");
    assert!(plug.inside(move |_| flash().other.borrow().starts_with(&first)));
}

#[test]
fn a_flash_that_fails_is_told_and_the_next_one_works() {
    let plug = start();
    let file = image("0.2.0", 9000);
    for (at, trouble) in [(0, Trouble::Error), (1, Trouble::Silent), (4, Trouble::Error)] {
        plug.inside(move |_| {
            flash().changes.set(0);
            flash().trouble.set(Some((at, trouble)));
        });
        let answer = upload(&plug, "", &file);
        assert_eq!((answer.status, answer.code().as_str()), (500, "flash_failed"), "{at}");
    }
    plug.inside(|_| flash().trouble.set(None));
    is_unharmed(&plug, "a failing flash");
}

#[test]
fn the_last_free_worker_takes_no_upload() {
    let plug = start();
    let file = image("0.2.0", 9000);
    let others: Vec<_> = (1..limits::WEB_WORKERS)
        .map(|_| {
            let mut stream = plug.connect();
            stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(upload(&plug, "", &file).code(), "busy");
    drop(others);
}

#[test]
fn signatures_and_the_keys_that_a_package_brings() {
    let plug = start();
    let (old, new) = (key(1), key(2));
    let patch = format!("{{\"update\":{{\"accept\":\"signed\",\"keys\":[\"{}\"]}}}}", public(&old));
    assert_eq!(owner_patches(&plug, &patch).status, 200);
    let page = status(&plug);
    assert_eq!((&page["accept"], &page["keys"][1]["source"]), (&json!("signed"), &json!("owner")));
    let image = image("0.2.0", 5000);
    let package = || Package::new(&image, "0.2.0");
    let mut forged = package().signed_by(&[&old]);
    let at = forged.len() - image.len() - 4;
    forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
    for (file, code) in [
        (image.clone(), "signature_missing"),
        (package().signed_by(&[]), "signature_missing"),
        (package().signed_by(&[&new]), "signature_unknown"),
        (forged, "signature_wrong"),
    ] {
        assert_eq!(upload(&plug, "", &file).code(), code);
    }
    assert_eq!(plug.inside(|_| flash().changes.get()), 0);
    let changes = Package { add: vec![public(&new)], retire: vec![public(&old)], ..package() };
    assert_eq!(upload(&plug, "", &changes.signed_by(&[&old])).code(), "signers_retired");
    assert_eq!(plug.inside(|_| flash().changes.get()), 0);
    let changes = changes.signed_by(&[&old, &new]);
    // Keys that cannot be stored: nothing is activated.
    plug.inside(|inside| inside.flash.broken.set(true));
    assert_eq!(upload(&plug, "", &changes).code(), "keys_not_stored");
    assert_eq!(next_start(&plug), 0);
    plug.inside(|inside| inside.flash.broken.set(false));
    assert_eq!(upload(&plug, "", &changes).status, 200);
    let keys = &status(&plug)["keys"];
    assert_eq!((&keys[1]["key"], &keys[2]), (&json!(public(&new)), &Value::Null));
    assert_eq!(next_start(&plug), 1);
}

#[test]
fn safe_mode_leaves_the_way_to_another_firmware() {
    let plug = start();
    plug.measure(1);
    assert_eq!(plug.get("/api/v1/reading").status, 200);
    plug.inside(|inside| inside.state.safe_mode.set(true));
    for path in ["/api/v1/reading", "/api/v1/relay", "/api/v1/events", "/api/v1/history", "/metrics"] {
        let answer = plug.get(path);
        assert_eq!((answer.status, answer.code().as_str()), (503, "safe_mode"), "{path}");
    }
    assert_eq!(plug.put_relay("{\"on\":true}").code(), "safe_mode");
    for path in ["/", "/update", "/api/v1/info", "/api/v1/settings", "/api/v1/session", "/api/v1/wifi"] {
        assert_eq!(plug.get(path).status, 200, "{path}");
    }
    assert_eq!(status(&plug)["safe_mode"], true);
    // Strangers are told no more than ever.
    assert_eq!(plug.ask_plainly("GET", "/api/v1/reading", &[], "").status, 401);
    is_unharmed(&plug, "safe mode");
}

// ElegantOTA's wire.

fn form_upload(plug: &Plug, path: &str, form: &[u8]) -> Response {
    post(plug, path, &[&bearer(ADMIN), "Content-Type: multipart/form-data; boundary=b0undary"], form)
}

fn says(answer: &Response, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, text));
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn elegant_uploads_are_announced_and_answered_with_ok() {
    for file in [image("0.2.0", 20_000), Package::new(&image("0.2.0", 20_000), "0.2.0").signed_by(&[])] {
        for given in [None, Some(md5(&file))] {
            let plug = start();
            says(&plug.get(&announcement(&file)), 200, "OK");
            assert_eq!(plug.inside(|_| flash().changes.get()), 0, "nothing is erased");
            says(&form_upload(&plug, "/ota/upload", &form(&file, given.as_deref())), 200, "OK");
            assert_eq!(next_start(&plug), 1);
            assert!(plug.inside(|inside| inside.state.restart.signaled()));
        }
    }
    // The second version's way: one request.
    let file = image("0.2.0", 20_000);
    let plug = start();
    says(&form_upload(&plug, "/update", &form(&file, Some(&md5(&file)))), 200, "OK");
}

#[test]
fn elegant_mistakes_are_told_in_text() {
    let plug = start();
    let file = image("0.2.0", 9000);
    for hash in [
        "",
        "&hash=",
        "&hash=abc",
        &format!("&hash={}x", &md5(&file)[1..]),
        &format!("&hash={}0", md5(&file)),
    ] {
        says(&plug.get(&format!("/ota/start?mode=fr{hash}")), 400, "MD5 parameter invalid");
    }
    let fs = plug.get(&format!("/ota/start?mode=fs&hash={}", md5(&file)));
    assert_eq!((fs.status, fs.text().contains("file system")), (400, true));
    let refused = |path: &str, form: &[u8], text: &str| {
        let answer = form_upload(&plug, path, form);
        assert_eq!((answer.status, answer.text().contains(text)), (400, true), "{answer:?}");
        assert_eq!(next_start(&plug), 0);
    };
    refused("/ota/upload", &form(&file, None), "/ota/start");
    let wrong = md5(b"something else");
    let announce = |hash: &str| says(&plug.get(&format!("/ota/start?mode=fr&hash={hash}")), 200, "OK");
    announce(&wrong);
    refused("/ota/upload", &form(&file, None), "MD5");
    assert!(!plug.inside(|_| flash().other_can_start()));
    announce(&md5(&file).to_uppercase());
    refused("/ota/upload", &form(&file, Some(&wrong)), "MD5");
    refused("/update", &form(&file, Some(&wrong)), "MD5");
    refused("/update", &form(&file, Some("abc")), "MD5");
    refused("/update", &form(&image("0.0.1", 9000), None), "older");
    let whole = form(&file, None);
    refused("/update", &whole[..whole.len() - 8], "form");
    refused("/update", b"--b0undary--\r\n", "form");
    assert_eq!(post(&plug, "/update", &[&bearer(ADMIN)], &file).status, 400);
    is_unharmed(&plug, "after all of them");
}

#[test]
fn an_announced_place_is_kept_for_a_minute_for_whoever_announced_it() {
    let plug = start();
    let file = image("0.2.0", 9000);
    says(&plug.get(&announcement(&file)), 200, "OK");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&plug.address.into()).unwrap();
    let mut elsewhere = TcpStream::from(socket);
    send(&mut elsewhere, &head(&plug, "/api/v1/update", &[&bearer(ADMIN)], file.len()), &file);
    assert_eq!(read_response(&mut elsewhere, false).unwrap().code(), "update_busy");
    plug.inside(|inside| inside.put_forward(limits::UPDATE_HOLD - Duration::from_secs(5)));
    says(&plug.get(&announcement(&file)), 200, "OK");
    plug.inside(|inside| inside.put_forward(limits::UPDATE_HOLD));
    let late = form_upload(&plug, "/ota/upload", &form(&file, None));
    assert_eq!((late.status, late.text().contains("/ota/start")), (400, true));
    is_unharmed(&plug, "too late");
}

#[test]
fn elegant_clients_are_asked_to_sign_in_and_browsers_get_a_page() {
    let plug = start();
    let refused = plug.ask_plainly("GET", "/update", &["Accept: */*"], "");
    assert_eq!(refused.status, 401);
    let mut client = digest::Client::new(refused.header("WWW-Authenticate").unwrap(), PASSWORD);
    let page = plug.ask_plainly("GET", "/update", &["Accept: text/html,*/*"], "");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    // One nonce serves all requests of a client, with rising counts.
    let file = image("0.2.0", 9000);
    let target = announcement(&file);
    let line = client.header("GET", &target);
    says(&plug.ask_plainly("GET", &target, &[&line], ""), 200, "OK");
    let line = client.header("POST", "/ota/upload");
    let kind = "Content-Type: multipart/form-data; boundary=b0undary";
    let origin = format!("Origin: http://{}", plug.address);
    says(&post(&plug, "/ota/upload", &[&line, kind, &origin], &form(&file, None)), 200, "OK");
}

#[test]
fn an_answer_reaches_clients_that_send_to_the_end_first() {
    let plug = start();
    let mut stream = plug.connect();
    let body = vec![0x42; 600_000];
    // Nothing is read before all was sent.
    stream.write_all(head(&plug, "/api/v1/update", &[&bearer(ADMIN)], body.len()).as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    assert_eq!(read_response(&mut stream, false).unwrap().code(), "image_too_large");
    // Whoever waits to be told to go on is told not to.
    let mut stream = plug.connect();
    let line = head(&plug, "/api/v1/update", &[&bearer(ADMIN), "Expect: 100-continue"], 600_000);
    stream.write_all(line.as_bytes()).unwrap();
    assert_eq!(read_response(&mut stream, false).unwrap().code(), "image_too_large");
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}
