//! The relay's story, trips, energy, protection and the plug's own controls over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::{Read, Write};
use std::time::Duration;

use metering::units::{Amperes, Seconds, Volts, Watts};
use plug::core::Moment;
use plug::core::claims::{ClaimStatus, Class, DelayReason, Refusal, RelayStatus, Source, TripSeen, Until};
use plug::core::guard::{Alarm, AlarmKind, Guard, GuardState, RetryWaits};
use plug::core::schedule::{NextEdge, ScheduleState, ScheduleStatus};
use plug::limits;
use plug::state::Restarting;
use plug::storage::archive::Query;
use plug::storage::budget::WriteBudget;
use serde_json::{Value, json};
use web_support::{Kept, LONG, Plug, basis, pair, signed, status, stored, trip};

const LOG: &str = "/api/v1/relay/log";

fn numbers(page: &Value) -> Vec<u64> {
    page["changes"].as_array().unwrap().iter().map(|change| change["number"].as_u64().unwrap()).collect()
}

/// A log of so many changes in the flash.
fn with_log(changes: u32) -> Plug {
    let plug = Plug::start(1.0);
    plug.inside(move |inside| {
        let changes = (1..=changes).rev().map(stored).collect();
        inside.kept.replace(Some(Kept { changes, ..Kept::default() }));
    });
    plug
}

#[test]
fn the_log_comes_from_the_flash_page_by_page() {
    let plug = with_log(60);
    // The longest changes there can be: an answer is full before it has all that was asked for.
    let (mut all, mut skip) = (Vec::new(), 0);
    let mut pages = 0;
    loop {
        let answer = plug.get(&format!("{LOG}?take=48&skip={skip}"));
        assert!(answer.body.len() <= 8192 && answer.status == 200);
        let page = answer.json();
        all.extend(numbers(&page));
        pages += 1;
        match page["next_skip"].as_u64() {
            Some(next) => skip = next,
            None => break,
        }
    }
    assert_eq!(all, (1..=60).rev().collect::<Vec<_>>());
    assert!((4..=6).contains(&pages), "{pages}");
    let first = &plug.get(LOG).json()["changes"][0];
    assert_eq!((&first["source"], &first["class"]), (&"protection".into(), &"protection".into()));
    assert_eq!(first["voltage_v"].as_f64().map(f64::to_bits), Some(LONG.to_bits()));
}

#[test]
fn short_changes_come_24_at_once_and_48_if_asked() {
    let plug = with_log(60);
    plug.inside(|inside| {
        for change in &mut inside.kept.borrow_mut().as_mut().unwrap().changes {
            change.cause = "x".try_into().unwrap();
            (change.time, change.uptime_s) = (None, 1.5);
            (change.active_power_w, change.current_a, change.voltage_v) = (None, None, None);
        }
    });
    let page = plug.get(LOG).json();
    assert_eq!((page["changes"].as_array().unwrap().len(), &page["next_skip"]), (24, &json!(24)));
    let asked = plug.inside(|inside| inside.asked.take());
    assert_eq!(asked, [Query::Changes { skip: 0 }, Query::Changes { skip: 12 }]);
    let few = plug.get(&format!("{LOG}?take=2&skip=57")).json();
    assert_eq!((numbers(&few), &few["next_skip"]), (vec![3, 2], &json!(59)));
    let last = plug.get(&format!("{LOG}?take=2&skip=59")).json();
    assert_eq!((numbers(&last), &last["next_skip"]), (vec![1], &Value::Null));
    let behind = plug.get(&format!("{LOG}?skip=60")).json();
    assert_eq!((numbers(&behind), &behind["next_skip"]), (vec![], &Value::Null));
    let most = plug.get(&format!("{LOG}?take=48")).json();
    assert!(numbers(&most).len() > 30, "{}", numbers(&most).len());
    for wrong in ["take=49", "take=0", "take=x", "skip=-1", "skip="] {
        let answer = plug.get(&format!("{LOG}?{wrong}"));
        assert_eq!((answer.status, answer.code().as_str()), (422, "bad_parameter"), "{wrong}");
    }
}

