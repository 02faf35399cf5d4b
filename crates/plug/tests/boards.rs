//! Boards on paper: pins, ranges, filters, and the tables of docs/boards.md with the error budget. They print themselves:
//!
//! ```sh
//! cargo test -p plug --test boards -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

#[path = "board_budget/mod.rs"]
mod budget;
#[path = "../../../firmware/src/boards/devkit_c6.rs"]
mod devkit_c6;
#[path = "../../../firmware/src/boards/devkit_esp32.rs"]
mod devkit_esp32;
#[path = "../../../firmware/src/boards/devkit_s3.rs"]
mod devkit_s3;
#[path = "../../../firmware/src/boards/ossp_devkit_c3.rs"]
mod ossp_devkit_c3;
#[path = "../../../firmware/src/boards/ossp_devkit_c3_sct013.rs"]
mod ossp_devkit_c3_sct013;

use std::collections::BTreeSet;
use std::f64::consts::SQRT_2;
use std::fmt::Write as _;

use budget::{CURRENTS, Line, total};
use metering::units::{Hertz, Volts};
use plug::board::{Analog, Board, Channel, Network, ReferencePoint};

const BOARDS: [Board; 5] = [
    ossp_devkit_c3::BOARD,
    ossp_devkit_c3_sct013::BOARD,
    devkit_c6::BOARD,
    devkit_esp32::BOARD,
    devkit_s3::BOARD,
];

fn measuring() -> impl Iterator<Item = (Board, Analog)> {
    BOARDS.into_iter().filter_map(|board| board.analog.map(|analog| (board, analog)))
}

/// Pins of a chip that a plug must not use, and those of them that a button may.
fn reserved(chip: &str) -> (&'static [u8], &'static [u8]) {
    match chip {
        // Strapping 2, 8, 9; flash 11 to 17; USB 18, 19; console 20, 21; 6 is pulled up after a reset.
        "esp32c3" => (&[2, 6, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21], &[9]),
        "esp32c6" => (&[4, 5, 8, 9, 12, 13, 15, 16, 17, 24, 25, 26, 27, 28, 29, 30], &[9]),
        "esp32" => (&[0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 15], &[0]),
        "esp32s3" => (&[0, 3, 19, 20, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 43, 44, 45, 46], &[0]),
        other => panic!("no pins known of {other}"),
    }
}

#[test]
fn pins_are_unique_and_free() {
    let mut names = BTreeSet::new();
    for board in BOARDS {
        let (reserved, button_may) = reserved(board.chip);
        let mut pins = vec![("relay", board.relay.gpio)];
        pins.extend(board.led.map(|led| ("led", led.gpio)));
        if let Some(analog) = board.analog {
            pins.extend([("voltage", analog.voltage.gpio), ("current", analog.current.gpio)]);
        }
        for (what, pin) in &pins {
            assert!(!reserved.contains(pin), "{}: {what} on GPIO{pin}", board.name);
        }
        if let Some(button) = board.button {
            assert!(!reserved.contains(&button.gpio) || button_may.contains(&button.gpio), "{}", board.name);
            pins.push(("button", button.gpio));
        }
        let unique: BTreeSet<_> = pins.iter().map(|(_, pin)| pin).collect();
        assert_eq!(unique.len(), pins.len(), "{}: {pins:?}", board.name);
        assert!(names.insert(board.name), "{} twice", board.name);
        // Closed by a high level only: the pull-down then holds it open.
        assert!(board.relay.active_high, "{}", board.name);
    }
}

#[test]
fn analogue_pins_are_on_adc1() {
    for (board, analog) in measuring() {
        assert_eq!(board.chip, "esp32c3");
        for channel in [analog.voltage, analog.current] {
            // ESP32-C3 data sheet: ADC1_CH0 to ADC1_CH4 are GPIO0 to GPIO4. ADC2 is not usable beside Wi-Fi.
            assert!(channel.gpio <= 4 && channel.adc_channel == channel.gpio, "{}", board.name);
        }
    }
}

