//! Uploads that were changed anywhere on their way, by all three addresses, in pieces of any size: nothing is ever chosen
//! but the very image that was meant, and what was not chosen cannot be started.
#![no_main]

#[allow(dead_code, reason = "shared by several targets")]
mod request_support;

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use plug::access::Hex;
use plug::update::image::ChipId;
use plug::update::made::Made;
use plug::update::package::{Draft, MAGIC};
use request_support::{Bench, answers, line};
use sha2::Sha256;

static SOUND: Once = Once::new();

const HOST: &str = "Host: localhost\r\n";
const FORM: &str = "Content-Type: multipart/form-data; boundary=b\r\n";
/// Bytes of the image: some sectors and a bit.
const SIZE: usize = 9001;

// In the first byte.
const PACKAGE: u8 = 0x04;
const WITH_MD5: u8 = 0x08;

// The two low bits of the first byte say by which way, the high ones into what pieces the network cuts it. Then four bytes
// each for a change of the body: where (two), which, and with what.
fuzz_target!(|input: &[u8]| {
    SOUND.call_once(the_bench_is_sound);
    let Some((first, rest)) = input.split_first() else { return };
    upload(*first, rest);
});

fn image() -> Vec<u8> {
    Made { chip: ChipId::PC, project: "ossp-firmware", version: "0.2.0", text: "{}", size: SIZE }.image()
}

fn package(image: &[u8]) -> Vec<u8> {
    let draft = Draft {
        version: "0.2.0",
        project: "ossp-firmware",
        chip: "pc",
        board: "virtual",
        size: image.len() as u32,
        sha256: Sha256::digest(image).into(),
        oldest: "0.1.0",
        commit: "unknown",
        rustc: "unknown",
        espflash: "unknown",
        add: &[],
        retire: &[],
    };
    [MAGIC, format!("{draft}\n\n").as_bytes(), image].concat()
}

/// Whether the new image was chosen.
fn upload(first: u8, changes: &[u8]) -> bool {
    let image = image();
    let file = if first & PACKAGE != 0 { package(&image) } else { image.clone() };
    let md5 = Hex(&Md5::digest(&file)).to_string();
    let mut body = Vec::new();
    let (path, kind) = match first & 3 {
        0 => ("/api/v1/update", ""),
        1 => ("/ota/upload", FORM),
        _ => ("/update", FORM),
    };
    if first & 3 == 3 {
        body.extend_from_slice(changes);
    } else {
        if !kind.is_empty() {
            if first & WITH_MD5 != 0 {
                body.extend(
                    format!("--b\r\nContent-Disposition: form-data; name=\"MD5\"\r\n\r\n{md5}\r\n").bytes(),
                );
            }
            body.extend(b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n");
        }
        body.extend_from_slice(&file);
        if !kind.is_empty() {
            body.extend(b"\r\n--b--\r\n");
        }
        changes.chunks_exact(4).for_each(|change| apply(&mut body, change));
    }
    let mut bytes = Vec::new();
    if first & 3 == 1 {
        bytes.extend(format!("GET /ota/start?mode=fr&hash={md5} HTTP/1.1\r\n{HOST}{}\r\n", line(2)).bytes());
    }
    let length = body.len();
    bytes.extend(
        format!("POST {path} HTTP/1.1\r\n{HOST}{kind}{}Content-Length: {length}\r\n\r\n", line(2)).bytes(),
    );
    bytes.append(&mut body);
    let bench = Bench::new(bytes, 1 + usize::from(first >> 4) * 97, false);
    let written = bench.serve();
    let told = answers(&written);
    let chosen = bench.slots.is_chosen();
    assert_eq!(
        chosen,
        told.last() == Some(&200) && told.len() == usize::from(first & 3 == 1) + 1,
        "{told:?}"
    );
    let slot = bench.slots.other.borrow();
    if chosen {
        assert!(slot.starts_with(&image));
    } else {
        assert_eq!(slot[..4], [0xff; 4]);
    }
    chosen
}

/// One change of the body.
fn apply(body: &mut Vec<u8>, change: &[u8]) {
    let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % (body.len() + 1);
    let (kind, with) = (change[2] % 4, change[3]);
    match kind {
        0 => {
            if let Some(byte) = body.get_mut(at) {
                *byte ^= with;
            }
        }
        1 => {
            let end = (at + usize::from(with)).min(body.len());
            body.drain(at..end);
        }
        2 => {
            body.splice(at..at, std::iter::repeat_n(with, usize::from(change[2])));
        }
        _ => body.truncate(at),
    }
}

/// A bench on which nothing can be chosen would find nothing.
fn the_bench_is_sound() {
    for first in [0, 1, 2, PACKAGE, 1 | PACKAGE | WITH_MD5, 2 | WITH_MD5] {
        assert!(upload(first | 0x50, &[]), "{first}");
        // A bit of the image.
        assert!(!upload(first | 0x50, &[0x10, 0, 0, 1]), "{first}");
    }
}
