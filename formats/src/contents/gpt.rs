//! GUID partition tables (UEFI Specification 2.10, section 5.3 "GUID Partition
//! Table (GPT) Disk Layout").
//!
//! A header in the second sector of the disk, an array of entries, and copies of
//! both at the end. The size of a sector is not written anywhere; it is where the
//! header is.

use alloc::vec;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::read as read_struct;
use crate::checksum::CRC_32;
use crate::guid::Guid;
use crate::storage::{self, Storage, StorageError};

/// What a header starts with.
pub const SIGNATURE: [u8; 8] = *b"EFI PART";

/// The sizes that sectors have, in bytes.
pub const SECTOR_SIZES: [u32; 2] = [512, 4096];

/// The most bytes of entries that are looked at. The usual 128 entries have 16 KiB.
pub const MAX_ENTRIES_SIZE: u64 = 1 << 20;

/// The smallest entry in bytes. Others have a power of two of these.
pub const MIN_ENTRY_SIZE: u32 = 128;

/// The largest entry in bytes that is looked at. Nobody makes any but the smallest.
pub const MAX_ENTRY_SIZE: u32 = 4096;

/// A GUID partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpt {
    /// The disk's id.
    pub disk: Guid,
    /// How many of its entries are used.
    pub partitions: u32,
    /// The size of a sector in bytes.
    pub sector_size: u32,
    /// Whether the table at the start is right, with its checksums.
    pub valid: bool,
    /// Whether there is a copy that is right, of the same disk.
    pub backup: bool,
}

/// The header of a table.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`SIGNATURE`].
    pub signature: [u8; 8],
    /// 1.0, as 16 bits and 16 bits.
    pub revision: U32,
    /// The size of the header in bytes, at least that of this structure.
    pub size: U32,
    /// CRC-32 of the header, with zeros in this field.
    pub checksum: U32,
    /// Zero.
    pub reserved: U32,
    /// The sector that the header is in.
    pub own: U64,
    /// The sector that the other header is in.
    pub other: U64,
    /// The first sector that a partition may have.
    pub first_usable: U64,
    /// The last one.
    pub last_usable: U64,
    /// The disk's id.
    pub disk: Guid,
    /// The first sector of the entries.
    pub entries: U64,
    /// How many entries there are.
    pub entry_count: U32,
    /// The size of an entry in bytes.
    pub entry_size: U32,
    /// CRC-32 of the entries.
    pub entries_checksum: U32,
}

/// The table at the start of a disk. If nothing is left of it, but the disk
/// `is_protected`, the copy at the end.
///
/// # Errors
///
/// If the disk cannot be read.
pub fn read(disk: &dyn Storage, is_protected: bool) -> Result<Option<Gpt>, StorageError> {
    let mut damaged = None;
    for sector_size in SECTOR_SIZES {
        let Some(table) = Table::read(disk, sector_size, 1)? else { continue };
        let gpt = Gpt { backup: table.has_copy(disk)?, ..table.describe() };
        if gpt.valid {
            return Ok(Some(gpt));
        }
        damaged = damaged.or(Some(gpt));
    }
    if damaged.is_some() || !is_protected {
        return Ok(damaged);
    }
    for sector_size in SECTOR_SIZES {
        let table = Table::read(disk, sector_size, last_sector(disk, sector_size))?;
        if let Some(table) = table.filter(|table| table.is_valid) {
            return Ok(Some(Gpt { valid: false, backup: true, ..table.describe() }));
        }
    }
    Ok(None)
}

/// The last sector of a disk.
fn last_sector(disk: &dyn Storage, sector_size: u32) -> u64 {
    let sectors = disk.length().checked_div(sector_size.into()).unwrap_or(0);
    sectors.saturating_sub(1)
}

/// A table, or a copy of one.
struct Table {
    header: Header,
    sector_size: u32,
    /// Whether the header is right, whatever its entries are.
    has_valid_header: bool,
    /// Whether all is right.
    is_valid: bool,
    partitions: u32,
}