#[test]
fn without_the_flash_the_log_is_that_of_memory() {
    let plug = Plug::start(1.0);
    assert_eq!(plug.get(LOG).json(), json!({"changes": [], "next_skip": null}));
    for _ in 0..5 {
        assert_eq!(plug.put_relay("{\"toggle\":true}").status, 200);
    }
    let page = plug.get(&format!("{LOG}?take=2")).json();
    assert_eq!((page["changes"].as_array().unwrap().len(), &page["next_skip"]), (2, &json!(2)));
    let rest = plug.get(&format!("{LOG}?skip=2")).json();
    assert_eq!((rest["changes"].as_array().unwrap().len(), &rest["next_skip"]), (3, &Value::Null));
}

#[test]
fn a_flash_that_does_not_answer_is_not_waited_for_for_ever() {
    let plug = Plug::start(20.0);
    plug.keep_everything();
    plug.measure(1);
    plug.put_relay("{\"on\":true}");
    plug.inside(|inside| inside.flash.silent.set(true));
    assert_eq!(plug.get(LOG).json()["changes"].as_array().unwrap().len(), 1);
    for path in ["/api/v1/trips", "/api/v1/trips/1/waveform"] {
        let answer = plug.get(path);
        assert_eq!((answer.status, answer.code().as_str()), (503, "flash_silent"), "{path}");
        assert_eq!(answer.header("Retry-After"), Some("1"));
    }
    let energy = plug.get("/api/v1/energy").json();
    assert_eq!((&energy["kept"], &energy["days"]), (&json!(false), &json!([])));
    plug.inside(|inside| inside.flash.silent.set(false));
    assert_eq!(plug.get("/api/v1/trips").status, 200);
}

#[test]
fn trips_are_listed_newest_first() {
    let plug = Plug::start(1.0);
    assert_eq!(plug.get("/api/v1/trips").code(), "flash_silent");
    plug.inside(|inside| inside.kept.replace(Some(Kept::default())));
    assert_eq!(plug.get("/api/v1/trips").json(), json!({"trips": []}));
    plug.keep_everything();
    let page = plug.get("/api/v1/trips").json();
    assert_eq!(page["trips"].as_array().unwrap().len(), 2);
    assert_eq!(
        page["trips"][0],
        json!({
            "number": 2, "time": 1_795_000_000.25, "uptime_s": 12.5, "start": 1233, "kind": "over_current",
            "cause": "over-current: 29.4 A in a half cycle, 16.0 A allowed", "current_a": 29.4,
            "pairs": 2000, "before_s": 0.2, "after_s": 0.3, "complete": true
        })
    );
    assert_eq!((&page["trips"][1]["before_s"], &page["trips"][1]["after_s"]), (&json!(0.025), &json!(0.0)));
    plug.inside(|inside| {
        let longest = |number| {
            let (mut trip, pairs) = trip(number, 2048);
            trip.head.cause = "x".repeat(96).as_str().try_into().unwrap();
            trip.head.kind = "x".repeat(24).as_str().try_into().unwrap();
            (trip.head.time, trip.head.uptime_s, trip.head.current_a) = (Some(LONG), LONG, Some(LONG));
            trip.head.start = u32::MAX;
            trip.head.front_end.sample_rate.0 = 1.0 / 3.0e-4;
            trip.tail = None;
            (trip, pairs)
        };
        let trips = (0..4).map(|back| longest(u32::MAX - back)).collect();
        inside.kept.replace(Some(Kept { trips, ..Kept::default() }));
    });
    assert_eq!(plug.get("/api/v1/trips").json()["trips"].as_array().unwrap().len(), 4);
}

