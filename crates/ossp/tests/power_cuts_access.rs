//! Power cuts while it is stored whose plug it is and which tokens there are: at any step of a write or an erase, also
//! in the repair. Afterwards the plug has the old or the new, and is never nobody's once it was somebody's; nor is it
//! after damage, which closes it. A password that was changed does not come back by either.
//!
//! `OSSP_POWER_CUTS` is how many cuts (700; 35,000 in `./ci.sh long`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod power_cuts;

use futures_lite::future::block_on;
use ossp::sim::flash::SimFlash;
use plug::access::{AccessStore, Ha1, Kept, Right, TOKENS, Token, Unreadable, token_name};
use plug::settings::SaveError;
use plug::storage::layout::ACCESS;
use plug::storage::region::{Region, Shared};
use plug::storage::reset;

use power_cuts::{Dice, cuts, flash, progress, steps};

/// A plug with this flash; the flash comes back.
struct Plug(Shared<SimFlash>);

impl Plug {
    fn new(flash: SimFlash) -> Self {
        Self(Shared::new(Some(flash)))
    }

    fn store(&self) -> AccessStore<Region<'_, SimFlash>> {
        let place = plug::storage::layout::Place { from: 0, length: ACCESS.length };
        AccessStore::new(Region::new(&self.0, place))
    }

    fn load(&self) -> Result<Kept, Unreadable> {
        block_on(self.store().load())
    }

    fn save(&self, kept: &Kept) -> Result<(), SaveError> {
        let mut store = self.store();
        let _ = block_on(store.load());
        block_on(store.save(kept))
    }

    fn into_flash(self) -> SimFlash {
        self.0.into_inner().unwrap()
    }
}

/// Another password, a new token, or one less.
fn change(dice: &mut Dice, before: &Kept) -> Kept {
    let mut kept = before.clone();
    let many = kept.tokens.len();
    match dice.below(5) {
        0 => kept.ha1 = Some(Ha1::of("0a1b2c3d", &dice.roll().to_string())),
        1 if many > 0 => drop(kept.tokens.remove(dice.below(many as u64) as usize)),
        _ => {
            if many == TOKENS {
                kept.tokens.remove(0);
            }
            let name = token_name(&"n".repeat(1 + dice.below(32) as usize)).unwrap();
            let hash = [dice.roll() as u8; 32];
            let (scope, created) = (Right::Control, dice.one_in(2).then(|| dice.roll()));
            kept.tokens.push(Token { id: kept.next_token, name, scope, created, hash }).unwrap();
            kept.next_token += 1;
        }
    }
    kept
}

#[test]
fn after_any_power_cut_there_is_the_old_or_the_new() {
    let wanted = cuts();
    let mut dice = Dice::new(5);
    let mut plug = Plug::new(flash(ACCESS, 42));
    assert_eq!(plug.load(), Ok(Kept::new()));
    let mut old = Kept::new();
    let (mut done, mut kept, mut taken) = (0, 0, 0);
    while done < wanted {
        let new = change(&mut dice, &old);
        let before = plug.into_flash();
        let whole = Plug::new(before.clone());
        whole.save(&new).unwrap();
        let after = whole.into_flash();
        let steps = steps(&before, &after);
        for _ in 0..4 {
            // Mostly anywhere; at times in the last step, which decides, or just after it.
            let last = u64::from(steps).saturating_sub(dice.below(2));
            let at = if dice.one_in(4) { last } else { dice.below(u64::from(steps.max(1))) } as u32;
            let repair = dice.one_in(3).then(|| dice.below(12) as u32);
            let found = cut(&before, at, repair, &new);
            assert!(found == old || found == new, "cut {done} after {at} of {steps} steps: a mixture");
            *if found == new { &mut taken } else { &mut kept } += 1;
            done += 1;
            progress("access", done, wanted);
        }
        plug = Plug::new(after);
        assert_eq!(plug.load().as_ref(), Ok(&new));
        // Numbers of tokens are not endless.
        old = if new.next_token > 60_000 {
            Kept { tokens: heapless::Vec::new(), next_token: 1, ..new }
        } else {
            new
        };
        if old.next_token == 1 {
            plug.save(&old).unwrap();
        }
    }
    assert!(kept > wanted / 2 && taken > wanted / 20, "{kept} kept, {taken} taken");
    assert!(plug.into_flash().erases() > 0);
}

/// What a start finds after one whose saving was cut off after so many steps, and perhaps the next start as well.
fn cut(flash: &SimFlash, after: u32, repair: Option<u32>, new: &Kept) -> Kept {
    let (mut flash, stored) = saved_until(flash.clone(), after, new);
    if let Some(after) = repair {
        flash.cut_power_after(after);
        let plug = Plug::new(flash);
        let _ = plug.load();
        flash = plug.into_flash();
        flash.restore_power();
    }
    let plug = Plug::new(flash);
    let found = plug.load().unwrap();
    assert!(!stored || found == *new, "stored, and not there");
    assert_eq!(plug.load().as_ref(), Ok(&found), "a start changes nothing");
    plug.save(new).unwrap();
    assert_eq!(plug.load().as_ref(), Ok(new));
    found
}

