//! `kill -9` of the running program at random moments, in the middle of what its user does: after the next start
//! nothing is lost that may not be. `OSSP_KILLS` says how often (20; 100 in `./ci.sh long`).
//!
//! What may be lost: of the energy the larger of 1 Wh and the last 10 s, in the plug's own time; of settings and relay
//! nothing that was answered.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod virtual_plug;

use std::convert::Infallible;
use std::io;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use futures_lite::future::block_on;
use ossp::host::{DATA_PARTITION, FileFlash, PcRandom};
use plug::storage::journal::Journal;
use plug::storage::region::{Region, Shared};
use plug::storage::{layout, meter_id};
use serde_json::{Value, json};
use virtual_plug::{Answer, Client, Folder, Plug, number, owned, spawn};

/// More than the heater takes at the highest voltage of the simulated mains.
const MOST_W: f64 = 1700.0;
/// What may be lost.
const LOSS_S: f64 = 10.0;
const LOSS_WH: f64 = 1.0;

/// Splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What the user knows of the plug: what it must still know after it was killed.
struct Known {
    starts: u64,
    /// Starts after that which were killed themselves: counted or not.
    half_starts: u64,
    /// Time and energy of each reading of this start: the newest at the back.
    readings: Vec<(f64, f64)>,
    /// The least that the journal may hold.
    energy_wh: f64,
    relay: Asked<bool>,
    settings: Asked<u64>,
    /// The changes of the relay that were seen in its log, newest first.
    changes: Vec<Value>,
}

/// What was answered, and what was asked and not answered.
#[derive(Clone, Copy, Debug)]
struct Asked<T> {
    answered: T,
    under_way: Option<T>,
}

impl<T: PartialEq + Copy> Asked<T> {
    fn allows(&self, found: T) -> bool {
        found == self.answered || Some(found) == self.under_way
    }

    fn found(&mut self, found: T) {
        *self = Self { answered: found, under_way: None };
    }
}

fn kills() -> u64 {
    std::env::var("OSSP_KILLS").map_or(20, |kills| kills.parse().unwrap())
}

/// Both fields are changed together: a mixture would show.
fn patch_of(number: u64) -> String {
    json!({"device": {"name": format!("plug {number}")}, "protection": {"power_hold_s": number % 50 + 1}})
        .to_string()
}

fn number_in(settings: &Value) -> u64 {
    let name = settings["device"]["name"].as_str().unwrap();
    let number = name.strip_prefix("plug ").unwrap().parse().unwrap();
    assert_eq!(settings["protection"]["power_hold_s"], json!(number % 50 + 1), "a mixture of two changes");
    number
}

/// What the journal in the flash file holds, in watt-hours; read as the plug does, after its end.
fn kept_energy_wh(folder: &Folder) -> f64 {
    let flash = Shared::new(Some(FileFlash::open(&folder.flash(), DATA_PARTITION).unwrap()));
    block_on(async {
        let (meter, _) = meter_id::open(Region::new(&flash, layout::METER), &mut PcRandom).await;
        let (_, totals) = Journal::open(Region::new(&flash, layout::ENERGY), meter.tag()).await;
        totals.unwrap().unwrap_or_default().import.watt_hours()
    })
}

impl Known {
    /// The plug was killed: what its flash holds now must do.
    fn check_flash(&mut self, folder: &Folder, kill: u64) {
        let kept = kept_energy_wh(folder);
        let &(last_s, last_wh) = self.readings.last().unwrap();
        // The oldest of the last 10 s is not more than what stood there when they began.
        let before = self.readings.iter().rev().find(|(uptime_s, _)| *uptime_s <= last_s - LOSS_S);
        let before_wh = before.map_or(self.energy_wh, |(_, energy_wh)| *energy_wh);
        let least = (last_wh - LOSS_WH).min(before_wh).max(self.energy_wh);
        assert!(
            kept >= least - 1e-6,
            "kill {kill}: {kept} Wh are kept, {last_wh} Wh were shown, {least} Wh must be"
        );
        self.energy_wh = kept;
    }

    /// It runs again: what it says must fit.
    fn check(&mut self, plug: &Plug, kill: u64) {
        let info = plug.json("/api/v1/info");
        let (starts, least) = (info["starts"].as_u64().unwrap(), self.starts + 1);
        assert!((least..=least + self.half_starts).contains(&starts), "kill {kill}: {starts} after {least}");
        (self.starts, self.half_starts) = (starts, 0);
        let reading = plug.reading(|_| true);
        let (uptime_s, energy_wh) = (number(&reading["uptime_s"]), number(&reading["energy_import_wh"]));
        let most = self.energy_wh + MOST_W * uptime_s / 3600.0;
        let range = self.energy_wh - 1e-6..=most;
        assert!(range.contains(&energy_wh), "kill {kill}: {energy_wh} Wh are shown, {range:?} were expected");
        self.readings = vec![(uptime_s, energy_wh)];
        let settings = plug.json("/api/v1/settings");
        let found = number_in(&settings);
        assert!(self.settings.allows(found), "kill {kill}: settings {found}, {:?}", self.settings);
        self.settings.found(found);
        let relay = plug.relay();
        let on = relay["on"].as_bool().unwrap();
        assert!(self.relay.allows(on), "kill {kill}: {relay}, {:?}", self.relay);
        self.relay.found(on);
        self.check_log(&plug.changes(), &format!("kill {kill}"));
    }

