//! Back to the image in the other slot: judged as if its file were uploaded now, started only if it is whole, whatever breaks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod idle_clock;
mod update_bench;
mod upload_support;
mod web_support;

use futures_lite::future::{poll_once, yield_now};
use plug::state::Restarting;
use plug::update::desk::{Activated, Outcome, Progress};
use plug::update::image::ChipId;
use plug::update::keys::{AcceptWhat, Key};
use plug::update::{Fault, Other, OtherState, Refused};
use update_bench::{Bench, OTHER, PAYLOAD, PEER, exactly};
use upload_support::{CAPACITY, Package, Trouble, image, image_of, key, public};

/// Somebody asks to go back; `None`: the power went.
fn go_back(bench: &Bench, allow_downgrade: bool) -> Option<Result<Activated, Fault>> {
    bench.run(bench.desk().go_back(allow_downgrade, Vec::new(), PEER, bench.now()))
}

/// A plug with this image in its other slot.
fn with(image: &[u8]) -> Bench {
    let bench = Bench::new();
    bench.flash.other.borrow_mut().fill(0xff);
    bench.flash.other.borrow_mut()[..image.len()].copy_from_slice(image);
    bench
}

/// The plug after a restart, still with 0.1.0 in the slot that runs.
fn restarted(bench: &Bench, accept: AcceptWhat, keys: &[u8]) -> Bench {
    let next = Bench { flash: bench.flash.clone(), ..Bench::new() };
    {
        let mut settings = next.state.settings.borrow_mut();
        settings.update.accept = accept;
        settings.update.keys =
            keys.iter().map(|number| Key::parse(&public(&key(*number))).unwrap()).collect();
    }
    next
}

fn refused(why: Refused) -> Option<Result<Activated, Fault>> {
    Some(Err(Fault::Refused(why)))
}

#[test]
fn the_image_before_is_started_if_it_is_meant() {
    let bench = Bench::new();
    let before = bench.flash.other.borrow().clone();
    assert_eq!(go_back(&bench, false), refused(Refused::OlderVersion));
    assert_eq!((bench.flash.changes.get(), bench.flash.next_start()), (0, 0));
    assert_eq!((bench.desk().progress().0, bench.desk().last()), (Progress::Idle, None));
    let activated = go_back(&bench, true).unwrap().unwrap();
    assert_eq!(activated.version, "0.0.9");
    assert_eq!(bench.flash.next_start(), 1);
    assert_eq!(bench.state.restart.try_take(), Some(Restarting::OtherImage));
    assert!(*bench.flash.other.borrow() == before, "it writes the record and nothing else");
    // On trial, and marked as what it is: one that somebody went back to.
    assert_eq!(bench.flash.record.borrow()[0][4..8], *b"OSNx");
    let last = bench.desk().last().unwrap();
    assert_eq!((last.outcome, last.version.as_str()), (Outcome::Activated, "0.0.9"));
    assert_eq!(bench.desk().closed(PEER, bench.now()), Some(Fault::Busy));
    // A newer one need not be confirmed.
    let bench = with(&image("0.2.0", PAYLOAD));
    assert_eq!(go_back(&bench, false).unwrap().unwrap().version, "0.2.0");
}

#[test]
fn what_the_plug_went_back_from_is_new_once_more() {
    let bench = with(&image("0.2.0", PAYLOAD));
    let other = |state| Some(Other { version: "0.2.0".try_into().unwrap(), state });
    bench.state.firmware.borrow_mut().other = other(OtherState::WentBack);
    assert!(go_back(&bench, false).unwrap().is_ok());
    assert_eq!(bench.flash.record.borrow()[0][4..8], *b"OSN-");
    assert_eq!(bench.state.firmware.borrow().other, other(OtherState::Activated));
}

