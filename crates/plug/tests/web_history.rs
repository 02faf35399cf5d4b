//! The history over the web: steps, gaps, JSON and CSV, starts without a time, wrong questions, long answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::{Read, Write};

use metering::energy::Energy;
use plug::history::Row;
use plug::limits;
use plug::storage::archive::Query;
use serde_json::{Value, json};
use web_support::history::{row, rows};
use web_support::{Kept, Plug, READ, bearer, chunks, signed, until};

/// The test's clock says this, and a half.
const NOW: u32 = 1_795_000_000;

fn keep(plug: &Plug, history: Vec<Row>) {
    plug.inside(move |inside| {
        inside.kept.replace(Some(Kept { history, ..Kept::default() }));
    });
}

fn ask(plug: &Plug, query: &str) -> Value {
    let answer = plug.get(&format!("/api/v1/history{query}"));
    assert_eq!(answer.status, 200, "{query}");
    answer.json()
}

/// One column of the rows.
fn column(page: &Value, name: &str) -> Vec<Value> {
    let at = page["columns"].as_array().unwrap().iter().position(|column| column == name).unwrap();
    page["rows"].as_array().unwrap().iter().map(|row| row[at].clone()).collect()
}

#[test]
fn a_row_says_what_was_kept() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 20, 2));
    let page = ask(&plug, &format!("?start={}&end={NOW}&step=10", NOW - 20));
    let columns = [
        "time",
        "active_power_w",
        "power_min_w",
        "power_max_w",
        "voltage_v",
        "current_a",
        "power_factor",
        "frequency_hz",
        "energy_import_wh",
        "energy_export_wh",
        "measured",
        "relay",
        "interval_s",
        "quality",
    ];
    let row = |time: u32, wh: u32, quality: &str| {
        json!([time, 100, 90, 110, 230.5, 0.5, 0.9, 50.01, wh, 0.5, 1, true, 10, quality])
    };
    assert_eq!(
        page,
        json!({
            "step_s": 10,
            "columns": columns,
            "rows": [row(NOW - 10, 999_990, "clipped relay_changed"), row(NOW, 0, "")],
            "unplaced": [{"boot": 3, "from_uptime_s": 2.3, "to_uptime_s": 22.3, "rows": 2}],
        })
    );
}

#[test]
fn csv_has_the_same_numbers() {
    let plug = Plug::start(1.0);
    let mut history = rows(NOW - 40, 4);
    history.remove(1);
    history[1].frequency_hz = None;
    keep(&plug, history);
    let query = format!("?start={}&end={NOW}&step=10", NOW - 40);
    let answer = plug.get(&format!("/api/v1/history{query}&format=csv"));
    assert_eq!(answer.header("Content-Type"), Some("text/csv; charset=utf-8"));
    let text = String::from_utf8(answer.body).unwrap();
    let page = ask(&plug, &query);
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap().split(',').map(Value::from).collect();
    assert_eq!(Value::from(names), page["columns"]);
    let told: Vec<Vec<String>> = lines.map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let wanted: Vec<Vec<String>> = page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let cell = |cell: &Value| match cell {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            row.as_array().unwrap().iter().map(cell).collect()
        })
        .collect();
    assert_eq!(told.len(), 4);
    assert_eq!(told, wanted);
}

#[test]
fn steps_without_a_row_are_nulls() {
    let plug = Plug::start(1.0);
    let mut history = rows(NOW - 100, 10);
    history.drain(3..6);
    keep(&plug, history);
    let page = ask(&plug, &format!("?start={}&end={NOW}&step=10", NOW - 100));
    let times: Vec<_> = (1..=10).map(|number| Value::from(NOW - 100 + 10 * number)).collect();
    assert_eq!(column(&page, "time"), times);
    for name in page["columns"].as_array().unwrap().iter().skip(1) {
        let empty: Vec<_> = column(&page, name.as_str().unwrap()).iter().map(Value::is_null).collect();
        let wanted: Vec<_> = (0..10).map(|number| (3..6).contains(&number)).collect();
        assert_eq!(empty, wanted, "{name}");
    }
}

