//! Every route's shape, its errors and its headers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::Write;

use plug::net::{LinkState, WifiStatus};
use plug::platform::{Address, LinkError};
use plug::web::ROUTES;
use web_support::{LONG, Plug, calibration, pair, read_response};

#[test]
fn info_says_who_the_plug_is() {
    let plug = Plug::start(1.0);
    let info = plug.get("/api/v1/info").json();
    assert_eq!(info["name"], "ossp-ef56");
    assert_eq!(info["id"], "ab12cd34ef56");
    assert_eq!((&info["setup_complete"], &info["reading"]), (&true.into(), &"closed".into()));
    assert_eq!(info["sample_rate_hz"], 4000.0);
    assert_eq!(info["web_workers"], plug::limits::WEB_WORKERS);
    assert_eq!(info["vitals"]["memory"]["heap_free_bytes"], 40_000);
    assert_eq!(info["vitals"]["sampling"]["skew_s"], 125.25e-6);
    assert_eq!(info["vitals"]["flash"]["lost_pairs"], 3);
    assert_eq!(info["vitals"]["chip_temperature_c"], 41.5);
    assert!(info["uptime_s"].as_f64().unwrap() >= 0.0);
    for field in ["version", "git", "build", "board", "chip", "source", "reset_reason"] {
        assert!(info[field].is_string(), "{field}");
    }
    assert_eq!(info["starts"], 1234);
    assert_eq!(
        (&info["last_fault"]["start"], &info["last_fault"]["reason"]),
        (&1232.into(), &"panic".into())
    );
    assert_eq!(info["last_fault"]["detail"].as_str().unwrap().len(), plug::limits::RESET_DETAIL);
    assert_eq!(info["image"], serde_json::json!({"slot": 1, "state": "on_probation"}));
    let brought = ["wifi_ssid", "wifi_password", "emoncms_url", "emoncms_key", "update_key"];
    assert_eq!(info["build_defaults"], serde_json::json!(brought));
    let text = plug.get("/api/v1/info");
    for value in ["Home", "secret", "5ec7", "5e5e"] {
        assert!(!text.text().contains(value), "{}", text.text());
    }
}

#[test]
fn without_a_radio_there_is_nothing_to_say_of_it() {
    let page = Plug::start(1.0).get("/api/v1/wifi").json();
    assert_eq!(page["available"], false);
    assert_eq!(page.as_object().unwrap().values().filter(|value| value.is_null()).count(), 11, "{page}");
}

#[test]
fn the_radio_is_told_with_what_to_do_about_it() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| inside.state.wifi.replace(Some(joined())));
    let page = plug.get("/api/v1/wifi").json();
    assert_eq!((&page["available"], &page["state"]), (&true.into(), &"joined".into()));
    assert_eq!((&page["address"], &page["gateway"]), (&"10.0.0.7".into(), &"10.0.0.1".into()));
    assert_eq!((&page["signal_dbm"], &page["last_error"]), (&(-61).into(), &serde_json::Value::Null));
    assert_eq!(page["access_point"]["address"], serde_json::Value::Null);
    assert!(plug.get("/metrics").text().contains("\nossp_wifi_signal_dbm -61.0\n"));
    // The longest there can be: names that need escapes, every field filled.
    plug.inside(|inside| {
        let ssid: plug::platform::Ssid = "\u{1}".repeat(32).as_str().try_into().unwrap();
        inside.state.wifi.replace(Some(WifiStatus {
            link: LinkState::Waiting,
            ssid: Some(ssid.clone()),
            last_error: Some(LinkError::OnlyWpa3),
            retry_at: Some(plug::platform::Instant::from_start(std::time::Duration::from_secs(1 << 40))),
            access_point_open: true,
            access_point_ssid: ssid,
            ..joined()
        }))
    });
    let page = plug.get("/api/v1/wifi").json();
    assert_eq!((&page["state"], &page["last_error"]), (&"waiting".into(), &"only_wpa3".into()));
    assert!(page["last_error_message"].as_str().unwrap().contains("allow WPA2"));
    assert!(page["retry_in_s"].as_f64().unwrap() > 1e12);
    assert_eq!(page["access_point"]["open"], true);
    assert_eq!(page["access_point"]["address"], "192.168.4.1");
    assert_eq!(page["ssid"].as_str().unwrap().len(), 32);
}

fn joined() -> WifiStatus {
    WifiStatus {
        link: LinkState::Joined,
        ssid: Some("home".try_into().unwrap()),
        signal_dbm: Some(-61),
        address: Some(Address {
            ip: [10, 0, 0, 7].into(),
            prefix: 24,
            gateway: Some([10, 0, 0, 1].into()),
            time_server: None,
        }),
        last_error: None,
        retry_at: None,
        access_point_open: false,
        access_point_ssid: "OSSP".try_into().unwrap(),
        access_point_clients: 0,
        networks: vec![("home".try_into().unwrap(), None)],
        test: None,
    }
}

