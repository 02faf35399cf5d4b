//! Who has which sectors of the data partition. An update must not move anything.

/// Bytes of a sector.
pub const SECTOR: u32 = 4096;
/// Sectors of the partition, at least (the table of the chip: `firmware/partitions.csv`).
pub const SECTORS: u32 = 80;

/// Whole sectors of the data partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it begins, in bytes.
    pub from: u32,
    /// How long it is.
    pub length: u32,
}

impl Place {
    const fn sectors(first: u32, count: u32) -> Self {
        Self { from: first * SECTOR, length: count * SECTOR }
    }
}

/// The count of starts and the last bad end ([`crate::starts`]).
pub const STARTS: Place = Place::sectors(0, 4);
/// The settings.
pub const SETTINGS: Place = Place::sectors(4, 4);
/// Owner and tokens ([`crate::access`]).
pub const ACCESS: Place = Place::sectors(8, 4);
/// The energy journal.
pub const ENERGY: Place = Place::sectors(12, 16);
/// Daily and monthly totals.
pub const TOTALS: Place = Place::sectors(28, 8);
/// The relay's log.
pub const RELAY_LOG: Place = Place::sectors(36, 8);
/// Waveforms of trips.
pub const TRIPS: Place = Place::sectors(44, 20);
/// Calibration: stays over a factory reset.
pub const CALIBRATION: Place = Place::sectors(64, 3);
/// Which meter this is: the `meter_id` of its energy.
pub const METER: Place = Place::sectors(67, 2);
/// How far the uplink has come.
pub const UPLINK: Place = Place::sectors(69, 8);
/// For what comes by import; the last sector is the mark of a factory reset ([`super::reset::MARK`]).
pub const IMPORT: Place = Place::sectors(77, 3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_and_fill_the_partition() {
        let all =
            [STARTS, SETTINGS, ACCESS, ENERGY, TOTALS, RELAY_LOG, TRIPS, CALIBRATION, METER, UPLINK, IMPORT];
        let mut next = 0;
        for place in all {
            assert_eq!(place.from, next);
            next += place.length;
        }
        assert_eq!(next, SECTORS * SECTOR);
    }
}
