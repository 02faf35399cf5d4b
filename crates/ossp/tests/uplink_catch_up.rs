//! What a plug measured while the network was away is on the server afterwards, number by number.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod world;

use ossp::stand_in::StandIn;
use plug::limits;
use plug::uplink;
use world::{
    EPOCH, Load, Network, Plug, World, assert_ends_with_the_newest, assert_repeats_are_equal, assert_slots,
    emoncms, last_slot, settings, times, until_up_to_date,
};

const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

fn two_days_offline(transport: &str) {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 1, &settings(transport));
    let last = world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        assert_eq!(running.state.uplink.status.borrow().state, uplink::State::UpToDate);
        plug.link.set_online(false);
        world.until_s(HOUR + 2.0 * DAY).await;
        let status = running.state.uplink.status.borrow().clone();
        assert!((17_200..=17_400).contains(&status.queued), "{status:?}");
        plug.link.set_online(true);
        until_up_to_date(running, 1200.0).await;
        let status = running.state.uplink.status.borrow().clone();
        assert_eq!((status.set_aside, status.conflict), (0, None));
        last_slot(&world)
    }));
    network.server(|server| {
        let first = times(server, "power", 0, u32::MAX)[0];
        assert!(first <= EPOCH + 30, "{first}");
        let slots = plug.truth.slots(first, last, 10);
        assert_eq!(slots.len() as u32, (last - first) / 10);
        assert_slots(server, &slots);
        assert_eq!(times(server, "power", first, last).len(), slots.len(), "and nothing else");
        assert_repeats_are_equal(server);
        assert_ends_with_the_newest(server);
        assert_missing_values_are_left_out(server, &plug);
    });
}

/// A power factor is there where a second of the slot had one, and is not there otherwise: null would be stored as 0.
fn assert_missing_values_are_left_out(server: &StandIn, plug: &Plug) {
    let (mut with, mut without) = (0, 0);
    for row in &server.account.stored {
        let end = u32::try_from(row.time).unwrap();
        let has = (end - 9..=end).any(|second| Load::has_power_factor(plug.watts(second)));
        let value = row.values.iter().find(|(name, _)| name == "power_factor").map(|(_, value)| *value);
        assert_eq!(value, has.then_some(0.9), "{row:?}");
        *(if has { &mut with } else { &mut without }) += 1;
    }
    assert!(with > 1000 && without > 1000, "{with} {without}");
}

#[test]
fn two_days_offline_then_every_slot_is_there() {
    two_days_offline("encrypted");
}

#[test]
fn two_days_offline_over_the_plain_transport() {
    two_days_offline("plain");
}

#[test]
fn a_week_offline_leaves_three_days_of_slots_and_means_before() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 5, &settings("encrypted"));
    let last = world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        plug.link.set_online(false);
        world.until_s(HOUR + 7.0 * DAY).await;
        plug.link.set_online(true);
        until_up_to_date(running, 3600.0).await;
        let status = running.state.uplink.status.borrow().clone();
        assert_eq!((status.set_aside, status.conflict), (0, None));
        last_slot(&world)
    }));
    network.server(|server| {
        let offline = EPOCH + HOUR as u32;
        let three_days = EPOCH + (HOUR + 7.0 * DAY) as u32 - 3 * 86_400;
        // Where the short rows begin again: they are closer together from there on.
        let all = times(server, "power", offline + 300, last);
        let border = all.windows(2).find(|pair| pair[1] - pair[0] == 10).unwrap()[0];
        assert!(border <= three_days, "{} s of the last three days are missing", border - three_days);
        let fine = plug.truth.slots(border, last, 10);
        assert_eq!(fine.len() as u32, (last - border) / 10);
        let coarse_from = offline + 300;
        let coarse = plug.truth.slots(coarse_from, border / 300 * 300, 300);
        assert_eq!(coarse.len() as u32, (border / 300 * 300 - coarse_from) / 300);
        assert_slots(server, &fine);
        assert_slots(server, &coarse);
        assert!(all.len() <= fine.len() + coarse.len() + 30, "{} {} {}", all.len(), fine.len(), coarse.len());
        assert_repeats_are_equal(server);
        assert_ends_with_the_newest(server);
    });
}

#[test]
fn what_makes_room_after_a_restart_without_a_network_is_counted() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 5, &settings("encrypted"));
    world.run(plug.run(async |running| {
        world.until_s(HOUR).await;
        plug.link.set_online(false);
        world.until_s(HOUR + 60.0).await;
        running.restart().await;
    }));
    // The clock is known again from a time server on the way, and Emoncms cannot be reached.
    plug.link.set_online(true);
    network.set_server_up(false);
    let dropped = world.run(plug.run(async |running| {
        world.sleep_s(7.0 * DAY).await;
        running.state.uplink.status.borrow().dropped
    }));
    // Seven days without three: about 34,000 of 60,000 rows.
    assert!((25_000..=40_000).contains(&dropped.thinned) && dropped.lost == 0, "{dropped:?}");
}

#[test]
fn three_days_are_caught_up_as_fast_as_the_server_takes_them() {
    let world = World::new();
    let network = Network::new(&world, emoncms());
    let plug = Plug::usual(&world, &network, 5, &settings("encrypted"));
    let (rows, requests, bytes, simulated_s, took) = world.run(plug.run(async |running| {
        world.until_s(600.0).await;
        plug.link.set_online(false);
        world.until_s(600.0 + 3.0 * DAY).await;
        let count = |network: &Network| {
            network.server(|server| (server.account.stored.len(), server.requests, server.bytes))
        };
        let before = count(&network);
        plug.link.set_online(true);
        let (began, from) = (std::time::Instant::now(), world.now());
        until_up_to_date(running, 3600.0).await;
        let after = count(&network);
        (
            after.0 - before.0,
            after.1 - before.1,
            after.2 - before.2,
            (world.now() - from).as_secs_f64(),
            began.elapsed(),
        )
    }));
    eprintln!(
        "{rows} rows in {requests} requests, {bytes} bytes; {simulated_s:.1} s of simulated time, most of it the pause \
         before the plug tries again; {:.2} s on this PC, the server's part included: {:.0} rows a second; largest \
         write {} bytes",
        took.as_secs_f64(),
        rows as f64 / took.as_secs_f64(),
        network.largest_write()
    );
    assert!(rows >= 25_900, "{rows}");
    assert!(requests <= 27 + 10, "{requests} requests: a thousand rows each, and what is new");
    assert!(took.as_secs_f64() < 60.0, "generous, and still: {took:?}");
    assert!(network.largest_write() <= limits::UPLINK_OUTPUT, "{}", network.largest_write());
    assert_eq!(network.open_connections().0, 1, "one connection at a time");
}
