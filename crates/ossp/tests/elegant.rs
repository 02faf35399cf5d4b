//! ElegantOTA's clients against the program: the requests of its upload script, made with python-requests, and curl's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod virtual_plug;

use std::path::{Path, PathBuf};
use std::process::Command;

use plug::update::image::ChipId;
use plug::update::made::Made;
use serde_json::json;
use virtual_plug::{Folder, PASSWORD, Plug};

/// An image of the virtual plug, as a file.
fn image(folder: &Folder, version: &str) -> PathBuf {
    let made = Made { chip: ChipId::PC, project: "ossp-firmware", version, text: "{}", size: 300_000 };
    let path = folder.0.join(format!("{version}.bin"));
    std::fs::write(&path, made.image()).unwrap();
    path
}

/// What the script prints.
fn script(plug: &Plug, password: &str, file: &Path, more: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/elegant/upload.py");
    let output = Command::new("python3")
        .arg(script)
        .args([&format!("http://{}", plug.address), password])
        .arg(file)
        .args(more)
        .output()
        .expect("python3 is needed for this test: ./ci.sh install brings it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !errors.contains("No module named 'requests'"),
        "python3-requests is needed for this test: ./ci.sh install brings it"
    );
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_upload_script_updates_the_plug() {
    let folder = Folder::new("elegant");
    let plug = Plug::start(&folder.0, &[]);
    let first = plug.await_json("/api/v1/update", |page| page["capacity_bytes"].is_u64());
    assert_eq!((&first["state"], &first["running"]["state"]), (&json!("idle"), &json!("unrecorded")));
    let file = image(&folder, "0.9.1");
    // A wrong password gets nowhere, and says so in the script's way.
    assert_eq!(script(&plug, "wrong", &file, &[]).lines().next(), Some("asked 401"));
    let wrong = script(&plug, PASSWORD, &file, &["0123456789abcdef0123456789abcdef"]);
    assert!(wrong.contains("start 200 OK\nupload 400 ") && wrong.contains("MD5"), "{wrong}");
    assert_eq!(script(&plug, PASSWORD, &file, &["xyz"]), "asked 401\nstart 400 MD5 parameter invalid\n");
    assert_eq!(plug.json("/api/v1/update")["running"]["version"], first["running"]["version"]);
    let done = script(&plug, PASSWORD, &file, &[]);
    assert_eq!(done, "asked 401\nstart 200 OK\nupload 200 OK nc=00000002 requests=1\n");
    // The plug restarts by itself into what was uploaded.
    let after = plug.await_json("/api/v1/update", |page| page["running"]["version"] == "0.9.1");
    assert_eq!(after["running"]["slot"], 1 - first["running"]["slot"].as_u64().unwrap());
}
