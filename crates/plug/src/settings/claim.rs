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
/// Most.
const PASSWORD_MOST: usize = 128;

const PASSWORD: Wanted = Wanted::Phrase("a text of 10 to 128 characters without control characters");
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
    if patch.settings.wifi.access_point_password.is_none() && patch.wrong.is_empty() {
        patch.wrong.push(WrongField::section("access_point_password", GIVE_ANOTHER));
    }
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
    let mut text = String::new();
    let whole = json::unescape(value.unwrap_or(""), &mut |character| {
        text.push(character);
        // Whatever is longer is wrong, however long it is.
        text.len() <= 4 * PASSWORD_MOST
    });
    if !whole || !is_password(&text) {
        patch.wrong.push(WrongField::section("password", Why::MustBe(PASSWORD)));
    } else if !patch.given.has("wifi", "access_point_password") {
        if is_wpa2_password(&text) {
            patch.member("wifi", "access_point_password", value.unwrap_or(""));
        } else {
            patch.wrong.push(WrongField::section("access_point_password", GIVE_ANOTHER));
        }
    }
    text
}