#[test]
fn the_longest_reading_comes_whole_and_to_the_bit() {
    let plug = Plug::start(1.0);
    let early = plug.get("/api/v1/reading");
    assert_eq!((early.status, early.header("Retry-After")), (503, Some("1")));
    assert_eq!(early.code(), "nothing_measured_yet");
    assert_eq!(plug.get("/api/v1/harmonics").code(), "nothing_measured_yet");
    plug.measure(u64::MAX);
    let reading = plug.get("/api/v1/reading").json();
    assert_eq!(reading["voltage_v"].as_f64().map(f64::to_bits), Some(LONG.to_bits()));
    assert_eq!(reading["sequence"], u64::MAX);
    assert!(reading["displacement_power_factor"].is_null(), "not a number is null");
    assert_eq!(reading["quality"].as_array().unwrap().len(), metering::quality::Flag::ALL.len());
    let harmonics = plug.get("/api/v1/harmonics").json();
    assert_eq!((harmonics["sequence"].as_u64(), harmonics["max_order"].as_u64()), (Some(u64::MAX), Some(40)));
    assert_eq!(harmonics["orders"][39]["order"], 40);
    assert_eq!(harmonics["orders"][39]["current_phase_deg"], LONG);
}

#[test]
fn the_relay_is_switched_and_its_log_says_so() {
    let plug = Plug::start(1.0);
    assert_eq!(plug.get("/api/v1/relay").json()["on"], false);
    assert_eq!(plug.put_relay("{\"on\":true}").json()["on"], true);
    let status = plug.put_relay("{\"toggle\":true,\"for_s\":60}").json();
    assert_eq!(status["on"], false);
    assert!((59.0..=60.0).contains(&status["remaining_s"].as_f64().unwrap()), "{status}");
    for _ in 0..plug::limits::RELAY_LOG {
        assert_eq!(plug.put_relay("{\"toggle\":true}").status, 200);
    }
    let log = plug.get("/api/v1/relay/log").json();
    let times: Vec<_> = log["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["uptime_s"].as_f64().unwrap())
        .collect();
    assert_eq!(times.len(), plug::limits::RELAY_LOG);
    assert!(times.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {times:?}");
}

#[test]
fn a_locked_out_relay_stays_open() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| inside.locked_out.set(true));
    for body in ["{\"on\":true}", "{\"toggle\":true}"] {
        let refused = plug.put_relay(body);
        assert_eq!((refused.status, refused.code().as_str()), (409, "locked_out"), "{body}");
    }
    assert_eq!(plug.put_relay("{\"on\":false}").status, 200);
    assert_eq!(plug.put_relay("{\"rearm\":true}").json()["locked_out"], false);
    assert_eq!(plug.put_relay("{\"rearm\":true}").status, 200, "twice does no harm");
    assert_eq!(plug.put_relay("{\"on\":true}").json()["on"], true);
}

#[test]
fn relay_requests_are_checked_in_order() {
    let plug = Plug::start(1.0);
    let json = "Content-Type: application/json; charset=utf-8";
    let put = |headers: &[&str], body: &str| {
        let answer = plug.ask("PUT", "/api/v1/relay", headers, body);
        (answer.status, answer.code())
    };
    assert_eq!(put(&["Origin: http://evil.example"], "{}"), (403, "wrong_origin".into()));
    assert_eq!(put(&["Origin: null", json], "{\"on\":true}"), (403, "wrong_origin".into()));
    assert_eq!(put(&[], "{\"on\":true}"), (415, "not_json".into()));
    assert_eq!(put(&["Content-Type: text/plain"], "{\"on\":true}"), (415, "not_json".into()));
    assert_eq!(put(&[json], "{\"on\":tru}"), (400, "bad_json".into()));
    assert_eq!(put(&[json], ""), (400, "bad_json".into()));
    assert_eq!(put(&[json], "{\"on\":1}"), (422, "bad_field".into()));
    assert_eq!(put(&[json], "{\"of\":true}"), (422, "unknown_field".into()));
    assert_eq!(put(&[json], "{}"), (422, "one_wish".into()));
    assert_eq!(put(&[json], &" ".repeat(plug::limits::JSON_BODY + 1)), (413, "body_too_long".into()));
    let origin = format!("Origin: http://{}", plug.address);
    assert_eq!(plug.ask("PUT", "/api/v1/relay", &[&origin, json], "{\"on\":true}").status, 200);
    let named = plug.ask("PUT", "/api/v1/relay", &[json], "{\"on\":true,\"for_s\":0}").json();
    assert!(named["error"]["message"].as_str().unwrap().contains("for_s"), "{named}");
    let longest = format!("{{\"{}\":1}}", "\\\"".repeat(200));
    assert_eq!(put(&[json], &longest), (422, "unknown_field".into()));
}

