//! Which meter this is: energy is monotonic for ever under one `meter_id`; a factory reset makes a new one.

use core::fmt;

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::Error;
use serde::{Serialize, Serializer};

use super::careful::Careful;
use super::item::{self, Map};
use super::layout::METER;
use crate::platform::Random;

/// Key of the map; never used for anything else.
const ID: u8 = 1;
/// Key and value, in whole words of any flash.
const BUFFER: usize = 32;

/// A meter's identity: 8 random bytes, 16 hexadecimal digits for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterId([u8; 8]);

impl MeterId {
    /// The short form that stands in the records of the energy's memory.
    #[must_use]
    pub const fn tag(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    fn new(random: &mut impl Random) -> Self {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for MeterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl Serialize for MeterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether the identity will be there after the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterKept {
    /// It was there.
    Found,
    /// It was made now and is kept: the first start.
    Made,
    /// What stood there could not be understood; a new one was made and is kept.
    BeganAnew,
    /// The flash does not work: this one is for this start only, and energy under it is not to be kept.
    NotKept,
}

fn map<F: NorFlash>(flash: &mut Careful<F>) -> Option<Map<'_, Careful<F>>> {
    item::map(flash, METER.length)
}

/// Reads the identity from the METER place (`flash` begins there); makes one where there is none.
///
/// Dropping the future is a power cut: the old one, or none, or the new one is there.
pub async fn open<F: NorFlash>(flash: F, random: &mut impl Random) -> (MeterId, MeterKept) {
    let fresh = MeterId::new(random);
    let mut flash = Careful::plain(flash);
    let Some(mut map) = map(&mut flash) else { return (fresh, MeterKept::NotKept) };
    let mut buffer = [0; BUFFER];
    let kept = match map.fetch_item(&mut buffer, &ID).await {
        Ok(Some(bytes)) => return (MeterId(bytes), MeterKept::Found),
        Ok(None) => MeterKept::Made,
        Err(Error::Storage { .. }) => return (fresh, MeterKept::NotKept),
        Err(_) => MeterKept::BeganAnew,
    };
    let stored = kept == MeterKept::Made && store(&mut map, fresh).await;
    if stored || (map.erase_all().await.is_ok() && store(&mut map, fresh).await) {
        (fresh, kept)
    } else {
        (fresh, MeterKept::NotKept)
    }
}

/// Makes a new identity, for the factory reset: energy begins at 0 under it. `None` if it could not be kept: then the
/// old one is still there, unless the flash is broken for good.
///
/// Dropping the future is a power cut: the old or the new one is there.
pub async fn renew<F: NorFlash>(flash: F, random: &mut impl Random) -> Option<MeterId> {
    let fresh = MeterId::new(random);
    let mut flash = Careful::plain(flash);
    let mut map = map(&mut flash)?;
    store(&mut map, fresh).await.then_some(fresh)
}

/// Stores it, and looks whether it is there.
async fn store<F: NorFlash>(map: &mut Map<'_, Careful<F>>, id: MeterId) -> bool {
    let mut buffer = [0; BUFFER];
    map.store_item(&mut buffer, &ID, &id.0).await.is_ok()
        && matches!(map.fetch_item::<[u8; 8]>(&mut buffer, &ID).await, Ok(Some(bytes)) if bytes == id.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_identity_is_16_digits_and_its_tag_the_first_eight() {
        let id = MeterId([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!(id.to_string(), "0123456789abcdef");
        assert_eq!(id.tag(), 0x0123_4567);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"0123456789abcdef\"");
    }
}
