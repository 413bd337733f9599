//! Writing: data straight from the buffers that it was read into, metadata gathered
//! into large requests.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use abi::convert::State;
use abi::reply::{FailureKind, Length, Reply};
use formats::extent::{File, Place};
use formats::storage::StorageError;
use formats::writer::Output;

use super::pool::Pool;
use crate::session::Error;
use crate::transfer::{Event, Returned, Transfer, Transfers};

/// How much metadata is gathered before it is written, in bytes.
const GATHER: usize = 256 << 10;

/// How many places of a file are written to in turn, each by a request of its own.
const GATHERS: usize = 4;

/// How many requests may be on their way before metadata waits for some of them: each may
/// be a few bytes in a buffer of their own.
const REQUEST_LIMIT: u64 = 48;

/// The unit of writes in bytes.
const SECTOR: usize = 512;

/// What is added to the tags of requests that write.
const WRITE_TAG: u64 = 1 << 63;

/// What is added besides to those of zeros that a later write may go into.
const ZERO_TAG: u64 = 1 << 61;

/// Zeros on their way to a range of a file, in bytes.
#[derive(Clone, Copy, Debug)]
struct Zeroing {
    number: u64,
    slot: u8,
    start: u64,
    end: u64,
}

impl Zeroing {
    fn touches(&self, slot: u8, start: u64, end: u64) -> bool {
        self.slot == slot && start < self.end && self.start < end
    }
}

/// Where an image goes: its files, and what is on its way to them.
pub struct Sink<'a, T: Transfers> {
    session: &'a T,
    /// The slots of the image's files, its own first.
    slots: Vec<u8>,
    before: Before,
    /// Up to where nothing is left of what was there, in bytes, by the slot of the file.
    covered: BTreeMap<u8, u64>,
    /// Zeros that are on their way to where something else may go later.
    zeros: Vec<Zeroing>,
    /// How many such requests there have been.
    zeroed: u64,
    /// Writes that wait for them.
    held: Vec<Write<T::Buffer>>,
    pool: Pool<T::Buffer>,
    gathers: Vec<Gather<T::Buffer>>,
    /// How many bytes are on their way.
    outstanding: u64,
    /// How many requests are.
    requests: u64,
    /// What was done in the meantime that is the business of those who read.
    others: VecDeque<Event<T::Buffer>>,
    /// What went wrong first.
    failed: bool,
}

/// Bytes of a buffer that are going to be written.
struct Write<B> {
    slot: u8,
    offset: u64,
    range: Range<usize>,
    buffer: Arc<B>,
    /// How many bytes of memory it counts for until it is done.
    weight: usize,
}

impl<B> Write<B> {
    fn end(&self) -> u64 {
        self.offset + self.range.len() as u64
    }
}

/// Bytes that are gathered for one place.
struct Gather<B> {
    slot: u8,
    start: u64,
    filled: usize,
    buffer: B,
}

impl<B> Gather<B> {
    /// Where its last sector ends. What is missing of that is zeros.
    fn end(&self) -> u64 {
        self.start + self.filled.next_multiple_of(SECTOR) as u64
    }

    /// Whether a place of a file is one that it has bytes for.
    fn contains(&self, slot: u8, offset: u64) -> bool {
        self.slot == slot && (self.start..self.end()).contains(&offset)
    }
}

/// What the files hold before anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing: what is not written is zeros, and they get a length.
    Nothing,
    /// What stays there if it is not written to.
    Kept,
    /// Anything. What is not written is made zeros, up to the length that a file would get.
    Stale,
}

impl From<State> for Before {
    fn from(state: State) -> Self {
        match state {
            State::New => Self::Nothing,
            State::Stale => Self::Stale,
            State::Used | State::Zeroed => Self::Kept,
        }
    }
}

