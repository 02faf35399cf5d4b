//! Real appliances against reference numbers that were computed by others (numpy, in double precision, over whole
//! cycles): the recordings beside the metering crate, and those of the workshop's folder where that is at hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn replay(file: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_ossp"))
        .args(["replay", "--format", "json"])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} in {value}"))
}

/// Duration-weighted mean over the readings that lie in the reference's part of the file.
struct Steady {
    readings: Vec<Value>,
}

impl Steady {
    fn of(replayed: &Value, reference: &Value) -> Self {
        let rate = number(reference, "fs_hz");
        let from = number(reference, "window_start") / rate;
        let to = from + number(reference, "window_samples") / rate;
        // Windows do not fall where the reference begins: those count that lie in it for two thirds.
        let inside = |reading: &&Value| {
            let end = number(reading, "uptime_s");
            let duration = number(&reading["window"], "duration_s");
            end.min(to) - (end - duration).max(from) > 0.68 * duration
        };
        let readings = replayed["readings"].as_array().unwrap().iter().filter(inside).cloned().collect();
        Self { readings }
    }

    fn mean(&self, key: &str) -> f64 {
        self.readings.iter().map(|reading| number(reading, key)).sum::<f64>() / self.readings.len() as f64
    }
}

fn compare(file: &Path, reference: &Value) {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let steady = Steady::of(&replay(file), reference);
    assert!(!steady.readings.is_empty(), "{name}: no window in the steady part");
    // The reference has two figures for most quantities: over one long window (sharp lines, slow changes inside),
    // and as a mean over windows of ten or twelve cycles, with subgroups for THD (which take in each line's
    // neighbours). Our windows are neither, and appliances are never quite steady: we must lie between, give or take.
    let checks = [
        ("voltage_v", "v_rms", "sg_v_rms", 0.001 * number(reference, "v_rms")),
        ("current_a", "i_rms", "sg_i_rms", 0.004 * number(reference, "i_rms")),
        ("active_power_w", "p_w", "sg_p_w", 0.003 * number(reference, "s_va")),
        ("frequency_hz", "freq_hz", "freq_hz", 0.02),
        ("displacement_power_factor", "dpf", "dpf", 0.012),
        ("thd_voltage_pct", "thd_v_pct", "thd_v_sg_pct", 0.05 + 0.01 * number(reference, "thd_v_pct")),
        ("thd_current_pct", "thd_i_pct", "thd_i_sg_pct", 0.05 + 0.03 * number(reference, "thd_i_pct")),
    ];
    for (ours, long, short, slack) in checks {
        let (long, short) = (number(reference, long), number(reference, short));
        let (least, greatest) = (long.min(short) - slack, long.max(short) + slack);
        let is = steady.mean(ours);
        assert!((least..=greatest).contains(&is), "{name}: {ours} is {is}, not in {least}..{greatest}");
    }
}

#[test]
fn real_appliances_measure_as_their_references_say() {
    let reference_text = include_str!("data/reference_2k.json");
    let references: Value = serde_json::from_str(reference_text).unwrap();
    for (name, reference) in references.as_object().unwrap() {
        compare(&here("../metering/tests/data").join(name), reference);
    }
}

#[test]
fn the_workshops_recordings_measure_as_their_references_say() {
    let folder = here("../../../shared/waveforms");
    let Ok(text) = std::fs::read_to_string(folder.join("reference.json")) else {
        // A clone without the workshop's folder: the recordings above are what there is.
        return;
    };
    let references: Value = serde_json::from_str(&text).unwrap();
    for (name, reference) in references.as_object().unwrap() {
        compare(&folder.join(name), reference);
    }
}