    /// Newest first, without a gap, and what was seen is there as it was.
    fn check_log(&mut self, changes: &[Value], when: &str) {
        let numbers: Vec<u64> = changes.iter().map(number_of).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{when}: {numbers:?}");
        let newest = numbers.first().copied().unwrap_or(0);
        assert!(newest >= self.newest_change(), "{when}: {newest} after {}", self.newest_change());
        for change in changes {
            assert!(!change["cause"].as_str().unwrap().is_empty(), "{when}: {change}");
            assert!(
                change["on"].is_boolean() && change["start"].as_u64().unwrap() <= self.starts,
                "{when}: {change}"
            );
            let seen = self.changes.iter().find(|seen| number_of(seen) == number_of(change));
            assert!(seen.is_none_or(|seen| seen == change), "{when}: {change} was {seen:?}");
        }
        self.changes = changes.to_vec();
    }

    fn newest_change(&self) -> u64 {
        self.changes.first().map_or(0, number_of)
    }
}

fn number_of(change: &Value) -> u64 {
    change["number"].as_u64().unwrap()
}

/// The user, until the plug is gone.
struct User<'a> {
    client: Client,
    dice: &'a mut Dice,
    known: &'a mut Known,
    tag: String,
}

impl User<'_> {
    fn ask(&self, head: &str, headers: &str, body: &str) -> io::Result<Answer> {
        self.client.ask(head, headers, body)
    }

    /// Does one thing after the other; ends with the error that says that the plug is gone.
    fn live(&mut self) -> io::Result<Infallible> {
        loop {
            match self.dice.roll(8) {
                0 | 1 => self.switch()?,
                2 => self.change_settings()?,
                3 => self.look_at_the_log()?,
                _ => self.read()?,
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let answer = self.ask("GET /api/v1/reading", "", "")?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let reading = answer.json();
        let seen = (number(&reading["uptime_s"]), number(&reading["energy_import_wh"]));
        assert!(seen.1 >= self.known.readings.last().unwrap().1, "the energy goes back: {reading}");
        self.known.readings.push(seen);
        Ok(())
    }

    fn switch(&mut self) -> io::Result<()> {
        let on = self.dice.roll(4) > 0;
        self.known.relay.under_way = Some(on);
        let answer = self.ask("PUT /api/v1/relay", "", &json!({"on": on}).to_string())?;
        assert_eq!((answer.status, answer.json()["on"].as_bool()), (200, Some(on)), "{answer:?}");
        self.known.relay.found(on);
        Ok(())
    }

    fn change_settings(&mut self) -> io::Result<()> {
        let number = self.known.settings.answered + 1;
        self.known.settings.under_way = Some(number);
        let tag = format!("If-Match: {}\r\n", self.tag);
        let answer = self.ask("PATCH /api/v1/settings", &tag, &patch_of(number))?;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(number_in(&answer.json()), number);
        self.tag = answer.header("etag").unwrap();
        self.known.settings.found(number);
        Ok(())
    }

    fn look_at_the_log(&mut self) -> io::Result<()> {
        let answer = self.ask("GET /api/v1/relay/log", "", "")?;
        self.known.check_log(answer.json()["changes"].as_array().unwrap(), "meanwhile");
        Ok(())
    }
}

/// Kills the plug when its time has come, or sooner if its user has given up.
fn kill_after(mut plug: Plug, time: Duration, given_up: &Receiver<()>) {
    let _ = given_up.recv_timeout(time);
    plug.child.kill().unwrap();
    plug.child.wait().unwrap();
}

fn kill_while_it_starts(folder: &Folder, arguments: &[&str], time: Duration) {
    let mut child = spawn(&folder.0, &owned(arguments), Stdio::null());
    std::thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_plug_loses_nothing_that_it_may_not_lose() {
    let folder = Folder::new("kill");
    let arguments = ["--source", "sim:heater", "--speed", "20"];
    let mut dice = Dice(u64::from(std::process::id()));
    eprintln!("dice: {}", dice.0);
    {
        let first = Plug::start(&folder.0, &arguments);
        first.set(r#"{"relay":{"switchings_a_minute":0}}"#);
        first.set(&patch_of(0));
        first.switch(r#"{"on":true}"#);
    }
    let mut known = Known {
        starts: 1,
        half_starts: 0,
        readings: vec![(0.0, 0.0)],
        energy_wh: 0.0,
        relay: Asked { answered: true, under_way: None },
        settings: Asked { answered: 0, under_way: None },
        changes: Vec::new(),
    };
    for kill in 0..kills() {
        known.check_flash(&folder, kill);
        if dice.roll(4) == 0 {
            kill_while_it_starts(&folder, &arguments, Duration::from_millis(dice.roll(80)));
            known.half_starts += 1;
            known.check_flash(&folder, kill);
        }
        let plug = Plug::start(&folder.0, &arguments);
        known.check(&plug, kill);
        let tag = plug.ask("GET /api/v1/settings", "", "").unwrap().header("etag").unwrap();
        // Most kills come soon, some after many writes.
        let most_ms = [60, 600, 2500][dice.roll(3) as usize];
        let time = Duration::from_millis(dice.roll(most_ms));
        let client = plug.client.at(&plug.address);
        let (waits, given_up) = channel();
        std::thread::scope(|scope| {
            let _waits = waits;
            let killer = scope.spawn(move || kill_after(plug, time, &given_up));
            let Err(_gone) = User { client, dice: &mut dice, known: &mut known, tag }.live();
            killer.join().unwrap();
        });
    }
    known.check_flash(&folder, kills());
    eprintln!(
        "{} Wh, {} changes, settings {}",
        known.energy_wh,
        known.newest_change(),
        known.settings.answered
    );
    assert!(known.energy_wh > 0.0 && known.newest_change() > kills());
}