#[test]
fn a_trip_is_a_recording() {
    let plug = Plug::start(1.0);
    plug.keep_everything();
    let answer = plug.get("/api/v1/trips/2/waveform");
    assert_eq!(answer.header("Content-Type"), Some("text/csv; charset=utf-8"));
    let text = answer.text();
    let (header, rows): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('#'));
    for line in [
        "# source: simulated \"kettle\"",
        "# sample_rate_hz: 4000.0",
        "# voltage_raw_max: 4095",
        "# current_noise_a: 0.0123",
        "# trip_number: 2",
        "# trip_kind: over_current",
        "# trip_cause: over-current: 29.4 A in a half cycle, 16.0 A allowed",
        "# trip_time: 1795000000.25",
        "# trip_index: 800",
        "# trip_relay_index: 801",
        "# trip_complete: true",
        "# lost: 64 32",
        "# lost: 468 1",
    ] {
        assert!(header.contains(&line), "{line} is missing in {header:?}");
    }
    assert_eq!(rows[0], "voltage_raw,current_raw");
    let there = (0..2000).filter(|index| !(64..96).contains(index) && *index != 500).map(pair);
    let expected: Vec<_> = there.map(|pair| format!("{},{}", pair.voltage, pair.current)).collect();
    assert_eq!(rows[1..], expected);
    let head = plug.ask("HEAD", "/api/v1/trips/2/waveform", &[], "");
    assert_eq!(head.header("Content-Length"), Some(answer.body.len().to_string().as_str()));
    // Pairs come out of the flash in small pieces.
    let asked = plug.inside(|inside| inside.asked.take());
    assert!(asked.len() > 100, "{}", asked.len());
    for path in ["/api/v1/trips/3/waveform", "/api/v1/trips/0/waveform", "/api/v1/trips/x/waveform"] {
        let answer = plug.get(path);
        assert_eq!((answer.status, answer.code().as_str()), (404, "no_such_trip"), "{path}");
    }
    assert_eq!(plug.get("/api/v1/trips/2").code(), "not_found");
}

