//! Each load behaves like the thing: power, power factor, harmonics, inrush, and what it does over time.
#![allow(clippy::indexing_slicing, reason = "tests may fail loudly, their helpers too")]

mod support;

use support::{Bench, FINE, Measured, QUIET, frequency, near, peak, rms};

/// A built-in scenario on quiet mains behind a fine converter.
fn fine(name: &str) -> Bench {
    let path = format!("{}/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(!text.is_empty(), "{name}");
    let mains = if text.contains("[mains]") { "" } else { QUIET };
    Bench::text(&format!("{text}\n{mains}{FINE}"))
}

fn after(bench: &mut Bench, settle_s: f64, measure_s: f64) -> Measured {
    bench.run(settle_s);
    bench.measure(measure_s)
}

#[test]
fn nothing() {
    let mut bench = Bench::builtin("none");
    let samples = bench.run(2.0);
    // One count of noise, and the rounding.
    near(rms(&samples.amperes), 0.0147 * (1.0f64 + 1.0 / 12.0).sqrt(), 0.0004);
    near(rms(&samples.volts), 230.0, 3.0);
    near(frequency(&samples.volts, bench.rate), 50.0, 0.1);
}

#[test]
fn heaters() {
    let normal = after(&mut fine("heater"), 0.2, 0.5);
    near(normal.watts, 1480.0, 5.0);
    near(normal.power_factor, 1.0, 1e-5);
    // The socket sags.
    near(normal.volts, 228.45, 0.1);
    near(normal.thd_voltage_pct, 2.3, 0.1);
    near(normal.thd_current_pct, normal.thd_voltage_pct, 0.01);
    let stuck = after(&mut fine("stuck_heater"), 0.2, 0.5);
    near(stuck.amperes, 20.2, 0.3);
}

#[test]
fn half_wave_has_direct_current() {
    let half = after(&mut fine("half_wave"), 0.2, 0.5);
    near(half.watts, 595.0, 10.0);
    near(half.power_factor, 0.5f64.sqrt(), 0.01);
    // A half sine: mean over RMS is 2/pi.
    near(half.mean_amperes / half.amperes, 2.0 / std::f64::consts::PI, 0.01);
    // Of the alternating part: sqrt(1/4 - 2/pi^2 - ...) as the second and fourth harmonics make it.
    near(half.thd_current_pct, 43.5, 1.5);
}

#[test]
fn kettle_boils_clicks_off_and_is_filled_again() {
    let mut bench = Bench::text(&format!(
        "[[load.kettle]]\nlitres = 0.2\nstart_c = 95\nfill_c = 90\nboil_s = 1\npause_s = 2\n{QUIET}{FINE}"
    ));
    let cold = after(&mut bench, 0.1, 0.2);
    near(cold.watts, 2000.0, 20.0);
    near(cold.power_factor, 1.0, 1e-5);
    // 0.2 l by 5 K are 4186 J: 2.1 s; one second of steam; two of rest.
    let mut steps = vec![true];
    let mut changes = Vec::new();
    for index in 0..120 {
        let is_on = rms(&bench.run(0.1).amperes) > 4.0;
        if Some(&is_on) != steps.last() {
            changes.push(0.3 + 0.1 * f64::from(index));
            steps.push(is_on);
        }
    }
    assert_eq!(steps[..4], [true, false, true, false]);
    near(changes[0], 3.4, 0.3);
    near(changes[1] - changes[0], 2.0, 0.21);
    near(changes[2] - changes[1], 5.4, 0.4);
}

#[test]
fn fridge_starts_hard_runs_and_rests() {
    let mut bench = fine("fridge");
    near(rms(&bench.run(2.9).amperes), 0.0, 1e-3);
    let start = bench.run(0.3);
    // The peak has some direct current on top, as when a coil is switched on.
    let running = after(&mut bench, 1.0, 1.0);
    near(running.watts, 95.0, 3.0);
    near(running.power_factor, 0.65, 0.02);
    near(running.phase_deg, 49.0, 2.0);
    assert!((3.0..15.0).contains(&running.thd_current_pct), "{running:?}");
    near(rms(&start.amperes[1000..]) / running.amperes, 10.0, 1.5);
    assert!((10.0..25.0).contains(&(peak(&start.amperes) / running.amperes)));
    // 40 s run, 20 s rest.
    near(
        rms(&{
            bench.run(39.0);
            bench.run(1.0)
        }
        .amperes),
        0.0,
        1e-3,
    );
}

#[test]
fn supplies_take_pulses() {
    let mut bench = fine("laptop");
    let start = bench.run(0.2);
    assert!((5.0..40.0).contains(&peak(&start.amperes)), "{}", peak(&start.amperes));
    let laptop = after(&mut bench, 1.8, 1.0);
    near(laptop.watts, 45.0, 12.0);
    near(laptop.power_factor, 0.56, 0.05);
    assert!((100.0..180.0).contains(&laptop.thd_current_pct), "{laptop:?}");
    // Early: pulses before the peak, and the capacitor across the mains.
    assert!((-30.0..-5.0).contains(&laptop.phase_deg), "{laptop:?}");
    assert!(laptop.peak_amperes / laptop.amperes > 3.0);

    let led = after(&mut fine("led"), 1.0, 0.5);
    near(led.watts, 5.2, 0.3);
    near(led.power_factor, 0.56, 0.05);
    assert!((100.0..180.0).contains(&led.thd_current_pct), "{led:?}");

    let standby = after(&mut fine("standby"), 2.0, 0.5);
    near(standby.watts, 0.5, 0.1);
    assert!(standby.phase_deg < -60.0, "{standby:?}");
}

#[test]
fn phase_cut_at_ninety_degrees() {
    let text = "[[load.dimmer]]\npower_w = 200\nangle_from_deg = 90\nangle_to_deg = 90\n";
    let pure = QUIET.replace("[mains]", "[mains]\nharmonic = []");
    let dimmer = after(&mut Bench::text(&format!("{text}{pure}{FINE}")), 0.2, 1.0);
    // Half of each half wave: half the power, and a power factor of 1/sqrt 2.
    near(dimmer.watts, 99.5, 0.7);
    near(dimmer.power_factor, 0.5f64.sqrt(), 0.003);
    // Fundamental: 1/2 in phase and 1/pi late.
    near(dimmer.phase_deg, (2.0 / std::f64::consts::PI).atan().to_degrees(), 0.5);
    near(dimmer.thd_current_pct, 63.0, 3.0);
}

#[test]
fn drill_follows_its_trigger() {
    let text = |angle| {
        format!(
            "[[load.drill]]\nangle_from_deg = {angle}\nangle_to_deg = {angle}\nwander_pct = 0\n{QUIET}{FINE}"
        )
    };
    let slow = after(&mut Bench::text(&text(120)), 3.0, 0.5);
    let mut bench = Bench::text(&text(30));
    let start = bench.run(0.1);
    let fast = after(&mut bench, 3.0, 0.5);
    assert!((60.0..250.0).contains(&slow.watts), "{slow:?}");
    assert!((400.0..520.0).contains(&fast.watts), "{fast:?}");
    assert!(slow.power_factor < 0.6 && fast.power_factor > 0.85, "{slow:?} {fast:?}");
    assert!(slow.thd_current_pct > 40.0 && fast.thd_current_pct < 20.0, "{slow:?} {fast:?}");
    assert!(slow.phase_deg > fast.phase_deg);
    // Standing still there is no back voltage.
    assert!(peak(&start.amperes) > 1.5 * fast.peak_amperes, "{}", peak(&start.amperes));
}

#[test]
fn solar_gives_and_stops_without_mains() {
    let text = "[[load.solar]]\nclouds_pct = 0\n[[event.interruption]]\nat_s = 6\nfor_s = 0.5\n";
    let mut bench = Bench::text(&format!("{text}{QUIET}{FINE}"));
    let giving = after(&mut bench, 5.0, 0.5);
    near(giving.watts, -602.0, 8.0);
    near(giving.power_factor, -1.0, 1e-3);
    // A sine, whatever the voltage's shape is.
    assert!(giving.thd_current_pct < 0.1, "{giving:?}");
    assert!(giving.volts > 230.3, "{giving:?}");
    // Two seconds after the mains are back it has not started yet.
    bench.run(1.2);
    near(rms(&bench.run(1.5).amperes), 0.0, 1e-6);
    assert!(after(&mut bench, 3.0, 0.5).watts < -590.0);
}

#[test]
fn short_circuit_is_limited_by_the_socket() {
    let mut bench = fine("short");
    bench.run(9.5);
    near(bench.measure(0.4).watts, 60.0, 1.0);
    bench.run(0.2);
    let short = bench.run(0.1);
    assert!(peak(&short.amperes) >= 167.0, "{}", peak(&short.amperes));
    near(rms(&short.volts), 53.5, 3.0);
}

/// The default demo shows several different things in its first minute.
#[test]
fn the_day_is_alive() {
    let mut bench = Bench::builtin("day");
    let watts: Vec<f64> = (0..60).map(|_| bench.measure(1.0).watts).collect();
    let count = |low: f64, high: f64| watts.iter().filter(|watts| (low..high).contains(*watts)).count();
    assert!(count(1800.0, 2300.0) > 8, "kettle: {watts:?}");
    assert!(count(80.0, 300.0) > 5, "fridge and lamp: {watts:?}");
    assert!(count(5.0, 15.0) > 3, "lamp alone: {watts:?}");
}
