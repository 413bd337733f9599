//! The header of a hosted sparse extent (specification, "Hosted Sparse Extents",
//! "SparseExtentHeader").

use bitflags::bitflags;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::descriptor::Descriptor;
use super::sparse::{Entries, Sparse};
use super::{SECTOR, VmdkError, sector};
use crate::error::Error;
use crate::storage::Storage;

/// What a hosted sparse extent starts with.
pub const MAGIC: [u8; 4] = *b"KDMV";

/// The latest version. Version 2 adds zeroed grains, version 3 the tracking of
/// changed blocks, which does not matter to readers.
pub const MAX_VERSION: u32 = 3;

/// The most entries in a grain table; it then has 4 sectors. The specification
/// knows no other number.
pub const MAX_TABLE_ENTRIES: u32 = 512;

/// In place of the first sector of the grain directory: there is a copy of the
/// header at the end of the file, which knows ("Stream-Optimized Compressed
/// Sparse Extents").
pub const DIRECTORY_AT_END: u64 = u64::MAX;

/// The number of the compression with Deflate.
pub const DEFLATE: u16 = 1;

/// What a copy in text mode would have changed.
pub const LINE_ENDS: [u8; 4] = *b"\n \r\n";

/// The first sector of a hosted sparse extent.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// 1 to [`MAX_VERSION`].
    pub version: U32,
    /// [`Flags`].
    pub flags: U32,
    /// How much of the disk the extent holds, in sectors.
    pub capacity: U64,
    /// The size of a grain in sectors.
    pub grain_size: U64,
    /// The first sector of the descriptor, zero if there is none.
    pub descriptor_offset: U64,
    /// The size of the descriptor in sectors.
    pub descriptor_size: U64,
    /// Entries in a grain table.
    pub table_entries: U32,
    /// The first sector of the copy of the grain directory.
    pub redundant_directory_offset: U64,
    /// The first sector of the grain directory, or [`DIRECTORY_AT_END`].
    pub directory_offset: U64,
    /// The first sector behind the metadata: that of the first grain.
    pub overhead: U64,
    /// Not zero while the extent is open.
    pub unclean_shutdown: u8,
    /// [`LINE_ENDS`].
    pub line_ends: [u8; 4],
    /// How grains are compressed: 0 for not, 1 for Deflate.
    pub compression: U16,
    /// Zeros.
    pub padding: [u8; 433],
}

bitflags! {
    /// Flags of a hosted sparse extent.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// The line ends in the header are there.
        const LINE_ENDS = 1;
        /// There is a copy of the grain directory and its grain tables.
        const REDUNDANT_DIRECTORY = 1 << 1;
        /// An entry of 1 in a grain table stands for a grain of zeros.
        const ZEROED_GRAINS = 1 << 2;
        /// Grains are compressed.
        const COMPRESSED = 1 << 16;
        /// There are markers between grains and tables.
        const MARKERS = 1 << 17;
    }
}

/// A sector that says what comes next.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Marker {
    /// The size of what comes next, in sectors.
    pub sectors: U64,
    /// Zero; of a grain, the size of its compressed bytes.
    pub size: U32,
    /// What comes next: [`Marker::END_OF_STREAM`] and the like.
    pub kind: U32,
    /// Zeros.
    pub padding: [u8; 496],
}

impl Marker {
    /// Nothing comes next.
    pub const END_OF_STREAM: u32 = 0;
    /// A grain table comes next.
    pub const GRAIN_TABLE: u32 = 1;
    /// A grain directory comes next.
    pub const GRAIN_DIRECTORY: u32 = 2;
    /// The footer comes next.
    pub const FOOTER: u32 = 3;
}

/// The last sectors of a file with the grain directory at the end.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Footer {
    /// Of the kind [`Marker::FOOTER`].
    pub marker: Marker,
    /// The header with the position of the grain directory.
    pub header: Header,
    /// Of the kind [`Marker::END_OF_STREAM`].
    pub end: Marker,
}