#[test]
fn signals_stay_in_the_usable_range() {
    for (board, analog) in measuring() {
        let (low, high) = analog.converter.usable;
        assert!(low.0 >= 0.15 && high.0 <= 2.4);
        let peaks = [
            (analog.voltage, SQRT_2 * 1.1 * board.nominal_voltage.0),
            (analog.current, SQRT_2 * board.maximum_current.0),
        ];
        for (channel, peak) in peaks {
            let (lowest, highest) = channel.swing(peak);
            assert!(
                lowest.0 >= low.0 && highest.0 <= high.0,
                "{}: {lowest:?} to {highest:?}",
                channel.sensor.name
            );
            assert!(peak <= channel.largest_peak(&analog.converter), "{}", channel.sensor.name);
            // What the parts leave uncertain of the rest does not push it out either (k = 2).
            let shift = 2.0 * channel.rest().uncertainty;
            assert!(lowest.0 - shift >= low.0 && highest.0 + shift <= high.0, "{}", channel.sensor.name);
        }
        // Twice the peak of the largest sine: what a rectifier takes.
        let crest = analog.current.largest_peak(&analog.converter) / board.maximum_current.0;
        assert!(crest >= 2.0, "{}: crest factor {crest}", board.name);
    }
}

#[test]
fn filters_are_low_enough_and_alike() {
    for (board, analog) in measuring() {
        let corners = [analog.voltage, analog.current].map(|channel| channel.network.corner().0.0);
        assert!(
            corners.iter().all(|corner| (1000.0..=1500.0).contains(corner)),
            "{}: {corners:?}",
            board.name
        );
        assert!((corners[0] / corners[1] - 1.0).abs() < 0.01, "{}: {corners:?}", board.name);
        // The load that an ACS712 wants is at least 4.7 kohm (data sheet, "Output Resistance Load").
        if let Network::Divider { top, bottom, .. } = analog.current.network {
            assert!(top.value + bottom.value >= 4700.0);
        }
    }
}

#[test]
fn metering_takes_the_boards() {
    for (board, analog) in measuring() {
        let front_end = board.front_end(None).unwrap();
        assert_eq!(front_end.check(), Ok(()));
        assert!(front_end.voltage.lowest > 0 && front_end.current.highest < (1 << analog.converter.bits) - 1);
        let calibration = board.calibration(None).unwrap();
        assert_eq!((calibration.version, calibration.date, calibration.current_noise_floor), (0, None, None));
        assert!(calibration.reference.starts_with("none"));
        // A transformer leads: the phase is that of the sensors, since the filters are alike.
        let late = analog.current.sensor.late.value - analog.voltage.sensor.late.value;
        assert!((calibration.phase.0 - late).abs() < 0.02, "{calibration:?}");
        // Counts that a known current makes come back as that current.
        let of = ReferencePoint { volts: Volts(1.37), counts: 2100.0 };
        let calibration = board.calibration(Some(of)).unwrap();
        let pin = analog.current.rest().value + 0.1 * analog.current.gain().0;
        let raw = analog.converter.counts(of, Volts(pin));
        let amperes = calibration.current.gain * (raw - calibration.current.zero_raw);
        assert!((amperes - 0.1).abs() < 1e-4, "{amperes}");
        assert!(
            calibration.current.gain_uncertainty_pct
                < board.calibration(None).unwrap().current.gain_uncertainty_pct
        );
        assert!((analog.converter.volts(of, raw).0 - pin).abs() < 1e-9);
    }
    assert!(devkit_c6::BOARD.front_end(None).is_none() && devkit_c6::BOARD.calibration(None).is_none());
}

