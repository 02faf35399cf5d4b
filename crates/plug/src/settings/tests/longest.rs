//! Everything at its longest: it is the longest, it fits where it must, and what is packed comes back as it was.

use core::fmt::{Result as Written, Write};

use proptest::prelude::*;

use super::*;
use crate::settings::packed::{DAYS, NAMES, WORDS, unpack};
use crate::settings::packer::pack;
use crate::settings::schema::{EARLIER_CALIBRATIONS, HOSTS, MORE_NETWORKS, SCHEDULE_ENTRIES};
use crate::settings::write::{Kept, write_in_use};
use crate::storage::item::{Found, Item, Length, Out};
use crate::update::keys::KEYS;

fn longest() -> Box<Settings> {
    taken(&Settings::default(), LONGEST)
}

fn packed(text: &str) -> Vec<u8> {
    let write = |out: &mut dyn Write| out.write_str(text);
    let item: &dyn Fn(&mut dyn Out) -> Written = &|out| pack(&write, out);
    let mut length = Length(0);
    item(&mut length).unwrap();
    let mut bytes = vec![0; length.0];
    assert_eq!(Item(item).write(&mut bytes), Some(length.0));
    bytes
}

/// The text that is stored while a calibration is on its way, and with this of a newer version.
fn longest_text(section: Option<&'static str>, kept: &str) -> String {
    let kept = vec![Kept { section, text: format!("\"x\":\"{kept}\"") }];
    let mut text = String::new();
    let beside = Beside { revision: u32::MAX, kept };
    let mut settings = longest();
    settings.calibration.in_use.as_mut().unwrap().version = u32::MAX;
    write_stored(&settings, &Settings::default(), &beside, true, &mut text).unwrap();
    assert!(!read_stored(&text).dropped, "it is what is kept");
    text
}

/// Where a field becomes longer, or there is a new one, its longest is to be put into the file.
#[test]
fn it_is_the_longest() {
    let (settings, default) = (longest(), Settings::default());
    for field in &FIELDS {
        let name = format!("{}.{}", field.section, field.name);
        assert!(!field.same(&settings, &default), "{name} is as it is when left out");
        match &field.kind {
            Kind::Text { get, wanted, .. } => {
                let (_, most) = wanted.split_once("at most ").unwrap();
                assert_eq!(most.split(' ').next().unwrap().parse(), Ok(get(&settings).len()), "{name}");
            }
            Kind::Secret { get, wanted, .. } => {
                let length = if wanted.contains("63") { 63 } else { 32 };
                assert_eq!(get(&settings).unwrap().len(), length, "{name}");
            }
            Kind::Number(place, _) => assert!(shown_length((place.of)(&settings)) > 9, "{name}"),
            Kind::MaybeNumber(place, _) => {
                assert!(shown_length(&(place.of)(&settings).unwrap()) > 9, "{name}")
            }
            _ => {}
        }
    }
    assert_eq!(settings.schedule.entries.len(), SCHEDULE_ENTRIES);
    assert_eq!((settings.access.hosts.len(), settings.wifi.more.len()), (HOSTS, MORE_NETWORKS));
    assert!(settings.access.hosts.iter().all(|host| host.len() == 64));
    assert_eq!((settings.update.keys.len(), settings.update.retired.len()), (KEYS, KEYS));
    for known in &settings.wifi.more {
        assert_eq!(known.credentials.ssid.len(), 32);
        assert_eq!(known.credentials.password.as_ref().map(|password| password.len()), Some(63));
        assert!(
            known.hidden
                && known.address.is_some_and(|address| address.gateway.is_some() && address.dns.is_some())
        );
    }
    assert_eq!(settings.calibration.in_use.as_ref().map(|calibration| calibration.reference.len()), Some(48));
}

fn shown_length(number: &f64) -> usize {
    crate::json::Number(*number).to_string().len()
}

#[test]
fn it_fits_where_it_must() {
    let settings = longest();
    let (board, most) = (&basis().board, limits::SETTINGS_BODY);
    for secrets in [Secrets::Hide, Secrets::Show] {
        let shown = json_length(&settings, board, secrets);
        assert!(shown + 512 < most, "{secrets:?}: {shown} bytes");
    }
    // The worst of what a newer version can leave: what no short form fits, as much as is kept and a little of it, wherever.
    let sections = SECTIONS.into_iter().filter(|section| *section != "calibration").map(Some).chain([None]);
    let kept = ["x", "ä", "\\\"", "\\u0041", "\u{7f}", "😀", "\\n"];
    let kept = kept
        .iter()
        .flat_map(|kept| [(KEPT_MOST - 8) / kept.len(), 300 / kept.len(), 1].map(|times| kept.repeat(times)));
    for (section, kept) in kept.flat_map(|kept| sections.clone().map(move |section| (section, kept.clone())))
    {
        let text = longest_text(section, &kept);
        let bytes = packed(&text);
        assert!(bytes.len() <= STORED_MOST, "{section:?} {kept}: {} of {} bytes", bytes.len(), text.len());
        assert_eq!(unpack(&bytes).as_deref(), Ok(&*text));
        let read = read_stored(&text);
        let without = Settings { calibration: Default::default(), ..(*settings).clone() };
        assert_eq!((*read.settings, read.wrong.is_empty()), (without, true));
    }
    assert!(size_of::<Settings>() < 1500, "{} bytes", size_of::<Settings>());
}

