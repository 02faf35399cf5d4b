//! Puts the linker script where the linker looks, and a recording into the program.

use std::{env, fs, path::PathBuf};

const RECORDING: &str = "../../crates/metering/tests/data/kettle_start_2k.csv";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), include_bytes!("memory.x")).expect("the build folder can be written");
    let pairs = recording();
    let bytes: Vec<u8> =
        pairs.iter().flat_map(|(v, i)| [v.to_le_bytes(), i.to_le_bytes()].concat()).collect();
    fs::write(out.join("recording.bin"), bytes).expect("the build folder can be written");
    fs::write(out.join("loop_from.rs"), loop_from(&pairs).to_string())
        .expect("the build folder can be written");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg=-Tlink.x");
    println!("cargo::rustc-link-arg=--nmagic");
    for file in ["memory.x", "build.rs", RECORDING] {
        println!("cargo::rerun-if-changed={file}");
    }
}

/// The rows in counts of 0.1 mV and 10 uA, as `ossp replay` takes them.
fn recording() -> Vec<(i32, i32)> {
    let text = fs::read_to_string(RECORDING).expect("the recording is part of the project");
    let count = |text: &str, lsb: f64| (text.parse::<f64>().expect("a number") / lsb).round() as i32;
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("voltage"))
        .map(|line| line.split_once(',').expect("two columns"))
        .map(|(voltage, current)| (count(voltage, 1e-4), count(current, 1e-5)))
        .collect()
}

/// The row to go on with after the last one: of those in the steady part, the one after whose predecessor the voltage
/// looks most like the recording's end.
fn loop_from(pairs: &[(i32, i32)]) -> usize {
    let end = pairs.len();
    let unlike = |row: usize| -> i64 {
        (1..=40).map(|back| i64::from(pairs[row - back].0 - pairs[end - back].0).pow(2)).sum()
    };
    (end / 2 + 100..end - 400).min_by_key(|&row| unlike(row)).expect("the recording is long enough")
}
