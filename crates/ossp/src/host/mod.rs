//! A PC as a platform for the plug: its clocks, its sockets, its state folder, and the simulation as samples and relay.

mod clock;
mod listener;
mod machine;
mod simulated;
mod state_folder;

pub use clock::{RealClock, SimulatedClock};
pub use listener::Listener;
pub use machine::Pc;
pub use simulated::{SimRelay, SimSamples, Simulated};
pub use state_folder::{StateFolder, StateFolderError};
