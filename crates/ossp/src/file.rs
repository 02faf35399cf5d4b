//! Files that are read whole, and files that are written without spoiling another.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, absolute};

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
    let mut file = open(&mut options, path, readers).map_err(|error| match error.kind() {
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
        if files.iter().take(index).any(|(other, _)| absolute(other).ok() == absolute(path).ok()) {
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

/// Writes a file, also over one that is there.
pub(crate) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    open(OpenOptions::new().write(true).create(true).truncate(true), path, readers)?.write_all(bytes)
}

/// Opens a file; one for its owner nobody else can open from then on, whether it was there or not.
pub(crate) fn open(options: &mut OpenOptions, path: &Path, readers: Readers) -> io::Result<File> {
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        let found = file.metadata()?;
        // A device is everybody's business.
        if found.is_file() && found.permissions().mode() & 0o077 != 0 {
            file.set_permissions(PermissionsExt::from_mode(0o600))?;
        }
        return Ok(file);
    }
    let _ = readers;
    options.open(path)
}

/// Makes a folder that nobody else looks into, and those that it lies in; one that is there stays as it is.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.recursive(true).create(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::host::scratch::Scratch;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        path.metadata().map_or(0, |found| found.permissions().mode() & 0o777)
    }

    #[test]
    fn what_is_for_its_owner_nobody_else_reads() {
        let folder = Scratch::new("file-modes");
        let (made, inner) = (folder.path().join("made"), folder.path().join("made/in/it"));
        make_folder(&inner).unwrap();
        assert_eq!((mode(&made), mode(&inner)), (0o700, 0o700));
        let path = inner.join("file");
        write(&path, b"first", Readers::Owner, false).unwrap();
        assert_eq!(mode(&path), 0o600);
        // One that others could read.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let file = open(OpenOptions::new().read(true), &path, Readers::Owner).unwrap();
        assert_eq!((file.metadata().unwrap().len(), mode(&path)), (5, 0o600));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        replace(&path, b"second", Readers::Owner).unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), mode(&path)), (b"second".to_vec(), 0o600));
        // What others may read, and folders that were there, stay as they are.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::set_permissions(&made, PermissionsExt::from_mode(0o755)).unwrap();
        replace(&path, b"third", Readers::Usual).unwrap();
        make_folder(&made).unwrap();
        assert_eq!((mode(&path), mode(&made)), (0o644, 0o755));
    }

    #[test]
    fn a_device_keeps_its_mode() {
        let null = Path::new("/dev/null");
        let before = mode(null);
        replace(null, b"nothing", Readers::Owner).unwrap();
        assert_eq!(mode(null), before);
    }
}
