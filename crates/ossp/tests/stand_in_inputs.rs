//! The stand-in Emoncms against the facts of a real one: keys, values, names, times, bulk bodies, feeds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod stand_in_support;

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use ossp::stand_in::answer::Framing;
use stand_in_support::{
    Answer, BEARER, BEARER_READ, FORM, NOW, NOW_S, READ_KEY, WRITE_KEY, ask, bulk, encoded, get, newest,
    post, refusal, request, stand_in,
};

#[test]
fn success_has_three_spellings() {
    let mut emoncms = stand_in();
    let full = post(&mut emoncms, "/input/post", "node=n&fulljson=%7B%22power%22%3A12.5%7D");
    assert_eq!((full.status, full.body.as_str()), (200, r#"{"success": true}"#));
    assert_eq!(full.header("Content-Type"), Some("text/plain;charset=UTF-8"));
    for form in ["node=n&json=%7Bpower%3A12.5%7D", "node=n&csv=1,2", "node=n&data=1,2"] {
        assert_eq!(post(&mut emoncms, "/input/post", form).body, "ok", "{form}");
    }
    assert_eq!(bulk(&mut emoncms, r#"[[0,"n",1]]"#, "").body, "ok");
    assert_eq!(newest(&emoncms, "n", "power"), Some((NOW_S, 12.5)));
    assert_eq!(newest(&emoncms, "n", "2"), Some((NOW_S, 2.0)));
}

#[test]
fn refusals_are_answered_with_200() {
    let mut emoncms = stand_in();
    let cases = [
        ("/input/post", "fulljson=%7B%22a%22%3A", "Input in not a valid JSON object"),
        ("/input/post", "fulljson=%7B%22a%22%3ANaN%7D", "Input in not a valid JSON object"),
        ("/input/post", "fulljson=%7B%22a%22%3A%7B%22b%22%3A1%7D%7D", "Input in not a valid JSON object"),
        ("/input/post", "fulljson=%7B%22a%22%3A%5B1%5D%7D", "Input in not a valid JSON object"),
        ("/input/post", "node=n", "Request contains no data via csv, json or data tag"),
        ("/input/post", "node=n&data=", "Request contains no data via csv, json or data tag"),
        ("/input/bulk", "data=%5B%5D", "Format error, json string supplied is not valid"),
        ("/input/bulk", "data=%5B%5B0", "Format error, json string supplied is not valid"),
        ("/input/bulk", "time=0", "Format error, json string supplied is not valid"),
        (
            "/input/bulk",
            "data=%5B%5B%5D%5D",
            "Format error, last item in bulk data does not contain any data",
        ),
        ("/input/bulk", "data=%5B5%5D", "Format error, last item in bulk data does not contain any data"),
    ];
    for (target, form, sentence) in cases {
        let answer = post(&mut emoncms, target, form);
        assert_eq!((answer.status, answer.body), (200, refusal(sentence)), "{target} {form}");
    }
    assert!(emoncms.account.stored.is_empty());
}

#[test]
fn the_33rd_node_is_refused() {
    let mut emoncms = stand_in();
    for node in 0..32 {
        assert_eq!(bulk(&mut emoncms, &format!(r#"[[0,"node{node}",1]]"#), "").body, "ok");
    }
    let answer = bulk(&mut emoncms, r#"[[0,"node1",2],[1,"x",1],[2,"node2",9]]"#, "&time=100");
    let sentence =
        "Error: Reached the maximal allowed number of different NodeIds, limit is 32. Node 'x' was ignored.";
    assert_eq!((answer.status, answer.body), (200, refusal(sentence)));
    assert_eq!(newest(&emoncms, "node1", "1"), Some((100, 2.0)), "what stands before is stored");
    assert_eq!(newest(&emoncms, "node2", "1"), Some((NOW_S, 1.0)), "what stands after is not");
    assert_eq!(emoncms.account.nodes(), 32);
}

#[test]
fn without_a_key_that_may_write_there_is_nothing() {
    let mut emoncms = stand_in();
    for (target, headers) in [
        ("/input/post", vec![FORM]),
        ("/input/post?apikey=", vec![FORM]),
        ("/input/post", vec![FORM, BEARER_READ]),
        ("/input/bulk", vec![FORM, BEARER_READ]),
    ] {
        let answer = ask(&mut emoncms, "POST", target, &headers, "data=%5B%5B0,1,2%5D%5D");
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{target} {headers:?}");
    }
    assert!(emoncms.account.stored.is_empty());
}

#[test]
fn a_wrong_key_is_401() {
    let mut emoncms = stand_in();
    let lower = format!("bearer {WRITE_KEY}");
    for (target, header) in [
        ("/input/post", "Bearer 00000000000000000000000000000000"),
        ("/input/post", lower.as_str()),
        ("/input/post?apikey=00000000000000000000000000000000", BEARER.1),
        ("/input/get/n", "Bearer 0"),
    ] {
        let answer = ask(&mut emoncms, "POST", target, &[FORM, ("Authorization", header)], "data=1");
        assert_eq!((answer.status, answer.body.as_str()), (401, "Invalid API key"), "{target} {header}");
        let challenge = answer.header("WWW-Authenticate").unwrap();
        assert!(challenge.starts_with(r#"Bearer realm="API KEY", error="invalid_apikey","#), "{challenge}");
    }
    assert!(emoncms.account.stored.is_empty());
}

#[test]
fn keys_are_taken_from_the_query_then_the_body_then_the_header() {
    let mut emoncms = stand_in();
    let mut ok = |target: &str, headers: &[(&str, &str)], form: &str| {
        let answer = ask(&mut emoncms, "POST", target, headers, form);
        (answer.status, answer.body)
    };
    let (good, stored) = (WRITE_KEY, (200, "ok".to_owned()));
    let wrong = ("Authorization", "Bearer 0");
    assert_eq!(ok(&format!("/input/post?apikey={good}"), &[FORM, wrong], "apikey=0&data=1"), stored);
    assert_eq!(ok("/input/post", &[FORM, wrong], &format!("apikey={good}&data=1")), stored);
    assert_eq!(ok("/input/post", &[FORM, ("Authorization", good)], "data=1"), stored, "the bare key");
    assert_eq!(ok("/input/post?apikey=0", &[FORM], &format!("apikey={good}&data=1")).0, 401);
}

#[test]
fn only_form_fields_are_read() {
    let mut emoncms = stand_in();
    let none = refusal("Request contains no data via csv, json or data tag");
    for kind in ["application/json", "text/plain"] {
        let headers = [("Content-Type", kind), BEARER];
        assert_eq!(ask(&mut emoncms, "POST", "/input/post", &headers, r#"{"a":1}"#).body, none, "{kind}");
        assert_eq!(ask(&mut emoncms, "POST", "/input/post", &headers, "data=1").body, none, "{kind}");
    }
    let headers = [FORM, BEARER, ("Content-Encoding", "gzip")];
    assert_eq!(ask(&mut emoncms, "POST", "/input/post", &headers, "data=1").body, none);

    let multipart = "--x\r\nContent-Disposition: form-data; name=\"node\"\r\n\r\nm\r\n--x\r\nContent-Disposition: \
                     form-data; name=\"fulljson\"\r\n\r\n{\"a\": 7}\r\n--x--\r\n";
    let headers = [("Content-Type", "multipart/form-data; boundary=x"), BEARER];
    assert_eq!(ask(&mut emoncms, "POST", "/input/post", &headers, multipart).body, r#"{"success": true}"#);
    assert_eq!(newest(&emoncms, "m", "a"), Some((NOW_S, 7.0)));

    let head =
        "POST /input/post HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nAuthorization: ";
    let chunks = "node=c&\r\n8\r\nfulljson\r\n12\r\n=%7B%22a%22%3A8%7D\r\n0\r\n\r\n";
    let whole = format!("{head}{}\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{chunks}", BEARER.1);
    let delivery = emoncms.handle(whole.as_bytes(), NOW).unwrap();
    assert_eq!((Answer::of(&delivery).body.as_str(), delivery.taken), (r#"{"success": true}"#, whole.len()));
    assert_eq!(newest(&emoncms, "c", "a"), Some((NOW_S, 8.0)));
    for length in 0..whole.len() {
        assert!(
            emoncms.clone().handle(&whole.as_bytes()[..length], NOW).is_err(),
            "{length} bytes are not whole"
        );
    }
}

#[test]
fn what_is_no_number_becomes_one() {
    let mut emoncms = stand_in();
    let json = r#"{"a":null,"b":false,"c":"text","d":true,"e":"12.5","f":-0.25}"#;
    assert_eq!(post(&mut emoncms, "/input/post", &format!("node=n&fulljson={}", encoded(json))).status, 200);
    let row = format!("[[0,\"b\",{json},null,true,\"x\",3]]");
    assert_eq!(bulk(&mut emoncms, &row, "").body, "ok");
    for node in ["n", "b"] {
        let values = ["a", "b", "c", "d", "e", "f"].map(|name| newest(&emoncms, node, name).unwrap().1);
        assert_eq!(values, [0.0, 0.0, 0.0, 1.0, 12.5, -0.25], "{node}");
    }
    let values = ["1", "2", "3", "4"].map(|name| newest(&emoncms, "b", name).unwrap().1);
    assert_eq!(values, [0.0, 1.0, 0.0, 3.0], "positions do not count the object");
}

#[test]
fn names_lose_what_is_not_allowed() {
    let mut emoncms = stand_in();
    let json = encoded(r#"{"po/wer":1,"pow:er":2,"Größe_-. 9":3}"#);
    post(&mut emoncms, "/input/post", &format!("node=n%2Fo%C3%A4%26de&fulljson={json}"));
    assert_eq!(newest(&emoncms, "noäde", "power"), Some((NOW_S, 2.0)), "two names became one");
    assert_eq!(newest(&emoncms, "noäde", "Größe_-. 9"), Some((NOW_S, 3.0)));
    assert_eq!(emoncms.account.inputs.len(), 2);
    post(&mut emoncms, "/input/post/path%20node", "node=field&data=1");
    assert_eq!(newest(&emoncms, "path node", "1"), Some((NOW_S, 1.0)), "the path's node counts");
    post(&mut emoncms, "/input/post", "data=1");
    assert_eq!(newest(&emoncms, "0", "1"), Some((NOW_S, 1.0)), "no node is node 0");
}

#[test]
fn times_are_seconds_or_iso_8601_and_else_now() {
    let cases = [
        ("1700000000", 1_700_000_000),
        ("1700000000.9", 1_700_000_000),
        ("1700000000123", 1_700_000_000_123),
        ("2026-11-24T20:48:49Z", 1_795_553_329),
        ("2026-11-24T21:48:49%2B01:00", 1_795_553_329),
        ("2026-11-24T20:48:49.5Z", 1_795_553_329),
        ("2026-11-24 20:48:49", 1_795_553_329),
        ("2026-11-24T21:48:49+01:00", NOW_S),
        ("nonsense", NOW_S),
    ];
    for (written, time) in cases {
        let mut emoncms = stand_in();
        post(&mut emoncms, "/input/post", &format!("node=field&data=1&time={written}"));
        assert_eq!(newest(&emoncms, "field", "1"), Some((time, 1.0)), "{written}");
        let written = String::from_utf8(ossp::stand_in::form::decode(written.as_bytes())).unwrap();
        let number = written.parse::<f64>().is_ok();
        let quoted = if number { written.clone() } else { format!("\"{written}\"") };
        let json = encoded(&format!(r#"{{"a":1,"time":{quoted}}}"#));
        post(&mut emoncms, "/input/post", &format!("node=json&fulljson={json}"));
        assert_eq!(newest(&emoncms, "json", "a"), Some((time, 1.0)), "{written}");
        assert_eq!(newest(&emoncms, "json", "time"), None);
    }
    let mut emoncms = stand_in();
    post(&mut emoncms, "/input/post", "node=n&json=%7Ba:1,time:1700000000%7D");
    assert_eq!(newest(&emoncms, "n", "time"), Some((NOW_S, 1_700_000_000.0)), "in json= it is another input");
}

#[test]
fn the_first_of_four_time_bases_counts() {
    let rows = r#"[[10,"n",1],[40.9,"n",2]]"#;
    for (more, base) in [
        ("&sentat=50&offset=1&time=1", NOW_S - 50),
        ("&offset=-100&time=1", NOW_S + 100),
        ("&time=1700000000", 1_700_000_000),
        ("&time=0", 0),
        ("", NOW_S - 40),
    ] {
        let mut emoncms = stand_in();
        assert_eq!(bulk(&mut emoncms, rows, more).body, "ok");
        let times: Vec<i64> = emoncms.account.stored.iter().map(|row| row.time).collect();
        assert_eq!(times, [base + 10, base + 40], "{more}");
    }
}

#[test]
fn a_bulk_body_stops_at_what_it_cannot_take() {
    let mut emoncms = stand_in();
    let short = r#"[[0,"n"],[1],[2,"n",5],[3,"n"],[4,"m",{"a":1,"b":2}]]"#;
    assert_eq!(bulk(&mut emoncms, short, "&time=0").body, "ok");
    assert_eq!(emoncms.account.stored.len(), 2, "rows under three elements are skipped");
    for data in
        [r#"{"a":1}"#, r#"[[1,"before",1],5,[2,"after",1]]"#, r#"[[1,"before",1],"x",[2,"after",1]]"#, "7"]
    {
        let mut emoncms = stand_in();
        let answer = bulk(&mut emoncms, data, "&time=0");
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("<b>Fatal error</b>"), "{data}: {}", answer.body);
        assert!(newest(&emoncms, "after", "1").is_none(), "{data}");
        assert_eq!(newest(&emoncms, "before", "1").is_some(), data.contains("before"), "{data}");
    }
    let answer = bulk(&mut emoncms, r#"[[1,"before",1],[2,{},1],[3,"after",1]]"#, "&time=0");
    assert_eq!(answer.body, refusal("Format error, node must not be an object"));
    assert_eq!((newest(&emoncms, "before", "1"), newest(&emoncms, "after", "1")), (Some((1, 1.0)), None));
}

#[test]
fn over_8_megabytes_the_fields_go_missing() {
    let mut emoncms = stand_in();
    let body = format!("data=[[0,1,2]]&x={}", "x".repeat(8 * 1024 * 1024));
    let answer = post(&mut emoncms, "/input/bulk", &body);
    assert_eq!(answer.body, refusal("Format error, json string supplied is not valid"));
    // So does a key that was among them.
    let answer = ask(&mut emoncms, "POST", "/input/bulk", &[FORM], &format!("apikey={WRITE_KEY}&{body}"));
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

fn zlib(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bulk_bodies_can_be_compressed() {
    let mut emoncms = stand_in();
    let packed = zlib(r#"[[5,"n",{"a":1}]]"#);
    let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(post(&mut emoncms, "/input/bulk", &format!("c=1&time=0&data={hex}")).body, "ok");
    assert_eq!(newest(&emoncms, "n", "a"), Some((5, 1.0)));
    let headers = [("Content-Type", "application/octet-stream"), BEARER];
    let raw = request("POST", "/input/bulk?cb=1&time=10", &headers, &packed);
    assert_eq!(Answer::of(&emoncms.handle(&raw, NOW).unwrap()).body, "ok");
    assert_eq!(newest(&emoncms, "n", "a"), Some((15, 1.0)));
    let answer = post(&mut emoncms, "/input/bulk", "c=1&data=xyz");
    assert_eq!(answer.body, refusal("Format error, compressed hex not valid"));
    let answer = post(&mut emoncms, "/input/bulk", "c=1&data=00");
    assert_eq!(answer.body, refusal("Format error, json string supplied is not valid"));
}

#[test]
fn the_newest_of_an_input_is_the_last_received() {
    let mut emoncms = stand_in();
    assert_eq!(get(&mut emoncms, "/input/get/n").body, r#""Node does not exist""#);
    bulk(&mut emoncms, r#"[[1700000000,"n",{"power":1,"energy":2.5}]]"#, "&time=0");
    let both = r#"{"power":{"time":1700000000,"value":1,"processList":""},"energy":{"time":1700000000,"value":2.5,"processList":""}}"#;
    assert_eq!(get(&mut emoncms, "/input/get/n").body, both);
    assert_eq!(get(&mut emoncms, "/input/get?node=n").body, both);
    bulk(&mut emoncms, r#"[[1600000000,"n",{"power":3}]]"#, "&time=0");
    let power = r#"{"time":1600000000,"value":3,"processList":""}"#;
    assert_eq!(get(&mut emoncms, "/input/get/n/power").body, power);
    assert_eq!(get(&mut emoncms, "/input/get/n/x").body, r#""Node variable does not exist""#);
    assert_eq!(
        ask(&mut emoncms, "GET", "/input/get/n", &[BEARER], "").status,
        200,
        "the write key reads too"
    );
    assert_eq!(ask(&mut emoncms, "GET", "/input/get/n", &[], "").body, "false");
    assert_eq!(get(&mut emoncms, "/input/get").body.matches("\"n\":{").count(), 1);
}

#[test]
fn a_key_tells_its_user() {
    let mut emoncms = stand_in();
    let session = |key: &str| format!("/user/session.json?apikey={key}");
    assert_eq!(ask(&mut emoncms, "GET", &session(WRITE_KEY), &[], "").body, r#"{"userid":4,"type":"write"}"#);
    assert_eq!(ask(&mut emoncms, "GET", &session(READ_KEY), &[], "").body, r#"{"userid":4,"type":"read"}"#);
    assert_eq!(ask(&mut emoncms, "GET", &session("0"), &[], "").status, 401);
}

#[test]
fn a_wrong_path_is_406_or_404() {
    let mut emoncms = stand_in();
    assert_eq!(post(&mut emoncms, "/input/nothing", "data=1").status, 406);
    assert_eq!(post(&mut emoncms, "/nothing/post", "data=1").status, 406);
    "/emoncms".clone_into(&mut emoncms.base);
    assert_eq!(post(&mut emoncms, "/input/post", "data=1").status, 404);
    assert_eq!(post(&mut emoncms, "/emoncms/input/post.json", "data=1").body, "ok");
}

#[test]
fn feeds_have_slots_that_the_last_one_wins() {
    let mut emoncms = stand_in();
    let create =
        format!("/feed/create.json?tag=t&name=f&engine=5&options={}&unit=W", encoded(r#"{"interval":5}"#));
    let answer = ask(&mut emoncms, "GET", &create, &[BEARER], "");
    assert!(answer.body.starts_with(r#"{"success":true,"feedid":1,"#), "{}", answer.body);
    assert_eq!(emoncms.account.feeds[0].interval_s, 10, "a smaller interval is raised silently");
    bulk(&mut emoncms, r#"[[1700000000,"n",{"power":1}]]"#, "&time=0");
    let id = emoncms.account.input("n", "power").unwrap().id;
    let list = encoded(r#"[{"fn":"process__log_to_feed","args":[1]}]"#);
    let target = format!("/input/process/set.json?inputid={id}");
    let answer = post(&mut emoncms, &target, &format!("processlist={list}"));
    assert!(answer.body.contains(r#""encoded_processlist":"process__log_to_feed:1""#), "{}", answer.body);

    let rows = r#"[[1700000027,"n",{"power":2}],[1700000020,"n",{"power":12.3}],[1700000050,"n",{"power":5}],
        [1700000019,"n",{"power":9}],[1700000049,"n",{"power":4}]]"#;
    assert_eq!(bulk(&mut emoncms, rows, "&time=0").body, "ok");
    let data = "/feed/data.json?id=1&start=1700000010000&end=1700000060000&interval=10";
    let expected = "[[1700000010000,null],[1700000020000,12.300000190734863],[1700000030000,null],\
                    [1700000040000,4],[1700000050000,5],[1700000060000,null]]";
    assert_eq!(get(&mut emoncms, data).body, expected, "the point before the first one is dropped");
    let feed = &emoncms.account.feeds[0];
    assert_eq!((feed.dropped, feed.length()), (1, 4));
    bulk(&mut emoncms, r#"[[1800000000,"n",{"power":16777217}]]"#, "&time=0");
    let feed = &emoncms.account.feeds[0];
    assert_eq!(feed.length(), 9_999_999, "a jump pads the file for ever");
    assert_eq!(feed.at(1_800_000_000), Some(16_777_216.0), "float32");
}

#[test]
fn answers_end_in_three_ways() {
    let form = request("POST", "/input/post", &[FORM, BEARER], b"data=1");
    for (framing, header, body) in [
        (Framing::Length, "Content-Length: 2", "ok"),
        (Framing::Chunked, "Transfer-Encoding: chunked", "1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
        (Framing::Close, "Connection: close", "ok"),
    ] {
        let mut emoncms = stand_in();
        emoncms.framing = framing;
        let answer = Answer::of(&emoncms.handle(&form, NOW).unwrap());
        assert!(answer.head.contains(header), "{}", answer.head);
        assert_eq!(answer.body, body);
        assert_eq!(answer.header("Date"), Some("Sun, 22 Nov 2026 20:09:00 GMT"));
    }
}
