//! What can be wrong with a VHD image.

use crate::error::{ErrorKind, FormatError};

/// A VHD image that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VpcError {
    /// There is nothing in the file.
    #[error("File too small for a VHD header")]
    TooSmall,
    /// There is a footer neither at the start nor, of a fixed disk, at the end.
    #[error("invalid VPC image")]
    NoFooter,
    /// The footer is damaged.
    #[error("Incorrect header checksum")]
    WrongChecksum,
    /// The disk is larger than 2040 GiB.
    #[error("File too large")]
    TooLarge,
    /// A disk is to be made that would be larger than 2040 GiB.
    #[error("The image size is too large for file format 'vpc'")]
    TooLargeToMake,
    /// The dynamic header is where no file reaches.
    #[error("Error reading dynamic VHD header")]
    HeaderUnreadable,
    /// The dynamic header is none.
    #[error("Invalid header magic")]
    NoHeader,
    /// The dynamic header is cut off.
    #[error("the dynamic header at {offset} does not lie in the file")]
    HeaderOutsideFile {
        /// Where it starts, in bytes.
        offset: u64,
    },
    /// Blocks have a size that blocks do not have.
    #[error("Invalid block size {block_size}")]
    InvalidBlockSize {
        /// That size in bytes.
        block_size: u32,
    },
    /// The block allocation table has fewer entries than the disk has blocks.
    #[error("Page table too small")]
    TableTooSmall,
    /// The block allocation table has more entries than any disk needs.
    #[error("Max Table Entries too large ({entries})")]
    TableTooLarge {
        /// How many, in 32 bits with a sign.
        entries: i32,
    },
    /// The block allocation table is where no file reaches.
    #[error("Error reading pagetable")]
    TableUnreadable,
    /// The block allocation table or a block does not lie in the file.
    #[error(
        "block-vpc: free_data_block_offset points after the end of file. The image has been \
         truncated."
    )]
    Truncated,
    /// The path of the parent does not lie in the file.
    #[error("the path of the parent at {offset} ({length} bytes) does not lie in the file")]
    LocatorOutsideFile {
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u32,
    },
    /// The path of the parent is longer than one can be.
    #[error("the path of the parent is longer than {limit} bytes")]
    ParentTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// No path leads to a file.
    #[error("the disk has a parent but does not say where it is")]
    ParentNotNamed,
}

impl FormatError for VpcError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooSmall | Self::NoFooter => ErrorKind::NotThisFormat,
            Self::TooLarge | Self::TooLargeToMake => ErrorKind::Unsupported,
            Self::WrongChecksum
            | Self::HeaderUnreadable
            | Self::NoHeader
            | Self::HeaderOutsideFile { .. }
            | Self::InvalidBlockSize { .. }
            | Self::TableTooSmall
            | Self::TableTooLarge { .. }
            | Self::TableUnreadable
            | Self::Truncated
            | Self::LocatorOutsideFile { .. }
            | Self::ParentTooLong { .. }
            | Self::ParentNotNamed => ErrorKind::Corrupt,
        }
    }

    fn is_bare(&self) -> bool {
        matches!(self, Self::TooLarge)
    }
}
