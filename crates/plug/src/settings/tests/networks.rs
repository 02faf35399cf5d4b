//! The networks: addresses, the list, and passwords that stay with their names.

use super::*;
use crate::platform::Known;
use crate::settings::network;

const ONE: &str = "{\"wifi\":{\"ssid\":\"one\",\"password\":\"11111111\",\"more\":[{\"ssid\":\"two\",\"password\":\"22222222\"},\
                   {\"ssid\":\"three\"}]}}";

fn passwords(settings: &Settings) -> Vec<(String, Option<String>)> {
    let pair = |known: Known| {
        (known.credentials.ssid.to_string(), known.credentials.password.map(|text| text.to_string()))
    };
    settings.wifi.networks().into_iter().map(pair).collect()
}

fn pairs(expected: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    expected.iter().map(|(ssid, password)| ((*ssid).into(), password.map(Into::into))).collect()
}

#[test]
fn addresses_are_those_that_a_plug_can_have() {
    let address =
        |value: Value| after(&Settings::default(), &json!({"wifi": {"address": value}}).to_string());
    let with = |ip: &str, prefix: i32, gateway: Value, dns: Value| {
        address(json!({"ip": ip, "prefix": prefix, "gateway": gateway, "dns": dns})).is_ok()
    };
    assert!(with("192.168.1.20", 24, "192.168.1.1".into(), "1.1.1.1".into()));
    assert!(with("10.255.255.254", 8, Value::Null, Value::Null));
    assert!(with("172.16.0.1", 30, "172.16.0.2".into(), "172.16.0.2".into()));
    assert!(address(json!({"ip": "192.168.1.20", "prefix": 24})).is_ok());
    for (ip, prefix) in [
        ("192.168.1.0", 24),
        ("192.168.1.255", 24),
        ("127.0.0.1", 8),
        ("0.0.0.1", 8),
        ("224.0.0.1", 24),
        ("255.255.255.255", 24),
        ("192.168.1.20", 7),
        ("192.168.1.20", 31),
        ("192.168.1.20", -1),
        ("192.168.1.256", 24),
        ("192.168.1", 24),
        ("", 24),
    ] {
        assert!(!with(ip, prefix, Value::Null, Value::Null), "{ip}/{prefix}");
    }
    for gateway in ["192.168.2.1", "192.168.1.20", "192.168.1.0", "192.168.1.255", "x"] {
        assert!(!with("192.168.1.20", 24, gateway.into(), Value::Null), "{gateway}");
    }
    for dns in ["0.0.0.0", "224.0.0.251", "dns.example", ""] {
        assert!(!with("192.168.1.20", 24, Value::Null, dns.into()), "{dns}");
    }
    for value in
        [json!({}), json!({"ip": "10.0.0.2"}), json!({"prefix": 24}), json!([]), json!("10.0.0.2/24")]
    {
        assert!(address(value.clone()).is_err(), "{value}");
    }
    assert!(address(json!({"ip": "10.0.0.2", "prefix": 24, "mask": 1})).is_err());
    let twice = "{\"wifi\":{\"address\":{\"ip\":\"10.0.0.2\",\"ip\":\"10.0.0.3\",\"prefix\":24}}}";
    assert!(after(&Settings::default(), twice).is_err());
    // What was set goes away with null.
    let set = address(json!({"ip": "10.0.0.2", "prefix": 24})).unwrap();
    assert_eq!(taken(&set, "{\"wifi\":{\"address\":null}}").wifi.address, None);
}

#[test]
fn each_fault_in_the_list_is_named() {
    let more = |list: Value| faults(&Settings::default(), &json!({"wifi": {"more": list}}).to_string());
    let password =
        "password must be 8 to 63 printable ASCII characters, \"set\" to keep the one that is set, or null";
    let name = "ssid must be the name of a network, a text of 1 to 32 bytes without control characters";
    for (list, expected) in [
        (json!([{}]), vec![format!("wifi.more[0].{name}")]),
        (json!([{"ssid": "a"}, {"ssid": ""}]), vec![format!("wifi.more[1].{name}")]),
        (json!([{"ssid": "a", "password": "short"}]), vec![format!("wifi.more[0].{password}")]),
        (
            json!([{"ssid": "a", "hidden": 1, "colour": 2}]),
            vec![
                "wifi.more[0].colour is not a field that this plug knows".into(),
                "wifi.more[0].hidden must be true or false".into(),
            ],
        ),
        (
            json!([{"ssid": "a"}, 7]),
            vec!["wifi.more[1] must be an object with ssid, password, hidden and address".into()],
        ),
        (
            json!([{"ssid": "a"}, {"ssid": "b"}, {"ssid": "c"}, {"ssid": "d"}]),
            vec!["wifi.more must be a list of at most 3 networks".into()],
        ),
        (
            json!([{"ssid": "a"}, {"ssid": "a"}]),
            vec!["wifi.more must name each network once, and not the first one again".into()],
        ),
        (
            json!([{"ssid": "a", "password": "set"}]),
            vec!["wifi.more[0].password must be given: no password of this network is set".into()],
        ),
    ] {
        assert_eq!(more(list.clone()), expected, "{list}");
    }
    let first = json!({"wifi": {"ssid": "a", "more": [{"ssid": "a"}]}}).to_string();
    assert_eq!(faults(&Settings::default(), &first).len(), 2);
    let twice = "{\"wifi\":{\"more\":[{\"ssid\":\"a\",\"ssid\":\"b\"}]}}";
    assert_eq!(faults(&Settings::default(), twice), ["wifi.more[0].ssid must be given only once"]);
}

