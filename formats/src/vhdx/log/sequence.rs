//! Which entries of the log count (specification, sections 2.3.2 and 2.3.3).
//!
//! Entries that follow each other, with numbers that do, are a sequence. The last
//! one says where the first is that still matters: if that is in the sequence, it
//! is complete. Of the complete ones that with the highest number is active.

use alloc::vec::Vec;

use super::entry::Entry;
use super::ring::{Ring, SECTOR};
use crate::guid::Guid;
use crate::storage::StorageError;

/// The active sequence of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The entries that matter, by their first sectors, in their order.
    pub starts: Vec<u32>,
    /// The last of them.
    pub head: Entry,
}

impl Sequence {
    /// The active sequence of a log, if it has one.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn active(ring: &mut Ring, log_id: Guid) -> Result<Option<Self>, StorageError> {
        let mut active: Option<Self> = None;
        let mut sector = 0;
        while sector < ring.sectors() {
            let Some((sequence, sectors)) = Self::from(ring, sector, log_id)? else {
                sector = sector.saturating_add(1);
                continue;
            };
            // What starts later in an incomplete sequence ends with the same entry
            // and is not complete either.
            sector = sector.saturating_add(sectors);
            let complete = sequence.without_what_is_done();
            active = match (active, complete) {
                (Some(active), Some(other)) if other.number() <= active.number() => Some(active),
                (active, complete) => complete.or(active),
            };
        }
        Ok(active)
    }

    /// The longest sequence from a sector on, and how many sectors it has.
    fn from(
        ring: &mut Ring,
        first: u32,
        log_id: Guid,
    ) -> Result<Option<(Self, u32)>, StorageError> {
        let Some(head) = Entry::read(ring, first, log_id)? else { return Ok(None) };
        let mut sectors = head.sectors;
        let mut sequence = Self { starts: Vec::from([first]), head };
        loop {
            let start = sequence.head.end(ring);
            let next = Entry::read(ring, start, log_id)?;
            let follows = |next: &Entry| {
                Some(next.header.sequence_number.get()) == sequence.number().checked_add(1)
            };
            let Some(next) = next.filter(follows) else { return Ok(Some((sequence, sectors))) };
            sectors = sectors.saturating_add(next.sectors);
            sequence.starts.push(start);
            sequence.head = next;
        }
    }

    /// The number of the last entry.
    fn number(&self) -> u64 {
        self.head.header.sequence_number.get()
    }

    /// The sequence from the entry on that the last one says is the first that
    /// matters. Nothing if that is not in it.
    fn without_what_is_done(mut self) -> Option<Self> {
        let tail = self.head.header.tail.get();
        let is_tail = |start: &u32| u64::from(*start).saturating_mul(SECTOR as u64) == tail.into();
        let position = self.starts.iter().position(is_tail)?;
        self.starts.drain(..position);
        Some(self)
    }
}

#[cfg(test)]
mod tests;
