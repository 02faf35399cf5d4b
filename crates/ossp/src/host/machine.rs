//! A PC as the machine: it has more memory than a plug ever asks for, and no converter of its own.

use plug::platform::{Machine, Vitals};

/// A PC.
#[derive(Clone, Copy, Debug)]
pub struct Pc;

impl Machine for Pc {
    fn vitals(&self) -> Vitals {
        Vitals::default()
    }
}
