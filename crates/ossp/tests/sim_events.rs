//! What a scenario does to the plug itself: a contact that welds, a finger on the button, a chip that gets warm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::cell::{Cell, RefCell};

use embassy_futures::select::{select, select3};
use futures_lite::future::block_on;
use metering::front_end::Pair;
use ossp::host::{SimButton, SimLed, Simulated, SimulatedClock};
use ossp::sim::{Scenario, Simulation};
use plug::core::button::ButtonEvent;
use plug::core::led::Inputs;
use plug::panel::{self, Panel};
use plug::platform::{Clock, Instant, Samples};

fn simulation(text: &str) -> Simulation {
    Simulation::new(&Scenario::from_text("test.toml", text).unwrap(), 1)
}

/// RMS current of the next seconds, in amperes.
fn amperes(simulation: &mut Simulation, seconds: f64) -> f64 {
    let calibration = simulation.true_calibration().current;
    let mut pairs = vec![Pair::default(); (seconds * 4000.0) as usize];
    let filled = simulation.fill(&mut pairs).pairs;
    let square = |pair: &Pair| (calibration.gain * (f64::from(pair.current) - calibration.zero_raw)).powi(2);
    (pairs[..filled].iter().map(square).sum::<f64>() / filled as f64).sqrt()
}

#[test]
fn a_welded_contact_lets_the_current_flow_on() {
    let mut simulation = Simulation::new(&Scenario::builtin("welded").unwrap(), 1);
    simulation.set_relay(true);
    amperes(&mut simulation, 5.0);
    simulation.set_relay(false);
    assert!(amperes(&mut simulation, 1.0) < 1.0 && !simulation.relay_is_closed());
    assert!(amperes(&mut simulation, 1.0) < 0.1);
    simulation.set_relay(true);
    amperes(&mut simulation, 5.0);
    // Twelve seconds have gone by.
    simulation.set_relay(false);
    assert!(amperes(&mut simulation, 1.0) > 6.0 && simulation.relay_is_closed());
    simulation.set_relay(true);
    simulation.set_relay(false);
    assert!(amperes(&mut simulation, 5.0) > 6.0);
}

#[test]
fn an_open_contact_welds_when_it_closes_and_does_not_close_by_itself() {
    let mut simulation = simulation("[relay]\nbounce_ms = 3\n[[load.heater]]\n[[event.weld]]\nat_s = 1");
    assert!(amperes(&mut simulation, 3.0) < 0.1);
    simulation.set_relay(true);
    amperes(&mut simulation, 0.1);
    simulation.set_relay(false);
    assert!(amperes(&mut simulation, 1.0) > 6.0 && simulation.relay_is_closed());
}

#[test]
fn the_button_is_pressed_and_the_chip_gets_warm_when_the_scenario_says_so() {
    let mut simulation = simulation(
        "[[event.button]]\nat_s = 1\n[[event.button]]\nat_s = 3\nfor_s = 2\nevery_s = 10\n\
         [[event.chip_temperature]]\nat_s = 2\nfor_s = 3\ncelsius = 101.5",
    );
    let (mut pressed, mut warm) = (Vec::new(), Vec::new());
    // Looked at in the middle of each tenth of a second.
    amperes(&mut simulation, 0.05);
    for tenth in 0..160 {
        if simulation.button_is_pressed() {
            pressed.push(tenth);
        }
        if simulation.chip_temperature_c() != 45.0 {
            warm.push((tenth, simulation.chip_temperature_c()));
        }
        amperes(&mut simulation, 0.1);
    }
    let expected: Vec<i32> = (10..12).chain(30..50).chain(130..150).collect();
    assert_eq!(pressed, expected);
    assert_eq!((warm[0], warm[warm.len() - 1], warm.len()), ((20, 101.5), (49, 101.5), 30));
}

/// The panel's tasks on the simulated plug, as a PC runs them.
#[test]
fn presses_reach_the_panel_and_the_light_shows_the_relay() {
    let text = "[[event.button]]\nat_s = 1\n[[event.button]]\nat_s = 3\nfor_s = 4";
    let simulated = Simulated::new(&Scenario::from_text("test.toml", text).unwrap(), 1);
    let clock = SimulatedClock::start(5.0);
    let mut samples = simulated.samples(clock.clone());
    let (mut button, led) = (SimButton::new(simulated.clone(), clock.clone()), SimLed::default());
    let (panel, on, events) = (Panel::new(), Cell::new(false), RefCell::new(Vec::new()));
    let pressing = panel::button(&mut button, &clock, &panel, |event| {
        on.set(!on.get());
        events.borrow_mut().push((clock.now().since_start().as_secs_f64(), event, led.is_lit()));
    });
    let mut light = led.clone();
    let lighting =
        panel::led(&mut light, &clock, &panel, || Inputs { relay_on: on.get(), ..Inputs::default() });
    let world = async {
        while clock.now() < Instant::from_start(std::time::Duration::from_secs(8)) {
            assert!(samples.next().await.is_some());
        }
    };
    block_on(async {
        select3(world, pressing, lighting).await;
    });
    let events = events.borrow();
    assert_eq!(events.len(), 2, "{events:?}");
    let times = [(1.23, ButtonEvent::Short, false), (7.03, ButtonEvent::Long, true)];
    for ((at, event, _), (expected, meant, _)) in events.iter().zip(times) {
        // A busy machine is late, never early.
        assert!(*at >= expected && *event == meant, "{events:?}");
    }
    assert!(!led.is_lit());
}

/// A plug that starts anew counts its time from the start; the world goes on.
#[test]
fn the_world_is_older_than_the_plug() {
    let simulated = Simulated::new(&Scenario::builtin("none").unwrap(), 1);
    let run = |seconds: f64| {
        let clock = SimulatedClock::start(1000.0);
        let mut samples = simulated.samples(clock.clone());
        block_on(async {
            let end = clock.sleep_until(Instant::from_start(std::time::Duration::from_secs_f64(seconds)));
            let measuring = async { while samples.next().await.is_some() {} };
            select(end, measuring).await;
        });
        clock.now().since_start().as_secs_f64()
    };
    let (first, second) = (run(3.0), run(1.0));
    assert!(first >= 3.0 && second >= 1.0);
    assert!(second < first + 1.0, "{first} {second}: it begins at 0");
}
