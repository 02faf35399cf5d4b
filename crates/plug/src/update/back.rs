//! The image in the other slot once more: what ran before, for an owner who does not like what runs now, or whose plug crashes
//! with it. It is judged as if its file were uploaded again, by the settings of now, and has to prove itself again.
//!
//! A slot holds bare images, and the signature of a package stands before its image. So the head is kept behind the image,
//! at the beginning of the next sector, where there is room for it. Nobody has to trust it: it is of use only if its
//! manifest has the SHA-256 of the image before it, and its signature is verified like that of an upload.

use alloc::vec::Vec;

use embassy_futures::yield_now;

use super::desk::Activated;
use super::fault::Fault;
use super::image::{AppImage, ImageError, Walk, Whole};
use super::judge::Candidate;
use super::package::{HEAD_MOST, Header};
use super::writer::{Standard, flash, refused};
use super::{OtherState, activate};
use crate::limits;
use crate::platform::UpdateSlots;
use crate::state::State;
use crate::storage::layout::SECTOR;

/// Words that the flash takes.
const WORD: usize = 4;
/// It is read into the memory that images are read into.
const _: () = assert!(HEAD_MOST <= limits::UPDATE_PIECE);

/// Where the head of an image of `size` bytes lies, and how much of it there is room for, if for any.
fn place(size: u32, capacity: u32) -> Option<(u32, usize)> {
    let at = size.checked_next_multiple_of(SECTOR)?;
    let room = capacity.checked_sub(at).filter(|room| *room > 0)?;
    Some((at, room.min(HEAD_MOST as u32) as usize))
}

/// Keeps the head of a package behind the place of its image, which has `size` bytes.
///
/// # Errors
/// If the flash fails.
pub(super) async fn keep_head<S: UpdateSlots>(slots: &mut S, size: u32, head: &[u8]) -> Result<(), Fault> {
    let Some((at, _)) = place(size, slots.capacity()).filter(|(_, room)| head.len() <= *room) else {
        return Ok(());
    };
    slots.erase(at, at + SECTOR).await.map_err(flash)?;
    let (words, rest) = head.split_at(head.len() - head.len() % WORD);
    slots.write(at, words).await.map_err(flash)?;
    let mut last = [0xff; WORD];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    if rest.is_empty() { Ok(()) } else { slots.write(at + words.len() as u32, &last).await.map_err(flash) }
}

/// Has the image in the other slot started from the next start on, on trial; `memory` is what it is read with, `time`
/// is now, where that is known. Dropping the future is a power cut: the running image stays chosen, or the other one is.
///
/// # Errors
/// Why not: there is none, it is not whole, or would not be taken if its file were uploaded now.
pub(super) async fn start<S: UpdateSlots>(
    slots: &mut S,
    state: &State,
    standard: &Standard<'_>,
    allow_downgrade: bool,
    mut memory: Vec<u8>,
    time: Option<f64>,
) -> Result<Activated, Fault> {
    memory.resize(limits::UPDATE_PIECE, 0);
    let (image, whole) = read(slots, &mut memory).await?;
    let mut header = head_of(slots, &whole, &mut memory).await?;
    if let Some(header) = &mut header {
        // What it did to the keys it did when it was installed.
        header.manifest.add.clear();
        header.manifest.retire.clear();
    }
    let candidate = Candidate { header: header.as_ref(), image: &image, size: whole.length };
    standard.judge(state, slots.capacity(), &candidate, allow_downgrade)?;
    let version = heapless::String::try_from(image.version.as_str()).unwrap_or_default();
    // One that the plug went back from is new once more.
    let went_back = |other: &super::Other| other.state == OtherState::WentBack;
    let asked_back = !state.firmware.borrow().other.as_ref().is_some_and(went_back);
    activate(slots, state, version.clone(), asked_back, time).await.map_err(flash)?;
    Ok(Activated { version, image_sha256: whole.sha256 })
}

/// Reads the image in the other slot to its end.
async fn read<S: UpdateSlots>(slots: &mut S, memory: &mut [u8]) -> Result<(AppImage, Whole), Fault> {
    let mut walk = Walk::new(slots.capacity());
    let mut found = None;
    for at in (0..slots.capacity()).step_by(limits::UPDATE_PIECE) {
        slots.read(at, memory).await.map_err(flash)?;
        if at == 0 {
            found = AppImage::parse(memory).map_err(|_| Fault::NoOther)?;
        }
        walk.feed(memory).map_err(refused)?;
        if let Some((image, whole)) = found.take_if(|_| walk.whole().is_some()).zip(walk.whole()) {
            return Ok((image, whole));
        }
        yield_now().await;
    }
    Err(refused(ImageError::Damaged))
}

/// The head that was kept with that image, if there is one.
async fn head_of<S: UpdateSlots>(
    slots: &mut S,
    whole: &Whole,
    memory: &mut [u8],
) -> Result<Option<Header>, Fault> {
    let Some((at, length)) = place(whole.length, slots.capacity()) else { return Ok(None) };
    let head = memory.get_mut(..length).unwrap_or(&mut []);
    slots.read(at, head).await.map_err(flash)?;
    let found = Header::parse(head).ok().flatten().map(|(header, _)| header);
    Ok(found.filter(|header| header.manifest.sha256 == whole.sha256))
}
