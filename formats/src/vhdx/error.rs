//! What can be wrong with a VHDX image.
//!
//! qemu's driver has no words for most of it: it says `Invalid argument`, or
//! `Operation not supported` of what may be valid.

use super::region::Region;
use crate::error::{ErrorKind, FormatError};
use crate::guid::Guid;

/// A VHDX image that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VhdxError {
    /// The file does not start as one.
    #[error("Invalid argument")]
    NoSignature,
    /// Neither header is valid, or both are and nothing says which is current.
    #[error("No valid VHDX header found")]
    NoHeader,
    /// Something is where no file reaches.
    #[error("Input/output error")]
    Unreachable,
    /// The log is not at a multiple of a megabyte, or has no such length.
    #[error("Invalid argument")]
    InvalidLogPlace,
    /// The log has another version.
    #[error("Invalid argument")]
    UnsupportedLogVersion,
    /// The log would have to be replayed, and is longer than any is.
    #[error("the log is longer than {limit} bytes")]
    LogTooLong {
        /// The limit in bytes.
        limit: u32,
    },
    /// The log would have to be replayed, and has more changes than are kept.
    #[error("the log has more than {limit} changes")]
    TooManyChanges {
        /// The limit.
        limit: usize,
    },
    /// The file has become shorter since the log was written.
    #[error("the file has {found} bytes, and had {expected} when its log was written")]
    ShorterThanLogged {
        /// The length in bytes that it has.
        found: u64,
        /// The length in bytes that it had.
        expected: u64,
    },
    /// The log changes what no file has.
    #[error("the log has a change where no file reaches")]
    ChangeUnreachable,
    /// Both copies of the region table are damaged.
    #[error("Invalid argument")]
    DamagedRegionTable,
    /// Regions overlap with each other, with the log or with a block.
    #[error(
        "VHDX region {}-{} overlaps with region {}-{}",
        region.start, region.end, other.start, other.end
    )]
    Overlap {
        /// The region.
        region: Region,
        /// The one that was there before.
        other: Region,
    },
    /// A region is there twice.
    #[error("Invalid argument")]
    RepeatedRegion,
    /// There is no metadata or no block allocation table.
    #[error("Invalid argument")]
    MissingRegion,
    /// A region is unknown, and it says that it must not be.
    #[error("Operation not supported")]
    UnknownRegion,
    /// The table of the metadata is none.
    #[error("Invalid argument")]
    DamagedMetadataTable,
    /// An item of the metadata is there twice.
    #[error("Invalid argument")]
    RepeatedItem,
    /// An item of the metadata is missing, or there is one that must not be.
    #[error("Operation not supported")]
    MissingItem,
    /// An item of the metadata is unknown, and it says that it must not be.
    #[error("Operation not supported")]
    UnknownItem,
    /// There is a parent, and no parent locator.
    #[error("Invalid argument")]
    NoParentLocator,
    /// Blocks have a size that blocks do not have.
    #[error("Invalid argument")]
    InvalidBlockSize,
    /// Logical sectors have a size that they do not have.
    #[error("Operation not supported")]
    UnsupportedSectorSize,
    /// The block allocation table has no room in its region.
    #[error("Invalid argument")]
    TableTooSmall,
    /// The disk is larger than 64 TiB.
    #[error("Image size too large; max of 64TB")]
    DiskTooLarge,
    /// The log of a new image is to have 4 GiB or more.
    #[error("Log size must be smaller than 4 GB")]
    LogTooLarge,
    /// The log of a new image is to have nothing.
    #[error("Log size must be a multiple of 1 MB")]
    LogTooSmall,
    /// Blocks of a new image are to have a size that blocks do not have.
    #[error("Block size must be a power of two")]
    BlockSizeNotPowerOfTwo,
    /// Something that the image names is not in the file.
    #[error("the {what} at {offset} ({length} bytes) does not lie in the file")]
    OutsideFile {
        /// What it is.
        what: &'static str,
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// A block is where no file reaches.
    #[error("VHDX BAT entry {number} offset overflow.")]
    BlockOverflow {
        /// The number of its entry.
        number: u64,
    },
    /// A block starts behind the end of the file.
    #[error(
        "VHDX BAT entry {number} start offset {offset} points after end of file ({file_length}). \
         Image has probably been truncated."
    )]
    BlockStart {
        /// The number of its entry.
        number: u64,
        /// Where it starts, in bytes.
        offset: u64,
        /// The length of the file in bytes.
        file_length: u64,
    },
    /// A block ends behind the end of the file.
    #[error(
        "VHDX BAT entry {number} end offset {last} points after end of file ({file_length}). \
         Image has probably been truncated."
    )]
    BlockEnd {
        /// The number of its entry.
        number: u64,
        /// Its last byte.
        last: u64,
        /// The length of the file in bytes.
        file_length: u64,
    },
    /// A payload block is in a state that there is not, or that is only for disks with
    /// a parent.
    #[error("block {block} of the disk is in the unknown state {state}")]
    UnknownState {
        /// The number of the block.
        block: u64,
        /// The state.
        state: u64,
    },
    /// A payload block has some of its sectors, and nothing says which.
    #[error("block {block} of the disk has no sector bitmap")]
    NoSectorBitmap {
        /// The number of the block.
        block: u64,
    },
    /// The parent is something else than a VHDX image.
    #[error("the parent is of an unknown type: {found}")]
    UnknownParentType {
        /// The type.
        found: Guid,
    },
    /// The parent locator has more entries than anybody needs.
    #[error("the parent locator has more than {limit} entries")]
    TooManyPairs {
        /// The limit.
        limit: u16,
    },
    /// The parent locator names what is not in it.
    #[error("the parent locator is damaged")]
    DamagedParentLocator,
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

