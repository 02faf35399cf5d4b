//! The uplink as a whole against Emoncms in memory: what goes over the wire, what follows from each answer, and that no row
//! is lost, over faults and restarts, in simulated time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod uplink_support;

use std::collections::BTreeSet;

use plug::platform::Clock;
use plug::timekeeping::{Answer, Source, Verdict};
use plug::uplink::NoTest;
use uplink_support::emoncms::{Mood, decrypt};
use uplink_support::{Inside, KEY, T, World, has_all, settings, unix};

#[test]
fn rows_go_out_one_by_one_each_soon_after_its_slot() {
    for transport in ["plain", "encrypted"] {
        let world = World::new(&settings(transport));
        world.start(async |inside| {
            inside.seconds(605.0).await;
            assert_eq!(inside.stands(), ("up_to_date", None));
            let status = inside.state.uplink.status.borrow();
            assert_eq!((status.cursor, status.queued, status.sent_rows), (Some(T + 600), 0, 60));
            assert_eq!(status.last_success.map(|time| time as u32), Some(T + 600));
        });
        assert_eq!(has_all(&world, T + 10), 1);
        let requests = world.emoncms.requests.borrow();
        assert_eq!(requests.len(), 60);
        let mut bodies = BTreeSet::new();
        for (request, slot) in requests.iter().zip(1..) {
            let late = request.at - f64::from(T + 10 * slot);
            assert!((0.4..1.1).contains(&late), "{late} s");
            assert!(request.head.starts_with("POST /emoncms/input/bulk HTTP/1.1\r\nHost: emonpi\r\n"));
            assert_eq!(request.header("Connection"), Some("close"));
            assert!(!request.head.lines().next().unwrap().contains(KEY));
            assert!(!String::from_utf8_lossy(&request.body).contains(KEY));
            assert_eq!(request.head.contains(KEY), transport == "plain");
            if transport == "encrypted" {
                assert!(decrypt(request).is_ok());
                assert!(bodies.insert(request.body[..22].to_vec()), "a start value came twice");
            }
        }
    }
}

#[test]
fn nothing_is_lost_while_the_server_is_away() {
    for transport in ["plain", "encrypted"] {
        let world = World::new(&settings(transport));
        world.start(async |inside| {
            inside.seconds(105.0).await;
            world.emoncms.set(Mood::Away);
            inside.seconds(30_000.0).await;
            assert_eq!(inside.stands(), ("backing_off", Some("unreachable")));
            {
                let status = inside.state.uplink.status.borrow();
                assert!((2990..=3001).contains(&status.queued), "{}", status.queued);
                assert_eq!(status.oldest_queued, Some(T + 110));
                assert!(status.next_attempt.is_some());
            }
            world.emoncms.set(Mood::Good);
            inside.seconds(620.0).await;
            assert_eq!(inside.stands(), ("up_to_date", None));
        });
        assert_eq!(has_all(&world, T + 10), 1, "{transport}");
        // Four posts for the backlog, not three thousand.
        assert!(world.emoncms.posts() < 10 + 5 + 70, "{}", world.emoncms.posts());
    }
}

#[test]
fn a_post_without_an_answer_is_not_repeated_where_the_server_can_be_asked() {
    for (transport, most) in [("plain", 1), ("encrypted", 2)] {
        for stored in [0, 1, 17, 1000] {
            let world = World::new(&settings(transport));
            world.start(async |inside| {
                inside.seconds(100.0).await;
                world.emoncms.set(Mood::Away);
                inside.seconds(900.0).await;
                world.emoncms.set(Mood::StoresAndIsSilent(stored));
                let before = world.emoncms.posts();
                while world.emoncms.posts() == before {
                    inside.seconds(1.0).await;
                }
                // It costs no more than the wait for an answer.
                inside.seconds(16.0).await;
                assert_eq!(inside.stands(), ("backing_off", Some("no_answer")));
                world.emoncms.set(Mood::Good);
                inside.seconds(700.0).await;
                assert_eq!(inside.stands(), ("up_to_date", None));
            });
            let times = has_all(&world, T + 10);
            assert_eq!(times, if stored == 0 { 1 } else { most }, "{transport} {stored}");
        }
    }
}

