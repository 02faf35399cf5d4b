//! The integer kernels: sums, rotations, single-bin spectra, sliding squares.

pub(crate) mod eight;
pub(crate) mod extremes;
pub(crate) mod kernels;
pub(crate) mod moments;
pub(crate) mod rotation;
pub(crate) mod scaling;
pub(crate) mod spectrum;
pub(crate) mod sweep;
