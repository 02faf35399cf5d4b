//! How far it is: shown only when people watch.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Bytes of a known number.
pub(super) fn bytes(what: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    shown(bar, "{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left")
}

/// Bytes, nobody knows how many, or nothing but waiting.
pub(super) fn waiting(what: &str) -> ProgressBar {
    let bar = shown(ProgressBar::new_spinner().with_message(what.to_owned()), "{spinner} {msg}");
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(120));
    }
    bar
}

fn shown(bar: ProgressBar, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
