//! Recordings as a source: the loop closes without a jump, the converter is the board's, the relay cuts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly, their helpers too")]

mod support;

use std::f64::consts::TAU;
use std::path::PathBuf;

use ossp::recording::{Recording, Scale, Writer};
use ossp::sim::{Scenario, ScenarioError, Simulation};
use support::{Bench, component, crossings, frequency, near, rms};

/// A file in the folder that cargo gives to tests; removed when dropped.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, text: &[u8]) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A sine with a fifth harmonic, a lagging current, and a length that is no whole number of cycles.
fn sine(rate: f64, hertz: f64, seconds: f64) -> String {
    let mut text = format!("# sample_rate_hz: {rate}\n# mains_nominal: 230 V\nvoltage_v,current_a\n");
    for index in 0..(seconds * rate) as usize {
        let angle = TAU * hertz * index as f64 / rate + 1.0;
        let volts = 325.0 * angle.sin() + 10.0 * (5.0 * angle + 1.0).sin() + 2.0;
        text.push_str(&format!("{volts:.4},{:.5}\n", 8.0 * (angle - 0.5).sin()));
    }
    text
}

#[test]
fn the_loop_closes_without_a_jump() {
    for (index, (rate, hertz)) in
        [(2000.0, 49.97), (4000.0, 51.3), (30_000.0, 60.0), (6400.0, 46.1)].iter().enumerate()
    {
        let file = TemporaryFile::new(&format!("loop{index}.csv"), sine(*rate, *hertz, 0.777).as_bytes());
        let mut bench = Bench::new(&Scenario::from_recording(&file.0).unwrap(), 1);
        bench.run(0.1);
        // A dozen times round.
        let samples = bench.run(9.0);
        let found = frequency(&samples.volts, *rate);
        // The loop is stretched by less than half a sample.
        near(found / hertz, 1.0, 0.5 / (0.6 * rate));
        // Every cycle is as long as every other, but for rounding, noise and its own stretching.
        let crossings = crossings(&samples.volts);
        let period = rate / found;
        let steepest = TAU * 325.0 / period;
        for pair in crossings.windows(2) {
            near(pair[1] - pair[0], period, 0.1 + 6.0 * 0.3 / steepest);
        }
        // And phase does not drift against a clock: what remains beside the line is what the seam does.
        let first = crossings[0];
        for (cycle, crossing) in crossings.iter().enumerate() {
            near(crossing - first, cycle as f64 * period, 0.1 + 6.0 * 0.3 / steepest);
        }
        let steps = samples.volts.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
        assert!(steps < 1.25 * steepest + 2.0, "{steps} {steepest}");
    }
}

#[test]
fn the_board_sees_the_recording() {
    let file = TemporaryFile::new("board.csv", sine(5000.0, 50.0, 0.5).as_bytes());
    let scenario = Scenario::from_source(&format!("wave:{}", file.0.display())).unwrap();
    assert_eq!(scenario.source(), "recording board.csv");
    assert_eq!(scenario.notice(), None);
    let mut bench = Bench::new(&scenario, 1);
    let front_end = bench.simulation.front_end();
    assert_eq!((front_end.sample_rate.0, front_end.channel_skew.0), (5000.0, 0.0));
    assert_eq!((front_end.voltage.lowest, front_end.voltage.highest), (0, 4095));
    bench.run(0.1);
    let seen = bench.measure(1.0);
    near(seen.volts, (325.0f64.powi(2) / 2.0 + 50.0 + 4.0).sqrt(), 0.05);
    near(seen.amperes, 8.0 / 2.0f64.sqrt(), 0.01);
    near(seen.phase_deg, 0.5f64.to_degrees(), 0.2);
    bench.simulation.set_relay(false);
    bench.run(0.05);
    let open = bench.run(0.5);
    near(rms(&open.amperes), 0.0153, 0.001);
    near(rms(&open.volts), 230.0, 1.0);
}

