//! What is said to wrong fields, for the tests: frozen here, since people and other programs read it.

/// What each field says to a value that none can have, in the order of the table.
pub(super) const SENTENCES: &str = r#"device.name must be a text of at most 32 bytes without control characters
device.button_locked must be true or false
device.led_off must be true or false
device.host must be at most 32 letters, digits and hyphens, none of these at its ends, or empty
device.mdns must be true or false
wifi.ssid must be the name of a network, a text of at most 32 bytes without control characters
wifi.password must be 8 to 63 printable ASCII characters, "set" to keep the one that is set, or null
wifi.hidden must be true or false
wifi.address must be an object such as {"ip":"192.168.1.20","prefix":24,"gateway":"192.168.1.1","dns":null}, with a prefix from 8 to 30 and a gateway of the same network, or null
wifi.more must be a list of at most 3 networks
wifi.access_point must be "fallback" or "button"
wifi.access_point_ssid must be the name of a network, a text of at most 32 bytes without control characters
wifi.access_point_password must be 8 to 63 printable ASCII characters, "set" to keep the one that is set, or null
wifi.access_point_after_loss_s must be a whole number of seconds from 0 to 43200
wifi.access_point_linger_s must be a whole number of seconds from 0 to 3600
access.reading must be "closed" or "open"
access.hosts must be a list of at most 4 host names such as "plug.example.org", without a port, of lower-case letters, digits, hyphens and dots, at most 64 characters each
relay.power_on must be "off", "on" or "last"
relay.start_delay_s must be a number of seconds from 0 to 3600
relay.start_delay_random_s must be a number of seconds from 0 to 3600
relay.minimum_on_s must be a number of seconds from 0 to 86400
relay.minimum_off_s must be a number of seconds from 0 to 86400
relay.switchings_a_minute must be a whole number from 0 to 120
relay.manual_until must be "schedule" or "released"
relay.inching_s must be a number of seconds from 0.1 to 604800, or null
relay.idle_off_below_w must be a number from 0.1 to 5000, or null
relay.idle_off_after_s must be a number of seconds from 1 to 86400
relay.hold_on_restart must be true or false
schedule.enabled must be true or false
schedule.entries must be a list of at most 16 entries
protection.current_limit_a must be a number from 0.1 to 80, or null
protection.rated_current_a must be a number from 0.1 to 16, or null
protection.inverse_time must be true or false
protection.power_limit_w must be a number from 1 to 20000, or null
protection.power_hold_s must be a number of seconds from 0 to 3600
protection.voltage_max_v must be a number from 50 to 500, or null
protection.voltage_min_v must be a number from 50 to 500, or null
protection.voltage_hysteresis_v must be a number from 0 to 50
protection.voltage_hold_s must be a number of seconds from 0 to 3600
protection.energy_budget_wh must be a number from 1 to 1000000, or null
protection.chip_temperature_max_c must be a number from 40 to 125, or null
protection.sensor_fault must be true or false
protection.clipped must be true or false
protection.retries must be a whole number from 0 to 20
protection.retry_pause_s must be a number of seconds from 1 to 86400
protection.retry_back_off must be a number from 1 to 10
time.source must be "none", "dhcp", "ntp", "browser" or "server"
time.zone must be the IANA name of a zone such as "Europe/Berlin", at most 40 characters
time.posix must be a POSIX TZ string such as "CET-1CEST,M3.5.0,M10.5.0/3", at most 64 characters
time.latitude_deg must be a number from -90 to 90, or null
time.longitude_deg must be a number from -180 to 180, or null
time.ntp_servers must be one to three names or addresses of time servers such as "pool.ntp.org" with spaces between them, at most 96 characters
history.interval_s must be a whole number of seconds from 1 to 3600
emoncms.enabled must be true or false
emoncms.url must be the address of Emoncms with its path such as "http://192.168.1.2/emoncms", at most 64 characters, or empty
emoncms.node must be at most 16 letters, digits, spaces and characters of "_-.", or empty
emoncms.write_key must be the 32 hexadecimal digits of a key of Emoncms, "set" to keep the one that is set, or null
emoncms.read_key must be the 32 hexadecimal digits of a key of Emoncms, "set" to keep the one that is set, or null
emoncms.user_id must be a whole number from 1 to 4294967295, or null
emoncms.transport must be "encrypted" or "plain"
emoncms.interval_s must be a whole number of seconds from 1 to 3600
emoncms.send_every_s must be a whole number of seconds from 1 to 3600
emoncms.begin must be "now" or "oldest"
emoncms.input_power must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_energy must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_energy_kwh must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_energy_export must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_voltage must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_current must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_power_factor must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_frequency must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_power_min must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_power_max must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
emoncms.input_relay must be at most 16 letters, digits, spaces and characters of "_-.", or empty where it is not to be sent
update.accept must be "default", "signed" or "any"
update.keys must be a list of at most 4 different public keys, each 64 hexadecimal digits in small letters
update.retired must be a list of at most 4 different public keys, each 64 hexadecimal digits in small letters
update.warn_above_a must be a number from 0 to 100
"#;

