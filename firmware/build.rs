//! Tells the program which commit it was built from.

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
    println!("cargo::rustc-env=OSSP_GIT={git}");
    println!("cargo::rustc-env=OSSP_BUILD={profile} {target}");
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/index");
}