#[test]
fn a_password_that_stays_goes_with_its_network() {
    let before = taken(&Settings::default(), ONE);
    assert_eq!(
        passwords(&before),
        pairs(&[("one", Some("11111111")), ("two", Some("22222222")), ("three", None)])
    );
    // The order changes, no password is typed.
    let turned = "{\"wifi\":{\"ssid\":\"two\",\"password\":\"set\",\"more\":[{\"ssid\":\"three\",\"password\":\"set\"},\
                  {\"ssid\":\"one\",\"password\":\"set\"}]}}";
    assert_eq!(
        passwords(&taken(&before, turned)),
        pairs(&[("two", Some("22222222")), ("three", None), ("one", Some("11111111"))])
    );
    // The open one has none to keep, and gets none of another.
    let open = "{\"wifi\":{\"ssid\":\"three\",\"password\":\"set\",\"more\":[]}}";
    assert_eq!(passwords(&taken(&before, open)), pairs(&[("three", None)]));
    // What is shown, sent back, changes nothing.
    assert_eq!(taken(&before, &shown(&before).to_string()), before);
}

#[test]
fn a_network_that_is_put_first_moves_the_others_down() {
    let mut settings = taken(&Settings::default(), ONE);
    let known = |text: &str| network(&settings.wifi, text).unwrap();
    let (four, five) = (known("{\"ssid\":\"four\"}"), known("{\"ssid\":\"five\"}"));
    let again = known("{\"ssid\":\"two\",\"password\":\"set\",\"hidden\":true}");
    settings.wifi.put_first(&again);
    assert_eq!(
        passwords(&settings),
        pairs(&[("two", Some("22222222")), ("one", Some("11111111")), ("three", None)])
    );
    assert!(settings.wifi.hidden);
    settings.wifi.put_first(&four);
    settings.wifi.put_first(&five);
    assert_eq!(
        passwords(&settings),
        pairs(&[("five", None), ("four", None), ("two", Some("22222222")), ("one", Some("11111111"))])
    );
    assert!(settings.wifi.more[1].hidden && !settings.wifi.hidden);
    let mut empty = Settings::default();
    empty.wifi.put_first(&five);
    assert_eq!(passwords(&empty), pairs(&[("five", None)]));
}

#[test]
fn a_network_alone_is_read_with_its_faults() {
    let settings = taken(&Settings::default(), ONE);
    let faults = |text: &str| match network(&settings.wifi, text) {
        Err(Refusal::Wrong(wrong)) => wrong.to_string(),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(
        faults("{\"ssid\":\"x\",\"password\":\"set\"}"),
        "password must be given: no password of this network is set."
    );
    assert!(faults("{\"password\":\"12345678\"}").starts_with("ssid must be the name of a network"));
    assert_eq!(faults("{\"ssid\":\"x\",\"more\":[]}"), "more is not a field that this plug knows.");
    assert!(
        faults("{\"ssid\":\"x\",\"address\":{\"ip\":\"x\"}}")
            .starts_with("address must be an object such as")
    );
    for text in ["", "[]", "{", "\"x\""] {
        assert_eq!(network(&settings.wifi, text), Err(Refusal::NotJson), "{text}");
    }
    let known =
        network(&settings.wifi, "{\"ssid\":\"one\",\"password\":\"set\",\"hidden\":null,\"address\":null}");
    assert_eq!(known.unwrap().credentials.password.as_deref(), Some("11111111"));
}

#[test]
fn debug_tells_no_password() {
    let told = format!("{:?}", taken(&Settings::default(), ONE));
    assert!(told.contains("two") && !told.contains("2222") && !told.contains("1111"), "{told}");
}

/// All that is stored of the longest networks still leaves room for the rest.
#[test]
fn the_longest_networks_fit() {
    let long = |first: char| {
        json!({"ssid": format!("{first}{}", "\"".repeat(31)), "password": "\"".repeat(63), "hidden": true,
            "address": {"ip": "192.168.100.100", "prefix": 24, "gateway": "192.168.100.101", "dns": "192.168.100.102"}})
    };
    let mut wifi = long('a');
    wifi["more"] = ['b', 'c', 'd'].map(long).into();
    let settings = taken(&Settings::default(), &json!({ "wifi": wifi }).to_string());
    assert!(stored_text(&settings, &Beside::default()).len() < 1600);
    let text = long('a').to_string();
    assert!(text.len() < crate::limits::WIFI_TEST_BODY);
    // With each character of name and password escaped as it never is.
    let escaped = text.len() + 5 * (32 + 63);
    assert!(escaped < crate::limits::WIFI_TEST_BODY, "{escaped}");
}
