//! Uploads against slots that fail: whatever breaks, and whenever, the running image stays chosen and the next upload works.

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

use futures_lite::future::{yield_now, zip};
use plug::core::Moment;
use plug::core::guard::Guard;
use plug::limits;
use plug::platform::{Clock, Instant};
use plug::settings::Settings;
use plug::state::Restarting;
use plug::update::desk::{Activated, Order, Outcome};
use plug::update::judge::PROJECT;
use plug::update::keys::{AcceptWhat, Key};
use plug::update::{Fault, Refused, TooOld};
use update_bench::{Bench, OTHER, PAYLOAD, PEER, exactly};
use upload_support::{CAPACITY, Package, Trouble, image, image_of, key, public};
use web_support::basis;

fn refused(why: Refused) -> Option<Result<Activated, Fault>> {
    Some(Err(Fault::Refused(why)))
}

#[test]
fn an_image_is_written_read_back_and_chosen_whatever_the_pieces() {
    let file = image("0.2.0", PAYLOAD);
    let sha256: [u8; 32] =
        sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(&file)).into();
    for piece in [2160, 2161, 2163, 4095, 4096] {
        let bench = Bench::new();
        let done = bench.run(bench.upload(&file, piece, exactly(&file))).unwrap().unwrap();
        assert_eq!((done.version.as_str(), done.image_sha256), ("0.2.0", sha256));
        assert!(bench.flash.other.borrow().starts_with(&file), "{piece}");
        assert_eq!(bench.flash.next_start(), 1);
        assert_eq!(bench.state.restart.try_take(), Some(Restarting::OtherImage));
        // Each sector once.
        assert_eq!(bench.flash.erases.get(), (file.len() as u32).div_ceil(4096));
        let last = bench.desk().last().unwrap();
        assert_eq!((last.outcome, last.version.as_str()), (Outcome::Activated, "0.2.0"));
        // Nobody is let in between that and the restart.
        assert_eq!(bench.desk().closed(PEER, bench.now()), Some(Fault::Busy));
    }
}

#[test]
fn a_package_brings_its_image_whatever_stands_before_it() {
    let image = image("0.3.0-rc.1", PAYLOAD);
    for signers in 0..4 {
        let keys: Vec<_> = (0..signers).map(key).collect();
        let file = Package::new(&image, "0.3.0-rc.1").signed_by(&keys.iter().collect::<Vec<_>>());
        let bench = Bench::new();
        assert_eq!(bench.send(&file).unwrap().unwrap().version, "0.3.0-rc.1");
        assert!(bench.flash.other.borrow().starts_with(&image), "{signers}");
    }
}

#[test]
fn what_is_not_for_this_plug_erases_nothing() {
    let good = image("0.2.0", PAYLOAD);
    let page = b"<!DOCTYPE html><html></html>".to_vec();
    let pc = |version| image(version, 1000);
    let damaged = {
        let mut file = Package::new(&good, "0.2.0").signed_by(&[]);
        file[20] ^= 1;
        file
    };
    let longer = [Package::new(&good, "0.2.0").signed_by(&[]), vec![0]].concat();
    let shorter = Package::new(&good, "0.2.0").signed_by(&[]);
    let cases: Vec<(Vec<u8>, Refused)> = vec![
        (page, Refused::NotAnImage),
        (good[..100].to_vec(), Refused::NotAnImage),
        (image_of(5, PROJECT, "0.2.0", 1000), Refused::WrongChip(plug::update::image::ChipId(5))),
        (image_of(0xfffe, "ossp-other", "0.2.0", 1000), Refused::WrongProject),
        (pc("0.0.9"), Refused::OlderVersion),
        (pc("0.1.0-rc.1"), Refused::OlderVersion),
        (Package { board: "nodemcu", ..Package::new(&good, "0.2.0") }.signed_by(&[]), Refused::WrongBoard),
        (
            Package { oldest: "0.1.1", ..Package::new(&good, "0.2.0") }.signed_by(&[]),
            Refused::VersionTooOldToInstall(Box::new(TooOld::new("0.1.0", "0.1.1"))),
        ),
        (Package::new(&good, "0.2.1").signed_by(&[]), Refused::PackageDamaged),
        (damaged, Refused::PackageDamaged),
        (longer, Refused::PackageDamaged),
        (shorter[..shorter.len() - 1].to_vec(), Refused::PackageDamaged),
        (image("0.2.0", CAPACITY as usize), Refused::ImageTooLarge),
        (vec![0; 4 * CAPACITY as usize], Refused::ImageTooLarge),
    ];
    for (file, why) in cases {
        let bench = Bench::new();
        let before = bench.flash.other.borrow().clone();
        assert_eq!(bench.send(&file), refused(why.clone()), "{why:?}");
        assert_eq!((bench.flash.changes.get(), &*bench.flash.other.borrow()), (0, &before), "{why:?}");
        let last = bench.desk().last().unwrap();
        assert_eq!(last.outcome, Outcome::Refused(Fault::Refused(why.clone())));
        bench.is_unharmed(&format!("{why:?}"));
    }
}

