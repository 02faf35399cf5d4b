//! `ossp replay`: recordings through the same metering code as the plug's, in constant memory.

mod capture;
mod output;
mod summary;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use metering::front_end::Pair;
use metering::history::Storage;
use metering::meter::Meter;
use metering::reading::{Harmonics, Reading};

use crate::failure::Failure;
use crate::recording::Recording;
use capture::CapturedWindow;
use output::Output;
pub use summary::Summary;
use summary::SummaryBuilder;

/// Options of `ossp replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayOptions {
    /// Recordings (CSV as docs/recordings.md says)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What is printed: a line a file for people, everything as JSON, or a row a reading as CSV
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What `ossp replay` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a file.
    Table,
    /// An object a file, with all readings and a summary.
    Json,
    /// A row a reading.
    Csv,
}

/// Replays all files. One that cannot be read does not keep the others from being replayed.
///
/// # Errors
/// If a file is no recording, or standard output is closed.
pub fn replay(options: &ReplayOptions) -> Result<(), Failure> {
    let mut output = Output::new(std::io::stdout().lock(), options.format, options.files.len() > 1);
    let mut failures = Vec::new();
    for file in &options.files {
        if let Err(failure) = replay_file(file, &mut output) {
            match failure {
                Stop::File(sentence) => failures.push(sentence),
                Stop::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                Stop::Output(error) => return Err(cannot_print(&error)),
            }
        }
    }
    output.finish().map_err(|error| cannot_print(&error))?;
    if failures.is_empty() { Ok(()) } else { Err(Failure::failed(failures.join("\nossp: "))) }
}

fn cannot_print(error: &std::io::Error) -> Failure {
    Failure::failed(format!("standard output cannot be written ({error})"))
}

/// Why a file's replay ended early.
enum Stop {
    /// One sentence about the file.
    File(String),
    /// Nobody takes the results.
    Output(std::io::Error),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

fn file_failure(error: impl std::fmt::Display) -> Stop {
    Stop::File(error.to_string())
}

fn replay_file<W: Write>(path: &Path, output: &mut Output<W>) -> Result<(), Stop> {
    let recording = Recording::open(path).map_err(file_failure)?;
    let progress = progress_bar(&recording);
    let captured = CapturedWindow::of(recording.header())
        .map_err(|what| file_failure(format!("{}: {what}", path.display())))?;
    let name = path.display().to_string();
    let done = match captured {
        Some(window) => replay_capture(recording, &name, &window, output),
        None => replay_stream(recording, &name, &progress, output),
    };
    progress.finish_and_clear();
    done
}

/// Shown only when people watch: on a terminal.
fn progress_bar(recording: &Recording) -> ProgressBar {
    match recording.length() {
        Some(length) if std::io::stderr().is_terminal() => {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left");
            let bar = ProgressBar::new(length).with_message(recording.name().to_owned());
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        }
        _ => ProgressBar::hidden(),
    }
}

/// A whole recording, windows where they fall.
fn replay_stream<W: Write>(
    mut recording: Recording,
    name: &str,
    progress: &ProgressBar,
    output: &mut Output<W>,
) -> Result<(), Stop> {
    let front_end = recording.front_end();
    let rows = Meter::rows_needed(front_end.sample_rate.value());
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let mut meter = Meter::new(front_end, recording.calibration().clone(), storage)
        .map_err(|error| file_failure(format!("{name}: {error}")))?;
    let mut summary = SummaryBuilder::default();
    output.begin_file(name)?;
    let mut pairs: Vec<Pair> = Vec::new();
    while let Some(lost_before) = recording.next_block(&mut pairs).map_err(file_failure)? {
        let mut written = Ok(());
        meter.push(lost_before, &pairs, |reading, _| {
            summary.add(reading);
            if written.is_ok() {
                written = output.reading(name, reading);
            }
        });
        written?;
        progress.set_position(recording.bytes_read());
    }
    let rate = front_end.sample_rate.value();
    let open_since = meter.newest_edge().map(|edge| edge.samples() / rate);
    let length = meter.rows() as f64 / rate;
    output.end_file(name, &summary.build(length, open_since, meter.unmeasured().value()), None)?;
    Ok(())
}

/// One window that a plug gave away with its samples: computed again from just these.
fn replay_capture<W: Write>(
    mut recording: Recording,
    name: &str,
    window: &CapturedWindow,
    output: &mut Output<W>,
) -> Result<(), Stop> {
    let rate = recording.front_end().sample_rate.value();
    let (mut all, mut pairs): (Vec<(u32, Pair)>, Vec<Pair>) = (Vec::new(), Vec::new());
    while let Some(lost_before) = recording.next_block(&mut pairs).map_err(file_failure)? {
        let lost = std::iter::once(lost_before).chain(std::iter::repeat(0));
        all.extend(lost.zip(pairs.iter().copied()));
        if all.len() as f64 > rate {
            return Err(file_failure(format!("{name}: a captured window has less than a second of samples")));
        }
    }
    let mut harmonics = Harmonics::NONE;
    let reading: Reading = window
        .analyse(recording.front_end(), recording.calibration().clone(), &all, &mut harmonics)
        .map_err(|what| file_failure(format!("{name}: {what}")))?;
    let mut summary = SummaryBuilder::default();
    summary.add(&reading);
    output.begin_file(name)?;
    output.reading(name, &reading)?;
    let length = all.iter().map(|(lost, _)| f64::from(*lost) + 1.0).sum::<f64>() / rate;
    let verdict = window.compare(&reading);
    output.end_file(
        name,
        &summary.build(length, Some(window.last_edge() / rate), f64::from(reading.window.lost) / rate),
        verdict,
    )?;
    Ok(())
}
