//! A file with the changes of its log.
//!
//! Nothing is copied: of each change it is known where it is to be seen, and where
//! in the log its bytes are.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;

use super::entry::{Change, Content, Entry};
use super::ring::{Ring, SECTOR};
use super::sequence::Sequence;
use crate::error::Error;
use crate::extent::{self, File, Place};
use crate::storage::{Storage, StorageError, check_range, is_reachable, read_at_padded};
use crate::vhdx::VhdxError;

/// The most changes that are kept: as many as the longest log has sectors, so that
/// it is a limit only on those that bring nothing but zeros. They need 2 MiB.
pub const MAX_CHANGES: usize = super::MAX_LENGTH as usize / SECTOR;

/// A file with changes.
pub struct Overlay {
    file: Rc<dyn Storage>,
    /// The length in bytes.
    length: u64,
    /// Changes by where they start. They do not overlap.
    changes: BTreeMap<u64, Change>,
}

impl Overlay {
    /// The file with the changes of a sequence of its log.
    ///
    /// # Errors
    ///
    /// If it has become shorter since the log was written, if there are too many
    /// changes, or if the log cannot be read.
    pub fn new(file: Rc<dyn Storage>, ring: &mut Ring, sequence: &Sequence) -> Result<Self, Error> {
        let header = &sequence.head.header;
        let (found, expected) = (file.length(), header.flushed_file_offset.get());
        if expected > found {
            return Err(VhdxError::ShorterThanLogged { found, expected }.into());
        }
        let last = header.last_file_offset.get();
        if !is_reachable(last, 0) {
            return Err(VhdxError::ChangeUnreachable.into());
        }
        let length = found.max(last);
        let mut overlay = Self { file, length, changes: BTreeMap::new() };
        let mut left = MAX_CHANGES;
        for start in &sequence.starts {
            let id = header.log_id;
            let entry = Entry::read(ring, *start, id)?.ok_or(StorageError::InputOutput)?;
            entry.visit_changes(ring, |change| {
                let too_many = VhdxError::TooManyChanges { limit: MAX_CHANGES };
                left = left.checked_sub(1).ok_or(too_many)?;
                overlay.add(change)
            })?;
        }
        Ok(overlay)
    }

    /// How what lies at a place of the file is stored: in its place, in the log, or as
    /// zeros, and where that ends.
    #[must_use]
    pub fn content(&self, place: u64) -> (extent::Content, u64) {
        let (change, end) = self.change_at(place);
        let content = match change.map(|change| change.content) {
            None => extent::Content::Data(Place::own(place)),
            Some(Content::Zeros) => extent::Content::Zero(None),
            Some(Content::Data { .. }) => {
                extent::Content::Data(Place { file: File::Replayed, offset: place })
            }
        };
        (content, end)
    }

    /// Adds a change, which replaces what earlier ones had there.
    fn add(&mut self, change: Change) -> Result<(), Error> {
        let Change { offset, length, .. } = change;
        if !is_reachable(offset, length) {
            return Err(VhdxError::ChangeUnreachable.into());
        }
        let end = change.end();
        if length == 0 {
            return Ok(());
        }
        self.length = self.length.max(end);
        // What an earlier change has in front of this one stays.
        if let Some((_, earlier)) = self.changes.range_mut(..offset).next_back() {
            let earlier_end = earlier.end();
            if earlier_end > offset {
                earlier.length = offset.saturating_sub(earlier.offset);
                self.keep_rest(earlier_end, end);
            }
        }
        while let Some((start, covered)) = self.changes.range(offset..end).next() {
            let (start, covered_end) = (*start, covered.end());
            self.changes.remove(&start);
            self.keep_rest(covered_end, end);
        }
        self.changes.insert(offset, change);
        Ok(())
    }

    /// Keeps what an earlier change has behind a new one. Data has the length of
    /// a sector, so that it is replaced as a whole; what is left are zeros.
    fn keep_rest(&mut self, earlier_end: u64, offset: u64) {
        let length = earlier_end.saturating_sub(offset);
        if length > 0 {
            self.changes.insert(offset, Change { offset, length, content: Content::Zeros });
        }
    }

    /// The change at an offset, if there is one, and where it ends or the next one
    /// starts.
    fn change_at(&self, offset: u64) -> (Option<&Change>, u64) {
        let here = self.changes.range(..=offset).next_back().map(|(_, change)| change);
        match here.filter(|change| change.end() > offset) {
            Some(change) => (Some(change), change.end()),
            None => {
                let next = self.changes.range(offset..).next();
                (None, next.map_or(u64::MAX, |(start, _)| *start))
            }
        }
    }

    /// Reads from a change, from so many bytes behind its start on.
    fn read_change(
        &self,
        change: &Change,
        within: u64,
        buffer: &mut [u8],
    ) -> Result<(), StorageError> {
        let Content::Data { place, leading, trailing } = change.content else {
            buffer.fill(0);
            return Ok(());
        };
        self.file.read_at(place.saturating_add(within), buffer)?;
        // The first and the last bytes of a data sector are not the data's.
        let first = leading.iter().zip(0..);
        let last = trailing.iter().zip(SECTOR.saturating_sub(trailing.len()) as u64..);
        for (byte, position) in first.chain(last) {
            let target = position.checked_sub(within).and_then(|it| usize::try_from(it).ok());
            if let Some(target) = target.and_then(|target| buffer.get_mut(target)) {
                *target = *byte;
            }
        }
        Ok(())
    }
}

impl Change {
    /// Where it ends, in bytes.
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

impl Storage for Overlay {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        check_range(self, offset, buffer.len() as u64)?;
        let (mut offset, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let (change, end) = self.change_at(offset);
            let count = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
            let count = count.min(rest.len());
            let (part, behind) = rest.split_at_mut_checked(count).unwrap_or_default();
            match change {
                Some(change) => {
                    self.read_change(change, offset.saturating_sub(change.offset), part)?;
                }
                // The file may be shorter than it is with its changes.
                None => read_at_padded(self.file.as_ref(), offset, part)?,
            }
            offset = offset.saturating_add(count as u64);
            rest = behind;
        }
        Ok(())
    }
}

impl core::fmt::Debug for Overlay {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Overlay({} bytes, {} changes)", self.length, self.changes.len())
    }
}

#[cfg(test)]
mod tests;
