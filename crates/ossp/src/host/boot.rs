//! What ESP-IDF's boot loader does with the record of the slots at a start, with its own rollback and without: from
//! `bootloader_utility.c` and `bootloader_common.c` of ESP-IDF 5, not from `plug::update`, which is tested against it.

use embedded_storage_async::nor_flash::NorFlash;

/// How the boot loader was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootLoader {
    /// As ESP-IDF has it by default.
    Plain,
    /// With `CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE`.
    WithRollback,
}

/// `esp_ota_img_states_t`.
const NEW: u32 = 0;
const PENDING_VERIFY: u32 = 1;
const VALID: u32 = 2;
const INVALID: u32 = 3;
const ABORTED: u32 = 4;
const SECTOR: u32 = 4096;

/// `esp_ota_select_entry_t`, with `seq_label` as it lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SelectEntry {
    ota_seq: u32,
    seq_label: [u32; 5],
    ota_state: u32,
    crc: u32,
}

impl SelectEntry {
    const BLANK: Self =
        Self { ota_seq: u32::MAX, seq_label: [u32::MAX; 5], ota_state: u32::MAX, crc: u32::MAX };

    fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or(u32::MAX);
        Self { ota_seq: next(), seq_label: [(); 5].map(|()| next()), ota_state: next(), crc: next() }
    }

    fn to_bytes(self) -> Vec<u8> {
        let Self { ota_seq, seq_label, ota_state, crc } = self;
        let words = [ota_seq].into_iter().chain(seq_label).chain([ota_state, crc]);
        words.flat_map(u32::to_le_bytes).collect()
    }

    /// `bootloader_common_ota_select_crc`.
    fn right_crc(self) -> u32 {
        let mut register = 0_u32;
        for byte in self.ota_seq.to_le_bytes() {
            register ^= u32::from(byte);
            for _ in 0..8 {
                register = if register & 1 == 1 { register >> 1 ^ 0xedb8_8320 } else { register >> 1 };
            }
        }
        !register
    }

    /// `bootloader_common_ota_select_invalid`.
    fn is_invalid(self) -> bool {
        self.ota_seq == u32::MAX || self.ota_state == INVALID || self.ota_state == ABORTED
    }

    /// `bootloader_common_ota_select_valid`.
    fn is_valid(self) -> bool {
        !self.is_invalid() && self.crc == self.right_crc()
    }
}

/// The slot that is started, if there is one whose image is whole; the record as the boot loader leaves it.
///
/// # Errors
/// If the flash does not read or write: the boot loader starts nothing then.
pub async fn boot<F: NorFlash>(
    record: &mut F,
    is_whole: [bool; 2],
    boot_loader: BootLoader,
) -> Result<Option<u8>, F::Error> {
    let mut entries = [SelectEntry::BLANK; 2];
    for (at, entry) in (0..).step_by(SECTOR as usize).zip(&mut entries) {
        let mut bytes = [0; 32];
        record.read(at, &mut bytes).await?;
        *entry = SelectEntry::from_bytes(bytes);
    }
    let keeps = boot_loader == BootLoader::WithRollback;
    for (sector, entry) in (0..).zip(&mut entries) {
        if keeps && entry.ota_state == PENDING_VERIFY {
            entry.ota_state = ABORTED;
            put(record, sector, *entry).await?;
        }
    }
    let nothing_yet = entries.iter().all(|entry| entry.ota_seq == u32::MAX || entry.crc != entry.right_crc());
    let mut begin = 0;
    if !entries.iter().all(|entry| entry.is_invalid()) {
        let valid = (0..).zip(&mut entries).filter(|(_, entry)| entry.is_valid());
        // Of two with the same sequence the first.
        let valid =
            valid.reduce(|first, second| if second.1.ota_seq > first.1.ota_seq { second } else { first });
        if let Some((sector, entry)) = valid {
            begin = entry.ota_seq.wrapping_sub(1) % 2;
            if keeps && entry.ota_state == NEW {
                entry.ota_state = PENDING_VERIFY;
                put(record, sector, *entry).await?;
            }
        }
    }
    let is_whole = |slot: &u32| is_whole.get(*slot as usize).is_some_and(|whole| *whole);
    let started = [begin, 1 - begin].into_iter().find(is_whole);
    if let Some(slot) = started
        && nothing_yet
        && entries.iter().all(|entry| entry.is_invalid())
    {
        let mut first = SelectEntry::BLANK;
        (first.ota_seq, first.ota_state) = (slot + 1, VALID);
        first.crc = first.right_crc();
        put(record, 0, first).await?;
    }
    Ok(started.map(|slot| slot as u8))
}

/// `write_otadata`.
async fn put<F: NorFlash>(record: &mut F, sector: u32, entry: SelectEntry) -> Result<(), F::Error> {
    record.erase(sector * SECTOR, (sector + 1) * SECTOR).await?;
    record.write(sector * SECTOR, &entry.to_bytes()).await
}
