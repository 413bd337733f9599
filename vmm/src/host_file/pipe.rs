//! A file that a pipe brings.
//!
//! A thread takes bytes from the pipe, as they come, into a file without a name. Reads of
//! the guest wait there until what they want has arrived, or the pipe has ended. Data that
//! was read gives its room back when the reader has gone on for a while, and the thread does
//! not run far ahead of the reader, so that an image is read in a bounded room whose tables
//! come before its data. Once somebody asks for the length, which is known at the end only,
//! everything is kept that is still there.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use abi::arrival::{self, Arrival};
use rustix::fs::FallocateFlags;
use vmm_sys_util::eventfd::EventFd;

use super::gone::Gone;
use super::spool::nameless_file;
use crate::reasons::reason;

/// How much of the data that was read last is kept, in bytes: a reader has several pieces
/// under way at a time, and does not ask for them in order.
const WINDOW: u64 = 64 << 20;

/// How much of the start is kept, in bytes. Tables that are for the whole disk lie there:
/// the block map of a VDI has 4 MiB for each TiB.
const HEAD: u64 = 16 << 20;

/// How far the pipe is read ahead of the reader, in bytes.
const AHEAD: u64 = 16 << 20;

/// How much room the file takes at the most while data gives room back, in bytes. So much
/// lies there only if the image has much that is never read, or is not in order.
const ROOM: u64 = 1 << 30;

/// How much gives its room back at a time where there is too much, in bytes.
const STEP: u64 = 16 << 20;

/// Reads of no more than this are of tables, and may come again: a page of the guest's
/// cache. They give no room back.
const TABLE: u64 = 4096;

/// The unit in which room is given back, in bytes.
const BLOCK: u64 = 4096;

/// How much is taken from the pipe at a time, in bytes, and the unit in which the guest is
/// told of it.
const PIECE: usize = 64 << 10;

/// The bytes that a pipe brings.
#[derive(Debug)]
pub struct Pipe {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    spool: File,
    state: Mutex<State>,
    /// Somebody wants more, or something has arrived.
    changed: Condvar,
    /// What wakes the thread that serves the guest.
    waker: OnceLock<EventFd>,
    /// Why the pipe cannot be read, or not in this order.
    complaint: OnceLock<String>,
}

#[derive(Debug, Default)]
struct State {
    /// How many bytes have arrived.
    arrived: u64,
    /// Nothing more comes.
    has_ended: bool,
    /// How many bytes somebody wants to have.
    wanted: u64,
    /// Nobody wants to read any more: the rest is thrown away.
    is_read: bool,
    /// The reader is gone.
    is_abandoned: bool,
    /// Where data was read, in order, that is still there.
    read: VecDeque<(u64, u64)>,
    /// What has given its room back.
    gone: Gone,
}

impl State {
    fn has(&self, wanted: u64) -> bool {
        self.has_ended || self.arrived >= wanted
    }

    /// Whether somebody wants all of it, so that it is kept.
    fn is_kept(&self) -> bool {
        self.wanted >= arrival::ALL
    }
}

