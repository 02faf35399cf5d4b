//! The record of which slot is started: the two sectors of `otadata`, as ESP-IDF's boot loader reads them.
//!
//! Each sector begins with an entry. The boot loader takes the one with the highest sequence of those whose checksum is
//! right and whose state is neither "invalid" nor "aborted", and starts slot `(sequence - 1) % 2`; where there is none,
//! slot 0; where the image in it is damaged, the other one (ESP-IDF, `bootloader_utility.c` and
//! `bootloader_common.c`: `bootloader_common_ota_select_valid`, `bootloader_common_get_active_otadata`). One that was
//! built with its own rollback looks at the state too, and changes it at a start; ours is always "undefined", which all
//! of them take the same way and leave alone.
//!
//! ```text
//!  0 sequence   4 our marks, 20 bytes that no boot loader reads                          24 state    28 checksum of the
//!               "OS", kind, detail | crash | crash | crash | confirmed: 4 bytes each     undefined   sequence
//! ```
//!
//! **The entry that holds is never erased or written anew.** A change of the choice is a new entry with a higher
//! sequence in the *other* sector: what stands there is spoilt, erased, and written with the checksum last. So at every
//! moment the old choice holds or the new one. Marks are added to an entry by clearing whole words that nobody else
//! looks at: a cut leaves the choice as it is. What stands behind the entry is read by nobody but us
//! ([`beside`]), and nothing depends on it that a cut could harm.

use super::beside;
use crate::platform::{ImageState, UpdateSlots};

/// Bytes of an entry.
pub const ENTRY: usize = 32;
/// Crashes of a new image that are too many.
pub const CRASHES: u8 = 3;
/// Where the words of an entry stand.
const SEQUENCE: usize = 0;
const MARKS: usize = 4;
const CRASH: usize = 8;
const CONFIRMED: usize = 20;
const STATE: usize = 24;
const CHECKSUM: usize = 28;
/// `ESP_OTA_IMG_INVALID` and `ESP_OTA_IMG_ABORTED` of ESP-IDF's `esp_flash_partitions.h`.
const INVALID: u32 = 3;
const ABORTED: u32 = 4;
/// The bits that [`mark_forgotten`] leaves of a detail: capitals become `@`, small letters a grave accent.
const FORGOTTEN: u8 = 0x60;
const BLANK: u32 = u32::MAX;

/// How it stood with the network when an image was activated: what the new one has to reach again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// A network was joined.
    Network,
    /// None was joined; whoever came, came by the access point.
    AccessPoint,
    /// There is no radio.
    Nothing,
}

/// Why the plug went back to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The new one crashed too often.
    Crashed,
    /// The new one did not prove itself in time.
    NotConfirmed,
    /// Somebody asked for it.
    Asked,
    /// The boot loader did not start the new one: it is damaged.
    Damaged,
}

impl Why {
    /// Its public name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Crashed => "crashed",
            Self::NotConfirmed => "not_confirmed",
            Self::Asked => "asked",
            Self::Damaged => "does_not_start",
        }
    }

    /// For people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Crashed => "The firmware on trial crashed three times; the one before it runs again.",
            Self::NotConfirmed => {
                "The firmware on trial did not prove itself within ten minutes; the one before it runs again."
            }
            Self::Asked => "Somebody asked to go back; the firmware before runs again.",
            Self::Damaged => {
                "The firmware on trial is damaged and does not start; the one before it runs again."
            }
        }
    }
}

/// What the record tells of the image that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it came by cable.
    Unrecorded,
    /// It is new, and has to prove itself.
    OnTrial {
        /// What it has to reach.
        before: Reached,
        /// How often it crashed so far.
        crashes: u8,
        /// It is not new: it ran before, and somebody asked to go back to it.
        asked_back: bool,
    },
    /// It was new, and proved itself.
    Confirmed,
    /// The plug went back to it.
    Returned(Why),
}