#[test]
fn the_largest_image_fits_and_one_byte_more_does_not() {
    let frame = image("0.2.0", 0).len();
    let bench = Bench::new();
    let whole = image("0.2.0", CAPACITY as usize - frame);
    assert_eq!(whole.len(), CAPACITY as usize);
    assert!(bench.send(&whole).unwrap().is_ok());
    // By a form, of which nobody knows before its end whether there is a line end at it.
    let bench = Bench::new();
    let order = Order { length: CAPACITY + 2, exact: false, allow_downgrade: false };
    assert!(bench.run(bench.upload(&whole, 4096, order)).unwrap().is_ok());
    // Nor what else stands in it: an MD5 behind the file, say.
    let bench = Bench::new();
    let order = Order { length: CAPACITY + 200, exact: false, allow_downgrade: false };
    assert!(bench.run(bench.upload(&whole, 4096, order)).unwrap().is_ok());
    let longer = image("0.2.0", CAPACITY as usize - frame + 16);
    let bench = Bench::new();
    assert_eq!(bench.run(bench.upload(&longer, 4096, order)), refused(Refused::ImageTooLarge));
    assert!(!bench.flash.other_can_start());
    bench.is_unharmed("too long in a form");
    let bench = Bench::new();
    assert_eq!(bench.send(&longer), refused(Refused::ImageTooLarge));
}

#[test]
fn an_older_version_is_taken_if_it_is_meant() {
    let file = image("0.0.1", PAYLOAD);
    let bench = Bench::new();
    let order = Order { allow_downgrade: true, ..exactly(&file) };
    assert_eq!(bench.run(bench.upload(&file, 4096, order)).unwrap().unwrap().version, "0.0.1");
}

#[test]
fn what_is_found_out_too_late_is_never_chosen_and_cannot_be_started() {
    let good = image("0.2.0", PAYLOAD);
    let package = Package::new(&good, "0.2.0");
    let head = package.signed_by(&[]).len() - good.len();
    for at in [200, 1000, 5000, PAYLOAD, good.len() - 40, good.len() - 1] {
        let mut bare = good.clone();
        bare[at] ^= 0x10;
        let bench = Bench::new();
        assert_eq!(bench.send(&bare), refused(Refused::ImageDamaged), "{at}");
        assert!(!bench.flash.other_can_start(), "{at}");
        bench.is_unharmed("a damaged image");
        let mut file = package.signed_by(&[]);
        file[head + at] ^= 0x10;
        let bench = Bench::new();
        assert_eq!(bench.send(&file), refused(Refused::PackageDamaged), "{at}");
        assert!(!bench.flash.other_can_start(), "{at}");
    }
    // A whole image of another version under a good manifest would start, were it ever chosen.
    let other = image("0.2.0", PAYLOAD + 400);
    let mut file = package.signed_by(&[]);
    file.truncate(head);
    file.extend_from_slice(&other[..good.len()]);
    let bench = Bench::new();
    assert_eq!(bench.send(&file), refused(Refused::PackageDamaged));
    assert!(!bench.flash.other_can_start());
    for (file, why) in [
        ([good.as_slice(), &[0xff; 16]].concat(), Refused::ImageDamaged),
        (good[..good.len() - 16].to_vec(), Refused::ImageDamaged),
    ] {
        let bench = Bench::new();
        assert_eq!(bench.send(&file), refused(why));
        bench.is_unharmed("too long or too short");
    }
}

