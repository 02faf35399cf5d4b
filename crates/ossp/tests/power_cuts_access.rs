//! Power cuts while it is stored whose plug it is and which tokens there are: at any step of a write or an erase, also
//! in the repair. Afterwards the plug has the old or the new, and is never nobody's once it was somebody's.
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
    let plug = Plug::new(flash.clone());
    let mut store = plug.store();
    block_on(store.load()).unwrap();
    plug.0.try_lock().unwrap().as_mut().unwrap().cut_power_after(after);
    let outcome = block_on(store.save(new));
    let mut flash = plug.into_flash();
    flash.restore_power();
    if let Some(after) = repair {
        flash.cut_power_after(after);
        let plug = Plug::new(flash);
        let _ = plug.load();
        flash = plug.into_flash();
        flash.restore_power();
    }
    let plug = Plug::new(flash);
    let found = plug.load().unwrap();
    assert!(outcome.is_err() || found == *new, "stored, and not there");
    assert_eq!(plug.load().as_ref(), Ok(&found), "a start changes nothing");
    plug.save(new).unwrap();
    assert_eq!(plug.load().as_ref(), Ok(new));
    found
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
    let whole = SimFlash::new(112, 3);
    let shared: Shared<SimFlash> = Shared::new(Some(whole));
    let mut store = AccessStore::new(Region::new(&shared, ACCESS));
    let kept = Kept { ha1: Some(Ha1::of("0a1b2c3d", "correct horse")), ..Kept::new() };
    block_on(store.save(&kept)).unwrap();
    block_on(async { reset::forget_access(shared.lock().await.as_mut().unwrap()).await.unwrap() });
    let mut store = AccessStore::new(Region::new(&shared, ACCESS));
    assert_eq!(block_on(store.load()), Ok(Kept::new()));
}