impl Pipe {
    /// Starts to take what a pipe brings.
    ///
    /// # Errors
    ///
    /// If there is no room for it.
    pub fn start(source: File) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            spool: nameless_file()?,
            state: Mutex::default(),
            changed: Condvar::new(),
            waker: OnceLock::new(),
            complaint: OnceLock::new(),
        });
        let taker = Arc::clone(&shared);
        std::thread::Builder::new().name("pipe".into()).spawn(move || taker.take_all(source))?;
        Ok(Self { shared })
    }

    /// The file that the bytes are put into.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.spool.as_fd()
    }

    /// Has a thread woken when something has arrived that was not there when it looked.
    pub fn wake(&self, waker: EventFd) {
        // There is one run of a guest for a pipe.
        let _ = self.shared.waker.set(waker);
    }

    /// How much is there: of a pipe that has not ended as many whole pieces as there are.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        let state = self.shared.lock();
        let whole = state.arrived - state.arrived % PIECE as u64;
        let length = if state.has_ended { state.arrived } else { whole };
        Arrival { length, is_all: state.has_ended }
    }

    /// Whether so many bytes are there, or the pipe has ended; if not, they are wanted.
    #[must_use]
    pub fn has(&self, wanted: u64) -> bool {
        let mut state = self.shared.lock();
        let whole = wanted.checked_next_multiple_of(PIECE as u64).unwrap_or(u64::MAX);
        if state.wanted < whole {
            state.wanted = whole;
            self.shared.changed.notify_all();
        }
        state.has(whole)
    }

    /// Waits until the pipe has ended, and keeps everything.
    ///
    /// # Errors
    ///
    /// Why it cannot be read to its end.
    pub fn wait_for_end(&self) -> Result<(), String> {
        if !self.has(arrival::ALL) {
            let ended = |state: &mut State| !state.has_ended;
            let state = self.shared.changed.wait_while(self.shared.lock(), ended);
            drop(state.unwrap_or_else(PoisonError::into_inner));
        }
        self.complaint().map_or(Ok(()), Err)
    }

    /// Reads the pipe to its end, for the sake of who writes to it, and throws it away.
    ///
    /// # Errors
    ///
    /// Why it cannot be read to its end.
    pub fn drain(&self) -> Result<(), String> {
        self.shared.lock().is_read = true;
        self.wait_for_end()
    }

    /// Whether a range that is about to be read is still there. If not, that is noted.
    #[must_use]
    pub fn still_has(&self, start: u64, end: u64) -> bool {
        let gone = self.shared.lock().gone.first_in(start, end);
        if let Some(offset) = gone {
            // Only the first counts.
            let _ = self
                .shared
                .complaint
                .set(format!("it needs seeking back to byte {offset}; save it to a file first"));
        }
        gone.is_none()
    }

    /// Takes note of a range that was read.
    pub fn was_read(&self, start: u64, end: u64) {
        if end - start <= TABLE {
            return;
        }
        let mut state = self.shared.lock();
        match state.read.back_mut() {
            Some(last) if (last.0..=last.1).contains(&start) && end - last.0 <= STEP => {
                last.1 = last.1.max(end);
            }
            _ => state.read.push_back((start, end)),
        }
        while let Some((start, end)) = state.read.front().copied() {
            if end.saturating_add(WINDOW) > state.wanted || state.is_kept() {
                break;
            }
            state.read.pop_front();
            self.shared.give_back(&mut state, start, end);
        }
    }

    /// Why it cannot be read, or not in this order.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        self.shared.complaint.get().cloned()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.shared.lock().is_abandoned = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all that the pipe brings, no faster than somebody wants it.
    fn take_all(&self, source: File) {
        let taken = self.take(source);
        if let Err(error) = taken {
            // Only the first counts.
            let _ = self.complaint.set(reason(&error));
        }
        self.lock().has_ended = true;
        self.tell();
    }

    fn take(&self, mut source: File) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        while let Some(position) = self.wait_for_demand() {
            let count = match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if !self.lock().is_read {
                self.spool.write_all_at(bytes, position)?;
            }
            let end = position + bytes.len() as u64;
            let mut state = self.lock();
            state.arrived = end;
            if end / STEP > position / STEP {
                self.limit_room(&mut state)?;
            }
            drop(state);
            self.tell();
        }
        Ok(())
    }

    /// Waits until more is wanted. Returns how much has arrived, or nothing if nobody is
    /// there any more.
    fn wait_for_demand(&self) -> Option<u64> {
        let enough = |state: &mut State| {
            !state.is_abandoned && state.arrived >= state.wanted.saturating_add(AHEAD)
        };
        let state = self.changed.wait_while(self.lock(), enough);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (!state.is_abandoned).then_some(state.arrived)
    }

    fn tell(&self) {
        self.changed.notify_all();
        if let Some(waker) = self.waker.get() {
            // Writing fails only when the count is at its end, and then the thread is awake.
            let _ = waker.write(1);
        }
    }

    /// Gives back the room of what arrived first, if there is too much.
    fn limit_room(&self, state: &mut State) -> io::Result<()> {
        // The unit is 512 bytes on every file system.
        if state.is_kept() || self.spool.metadata()?.blocks() * 512 <= ROOM {
            return Ok(());
        }
        let start = state.gone.end_of_first().max(HEAD);
        let end = start.saturating_add(STEP).min(state.arrived);
        self.give_back(state, start, end);
        Ok(())
    }

    /// Gives back the room of a range, as far as it consists of whole blocks. A file system
    /// that cannot do that keeps it.
    fn give_back(&self, state: &mut State, start: u64, end: u64) {
        let start = start.max(HEAD).next_multiple_of(BLOCK);
        let end = end - end % BLOCK;
        if start >= end {
            return;
        }
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if rustix::fs::fallocate(&self.spool, flags, start, end - start).is_ok() {
            state.gone.add(start, end);
        }
    }
}
