//! The table of docs/lights.md is the code's. It prints itself:
//!
//! ```sh
//! cargo test -p plug --test lights -- --nocapture
//! ```

#![allow(clippy::print_stdout, reason = "it prints the table for the page")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use embassy_futures::select::select3;
use futures_lite::future::block_on;
use plug::core::button::{ButtonEvent, ButtonHeld};
use plug::core::led::{Inputs, Pattern};
use plug::limits;
use plug::panel::{self, Panel};
use plug::platform::{Button, Clock, Instant, Led};

/// Milliseconds as seconds, without zeros that say nothing.
fn seconds(milliseconds: u16) -> String {
    format!("{}", f64::from(milliseconds) / 1000.0)
}

/// A pattern as the table says it.
fn words(pattern: Pattern) -> String {
    let timing = pattern.timing();
    if timing.flashes == 0 {
        return "dark".to_owned();
    }
    let (lit, dark) = (seconds(timing.lit_ms), seconds(timing.dark_ms));
    match timing {
        _ if timing.dark_ms == 0 => "lit".to_owned(),
        _ if timing.flashes == 1 => format!("{lit} s lit, {dark} s dark"),
        _ => format!(
            "{} flashes of {lit} s, {dark} s apart, then {} s dark",
            timing.flashes,
            seconds(timing.dark_ms + timing.pause_ms)
        ),
    }
}

#[test]
fn the_table_is_the_codes() {
    let rows: Vec<String> = Pattern::ALL
        .iter()
        .enumerate()
        .map(|(index, pattern)| {
            let always = if pattern.is_shown_when_dark() { "yes" } else { "no" };
            format!("| {} | {} | {} | {always} |", index + 1, pattern.meaning(), words(*pattern))
        })
        .collect();
    println!("{}", rows.join("\n"));
    let page = include_str!("../../../docs/lights.md");
    let table: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "|---|---|---|---|")
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(table, rows, "the table of docs/lights.md is not the code's");
}

/// Simulated time that goes on when everybody waits, and a button that is held as planned.
#[derive(Clone)]
struct Bench {
    now: Rc<Cell<u64>>,
    /// The next moment that somebody waits for.
    due: Rc<Cell<u64>>,
    pressed: &'static [(u64, u64)],
    lights: Rc<RefCell<Vec<(u64, bool)>>>,
}

impl Bench {
    fn new(pressed: &'static [(u64, u64)]) -> Self {
        let (now, due) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(u64::MAX)));
        Self { now, due, pressed, lights: Rc::default() }
    }

    fn is_down(&self, at: u64) -> bool {
        self.pressed.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    async fn until(&self, moment: u64) {
        poll_fn(|context| {
            if self.now.get() >= moment {
                return Poll::Ready(());
            }
            self.due.set(self.due.get().min(moment));
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Lets time go on to whatever is due next; ends at `end`.
    async fn drive(&self, end: u64) {
        while self.now.get() < end {
            futures_lite::future::yield_now().await;
            self.now.set(self.due.replace(u64::MAX).min(end));
        }
    }
}

impl Clock for Bench {
    fn now(&self) -> Instant {
        Instant::from_start(Duration::from_micros(self.now.get()))
    }

    async fn sleep_until(&self, moment: Instant) {
        self.until(moment.since_start().as_micros() as u64).await;
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}

impl Button for Bench {
    fn is_pressed(&mut self) -> bool {
        self.is_down(self.now.get())
    }

    async fn changed(&mut self) {
        let now = self.now.get();
        let edges = self.pressed.iter().flat_map(|(from, to)| [*from, *to]);
        self.until(edges.filter(|edge| *edge > now).min().unwrap_or(u64::MAX)).await;
    }
}

impl Led for Bench {
    fn set(&mut self, lit: bool) {
        self.lights.borrow_mut().push((self.now.get() / 1000, lit));
    }
}

const S: u64 = 1_000_000;

/// What happened, and at which millisecond.
type At<T> = (u64, T);

/// What button and light do in `seconds`, with a relay that a short press toggles.
fn run(
    pressed: &'static [(u64, u64)],
    identify: bool,
    seconds: u64,
) -> (Vec<At<ButtonEvent>>, Vec<At<bool>>) {
    let bench = Bench::new(pressed);
    let (panel, on, events) = (Panel::new(), Cell::new(false), RefCell::new(Vec::new()));
    if identify {
        panel.identify(bench.now());
    }
    let (mut button, mut light, clock) = (bench.clone(), bench.clone(), bench.clone());
    let pressing = panel::button(&mut button, &clock, &panel, |event| {
        events.borrow_mut().push((bench.now.get() / 1000, event));
        if event == ButtonEvent::Short {
            on.set(!on.get());
        }
    });
    let lighting =
        panel::led(&mut light, &clock, &panel, || Inputs { relay_on: on.get(), ..Inputs::default() });
    block_on(select3(bench.drive(seconds * S), pressing, lighting));
    assert_eq!(panel.held(), ButtonHeld::No);
    (events.into_inner(), bench.lights.take())
}

#[test]
fn a_press_toggles_and_the_light_shows_it() {
    let (events, lights) = run(&[(2 * S, 2 * S + 200_000), (5 * S, 5 * S + 200_000)], false, 10);
    assert_eq!(events, [(2230, ButtonEvent::Short), (5230, ButtonEvent::Short)]);
    assert_eq!(lights.len(), 3);
    assert!((lights[0], lights[1].1, lights[2].1) == ((0, false), true, false));
    assert!(lights[1].0 <= 2230 + 50 && lights[2].0 <= 5230 + 50, "{lights:?}");
}

#[test]
fn a_very_long_press_blinks_faster_and_resets() {
    let (events, lights) = run(&[(S, 13 * S)], false, 20);
    assert_eq!(events, [(11_000, ButtonEvent::VeryLong)]);
    let changes = |from: u64, to: u64| lights.iter().filter(|(at, _)| (from..to).contains(at)).count();
    assert_eq!((changes(1, 4000), changes(11_100, 13_000), changes(13_100, 20_000)), (0, 0, 0));
    assert!((7..=9).contains(&changes(4000, 6000)), "{lights:?}");
    assert!((90..=110).contains(&changes(6000, 11_000)), "{lights:?}");
}

#[test]
fn identify_blinks_and_ends_by_itself() {
    let (events, lights) = run(&[], true, 40);
    assert!(events.is_empty());
    let ends = limits::IDENTIFY.as_millis() as u64;
    assert!(lights.last().is_some_and(|(at, lit)| !lit && *at <= ends + 50), "{lights:?}");
    assert!((29..=31).contains(&lights.iter().filter(|(_, lit)| *lit).count()), "{lights:?}");
}
