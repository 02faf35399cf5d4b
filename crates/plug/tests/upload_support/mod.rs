//! Images and packages made by hand from the formats' descriptions, and slots that fail when they are told to.

#![allow(dead_code, reason = "shared by several test programs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use ed25519_dalek::{Signer, SigningKey};
use plug::platform::UpdateSlots;
use sha2::{Digest, Sha256};

/// Bytes of a slot here: small, so that every operation can fail once.
pub(crate) const CAPACITY: u32 = 0x1_0000;
const SECTOR: usize = 4096;

/// An image as `esp_image_format.h` has it, of a few segments with `payload` bytes together.
pub(crate) fn image_of(chip: u16, project: &str, version: &str, payload: usize) -> Vec<u8> {
    let mut image = vec![0xe9, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    image.extend(chip.to_le_bytes());
    image.resize(23, 0);
    image.push(1);
    let mut descriptor = vec![0; 256];
    descriptor[..4].copy_from_slice(&0xabcd_5432_u32.to_le_bytes());
    descriptor[16..16 + version.len()].copy_from_slice(version.as_bytes());
    descriptor[48..48 + project.len()].copy_from_slice(project.as_bytes());
    let code: Vec<_> = (0..payload / 4 * 4).map(|index| (index * 7 + index / 251) as u8).collect();
    for data in [descriptor, code] {
        image.extend(0x3c00_0020_u32.to_le_bytes());
        image.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        image.extend(&data);
    }
    let sum = image_data(&image).fold(0xef, |sum, byte| sum ^ byte);
    while image.len() % 16 != 15 {
        image.push(0);
    }
    image.push(sum);
    let digest = Sha256::digest(&image);
    image.extend(digest);
    image
}

/// The bytes of all segments.
fn image_data(image: &[u8]) -> impl Iterator<Item = u8> {
    let (mut at, mut data) = (24, Vec::new());
    for _ in 0..image[1] {
        let length = u32::from_le_bytes(image[at + 4..at + 8].try_into().unwrap()) as usize;
        data.extend_from_slice(&image[at + 8..at + 8 + length]);
        at += 8 + length;
    }
    data.into_iter()
}

/// One for this plug.
pub(crate) fn image(version: &str, payload: usize) -> Vec<u8> {
    image_of(0xfffe, "ossp-firmware", version, payload)
}

/// A key that only this test knows.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// Its public half, as text.
pub(crate) fn public(key: &SigningKey) -> String {
    key.verifying_key().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a manifest says, before it is signed.
pub(crate) struct Package<'a> {
    pub(crate) image: &'a [u8],
    pub(crate) version: &'a str,
    pub(crate) board: &'a str,
    pub(crate) oldest: &'a str,
    pub(crate) size: usize,
    pub(crate) sha256: String,
    pub(crate) add: Vec<String>,
    pub(crate) retire: Vec<String>,
}

impl<'a> Package<'a> {
    pub(crate) fn new(image: &'a [u8], version: &'a str) -> Self {
        let sha256 = Sha256::digest(image).iter().map(|byte| format!("{byte:02x}")).collect();
        let (add, retire) = (Vec::new(), Vec::new());
        let (size, board, oldest) = (image.len(), "virtual", "0.1.0");
        Self { image, version, board, oldest, size, sha256, add, retire }
    }

    /// The file.
    pub(crate) fn signed_by(&self, keys: &[&SigningKey]) -> Vec<u8> {
        let list = |keys: &[String]| {
            let quoted: Vec<_> = keys.iter().map(|key| format!("\"{key}\"")).collect();
            format!("[{}]", quoted.join(","))
        };
        let manifest = format!(
            "{{\"version\":\"{}\",\"project\":\"ossp-firmware\",\"chip\":\"pc\",\"board\":\"{}\",\"size\":{},\
             \"sha256\":\"{}\",\"oldest\":\"{}\",\"commit\":\"unknown\",\"rustc\":\"1.95.0\",\"espflash\":\"4.0.1\",\
             \"add\":{},\"retire\":{}}}",
            self.version,
            self.board,
            self.size,
            self.sha256,
            self.oldest,
            list(&self.add),
            list(&self.retire)
        );
        let mut file = format!("OSSP1\n{manifest}\n");
        for key in keys {
            let message = [b"OSSP firmware package, version 1\n", manifest.as_bytes()].concat();
            let signature: String =
                key.sign(&message).to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            file += &format!("{} {signature}\n", public(key));
        }
        file.push('\n');
        [file.as_bytes(), self.image].concat()
    }
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It fails.
    Error,
    /// It is never done: the power goes.
    Cut,
    /// It is done half, and the power goes.
    Half,
    /// It is done wrong and nobody says so: a bit stays where it was.
    Silent,
}

/// The flash of the slots.
pub(crate) struct Flash {
    /// The slot that does not run.
    pub(crate) other: RefCell<Vec<u8>>,
    pub(crate) record: RefCell<[Vec<u8>; 2]>,
    /// Operations that change something, so far.
    pub(crate) changes: Cell<u32>,
    /// The one with that number comes out so.
    pub(crate) trouble: Cell<Option<(u32, Trouble)>>,
    pub(crate) erases: Cell<u32>,
}

impl Flash {
    /// With an older image in the other slot.
    pub(crate) fn new() -> Rc<Self> {
        let mut other = image("0.0.9", 30_000);
        other.resize(CAPACITY as usize, 0xff);
        Rc::new(Self {
            other: RefCell::new(other),
            record: RefCell::new([vec![0xff; SECTOR], vec![0xff; SECTOR]]),
            changes: Cell::new(0),
            trouble: Cell::new(None),
            erases: Cell::new(0),
        })
    }

    /// Which slot the next start takes: the rule of ESP-IDF's bootloader (`esp_ota_select_entry_t`). Slot 0 runs now.
    pub(crate) fn next_start(&self) -> u8 {
        let record = self.record.borrow();
        let entries = record.iter().filter_map(|sector| {
            let word = |at: usize| u32::from_le_bytes(sector[at..at + 4].try_into().unwrap());
            let (sequence, state, check) = (word(0), word(24), word(28));
            let valid = sequence != u32::MAX && check == crc32(&sector[..4]) && !matches!(state, 3 | 4);
            valid.then_some(sequence)
        });
        entries.max().map_or(0, |sequence| ((sequence - 1) % 2) as u8)
    }

    /// Whether the other slot's first word says that there is an image.
    pub(crate) fn other_can_start(&self) -> bool {
        self.other.borrow()[0] == 0xe9
    }

    async fn change(&self) -> Result<Option<Trouble>, NotDone> {
        let number = self.changes.get();
        self.changes.set(number + 1);
        match self.trouble.get().filter(|(at, _)| *at == number) {
            Some((_, Trouble::Error)) => Err(NotDone),
            Some((_, Trouble::Cut)) => pending().await,
            Some((_, trouble)) => Ok(Some(trouble)),
            None => Ok(None),
        }
    }
}

/// `esp_rom_crc32_le(UINT32_MAX, ...)`.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = 0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Why an operation was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDone;

/// Slot 0 runs, slot 1 can be written.
pub(crate) struct FakeSlots(pub(crate) Rc<Flash>);

fn erase(cells: &mut [u8], trouble: Option<Trouble>) {
    let half = if trouble == Some(Trouble::Half) { cells.len() / 2 } else { cells.len() };
    cells[..half].fill(0xff);
    if trouble == Some(Trouble::Silent) {
        cells[0] &= 0xfe;
    }
}

fn write(cells: &mut [u8], bytes: &[u8], trouble: Option<Trouble>) {
    assert!(bytes.len().is_multiple_of(4) && !bytes.is_empty(), "whole words");
    let half = if trouble == Some(Trouble::Half) { bytes.len() / 2 } else { bytes.len() };
    for (cell, byte) in cells.iter_mut().zip(&bytes[..half]) {
        *cell &= byte;
    }
    if trouble == Some(Trouble::Silent) {
        cells[0] ^= 1;
    }
}

impl UpdateSlots for FakeSlots {
    type Error = NotDone;

    fn running(&self) -> u8 {
        0
    }

    fn capacity(&self) -> u32 {
        CAPACITY
    }

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NotDone> {
        assert!(from.is_multiple_of(4096) && to == from + 4096, "one sector at a time: {from} to {to}");
        let trouble = self.0.change().await?;
        self.0.erases.set(self.0.erases.get() + 1);
        erase(&mut self.0.other.borrow_mut()[from as usize..to as usize], trouble);
        if trouble == Some(Trouble::Half) { pending().await } else { Ok(()) }
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NotDone> {
        assert!(offset.is_multiple_of(4));
        let trouble = self.0.change().await?;
        let at = offset as usize;
        write(&mut self.0.other.borrow_mut()[at..at + bytes.len()], bytes, trouble);
        if trouble == Some(Trouble::Half) { pending().await } else { Ok(()) }
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NotDone> {
        assert!(offset.is_multiple_of(4) && bytes.len().is_multiple_of(4));
        let at = offset as usize;
        bytes.copy_from_slice(&self.0.other.borrow()[at..at + bytes.len()]);
        Ok(())
    }

    async fn read_running(&mut self, _: u32, bytes: &mut [u8]) -> Result<(), NotDone> {
        bytes.fill(0xff);
        Ok(())
    }

    async fn read_record(&mut self, sector: u8, offset: u32, bytes: &mut [u8]) -> Result<(), NotDone> {
        bytes.copy_from_slice(&self.0.record.borrow()[usize::from(sector)][offset as usize..][..bytes.len()]);
        Ok(())
    }

    async fn erase_record(&mut self, sector: u8) -> Result<(), NotDone> {
        let trouble = self.0.change().await?;
        erase(&mut self.0.record.borrow_mut()[usize::from(sector)], trouble);
        if trouble == Some(Trouble::Half) { pending().await } else { Ok(()) }
    }

    async fn write_record(&mut self, sector: u8, offset: u32, bytes: &[u8]) -> Result<(), NotDone> {
        let trouble = self.0.change().await?;
        let at = offset as usize;
        write(&mut self.0.record.borrow_mut()[usize::from(sector)][at..at + bytes.len()], bytes, trouble);
        if trouble == Some(Trouble::Half) { pending().await } else { Ok(()) }
    }
}

/// MD5 as ElegantOTA's clients write it.
pub(crate) fn md5(file: &[u8]) -> String {
    md5::Md5::digest(file).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where they announce a file.
pub(crate) fn announcement(file: &[u8]) -> String {
    format!("/ota/start?mode=fr&hash={}", md5(file))
}

/// A form as its clients send it: perhaps a text `MD5`, then the file.
pub(crate) fn form(file: &[u8], md5: Option<&str>) -> Vec<u8> {
    let mut form = Vec::new();
    if let Some(md5) = md5 {
        form.extend(
            format!("--b0undary\r\nContent-Disposition: form-data; name=\"MD5\"\r\n\r\n{md5}\r\n").bytes(),
        );
    }
    form.extend_from_slice(
        b"--b0undary\r\nContent-Disposition: form-data; name=\"firmware\"; filename=\"firmware\"\r\n\
          Content-Type: application/octet-stream\r\n\r\n",
    );
    form.extend_from_slice(file);
    form.extend_from_slice(b"\r\n--b0undary--\r\n");
    form
}