#[test]
fn a_step_is_a_mean_with_extremes_and_the_last_counters() {
    let plug = Plug::start(1.0);
    let mut history: Vec<_> = (1..=12).map(|number| row(NOW - 120 + 10 * number)).collect();
    for (number, row) in history.iter_mut().enumerate() {
        let number = number as u32;
        row.active_power_w = f64::from(number) * 10.0;
        row.power_min_w = row.active_power_w - 1.5;
        row.power_max_w = row.active_power_w + 2.25;
        row.import = Energy(1_000_000_000 * u64::from(number));
    }
    keep(&plug, history);
    let page = ask(&plug, &format!("?start={}&end={NOW}&step=40", NOW - 120));
    assert_eq!(page["step_s"], 40);
    // NOW is a multiple of 40.
    assert_eq!(column(&page, "time"), [NOW - 80, NOW - 40, NOW].map(Value::from));
    let means = [15.0, 55.0, 95.0].map(|mean: f64| json!(mean as i64));
    assert_eq!(column(&page, "active_power_w"), means);
    assert_eq!(column(&page, "power_min_w"), [json!(-1.5), json!(38.5), json!(78.5)]);
    assert_eq!(column(&page, "power_max_w"), [json!(32.25), json!(72.25), json!(112.25)]);
    assert_eq!(column(&page, "energy_import_wh"), [json!(3), json!(7), json!(11)]);
}

#[test]
fn what_is_measured_of_a_step_is_told() {
    let plug = Plug::start(1.0);
    let mut history = rows(NOW - 40, 4);
    history.remove(1);
    history[0].measured = 0.5;
    keep(&plug, history);
    let page = ask(&plug, &format!("?start={}&end={NOW}&step=40", NOW - 40));
    assert_eq!(column(&page, "measured"), [json!(0.625)]);
}

#[test]
fn longer_rows_stay_as_they_are_and_are_no_gaps() {
    let plug = Plug::start(1.0);
    let mut history = vec![Row { interval_s: 300, ..row(NOW - 400) }];
    history.extend(rows(NOW - 50, 5));
    keep(&plug, history);
    let page = ask(&plug, &format!("?start={}&end={NOW}&step=50", NOW - 700));
    let times = column(&page, "time");
    let interval = column(&page, "interval_s");
    let told: Vec<_> = times
        .iter()
        .zip(&interval)
        .map(|(time, interval)| (NOW - time.as_u64().unwrap() as u32, interval.as_u64()))
        .collect();
    let gaps = [350, 300, 250, 200, 150, 100, 50].map(|back| (back, None));
    let mut wanted = vec![(400, Some(300))];
    wanted.extend(gaps);
    wanted.push((0, Some(50)));
    assert_eq!(told, wanted);
}

#[test]
fn nothing_is_told_before_the_first_row_nor_of_the_future() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 60, 3));
    let page = ask(&plug, "?start=0&end=4294967295&step=10");
    let times = [50, 40, 30, 20, 10, 0].map(|back| Value::from(NOW - back));
    assert_eq!(column(&page, "time"), times);
    assert_eq!(column(&page, "active_power_w").iter().filter(|power| power.is_null()).count(), 3);
    keep(&plug, Vec::new());
    assert_eq!(ask(&plug, "?start=0")["rows"], json!([]));
}

#[test]
fn the_last_hour_is_told_in_a_good_picture() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 7200, 720));
    let hour = ask(&plug, "");
    assert_eq!(hour["step_s"], 10);
    let times = column(&hour, "time");
    assert_eq!((times.len(), &times[0], &times[359]), (360, &(NOW - 3590).into(), &NOW.into()));
    for (span, step) in [(5_000, 10), (5_001, 20), (86_400, 180), (604_800, 1500), (31_536_000, 63_300)] {
        keep(&plug, vec![row(NOW - span + 10), row(NOW)]);
        let page = ask(&plug, &format!("?start={}", NOW - span));
        assert_eq!(page["step_s"], step, "{span}");
        assert!(page["rows"].as_array().unwrap().len() <= 502);
    }
    plug.inside(|inside| inside.state.settings.borrow_mut().history.interval_s = 7);
    assert_eq!(ask(&plug, &format!("?start={}", NOW - 7200))["step_s"], 21);
}

