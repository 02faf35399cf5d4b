//! Takes an upload off the [`Desk`](super::Desk): judges it before anything is erased, writes it sector by sector, reads it
//! back, activates it.
//!
//! ```text
//!   first piece ---> judged ---> erased, written ... ---> read back ---> keys ---> first word ---> activated ---> restart
//!                      |               |                     |            |            |              |
//!                      +---------------+---------------------+------------+------------+--------------+--> refused
//! ```
//!
//! The image's first word is written last of all: until everything about it was found right, nothing in the slot can be
//! started by anybody, whatever becomes of the record of slots, and whenever the power goes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use embassy_futures::yield_now;
use heapless::String;
use sha2::{Digest, Sha256};

use super::back;
use super::desk::{Activated, Done, Last, Order, Outcome, Work};
use super::fault::Fault;
use super::image::{AppImage, Walk};
use super::judge::{Candidate, Judged, PROJECT, Refused, Running, judge};
use super::keys::{AcceptedKeys, Key};
use super::package::{HEAD_MOST, Header, PackageError};
use crate::limits;
use crate::platform::{Clock, Identity, Instant, UpdateSlots};
use crate::state::{Restarting, State};
use crate::storage::layout::SECTOR;

/// Words that the flash takes.
const WORD: usize = 4;
/// The slot's memory is taken piece by piece; the first holds all that is judged.
const _: () = assert!(limits::UPDATE_PIECE >= HEAD_MOST + super::image::IMAGE_HEAD);

/// What an image is judged against, beside the settings.
#[derive(Clone, Copy, Debug)]
pub struct Standard<'a> {
    /// What runs; its capacity is that of the slots.
    pub running: Running<'a>,
    /// The key that the build brought.
    pub key: Option<Key>,
}

impl<'a> Standard<'a> {
    /// Of this plug; the slots' capacity is not known yet.
    #[must_use]
    pub fn of(identity: &'a Identity, key: Option<Key>) -> Self {
        let running = Running {
            version: &identity.version,
            project: PROJECT,
            chip: identity.chip,
            board: identity.board,
            capacity: 0,
        };
        Self { running, key }
    }

    /// Judges an image by the settings as they are now; a slot has so many bytes.
    pub(super) fn judge(
        &self,
        state: &State,
        capacity: u32,
        candidate: &Candidate<'_>,
        allow_downgrade: bool,
    ) -> Result<Judged, Fault> {
        let running = Running { capacity, ..self.running };
        let keys = AcceptedKeys::of(self.key, &state.settings.borrow().update);
        judge(&running, candidate, &keys, allow_downgrade).map_err(refused)
    }
}

/// Takes uploads for as long as the plug runs. To be called when the running image is confirmed, or nobody keeps a record
/// of it. Dropping the future is a power cut to an upload: the running image stays chosen.
pub async fn serve<S: UpdateSlots, C: Clock>(
    slots: &mut S,
    clock: &C,
    state: &State,
    standard: Standard<'_>,
) -> ! {
    let desk = &state.update;
    let mut writer: Option<Box<Writer>> = None;
    desk.open(slots.capacity());
    loop {
        let result = match (desk.take().await, writer.as_mut()) {
            (Work::Begin(order), _) => {
                writer = Some(Box::new(Writer::new(order)));
                let too_large = order.length > slots.capacity().saturating_add(limits::UPDATE_AROUND);
                if too_large { Err(refused(Refused::ImageTooLarge)) } else { Ok(Done::More(Vec::new())) }
            }
            (Work::Piece(bytes), Some(writer)) => {
                let calm = Calm { clock, state };
                writer.take(slots, &standard, &calm, &bytes).await.map(|()| Done::More(bytes))
            }
            (Work::End(memory), Some(writer)) => {
                writer.finish(slots, clock, state, &standard, memory).await.map(Done::All)
            }
            (Work::Back { allow_downgrade, memory }, _) => {
                let time = clock.time_of_day();
                match back::start(slots, state, &standard, allow_downgrade, memory, time).await {
                    Ok(activated) => Ok(Done::All(activated)),
                    Err(why) => {
                        // Nothing was done: what the last update came to stays told.
                        desk.answer(Done::Refused(why));
                        continue;
                    }
                }
            }
            (Work::Gone, _) => {
                writer = None;
                desk.free();
                continue;
            }
            // Of something that was refused.
            (Work::Piece(_) | Work::End(_), None) => Err(Fault::Incomplete),
        };
        let ended = match &result {
            Ok(Done::More(_)) => None,
            Ok(Done::All(activated)) => Some((Outcome::Activated, activated.version.clone())),
            Ok(Done::Refused(why)) | Err(why) => {
                let version = writer.as_ref().and_then(|writer| writer.version()).unwrap_or_default();
                Some((Outcome::Refused(why.clone()), version))
            }
        };
        if let Some((outcome, version)) = ended {
            writer = None;
            let uptime_s = Some(clock.now().since_start().as_secs_f64());
            if outcome == Outcome::Activated {
                state.restart.signal(Restarting::OtherImage);
            }
            desk.set_last(Last { outcome, version, time: clock.time_of_day(), uptime_s });
        }
        desk.answer(result.unwrap_or_else(Done::Refused));
        state.touch();
    }
}

