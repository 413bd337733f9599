//! The superblock of dm-integrity (Linux, "Documentation/admin-guide/
//! device-mapper/dm-integrity.rst").
//!
//! A segment that notices changes has a tag for each sector among its sectors,
//! and a journal, so the disk is smaller than the segment. Only this says how
//! large it is.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::error::Error;
use crate::luks::{LuksError, SECTOR};
use crate::storage::{self, Storage};

/// What it starts with.
pub const MAGIC: [u8; 8] = *b"integrt\0";

/// The first fields of the superblock, at the start of the segment.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Superblock {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// The version.
    pub version: u8,
    /// How many sectors lie between tags, as a power of two.
    pub interleave_shift: u8,
    /// The size of a tag in bytes.
    pub tag_size: U16,
    /// How many sections the journal has.
    pub journal_sections: U32,
    /// The size of the disk in sectors.
    pub sectors: U64,
}

/// The size of the disk in a segment, in bytes.
///
/// # Errors
///
/// If there is no superblock.
pub fn disk_size(storage: &dyn Storage, segment: u64) -> Result<u64, Error> {
    let superblock: Superblock = storage::read_struct(storage, segment)?;
    let size = superblock.sectors.get().checked_mul(SECTOR);
    let valid = size.filter(|_| superblock.magic == MAGIC);
    Ok(valid.ok_or(LuksError::NoIntegrity { offset: segment })?)
}
