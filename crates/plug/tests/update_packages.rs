//! Packages: how they are read, who may install what, and what becomes of the keys.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod update_support;

use plug::update::image::{AppImage, ChipId};
use plug::update::judge::{Candidate, Judged, PROJECT, Refused, Running, TooOld, judge};
use plug::update::keys::{Accept, AcceptWhat, AcceptedKeys, KEYS, Key, Source, UpdateSettings};
use plug::update::made::Made;
use plug::update::package::{Draft, HEAD_MOST, Header, MANIFEST_MOST, Manifest, PackageError};
use proptest::prelude::*;
use update_support::{draft, head, image, key};

const RUNNING: Running<'static> =
    Running { version: "0.2.0", project: PROJECT, chip: "pc", board: "virtual", capacity: 0x14_0000 };

fn accepting(keys: &[u8]) -> AcceptedKeys {
    let keys = keys.iter().map(|number| key(*number)).collect();
    AcceptedKeys::of(None, &UpdateSettings { accept: AcceptWhat::Signed, keys, ..UpdateSettings::default() })
}

fn anything() -> AcceptedKeys {
    AcceptedKeys::of(None, &UpdateSettings::default())
}

/// The verdict on an image with this head.
fn verdict(head: &[u8], image: &[u8], keys: &AcceptedKeys) -> Result<Judged, Refused> {
    meant(head, image, keys, false)
}

fn meant(head: &[u8], image: &[u8], keys: &AcceptedKeys, allow_downgrade: bool) -> Result<Judged, Refused> {
    let (header, length) = Header::parse(head)?.ok_or(Refused::PackageDamaged)?;
    assert_eq!(length, head.len());
    let app = AppImage::parse(image)?.ok_or(Refused::NotAnImage)?;
    let candidate = Candidate { header: Some(&header), image: &app, size: image.len() as u32 };
    judge(&RUNNING, &candidate, keys, allow_downgrade)
}

/// Signed by that key, and the keys stay as they are.
fn by(number: Option<u8>) -> Judged {
    Judged { signed_by: number.map(key), settings: None }
}

fn bare(image: &[u8], keys: &AcceptedKeys, allow_downgrade: bool) -> Result<Judged, Refused> {
    let app = AppImage::parse(image)?.ok_or(Refused::NotAnImage)?;
    judge(&RUNNING, &Candidate { header: None, image: &app, size: image.len() as u32 }, keys, allow_downgrade)
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let image = image("0.2.1");
    let (add, retire) = ([key(3), key(4)], [key(5)]);
    let draft = Draft { add: &add, retire: &retire, ..draft("0.2.1", &image) };
    let text = draft.to_string();
    assert!(
        text.starts_with("{\"version\":\"0.2.1\",\"project\":\"ossp-firmware\",\"chip\":\"pc\","),
        "{text}"
    );
    let manifest = Manifest::parse(&text).unwrap();
    assert_eq!(manifest.text(), text);
    assert_eq!((manifest.version.as_str(), manifest.oldest.as_str()), ("0.2.1", "0.1.0"));
    assert_eq!((manifest.size, manifest.sha256), (image.len() as u32, draft.sha256));
    assert_eq!((&*manifest.add, &*manifest.retire), (&add[..], &retire[..]));
    for (name, value) in [
        ("project", "ossp-firmware"),
        ("chip", "pc"),
        ("board", "virtual"),
        ("commit", "0123456789ab"),
        ("rustc", "1.96.0"),
        ("espflash", "4.0.0"),
    ] {
        assert_eq!(manifest.word(name), value);
    }
    // JSON for everybody else, too.
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["add"][1], key(4).to_string());
}