#[test]
fn an_upload_that_ends_anywhere_leaves_everything_as_it_was() {
    let file = Package::new(&image("0.2.0", PAYLOAD), "0.2.0").signed_by(&[&key(1)]);
    let head = file.len() - image("0.2.0", PAYLOAD).len();
    let mut ends = vec![0, 1, 5, 6, 100, head - 1, head, head + 1, head + 111, head + 112];
    for sector in 1..5 {
        let at = head + 4096 * sector;
        ends.extend([at - 1, at, at + 1, 4096 * sector - 1, 4096 * sector, 4096 * sector + 1]);
    }
    ends.extend([file.len() - 33, file.len() - 32, file.len() - 1, file.len()]);
    for end in ends {
        let bench = Bench::new();
        // The client goes away before the end: nothing is finished.
        let broken = bench.run(async {
            let upload = bench.desk().begin(exactly(&file), PEER, bench.now()).await.unwrap();
            let mut memory = Vec::new();
            for bytes in file[..end].chunks(4096) {
                memory.extend_from_slice(bytes);
                match upload.put(memory).await {
                    Ok(back) => memory = back,
                    Err(_) => return,
                }
            }
        });
        assert!(broken.is_some());
        assert!(end <= head + 112 || !bench.flash.other_can_start(), "{end}");
        bench.is_unharmed(&format!("ended after {end}"));
        // It says that it is complete and is not.
        let bench = Bench::new();
        if end < file.len() {
            let result = bench.run(bench.upload(&file[..end], 4096, exactly(&file))).unwrap();
            assert!(result.is_err(), "{end}");
            bench.is_unharmed(&format!("cut after {end}"));
        }
    }
}

#[test]
fn the_flash_may_fail_at_any_operation() {
    let file = image("0.2.0", PAYLOAD);
    let clean = Bench::new();
    assert!(clean.send(&file).unwrap().is_ok());
    let operations = clean.flash.changes.get();
    assert!(operations > 12, "{operations}");
    for at in 0..operations {
        for trouble in [Trouble::Error, Trouble::Silent] {
            let bench = Bench::new();
            bench.flash.trouble.set(Some((at, trouble)));
            let context = format!("{trouble:?} at {at}");
            match bench.send(&file).unwrap() {
                // A bit that stayed in what is written over, or erased again, harms nobody.
                Ok(_) => {
                    assert_eq!(trouble, Trouble::Silent, "{context}");
                    assert!(bench.flash.other.borrow().starts_with(&file), "{context}");
                    assert_eq!(bench.flash.next_start(), 1, "{context}");
                }
                Err(why) => {
                    assert_eq!(why, Fault::Flash, "{context}");
                    bench.is_unharmed(&context);
                }
            }
        }
    }
}

#[test]
fn the_power_may_go_at_any_operation() {
    let file = image("0.2.0", PAYLOAD);
    let clean = Bench::new();
    assert!(clean.send(&file).unwrap().is_ok());
    let operations = clean.flash.changes.get();
    let mut chosen = 0;
    for at in 0..operations {
        for trouble in [Trouble::Cut, Trouble::Half] {
            let bench = Bench::new();
            bench.flash.trouble.set(Some((at, trouble)));
            assert_eq!(bench.send(&file), None, "{trouble:?} at {at}");
            // What is chosen is whole: the old one, or the new one with all its bytes.
            if bench.flash.next_start() == 1 {
                chosen += 1;
                assert!(bench.flash.other.borrow().starts_with(&file), "{trouble:?} at {at}");
            }
            // After the start.
            let next = Bench { flash: bench.flash.clone(), ..Bench::new() };
            if next.flash.next_start() == 0 {
                next.is_unharmed(&format!("{trouble:?} at {at}"));
            }
        }
    }
    // Before the last write of all it is the old one.
    assert!(chosen <= 1, "{chosen}");
}