#[test]
fn a_trip_that_goes_while_it_is_sent_ends_the_connection() {
    let plug = Plug::start(20.0);
    plug.keep_everything();
    let mut stream = plug.connect();
    stream.write_all(&signed("GET /api/v1/trips/2/waveform HTTP/1.1\r\n\r\n")).unwrap();
    let mut text = vec![0; 4000];
    stream.read_exact(&mut text).unwrap();
    plug.inside(|inside| inside.kept.replace(None));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let text = String::from_utf8([text, rest].concat()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert!(body.len() < length.parse().unwrap(), "it is told to be {length} and has {}", body.len());
    // The worker goes on.
    assert_eq!(plug.get("/api/v1/trips/2/waveform").code(), "flash_silent");
}

#[test]
fn energy_has_totals_days_and_months() {
    let plug = Plug::start(1.0);
    assert_eq!(plug.get("/api/v1/energy").code(), "nothing_measured_yet");
    plug.measure(1);
    let bare = plug.get("/api/v1/energy").json();
    assert_eq!((&bare["kept"], &bare["today"], &bare["months"]), (&json!(false), &Value::Null, &json!([])));
    assert_eq!((&bare["energy_import_wh"], &bare["meter_id"]), (&json!(1.5), &Value::Null));
    plug.keep_everything();
    let energy = plug.get("/api/v1/energy").json();
    assert_eq!(energy["kept"], true);
    let (days, months) = (energy["days"].as_array().unwrap(), energy["months"].as_array().unwrap());
    assert_eq!((days.len(), months.len()), (31, 14));
    assert_eq!((&days[0]["date"], &days[1]["date"]), (&json!("2026-11-18"), &json!("2026-11-17")));
    assert_eq!((&months[0]["month"], &months[1]["month"]), (&json!("2026-11"), &json!("2026-10")));
    assert_eq!(energy["today"], days[0]);
    assert_eq!(days[0]["import_wh"], (u64::MAX / 3) as f64 / 1e9);
    let most = plug.get("/api/v1/energy?days=62&months=0").json();
    assert_eq!((most["days"].as_array().unwrap().len(), &most["months"]), (40, &json!([])));
    assert_eq!(plug.get("/api/v1/energy?days=63").code(), "bad_parameter");
    // Where it is another day already.
    assert_eq!(plug.patch_settings(&[], "{\"time\":{\"posix\":\"ABC-14\"}}").status, 200);
    assert_eq!(plug.get("/api/v1/energy").json()["today"], Value::Null);
}

#[test]
fn protection_is_told_at_its_longest() {
    let plug = Plug::start(1.0);
    assert_eq!(plug.get("/api/v1/protection").code(), "nothing_measured_yet");
    plug.inside(|inside| {
        let cause: plug::core::claims::Cause = "x".repeat(96).as_str().try_into().unwrap();
        let mut status = Guard::new(basis().hardware).status(Moment::default());
        status.state = GuardState::WaitingToRetry;
        status.cause = Some(cause.clone());
        status.retry_waits_for = Some(RetryWaits::Condition);
        status.alarm =
            Some(Alarm { kind: AlarmKind::StuckSensor, cause, since: Some(LONG), since_uptime_s: LONG });
        let limits = &mut status.limits;
        limits.current_limit = Amperes(LONG);
        limits.rated_current = Some(Amperes(LONG));
        limits.power_limit = Some(Watts(LONG));
        limits.power_hold = Seconds(LONG);
        (limits.voltage_max, limits.voltage_min) = (Some(Volts(LONG)), Some(Volts(LONG)));
        (limits.voltage_hysteresis, limits.voltage_hold) = (Volts(LONG), Seconds(LONG));
        (limits.energy_budget_wh, limits.chip_temperature_max_c) = (Some(LONG), Some(LONG));
        (limits.clipped, limits.sensor_fault, limits.retries) = (false, false, u8::MAX);
        (limits.retry_pause, limits.retry_back_off) = (Seconds(LONG), LONG);
        let margins = &mut status.margins;
        (margins.current_a, margins.power_w, margins.energy_wh) = (Some(LONG), Some(LONG), Some(LONG));
        (margins.voltage_max_v, margins.voltage_min_v) = (Some(LONG), Some(LONG));
        margins.chip_temperature_k = Some(LONG);
        (status.retry_in_s, status.retries_left) = (Some(LONG), u8::MAX);
        (status.thermal_pct, status.thermal_trip_in_s) = (Some(LONG), Some(LONG));
        (status.over_power_s, status.over_voltage_s, status.under_voltage_s) =
            (Some(LONG), Some(LONG), Some(LONG));
        status.chip_temperature_c = Some(LONG);
        (status.budget.used_wh, status.budget.of_wh) = (LONG, Some(LONG));
        (status.budget.since, status.budget.since_uptime_s) = (Some(LONG), LONG);
        inside.state.put_protection(status);
    });
    let page = plug.get("/api/v1/protection").json();
    assert_eq!((&page["state"], &page["budget"]["of_wh"]), (&json!("waiting_to_retry"), &json!(LONG)));
}

/// A relay that has something in every field, as long as it can be: numbers of the next centuries, and each claim with
/// the longest sentence of its kind.
fn longest() -> RelayStatus {
    let long: plug::core::claims::Cause = "x".repeat(96).as_str().try_into().unwrap();
    let (time, uptime) = (19_795_392_600.439_267, 987_654_321.123_456);
    let claim = |class, source, cause: &str| ClaimStatus {
        class,
        source,
        on: false,
        cause: cause.try_into().unwrap(),
        since: Some(time),
        since_uptime_s: uptime,
        ends_in_s: Some(uptime),
        until: Some(Until::Released),
        holds: false,
    };
    let by_hand = "switched off by hand for 604800.0 s (inching)";
    RelayStatus {
        on: false,
        measured: Some(false),
        commanded_by: Source::Protection,
        reason: long.clone(),
        since: Some(time),
        since_uptime_s: uptime,
        remaining_s: Some(uptime),
        switch_count: u32::MAX,
        claims: [
            claim(Class::Protection, Source::Protection, &long),
            claim(Class::Manual, Source::Button, by_hand),
            claim(Class::Timer, Source::Button, by_hand),
            claim(Class::Schedule, Source::Schedule, &long),
            claim(Class::PowerOn, Source::PowerOn, "off after power-up, nobody has switched it yet"),
        ]
        .into_iter()
        .collect(),
        delayed_s: Some(uptime),
        delay_reason: Some(DelayReason::MinimumOff),
        trip: Some(TripSeen {
            number: u32::MAX,
            kind: "over_temperature",
            cause: long.clone(),
            time: Some(time),
            uptime_s: uptime,
        }),
        retry_in_s: Some(uptime),
        retries_left: u8::MAX,
        alarm: Some(Alarm {
            kind: AlarmKind::StuckSensor,
            cause: long.clone(),
            since: Some(time),
            since_uptime_s: uptime,
        }),
        schedule: ScheduleStatus {
            state: ScheduleState::ClockUntrusted,
            reason: long,
            next: Some(NextEdge { time, on: false, entry: 15 }),
        },
        ..status(false, 0)
    }
}

/// Reads a live stream until `count` relay events came, and gives them.
fn relay_events(stream: &mut std::net::TcpStream, count: usize) -> Vec<Value> {
    let (mut text, mut piece) = (String::new(), [0; 512]);
    loop {
        let events: Vec<_> = text.split("\n\n").collect();
        let relay = events[..events.len() - 1].iter().filter_map(|event| {
            let data = event.split_once("event: relay\ndata: ")?.1;
            Some(serde_json::from_str(data).unwrap())
        });
        let relay: Vec<Value> = relay.collect();
        if relay.len() >= count {
            return relay;
        }
        let length = stream.read(&mut piece).expect("more events");
        assert!(length > 0, "the stream ended");
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
}

#[test]
fn the_longest_relay_is_told_whole_also_live() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| inside.state.put_relay(longest()));
    let page = plug.get("/api/v1/relay");
    assert_eq!((page.status, page.json()["claims"].as_array().unwrap().len()), (200, 5));
    assert!(page.body.len() > 2000, "{}", page.body.len());
    let mut stream = plug.connect();
    stream.write_all(&signed("GET /api/v1/events HTTP/1.1\r\n\r\n")).unwrap();
    assert_eq!(relay_events(&mut stream, 1)[0], page.json());
}

