//! The whole OSSP product over small platform traits: it runs unchanged on the chip and on a PC.
//!
//! Read [`platform`] first (what a shell must provide), then [`app`] (how the parts run side by side).
#![no_std]
#![allow(async_fn_in_trait, reason = "one executor a shell: no future of these traits has to be Send")]

extern crate alloc;

pub mod access;
mod apart;
pub mod app;
pub mod board;
pub mod core;
pub mod defaults;
pub mod desk;
pub mod history;
mod json;
pub mod ledger;
pub mod limits;
pub mod net;
pub mod number;
pub mod panel;
pub mod platform;
pub mod settings;
pub mod starts;
pub mod state;
pub mod storage;
pub mod timekeeping;
pub mod update;
pub mod uplink;
pub mod web;
