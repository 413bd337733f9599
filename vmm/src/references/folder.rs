//! Folders that names out of images may lead into, and the way there.
//!
//! A name is followed part by part, and symbolic links are resolved here, since the
//! kernel's own way of staying beneath a folder refuses those with an absolute target
//! wherever they lead. What a part is, is looked up only if it lies in one of the
//! folders. Above them nothing is looked up at all: their own real names are known,
//! everything else there is outside. At each look the kernel holds that the path has no
//! link in it and stays beneath the folder (`openat2`), whatever is renamed meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// How many symbolic links a name may lead through, as in Linux.
const MAX_LINKS: u32 = 40;

/// A folder that names may lead into, and what is below it.
#[derive(Debug)]
pub struct Folder {
    /// Its absolute path as the user spells it.
    spelled: PathBuf,
    /// Its absolute path without links.
    real: PathBuf,
    handle: OwnedFd,
    /// Whether the user has allowed it by name.
    pub is_allowed: bool,
}

/// A way that led to no file.
#[derive(Debug, PartialEq, Eq)]
pub enum Lost {
    /// It leads out of the folders.
    Outside,
    /// It leads to a device, which the user has not allowed by name.
    Device,
    /// It leads to something else without a length.
    NotRegular,
    /// The system says no, to something in the folders.
    Failed(Errno),
}

impl Folder {
    /// A folder that the user has named, or the one of an image that he has named.
    ///
    /// # Errors
    ///
    /// If it is none, or cannot be looked into.
    pub fn open(path: &Path, is_allowed: bool) -> std::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        let spelled = std::path::absolute(path)?;
        let real = std::fs::canonicalize(path)?;
        Ok(Self { spelled, real, handle, is_allowed })
    }

    /// Opens a path below the folder that has no links in it.
    fn open_below(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        loop {
            match rustix::fs::openat2(&self.handle, path, flags, Mode::empty(), resolve) {
                // Somebody renamed something meanwhile.
                Err(Errno::AGAIN) => {}
                opened => return opened,
            }
        }
    }
}

/// Opens a file for reading if it lies in one of the folders.
///
/// # Errors
///
/// [`Lost`] says why not. Outside of the folders, that does not depend on what is there.
pub fn open(folders: &[&Folder], path: &Path) -> Result<File, Lost> {
    let (folder, real) = Way::begin(folders, path)?.follow()?;
    // Opening must not wait for anybody.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    folder.open_below(&real, flags).map(File::from).map_err(Lost::Failed)
}

/// A name that is being followed.
struct Way<'a> {
    folders: &'a [&'a Folder],
    /// How far it has been followed: an absolute path without links, of one of the
    /// folders, of something in them, or of something that they are in.
    at: PathBuf,
    /// The parts that are left, the next one last.
    left: Vec<OsString>,
    links: u32,
}

impl<'a> Way<'a> {
    /// Begins to follow a name.
    fn begin(folders: &'a [&'a Folder], path: &Path) -> Result<Self, Lost> {
        let path = std::path::absolute(path).map_err(|_| Lost::Outside)?;
        // However the user spells a folder, it is that folder.
        let spelled = folders.iter().filter(|folder| path.starts_with(&folder.spelled));
        let spelled = spelled.max_by_key(|folder| folder.spelled.as_os_str().len());
        let (at, rest) = match spelled {
            Some(folder) => {
                (folder.real.clone(), path.strip_prefix(&folder.spelled).unwrap_or(&path))
            }
            None => (PathBuf::from("/"), path.as_path()),
        };
        let mut way = Self { folders, at, left: Vec::new(), links: 0 };
        way.add(rest.as_os_str().as_bytes());
        Ok(way)
    }

    /// Adds what is to be followed next.
    fn add(&mut self, path: &[u8]) {
        let parts = path.split(|byte| *byte == b'/').rev();
        self.left.extend(parts.map(|part| OsStr::from_bytes(part).to_owned()));
    }

    /// Follows the name to its end. Returns the folder that the file lies in, and its
    /// path there.
    fn follow(mut self) -> Result<(&'a Folder, PathBuf), Lost> {
        while let Some(part) = self.left.pop() {
            match part.as_bytes() {
                b"" | b"." => {}
                b".." => drop(self.at.pop()),
                _ => {
                    let next = self.at.join(&part);
                    if let Some(found) = self.step(next)? {
                        return Ok(found);
                    }
                }
            }
        }
        // Folders have no length.
        let is_inside = self.folder_of(&self.at).is_some();
        Err(if is_inside { Lost::NotRegular } else { Lost::Outside })
    }

    /// Takes a step. Returns the file, if that is where it leads.
    fn step(&mut self, next: PathBuf) -> Result<Option<(&'a Folder, PathBuf)>, Lost> {
        let Some((folder, below)) = self.folder_of(&next) else {
            let leads_to_one = self.folders.iter().any(|folder| folder.real.starts_with(&next));
            self.at = next;
            return if leads_to_one { Ok(None) } else { Err(Lost::Outside) };
        };
        let look = folder.open_below(&below, OFlags::PATH | OFlags::NOFOLLOW);
        let look = look.map_err(Lost::Failed)?;
        let kind = rustix::fs::fstat(&look).map_err(Lost::Failed)?.st_mode;
        match FileType::from_raw_mode(kind) {
            FileType::Directory => {
                self.at = next;
                Ok(None)
            }
            FileType::Symlink => {
                self.links += 1;
                if self.links > MAX_LINKS {
                    return Err(Lost::Failed(Errno::LOOP));
                }
                let target = rustix::fs::readlinkat(look.as_fd(), "", Vec::new());
                let target = OsString::from_vec(target.map_err(Lost::Failed)?.into_bytes());
                if target.as_bytes().starts_with(b"/") {
                    self.at = PathBuf::from("/");
                }
                self.add(target.as_bytes());
                Ok(None)
            }
            // A file has nothing below it.
            _ if !self.left.is_empty() => Err(Lost::Failed(Errno::NOTDIR)),
            FileType::RegularFile => Ok(Some((folder, below))),
            FileType::BlockDevice if folder.is_allowed => Ok(Some((folder, below))),
            FileType::BlockDevice => Err(Lost::Device),
            // Some of them do something when they are opened.
            _ => Err(Lost::NotRegular),
        }
    }

    /// The folder that a path without links lies in, and the path as seen from there.
    fn folder_of(&self, path: &Path) -> Option<(&'a Folder, PathBuf)> {
        // What is allowed by name is allowed, whatever else it lies in.
        let allowed_last = |folder: &&&'a Folder| folder.is_allowed;
        let inside = self.folders.iter().filter(|folder| path.starts_with(&folder.real));
        let folder = inside.max_by_key(allowed_last)?;
        Some((folder, path.strip_prefix(&folder.real).ok()?.to_owned()))
    }
}
