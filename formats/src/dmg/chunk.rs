//! A chunk: a run of sectors, and how they are stored (description, "Block table
//! entry").

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::table::Header;
use super::{DmgError, SECTOR};

/// The most bytes that a chunk takes in the file, as with qemu-img. macOS makes
/// chunks of 256 KiB to 1 MiB.
pub const MAX_LENGTH: u64 = 64 << 20;

/// The most sectors in a chunk that is not zeros.
pub const MAX_SECTORS: u64 = MAX_LENGTH / SECTOR;

/// An entry of a table as it is in the file.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct OnDisk {
    /// How the sectors are stored: see [`Kind`].
    pub kind: U32,
    /// Of a comment, what it is: `+beg` or `+end`.
    pub comment: U32,
    /// The first sector, counted from that of the table.
    pub sector: U64,
    /// How many sectors there are.
    pub sectors: U64,
    /// Where they are, in bytes, counted from where the table says.
    pub offset: U64,
    /// How many bytes they take there.
    pub length: U64,
}

/// An entry with a remark.
pub const COMMENT: u32 = 0x7fff_fffe;
/// The last entry.
pub const TERMINATOR: u32 = u32::MAX;

/// How the sectors of a chunk are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not at all: they are zeros.
    Zero,
    /// As they are.
    Raw,
    /// Not at all: nobody uses them. They read as zeros.
    Unused,
    /// With Apple Data Compression.
    Adc,
    /// With Deflate in a zlib wrapper.
    Zlib,
    /// With bzip2.
    Bzip2,
    /// With LZFSE.
    Lzfse,
    /// With LZMA, in an xz file.
    Lzma,
}

impl Kind {
    /// The kind with a number. Comments and the end have none, and neither has
    /// what is not known.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Zero),
            1 => Some(Self::Raw),
            2 => Some(Self::Unused),
            0x8000_0004 => Some(Self::Adc),
            0x8000_0005 => Some(Self::Zlib),
            0x8000_0006 => Some(Self::Bzip2),
            0x8000_0007 => Some(Self::Lzfse),
            0x8000_0008 => Some(Self::Lzma),
            _ => None,
        }
    }

    /// Whether the sectors take no room, so that there may be any number.
    fn takes_no_room(self) -> bool {
        matches!(self, Self::Zero | Self::Unused)
    }
}

/// A chunk of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How it is stored.
    pub kind: Kind,
    /// Its first sector on the disk.
    pub sector: u64,
    /// How many sectors it has.
    pub sectors: u64,
    /// Where it is in the file, in bytes.
    pub offset: u64,
    /// How many bytes it takes there.
    pub length: u64,
}

impl Chunk {
    /// The chunk that an entry of a table describes; nothing if it is an entry of
    /// another kind. Errors call it by its number. Checks are in the order of
    /// qemu-img, whose messages they have.
    ///
    /// # Errors
    ///
    /// If the chunk is larger than one can be, or contradicts itself.
    pub fn from_entry(
        entry: &OnDisk,
        table: &Header,
        data_fork: u64,
        chunk: u32,
    ) -> Result<Option<Self>, DmgError> {
        let Some(kind) = Kind::from_number(entry.kind.get()) else { return Ok(None) };
        let sectors = entry.sectors.get();
        let length = entry.length.get();
        if !kind.takes_no_room() && sectors > MAX_SECTORS {
            return Err(DmgError::ChunkTooManySectors { sectors, chunk });
        }
        if length > MAX_LENGTH {
            return Err(DmgError::ChunkTooLong { length, chunk });
        }
        if kind == Kind::Raw && sectors != length.div_ceil(SECTOR) {
            return Err(DmgError::ChunkInconsistent { length, chunk, sectors });
        }
        let sector = entry.sector.get().checked_add(table.sector.get());
        let offset = data_fork.checked_add(table.data_offset.get());
        let offset = offset.and_then(|offset| offset.checked_add(entry.offset.get()));
        let ends = |start: u64, length: u64| start.checked_add(length).is_some();
        match (sector, offset) {
            (Some(sector), Some(offset)) if ends(sector, sectors) && ends(offset, length) => {
                Ok(Some(Self { kind, sector, sectors, offset, length }))
            }
            _ => Err(DmgError::ChunkNowhere { chunk }),
        }
    }
}
