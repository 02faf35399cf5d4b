//! `ossp image`: what the virtual plug runs instead of firmware. All it says is a version, and how it fails.

use std::path::PathBuf;

use clap::Args;
use plug::update::image::{AppImage, ChipId};
use plug::update::judge::PROJECT;
use plug::update::made::{Made, text_of};
use plug::update::version::Version;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::file::{self, Readers};

/// Options of `ossp image`.
#[derive(Args, Clone, Debug)]
pub struct ImageOptions {
    /// Its version, such as 0.2.0
    #[arg(long, value_parser = version)]
    version: Version,
    /// It panics so many seconds after its start
    #[arg(long, value_name = "SECONDS")]
    crash_after: Option<f64>,
    /// It panics before anything works
    #[arg(long)]
    panic_at_start: bool,
    /// It never joins its network
    #[arg(long)]
    never_joins: bool,
    /// It measures nothing
    #[arg(long)]
    measures_nothing: bool,
    /// Its size in bytes at least, as if it were a real one
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(..=4_194_304))]
    size: u32,
    /// The chip that it says it is for: the virtual plug takes only the one by default
    #[arg(long, value_name = "NAME", default_value = "pc", value_parser = chip)]
    chip: ChipId,
    /// The project that it says it is
    #[arg(long, value_name = "NAME", default_value = PROJECT, value_parser = project)]
    project: String,
    /// The file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replaces a file that is there
    #[arg(long)]
    force: bool,
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "a version such as 0.2.0 is wanted, 31 characters at most".to_owned())
}

fn chip(name: &str) -> Result<ChipId, String> {
    ChipId::of_name(name).ok_or_else(|| "pc, esp32, esp32c3, esp32c6 or esp32s3 is wanted".to_owned())
}

fn project(name: &str) -> Result<String, String> {
    let good = (1..=31).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| name.to_owned()).ok_or_else(|| "a name of at most 31 ASCII characters is wanted".to_owned())
}

/// How an image of the virtual plug behaves: the JSON text behind its descriptor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flags {
    /// It panics so many seconds after its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_after_s: Option<f64>,
    /// It panics before anything works.
    #[serde(skip_serializing_if = "is_false")]
    pub panic_at_start: bool,
    /// It never joins its network.
    #[serde(skip_serializing_if = "is_false")]
    pub never_joins: bool,
    /// It measures nothing.
    #[serde(skip_serializing_if = "is_false")]
    pub measures_nothing: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Flags {
    /// Bytes of an image in which they are, if it has any.
    pub const WITHIN: usize = 1024;

    /// Those of the image that begins with these bytes; `None` if it is no image of a virtual plug.
    #[must_use]
    pub fn of(image: &[u8]) -> Option<Self> {
        let known = AppImage::parse(image).ok().flatten().is_some_and(|image| image.chip == ChipId::PC);
        serde_json::from_str(text_of(image).filter(|_| known)?).ok()
    }
}

/// An image of the virtual plug.
#[must_use]
pub fn image(version: &str, flags: &Flags, size: usize) -> Vec<u8> {
    of_chip(ChipId::PC, PROJECT, version, flags, size)
}

fn of_chip(chip: ChipId, project: &str, version: &str, flags: &Flags, size: usize) -> Vec<u8> {
    let text = serde_json::to_string(flags).unwrap_or_default();
    Made { chip, project, version, text: &text, size }.image()
}

/// Writes an image.
///
/// # Errors
/// If the file cannot be written.
pub fn make(options: &ImageOptions) -> Result<(), Failure> {
    let flags = Flags {
        crash_after_s: options.crash_after,
        panic_at_start: options.panic_at_start,
        never_joins: options.never_joins,
        measures_nothing: options.measures_nothing,
    };
    let (version, size) = (options.version.as_str(), options.size as usize);
    let image = of_chip(options.chip, &options.project, version, &flags, size);
    file::write(&options.output, &image, Readers::Usual, options.force)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_back_and_only_from_an_image_of_the_virtual_plug() {
        for flags in [
            Flags::default(),
            Flags {
                crash_after_s: Some(12.5),
                panic_at_start: true,
                never_joins: true,
                measures_nothing: true,
            },
        ] {
            let made = image("0.2.0", &flags, 65_536);
            assert_eq!(made.len(), 65_536);
            assert_eq!(Flags::of(&made[..Flags::WITHIN]), Some(flags));
        }
        assert_eq!(Flags::of(&of_chip(ChipId(5), PROJECT, "0.2.0", &Flags::default(), 0)), None);
        assert_eq!(Flags::of(b"nothing"), None);
    }
}
