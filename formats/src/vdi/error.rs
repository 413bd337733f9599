//! What can be wrong with a VDI image.

use super::SECTOR;
use super::header::{BLOCK_SIZE, MAX_BLOCKS, MAX_DISK_SIZE};
use crate::error::{ErrorKind, FormatError};

/// A VDI image that cannot be used. Sizes and places are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VdiError {
    /// The disk is larger than one can be.
    #[error("Unsupported VDI image size (size is {size:#x}, max supported is {MAX_DISK_SIZE:#x})")]
    DiskTooLarge {
        /// Its size.
        size: u64,
    },
    /// The file has no header of a VDI image.
    #[error("Image not in VDI format (bad signature {signature:08x})")]
    BadSignature {
        /// What is in place of the signature.
        signature: u32,
    },
    /// An image of another version.
    #[error("unsupported VDI image (version {major}.{minor})")]
    UnsupportedVersion {
        /// The first number of its version.
        major: u32,
        /// The second.
        minor: u32,
    },
    /// The block map does not start with a sector.
    #[error("unsupported VDI image (unaligned block map offset {offset:#x})")]
    UnalignedMap {
        /// Where it starts.
        offset: u32,
    },
    /// The first block does not start with a sector.
    #[error("unsupported VDI image (unaligned data offset {offset:#x})")]
    UnalignedData {
        /// Where it starts.
        offset: u32,
    },
    /// Sectors of another size.
    #[error("unsupported VDI image (sector size {size} is not {SECTOR})")]
    SectorSize {
        /// Their size.
        size: u32,
    },
    /// Blocks of another size.
    #[error("unsupported VDI image (block size {size} is not {BLOCK_SIZE})")]
    BlockSize {
        /// Their size.
        size: u32,
    },
    /// The block map does not cover the disk.
    #[error("unsupported VDI image (disk size {size}, image bitmap has room for {room})")]
    MapTooSmall {
        /// The size of the disk.
        size: u64,
        /// How much the map covers.
        room: u64,
    },
    /// There is an image underneath.
    #[error("unsupported VDI image (non-NULL {which} UUID)")]
    HasParent {
        /// Which of its ids says so: `link` for its own, `parent` for that of its
        /// last modification.
        which: &'static str,
    },
    /// The block map has more entries than one can have.
    #[error("unsupported VDI image (too many blocks {blocks}, max is {MAX_BLOCKS})")]
    TooManyBlocks {
        /// How many.
        blocks: u32,
    },
    /// The block map is not in the file.
    #[error("the block map at {offset} ({length} bytes) does not lie in the file")]
    MapOutsideFile {
        /// Where it starts.
        offset: u64,
        /// How long it is.
        length: u64,
    },
    /// A block of the disk lies where no file reaches.
    #[error("block {block} of the disk lies at {place}, where no file reaches")]
    BlockOutOfReach {
        /// Its number.
        block: u64,
        /// Where it starts.
        place: u64,
    },
}

impl FormatError for VdiError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::BadSignature { .. } => ErrorKind::NotThisFormat,
            Self::DiskTooLarge { .. }
            | Self::UnsupportedVersion { .. }
            | Self::UnalignedMap { .. }
            | Self::UnalignedData { .. }
            | Self::SectorSize { .. }
            | Self::BlockSize { .. }
            | Self::HasParent { .. }
            | Self::TooManyBlocks { .. } => ErrorKind::Unsupported,
            Self::MapTooSmall { .. }
            | Self::MapOutsideFile { .. }
            | Self::BlockOutOfReach { .. } => ErrorKind::Corrupt,
        }
    }
}
