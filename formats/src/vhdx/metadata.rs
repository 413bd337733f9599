//! The metadata (specification, section 2.6): what the disk is.
//!
//! A table names items, and where in the region each is.

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::VhdxError;
use super::region::Region;
use crate::error::Error;
use crate::guid::Guid;
use crate::storage::{Storage, check_range, is_reachable, read_padded};

/// What the table starts with.
pub const SIGNATURE: [u8; 8] = *b"metadata";

/// The most entries of the table: there is no room for more.
pub const MAX_ENTRIES: u16 = 2047;

/// The size of the table in bytes, with what is not used of it.
pub const TABLE_SIZE: u64 = 64 << 10;

/// The smallest block in bytes.
pub const MIN_BLOCK_SIZE: u32 = 1 << 20;

/// The largest block in bytes.
pub const MAX_BLOCK_SIZE: u32 = 256 << 20;

/// The item with [`FileParameters`].
pub const FILE_PARAMETERS: Guid =
    Guid::new(0xcaa1_6737, 0xfa36, 0x4d43, [0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b]);

/// The item with the size of the disk in bytes.
pub const DISK_SIZE: Guid =
    Guid::new(0x2fa5_4224, 0xcd1b, 0x4876, [0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8]);

/// The item with the id that the disk has on page 83 of its SCSI inquiry data.
pub const DISK_ID: Guid =
    Guid::new(0xbeca_12ab, 0xb2e6, 0x4523, [0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46]);

/// The item with the size of a logical sector in bytes.
pub const LOGICAL_SECTOR_SIZE: Guid =
    Guid::new(0x8141_bf1d, 0xa96f, 0x4709, [0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f]);

/// The item with the size of a physical sector in bytes.
pub const PHYSICAL_SECTOR_SIZE: Guid =
    Guid::new(0xcda3_48c7, 0x445d, 0x4471, [0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56]);

/// The item that says where the parent is; see [`parent`](super::parent).
pub const PARENT_LOCATOR: Guid =
    Guid::new(0xa8d3_5f2d, 0xb30b, 0x454d, [0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c]);

/// Items that each image has, with what errors call them.
const REQUIRED: [(Guid, &str); 5] = [
    (FILE_PARAMETERS, "file parameters"),
    (DISK_SIZE, "size of the disk"),
    (DISK_ID, "id of the disk"),
    (LOGICAL_SECTOR_SIZE, "logical sector size"),
    (PHYSICAL_SECTOR_SIZE, "physical sector size"),
];

/// What the table starts with.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct TableHeader {
    /// [`SIGNATURE`].
    pub signature: [u8; 8],
    /// Zeros.
    pub reserved: U16,
    /// How many entries follow.
    pub entry_count: U16,
    /// Zeros.
    pub reserved_2: [u8; 20],
}

/// An entry of the table: an item.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Entry {
    /// What it is.
    pub id: Guid,
    /// Where in the region it starts, in bytes.
    pub offset: U32,
    /// Its length in bytes.
    pub length: U32,
    /// [`Entry::IS_USER`] and so on.
    pub flags: U32,
    /// Zeros.
    pub reserved: U32,
}

impl Entry {
    /// The item is of a program, not of the system.
    pub const IS_USER: u32 = 1;
    /// The item is about the disk, not about the file.
    pub const IS_DISK: u32 = 2;
    /// A reader has to know what the item is.
    pub const IS_REQUIRED: u32 = 4;
}

/// The item [`FILE_PARAMETERS`] (section 2.6.2.1).
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FileParameters {
    /// The size of a payload block in bytes.
    pub block_size: U32,
    /// [`FileParameters::LEAVE_BLOCKS_ALLOCATED`] and so on.
    pub flags: U32,
}

impl FileParameters {
    /// Blocks are not to be given back: the disk is a fixed one.
    pub const LEAVE_BLOCKS_ALLOCATED: u32 = 1;
    /// There is a parent.
    pub const HAS_PARENT: u32 = 2;
}

/// What the metadata says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The size of a payload block in bytes: a power of two.
    pub block_size: u32,
    /// Whether all blocks are to stay allocated.
    pub leaves_blocks_allocated: bool,
    /// The size of the disk in bytes.
    pub disk_size: u64,
    /// The disk's id.
    pub disk_id: Guid,
    /// The size of a logical sector in bytes: 512 or 4096.
    pub logical_sector_size: u32,
    /// The size of a physical sector in bytes.
    pub physical_sector_size: u32,
    /// Where in the file the parent locator is, if there is a parent.
    pub parent_locator: Option<Region>,
}

impl Metadata {
    /// The metadata in a region. Checks are in the order of qemu-img.
    ///
    /// # Errors
    ///
    /// If items are missing, or unknown and required, or have values that they
    /// cannot have.
    pub fn read(storage: &dyn Storage, region: Region) -> Result<Self, Error> {
        let items = Items::find(storage, region)?;
        let [parameters, disk_size, disk_id, logical, physical] = items.required;
        let parameters: FileParameters = read(storage, parameters)?;
        let block_size = parameters.block_size.get();
        let flags = parameters.flags.get();
        let has_parent = flags & FileParameters::HAS_PARENT != 0;
        let parent_locator = match (has_parent, items.parent_locator) {
            (true, None) => return Err(VhdxError::NoParentLocator.into()),
            (false, Some(_)) => return Err(VhdxError::MissingItem.into()),
            (_, locator) => locator,
        };
        let disk_size: U64 = read(storage, disk_size)?;
        let logical: U32 = read(storage, logical)?;
        let physical: U32 = read(storage, physical)?;
        if !(MIN_BLOCK_SIZE..=MAX_BLOCK_SIZE).contains(&block_size) {
            return Err(VhdxError::InvalidBlockSize.into());
        }
        if !matches!(logical.get(), 512 | 4096) {
            return Err(VhdxError::UnsupportedSectorSize.into());
        }
        if !block_size.is_power_of_two() {
            return Err(VhdxError::InvalidBlockSize.into());
        }
        items.check_places(storage)?;
        Ok(Self {
            block_size,
            leaves_blocks_allocated: flags & FileParameters::LEAVE_BLOCKS_ALLOCATED != 0,
            disk_size: disk_size.get(),
            disk_id: read(storage, disk_id)?,
            logical_sector_size: logical.get(),
            physical_sector_size: physical.get(),
            parent_locator,
        })
    }

