//! The header.

use zerocopy::big_endian::U32;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::CloopError;
use crate::error::Error;
use crate::storage::Storage;

/// The script that a file of version 2.0 starts with.
pub const SCRIPT: &[u8] = b"#!/bin/sh\n#V2.0 Format\n\
    modprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n";

/// The largest block in bytes. The tools warn of blocks above 256 KiB.
pub const MAX_BLOCK_SIZE: u32 = 64 << 20;

/// The largest compressed block in bytes: what does not compress gets longer,
/// but not twice as long.
pub const MAX_COMPRESSED_SIZE: u64 = 128 << 20;

/// The most blocks that a table of 32 bits could have places for.
pub const MAX_BLOCKS_32: u32 = (u32::MAX - 1) / 8;

/// The most blocks, as with qemu-img: their table has 512 MiB, enough for 16 TiB
/// in blocks of 256 KiB.
pub const MAX_BLOCKS: u32 = (512 << 20) / 8 - 1;

/// Where the table with the places of blocks starts, in bytes. It has an entry
/// for each block and one for the end of the last.
pub const OFFSETS: u64 = 136;

/// The size of an entry in bytes: a place in the file, in bytes, big-endian.
pub const OFFSET: u64 = 8;

/// What is in front of the table.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`SCRIPT`]; zeros fill up the field.
    pub script: [u8; 128],
    /// The size of a block in bytes, when it is not compressed.
    pub block_size: U32,
    /// How many blocks there are.
    pub blocks: U32,
}

impl Header {
    /// The header of a file.
    ///
    /// # Errors
    ///
    /// If the file is shorter.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        if storage.reach(OFFSETS) < OFFSETS {
            return Err(CloopError::HeaderOutsideFile.into());
        }
        let mut header = Self::new_zeroed();
        storage.read_at(0, header.as_mut_bytes())?;
        Ok(header)
    }

    /// The size of a block in bytes.
    ///
    /// # Errors
    ///
    /// If no block has that size.
    pub fn block_size(&self) -> Result<u32, CloopError> {
        match self.block_size.get() {
            size if !size.is_multiple_of(512) => Err(CloopError::BlockSizeNotSectors { size }),
            0 => Err(CloopError::BlockSizeZero),
            size if size > MAX_BLOCK_SIZE => Err(CloopError::BlockSizeTooLarge { size }),
            size => Ok(size),
        }
    }

    /// How many blocks there are.
    ///
    /// # Errors
    ///
    /// If they are too many.
    pub fn blocks(&self) -> Result<u32, CloopError> {
        match self.blocks.get() {
            blocks if blocks > MAX_BLOCKS_32 => Err(CloopError::TooManyBlocks { blocks }),
            blocks if blocks > MAX_BLOCKS => Err(CloopError::TooManyOffsets),
            blocks => Ok(blocks),
        }
    }
}
