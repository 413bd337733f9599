//! Files of the host that a guest may see.
//!
//! The host knows a file's name, its length and how much room it takes on disk,
//! and never looks inside.
//!
//! Reading order: this file, [`output`] (files that are written to), [`stream`] and
//! [`pipe`] (those that are written and read in order, through [`spool`] and [`gone`]),
//! [`pace`] (how fast is written), [`queries`].

pub mod gone;
pub mod output;
pub mod pace;
pub mod pipe;
pub mod queries;
pub mod spool;
pub mod stream;

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abi::device::{Block, Device, Holes, Kind, Wiring};
use abi::holes::Ranges;
use rustix::fs::{OFlags, SeekFrom as Seeking};
use rustix::io::Errno;
use thiserror::Error;

use self::output::Output;
use self::pipe::Pipe;
use self::stream::Stream;
use crate::reasons::reason;

/// A file that a guest may see.
#[derive(Debug)]
pub struct HostFile {
    file: File,
    path: PathBuf,
    length: u64,
    allocated: u64,
    identity: Identity,
    is_device: bool,
    /// What may be done to it, if it is written to.
    output: Option<Arc<Output>>,
    /// What brings its bytes, if that is a pipe.
    pipe: Option<Pipe>,
    /// The images over it in the chain.
    above: Vec<Identity>,
    /// The name of the image that led to it, as the user gave it, if it is not this one.
    origin: Option<PathBuf>,
}

/// How many ranges of data a guest is told of if it cannot ask. The request has room for
/// as many of all files; behind them, all is data.
const MAX_LISTED: usize = 1000;

/// What standard input and standard output are called on the command line.
pub const STANDARD_STREAM: &str = "-";

/// Whether somebody reads standard input already.
static INPUT_IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Which file it is, whatever its name: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
}

