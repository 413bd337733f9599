//! What can be wrong with a DMG image.
//!
//! qemu's driver has words for some of it. The rest is "Invalid argument" there,
//! and has words here.

use super::chunk::{MAX_LENGTH, MAX_SECTORS};
use super::trailer::TRAILER_SIZE;
use crate::error::{ErrorKind, FormatError};

/// A DMG image that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DmgError {
    /// There is nothing in the file.
    #[error("dmg file must be at least {TRAILER_SIZE} bytes long")]
    TooSmall,
    /// The file does not end with a trailer.
    #[error("Could not locate UDIF trailer in dmg file")]
    NoTrailer,
    /// The file ends inside the trailer.
    #[error("the trailer at {offset} ({TRAILER_SIZE} bytes) does not lie in the file")]
    TrailerCutOff {
        /// Where it starts, in bytes.
        offset: u64,
    },
    /// The trailer speaks of places behind itself.
    #[error("the {what} at {offset} ({length} bytes) does not lie in front of the trailer")]
    BehindTrailer {
        /// Of which part.
        what: &'static str,
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// There is nothing that could have tables.
    #[error("the image has neither a resource fork nor a property list")]
    NoTables,
    /// The resource fork or the property list is longer than one can be.
    #[error("the {what} has {length} bytes, at most {limit} are allowed")]
    TooLong {
        /// Which one.
        what: &'static str,
        /// How long it is, in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The resources are not in the resource fork.
    #[error("the resources do not lie in the resource fork")]
    ResourcesOutsideFork,
    /// A resource has no length, or one that leads out of the resource fork.
    #[error("the resource at {place} of the resource fork does not lie in it")]
    ResourceOutsideFork {
        /// Where it is in the resource fork, in bytes.
        place: u64,
    },
    /// The property list ends inside an encoded resource.
    #[error("the property list ends inside <data>")]
    DataWithoutEnd,
    /// A chunk has more sectors than one can have.
    #[error("sector count {sectors} for chunk {chunk} is larger than max ({MAX_SECTORS})")]
    ChunkTooManySectors {
        /// Their number.
        sectors: u64,
        /// The number of the chunk.
        chunk: u32,
    },
    /// A chunk takes more bytes than one can.
    #[error("length {length} for chunk {chunk} is larger than max ({MAX_LENGTH})")]
    ChunkTooLong {
        /// Their number.
        length: u64,
        /// The number of the chunk.
        chunk: u32,
    },
    /// A chunk that is stored as it is has another length than its sectors.
    #[error("length {length} for chunk {chunk} is inconsistent with sector count {sectors}")]
    ChunkInconsistent {
        /// How many bytes it takes.
        length: u64,
        /// The number of the chunk.
        chunk: u32,
        /// How many sectors it has.
        sectors: u64,
    },
    /// A chunk is where no disk or no file goes.
    #[error("chunk {chunk} lies beyond 64 bits")]
    ChunkNowhere {
        /// The number of the chunk.
        chunk: u32,
    },
    /// A chunk lies where no file reaches.
    #[error("the chunk at sector {sector} lies at {offset}, where no file reaches")]
    ChunkOutOfReach {
        /// Its first sector.
        sector: u64,
        /// Where it starts in the file, in bytes.
        offset: u64,
    },
    /// A chunk is not behind the one before, so that none can be found.
    #[error("the chunk at sector {sector} is not behind the one before")]
    ChunksInDisorder {
        /// Its first sector.
        sector: u64,
    },
    /// A sector is in no chunk.
    #[error("no chunk holds sector {sector}")]
    NoChunk {
        /// The sector.
        sector: u64,
    },
    /// A chunk is compressed in a way that is not supported.
    #[error("the chunk at sector {sector} is compressed with {kind}, which is not supported")]
    UnsupportedKind {
        /// Its first sector.
        sector: u64,
        /// How it is compressed.
        kind: &'static str,
    },
    /// No table has a chunk that holds a part of the disk.
    #[error("the image has no chunks")]
    NoChunks,
    /// The disk is larger than one can be.
    #[error("Could not refresh total sector count: File too large")]
    DiskTooLarge,
}

impl FormatError for DmgError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooSmall | Self::NoTrailer => ErrorKind::NotThisFormat,
            Self::TooLong { .. }
            | Self::ChunkTooManySectors { .. }
            | Self::ChunkTooLong { .. }
            | Self::NoChunks
            | Self::UnsupportedKind { .. }
            | Self::DiskTooLarge => ErrorKind::Unsupported,
            Self::TrailerCutOff { .. }
            | Self::BehindTrailer { .. }
            | Self::NoTables
            | Self::ResourcesOutsideFork
            | Self::ResourceOutsideFork { .. }
            | Self::DataWithoutEnd
            | Self::ChunkInconsistent { .. }
            | Self::ChunkOutOfReach { .. }
            | Self::ChunksInDisorder { .. }
            | Self::NoChunk { .. }
            | Self::ChunkNowhere { .. } => ErrorKind::Corrupt,
        }
    }
}