/// When the flash may be erased: it stops everything that is not in RAM, so not while the current is near its limit.
struct Calm<'a, C> {
    clock: &'a C,
    state: &'a State,
}

impl<C: Clock> Calm<'_, C> {
    fn is_now(&self) -> bool {
        self.state.protection.borrow().as_ref().is_none_or(|status| {
            let margin = status.margins.current_a.unwrap_or(f64::INFINITY);
            margin >= limits::UPDATE_MARGIN * status.limits.current_limit.0
        })
    }

    async fn wait(&self) -> Result<(), Fault> {
        let end: Instant = self.clock.now().after(limits::UPDATE_CALM);
        while !self.is_now() {
            if self.clock.now() >= end {
                return Err(Fault::NearTheLimit);
            }
            self.clock.sleep_until(self.clock.now().after(limits::UPDATE_CALM_LOOK)).await;
        }
        Ok(())
    }
}

/// What was found out of an image that is taken.
struct Taken {
    header: Option<Header>,
    image: AppImage,
}

/// One upload.
struct Writer {
    order: Order,
    /// Bytes that came, of all.
    came: u32,
    /// `None` until it was judged.
    taken: Option<Taken>,
    /// Bytes of the image that came.
    image: u32,
    /// Everything before it is erased.
    erased: u32,
    /// The first word, which is written last.
    first: [u8; WORD],
    /// The beginning of a word whose end has not come.
    rest: heapless::Vec<u8, WORD>,
    /// Over what came of the image.
    hash: Sha256,
}

impl Writer {
    fn new(order: Order) -> Self {
        Self {
            order,
            came: 0,
            taken: None,
            image: 0,
            erased: 0,
            first: [0xff; WORD],
            rest: heapless::Vec::new(),
            hash: Sha256::new(),
        }
    }

    /// What the image calls itself.
    fn version<const N: usize>(&self) -> Option<String<N>> {
        self.taken.as_ref().and_then(|taken| String::try_from(taken.image.version.as_str()).ok())
    }

    /// Takes the next bytes; those of the first call hold the head.
    async fn take<S: UpdateSlots, C: Clock>(
        &mut self,
        slots: &mut S,
        standard: &Standard<'_>,
        calm: &Calm<'_, C>,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.came = self.came.saturating_add(length);
        if self.came > self.order.length {
            return Err(Fault::Incomplete);
        }
        let (mut head, mut image) = (&[][..], bytes);
        if self.taken.is_none() {
            let (taken, length) = self.look(standard, calm.state, slots.capacity(), bytes)?;
            (head, image) = bytes.split_at_checked(length).unwrap_or((&[], bytes));
            self.taken = Some(taken);
        }
        self.write(slots, calm, image).await?;
        // Not earlier: what was in the slot has lost its first word before any of it is spoilt.
        match self.taken.as_ref().and_then(|taken| taken.header.as_ref()) {
            Some(Header { manifest, .. }) if !head.is_empty() => {
                calm.wait().await?;
                back::keep_head(slots, manifest.size, head).await
            }
            _ => Ok(()),
        }
    }

