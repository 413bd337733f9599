//! The header of a disk that stores blocks (specification, "Dynamic Disk Header
//! Format").

use core::mem::size_of;

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::footer::Footer;
use super::table::{MAX_ENTRIES, Table};
use super::{SECTOR, VpcError};
use crate::error::Error;
use crate::guid::Guid;
use crate::storage::{Storage, check_range, is_reachable, read_padded};

/// What the header starts with.
pub const COOKIE: [u8; 8] = *b"cxsparse";

/// The dynamic header.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`COOKIE`].
    pub cookie: [u8; 8],
    /// All ones.
    pub data_offset: U64,
    /// Where the block allocation table starts, in bytes.
    pub table_offset: U64,
    /// 0x00010000.
    pub version: U32,
    /// Entries in the block allocation table.
    pub table_entries: U32,
    /// The size of a block in bytes, without its bitmap.
    pub block_size: U32,
    /// Of this structure. Nobody checks it.
    pub checksum: U32,
    /// The id of the parent.
    pub parent_id: Guid,
    /// When the parent was changed last, in seconds since the start of 2000 (UTC).
    pub parent_timestamp: U32,
    /// Zeros.
    pub reserved: U32,
    /// The file name of the parent, in UTF-16.
    pub parent_name: [u8; 512],
    /// Where paths of the parent are, one for each kind of system.
    pub parent_locators: [Locator; 8],
    /// Zeros.
    pub reserved_2: [u8; 256],
}

/// Where a path of the parent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Locator {
    /// For which systems: `W2ru` and so on.
    pub platform: [u8; 4],
    /// The space for the path, in sectors or, by most programs, in bytes.
    pub space: U32,
    /// The length of the path in bytes.
    pub length: U32,
    /// Zeros.
    pub reserved: U32,
    /// Where the path starts, in bytes.
    pub offset: U64,
}

impl Header {
    /// The header that a footer leads to.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn read(storage: &dyn Storage, footer: &Footer) -> Result<Self, Error> {
        let offset = footer.data_offset.get();
        if !is_reachable(offset, size_of::<Self>() as u64) {
            return Err(VpcError::HeaderUnreadable.into());
        }
        let header: Self = read_padded(storage, offset)?;
        if header.cookie == COOKIE { Ok(header) } else { Err(VpcError::NoHeader.into()) }
    }

    /// The block allocation table of a disk with so many sectors. Checks are in
    /// the order of qemu-img, whose messages they have.
    ///
    /// # Errors
    ///
    /// If blocks have a size that they cannot have, or the table cannot be that
    /// of the disk.
    pub fn table(&self, disk_sectors: u64) -> Result<Table, VpcError> {
        let block_size = self.block_size.get();
        if !block_size.is_power_of_two() || u64::from(block_size) < SECTOR {
            return Err(VpcError::InvalidBlockSize { block_size });
        }
        let entries = self.table_entries.get();
        // qemu has the number with a sign, and prints it so.
        let too_many = VpcError::TableTooLarge { entries: entries.cast_signed() };
        if entries.cast_signed() < 0 {
            return Err(too_many);
        }
        let covered = u64::from(entries).saturating_mul(block_size.into());
        if covered < disk_sectors.saturating_mul(SECTOR) {
            return Err(VpcError::TableTooSmall);
        }
        if entries > MAX_ENTRIES {
            return Err(too_many);
        }
        Ok(Table { offset: self.table_offset.get(), entries, block_size })
    }

    /// Checks that the header that a footer leads to is there as a whole. What is
    /// missing was read as zeros, with which it can pass for one.
    ///
    /// # Errors
    ///
    /// If not.
    pub fn check_place(storage: &dyn Storage, footer: &Footer) -> Result<(), VpcError> {
        let offset = footer.data_offset.get();
        check_range(storage, offset, size_of::<Self>() as u64)
            .map_err(|_| VpcError::HeaderOutsideFile { offset })
    }
}

#[cfg(test)]
mod tests {
    use core::mem::offset_of;

    use super::*;
    use crate::vpc::sample::Vhd;

    #[test]
    fn fields_are_where_the_specification_has_them() {
        assert_eq!(size_of::<Header>(), 1024);
        assert_eq!(size_of::<Locator>(), 24);
        for (offset, expected) in [
            (offset_of!(Header, table_offset), 16),
            (offset_of!(Header, table_entries), 28),
            (offset_of!(Header, block_size), 32),
            (offset_of!(Header, parent_id), 40),
            (offset_of!(Header, parent_name), 64),
            (offset_of!(Header, parent_locators), 576),
            (offset_of!(Header, reserved_2), 768),
        ] {
            assert_eq!(offset, expected);
        }
    }

    #[test]
    fn blocks_have_a_size_that_is_a_power_of_two() {
        for (block_size, valid) in [
            (0, false),
            (1, false),
            (256, false),
            (511, false),
            (512, true),
            (513, false),
            (4096, true),
            (0x20_0000, true),
            (0x30_0000, false),
            (0x8000_0000, true),
            (0xffff_ffff, false),
        ] {
            let header = Header {
                block_size: block_size.into(),
                table_entries: 1024.into(),
                ..Vhd::dynamic(0).header()
            };
            let table = header.table(1);
            let expected = if valid {
                Ok(Table { offset: 1536, entries: 1024, block_size })
            } else {
                Err(VpcError::InvalidBlockSize { block_size })
            };
            assert_eq!(table, expected);
        }
    }

    #[test]
    fn the_table_covers_the_disk_and_has_a_limit() {
        let table = |entries: u32, sectors| {
            let header = Vhd { block_size: 4096, ..Vhd::dynamic(0) }.header();
            let header = Header { table_entries: entries.into(), ..header };
            header.table(sectors).map(|table| table.entries)
        };
        for (entries, sectors, expected) in [
            (0, 0, Ok(0)),
            (0, 1, Err(VpcError::TableTooSmall)),
            (1, 8, Ok(1)),
            (1, 9, Err(VpcError::TableTooSmall)),
            (MAX_ENTRIES - 1, 0, Ok(MAX_ENTRIES - 1)),
            (MAX_ENTRIES, 0, Ok(MAX_ENTRIES)),
            (MAX_ENTRIES + 1, 0, Err(VpcError::TableTooLarge { entries: 0x0100_0001 })),
            (MAX_ENTRIES + 1, 0xff00_0000, Err(VpcError::TableTooSmall)),
            (i32::MAX as u32, 0, Err(VpcError::TableTooLarge { entries: i32::MAX })),
            (0x8000_0000, 0xff00_0000, Err(VpcError::TableTooLarge { entries: i32::MIN })),
            (u32::MAX, 0, Err(VpcError::TableTooLarge { entries: -1 })),
        ] {
            assert_eq!(table(entries, sectors), expected, "{entries:#x} {sectors}");
        }
    }
}