/// Changes of new settings, and what is wrong with them.
pub(super) const MISTAKES: &[(&str, &[&str])] = &[
    ("{\"Relay\":{}}", &["Relay is not a field that this plug knows"]),
    ("{\"relay\":{\"colour\":1}}", &["relay.colour is not a field that this plug knows"]),
    ("{\"relay\":[]}", &["relay must be an object with fields, or null"]),
    ("{\"relay\":{},\"relay\":{}}", &["relay must be given only once"]),
    ("{\"relay\":{\"inching_s\":1,\"inching_s\":2}}", &["relay.inching_s must be given only once"]),
    ("{\"schema\":2}", &["schema must be 1, the version that this plug knows"]),
    (
        "{\"device\":{\"name\":1,\"led_off\":0},\"relay\":{\"power_on\":\"On\"}}",
        &[
            "device.name must be a text of at most 32 bytes without control characters",
            "device.led_off must be true or false",
            "relay.power_on must be \"off\", \"on\" or \"last\"",
        ],
    ),
    (
        "{\"device\":{\"name\":\"123456789012345678901234567890123\"}}",
        &["device.name must be a text of at most 32 bytes without control characters"],
    ),
    (
        "{\"device\":{\"name\":\"\\u0007\"}}",
        &["device.name must be a text of at most 32 bytes without control characters"],
    ),
    ("{\"wifi\":{\"password\":\"long enough\"}}", &["wifi.password must be null where there is no ssid"]),
    (
        "{\"wifi\":{\"ssid\":\"x\",\"password\":\"7 chars\"}}",
        &[
            "wifi.password must be 8 to 63 printable ASCII characters, \"set\" to keep the one that is set, or null",
        ],
    ),
    (
        "{\"protection\":{\"voltage_min_v\":230,\"voltage_max_v\":230}}",
        &[
            "protection.voltage_min_v must be less than voltage_max_v",
            "protection.voltage_max_v must be more than voltage_min_v",
        ],
    ),
    (
        "{\"protection\":{\"voltage_min_v\":225,\"voltage_max_v\":235}}",
        &[
            "protection.voltage_min_v must be lower than voltage_max_v by more than twice voltage_hysteresis_v",
            "protection.voltage_max_v must be higher than voltage_min_v by more than twice voltage_hysteresis_v",
        ],
    ),
    (
        "{\"protection\":{\"rated_current_a\":10,\"current_limit_a\":9.5}}",
        &[
            "protection.rated_current_a must be at most current_limit_a",
            "protection.current_limit_a must be at least rated_current_a",
        ],
    ),
    (
        "{\"time\":{\"latitude_deg\":52}}",
        &["time.latitude_deg must be given together with longitude_deg, or both be null"],
    ),
    (
        "{\"time\":{\"posix\":\"nonsense\"}}",
        &[
            "time.posix must be a POSIX TZ string such as \"CET-1CEST,M3.5.0,M10.5.0/3\", at most 64 characters",
        ],
    ),
    (
        "{\"schedule\":{\"entries\":[{\"at\":\"sunset\",\"on\":true}]}}",
        &[
            "schedule.entries[0].at must be a time of the clock while time.latitude_deg and time.longitude_deg are null",
        ],
    ),
    (
        "{\"schedule\":{\"entries\":[{\"at\":\"6:30\"},7,{\"at\":\"06:30\",\"on\":true,\"days\":[],\"colour\":1,\"random_s\":0.5,\"on\":1}]}}",
        &[
            "schedule.entries[0].at must be a time such as \"06:30\", or \"sunrise\", \"sunset\", \"sunrise+00:30\" or \"sunset-01:00\" (at most 6 hours)",
            "schedule.entries[0].on must be true or false",
            "schedule.entries[1] must be an object with at and on",
            "schedule.entries[2].days must be a list of at least one of \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\" and \"sun\"",
            "schedule.entries[2].colour is not a field that this plug knows",
            "schedule.entries[2].random_s must be a whole number of seconds from 0 to 3600",
            "schedule.entries[2].on must be given only once",
        ],
    ),
    (
        "{\"calibration\":{\"version\":7,\"voltage\":{\"gain\":1000,\"x\":1},\"current\":3,\"reset\":true}}",
        &[
            "calibration.version is not a field that this plug knows",
            "calibration.voltage.gain must be from a hundredth of the board's own gain to a hundred times it",
            "calibration.voltage.x is not a field that this plug knows",
            "calibration.current must be an object with the fields of the calibration, or null",
            "calibration.reset must be true, and stand alone",
        ],
    ),
    (
        "{\"calibration\":{\"phase_deg\":91,\"date\":-1,\"reference\":2,\"current\":{\"zero_raw\":1e9},\"reset\":false}}",
        &[
            "calibration.phase_deg must be a number from -90 to 90",
            "calibration.date must be a whole number of Unix seconds from 0 to 253402300799",
            "calibration.reference must be a text of at most 48 bytes without control characters",
            "calibration.current.zero_raw must be a number from -16777216 to 16777216",
            "calibration.reset must be true, and stand alone",
        ],
    ),
    (
        "{\"emoncms\":{\"url\":\"https://emoncms.org\"}}",
        &[
            "emoncms.url must begin with http://, since this plug does not speak https yet; the transport \"encrypted\" protects the readings without it",
        ],
    ),
    ("{\"emoncms\":{\"enabled\":true}}", &["emoncms.enabled must be false where there is no url"]),
    (
        "{\"emoncms\":{\"url\":\"emoncms.org\",\"node\":\"a/b\",\"write_key\":\"0\",\"user_id\":0,\"interval_s\":0.5,\"input_power\":\"ä\",\"input_relay\":\" x\"}}",
        &[
            "emoncms.url must be the address of Emoncms with its path such as \"http://192.168.1.2/emoncms\", at most 64 characters, or empty",
            "emoncms.node must be at most 16 letters, digits, spaces and characters of \"_-.\", or empty",
            "emoncms.write_key must be the 32 hexadecimal digits of a key of Emoncms, \"set\" to keep the one that is set, or null",
            "emoncms.user_id must be a whole number from 1 to 4294967295, or null",
            "emoncms.interval_s must be a whole number of seconds from 1 to 3600",
            "emoncms.input_power must be at most 16 letters, digits, spaces and characters of \"_-.\", or empty where it is not to be sent",
            "emoncms.input_relay must be at most 16 letters, digits, spaces and characters of \"_-.\", or empty where it is not to be sent",
        ],
    ),
    (
        "{\"emoncms\":{\"input_power\":\"x\",\"input_relay\":\"x\"}}",
        &[
            "emoncms.input_power must have another name: two inputs have the same",
            "emoncms.input_relay must have another name: two inputs have the same",
        ],
    ),
    ("{\"calibration\":[]}", &["calibration must be an object with the fields of the calibration, or null"]),
];