/// The size of [`Footer`] in sectors.
const FOOTER_SECTORS: u64 = 3;

impl Header {
    /// Whether there is no extent behind the header, only a descriptor that names
    /// other files.
    #[must_use]
    pub fn has_only_descriptor(&self) -> bool {
        self.capacity.get() == 0 && self.descriptor_offset.get() != 0
    }

    /// The descriptor in the file.
    ///
    /// # Errors
    ///
    /// If it does not lie in the file, or cannot be read.
    pub fn descriptor(&self, storage: &dyn Storage) -> Result<Descriptor, Error> {
        let sectors = self.descriptor_size.get();
        match self.descriptor_offset.get() {
            0 => Descriptor::at_usual_place(storage),
            offset => Descriptor::in_sectors(storage, offset, sectors),
        }
    }

    /// The extent in the file.
    ///
    /// # Errors
    ///
    /// If the header or its copy at the end is damaged, or the file is cut off.
    pub fn extent(&self, storage: &dyn Storage) -> Result<Sparse, Error> {
        if self.directory_offset.get() == DIRECTORY_AT_END {
            return footer(storage)?.extent_here(storage);
        }
        self.extent_here(storage)
    }

    /// The extent, if this header knows where its grain directory is. Checks are
    /// in the order of qemu-img, whose messages they have.
    fn extent_here(&self, storage: &dyn Storage) -> Result<Sparse, Error> {
        if self.version.get() > MAX_VERSION {
            return Err(VmdkError::UnsupportedVersion { version: self.version.get() }.into());
        }
        let table_entries = self.table_entries.get();
        if table_entries > MAX_TABLE_ENTRIES {
            return Err(VmdkError::GrainTableTooBig.into());
        }
        let table_entries = u64::from(table_entries);
        let covered = table_entries.saturating_mul(self.grain_size.get());
        if covered == 0 {
            return Err(VmdkError::GrainTableCoversNothing.into());
        }
        let overhead = self.overhead.get();
        if !sector::has(storage, overhead) {
            let expected = u128::from(overhead).saturating_mul(u128::from(SECTOR));
            return Err(VmdkError::Truncated { expected }.into());
        }
        let algorithm = self.compression.get();
        if algorithm > DEFLATE {
            return Err(VmdkError::UnsupportedCompression { algorithm }.into());
        }
        let flags = Flags::from_bits_retain(self.flags.get());
        let redundant = self.redundant_directory_offset.get();
        let has_redundant = flags.contains(Flags::REDUNDANT_DIRECTORY) && redundant != 0;
        let extent = Sparse {
            capacity: self.capacity.get(),
            grain_size: self.grain_size.get(),
            table_entries,
            entries: Entries::Sectors,
            directory: self.directory_offset.get(),
            directory_entries: self.capacity.get().div_ceil(covered),
            redundant_directory: has_redundant.then_some(redundant),
            compressed: algorithm == DEFLATE,
            markers: flags.contains(Flags::MARKERS),
            zeroed_grains: flags.contains(Flags::ZEROED_GRAINS),
            unclean: self.unclean_shutdown != 0,
        };
        extent.checked(storage)
    }
}

/// The header at the end of a file.
fn footer(storage: &dyn Storage) -> Result<Header, Error> {
    let start = sector::count(storage).checked_sub(FOOTER_SECTORS).ok_or(VmdkError::NoFooter)?;
    let footer: Footer = sector::read(storage, "footer", start)?;
    let Footer { marker, header, end } = footer;
    let valid = header.magic == MAGIC
        && (marker.size.get(), marker.kind.get()) == (0, Marker::FOOTER)
        && (end.sectors.get(), end.size.get()) == (0, 0)
        && end.kind.get() == Marker::END_OF_STREAM;
    if valid { Ok(header) } else { Err(VmdkError::InvalidFooter.into()) }
}

#[cfg(test)]
mod tests;
