//! The one place where the radio's errors are put into words.

use core::fmt::Write;

use heapless::String;

use crate::limits;
use crate::platform::{LinkError, Security};

/// One sentence that a person can act on: why the network `ssid` was not joined or was left.
#[must_use]
pub fn sentence(error: LinkError, ssid: &str) -> String<{ limits::LINK_SENTENCE }> {
    let mut text = String::new();
    let result = match error {
        LinkError::NotFound => write!(
            text,
            "No network \"{ssid}\" is in range; check its name, that it is on 2.4 GHz, and whether it is hidden."
        ),
        LinkError::WrongPassword => {
            write!(text, "The network \"{ssid}\" does not take this password; check it, capitals too.")
        }
        LinkError::OnlyWpa3 => write!(
            text,
            "The network \"{ssid}\" offers only WPA3, which this plug cannot join; allow WPA2 on it (WPA2/WPA3 \
             mixed mode is fine)."
        ),
        LinkError::ScansAsOpen => write!(
            text,
            "A password is set, but \"{ssid}\" looks open: it offers only WPA3 (then allow WPA2 on it) or is not \
             yours."
        ),
        LinkError::PasswordMissing => {
            write!(text, "The network \"{ssid}\" wants a password, and none is set; set it.")
        }
        LinkError::Unsupported => write!(
            text,
            "The network \"{ssid}\" is protected in a way that this plug does not support; set it to WPA2 with a \
             password."
        ),
        LinkError::NoAddress => write!(
            text,
            "The network \"{ssid}\" was joined but gave no address; check that DHCP is on in its router."
        ),
        LinkError::Lost => {
            write!(
                text,
                "The network \"{ssid}\" does not answer; bring the plug and its router closer together."
            )
        }
        LinkError::Radio => write!(text, "The radio failed; if this stays, unplug the plug for a moment."),
    };
    // Every sentence fits, with the longest name too; a test looks.
    let _ = result;
    text
}

/// An error as JSON has it.
#[must_use]
pub const fn error_word(error: LinkError) -> &'static str {
    match error {
        LinkError::NotFound => "not_found",
        LinkError::WrongPassword => "wrong_password",
        LinkError::OnlyWpa3 => "only_wpa3",
        LinkError::ScansAsOpen => "scans_as_open",
        LinkError::PasswordMissing => "password_missing",
        LinkError::Unsupported => "unsupported",
        LinkError::NoAddress => "no_address",
        LinkError::Lost => "lost",
        LinkError::Radio => "radio",
    }
}

/// How a network is protected, as JSON has it.
#[must_use]
pub const fn security_word(security: Security) -> &'static str {
    match security {
        Security::Open => "open",
        Security::Wpa2 => "wpa2",
        Security::Wpa3 => "wpa3",
        Security::Outdated => "outdated",
        Security::Enterprise => "enterprise",
    }
}

/// The same in a few words, for a line of the log.
pub(super) const fn short(error: LinkError) -> &'static str {
    match error {
        LinkError::NotFound => "not in range",
        LinkError::WrongPassword => "wrong password",
        LinkError::OnlyWpa3 => "offers only WPA3",
        LinkError::ScansAsOpen => "looks open although a password is set",
        LinkError::PasswordMissing => "wants a password",
        LinkError::Unsupported => "its protection is not supported",
        LinkError::NoAddress => "gave no address",
        LinkError::Lost => "does not answer",
        LinkError::Radio => "the radio failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_is_whole_with_the_longest_name_too() {
        for error in [
            LinkError::NotFound,
            LinkError::WrongPassword,
            LinkError::OnlyWpa3,
            LinkError::ScansAsOpen,
            LinkError::PasswordMissing,
            LinkError::Unsupported,
            LinkError::NoAddress,
            LinkError::Lost,
            LinkError::Radio,
        ] {
            let text = sentence(error, &"n".repeat(32));
            assert!(text.ends_with('.') && text.len() > 40, "{error:?} is cut: {text}");
            assert!(short(error).len() <= 40);
        }
        assert!(sentence(LinkError::OnlyWpa3, "home").contains("allow WPA2"));
    }
}
