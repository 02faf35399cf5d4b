//! When the entries of a schedule switch: edges as a pure function of the settings and the day.

use core::fmt::Write;

use heapless::String;

use super::LOOK_DAYS;
use crate::core::civil::sun::{Position, SunTimes};
use crate::core::civil::{DAY_S, Zone, ZoneError, weekday};
use crate::settings::schema::{At, ScheduleEntry, ScheduleSettings, TimeSettings};

/// Local noon: the sun of a day is the one around it.
const NOON_S: u32 = 43_200;

/// An entry on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Unix seconds.
    pub(super) time: i64,
    /// What calendar and clock should have shown, as seconds. It orders what one shift of the clock lets happen at
    /// once, as the days without a shift do; after it the later entry wins.
    wall: i64,
    /// Counted from 0.
    pub(super) entry: u8,
    pub(super) on: bool,
}

/// Why there may be no edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The zone's rules cannot be read.
    Zone(ZoneError),
    /// This entry needs a position.
    NoPosition(u8),
    /// None is enabled, or on no day.
    NoEntries,
    /// All hang on the sun.
    OnlySun,
}

/// The settings as the schedule needs them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    schedule: ScheduleSettings,
    zone: Result<Zone, ZoneError>,
    position: Option<Position>,
    seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { schedule: ScheduleSettings::default(), zone: Ok(Zone::UTC), position: None, seed: 0 }
    }
}

impl Plan {
    pub(super) fn new(schedule: &ScheduleSettings, time: &TimeSettings, seed: u64) -> Self {
        Self {
            schedule: schedule.clone(),
            zone: Zone::parse(&time.posix),
            position: Position::new(time.latitude_deg, time.longitude_deg),
            seed,
        }
    }

    /// The newest edge at or before `until`, at most [`LOOK_DAYS`] old.
    pub(super) fn newest(&self, until: i64) -> Option<Found> {
        let today = self.day_of(until)?;
        let mut newest: Option<Found> = None;
        for day in (today - LOOK_DAYS - 1..=today + 1).rev() {
            // An edge may lie some hours outside its day (see `edges`), but not more than a day.
            let complete = newest.is_some();
            self.edges(day, |edge| {
                if (until - LOOK_DAYS * DAY_S..=until).contains(&edge.time) {
                    newest = newest.max(Some(edge));
                }
            });
            if complete {
                break;
            }
        }
        newest
    }

    /// The first edge after `after`, at most [`LOOK_DAYS`] away. Of several at once it is the one that decides.
    pub(super) fn next(&self, after: i64) -> Option<Found> {
        let today = self.day_of(after)?;
        let mut next: Option<Found> = None;
        for day in today - 1..=today + LOOK_DAYS + 1 {
            let complete = next.is_some();
            self.edges(day, |edge| {
                let sooner =
                    next.is_none_or(|next| edge.time < next.time || (edge.time == next.time && edge > next));
                if (after + 1..=after + LOOK_DAYS * DAY_S).contains(&edge.time) && sooner {
                    next = Some(edge);
                }
            });
            if complete {
                break;
            }
        }
        next
    }

    /// Why an edge switches: "schedule entry 2: on at sunset-00:30, this time 16:02:11".
    pub(super) fn cause(&self, found: &Found) -> String<96> {
        let mut cause = String::new();
        let (Some(entry), Ok(zone)) = (self.schedule.entries.get(usize::from(found.entry)), &self.zone)
        else {
            return cause;
        };
        let word = if found.on { "on" } else { "off" };
        // Some 60 characters.
        let _ = write!(cause, "schedule entry {}: {word} at {}", found.entry.saturating_add(1), entry.at);
        let shown = At::Clock(zone.local(found.time).seconds_of_day);
        if shown != entry.at {
            let _ = write!(cause, ", this time {shown}");
        }
        cause
    }

    /// What stands in the way of edges.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        if let Err(error) = self.zone {
            return Some(Trouble::Zone(error));
        }
        let mut numbers = (0_u8..).zip(&self.schedule.entries).filter(|(_, entry)| is_used(entry));
        let without_position =
            |(_, entry): &(u8, &ScheduleEntry)| self.position.is_none() && needs_sun(entry);
        if let Some((number, _)) = numbers.clone().find(without_position) {
            return Some(Trouble::NoPosition(number));
        }
        if numbers.clone().next().is_none() {
            return Some(Trouble::NoEntries);
        }
        numbers.all(|(_, entry)| needs_sun(entry)).then_some(Trouble::OnlySun)
    }

    fn day_of(&self, unix: i64) -> Option<i64> {
        self.zone.as_ref().ok().map(|zone| zone.local(unix).day_number)
    }

    /// The edges of a local day: at most one an entry. One that hangs on the sun may be 6 h before the sunrise or after
    /// the sunset, and chance may add an hour.
    fn edges(&self, day: i64, mut visit: impl FnMut(Found)) {
        let Ok(zone) = &self.zone else { return };
        let bit = 1 << weekday(day);
        let mut sun: Option<SunTimes> = None;
        for (number, entry) in (0_u8..).zip(&self.schedule.entries) {
            if !is_used(entry) || entry.days & bit == 0 {
                continue;
            }
            let chance = self.chance(number, day, entry.random_s);
            let (time, wall) = match (entry.at, self.position) {
                (At::Clock(seconds), _) => (zone.resolve(day, seconds), day * DAY_S + i64::from(seconds)),
                (At::Sunrise(_) | At::Sunset(_), None) => continue,
                (At::Sunrise(later) | At::Sunset(later), Some(position)) => {
                    let sun =
                        sun.get_or_insert_with(|| SunTimes::of_day(zone.resolve(day, NOON_S), position));
                    let event = if matches!(entry.at, At::Sunrise(_)) { sun.rise } else { sun.set };
                    let Some(event) = event else { continue };
                    let time = event + i64::from(later);
                    (time, time + i64::from(zone.offset_at(time).seconds))
                }
            };
            visit(Found { time: time + chance, wall: wall + chance, entry: number, on: entry.on });
        }
    }

    /// 0 to `most` seconds, the same whenever it is asked for an entry and a day: each look finds the same edge.
    fn chance(&self, entry: u8, day: i64, most: u16) -> i64 {
        let input = self.seed ^ (u64::from(entry) << 56) ^ (day as u64 & 0xff_ffff);
        let high = mixed(mixed(input)) >> 32;
        ((high * (u64::from(most) + 1)) >> 32) as i64
    }
}

fn is_used(entry: &ScheduleEntry) -> bool {
    entry.enabled && entry.days & super::ALL_DAYS != 0
}

fn needs_sun(entry: &ScheduleEntry) -> bool {
    matches!(entry.at, At::Sunrise(_) | At::Sunset(_))
}

/// One step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): each bit of
/// the input changes about half of the output.
fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
