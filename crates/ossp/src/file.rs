//! Files that are read whole, and files that are written without spoiling another.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::failure::Failure;

/// Longest file that is read: several times what a slot holds.
const MOST: u64 = 16 * 1024 * 1024;

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whoever may read files that are made here.
    Usual,
    /// Its owner alone: there are secrets in it.
    Owner,
}

/// All of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("{} cannot be read ({error})", path.display()))
    };
    let length = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if length > MOST {
        return Err(cannot(&"it is longer than any firmware"));
    }
    std::fs::read(path).map_err(|error| cannot(&error))
}

/// Writes a file; one that is there only if `force` says so.
pub(crate) fn write(path: &Path, bytes: &[u8], readers: Readers, force: bool) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::failed(format!("{} cannot be written ({error})", path.display()));
    if force {
        // Made anew: an old one may be readable by others.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => is_there(path),
        _ => cannot(error),
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a file helps nobody.
        let _ = std::fs::remove_file(path);
        cannot(error)
    })
}

/// Writes files for their owner alone, one after the other: all of them, or none of those that are new.
pub(crate) fn write_all(files: &[(&Path, &[u8])], force: bool) -> Result<(), Failure> {
    for (index, (path, _)) in files.iter().enumerate() {
        if files.iter().take(index).any(|(other, _)| other == path) {
            return Err(Failure::wrong_use(format!("{} would be written twice", path.display())));
        }
        // Looked at before anything is written, also where a link leads nowhere.
        if !force && path.symlink_metadata().is_ok() {
            return Err(is_there(path));
        }
    }
    for (index, (path, bytes)) in files.iter().enumerate() {
        if let Err(failure) = write(path, bytes, Readers::Owner, force) {
            for (written, _) in files.iter().take(index) {
                let _ = std::fs::remove_file(written);
            }
            return Err(failure);
        }
    }
    Ok(())
}

fn is_there(path: &Path) -> Failure {
    Failure::wrong_use(format!("{} is there already; --force replaces it", path.display()))
}