impl Standing {
    /// In a word for the world.
    #[must_use]
    pub const fn state(self) -> ImageState {
        match self {
            Self::Unrecorded => ImageState::Unrecorded,
            Self::OnTrial { .. } => ImageState::OnProbation,
            Self::Confirmed | Self::Returned(_) => ImageState::Confirmed,
        }
    }

    /// Kind and detail, as they stand in a new entry.
    const fn mark(self) -> Option<[u8; 4]> {
        let (kind, detail) = match self {
            Self::Confirmed => return None,
            Self::Unrecorded => (b'F', b'-'),
            // Small letters: to an image that does not know them it is a trial all the same.
            Self::OnTrial { before, asked_back, .. } => match (before, asked_back) {
                (Reached::Network, false) => (b'N', b'N'),
                (Reached::AccessPoint, false) => (b'N', b'A'),
                (Reached::Nothing, false) => (b'N', b'-'),
                (Reached::Network, true) => (b'N', b'n'),
                (Reached::AccessPoint, true) => (b'N', b'a'),
                (Reached::Nothing, true) => (b'N', b'x'),
            },
            Self::Returned(Why::Crashed) => (b'B', b'C'),
            Self::Returned(Why::NotConfirmed) => (b'B', b'T'),
            Self::Returned(Why::Asked) => (b'B', b'A'),
            Self::Returned(Why::Damaged) => (b'B', b'D'),
        };
        Some([b'O', b'S', kind, detail])
    }
}

/// One sector's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(pub [u8; ENTRY]);

impl Entry {
    /// A sector that was erased.
    pub const BLANK: Self = Self([0xff; ENTRY]);

    fn new(sequence: u32, mark: [u8; 4]) -> Self {
        let mut entry = Self::BLANK;
        entry.put(SEQUENCE, sequence.to_le_bytes());
        entry.put(MARKS, mark);
        entry.put(CHECKSUM, checksum(sequence).to_le_bytes());
        entry
    }

    fn put(&mut self, at: usize, word: [u8; 4]) {
        self.0.iter_mut().skip(at).zip(word).for_each(|(cell, byte)| *cell = byte);
    }

    fn bytes(&self, at: usize) -> [u8; 4] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0xff; 4])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    /// Its sequence, if it was written whole.
    fn sequence(&self) -> Option<u32> {
        let sequence = self.word(SEQUENCE);
        (sequence != BLANK && self.word(CHECKSUM) == checksum(sequence)).then_some(sequence)
    }

    /// Its sequence, if a boot loader goes by it.
    fn counts(&self) -> Option<u32> {
        self.sequence().filter(|_| ![INVALID, ABORTED].contains(&self.word(STATE)))
    }

    fn crashes(&self) -> u8 {
        // A mark that a power cut left half written was meant.
        (0..usize::from(CRASHES)).fold(0, |sum, crash| sum + u8::from(self.word(CRASH + 4 * crash) != BLANK))
    }

    /// What our marks say.
    pub(super) fn standing(&self) -> Standing {
        let trial = |before, asked_back| match (self.word(CONFIRMED), asked_back) {
            (BLANK, _) => Standing::OnTrial { before, crashes: self.crashes(), asked_back },
            (_, false) => Standing::Confirmed,
            (_, true) => Standing::Returned(Why::Asked),
        };
        match &self.bytes(MARKS) {
            b"OSNN" => trial(Reached::Network, false),
            b"OSNA" => trial(Reached::AccessPoint, false),
            b"OSNn" => trial(Reached::Network, true),
            b"OSNa" => trial(Reached::AccessPoint, true),
            b"OSN@" => trial(Reached::AccessPoint, false),
            b"OSN`" => trial(Reached::AccessPoint, true),
            b"OSNx" => trial(Reached::Nothing, true),
            // Of a later version, and unknown here: a trial all the same.
            [b'O', b'S', b'N', _] => trial(Reached::Nothing, false),
            b"OSBC" => Standing::Returned(Why::Crashed),
            b"OSBA" => Standing::Returned(Why::Asked),
            b"OSBD" => Standing::Returned(Why::Damaged),
            [b'O', b'S', b'B', _] => Standing::Returned(Why::NotConfirmed),
            _ => Standing::Unrecorded,
        }
    }
}

