//! What the plug's log is told of the network: what changed, and what stays wrong once. A password never gets here.

use core::fmt::{self, Write};

use heapless::String;

use super::choose::Errors;
use super::station::{Policy, Station};
use super::trial_join::TrialState;
use super::words;
use crate::platform::{Address, Clock, LinkError, Ssid};
use crate::state::State;

pub(super) struct Log<'a, C> {
    clock: &'a C,
    state: &'a State,
    /// As they were told.
    errors: Errors,
    test: Option<TrialState>,
    /// As it was last opened.
    access_point: Ssid,
    access_point_refused: bool,
}

impl<'a, C: Clock> Log<'a, C> {
    pub(super) fn new(clock: &'a C, state: &'a State) -> Self {
        let (errors, access_point) = (Errors::default(), Ssid::new());
        Self { clock, state, errors, test: None, access_point, access_point_refused: false }
    }

    fn line(&self, arguments: fmt::Arguments<'_>) {
        let mut text: String<96> = String::new();
        // What does not fit is cut: the beginning says what it is about.
        let _ = text.write_fmt(arguments);
        let uptime = self.clock.now().since_start().as_secs_f64();
        self.state.put_log(self.clock.time_of_day(), uptime, &text);
    }

    fn network(&self, ssid: &str, said: &dyn fmt::Display) {
        self.line(format_args!("Wi-Fi \"{ssid}\": {said}"));
    }

    pub(super) fn joined(&self, ssid: &str, result: Result<Address, LinkError>, signal: Option<i8>) {
        let Ok(address) = result else { return };
        match signal {
            Some(signal) => {
                self.network(ssid, &format_args!("joined as {} ({signal} dBm)", address.ip));
            }
            None => self.network(ssid, &format_args!("joined as {}", address.ip)),
        }
    }

    /// What is wrong with each network, and how a test stands.
    pub(super) fn tell(&mut self, station: &Station) {
        let (known, errors) = (&station.plan().known, station.errors());
        for ((known, error), told) in known.iter().zip(errors).zip(&self.errors) {
            if let Some(error) = error.filter(|_| error != *told) {
                self.network(&known.credentials.ssid, &words::short(error));
            }
        }
        self.errors = errors;
        let Some(report) = station.report().filter(|report| self.test != Some(report.state)) else { return };
        match (report.state, report.error) {
            (TrialState::Running, _) => self.network(&report.ssid, &"is tested"),
            (TrialState::Failed, Some(error)) => {
                self.network(&report.ssid, &format_args!("the test failed: {}", words::short(error)));
            }
            (TrialState::Confirmed, _) => {
                self.network(&report.ssid, &"confirmed, it is the first network now")
            }
            (TrialState::Reverted, _) => {
                self.network(&report.ssid, &"not confirmed, back to the networks before")
            }
            (TrialState::Failed | TrialState::Succeeded, _) => {}
        }
        self.test = Some(report.state);
    }

    pub(super) fn asked(&self, station: &Station) {
        if station.plan().policy == Policy::Never {
            self.line(format_args!("the access point has no password: it stays closed"));
        }
    }

    pub(super) fn access_point(&mut self, open: bool, ssid: &Ssid, result: Result<(), LinkError>) {
        if open {
            self.access_point.clone_from(ssid);
        }
        let ssid = &self.access_point;
        let word = if open { "open" } else { "closed" };
        if result.is_ok() {
            self.line(format_args!("access point \"{ssid}\" is {word}"));
        } else if !self.access_point_refused {
            let word = if open { "opened" } else { "closed" };
            self.line(format_args!("access point \"{ssid}\" cannot be {word} now"));
        }
        self.access_point_refused = result.is_err();
    }
}
