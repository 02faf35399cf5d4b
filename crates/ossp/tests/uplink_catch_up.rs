//! What a plug measured while the network was away is on the server afterwards, slot by slot.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod world;

use ossp::stand_in::StandIn;
use ossp::stand_in::account::Account;
use world::{Load, Network, Plug, PlugOptions, World, settings};

#[test]
fn the_world_turns() {
    let world = World::new();
    let mut stand_in =
        StandIn::new(Account::new(4, "fa8e3b689295332c560bbea31afb61d0", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"));
    stand_in.base = "/emoncms".to_owned();
    stand_in.account.feed_interval_s = Some(10);
    let network = Network::new(&world, stand_in);
    let plug = Plug::new(
        &world,
        &network,
        PlugOptions {
            id: "0123456789ABCDEF",
            load: Load { seed: 1 },
            every_s: 1,
            settings: settings("encrypted"),
        },
    );
    world.run(plug.run(async |running| {
        world.sleep_s(3600.0).await;
        println!("{:?}", running.log());
        println!("{:?}", running.state.uplink.status.borrow());
    }));
    println!("{} {}", network.connections(), network.datagrams());
    println!("{:?}", network.server(|server| server.account.stored.len()));
}