impl<'a, T: Transfers> Sink<'a, T> {
    /// A sink for the files in these slots.
    #[must_use]
    pub fn new(session: &'a T, slots: Vec<u8>, before: Before) -> Self {
        Self {
            session,
            covered: BTreeMap::new(),
            slots,
            before,
            zeros: Vec::new(),
            zeroed: 0,
            held: Vec::new(),
            pool: Pool::new(),
            gathers: Vec::new(),
            outstanding: 0,
            requests: 0,
            others: VecDeque::new(),
            failed: false,
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &'a T {
        self.session
    }

    /// How many bytes are on their way.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// The buffers, for those who read into them.
    pub fn pool(&mut self) -> &mut Pool<T::Buffer> {
        &mut self.pool
    }

    /// A buffer of at least so many bytes.
    ///
    /// # Errors
    ///
    /// If memory does not suffice.
    pub fn buffer(&mut self, length: usize) -> Result<T::Buffer, Error> {
        self.pool.take(self.session, length)
    }

    /// Writes a part of a buffer.
    ///
    /// # Errors
    ///
    /// If the image has no such file.
    pub fn write_buffer(
        &mut self,
        place: Place,
        buffer: &Arc<T::Buffer>,
        range: Range<usize>,
    ) -> Result<(), Error> {
        let slot = self.slot(place.file)?;
        let (buffer, weight) = (Arc::clone(buffer), range.len());
        self.write(Write { slot, offset: place.offset, range, buffer, weight })
    }

    /// Makes a range of a file zeros.
    ///
    /// # Errors
    ///
    /// If the image has no such file.
    pub fn write_zeros(&mut self, place: Place, length: u64) -> Result<(), Error> {
        let slot = self.slot(place.file)?;
        self.start(0, Transfer::Zero { slot, offset: place.offset, length })
    }

    /// Waits for the next thing that is done. Takes note of it if it is a request that
    /// writes, and otherwise returns it.
    ///
    /// # Errors
    ///
    /// If nothing is under way, or a device breaks down.
    pub fn next_event(&mut self) -> Result<Option<Event<T::Buffer>>, Error> {
        if let Some(event) = self.others.pop_front() {
            return Ok(Some(event));
        }
        self.wait()
    }

    /// The same, of what is not done yet.
    fn wait(&mut self) -> Result<Option<Event<T::Buffer>>, Error> {
        let finished = match self.session.finish()? {
            Event::Transfer(finished) if finished.tag & WRITE_TAG != 0 => finished,
            other => return Ok(Some(other)),
        };
        self.requests -= 1;
        self.failed |= finished.result.is_err();
        let rest = finished.tag & !WRITE_TAG;
        if rest & ZERO_TAG == 0 {
            self.outstanding -= rest;
        } else {
            self.zeros.retain(|zeros| zeros.number != rest & !ZERO_TAG);
            self.failed |= self.release().is_err();
        }
        match finished.buffer {
            Some(Returned::Stored(buffer)) => self.pool.put_shared(buffer),
            Some(Returned::Filled(buffer)) => self.pool.put(buffer),
            None => {}
        }
        Ok(None)
    }

    /// Whether everything could be written so far.
    ///
    /// # Errors
    ///
    /// If something could not.
    pub fn check(&self) -> Result<(), Error> {
        if !self.failed {
            return Ok(());
        }
        let message = "error while writing: Input/output error".to_string();
        let kind = FailureKind::InputOutput;
        let device = self.slots.first().copied();
        Err(Error::Failed { device, kind, is_bare: false, message })
    }

    /// Writes what was gathered, and waits until everything is written.
    ///
    /// # Errors
    ///
    /// If something could not be.
    pub fn settle(&mut self) -> Result<(), Error> {
        // In order, as a file may be one that can only be written so.
        self.gathers.sort_unstable_by_key(|gather| (gather.slot, gather.start));
        for gather in core::mem::take(&mut self.gathers) {
            self.write_gather(gather)?;
        }
        while self.requests > 0 {
            if self.wait()?.is_some() {
                return Err(Error::request("a read was left under way"));
            }
        }
        self.check()
    }

    /// Settles, and makes all of it durable if the host wants that.
    ///
    /// # Errors
    ///
    /// If something could not be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.settle()?;
        for slot in self.slots.clone() {
            self.start(0, Transfer::Flush { slot })?;
        }
        self.settle()
    }

    fn slot(&self, file: File) -> Result<u8, Error> {
        let number = match file {
            File::Own | File::Replayed => 0,
            File::Other(number) => number.saturating_add(1),
        };
        let slot = self.slots.get(number).copied();
        slot.ok_or_else(|| Error::request("the image has a file that nobody has opened"))
    }

    fn start(&mut self, length: usize, transfer: Transfer<T::Buffer>) -> Result<(), Error> {
        let length = length as u64;
        self.session.start(WRITE_TAG | length, transfer)?;
        self.requests += 1;
        self.outstanding += length;
        Ok(())
    }

    /// Writes gathered bytes. What is missing of the last sector is zeros.
    fn write_gather(&mut self, gather: Gather<T::Buffer>) -> Result<(), Error> {
        let Gather { slot, start, filled, mut buffer } = gather;
        let length = filled.next_multiple_of(SECTOR);
        if let Some(rest) = buffer.get_mut(filled..length) {
            rest.fill(0);
        }
        // However little of it is filled, all of the buffer takes memory.
        let weight = buffer.len();
        let buffer = Arc::new(buffer);
        self.write(Write { slot, offset: start, range: 0..length, buffer, weight })
    }

    /// Starts a write. What it leaves out behind everything before it is made zeros, if
    /// there may be something else: as writers hand out a file from its start to its end,
    /// that is all that they may count on to be zeros.
    fn write(&mut self, write: Write<T::Buffer>) -> Result<(), Error> {
        if self.before == Before::Stale {
            self.cover(write.slot, write.offset)?;
            self.set_covered(write.slot, write.end());
            // Requests may be done in any order.
            let (slot, start, end) = (write.slot, write.offset, write.end());
            if self.zeros.iter().any(|zeros| zeros.touches(slot, start, end)) {
                self.outstanding += write.weight as u64;
                self.held.push(write);
                return Ok(());
            }
        }
        let Write { slot, offset, range, buffer, weight } = write;
        self.start(weight, Transfer::Write { slot, offset, range, buffer })
    }