#[test]
fn what_is_not_whole_or_not_for_this_plug_is_not_started() {
    let whole = image("0.2.0", PAYLOAD);
    let mut cases = vec![
        (Vec::new(), Fault::NoOther),
        (vec![0; CAPACITY as usize], Fault::NoOther),
        // As an upload leaves it that broke off.
        ([&[0xff; 4], &whole[4..]].concat(), Fault::NoOther),
        (image_of(5, "ossp-firmware", "0.2.0", PAYLOAD), Fault::Refused(Refused::WrongChip(ChipId(5)))),
        (image_of(0xfffe, "ossp-other", "0.2.0", PAYLOAD), Fault::Refused(Refused::WrongProject)),
    ];
    for at in [23, 200, 5000, PAYLOAD, whole.len() - 33, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        cases.push((damaged, Fault::Refused(Refused::ImageDamaged)));
    }
    for (image, why) in cases {
        let bench = with(&image);
        assert_eq!(go_back(&bench, true), Some(Err(why.clone())));
        assert_eq!((bench.flash.changes.get(), bench.flash.next_start()), (0, 0), "{why:?}");
        bench.is_unharmed(&format!("{why:?}"));
    }
}

#[test]
fn its_signature_is_asked_for_as_if_it_were_uploaded_now() {
    use AcceptWhat::{Any, Signed};
    let image = image("0.2.0", PAYLOAD);
    let package = || Package::new(&image, "0.2.0");
    let adds = Package { add: vec![public(&key(3))], ..package() };
    for (file, accept, keys, refused_as) in [
        (package().signed_by(&[&key(1)]), Signed, &[1][..], None),
        (package().signed_by(&[&key(1), &key(2)]), Signed, &[2, 3], None),
        (package().signed_by(&[&key(1)]), Any, &[], None),
        (image.clone(), Any, &[1], None),
        // The key was retired since, or only signed ones are wanted now.
        (package().signed_by(&[&key(1)]), Signed, &[2], Some(Refused::SignatureUnknown)),
        (package().signed_by(&[]), Signed, &[1], Some(Refused::SignatureMissing)),
        (image.clone(), Signed, &[1], Some(Refused::SignatureMissing)),
        // The keys that it brings are no question any more.
        (adds.signed_by(&[&key(1)]), Signed, &[1, 4, 5, 6], None),
    ] {
        let bench = Bench::new();
        assert!(bench.send(&file).unwrap().is_ok());
        let bench = restarted(&bench, accept, keys);
        bench.flash.record.borrow_mut().iter_mut().for_each(|sector| sector.fill(0xff));
        let before = bench.state.settings.borrow().update.clone();
        let result = go_back(&bench, false).unwrap().map(|activated| activated.version);
        let is_taken = refused_as.is_none();
        match refused_as {
            None => assert_eq!(result.unwrap(), "0.2.0"),
            Some(ref why) => assert_eq!(result, Err(Fault::Refused(why.clone()))),
        }
        assert_eq!(bench.flash.next_start(), u8::from(is_taken));
        assert_eq!(bench.state.settings.borrow().update, before);
    }
}

#[test]
fn the_head_of_another_image_vouches_for_nothing() {
    let signed = image("0.2.0", PAYLOAD);
    let bench = Bench::new();
    assert!(bench.send(&Package::new(&signed, "0.2.0").signed_by(&[&key(1)])).unwrap().is_ok());
    // As long, so that the head of the one before still lies behind it.
    let bench = restarted(&bench, AcceptWhat::Any, &[]);
    let bare = image("0.2.1", PAYLOAD);
    assert!(bench.send(&bare).unwrap().is_ok());
    assert!(bench.flash.other.borrow()[20_480..].starts_with(b"OSSP1\n"));
    let bench = restarted(&bench, AcceptWhat::Signed, &[1]);
    assert_eq!(go_back(&bench, true), refused(Refused::SignatureMissing));
}

