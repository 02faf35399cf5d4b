//! A PHPFina feed: fixed slots of float32 from the first point on, the last received of a slot wins.

use std::collections::BTreeMap;

/// Seconds of the shortest interval; a smaller one is raised silently.
const INTERVAL_LEAST_S: i64 = 10;

/// One feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Its number.
    pub id: u32,
    /// What groups it.
    pub tag: String,
    /// Its name.
    pub name: String,
    /// Seconds of a slot.
    pub interval_s: i64,
    /// Unix time of the first slot; `None` before the first point.
    pub start: Option<i64>,
    /// Slots that hold a value, by their number from the start. What lies between is padding.
    slots: BTreeMap<i64, f32>,
    /// How many points fell before the feed's first one and were dropped.
    pub dropped: u64,
}

impl Feed {
    /// An empty one.
    #[must_use]
    pub fn new(id: u32, tag: &str, name: &str, interval_s: i64) -> Self {
        Self {
            id,
            tag: tag.to_owned(),
            name: name.to_owned(),
            interval_s: interval_s.max(INTERVAL_LEAST_S),
            start: None,
            slots: BTreeMap::new(),
            dropped: 0,
        }
    }

    /// A point: into its slot, or nowhere if that lies before the first.
    #[expect(clippy::cast_possible_truncation, reason = "PHPFina stores float32")]
    pub fn put(&mut self, time: i64, value: f64) {
        // Times that are not after 1970 are no valid slots.
        let slot_start = time.div_euclid(self.interval_s) * self.interval_s;
        if slot_start <= 0 {
            return;
        }
        let start = *self.start.get_or_insert(slot_start);
        let slot = (slot_start - start).div_euclid(self.interval_s);
        if slot < 0 {
            self.dropped += 1;
        } else {
            self.slots.insert(slot, value as f32);
        }
    }

    /// Slots of its file, padding included.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.slots.last_key_value().map_or(0, |(last, _)| last + 1)
    }

    /// What the slot that `time` falls into holds.
    #[must_use]
    pub fn at(&self, time: i64) -> Option<f32> {
        let slot = (time - self.start?).div_euclid(self.interval_s);
        self.slots.get(&slot).copied()
    }

    /// Every point with the time at which its slot begins, oldest first.
    pub fn points(&self) -> impl Iterator<Item = (i64, f32)> {
        let start = self.start.unwrap_or(0);
        self.slots.iter().map(move |(slot, value)| (start + slot * self.interval_s, *value))
    }
}
