//! Who this plug is: the chip's factory address, the board, the build, and why it started.

use core::fmt::Write;

use heapless::String;
use plug::platform::Identity;

use crate::boards::BOARD;
use crate::reset::Start;

/// Of this plug, this time.
#[inline(never)]
pub fn identity(start: &Start) -> Identity {
    let mut id = String::new();
    for byte in esp_hal::efuse::base_mac_address().as_bytes() {
        // Twelve digits fit.
        let _ = write!(id, "{byte:02x}");
    }
    Identity {
        id,
        board: BOARD.name,
        chip: BOARD.chip,
        version: env!("CARGO_PKG_VERSION").try_into().unwrap_or_default(),
        git: env!("OSSP_GIT"),
        build: env!("OSSP_BUILD"),
        rustc: env!("OSSP_RUSTC"),
        espflash: option_env!("OSSP_ESPFLASH"),
        reset_reason: start.reason,
        reset_detail: start.detail.clone(),
        source: String::try_from(BOARD.source).unwrap_or_default(),
    }
}
