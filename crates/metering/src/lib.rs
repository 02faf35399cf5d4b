#![doc = include_str!("../README.md")]
#![no_std]

pub mod calibration;
pub mod checksum;
mod delay;
mod dsp;
pub mod energy;
pub mod front_end;
pub mod history;
pub mod idle;
pub mod meter;
mod plan;
pub mod position;
pub mod quality;
pub mod reading;
mod span;
mod tracker;
pub mod units;
pub mod window;
