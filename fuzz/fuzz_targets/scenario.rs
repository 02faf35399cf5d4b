//! Any text at all as a scenario: an error of one line, or a simulation that runs and stays within its rails.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metering::front_end::Pair;
use ossp::sim::{Scenario, Simulation};

fuzz_target!(|text: &str| {
    let scenario = match Scenario::from_text("fuzz.toml", text) {
        Ok(scenario) => scenario,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    let mut simulation = Simulation::new(&scenario, 1);
    simulation.set_relay(true);
    let (front_end, mut pairs) = (simulation.front_end(), [Pair::default(); 500]);
    for _ in 0..2 {
        let filled = simulation.fill(&mut pairs);
        for pair in &pairs[..filled.pairs] {
            assert!((front_end.voltage.lowest..=front_end.voltage.highest).contains(&pair.voltage));
            assert!((front_end.current.lowest..=front_end.current.highest).contains(&pair.current));
        }
    }
    assert!(simulation.calibration().voltage.gain.is_finite());
});