    /// Makes zeros from where a file is covered up to an offset.
    fn cover(&mut self, slot: u8, end: u64) -> Result<(), Error> {
        let start = self.covered.get(&slot).copied().unwrap_or(0);
        let end = end.next_multiple_of(SECTOR as u64);
        if start >= end {
            return Ok(());
        }
        let tag = WRITE_TAG | ZERO_TAG | self.zeroed;
        self.session.start(tag, Transfer::Zero { slot, offset: start, length: end - start })?;
        self.requests += 1;
        self.zeros.push(Zeroing { number: self.zeroed, slot, start, end });
        self.zeroed += 1;
        self.set_covered(slot, end);
        Ok(())
    }

    /// Starts writes that have waited for zeros that are there now.
    fn release(&mut self) -> Result<(), Error> {
        for write in core::mem::take(&mut self.held) {
            self.outstanding -= write.weight as u64;
            self.write(write)?;
        }
        Ok(())
    }

    fn set_covered(&mut self, slot: u8, end: u64) {
        let covered = self.covered.entry(slot).or_default();
        *covered = end.max(*covered);
    }

    /// Adds bytes to those that end where these start, or in the sector in front. The last
    /// sector of those may be written once more.
    fn gather(&mut self, slot: u8, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let inside = self.gathers.iter().position(|it| it.contains(slot, offset));
            let ends_here = |it: &Gather<T::Buffer>| it.slot == slot && it.end() == offset;
            let found = inside.or_else(|| self.gathers.iter().position(ends_here));
            let mut gather = match found {
                Some(index) => self.gathers.remove(index),
                None => self.new_gather(slot, offset)?,
            };
            // No sector is in two of them, or the later bytes might be written first.
            let behind = self.gathers.iter().filter(|it| it.slot == slot && it.start > offset);
            let limit = behind.map(|it| it.start - gather.start).min();
            let limit =
                limit.map_or(GATHER, |limit| usize::try_from(limit).unwrap_or(GATHER).min(GATHER));
            let skip = usize::try_from(offset - gather.start).unwrap_or(GATHER);
            if let Some(gap) = gather.buffer.get_mut(gather.filled..skip) {
                gap.fill(0);
            }
            let room = gather.buffer.get_mut(skip..limit).unwrap_or_default();
            let (part, behind) = rest.split_at(rest.len().min(room.len()));
            if let Some(target) = room.get_mut(..part.len()) {
                target.copy_from_slice(part);
            }
            gather.filled = gather.filled.max(skip + part.len());
            offset += part.len() as u64;
            rest = behind;
            if gather.filled == GATHER {
                self.write_gather(gather)?;
            } else {
                // The one that was added to last is at the end.
                self.gathers.push(gather);
            }
        }
        Ok(())
    }

    fn new_gather(&mut self, slot: u8, offset: u64) -> Result<Gather<T::Buffer>, Error> {
        if !offset.is_multiple_of(SECTOR as u64) {
            return Err(Error::request("metadata does not start with a sector"));
        }
        // One that ends inside a sector may be gone on with.
        let is_whole = |it: &Gather<T::Buffer>| it.filled.is_multiple_of(SECTOR);
        if self.gathers.len() >= GATHERS {
            let index = self.gathers.iter().position(is_whole).unwrap_or(0);
            let gather = self.gathers.remove(index);
            self.write_gather(gather)?;
        }
        while self.requests >= REQUEST_LIMIT {
            let other = self.wait()?;
            self.others.extend(other);
        }
        let buffer = self.buffer(GATHER)?;
        Ok(Gather { slot, start: offset, filled: 0, buffer })
    }
}

impl<T: Transfers> Output for Sink<'_, T> {
    fn write(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let slot = self.slot(file).map_err(|_| StorageError::InputOutput)?;
        self.gather(slot, offset, bytes).map_err(|_| StorageError::InputOutput)
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        self.flush().map_err(|_| StorageError::InputOutput)
    }

    fn set_length(&mut self, file: File, length: u64) -> Result<(), StorageError> {
        let slot = self.slot(file).map_err(|_| StorageError::InputOutput)?;
        match self.before {
            Before::Nothing => {}
            Before::Kept => return Ok(()),
            Before::Stale => {
                return self.cover(slot, length).map_err(|_| StorageError::InputOutput);
            }
        }
        let reply = Reply::SetLength(Length { slot, length });
        self.session.reply(reply).map_err(|_| StorageError::InputOutput)
    }
}

impl<T: Transfers> core::fmt::Debug for Sink<'_, T> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Sink({} bytes on their way)", self.outstanding)
    }
}
