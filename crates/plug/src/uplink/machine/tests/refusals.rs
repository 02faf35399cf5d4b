//! Rows that are refused, and posts that are not answered.

use super::*;

#[test]
fn one_bad_row_is_found_set_aside_and_does_not_block_the_rest() {
    for asks in [true, false] {
        let kept = Kept { fingerprint: JOB.fingerprint, cursor: T, out_of_turn: None };
        let mut world = World::new(Some(kept), Job { asks, ..JOB });
        world.has.insert(T);
        world.newest = T + 10_000;
        let bad = [T + 3330, T + 7770, T + 7780];
        world.bad.extend(bad);
        world.settle();
        world.has_all_but(T, &bad);
        assert_eq!(world.machine.set_aside(), (3, Some(T + 7780)));
        assert!(world.posts.len() < 150, "{} posts", world.posts.len());
    }
}

#[test]
fn a_bad_newest_row_waits_for_a_proof() {
    let mut world = World::new(None, JOB);
    world.live(3);
    world.bad.insert(T + 40);
    world.live(1);
    assert_eq!((world.machine.cursor(), world.machine.set_aside().0), (T + 30, 0));
    world.live(1);
    world.has_all_but(T + 10, &[T + 40]);
    assert_eq!(world.machine.set_aside(), (1, Some(T + 40)));
}

#[test]
fn rows_with_nothing_to_say_among_bad_ones_hide_none_of_them() {
    for (bad, empty) in [(&[40_u32][..], &[50_u32][..]), (&[40, 60], &[50]), (&[50], &[40, 60, 70])] {
        let [bad, empty] = [bad, empty].map(|rows| rows.iter().map(|row| T + row).collect::<BTreeSet<u32>>());
        let kept = Kept { fingerprint: JOB.fingerprint, cursor: T, out_of_turn: None };
        let mut world = World::new(Some(kept), Job { asks: false, ..JOB });
        world.has.insert(T);
        world.newest = T + 200;
        world.bad.extend(&bad);
        world.empty.extend(&empty);
        world.settle_in_the_end();
        let missing: Vec<u32> = bad.union(&empty).copied().collect();
        world.has_all_but(T, &missing);
        assert_eq!(world.machine.set_aside(), (bad.len() as u32, bad.last().copied()), "{missing:?}");
    }
}

#[test]
fn a_server_that_refuses_every_row_sets_nothing_aside() {
    let mut world = World::new(None, JOB);
    world.live(3);
    world.says = Some(Answer::Refused);
    world.live(400);
    assert_eq!(world.machine.state(), State::Stopped);
    assert_eq!((world.machine.cursor(), world.machine.set_aside().0), (T + 30, 0));
    world.says = None;
    // It goes on when its time has come.
    world.live(61);
    world.has_all_but(T + 10, &[]);
    assert_eq!(world.machine.set_aside().0, 0);
}

#[test]
fn a_fault_that_is_mended_in_the_middle_of_a_doubt_loses_nothing() {
    let mut world = World::new(None, JOB);
    world.live(3);
    world.says = Some(Answer::Refused);
    world.live(2);
    world.says = None;
    world.live(1);
    world.has_all_but(T + 10, &[]);
    assert_eq!(world.machine.set_aside().0, 0);
}

#[test]
fn an_unanswered_post_is_followed_by_a_question() {
    for (asks, answer) in [(true, Answer::NoAnswer), (true, Answer::Broken), (false, Answer::NoAnswer)] {
        let mut world = World::new(None, Job { asks, ..JOB });
        world.live(1);
        world.newest += 30;
        let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
        // It stored two of three, and nothing came back.
        world.has.extend([T + 20, T + 30]);
        let sent = Sent { batch, answer, whole: true, rows: 3, end: batch.until, took: Duration::ZERO };
        world.machine.sent(world.now, &sent);
        world.now = world.machine.next_attempt().unwrap();
        if asks {
            let action = world.machine.act(world.now, &world.sight());
            assert_eq!(action, Action::Ask { limit: Some(T + 40) });
        }
        let before = world.posts.len();
        world.settle();
        let (first, _) = world.posts[before];
        assert_eq!(first, if asks { T + 40 } else { T + 20 });
        world.has_all_but(T + 10, &[]);
    }
}

#[test]
fn what_never_left_whole_is_not_asked_about() {
    let mut world = World::new(None, JOB);
    world.live(1);
    world.newest += 10;
    let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
    let sent =
        Sent { batch, answer: Answer::Broken, whole: false, rows: 1, end: batch.until, took: Duration::ZERO };
    world.machine.sent(world.now, &sent);
    world.now = world.machine.next_attempt().unwrap();
    world.settle();
    assert_eq!(world.asked, 0);
    world.has_all_but(T + 10, &[]);
}

