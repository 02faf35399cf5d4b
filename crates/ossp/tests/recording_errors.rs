//! Every way in which a recording can be wrong, and the sentence that a person then reads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly, their helpers too")]

use std::fmt::Write;

use ossp::recording::{Recording, RecordingError};

fn drain<R: std::io::Read>(mut recording: Recording<R>) -> Result<(), RecordingError> {
    let mut block = Vec::new();
    while recording.next_block(&mut block)?.is_some() {}
    Ok(())
}

fn error_of(bytes: &[u8]) -> String {
    let error = Recording::from_reader("kettle.csv", bytes).and_then(drain).unwrap_err();
    error.to_string()
}

#[test]
fn each_error_is_one_sentence() {
    const RATE: &str = "# sample_rate_hz: 2000\n";
    let rows = |rows: &str| format!("{RATE}voltage_v,current_a\n{rows}");
    let key = |line: &str| format!("{RATE}{line}\nvoltage_v,current_a\n1,1\n");
    let raw = |keys: &str| format!("{RATE}{keys}voltage_raw,current_raw\n1,1\n");
    const VOLTS: &str = "# voltage_lsb_v: 0.2\n# voltage_zero_raw: 2048\n";
    const AMPERES: &str = "# current_lsb_a: 0.01\n# current_zero_raw: 2048\n";
    let cases: Vec<(&str, String)> = vec![
        ("empty file", String::new()),
        ("blank file", "\n\r\n\n".into()),
        ("header only", RATE.into()),
        ("column names only", rows("")),
        ("no rate", "# source: me\nvoltage_v,current_a\n1,1\n".into()),
        ("rate no number", "# sample_rate_hz: fast\nvoltage_v,current_a\n1,1\n".into()),
        ("rate infinite", "# sample_rate_hz: inf\nvoltage_v,current_a\n1,1\n".into()),
        ("rate too low", "# sample_rate_hz: 999.9\nvoltage_v,current_a\n1,1\n".into()),
        ("rate too high", "# sample_rate_hz: 1e9\nvoltage_v,current_a\n1,1\n".into()),
        ("rate negative", "# sample_rate_hz: -2000\nvoltage_v,current_a\n1,1\n".into()),
        ("rate twice", key("# sample_rate_hz: 4000")),
        ("no column names", format!("{RATE}1.0,2.0\n")),
        ("one column", format!("{RATE}voltage_v\n1.0\n")),
        ("voltage twice", format!("{RATE}voltage_v,voltage_raw,current_a\n1,1,1\n")),
        ("semicolons", format!("{RATE}voltage_v;current_a\n1;1\n")),
        ("a program", "#!/bin/sh\nrm -r everything that I have ever written in my life\n".into()),
        ("one value", rows("1,1\n2\n")),
        ("three values", rows("1,1\n2,2,2\n")),
        ("nan", rows("NaN,1\n")),
        ("infinity", rows("1,-inf\n")),
        ("too large", rows("1e999,1\n")),
        ("empty value", rows("1,\n")),
        ("word", rows("1,on\u{7}\n")),
        ("long word", rows(&format!("1,{}\n", "é".repeat(50)))),
        ("blank line", rows("1,1\n\n2,2\n")),
        ("second header", rows("1,1\n# sample_rate_hz: 2000\n2,2\n")),
        ("no scale", raw("")),
        ("no zero", raw("# voltage_lsb_v: 0.2\n")),
        ("no current scale", raw(VOLTS)),
        ("scale 0", raw("# voltage_lsb_v: 0\n# voltage_zero_raw: 1\n")),
        ("zero too far", raw("# voltage_lsb_v: 1\n# voltage_zero_raw: 1e9\n")),
        ("rails crossed", raw(&format!("{VOLTS}{AMPERES}# voltage_raw_min: 9\n# voltage_raw_max: 9\n"))),
        ("fraction of a count", raw(&format!("{VOLTS}{AMPERES}")).replace("1,1", "1.5,1")),
        ("skew", key("# channel_skew_s: 50")),
        ("phase", key("# phase_deg: 180")),
        ("noise", key("# current_noise_a: -1")),
        ("coupling", key("# dc_coupled: perhaps")),
        ("nominal", key("# mains_nominal: 230000 V")),
        ("units", key("# units: V, mA")),
        ("lost", key("# lost: 5")),
        ("lost beyond the end", key("# lost: 5 3")),
    ];
    let mut table = String::new();
    for (case, text) in cases {
        writeln!(table, "{case}:\n  {}", error_of(text.as_bytes())).unwrap();
    }
    writeln!(table, "not UTF-8:\n  {}", error_of(b"# sample_rate_hz: 2000\n# caf\xe9: 1\n")).unwrap();
    writeln!(table, "compressed:\n  {}", error_of(b"\x1f\x8b\x08\x00\x00\xff\xff")).unwrap();
    insta::assert_snapshot!(table);
}

#[test]
fn files_that_are_none() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let in_folder = |name: &str| {
        let path = std::path::Path::new(folder).join(name);
        let error = Recording::open(&path).err().unwrap();
        assert_eq!(error.file, path.display().to_string());
        error.problem.to_string()
    };
    insta::assert_snapshot!(in_folder("nowhere.csv"), @"there is no such file");
    insta::assert_snapshot!(in_folder("src"), @"this is a directory, not a recording; name a CSV file in it");
}
