//! Simulated converters seen by the metering: skew, phase, gains and zeros have the signs that both mean, and a
//! calibrated plug reads what an ideal one does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly, their helpers too")]

mod support;

use metering::front_end::Pair;
use metering::history::Storage;
use metering::meter::Meter;
use metering::reading::Reading;
use ossp::sim::{Scenario, Simulation};
use support::{FINE, QUIET, near};

/// Readings of the last second after some settling.
fn readings(text: &str, settle_s: f64) -> Vec<Reading> {
    let mut simulation = Simulation::new(&Scenario::from_text("test.toml", text).unwrap(), 5);
    simulation.set_relay(true);
    let front_end = simulation.front_end();
    let rows = Meter::rows_needed(front_end.sample_rate.0);
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let mut meter = Meter::new(front_end, simulation.calibration(), storage).unwrap();
    let mut readings = Vec::new();
    let mut block = [Pair::default(); 8];
    while simulation.elapsed().0 < settle_s + 1.0 {
        let filled = simulation.fill(&mut block);
        meter.push(filled.lost_before, &block[..filled.pairs], |reading, _| readings.push(reading.clone()));
    }
    readings.retain(|reading| reading.uptime.0 > settle_s + 0.25);
    readings
}

fn mean(readings: &[Reading], value: impl Fn(&Reading) -> f64) -> f64 {
    readings.iter().map(value).sum::<f64>() / readings.len() as f64
}

#[test]
fn a_calibrated_plug_reads_what_an_ideal_one_does() {
    for load in [
        "[[load.heater]]\npower_w = 2000\n",
        "[[load.fridge]]\npower_w = 500\nfirst_start_s = 0\n",
        "[[load.dimmer]]\npower_w = 2000\nangle_from_deg = 90\nangle_to_deg = 90\n",
        "[[load.supply]]\npower_w = 400\ncapacitor_uf = 600\nwander_pct = 0\nseries_ohm = 1\n",
        "[[load.solar]]\nclouds_pct = 0\n",
    ] {
        let ideal = readings(&format!("{load}{QUIET}{FINE}"), 5.0);
        assert!(ideal.len() >= 3, "{load}");
        let errors = "voltage_gain_error_pct = 2\ncurrent_gain_error_pct = -3\nvoltage_offset = 7.5\n\
            current_offset = -4\ncurrent_phase_deg = 1.2\n";
        let is_distorted = load.contains("dimmer") || load.contains("supply");
        for (front_end, tolerance) in [
            // What is near half the sample rate depends on where in the cycle it is sampled.
            (FINE.replace("skew_us = 0", "skew_us = 411"), if is_distorted { 1e-3 } else { 1e-4 }),
            // A slow current sensor is late, and takes a little of high harmonics.
            (
                FINE.replace("skew_us = 0", &format!("skew_us = -130\n{errors}")),
                if is_distorted { 1e-2 } else { 1e-3 },
            ),
            ("[front_end]\n".to_owned(), 1e-3),
        ] {
            let seen = readings(&format!("{load}{QUIET}{front_end}"), 5.0);
            let apparent = mean(&ideal, |reading| reading.apparent_power.0);
            let same = |value: &dyn Fn(&Reading) -> f64, scale: f64| {
                near(mean(&seen, value) / scale, mean(&ideal, value) / scale, tolerance);
            };
            same(&|reading| reading.voltage.0, 230.0);
            same(&|reading| reading.current.0, apparent / 230.0);
            same(&|reading| reading.active_power.0, apparent);
            same(&|reading| reading.reactive_power.unwrap().0, apparent);
            near(mean(&seen, |reading| reading.frequency.unwrap().0), 50.0, 2e-3);
        }
    }
}

/// Signs: consumption positive, lagging positive.
#[test]
fn signs_are_the_contract_s() {
    let one = |load: &str| readings(&format!("{load}{QUIET}"), 5.0).pop().unwrap();
    let fridge = one("[[load.fridge]]\nfirst_start_s = 0\n");
    assert!(fridge.active_power.0 > 50.0 && fridge.reactive_power.unwrap().0 > 50.0);
    let laptop = one("[[load.supply]]\n");
    assert!(laptop.active_power.0 > 20.0 && laptop.reactive_power.unwrap().0 < -5.0);
    let solar = one("[[load.solar]]\n");
    assert!(solar.active_power.0 < -300.0);
    let half = one("[[load.half_wave]]\n");
    assert!(half.current_dc.unwrap().0 > 2.0);
}
