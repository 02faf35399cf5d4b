//! Stores a change of who may do what, and goes on when it holds.

use alloc::boxed::Box;

use embassy_sync::blocking_mutex::raw::RawMutex;

use super::problem::Problem;
use super::settings::wait;
use super::site::Site;
use crate::access::{Ha1, Kept};
use crate::platform::Clock;
use crate::storage::item::SaveError;

/// Lets `edit` make the next out of what holds, has it stored and waits for that. `judged_by` is the password that held
/// when the request was let in, before its body came: where another one holds by now, it is let in no more.
///
/// # Errors
/// What `edit` says; that the flash did not take it, or is not done in time. In that last case it may still take effect.
pub(super) async fn change<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    judged_by: Option<Ha1>,
    edit: &mut dyn FnMut(&mut Kept) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let (clock, state) = (site.plug.network_clock, site.plug.state);
    let desk = &state.access.desk;
    // One change at a time: the next one is laid on what the one before made.
    wait(clock, state, || desk.is_free().then_some(())).await.ok_or(Problem::SettingsBusy)?;
    let mut next = Box::new(state.access.kept().clone());
    if next.ha1 != judged_by {
        return Err(Problem::Unauthorized { stale: false });
    }
    edit(&mut next)?;
    let ticket = desk.put(next).ok_or(Problem::SettingsBusy)?;
    let outcome = wait(clock, state, || desk.outcome(ticket)).await;
    match outcome.ok_or(Problem::SettingsBusy)? {
        Ok(()) => Ok(()),
        Err(SaveError::Memory) => Err(Problem::Busy),
        // There is room for the most that can be.
        Err(SaveError::Flash | SaveError::TooLarge) => Err(Problem::NotStored),
    }
}
