//! Files that a guest may write to.
//!
//! The user has named them. A guest that is not ours any more can write anything into
//! them, up to the capacity that it was granted, and nothing else anywhere.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use abi::reply::Preallocation;
use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::Errno;

use super::pace::Pace;
use super::stream::Stream;

/// The unit of writes in bytes.
const SECTOR: u64 = 512;

/// What may be done to a file that is written to.
#[derive(Debug)]
pub struct Output {
    /// How many bytes it may have.
    capacity: AtomicU64,
    /// Whether the guest may ask for more.
    grows: bool,
    /// Whether what was written is to survive the machine.
    is_durable: bool,
    /// The length that the guest wants it to have at the end.
    final_length: Mutex<Option<u64>>,
    /// How it is to get all of its room then.
    preallocation: OnceLock<Preallocation>,
    /// Where it goes, if it is written from the start to the end.
    stream: Option<Stream>,
    /// Whether another file stands in for that.
    is_stood_in: AtomicBool,
    /// How fast it may be written.
    pace: OnceLock<Arc<Pace>>,
    /// Why a write failed.
    failure: OnceLock<io::Error>,
}

impl Output {
    /// A file that starts empty and gets as long as the guest needs it.
    #[must_use]
    pub fn growing(is_durable: bool) -> Self {
        Self {
            capacity: AtomicU64::new(0),
            grows: true,
            is_durable,
            final_length: Mutex::new(None),
            preallocation: OnceLock::new(),
            stream: None,
            is_stood_in: AtomicBool::new(false),
            pace: OnceLock::new(),
            failure: OnceLock::new(),
        }
    }

    /// Something that starts empty and is written from the start to the end.
    #[must_use]
    pub fn stream(stream: Stream, is_durable: bool) -> Self {
        Self { stream: Some(stream), ..Self::growing(is_durable) }
    }

    /// Where it goes, if it is written from the start to the end.
    #[must_use]
    pub fn as_stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    /// Has everything written no faster than this. The files of an image share one pace.
    pub fn set_pace(&self, pace: &Arc<Pace>) {
        // There is one.
        let _ = self.pace.set(Arc::clone(pace));
        if let Some(stream) = &self.stream {
            stream.set_pace(pace);
        }
    }

    /// How fast it may be written, if not as fast as can be.
    #[must_use]
    pub fn pace(&self) -> Option<&Pace> {
        self.pace.get().map(Arc::as_ref)
    }

    /// Has another file stand in for what is written from the start to the end.
    pub fn set_stood_in(&self) {
        self.is_stood_in.store(true, Ordering::Relaxed);
    }

    /// Writes what is missing of something that is written from the start to the end: all of
    /// the file that stands in for it, or zeros up to its length.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish_stream(&self, stream: &Stream, file: &File, length: u64) -> io::Result<()> {
        if self.is_stood_in.load(Ordering::Relaxed) {
            stream.pour(file, length)
        } else {
            stream.fill(length)
        }
    }

    /// A file or a device that keeps its length in bytes.
    #[must_use]
    pub fn fixed(length: u64, is_durable: bool) -> Self {
        Self { capacity: AtomicU64::new(length), grows: false, ..Self::growing(is_durable) }
    }

    /// How many bytes the file may have.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity.load(Ordering::Relaxed)
    }

    /// Where writing ends, in bytes. A file that grows is written in whole sectors, and what
    /// is too much of the last one is cut off.
    #[must_use]
    pub fn end(&self) -> u64 {
        let capacity = self.capacity();
        if self.grows {
            capacity.checked_next_multiple_of(SECTOR).unwrap_or(capacity)
        } else {
            capacity
        }
    }

    /// Makes room. Says how much there is now.
    pub fn reserve(&self, length: u64) -> u64 {
        if self.grows {
            self.capacity.fetch_max(length, Ordering::Relaxed);
        }
        self.capacity()
    }

    /// Takes note of the length that the guest wants the file to have at the end.
    pub fn set_final_length(&self, length: u64) {
        if self.grows {
            let length = length.min(self.capacity());
            *self.final_length.lock().unwrap_or_else(PoisonError::into_inner) = Some(length);
        }
    }

    /// The length that the file is to have, in bytes, if the guest has said so.
    #[must_use]
    pub fn final_length(&self) -> Option<u64> {
        *self.final_length.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of how the file is to get all of its room.
    pub fn set_preallocation(&self, how: Preallocation) {
        if self.grows {
            // Only the first counts.
            let _ = self.preallocation.set(how);
        }
    }

    /// Gives a file all of its room, if it is to have that.
    ///
    /// # Errors
    ///
    /// If there is not so much room.
    pub fn preallocate(&self, file: BorrowedFd<'_>, length: u64) -> io::Result<()> {
        match self.preallocation.get() {
            Some(Preallocation::Falloc) if length > 0 => {
                match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
                    // A file system that cannot set room aside has it used.
                    Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill_holes(file, length),
                    done => Ok(done?),
                }
            }
            Some(Preallocation::Full) => fill_holes(file, length),
            Some(Preallocation::Falloc) | None => Ok(()),
        }
    }

    /// Takes note of why a write failed, if it is the first.
    pub fn note(&self, error: io::Error) {
        // Only the first counts.
        let _ = self.failure.set(error);
    }

    /// Why a write failed, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.get().map(crate::reasons::reason)
    }

    /// Makes a range zeros, and gives its room back where the file system can.
    ///
    /// # Errors
    ///
    /// If it cannot be done at all.
    pub fn zero(&self, file: BorrowedFd<'_>, start: u64, length: u64) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        if let Some(stream) = &self.stream {
            return stream
                .write(start, start, |_| Ok(()))
                .and_then(|()| stream.fill(start + length));
        }
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let zero = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        for flags in [punch, zero] {
            match rustix::fs::fallocate(file, flags, start, length) {
                Ok(()) => return Ok(()),
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::NODEV) => {}
                Err(error) => return Err(error.into()),
            }
        }
        write_zeros(file, start, length)
    }

    /// Makes everything durable that was written, if the user wants that.
    ///
    /// # Errors
    ///
    /// If it cannot be done.
    pub fn flush(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        if self.is_durable && self.stream.is_none() {
            rustix::fs::fdatasync(file)?;
        }
        Ok(())
    }
}

/// Writes zeros.
fn write_zeros(file: BorrowedFd<'_>, start: u64, length: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS];
    let mut done = 0;
    while done < length {
        let left = usize::try_from(length - done).unwrap_or(ZEROS).min(ZEROS);
        let zeros = zeros.get(..left).unwrap_or_default();
        done += rustix::io::pwrite(file, zeros, start + done)? as u64;
    }
    Ok(())
}

/// Writes zeros where a file of so many bytes has holes.
fn fill_holes(file: BorrowedFd<'_>, length: u64) -> io::Result<()> {
    let mut position = 0;
    while position < length {
        let hole = rustix::fs::seek(file, SeekFrom::Hole(position))?.min(length);
        let data = match rustix::fs::seek(file, SeekFrom::Data(hole)) {
            Ok(data) => data.min(length),
            // There is no data behind this.
            Err(Errno::NXIO) => length,
            Err(error) => return Err(error.into()),
        };
        write_zeros(file, hole, data - hole)?;
        position = data.max(position + 1);
    }
    Ok(())
}

/// How many zeros are written at a time where the file system has none to give, in bytes.
const ZEROS: usize = 1 << 20;