#[test]
fn a_manifest_has_one_form() {
    let image = image("0.2.1");
    let add = [key(3), key(4)];
    let text = Draft { add: &add, ..draft("0.2.1", &image) }.to_string();
    // A member of a later version may follow.
    let later = text.replace("]}", "],\"later\":{\"a\":[1]}}");
    assert_eq!(Manifest::parse(&later).unwrap().text(), later);
    let capital = key(3).to_string().to_uppercase();
    for (from, to) in [
        ("{\"version", "{ \"version"),
        (",\"chip", ", \"chip"),
        ("}", "} "),
        (":\"pc\"", ": \"pc\""),
        ("\"pc\"", "\"p\\u0063\""),
        ("\"pc\"", "\"p\u{e7}\""),
        ("\"pc\"", "null"),
        ("\"chip\"", "\"Chip\""),
        ("\"chip\":\"pc\",", ""),
        ("\"chip\":\"pc\",\"board\":\"virtual\"", "\"board\":\"virtual\",\"chip\":\"pc\""),
        ("\"chip\":\"pc\"", "\"chip\":\"pc\",\"chip\":\"pc\""),
        ("]}", "],\"chip\":\"pc\"}"),
        ("\"0.2.1\"", "\"0.2\""),
        ("\"0.1.0\"", "\"\""),
        ("\"size\":", "\"size\":0"),
        ("\"size\":", "\"size\":-"),
        ("\"size\":", "\"size\":9999999999"),
        (",\"sha256\":\"", ".0,\"sha256\":\""),
        (",\"sha256\":\"", "e1,\"sha256\":\""),
        ("\"sha256\":\"", "\"sha256\":\"0"),
        ("\",\"", "\", \""),
        ("[\"", "[ \""),
        (&*key(3).to_string(), &capital),
        (&*key(3).to_string(), &key(4).to_string()),
        ("\"retire\":[]", "\"retire\":[1]"),
        ("\"retire\":[]", "\"retire\":null"),
        ("\"retire\":[]", "\"retire\":[ ]"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from}");
        assert_eq!(Manifest::parse(&other), Err(PackageError::Damaged), "{from} -> {to}");
    }
    let long = |length: usize| text.replace("1.96.0", &"r".repeat(length));
    let room = MANIFEST_MOST - text.len() + "1.96.0".len();
    assert!(Manifest::parse(&long(room)).is_ok());
    assert!(Manifest::parse(&long(room + 1)).is_err());
}

#[test]
fn a_head_is_read_once_all_of_it_is_there() {
    let image = image("0.2.1");
    let add = [0, 1, 2, 3].map(key);
    let text = Draft { add: &add, retire: &[4, 5, 6, 7].map(key), ..draft("0.2.1", &image) }.to_string();
    assert!(text.len() <= MANIFEST_MOST, "{} bytes", text.len());
    for signers in [&[][..], &[1], &[1, 2, 3, 4]] {
        let head = head(&text, signers);
        for length in 0..head.len() {
            assert_eq!(Header::parse(&head[..length]), Ok(None), "{length}");
        }
        let package = [&*head, &image].concat();
        let (header, length) = Header::parse(&package).unwrap().unwrap();
        assert_eq!((length, header.signatures.len()), (head.len(), signers.len()));
        assert!(header.signatures.iter().all(|signature| header.manifest.is_signed(signature)));
    }
    let five = head(&text, &[1, 2, 3, 4, 5]);
    assert_eq!(Header::parse(&five), Err(PackageError::Damaged));
    assert_eq!(Header::parse(&head(&text, &[1, 1])), Err(PackageError::Damaged));
    for other in [&image[..], b"\x7fELF", b"OSSP2\n", b"ossp1\n"] {
        assert_eq!(Header::parse(other), Err(PackageError::NotAPackage));
    }
    // Nothing is waited for without end.
    let endless = [b"OSSP1\n", &[b'x'; HEAD_MOST - 6][..]].concat();
    assert_eq!(Header::parse(&endless), Err(PackageError::Damaged));
    let no_end = [b"OSSP1\n".as_slice(), text.as_bytes(), b"\n", &[b'0'; 200]].concat();
    assert_eq!(Header::parse(&no_end), Err(PackageError::Damaged));
}

