//! What fields have to do with each other.

use super::emoncms::Transport;
use super::fields::{FIELDS, find};
use super::schema::{At, ScheduleEntry, Settings, TimeSource};
use super::wrong::{Part, Why, Wrong, WrongField};

/// Which fields of the table a text gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given(u128);

const _: () = assert!(FIELDS.len() <= 128);

impl Given {
    pub(super) const NONE: Self = Self(0);

    /// Adds a field; `false` if it was there.
    pub(super) fn add(&mut self, index: usize) -> bool {
        let before = self.0;
        self.0 |= 1 << index;
        self.0 != before
    }

    pub(super) fn has(self, section: &str, name: &str) -> bool {
        find(section, name).is_some_and(|(index, _)| self.0 & 1 << index != 0)
    }
}

/// A rule: whether it is broken, and for each of its fields what that one must do then.
struct Rule {
    broken: fn(&Settings) -> bool,
    parties: &'static [Party],
}

struct Party {
    section: &'static str,
    name: &'static str,
    must: &'static str,
}

const fn party(section: &'static str, name: &'static str, must: &'static str) -> Party {
    Party { section, name, must }
}

static RULES: [Rule; 13] = [
    Rule {
        broken: |settings| settings.wifi.password.is_some() && settings.wifi.ssid.is_empty(),
        parties: &[
            party("wifi", "password", "be null where there is no ssid"),
            party("wifi", "ssid", "be given, or password be null"),
        ],
    },
    Rule {
        broken: |settings| settings.wifi.has_a_name_twice(),
        parties: &[
            party("wifi", "more", "name each network once, and not the first one again"),
            party("wifi", "ssid", "be another name than those in more"),
        ],
    },
    Rule {
        broken: |settings| {
            let protection = &settings.protection;
            both(protection.voltage_min_v, protection.voltage_max_v).is_some_and(|(min, max)| min >= max)
        },
        parties: &[
            party("protection", "voltage_min_v", "be less than voltage_max_v"),
            party("protection", "voltage_max_v", "be more than voltage_min_v"),
        ],
    },
    Rule {
        // In between there would be no voltage that is good again after a trip.
        broken: |settings| {
            let protection = &settings.protection;
            let back = 2.0 * protection.voltage_hysteresis_v;
            both(protection.voltage_min_v, protection.voltage_max_v)
                .is_some_and(|(min, max)| min < max && min + back >= max)
        },
        parties: &[
            party(
                "protection",
                "voltage_hysteresis_v",
                "be less than half of what is between voltage_min_v and voltage_max_v",
            ),
            party(
                "protection",
                "voltage_min_v",
                "be lower than voltage_max_v by more than twice voltage_hysteresis_v",
            ),
            party(
                "protection",
                "voltage_max_v",
                "be higher than voltage_min_v by more than twice voltage_hysteresis_v",
            ),
        ],
    },
    Rule {
        broken: |settings| {
            let protection = &settings.protection;
            both(protection.rated_current_a, protection.current_limit_a)
                .is_some_and(|(rated, limit)| rated > limit)
        },
        parties: &[
            party("protection", "rated_current_a", "be at most current_limit_a"),
            party("protection", "current_limit_a", "be at least rated_current_a"),
        ],
    },
    Rule {
        broken: |settings| settings.time.latitude_deg.is_some() != settings.time.longitude_deg.is_some(),
        parties: &[
            party("time", "latitude_deg", "be given together with longitude_deg, or both be null"),
            party("time", "longitude_deg", "be given together with latitude_deg, or both be null"),
        ],
    },
    Rule {
        broken: |settings| settings.emoncms.url.starts_with("https:"),
        parties: &[party(
            "emoncms",
            "url",
            "begin with http://, since this plug does not speak https yet; the transport \"encrypted\" protects the \
             readings without it",
        )],
    },
    Rule {
        broken: |settings| settings.emoncms.enabled && settings.emoncms.url.is_empty(),
        parties: &[
            party("emoncms", "enabled", "be false where there is no url"),
            party("emoncms", "url", "be given, or enabled be false"),
        ],
    },
    Rule {
        broken: |settings| settings.emoncms.enabled && settings.emoncms.write_key.is_none(),
        parties: &[
            party("emoncms", "enabled", "be false where there is no write_key"),
            party("emoncms", "write_key", "be given, or enabled be false"),
        ],
    },
    Rule {
        broken: |settings| {
            let emoncms = &settings.emoncms;
            emoncms.enabled && emoncms.transport == Transport::Encrypted && emoncms.user_id.is_none()
        },
        parties: &[
            party("emoncms", "enabled", "be false where transport is \"encrypted\" and there is no user_id"),
            party("emoncms", "transport", "be \"plain\" where there is no user_id"),
            party("emoncms", "user_id", "be given where transport is \"encrypted\""),
        ],
    },
    Rule {
        // A row without its time would go to the server's own "now", and with a wrong one for ever to a wrong place.
        broken: |settings| settings.emoncms.enabled && settings.time.source == TimeSource::None,
        parties: &[
            party(
                "emoncms",
                "enabled",
                "be false while time.source is \"none\": readings are sent with their time",
            ),
            party("time", "source", "not be \"none\" while emoncms.enabled is true"),
        ],
    },
    Rule {
        broken: |settings| settings.emoncms.enabled && !settings.emoncms.says_something(),
        parties: &[
            party(
                "emoncms",
                "enabled",
                "be false where neither power, energy, voltage nor current has a name",
            ),
            party("emoncms", "input_power", NOTHING),
            party("emoncms", "input_energy", NOTHING),
            party("emoncms", "input_energy_kwh", NOTHING),
            party("emoncms", "input_voltage", NOTHING),
            party("emoncms", "input_current", NOTHING),
        ],
    },
    Rule {
        broken: |settings| settings.emoncms.has_a_name_twice(),
        parties: &[
            party("emoncms", "input_power", TWICE),
            party("emoncms", "input_energy", TWICE),
            party("emoncms", "input_energy_kwh", TWICE),
            party("emoncms", "input_energy_export", TWICE),
            party("emoncms", "input_voltage", TWICE),
            party("emoncms", "input_current", TWICE),
            party("emoncms", "input_power_factor", TWICE),
            party("emoncms", "input_frequency", TWICE),
            party("emoncms", "input_power_min", TWICE),
            party("emoncms", "input_power_max", TWICE),
            party("emoncms", "input_relay", TWICE),
        ],
    },
];

