//! Networks that come and go, restarts while nobody can be reached, a clock that comes late: nothing is missing afterwards.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod world;

use plug::uplink;
use world::{
    EPOCH, Network, Plug, World, assert_ends_with_the_newest, assert_repeats_are_equal, assert_slots,
    emoncms, last_slot, settings, times, until_up_to_date,
};

const HOUR: f64 = 3600.0;

fn flapping(transport: &str) {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings(transport));
    let last = world.run(plug.run(async |running| {
        world.until_s(300.0).await;
        network.loses_one_in(20);
        let mut state = 12_345_u32;
        let mut draw = |least: u32, most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(least + (state >> 8) % (most - least)) / 10.0
        };
        while world.now().as_secs_f64() < 12.0 * HOUR {
            plug.link.set_online(false);
            world.sleep_s(draw(5, 3000)).await;
            plug.link.set_online(true);
            world.sleep_s(draw(5, 900)).await;
        }
        network.loses_one_in(0);
        plug.link.set_online(true);
        until_up_to_date(running, 1800.0).await;
        last_slot(&world)
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        let slots = plug.truth.slots(first, last, 10);
        assert_slots(server, &slots);
        assert_eq!(times(server, "power", first, last).len(), slots.len());
        let repeated = assert_repeats_are_equal(server);
        assert_ends_with_the_newest(server);
        eprintln!(
            "{transport}: {repeated} of {} rows came again, {} requests",
            server.account.stored.len(),
            server.requests
        );
    });
    assert_eq!(network.open_connections().0, 1);
    // Growing pauses: a connection every half minute is the most that this network lets through.
    assert!(network.connections() < 12 * 120, "{}", network.connections());
}

#[test]
fn a_network_that_comes_and_goes_loses_nothing() {
    flapping("encrypted");
}

#[test]
fn a_network_that_comes_and_goes_loses_nothing_of_the_plain_transport_either() {
    flapping("plain");
}

/// Slots in which the plug had no power, or which were open when it went: nothing of them is kept.
fn without(slots: &mut std::collections::BTreeMap<u32, world::Slot>, cut: u32, back: u32) {
    slots.retain(|end, _| *end <= cut || *end > back.next_multiple_of(10));
}

fn server_down_over_a_restart(transport: &str, planned: bool) {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings(transport));
    world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        network.set_server_up(false);
        world.until_s(3.0 * HOUR + 3.0).await;
        if planned {
            running.restart().await;
        }
    }));
    let cut = world.unix() as u32;
    world.run(world.sleep_s(if planned { 0.3 } else { 47.0 }));
    let back = world.unix() as u32;
    let last = world.run(plug.run(async |running| {
        world.sleep_s(2.0 * HOUR).await;
        let status = running.state.uplink.status.borrow().clone();
        assert!(status.last_error.is_some() && status.queued > 1400, "{status:?}");
        network.set_server_up(true);
        until_up_to_date(running, 1800.0).await;
        last_slot(&world)
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        let mut slots = plug.truth.slots(first, last, 10);
        without(&mut slots, cut / 10 * 10, back);
        assert!(slots.len() > 1700);
        assert_slots(server, &slots);
        assert_repeats_are_equal(server);
        assert_ends_with_the_newest(server);
    });
}

#[test]
fn the_server_is_down_while_the_plug_loses_its_power() {
    server_down_over_a_restart("encrypted", false);
    server_down_over_a_restart("plain", false);
}

#[test]
fn the_server_is_down_while_the_plug_restarts() {
    server_down_over_a_restart("encrypted", true);
    server_down_over_a_restart("plain", true);
}

#[test]
fn a_clock_that_comes_late_places_what_was_measured_before() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings("encrypted"));
    world.run(plug.run(async |_| world.until_s(HOUR).await));
    network.set_time_server_up(false);
    // Not on the grid of the clock.
    world.run(world.until_s(HOUR + 63.7));
    let started = world.unix();
    let (known, last) = world.run(plug.run(async |running| {
        world.sleep_s(5.0 * HOUR).await;
        let status = running.state.uplink.status.borrow().clone();
        assert_eq!((status.state, status.sent_rows), (uplink::State::WaitingForClock, 0));
        let newest = network.server(|server| server.account.stored.last().unwrap().time);
        assert!(newest < started as i64, "nothing before the clock is trusted");
        network.set_time_server_up(true);
        while running.wall_clock_time().is_none() {
            world.sleep_s(1.0).await;
        }
        let known = world.unix();
        until_up_to_date(running, 1800.0).await;
        world.sleep_s(300.0).await;
        until_up_to_date(running, 60.0).await;
        (known, last_slot(&world))
    }));
    network.server(|server| {
        // Since then the windows lie on the clock's grid.
        let grid = (known as u32).next_multiple_of(10) + 10;
        assert_slots(server, &plug.truth.slots(grid, last, 10));
        // Before, on that of the uptime: each row is in the slot in which its window ended.
        let feed = server.account.feed_of(world::NODE, "power").unwrap();
        let mut windows = 0;
        for number in 1.. {
            let end = started + 10.0 * f64::from(number);
            if end + 10.0 > known {
                break;
            }
            let expected = plug.truth.window(end - 10.0, end).power();
            let found = feed.at(end as i64).map(f64::from);
            assert!(
                found.is_some_and(|found| (found - expected).abs() < 0.01),
                "{end}: {found:?}, {expected}"
            );
            windows += 1;
        }
        assert!(windows > 1790, "{windows}");
        assert_ends_with_the_newest(server);
    });
    assert!(times_before(&network, EPOCH).is_empty());
}

fn times_before(network: &Network, time: u32) -> Vec<i64> {
    let early = |server: &mut ossp::stand_in::StandIn| {
        server.account.stored.iter().map(|row| row.time).filter(|at| *at < i64::from(time)).collect()
    };
    network.server(early)
}
