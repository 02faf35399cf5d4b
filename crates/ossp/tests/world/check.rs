//! What is on the server against what was measured, number by number.

use std::collections::BTreeMap;

use ossp::stand_in::StandIn;
use ossp::stand_in::account::Account;

use plug::uplink;

use super::load::Slot;
use super::plug::{NODE, Running};
use super::time::World;

pub const WRITE_KEY: &str = "fa8e3b689295332c560bbea31afb61d0";
pub const READ_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// Half a unit of the log (10 mW, 10 mV) and what float32 leaves of it.
const POWER_W: f64 = 0.006;
const VOLTAGE_V: f64 = 0.006;
/// The log's unit is 10 µWh; float32 has 24 bits.
const ENERGY_WH: f64 = 0.000_05;

/// An Emoncms below a path, whose inputs are logged to feeds with slots of 10 s.
pub fn emoncms() -> StandIn {
    let mut stand_in = StandIn::new(Account::new(4, WRITE_KEY, READ_KEY));
    stand_in.base = "/emoncms".to_owned();
    stand_in.account.feed_interval_s = Some(10);
    stand_in
}

/// Each of these slots is in the feeds of power, energy and voltage, with its numbers.
#[track_caller]
pub fn assert_slots(server: &StandIn, slots: &BTreeMap<u32, Slot>) {
    assert_node_has(server, NODE, slots, 1.0);
}

/// The same where a slot is the mean of several rows: each was rounded, and the mean once more.
#[track_caller]
pub fn assert_merged_slots(server: &StandIn, slots: &BTreeMap<u32, Slot>) {
    assert_node_has(server, NODE, slots, 2.0);
}

#[track_caller]
fn assert_node_has(server: &StandIn, node: &str, slots: &BTreeMap<u32, Slot>, roundings: f64) {
    assert!(!slots.is_empty(), "nothing to compare");
    let float32 = |value: f64| value * 2_f64.powi(-24);
    let mut wrong = Vec::new();
    for (name, number, least) in [
        ("power", Slot::power as fn(&Slot) -> f64, POWER_W),
        ("energy", |slot: &Slot| slot.energy_wh, ENERGY_WH),
        ("voltage", Slot::voltage, VOLTAGE_V),
    ] {
        let feed = server.account.feed_of(node, name).unwrap_or_else(|| panic!("there is no input {name}"));
        for (end, slot) in slots {
            let expected = number(slot);
            match feed.at(i64::from(*end)).map(f64::from) {
                Some(value) if (value - expected).abs() <= least * roundings + float32(expected) => {}
                found => wrong.push(format!("{name} at {end}: {found:?} instead of {expected}")),
            }
        }
    }
    let few: Vec<_> = wrong.iter().take(6).chain(wrong.iter().rev().take(2).rev()).collect();
    assert!(wrong.is_empty(), "{} of {} numbers: {few:#?}", wrong.len(), 3 * slots.len());
}

/// The times of a feed's points in (`after`, `until`].
pub fn times(server: &StandIn, name: &str, after: u32, until: u32) -> Vec<u32> {
    let Some(feed) = server.account.feed_of(NODE, name) else { return Vec::new() };
    let times = feed.points().map(|(time, _)| u32::try_from(time).unwrap());
    times.filter(|time| (after + 1..=until).contains(time)).collect()
}

/// What was stored more than once was the same each time; how many rows were.
#[track_caller]
pub fn assert_repeats_are_equal(server: &StandIn) -> usize {
    let mut rows: BTreeMap<i64, &[(String, f64)]> = BTreeMap::new();
    let mut repeated = 0;
    for row in &server.account.stored {
        if let Some(before) = rows.insert(row.time, &row.values) {
            assert_eq!(before, row.values, "{} was stored twice, differently", row.time);
            repeated += 1;
        }
    }
    repeated
}

/// The newest row is the last received: "last value" of an input is that.
#[track_caller]
pub fn assert_ends_with_the_newest(server: &StandIn) {
    let newest = server.account.stored.iter().map(|row| row.time).max();
    assert_eq!(server.account.stored.last().map(|row| row.time), newest);
}

/// Until the server has everything, at most so long.
pub async fn until_up_to_date(running: &Running<'_>, most_s: f64) {
    let until = running.world.now().as_secs_f64() + most_s;
    loop {
        running.world.sleep_s(5.0).await;
        let status = running.state.uplink.status.borrow().clone();
        if status.state == uplink::State::UpToDate && status.queued == 0 {
            return;
        }
        assert!(running.world.now().as_secs_f64() < until, "{status:?} {:?}", running.log());
    }
}

/// The newest slot that is over.
pub fn last_slot(world: &World) -> u32 {
    (world.unix() as u32 - 12) / 10 * 10
}