#[test]
fn steps_of_five_minutes_and_long_ones_need_only_the_means() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 7200, 720));
    for (step, wanted) in
        [(10, false), (290, false), (300, true), (301, false), (900, true), (2999, false), (3001, true)]
    {
        plug.inside(|inside| inside.asked.borrow_mut().clear());
        ask(&plug, &format!("?step={step}"));
        let asked = plug.inside(|inside| inside.asked.borrow().clone());
        let coarse: Vec<_> = asked
            .iter()
            .filter_map(|query| match query {
                Query::History { coarse, .. } => Some(*coarse),
                _ => None,
            })
            .collect();
        assert!(!coarse.is_empty() && coarse.iter().all(|coarse| *coarse == wanted), "{step}: {coarse:?}");
    }
}

#[test]
fn a_start_without_the_time_has_its_own_rows() {
    let plug = Plug::start(1.0);
    let mut history = rows(NOW - 20, 2);
    history.push(Row { boot: 3, uptime_s: 52.3, time: None, ..row(0) });
    keep(&plug, history);
    let page = ask(&plug, "?boot=3&step=10");
    assert_eq!(page["columns"][0], "uptime_s");
    assert_eq!(page.get("unplaced"), None);
    // Windows of this start are counted from its start.
    let told: Vec<_> = column(&page, "uptime_s").into_iter().zip(column(&page, "active_power_w")).collect();
    let number = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    assert_eq!(
        told,
        [
            (number("12.3"), json!(100)),
            (number("22.3"), json!(100)),
            (json!(30), Value::Null),
            (json!(40), Value::Null),
            (number("52.3"), json!(100)),
        ]
    );
    assert_eq!(plug.get("/api/v1/history?boot=4").status, 422);
}

#[test]
fn wrong_questions_are_answered_with_what_is_wanted() {
    let plug = Plug::start(1.0);
    keep(&plug, vec![row(1_000_000_000), row(NOW)]);
    for (query, words) in [
        ("start=x", "The parameter start must be a number of seconds"),
        ("start=-1", "The parameter start must be a number of seconds"),
        ("end=4294967296", "The parameter end must be a number of seconds"),
        ("end=1e99", "The parameter end must be a number of seconds"),
        ("start=200&end=100", "The parameter start must be earlier than end"),
        ("start=100&end=100", "The parameter start must be earlier than end"),
        ("step=0", "The parameter step must be whole seconds"),
        ("step=9", "The parameter step must be whole seconds, not less than history.interval_s"),
        ("step=1.5", "The parameter step must be whole seconds"),
        ("step=99999999999", "The parameter step must be whole seconds"),
        ("format=xml", "The parameter format must be json or csv"),
        ("boot=me", "The parameter boot must be the number of a start"),
        ("start=0&step=10", "The parameter step must be longer for so long a span"),
    ] {
        let answer = plug.get(&format!("/api/v1/history?{query}"));
        assert_eq!((answer.status, answer.code().as_str()), (422, "bad_parameter"), "{query}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(words), "{query}: {message}");
    }
    assert_eq!(ask(&plug, "?start=1794999990.5&end=1795000000&step=10")["rows"].as_array().unwrap().len(), 1);
    plug.inside(|inside| inside.kept.replace(None));
    assert_eq!(plug.get("/api/v1/history").code(), "flash_silent");
}

#[test]
fn reading_it_takes_the_right_to_read() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 20, 2));
    plug.inside(|inside| {
        inside.state.settings.borrow_mut().access.reading = plug::settings::schema::Reading::Open
    });
    assert_eq!(plug.ask_plainly("GET", "/api/v1/history", &[], "").status, 401);
    assert_eq!(plug.ask_plainly("GET", "/api/v1/history", &[&bearer(READ)], "").status, 200);
}

/// Three days at 10 s.
fn three_days(plug: &Plug) -> std::net::TcpStream {
    let query = format!("GET /api/v1/history?start={}&step=10 HTTP/1.1\r\n\r\n", NOW - 259_200);
    let mut stream = plug.connect();
    stream.write_all(&signed(&query)).unwrap();
    stream
}