    /// What is in the region of a new image without a parent: the table at its start, and
    /// at [`TABLE_SIZE`] the items.
    #[must_use]
    pub fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let flags =
            if self.leaves_blocks_allocated { FileParameters::LEAVE_BLOCKS_ALLOCATED } else { 0 };
        let parameters = FileParameters { block_size: self.block_size.into(), flags: flags.into() };
        let disk_size = self.disk_size.to_le_bytes();
        let logical = self.logical_sector_size.to_le_bytes();
        let physical = self.physical_sector_size.to_le_bytes();
        let values: [&[u8]; 5] =
            [parameters.as_bytes(), &disk_size, self.disk_id.as_bytes(), &logical, &physical];
        let mut header = TableHeader::new_zeroed();
        header.signature = SIGNATURE;
        header.entry_count = u16::try_from(values.len()).unwrap_or(u16::MAX).into();
        let (mut table, mut items) = (header.as_bytes().to_vec(), Vec::new());
        for ((id, _), value) in REQUIRED.iter().zip(values) {
            let offset = TABLE_SIZE.saturating_add(items.len() as u64);
            let of_disk = if *id == FILE_PARAMETERS { 0 } else { Entry::IS_DISK };
            let entry = Entry {
                id: *id,
                offset: u32::try_from(offset).unwrap_or(u32::MAX).into(),
                length: u32::try_from(value.len()).unwrap_or(u32::MAX).into(),
                flags: (Entry::IS_REQUIRED | of_disk).into(),
                reserved: 0.into(),
            };
            table.extend_from_slice(entry.as_bytes());
            items.extend_from_slice(value);
        }
        (table, items)
    }
}

/// Where items are.
struct Items {
    /// [`REQUIRED`], with the space that they need.
    required: [Region; 5],
    /// The parent locator.
    parent_locator: Option<Region>,
}

impl Items {
    /// Finds the items of a region.
    fn find(storage: &dyn Storage, region: Region) -> Result<Self, Error> {
        if !is_reachable(region.start, TABLE_SIZE) {
            return Err(VhdxError::Unreachable.into());
        }
        let header: TableHeader = read_padded(storage, region.start)?;
        let count = header.entry_count.get();
        if header.signature != SIGNATURE || count > MAX_ENTRIES {
            return Err(VhdxError::DamagedMetadataTable.into());
        }
        let mut required = [None; 5];
        let mut parent_locator = None;
        let mut place = region.start.saturating_add(size_of::<TableHeader>() as u64);
        for _ in 0..count {
            let entry: Entry = read_padded(storage, place)?;
            place = place.saturating_add(size_of::<Entry>() as u64);
            let start = region.start.saturating_add(entry.offset.get().into());
            let item = Region::new(start, entry.length.get().into());
            let mut known = REQUIRED.iter().zip(&mut required);
            let known = match known.find(|((id, _), _)| *id == entry.id) {
                Some((_, known)) => known,
                None if entry.id == PARENT_LOCATOR => &mut parent_locator,
                None if entry.flags.get() & Entry::IS_REQUIRED == 0 => continue,
                None => return Err(VhdxError::UnknownItem.into()),
            };
            if known.replace(item).is_some() {
                return Err(VhdxError::RepeatedItem.into());
            }
        }
        let [Some(parameters), Some(disk_size), Some(disk_id), Some(logical), Some(physical)] =
            required
        else {
            return Err(VhdxError::MissingItem.into());
        };
        // Each has the size of its type, whatever the table says.
        let required = [
            Region::new(parameters.start, size_of::<FileParameters>() as u64),
            Region::new(disk_size.start, size_of::<U64>() as u64),
            Region::new(disk_id.start, size_of::<Guid>() as u64),
            Region::new(logical.start, size_of::<U32>() as u64),
            Region::new(physical.start, size_of::<U32>() as u64),
        ];
        Ok(Self { required, parent_locator })
    }

    /// Checks that the items lie in the file. What is missing was read as zeros,
    /// which some of them may be.
    fn check_places(&self, storage: &dyn Storage) -> Result<(), VhdxError> {
        let required = self.required.iter().zip(REQUIRED.map(|(_, what)| what));
        let locator = self.parent_locator.iter().zip(["parent locator"]);
        required.chain(locator).try_for_each(|(item, what)| {
            let (offset, length) = (item.start, item.length());
            let outside = |_| VhdxError::OutsideFile { what, offset, length };
            check_range(storage, offset, length).map_err(outside)
        })
    }
}

/// Reads an item.
fn read<T: FromBytes + IntoBytes>(storage: &dyn Storage, item: Region) -> Result<T, Error> {
    if !is_reachable(item.start, item.length()) {
        return Err(VhdxError::Unreachable.into());
    }
    Ok(read_padded(storage, item.start)?)
}

#[cfg(test)]
mod tests;
