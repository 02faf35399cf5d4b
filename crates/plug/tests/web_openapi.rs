//! The description of the interface against the interface: routes, real answers, flags.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use plug::net::trial_join::{Report, Step, TrialState};
use plug::net::{LinkState, WifiStatus};
use plug::platform::{Address, Instant, LinkError};
use plug::web::{ROUTES, Route, Who};
use serde_json::{Value, json};
use web_support::Plug;

/// Looks at `value` the way a reader of the schema would; what it does not know, it refuses.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = name.trim_start_matches("#/components/schemas/");
        return check(document, &document["components"]["schemas"][target], value, place);
    }
    if let Some(allowed) = schema.get("enum") {
        assert!(allowed.as_array().unwrap().contains(value), "{place}: {value} is not in {allowed}");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{place}: no type but {other}"),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Number(number) if (number.is_u64() || number.is_i64()) && types.contains(&"integer") => {
            "integer"
        }
        Value::Number(_) => "number",
    };
    assert!(types.contains(&kind), "{place}: {value} is no {types:?}");
    if let (Value::Object(members), Some(properties)) = (value, schema.get("properties")) {
        for (name, member) in members {
            let place = format!("{place}.{name}");
            check(
                document,
                properties.get(name).unwrap_or_else(|| panic!("{place} is not described")),
                member,
                &place,
            );
        }
        for name in schema["required"].as_array().unwrap() {
            assert!(members.contains_key(name.as_str().unwrap()), "{place}.{name} is missing");
        }
    }
    if let (Value::Array(items), Some(schema)) = (value, schema.get("items")) {
        items.iter().for_each(|item| check(document, schema, item, place));
    }
}

/// How the description says who may; null is what it says for all: whoever may read.
fn security(who: Who, path: &str) -> Value {
    let (digest, session) = (json!({"digest": []}), json!({"session": []}));
    let token = |scope: &str| json!({"token": [scope]});
    match who {
        Who::Anyone if path.starts_with("/api/") => json!([{}, digest, token("read"), session]),
        Who::Anyone => json!([]),
        Who::Open | Who::Read => Value::Null,
        Who::Control => json!([digest, token("control")]),
        Who::Admin => json!([digest, token("admin")]),
        Who::SignIn => json!([digest]),
        Who::SignOut => json!([session, digest]),
        Who::Claim => json!([{}, digest, token("admin")]),
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let plug = Plug::start(1.0);
    let document = plug.get("/api/v1/openapi.json").json();
    let mut described: Vec<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut served: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
    described.sort_unstable();
    served.sort_unstable();
    assert_eq!(described, served);
    for route in ROUTES {
        let operations = document["paths"][route.path].as_object().unwrap();
        let mut methods: Vec<_> = operations.keys().map(|method| method.to_uppercase()).collect();
        methods.sort_unstable();
        let mut allowed: Vec<_> = route.methods.names().collect();
        allowed.sort_unstable();
        assert_eq!(methods, allowed, "{}", route.path);
        for (method, operation) in operations {
            for field in ["operationId", "summary", "responses"] {
                assert!(!operation[field].is_null(), "{method} {} has no {field}", route.path);
            }
            let who = route.methods.who(&method.to_uppercase()).unwrap();
            assert_eq!(operation["security"], security(who, route.path), "{method} {}", route.path);
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(name) = members.get("$ref").and_then(Value::as_str) {
                    let found = document.pointer(name.trim_start_matches('#'));
                    assert!(found.is_some(), "{name} leads nowhere");
                }
                members.values().for_each(|member| walk(document, member));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(document, item)),
            _ => {}
        }
    }
    let document = Plug::start(1.0).get("/api/v1/openapi.json").json();
    walk(&document, &document);
}

