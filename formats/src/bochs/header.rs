//! The header (specification, "Header").

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::BochsError;
use crate::error::Error;
use crate::storage::{Storage, read_padded};
use crate::text::until_nul;

/// What a header starts with; zeros fill up the field.
pub const MAGIC: &[u8] = b"Bochs Virtual HD Image";
/// The type of every image.
pub const TYPE: &[u8] = b"Redolog";
/// The subtype of a disk of its own.
pub const SUBTYPE: &[u8] = b"Growing";

/// The first version.
pub const VERSION_1: u32 = 0x0001_0000;
/// The version that adds a time stamp, for "Undoable" images.
pub const VERSION_2: u32 = 0x0002_0000;

/// The size of the header in bytes.
pub const HEADER_SIZE: usize = 512;

/// The size of an entry of the catalog in bytes. It is the number of the extent
/// in the file, or all ones for an extent that is not there.
pub const CATALOG_ENTRY: u64 = 4;

/// The most entries in a catalog. The largest disk that Bochs makes, of 8 TiB,
/// has as many.
pub const MAX_CATALOG_ENTRIES: u32 = 1 << 20;

/// The smallest extent in bytes: a sector. Bochs makes none below 4 KiB.
pub const MIN_EXTENT_SIZE: u32 = 512;

/// The largest extent in bytes, the one of a disk of 8 TiB.
pub const MAX_EXTENT_SIZE: u32 = 8 << 20;

/// The header of a redolog.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`], up to a NUL.
    pub magic: [u8; 32],
    /// [`TYPE`], up to a NUL.
    pub type_name: [u8; 16],
    /// [`SUBTYPE`], up to a NUL.
    pub subtype: [u8; 16],
    /// [`VERSION_1`] or [`VERSION_2`].
    pub version: U32,
    /// The size of the header in bytes: where the catalog starts.
    pub header_size: U32,
    /// Entries in the catalog.
    pub catalog_entries: U32,
    /// The size of an extent's bitmap in bytes.
    pub bitmap_size: U32,
    /// The size of an extent in bytes.
    pub extent_size: U32,
    /// What depends on the version.
    pub rest: [u8; 428],
}

/// What version 1 has behind the size of an extent.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Rest1 {
    /// The size of the disk in bytes.
    pub disk: U64,
}

/// What version 2 has there.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Rest2 {
    /// When the disk underneath was changed last; zero in a growing one.
    pub timestamp: U32,
    /// The size of the disk in bytes.
    pub disk: U64,
}

impl Header {
    /// The header that a file starts with. What is missing of it reads as zeros.
    #[must_use]
    pub fn from_start(file: &[u8]) -> Self {
        let mut header = Self::new_zeroed();
        for (target, source) in header.as_mut_bytes().iter_mut().zip(file) {
            *target = *source;
        }
        header
    }

    /// The header of a growing disk.
    ///
    /// # Errors
    ///
    /// If it is another one, or the file ends inside.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        let header: Self = read_padded(storage, 0)?;
        match header.is_growing() {
            true if storage.reach(HEADER_SIZE as u64) < HEADER_SIZE as u64 => {
                Err(BochsError::HeaderOutsideFile.into())
            }
            true => Ok(header),
            false => Err(BochsError::NotBochs.into()),
        }
    }

    /// Whether it is the header of a growing disk of a known version.
    #[must_use]
    pub fn is_growing(&self) -> bool {
        until_nul(&self.magic) == MAGIC
            && until_nul(&self.type_name) == TYPE
            && until_nul(&self.subtype) == SUBTYPE
            && [VERSION_1, VERSION_2].contains(&self.version.get())
    }

    /// The size of the disk in bytes.
    #[must_use]
    pub fn disk_size(&self) -> u64 {
        // Both fit into the rest of the header.
        match self.version.get() {
            VERSION_1 => Rest1::read_from_prefix(&self.rest).map_or(0, |(rest, _)| rest.disk.get()),
            _ => Rest2::read_from_prefix(&self.rest).map_or(0, |(rest, _)| rest.disk.get()),
        }
    }

    /// How many entries the catalog has.
    ///
    /// # Errors
    ///
    /// If they are too many.
    pub fn catalog_entries(&self) -> Result<u32, BochsError> {
        let entries = self.catalog_entries.get();
        if entries > MAX_CATALOG_ENTRIES { Err(BochsError::CatalogTooLarge) } else { Ok(entries) }
    }

    /// The size of an extent in bytes.
    ///
    /// # Errors
    ///
    /// If no extent has that size.
    pub fn extent_size(&self) -> Result<u32, BochsError> {
        match self.extent_size.get() {
            ..MIN_EXTENT_SIZE => Err(BochsError::ExtentTooSmall),
            size if !size.is_power_of_two() => Err(BochsError::ExtentNotPowerOfTwo { size }),
            size if size > MAX_EXTENT_SIZE => Err(BochsError::ExtentTooLarge { size }),
            size => Ok(size),
        }
    }
}
