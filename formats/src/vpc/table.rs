//! The block allocation table (specification, "Block Allocation Table and Data
//! Blocks"): where in the file each block is.

use zerocopy::big_endian::U32;

use super::{SECTOR, VpcError};
use crate::error::Error;
use crate::storage::{self, Storage, StorageError, check_range, is_reachable, length_in_sectors};

/// The most entries: the largest disk in blocks of 128 KiB. Programs make blocks
/// of 512 KiB or 2 MiB.
pub const MAX_ENTRIES: u32 = 16 << 20;

/// In place of the sector of a block: the file does not have it.
pub const UNALLOCATED: u32 = u32::MAX;

/// The size of an entry in bytes: the number of a sector of the file.
const ENTRY: usize = 4;

/// The block allocation table, as the dynamic header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How many entries it has: one for each block.
    pub entries: u32,
    /// The size of a block in bytes, without its bitmap. A power of two of at
    /// least a sector.
    pub block_size: u32,
}

impl Table {
    /// The size of the bitmap in front of each block, in bytes: a bit for each
    /// sector, in whole sectors.
    #[must_use]
    pub fn bitmap_size(&self) -> u64 {
        let bytes = (u64::from(self.block_size) / SECTOR).div_ceil(8);
        bytes.div_ceil(SECTOR).saturating_mul(SECTOR)
    }

    /// Where a block starts in the file, with its bitmap in front, in bytes. Nothing if
    /// the file does not have it. The block is below the number of entries.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    pub fn block(&self, storage: &dyn Storage, block: u64) -> Result<Option<u64>, StorageError> {
        let place = block.saturating_mul(ENTRY as u64).saturating_add(self.offset);
        let first: U32 = storage::read_struct(storage, place)?;
        let is_there = first.get() != UNALLOCATED;
        Ok(is_there.then(|| u64::from(first.get()).saturating_mul(SECTOR)))
    }

    /// Checks that the table and every block lie in the file. That is how a file
    /// that was cut off is told from a whole one.
    ///
    /// # Errors
    ///
    /// If not, or if the file cannot be read.
    pub fn check(&self, storage: &dyn Storage) -> Result<(), Error> {
        let length = u64::from(self.entries).saturating_mul(ENTRY as u64);
        if !is_reachable(self.offset, length) {
            return Err(VpcError::TableUnreadable.into());
        }
        check_range(storage, self.offset, length).map_err(|_| VpcError::Truncated)?;
        // Of data a part of the last sector is enough; all else must be there.
        let file_end = length_in_sectors(storage);
        let block = self.bitmap_size().saturating_add(self.block_size.into());
        let fits = |entry: &[u8; ENTRY]| {
            let first = u32::from_be_bytes(*entry);
            let end = u64::from(first).saturating_mul(SECTOR).saturating_add(block);
            first == UNALLOCATED || end <= file_end
        };
        storage::visit_pieces(storage, self.offset, length, &mut |piece| {
            let (entries, _) = piece.as_chunks();
            if entries.iter().all(fits) { Ok(()) } else { Err(VpcError::Truncated.into()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::storage::{MAX_LENGTH, PIECE};

    /// What is said of a table with these entries at the start of a file.
    fn said(block_size: u32, entries: &[u32], length: usize) -> String {
        let mut bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_be_bytes()).collect();
        bytes.resize(length, 0);
        let entries = u32::try_from(entries.len()).unwrap();
        let table = Table { offset: 0, entries, block_size };
        table.check(&bytes).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_bitmap_has_a_bit_for_each_sector() {
        for (block_size, expected) in
            [(512, 512), (4096, 512), (0x20_0000, 512), (0x40_0000, 1024), (0x8000_0000, 0x8_0000)]
        {
            let table = Table { offset: 0, entries: 0, block_size };
            assert_eq!(table.bitmap_size(), expected, "{block_size:#x}");
        }
    }

    #[test]
    fn blocks_lie_in_the_file() {
        let truncated = VpcError::Truncated.to_string();
        // A block has nine sectors.
        for (entries, sectors, fits) in [
            (&[UNALLOCATED][..], 1, true),
            (&[1], 10, true),
            (&[1], 9, false),
            (&[UNALLOCATED, 1, UNALLOCATED, 10], 19, true),
            (&[UNALLOCATED, 1, UNALLOCATED, 11], 19, false),
            (&[u32::MAX - 1], 19, false),
            (&[0], 9, true),
        ] {
            let expected = if fits { "" } else { &truncated };
            assert_eq!(said(4096, entries, sectors * 512), expected, "{entries:?} {sectors}");
        }
        // The last sector may be a part of one.
        assert_eq!(said(4096, &[1], 4609), "");
        assert_eq!(said(4096, &[1], 4608), truncated);
    }

    #[test]
    fn the_last_entry_of_a_long_table_counts() {
        // Three pieces, the last of which has one entry.
        let piece = usize::try_from(PIECE).unwrap();
        let mut entries = vec![UNALLOCATED; 2 * piece / ENTRY + 1];
        assert_eq!(said(512, &entries, 4 * piece), "");
        *entries.last_mut().unwrap() = 512;
        assert_eq!(said(512, &entries, 4 * piece), VpcError::Truncated.to_string());
    }

    #[test]
    fn the_table_lies_in_the_file() {
        let truncated = VpcError::Truncated.to_string();
        for (offset, entries, expected) in [
            (1020, 1, ""),
            (1021, 1, &*truncated),
            (1024, 0, ""),
            (1025, 0, &truncated),
            (0, 257, &truncated),
            (MAX_LENGTH - 4, 1, &truncated),
            (MAX_LENGTH - 3, 1, "Error reading pagetable"),
            (u64::MAX, 0, "Error reading pagetable"),
            (u64::MAX, 1, "Error reading pagetable"),
        ] {
            let table = Table { offset, entries, block_size: 512 };
            let message = table.check(&vec![0xff; 1024]);
            let message = message.map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(message, expected, "{entries} at {offset}");
        }
    }
}
