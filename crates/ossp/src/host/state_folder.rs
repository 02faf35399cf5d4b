//! The state folder: what a plug keeps in its flash, a virtual plug keeps here.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::file::{self, Readers};

/// File with the plug's identity.
const ID_FILE: &str = "id";

/// What can be wrong with a state folder.
#[derive(Debug, Error)]
pub enum StateFolderError {
    /// It cannot be made, read or written.
    #[error("the state folder {path} cannot be used ({reason}); name another one with --state")]
    Unusable {
        /// The folder.
        path: String,
        /// The operating system's words.
        reason: String,
    },
    /// There is no home folder to put it.
    #[error("there is no home folder for the plug's state; name a folder with --state")]
    NoHome,
}

/// An open state folder.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    id: String,
}

impl StateFolder {
    /// Opens a folder, making it and a fresh identity if need be.
    ///
    /// # Errors
    /// If the operating system does not let it.
    pub fn open(path: Option<&Path>) -> Result<Self, StateFolderError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => default_folder().ok_or(StateFolderError::NoHome)?,
        };
        let unusable =
            |reason: String| StateFolderError::Unusable { path: path.display().to_string(), reason };
        file::make_folder(&path).map_err(|error| unusable(error.to_string()))?;
        let file = path.join(ID_FILE);
        let id = match fs::read_to_string(&file) {
            Ok(text) if is_id(text.trim()) => text.trim().to_owned(),
            Ok(_) => return Err(unusable(format!("its file {ID_FILE} does not hold 12 hexadecimal digits"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let id = fresh_id().map_err(unusable)?;
                file::replace(&file, format!("{id}\n").as_bytes(), Readers::Owner)
                    .map_err(|error| unusable(error.to_string()))?;
                id
            }
            Err(error) => return Err(unusable(error.to_string())),
        };
        Ok(Self { path, id })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plug's identity: twelve hexadecimal digits, like a chip's hardware address.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn fresh_id() -> Result<String, String> {
    let mut bytes = [0_u8; 6];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn default_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_STATE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("ossp"))
}
