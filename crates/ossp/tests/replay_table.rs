//! The table that `ossp replay` prints, frozen: the numbers of three real appliances.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::process::Command;

fn replay(format: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ossp"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["replay", "--format", format])
        .args(
            ["kettle", "fridge", "television"]
                .map(|name| format!("../metering/tests/data/{name}_start_2k.csv")),
        )
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_table() {
    insta::assert_snapshot!(replay("table"));
}

#[test]
fn the_rows() {
    insta::assert_snapshot!(replay("csv"));
}