#[test]
fn an_image_that_leaves_no_room_for_its_head_is_taken_and_counts_as_unsigned() {
    let frame = image("0.2.0", 0).len();
    for missing in [0, 4096 - 16, 4096, 4096 + 16] {
        let image = image("0.2.0", CAPACITY as usize - frame - missing);
        let bench = restarted(&Bench::new(), AcceptWhat::Signed, &[1]);
        assert!(bench.send(&Package::new(&image, "0.2.0").signed_by(&[&key(1)])).unwrap().is_ok());
        let bench = restarted(&bench, AcceptWhat::Signed, &[1]);
        match go_back(&bench, false).unwrap() {
            Ok(_) => assert!(missing >= 4096, "{missing}"),
            Err(why) => assert_eq!((missing < 4096, why), (true, Fault::Refused(Refused::SignatureMissing))),
        }
    }
}

#[test]
fn the_flash_may_fail_and_the_power_may_go_at_any_operation() {
    let clean = Bench::new();
    assert!(go_back(&clean, true).unwrap().is_ok());
    let operations = clean.flash.changes.get();
    assert!(operations >= 4, "{operations}");
    let mut chosen = 0;
    for at in 0..operations {
        for trouble in [Trouble::Error, Trouble::Silent, Trouble::Cut, Trouble::Half] {
            let context = format!("{trouble:?} at {at}");
            let bench = Bench::new();
            let before = bench.flash.other.borrow().clone();
            bench.flash.trouble.set(Some((at, trouble)));
            let result = go_back(&bench, true);
            assert!(*bench.flash.other.borrow() == before, "{context}: the image itself is never touched");
            match result {
                None => assert!(matches!(trouble, Trouble::Cut | Trouble::Half), "{context}"),
                Some(Ok(_)) => {
                    assert_eq!((trouble, bench.flash.next_start()), (Trouble::Silent, 1), "{context}");
                }
                Some(Err(why)) => {
                    assert_eq!((why, bench.flash.next_start()), (Fault::Flash, 0), "{context}");
                    bench.is_unharmed(&context);
                }
            }
            // Afterwards it works, from whichever image runs; here that is the same one.
            chosen += u32::from(bench.flash.next_start() == 1);
            let next = Bench { flash: bench.flash.clone(), ..Bench::new() };
            next.flash.trouble.set(None);
            assert!(go_back(&next, true).unwrap().is_ok(), "{context}");
        }
    }
    assert!(chosen > 0, "some of it does not matter");
}

#[test]
fn one_at_a_time_and_whoever_goes_away_undoes_nothing() {
    let bench = Bench::new();
    let file = image("0.2.0", PAYLOAD);
    bench.run(async {
        let upload = bench.desk().begin(exactly(&file), PEER, bench.now()).await.unwrap();
        let busy = bench.desk().go_back(true, Vec::new(), OTHER, bench.now()).await;
        assert_eq!(busy.err(), Some(Fault::Busy));
        drop(upload);
        yield_now().await;
        // Asked, and gone at once.
        let mut asked = Box::pin(bench.desk().go_back(true, Vec::new(), PEER, bench.now()));
        assert!(poll_once(&mut asked).await.is_none());
        yield_now().await;
        drop(asked);
        for _ in 0..100 {
            yield_now().await;
        }
    });
    assert_eq!(bench.flash.next_start(), 1);
    assert!(bench.state.restart.signaled());
}

/// A package of a smaller image, whose head comes to lie within the former image.
#[test]
fn a_broken_upload_leaves_the_image_before_whole_or_gone() {
    let (former, next) = (image("0.0.9", PAYLOAD), image("0.2.0", 3000));
    let file = Package::new(&next, "0.2.0").signed_by(&[&key(1)]);
    for trouble in [Trouble::Error, Trouble::Cut] {
        for at in 0.. {
            let bench = with(&former);
            bench.flash.trouble.set(Some((at, trouble)));
            if bench.send(&file).is_some_and(|result| result.is_ok()) {
                assert!(at > 4, "some operations were spoilt");
                break;
            }
            let slot = bench.flash.other.borrow();
            let is_whole = slot.starts_with(&former) || slot.starts_with(&next);
            assert!(is_whole || !bench.flash.other_can_start(), "{trouble:?} at {at}");
        }
    }
}
