//! Volumes of version 2, specified in "LUKS2 On-Disk Format Specification" 1.1.4
//! (2025), called the specification here.
//!
//! Two copies of the header are at the start of the file, each with metadata in
//! JSON. The keys follow, then the disk. qemu-img knows nothing of all this and
//! takes the file for a raw image.
//!
//! Reading order: [`header`], [`metadata`], [`key_slot`], [`segment`], then this
//! file, which chooses the copy.

pub mod header;
pub mod integrity;
pub mod key_slot;
pub mod metadata;
pub mod segment;

use alloc::boxed::Box;

use super::error::quote;
use super::{LuksError, SECTOR};
use crate::error::Error;
use crate::image::{KeySlot2, Luks2};
use crate::storage::Storage;
use crate::text;
use header::{Attempt, Header, SIZES};
use metadata::Metadata;
use segment::{Content, Segment};

/// A volume, as the copy of its header describes it that counts.
#[derive(Clone, Debug)]
pub struct Volume {
    header: Header,
    metadata: Metadata,
}

impl Volume {
    /// Reads the headers that a storage starts with ("Metadata Recovery": the
    /// valid copy with the higher sequence number counts).
    ///
    /// # Errors
    ///
    /// If neither copy is valid, or the file cannot be read.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        match Self::read_copy(storage, 0)? {
            Ok(primary) => Ok(primary.or_newer(storage)?),
            Err(fault) => {
                // Its size may be what is damaged, so the other copy is searched.
                for offset in SIZES {
                    if let Ok(secondary) = Self::read_copy(storage, offset)? {
                        return Ok(secondary);
                    }
                }
                Err(LuksError::NoValidHeader(Box::new(fault)).into())
            }
        }
    }

    /// Reads a copy of the header, with its metadata.
    fn read_copy(storage: &dyn Storage, offset: u64) -> Attempt<Self> {
        match Header::read(storage, offset)? {
            Ok(header) => Self::with_header(storage, header),
            Err(fault) => Ok(Err(fault)),
        }
    }

    fn with_header(storage: &dyn Storage, header: Header) -> Attempt<Self> {
        let text = match header.metadata(storage)? {
            Ok(text) => text,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(match Metadata::parse(&text) {
            Ok(metadata) => metadata.check(header.size.get()).map(|()| Self { header, metadata }),
            Err(fault) => Err(LuksError::Metadata(fault)),
        })
    }

    /// The second copy if it is newer than this one, the first. Then a change did
    /// not come to its end.
    fn or_newer(self, storage: &dyn Storage) -> Result<Self, Error> {
        if let Ok(header) = Header::read(storage, self.header.size.get())?
            && header.sequence.get() > self.header.sequence.get()
            && let Ok(secondary) = Self::with_header(storage, header)?
        {
            return Ok(secondary);
        }
        Ok(self)
    }

    /// The segments that make up the disk, in their order on it.
    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.metadata.segments.iter().filter(|segment| !segment.backup)
    }

    /// What only version 2 has. Of a disk that is being encrypted anew it is what
    /// the first encrypted segment has.
    ///
    /// # Errors
    ///
    /// If nothing is encrypted.
    pub fn description(&self) -> Result<Luks2, LuksError> {
        let first = self.segments().next().ok_or(LuksError::NothingEncrypted)?;
        let encryption = self.segments().find_map(Segment::encryption);
        let encryption = encryption.ok_or(LuksError::NothingEncrypted)?;
        Ok(Luks2 {
            uuid: text::until_nul(&self.header.uuid).to_vec(),
            label: text::until_nul(&self.header.label).to_vec(),
            subsystem: text::until_nul(&self.header.subsystem).to_vec(),
            encryption: encryption.name.clone(),
            integrity: encryption.integrity.clone(),
            sector_size: encryption.sector_size,
            payload_offset: first.offset,
            reencryption: self.metadata.config.reencryption,
        })
    }

    /// The key slots with a key.
    pub fn key_slots(&self) -> impl Iterator<Item = KeySlot2> + '_ {
        self.metadata.key_slots.iter().filter_map(|slot| {
            let key = slot.key.as_ref()?;
            Some(KeySlot2 {
                number: slot.number,
                derivation: key.derivation.clone(),
                cost: key.cost.clone(),
                encryption: key.encryption.clone(),
                key_size: key.size,
                key_offset: slot.area.offset,
            })
        })
    }

    /// The size of the disk in bytes.
    ///
    /// # Errors
    ///
    /// If keys or segments do not lie in the file.
    pub fn disk_size(&self, storage: &dyn Storage) -> Result<u64, Error> {
        // A file is counted in whole sectors, as by qemu-img.
        let length = storage.length().checked_next_multiple_of(SECTOR);
        let length = length.ok_or(LuksError::DiskTooLarge)?;
        for slot in &self.metadata.key_slots {
            if slot.area.end() > length {
                return Err(LuksError::SlotPastEnd { slot: slot.number }.into());
            }
        }
        let mut size = 0_u64;
        let mut segments = self.segments().peekable();
        while let Some(segment) = segments.next() {
            if segment.size.is_none() && segments.peek().is_some() {
                return Err(LuksError::SegmentWithoutSize.into());
            }
            let part = segment_size(storage, length, segment)?;
            size = size.checked_add(part).ok_or(LuksError::DiskTooLarge)?;
        }
        Ok(size)
    }
}

/// How much of the disk a segment holds, in bytes, in a file of this length.
fn segment_size(storage: &dyn Storage, length: u64, segment: &Segment) -> Result<u64, Error> {
    let offset = segment.offset;
    let past_end = LuksError::SegmentPastEnd { offset };
    let rest = length.checked_sub(offset).ok_or(past_end.clone())?;
    let integrity = segment.encryption().and_then(|encryption| encryption.integrity.as_ref());
    let size = match (segment.size, integrity, &segment.content) {
        (_, _, Content::Unknown(kind)) => {
            return Err(LuksError::UnknownSegment { kind: quote(kind) }.into());
        }
        (_, Some(_), _) => integrity::disk_size(storage, offset)?,
        (Some(size), None, _) => size,
        // What does not fill a sector at the end cannot be decrypted.
        (None, None, _) => {
            rest.saturating_sub(rest.checked_rem(segment.sector_size()).unwrap_or(0))
        }
    };
    if size > rest { Err(past_end.into()) } else { Ok(size) }
}

#[cfg(test)]
mod tests;
