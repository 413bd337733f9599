//! The block allocation table (specification, section 2.5): where in the file each
//! block is.
//!
//! It has an entry for each payload block, which has data of the disk, and behind
//! those of each chunk one for a sector bitmap block, which is only of use to
//! differencing disks.

use zerocopy::little_endian::U64;

use super::metadata::Metadata;
use super::region::{Region, Regions};
use super::{MIB, VhdxError};
use crate::error::Error;
use crate::storage::{self, Storage, StorageError, check_range, is_reachable};

/// The largest disk in bytes: 64 TiB. In the smallest blocks the table has
/// 512 MiB then, which are read in pieces.
pub const MAX_DISK: u64 = 64 << 40;

/// The size of a sector bitmap block in bytes.
pub const BITMAP_BLOCK_SIZE: u64 = MIB;

/// The size of an entry in bytes.
pub const ENTRY: usize = 8;

/// The unit in which qemu has the length of a file, in bytes.
const SECTOR: u64 = 512;

/// How many sectors a chunk has: as many as a sector bitmap block has bits.
const SECTORS_IN_CHUNK: u64 = BITMAP_BLOCK_SIZE * 8;

/// An entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(pub u64);

impl Entry {
    /// The file does not have the payload block: it is the parent's, or nobody has
    /// written to it. It has no sector bitmap block.
    pub const NOT_PRESENT: u64 = 0;
    /// The payload block is of no interest any more.
    pub const UNDEFINED: u64 = 1;
    /// The payload block is zeros.
    pub const ZERO: u64 = 2;
    /// The payload block was given back.
    pub const UNMAPPED: u64 = 3;
    /// The same in version 0.95 of the format.
    pub const UNMAPPED_BEFORE: u64 = 5;
    /// The payload block, or the sector bitmap block, has all it can have.
    pub const FULLY_PRESENT: u64 = 6;
    /// The payload block has some sectors; the parent has the others.
    pub const PARTIALLY_PRESENT: u64 = 7;

    /// What is known of the block.
    #[must_use]
    pub fn state(self) -> u64 {
        self.0 & 7
    }

    /// Where the block is in the file, in bytes.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.0 & !(MIB.wrapping_sub(1))
    }
}

/// The table, as region table and metadata describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bat {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How many entries it has.
    pub entries: u64,
    /// How many payload blocks a chunk has.
    pub chunk_ratio: u64,
    /// The size of a payload block in bytes.
    pub block_size: u64,
    /// The size of the disk in bytes.
    pub disk_size: u64,
    /// The size of a logical sector in bytes, of which a bit of a sector bitmap block
    /// is for one.
    pub sector_size: u64,
    /// Whether the disk has a parent, so that there are sector bitmap blocks.
    pub has_parent: bool,
}

impl Bat {
    /// The table of a disk.
    ///
    /// # Errors
    ///
    /// If it has no room in its region or does not lie in the file, or if the
    /// disk is too large.
    pub fn new(
        storage: &dyn Storage,
        region: Region,
        metadata: &Metadata,
    ) -> Result<Self, VhdxError> {
        let bat = Self::of(metadata, region.start);
        if region.length() < bat.room() {
            return Err(VhdxError::TableTooSmall);
        }
        if !is_reachable(bat.offset, region.length()) {
            return Err(VhdxError::Unreachable);
        }
        if bat.disk_size > MAX_DISK {
            return Err(VhdxError::DiskTooLarge);
        }
        let (what, offset) = ("block allocation table", bat.offset);
        let length = bat.entries.saturating_mul(ENTRY as u64);
        let outside = |_| VhdxError::OutsideFile { what, offset, length };
        check_range(storage, offset, length).map_err(outside)?;
        Ok(bat)
    }

    /// The table of a disk, at an offset of the file.
    #[must_use]
    pub fn of(metadata: &Metadata, offset: u64) -> Self {
        let sector_size = u64::from(metadata.logical_sector_size);
        let block_size = u64::from(metadata.block_size);
        // Both are powers of two, and no block is larger than a chunk.
        let chunk = sector_size.saturating_mul(SECTORS_IN_CHUNK);
        let chunk_ratio = chunk.checked_div(block_size).unwrap_or(1).max(1);
        let disk_size = metadata.disk_size;
        let has_parent = metadata.parent_locator.is_some();
        let bat = Self {
            offset,
            entries: 0,
            chunk_ratio,
            block_size,
            disk_size,
            sector_size,
            has_parent,
        };
        let blocks = bat.blocks();
        let entries = if has_parent {
            blocks.div_ceil(chunk_ratio).saturating_mul(chunk_ratio.saturating_add(1))
        } else {
            blocks.saturating_add(bat.chunks_in_front())
        };
        Self { entries, ..bat }
    }