impl FormatError for VhdxError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSignature => ErrorKind::NotThisFormat,
            Self::UnsupportedLogVersion
            | Self::LogTooLong { .. }
            | Self::TooManyChanges { .. }
            | Self::UnknownRegion
            | Self::UnknownItem
            | Self::UnsupportedSectorSize
            | Self::DiskTooLarge
            | Self::LogTooLarge
            | Self::LogTooSmall
            | Self::BlockSizeNotPowerOfTwo
            | Self::UnknownParentType { .. }
            | Self::TooManyPairs { .. } => ErrorKind::Unsupported,
            Self::NoHeader
            | Self::Unreachable
            | Self::InvalidLogPlace
            | Self::ShorterThanLogged { .. }
            | Self::ChangeUnreachable
            | Self::DamagedRegionTable
            | Self::Overlap { .. }
            | Self::RepeatedRegion
            | Self::MissingRegion
            | Self::DamagedMetadataTable
            | Self::RepeatedItem
            | Self::MissingItem
            | Self::NoParentLocator
            | Self::InvalidBlockSize
            | Self::TableTooSmall
            | Self::OutsideFile { .. }
            | Self::BlockOverflow { .. }
            | Self::UnknownState { .. }
            | Self::NoSectorBitmap { .. }
            | Self::BlockStart { .. }
            | Self::BlockEnd { .. }
            | Self::DamagedParentLocator
            | Self::ParentTooLong { .. }
            | Self::ParentNotNamed => ErrorKind::Corrupt,
        }
    }

    fn is_bare(&self) -> bool {
        matches!(
            self,
            Self::NoSignature
                | Self::Unreachable
                | Self::InvalidLogPlace
                | Self::UnsupportedLogVersion
                | Self::DamagedRegionTable
                | Self::RepeatedRegion
                | Self::MissingRegion
                | Self::UnknownRegion
                | Self::DamagedMetadataTable
                | Self::RepeatedItem
                | Self::MissingItem
                | Self::UnknownItem
                | Self::NoParentLocator
                | Self::InvalidBlockSize
                | Self::UnsupportedSectorSize
                | Self::TableTooSmall
        )
    }
}
