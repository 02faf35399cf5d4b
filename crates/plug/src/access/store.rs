//! Who may do what in the flash: one text in two halves ([`crate::storage::halves`]), so that a power cut leaves the old
//! or the new, and what is damaged closes the plug: it is not nobody's, and no old password comes back.

use core::fmt::Write;

use embedded_storage_async::nor_flash::NorFlash;

use super::kept::{Kept, Unreadable};
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
        self.0.save(&|out: &mut dyn Write| kept.write(out)).await
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

/// Stores one change after the other; each holds once it is stored. Call [`begin`] first. Runs for ever; dropping the
/// future is a power cut for a change that is under way.
pub async fn run<F: NorFlash>(store: &mut AccessStore<F>, state: &State) -> ! {
    let access = &state.access;
    loop {
        let kept = access.desk.next().await;
        let outcome = store.save(&kept).await;
        if outcome.is_ok() {
            access.put(*kept);
        }
        access.desk.done(outcome);
        state.touch();
    }
}