#[test]
fn a_connection_that_breaks_anywhere_loses_nothing() {
    for most in [0, 1, 100, 250, 400, 500, 1000, 3000] {
        let world = World::new(&settings("plain"));
        world.start(async |inside| {
            inside.seconds(60.0).await;
            world.emoncms.set(Mood::ResetsAfter(most));
            inside.seconds(300.0).await;
            world.emoncms.set(Mood::Good);
            inside.seconds(700.0).await;
            assert_eq!(inside.stands(), ("up_to_date", None), "{most}");
        });
        assert_eq!(has_all(&world, T + 10), 1, "{most}");
    }
}

/// What the server answers, what that is, and whether a person must act.
const ANSWERS: [(&str, &str, bool); 17] = [
    ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 15\r\n\r\nInvalid API key", "bad_key", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "empty_answer", true),
    ("HTTP/1.1 200 OK\r\n\r\ninvalid data", "invalid_data", true),
    ("HTTP/1.1 200 OK\r\n\r\nUser not found", "unknown_user", true),
    ("HTTP/1.1 200 OK\r\n\r\nmissing authorization header", "stripped", true),
    (
        "HTTP/1.1 200 OK\r\n\r\n{\"success\": false, \"message\": \"Error: Reached the maximal allowed number of different \
         NodeIds, limit is 32. Node 'x' was ignored.\"}",
        "node_limit",
        true,
    ),
    ("HTTP/1.1 302 Found\r\nLocation: https://emoncms.org/\r\nContent-Length: 0\r\n\r\n", "redirect", true),
    ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "wrong_path", true),
    ("HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\n\r\n", "wrong_path", true),
    ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "forbidden", true),
    ("HTTP/1.1 200 OK\r\n\r\n<br />\n<b>Fatal error</b>:  Uncaught RedisException", "server_fault", false),
    ("HTTP/1.0 500 Internal Server Error\r\n\r\n", "server_fault", false),
    ("HTTP/1.1 200 OK\r\n\r\n<html>hotel</html>", "unexpected_answer", false),
    ("HTTP/1.1 200 OK\r\n\r\n{\"success\": true}", "unexpected_answer", false),
    ("HTTP/1.1 429 Too Many Requests\r\n\r\n", "busy", false),
    ("SSH-2.0-OpenSSH_9.9\r\n", "unexpected_answer", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", "broken_off", false),
];

#[test]
fn each_answer_leads_to_the_right_thing_and_nothing_is_lost_over_it() {
    for transport in ["plain", "encrypted"] {
        for (answer, code, stops) in ANSWERS {
            let world = World::new(&settings(transport));
            world.start(async |inside| {
                inside.seconds(65.0).await;
                world.emoncms.set(Mood::Says(answer));
                inside.seconds(60.0).await;
                let state = if stops { "stopped" } else { "backing_off" };
                assert_eq!(inside.stands(), (state, Some(code)), "{answer}");
                {
                    let status = inside.state.uplink.status.borrow();
                    let said = &status.last_error.as_ref().unwrap().server_said;
                    assert!(answer.replace('\n', " ").contains(said.as_str()), "{said}");
                    assert_eq!((status.set_aside, status.cursor), (0, Some(T + 60)));
                }
                // What a person mended at the plug is tried at once.
                world.emoncms.set(Mood::Good);
                inside.change("{\"emoncms\":{\"send_every_s\":20}}");
                inside.seconds(40.0).await;
                assert_eq!(inside.stands(), ("up_to_date", None), "{answer}");
            });
            assert_eq!(has_all(&world, T + 10), 1, "{answer}");
        }
    }
}

