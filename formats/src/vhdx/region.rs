//! The region table (specification, section 2.2.3): where metadata and block
//! allocation table are.

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::header::Header;
use super::{VhdxError, is_intact, seal};
use crate::error::Error;
use crate::guid::Guid;
use crate::storage::{Storage, StorageError, read_bytes};

/// What the table starts with.
pub const SIGNATURE: [u8; 4] = *b"regi";

/// Where the two copies of the table are, in bytes.
pub const OFFSETS: [u64; 2] = [192 << 10, 256 << 10];

/// The size of the table in bytes, with what is not used of it.
pub const SIZE: usize = 64 << 10;

/// The most entries: there is no room for more.
pub const MAX_ENTRIES: u32 = 2047;

/// The region with the block allocation table.
pub const BAT: Guid =
    Guid::new(0x2dc2_7766, 0xf623, 0x4200, [0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08]);

/// The region with the metadata.
pub const METADATA: Guid =
    Guid::new(0x8b7c_a206, 0x4790, 0x4b9a, [0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e]);

/// What the table starts with.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct TableHeader {
    /// [`SIGNATURE`].
    pub signature: [u8; 4],
    /// Of the whole table.
    pub checksum: U32,
    /// How many entries follow.
    pub entry_count: U32,
    /// Zeros.
    pub reserved: U32,
}

/// An entry of the table.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Entry {
    /// What is there: [`BAT`], [`METADATA`] or something unknown.
    pub id: Guid,
    /// Where it starts, in bytes.
    pub offset: U64,
    /// Its length in bytes.
    pub length: U32,
    /// Bit 0 is set if a reader has to know what it is.
    pub required: U32,
}

/// A region table with these entries.
#[must_use]
pub fn table_with(entries: &[Entry]) -> Vec<u8> {
    let mut header = TableHeader::new_zeroed();
    header.signature = SIGNATURE;
    header.entry_count = u32::try_from(entries.len()).unwrap_or(u32::MAX).into();
    let mut table = header.as_bytes().to_vec();
    entries.iter().for_each(|entry| table.extend_from_slice(entry.as_bytes()));
    table.resize(SIZE, 0);
    seal(&mut table);
    table
}

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// Where it starts, in bytes.
    pub start: u64,
    /// Where it ends, in bytes.
    pub end: u64,
}

impl Region {
    /// The part from an offset on.
    #[must_use]
    pub fn new(start: u64, length: u64) -> Self {
        // No file reaches so far that it matters.
        Self { start, end: start.saturating_add(length) }
    }

    /// The length in bytes.
    #[must_use]
    pub fn length(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// The regions of a file.
#[derive(Clone, Debug)]
pub struct Regions {
    /// The block allocation table.
    pub bat: Region,
    /// The metadata.
    pub metadata: Region,
    /// All of them and the log, in the order in which they lie in the file.
    all: Vec<Region>,
}

impl Regions {
    /// The regions that a file's table names. Checks are in the order of qemu-img.
    ///
    /// # Errors
    ///
    /// If both copies of the table are damaged, if regions overlap, are missing
    /// or are unknown and required.
    pub fn read(storage: &dyn Storage, header: &Header) -> Result<Self, Error> {
        let log = Region::new(header.log_offset.get(), header.log_length.get().into());
        let mut all = Vec::from([log]);
        let (mut bat, mut metadata) = (None, None);
        for entry in table(storage)? {
            let region = Region::new(entry.offset.get(), entry.length.get().into());
            if let Some(other) = all.iter().rev().find(|other| region.overlaps(**other)) {
                return Err(VhdxError::Overlap { region, other: *other }.into());
            }
            all.push(region);
            let known = match entry.id {
                BAT => &mut bat,
                METADATA => &mut metadata,
                _ if entry.required.get() & 1 == 0 => continue,
                _ => return Err(VhdxError::UnknownRegion.into()),
            };
            if known.replace(region).is_some() {
                return Err(VhdxError::RepeatedRegion.into());
            }
        }
        let (bat, metadata) = bat.zip(metadata).ok_or(VhdxError::MissingRegion)?;
        all.sort_unstable();
        Ok(Self { bat, metadata, all })
    }

    /// Checks that a part of the file overlaps with none of the regions, which do
    /// not overlap with each other.
    ///
    /// # Errors
    ///
    /// If it does.
    pub fn check(&self, region: Region) -> Result<(), VhdxError> {
        let behind = self.all.partition_point(|other| other.end <= region.start);
        match self.all.get(behind) {
            Some(other) if region.overlaps(*other) => {
                Err(VhdxError::Overlap { region, other: *other })
            }
            _ => Ok(()),
        }
    }
}

/// The entries of the table: of the first copy, or of the second if the first is
/// damaged.
fn table(storage: &dyn Storage) -> Result<Vec<Entry>, Error> {
    for offset in OFFSETS {
        let bytes = match read_bytes(storage, offset, SIZE) {
            // A copy that is cut off is a damaged one.
            Err(StorageError::PastEnd { .. }) => continue,
            bytes => bytes?,
        };
        if let Some(entries) = entries(&bytes) {
            return Ok(entries);
        }
    }
    Err(VhdxError::DamagedRegionTable.into())
}

/// The entries of a copy of the table, if it is not damaged.
fn entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    if !is_intact(bytes, SIGNATURE) {
        return None;
    }
    let (header, rest) = TableHeader::read_from_prefix(bytes).ok()?;
    let count = Some(header.entry_count.get()).filter(|count| *count <= MAX_ENTRIES)?;
    let entries = rest.chunks_exact(size_of::<Entry>()).take(usize::try_from(count).ok()?);
    entries.map(|entry| Entry::read_from_bytes(entry).ok()).collect()
}

#[cfg(test)]
mod tests;
