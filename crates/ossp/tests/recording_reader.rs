//! The recording reader: what it yields, and that writing and reading give the same again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly, their helpers too")]

use std::io::{Cursor, Read};

use metering::front_end::{ChannelRange, Pair};
use metering::units::{Amperes, Degrees, Seconds, Volts};
use ossp::recording::{Problem, Recording, Scale, Writer};
use proptest::prelude::*;

const HEADER: &str = "# sample_rate_hz: 2000\nvoltage_v,current_a\n";

fn read(text: &str) -> Recording<Cursor<String>> {
    Recording::from_reader("test.csv", Cursor::new(text.to_owned())).unwrap()
}

/// All pairs, and each gap with the row before which it is.
fn drain<R: Read>(mut recording: Recording<R>) -> (Vec<Pair>, Vec<(u64, u32)>) {
    let (mut all, mut gaps, mut block) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(lost) = recording.next_block(&mut block).unwrap() {
        if lost > 0 {
            gaps.push((all.len() as u64, lost));
        }
        all.extend_from_slice(&block);
    }
    assert_eq!(recording.rows(), all.len() as u64);
    (all, gaps)
}

fn pair(voltage: i32, current: i32) -> Pair {
    Pair { voltage, current }
}

#[test]
fn physical_units_become_steps() {
    let recording = read(&format!("{HEADER}230.00004,-1.000014\n-0.00006,0.000005\n1e3,-84\n"));
    assert_eq!(recording.calibration().voltage.gain, 1e-4);
    assert_eq!(recording.calibration().current.gain, 1e-5);
    assert_eq!(recording.calibration().version, 1);
    assert_eq!(recording.calibration().reference, "as stated by the file");
    assert_eq!(recording.front_end().nominal_voltage, Volts(230.0));
    assert!(!recording.is_raw());
    // Beyond the rails: at the rail, so that it is flagged as clipped.
    let rail = recording.front_end().voltage.highest;
    assert_eq!(rail, 1 << 23);
    assert_eq!(drain(recording).0, [pair(2_300_000, -100_001), pair(-1, 1), pair(rail, -rail)]);
}

#[test]
fn every_key_is_understood() {
    let text = "# Sample_Rate_Hz: 6400\n# a comment\n# url: http://example.org/\n# channel_skew_s: 50e-6\n\
        # phase_deg: -1.5\n# current_noise_a: 0.015\n# voltage_noise_v: 0.2\n# dc_coupled: false, true\n\
        # mains_nominal: 120 V 60 Hz (Pittsburgh, US)\n# voltage_lsb_v: 0.2\n# current_lsb_a: -0.0147\n\
        # voltage_zero_raw: 2048\n# current_zero_raw: 2047.25\n# voltage_raw_min: 0\n# voltage_raw_max: 4095\n\
        voltage_raw,current_raw\n4095,0\n-7,5000\n";
    let recording = read(text);
    assert!(recording.is_raw());
    let front_end = recording.front_end();
    assert_eq!(front_end.sample_rate.0, 6400.0);
    assert_eq!(front_end.channel_skew, Seconds(50e-6));
    assert_eq!(front_end.nominal_voltage, Volts(120.0));
    assert_eq!(front_end.voltage, ChannelRange { lowest: 0, highest: 4095, dc_coupled: false });
    assert_eq!(
        front_end.current,
        ChannelRange { lowest: 2047 - (1 << 23), highest: 2047 + (1 << 23), dc_coupled: true }
    );
    let calibration = recording.calibration();
    assert_eq!(calibration.phase, Degrees(-1.5));
    assert_eq!((calibration.current.gain, calibration.current.zero_raw), (-0.0147, 2047.25));
    assert_eq!(calibration.current_noise_floor, Some(Amperes(0.015)));
    assert_eq!(recording.voltage_noise(), Some(Volts(0.2)));
    assert_eq!(recording.header().get("url"), Some("http://example.org/"));
    assert_eq!(recording.header().pairs().count(), 14);
    assert_eq!(drain(recording).0, [pair(4095, 0), pair(-7, 5000)]);
}

#[test]
fn forms_that_programs_write() {
    let plain = drain(read(&format!("{HEADER}1,2\n3,4\n"))).0;
    for text in [
        "\u{feff}# sample_rate_hz: 2000\r\nvoltage_v,current_a\r\n1,2\r\n3,4\r\n",
        "# sample_rate_hz: 2000\n\n\"current_a\" , \"voltage_v\"\n 2 ,1\n4,\t3\n\n\n",
        "#sample_rate_hz:2000\ntime,voltage_v,current_a,note\n0,1,2,\n0.5,3.0,4e0,end",
    ] {
        assert_eq!(drain(read(text)).0, plain, "{text}");
    }
    let mixed = read(
        "# sample_rate_hz: 2000\n# current_lsb_a: 1\n# current_zero_raw: 0\nvoltage_v,current_raw\n1,2.0\n",
    );
    assert!(!mixed.is_raw());
    assert_eq!(drain(mixed).0, [pair(10_000, 2)]);
}

#[test]
fn gaps_split_blocks() {
    let rows = "1,1\n".repeat(5);
    let text = format!("# lost: 3 7\n# lost: 0:2, 3:1 5,9\n{HEADER}{rows}");
    let mut recording = read(&text);
    let mut block = Vec::new();
    let mut seen = Vec::new();
    while let Some(lost) = recording.next_block(&mut block).unwrap() {
        seen.push((lost, block.len()));
    }
    // The last gap is after the last row: reported with no pairs.
    assert_eq!(seen, [(2, 3), (8, 2), (9, 0)]);
    assert_eq!(recording.next_block(&mut block), Ok(None));
}

