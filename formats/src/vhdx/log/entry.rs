//! Entries of the log (specification, section 2.3.1).
//!
//! An entry starts with a header, which descriptors follow, and then the data
//! sectors of those that have one.

use core::mem::size_of;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::ring::{Ring, SECTOR};
use crate::checksum::CRC_32C;
use crate::guid::Guid;
use crate::storage::StorageError;

/// What an entry starts with.
pub const SIGNATURE: [u8; 4] = *b"loge";

/// What a descriptor of zeros starts with.
pub const ZERO_SIGNATURE: [u8; 4] = *b"zero";

/// What a descriptor of data starts with.
pub const DATA_SIGNATURE: [u8; 4] = *b"desc";

/// What a data sector starts with.
pub const SECTOR_SIGNATURE: [u8; 4] = *b"data";

/// How many descriptors a sector has.
const DESCRIPTORS_IN_SECTOR: u32 = 128;

/// For how many descriptors there would be room in place of the header.
const DESCRIPTORS_IN_HEADER: u32 = 2;

/// The header of an entry (section 2.3.1.1).
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`SIGNATURE`].
    pub signature: [u8; 4],
    /// Of the whole entry.
    pub checksum: U32,
    /// The length of the entry in bytes.
    pub length: U32,
    /// Where in the log the first entry is that still matters, in bytes.
    pub tail: U32,
    /// One more than that of the entry in front.
    pub sequence_number: U64,
    /// How many descriptors follow.
    pub descriptors: U32,
    /// Zeros.
    pub reserved: U32,
    /// The id in the header of the file.
    pub log_id: Guid,
    /// How long the file was when the entry was written, in bytes.
    pub flushed_file_offset: U64,
    /// How long the file must be at least with the changes, in bytes.
    pub last_file_offset: U64,
}

/// A descriptor: a change of the file (sections 2.3.1.2 and 2.3.1.3).
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Descriptor {
    /// [`ZERO_SIGNATURE`] or [`DATA_SIGNATURE`].
    pub signature: [u8; 4],
    /// Of data the last bytes, which the data sector has no room for.
    pub trailing: [u8; 4],
    /// Of data the first bytes, of zeros their length in bytes.
    pub leading: [u8; 8],
    /// Where the change is in the file, in bytes.
    pub file_offset: U64,
    /// That of the entry.
    pub sequence_number: U64,
}

/// A data sector (section 2.3.1.4).
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DataSector {
    /// [`SECTOR_SIGNATURE`].
    pub signature: [u8; 4],
    /// The high half of the entry's sequence number.
    pub sequence_high: U32,
    /// The data without its first 8 and its last 4 bytes, where it has them too.
    pub data: [u8; 4084],
    /// The low half of the entry's sequence number.
    pub sequence_low: U32,
}

/// A valid entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its first sector in the log.
    pub first: u32,
    /// How many sectors it has.
    pub sectors: u32,
    /// Its header.
    pub header: Header,
}

/// A change of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes: a multiple of the log's sectors.
    pub length: u64,
    /// What is there then.
    pub content: Content,
}

/// What a change brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Zeros.
    Zeros,
    /// A sector of data.
    Data {
        /// Where in the file its data sector is, in bytes.
        place: u64,
        /// The bytes at its start that are not there.
        leading: [u8; 8],
        /// The bytes at its end that are not there.
        trailing: [u8; 4],
    },
}

