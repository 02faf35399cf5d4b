//! Scenario files: the built-in ones, the annotated example, and the sentence for each mistake.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly, their helpers too")]

use std::fmt::Write;

use ossp::sim::{Scenario, Simulation};

#[test]
fn every_built_in_scenario_runs() {
    for name in Scenario::names() {
        let scenario = Scenario::builtin(name).unwrap();
        assert_eq!(scenario.name(), name);
        assert!(!scenario.description().is_empty(), "{name}");
        assert_eq!(scenario.source(), format!("simulated {name}"));
        let mut pairs = [Default::default(); 100];
        assert_eq!(Simulation::new(&scenario, 1).fill(&mut pairs).pairs, 100);
    }
    assert!(Scenario::names().any(|name| name == Scenario::default_name()));
}

/// The example shows every field with its default: what is left out of it is what it says.
#[test]
fn the_example_is_right() {
    let example = include_str!("../scenarios/example.toml");
    Scenario::from_text("example.toml", example).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/example.toml");
    assert_eq!(Scenario::from_source(&format!("sim:{path}")).unwrap().source(), "simulated example.toml");

    // Loads and harmonics aside, a run with it and one without give the same pairs.
    let head = example.split("[[load.kettle]]").next().unwrap();
    let harmonics = head.find("[[mains.harmonic]]").unwrap();
    let front_end = head.find("[front_end]").unwrap();
    let without_harmonics = format!("{}{}", &head[..harmonics], &head[front_end..]);
    let pairs = |text: &str| {
        let mut pairs = vec![Default::default(); 4000];
        Simulation::new(&Scenario::from_text("test.toml", text).unwrap(), 7).fill(&mut pairs);
        pairs
    };
    assert!(pairs(&without_harmonics) == pairs(""));
}

#[test]
fn each_mistake_is_one_sentence() {
    let cases = [
        ("unknown table", "[main]\nvolts = 230\n"),
        ("unknown field", "[mains]\nvolts = 230\nvolt = 3\n"),
        ("unknown load", "\n[[load.ketle]]\npower_w = 2000\n"),
        ("unknown field of a load", "[[load.kettle]]\npower_w = 2000\npower = 3\n"),
        ("word for a number", "[mains]\nhertz = \"fifty\"\n"),
        ("too much", "[mains]\nvolts = 2300\n"),
        ("too little", "[mains]\nvolts = -1\n"),
        ("zero", "[[load.heater]]\npower_w = 0\n"),
        ("no number", "[[load.heater]]\n\npower_w = nan\n"),
        ("fraction of a bit", "[front_end]\nbits = 12.5\n"),
        ("unknown filter", "[front_end]\nfilter = \"best\"\n"),
        ("zero outside the codes", "[front_end]\nbits = 10\nvoltage_zero = 2048\n"),
        ("early but no transformer", "[front_end]\ncurrent_phase_deg = -2\n"),
        ("unknown channel", "[[event.stuck]]\nchannel = \"power\"\n"),
        ("a weld has no end", "[[event.weld]]\nat_s = 3\nfor_s = 1\n"),
        ("a press without length", "[[event.button]]\nfor_s = 0\n"),
        ("a chip on fire", "[[event.chip_temperature]]\ncelsius = 500\n"),
        ("a network without a name", "[[radio.network]]\nssid = \"\"\n"),
        ("a name that is too long", "[[radio.network]]\nssid = \"123456789012345678901234567890123\"\n"),
        ("a short password", "[[radio.network]]\nssid = \"home\"\npassword = \"seven77\"\n"),
        ("unknown protection", "[[radio.network]]\nsecurity = \"wpa4\"\n"),
        ("a channel that nobody has", "[[radio.network]]\nchannel = 14\n"),
        ("louder than a shout", "[[radio.network]]\nsignal_dbm = 20\n"),
        ("no address", "[[radio.network]]\naddress = \"192.168.1\"\n"),
        ("unknown field of a network", "[[radio.network]]\nssid = \"home\"\nname = \"home\"\n"),
        ("one bracket around a network", "[radio.network]\nssid = \"home\"\n"),
        ("one bracket", "[load.kettle]\npower_w = 2000\n"),
        ("no TOML", "[mains]\nvolts = \n"),
        ("twice", "[mains]\nvolts = 230\nvolts = 231\n"),
    ];
    let mut table = String::new();
    for (case, text) in cases {
        let error = Scenario::from_text("my.toml", text).unwrap_err();
        writeln!(table, "{case}:\n  {error}").unwrap();
    }
    let folder = env!("CARGO_MANIFEST_DIR");
    for source in [
        "sim:ketle".to_owned(),
        "kettle".to_owned(),
        "wave".to_owned(),
        format!("sim:{folder}/nowhere.toml"),
        format!("wave:{folder}/nowhere.csv"),
        format!("wave:{folder}/src"),
    ] {
        let error = Scenario::from_source(&source).unwrap_err().to_string();
        writeln!(table, "{}:\n  {}", source.replace(folder, "..."), error.replace(folder, "...")).unwrap();
    }
    insta::assert_snapshot!(table);
}
