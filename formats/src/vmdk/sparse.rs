//! What the three kinds of sparse extent have in common.

use super::{SECTOR, VmdkError, cowd, header, sector};
use crate::error::Error;
use crate::storage::Storage;

/// The largest grain in sectors: 1 GiB. Real grains are 64 KiB or less.
pub const MAX_GRAIN_SECTORS: u64 = 0x20_0000;

/// The most entries in a grain directory. With the smallest grains they cover
/// 8 TiB in a hosted or ESX extent, which can have 2 TiB, and 64 TiB in a seSparse
/// extent, which cannot have that much either.
pub const MAX_DIRECTORY_ENTRIES: u64 = 32 << 20;

/// A sparse extent, as its header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparse {
    /// How much of the disk it holds, in sectors.
    pub capacity: u64,
    /// The size of a grain in sectors, not zero.
    pub grain_size: u64,
    /// Entries in a grain table: one for each grain.
    pub table_entries: u64,
    /// How entries look.
    pub entries: Entries,
    /// The first sector of the grain directory.
    pub directory: u64,
    /// Entries in the grain directory: one for each grain table.
    pub directory_entries: u64,
    /// The first sector of the copy of the grain directory, if there is one.
    pub redundant_directory: Option<u64>,
    /// Whether grains are compressed, with Deflate in a zlib wrapper.
    pub compressed: bool,
    /// Whether there are markers between grains and tables.
    pub markers: bool,
    /// Whether an entry of 1 in a grain table stands for a grain of zeros.
    pub zeroed_grains: bool,
    /// Whether its last user left it open.
    pub unclean: bool,
}

/// How the entries of grain directory and grain tables look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    /// 32 bits, the number of a sector of the file.
    Sectors,
    /// 64 bits with a kind in the highest ones (seSparse).
    Typed {
        /// The sector that the numbers of grain tables count from.
        tables: u64,
        /// The sector that the numbers of grains count from.
        grains: u64,
    },
}

impl Entries {
    /// The size of an entry in bytes.
    #[must_use]
    pub fn size(self) -> u64 {
        match self {
            Self::Sectors => 4,
            Self::Typed { .. } => 8,
        }
    }
}

impl Sparse {
    /// The sparse extent in a file of its own, hosted or ESX.
    ///
    /// # Errors
    ///
    /// If the file has no such extent, or its header is damaged.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        if storage.reach(1) == 0 {
            return Err(VmdkError::TooSmall.into());
        }
        let header: header::Header = sector::read(storage, "header", 0)?;
        match header.magic {
            header::MAGIC if header.has_only_descriptor() => {
                Err(VmdkError::NestedDescriptor.into())
            }
            header::MAGIC => header.extent(storage),
            cowd::MAGIC => cowd::read(storage),
            _ => Err(VmdkError::NoMagic.into()),
        }
    }

    /// The extent, if its grains have a size that grains have, and its grain
    /// directory is in the file.
    ///
    /// # Errors
    ///
    /// If not.
    pub fn checked(self, storage: &dyn Storage) -> Result<Self, Error> {
        if self.grain_size == 0 || self.grain_size > MAX_GRAIN_SECTORS {
            return Err(VmdkError::InvalidGrainSize.into());
        }
        if self.directory_entries > MAX_DIRECTORY_ENTRIES {
            return Err(VmdkError::GrainDirectoryTooBig.into());
        }
        let length = self.directory_entries.saturating_mul(self.entries.size());
        sector::locate(storage, "grain directory", self.directory, length)?;
        if let Some(redundant) = self.redundant_directory {
            sector::locate(storage, "redundant grain directory", redundant, length)?;
        }
        Ok(self)
    }

    /// How many grains the extent has.
    #[must_use]
    pub fn grains(&self) -> u64 {
        self.capacity.div_ceil(self.grain_size.max(1))
    }

    /// The size of a grain in bytes.
    #[must_use]
    pub fn grain_bytes(&self) -> u64 {
        self.grain_size.saturating_mul(SECTOR)
    }
}