/// A file that cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The system says no.
    #[error("Could not open '{}': {}", name(.path), reason(.source))]
    System {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be made.
    #[error("Could not create '{}': {}", name(.path), reason(.source))]
    Create {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is a directory, a pipe, or something else without a length.
    #[error("'file' driver requires '{}' to be a regular file", name(.path))]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
}

/// A name for an error message: control characters would reach the terminal.
fn name(path: &Path) -> String {
    crate::output::escape::for_terminal(path.as_os_str().as_bytes())
}

impl HostFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// If it cannot be read or has no length.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::System { path: path.to_owned(), source };
        // Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(failed)?;
        Self::from_file(file, path)
    }

    /// Opens a file for reading that may also be a pipe; `-` is standard input, whatever
    /// that is.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn open_input(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::System { path: path.to_owned(), source };
        let source = if path == Path::new(STANDARD_STREAM) {
            if INPUT_IS_TAKEN.swap(true, Ordering::Relaxed) {
                return Err(failed(io::Error::other("standard input can be read only once")));
            }
            io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(failed)?
        } else if std::fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo()) {
            // It waits for somebody to write to it.
            File::open(path).map_err(failed)?
        } else {
            return Self::open(path);
        };
        let kind = source.metadata().map_err(failed)?.file_type();
        if !kind.is_fifo() && !kind.is_socket() {
            return Self::from_file(source, path);
        }
        let pipe = Pipe::start(source).map_err(failed)?;
        // QEMU takes a file that is only read as one that is opened so.
        let file = spool::open_again(pipe.as_fd()).map_err(failed)?;
        Ok(Self { pipe: Some(pipe), ..Self::from_file(file, path)? })
    }

    /// Takes a file that is written from its start to its end, known by a name.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    pub fn from_stream(to: File, path: &Path, is_durable: bool) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Create { path: path.to_owned(), source };
        let metadata = to.metadata().map_err(failed)?;
        let file = to.try_clone().map_err(failed)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            length: 0,
            allocated: 0,
            identity: Identity { device: metadata.dev(), inode: metadata.ino() },
            is_device: false,
            output: Some(Arc::new(Output::stream(Stream::new(to), is_durable))),
            pipe: None,
            above: Vec::new(),
            origin: None,
        })
    }

    /// Has a file stand in for what can only be read or written in order, for machines that
    /// know nothing else. Waits until all is there that is read.
    ///
    /// # Errors
    ///
    /// Why it cannot be read to its end, or there is no room.
    pub fn stand_in(&mut self) -> Result<(), String> {
        if let Some(pipe) = &self.pipe {
            pipe.wait_for_end()?;
        }
        if let Some(output) = self.output.as_ref().filter(|it| it.as_stream().is_some()) {
            self.file = spool::nameless_file().map_err(|error| reason(&error))?;
            output.set_stood_in();
        }
        Ok(())
    }

    /// Takes a file that is open already, known by a name.
    ///
    /// # Errors
    ///
    /// If it has no length.
    pub fn from_file(mut file: File, path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::System { path: path.to_owned(), source };
        let metadata = file.metadata().map_err(failed)?;
        let kind = metadata.file_type();
        // As qemu-img does: `/dev/null` is an empty disk.
        let is_device = kind.is_block_device() || kind.is_char_device();
        let length = if metadata.is_file() {
            metadata.len()
        } else if is_device {
            file.seek(SeekFrom::End(0)).map_err(failed)?
        } else {
            return Err(OpenError::NotRegular { path: path.to_owned() });
        };
        Ok(Self {
            file,
            path: path.to_owned(),
            length,
            // The unit is 512 bytes on every file system.
            allocated: metadata.blocks() * 512,
            identity: Identity { device: metadata.dev(), inode: metadata.ino() },
            is_device,
            output: None,
            pipe: None,
            above: Vec::new(),
            origin: None,
        })
    }

    /// The pipe that brings its bytes, if one does.
    #[must_use]
    pub fn pipe(&self) -> Option<&Pipe> {
        self.pipe.as_ref()
    }

    /// The same file, which a guest may write to.
    #[must_use]
    pub fn with_output(self, output: Output) -> Self {
        Self { output: Some(Arc::new(output)), ..self }
    }

    /// The same file as a part of an image.
    #[must_use]
    pub fn part_of(self, image: &Self) -> Self {
        let origin = Some(image.origin().to_owned());
        Self { above: image.above.clone(), origin, ..self }
    }

    /// The same file as the image underneath another, if that makes sense: no image lies
    /// over itself.
    #[must_use]
    pub fn underneath(self, image: &Self) -> Option<Self> {
        let mut file = self.part_of(image);
        file.above.push(image.identity);
        (!file.above.contains(&file.identity)).then_some(file)
    }

    /// How many images are over it in the chain, or over the image that it is a part of.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.above.len()
    }

    /// The name that the user gave to the image that led to this file. It is this file's
    /// if he named it himself.
    #[must_use]
    pub fn origin(&self) -> &Path {
        self.origin.as_deref().unwrap_or(&self.path)
    }

    /// What may be done to the file, if it is written to.
    #[must_use]
    pub fn output(&self) -> Option<&Arc<Output>> {
        self.output.as_ref()
    }

    /// The open file itself.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    /// Its ranges of data from an offset on, so many at the most. A file system that
    /// does not know has data everywhere.
    #[must_use]
    pub fn data_ranges(&self, start: u64, limit: usize) -> Ranges {
        if self.pipe.is_some() {
            return Ranges { end: u64::MAX, data: vec![(start, u64::MAX)] };
        }
        let mut ranges = Ranges { end: start, data: Vec::new() };
        while ranges.end < self.length && ranges.data.len() < limit {
            let data = match rustix::fs::seek(self.as_fd(), Seeking::Data(ranges.end)) {
                Ok(data) => data,
                // There is no data behind this.
                Err(Errno::NXIO) => {
                    ranges.end = self.length;
                    break;
                }
                Err(_) => ranges.end,
            };
            let end = rustix::fs::seek(self.as_fd(), Seeking::Hole(data)).unwrap_or(self.length);
            // A file that is being changed may say anything.
            let end = if end > data { end } else { self.length };
            ranges.data.push((data, end));
            ranges.end = end;
        }
        ranges
    }

    /// Its name, as the user or the image gave it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, fit for a terminal.
    #[must_use]
    pub fn shown_name(&self) -> String {
        name(&self.path)
    }

    /// Its length in bytes, or how much of it a pipe has brought by now.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.pipe.as_ref().map_or(self.length, |pipe| pipe.arrival().length)
    }

    /// How much of it can be read, in bytes: a file that is written to gets longer.
    #[must_use]
    pub fn readable_length(&self) -> u64 {
        if self.output.is_none() || self.is_device {
            return self.length();
        }
        self.file.metadata().map_or(self.length, |metadata| metadata.len())
    }

    /// The room it takes on disk, in bytes.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// Which file it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether it is the file that has a name now.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let metadata = std::fs::metadata(path);
        metadata.is_ok_and(|it| self.identity == Identity { device: it.dev(), inode: it.ino() })
    }

    /// What another process does to the file that a reader should not be exposed
    /// to, in qemu's words.
    #[must_use]
    pub fn conflict(&self) -> Option<&'static str> {
        queries::conflict(self.as_fd())
    }

    /// The size in which the file system is asked to allocate, in bytes.
    #[must_use]
    pub fn extent_size_hint(&self) -> Option<u32> {
        queries::extent_size_hint(self.as_fd())
    }

    /// Whether it is a device, and not a file.
    #[must_use]
    pub fn is_device(&self) -> bool {
        self.is_device
    }

    /// Whether reads and writes go past the host's cache.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        rustix::fs::fcntl_getfl(self.as_fd()).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
    }

    /// Has them go through the cache from now on. Says whether they went past it before.
    #[must_use]
    pub fn use_cache(&self) -> bool {
        let Ok(flags) = rustix::fs::fcntl_getfl(self.as_fd()) else {
            return false;
        };
        let changed = rustix::fs::fcntl_setfl(self.as_fd(), flags - OFlags::DIRECT);
        flags.contains(OFlags::DIRECT) && changed.is_ok()
    }

    /// Writes what is missing of it, if it is written from the start to the end. Says whether
    /// it is.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish_stream(&self) -> io::Result<bool> {
        let Some((output, stream)) =
            self.output.as_ref().and_then(|it| Some((it, it.as_stream()?)))
        else {
            return Ok(false);
        };
        let length = output.final_length().unwrap_or(0);
        output.finish_stream(stream, &self.file, length)?;
        Ok(true)
    }

    /// The open file.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The device that shows it to a guest.
    #[must_use]
    pub fn as_device(&self, slot: u8, wiring: Wiring) -> Device {
        let holes = match wiring {
            Wiring::Ready { .. } => Holes::Asked,
            Wiring::Registers => {
                let Ranges { end, data } = self.data_ranges(0, MAX_LISTED);
                Holes::Listed { end, data }
            }
        };
        let (length, writable) = match &self.output {
            Some(output) => (output.capacity(), true),
            None => (self.length(), false),
        };
        let arrives = self.pipe.as_ref().is_some_and(|pipe| !pipe.arrival().is_all);
        let room = if self.pipe.is_some() { u64::MAX } else { self.allocated };
        Device { slot, kind: Kind::Block(Block { length, arrives, room, writable, holes }), wiring }
    }
}
