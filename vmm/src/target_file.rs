//! Files that are made: they appear under their name when they are complete.
//!
//! A new file has no name while it is written (`O_TMPFILE`), so that nothing is left of
//! it if the run fails, or the program is killed. One that is there already is written
//! in place, as qemu-img does, and so is a device.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::host_file::output::Output;
use crate::host_file::{HostFile, OpenError, STANDARD_STREAM};
use crate::interruption::{self, Undoing};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Past the host's cache.
    pub direct: bool,
    /// Every write is durable.
    pub through: bool,
    /// What is flushed is durable.
    pub durable: bool,
}

impl Cache {
    /// The mode with a name of qemu's.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let (direct, through, durable) = match name {
            "none" | "off" => (true, false, true),
            "directsync" => (true, true, true),
            "writeback" => (false, false, true),
            "unsafe" => (false, false, false),
            "writethrough" => (false, true, true),
            _ => return None,
        };
        Some(Self { direct, through, durable })
    }

    /// The same, for one that the user wants.
    ///
    /// # Errors
    ///
    /// In qemu-img's words, if there is no such mode.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::from_name(name).ok_or_else(|| format!("Invalid cache option: {name}"))
    }

    fn flags(self) -> i32 {
        let direct = if self.direct { libc::O_DIRECT } else { 0 };
        let through = if self.through { libc::O_DSYNC } else { 0 };
        direct | through
    }
}

/// A file that is being made.
#[derive(Debug)]
pub struct TargetFile {
    path: PathBuf,
    state: State,
    cache: Cache,
}

#[derive(Debug)]
enum State {
    /// It has no name yet, and gets this one in this folder.
    Nameless(OwnedFd, OsString),
    /// It has a name of its own in the meantime, which is gone if the program is interrupted.
    Temporary(PathBuf, Undoing),
    /// It was there before.
    Present,
    /// It is written from the start to the end, and is no file.
    Stream,
}

