//! What a build brings along for a plug that has no settings yet: given by environment variables, checked here.

use core::fmt;

use heapless::String;

use crate::platform::{Credentials, Ssid};
use crate::settings::Settings;
use crate::settings::emoncms::is_url;
use crate::update::keys::Key;

/// Settings of the build; nothing by default.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The network to join (`OSSP_WIFI_SSID`, `OSSP_WIFI_PASSWORD`).
    pub wifi: Option<Credentials>,
    /// Where readings go (`OSSP_EMONCMS_URL`).
    pub emoncms_url: Option<&'static str>,
    /// With which key (`OSSP_EMONCMS_KEY`).
    pub emoncms_key: Option<&'static str>,
    /// Whose signature new firmware must have (`OSSP_UPDATE_KEY`): the public key of whoever makes the releases.
    pub update_key: Option<Key>,
}

/// What is wrong with the variables of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultsError {
    /// A name longer than 32 bytes.
    SsidTooLong,
    /// A password that WPA2 does not have.
    PasswordLength,
    /// A password for no network.
    PasswordWithoutSsid,
    /// Not an address of a server.
    UrlScheme,
    /// A key for no server.
    KeyWithoutUrl,
    /// No key of Emoncms.
    EmoncmsKey,
    /// No public key.
    UpdateKey,
}

impl DefaultsError {
    /// One sentence that a person who builds can act on. Usable in a `const`, so that a build can fail with it.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::SsidTooLong => "OSSP_WIFI_SSID may have at most 32 bytes.",
            Self::PasswordLength => "OSSP_WIFI_PASSWORD must have 8 to 63 characters, as WPA2 wants it.",
            Self::PasswordWithoutSsid => "OSSP_WIFI_PASSWORD is given without OSSP_WIFI_SSID.",
            Self::UrlScheme => "OSSP_EMONCMS_URL must begin with http:// and have at most 64 characters.",
            Self::KeyWithoutUrl => "OSSP_EMONCMS_KEY is given without OSSP_EMONCMS_URL.",
            Self::EmoncmsKey => "OSSP_EMONCMS_KEY must be the 32 hexadecimal digits of a write key.",
            Self::UpdateKey => {
                "OSSP_UPDATE_KEY must be a public key of 64 hexadecimal digits, small letters."
            }
        }
    }
}

impl fmt::Display for DefaultsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.sentence())
    }
}

impl core::error::Error for DefaultsError {}

impl Defaults {
    /// Checks the variables of a build; one that is empty counts as not given. In a `const`:
    ///
    /// ```
    /// # use plug::defaults::Defaults;
    /// const _: () = match Defaults::check(option_env!("OSSP_WIFI_SSID"), None, None, None, None) {
    ///     Ok(()) => {}
    ///     Err(error) => panic!("{}", error.sentence()),
    /// };
    /// ```
    ///
    /// # Errors
    /// The first variable that does not fit.
    pub const fn check(
        ssid: Option<&str>,
        password: Option<&str>,
        emoncms_url: Option<&str>,
        emoncms_key: Option<&str>,
        update_key: Option<&str>,
    ) -> Result<(), DefaultsError> {
        let (ssid, password) = (length(ssid), length(password));
        if ssid > 32 {
            Err(DefaultsError::SsidTooLong)
        } else if password > 0 && ssid == 0 {
            Err(DefaultsError::PasswordWithoutSsid)
        } else if password > 0 && (password < 8 || password > 63) {
            Err(DefaultsError::PasswordLength)
        } else if length(emoncms_url) > 0 && !is_web(emoncms_url) {
            Err(DefaultsError::UrlScheme)
        } else if length(emoncms_key) > 0 && length(emoncms_url) == 0 {
            Err(DefaultsError::KeyWithoutUrl)
        } else if !are_digits(emoncms_key, 32, true) {
            Err(DefaultsError::EmoncmsKey)
        } else if !are_digits(update_key, 64, false) {
            Err(DefaultsError::UpdateKey)
        } else {
            Ok(())
        }
    }