/// CRC-32 of the sequence as ESP-IDF has it: `esp_rom_crc32_le(UINT32_MAX, ..)`, which begins with a register of 0.
fn checksum(sequence: u32) -> u32 {
    /// The usual polynomial, mirrored.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |register: u32, _| (register >> 1) ^ if register & 1 == 1 { POLYNOMIAL } else { 0 };
    !(0..32).fold(sequence, step)
}

/// Both entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record(pub [Entry; 2]);

impl Record {
    /// Reads it.
    ///
    /// # Errors
    /// If the flash fails.
    pub async fn read<S: UpdateSlots>(slots: &mut S) -> Result<Self, S::Error> {
        let mut entries = [Entry::BLANK; 2];
        for (sector, entry) in (0..).zip(&mut entries) {
            slots.read_record(sector, 0, &mut entry.0).await?;
        }
        Ok(Self(entries))
    }

    /// The sector whose entry holds, and the entry.
    pub(super) fn active(&self) -> Option<(u8, &Entry)> {
        let counts = |(sector, entry): (u8, &'_ Entry)| entry.counts().map(|sequence| (sequence, sector));
        let [first, second] = &self.0;
        // Of equal sequences the boot loader takes the first.
        let (_, sector) =
            [(1, second), (0, first)].into_iter().filter_map(counts).max_by_key(|(sequence, _)| *sequence)?;
        Some((sector, if sector == 0 { first } else { second }))
    }

    /// The slot that an entry chooses; `None` if there is none that counts: slot 0 is tried first then.
    #[must_use]
    pub fn chosen(&self) -> Option<u8> {
        let sequence = self.active()?.1.counts()?;
        Some(u8::from(sequence.wrapping_sub(1) & 1 == 1))
    }

    /// What is known of the image in the slot that runs.
    #[must_use]
    pub fn standing(&self, running: u8) -> Standing {
        match self.active() {
            Some((_, entry)) if self.chosen() == Some(running) => entry.standing(),
            _ => Standing::Unrecorded,
        }
    }

    /// The next entry that chooses `slot`: a sequence higher than any that ever counted, of the right parity.
    fn next(&self, slot: u8, mark: [u8; 4]) -> Entry {
        let highest = self.0.iter().filter_map(Entry::sequence).max().unwrap_or(0);
        let next = highest.saturating_add(1);
        let fits = next.wrapping_sub(1) & 1 == u32::from(slot & 1);
        Entry::new(if fits { next } else { next.saturating_add(1) }, mark)
    }
}

/// Why the record was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError<E> {
    /// The flash says.
    Flash(E),
    /// What was written is not what stands there.
    NotKept,
    /// There is nothing to add to.
    NoEntry,
}

impl<E> From<E> for RecordError<E> {
    fn from(error: E) -> Self {
        Self::Flash(error)
    }
}

/// Has `slot` started from the next start on; `time` is now, where that is known. Dropping the future is a power cut: the old choice holds, or the new one.
///
/// # Errors
/// If the flash does not take it; the old choice holds then.
pub async fn choose<S: UpdateSlots>(
    slots: &mut S,
    slot: u8,
    standing: Standing,
    time: Option<f64>,
) -> Result<(), RecordError<S::Error>> {
    let record = Record::read(slots).await?;
    let mark = standing.mark().ok_or(RecordError::NoEntry)?;
    let entry = record.next(slot, mark);
    let sector = match record.active() {
        Some((0, _)) => 1,
        _ => 0,
    };
    // An entry that lost its standing (a boot loader aborted it) would have it back in the middle of an erase.
    slots.write_record(sector, CHECKSUM as u32, &[0; 4]).await?;
    slots.erase_record(sector).await?;
    beside::stamp(slots, sector, beside::CHOSEN_AT, time).await?;
    let (body, last) = entry.0.split_at(CHECKSUM);
    slots.write_record(sector, 0, body).await?;
    let mut there = Entry::BLANK;
    slots.read_record(sector, 0, &mut there.0).await?;
    if there.0.get(..CHECKSUM) != Some(body) {
        return Err(RecordError::NotKept);
    }
    slots.write_record(sector, CHECKSUM as u32, last).await?;
    slots.read_record(sector, 0, &mut there.0).await?;
    if there == entry { Ok(()) } else { Err(RecordError::NotKept) }
}