    /// How many payload blocks the disk has.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.disk_size.div_ceil(self.block_size.max(1))
    }

    /// How many whole chunks are in front of the last payload block.
    #[must_use]
    pub fn chunks_in_front(&self) -> u64 {
        self.blocks().saturating_sub(1).checked_div(self.chunk_ratio).unwrap_or(0)
    }

    /// How much room the table needs in its region, in bytes.
    #[must_use]
    pub fn room(&self) -> u64 {
        // By qemu's count, in 32 bits, an empty disk has minus one blocks in front of
        // its last. It makes such tables, and without one a size of zero is damage.
        let entries = if self.disk_size == 0 {
            u64::from(u32::MAX).checked_div(self.chunk_ratio).unwrap_or(0)
        } else {
            self.entries
        };
        entries.saturating_mul(ENTRY as u64)
    }

    /// The number of the entry of a payload block.
    #[must_use]
    pub fn payload_number(&self, block: u64) -> u64 {
        block.saturating_add(block.checked_div(self.chunk_ratio).unwrap_or(0))
    }

    /// The number of the entry of the sector bitmap block of a chunk.
    #[must_use]
    pub fn bitmap_number(&self, chunk: u64) -> u64 {
        chunk.saturating_add(1).saturating_mul(self.chunk_ratio).saturating_add(chunk)
    }

    /// The entry of a payload block, which is one of the disk.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn payload_entry(&self, storage: &dyn Storage, block: u64) -> Result<Entry, StorageError> {
        self.entry(storage, self.payload_number(block))
    }

    /// The entry of the sector bitmap block of a chunk. Only a disk with a parent has
    /// one for each.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn bitmap_entry(&self, storage: &dyn Storage, chunk: u64) -> Result<Entry, StorageError> {
        self.entry(storage, self.bitmap_number(chunk))
    }

    fn entry(&self, storage: &dyn Storage, number: u64) -> Result<Entry, StorageError> {
        let place = number.saturating_mul(ENTRY as u64).saturating_add(self.offset);
        let entry: U64 = storage::read_struct(storage, place)?;
        Ok(Entry(entry.get()))
    }

    /// Checks that every block lies in the file, and in no region of it. That is
    /// how a file that was cut off is told from a whole one.
    ///
    /// # Errors
    ///
    /// If not, or if the file cannot be read.
    pub fn check(&self, storage: &dyn Storage, regions: &Regions) -> Result<(), Error> {
        let length = self.entries.saturating_mul(ENTRY as u64);
        // What is missing of the last sector reads as zeros, as with qemu.
        let file_length = storage.length().div_ceil(SECTOR).saturating_mul(SECTOR);
        let mut number = 0;
        storage::visit_pieces(storage, self.offset, length, &mut |piece| {
            let (entries, _) = piece.as_chunks();
            entries.iter().try_for_each(|entry| {
                let entry = Entry(u64::from_le_bytes(*entry));
                if let Some(block) = self.block(number, entry) {
                    block.check(number, file_length)?;
                    regions.check(Region::new(block.offset, block.size))?;
                }
                number = number.saturating_add(1);
                Ok(())
            })
        })
    }

    /// The block of an entry, if it is in the file.
    fn block(&self, number: u64, entry: Entry) -> Option<Block> {
        let entries_of_chunk = self.chunk_ratio.saturating_add(1);
        let chunk = number.checked_div(entries_of_chunk)?;
        let is_bitmap = number.checked_rem(entries_of_chunk)? == self.chunk_ratio;
        let is_present = match entry.state() {
            // qemu once left anything in entries of sector bitmap blocks, which
            // do not matter without a parent.
            Entry::FULLY_PRESENT => self.has_parent || !is_bitmap,
            Entry::PARTIALLY_PRESENT => self.has_parent && !is_bitmap,
            _ => false,
        };
        let size = if is_bitmap { BITMAP_BLOCK_SIZE } else { self.block_size };
        let used = if is_bitmap {
            size
        } else {
            let start = number.saturating_sub(chunk).saturating_mul(self.block_size);
            self.disk_size.saturating_sub(start).min(size)
        };
        is_present.then_some(Block { offset: entry.offset(), size, used })
    }
}

/// A block in the file.
struct Block {
    /// Where it starts, in bytes.
    offset: u64,
    /// Its size in bytes.
    size: u64,
    /// How much of it the disk has. The rest need not be there: qemu once made
    /// such files.
    used: u64,
}

impl Block {
    /// Checks that the block lies in a file of this length.
    fn check(&self, number: u64, file_length: u64) -> Result<(), VhdxError> {
        let offset = self.offset;
        let last = i64::MAX.cast_unsigned().saturating_sub(self.size);
        let end = offset.saturating_add(self.used);
        if offset > last {
            Err(VhdxError::BlockOverflow { number })
        } else if offset >= file_length {
            Err(VhdxError::BlockStart { number, offset, file_length })
        } else if end > file_length {
            Err(VhdxError::BlockEnd { number, last: end.saturating_sub(1), file_length })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
