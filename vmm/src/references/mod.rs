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
    /// A message for the user: why it is not opened.
    pub fn open(&mut self, reference: &Reference, from: &HostFile) -> Result<HostFile, String> {
        let named = reference.path.as_bytes();
        let image = from.path().as_os_str().as_bytes();
        let full = file_name::full(image, named).unwrap_or_default();
        let shown = for_terminal(&full);
        if self.policy == Policy::Deny {
            return Err(format!("Could not open '{shown}': references are not followed"));
        }
        if full.is_empty() {
            return Err("an image refers to a file without a name".to_owned());
        }
        if file_name::protocol(named).is_some() {
            return Err(format!(
                "Could not open '{shown}': references with a protocol are not followed"
            ));
        }
        let path = Path::new(OsStr::from_bytes(&full));
        let file = self.open_inside(path, from).map_err(|error| match error {
            // What is underneath is an image of its own to qemu-img, so that its name is
            // said twice; other files are opened on behalf of the image.
            Error::Open(error) if reference.role == ReferenceRole::Backing => {
                format!("Could not open '{shown}': {error}")
            }
            Error::Open(error) => error.to_string(),
            Error::Refused(message) => format!("Could not open '{shown}': {message}"),
        })?;
        let (file, makes_sense) = file.below(from);
        if reference.role == ReferenceRole::Backing && !makes_sense {
            return Err(format!("Backing file '{shown}' creates an infinite loop."));
        }
        Ok(file)
    }

    /// Opens a file if it lies in one of the folders.
    fn open_inside(&mut self, path: &Path, from: &HostFile) -> Result<HostFile, Error> {
        let cannot = |path: &Path, error: &std::io::Error| {
            let shown = for_terminal(path.as_os_str().as_bytes());
            Error::Refused(format!("cannot look into the folder '{shown}': {}", reason(error)))
        };
        if self.allowed.is_none() {
            let Policy::Allow(paths) = &self.policy else {
                return Err(Error::Refused("references are not followed".to_owned()));
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
        let opened = folder::open(&folders, path).map_err(|lost| match lost {
            Lost::Outside => Error::Refused("it is outside the folder of the image".to_owned()),
            Lost::Device => Error::Refused(
                "it is a device (--allow-references with its folder allows it)".to_owned(),
            ),
            Lost::NotRegular => Error::Open(OpenError::NotRegular { path: path.to_owned() }),
            Lost::Failed(errno) => {
                let path = path.to_owned();
                Error::Open(OpenError::System { path, source: errno.into() })
            }
        })?;
        HostFile::from_file(opened, path).map_err(Error::Open)
    }
}

/// Why a file is not opened.
enum Error {
    /// It may not be.
    Refused(String),
    /// It cannot be.
    Open(OpenError),
}

#[cfg(test)]
mod tests;