#[test]
fn coupling_words() {
    for (value, expected) in [
        ("both", (true, true)),
        ("none", (false, false)),
        ("voltage", (true, false)),
        ("Current", (false, true)),
        ("voltage and current", (true, true)),
        ("true", (true, true)),
        ("no/yes", (false, true)),
    ] {
        let front_end = read(&format!("# dc_coupled: {value}\n{HEADER}1,1")).front_end();
        assert_eq!((front_end.voltage.dc_coupled, front_end.current.dc_coupled), expected, "{value}");
    }
}

#[test]
fn a_wrong_row_ends_the_recording() {
    let text = format!("{HEADER}1,1\n2,2\nnan,1\n4,4\n");
    let mut recording = read(&text);
    let mut block = Vec::new();
    let error = recording.next_block(&mut block).unwrap_err();
    assert!(matches!(error.problem, Problem::Value { line: 5, column: "voltage_v", .. }));
    assert_eq!(block.len(), 2);
    assert_eq!(recording.next_block(&mut block), Ok(None));
}

/// Ever the same row, for ever.
struct Endless {
    text: &'static [u8],
    at: usize,
    left: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.left).unwrap());
        for byte in &mut buffer[..count] {
            *byte = self.text[self.at % self.text.len()];
            self.at += 1;
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[test]
fn blocks_are_bounded_and_bytes_are_counted() {
    let rows = Endless { text: b"230.1,-1.25\n", at: 0, left: 12 * 100_000 };
    let mut recording = Recording::from_reader("endless", HEADER.as_bytes().chain(rows)).unwrap();
    assert_eq!(recording.length(), None);
    let mut block = Vec::new();
    while recording.next_block(&mut block).unwrap().is_some() {
        assert!(block.len() <= Recording::<std::fs::File>::BLOCK_PAIRS);
    }
    assert_eq!(recording.rows(), 100_000);
    assert_eq!(recording.bytes_read(), HEADER.len() as u64 + 12 * 100_000);
}

#[test]
fn a_line_without_an_end_is_given_up() {
    let rows = Endless { text: b"1", at: 0, left: u64::MAX };
    let mut recording = Recording::from_reader("endless", HEADER.as_bytes().chain(rows)).unwrap();
    let error = recording.next_block(&mut Vec::new()).unwrap_err();
    assert!(matches!(error.problem, Problem::LineTooLong { line: 3, .. }));
    let header = Endless { text: b"# key: value\n", at: 0, left: u64::MAX };
    let error = Recording::from_reader("endless", header).err().unwrap();
    assert!(matches!(error.problem, Problem::HeaderTooLong { line: 1001 }));
}

fn pairs(lowest: i32, highest: i32) -> impl Strategy<Value = Vec<Pair>> {
    let pair = (lowest..=highest, lowest..=highest).prop_map(|(voltage, current)| Pair { voltage, current });
    proptest::collection::vec(pair, 1..200)
}

proptest! {
    #[test]
    fn physical_round_trip(pairs in pairs(-(1 << 23), 1 << 23), rate in 1000.0..=50_000.0f64) {
        let template = read(&format!("{HEADER}0,0"));
        let mut front_end = template.front_end();
        front_end.sample_rate.0 = rate;
        let mut writer =
            Writer::new(Vec::new(), Scale::Physical, &front_end, template.calibration(), &[], &[]).unwrap();
        writer.write(&pairs).unwrap();
        let text = writer.finish().unwrap();
        let again = Recording::from_reader("again", text.as_slice()).unwrap();
        prop_assert_eq!(again.front_end(), front_end);
        prop_assert_eq!(again.calibration(), template.calibration());
        prop_assert_eq!(drain(again).0, pairs);
    }

    #[test]
    fn raw_round_trip(
        pairs in pairs(0, 4095),
        gain in 1e-6..1.0f64,
        zero in 0.0..4095.0f64,
        skew in -1e-3..1e-3f64,
        noise in proptest::option::of(0.0..1.0f64),
        gap in (0..200u64, 1..1000u32),
    ) {
        let template = read(&format!("{HEADER}0,0"));
        let mut front_end = template.front_end();
        front_end.voltage = ChannelRange { lowest: 0, highest: 4095, dc_coupled: false };
        front_end.current = ChannelRange { lowest: -1, highest: 4096, dc_coupled: true };
        front_end.channel_skew = Seconds(skew);
        let mut calibration = template.calibration().clone();
        calibration.voltage.gain = gain;
        calibration.current.zero_raw = zero;
        calibration.current_noise_floor = noise.map(Amperes);
        let gaps: Vec<_> = [gap].into_iter().filter(|gap| gap.0 < pairs.len() as u64).collect();
        let extra = [("note", "a: b")];
        let mut writer =
            Writer::new(Vec::new(), Scale::Raw, &front_end, &calibration, &gaps, &extra).unwrap();
        writer.write(&pairs).unwrap();
        let text = writer.finish().unwrap();
        let again = Recording::from_reader("again", text.as_slice()).unwrap();
        prop_assert_eq!(again.front_end(), front_end);
        prop_assert_eq!(again.calibration(), &calibration);
        prop_assert_eq!(again.header().get("note"), Some("a: b"));
        let (seen, seen_gaps) = drain(again);
        prop_assert_eq!(seen, pairs);
        prop_assert_eq!(seen_gaps, gaps);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(mut recording) = Recording::from_reader("any", bytes.as_slice()) {
            let mut block = Vec::new();
            while let Ok(Some(_)) = recording.next_block(&mut block) {}
        }
    }
}