/// What a power cut after so many steps of a change leaves, and whether the change was said to be stored.
fn saved_until(mut flash: SimFlash, steps: u32, new: &Kept) -> (SimFlash, bool) {
    flash.cut_power_after(steps);
    let plug = Plug::new(flash);
    let stored = block_on(plug.store().save(new)).is_ok();
    let mut flash = plug.into_flash();
    flash.restore_power();
    (flash, stored)
}

/// What lies in the flash after these changes, one after the other.
fn after(changes: &[Kept], seed: u64) -> SimFlash {
    let plug = Plug::new(flash(ACCESS, seed));
    changes.iter().for_each(|kept| plug.save(kept).unwrap());
    plug.into_flash()
}

/// What a start finds.
fn found(flash: &SimFlash) -> Result<Kept, Unreadable> {
    Plug::new(flash.clone()).load()
}

/// Steps of this change.
fn steps_of(flash: &SimFlash, new: &Kept) -> u32 {
    let plug = Plug::new(flash.clone());
    plug.save(new).unwrap();
    steps(flash, &plug.into_flash())
}

/// A first set-up, another password, a token.
fn history() -> [Kept; 3] {
    let first = Kept { ha1: Some(Ha1::of("0a1b2c3d", "correct horse")), ..Kept::new() };
    let second = Kept { ha1: Some(Ha1::of("0a1b2c3d", "battery staple")), ..first.clone() };
    let mut third = second.clone();
    let name = token_name("Home Assistant").unwrap();
    third.tokens.push(Token { id: 1, name, scope: Right::Control, created: None, hash: [7; 32] }).unwrap();
    third.next_token = 2;
    [first, second, third]
}

/// Whether the owner's record of `kept` can be read anywhere in the flash.
fn can_be_read(flash: &mut SimFlash, kept: &Kept) -> bool {
    let plug = Plug::new(self::flash(ACCESS, 1));
    plug.save(kept).unwrap();
    let mut other = plug.into_flash();
    let at = other.bytes().windows(6).position(|six| six == b"owner ").unwrap();
    let secret = other.bytes()[at..at + 70].to_vec();
    flash.bytes().windows(70).any(|bytes| bytes == secret)
}

/// Each bit of what is written, and some of all the others.
fn bits(flash: &mut SimFlash) -> Vec<usize> {
    let written = flash.bytes().iter().enumerate().filter(|(_, byte)| **byte != 0xff);
    let mut bits: Vec<usize> = written.flat_map(|(at, _)| at * 8..at * 8 + 8).collect();
    bits.extend((0..ACCESS.length as usize * 8).step_by(1009));
    bits
}

#[test]
fn a_cut_at_each_step_leaves_the_old_or_the_new_and_no_old_password() {
    let [first, second, third] = history();
    for many in 0..3 {
        let all = [&Kept::new(), &first, &second, &third];
        let (old, new) = (all[many], all[many + 1]);
        for seed in 0..3 {
            let before = after(&history()[..many], seed);
            for step in 0..steps_of(&before, new) {
                let (mut flash, stored) = saved_until(before.clone(), step, new);
                let kept = found(&flash);
                assert!(kept.as_ref() == Ok(new) || !stored && kept.as_ref() == Ok(old), "{many}: {step}");
                // The start finishes what was cut, also if it is cut itself.
                for cut in (0..12).chain([u32::MAX]) {
                    flash.cut_power_after(cut);
                    let plug = Plug::new(flash);
                    assert!(plug.load() == kept || cut < 12, "{many}: {step}: a start changes nothing");
                    flash = plug.into_flash();
                    flash.restore_power();
                    assert_eq!(found(&flash), kept, "{many}: {step}: {cut}");
                }
                let gone = if kept.as_ref() == Ok(new) { old } else { new };
                if gone.ha1.is_some() && kept.as_ref() != Ok(&Kept::new()) && old.ha1 != new.ha1 {
                    assert!(!can_be_read(&mut flash, gone), "{many}: {step}");
                }
            }
        }
    }
}

#[test]
fn no_flipped_bit_gives_the_plug_away_or_brings_an_old_password_back() {
    for many in 1..=3 {
        let kept = &history()[many - 1];
        let mut whole = after(&history()[..many], 9);
        let (mut holds, mut closed) = (0, 0);
        for bit in bits(&mut whole) {
            let mut flash = whole.clone();
            flash.bytes()[bit / 8] ^= 1 << (bit % 8);
            match found(&flash) {
                Ok(found) => {
                    assert!(found == *kept, "{many}: bit {bit}");
                    holds += 1;
                }
                Err(Unreadable) => closed += 1,
            }
        }
        // The marker may be damaged, the record may not.
        assert!(holds >= 64 && closed >= 100 * 8, "{many}: {holds} hold, {closed} are closed");
    }
}