/// Every bit of a head, turned: what is still taken says the same and was signed by somebody accepted.
#[test]
fn a_head_with_a_turned_bit_is_refused_or_says_the_same() {
    let image = image("0.2.1");
    let text = draft("0.2.1", &image).to_string();
    let head = head(&text, &[1, 2]);
    let keys = accepting(&[1]);
    assert_eq!(verdict(&head, &image, &keys), Ok(by(Some(1))));
    let (mut same, mut refused) = (0, 0);
    for at in 0..head.len() {
        for bit in 0..8 {
            let mut other = head.clone();
            other[at] ^= 1 << bit;
            match Header::parse(&other) {
                Ok(Some((header, length))) if length == other.len() => match verdict(&other, &image, &keys) {
                    Ok(judged) => {
                        assert_eq!(judged.signed_by, Some(key(1)));
                        assert_eq!(header.manifest.text(), text);
                        same += 1;
                    }
                    Err(_) => refused += 1,
                },
                // The rest of the head would be taken for the image.
                Ok(Some((_, length))) => {
                    assert!(AppImage::parse(&other[length..]).is_err());
                    refused += 1;
                }
                Ok(None) | Err(_) => refused += 1,
            }
        }
    }
    // Of the second signature, which counts for nobody here, some letters can be others.
    assert!(same > 100 && same < 194 * 8 && refused > 8 * (head.len() - 194), "{same} {refused}");
}

#[test]
fn who_may_install_what() {
    let newer = image("0.2.1");
    let text = draft("0.2.1", &newer).to_string();
    let known = || Ok(by(Some(1)));
    let nobody = || Ok(by(None));
    for (signers, keys, expected) in [
        (&[1][..], accepting(&[1]), known()),
        (&[2, 1], accepting(&[1, 3]), known()),
        (&[2], accepting(&[1]), Err(Refused::SignatureUnknown)),
        (&[1], accepting(&[]), Err(Refused::SignatureUnknown)),
        (&[], accepting(&[1]), Err(Refused::SignatureMissing)),
        (&[], anything(), nobody()),
        (&[2], anything(), nobody()),
    ] {
        assert_eq!(verdict(&head(&text, signers), &newer, &keys), expected, "{signers:?}");
    }
    // A wrong signature by somebody known is an attempt, whoever else signed and whatever is taken.
    let wrong = {
        let (good, other) = (head(&text, &[1, 2]), head(&text.replace("1.96.0", "1.96.1"), &[1]));
        let mut wrong = good.clone();
        let line = text.len() + 7;
        wrong[line..line + 194].copy_from_slice(&other[line..line + 194]);
        wrong
    };
    assert_eq!(verdict(&wrong, &newer, &accepting(&[1, 2])), Err(Refused::SignatureWrong));
    assert_eq!(verdict(&wrong, &newer, &accepting(&[2])), Ok(by(Some(2))));
    let mine = UpdateSettings { accept: AcceptWhat::Any, keys: vec![key(1)], ..UpdateSettings::default() };
    assert_eq!(verdict(&wrong, &newer, &AcceptedKeys::of(None, &mine)), Err(Refused::SignatureWrong));
    assert_eq!(bare(&newer, &anything(), false), nobody());
    assert_eq!(bare(&newer, &accepting(&[1]), false), Err(Refused::SignatureMissing));
}

#[test]
fn what_is_for_something_else_is_refused_whoever_signed_it() {
    let newer = image("0.2.1");
    let keys = accepting(&[1]);
    let fault = |draft: Draft<'_>| verdict(&head(&draft.to_string(), &[1]), &newer, &keys).unwrap_err();
    let draft = || draft("0.2.1", &newer);
    assert_eq!(fault(Draft { board: "ossp-devkit-c3", ..draft() }), Refused::WrongBoard);
    let too_old = fault(Draft { oldest: "0.2.1-rc.1", ..draft() });
    assert_eq!(too_old, Refused::VersionTooOldToInstall(Box::new(TooOld::new("0.2.0", "0.2.1-rc.1"))));
    assert_eq!(
        too_old.to_string(),
        "This plug runs 0.2.0, and only 0.2.1-rc.1 or newer can install this: install 0.2.1-rc.1 first."
    );
    // A manifest that says something else than its image was made by mistake.
    for other in [
        Draft { chip: "esp32c3", ..draft() },
        Draft { project: "other", ..draft() },
        Draft { version: "0.2.2", ..draft() },
        Draft { size: draft().size + 1, ..draft() },
    ] {
        assert_eq!(fault(other), Refused::PackageDamaged);
    }
    let made = |chip, project, version| Made { chip, project, version, text: "", size: 0 }.image();
    let bare = |image: &[u8]| bare(image, &anything(), false).unwrap_err();
    assert_eq!(bare(&made(ChipId(13), PROJECT, "0.2.1")), Refused::WrongChip(ChipId(13)));
    assert_eq!(bare(&made(ChipId(77), PROJECT, "0.2.1")), Refused::WrongChip(ChipId(77)));
    assert_eq!(bare(&made(ChipId::PC, "other", "0.2.1")), Refused::WrongProject);
    let app = AppImage::parse(&newer).unwrap().unwrap();
    let large = Candidate { header: None, image: &app, size: RUNNING.capacity + 1 };
    assert_eq!(judge(&RUNNING, &large, &anything(), true), Err(Refused::ImageTooLarge));
    let fits = Candidate { header: None, image: &app, size: RUNNING.capacity };
    assert!(judge(&RUNNING, &fits, &anything(), true).is_ok());
}