impl Entry {
    /// The entry that starts at a sector, if there is a valid one.
    ///
    /// No sector passes for the start of an entry and for a part of another one, so
    /// that each is looked at once, whatever a log claims.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn read(ring: &mut Ring, first: u32, log_id: Guid) -> Result<Option<Self>, StorageError> {
        let bytes = ring.sector(first)?;
        let Ok((header, _)) = Header::read_from_prefix(bytes) else { return Ok(None) };
        let length = header.length.get() as usize;
        let sectors = header.length.get() / 4096;
        let fits = header.signature == SIGNATURE
            && header.log_id == log_id
            && header.sequence_number.get() != 0
            && length.is_multiple_of(SECTOR)
            && (1..=ring.sectors()).contains(&sectors);
        let entry = Self { first, sectors, header };
        Ok(if fits && entry.is_intact(ring)? { Some(entry) } else { None })
    }

    /// The first sector behind the entry.
    #[must_use]
    pub fn end(&self, ring: &Ring) -> u32 {
        ring.behind(self.first, self.sectors)
    }

    /// Hands out the changes in their order.
    ///
    /// # Errors
    ///
    /// Those of the log, and of the visitor.
    pub fn visit_changes<E: From<StorageError>>(
        &self,
        ring: &mut Ring,
        mut visit: impl FnMut(Change) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut data = self.descriptor_sectors();
        for index in 0..self.header.descriptors.get() {
            let descriptor = self.descriptor(ring, index)?;
            let offset = descriptor.file_offset.get();
            let change = if descriptor.signature == ZERO_SIGNATURE {
                let length = u64::from_le_bytes(descriptor.leading);
                Change { offset, length, content: Content::Zeros }
            } else {
                let place = ring.place(ring.behind(self.first, data));
                data = data.saturating_add(1);
                let Descriptor { leading, trailing, .. } = descriptor;
                let content = Content::Data { place, leading, trailing };
                Change { offset, length: SECTOR as u64, content }
            };
            visit(change)?;
        }
        Ok(())
    }

    /// How many sectors header and descriptors have.
    fn descriptor_sectors(&self) -> u32 {
        let room = self.header.descriptors.get().saturating_add(DESCRIPTORS_IN_HEADER);
        room.div_ceil(DESCRIPTORS_IN_SECTOR)
    }

    /// A descriptor by its number.
    fn descriptor(&self, ring: &mut Ring, index: u32) -> Result<Descriptor, StorageError> {
        let index = index.saturating_add(DESCRIPTORS_IN_HEADER);
        let sector = ring.behind(self.first, index / DESCRIPTORS_IN_SECTOR);
        let bytes = ring.sector(sector)?;
        let within = (index % DESCRIPTORS_IN_SECTOR) as usize;
        let bytes = bytes.chunks_exact(size_of::<Descriptor>()).nth(within).unwrap_or_default();
        Descriptor::read_from_bytes(bytes).map_err(|_| StorageError::InputOutput)
    }

    /// Whether everything behind the header is as it should be, and the checksum
    /// is right. Ends at the first sector that does not belong to the entry.
    fn is_intact(&self, ring: &mut Ring) -> Result<bool, StorageError> {
        let descriptor_sectors = self.descriptor_sectors();
        if descriptor_sectors > self.sectors {
            return Ok(false);
        }
        let mut data_sectors = 0_u32;
        let mut descriptors = 0..self.header.descriptors.get();
        let mut digest = CRC_32C.digest();
        for number in 0..self.sectors {
            let bytes = ring.sector(ring.behind(self.first, number))?;
            let belongs = if number < descriptor_sectors {
                let skip = if number == 0 { DESCRIPTORS_IN_HEADER } else { 0 };
                let all = bytes.chunks_exact(size_of::<Descriptor>()).skip(skip as usize);
                all.zip(&mut descriptors).all(|(bytes, _)| match self.check_descriptor(bytes) {
                    Some(has_data) => {
                        data_sectors = data_sectors.saturating_add(has_data.into());
                        true
                    }
                    None => false,
                })
            } else {
                self.owns_data_sector(bytes)
            };
            // An entry has nothing but its descriptors and their data.
            if !belongs || descriptor_sectors.saturating_add(data_sectors) > self.sectors {
                return Ok(false);
            }
            if number == 0 {
                let (start, rest) = bytes.split_at(8);
                let signature = start.get(..4).unwrap_or_default();
                [signature, &[0; 4], rest].into_iter().for_each(|part| digest.update(part));
            } else {
                digest.update(bytes);
            }
        }
        let complete = descriptor_sectors.saturating_add(data_sectors) == self.sectors;
        Ok(complete && digest.finalize() == self.header.checksum.get())
    }

    /// Whether a descriptor has data, if it is one of this entry.
    fn check_descriptor(&self, bytes: &[u8]) -> Option<bool> {
        let descriptor = Descriptor::read_from_bytes(bytes).ok()?;
        let aligned = |bytes: u64| bytes.is_multiple_of(SECTOR as u64);
        let belongs = descriptor.sequence_number == self.header.sequence_number
            && aligned(descriptor.file_offset.get());
        match descriptor.signature {
            ZERO_SIGNATURE if aligned(u64::from_le_bytes(descriptor.leading)) => Some(false),
            DATA_SIGNATURE => Some(true),
            _ => None,
        }
        .filter(|_| belongs)
    }

    /// Whether a data sector is one of this entry.
    fn owns_data_sector(&self, bytes: &[u8]) -> bool {
        let Ok(sector) = DataSector::ref_from_bytes(bytes) else { return false };
        let [high, low] = [sector.sequence_high, sector.sequence_low].map(|half| half.get());
        let number = u64::from(high) << 32 | u64::from(low);
        sector.signature == SECTOR_SIGNATURE && number == self.header.sequence_number.get()
    }
}

const _: () = {
    assert!(size_of::<Header>() == 64, "a header has the room of two descriptors");
    assert!(size_of::<Descriptor>() == 32, "a sector has 128 descriptors");
    assert!(size_of::<DataSector>() == SECTOR, "a data sector is a sector");
};

#[cfg(test)]
mod tests;