/// Four open pages leave the room for the longest answers to everybody else.
#[test]
fn live_streams_do_not_take_the_room_of_answers() {
    let plug = Plug::start(1.0);
    plug.keep_everything();
    plug.measure(1);
    let mut streams: Vec<_> = (0..limits::EVENT_STREAMS).map(|_| plug.connect()).collect();
    for stream in &mut streams {
        stream.write_all(&signed("GET /api/v1/events HTTP/1.1\r\n\r\n")).unwrap();
        relay_events(stream, 1);
    }
    for path in ["/api/v1/harmonics", "/metrics", LOG, "/api/v1/energy", "/api/v1/trips/2/waveform"] {
        assert_eq!(plug.get(path).status, 200, "{path}");
    }
    plug.inside(|inside| inside.state.put_relay(longest()));
    for stream in &mut streams {
        relay_events(stream, 1);
    }
}

#[test]
fn what_runs_down_is_no_news_and_whatever_else_changes_is() {
    let plug = Plug::start(1.0);
    let mut stream = plug.connect();
    stream.write_all(&signed("GET /api/v1/events HTTP/1.1\r\n\r\n")).unwrap();
    relay_events(&mut stream, 1);
    plug.inside(|inside| inside.state.put_relay(longest()));
    relay_events(&mut stream, 1);
    type Change = fn(&mut RelayStatus);
    let changes: [Change; 10] = [
        |status| status.claims[1].holds = true,
        |status| status.claims[1].since_uptime_s += 1.0,
        |status| drop(status.claims.pop()),
        |status| status.delay_reason = None,
        |status| status.trip.as_mut().unwrap().number = 7,
        |status| status.retries_left = 1,
        |status| status.retry_in_s = None,
        |status| status.alarm = None,
        |status| status.schedule.next.as_mut().unwrap().time += 60.0,
        |status| status.schedule.state = ScheduleState::Running,
    ];
    for change in changes {
        plug.inside(move |inside| {
            let mut next = inside.state.relay.borrow().clone();
            // The seconds alone.
            for _ in 0..3 {
                for seconds in [&mut next.remaining_s, &mut next.delayed_s, &mut next.retry_in_s] {
                    *seconds = seconds.map(|seconds| seconds - 1.0);
                }
                next.claims.iter_mut().for_each(|claim| {
                    claim.ends_in_s = claim.ends_in_s.map(|seconds| seconds - 1.0);
                });
                inside.state.put_relay(next.clone());
            }
        });
        // A stream that took the seconds for news would have written them by now.
        std::thread::sleep(Duration::from_millis(20));
        let expected = plug.inside(move |inside| {
            let mut next = inside.state.relay.borrow().clone();
            change(&mut next);
            inside.state.put_relay(next.clone());
            serde_json::to_value(next).unwrap()
        });
        let came = relay_events(&mut stream, 1);
        assert_eq!((came.len(), &came[0]), (1, &expected));
    }
}

