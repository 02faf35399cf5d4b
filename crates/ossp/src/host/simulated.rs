//! The simulation as the plug's samples and relay, in step with the wall clock.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::future::yield_now;
use metering::calibration::Calibration;
use metering::front_end::{FrontEnd, Pair};
use plug::platform::{Block, Relay, Samples};

use crate::host::SimulatedClock;
use crate::sim::{Scenario, Simulation};

/// Length of a block: protection looks once a block.
const BLOCK_S: f64 = 0.002;
/// How far behind the wall clock the simulation may be before it lets time go: a laptop that slept does not catch up.
const LONGEST_BACKLOG: Duration = Duration::from_secs(1);
/// How long the simulation computes without letting the web have a turn.
const LONGEST_TURN: Duration = Duration::from_millis(5);

/// A simulation that samples and relay share.
#[derive(Clone)]
pub struct Simulated(Rc<RefCell<Simulation>>);

impl Simulated {
    /// Begins a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        Self(Rc::new(RefCell::new(Simulation::new(scenario, seed))))
    }

    /// The hardware that the plug sees.
    #[must_use]
    pub fn front_end(&self) -> FrontEnd {
        self.0.borrow().front_end()
    }

    /// What the plug knows of it.
    #[must_use]
    pub fn calibration(&self) -> Calibration {
        self.0.borrow().calibration()
    }

    /// Whether somebody presses its button.
    #[must_use]
    pub fn button_is_pressed(&self) -> bool {
        self.0.borrow().button_is_pressed()
    }

    /// How warm its chip is, in degrees Celsius.
    #[must_use]
    pub fn chip_temperature_c(&self) -> f64 {
        self.0.borrow().chip_temperature_c()
    }

    /// How old its world is, in seconds.
    #[must_use]
    pub fn elapsed_s(&self) -> f64 {
        self.0.borrow().elapsed().value()
    }

    /// Its relay.
    #[must_use]
    pub fn relay(&self) -> SimRelay {
        SimRelay(self.clone())
    }

    /// Its samples, as fast as `clock` says, which counts from now on: the world is as old as it is, the plug may have
    /// just started.
    #[must_use]
    pub fn samples(&self, clock: SimulatedClock) -> SimSamples {
        let rate = self.front_end().sample_rate.value();
        let length = ((rate * BLOCK_S) as usize).max(1);
        let (now, began) = (Instant::now(), self.0.borrow().elapsed().value());
        SimSamples {
            simulation: self.clone(),
            clock,
            block: vec![Pair::default(); length],
            due: now,
            turn: now,
            began,
            made: began,
        }
    }
}

/// The simulated relay.
pub struct SimRelay(Simulated);

impl Relay for SimRelay {
    fn set(&mut self, closed: bool) {
        self.0.0.borrow_mut().set_relay(closed);
    }

    fn measured(&self) -> Option<bool> {
        Some(self.0.0.borrow().relay_is_closed())
    }
}

/// The simulated samples.
pub struct SimSamples {
    simulation: Simulated,
    clock: SimulatedClock,
    block: Vec<Pair>,
    /// When the next block is due on the wall clock.
    due: Instant,
    /// When this task last let others have a turn.
    turn: Instant,
    /// Simulated seconds that were made before the plug started ...
    began: f64,
    /// ... and in all.
    made: f64,
}

impl SimSamples {
    /// Waits until the next block is due.
    async fn pace(&mut self) {
        let now = Instant::now();
        if self.due > now {
            Timer::at(self.due).await;
            self.turn = Instant::now();
        } else if now - self.turn > LONGEST_TURN {
            yield_now().await;
            self.turn = Instant::now();
        }
        let behind = Instant::now().saturating_duration_since(self.due);
        if behind > LONGEST_BACKLOG {
            self.due += behind;
        }
    }
}

impl Samples for SimSamples {
    fn front_end(&self) -> FrontEnd {
        self.simulation.front_end()
    }

    async fn next(&mut self) -> Option<Block<'_>> {
        self.pace().await;
        let mut simulation = self.simulation.0.borrow_mut();
        let filled = simulation.fill(&mut self.block);
        let elapsed = simulation.elapsed().value();
        self.due += Duration::from_secs_f64((elapsed - self.made).max(0.0) / self.clock.speed().max(1e-3));
        self.made = elapsed;
        self.clock.set(Duration::from_secs_f64((elapsed - self.began).max(0.0)));
        let pairs = self.block.get(..filled.pairs).unwrap_or(&[]);
        Some(Block { lost_before: filled.lost_before, pairs })
    }
}
