//! `ossp plug URL capture`.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Plug, note, progress};
use crate::failure::Failure;
use crate::file::{self, Readers};
use crate::printable::printable_lines;

#[derive(Args, Clone, Debug)]
pub(super) struct Options {
    /// Where it goes; without it, to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The newest so many mains cycles [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "last")]
    cycles: Option<u32>,
    /// The samples of the newest reading, with the reading itself: `ossp replay` makes the same of them
    #[arg(long)]
    last: bool,
}

pub(super) fn run(plug: &Plug, options: &Options) -> Result<(), Failure> {
    let path = match options.last {
        true => "/api/v1/waveform?window=last".to_owned(),
        false => format!("/api/v1/waveform?cycles={}", options.cycles.unwrap_or(10)),
    };
    let answer = plug.client.download(&path).map_err(|trouble| plug.explain(trouble))?;
    let mut from = answer.into_body().into_with_config().limit(64 << 20).reader();
    let bar = progress::waiting("capturing");
    // All of it before anything is written: half a recording is none.
    let mut all = Vec::new();
    let mut piece = [0; 8192];
    loop {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                all.extend_from_slice(piece.get(..length).unwrap_or(&[]));
                bar.set_message(format!("capturing, {} KB", all.len() / 1024));
            }
            Err(error) => return Err(Failure::failed(format!("the recording broke off ({error})"))),
        }
    }
    bar.finish_and_clear();
    let rows = all.iter().filter(|byte| **byte == b'\n').count();
    write(options.output.as_deref(), &all, Readers::Usual)?;
    note(&format!("a recording of {rows} lines"));
    Ok(())
}

/// Writes a result where it was asked for.
pub(super) fn write(output: Option<&Path>, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
    let written = match output {
        // People look at it: what a plug sends is text.
        None if io::stdout().is_terminal() => {
            io::stdout().lock().write_all(printable_lines(&String::from_utf8_lossy(bytes)).as_bytes())
        }
        None => io::stdout().lock().write_all(bytes),
        Some(path) => file::replace(path, bytes, readers),
    };
    let place = output.map_or("standard output".into(), Path::to_string_lossy);
    written.map_err(|error| Failure::failed(format!("{place} cannot be written ({error})")))
}