    /// Reads and judges the head; how many bytes stand before the image.
    fn look(
        &self,
        standard: &Standard<'_>,
        state: &State,
        capacity: u32,
        bytes: &[u8],
    ) -> Result<(Taken, usize), Fault> {
        let (header, head) = match Header::parse(bytes) {
            Ok(Some((header, length))) => (Some(header), length),
            Err(PackageError::NotAPackage) => (None, 0),
            Ok(None) | Err(PackageError::Damaged) => return Err(Fault::Refused(Refused::PackageDamaged)),
        };
        let image = AppImage::parse(bytes.get(head..).unwrap_or(&[])).map_err(refused)?;
        let image = image.ok_or(Fault::Refused(Refused::NotAnImage))?;
        let announced = self.order.length.saturating_sub(u32::try_from(head).unwrap_or(u32::MAX));
        // What else stands in the body of a form, behind the file too, is not known before its end.
        let size = match &header {
            _ if self.order.exact => announced,
            Some(header) => header.manifest.size,
            None => announced.min(capacity),
        };
        if size > announced {
            return Err(Fault::Refused(Refused::PackageDamaged));
        }
        let candidate = Candidate { header: header.as_ref(), image: &image, size };
        standard.judge(state, capacity, &candidate, self.order.allow_downgrade)?;
        Ok((Taken { header, image }, head))
    }

