//! The header of an ESX sparse extent (specification, "ESX Server Sparse
//! Extents", "COWDisk_Header"): the extents of `vmfsSparse` disks, and the disks
//! of VMware's first products.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::sector;
use super::sparse::{Entries, Sparse};
use crate::error::Error;
use crate::storage::Storage;

/// What an ESX sparse extent starts with.
pub const MAGIC: [u8; 4] = *b"COWD";

/// Entries in a grain table. The header does not say.
pub const TABLE_ENTRIES: u64 = 4096;

/// The first four sectors of an ESX sparse extent.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// 1.
    pub version: U32,
    /// 3.
    pub flags: U32,
    /// How much of the disk the extent holds, in sectors.
    pub capacity: U32,
    /// The size of a grain in sectors.
    pub grain_size: U32,
    /// The first sector of the grain directory.
    pub directory_offset: U32,
    /// Entries in the grain directory.
    pub directory_entries: U32,
    /// The first sector that is free.
    pub free_sector: U32,
    /// The geometry of a disk; of a layer on top of one, the parent's file name
    /// and generation. The descriptor names the parent too.
    pub parent: [u8; 1028],
    /// How often the disk was changed.
    pub generation: U32,
    /// The name of the disk.
    pub name: [u8; 60],
    /// What the disk is for.
    pub description: [u8; 512],
    /// The generation that was saved last.
    pub saved_generation: U32,
    /// Zeros.
    pub reserved: [u8; 8],
    /// Not zero while the extent is open.
    pub unclean_shutdown: U32,
    /// Zeros.
    pub padding: [u8; 396],
}

/// Reads the header of the extent in a file with its magic.
///
/// # Errors
///
/// If the header is damaged, or the file is cut off.
pub fn read(storage: &dyn Storage) -> Result<Sparse, Error> {
    let header: Header = sector::read(storage, "header", 0)?;
    let extent = Sparse {
        capacity: header.capacity.get().into(),
        grain_size: header.grain_size.get().into(),
        table_entries: TABLE_ENTRIES,
        entries: Entries::Sectors,
        directory: header.directory_offset.get().into(),
        directory_entries: header.directory_entries.get().into(),
        redundant_directory: None,
        compressed: false,
        markers: false,
        zeroed_grains: false,
        unclean: header.unclean_shutdown.get() != 0,
    };
    extent.checked(storage)
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};
    use std::string::ToString;

    use super::*;
    use crate::vmdk::sample::Cowd;

    #[test]
    fn fields_are_where_the_specification_has_them() {
        assert_eq!(size_of::<Header>(), 2048);
        assert_eq!(offset_of!(Header, generation), 1060);
        assert_eq!(offset_of!(Header, unclean_shutdown), 1648);
    }

    #[test]
    fn the_header_describes_the_extent() {
        let sample = Cowd { capacity: 100_000, grain_size: 8, unclean: true, ..Cowd::default() };
        let extent = read(&sample.bytes()).unwrap();
        assert_eq!((extent.capacity, extent.grain_size, extent.table_entries), (100_000, 8, 4096));
        assert_eq!((extent.directory, extent.directory_entries), (4, 4));
        assert!(extent.unclean);
    }

    #[test]
    fn damage_is_found() {
        for (offset, value, expected) in [
            (16, 0, "Invalid granularity, image may be corrupt"),
            (16, 0x20_0000, ""),
            (16, 0x20_0001, "Invalid granularity, image may be corrupt"),
            (24, 0, ""),
            (
                24,
                32 << 20,
                "the grain directory at sector 4 (134217728 bytes) does not lie in the file",
            ),
            (24, (32 << 20) + 1, "L1 size too big"),
            (24, u32::MAX, "L1 size too big"),
            (
                20,
                u32::MAX,
                "the grain directory at sector 4294967295 (4 bytes) does not lie in the file",
            ),
        ] {
            let mut bytes = Cowd::default().bytes();
            bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
            let message = read(&bytes).map_or_else(|error| error.to_string(), |_| "".into());
            assert_eq!(message, expected, "{value} at {offset}");
        }
    }

    #[test]
    fn the_file_has_the_whole_header_and_the_directory() {
        let bytes = Cowd::default().bytes();
        for length in 1..bytes.len() {
            let cut = bytes[..length].to_vec();
            // The directory is one entry, in the sector behind the header.
            assert_eq!(read(&cut).is_ok(), length > size_of::<Header>(), "{length}");
        }
    }
}
