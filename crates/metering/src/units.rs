//! The physical units at the border of the crate: a number with its unit in the type, serialised as the bare number.

use serde::Serialize;

macro_rules! unit {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl $name {
            /// The bare number, in this unit.
            #[must_use]
            pub const fn value(self) -> f64 {
                self.0
            }
        }
    )+};
}

unit! {
    /// Electric potential difference in volts.
    Volts,
    /// Electric current in amperes.
    Amperes,
    /// Active power in watts.
    Watts,
    /// Apparent power in volt-amperes.
    VoltAmperes,
    /// Reactive power in volt-amperes reactive.
    Vars,
    /// Frequency in hertz.
    Hertz,
    /// Time in seconds.
    Seconds,
    /// Angle in degrees.
    Degrees,
    /// A ratio in percent.
    Percent,
}
