//! What sending needs of the settings.

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
    assert!(after(&on, "{\"emoncms\":{\"user_id\":null,\"transport\":\"plain\"}}").is_ok());
    assert!(
        after(&on, "{\"emoncms\":{\"enabled\":false,\"url\":\"\"},\"time\":{\"source\":\"none\"}}").is_ok()
    );
}
