//! Tells the program which commit it was built from, and by which compiler.

use std::process::Command;

fn main() {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned());
    let profile = std::env::var("PROFILE").unwrap_or_default();
    let target = std::env::var("TARGET").unwrap_or_default();
    // "rustc 1.95.0 (59807616e 2026-04-14)"
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().trim_start_matches("rustc ").to_owned());
    for line in [
        format!("cargo::rustc-env=OSSP_GIT={git}"),
        format!("cargo::rustc-env=OSSP_BUILD={profile} {target}"),
        format!("cargo::rustc-env=OSSP_RUSTC={rustc}"),
        "cargo::rerun-if-changed=../../.git/HEAD".to_owned(),
        "cargo::rerun-if-changed=../../.git/index".to_owned(),
    ] {
        println!("{line}");
    }
}