const NOTHING: &str = "have a name, or another of power, energy, voltage and current must";
const TWICE: &str = "have another name: two inputs have the same";

fn both(one: Option<f64>, other: Option<f64>) -> Option<(f64, f64)> {
    one.zip(other)
}

/// Tells which rules the settings break, each at the fields that were given.
pub(super) fn check(settings: &Settings, given: Given, wrong: &mut Wrong) {
    for rule in &RULES {
        // A field that is wrong by itself says enough.
        let known = rule.parties.iter().any(|party| tells(wrong, party));
        if known || !(rule.broken)(settings) {
            continue;
        }
        for party in rule.parties.iter().filter(|party| given.has(party.section, party.name)) {
            wrong.push(WrongField::new(party.section, Part::Top, party.name, Why::Rule(party.must)));
        }
    }
    if !sun_is_known(settings) {
        for (_, index) in settings.schedule.entries.iter().zip(0..).filter(|(entry, _)| needs_sun(entry)) {
            wrong.push(lost_sun(index));
        }
    }
}

const ANEW: &str = "be given anew, or be null, where url is another one or transport becomes \"plain\": the plug takes \
                    the one it has only to where it was meant for";

/// Somebody who may change settings, or changes a request on its way, must not get Emoncms' keys by naming another server:
/// the keys that are stored stay with theirs.
pub(super) fn check_keys(before: &Settings, after: &Settings, anew: Given, wrong: &mut Wrong) {
    let (before, after) = (&before.emoncms, &after.emoncms);
    let elsewhere = after.url != before.url && !after.url.is_empty();
    let in_clear = after.transport == Transport::Plain && before.transport != Transport::Plain;
    if !elsewhere && !in_clear {
        return;
    }
    for (name, before, after) in
        [("write_key", &before.write_key, &after.write_key), ("read_key", &before.read_key, &after.read_key)]
    {
        let stays = before.is_some() && after.is_some() && !anew.has("emoncms", name);
        if stays && !wrong.fields().iter().any(|field| field.is("emoncms", name)) {
            wrong.push(WrongField::new("emoncms", Part::Top, name, Why::Rule(ANEW)));
        }
    }
}

fn tells(wrong: &Wrong, party: &Party) -> bool {
    wrong.fields().iter().any(|field| field.is(party.section, party.name))
}

/// Where the sun rises is known only with a position.
const fn sun_is_known(settings: &Settings) -> bool {
    settings.time.latitude_deg.is_some() && settings.time.longitude_deg.is_some()
}

const fn needs_sun(entry: &ScheduleEntry) -> bool {
    entry.enabled && !matches!(entry.at, At::Clock(_))
}

const fn lost_sun(index: u8) -> WrongField {
    let must = "be a time of the clock while time.latitude_deg and time.longitude_deg are null";
    WrongField::new("schedule", Part::Entry(index), "at", Why::Rule(must))
}

/// Makes the fields of broken rules as they are by default, switches off entries that wait for an unknown sun, and tells
/// both.
pub(super) fn repair(settings: &mut Settings, default: &Settings, wrong: &mut Wrong) {
    for rule in &RULES {
        if !(rule.broken)(settings) {
            continue;
        }
        for party in rule.parties {
            if let Some((_, field)) = find(party.section, party.name) {
                field.copy(default, settings);
                wrong.push(field.wrong(Why::Rule(party.must)));
            }
        }
    }
    if !sun_is_known(settings) {
        for (entry, index) in
            settings.schedule.entries.iter_mut().zip(0..).filter(|(entry, _)| needs_sun(entry))
        {
            entry.enabled = false;
            wrong.push(lost_sun(index));
        }
    }
}
