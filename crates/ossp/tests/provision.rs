//! `ossp provision`, and a virtual plug that starts from what it makes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod virtual_plug;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plug::storage::import::{RECORD, text_of};
use serde_json::{Value, json};
use virtual_plug::{Folder, PASSWORD, PATIENCE, Plug, run};

fn put(folder: &Folder, name: &str, text: &str) -> PathBuf {
    std::fs::create_dir_all(&folder.0).unwrap();
    let path = folder.0.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs `ossp provision`: the status, standard output, standard error.
fn provision(settings: &Path, output: &Path, more: &[&str]) -> (i32, String, String) {
    let words = ["provision", settings.to_str().unwrap(), "-o", output.to_str().unwrap()];
    let output = run(&[&words, more].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_virtual_plug_starts_from_the_same_file() {
    let (bench, state) = (Folder::new("provision"), Folder::new("provision-state"));
    // In a password, and in the name of somebody else's network, it is what it is.
    let settings = json!({"password": PASSWORD, "device": {"name": "class {id}"}, "emoncms": {"node": "plug-{id}"},
        "wifi": {"ssid": "class {id}", "access_point_ssid": "mine {id}", "access_point_password": "another {id}"}});
    let file = put(&bench, "settings.json", &settings.to_string());
    let image = bench.0.join("settings.bin");
    let (status, out, told) = provision(&file, &image, &[]);
    assert_eq!(status, 0, "{told}");
    assert_eq!(out, format!("espflash write-bin {:#x} {}\n", 0x003b_0000 + RECORD.from, image.display()));
    #[cfg(unix)]
    assert_eq!(mode(&image), 0o600);
    assert!(std::fs::metadata(&image).unwrap().len() <= 8192);
    {
        let plug = Plug::begin(&state.0, &["--import", image.to_str().unwrap()], Stdio::null());
        let id = plug.json("/api/v1/info")["id"].as_str().unwrap().to_owned();
        let own = &id[id.len() - 4..];
        let set = plug.json("/api/v1/settings");
        assert_eq!(set["device"]["name"], format!("class {own}"));
        assert_eq!(set["emoncms"]["node"], format!("plug-{own}"));
        assert_eq!(
            (&set["wifi"]["ssid"], &set["wifi"]["password"]),
            (&Value::from("class {id}"), &Value::Null)
        );
        assert_eq!(set["wifi"]["access_point_ssid"], format!("mine {own}"));
        // Changed by the owner: the file, given once more, changes nothing.
        assert_eq!(plug.request("PATCH /api/v1/settings", "{\"device\":{\"name\":\"mine\"}}").0, 200);
    }
    let flash = std::fs::read(state.flash()).unwrap();
    let holds = |text: &str| flash.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(!holds(PASSWORD) && holds("another {id}"));
    let plug = Plug::begin(&state.0, &["--import", image.to_str().unwrap()], Stdio::null());
    assert_eq!(plug.json("/api/v1/settings")["device"]["name"], "mine");
}

#[test]
fn its_help_says_what_the_braces_are() {
    let help = String::from_utf8(run(&["provision", "--help"]).stdout).unwrap();
    // However it is wrapped.
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("{id} in the plug's names and its node becomes")
            && words.contains("an n in such braces"),
        "{help}"
    );
    let list = help.split_once("--random <LIST.csv>").unwrap().1.trim_start();
    assert!(list.starts_with("Makes a password for each plug and writes them to this list\n"), "{help}");
}

#[test]
fn a_classroom_gets_a_password_each() {
    let bench = Folder::new("classroom");
    let wifi = json!({"ssid": "class {n}", "password": "word {n} {id}", "address": {"ip": "10.0.0.1{n}", "prefix": 24}});
    let class = json!({"device": {"name": "Plug {n}"}, "wifi": wifi});
    let file = put(&bench, "class.json", &class.to_string());
    let (image, list) = (bench.0.join("class.bin"), bench.0.join("list.csv"));
    let more = ["--random", list.to_str().unwrap(), "--count", "3", "--flash", "8mb"];
    let (status, out, told) = provision(&file, &image, &more);
    assert_eq!(status, 0, "{told}");
    assert_eq!(out.lines().count(), 3);
    assert!(out.starts_with(&format!("espflash write-bin {:#x} ", 0x0051_0000 + RECORD.from)), "{out}");
    let rows: Vec<Vec<String>> = std::fs::read_to_string(&list)
        .unwrap()
        .lines()
        .map(|line| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect())
        .collect();
    assert_eq!(rows[0], ["number", "name", "file", "password"]);
    for (row, number) in rows[1..].iter().zip(1..) {
        assert_eq!((&row[0], &row[1]), (&number.to_string(), &format!("Plug {number}")));
        let record = std::fs::read(&row[2]).unwrap();
        let value: Value = serde_json::from_str(text_of(&record).unwrap()).unwrap();
        let mut wifi = wifi.clone();
        wifi["address"]["ip"] = format!("10.0.0.1{number}").into();
        assert_eq!(value, json!({"device": {"name": row[1]}, "wifi": wifi, "password": row[3]}));
        assert!(row[3].len() >= 12);
        #[cfg(unix)]
        assert_eq!(mode(Path::new(&row[2])), 0o600);
    }
    assert!(rows[1][3] != rows[2][3] && rows[2][3] != rows[3][3]);
    #[cfg(unix)]
    assert_eq!(mode(&list), 0o600);
    // Nothing is replaced by chance: the passwords in the list are those of plugs.
    let before = std::fs::read(&list).unwrap();
    assert_eq!(provision(&file, &image, &more).0, 2);
    assert_eq!(std::fs::read(&list).unwrap(), before);
    // Nor is a list made whose passwords are in no image: all files, or none.
    let (first, third) = (bench.0.join("class-1.bin"), bench.0.join("class-3.bin"));
    std::fs::remove_file(&list).unwrap();
    std::fs::remove_file(&first).unwrap();
    let kept = std::fs::read(&third).unwrap();
    let (status, _, told) = provision(&file, &image, &more);
    assert_eq!((status, told.contains("class-2.bin is there already")), (2, true), "{told}");
    assert!(!list.exists() && !first.exists());
    assert_eq!(std::fs::read(&third).unwrap(), kept);
    for (image, list) in [
        (bench.0.join("none/class.bin"), bench.0.join("other.csv")),
        (bench.0.join("other.bin"), bench.0.join("none/list.csv")),
        // The list would take the place of an image.
        (bench.0.join("other.bin"), bench.0.join("other-1.bin")),
    ] {
        let more = ["--random", list.to_str().unwrap(), "--count", "2"];
        assert!(provision(&file, &image, &more).0 > 0);
        assert!(
            !list.exists() && !bench.0.join("other-1.bin").exists() && !bench.0.join("other-2.bin").exists()
        );
    }
    // Names from a file.
    let names = put(&bench, "names.txt", "Küche, hinten\n\n  Flur \n");
    let list = bench.0.join("names.csv");
    let (status, _, told) = provision(
        &file,
        &bench.0.join("named.bin"),
        &["--random", list.to_str().unwrap(), "--names", names.to_str().unwrap()],
    );
    assert_eq!(status, 0, "{told}");
    let list = std::fs::read_to_string(&list).unwrap();
    assert!(list.contains("1,\"Küche, hinten\",") && list.contains("2,\"Flur\","), "{list}");
}

#[test]
fn what_a_plug_would_not_take_is_not_made() {
    let bench = Folder::new("wrong");
    let image = bench.0.join("settings.bin");
    for (text, status, words) in [
        ("{\"wifi\":{\"ssid\":\"class\"}}", 1, "password must be a text of 10 to 128 characters"),
        ("{\"password\":\"short\"}", 1, "password must be a text of 10 to 128 characters"),
        (
            "{\"password\":\"0123456789\",\"wifi\":{\"ssid\":\"a\",\"password\":\"short\"}}",
            1,
            "wifi.password must be",
        ),
        (
            "{\"password\":\"0123456789\",\"wifi\":{\"ssid\":\"a\",\"password\":\"set\"}}",
            1,
            "no plug tells it",
        ),
        ("{\"password\":\"0123456789\",\"colour\":1}", 1, "colour is not a field"),
        (
            "{\"password\":\"0123456789\",\"device\":{\"name\":\"{id}{id}{id}{id}{id}{id}{id}{id}{id}\"}}",
            1,
            "device.name",
        ),
        ("{\"password\":\"0123456789\",\"password\":\"9876543210\"}", 1, "\"password\" is given twice"),
        (
            "{\"password\":\"0123456789\",\"wifi\":{\"ssid\":\"a\",\"ssid\":\"b\"}}",
            1,
            "\"ssid\" is given twice",
        ),
        (
            "{\"password\":\"0123456789\",\"device\":{\"name\":\"Plug {n}\"}}",
            1,
            "device.name has {n} in it: a plug's number, which needs --random",
        ),
        ("{\"password\"", 1, "EOF"),
        ("[]", 1, "no JSON object"),
    ] {
        let file = put(&bench, "settings.json", text);
        let (code, _, told) = provision(&file, &image, &[]);
        assert_eq!(code, status, "{text}: {told}");
        assert!(told.contains(words), "{text}: {told}");
    }
    let file = put(&bench, "settings.json", "{\"password\":\"0123456789\"}");
    let list = bench.0.join("list.csv");
    let (code, _, told) = provision(&file, &image, &["--random", list.to_str().unwrap()]);
    assert_eq!((code, told.contains("leave \"password\" out")), (1, true), "{told}");
    assert_eq!(provision(&file, &image, &["--count", "3"]).0, 2);
    assert!(!image.exists() && !list.exists());
    // And no virtual plug starts from something else.
    let output =
        run(&["run", "--state", bench.0.join("s").to_str().unwrap(), "--import", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is nothing that `ossp provision` made"));
}

/// What fits any board and build need not fit this plug: its build has no key.
#[test]
fn what_the_plug_itself_refuses_is_told_to_its_end() {
    let (bench, state) = (Folder::new("refused"), Folder::new("refused-state"));
    let settings = json!({"password": PASSWORD, "update": {"accept": "signed"}});
    let (file, image) = (put(&bench, "settings.json", &settings.to_string()), bench.0.join("settings.bin"));
    assert_eq!(provision(&file, &image, &[]).0, 0);
    let words = bench.0.join("words");
    let errors = std::fs::File::create(&words).unwrap();
    let plug = Plug::begin(&state.0, &["--import", image.to_str().unwrap()], errors.into());
    let begin = Instant::now();
    loop {
        let told = std::fs::read_to_string(&words).unwrap();
        if told.contains("was not provisioned and has no owner")
            && told.contains(
                "update.keys must leave a key that is accepted while only signed packages are taken.",
            )
        {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{told}");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(plug);
    // The file brings the owner's password: two are one too many, wherever the other comes from.
    let mut command = Command::new(env!("CARGO_BIN_EXE_ossp"));
    command.args(["run", "--state"]).arg(&state.0).arg("--import").arg(&image).env("OSSP_PASSWORD", PASSWORD);
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.contains("(or OSSP_PASSWORD")), (Some(2), true), "{told}");
}

/// Everything at its longest: it fits into the record, into the plug, and what the plug shows can be sent back.
#[test]
fn everything_at_its_longest_is_taken_and_kept() {
    let (bench, state) = (Folder::new("longest"), Folder::new("longest-state"));
    let mut settings: Value =
        serde_json::from_str(include_str!("../../plug/tests/data/longest-settings.json")).unwrap();
    // So that nothing is looked for.
    settings["emoncms"]["enabled"] = false.into();
    let mut shown = settings.clone();
    for network in 0..3 {
        shown["wifi"]["more"][network]["password"] = "set".into();
    }
    for path in ["/wifi/password", "/wifi/access_point_password", "/emoncms/write_key", "/emoncms/read_key"] {
        *shown.pointer_mut(path).unwrap() = "set".into();
    }
    let image = bench.0.join("settings.bin");
    for password in ["\u{1f511}".repeat(128), PASSWORD.to_owned()] {
        settings["password"] = password.into();
        let file = put(&bench, "settings.json", &settings.to_string());
        let (status, _, told) = provision(&file, &image, &["--force"]);
        assert_eq!(status, 0, "{told}");
    }
    let without_version = |mut settings: Value| {
        settings["calibration"].as_object_mut().unwrap().remove("version");
        settings
    };
    {
        let plug = Plug::begin(&state.0, &["--import", image.to_str().unwrap()], Stdio::null());
        let set = plug.json("/api/v1/settings");
        assert_eq!(without_version(set.clone()), shown);
        // Another calibration, which lies in the item too until it has come to its own place.
        let mut changed = set.clone();
        changed["calibration"].as_object_mut().unwrap().remove("version");
        changed["calibration"]["phase_deg"] = (-0.123_456_789_012_345_67).into();
        assert_eq!(plug.request("PATCH /api/v1/settings", &changed.to_string()).0, 200);
    }
    let plug = Plug::begin(&state.0, &[], Stdio::null());
    shown["calibration"]["phase_deg"] = (-0.123_456_789_012_345_67).into();
    assert_eq!(without_version(plug.json("/api/v1/settings")), shown);
}