#[test]
fn an_older_version_must_be_wanted() {
    for (version, older) in [
        ("0.2.0", false),
        ("0.2.1-rc.1", false),
        ("1.0.0", false),
        ("0.2.0-rc.1", true),
        ("0.1.9", true),
        ("next", true),
    ] {
        let image = image(version);
        let expected = if older { Err(Refused::OlderVersion) } else { Ok(by(None)) };
        assert_eq!(bare(&image, &anything(), false), expected, "{version}");
        assert_eq!(bare(&image, &anything(), true), Ok(by(None)), "{version}");
    }
}

#[test]
fn every_refusal_has_a_code_and_a_sentence() {
    let all = [
        Refused::ImageTooLarge,
        Refused::NotAnImage,
        Refused::ImageDamaged,
        Refused::PackageDamaged,
        Refused::WrongChip(ChipId(13)),
        Refused::WrongProject,
        Refused::WrongBoard,
        Refused::SignatureMissing,
        Refused::SignatureUnknown,
        Refused::SignatureWrong,
        Refused::OlderVersion,
        Refused::VersionTooOldToInstall(Box::new(TooOld::new("0.2.0", "0.2.1-rc.1"))),
        Refused::KeysDoNotFit,
        Refused::SignersRetired,
    ];
    let mut codes = Vec::new();
    for refused in &all {
        let sentence = refused.to_string();
        assert!(sentence.ends_with('.') && sentence.len() > 20 && sentence.len() <= 96, "{sentence}");
        codes.push(refused.code());
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all.len());
}

fn manifest(add: &[u8], retire: &[u8]) -> Manifest {
    let keys = |numbers: &[u8]| numbers.iter().map(|number| key(*number)).collect::<Vec<_>>();
    let image = image("0.2.1");
    let draft = Draft { add: &keys(add), retire: &keys(retire), ..draft("0.2.1", &image) };
    Manifest::parse(&draft.to_string()).unwrap()
}

