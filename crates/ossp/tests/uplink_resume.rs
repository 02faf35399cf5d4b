//! Where the plug goes on when it does not know what the server has: it asks, where the transport lets it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod world;

use ossp::stand_in::fault::{Fault, Planned};
use plug::uplink::status::Conflict;
use world::{
    EPOCH, Network, Plug, World, assert_repeats_are_equal, assert_slots, emoncms, last_slot, settings, times,
    until_up_to_date,
};

const HOUR: f64 = 3600.0;

#[test]
fn what_was_stored_and_never_answered_does_not_come_again() {
    for fault in [Fault::StoreThenFreeze, Fault::ResetAnswer(10)] {
        let world = World::new();
        let network = Network::new(&world, emoncms());
        let plug = Plug::usual(&world, &network, 1, &settings("plain"));
        let last = world.run(plug.run(async |running| {
            world.until_s(600.0).await;
            // Offline first: the batch that is stored without an answer is a large one.
            plug.link.set_online(false);
            world.sleep_s(1800.0).await;
            network.server(|server| server.faults = vec![Planned::times(fault, 1)]);
            plug.link.set_online(true);
            until_up_to_date(running, 900.0).await;
            last_slot(&world)
        }));
        network.server(|server| {
            let first = times(server, "power", 0, u32::MAX)[0];
            assert_slots(server, &plug.truth.slots(first, last, 10));
            assert_eq!(assert_repeats_are_equal(server), 0, "{fault}: no row came twice");
            let rows = server.account.stored.windows(2).filter(|pair| pair[0].time >= pair[1].time).count();
            assert_eq!(rows, 0, "{fault}: oldest first, all the time");
        });
    }
}

#[test]
fn a_restored_backup_is_filled_up_again() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings("plain"));
    let mut backup = None;
    world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        until_up_to_date(running, 60.0).await;
        backup = Some(network.server(|server| server.account.clone()));
        world.until_s(4.0 * HOUR).await;
        until_up_to_date(running, 60.0).await;
    }));
    network.server(|server| server.account = backup.take().unwrap());
    // It asks when it starts.
    let (last, conflict) = world.run(plug.run(async |running| {
        world.sleep_s(30.0).await;
        let conflict = running.state.uplink.status.borrow().conflict;
        until_up_to_date(running, 900.0).await;
        world.sleep_s(60.0).await;
        until_up_to_date(running, 60.0).await;
        (last_slot(&world), conflict)
    }));
    assert!(matches!(conflict, Some(Conflict::WentBack { .. })), "it says so: {conflict:?}");
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        let mut slots = plug.truth.slots(first, last, 10);
        let cut = EPOCH + (4.0 * HOUR) as u32;
        slots.retain(|end, _| !(cut..=cut + 60).contains(end));
        assert!(slots.len() > 1400);
        assert_slots(server, &slots);
    });
}

#[test]
fn a_node_that_is_gone_is_begun_again_at_the_cursor() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings("plain"));
    world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        until_up_to_date(running, 60.0).await;
        network.set_server_up(false);
        world.until_s(2.0 * HOUR + 5.0).await;
        running.restart().await;
    }));
    network.server(|server| {
        server.account.inputs.clear();
        server.account.feeds.clear();
    });
    network.set_server_up(true);
    let last = world.run(plug.run(async |running| {
        until_up_to_date(running, 900.0).await;
        assert_eq!(running.state.uplink.status.borrow().conflict, None);
        last_slot(&world)
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        // The cursor is written once a minute at the most.
        let cursor = EPOCH + HOUR as u32;
        assert!((cursor - 80..=cursor + 10).contains(&first), "{first} {cursor}");
        let mut slots = plug.truth.slots(first, last, 10);
        let restart = EPOCH + (2.0 * HOUR) as u32;
        slots.retain(|end, _| !(restart..=restart + 20).contains(end));
        assert_slots(server, &slots);
    });
}

#[test]
fn a_clock_that_was_wrong_for_a_while_blocks_nothing() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings("plain"));
    // The time server is 50 minutes ahead while the plug starts, and right from then on.
    network.set_time_error_s(3000.0);
    let last = world.run(plug.run(async |running| {
        world.until_s(600.0).await;
        network.set_time_error_s(0.0);
        world.until_s(6.0 * HOUR).await;
        let off = running.wall_clock_time().unwrap() - world.unix();
        assert!(off.abs() < 0.5, "{off}");
        until_up_to_date(running, 600.0).await;
        last_slot(&world)
    }));
    network.server(|server| {
        // What came after the last of the wrong times is right.
        let from = EPOCH + 600 + 3000 + 4000;
        assert_slots(server, &plug.truth.slots(from, last, 10));
    });
}

/// The first to be asked after a restart is wrong by months. What the log holds is neither hidden nor sent anew, and the
/// days stay.
#[test]
fn one_wrong_answer_after_a_restart_costs_nothing() {
    for error_s in [-200.0 * 86_400.0, 500.0 * 86_400.0] {
        let world = World::new();
        let network = Network::new(&world, emoncms());
        let plug = Plug::usual(&world, &network, 1, &settings("plain"));
        let cut = world.run(plug.run(async |running| {
            world.until_s(HOUR).await;
            until_up_to_date(running, 60.0).await;
            // What the server does not have yet must get there.
            network.set_server_up(false);
            world.until_s(1.5 * HOUR).await;
            last_slot(&world)
        }));
        network.set_time_error_s(error_s);
        network.set_server_up(true);
        let (known, last) = world.run(plug.run(async |running| {
            world.sleep_s(30.0).await;
            assert_eq!(running.wall_clock_time(), None, "nobody believes it");
            network.set_time_error_s(0.0);
            while running.wall_clock_time().is_none() {
                world.sleep_s(1.0).await;
            }
            let known = world.unix();
            let off = running.wall_clock_time().unwrap() - known;
            assert!(off.abs() < 0.5, "{off}");
            until_up_to_date(running, 900.0).await;
            world.sleep_s(600.0).await;
            until_up_to_date(running, 60.0).await;
            (known as u32, last_slot(&world))
        }));
        assert!(known < cut + 200, "the next answer is right, and is taken: {}", known - cut);
        network.server(|server| {
            let stored = times(server, "power", 0, u32::MAX);
            let (first, newest) = (stored[0], *stored.last().unwrap());
            assert!(first >= EPOCH && newest <= last + 20, "{error_s}: {first} {newest} {last}");
            let mut slots = plug.truth.slots(stored[0], last, 10);
            slots.retain(|end, _| !(cut..=known + 20).contains(end));
            assert_slots(server, &slots);
            assert_eq!(assert_repeats_are_equal(server), 0, "no row came twice");
        });
    }
}