#[test]
fn what_was_mended_at_the_server_is_found_within_ten_minutes() {
    let world = World::new(&settings("encrypted"));
    world.start(async |inside| {
        inside.seconds(60.0).await;
        world.emoncms.set(Mood::Says(ANSWERS[0].0));
        inside.seconds(6000.0).await;
        assert_eq!(inside.stands(), ("stopped", Some("bad_key")));
        let tries = world.emoncms.posts() - 6;
        assert!((10..=12).contains(&tries), "{tries}");
        world.emoncms.set(Mood::Good);
        inside.seconds(601.0).await;
        assert_eq!(inside.stands(), ("up_to_date", None));
    });
    assert_eq!(has_all(&world, T + 10), 1);
}

#[test]
fn a_bad_row_is_set_aside_and_the_rest_gets_there() {
    for transport in ["plain", "encrypted"] {
        let world = World::new(&settings(transport));
        world.emoncms.bad.borrow_mut().extend([T + 500, T + 20_000]);
        world.start(async |inside| {
            inside.seconds(1000.0).await;
            world.emoncms.set(Mood::Away);
            inside.seconds(25_000.0).await;
            world.emoncms.set(Mood::Good);
            inside.seconds(1000.0).await;
            assert_eq!(inside.stands(), ("up_to_date", None));
            let status = inside.state.uplink.status.borrow();
            assert_eq!((status.set_aside, status.last_set_aside), (2, Some(T + 20_000)));
            assert_eq!(
                status.set_aside_because,
                "Format error, last item in bulk data does not contain any data"
            );
        });
        let rows = world.emoncms.rows.borrow();
        let until = unix(&world.clock) as u32 / 10;
        let missing: Vec<u32> =
            (T / 10 + 1..until).map(|slot| slot * 10).filter(|time| !rows.contains_key(time)).collect();
        assert_eq!(missing, [T + 500, T + 20_000]);
    }
}

#[test]
fn a_server_that_takes_only_small_bodies_gets_small_ones() {
    let world = World::new(&settings("plain"));
    world.start(async |inside| {
        inside.seconds(60.0).await;
        world.emoncms.set(Mood::Away);
        inside.seconds(10_000.0).await;
        world.emoncms.set(Mood::TakesAtMost(100));
        inside.seconds(1000.0).await;
        assert_eq!(inside.stands(), ("up_to_date", None));
    });
    assert_eq!(has_all(&world, T + 10), 1);
}

