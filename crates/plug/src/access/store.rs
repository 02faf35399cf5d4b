//! Who may do what in the flash: one text in two halves ([`crate::storage::halves`]), so that a power cut leaves the old
//! or the new, and what is damaged closes the plug: it is not nobody's, and no old password comes back.

use core::fmt::Write;

use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;

use super::kept::{Kept, Token, Unreadable};
use crate::state::State;
use crate::storage::halves::Halves;
use crate::storage::item::SaveError;

/// Reads and writes it; one task has it.
pub struct AccessStore<F>(Halves<F>);

impl<F: NorFlash> AccessStore<F> {
    /// A store in a flash of at least two sectors (see [`crate::storage::layout::ACCESS`]).
    pub const fn new(flash: F) -> Self {
        Self(Halves::new(flash))
    }

    /// Reads what is stored: nobody's if nothing ever was. Finishes a change that a power cut has interrupted. Dropping the future is a power cut.
    ///
    /// # Errors
    /// Something is there that cannot be read or understood.
    pub async fn load(&mut self) -> Result<Kept, Unreadable> {
        let mut kept = Ok(Kept::new());
        self.0.load(&mut |bytes| kept = Kept::read(bytes)).await.map_err(|_| Unreadable)?;
        kept
    }

    /// Stores it. Once this returns `Ok` it is what the next start reads; until then, and after a power cut in here,
    /// it reads the old or the new. Dropping the future is a power cut.
    ///
    /// # Errors
    /// Why it did not work; the old holds.
    pub async fn save(&mut self, kept: &Kept) -> Result<(), SaveError> {
        self.0.save(&|out| kept.write(out)).await
    }
}

/// Opens [`State::access`] with what is stored. Where nothing can be stored (`there` is false) the plug is nobody's.
pub async fn begin<F: NorFlash>(
    store: &mut AccessStore<F>,
    there: bool,
    state: &State,
    identity: &str,
    seed: [u8; 32],
    mut say: impl FnMut(&str),
) {
    let kept = if there { store.load().await } else { Ok(Kept::new()) };
    if kept.is_err() {
        say("whose plug this is cannot be read: nobody can sign in before a factory reset");
    }
    state.access.open(kept, identity, seed);
}

/// Stores one change after the other; each holds once it is stored, and is a line of the plug's log, which `say` takes.
/// Call [`begin`] first. Runs for ever; dropping the future is a power cut for a change that is under way.
pub async fn run<F: NorFlash>(store: &mut AccessStore<F>, state: &State, mut say: impl FnMut(&str)) -> ! {
    let access = &state.access;
    loop {
        let kept = access.desk.next().await;
        let outcome = store.save(&kept).await;
        if outcome.is_ok() {
            tell(&access.kept(), &kept, &mut say);
            access.put(*kept);
        }
        access.desk.done(outcome);
        state.touch();
    }
}

/// Says what changes: of a token its number only. Of a first owner the set-up tells.
fn tell(before: &Kept, next: &Kept, say: &mut dyn FnMut(&str)) {
    if before.ha1.is_some() && next.ha1 != before.ha1 {
        say("the password was changed; all sessions are over");
    }
    tell_tokens(next, before, "made", say);
    tell_tokens(before, next, "revoked", say);
}

/// Says what became of the tokens that only one of both has.
fn tell_tokens(one: &Kept, other: &Kept, became: &str, say: &mut dyn FnMut(&str)) {
    let missing = |id| other.tokens.iter().all(|token| token.id != id);
    for Token { id, scope, .. } in one.tokens.iter().filter(|token| missing(token.id)) {
        let mut line: String<48> = String::new();
        // It fits.
        let _ = write!(line, "token {id} ({}) was {became}", scope.word());
        say(&line);
    }
}
