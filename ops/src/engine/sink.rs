//! Writing: data straight from the buffers that it was read into, metadata gathered
//! into large requests.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

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

/// The unit of writes in bytes.
const SECTOR: usize = 512;

/// What is added to the tags of requests that write.
const WRITE_TAG: u64 = 1 << 63;

/// Where an image goes: its files, and what is on its way to them.
pub struct Sink<'a, T: Transfers> {
    session: &'a T,
    /// The slots of the image's files, its own first.
    slots: Vec<u8>,
    /// Whether the files are there already, and keep their length.
    in_place: bool,
    pool: Pool<T::Buffer>,
    gathers: Vec<Gather<T::Buffer>>,
    /// How many bytes are on their way.
    outstanding: u64,
    /// How many requests are.
    requests: u64,
    /// What went wrong first.
    failed: bool,
}

/// Bytes that are going to be written at one place.
struct Gather<B> {
    slot: u8,
    start: u64,
    filled: usize,
    buffer: B,
}

impl<B> Gather<B> {
    fn end(&self) -> u64 {
        self.start + self.filled as u64
    }
}

impl<'a, T: Transfers> Sink<'a, T> {
    /// A sink for the files in these slots.
    #[must_use]
    pub fn new(session: &'a T, slots: Vec<u8>, in_place: bool) -> Self {
        Self {
            session,
            slots,
            in_place,
            pool: Pool::new(),
            gathers: Vec::new(),
            outstanding: 0,
            requests: 0,
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
        let buffer = Arc::clone(buffer);
        self.start(range.len(), Transfer::Write { slot, offset: place.offset, range, buffer })
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

    /// Takes note of something that is done, if it is a request that writes.
    ///
    /// # Errors
    ///
    /// The event, if it is not.
    pub fn done(&mut self, event: Event<T::Buffer>) -> Result<(), Event<T::Buffer>> {
        let finished = match event {
            Event::Transfer(finished) if finished.tag & WRITE_TAG != 0 => finished,
            other => return Err(other),
        };
        self.requests -= 1;
        self.outstanding -= finished.tag & !WRITE_TAG;
        self.failed |= finished.result.is_err();
        match finished.buffer {
            Some(Returned::Stored(buffer)) => self.pool.put_shared(buffer),
            Some(Returned::Filled(buffer)) => self.pool.put(buffer),
            None => {}
        }
        Ok(())
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
            let finished = self.session.finish()?;
            self.done(finished).map_err(|_| Error::request("a read was left under way"))?;
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
        let buffer = Arc::new(buffer);
        self.start(length, Transfer::Write { slot, offset: start, range: 0..length, buffer })
    }

    /// Adds bytes to those that end where these start, or in the sector in front. The last
    /// sector of those may be written once more.
    fn gather(&mut self, slot: u8, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let touches = |it: &Gather<T::Buffer>| {
                let end = it.end().next_multiple_of(SECTOR as u64);
                it.slot == slot && (it.start..=end).contains(&offset)
            };
            let found = self.gathers.iter().position(touches);
            let mut gather = match found {
                Some(index) => self.gathers.remove(index),
                None => self.new_gather(slot, offset)?,
            };
            let skip = usize::try_from(offset - gather.start).unwrap_or(GATHER);
            // What is missing of a sector is zeros.
            if let Some(gap) = gather.buffer.get_mut(gather.filled..skip) {
                gap.fill(0);
            }
            let room = gather.buffer.get_mut(skip..GATHER).unwrap_or_default();
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
        if self.in_place {
            return Ok(());
        }
        let slot = self.slot(file).map_err(|_| StorageError::InputOutput)?;
        let reply = Reply::SetLength(Length { slot, length });
        self.session.reply(reply).map_err(|_| StorageError::InputOutput)
    }
}

impl<T: Transfers> core::fmt::Debug for Sink<'_, T> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Sink({} bytes on their way)", self.outstanding)
    }
}
