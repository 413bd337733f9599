//! What can be wrong with a cloop image.

use super::header::{MAX_BLOCK_SIZE, MAX_BLOCKS_32, OFFSETS};
use crate::error::{ErrorKind, FormatError};

/// A cloop image that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloopError {
    /// The file ends inside the header.
    #[error("the header ({OFFSETS} bytes) does not lie in the file")]
    HeaderOutsideFile,
    /// A block ends inside a sector.
    #[error("block_size {size} must be a multiple of 512")]
    BlockSizeNotSectors {
        /// Its size in bytes.
        size: u32,
    },
    /// A block is empty.
    #[error("block_size cannot be zero")]
    BlockSizeZero,
    /// A block is larger than one can be.
    #[error("block_size {size} must be {} MB or less", MAX_BLOCK_SIZE >> 20)]
    BlockSizeTooLarge {
        /// Its size in bytes.
        size: u32,
    },
    /// There are more blocks than can be counted.
    #[error("n_blocks {blocks} must be {MAX_BLOCKS_32} or less")]
    TooManyBlocks {
        /// Their number.
        blocks: u32,
    },
    /// There are more blocks than a table has places for.
    #[error("image requires too many offsets, try increasing block size")]
    TooManyOffsets,
    /// The table of places is not in the file.
    #[error("the table of offsets at {OFFSETS} ({length} bytes) does not lie in the file")]
    OffsetsOutsideFile {
        /// How long it is, in bytes.
        length: u64,
    },
    /// A block ends before it starts.
    #[error("offsets not monotonically increasing at index {index}, image file is corrupt")]
    OffsetsNotIncreasing {
        /// Which entry of the table says so.
        index: u32,
    },
    /// A block of the disk lies where no file reaches.
    #[error("block {block} of the disk lies at {place}, where no file reaches")]
    BlockOutOfReach {
        /// Its number.
        block: u64,
        /// Where it starts, in bytes.
        place: u64,
    },
    /// A block is longer than one can be.
    #[error("invalid compressed block size at index {index}, image file is corrupt")]
    InvalidBlockSize {
        /// Which entry of the table says so.
        index: u32,
    },
}

impl FormatError for CloopError {
    fn kind(&self) -> ErrorKind {
        match self {
            // Opening does not look at the script, so this may be anything.
            Self::HeaderOutsideFile => ErrorKind::NotThisFormat,
            Self::BlockSizeTooLarge { .. } | Self::TooManyOffsets | Self::TooManyBlocks { .. } => {
                ErrorKind::Unsupported
            }
            Self::BlockSizeNotSectors { .. }
            | Self::BlockSizeZero
            | Self::OffsetsOutsideFile { .. }
            | Self::OffsetsNotIncreasing { .. }
            | Self::BlockOutOfReach { .. }
            | Self::InvalidBlockSize { .. } => ErrorKind::Corrupt,
        }
    }
}