    /// Takes the variables of a build: `from_build(option_env!("OSSP_WIFI_SSID"), ...)`.
    ///
    /// # Errors
    /// See [`Self::check`].
    pub fn from_build(
        ssid: Option<&'static str>,
        password: Option<&'static str>,
        emoncms_url: Option<&'static str>,
        emoncms_key: Option<&'static str>,
        update_key: Option<&'static str>,
    ) -> Result<Self, DefaultsError> {
        Self::check(ssid, password, emoncms_url, emoncms_key, update_key)?;
        let given = |text: Option<&'static str>| text.filter(|text| !text.is_empty());
        let wifi = match given(ssid) {
            None => None,
            Some(ssid) => Some(Credentials {
                ssid: Ssid::try_from(ssid).map_err(|_| DefaultsError::SsidTooLong)?,
                password: match given(password) {
                    None => None,
                    Some(text) => Some(String::try_from(text).map_err(|_| DefaultsError::PasswordLength)?),
                },
            }),
        };
        Ok(Self {
            wifi,
            emoncms_url: given(emoncms_url),
            emoncms_key: given(emoncms_key),
            update_key: update_key.and_then(Key::parse),
        })
    }

    /// Gives settings that nobody ever stored what the build brings for them: where readings go, and with which key. They
    /// are sent once the owner switches that on. The network is the radio's own matter.
    pub fn apply(&self, settings: &mut Settings) {
        if let Some(url) = self.emoncms_url.filter(|url| is_url(url)) {
            settings.emoncms.url = url.into();
            settings.emoncms.write_key = self.emoncms_key.map(Into::into);
        }
    }

    /// Whether everybody may know all that the build brought: nothing but the public key, as in a release.
    #[must_use]
    pub fn are_public(&self) -> bool {
        self.names().all(|name| name == "update_key")
    }

    /// Names of what the build brought; never the values.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let password = self.wifi.as_ref().is_some_and(|wifi| wifi.password.is_some());
        [
            ("wifi_ssid", self.wifi.is_some()),
            ("wifi_password", password),
            ("emoncms_url", self.emoncms_url.is_some()),
            ("emoncms_key", self.emoncms_key.is_some()),
            ("update_key", self.update_key.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
    }
}

/// Names only: the values are secrets, or tell where somebody lives.
impl fmt::Debug for Defaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.names()).finish()
    }
}

const fn length(text: Option<&str>) -> usize {
    match text {
        Some(text) => text.len(),
        None => 0,
    }
}

/// Whether `text` is `count` hexadecimal digits, capitals too where `any_case`; or nothing.
const fn are_digits(text: Option<&str>, count: usize, any_case: bool) -> bool {
    let Some(text) = text else { return true };
    let mut rest = text.as_bytes();
    if rest.is_empty() {
        return true;
    }
    if rest.len() != count {
        return false;
    }
    while let [first, others @ ..] = rest {
        if !(first.is_ascii_hexdigit() && (any_case || !first.is_ascii_uppercase())) {
            return false;
        }
        rest = others;
    }
    true
}