#[test]
fn keys_come_and_go_with_packages() {
    let of = |built: Option<u8>, accept, keys: &[u8], retired: &[u8]| {
        let keys_of = |numbers: &[u8]| numbers.iter().map(|number| key(*number)).collect::<Vec<_>>();
        let settings = UpdateSettings {
            accept,
            keys: keys_of(keys),
            retired: keys_of(retired),
            ..UpdateSettings::default()
        };
        AcceptedKeys::of(built.map(key), &settings)
    };
    use AcceptWhat::{Any, Default, Signed};
    let after = |before: &AcceptedKeys, add: &[u8], retire: &[u8]| before.after(&manifest(add, retire));
    // Nothing to do.
    assert_eq!(after(&of(Some(1), Default, &[2], &[]), &[], &[]), Ok(None));
    assert_eq!(after(&of(Some(1), Default, &[2], &[]), &[1, 2], &[]), Ok(None));
    assert_eq!(after(&of(Some(1), Default, &[2], &[1, 3]), &[1, 3], &[]), Ok(None));
    for (built, accept, keys, retired, add, retire, expected) in [
        // The project's key is followed by another.
        (Some(1), Default, &[][..], &[][..], &[2][..], &[1][..], Some((&[2][..], &[1][..]))),
        (Some(1), Default, &[3], &[], &[2], &[1], Some((&[3, 2], &[1]))),
        // What is the owner's is only taken out of the list.
        (Some(1), Default, &[3, 2], &[], &[], &[2], Some((&[3], &[]))),
        // What is retired stays so, whoever adds it.
        (Some(1), Default, &[2], &[1], &[1], &[2], None),
        (None, Signed, &[2], &[3], &[3, 4], &[], Some((&[2, 4], &[3]))),
        // The last one stays while only signed packages are taken.
        (Some(1), Default, &[], &[], &[], &[1], None),
        (None, Signed, &[1], &[], &[], &[1], None),
        (Some(1), Signed, &[2], &[1], &[], &[2], None),
        (None, Default, &[1], &[], &[], &[1], Some((&[], &[]))),
        (Some(1), Any, &[], &[], &[], &[1], Some((&[], &[1]))),
        // There is room for four of each.
        (Some(1), Default, &[2, 3, 4], &[], &[5], &[], Some((&[2, 3, 4, 5], &[]))),
        (Some(1), Default, &[2, 3, 4, 5], &[], &[6], &[], None),
        (Some(1), Default, &[2, 3, 4, 5], &[], &[6], &[2], Some((&[3, 4, 5, 6], &[]))),
        // The fifth key of a project takes the place of what no build has any more, not of what the owner has too.
        (Some(1), Default, &[6], &[2, 3, 4, 5], &[], &[1], Some((&[6], &[3, 4, 5, 1]))),
        (Some(1), Default, &[6, 2], &[2, 3, 4, 5], &[], &[1], Some((&[6, 2], &[2, 4, 5, 1]))),
        (Some(1), Any, &[2, 3, 4, 5], &[2, 3, 4, 5], &[], &[1], None),
    ] {
        let before = of(built, accept, keys, retired);
        let expected = expected.map_or(Err(Refused::KeysDoNotFit), |(keys, retired)| {
            let after = of(built, accept, keys, retired);
            Ok((keys.to_vec(), retired.to_vec(), after))
        });
        match (after(&before, add, retire), expected) {
            (Err(error), Err(expected)) => assert_eq!(error, expected),
            (Ok(Some(settings)), Ok((_, _, expected))) => {
                assert_eq!(AcceptedKeys::of(built.map(key), &settings), expected);
            }
            (other, expected) => panic!("{other:?} {expected:?}"),
        }
    }
}

#[test]
fn a_project_can_change_its_key_for_ever() {
    let mut settings = UpdateSettings::default();
    for number in 1..20 {
        let built = AcceptedKeys::of(Some(key(number)), &settings);
        settings = built.after(&manifest(&[number + 1], &[number])).unwrap().unwrap();
        // The next release is built with it, and gives the old one no place back.
        let next = AcceptedKeys::of(Some(key(number + 1)), &settings);
        assert!(next.has(&key(number + 1)) && !next.has(&key(number)), "{settings:?}");
    }
}

#[test]
fn a_package_that_leaves_no_key_is_refused_before_anything_is_written() {
    let newer = image("0.2.1");
    let retire = [key(1)];
    let text = Draft { retire: &retire, ..draft("0.2.1", &newer) }.to_string();
    assert_eq!(verdict(&head(&text, &[1]), &newer, &accepting(&[1])), Err(Refused::KeysDoNotFit));
    assert!(verdict(&head(&text, &[1, 2]), &newer, &accepting(&[1, 2])).is_ok());
    // Whose signature is not accepted retires nothing.
    assert!(verdict(&head(&text, &[2]), &newer, &anything()).is_ok());
}

/// The plug may come back from it, or lose its power before it is activated: then it is installed once more.
#[test]
fn a_package_that_changes_keys_can_be_installed_twice() {
    let newer = image("0.2.1");
    let (add, retire) = ([key(2)], [key(1)]);
    let text = Draft { add: &add, retire: &retire, ..draft("0.2.1", &newer) }.to_string();
    let built = |settings: &UpdateSettings| AcceptedKeys::of(Some(key(1)), settings);
    for keys in [accepting(&[1]), built(&UpdateSettings::default())] {
        assert_eq!(verdict(&head(&text, &[1]), &newer, &keys), Err(Refused::SignersRetired));
        assert_eq!(verdict(&head(&text, &[1, 3]), &newer, &keys), Err(Refused::SignersRetired));
        let both = head(&text, &[1, 2]);
        let first = verdict(&both, &newer, &keys).unwrap();
        let after = keys.with(&first.settings.unwrap());
        assert!(after.has(&key(2)) && !after.has(&key(1)));
        assert_eq!(verdict(&both, &newer, &after), Ok(by(Some(2))));
    }
    // The new key's signature is looked at, too.
    let mut wrong = head(&text, &[1, 2]);
    let last = wrong.len() - 3;
    wrong[last] = if wrong[last] == b'0' { b'1' } else { b'0' };
    assert_eq!(verdict(&wrong, &newer, &accepting(&[1])), Err(Refused::SignatureWrong));
    // Where anything is taken it needs none.
    let any = UpdateSettings { accept: AcceptWhat::Any, keys: vec![key(1)], ..UpdateSettings::default() };
    assert!(verdict(&head(&text, &[1]), &newer, &AcceptedKeys::of(None, &any)).unwrap().settings.is_some());
}

