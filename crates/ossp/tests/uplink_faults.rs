//! Each fault of the server once: what the plug says of it, and that nothing is missing when it is over.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod world;

use ossp::stand_in::answer::Framing;
use ossp::stand_in::fault::{Fault, Planned};
use plug::uplink::{State, UplinkStatus};
use world::{
    Network, Plug, World, assert_ends_with_the_newest, assert_repeats_are_equal, assert_slots, emoncms,
    last_slot, settings, times, until_up_to_date,
};

/// A fault for half an hour, beginning while the plug is up to date; how the uplink stood at its end.
fn half_an_hour_of(fault: Fault, transport: &str) -> UplinkStatus {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings(transport));
    let (status, last, requests) = world.run(plug.run(async |running| {
        world.until_s(600.0).await;
        let before = network.server(|server| server.requests);
        network.server(|server| server.faults = vec![Planned::always(fault)]);
        world.sleep_s(1800.0).await;
        let requests = network.server(|server| server.requests) - before;
        // Not in the middle of an attempt.
        for _ in 0..120 {
            if running.state.uplink.status.borrow().state != State::CatchingUp {
                break;
            }
            world.sleep_s(1.0).await;
        }
        let status = running.state.uplink.status.borrow().clone();
        network.server(|server| server.faults.clear());
        until_up_to_date(running, 1800.0).await;
        let after = running.state.uplink.status.borrow().clone();
        assert_eq!(after.set_aside, 0, "{fault}");
        // What went wrong is still told, and that it is over.
        assert!(after.last_error.is_none_or(|error| error.time <= after.last_success), "{fault}");
        (status, last_slot(&world), requests)
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        let slots = plug.truth.slots(first, last, 10);
        assert_slots(server, &slots);
        assert_eq!(times(server, "power", first, last).len(), slots.len());
        let repeated = assert_repeats_are_equal(server);
        assert_ends_with_the_newest(server);
        eprintln!(
            "{fault} {transport}: {requests} requests, {repeated} rows came again; {:?}",
            status.last_error
        );
    });
    // Up to date there would be 180; what fails is not tried more often than what works. Where half of a post is
    // stored, a question follows each; where every row is refused, they go one by one to find the end of the bad ones.
    let most = if matches!(fault, Fault::HalfBulk | Fault::RefuseAll) { 400 } else { 200 };
    assert!((2..=most).contains(&requests), "{fault} {transport}: {requests} requests in half an hour");
    assert_eq!(network.open_connections(), (1, 0), "{fault}: one connection at a time, none left open");
    status
}

fn stops(fault: Fault, transport: &str, said: &str) {
    let status = half_an_hour_of(fault, transport);
    assert_eq!(status.state, State::Stopped, "{fault} {transport}: {status:?}");
    let error = status.last_error.unwrap();
    assert!(error.server_said.contains(said), "{fault} {transport}: {error:?}");
    assert!(status.queued >= 150, "{fault} {transport}: {}", status.queued);
}

fn backs_off(fault: Fault, transport: &str) {
    let status = half_an_hour_of(fault, transport);
    assert_eq!(status.state, State::BackingOff, "{fault} {transport}: {status:?}");
    assert!(status.last_error.is_some() && status.queued >= 100, "{fault} {transport}: {status:?}");
}

fn both(check: impl Fn(&str)) {
    check("plain");
    check("encrypted");
}

#[test]
fn a_wrong_key_stops_it() {
    both(|transport| stops(Fault::WrongKey, transport, "Invalid API key"));
}

#[test]
fn a_server_that_refuses_every_row_stops_it_and_sets_nothing_aside() {
    both(|transport| {
        let status = half_an_hour_of(Fault::RefuseAll, transport);
        // Between two rows that are refused it rests as well.
        assert!(matches!(status.state, State::Stopped | State::BackingOff), "{status:?}");
        let error = status.last_error.unwrap();
        assert!(error.server_said.contains("this row is refused") && status.set_aside == 0, "{error:?}");
        assert!(status.queued >= 150, "{}", status.queued);
    });
}

#[test]
fn a_server_that_breaks_down_over_large_requests_gets_smaller_ones() {
    both(|transport| {
        let world = World::new();
        let network = Network::new(&world, emoncms());
        let plug = Plug::usual(&world, &network, 1, &settings(transport));
        let last = world.run(plug.run(async |running| {
            world.until_s(600.0).await;
            plug.link.set_online(false);
            world.until_s(8000.0).await;
            network.server(|server| server.faults = vec![Planned::always(Fault::FatalAbove(100))]);
            plug.link.set_online(true);
            until_up_to_date(running, 1800.0).await;
            assert_eq!(running.state.uplink.status.borrow().set_aside, 0);
            last_slot(&world)
        }));
        network.server(|server| {
            let first = times(server, "power", 0, u32::MAX)[0];
            assert_slots(server, &plug.truth.slots(first, last, 10));
            assert_repeats_are_equal(server);
        });
    });
}