    /// Erases as far as is needed and writes whole words; what is left of one waits for its end.
    async fn write<S: UpdateSlots, C: Clock>(
        &mut self,
        slots: &mut S,
        calm: &Calm<'_, C>,
        mut bytes: &[u8],
    ) -> Result<(), Fault> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let end = self.image.saturating_add(length);
        if end > slots.capacity() {
            return Err(Fault::Refused(Refused::ImageTooLarge));
        }
        while self.erased < end {
            calm.wait().await?;
            if self.erased == 0 {
                // What was there is there no more.
                calm.state.firmware.borrow_mut().other = None;
            }
            slots.erase(self.erased, self.erased + SECTOR).await.map_err(flash)?;
            self.erased += SECTOR;
            yield_now().await;
        }
        self.hash.update(bytes);
        let mut at = self.image - u32::try_from(self.rest.len()).unwrap_or(0);
        self.image = end;
        while !self.rest.is_empty() || at == 0 {
            // Its end, or the first word as a whole.
            let Some((byte, others)) = bytes.split_first() else { return Ok(()) };
            bytes = others;
            let _ = self.rest.push(*byte);
            if self.rest.is_full() {
                self.put_word(slots, at).await?;
                at += WORD as u32;
            }
        }
        let (words, rest) = bytes.split_at(bytes.len() - bytes.len() % WORD);
        if !words.is_empty() {
            slots.write(at, words).await.map_err(flash)?;
        }
        // Fewer bytes than a word.
        let _ = self.rest.extend_from_slice(rest);
        Ok(())
    }

    /// Writes the word that is complete; the first one waits.
    async fn put_word<S: UpdateSlots>(&mut self, slots: &mut S, at: u32) -> Result<(), Fault> {
        let word = core::mem::take(&mut self.rest).into_array().unwrap_or([0xff; WORD]);
        if at == 0 {
            self.first = word;
            return Ok(());
        }
        slots.write(at, &word).await.map_err(flash)
    }

    /// All bytes came.
    async fn finish<S: UpdateSlots, C: Clock>(
        &mut self,
        slots: &mut S,
        clock: &C,
        state: &State,
        standard: &Standard<'_>,
        memory: Vec<u8>,
    ) -> Result<Activated, Fault> {
        let taken = self.taken.take().ok_or(Fault::Refused(Refused::NotAnImage))?;
        if self.order.exact && self.came != self.order.length {
            return Err(Fault::Incomplete);
        }
        let sent: [u8; 32] = self.hash.clone().finalize().into();
        if let Some(Header { manifest, .. }) = &taken.header
            && (manifest.size != self.image || manifest.sha256 != sent)
        {
            return Err(Fault::Refused(Refused::PackageDamaged));
        }
        if !self.rest.is_empty() {
            let at = self.image - u32::try_from(self.rest.len()).unwrap_or(0);
            while self.rest.push(0xff).is_ok() {}
            self.put_word(slots, at).await?;
        }
        self.check(slots, memory, &sent).await?;
        let version = String::try_from(taken.image.version.as_str()).unwrap_or_default();
        self.judge_again(slots.capacity(), clock, state, standard, &taken).await?;
        slots.write(0, &self.first).await.map_err(flash)?;
        let mut first = [0; WORD];
        slots.read(0, &mut first).await.map_err(flash)?;
        if first != self.first {
            return Err(Fault::Flash);
        }
        super::activate(slots, state, version.clone(), false, clock.time_of_day()).await.map_err(flash)?;
        Ok(Activated { version, image_sha256: sent })
    }

    /// Whether the slot holds what was sent, and that is a whole image.
    async fn check<S: UpdateSlots>(
        &self,
        slots: &mut S,
        mut memory: Vec<u8>,
        sent: &[u8; 32],
    ) -> Result<(), Fault> {
        memory.resize(limits::UPDATE_PIECE, 0);
        let mut walk = Walk::new(self.image);
        let (mut hash, mut healthy) = (Sha256::new(), Ok(()));
        let mut at = 0;
        while at < self.image {
            let length = (self.image - at).min(limits::UPDATE_PIECE as u32) as usize;
            let words = memory.get_mut(..length.next_multiple_of(WORD)).unwrap_or(&mut []);
            slots.read(at, words).await.map_err(flash)?;
            if at == 0 {
                words.iter_mut().zip(self.first).for_each(|(to, from)| *to = from);
            }
            let bytes = words.get(..length).unwrap_or(&[]);
            hash.update(bytes);
            if healthy.is_ok() {
                healthy = match walk.feed(bytes) {
                    Ok(used) if used == length => Ok(()),
                    // It ends before the file does.
                    Ok(_) => Err(Fault::Refused(Refused::ImageDamaged)),
                    Err(why) => Err(refused(why)),
                };
            }
            at += length as u32;
            yield_now().await;
        }
        if <[u8; 32]>::from(hash.finalize()) != *sent {
            return Err(Fault::Flash);
        }
        healthy?;
        match walk.whole() {
            Some(whole) if whole.length == self.image && whole.sha256 == *sent => Ok(()),
            _ => Err(Fault::Refused(Refused::ImageDamaged)),
        }
    }

    /// Judges it by the settings of now, since minutes may have passed and a key may have been retired or only signed
    /// packages been asked for meanwhile; stores the keys that the manifest adds and retires, if somebody who may say so
    /// signed it.
    async fn judge_again<C: Clock>(
        &self,
        capacity: u32,
        clock: &C,
        state: &State,
        standard: &Standard<'_>,
        taken: &Taken,
    ) -> Result<(), Fault> {
        let end = clock.now().after(limits::SETTINGS_TIMEOUT);
        let Taken { header, image } = taken;
        let candidate = Candidate { header: header.as_ref(), image, size: self.image };
        let judge = || standard.judge(state, capacity, &candidate, self.order.allow_downgrade);
        let mut ticket = None;
        loop {
            match ticket.map(|ticket| state.settings_desk.outcome(ticket)) {
                Some(Some(Ok(()))) => return Ok(()),
                Some(Some(Err(_))) => return Err(Fault::KeysNotStored),
                // Another change came right behind it.
                Some(None) if state.settings_desk.is_free() => {
                    let stored = judge()?.settings.is_none();
                    return if stored { Ok(()) } else { Err(Fault::KeysNotStored) };
                }
                _ if clock.now() >= end => return Err(Fault::KeysNotStored),
                _ => {}
            }
            if ticket.is_none() {
                // Again each time: somebody else may be changing the settings.
                let Some(update) = judge()?.settings else { return Ok(()) };
                let mut next = Box::new(state.settings.borrow().clone());
                next.update = update;
                ticket = state.settings_desk.put(next);
            }
            clock.sleep_until(clock.now().after(limits::UPDATE_KEYS_LOOK)).await;
        }
    }
}

pub(super) fn refused(why: impl Into<Refused>) -> Fault {
    Fault::Refused(why.into())
}

/// Which error does not matter to whoever sent the image.
pub(super) fn flash<E>(_: E) -> Fault {
    Fault::Flash
}
