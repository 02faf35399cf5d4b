//! A PC as a platform for the plug: its clocks, its sockets, its state folder with flash and slots, and the
//! simulation as samples, relay, button, light and radio.

mod access_point;
mod access_point_udp;
mod boot;
mod clock;
mod erase;
mod flash;
mod image;
mod listener;
mod machine;
mod multicast;
mod network;
mod panel;
mod random;
#[cfg(test)]
pub(crate) mod scratch;
mod simulated;
mod slots;
mod state_folder;
mod wifi;

pub use access_point::{AccessPoint, AccessPointError};
pub use access_point_udp::{AccessPointSocket, AccessPointUdp};
pub use boot::{BootLoader, boot};
pub use clock::{RealClock, SimulatedClock};
pub use erase::{Erasing, SlowFlash};
pub use flash::{DATA_PARTITION, FileFlash, FileFlashError, LOG_PARTITION};
pub use image::{RunningImage, Taken, boot_image, last_words};
pub use listener::Listener;
pub use machine::Pc;
pub use multicast::{PcMulticast, networks};
pub use network::PcNetwork;
pub use panel::{SimButton, SimLed};
pub use random::PcRandom;
pub use simulated::{SimRelay, SimSamples, Simulated};
pub use slots::{FileSlots, RECORD, SLOT, VirtualSlots};
pub use state_folder::{StateFolder, StateFolderError};
pub use wifi::{SimWifi, WayOut};