/// Whoever has a package that was overtaken can send it again: that undoes nothing.
#[test]
fn only_a_newer_package_changes_keys() {
    for (version, changes) in [("0.2.1", true), ("0.2.0", false), ("0.2.0+again", false), ("0.1.9", false)] {
        let image = image(version);
        let (add, retire) = ([key(3)], [key(2)]);
        let text = Draft { add: &add, retire: &retire, ..draft(version, &image) }.to_string();
        let judged = meant(&head(&text, &[1]), &image, &accepting(&[1, 2]), true).unwrap();
        assert_eq!(judged.settings.is_some(), changes, "{version}");
        assert_eq!(judged.signed_by, Some(key(1)));
    }
}

#[test]
fn what_is_accepted_follows_the_build_and_the_owner() {
    let all = |built: Option<u8>, keys: &[u8], retired: &[u8]| {
        let keys_of = |numbers: &[u8]| numbers.iter().map(|number| key(*number)).collect();
        let settings =
            UpdateSettings { keys: keys_of(keys), retired: keys_of(retired), ..UpdateSettings::default() };
        let accepted = AcceptedKeys::of(built.map(key), &settings);
        (accepted.accept(), accepted.iter().collect::<Vec<_>>())
    };
    let (project, mine) = (|number| (key(number), Source::Project), |number| (key(number), Source::Owner));
    assert_eq!(all(None, &[], &[]), (Accept::Any, vec![]));
    assert_eq!(all(Some(1), &[], &[]), (Accept::Signed, vec![project(1)]));
    assert_eq!(all(Some(1), &[2, 3], &[]), (Accept::Signed, vec![project(1), mine(2), mine(3)]));
    assert_eq!(all(Some(1), &[2, 3], &[1, 3]), (Accept::Signed, vec![mine(2)]));
    // Also where it is added by hand: retired is retired, each is told once.
    assert_eq!(all(Some(1), &[1], &[1]), (Accept::Signed, vec![]));
    assert_eq!(all(Some(1), &[1], &[]), (Accept::Signed, vec![mine(1)]));
    assert_eq!(all(None, &[2], &[]), (Accept::Any, vec![mine(2)]));
    assert_eq!(KEYS, 4);
    assert_eq!(Key::parse(&key(1).to_string()), Some(key(1)));
}

proptest! {
    /// Whatever comes: no panic, no end that lies outside, and what is read is written so.
    #[test]
    fn any_head_at_all_is_read_or_refused(
        flips in proptest::collection::vec((0..700_usize, proptest::num::u8::ANY), 0..4),
        cut in 0..800_usize,
    ) {
        let image = image("0.2.1");
        let mut head = head(&draft("0.2.1", &image).to_string(), &[1, 2]);
        for (at, byte) in &flips {
            if let Some(place) = head.get_mut(*at) {
                *place = *byte;
            }
        }
        head.truncate(cut);
        if let Ok(Some((header, length))) = Header::parse(&head) {
            prop_assert!(length <= head.len());
            let mut again = b"OSSP1\n".to_vec();
            again.extend_from_slice(header.manifest.text().as_bytes());
            again.push(b'\n');
            for signature in &header.signatures {
                again.extend_from_slice(signature.to_string().as_bytes());
                again.push(b'\n');
            }
            again.push(b'\n');
            prop_assert_eq!(&again[..], &head[..length]);
        }
    }
}