/// What README.md and docs/boards.md say in words.
#[test]
fn claims() {
    let (hall, transformer) = (ossp_devkit_c3::BOARD, ossp_devkit_c3_sct013::BOARD);
    let (with_hall, with_transformer) = (hall.analog.unwrap(), transformer.analog.unwrap());
    let about =
        |is: f64, should: f64, part: f64| assert!((is / should - 1.0).abs() < part, "{is}, not {should}");
    about(with_hall.expected_noise().0, 0.057, 0.02);
    about(with_transformer.expected_noise().0, 0.081, 0.02);
    about(with_hall.current.largest_peak(&with_hall.converter), 22.0, 0.005);
    about(with_transformer.current.largest_peak(&with_transformer.converter), 32.4, 0.005);
    for (board, analog, most) in [(hall, with_hall, 3.0), (transformer, with_transformer, 6.0)] {
        for factor in [1.0, 0.5] {
            let expanded = twice(total(&budget::power(&board, &analog, factor)));
            assert!(expanded[1..].iter().all(|percent| *percent < most), "{}: {expanded:?}", board.name);
        }
    }
}

/// The document must show what is computed here; all of it is printed.
#[test]
fn the_tables() {
    let document = include_str!("../../../docs/boards.md");
    let (hall, transformer) = (ossp_devkit_c3::BOARD, ossp_devkit_c3_sct013::BOARD);
    let (with_hall, with_transformer) = (hall.analog.unwrap(), transformer.analog.unwrap());
    let tables = [
        ("front end", front_end_table(&with_hall, &with_transformer)),
        ("summary", summary_table()),
        ("before", before_table()),
        ("voltage", percent_table(["parts", "eFuse", "calibrated"], &budget::voltage(&hall, &with_hall))),
        ("current hall", current_table(&with_hall)),
        ("current transformer", current_table(&with_transformer)),
        ("phase hall", phase_table(&with_hall)),
        ("phase transformer", phase_table(&with_transformer)),
        ("power hall", power_table(&hall, &with_hall)),
        ("power transformer", power_table(&transformer, &with_transformer)),
        ("zero", zero_table(&with_hall)),
    ];
    let mut missing = Vec::new();
    for (name, table) in &tables {
        #[expect(
            clippy::print_stdout,
            reason = "this is the command that prints the tables of docs/boards.md"
        )]
        {
            println!("<!-- {name} -->\n{table}<!-- end -->\n");
        }
        if !document.contains(table.as_str()) {
            missing.push(name);
        }
    }
    let readme = include_str!("../../../README.md");
    assert!(
        !readme.contains("How accurate is a board") || readme.contains(&summary_table()),
        "README.md differs"
    );
    assert!(missing.is_empty(), "docs/boards.md does not show these tables as printed above: {missing:?}");
}

fn row(out: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<_> = cells.into_iter().collect();
    writeln!(out, "| {} |", cells.join(" | ")).unwrap();
}

fn head(out: &mut String, first: &str, rest: impl IntoIterator<Item = String>) {
    let rest: Vec<_> = rest.into_iter().collect();
    let count = rest.len() + 1;
    row(out, std::iter::once(first.to_owned()).chain(rest));
    writeln!(out, "|{}", "---|".repeat(count)).unwrap();
}

fn amperes() -> [String; 4] {
    CURRENTS.map(|current| format!("{current} A"))
}

fn percents<const N: usize>(what: &str, values: [f64; N]) -> Vec<String> {
    std::iter::once(what.to_owned()).chain(values.map(|value| format!("{value:.2}"))).collect()
}

fn bold<const N: usize>(what: &str, values: [f64; N]) -> Vec<String> {
    percents(what, values).into_iter().map(|cell| format!("**{cell}**")).collect()
}

fn twice<const N: usize>(values: [f64; N]) -> [f64; N] {
    values.map(|value| 2.0 * value)
}

fn percent_table<const N: usize>(columns: [&str; N], lines: &[Line<N>]) -> String {
    let mut out = String::new();
    head(&mut out, "standard uncertainty, %", columns.map(str::to_owned));
    for line in lines {
        row(&mut out, percents(line.what, line.percent));
    }
    row(&mut out, percents("combined", total(lines)));
    row(&mut out, bold("expanded, k = 2", twice(total(lines))));
    out
}

fn current_table(analog: &Analog) -> String {
    let columns = amperes();
    let mut out = percent_table(columns.each_ref().map(String::as_str), &budget::current(analog));
    row(
        &mut out,
        percents(
            "beside it: `current_a` reads high by (noise is not subtracted)",
            budget::noise_bias(analog),
        ),
    );
    out
}

