//! What sending needs of the settings.

use alloc::format;

use super::{after, faults, taken};
use crate::settings::schema::Settings;

/// What Emoncms needs is asked for wherever it is taken away.
#[test]
fn sending_needs_a_server_a_key_a_clock_and_something_to_say() {
    let on = "{\"time\":{\"source\":\"ntp\"},\"emoncms\":{\"enabled\":true,\"url\":\"http://a\",\"user_id\":4,\
              \"write_key\":\"00112233445566778899aabbccddeeff\"}}";
    let on = taken(&Settings::default(), on);
    for (text, wanted) in [
        ("{\"emoncms\":{\"url\":\"\"}}", &["emoncms.url must be given, or enabled be false"][..]),
        ("{\"emoncms\":{\"write_key\":null}}", &["emoncms.write_key must be given, or enabled be false"]),
        (
            "{\"emoncms\":{\"user_id\":null}}",
            &["emoncms.user_id must be given where transport is \"encrypted\""],
        ),
        (
            "{\"time\":{\"source\":\"none\"}}",
            &["time.source must not be \"none\" while emoncms.enabled is true"],
        ),
        (
            "{\"emoncms\":{\"input_power\":\"\",\"input_energy\":\"\",\"input_voltage\":\"\",\"input_current\":\"\"}}",
            &[
                "emoncms.input_power must have a name, or another of power, energy, voltage and current must",
                "emoncms.input_energy must have a name, or another of power, energy, voltage and current must",
                "emoncms.input_voltage must have a name, or another of power, energy, voltage and current must",
                "emoncms.input_current must have a name, or another of power, energy, voltage and current must",
            ],
        ),
    ] {
        assert_eq!(faults(&on, text), wanted, "{text}");
    }
    // Plain needs no user id, and what is off needs nothing.
    let plain = "{\"emoncms\":{\"user_id\":null,\"transport\":\"plain\",\
                 \"write_key\":\"00112233445566778899aabbccddeeff\"}}";
    assert!(after(&on, plain).is_ok());
    assert!(
        after(&on, "{\"emoncms\":{\"enabled\":false,\"url\":\"\"},\"time\":{\"source\":\"none\"}}").is_ok()
    );
}

const ANEW: &str = "must be given anew, or be null, where url is another one or transport becomes \"plain\": the plug \
                    takes the one it has only to where it was meant for";

/// Who may change settings learns no key by naming a server of their own.
#[test]
fn a_stored_key_goes_to_no_other_server_and_not_in_clear() {
    const KEY: &str = "00112233445566778899aabbccddeeff";
    let with = |members: &str| format!("{{\"emoncms\":{{{members}}}}}");
    let stored = taken(
        &Settings::default(),
        &with(&format!("\"url\":\"http://a\",\"user_id\":4,\"write_key\":\"{KEY}\"")),
    );
    let both = taken(&stored, &with(&format!("\"read_key\":\"{KEY}\"")));
    let (write, read) = (format!("emoncms.write_key {ANEW}"), format!("emoncms.read_key {ANEW}"));
    for change in [
        "\"url\":\"http://b\"",
        "\"url\":\"http://a:8080\"",
        "\"url\":\"http://a/x\"",
        "\"transport\":\"plain\"",
    ] {
        let and = |keys: &str| with(&format!("{change},{keys}"));
        assert_eq!(faults(&stored, &with(change)), core::slice::from_ref(&write), "{change}");
        assert_eq!(faults(&both, &with(change)), [write.clone(), read.clone()], "{change}");
        // The word that a key is to stay is no key, however it is written.
        for set in ["set", "\\u0073et"] {
            let text = and(&format!("\"write_key\":\"{set}\",\"read_key\":\"{set}\""));
            assert_eq!(faults(&both, &text), [write.clone(), read.clone()], "{text}");
        }
        let anew = format!("\"write_key\":\"{KEY}\"");
        assert!(after(&stored, &and(&anew)).is_ok());
        assert_eq!(faults(&both, &and(&anew)), core::slice::from_ref(&read));
        assert!(after(&both, &and(&format!("{anew},\"read_key\":\"{KEY}\""))).is_ok());
        // A key that goes goes nowhere.
        assert!(after(&both, &and("\"write_key\":null,\"read_key\":null")).is_ok());
        assert!(after(&both, "{\"emoncms\":null}").is_ok());
        // Nothing is stored that could go somewhere.
        assert!(after(&Settings::default(), &with(change)).is_ok());
    }
    // Over no server at all the way leads to another one neither.
    let nowhere = taken(&stored, &with("\"url\":\"\""));
    assert_eq!(faults(&nowhere, &with("\"url\":\"http://b\"")), core::slice::from_ref(&write));
    // What protects it better, or changes nothing of where it goes, needs no key.
    let plain = taken(&stored, &with(&format!("\"transport\":\"plain\",\"write_key\":\"{KEY}\"")));
    for text in [
        "\"transport\":\"encrypted\"",
        "\"transport\":\"plain\",\"url\":\"http://a\"",
        "\"node\":\"x\",\"user_id\":5",
    ] {
        assert!(after(&plain, &with(text)).is_ok(), "{text}");
    }
}