/// Clears one word of the entry that holds, and looks whether it is clear.
pub(super) async fn mark<S: UpdateSlots>(slots: &mut S, at: u32) -> Result<(), RecordError<S::Error>> {
    let record = Record::read(slots).await?;
    let (sector, _) = record.active().ok_or(RecordError::NoEntry)?;
    slots.write_record(sector, at, &[0; 4]).await?;
    let mut there = [0xff; 4];
    slots.read_record(sector, at, &mut there).await?;
    if there == [0; 4] { Ok(()) } else { Err(RecordError::NotKept) }
}

/// Writes down that the new image has no network to reach any more, but the access point: its owner had the networks
/// forgotten.
///
/// # Errors
/// If the flash does not take it.
pub(super) async fn mark_forgotten<S: UpdateSlots>(slots: &mut S) -> Result<(), RecordError<S::Error>> {
    let record = Record::read(slots).await?;
    let (sector, entry) = record.active().ok_or(RecordError::NoEntry)?;
    let [o, s, kind, detail] = entry.bytes(MARKS);
    Ok(slots.write_record(sector, MARKS as u32, &[o, s, kind, detail & FORGOTTEN]).await?)
}

/// Writes down that the new image crashed once more, after `crashes` of them.
///
/// # Errors
/// If the flash does not take it.
pub async fn mark_crash<S: UpdateSlots>(slots: &mut S, crashes: u8) -> Result<(), RecordError<S::Error>> {
    mark(slots, (CRASH + 4 * usize::from(crashes.min(CRASHES - 1))) as u32).await
}