#[test]
fn a_read_key_stops_it() {
    both(|transport| stops(Fault::ReadKey, transport, ""));
}

#[test]
fn no_room_for_the_node_stops_it_and_sets_nothing_aside() {
    both(|transport| stops(Fault::NodeLimit, transport, "limit is 32"));
}

#[test]
fn a_path_that_is_not_there_stops_it() {
    both(|transport| {
        let status = half_an_hour_of(Fault::NotFound, transport);
        assert!(matches!(status.state, State::Stopped | State::BackingOff), "{status:?}");
    });
}

#[test]
fn php_that_gives_up_is_tried_again() {
    both(|transport| backs_off(Fault::Fatal, transport));
    both(|transport| backs_off(Fault::ServerError, transport));
}

#[test]
fn half_of_a_batch_is_stored() {
    backs_off(Fault::HalfBulk, "encrypted");
    // Over the plain transport the plug asks where the server stands, and goes on from there.
    let status = half_an_hour_of(Fault::HalfBulk, "plain");
    assert!(status.last_error.is_some() && status.queued < 20, "{status:?}");
}

#[test]
fn a_server_that_never_answers_costs_only_time() {
    both(|transport| backs_off(Fault::Freeze, transport));
}

#[test]
fn a_server_that_stores_and_never_answers() {
    both(|transport| {
        half_an_hour_of(Fault::StoreThenFreeze, transport);
    });
}

#[test]
fn connections_that_are_reset() {
    both(|transport| backs_off(Fault::Reset(100), transport));
    both(|transport| {
        half_an_hour_of(Fault::ResetAnswer(20), transport);
    });
}

#[test]
fn a_server_that_is_slow() {
    // It answers within the time that it is given: everything arrives, later.
    both(|transport| {
        let status = half_an_hour_of(Fault::Slow(10), transport);
        assert!(status.queued < 20, "{status:?}");
    });
    // It takes longer than anybody waits.
    both(|transport| {
        half_an_hour_of(Fault::Slow(3000), transport);
    });
}

#[test]
fn somebody_else_answers() {
    both(|transport| {
        for fault in [Fault::Redirect, Fault::Html] {
            let status = half_an_hour_of(fault, transport);
            assert!(matches!(status.state, State::Stopped | State::BackingOff), "{fault}: {status:?}");
            assert!(status.last_error.is_some(), "{fault}: {status:?}");
        }
    });
}

#[test]
fn another_hash_is_no_success() {
    let status = half_an_hour_of(Fault::WrongHash, "encrypted");
    assert!(status.last_error.is_some() && status.state != State::UpToDate, "{status:?}");
}

#[test]
fn a_row_at_fault_is_set_aside_and_blocks_nothing() {
    both(|transport| {
        let world = World::new();
        let network = Network::new(&world, emoncms());
        let plug = Plug::usual(&world, &network, 1, &settings(transport));
        let bad = world::EPOCH + 3600;
        let last = world.run(plug.run(async |running| {
            network.server(|server| server.faults = vec![Planned::always(Fault::RefuseTime(bad.into()))]);
            world.until_s(3000.0).await;
            // It is in the middle of a large batch.
            plug.link.set_online(false);
            world.until_s(4200.0).await;
            plug.link.set_online(true);
            until_up_to_date(running, 1800.0).await;
            let status = running.state.uplink.status.borrow().clone();
            assert_eq!((status.set_aside, status.last_set_aside), (1, Some(bad)), "{status:?}");
            last_slot(&world)
        }));
        network.server(|server| {
            let first = times(server, "power", 0, u32::MAX)[0];
            let mut slots = plug.truth.slots(first, last, 10);
            assert!(slots.remove(&bad).is_some());
            assert_slots(server, &slots);
            assert!(!times(server, "power", first, last).contains(&bad));
            assert_repeats_are_equal(server);
        });
    });
}

#[test]
fn answers_may_end_in_any_way() {
    for framing in [Framing::Chunked, Framing::Close] {
        both(|transport| {
            let world = World::new();
            let mut server = emoncms();
            server.framing = framing;
            let network = Network::new(&world, server);
            let plug = Plug::usual(&world, &network, 1, &settings(transport));
            let last = world.run(plug.run(async |running| {
                world.until_s(600.0).await;
                until_up_to_date(running, 30.0).await;
                assert_eq!(running.state.uplink.status.borrow().last_error, None);
                last_slot(&world)
            }));
            network.server(|server| {
                let first = times(server, "power", 0, u32::MAX)[0];
                assert_slots(server, &plug.truth.slots(first, last, 10));
            });
        });
    }
}
