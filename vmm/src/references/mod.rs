//! Which of the files that an image refers to are opened.
//!
//! The names come out of images, so they are an attacker's to choose. A name may
//! lead into the folder of the image that the user named and that led to it, and below,
//! and into folders that the user allows besides; nowhere else. What is outside leaves
//! no trace in the error: it is refused with the same words whether it exists or not,
//! and nothing looks whether it does.
//!
//! Reading order: this file (the rules), [`folder`] (following a name).

pub mod folder;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use abi::reply::{Reference, ReferenceRole};
use thiserror::Error;

use self::folder::{Folder, Lost};
use crate::file_name;
use crate::host_file::{HostFile, OpenError};
use crate::output::escape::for_terminal;
use crate::reasons::reason;

/// What the user says of references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// None is followed.
    Deny,
    /// They may lead into the folder of the image, and into these.
    Allow(Vec<PathBuf>),
}

impl Default for Policy {
    fn default() -> Self {
        Self::Allow(Vec::new())
    }
}

impl Policy {
    /// What a word says: `deny`, or folders with colons between them.
    #[must_use]
    pub fn from_text(text: &OsStr) -> Self {
        if text == "deny" {
            return Self::Deny;
        }
        let folders = text.as_bytes().split(|byte| *byte == b':').filter(|it| !it.is_empty());
        Self::Allow(folders.map(|it| OsString::from_vec(it.to_vec()).into()).collect())
    }
}

/// The rules for one run, and the folders that have been looked into by them.
#[derive(Debug)]
pub struct References {
    policy: Policy,
    /// Those that the user allows. They are opened when a name is to be followed.
    allowed: Option<Vec<Folder>>,
    /// Those of images, by their paths.
    folders: Vec<(PathBuf, Folder)>,
}

impl References {
    /// The rules that the user wants.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, allowed: None, folders: Vec::new() }
    }

    /// Opens a file that the image in `from` refers to.
    ///
    /// # Errors
    ///
    /// Why it is not opened.
    pub fn open(&mut self, reference: &Reference, from: &HostFile) -> Result<HostFile, NotOpened> {
        let named = reference.path.as_bytes();
        let image = from.path().as_os_str().as_bytes();
        let full = file_name::full(image, named).unwrap_or_default();
        let refused = |why: &str| Err(NotOpened::new(&full, why));
        if self.policy == Policy::Deny {
            return refused("references are not followed");
        }
        if full.is_empty() {
            return Err(NotOpened::Refused("an image refers to a file without a name".to_owned()));
        }
        if file_name::protocol(named).is_some() {
            return refused("references with a protocol are not followed");
        }
        let path = Path::new(OsStr::from_bytes(&full));
        let file = self.open_inside(path, from)?;
        if reference.role != ReferenceRole::Backing {
            return Ok(file.part_of(from));
        }
        file.underneath(from).ok_or_else(|| {
            let shown = for_terminal(&full);
            NotOpened::Refused(format!("Backing file '{shown}' creates an infinite loop."))
        })
    }

    /// Opens a file if it lies in one of the folders.
    fn open_inside(&mut self, path: &Path, from: &HostFile) -> Result<HostFile, NotOpened> {
        let refused = |why: &str| NotOpened::new(path.as_os_str().as_bytes(), why);
        let cannot = |folder: &Path, error: &std::io::Error| {
            let shown = for_terminal(folder.as_os_str().as_bytes());
            refused(&format!("cannot look into the folder '{shown}': {}", reason(error)))
        };
        if self.allowed.is_none() {
            let paths = match &self.policy {
                Policy::Deny => &[][..],
                Policy::Allow(paths) => paths,
            };
            let open =
                |path: &PathBuf| Folder::open(path, true).map_err(|error| cannot(path, &error));
            self.allowed = Some(paths.iter().map(open).collect::<Result<_, _>>()?);
        }
        let home = from.origin().parent().filter(|folder| !folder.as_os_str().is_empty());
        let home = home.unwrap_or(Path::new("."));
        if !self.folders.iter().any(|(path, _)| path == home) {
            let folder = Folder::open(home, false).map_err(|error| cannot(home, &error))?;
            self.folders.push((home.to_owned(), folder));
        }
        let own = self.folders.iter().filter(|(path, _)| path == home).map(|(_, folder)| folder);
        let folders: Vec<&Folder> = own.chain(self.allowed.iter().flatten()).collect();
        let path_again = || path.to_owned();
        let opened = folder::open(&folders, path).map_err(|lost| match lost {
            Lost::Outside => refused("it is outside the folder of the image"),
            Lost::Device => {
                refused("it is a device (--allow-references with its folder allows it)")
            }
            Lost::NotRegular => NotOpened::Failed(OpenError::NotRegular { path: path_again() }),
            Lost::Failed(errno) => {
                NotOpened::Failed(OpenError::System { path: path_again(), source: errno.into() })
            }
        })?;
        HostFile::from_file(opened, path).map_err(NotOpened::Failed)
    }
}

/// Why a file is not opened.
#[derive(Debug, Error)]
pub enum NotOpened {
    /// It may not be.
    #[error("{0}")]
    Refused(String),
    /// It cannot be.
    #[error(transparent)]
    Failed(OpenError),
}

impl NotOpened {
    fn new(name: &[u8], why: &str) -> Self {
        Self::Refused(format!("Could not open '{}': {why}", for_terminal(name)))
    }
}

#[cfg(test)]
mod tests;
