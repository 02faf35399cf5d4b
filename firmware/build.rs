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
    let [profile, target] = ["PROFILE", "TARGET"].map(|name| std::env::var(name).unwrap_or_default());
    // "rustc 1.95.0 (59807616e 2026-04-14)"
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().trim_start_matches("rustc ").to_owned());
    println!("cargo::rustc-env=OSSP_RUSTC={rustc}");
    println!("cargo::rustc-env=OSSP_GIT={git}");
    println!("cargo::rustc-env=OSSP_BUILD={profile} {target}");
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/index");
}