fn phase_table(analog: &Analog) -> String {
    let mut out = String::new();
    let lines = budget::phase(analog);
    head(&mut out, "standard uncertainty, degrees", amperes());
    for line in &lines {
        row(&mut out, percents(line.what, line.percent));
    }
    row(&mut out, bold("combined", total(&lines)));
    out
}

fn power_table(board: &Board, analog: &Analog) -> String {
    let mut out = String::new();
    let factors = [1.0, 0.5];
    head(
        &mut out,
        "standard uncertainty, % of P",
        factors.iter().flat_map(|factor| amperes().map(|current| format!("{current}, PF {factor}"))),
    );
    let budgets = factors.map(|factor| budget::power(board, analog, factor));
    let both = |of: &dyn Fn(&[Line<4>]) -> [f64; 4]| -> [f64; 8] {
        std::array::from_fn(|at| of(&budgets[at / 4])[at % 4])
    };
    for at in 0..budgets[0].len() {
        row(&mut out, percents(budgets[0][at].what, both(&|lines| lines[at].percent)));
    }
    row(&mut out, percents("combined", both(&|lines| total(lines))));
    row(&mut out, bold("expanded, k = 2", both(&|lines| twice(total(lines)))));
    out
}

fn zero_table(analog: &Analog) -> String {
    let lines = budget::zero(analog);
    let mut out = String::new();
    head(
        &mut out,
        "standard uncertainty, mA",
        ["parts".to_owned(), "zero taken with the relay open".to_owned()],
    );
    let milliamperes = |what: &str, values: [f64; 2]| -> Vec<String> {
        std::iter::once(what.to_owned()).chain(values.map(|value| format!("{value:.0}"))).collect()
    };
    for line in &lines {
        row(&mut out, milliamperes(line.what, line.percent));
    }
    row(&mut out, milliamperes("combined", total(&lines)));
    let expanded = milliamperes("expanded, k = 2", twice(total(&lines)));
    row(&mut out, expanded.into_iter().map(|cell| format!("**{cell}**")));
    out
}

/// Expanded uncertainties of a calibrated board in percent: what the README shows too.
fn summary_table() -> String {
    let mut out = String::new();
    head(&mut out, "calibrated, k = 2, %", amperes());
    let mut line = |what: &str, values: [f64; 4]| row(&mut out, short(percents(what, twice(values))));
    let hall = ossp_devkit_c3::BOARD;
    let voltage = total(&budget::voltage(&hall, &hall.analog.unwrap()))[2];
    line("voltage, 207 to 253 V", [voltage; 4]);
    for (name, board) in [("ACS712-20A", hall), ("SCT-013-030", ossp_devkit_c3_sct013::BOARD)] {
        let analog = board.analog.unwrap();
        line(&format!("current, {name}"), total(&budget::current(&analog)));
        for factor in [1.0, 0.5] {
            let power = total(&budget::power(&board, &analog, factor));
            line(&format!("active power, {name}, PF {factor}"), power);
        }
    }
    out
}

/// Expanded uncertainties before anybody calibrated anything, in percent.
fn before_table() -> String {
    let mut out = String::new();
    head(&mut out, "not calibrated, k = 2, %", ["parts", "eFuse"].map(str::to_owned));
    let mut line = |what: &str, values: [f64; 2]| row(&mut out, short(percents(what, twice(values))));
    let hall = ossp_devkit_c3::BOARD;
    let [parts, fuse, _] = total(&budget::voltage(&hall, &hall.analog.unwrap()));
    line("voltage", [parts, fuse]);
    for (name, board) in [("ACS712-20A", hall), ("SCT-013-030", ossp_devkit_c3_sct013::BOARD)] {
        let analog = board.analog.unwrap();
        // The gains come on top of what stands in the tables of the calibrated board, here at 5 A.
        let calibrated = total(&budget::current(&analog))[2];
        let values = [false, true]
            .map(|known| plug::board::combine(&[budget::current_gain(&analog, known), calibrated]));
        line(&format!("current, {name}, 5 A"), values);
    }
    out
}