const fn is_web(url: Option<&str>) -> bool {
    match url {
        None => false,
        Some(url) => {
            url.len() <= 64 && matches!(url.as_bytes(), [b'h', b't', b't', b'p', b':', b'/', b'/', _, ..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    const ALL: Result<Defaults, DefaultsError> =
        Ok(Defaults { wifi: None, emoncms_url: None, emoncms_key: None, update_key: None });

    #[test]
    fn nothing_given_is_nothing() {
        assert_eq!(Defaults::from_build(None, None, None, None, None), ALL);
        assert_eq!(Defaults::from_build(Some(""), Some(""), Some(""), Some(""), Some("")), ALL);
        assert_eq!(Defaults::default().names().count(), 0);
    }

    #[test]
    fn only_the_public_key_is_for_everybody() {
        let (ssid, url, update) = (Some("Home"), Some("http://a"), Some(&*"0f".repeat(32).leak()));
        let public =
            |ssid, url, update| Defaults::from_build(ssid, None, url, None, update).unwrap().are_public();
        assert!(public(None, None, None) && public(None, None, update));
        assert!(!public(ssid, None, None) && !public(None, url, update) && !public(ssid, url, update));
    }

    #[test]
    fn what_is_given_is_taken_and_only_its_names_are_told() {
        let given = Defaults::from_build(
            Some("Home"),
            Some("secret-of-mine"),
            Some("http://emoncms.org"),
            Some("0123456789abcdef0123456789ABCDEF"),
            Some(&*"0f".repeat(32).leak()),
        )
        .unwrap();
        let names: Vec<_> = given.names().collect();
        assert_eq!(names, ["wifi_ssid", "wifi_password", "emoncms_url", "emoncms_key", "update_key"]);
        let wifi = given.wifi.as_ref().unwrap();
        assert_eq!((wifi.ssid.as_str(), wifi.password.as_deref()), ("Home", Some("secret-of-mine")));
        let told = format!("{given:?}");
        for secret in ["Home", "secret-of-mine", "emoncms.org", "0123456789"] {
            assert!(!told.contains(secret), "{told}");
        }
        let open = Defaults::from_build(Some("Café"), None, None, None, None).unwrap();
        assert_eq!(open.names().collect::<Vec<_>>(), ["wifi_ssid"]);
    }

    #[test]
    fn settings_that_nobody_stored_begin_with_the_builds_server() {
        let key = &*"0f".repeat(16).leak();
        for (url, key) in
            [(None, None), (Some("http://emoncms.local/emoncms"), None), (Some("http://a"), Some(key))]
        {
            let mut settings = Settings::default();
            Defaults::from_build(None, None, url, key, None).unwrap().apply(&mut settings);
            let emoncms = &settings.emoncms;
            assert_eq!((&*emoncms.url, emoncms.write_key.as_deref()), (url.unwrap_or(""), key));
            assert!(!emoncms.enabled);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        let long = "ä".repeat(17).leak();
        for (ssid, password, url, key, update, error) in [
            (Some(&*long), None, None, None, None, DefaultsError::SsidTooLong),
            (Some("a"), Some("seven77"), None, None, None, DefaultsError::PasswordLength),
            (Some("a"), Some(&*"x".repeat(64).leak()), None, None, None, DefaultsError::PasswordLength),
            (None, Some("eight888"), None, None, None, DefaultsError::PasswordWithoutSsid),
            (None, None, Some("emoncms.org"), None, None, DefaultsError::UrlScheme),
            (None, None, Some("http://"), None, None, DefaultsError::UrlScheme),
            (None, None, Some("https://a"), None, None, DefaultsError::UrlScheme),
            (None, None, None, Some("key"), None, DefaultsError::KeyWithoutUrl),
            (None, None, Some("http://a"), Some("key"), None, DefaultsError::EmoncmsKey),
            (None, None, Some("http://a"), Some(&*"g".repeat(32).leak()), None, DefaultsError::EmoncmsKey),
            (None, None, None, None, Some("0f"), DefaultsError::UpdateKey),
            (None, None, None, None, Some(&*"0F".repeat(32).leak()), DefaultsError::UpdateKey),
            (None, None, None, None, Some(&*"0f".repeat(33).leak()), DefaultsError::UpdateKey),
        ] {
            assert_eq!(Defaults::from_build(ssid, password, url, key, update), Err(error));
            assert!(error.to_string().ends_with('.') && error.to_string().contains("OSSP_"));
        }
        assert!(Defaults::from_build(Some("a"), Some(&*"x".repeat(63).leak()), None, None, None).is_ok());
    }
}
