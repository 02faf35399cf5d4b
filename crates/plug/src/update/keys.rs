//! Whose signature is accepted: the key of the build, those of the owner, less those that were retired.

use alloc::vec::Vec;
use core::fmt::{self, Debug, Display, Formatter};

use serde::{Serialize, Serializer};

use super::judge::Refused;
use super::package::Manifest;
use crate::access::{Hex, read_hex};

/// Keys that an owner can add, and that can be retired.
pub const KEYS: usize = 4;

/// A public key of Ed25519 (RFC 8032). As text 64 hexadecimal digits, small letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// Reads its 64 digits; `None` for anything else. Whether it is a point of the curve shows when it is used.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        read_hex(text.as_bytes()).map(Self)
    }
}

impl Display for Key {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&Hex(&self.0), formatter)
    }
}

impl Debug for Key {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// Only packages with a good signature by an accepted key.
    Signed,
    /// Anything that fits.
    Any,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The build brought it.
    Project,
    /// The owner added it, or a package that was signed by an accepted key.
    Owner,
}

/// What holds now: the key of the build and the owner's settings together.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceptedKeys {
    built: Option<Key>,
    settings: UpdateSettings,
}

impl AcceptedKeys {
    /// What holds with this key of the build and these settings.
    #[must_use]
    pub fn of(built: Option<Key>, settings: &UpdateSettings) -> Self {
        Self { built, settings: settings.clone() }
    }

    /// What would hold with other settings.
    #[must_use]
    pub fn with(&self, settings: &UpdateSettings) -> Self {
        Self::of(self.built, settings)
    }

    /// Whether anything else than their packages is taken in.
    #[must_use]
    pub const fn accept(&self) -> Accept {
        self.settings.accept.of_build(self.built)
    }

    /// The keys that are accepted, that of the build first, each once.
    pub fn iter(&self) -> impl Iterator<Item = (Key, Source)> {
        let project = self.built.filter(|key| !self.settings.keys.contains(key));
        let owner = self.settings.keys.iter().map(|key| (*key, Source::Owner));
        let all = project.map(|key| (key, Source::Project)).into_iter().chain(owner);
        all.filter(|(key, _)| !self.settings.retired.contains(key))
    }

    /// Whether a signature by this key counts.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.iter().any(|(known, _)| known == *key)
    }

    /// The settings after a package that was signed by an accepted key and is newer than what runs: with the keys that it
    /// adds and without those that it retires; `None` where they stay. What is retired comes back by the owner's hand alone:
    /// a package that was overtaken, sent again by whoever has it, must not undo that.
    ///
    /// # Errors
    /// [`Refused::KeysDoNotFit`], which [`super::judge()`] has looked for too.
    pub fn after(&self, manifest: &Manifest) -> Result<Option<UpdateSettings>, Refused> {
        if manifest.add.is_empty() && manifest.retire.is_empty() {
            return Ok(None);
        }
        let mut settings = self.settings.clone();
        settings.keys.retain(|key| !manifest.retire.contains(key));
        for key in manifest.add.iter().filter(|key| self.built != Some(**key)) {
            if !settings.keys.contains(key) && !settings.retired.contains(key) {
                settings.keys.push(*key);
            }
        }
        // An owner's key that is not in the list any more is not accepted anyway.
        if let Some(built) = self.built.filter(|key| manifest.retire.contains(key)) {
            settings.retire(built);
        }
        let after = Self { built: self.built, settings };
        after.check()?;
        Ok((after.settings != self.settings).then_some(after.settings))
    }

    /// Whether there is room for these keys, and one left where only signed packages are taken.
    ///
    /// # Errors
    /// [`Refused::KeysDoNotFit`].
    pub fn check(&self) -> Result<(), Refused> {
        let fits = self.settings.keys.len() <= KEYS && self.settings.retired.len() <= KEYS;
        let leaves_one = self.accept() == Accept::Any || self.iter().next().is_some();
        if fits && leaves_one { Ok(()) } else { Err(Refused::KeysDoNotFit) }
    }
}

/// What the owner chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AcceptWhat {
    /// `default`: signed where the build brought a key, anything where it did not.
    #[default]
    Default,
    /// `signed`.
    Signed,
    /// `any`.
    Any,
}

impl AcceptWhat {
    /// What that means for a build.
    #[must_use]
    pub const fn of_build(self, built: Option<Key>) -> Accept {
        match (self, built) {
            (Self::Signed, _) | (Self::Default, Some(_)) => Accept::Signed,
            (Self::Any, _) | (Self::Default, None) => Accept::Any,
        }
    }
}

/// `update`.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateSettings {
    /// `accept`: `default`, `signed` or `any`.
    pub accept: AcceptWhat,
    /// `keys`: the owner's, at most [`KEYS`]. On the heap, where most plugs have none.
    pub keys: Vec<Key>,
    /// `retired`: keys that are not accepted any more, even if the build brought them; at most [`KEYS`].
    pub retired: Vec<Key>,
    /// `warn_above_a`: the page asks before it interrupts the protection of a load that draws more.
    pub warn_above_a: f64,
}

impl UpdateSettings {
    /// Retires the build's own key. Where there is no room, the oldest one makes it that nobody would accept without this
    /// list either: that of a build which does not run any more.
    fn retire(&mut self, built: Key) {
        if self.retired.contains(&built) {
            return;
        }
        if self.retired.len() >= KEYS {
            let idle = self.retired.iter().position(|old| !self.keys.contains(old));
            idle.map(|at| self.retired.remove(at));
        }
        self.retired.push(built);
    }
}

impl Default for UpdateSettings {
    fn default() -> Self {
        Self { accept: AcceptWhat::Default, keys: Vec::new(), retired: Vec::new(), warn_above_a: 1.0 }
    }
}
