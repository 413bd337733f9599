//! The headers of a seSparse extent, the snapshots of vSphere 6.5 and later.
//!
//! The format is not published. What is known: a header that does not change and
//! one that does, both of one sector; grain directories and tables have entries
//! of 64 bits; grains have 4 KiB. So everything else than what is known is
//! refused, as qemu-img does, in its order and with its messages.

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::sparse::{Entries, Sparse};
use super::{VmdkError, sector};
use crate::error::Error;
use crate::storage::Storage;

/// What the constant header starts with.
pub const MAGIC: u64 = 0xcafe_babe;

/// What the volatile header starts with.
pub const VOLATILE_MAGIC: u64 = 0xcafe_cafe;

/// The version that is known: 2.1.
pub const VERSION: u64 = 0x2_0000_0001;

/// The size of a grain in sectors.
pub const GRAIN_SECTORS: u64 = 8;

/// The size of a grain table in sectors.
pub const GRAIN_TABLE_SECTORS: u64 = 64;

/// Entries in a sector.
const ENTRIES_PER_SECTOR: u64 = 64;

/// The header that does not change, the first sector. Offsets and sizes are in
/// sectors.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ConstHeader {
    /// [`MAGIC`].
    pub magic: U64,
    /// [`VERSION`].
    pub version: U64,
    /// How much of the disk the extent holds.
    pub capacity: U64,
    /// [`GRAIN_SECTORS`].
    pub grain_size: U64,
    /// [`GRAIN_TABLE_SECTORS`].
    pub grain_table_size: U64,
    /// Zero.
    pub flags: U64,
    /// Zeros.
    pub reserved: [U64; 4],
    /// Where the volatile header is.
    pub volatile_header_offset: U64,
    /// Its size.
    pub volatile_header_size: U64,
    /// Where the journal's header is.
    pub journal_header_offset: U64,
    /// Its size.
    pub journal_header_size: U64,
    /// Where the journal is.
    pub journal_offset: U64,
    /// Its size.
    pub journal_size: U64,
    /// Where the grain directory is.
    pub grain_directory_offset: U64,
    /// Its size.
    pub grain_directory_size: U64,
    /// Where grain tables are.
    pub grain_tables_offset: U64,
    /// Their size.
    pub grain_tables_size: U64,
    /// Where the bitmap of free grains is.
    pub free_bitmap_offset: U64,
    /// Its size.
    pub free_bitmap_size: U64,
    /// Where the map from grains to the disk is.
    pub backmap_offset: U64,
    /// Its size.
    pub backmap_size: U64,
    /// Where grains are.
    pub grains_offset: U64,
    /// Their size.
    pub grains_size: U64,
    /// Zeros.
    pub padding: [u8; 304],
}

/// The header that changes, one sector.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VolatileHeader {
    /// [`VOLATILE_MAGIC`].
    pub magic: U64,
    /// The number of the first free grain table.
    pub free_table: U64,
    /// The number of the next transaction.
    pub next_transaction: U64,
    /// Not zero if the journal must be replayed.
    pub replay_journal: U64,
    /// Zeros.
    pub padding: [u8; 480],
}

/// Reads the headers of the extent in a file.
///
/// # Errors
///
/// If they are not those of a seSparse extent of the known version, or one of
/// them is damaged, or the file is cut off.
pub fn read(storage: &dyn Storage) -> Result<Sparse, Error> {
    let header: ConstHeader = sector::read(storage, "constant header", 0)?;
    check_const(&header)?;
    let place = header.volatile_header_offset.get();
    let volatile: VolatileHeader = sector::read(storage, "volatile header", place)?;
    check_volatile(&volatile)?;
    let directory_sectors = header.grain_directory_size.get();
    let extent = Sparse {
        capacity: header.capacity.get(),
        grain_size: GRAIN_SECTORS,
        table_entries: GRAIN_TABLE_SECTORS.saturating_mul(ENTRIES_PER_SECTOR),
        entries: Entries::Typed {
            tables: header.grain_tables_offset.get(),
            grains: header.grains_offset.get(),
        },
        directory: header.grain_directory_offset.get(),
        directory_entries: directory_sectors.saturating_mul(ENTRIES_PER_SECTOR),
        redundant_directory: None,
        compressed: false,
        markers: false,
        zeroed_grains: true,
        unclean: false,
    };
    extent.checked(storage)
}

fn check_const(header: &ConstHeader) -> Result<(), VmdkError> {
    let reserved = header.reserved.map(U64::get);
    let (magic, version) = (header.magic.get(), header.version.get());
    let grain_size = header.grain_size.get();
    let table_size = header.grain_table_size.get();
    let flags = header.flags.get();
    if magic != MAGIC {
        Err(VmdkError::SeSparseMagic { magic })
    } else if version != VERSION {
        Err(VmdkError::SeSparseVersion { version })
    } else if grain_size != GRAIN_SECTORS {
        Err(VmdkError::SeSparseGrainSize { sectors: grain_size })
    } else if table_size != GRAIN_TABLE_SECTORS {
        Err(VmdkError::SeSparseGrainTableSize { sectors: table_size })
    } else if flags != 0 {
        Err(VmdkError::SeSparseFlags { flags })
    } else if reserved != [0; 4] {
        Err(VmdkError::SeSparseReserved(reserved))
    } else if header.padding != [0; 304] {
        Err(VmdkError::SeSparsePadding)
    } else {
        Ok(())
    }
}

fn check_volatile(header: &VolatileHeader) -> Result<(), VmdkError> {
    let magic = header.magic.get();
    if magic != VOLATILE_MAGIC {
        Err(VmdkError::SeSparseVolatileMagic { magic })
    } else if header.replay_journal.get() != 0 {
        Err(VmdkError::SeSparseDirty)
    } else if header.padding != [0; 480] {
        Err(VmdkError::SeSparseVolatilePadding)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
