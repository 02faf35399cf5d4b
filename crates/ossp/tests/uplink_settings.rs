//! What the settings ask for: how far apart rows are, how often they are sent, where to begin, whose time it is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod world;

use world::{
    EPOCH, Network, Plug, World, assert_ends_with_the_newest, assert_merged_slots, assert_repeats_are_equal,
    assert_slots, emoncms, last_slot, settings, times, until_up_to_date,
};

const HOUR: f64 = 3600.0;

/// The settings of a test, with more of them.
fn with(transport: &str, more: &str) -> String {
    settings(transport).replacen("\"emoncms\":{", &format!("\"emoncms\":{{{more},"), 1)
}

#[test]
fn rows_a_minute_apart_are_sent_every_five_minutes() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &with("encrypted", r#""interval_s":60,"send_every_s":300"#));
    let last = world.run(plug.run(async |running| {
        world.until_s(3.0 * HOUR).await;
        let requests = network.server(|server| server.requests);
        assert!((35..=40).contains(&requests), "{requests} posts in three hours");
        plug.link.set_online(false);
        world.until_s(6.0 * HOUR).await;
        plug.link.set_online(true);
        until_up_to_date(running, 900.0).await;
        (last_slot(&world) - 300) / 60 * 60
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        assert!(first <= EPOCH + 120, "{first}");
        let slots = plug.truth.slots(first / 60 * 60, last, 60);
        assert!(slots.len() > 350, "{}", slots.len());
        assert_merged_slots(server, &slots);
        assert_eq!(times(server, "power", first / 60 * 60, last).len(), slots.len());
        assert_repeats_are_equal(server);
        assert_ends_with_the_newest(server);
    });
}

#[test]
fn a_log_of_seconds_is_sent_in_rows_of_ten() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let patch = settings("encrypted").replacen('{', r#"{"history":{"interval_s":1},"#, 1);
    let plug = Plug::usual(&world, &network, 1, &patch);
    let last = world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        until_up_to_date(running, 60.0).await;
        last_slot(&world)
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        assert_slots(server, &plug.truth.slots(first, last, 10));
    });
}

/// A plug that measures for two hours before Emoncms is set up.
fn set_up_later(begin: &str) -> (Network, Plug, u32, u32) {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, r#"{"time":{"source":"ntp"}}"#);
    let (set_up, last) = world.run(plug.run(async |running| {
        world.until_s(2.0 * HOUR).await;
        assert_eq!(network.connections(), 0, "nothing leaves before somebody wants it");
        running.change(&with("plain", &format!(r#""begin":"{begin}""#))).await;
        let set_up = world.unix() as u32;
        world.sleep_s(300.0).await;
        until_up_to_date(running, 60.0).await;
        (set_up, last_slot(&world))
    }));
    (network, plug, set_up, last)
}

#[test]
fn whoever_sets_it_up_later_says_where_it_begins() {
    let (network, plug, _, last) = set_up_later("oldest");
    network.server(|server| {
        let slots = plug.truth.slots(EPOCH + 10, last, 10);
        assert!(slots.len() > 720);
        assert_slots(server, &slots);
    });
    let (network, plug, set_up, last) = set_up_later("now");
    network.server(|server| {
        assert!(times(server, "power", 0, u32::MAX)[0] + 20 >= set_up);
        assert_slots(server, &plug.truth.slots(set_up.next_multiple_of(10) + 10, last, 10));
    });
}

#[test]
fn the_servers_own_time_is_good_enough_for_slots() {
    for transport in ["plain", "encrypted"] {
        let world = World::new();
        let network = Network::new(&world, emoncms());
        network.set_time_server_up(false);
        let patch = settings(transport).replacen("\"ntp\"", "\"server\"", 1);
        let plug = Plug::usual(&world, &network, 1, &patch);
        let last = world.run(plug.run(async |running| {
            world.until_s(2.0 * HOUR).await;
            let off = running.wall_clock_time().unwrap() - world.unix();
            assert!(off.abs() < 1.1, "{off}");
            until_up_to_date(running, 60.0).await;
            last_slot(&world)
        }));
        assert_eq!(network.datagrams(), 0, "nobody else is asked");
        network.server(|server| {
            let found = times(server, "power", 0, last);
            assert!(found[0] <= EPOCH + 60, "{transport}: {}", found[0]);
            // A whole number of seconds off, each slot is there all the same.
            let uneven: Vec<_> = found.windows(2).filter(|pair| pair[1] - pair[0] != 10).collect();
            assert!(uneven.is_empty(), "{transport}: {uneven:?}");
            assert_repeats_are_equal(server);
        });
    }
}

#[test]
fn a_power_cut_while_it_catches_up() {
    for transport in ["plain", "encrypted"] {
        let world = World::new();
        let network = Network::new(&world, emoncms());
        let plug = Plug::usual(&world, &network, 1, &settings(transport));
        world.run(plug.run(async |_| {
            world.until_s(300.0).await;
            plug.link.set_online(false);
            world.until_s(10.0 * HOUR).await;
            plug.link.set_online(true);
            // In the middle of it.
            let begun = network.server(|server| server.account.stored.len());
            while network.server(|server| server.account.stored.len()) < begun + 1000 {
                world.sleep_s(0.1).await;
            }
            world.sleep_s(0.3).await;
        }));
        let cut = world.unix() as u32;
        let before = network.server(|server| server.account.stored.len());
        assert!(before < 3000, "it was not through: {before}");
        let last = world.run(plug.run(async |running| {
            until_up_to_date(running, 900.0).await;
            world.sleep_s(60.0).await;
            until_up_to_date(running, 60.0).await;
            last_slot(&world)
        }));
        network.server(|server| {
            let first = times(server, "power", 0, u32::MAX)[0];
            let mut slots = plug.truth.slots(first, last, 10);
            slots.retain(|end, _| !(cut..=cut + 20).contains(end));
            assert!(slots.len() > 3550);
            assert_slots(server, &slots);
            let repeated = assert_repeats_are_equal(server);
            // The cursor is kept every 10 s at the most, in which all of this goes out.
            assert!(repeated <= 3000, "not more than was sent before: {repeated}");
            assert!(transport == "encrypted" || repeated == 0, "it asked: {repeated}");
            assert_ends_with_the_newest(server);
        });
    }
}
