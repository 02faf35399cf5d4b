#![doc = include_str!("../README.md")]
#![no_std]

pub mod calibration;
pub mod front_end;
pub mod quality;
pub mod reading;
pub mod units;
