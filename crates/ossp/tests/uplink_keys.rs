//! Keys that are revoked, servers that are changed, and two plugs that send to one node.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod world;

use embassy_futures::join::join;
use plug::uplink::{self, status::Conflict};
use world::{
    Load, NODE, Network, Plug, PlugOptions, WRITE_KEY, World, assert_repeats_are_equal, assert_slots,
    emoncms, last_slot, settings, times, until_up_to_date,
};

const HOUR: f64 = 3600.0;
const NEW_KEY: &str = "00112233445566778899aabbccddeeff";

fn set_key(network: &Network, key: &str) {
    network.server(|server| key.clone_into(&mut server.account.write_key));
}

/// The key is revoked for some hours and then as it was.
fn revoked_and_back(transport: &str, said: &str) {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings(transport));
    let last = world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        set_key(&network, NEW_KEY);
        world.sleep_s(60.0).await;
        let requests = network.server(|server| server.requests);
        world.sleep_s(3.0 * HOUR).await;
        let status = running.state.uplink.status.borrow().clone();
        assert_eq!(status.state, uplink::State::Stopped, "{status:?}");
        assert!(
            status.last_error.as_ref().is_some_and(|error| error.server_said.contains(said)),
            "{status:?}"
        );
        assert!(status.queued > 1000 && status.set_aside == 0, "{status:?}");
        let more = network.server(|server| server.requests) - requests;
        assert!((1..=3 * 12).contains(&more), "it is tried again now and then: {more}");
        set_key(&network, WRITE_KEY);
        until_up_to_date(running, 3600.0).await;
        last_slot(&world)
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        assert_slots(server, &plug.truth.slots(first, last, 10));
        assert_repeats_are_equal(server);
    });
}

#[test]
fn a_key_that_was_revoked_for_a_while() {
    revoked_and_back("plain", "Invalid API key");
    revoked_and_back("encrypted", "invalid data");
}

/// The key is revoked, and the plug is told the new one.
fn renewed(begin: &str) -> (World, Network, Plug, u32, u32) {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings("plain"));
    let (changed, last) = world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        set_key(&network, NEW_KEY);
        world.sleep_s(2.0 * HOUR).await;
        running.change(&format!(r#"{{"emoncms":{{"write_key":"{NEW_KEY}","begin":"{begin}"}}}}"#)).await;
        let changed = world.unix() as u32;
        until_up_to_date(running, 60.0).await;
        world.sleep_s(600.0).await;
        until_up_to_date(running, 60.0).await;
        (changed, last_slot(&world))
    }));
    (world, network, plug, changed, last)
}

#[test]
fn a_new_key_from_the_oldest() {
    let (_, network, plug, _, last) = renewed("oldest");
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        assert_slots(server, &plug.truth.slots(first, last, 10));
        assert_repeats_are_equal(server);
    });
}

#[test]
fn a_new_key_from_now_on() {
    let (_, network, plug, changed, last) = renewed("now");
    network.server(|server| {
        let from = changed.next_multiple_of(10) + 10;
        assert_slots(server, &plug.truth.slots(from, last, 10));
        // What was measured in between was not asked for; a row or two of it may be.
        let between = times(server, "power", changed - 7000, changed);
        assert!(between.len() <= 3, "{between:?}");
    });
}

#[test]
fn two_plugs_on_one_node_are_named_and_go_on() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let make = |id, seed| {
        let options = PlugOptions { id, load: Load { seed }, every_s: 1, settings: settings("plain") };
        Plug::new(&world, &network, options)
    };
    let (one, other) = (make("0123456789AB0001", 1), make("0123456789AB0002", 2));
    world.run(async {
        let first = async {
            one.run(async |_| world.until_s(HOUR).await).await;
            one.run(async |running| {
                world.sleep_s(600.0).await;
                let status = running.state.uplink.status.borrow().clone();
                assert!(
                    matches!(status.conflict, Some(Conflict::OtherValue { .. } | Conflict::Newer { .. })),
                    "{status:?}"
                );
                let sent = status.sent_rows;
                world.sleep_s(600.0).await;
                let status = running.state.uplink.status.borrow().clone();
                assert!(status.sent_rows >= sent + 55, "it goes on: {status:?}");
                assert_eq!(status.set_aside, 0);
            })
            .await;
        };
        let second = other.run(async |running| {
            world.until_s(HOUR + 1200.0).await;
            let status = running.state.uplink.status.borrow().clone();
            assert!(status.sent_rows > 400, "{status:?}");
        });
        join(first, second).await;
    });
    network.server(|server| {
        // Each slot has the number of one of the two.
        let feed = server.account.feed_of(NODE, "power").unwrap();
        let from = world::EPOCH + 120;
        let (ones, others) =
            (one.truth.slots(from, from + 3000, 10), other.truth.slots(from, from + 3000, 10));
        for (end, slot) in ones {
            let found = f64::from(feed.at(i64::from(end)).unwrap());
            let near = |slot: &world::Slot| (found - slot.power()).abs() < 0.01;
            assert!(near(&slot) || near(&others[&end]), "{end}: {found}");
        }
    });
}