/// One decimal is enough for an estimate.
fn short(cells: Vec<String>) -> impl Iterator<Item = String> {
    cells.into_iter().map(|cell| cell.parse::<f64>().map_or(cell, |value| format!("{value:.1}")))
}

fn front_end_table(hall: &Analog, transformer: &Analog) -> String {
    let channels =
        [(hall, hall.voltage, "V"), (hall, hall.current, "A"), (transformer, transformer.current, "A")];
    let mut out = String::new();
    head(
        &mut out,
        "channel",
        ["voltage, ZMPT101B module", "current, ACS712-20A", "current, SCT-013-030"].map(str::to_owned),
    );
    let mut line = |what: &str, cell: &dyn Fn(&Analog, &Channel, &str) -> String| {
        let cells = channels.iter().map(|(analog, channel, unit)| cell(analog, channel, unit));
        row(&mut out, std::iter::once(what.to_owned()).chain(cells));
    };
    line("sensor, mV a V or A", &|_, channel, unit| {
        format!("{:.2} mV/{unit}", 1e3 * channel.sensor.gain.value)
    });
    line("divider", &|_, channel, _| format!("{:.3}", channel.network.gain().0));
    line("at the pin, 50 Hz", &|_, channel, unit| format!("{:.3} mV/{unit}", 1e3 * channel.gain().0));
    line("rest at the pin", &|_, channel, _| format!("{:.3} V", channel.rest().value));
    line("one count there", &|analog, channel, unit| {
        let converter = &analog.converter;
        let count = converter.volts_a_count(converter.typical, Volts(channel.rest().value));
        format!("{:.3} mV, {:.1} m{unit}", 1e3 * count, 1e3 * count / channel.gain().0)
    });
    line("swing at 253 V or 10 A, sine", &|_, channel, unit| {
        let (low, high) = channel.swing(SQRT_2 * if unit == "V" { 253.0 } else { 10.0 });
        format!("{:.2} to {:.2} V", low.0, high.0)
    });
    line("largest peak", &|analog, channel, unit| {
        format!("{:.1} {unit}", channel.largest_peak(&analog.converter))
    });
    line("largest sine, RMS", &|analog, channel, unit| {
        format!("{:.1} {unit}", channel.largest_peak(&analog.converter) / SQRT_2)
    });
    line("codes that count as clipped", &|analog, channel, _| {
        let front_end = analog.front_end(None, Volts(230.0));
        let range = if channel == &analog.voltage { front_end.voltage } else { front_end.current };
        format!("up to {}, from {}", range.lowest, range.highest)
    });
    line("R and C of the filter", &|_, channel, _| {
        let (Network::Divider { capacitor, .. } | Network::Bias { capacitor, .. }) = channel.network;
        format!("{:.0} Ω, {:.0} nF", channel.network.source_ohms(), 1e9 * capacitor.value)
    });
    line("corner", &|_, channel, _| {
        let (corner, percent) = channel.network.corner();
        format!("{:.0} Hz ±{:.1} % (k = 1)", corner.0, percent)
    });
    line("filter at 50 Hz", &|_, channel, _| filter(channel, 50.0));
    line("filter at 2 kHz (order 40)", &|_, channel, _| filter(channel, 2000.0));
    line("sensor late by, 50 Hz", &|_, channel, _| {
        format!("{:.2}° ±{:.2}° (k = 1)", channel.sensor.late.value, channel.sensor.late.uncertainty)
    });
    line("noise expected, RMS", &|analog, _, unit| {
        if unit == "V" { "–".to_owned() } else { format!("{:.0} mA", 1e3 * analog.expected_noise().0) }
    });
    line("direct current or voltage", &|_, channel, _| {
        if channel.sensor.dc_coupled { "yes" } else { "no" }.to_owned()
    });
    out
}

fn filter(channel: &Channel, hertz: f64) -> String {
    let percent = 100.0 * (channel.network.filter_gain(Hertz(hertz)) - 1.0);
    format!("{percent:.2} %, {:.2}° late", channel.network.filter_late(Hertz(hertz)).0)
}
