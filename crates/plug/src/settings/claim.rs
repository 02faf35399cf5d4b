//! What somebody who claims the plug says: a password, and the few settings that go with the first minutes.

use alloc::boxed::Box;
use alloc::string::String;

use super::fields::is_wpa2_password;
use super::patch::{Patch, Refusal};
use super::schema::{Basis, Settings};
use super::wrong::{Wanted, Why, WrongField};
use crate::json::{self, NotJson};

/// Fewest characters of a password.
pub const PASSWORD_LEAST: usize = 10;
/// Most. Characters are Unicode's code points: four bytes at most.
const PASSWORD_MOST: usize = 128;

const PASSWORD: Wanted =
    Wanted::Phrase("a text of 10 to 128 characters (Unicode code points) without control characters");
const GIVE_ANOTHER: Why = Why::Rule(
    "be given, 8 to 63 printable ASCII characters, since the password cannot be the access point's",
);

/// A claim that can be granted.
pub struct Claimed {
    /// The owner's password.
    pub password: String,
    /// The settings after it.
    pub settings: Box<Settings>,
}

/// The password keeps to itself.
impl core::fmt::Debug for Claimed {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Claimed").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Members of a claim, with the field of the settings that some of them are; the others are sections.
const MEMBERS: [(&str, Option<(&str, &str)>); 6] = [
    ("password", None),
    ("name", Some(("device", "name"))),
    ("access_point_ssid", Some(("wifi", "access_point_ssid"))),
    ("access_point_password", Some(("wifi", "access_point_password"))),
    ("wifi", None),
    ("time", None),
];

/// The password as an owner's, if it can be one.
#[must_use]
pub fn is_password(text: &str) -> bool {
    (PASSWORD_LEAST..=PASSWORD_MOST).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The owner's password that a JSON string is, see [`is_password`].
pub(crate) fn read_password(value: &str) -> Option<String> {
    let mut text = String::new();
    let whole = json::unescape(value, &mut |character| {
        text.push(character);
        // Whatever is longer is wrong, however long it is.
        text.len() <= 4 * PASSWORD_MOST
    });
    (whole && is_password(&text)).then_some(text)
}

/// The claim that `text` is: `{"password":...,"name":...,"access_point_ssid":...,"access_point_password":...,"wifi":{...},
/// "time":{...}}`. Only the password must be there; it becomes the access point's where that is given none. What is null
/// counts as left out.
///
/// # Errors
/// What is wrong.
pub fn claim(settings: &Settings, text: &str, basis: &Basis) -> Result<Claimed, Refusal> {
    let mut patch = Patch::new(settings, basis, None);
    let (mut seen, mut password) = (0_u8, None);
    json::members(text, |name, value| {
        let found = MEMBERS.iter().enumerate().find(|(_, (member, _))| *member == name);
        let Some((index, (member, field))) = found else {
            return patch.wrong.push(WrongField::unknown_section(name));
        };
        if seen & 1 << index != 0 {
            return patch.wrong.push(WrongField::section(member, Why::Repeated));
        }
        seen |= 1 << index;
        match (*member, field) {
            (_, _) if value == "null" => {}
            ("password", _) => password = Some(value),
            (_, Some((section, name))) => patch.member(section, name, value),
            (section, None) => patch.section(section, value),
        }
    })
    .map_err(|NotJson| Refusal::NotJson)?;
    let password = owners(password, &mut patch);
    match patch.finish() {
        Ok(settings) => Ok(Claimed { password, settings }),
        Err(mut wrong) => {
            for (member, field) in MEMBERS {
                if let Some((section, name)) = field {
                    wrong.rename(section, name, member);
                }
            }
            Err(Refusal::Wrong(wrong))
        }
    }
}

/// Reads the password, and gives it to the access point too where that was given none.
fn owners(value: Option<&str>, patch: &mut Patch<'_>) -> String {
    let Some(text) = value.and_then(read_password) else {
        patch.wrong.push(WrongField::section("password", Why::MustBe(PASSWORD)));
        return String::new();
    };
    if !patch.given.has("wifi", "access_point_password") {
        if is_wpa2_password(&text) {
            patch.member("wifi", "access_point_password", value.unwrap_or(""));
        } else {
            patch.wrong.push(WrongField::section("access_point_password", GIVE_ANOTHER));
        }
    }
    // Given as null, or as what is to stay.
    if patch.settings.wifi.access_point_password.is_none() && patch.wrong.is_empty() {
        patch.wrong.push(WrongField::section("access_point_password", GIVE_ANOTHER));
    }
    text
}

/// What provisions a plug: `{"password":...}` as in a claim, and any sections of the settings beside it.
///
/// # Errors
/// What is wrong.
pub fn import(settings: &Settings, text: &str, basis: &Basis) -> Result<Claimed, Refusal> {
    let mut patch = Patch::new(settings, basis, None);
    let mut password = None;
    json::members(text, |name, value| match name {
        "password" if password.is_some() => patch.wrong.push(WrongField::section("password", Why::Repeated)),
        "password" => password = Some(value),
        section => patch.section(section, value),
    })
    .map_err(|NotJson| Refusal::NotJson)?;
    let password = owners(password, &mut patch);
    let settings = patch.finish().map_err(Refusal::Wrong)?;
    Ok(Claimed { password, settings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Hardware;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use metering::calibration::Calibration;
    use serde_json::{Value, json};

    fn basis() -> Basis {
        Basis {
            hardware: Hardware::ANY,
            board: Calibration::ideal(0.2, 2047.5, 0.0147, 2048.25),
            zone: |text| text != "nonsense",
        }
    }

    fn after(text: &str) -> Result<Claimed, Refusal> {
        claim(&Settings::default(), text, &basis())
    }

    fn faults(claim: &Value) -> Vec<String> {
        match after(&claim.to_string()) {
            Err(Refusal::Wrong(wrong)) => {
                wrong.fields().iter().map(|field| format!("{} {}", field.field(), field.message())).collect()
            }
            other => panic!("{claim}: {other:?}"),
        }
    }

    #[test]
    fn a_password_is_all_that_it_takes() {
        let claimed = after("{\"password\":\"0123456789\"}").unwrap();
        assert_eq!(claimed.password, "0123456789");
        let mut expected = Settings::default();
        expected.wifi.access_point_password = Some("0123456789".try_into().unwrap());
        assert_eq!(*claimed.settings, expected);
        let nothing = "{\"password\":\"0123456789\",\"name\":null,\"access_point_ssid\":null,\"wifi\":null,\"time\":null,\
                       \"access_point_password\":null}";
        assert_eq!(*after(nothing).unwrap().settings, expected);
        let told = format!("{:?}", after(nothing).unwrap());
        assert!(!told.contains("0123456789"), "{told}");
    }

    #[test]
    fn everything_else_goes_where_it_belongs() {
        let text = json!({
            "name": "Küche", "password": "correct \"horse\"", "access_point_ssid": "mine",
            "access_point_password": "12345678", "wifi": {"ssid": "home", "password": "87654321"},
            "time": {"zone": "Europe/Berlin", "posix": "CET-1CEST,M3.5.0,M10.5.0/3", "source": "ntp",
                "latitude_deg": 52.5, "longitude_deg": 13.4}
        });
        let claimed = after(&text.to_string()).unwrap();
        assert_eq!(claimed.password, "correct \"horse\"");
        let (device, wifi, time) = (&claimed.settings.device, &claimed.settings.wifi, &claimed.settings.time);
        assert_eq!((device.name.as_str(), wifi.ssid.as_str()), ("Küche", "home"));
        assert_eq!(wifi.password.as_deref(), Some("87654321"));
        assert_eq!(wifi.access_point_ssid, "mine");
        assert_eq!(wifi.access_point_password.as_deref(), Some("12345678"));
        assert_eq!((time.zone.as_str(), time.longitude_deg), ("Europe/Berlin", Some(13.4)));
        // The access point's may stand in its section.
        let inside = json!({"password": "0123456789", "wifi": {"access_point_password": "abcdefgh"}});
        let wifi = after(&inside.to_string()).unwrap().settings.wifi;
        assert_eq!(wifi.access_point_password.as_deref(), Some("abcdefgh"));
    }

    #[test]
    fn each_mistake_is_named_as_it_was_given() {
        let password = "password must be a text of 10 to 128 characters (Unicode code points) without control characters";
        let another = "access_point_password must be given, 8 to 63 printable ASCII characters, since the password \
                       cannot be the access point's";
        let long = "x".repeat(64);
        for (claim, expected) in [
            (json!({}), &[password][..]),
            (json!({"password": "123456789"}), &[password]),
            (json!({"password": null}), &[password]),
            (json!({"password": 1_234_567_890}), &[password]),
            (json!({"password": "x".repeat(129)}), &[password]),
            (json!({"password": "0123456789\u{7}"}), &[password]),
            (json!({"password": long}), &[another]),
            (json!({"password": "zehn Ümlaute"}), &[another]),
            (json!({"password": "0123456789", "access_point_password": "set"}), &[another]),
            (
                json!({"password": "0123456789", "access_point_password": "short"}),
                &[
                    "access_point_password must be 8 to 63 printable ASCII characters, \"set\" to keep the one that \
                     is set, or null",
                ],
            ),
            (
                json!({"password": "0123456789", "colour": 1, "name": 7, "wifi": {"password": "12345678"}}),
                &[
                    "colour is not a field that this plug knows",
                    "name must be a text of at most 32 bytes without control characters",
                    "wifi.password must be null where there is no ssid",
                ],
            ),
            (
                json!({"password": "0123456789", "wifi": 1, "time": {"posix": "nonsense", "x": 1}}),
                &[
                    "wifi must be an object with fields, or null",
                    "time.posix must be a POSIX TZ string such as \"CET-1CEST,M3.5.0,M10.5.0/3\", at most 64 characters",
                    "time.x is not a field that this plug knows",
                ],
            ),
        ] {
            let mut told = faults(&claim);
            // In the order of the text, which `json!` sorts.
            told.sort_unstable();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(told, expected, "{claim}");
        }
        let twice = "{\"password\":\"0123456789\",\"password\":\"0123456789\"}";
        let Err(Refusal::Wrong(wrong)) = after(twice) else { panic!() };
        assert_eq!(wrong.to_string(), "password must be given only once.");
        for text in ["", "[]", "{", "{\"password\":\"0123456789\"}x"] {
            assert!(matches!(after(text), Err(Refusal::NotJson)), "{text}");
        }
    }

    #[test]
    fn what_provisions_a_plug_may_set_everything() {
        let text = "{\"password\":\"0123456789\",\"device\":{\"name\":\"a\"},\"protection\":{\"retries\":1}}";
        assert!(matches!(after(text), Err(Refusal::Wrong(_))), "a claim may not");
        let Claimed { password, settings } = import(&Settings::default(), text, &basis()).unwrap();
        assert_eq!((password.as_str(), settings.device.name.as_str()), ("0123456789", "a"));
        assert_eq!(settings.wifi.access_point_password.as_deref(), Some("0123456789"));
        for (text, expected) in [
            ("{}", "password must be a text of 10 to 128 characters"),
            ("{\"password\":\"0123456789\",\"password\":\"0123456789\"}", "password must be given only once"),
            ("{\"password\":\"0123456789\",\"name\":\"a\"}", "name is not a field"),
            (
                "{\"password\":\"0123456789\",\"protection\":{\"retries\":-1}}",
                "protection.retries must be a whole number",
            ),
            (
                "{\"password\":\"0123456789\",\"wifi\":{\"access_point_password\":null}}",
                "access_point_password must be",
            ),
            ("{\"password\":\"zehn \u{dc}mlaute\"}", "access_point_password must be"),
        ] {
            let Err(Refusal::Wrong(wrong)) = import(&Settings::default(), text, &basis()) else {
                panic!("{text}")
            };
            assert!(wrong.to_string().starts_with(expected), "{text}: {wrong}");
        }
        assert!(matches!(import(&Settings::default(), "[]", &basis()), Err(Refusal::NotJson)));
    }

    #[test]
    fn long_passwords_are_taken_with_another_for_the_access_point() {
        let long = "ä".repeat(128);
        let claim = json!({"password": long, "access_point_password": "12345678"});
        assert_eq!(after(&claim.to_string()).unwrap().password, long);
    }

    /// The longest claim fits where it must, each character escaped as it never is.
    #[test]
    fn the_longest_claim_fits() {
        let escaped = |length| "\\u0041".repeat(length);
        let text = format!(
            "{{\"password\":\"{}\",\"name\":\"{}\",\"access_point_password\":\"{}\"}}",
            escaped(128),
            escaped(32),
            escaped(63)
        );
        assert!(after(&text).is_ok());
        assert!(text.len() + 512 < crate::limits::SETUP_BODY, "{}", text.len());
    }
}
