//! Where the uplink goes on after a restart, and what it makes of a server that says something else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod uplink_support;

use uplink_support::{Inside, T, World, has_all, settings};

#[test]
fn the_cursor_and_the_server_say_after_a_restart_where_to_go_on() {
    for transport in ["plain", "encrypted"] {
        let world = World::new(&settings(transport));
        for _ in 0..5 {
            // The cursor in the flash is up to a minute old when the power goes.
            world.start(async |inside| inside.seconds(95.0).await);
        }
        let most = has_all(&world, T + 10);
        assert_eq!(most, if transport == "plain" { 1 } else { 2 });
        // A planned restart keeps it: nothing is sent twice.
        let world = World::new(&settings(transport));
        for _ in 0..5 {
            world.start(async |inside| {
                inside.seconds(95.0).await;
                inside.state.uplink.part().await;
            });
        }
        assert_eq!(has_all(&world, T + 10), 1);
    }
}

/// Restores a backup of the server, puts other rows there, and so on, over a restart.
fn over_a_restart(meanwhile: impl Fn(&World), then: impl Fn(&Inside<'_>)) -> World {
    let world = World::new(&settings("plain"));
    world.start(async |inside| {
        inside.seconds(3005.0).await;
        inside.state.uplink.part().await;
    });
    meanwhile(&world);
    world.start(async |inside| {
        inside.seconds(100.0).await;
        then(inside);
    });
    world
}

fn conflict(inside: &Inside<'_>) -> Option<&'static str> {
    inside.state.uplink.status.borrow().conflict.map(|conflict| conflict.code())
}

#[test]
fn a_restored_backup_is_filled_up_again_and_told() {
    let world = over_a_restart(
        |world| {
            world.emoncms.rows.borrow_mut().retain(|time, _| *time <= T + 1000);
            world.emoncms.last.set(Some(T + 1000));
        },
        |inside| assert_eq!(conflict(inside), Some("server_went_back")),
    );
    assert_eq!(has_all(&world, T + 10), 2);
    assert!(world.said.borrow().iter().any(|line| line.contains("lost rows")));
}

#[test]
fn a_row_that_was_sent_at_a_shorter_interval_is_known_again() {
    let world = over_a_restart(|_| {}, |_| {});
    let newest = *world.emoncms.rows.borrow().keys().last().unwrap();
    assert!(!newest.is_multiple_of(60), "{newest}");
    world.start(async |inside| {
        inside.change("{\"emoncms\":{\"interval_s\":60}}");
        inside.seconds(200.0).await;
        assert_eq!(conflict(inside), None);
    });
    // It was asked: the cursor in the flash was an older one.
    let asked =
        |request: &&uplink_support::emoncms::Request| request.head.starts_with("GET /emoncms/input/get/");
    assert!(world.emoncms.requests.borrow().iter().filter(asked).count() >= 2);
}

#[test]
fn two_plugs_on_one_node_are_found_out() {
    let world = over_a_restart(
        |world| {
            let other = world.emoncms.rows.borrow()[&(T + 500)].clone();
            world.emoncms.rows.borrow_mut().insert(T + 3000, other);
            world.emoncms.last.set(Some(T + 3000));
        },
        |inside| {
            assert_eq!(conflict(inside), Some("other_value_on_server"));
            assert_eq!(inside.stands().0, "up_to_date");
        },
    );
    assert_eq!(world.emoncms.stored.borrow()[&(T + 3010)], 1);
    let world = over_a_restart(
        |world| {
            let other = world.emoncms.rows.borrow()[&(T + 500)].clone();
            world.emoncms.rows.borrow_mut().insert(T + 9_000_000, other);
            world.emoncms.last.set(Some(T + 9_000_000));
        },
        |inside| {
            assert_eq!(conflict(inside), Some("newer_on_server"));
            assert_eq!(inside.stands().0, "up_to_date");
        },
    );
    assert_eq!(world.emoncms.stored.borrow()[&(T + 3010)], 1);
}

#[test]
fn a_server_that_knows_nothing_gets_what_comes_after_the_cursor() {
    let world = over_a_restart(
        |world| {
            world.emoncms.rows.borrow_mut().clear();
            world.emoncms.last.set(None);
        },
        |inside| assert_eq!(conflict(inside), None),
    );
    assert_eq!(world.emoncms.rows.borrow().keys().next(), Some(&(T + 3010)));
}