#[test]
fn real_answers_are_as_described() {
    let plug = Plug::start(1.0);
    let document = plug.get("/api/v1/openapi.json").json();
    plug.measure(3);
    plug.put_relay("{\"on\":true,\"for_s\":5}");
    plug.keep_everything();
    // Looking around takes a radio; below.
    let scan = "/api/v1/wifi/scan";
    let answers = |route: &&Route| route.path.starts_with("/api/") && route.methods.allow("GET");
    for route in ROUTES.iter().filter(answers).filter(|route| route.path != scan) {
        let good = &document["paths"][route.path]["get"]["responses"]["200"]["content"]["application/json"];
        if !good.is_null() {
            check(&document, &good["schema"], &plug.get(route.path).json(), route.path);
        }
    }
    plug.inside(|inside| inside.state.wifi.replace(Some(waiting())));
    let wifi = &document["components"]["schemas"]["Wifi"];
    check(&document, wifi, &plug.get("/api/v1/wifi").json(), "wifi");
    let radio = Plug::start_with_radio();
    while radio.get("/api/v1/wifi").json()["available"] == false {}
    let schemas = &document["components"]["schemas"];
    check(&document, &schemas["WifiScan"], &radio.get(scan).json(), scan);
    let test = radio.post("/api/v1/wifi/test", "{\"ssid\":\"guests\"}").json();
    check(&document, &schemas["WifiTest"], &test, "test");
    check(&document, wifi, &radio.get("/api/v1/wifi").json(), "wifi with a radio");
    let made = plug.post("/api/v1/tokens", "{\"name\":\"a\",\"scope\":\"read\"}").json();
    let revoked = plug.ask("DELETE", "/api/v1/tokens/4", &[], "").json();
    let signed_in = plug.post_signed(&mut plug.challenge(), "/api/v1/session", "{}").json();
    let signed_out = plug.ask_plainly("DELETE", "/api/v1/session", &[&plug.session()], "").json();
    let body = "{\"password\":\"another horse\"}";
    let changed = plug.post_signed(&mut plug.challenge(), "/api/v1/password", body).json();
    for (name, answer) in [
        ("TokenMade", made),
        ("TokenRevoked", revoked),
        ("SignedIn", signed_in),
        ("SignedOut", signed_out),
        ("PasswordChanged", changed),
    ] {
        check(&document, &document["components"]["schemas"][name], &answer, name);
    }
    let errors = &document["components"]["schemas"]["Error"];
    check(&document, errors, &plug.get("/api/x").json(), "error");
    check(&document, errors, &plug.put_relay("[]").json(), "error");
}

/// A radio with something in every field.
fn waiting() -> WifiStatus {
    WifiStatus {
        link: LinkState::Waiting,
        ssid: Some("home".try_into().unwrap()),
        signal_dbm: Some(-90),
        address: Some(Address {
            ip: [10, 0, 0, 7].into(),
            prefix: 24,
            gateway: Some([10, 0, 0, 1].into()),
            time_server: None,
        }),
        last_error: Some(LinkError::WrongPassword),
        retry_at: Some(Instant::from_start(std::time::Duration::from_secs(300))),
        access_point_when_asked: false,
        hears: true,
        access_point_open: true,
        access_point_ssid: "OSSP".try_into().unwrap(),
        access_point_clients: 2,
        networks: vec![
            ("home".try_into().unwrap(), Some(LinkError::WrongPassword)),
            ("shed".try_into().unwrap(), None),
        ],
        test: Some(Report {
            state: TrialState::Succeeded,
            step: Step::Done,
            error: Some(LinkError::NoAddress),
            address: Some([10, 0, 0, 8].into()),
            before: Some([10, 0, 0, 7].into()),
            confirm_by: Some(Instant::from_start(std::time::Duration::from_secs(400))),
            ..Report::new("shed".try_into().unwrap(), None)
        }),
    }
}

#[test]
fn flags_are_all_described() {
    let document = Plug::start(1.0).get("/api/v1/openapi.json").json();
    let known: Vec<_> = metering::quality::Flag::ALL.iter().map(|flag| Value::from(flag.name())).collect();
    assert_eq!(document["components"]["schemas"]["Flag"]["enum"], Value::from(known));
}