#[test]
fn a_core_that_does_not_answer_is_not_waited_for() {
    let plug = Plug::start(4.0);
    plug.inside(|inside| inside.core_stalled.set(true));
    let relay = plug.put_relay("{\"on\":true}");
    assert_eq!((relay.status, relay.code().as_str()), (503, "core_busy"));
    let waveform = plug.get("/api/v1/waveform");
    assert_eq!((waveform.status, waveform.code().as_str()), (503, "core_busy"));
    assert_eq!(plug.get("/api/v1/waveform").code(), "capture_busy");
    plug.inside(|inside| inside.core_stalled.set(false));
    assert_eq!(
        plug.put_relay("{\"on\":false}").json()["on"],
        false,
        "late answers are not mistaken for new ones"
    );
    assert_eq!(plug.get("/api/v1/waveform").status, 200, "the buffer came back");
}

#[test]
fn a_waveform_is_a_recording() {
    let plug = Plug::start(1.0);
    let answer = plug.get("/api/v1/waveform?cycles=15");
    assert_eq!(answer.header("Content-Type"), Some("text/csv; charset=utf-8"));
    let text = answer.text();
    let header = |key: &str| {
        let start = format!("# {key}: ");
        let mut found = text.lines().filter_map(|line| line.strip_prefix(&start));
        let value = found.next().unwrap_or_else(|| panic!("{key} is missing"));
        assert!(found.next().is_none(), "{key} stands twice");
        value.to_owned()
    };
    let number = |key: &str| header(key).parse::<f64>().unwrap();
    let calibration = calibration();
    assert_eq!(header("source"), "simulated \"kettle\"");
    assert_eq!(number("sample_rate_hz"), 4000.0);
    assert_eq!(number("channel_skew_s"), 50e-6);
    assert_eq!(number("voltage_lsb_v"), calibration.voltage.gain);
    assert_eq!(number("current_lsb_a"), calibration.current.gain);
    assert_eq!(number("voltage_zero_raw"), calibration.voltage.zero_raw);
    assert_eq!(number("current_zero_raw"), calibration.current.zero_raw);
    assert_eq!(number("phase_deg"), calibration.phase.value());
    assert_eq!(number("current_noise_a"), 0.0123);
    assert_eq!(header("dc_coupled"), "false true");
    assert_eq!(number("voltage_raw_max"), 4095.0);
    assert_eq!(header("calibration_hash").len(), 16);
    let rows: Vec<_> = text.lines().skip_while(|line| line.starts_with('#')).collect();
    assert_eq!(rows[0], "voltage_raw,current_raw");
    assert_eq!(rows.len(), 1 + 15 * 80);
    for (index, row) in rows[1..].iter().enumerate() {
        let pair = pair(index as i32);
        assert_eq!(*row, format!("{},{}", pair.voltage, pair.current));
    }
    let four = plug.get("/api/v1/waveform");
    assert_eq!(four.text().lines().filter(|line| !line.starts_with('#')).count(), 1 + 4 * 80);
    assert_eq!(plug.get("/api/v1/waveform?cycles=16").code(), "too_many_cycles");
    assert_eq!(plug.get("/api/v1/waveform?cycles=many").code(), "bad_parameter");
    assert_eq!(plug.get("/api/v1/waveform?window=last").code(), "nothing_measured_yet");
    plug.measure(7);
    let last = plug.get("/api/v1/waveform?window=last");
    let line = last.text().lines().find_map(|line| line.strip_prefix("# reading: ")).unwrap();
    assert!(last.text().contains("\n# lost: 100 3\n# lost: 497 1\n"), "{}", last.text());
    let rows: Vec<_> = last.text().lines().skip_while(|line| line.starts_with('#')).skip(1).collect();
    assert_eq!(rows.len(), 962 - 4);
    assert_eq!(rows[100], format!("{},{}", pair(103).voltage, pair(103).current));
    let edge = 160.0 + 12_345.0 / f64::from(1 << 20);
    assert!(last.text().contains(&format!(
        "\n# window_first_edge: {edge}\n# window_last_edge: 960.5\n# window_cycles: 10\n"
    )));
    assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap(), plug.get("/api/v1/reading").json());
}

