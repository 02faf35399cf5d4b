//! Settings: one typed schema, checked as a whole, kept in flash as one item.
//!
//! `schema` has the types, `fields` the table of all fields with their ranges, `rules` what fields have to do with each
//! other. `patch` takes a change, `write` makes JSON, `store` keeps it in the flash, a change waits at a
//! [`crate::desk::Desk`] for the one task that stores it ([`run`]).

use embedded_storage_async::nor_flash::NorFlash;

use crate::defaults::Defaults;
use crate::state::State;
pub use crate::storage::item::{Found, SaveError};

mod calibration;
mod claim;
pub mod emoncms;
mod entries;
mod field;
mod fields;
mod hosts;
mod keys;
mod migrate;
mod networks;
mod packed;
mod packer;
mod patch;
mod rules;
pub mod schema;
#[cfg(test)]
mod sentences;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod write;
mod wrong;

pub(crate) use claim::read_password;
pub use claim::{Claimed, PASSWORD_LEAST, claim, import, is_password};
pub use field::Secrets;
pub(crate) use keys::{read as read_keys, write as write_keys};
pub use networks::network;
pub use patch::{Refusal, patch};
pub use schema::{Basis, Hardware, Settings, WifiSettings};
pub use store::{STORED_MOST, SettingsStore, Trouble};
pub use write::{etag, json_length, write_json};
pub use wrong::{WRONG_MOST, Wanted, Wrong, WrongField};

/// Reads the settings into the state, and lets them be changed from now on; `defaults` are the build's, for a plug that
/// has none. What went wrong is for the log.
pub async fn begin<S: NorFlash, K: NorFlash>(
    store: &mut SettingsStore<S, K>,
    state: &State,
    basis: &Basis,
    defaults: &Defaults,
) -> Option<Trouble> {
    let (mut settings, trouble) = store.load(basis).await;
    // Revision 0: nobody ever stored any.
    if store.revision() == 0 && trouble.is_none() {
        defaults.apply(&mut settings);
    }
    state.put_settings(*settings, basis, store.revision());
    state.settings_desk.open();
    trouble
}

/// Stores one change after the other and tells it with `notify` once it holds. Call [`begin`] first. Runs for ever;
/// dropping the future is a power cut for a change that is under way.
pub async fn run<S: NorFlash, K: NorFlash>(
    store: &mut SettingsStore<S, K>,
    state: &State,
    basis: &Basis,
    mut notify: impl AsyncFnMut(&Settings),
) -> ! {
    loop {
        let settings = state.settings_desk.next().await;
        let outcome = store.save(&settings).await;
        if outcome.is_ok() {
            notify(&settings).await;
            state.put_settings(*settings, basis, store.revision());
        }
        state.settings_desk.done(outcome);
        state.touch();
    }
}