/// Writes down that the image that runs has proved itself; `time` is now, where that is known.
///
/// # Errors
/// If the flash does not take it.
pub async fn mark_confirmed<S: UpdateSlots>(
    slots: &mut S,
    time: Option<f64>,
) -> Result<(), RecordError<S::Error>> {
    let record = Record::read(slots).await?;
    let (sector, _) = record.active().ok_or(RecordError::NoEntry)?;
    beside::stamp(slots, sector, beside::CONFIRMED_AT, time).await?;
    mark(slots, CONFIRMED as u32).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: Standing = trial(Reached::Network, false);

    const fn trial(before: Reached, asked_back: bool) -> Standing {
        Standing::OnTrial { before, crashes: 0, asked_back }
    }

    fn entry(sequence: u32, standing: Standing) -> Entry {
        Entry::new(sequence, standing.mark().unwrap())
    }

    fn with_state(mut entry: Entry, state: u32) -> Entry {
        entry.put(STATE, state.to_le_bytes());
        entry
    }

    #[test]
    fn the_checksum_is_that_of_the_boot_loader() {
        // As ESP-IDF's otatool.py writes them.
        assert_eq!((checksum(1), checksum(2)), (0x4743_989a, 0x55f6_3774));
        let entry = entry(1, Standing::Unrecorded);
        assert_eq!(entry.0[..8], [1, 0, 0, 0, b'O', b'S', b'F', b'-']);
        assert_eq!(entry.0[8..28], [0xff; 20]);
        assert_eq!(entry.0[28..], [0x9a, 0x98, 0x43, 0x47]);
        // A checksum that was spoilt with zeros is right for no sequence that comes about.
        assert!((0..1_000_000).all(|sequence| checksum(sequence) != 0));
    }

    #[test]
    fn the_highest_sequence_that_counts_chooses() {
        let (one, two) = (entry(1, Standing::Unrecorded), entry(2, TRIAL));
        for (entries, chosen) in [
            ([Entry::BLANK; 2], None),
            ([one, Entry::BLANK], Some(0)),
            ([Entry::BLANK, two], Some(1)),
            ([one, two], Some(1)),
            ([two, one], Some(1)),
            ([entry(3, TRIAL), two], Some(0)),
            ([one, with_state(two, ABORTED)], Some(0)),
            ([one, with_state(two, INVALID)], Some(0)),
            ([with_state(one, INVALID), with_state(two, ABORTED)], None),
            // Valid, new and pending are all the same to it.
            ([with_state(one, 2), with_state(two, 1)], Some(1)),
            ([entry(u32::MAX - 1, TRIAL), two], Some(1)),
        ] {
            assert_eq!(Record(entries).chosen(), chosen, "{entries:?}");
        }
        // Not written whole, or never anything but rubbish.
        let mut half = two;
        half.put(CHECKSUM, [0xff; 4]);
        assert_eq!(Record([one, half]).chosen(), Some(0));
        assert_eq!(Record([Entry([0; ENTRY]), Entry([0x5a; ENTRY])]).chosen(), None);
    }

    #[test]
    fn the_next_entry_is_higher_than_any_and_chooses_its_slot() {
        let mark = TRIAL.mark().unwrap();
        for entries in [
            [Entry::BLANK; 2],
            [entry(1, TRIAL), Entry::BLANK],
            [entry(7, TRIAL), entry(8, TRIAL)],
            // Of an entry that lost its standing the sequence is taken too.
            [entry(7, TRIAL), with_state(entry(12, TRIAL), ABORTED)],
        ] {
            let highest = entries.iter().filter_map(Entry::sequence).max().unwrap_or(0);
            for slot in [0, 1] {
                let next = Record(entries).next(slot, mark);
                assert!((highest + 1..=highest + 2).contains(&next.counts().unwrap()), "{entries:?}");
                assert_eq!(Record([entries[0], next]).chosen(), Some(slot));
            }
        }
    }

    #[test]
    fn marks_say_how_the_image_stands_and_no_boot_loader_reads_them() {
        for standing in [
            Standing::Unrecorded,
            TRIAL,
            trial(Reached::AccessPoint, false),
            trial(Reached::Nothing, false),
            trial(Reached::Network, true),
            trial(Reached::AccessPoint, true),
            trial(Reached::Nothing, true),
            Standing::Returned(Why::Crashed),
            Standing::Returned(Why::NotConfirmed),
            Standing::Returned(Why::Asked),
            Standing::Returned(Why::Damaged),
        ] {
            let record = Record([entry(1, standing), Entry::BLANK]);
            assert_eq!((record.standing(0), record.standing(1)), (standing, Standing::Unrecorded));
        }
        let mut new = entry(4, TRIAL);
        for crashes in 1..=CRASHES {
            // Half written is written: it was meant.
            new.put(CRASH + 4 * usize::from(crashes - 1), [0xff, 0xf7, 0xff, 0xff]);
            let record = Record([Entry::BLANK, new]);
            assert_eq!(
                record.standing(1),
                Standing::OnTrial { before: Reached::Network, crashes, asked_back: false }
            );
            assert_eq!(record.chosen(), Some(1));
        }
        new.put(CONFIRMED, [0; 4]);
        assert_eq!(Record([Entry::BLANK, new]).standing(1), Standing::Confirmed);
        // Details that only a later version knows.
        let nothing = trial(Reached::Nothing, false);
        for (mark, standing) in [
            (*b"OSNz", nothing),
            // Of a network that was forgotten.
            (*b"OSN@", trial(Reached::AccessPoint, false)),
            (*b"OSN`", trial(Reached::AccessPoint, true)),
            (*b"OSBz", Standing::Returned(Why::NotConfirmed)),
            (*b"OSzN", Standing::Unrecorded),
        ] {
            assert_eq!(Record([Entry::new(1, mark), Entry::BLANK]).standing(0), standing);
        }
        // What the boot loader itself writes at a first start says nothing.
        let mut first = with_state(entry(1, TRIAL), 2);
        first.put(MARKS, [0xff; 4]);
        assert_eq!(Record([first, Entry::BLANK]).standing(0), Standing::Unrecorded);
    }
}