/// For clients who do not read at first: each has a piece of memory of one packet, and the longest of the other answers still
/// finds room. A third one is told to come again; a picture is not.
#[test]
fn long_answers_take_no_more_memory_than_short_ones() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 259_200, 25_920));
    let mut clients: Vec<_> = (0..limits::DOWNLOADS).map(|_| (three_days(&plug), Vec::new())).collect();
    for (stream, _) in &mut clients {
        until(stream, "\"rows\":[");
    }
    for _ in 0..3 {
        for (stream, taken) in &mut clients {
            // Who reads nothing for five seconds is given up, and this machine may be busy.
            let mut some = vec![0; 65_536];
            stream.read_exact(&mut some).unwrap();
            taken.append(&mut some);
        }
        assert_eq!(plug.get("/metrics").status, 200);
        assert_eq!(plug.get(&format!("/api/v1/history?start={}", NOW - 259_200)).status, 200);
        assert_eq!(plug.get("/api/v1/ledger").status, 200);
        let refused = plug.get(&format!("/api/v1/history?start={}&step=10", NOW - 259_200));
        assert_eq!((refused.status, refused.code().as_str()), (503, "busy"));
        assert_eq!(refused.header("Retry-After"), Some("1"));
    }
    // Side by side: none waits for the other.
    std::thread::scope(|all| {
        for (stream, taken) in &mut clients {
            all.spawn(move || {
                let mut rest_of_it = taken.chain(&*stream);
                let rest = until(&mut rest_of_it, "\r\n");
                let more = String::from_utf8(chunks(&mut rest_of_it).unwrap()).unwrap();
                let text = format!("{{\"rows\":[{}{more}", rest.trim_end());
                assert!(text.len() > 100 * limits::ANSWER_HEAP);
                let page: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(page["rows"].as_array().unwrap().len(), 25_920);
                // The connection ends with it.
                assert!(web_support::read_response(stream, false).is_none());
            });
        }
    });
    assert_eq!(plug.get(&format!("/api/v1/history?start={}&step=10", NOW - 259_200)).status, 200);
}

/// Its place is free again long before all would have been read for it.
#[test]
fn a_client_that_leaves_is_noticed() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 2_592_000, 259_200));
    let query = format!("GET /api/v1/history?start={}&step=10 HTTP/1.1\r\n\r\n", NOW - 2_592_000);
    let mut stream = plug.connect();
    stream.write_all(&signed(&query)).unwrap();
    until(&mut stream, "\"rows\":[");
    assert_eq!(plug.inside(|inside| inside.state.downloads.get()), 1);
    // What it did not read makes this a reset.
    drop(stream);
    while plug.inside(|inside| inside.state.downloads.get()) == 1 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let asked = plug.inside(|inside| inside.asked.borrow().len());
    assert!(asked < 259_200 / plug::history::CHUNK / 2, "{asked}");
}

/// A client that says with its request that it will say no more gets its answer all the same.
#[test]
fn a_client_that_only_listens_gets_all_of_it() {
    let plug = Plug::start(1.0);
    keep(&plug, rows(NOW - 259_200, 25_920));
    let mut stream = plug.connect();
    let query = format!("GET /api/v1/history?start={}&step=10 HTTP/1.1\r\n\r\n", NOW - 259_200);
    stream.write_all(&signed(&query)).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = web_support::read_response(&mut stream, false).unwrap();
    assert_eq!(answer.json()["rows"].as_array().unwrap().len(), 25_920);
}

/// The flash falls silent in the middle: what came is not taken for the whole.
#[test]
fn an_answer_that_cannot_go_on_has_no_last_chunk() {
    let plug = Plug::start(50.0);
    keep(&plug, rows(NOW - 259_200, 25_920));
    let mut stream = plug.connect();
    let query = format!("GET /api/v1/history?start={}&step=10 HTTP/1.1\r\n\r\n", NOW - 259_200);
    stream.write_all(&signed(&query)).unwrap();
    until(&mut stream, "\"rows\":[");
    plug.inside(|inside| inside.kept.replace(None));
    // The rest of the chunk that was under way.
    until(&mut stream, "\r\n");
    assert_eq!(chunks(&mut stream), None);
}