/// Counts are played as they are, on their own scale, but for the loop's stretching.
#[test]
fn raw_recordings_stay_raw() {
    let scenario = Scenario::builtin("heater").unwrap();
    let mut bench = Bench::new(&scenario, 3);
    bench.run(0.2);
    let (pairs, _) = bench.pairs(1.0);
    let (front_end, calibration) = (bench.simulation.front_end(), bench.simulation.calibration());
    let mut writer = Writer::new(Vec::new(), Scale::Raw, &front_end, &calibration, &[], &[]).unwrap();
    writer.write(&pairs).unwrap();
    let file = TemporaryFile::new("raw.csv", &writer.finish().unwrap());

    let mut simulation = Simulation::new(&Scenario::from_recording(&file.0).unwrap(), 1);
    assert_eq!(simulation.front_end(), front_end);
    assert_eq!(simulation.calibration().voltage, calibration.voltage);
    simulation.set_relay(true);
    let mut played = vec![Default::default(); 3000];
    assert_eq!(simulation.fill(&mut played).pairs, 3000);
    let start =
        pairs.windows(20).position(|window| window.iter().zip(&played).all(|(a, b)| a.voltage == b.voltage));
    let start = start.unwrap();
    assert!(start < 90);
    // The stretching grows from nothing: at first not a count is off, later what a part of a sample makes of it.
    for (index, (played, original)) in played.iter().zip(&pairs[start..]).enumerate().skip(60) {
        let most = if index < 200 { 4 } else { 70 };
        assert!((played.voltage - original.voltage).abs() <= most, "{index} {played:?} {original:?}");
        assert!((played.current - original.current).abs() <= most, "{index} {played:?} {original:?}");
    }
    // Open: the noise that the file states.
    simulation.set_relay(false);
    simulation.fill(&mut played);
    let noise: Vec<f64> = played[100..].iter().map(|pair| f64::from(pair.current) - 2048.0).collect();
    near(rms(&noise), 1.08, 0.1);
}

#[test]
fn a_real_fridge_goes_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fridge_start_2k.csv");
    let scenario = Scenario::from_recording(path).unwrap();
    assert_eq!(scenario.description(), "fridge (switch-on at about 0.5 s)");
    let mut bench = Bench::new(&scenario, 1);
    let samples = bench.run(20.0);
    let crossings = crossings(&samples.volts);
    for pair in crossings.windows(2) {
        near(pair[1] - pair[0], 40.0, 0.25);
    }
    // The voltage's phase steps nowhere: from cycle to cycle the fundamental stays where it was.
    let hertz = frequency(&samples.volts, 2000.0);
    let phases: Vec<f64> = (0..490)
        .map(|cycle| {
            let from = (f64::from(cycle) * 2000.0 / hertz).round();
            let part = &samples.volts[from as usize..from as usize + 80];
            let (re, im) = component(part, hertz, 2000.0);
            (im.atan2(re) - TAU * hertz * from / 2000.0).rem_euclid(TAU).to_degrees()
        })
        .collect();
    let steps: Vec<f64> =
        phases.windows(2).map(|pair| ((pair[1] - pair[0] + 180.0).rem_euclid(360.0) - 180.0).abs()).collect();
    // The recording has 75 cycles: in the first 70 steps there is no seam, and they are no smaller.
    let (natural, all) = (support::peak(&steps[..70]), support::peak(&steps));
    assert!(all < 1.2 * natural + 0.05, "{all} {natural}");
}

#[test]
fn what_cannot_be_looped() {
    let header = "# sample_rate_hz: 2000\nvoltage_v,current_a\n";
    let half = sine(2000.0, 50.0, 0.011);
    let fast = sine(2000.0, 400.0, 0.1);
    let cases =
        [("half.csv", half), ("flat.csv", format!("{header}{}", "1,1\n".repeat(999))), ("fast.csv", fast)];
    let errors: Vec<String> = cases
        .iter()
        .map(|(name, text)| {
            let file = TemporaryFile::new(name, text.as_bytes());
            let error = Scenario::from_recording(&file.0).unwrap_err();
            assert!(matches!(error, ScenarioError::NoCycle { .. }), "{error}");
            error.to_string().replace(env!("CARGO_TARGET_TMPDIR"), "...")
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"));
    let file = TemporaryFile::new("wrong.csv", format!("{header}1,1\n1\n").as_bytes());
    assert!(matches!(Scenario::from_recording(&file.0).unwrap_err(), ScenarioError::Recording(_)));
}

/// A minute is kept, and what is left out is said. Gaps are not played: the longest part between them is.
#[test]
fn what_is_left_out_is_said() {
    let file = TemporaryFile::new("long.csv", sine(1000.0, 50.0, 70.0).as_bytes());
    assert!(Scenario::from_recording(&file.0).unwrap().notice().unwrap().contains("60 s"));
    let with_gap = format!("# lost: 1000 7\n{}", sine(1000.0, 50.0, 3.0));
    let file = TemporaryFile::new("gap.csv", with_gap.as_bytes());
    let scenario = Scenario::from_recording(&file.0).unwrap();
    assert!(scenario.notice().unwrap().contains("gap"), "{:?}", scenario.notice());
    let volts = Bench::new(&scenario, 1).run(10.0).volts;
    near(frequency(&volts, 1000.0), 50.0, 0.02);
    assert!(Recording::open(&file.0).is_ok());
}