#[test]
fn neither_does_one_after_a_power_cut() {
    let [first, second, _] = history();
    let mut closed = 0;
    for seed in 0..3 {
        let before = after(std::slice::from_ref(&first), seed);
        let steps = steps_of(&before, &second);
        // The last words of the record, the marker, the strike and the erase of the other half.
        for step in steps - 12..steps {
            let (mut cut, stored) = saved_until(before.clone(), step, &second);
            // Of a half-erased half there is much to flip.
            for bit in bits(&mut cut).into_iter().step_by(5) {
                let mut flash = cut.clone();
                flash.bytes()[bit / 8] ^= 1 << (bit % 8);
                match found(&flash) {
                    Ok(found) => assert!(
                        found == second || found == first && !stored,
                        "seed {seed}: {step} of {steps}: bit {bit}"
                    ),
                    Err(Unreadable) => closed += 1,
                }
            }
        }
    }
    assert!(closed > 1000, "{closed}");
}

#[test]
fn a_half_whose_erase_has_just_begun_is_no_damaged_one() {
    let [first, second, _] = history();
    let before = after(std::slice::from_ref(&first), 4);
    // The erase of the other half is the last.
    let (cut, stored) = saved_until(before.clone(), steps_of(&before, &second) - 4, &second);
    assert!(stored);
    // One bit that came up, or some of them.
    for bit in 0..128 * 8 {
        let mut flash = cut.clone();
        for bit in (bit..128 * 8).step_by(1 + bit) {
            flash.bytes()[bit / 8] |= 1 << (bit % 8);
        }
        assert_eq!(found(&flash).as_ref(), Ok(&second), "bit {bit}");
    }
}

#[test]
fn what_is_not_ours_is_not_nobodys() {
    let [first, ..] = history();
    for byte in (0..=0xfe).step_by(0x11).chain([0xfe]) {
        let mut full = flash(ACCESS, 1);
        full.bytes().fill(byte);
        assert_eq!(found(&full), Err(Unreadable), "{byte:#x}");
        // Also in any single sector, unless the owner's record stands in another.
        for from in (0..ACCESS.length as usize).step_by(4096) {
            for (changes, otherwise) in [(&[][..], None), (std::slice::from_ref(&first), Some(&first))] {
                let mut flash = after(changes, 1);
                flash.bytes()[from..from + 4096].fill(byte);
                let kept = found(&flash);
                let harmless = otherwise.is_some() && from > 0;
                assert_eq!(kept.is_ok(), harmless, "{byte:#x} at {from}");
                assert!(kept.is_err() || kept.as_ref().ok() == otherwise);
            }
        }
    }
}

#[test]
fn who_is_cut_while_forgetting_is_let_in_by_the_second_time() {
    for many in 1..=2 {
        let kept = &history()[many - 1];
        for seed in 0..8 {
            let place = after(&history()[..many], seed);
            let mut before = SimFlash::new(plug::storage::layout::SECTORS as usize, seed);
            let from = ACCESS.from as usize;
            let to = from + ACCESS.length as usize;
            before.bytes()[from..to].copy_from_slice(place.clone().bytes());
            // Each sector's erase can be cut four times.
            for step in 0..4 * (ACCESS.length / 4096) {
                let mut flash = before.clone();
                flash.cut_power_after(step);
                assert!(block_on(reset::forget_access(&mut flash)).is_err());
                flash.restore_power();
                let load = |flash: &SimFlash| {
                    let shared: Shared<SimFlash> = Shared::new(Some(flash.clone()));
                    block_on(AccessStore::new(Region::new(&shared, ACCESS)).load())
                };
                // As it was, closed or nobody's: as if it was not begun, or was done.
                let half_way = load(&flash);
                assert!(
                    half_way.as_ref().is_ok_and(|found| found == kept || found.ha1.is_none())
                        || half_way.is_err()
                );
                block_on(reset::forget_access(&mut flash)).unwrap();
                assert_eq!(load(&flash), Ok(Kept::new()));
            }
        }
    }
}

#[test]
fn a_broken_flash_is_not_one_that_is_nobodys() {
    let mut broken = flash(ACCESS, 1);
    broken.break_down();
    let plug = Plug::new(broken);
    assert_eq!(plug.load(), Err(Unreadable));
    assert_eq!(plug.save(&Kept::new()), Err(SaveError::Flash));
}

#[test]
fn who_forgets_the_owner_has_a_new_plug() {
    let whole = SimFlash::new(plug::storage::layout::SECTORS as usize, 3);
    let shared: Shared<SimFlash> = Shared::new(Some(whole));
    let mut store = AccessStore::new(Region::new(&shared, ACCESS));
    let kept = Kept { ha1: Some(Ha1::of("0a1b2c3d", "correct horse")), ..Kept::new() };
    block_on(store.save(&kept)).unwrap();
    block_on(async { reset::forget_access(shared.lock().await.as_mut().unwrap()).await.unwrap() });
    let mut store = AccessStore::new(Region::new(&shared, ACCESS));
    assert_eq!(block_on(store.load()), Ok(Kept::new()));
}