impl TargetFile {
    /// Makes a file, or empties one that is there. A device keeps its length. Says
    /// whether the file starts out as zeros.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn create(path: &Path, cache: Cache) -> Result<(Self, HostFile, bool), OpenError> {
        let failed = |source| OpenError::Create { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (state, file) = Self::new_file(path, cache).map_err(failed)?;
                let file = HostFile::from_file(file, path)?;
                let file = file.with_output(Output::growing(cache.durable));
                Ok((Self { path: path.to_owned(), state, cache }, file, true))
            }
            Err(error) => Err(failed(error)),
            Ok(_) => {
                let file = Self::open_present(path, cache).map_err(failed)?;
                let file = HostFile::from_file(file, path)?;
                let target = Self { path: path.to_owned(), state: State::Present, cache };
                if file.is_device() {
                    let output = Output::fixed(file.length(), cache.durable);
                    return Ok((target, file.with_output(output), false));
                }
                let emptied = rustix::fs::ftruncate(file.as_fd(), 0);
                emptied.map_err(|error| failed(error.into()))?;
                Ok((target, file.with_output(Output::growing(cache.durable)), true))
            }
        }
    }

    /// Whether a name is that of something that is written from the start to the end:
    /// standard output, whatever that is, or a pipe.
    #[must_use]
    pub fn is_stream(path: &Path) -> bool {
        let is_pipe = |it: std::fs::Metadata| it.file_type().is_fifo();
        path == Path::new(STANDARD_STREAM) || std::fs::metadata(path).is_ok_and(is_pipe)
    }

    /// Whether what has a name is what standard output is.
    #[must_use]
    pub fn is_standard_output(path: &Path) -> bool {
        let output = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let output = output.and_then(|output| output.metadata());
        let same = |it: std::fs::Metadata| {
            output.is_ok_and(|output| (it.dev(), it.ino()) == (output.dev(), output.ino()))
        };
        path == Path::new(STANDARD_STREAM) || std::fs::metadata(path).is_ok_and(same)
    }

    /// Opens such a thing.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn open_stream(path: &Path, cache: Cache) -> Result<(Self, HostFile), OpenError> {
        let failed = |source| OpenError::Create { path: path.to_owned(), source };
        let to = if path == Path::new(STANDARD_STREAM) {
            io::stdout().as_fd().try_clone_to_owned().map(File::from)
        } else {
            // It waits for somebody to read from it.
            OpenOptions::new().write(true).open(path)
        };
        let to = to.map_err(failed)?;
        if to.is_terminal() {
            let reason = "it is a terminal, which an image would upset";
            return Err(failed(io::Error::other(reason)));
        }
        let file = HostFile::from_stream(to, path, cache.durable)?;
        Ok((Self { path: path.to_owned(), state: State::Stream, cache }, file))
    }

    /// Opens a file that is there, to be written in place.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn open(path: &Path, cache: Cache) -> Result<(Self, HostFile), OpenError> {
        let failed = |source| OpenError::System { path: path.to_owned(), source };
        let file = Self::open_present(path, cache).map_err(failed)?;
        let file = HostFile::from_file(file, path)?;
        let output = Output::fixed(file.length(), cache.durable);
        let target = Self { path: path.to_owned(), state: State::Present, cache };
        Ok((target, file.with_output(output)))
    }

    fn open_present(path: &Path, cache: Cache) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        match options.custom_flags(flags | cache.flags()).open(path) {
            // The file system goes through the cache always.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && cache.direct => {
                options.custom_flags(flags).open(path)
            }
            opened => opened,
        }
    }

    fn new_file(path: &Path, cache: Cache) -> io::Result<(State, File)> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let nameless = || io::Error::from_raw_os_error(libc::ENOENT);
        let name = path.file_name().ok_or_else(nameless)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(MODE);
        for flags in [cache.flags(), 0] {
            if let Ok(file) = options.custom_flags(libc::O_TMPFILE | flags).open(folder) {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let folder = rustix::fs::open(folder, flags, Mode::empty())?;
                return Ok((State::Nameless(folder, name.to_owned()), file));
            }
        }
        // A file system that cannot do that; it may also be that nothing can be made here,
        // and then this says why.
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.partial", std::process::id()));
        let temporary = path.with_file_name(temporary);
        let file = options.create_new(true).custom_flags(0).open(&temporary)?;
        let undoing = interruption::undo_file(temporary.clone());
        Ok((State::Temporary(temporary, undoing), file))
    }

    /// Gives the file of an image of a format its length and its room, so that nothing is
    /// missing but its name.
    ///
    /// # Errors
    ///
    /// A message for the user.
    pub fn complete(&self, file: &HostFile, format: &str) -> Result<(), String> {
        let shown = file.shown_name();
        let failed = |what: &str, error: io::Error| {
            let reason = match error.raw_os_error() {
                Some(libc::EFBIG) => {
                    format!("The image size is too large for file format '{format}'")
                }
                _ => format!("cannot {what}: {}", crate::reasons::reason(&error)),
            };
            format!("{shown}: {reason}")
        };
        let Some(output) = file.output() else { return Ok(()) };
        if file.finish_stream().map_err(|error| failed("be written", error))? {
            return Ok(());
        }
        if let Some(length) = output.final_length() {
            rustix::fs::ftruncate(file.as_fd(), length)
                .map_err(|error| failed("set the length", error.into()))?;
            output
                .preallocate(file.as_fd(), length)
                .map_err(|error| failed("set its room aside", error))?;
        }
        if self.cache.durable {
            rustix::fs::fsync(file.as_fd())
                .map_err(|error| failed("make it durable", error.into()))?;
        }
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// A message for the user.
    pub fn publish(&mut self, file: &HostFile) -> Result<(), String> {
        let named = match std::mem::replace(&mut self.state, State::Present) {
            State::Present | State::Stream => Ok(()),
            State::Temporary(temporary, _undoing) => std::fs::rename(&temporary, &self.path),
            State::Nameless(folder, name) => give_name(file.as_fd(), &folder, &name),
        };
        named.map_err(|error| {
            let reason = crate::reasons::reason(&error);
            format!("{}: cannot give it its name: {reason}", file.shown_name())
        })
    }
}

impl Drop for TargetFile {
    fn drop(&mut self) {
        if let State::Temporary(temporary, _) = &self.state {
            // It is half made, and whoever looks for it has been told why.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// The rights of a new file, before those are taken that the user does not give.
const MODE: u32 = 0o644;

/// Gives a file without a name one in a folder, in place of one that has appeared there
/// in the meantime.
fn give_name(file: impl AsFd, folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let own = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let link = |name: &OsStr| {
        rustix::fs::linkat(rustix::fs::CWD, &own, folder, name, AtFlags::SYMLINK_FOLLOW)
    };
    match link(name) {
        Err(rustix::io::Errno::EXIST) => {}
        linked => return linked.map_err(Into::into),
    }
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.complete", std::process::id()));
    link(&temporary)?;
    Ok(rustix::fs::renameat(folder, &temporary, folder, name)?)
}