#[test]
fn too_soon_says_how_long_it_takes() {
    let plug = Plug::start(1.0);
    let refusal = Refusal::TooSoon { wait: Duration::from_millis(12_300), why: DelayReason::MinimumOff };
    plug.inside(move |inside| inside.refusal.set(Some(refusal)));
    let answer = plug.put_relay("{\"on\":true}");
    assert_eq!((answer.status, answer.code().as_str()), (409, "too_soon"));
    assert_eq!((answer.header("Retry-After"), &answer.json()["error"]["wait_s"]), (Some("13"), &json!(12.3)));
    assert!(answer.text().contains("12.3 s"), "{}", answer.text());
    assert_eq!(plug.put_relay("{\"release\":true}").status, 200);
}

#[test]
fn a_restart_and_a_reset_are_asked_for() {
    let plug = Plug::start(1.0);
    let asked = |plug: &Plug| plug.inside(|inside| inside.state.restart.try_take());
    let answer = plug.post("/api/v1/restart", "{}");
    assert_eq!((answer.status, answer.json()), (202, json!({"restarting": true})));
    assert_eq!(asked(&plug), Some(Restarting::Plain));
    for body in ["{}", "{\"confirm\":\"yes\"}"] {
        let answer = plug.post("/api/v1/reset", body);
        assert_eq!((answer.status, answer.code().as_str()), (422, "bad_field"), "{body}");
    }
    assert_eq!(asked(&plug), None);
    let reset = "{\"confirm\":\"factory reset\"}";
    assert_eq!(plug.post("/api/v1/reset", reset).status, 202);
    assert_eq!(asked(&plug), Some(Restarting::FactoryReset));
    for path in ["/api/v1/restart", "/api/v1/reset", "/api/v1/identify"] {
        let json = "Content-Type: application/json";
        assert_eq!(plug.ask("POST", path, &["Origin: http://evil.example", json], reset).status, 403);
        assert_eq!(plug.ask("POST", path, &["Content-Type: text/plain"], "{}").status, 415);
        assert_eq!(plug.ask("POST", path, &[json], "").code(), "bad_json");
        let get = plug.get(path);
        assert_eq!((get.status, get.header("Allow")), (405, Some("POST")));
    }
    assert_eq!(asked(&plug), None);
}

#[test]
fn identify_lets_the_light_blink() {
    let plug = Plug::start(1.0);
    assert_eq!(plug.get("/api/v1/info").json()["led"], json!({"lit": false, "identifying": false}));
    assert_eq!(plug.post("/api/v1/identify", "{}").json(), json!({"identifying_s": 30.0}));
    assert_eq!(plug.get("/api/v1/info").json()["led"]["identifying"], true);
}

#[test]
fn info_has_the_name_the_flash_and_the_front() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| inside.state.journal_writes.set(u32::MAX));
    let name = "\"".repeat(32);
    let body = json!({"device": {"name": name, "button_locked": true}}).to_string();
    assert_eq!(plug.patch_settings(&[], &body).status, 200);
    let info = plug.get("/api/v1/info").json();
    assert_eq!((&info["name"], &info["button"]), (&json!(name), &json!({"locked": true})));
    assert_eq!((&info["meter_id"], &info["bad_starts_in_a_row"]), (&Value::Null, &json!(0)));
    let journal = &info["storage"]["journal"];
    assert_eq!(journal["rated"], serde_json::to_value(WriteBudget::journal_rated()).unwrap());
    assert_eq!(journal["writes_since_start"], u32::MAX);
    assert!(journal["idle"]["life_years_10k"].as_f64().unwrap() > 10.0);
}

#[test]
fn metrics_tell_alarm_and_trips() {
    let plug = Plug::start(1.0);
    let quiet = plug.get("/metrics");
    assert!(quiet.text().contains("\nossp_relay_alarm 0.0\n") && !quiet.text().contains("ossp_trips_total"));
    plug.keep_everything();
    plug.measure(1);
    plug.inside(|inside| {
        inside.state.put_relay(longest());
        inside.state.journal_writes.set(u32::MAX);
    });
    let text = plug.get("/metrics");
    for line in ["ossp_relay_alarm 1.0", "ossp_trips_total 4294967295.0", "ossp_protection_thermal_ratio 0.0"]
    {
        assert!(text.text().contains(&format!("\n{line}\n")), "{line}");
    }
    const { assert!(limits::RELAY_LOG <= 8, "memory is scarce") };
}