#[test]
fn the_servers_clock_is_asked_without_a_key_before_anything_is_sent() {
    let text = settings("plain").replace("\"ntp\"", "\"server\"");
    let world = World::new(&text);
    world.clock.unix_at_start.set(None);
    world.start(async |inside| {
        assert_eq!(inside.time_of_day(), None);
        inside.seconds(300.0).await;
        let off = inside.time_of_day().unwrap() - unix(&world.clock);
        assert!(off.abs() < 1.0, "{off}");
        assert_eq!(inside.stands(), ("up_to_date", None));
    });
    let requests = world.emoncms.requests.borrow();
    assert!(requests[0].head.starts_with("GET /emoncms/ HTTP/1.1\r\n"));
    assert!(!requests[0].head.contains(KEY) && requests[0].header("Authorization").is_none());
    assert!(requests[1..].iter().all(|request| request.head.starts_with("POST")));
    assert!(requests.len() > 25);
    // A server that does not tell it is asked again, with growing pauses, and nothing is sent.
    let world = World::new(&text);
    world.clock.unix_at_start.set(None);
    world.emoncms.set(Mood::Says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    world.start(async |inside| {
        inside.seconds(3600.0).await;
        assert_eq!(inside.stands(), ("backing_off", Some("unexpected_answer")));
    });
    let requests = world.emoncms.requests.borrow().len();
    assert!((8..20).contains(&requests) && world.emoncms.posts() == 0, "{requests}");
    // Another source: the plug waits for it, and asks nobody.
    let world = World::new(&settings("plain"));
    world.clock.unix_at_start.set(None);
    world.start(async |inside| {
        inside.seconds(3600.0).await;
        assert_eq!(inside.stands(), ("waiting_for_clock", None));
    });
    assert!(world.emoncms.requests.borrow().is_empty());
}

/// What a time server says, so many seconds off.
fn offer(inside: &Inside<'_>, off_s: f64) -> Verdict {
    let (unix_s, at) = (unix(&inside.world.clock) + off_s, inside.world.clock.now());
    inside.state.offer_time(Answer { source: Source::Ntp, unix_s, uncertainty_s: 0.01, at })
}

#[test]
fn nothing_is_sent_while_two_clocks_differ_by_hours() {
    let world = World::new(&settings("encrypted"));
    world.clock.unix_at_start.set(None);
    world.start(async |inside| {
        assert_eq!(offer(inside, 0.0), Verdict::First);
        inside.seconds(60.0).await;
        let before = world.emoncms.posts();
        assert!(before >= 5);
        for (off_s, answers) in [(7200.0, 1), (7200.0, 2), (-1e6, 1), (5e6, 1)] {
            assert!(matches!(offer(inside, off_s), Verdict::Doubted { .. }));
            assert_eq!(
                inside.state.timekeeping.keeper.borrow().doubt_now(world.clock.now()).unwrap().answers,
                answers
            );
            inside.seconds(70.0).await;
            assert_eq!(inside.stands(), ("waiting_for_clock", None));
            assert!(matches!(inside.state.uplink.test().await, Err(NoTest::NoClock)));
        }
        assert_eq!(world.emoncms.posts(), before);
        // Whoever confirms the clock takes the doubt away, and what waited goes out.
        assert!(offer(inside, 0.0).agrees());
        inside.seconds(60.0).await;
        assert_eq!(inside.stands(), ("up_to_date", None));
    });
    assert!(has_all(&world, T + 10) > 0);
}

/// The server's own clock is asked until the doubt is over, with pauses.
#[test]
fn a_server_whose_clock_steps_is_asked_until_it_is_believed() {
    let world = World::new(&settings("plain").replace("\"ntp\"", "\"server\""));
    world.clock.unix_at_start.set(None);
    world.start(async |inside| {
        inside.state.timekeeping.keeper.borrow_mut().set_floor(Some(f64::from(T) + 86_400.0));
        inside.seconds(60.0).await;
        assert_eq!((inside.time_of_day(), world.emoncms.posts()), (None, 0));
        inside.seconds(600.0).await;
        let off = inside.time_of_day().unwrap() - unix(&world.clock);
        assert!(off.abs() < 1.0, "{off}");
        assert_eq!(inside.stands(), ("up_to_date", None));
    });
    let requests = world.emoncms.requests.borrow();
    let questions = requests.iter().filter(|request| request.head.starts_with("GET /emoncms/ HTTP")).count();
    assert!((3..=8).contains(&questions), "{questions}");
}

#[test]
fn off_is_silent_and_settings_hold_at_once() {
    let world = World::new(&settings("plain").replace("\"enabled\":true", "\"enabled\":false"));
    world.start(async |inside| {
        inside.seconds(3600.0).await;
        assert_eq!(inside.stands(), ("off", None));
        assert!(world.emoncms.requests.borrow().is_empty());
        world.emoncms.set(Mood::Silent);
        inside.change("{\"emoncms\":{\"enabled\":true,\"begin\":\"oldest\"}}");
        inside.seconds(5.0).await;
        // In the middle of a request that is never answered.
        inside.change("{\"emoncms\":{\"enabled\":false}}");
        inside.seconds(1.0).await;
        assert_eq!(inside.stands().0, "off");
        world.emoncms.set(Mood::Good);
        inside.change("{\"emoncms\":{\"enabled\":true}}");
        inside.seconds(5.0).await;
        assert_eq!(inside.stands(), ("up_to_date", None));
    });
    // From the oldest on, as was wished.
    assert_eq!(has_all(&world, T), 1);
}

#[test]
fn another_key_begins_now_or_with_the_oldest() {
    for (begin, first) in [("now", T + 2010), ("oldest", T)] {
        let world = World::new(&settings("encrypted"));
        world.start(async |inside| {
            inside.seconds(1000.0).await;
            world.emoncms.set(Mood::Says(ANSWERS[0].0));
            inside.seconds(1000.5).await;
            world.emoncms.set(Mood::Good);
            world.emoncms.rows.borrow_mut().clear();
            inside.change(&format!("{{\"emoncms\":{{\"node\":\"ossp-e5f6\",\"url\":\"http://emonpi/emoncms/\",\"write_key\":\"{KEY}\",\"begin\":\"{begin}\"}}}}"));
            inside.seconds(100.0).await;
        });
        has_all(&world, first);
        assert_eq!(world.emoncms.rows.borrow().keys().next(), Some(&first));
    }
}

#[test]
fn a_log_that_goes_on_while_it_is_read_sends_no_half_truth() {
    let world = World::new(&settings("plain"));
    // The log is read twice for a post; while it is, its oldest rows go.
    world.forgets_after.set(Some(300));
    world.start(async |inside| {
        inside.seconds(65.0).await;
        world.emoncms.set(Mood::Away);
        inside.seconds(5000.0).await;
        world.emoncms.set(Mood::Good);
        inside.seconds(700.0).await;
        assert_eq!(inside.stands(), ("backing_off", Some("log_failed")));
    });
    // What was out of step never had an end, so no server took any of it.
    assert_eq!((world.emoncms.posts(), world.emoncms.rows.borrow().len()), (6, 6));
}

#[test]
fn a_test_shows_all_but_the_key() {
    for transport in ["plain", "encrypted"] {
        // It needs nothing to be enabled.
        let world = World::new(&settings(transport).replace("\"enabled\":true", "\"enabled\":false"));
        world.start(async |inside| {
            inside.seconds(62.0).await;
            let report = inside.state.uplink.test().await.unwrap();
            assert!(report.ok && report.code == "accepted", "{report:?}");
            assert_eq!(report.url, "http://emonpi/emoncms/input/bulk");
            let text = format!("{report:?}");
            assert!(!text.contains(KEY), "{text}");
            let plain = report.plaintext.as_deref().unwrap_or("");
            assert_eq!(
                plain.starts_with("data=[[1795996860,\"ossp-e5f6\",{\"energy\":"),
                transport == "encrypted"
            );
            assert_eq!(report.body.starts_with("data=%5B%5B1795996860%2C"), transport == "plain");
            let received = report.received.as_ref().unwrap();
            assert_eq!(received.status, 200);
            assert!(received.head.contains("Server: Apache"));
            world.emoncms.set(Mood::Says(ANSWERS[0].0));
            let report = inside.state.uplink.test().await.unwrap();
            assert_eq!((report.ok, report.code), (false, "bad_key"));
            world.emoncms.set(Mood::Away);
            let report = inside.state.uplink.test().await.unwrap();
            assert_eq!((report.code, report.received.is_none()), ("unreachable", true));
            // It is not the uplink's own state that was tried.
            assert_eq!(inside.stands(), ("off", None));
        });
        assert_eq!(world.emoncms.rows.borrow().keys().collect::<Vec<_>>(), [&(T + 60)]);
    }
}

#[test]
fn a_test_says_why_there_is_none() {
    let world = World::new("{}");
    world.start(async |inside| {
        inside.seconds(1.0).await;
        assert_eq!(inside.state.uplink.test().await.unwrap_err(), NoTest::NotConfigured);
    });
    let world = World::new(&settings("plain").replace("\"enabled\":true", "\"enabled\":false"));
    world.clock.unix_at_start.set(None);
    world.start(async |inside| {
        inside.seconds(1.0).await;
        assert_eq!(inside.state.uplink.test().await.unwrap_err(), NoTest::NoClock);
    });
}

#[test]
fn a_test_in_front_of_a_backlog_does_not_hide_it() {
    let world = World::new(&settings("plain"));
    world.start(async |inside| {
        inside.seconds(100.0).await;
        world.emoncms.set(Mood::Away);
        inside.seconds(1000.0).await;
        world.emoncms.set(Mood::Good);
        // Before its pause is over.
        let report = inside.state.uplink.test().await.unwrap();
        assert!(report.ok);
        world.emoncms.set(Mood::Away);
        inside.seconds(1.0).await;
        inside.state.uplink.part().await;
    });
    world.emoncms.set(Mood::Good);
    world.start(async |inside| inside.seconds(100.0).await);
    has_all(&world, T + 10);
}

#[test]
fn the_ledger_has_each_connection_and_no_key() {
    let world = World::new(&settings("plain"));
    world.start(async |inside| {
        inside.seconds(605.0).await;
        let ledger = format!("{:?}", inside.state.ledger.borrow());
        assert!(ledger.contains("emonpi") && !ledger.contains(KEY));
    });
}

#[test]
fn a_server_that_repeats_the_key_puts_it_nowhere() {
    const READ_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let text = settings("plain").replace("\"user_id\"", &format!("\"read_key\":\"{READ_KEY}\",\"user_id\""));
    for answer in [
        "HTTP/1.1 302 Found\r\nLocation: /login?apikey=fa8e3b689295332c560bbea31afb61d0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Key: 0F1E2D3C4B5A69788796A5B4C3D2E1F0\r\n\r\nfa8e3b689295332c560bbea31afb61d0 is not \
         0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "HTTP/1.1 200 OK\r\n\r\n{\"success\": false, \"message\": \"bad: fa8e3b689295332c560bbea31afb61d0\"}",
    ] {
        let world = World::new(&text);
        world.start(async |inside| {
            inside.seconds(62.0).await;
            world.emoncms.set(Mood::Says(answer));
            inside.seconds(60.0).await;
            let report = inside.state.uplink.test().await.unwrap();
            let status = format!("{:?}", inside.state.uplink.status.borrow());
            let ledger = format!("{:?}", inside.state.ledger.borrow());
            assert!(!report.ok);
            assert!(format!("{report:?}").contains("********"), "{report:?}");
            for shown in [status, ledger, format!("{report:?}")] {
                let shown = shown.to_lowercase();
                assert!(!shown.contains(KEY) && !shown.contains(READ_KEY), "{shown}");
            }
        });
    }
}

#[test]
fn who_asks_emoncms_for_the_time_says_so_in_the_ledger() {
    // Nothing is sent; somebody wants a test, and for that the time must be known.
    let off =
        settings("plain").replace("\"ntp\"", "\"server\"").replace("\"enabled\":true", "\"enabled\":false");
    for (answer, outcome) in [
        ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "refused"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "ok"),
        ("SSH-2.0-OpenSSH_9.9\r\n", "bad_answer"),
    ] {
        let world = World::new(&off);
        world.clock.unix_at_start.set(None);
        world.emoncms.set(Mood::Says(answer));
        world.start(async |inside| {
            inside.seconds(1.0).await;
            assert_eq!(inside.state.uplink.test().await.unwrap_err(), NoTest::NoClock);
            let ledger = inside.state.ledger.borrow();
            let made: Vec<_> = ledger
                .connections()
                .filter(|entry| !entry.place().lookup)
                .map(|entry| (entry.place().purpose(), entry.place().purpose.setting(), entry.outcome.word()))
                .collect();
            assert_eq!(made, [("emoncms_time", "time.source", outcome)]);
        });
    }
}

#[test]
fn a_name_that_ends_in_local_is_named_as_what_it_is() {
    let world = World::new(&settings("plain").replace("http://emonpi/", "http://emonpi.local/"));
    world.start(async |inside| {
        inside.seconds(62.0).await;
        let report = inside.state.uplink.test().await.unwrap();
        assert_eq!(report.code, "no_address");
        assert!(report.message.contains(".local"), "{}", report.message);
    });
}

#[test]
fn a_hanging_server_does_not_keep_a_test_waiting() {
    let world = World::new(&settings("encrypted"));
    world.start(async |inside| {
        inside.seconds(55.0).await;
        world.emoncms.set(Mood::Silent);
        inside.seconds(6.5).await;
        let before = unix(&world.clock);
        world.emoncms.set(Mood::Good);
        assert!(inside.state.uplink.test().await.unwrap().ok);
        assert!(unix(&world.clock) - before < 1.0);
    });
}