impl Table {
    /// The table whose header is in a sector, if there is one.
    fn read(
        disk: &dyn Storage,
        sector_size: u32,
        sector: u64,
    ) -> Result<Option<Self>, StorageError> {
        let offset = sector.saturating_mul(sector_size.into());
        let header: Option<Header> = read_struct(disk, offset)?;
        let Some(header) = header.filter(|header| header.signature == SIGNATURE) else {
            return Ok(None);
        };
        let has_valid_header = header.own.get() == sector
            && header.compute_checksum(disk, offset, sector_size)? == Some(header.checksum.get());
        let entries = header.visit_entries(disk, sector_size)?;
        let (partitions, checksum) = entries.unzip();
        let is_valid = has_valid_header && checksum == Some(header.entries_checksum.get());
        let partitions = partitions.unwrap_or(0);
        Ok(Some(Self { header, sector_size, has_valid_header, is_valid, partitions }))
    }

    /// Whether there is a copy that is right, where this table says or where it
    /// should be.
    fn has_copy(&self, disk: &dyn Storage) -> Result<bool, StorageError> {
        let sector = match self.has_valid_header {
            true => self.header.other.get(),
            false => last_sector(disk, self.sector_size),
        };
        // A table is not a copy of itself.
        let copy = if sector == 1 { None } else { Self::read(disk, self.sector_size, sector)? };
        Ok(copy.is_some_and(|copy| copy.is_valid && copy.header.disk == self.header.disk))
    }

    fn describe(&self) -> Gpt {
        Gpt {
            disk: self.header.disk,
            partitions: self.partitions,
            sector_size: self.sector_size,
            valid: self.is_valid,
            backup: false,
        }
    }
}

impl Header {
    /// The checksum that the header should have; nothing if it has an impossible
    /// size.
    fn compute_checksum(
        &self,
        disk: &dyn Storage,
        offset: u64,
        sector_size: u32,
    ) -> Result<Option<u32>, StorageError> {
        let known = size_of::<Self>();
        let size = self.size.get();
        let more = usize::try_from(size).ok().and_then(|size| size.checked_sub(known));
        let Some(more) = more.filter(|_| size <= sector_size) else { return Ok(None) };
        let mut rest = vec![0; more];
        match disk.read_at(offset.saturating_add(known as u64), &mut rest) {
            Err(StorageError::PastEnd { .. }) => return Ok(None),
            read => read?,
        }
        let header = Self { checksum: 0.into(), ..self.clone() };
        let mut digest = CRC_32.digest();
        digest.update(header.as_bytes());
        digest.update(&rest);
        Ok(Some(digest.finalize()))
    }

    /// How many entries are used, and the checksum of all; nothing if they are
    /// impossible or not on the disk.
    fn visit_entries(
        &self,
        disk: &dyn Storage,
        sector_size: u32,
    ) -> Result<Option<(u32, u32)>, StorageError> {
        let size = self.entry_size.get();
        let length = u64::from(size).saturating_mul(self.entry_count.get().into());
        let offset = self.entries.get().checked_mul(sector_size.into());
        let is_possible = size.is_power_of_two()
            && (MIN_ENTRY_SIZE..=MAX_ENTRY_SIZE).contains(&size)
            && length <= MAX_ENTRIES_SIZE;
        let Some(offset) = offset.filter(|_| is_possible) else { return Ok(None) };
        let size = usize::try_from(size).unwrap_or(1).max(1);
        let mut used = 0_u32;
        let mut digest = CRC_32.digest();
        let visited = storage::visit_pieces(disk, offset, length, &mut |bytes| {
            digest.update(bytes);
            // An entry starts with the type of the partition.
            let types = bytes.chunks(size).filter_map(|entry| entry.first_chunk());
            let count = types.filter(|kind| Guid::from_bytes(**kind) != Guid::ZERO).count();
            used = used.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            Ok(())
        });
        match visited {
            Ok(()) => Ok(Some((used, digest.finalize()))),
            Err(StorageError::PastEnd { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