#[test]
fn metrics_are_in_the_text_format() {
    let plug = Plug::start(1.0);
    assert!(!plug.get("/metrics").text().contains("ossp_voltage_volts"), "nothing measured, nothing said");
    plug.measure(41);
    plug.inside(|inside| inside.state.wifi.replace(Some(joined())));
    let answer = plug.get("/metrics");
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    assert!(text.ends_with('\n'));
    let mut known = std::collections::HashSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(known.insert(rest.split(' ').next().unwrap()), "{line} stands twice");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(known.contains(name.split('{').next().unwrap()), "{line} has no type");
            assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
        }
    }
    assert!(text.contains("\nossp_energy_import_joules_total 5400.0\n"));
    assert!(text.contains("\nossp_windows_total 42.0\n"));
    assert!(text.contains("ossp_quality{flag=\"clipped\"} 1\n"));
    assert!(text.contains("source=\"simulated \\\"kettle\\\"\"} 1\n"));
    assert!(
        text.contains("\nossp_heap_free_bytes 40000.0\n") && text.contains("\nossp_starts_total 1234.0\n")
    );
    assert!(text.contains("\nossp_sampling_skew_seconds 0.00012525\n"));
    assert!(
        text.contains("\nossp_flash_erases_total 7.0\n")
            && text.contains("ossp_flash_lost_samples_total 3.0\n")
    );
    assert!(!text.contains("displacement"), "not a number is left out");
    assert!(!text.contains("voltage_dc"), "null is left out");
}

#[test]
fn head_and_wrong_methods_work_on_every_route() {
    let plug = Plug::start(1.0);
    plug.measure(1);
    plug.keep_everything();
    for route in ROUTES {
        let path = &route.path.replace("{number}", "1");
        if route.methods.allow("HEAD") {
            let head = plug.ask("HEAD", path, &[], "");
            // Without a radio nobody looks around.
            let status = if path == "/api/v1/wifi/scan" { 503 } else { 200 };
            assert_eq!(head.status, status, "{path}");
            if path != "/api/v1/events" {
                let get = plug.get(path);
                let names = ["Content-Type", "Content-Length", "ETag", "Cache-Control", "Content-Encoding"];
                // The length of what changes meanwhile may change too.
                let changes =
                    ["/api/v1/info", "/metrics", "/api/v1/relay", "/api/v1/time"].contains(&path.as_str());
                for name in names.into_iter().filter(|name| !changes || *name != "Content-Length") {
                    assert_eq!(head.header(name), get.header(name), "{path} {name}");
                }
                assert_eq!(get.status, status, "{path}");
            }
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"] {
            if route.methods.allow(method) {
                continue;
            }
            let answer = plug.ask(method, path, &[], "");
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (405, "method_not_allowed"),
                "{method} {path}"
            );
            assert_eq!(answer.header("Allow"), Some(route.methods.to_string().as_str()));
        }
    }
}

#[test]
fn every_answer_has_the_security_headers() {
    let plug = Plug::start(1.0);
    let mut answers: Vec<_> = ROUTES.iter().map(|route| plug.ask("HEAD", route.path, &[], "")).collect();
    answers.push(plug.get("/nothing"));
    answers.push(plug.get("/api/nothing"));
    let mut stream = plug.connect();
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    answers.push(read_response(&mut stream, false).unwrap());
    for answer in answers {
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
        assert!(answer.header("Content-Security-Policy").unwrap().starts_with("default-src 'none'; "));
        assert!(answer.header("Cache-Control").is_some());
        assert!(answer.header("Access-Control-Allow-Origin").is_none());
    }
}

#[test]
fn unknown_addresses_are_json_for_programs_and_a_page_for_people() {
    let plug = Plug::start(1.0);
    for path in ["/api", "/api/v1", "/api/v1/reading/", "/api/v1/info%20", "/api/v1//info"] {
        let answer = plug.get(path);
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
    for path in ["/index.php", "/../etc/passwd", "/apis", "*"] {
        let answer = plug.get(path);
        assert_eq!(
            (answer.status, answer.header("Content-Type")),
            (404, Some("text/html; charset=utf-8")),
            "{path}"
        );
    }
    let absolute = format!("http://{}/api/v1/info?x=1", plug.address);
    assert_eq!(plug.get(&absolute).status, 200, "the form that proxies send");
}

#[test]
fn pages_are_compressed_and_kept() {
    let plug = Plug::start(1.0);
    let page = plug.get("/");
    assert_eq!(page.header("Content-Encoding"), Some("gzip"));
    assert_eq!(page.header("Cache-Control"), Some("no-cache"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&page.body[..]), &mut text).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>") || text.starts_with("<!doctype html>"), "{text:.60}");
    let tag = page.header("ETag").unwrap();
    for header in
        [format!("If-None-Match: {tag}"), format!("If-None-Match: \"x\", W/{tag}"), "If-None-Match: *".into()]
    {
        let again = plug.ask("GET", "/", &[&header], "");
        assert_eq!((again.status, again.header("ETag")), (304, Some(tag)));
    }
    assert_eq!(plug.ask("GET", "/", &["If-None-Match: \"x\""], "").status, 200);
    let hashed = plug.get("/app.js?v=0123");
    assert_eq!(hashed.header("Cache-Control"), Some("public, max-age=31536000, immutable"));
}
