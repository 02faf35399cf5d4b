//! The image that a virtual plug "runs": it lends the program its version, and fails as it says of itself.

use std::path::Path;
use std::time::Duration;

use embedded_storage_async::nor_flash::NorFlash;
use metering::front_end::FrontEnd;
use plug::limits;
use plug::platform::{Block, Clock, Instant, Samples, UpdateSlots};
use plug::update::image::AppImage;
use plug::update::trial::{self, Begin};

use super::flash::FileFlashError;
use super::slots::{FileSlots, VirtualSlots};
use crate::pack::image::Flags;

/// What the running slot holds.
#[derive(Clone, Debug)]
pub struct RunningImage {
    /// Its version.
    pub version: String,
    /// How it fails.
    pub flags: Flags,
}

impl RunningImage {
    /// The program itself: what a slot without an image stands for.
    #[must_use]
    pub fn program() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), flags: Flags::default() }
    }

    /// That of the slot that was started.
    ///
    /// # Errors
    /// If the flash fails.
    pub async fn read<F: NorFlash<Error: std::fmt::Debug>>(
        slots: &mut VirtualSlots<F>,
    ) -> Result<Self, F::Error> {
        let mut head = vec![0; Flags::WITHIN];
        slots.read_running(0, &mut head).await?;
        Ok(match AppImage::parse(&head) {
            Ok(Some(image)) => Self {
                version: image.version.as_str().to_owned(),
                flags: Flags::of(&head).unwrap_or_default(),
            },
            _ => Self::program(),
        })
    }

    /// Returns when it crashes.
    pub async fn crash(&self, clock: &impl Clock) {
        match self.flags.crash_after_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(after) => clock.sleep_until(Instant::from_start(after)).await,
            None => std::future::pending().await,
        }
    }
}

/// Samples that an image takes or not; time goes on in both cases.
pub struct Taken<S> {
    /// Where they come from.
    pub samples: S,
    /// None of them arrives.
    pub blind: bool,
}

impl<S: Samples> Samples for Taken<S> {
    fn front_end(&self) -> FrontEnd {
        self.samples.front_end()
    }

    async fn next(&mut self) -> Option<Block<'_>> {
        let blind = self.blind;
        self.samples.next().await.map(|block| if blind { Block { pairs: &[], ..block } } else { block })
    }
}

/// What a plug's boot loader does at a start, and what every image does first: the slots, and the image that runs.
/// Goes back to the former one as often as it takes, which changes the reset reason, once `count` has kept how that start
/// came about; without slots the program itself runs, and `say` hears why.
pub async fn boot_image(
    folder: &Path,
    reset_reason: &mut &'static str,
    mut count: impl AsyncFnMut(&'static str),
    say: impl Fn(&str),
) -> (Option<FileSlots>, RunningImage) {
    loop {
        match start(folder, reset_reason).await {
            Ok(Some((slots, image))) => return (Some(slots), image),
            Ok(None) => {
                count(reset_reason).await;
                *reset_reason = "software";
            }
            Err(error) => {
                say(&format!("the firmware slots in {} cannot be used ({error})", folder.display()));
                return (None, RunningImage::program());
            }
        }
    }
}

/// One start; `None` if the plug went back, and starts anew.
async fn start(
    folder: &Path,
    reset_reason: &str,
) -> Result<Option<(FileSlots, RunningImage)>, FileFlashError> {
    let mut slots = FileSlots::open(folder).await?;
    if trial::begin(&mut slots, reset_reason).await == Begin::WentBack {
        return Ok(None);
    }
    let image = RunningImage::read(&mut slots).await?;
    Ok(Some((slots, image)))
}

/// Last words before a start for this reason.
#[must_use]
pub fn last_words(reset_reason: &str) -> heapless::String<{ limits::RESET_DETAIL }> {
    let words = if reset_reason == "panic" { "this image was made to crash" } else { "" };
    heapless::String::try_from(words).unwrap_or_default()
}