#[test]
fn one_at_a_time_and_a_place_that_is_kept() {
    let bench = Bench::new();
    let file = image("0.2.0", PAYLOAD);
    bench.run(async {
        let desk = bench.desk();
        let first = desk.begin(exactly(&file), PEER, bench.now()).await.unwrap();
        for peer in [PEER, OTHER] {
            assert_eq!(desk.begin(exactly(&file), peer, bench.now()).await.err(), Some(Fault::Busy));
            assert_eq!(desk.hold(peer, [1; 16], bench.now()), Err(Fault::Busy));
        }
        drop(first);
        yield_now().await;
        // Somebody said that it comes.
        let begun = bench.now();
        desk.hold(PEER, [1; 16], begun).unwrap();
        assert_eq!(desk.held_md5(OTHER, begun), None);
        assert_eq!(desk.hold(OTHER, [2; 16], begun), Err(Fault::Busy));
        assert_eq!(desk.begin(exactly(&file), OTHER, begun).await.err(), Some(Fault::Busy));
        desk.hold(PEER, [3; 16], begun).unwrap();
        let nearly = begun.after(limits::UPDATE_HOLD - std::time::Duration::from_millis(1));
        assert_eq!(desk.held_md5(PEER, nearly), Some([3; 16]));
        // Whoever knows the password does not wait.
        desk.release();
        assert_eq!((desk.held_md5(PEER, begun), desk.closed(OTHER, begun)), (None, None));
        desk.hold(PEER, [3; 16], begun).unwrap();
        let over = begun.after(limits::UPDATE_HOLD);
        assert_eq!(desk.held_md5(PEER, over), None);
        assert!(desk.begin(exactly(&file), OTHER, over).await.is_ok());
    });
    assert_eq!(bench.flash.changes.get(), 0);
    bench.is_unharmed("only words");
}

#[test]
fn no_sector_is_erased_while_the_current_is_near_its_limit() {
    let file = image("0.2.0", PAYLOAD);
    let near = |share: f64| {
        let mut status = Guard::new(basis().hardware).status(Moment::default());
        status.margins.current_a = Some(share * status.limits.current_limit.0);
        status
    };
    let bench = Bench::new();
    bench.state.put_protection(near(limits::UPDATE_MARGIN - 0.01));
    assert_eq!(bench.send(&file), Some(Err(Fault::NearTheLimit)));
    assert_eq!(bench.flash.changes.get(), 0);
    assert!(bench.clock.now.get() >= limits::UPDATE_CALM);
    bench.state.put_protection(near(limits::UPDATE_MARGIN));
    bench.is_unharmed("calm again");
    // It waits for an inrush to end.
    let bench = Bench::new();
    bench.state.put_protection(near(0.0));
    let (done, ()) = bench
        .run(zip(bench.upload(&file, 4096, exactly(&file)), async {
            bench.clock.sleep_until(Instant::default().after(limits::UPDATE_CALM / 2)).await;
            assert_eq!(bench.flash.changes.get(), 0);
            bench.state.put_protection(near(0.9));
        }))
        .unwrap();
    assert!(done.is_ok());
}

/// Uploads `file` while `change` is made to the settings before its last piece comes.
fn sent_while(bench: &Bench, file: &[u8], change: impl Fn(&mut Settings)) -> Result<Activated, Fault> {
    bench
        .run(async {
            let upload = bench.desk().begin(exactly(file), PEER, bench.now()).await?;
            let mut memory = Vec::new();
            for bytes in file.chunks(limits::UPDATE_PIECE) {
                memory.extend_from_slice(bytes);
                memory = upload.put(memory).await?;
            }
            change(&mut bench.state.settings.borrow_mut());
            upload.finish(memory).await
        })
        .unwrap()
}

#[test]
fn who_may_sign_is_asked_again_at_the_end() {
    let image = image("0.2.0", PAYLOAD);
    let known = Key::parse(&public(&key(1))).unwrap();
    let signed = Package::new(&image, "0.2.0").signed_by(&[&key(1)]);
    let accept = |accept| move |settings: &mut Settings| settings.update.accept = accept;
    let with_key = || {
        let bench = Bench::new();
        bench.state.settings.borrow_mut().update.keys = vec![known];
        bench
    };
    let retire = |settings: &mut Settings| {
        settings.update.keys.clear();
        settings.update.accept = AcceptWhat::Signed;
    };
    let refused = |why| Err(Fault::Refused(why));
    let bench = Bench::new();
    assert_eq!(sent_while(&bench, &image, accept(AcceptWhat::Signed)), refused(Refused::SignatureMissing));
    assert!(!bench.flash.other_can_start());
    bench.state.settings.borrow_mut().update.accept = AcceptWhat::Any;
    bench.is_unharmed("only signed ones now");
    let bench = with_key();
    assert_eq!(sent_while(&bench, &signed, retire), refused(Refused::SignatureUnknown));
    assert!(!bench.flash.other_can_start());
    bench.state.settings.borrow_mut().update.accept = AcceptWhat::Any;
    bench.is_unharmed("its key was retired");
    // What stays good is taken.
    let bench = with_key();
    assert!(sent_while(&bench, &signed, accept(AcceptWhat::Signed)).is_ok());
}