/// docs/storage.md and decision 10 say how long everything at its longest is.
#[test]
fn the_documents_have_the_lengths() {
    let beside = Beside { revision: u32::MAX, kept: Vec::new() };
    let mut text = String::new();
    write_stored(&longest(), &Settings::default(), &beside, true, &mut text).unwrap();
    let shown = |bytes: usize| format!("{},{:03}", bytes / 1000, bytes % 1000);
    let (plain, short, most) = (shown(text.len()), shown(packed(&text).len()), shown(STORED_MOST));
    for document in [
        include_str!("../../../../../docs/storage.md"),
        include_str!("../../../../../docs/decisions/0010-settings-as-one-item.md"),
    ] {
        for length in [&plain, &short, &most] {
            assert!(document.contains(length.as_str()), "{length}");
        }
    }
}

/// The calibrations have a place of their own, where they are as they are.
#[test]
fn all_calibrations_fit_into_theirs() {
    let settings = longest();
    let mut calibration = settings.calibration.in_use.clone();
    calibration.as_mut().unwrap().version = u32::MAX;
    let mut length = Length(0);
    write_in_use(calibration.as_ref(), &mut length).unwrap();
    let all = (1 + EARLIER_CALIBRATIONS) * (length.0 + 1) + r#"{"schema":1,"in_use":"earlier":[]}"#.len();
    assert!(all <= STORED_MOST, "{all} bytes");
}

/// What a plug stored stays readable: neither codes nor lists change.
#[test]
fn the_form_is_for_ever() {
    let text = concat!(
        r#"{"schema":1,"device":{"name":"a\"b\\c","led_off":true,"mdns":false},"wifi":{"address":{"ip":"10.0.0.1","#,
        r#""dns":null}},"schedule":{"entries":[{"at":"sunrise+00:30","on":true,"days":["mon","sun"]},{"at":"sunset"}]},"#,
        r#""relay":{"inching_s":12.34567891},"update":{"keys":["00ff"]},"new":"ä","odd":"\u00e4"}"#
    );
    let stored = "007b8031827b8d02056122625c638f0891097d837b957b97040a0000019a0a7d7d867bae5b7baf06062b30303a3330b008b15b10165d7d2c7baf07007d5d7d857ba905debb7ad3fcb028407d8c7bea5b030200ff5d7d2c02036e65773a0202c3a42c02036f64643a0108225c7530306534227d";
    let bytes = packed(text);
    assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), stored);
    assert_eq!(unpack(&bytes).as_deref(), Ok(text));
    // A plug takes what it never makes, too: a longer piece of what stays as it is.
    assert_eq!(unpack(b"\0{\x01\x05\"ab\"}").as_deref(), Ok("{\"ab\"}"));
    let all = NAMES.iter().chain(&DAYS).chain(&WORDS).flat_map(|word| word.bytes().chain([b' ']));
    assert_eq!(all.fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())), 0xb701_9427);
}

#[test]
fn plain_text_is_read_as_the_first_versions_stored_it() {
    assert_eq!(unpack(b"{\"schema\":1}").as_deref(), Ok("{\"schema\":1}"));
    assert_eq!(unpack(b"").as_deref(), Ok(""));
    assert_eq!(unpack(b"{\xff"), Err(Found::Corrupt));
    // Codes that there are not, and payloads that end too soon.
    for bytes in [
        &b"\x00\x0b"[..],
        b"\x00\x17",
        b"\x00\x7f",
        b"\x00\xff",
        b"\x00\x02",
        b"\x00\x02\x02a",
        b"\x00\x04abc",
        b"\x00\x05abcdefg",
        b"\x00\x02\x01\xff",
        b"\x00\x01\x00",
    ] {
        assert_eq!(unpack(bytes), Err(Found::Corrupt), "{bytes:x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_comes_back(text in ".{0,600}", json in r#"[\[\]{},:"\\a-f0-9.\-e ä😀\x00-\x1f]{0,900}"#) {
        for text in [text, json] {
            prop_assert_eq!(unpack(&packed(&text)), Ok(text));
        }
    }

    /// What has short forms, one behind the other in every order.
    #[test]
    fn any_row_of_words_comes_back(
        words in proptest::collection::vec(
            prop::sample::select(vec![
                "sunrise", "sunset", "\"", "\\", ",", ":", "{", "}", "[", "]", " ", "ä", "\n", "\\n", "\"name\":", ",\"mon\"",
                "true", "null", "\"10.0.0.1\"", "12.34567891", "\"00ff\"", "\"sunrisesunset\"", "\"sunsetsunrise+1\"",
            ]),
            0..60,
        ),
    ) {
        let text = words.concat();
        prop_assert_eq!(unpack(&packed(&text)), Ok(text));
    }

    #[test]
    fn pieces_of_settings_come_back(cuts in proptest::collection::vec(0_usize..7000, 0..40)) {
        let mut text = longest_text(Some("update"), "x");
        for cut in cuts {
            let at = cut % text.len();
            text.remove(at);
        }
        prop_assert_eq!(unpack(&packed(&text)), Ok(text));
    }

    #[test]
    fn any_bytes_are_text_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = unpack(&[&[0], &*bytes].concat());
        let _ = unpack(&bytes);
    }
}
