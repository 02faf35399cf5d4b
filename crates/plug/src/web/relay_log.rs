//! `GET /api/v1/relay/log`: why the relay is as it is. From the flash, which has some hundred changes; where it does not
//! answer, from the memory of this start.

use alloc::vec::Vec;
use core::fmt::Write as _;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::request::RequestParts;

use super::problem::Problem;
use super::query::Parameter;
use super::reply::{Body, Draft, JSON, Reply};
use super::site::Site;
use crate::core::claims::RelayChange;
use crate::platform::Clock;
use crate::storage::archive::{CHANGES, Found, Query};
use crate::storage::keeper::told;
use crate::storage::relay_log::StoredChange;

/// The longest change; a test builds it.
const CHANGE_JSON: usize = 640;
/// What an answer takes of the heap at most: as much as the longest of the others. Some 25 changes fit, fewer if their
/// causes are long; the answer says where to go on.
const LOG_JSON: usize = 8192;
/// `],"next_skip":18446744073709551615}`
const TAIL: usize = 36;
/// Changes in an answer when nobody says how many.
const TAKE: usize = 24;

const SKIP: Parameter =
    Parameter { name: "skip", wanted: "a whole number from 0 to 100000", least: 0, most: 100_000 };
const MOST: Parameter = Parameter { name: "take", wanted: "a whole number from 1 to 48", least: 1, most: 48 };

pub(super) async fn relay_log<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
) -> Result<Reply<'a>, Problem> {
    let skip = SKIP.of(parts)?.unwrap_or(0);
    let take = MOST.of(parts)?.unwrap_or(TAKE);
    let mut changes = ask(site, skip).await;
    // Room is taken when it is known how much is needed: others answer meanwhile.
    let expected = match &changes {
        Some(changes) if changes.len() < CHANGES => changes.len(),
        Some(_) => take,
        None => site.plug.state.relay_log.borrow().len(),
    };
    let mut page = Page::begin(site, skip, take, expected)?;
    if changes.is_none() {
        page.add_remembered(site);
    }
    while let Some(found) = changes.take() {
        page.at_end = found.len() < CHANGES;
        for change in &found {
            page.add(&told(change));
        }
        drop(found);
        if page.wants_more() {
            changes = ask(site, page.next).await;
        }
    }
    page.finish()
}

/// Some changes from the flash; `None` if it does not answer.
async fn ask<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    skip: usize,
) -> Option<Vec<StoredChange>> {
    match site.plug.state.archive.ask(site.plug.network_clock, Query::Changes { skip }).await {
        Some(Found::Changes(changes)) => Some(changes),
        _ => None,
    }
}

/// The list under construction.
struct Page<'a> {
    draft: Draft<'a>,
    /// How many of the newest changes are done with.
    next: usize,
    left: usize,
    given: usize,
    /// Number of the last change that was added: a new one moves the others back by one while we read.
    last: Option<u32>,
    at_end: bool,
    full: bool,
}

impl<'a> Page<'a> {
    fn begin<C: Clock, N: Clock, M: RawMutex>(
        site: &Site<'a, C, N, M>,
        skip: usize,
        take: usize,
        expected: usize,
    ) -> Result<Self, Problem> {
        let most = 2 * TAIL + take.min(expected) * CHANGE_JSON;
        let mut draft = Draft::new(site.budget, most.min(LOG_JSON))?;
        draft.write_str("{\"changes\":[").map_err(|_| Problem::Busy)?;
        Ok(Self { draft, next: skip, left: take, given: 0, last: None, at_end: false, full: false })
    }

    fn wants_more(&self) -> bool {
        self.left > 0 && !self.at_end && !self.full
    }

    fn add(&mut self, change: &RelayChange) {
        if self.full || self.left == 0 {
            return;
        }
        if self.last.is_some_and(|last| last <= change.number) {
            self.next += 1;
            return;
        }
        let before = self.draft.bytes().len();
        let comma = if self.given > 0 { "," } else { "" };
        let written = self.draft.write_str(comma).is_ok() && self.draft.json(change).is_ok();
        if !written || self.draft.room() < TAIL {
            self.draft.truncate(before);
            self.full = true;
            return;
        }
        // What memory has may have no numbers.
        self.last = (change.number > 0).then_some(change.number);
        self.next += 1;
        self.given += 1;
        self.left -= 1;
    }

    fn add_remembered<C: Clock, N: Clock, M: RawMutex>(&mut self, site: &Site<'a, C, N, M>) {
        let log = site.plug.state.relay_log.borrow();
        let skip = self.next;
        for change in log.iter().rev().skip(skip) {
            self.add(change);
        }
        self.at_end = self.next >= log.len();
    }

    fn finish(mut self) -> Result<Reply<'a>, Problem> {
        // It ends where nothing is left, whatever was asked for.
        let written = if self.at_end && self.left > 0 && !self.full {
            self.draft.write_str("],\"next_skip\":null}")
        } else {
            write!(self.draft, "],\"next_skip\":{}}}", self.next)
        };
        written.map_err(|_| Problem::Busy)?;
        Ok(Reply::new(JSON, Body::Made(self.draft)))
    }
}
