//! What can be wrong with a Bochs image.

use super::header::{HEADER_SIZE, MIN_EXTENT_SIZE};
use crate::error::{ErrorKind, FormatError};

/// A Bochs image that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BochsError {
    /// The header is not that of a growing disk of a known version.
    #[error("Image not in Bochs format")]
    NotBochs,
    /// The file ends inside the header.
    #[error("the header ({HEADER_SIZE} bytes) does not lie in the file")]
    HeaderOutsideFile,
    /// The catalog has more entries than the largest disk needs.
    #[error("Catalog size is too large")]
    CatalogTooLarge,
    /// The catalog is not in the file.
    #[error("the catalog at {offset} ({length} bytes) does not lie in the file")]
    CatalogOutsideFile {
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// An extent is smaller than a sector.
    #[error("Extent size must be at least {MIN_EXTENT_SIZE}")]
    ExtentTooSmall,
    /// An extent has an odd size.
    #[error("Extent size {size} is not a power of two")]
    ExtentNotPowerOfTwo {
        /// Its size in bytes.
        size: u32,
    },
    /// An extent is larger than one can be.
    #[error("Extent size {size} is too large")]
    ExtentTooLarge {
        /// Its size in bytes.
        size: u32,
    },
    /// An extent of the disk lies where no file reaches.
    #[error("extent {number} of the disk is number {entry} of the file, where no file reaches")]
    ExtentOutOfReach {
        /// Its number on the disk.
        number: u64,
        /// Its number in the file.
        entry: u32,
    },
    /// The catalog has fewer entries than the disk has extents.
    #[error("Catalog size is too small for this disk size")]
    CatalogTooSmall,
}

impl FormatError for BochsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotBochs => ErrorKind::NotThisFormat,
            Self::CatalogTooLarge | Self::ExtentTooLarge { .. } => ErrorKind::Unsupported,
            Self::HeaderOutsideFile
            | Self::CatalogOutsideFile { .. }
            | Self::ExtentTooSmall
            | Self::ExtentNotPowerOfTwo { .. }
            | Self::ExtentOutOfReach { .. }
            | Self::CatalogTooSmall => ErrorKind::Corrupt,
        }
    }
}
