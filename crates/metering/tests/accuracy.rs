//! The error of the computation on an ideal front end: the table of the README, asserted and compared with it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod common;

use common::{Converter, Line, Signal, measure};
use metering::front_end::Pair;

/// Worst errors over signals and seeds: percent, percent of S, points, Hz.
#[derive(Clone, Copy, Debug, Default)]
struct Worst {
    voltage_pct: f64,
    current_pct: f64,
    power_pct_of_s: f64,
    reactive_pct_of_s: f64,
    frequency_hz: f64,
    thd_voltage: f64,
    thd_current: f64,
    spread_voltage_pct: f64,
    spread_power_pct_of_s: f64,
}

fn raise(worst: &mut f64, error: f64) {
    *worst = worst.max(error.abs());
}

/// Seconds of each measurement.
const SECONDS: f64 = 5.0;

fn mains(volts: f64) -> Vec<Line> {
    // Flat-topped mains with a THD of 3 %, as in a house at night.
    let first = volts / (1.0_f64 + 0.03 * 0.03).sqrt();
    [
        (1, 1.0, 0.0),
        (3, 0.011, 40.0),
        (5, 0.024, 170.0),
        (7, 0.012, -20.0),
        (11, 0.006, 80.0),
        (13, 0.0048, 200.0),
    ]
    .map(|(order, part, phase): Line| (order, part * first, phase))
    .to_vec()
}

/// A current with the fundamental lagging by `lag` and harmonics that fall off like those of a rectifier.
fn load(amperes: f64, lag: f64, thd: f64) -> Vec<Line> {
    let shape: Vec<Line> = [3_u32, 5, 7, 9, 11, 13, 15, 17, 19]
        .iter()
        .map(|&h| (h, (-0.28 * f64::from(h)).exp(), 25.0 * f64::from(h)))
        .collect();
    let sum: f64 = shape.iter().map(|line| line.1 * line.1).sum::<f64>().sqrt();
    let first = amperes / (1.0 + thd * thd / 1e4).sqrt();
    let mut lines = vec![(1, first, -lag)];
    lines.extend(
        shape
            .iter()
            .map(|&(h, part, phase)| (h, first * thd / 100.0 * part / sum, phase - f64::from(h) * lag)),
    );
    lines
}

/// Phase angles of PF 0.1 capacitive to 0.5 inductive (of the fundamental).
fn lags() -> [f64; 5] {
    [-(0.1_f64.acos().to_degrees()), -45.0, 0.0, 30.0, 60.0]
}

fn signals(amperes: f64) -> Vec<Signal> {
    let mut signals = Vec::new();
    let frequencies = [45.0, 47.53, 49.97, 50.0, 52.2, 57.7, 60.0, 61.03, 65.0];
    for (at, frequency) in frequencies.into_iter().enumerate() {
        for (lag_at, lag) in lags().into_iter().enumerate() {
            let thd = [0.0, 4.0, 33.0, 110.0][(at + lag_at) % 4];
            let start = 0.37 * (at as f64) + 0.11 * lag_at as f64;
            signals.push(Signal {
                frequency,
                voltage: mains(230.0),
                current: load(amperes, lag, thd),
                voltage_dc: 0.0,
                current_dc: 0.0,
                start,
            });
        }
    }
    signals
}

fn evaluate(converter: &Converter, amperes: f64) -> Worst {
    let mut worst = Worst::default();
    // Each signal with noise of its own: 45 seeds.
    for (seed, signal) in signals(amperes).into_iter().enumerate() {
        let samples = converter.sample(SECONDS, |time| signal.at(time));
        one(converter, &signal, &converter.convert(&samples, seed as u64 + 1), &mut worst);
    }
    worst
}

fn one(converter: &Converter, signal: &Signal, pairs: &[Pair], worst: &mut Worst) {
    let readings: Vec<_> = measure(converter, pairs).into_iter().map(|(reading, _)| reading).collect();
    let mean = |of: &dyn Fn(&metering::reading::Reading) -> f64| {
        readings.iter().map(of).sum::<f64>() / readings.len() as f64
    };
    assert!(readings.len() >= 20, "{} windows at {} Hz", readings.len(), signal.frequency);
    let apparent = signal.volts() * signal.amperes();
    let percent = |is: f64, should: f64, of: f64| 100.0 * (is - should) / of;
    raise(&mut worst.voltage_pct, percent(mean(&|r| r.voltage.0), signal.volts(), signal.volts()));
    raise(&mut worst.current_pct, percent(mean(&|r| r.current.0), signal.amperes(), signal.amperes()));
    raise(&mut worst.power_pct_of_s, percent(mean(&|r| r.active_power.0), signal.watts(), apparent));
    raise(
        &mut worst.reactive_pct_of_s,
        percent(mean(&|r| r.reactive_power.unwrap().0), signal.vars(), apparent),
    );
    raise(&mut worst.frequency_hz, mean(&|r| r.frequency.unwrap().0) - signal.frequency);
    raise(&mut worst.thd_voltage, mean(&|r| r.thd_voltage.unwrap().0) - signal.thd_voltage());
    raise(&mut worst.thd_current, mean(&|r| r.thd_current.unwrap().0) - signal.thd_current());
    let spread = |of: &dyn Fn(&metering::reading::Reading) -> f64| {
        let middle = mean(of);
        mean(&|r| (of(r) - middle).powi(2)).sqrt()
    };
    raise(&mut worst.spread_voltage_pct, percent(spread(&|r| r.voltage.0), 0.0, signal.volts()));
    raise(&mut worst.spread_power_pct_of_s, percent(spread(&|r| r.active_power.0), 0.0, apparent));
}

