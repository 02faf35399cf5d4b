//! Every field and every sentence, round trips, what a newer version left, and texts that are nothing.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use metering::calibration::Calibration;
use metering::units::Amperes;
use serde_json::{Value, json};

use super::field::{Kind, Most, Secrets};
use super::fields::{FIELDS, SECTIONS};
use super::migrate::{Member, STEPS, Step};
use super::schema::{At, Basis, Hardware, PowerOn, Settings};
use super::sentences::{MISTAKES, SENTENCES};
use super::stored::{self, KEPT_MOST, Stored};
use super::write::{Beside, write_json, write_stored};
use super::{Refusal, STORED_MOST, WRONG_MOST, json_length, patch};
use crate::limits;

fn basis() -> Basis {
    Basis {
        hardware: Hardware { confirms_setup: false, ..Hardware::ANY },
        board: Calibration { version: 0, ..Calibration::ideal(0.2, 2047.5, 0.0147, 2048.25) },
        zone: |text| text != "nonsense" && !text.is_empty(),
    }
}

fn after(settings: &Settings, text: &str) -> Result<Box<Settings>, Refusal> {
    patch(settings, text, &basis(), Some(1_795_000_000.9))
}

fn taken(settings: &Settings, text: &str) -> Box<Settings> {
    after(settings, text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"))
}

/// `field message` of each wrong field.
fn faults(settings: &Settings, text: &str) -> Vec<String> {
    match after(settings, text) {
        Err(Refusal::Wrong(wrong)) => {
            wrong.fields().iter().map(|field| format!("{} {}", field.field(), field.message())).collect()
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn shown(settings: &Settings) -> Value {
    let mut text = String::new();
    write_json(settings, &basis().board, Secrets::Hide, &mut text).unwrap();
    assert_eq!(text.len(), json_length(settings, &basis().board, Secrets::Hide));
    serde_json::from_str(&text).unwrap()
}

/// A change of everything to its longest.
const LONGEST: &str = include_str!("../../tests/data/longest-settings.json");

fn stored_text(settings: &Settings, beside: &Beside) -> String {
    let mut text = String::new();
    write_stored(settings, &Settings::default(), beside, false, &mut text).unwrap();
    let _: Value = serde_json::from_str(&text).unwrap();
    text
}

fn read_stored(text: &str) -> Stored {
    stored::read(text, &basis(), &STEPS).unwrap()
}

/// Every field other than it is by default, in a form that is allowed.
fn everything() -> Value {
    json!({
        "schema": 1,
        "device": {"name": "Küche \"links\" \\ 😀", "button_locked": true, "led_off": true, "host": "Cellar-2", "mdns": false},
        "wifi": {"ssid": "home", "password": "correct horse", "hidden": true,
            "address": {"ip": "192.168.1.20", "prefix": 24, "gateway": "192.168.1.1", "dns": null},
            "more": [
                {"ssid": "garden", "password": null, "hidden": false, "address": null},
                {"ssid": "Büro \"2\"", "password": "staple battery", "hidden": true,
                    "address": {"ip": "10.0.0.1", "prefix": 8, "gateway": null, "dns": "9.9.9.9"}}
            ],
            "access_point": "button", "access_point_after_loss_s": 0, "access_point_linger_s": 3600,
            "access_point_ssid": "Küche", "access_point_password": "battery staple"},
        "access": {"reading": "open", "hosts": ["plug", "plug-1.example.org"]},
        "relay": {
            "power_on": "off", "start_delay_s": 12.5, "start_delay_random_s": 30, "minimum_on_s": 5,
            "minimum_off_s": 180, "switchings_a_minute": 6, "manual_until": "released", "inching_s": 0.1,
            "idle_off_below_w": 2.5, "idle_off_after_s": 86400, "hold_on_restart": true
        },
        "schedule": {"enabled": true, "entries": [
            {"enabled": false, "days": ["mon", "sun"], "at": "06:30", "on": true, "random_s": 3600},
            {"enabled": true, "days": ["tue"], "at": "23:59:59", "on": false, "random_s": 0},
            {"enabled": true, "days": ["sat"], "at": "sunrise", "on": false, "random_s": 1},
            {"enabled": true, "days": ["sat"], "at": "sunset-01:00", "on": true, "random_s": 0},
            {"enabled": true, "days": ["fri"], "at": "sunrise+06:00", "on": true, "random_s": 0}
        ]},
        "protection": {
            "current_limit_a": 80, "rated_current_a": 0.1, "inverse_time": false, "power_limit_w": 3500.5,
            "power_hold_s": 0, "voltage_max_v": 253, "voltage_min_v": 195.5, "voltage_hysteresis_v": 0.5,
            "voltage_hold_s": 3600, "energy_budget_wh": 1e6, "chip_temperature_max_c": null,
            "sensor_fault": false, "clipped": false, "retries": 20, "retry_pause_s": 1, "retry_back_off": 1
        },
        "calibration": {
            "voltage": {"gain": 0.21, "gain_uncertainty_pct": 0.5, "zero_raw": 2000.125, "zero_uncertainty_raw": 0.25},
            "current": {"gain": 0.0151, "gain_uncertainty_pct": 1, "zero_raw": -3, "zero_uncertainty_raw": 1},
            "phase_deg": -1.5, "phase_uncertainty_deg": 0.1, "current_noise_floor_a": 0.02,
            "date": 1_794_000_000_u64, "reference": "lamp of 60 W"
        },
        "time": {"source": "dhcp", "zone": "Europe/Berlin", "posix": "CET-1CEST,M3.5.0,M10.5.0/3", "latitude_deg": -52.5, "longitude_deg": 13.4, "ntp_servers": "192.168.1.1 ntp.example:1123"},
        "history": {"interval_s": 3600},
        "emoncms": {"enabled": true, "url": "http://192.168.1.2:8080/emoncms", "node": "plug 1",
            "write_key": "00112233445566778899aabbccddeeff", "read_key": "ffEEddCCbbAA99887766554433221100",
            "user_id": 4_294_967_295_u32, "transport": "plain", "interval_s": 60, "send_every_s": 3600, "begin": "oldest",
            "input_power": "P", "input_energy": "Wh", "input_energy_kwh": "kWh", "input_energy_export": "out",
            "input_voltage": "U", "input_current": "I", "input_power_factor": "", "input_frequency": "f-1.0_x",
            "input_power_min": "lo", "input_power_max": "hi", "input_relay": "relay on"},
        "update": {"accept": "signed", "keys": ["01".repeat(32), "ab".repeat(32)], "retired": ["cd".repeat(32)],
            "warn_above_a": 0.5}
    })
}

#[test]
fn every_field_is_read_and_comes_back() {
    let settings = taken(&Settings::default(), &everything().to_string());
    for field in &FIELDS {
        assert!(
            !field.same(&settings, &Settings::default()),
            "{}.{} is as by default",
            field.section,
            field.name
        );
    }
    let mut expected = everything();
    expected["wifi"]["password"] = "set".into();
    expected["wifi"]["access_point_password"] = "set".into();
    expected["wifi"]["more"][1]["password"] = "set".into();
    expected["emoncms"]["write_key"] = "set".into();
    expected["emoncms"]["read_key"] = "set".into();
    // Numbers are compared as numbers: 80 is 80.0.
    let plain = |value: &Value| value.to_string().replace(".0,", ",").replace(".0}", "}");
    assert_eq!(plain(&shown(&settings)), plain(&expected));
    assert_eq!(settings.wifi.password.as_deref(), Some("correct horse"));
    assert_eq!(settings.wifi.more[1].credentials.password.as_deref(), Some("staple battery"));
    assert_eq!(settings.schedule.entries[3].at, At::Sunset(-3600));
    assert_eq!(settings.schedule.entries[0].days, 0b100_0001);
    assert_eq!(settings.calibration.in_use.as_ref().map(|in_use| in_use.version), Some(1));
    // What is shown can be sent back as it is, and changes nothing.
    assert_eq!(taken(&settings, &shown(&settings).to_string()), settings);
    let fresh = Settings::default();
    assert_eq!(*taken(&fresh, &shown(&fresh).to_string()), fresh);
    // Stored and read again.
    let text = stored_text(&settings, &Beside { revision: 7, kept: Vec::new() });
    let read = read_stored(&text);
    assert_eq!((read.beside.revision, read.wrong.fields()), (7, &[][..]));
    let mut same = settings.clone();
    same.calibration = read.settings.calibration.clone();
    assert_eq!(read.settings, same);
    assert_eq!(stored_text(&fresh, &Beside::default()), "{\"schema\":1,\"revision\":0}");
}

#[test]
fn null_is_off_or_as_when_new() {
    let settings = taken(&Settings::default(), &everything().to_string());
    for field in FIELDS.iter().filter(|field| field.section != "time") {
        let pair = match field.name {
            "ssid" => "{\"wifi\":{\"ssid\":null,\"password\":null}}".to_string(),
            // What sends needs most of them.
            name if field.section == "emoncms" && name != "enabled" => {
                format!("{{\"emoncms\":{{\"{name}\":null,\"enabled\":false}}}}")
            }
            name => format!("{{\"{}\":{{\"{name}\":null}}}}", field.section),
        };
        let after = taken(&settings, &pair);
        let default = Settings::default();
        if field.name == "chip_temperature_max_c" {
            assert_eq!(after.protection.chip_temperature_max_c, None);
        } else {
            assert!(field.same(&after, &default), "{}", field.name);
        }
    }
    let mut sections = serde_json::Map::new();
    sections.extend(SECTIONS.map(|section| (section.to_string(), Value::Null)));
    let after = taken(&settings, &Value::from(sections).to_string());
    let mut expected = Settings::default();
    expected.calibration.earlier.extend(settings.calibration.in_use.clone());
    assert_eq!(*after, expected);
}

/// A value that each kind of field cannot have, and what is said to that.
#[test]
fn every_field_says_what_it_must_be() {
    let mut told = String::new();
    for field in &FIELDS {
        let fault =
            faults(&Settings::default(), &format!("{{\"{}\":{{\"{}\":{{}}}}}}", field.section, field.name));
        told += &fault.join("\n");
        told += "\n";
    }
    assert_eq!(told, SENTENCES);
}

#[test]
fn ranges_are_kept_at_both_ends() {
    let by = |section: &str, name: &str, value: f64| {
        after(&Settings::default(), &json!({section: {name: value}}).to_string()).is_ok()
    };
    for field in &FIELDS {
        let (range, whole) = match &field.kind {
            Kind::Whole(_, range) | Kind::WholeSeconds(_, range) | Kind::MaybeWhole(_, range) => {
                (range, true)
            }
            Kind::Number(_, range) | Kind::MaybeNumber(_, range) => (range, false),
            Kind::Seconds(_, range) | Kind::MaybeSeconds(_, range) => (range, false),
            _ => continue,
        };
        if matches!(field.name, "latitude_deg" | "longitude_deg") {
            continue;
        }
        let to = match range.to {
            Most::Fixed(to) => to,
            Most::TimesMaximumCurrent(factor) => 16.0 * factor,
        };
        assert!(by(field.section, field.name, range.from), "{} {}", field.name, range.from);
        assert!(by(field.section, field.name, to), "{} {to}", field.name);
        for outside in [range.from - 0.001, range.from - 1.0, to + 0.001, to + 1.0, 1e300, -1e300] {
            assert!(!by(field.section, field.name, outside), "{} {outside}", field.name);
        }
        assert_eq!(by(field.section, field.name, range.from + 0.5), !whole, "{}", field.name);
    }
}

#[test]
fn each_mistake_is_named() {
    let fresh = Settings::default();
    for (text, expected) in MISTAKES {
        assert_eq!(faults(&fresh, text), *expected, "{text}");
    }
    for text in ["", "[]", "null", "1", "{", "{\"relay\":{}", "{\"relay\":{\"retries\":01}}", "\u{feff}{}"] {
        assert_eq!(after(&fresh, text), Err(Refusal::NotJson), "{text}");
    }
}

#[test]
fn what_a_client_names_is_fit_to_be_repeated_and_bounded() {
    let text = format!("{{\"relay\":{{\"{}\":1}}}}", "\\u0007ä".repeat(40));
    assert_eq!(faults(&Settings::default(), &text)[0].split_once(' ').unwrap().0.len(), "relay.".len() + 32);
    let many: Vec<_> = (0..40).map(|index| format!("\"x{index}\":1")).collect();
    assert_eq!(faults(&Settings::default(), &format!("{{{}}}", many.join(","))).len(), WRONG_MOST);
}

#[test]
fn rules_look_at_what_was_there_before() {
    let before =
        taken(&Settings::default(), "{\"protection\":{\"voltage_min_v\":200,\"voltage_max_v\":250}}");
    assert_eq!(
        faults(&before, "{\"protection\":{\"voltage_max_v\":190}}"),
        ["protection.voltage_max_v must be more than voltage_min_v"]
    );
    assert_eq!(
        faults(&before, "{\"protection\":{\"voltage_hysteresis_v\":25}}"),
        [
            "protection.voltage_hysteresis_v must be less than half of what is between voltage_min_v and voltage_max_v"
        ]
    );
    // A wrong field is told alone.
    assert_eq!(faults(&before, "{\"protection\":{\"voltage_max_v\":1,\"voltage_min_v\":251}}").len(), 1);
    let before = taken(&Settings::default(), "{\"wifi\":{\"ssid\":\"home\",\"password\":\"12345678\"}}");
    assert_eq!(
        faults(&before, "{\"wifi\":{\"ssid\":\"\"}}"),
        ["wifi.ssid must be given, or password be null"]
    );
    assert_eq!(taken(&before, "{\"wifi\":{\"ssid\":\"\",\"password\":null}}").wifi.password, None);
}

#[test]
fn a_list_that_is_too_long_is_one_fault() {
    let list = |length| {
        format!(
            "{{\"schedule\":{{\"entries\":[{}]}}}}",
            ["{\"at\":\"06:30\",\"on\":true}"; 17][..length].join(",")
        )
    };
    assert_eq!(taken(&Settings::default(), &list(16)).schedule.entries.len(), 16);
    assert_eq!(
        faults(&Settings::default(), &list(17)),
        ["schedule.entries must be a list of at most 16 entries"]
    );
}

#[test]
fn secrets_read_as_set_and_stay_when_given_so() {
    let before = taken(&Settings::default(), "{\"wifi\":{\"ssid\":\"home\",\"password\":\"12345678\"}}");
    assert_eq!(shown(&before)["wifi"]["password"], "set");
    let kept = taken(&before, "{\"wifi\":{\"ssid\":\"garden\",\"password\":\"set\"}}");
    assert_eq!(kept.wifi.password.as_deref(), Some("12345678"));
    assert_eq!(taken(&Settings::default(), "{\"wifi\":{\"password\":\"set\"}}").wifi.password, None);
    assert_eq!(taken(&before, "{\"wifi\":{\"password\":null}}").wifi.password, None);
    let mut text = String::new();
    write_json(&before, &basis().board, Secrets::Show, &mut text).unwrap();
    assert!(text.contains("\"password\":\"12345678\""));
}

/// What an earlier version stored is read as it was; what it did not know is as on a new plug.
#[test]
fn what_an_earlier_version_stored_is_read_as_it_was() {
    let text = "{\"schema\":1,\"revision\":3,\"wifi\":{\"ssid\":\"home\",\"password\":\"12345678\"},\"time\":{\"zone\":\
                \"Europe/Berlin\",\"posix\":\"CET-1\"}}";
    let read = read_stored(text);
    let mut expected = Settings::default();
    expected.wifi.ssid = "home".try_into().unwrap();
    expected.wifi.password = Some("12345678".try_into().unwrap());
    expected.time.zone = "Europe/Berlin".try_into().unwrap();
    expected.time.posix = "CET-1".try_into().unwrap();
    assert_eq!((*read.settings, read.wrong.fields()), (expected, &[][..]));
    assert_eq!(read.beside.kept, []);
}

#[test]
fn a_plug_that_cannot_hold_its_relay_says_so() {
    let mut basis = basis();
    basis.hardware.can_hold = false;
    let hold = "{\"relay\":{\"hold_on_restart\":true}}";
    let Err(Refusal::Wrong(wrong)) = patch(&Settings::default(), hold, &basis, None) else { panic!() };
    assert_eq!(
        wrong.to_string(),
        "relay.hold_on_restart must be false: this plug cannot hold its relay over a restart."
    );
    assert!(patch(&Settings::default(), "{\"relay\":{\"hold_on_restart\":false}}", &basis, None).is_ok());
}

#[test]
fn a_calibration_is_laid_on_the_one_in_use() {
    let board = basis().board;
    let first = taken(&Settings::default(), "{\"calibration\":{\"current\":{\"zero_raw\":2050}}}");
    let in_use = first.calibration.in_use.clone().unwrap();
    let mut expected = board.clone();
    (expected.version, expected.current.zero_raw, expected.date) = (1, 2050.0, Some(1_795_000_000));
    assert_eq!((in_use, first.calibration.earlier.len()), (expected, 0));
    // The same again is no change.
    assert_eq!(taken(&first, "{\"calibration\":{\"current\":{\"zero_raw\":2050}}}"), first);
    assert_eq!(taken(&first, "{\"calibration\":{}}"), first);
    let second = taken(&first, "{\"calibration\":{\"current_noise_floor_a\":0.5,\"date\":5}}");
    let in_use = second.calibration.in_use.clone().unwrap();
    assert_eq!((in_use.version, in_use.date, in_use.current_noise_floor), (2, Some(5), Some(Amperes(0.5))));
    assert_eq!(second.calibration.earlier, [first.calibration.in_use.clone().unwrap()]);
    for reset in ["{\"calibration\":null}", "{\"calibration\":{\"reset\":true}}"] {
        let after = taken(&second, reset);
        assert_eq!((&after.calibration.in_use, after.calibration.earlier.len()), (&None, 2));
        // Versions never come again.
        let third = taken(&after, "{\"calibration\":{\"phase_deg\":1}}");
        assert_eq!(third.calibration.in_use.as_ref().map(|in_use| in_use.version), Some(3));
        assert_eq!(third.calibration.earlier.len(), 2);
        // null is the board's own number.
        let fourth = taken(
            &third,
            "{\"calibration\":{\"phase_deg\":null,\"voltage\":null,\"current\":{\"gain\":null}}}",
        );
        assert_eq!(fourth.calibration.in_use.as_ref().map(|in_use| in_use.phase), Some(board.phase));
    }
    let mut many = second;
    for phase in 0..10 {
        many = taken(&many, &format!("{{\"calibration\":{{\"phase_deg\":{}}}}}", f64::from(phase) + 0.5));
    }
    let versions: Vec<_> = many.calibration.earlier.iter().map(|earlier| earlier.version).collect();
    assert_eq!(versions, [8, 9, 10, 11]);
}

#[test]
fn times_of_entries_are_read_strictly() {
    let at = |text: &str| {
        let body = json!({"time": {"latitude_deg": 1, "longitude_deg": 1},
            "schedule": {"entries": [{"at": text, "on": true}]}});
        after(&Settings::default(), &body.to_string()).ok().map(|after| after.schedule.entries[0].at)
    };
    for (text, expected) in [
        ("00:00", At::Clock(0)),
        ("23:59", At::Clock(86_340)),
        ("07:08:09", At::Clock(25_689)),
        ("sunrise", At::Sunrise(0)),
        ("sunset+00:00:01", At::Sunset(1)),
        ("sunrise-06:00", At::Sunrise(-21_600)),
    ] {
        assert_eq!(at(text), Some(expected), "{text}");
    }
    for text in [
        "24:00",
        "7:00",
        "07:60",
        "07:00:60",
        "07:00:00:00",
        "",
        "sunrise+06:01",
        "sunrise+",
        "sunrise 01:00",
        "sunset+-1:00",
        "Sunrise",
        "07.00",
        "sunrise++01:00",
        "0700",
        "١٢:٠٠",
    ] {
        assert_eq!(at(text), None, "{text}");
    }
}

#[test]
fn what_a_newer_version_left_is_kept_word_for_word() {
    let text = "{\"schema\":3,\"revision\":4,\"mqtt\":{\"url\":\"mqtt://x\",\"tls\":[1, 2]},\"relay\":{\"colour\" : \
                {\"a\":\"\\u00e4\"},\"inching_s\":5,\"power_on\":\"schedule\"},\"time\":17,\"schedule\":{\"dst\":true}}";
    let read = read_stored(text);
    assert_eq!(read.settings.relay.inching, Some(core::time::Duration::from_secs(5)));
    assert_eq!(read.settings.relay.power_on, PowerOn::Last);
    let wrong: Vec<_> = read.wrong.fields().iter().map(|field| field.field().to_string()).collect();
    assert_eq!((wrong, read.dropped), (["relay.power_on".to_string()].into(), false));
    let mut settings = read.settings;
    settings.schedule.enabled = true;
    let again = stored_text(&settings, &read.beside);
    let value: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(value["mqtt"], json!({"url": "mqtt://x", "tls": [1, 2]}));
    assert_eq!(value["relay"], json!({"inching_s": 5, "colour": {"a": "ä"}}));
    assert_eq!(value["schedule"], json!({"enabled": true, "dst": true}));
    assert!(again.contains("\"colour\":{\"a\":\"\\u00e4\"}"));
    assert_eq!(value["time"], json!(17));
    assert_eq!(stored_text(&read_stored(&again).settings, &read_stored(&again).beside), again);
    let long = format!("{{\"x\":\"{}\",\"y\":1}}", "x".repeat(KEPT_MOST));
    let read = read_stored(&long);
    assert_eq!((read.dropped, read.beside.kept.len()), (true, 1));
}

#[test]
fn an_older_version_is_brought_to_ours() {
    const RENAMED: [Step; 1] = [|member| match (member.section, member.name) {
        ("relay", "power_on_state") => Member { name: "power_on", ..member },
        _ => member,
    }];
    let text = "{\"schema\":0,\"relay\":{\"power_on_state\":\"off\",\"inching_s\":1}}";
    let read = stored::read(text, &basis(), &RENAMED).unwrap();
    assert_eq!((read.settings.relay.power_on, read.beside.kept.len()), (PowerOn::Off, 0));
    assert!(read.settings.relay.inching.is_some());
    // A text of our version takes no step.
    let ours = text.replace("\"schema\":0", "\"schema\":1");
    let read = stored::read(&ours, &basis(), &RENAMED).unwrap();
    assert_eq!((read.settings.relay.power_on, read.beside.kept.len()), (PowerOn::Last, 1));
}

#[test]
fn stored_fields_that_cannot_be_are_at_their_defaults() {
    let text = "{\"schema\":1,\"protection\":{\"voltage_min_v\":240,\"voltage_max_v\":230,\"retries\":300},\
                \"wifi\":{\"password\":\"12345678\"},\"device\":{\"name\":\"kept\"}}";
    let read = read_stored(text);
    let mut expected = Settings::default();
    expected.device.name = "kept".try_into().unwrap();
    assert_eq!(*read.settings, expected);
    assert_eq!(read.wrong.fields().len(), 5);
    let sun = "{\"schedule\":{\"entries\":[{\"at\":\"sunset\",\"on\":true}]}}";
    let read = read_stored(sun);
    assert_eq!((read.settings.schedule.entries[0].enabled, read.wrong.fields().len()), (false, 1));
    // What is off waits for nothing.
    let sun = sun.replace("true}", "true,\"enabled\":false}");
    assert_eq!(taken(&Settings::default(), &sun).schedule, read.settings.schedule);
}

/// Texts that are nearly settings: never a panic, and what is taken comes back.
#[test]
fn any_text_at_all_is_taken_or_refused() {
    let base = everything().to_string();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut counts = (0, 0, 0);
    for _ in 0..4000 {
        let mut bytes = base.clone().into_bytes();
        for _ in 0..1 + next(3) {
            let (at, other) = (next(bytes.len()), next(bytes.len()));
            match next(4) {
                0 => bytes[at] = b"0123456789-.\"\\{}[],:e+nullx"[next(27)],
                // A text of one letter stays one.
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, bytes[other]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let Ok(text) = core::str::from_utf8(&bytes) else { continue };
        match after(&Settings::default(), text) {
            Ok(settings) => {
                assert_eq!(taken(&settings, &shown(&settings).to_string()), settings, "{text}");
                counts.0 += 1;
            }
            Err(Refusal::Wrong(wrong)) => {
                assert!(!wrong.is_empty());
                counts.1 += 1;
            }
            Err(Refusal::NotJson) => counts.2 += 1,
        }
        if let Ok(read) = stored::read(text, &basis(), &STEPS) {
            let again = read_stored(&stored_text(&read.settings, &read.beside));
            assert_eq!((again.settings, again.wrong.is_empty()), (read.settings, true), "{text}");
        }
    }
    assert!(counts.0 > 50 && counts.1 > 50 && counts.2 > 50, "{counts:?}");
}

/// The description for machines has the same ranges as the table.
#[test]
fn the_description_has_the_same_ranges() {
    let document: Value = serde_json::from_str(include_str!("../web/openapi.json")).unwrap();
    let sections = &document["components"]["schemas"]["Settings"]["properties"];
    for field in &FIELDS {
        let described = &sections[field.section]["properties"][field.name];
        assert!(!described.is_null(), "{}.{}", field.section, field.name);
        let (range, or_null) = match &field.kind {
            Kind::MaybeNumber(_, range) | Kind::MaybeSeconds(_, range) | Kind::MaybeWhole(_, range) => {
                (range, true)
            }
            Kind::Whole(_, range) | Kind::WholeSeconds(_, range) => (range, false),
            Kind::Number(_, range) | Kind::Seconds(_, range) => (range, false),
            Kind::Choice { words, .. } => {
                assert_eq!(described["enum"], json!(words));
                continue;
            }
            _ => continue,
        };
        assert_eq!(described["minimum"].as_f64(), Some(range.from), "{}", field.name);
        if let Most::Fixed(to) = range.to {
            assert_eq!(described["maximum"].as_f64(), Some(to), "{}", field.name);
        }
        assert_eq!(described["type"].is_array(), or_null, "{}", field.name);
    }
    let defaults = shown(&Settings::default());
    assert_eq!(defaults["relay"]["power_on"], "last");
}

mod longest;
mod networks;
mod sending;
