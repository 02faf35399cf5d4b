//! What the build brings along (docs/boards.md has the variables). A value that does not fit does not build; none is
//! ever printed.

use plug::defaults::Defaults;

const SSID: Option<&str> = option_env!("OSSP_WIFI_SSID");
const PASSWORD: Option<&str> = option_env!("OSSP_WIFI_PASSWORD");
const EMONCMS_URL: Option<&str> = option_env!("OSSP_EMONCMS_URL");
const EMONCMS_KEY: Option<&str> = option_env!("OSSP_EMONCMS_KEY");
const UPDATE_KEY: Option<&str> = option_env!("OSSP_UPDATE_KEY");

const _: () = match Defaults::check(SSID, PASSWORD, EMONCMS_URL, EMONCMS_KEY, UPDATE_KEY) {
    Ok(()) => {}
    Err(error) => panic!("{}", error.sentence()),
};

/// The defaults of this build.
pub fn of_this_build() -> Defaults {
    // They were checked above.
    Defaults::from_build(SSID, PASSWORD, EMONCMS_URL, EMONCMS_KEY, UPDATE_KEY).unwrap_or_default()
}