fn check(what: &str, error: f64, limit: f64, failures: &mut Vec<String>) {
    if error > limit {
        failures.push(format!("{what}: {error:.6} exceeds {limit}"));
    }
}

#[test]
fn the_table() {
    let mut failures = Vec::new();
    let mut rows = Vec::new();
    let cases = [
        ("1 A", 1.0, 0.05, 0.05, 0.05, 0.6),
        ("2 A", 2.0, 0.02, 0.02, 0.05, 0.3),
        ("3 A", 3.0, 0.02, 0.02, 0.05, 0.3),
        ("10 A", 10.0, 0.02, 0.02, 0.05, 0.3),
    ];
    for (name, amperes, current, power, reactive, thd) in cases {
        let worst = evaluate(&Converter::TWELVE_BIT, amperes);
        check(&format!("{name} voltage %"), worst.voltage_pct, 0.02, &mut failures);
        check(&format!("{name} current %"), worst.current_pct, current, &mut failures);
        check(&format!("{name} power % of S"), worst.power_pct_of_s, power, &mut failures);
        check(&format!("{name} reactive % of S"), worst.reactive_pct_of_s, reactive, &mut failures);
        check(&format!("{name} frequency Hz"), worst.frequency_hz, 0.002, &mut failures);
        check(&format!("{name} THD voltage"), worst.thd_voltage, 0.05, &mut failures);
        check(&format!("{name} THD current"), worst.thd_current, thd, &mut failures);
        if amperes >= 3.0 {
            check(&format!("{name} spread voltage %"), worst.spread_voltage_pct, 0.008, &mut failures);
            check(&format!("{name} spread power % of S"), worst.spread_power_pct_of_s, 0.03, &mut failures);
        }
        rows.push(row(&format!("12 bit, {name}"), &worst));
    }
    let mut fine = Worst::default();
    for amperes in [1.0, 10.0] {
        let mut worst = evaluate(&Converter::TWENTY_FOUR_BIT, amperes);
        for (all, one) in fine.list().into_iter().zip(worst.list()) {
            *all = all.max(*one);
        }
    }
    check("24 bit voltage %", fine.voltage_pct, 0.0005, &mut failures);
    check("24 bit current %", fine.current_pct, 0.0005, &mut failures);
    check("24 bit power % of S", fine.power_pct_of_s, 0.01, &mut failures);
    check("24 bit reactive % of S", fine.reactive_pct_of_s, 0.01, &mut failures);
    check("24 bit frequency Hz", fine.frequency_hz, 0.0001, &mut failures);
    check("24 bit THD voltage", fine.thd_voltage, 0.02, &mut failures);
    check("24 bit THD current", fine.thd_current, 0.02, &mut failures);
    rows.push(row("24 bit, no noise, 1 and 10 A", &fine));
    for row in &rows {
        #[expect(clippy::print_stdout, reason = "this is the command that prints the README's numbers")]
        {
            println!("{row}");
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    let readme = include_str!("../../../README.md");
    for row in &rows {
        assert!(readme.contains(row), "README.md does not show this row of the accuracy table:\n{row}");
    }
}

impl Worst {
    fn list(&mut self) -> [&mut f64; 9] {
        [
            &mut self.voltage_pct,
            &mut self.current_pct,
            &mut self.power_pct_of_s,
            &mut self.reactive_pct_of_s,
            &mut self.frequency_hz,
            &mut self.thd_voltage,
            &mut self.thd_current,
            &mut self.spread_voltage_pct,
            &mut self.spread_power_pct_of_s,
        ]
    }
}

fn row(name: &str, worst: &Worst) -> String {
    format!(
        "| {name} | {:.4} | {:.4} | {:.4} | {:.4} | {:.2} | {:.3} | {:.3} | {:.4} | {:.4} |",
        worst.voltage_pct,
        worst.current_pct,
        worst.power_pct_of_s,
        worst.reactive_pct_of_s,
        worst.frequency_hz * 1000.0,
        worst.thd_voltage,
        worst.thd_current,
        worst.spread_voltage_pct,
        worst.spread_power_pct_of_s,
    )
}