#[test]
fn a_server_that_cannot_be_asked_is_not_asked_for_ever() {
    let kept = Kept { fingerprint: JOB.fingerprint, cursor: T - 100, out_of_turn: None };
    for (answer, tries) in [
        (Answer::WrongPath, 1),
        (Answer::BadKey, 1),
        (Answer::Empty, 1),
        (Answer::Unexpected, 3),
        (Answer::NoAnswer, 6),
        (Answer::Broken, 6),
    ] {
        let mut world = World::new(Some(kept), JOB);
        for _ in 0..tries {
            assert_eq!(
                world.machine.act(world.now, &world.sight()),
                Action::Ask { limit: None },
                "{answer:?}"
            );
            world.machine.asked(world.now, Err(answer));
            world.now = world.machine.next_attempt().unwrap_or(world.now);
        }
        let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!("{answer:?}") };
        assert_eq!(batch.after, T - 100);
    }
    // Nobody there: there is nothing to be gained by a post either.
    let mut world = World::new(Some(kept), JOB);
    for _ in 0..10 {
        assert_eq!(world.machine.act(world.now, &world.sight()), Action::Ask { limit: None });
        world.machine.asked(world.now, Err(Answer::Unreachable));
        world.now = world.machine.next_attempt().unwrap();
    }
}

#[test]
fn where_the_server_stands_moves_the_cursor_or_is_named() {
    let kept = Kept { fingerprint: JOB.fingerprint, cursor: T - 100, out_of_turn: None };
    let newer = Conflict::Newer { server: T + 5 };
    for (standing, cursor, conflict) in [
        (Standing::From(T - 50), T - 50, None),
        (Standing::Back(T - 500), T - 500, Some(Conflict::WentBack { server: T - 500 })),
        (Standing::Unknown, T - 100, None),
        (Standing::Conflict(newer), T - 100, Some(newer)),
    ] {
        let mut world = World::new(Some(kept), JOB);
        assert_eq!(world.machine.act(world.now, &world.sight()), Action::Ask { limit: None });
        world.machine.asked(world.now, Ok(standing));
        assert_eq!((world.machine.cursor(), world.machine.conflict()), (cursor, conflict));
        let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
        assert_eq!(batch.after, cursor);
    }
}

#[test]
fn where_the_server_stands_is_a_proof_for_rows_in_doubt_and_hides_none() {
    let mut world = World::new(None, JOB);
    world.live(3);
    world.bad.insert(T + 40);
    world.live(1);
    assert_eq!(world.machine.cursor(), T + 30);
    // The next row is stored, and the answer does not come.
    world.newest += 10;
    world.has.insert(T + 50);
    let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
    let sent =
        Sent { batch, answer: Answer::NoAnswer, whole: true, rows: 1, end: T + 50, took: Duration::ZERO };
    world.machine.sent(world.now, &sent);
    world.now = world.machine.next_attempt().unwrap();
    assert!(matches!(world.machine.act(world.now, &world.sight()), Action::Ask { .. }));
    world.machine.asked(world.now, Ok(Standing::From(T + 50)));
    assert_eq!((world.machine.cursor(), world.machine.set_aside().0), (T + 30, 0));
    // Asked once more in between, it says the same.
    world.machine.asked(world.now, Ok(Standing::From(T + 50)));
    assert_eq!(world.machine.cursor(), T + 30);
    world.settle();
    world.has_all_but(T + 10, &[T + 40]);
    assert_eq!(world.machine.set_aside(), (1, Some(T + 40)));
    // A server that lost them all gets them all again.
    world.bad.insert(T + 60);
    world.live(1);
    world.has.retain(|row| *row <= T + 20);
    world.machine.asked(world.now, Ok(Standing::Back(T + 20)));
    world.live(1);
    world.has_all_but(T + 10, &[T + 40, T + 60]);
}

#[test]
fn rows_that_are_refused_one_after_the_other_are_not_sent_faster_than_one_a_second() {
    let mut world = World::new(None, JOB);
    world.live(1);
    world.says = Some(Answer::Refused);
    let (began, before) = (world.now, world.posts.len());
    world.live(3 * 360);
    let hours = world.now.since(began).as_secs_f64() / 3600.0;
    let posts = world.posts.len() - before;
    assert!(posts > 100 && (posts as f64) < hours * 1800.0 + 10.0, "{posts} in {hours} h");
    let Action::Send(batch) = ({
        world.now = world.machine.next_attempt().unwrap();
        world.machine.act(world.now, &world.sight())
    }) else {
        panic!()
    };
    world.post(batch);
    while world.machine.next_attempt().is_none() {
        let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
        world.post(batch);
    }
    let pause = world.machine.next_attempt().unwrap().since(world.now);
    assert!(pause >= limits::UPLINK_REFUSED_PAUSE, "{pause:?}");
}
