//! The header: the first sector of an image.

use core::mem::offset_of;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::image::Layout;
use super::{SECTOR, VdiError};

/// What tells a VDI image, behind the text that it starts with.
pub const SIGNATURE: u32 = 0xbeda_107f;

/// The version that is known, 1.1: the major number is in the high half.
pub const VERSION: u32 = 0x0001_0001;

/// The type of an image that gets its blocks as they are written to.
pub const DYNAMIC: u32 = 1;

/// The type of an image that has all its blocks.
pub const STATIC: u32 = 2;

/// The size of a block in bytes. VirtualBox makes no others.
pub const BLOCK_SIZE: u64 = 1 << 20;

/// The most blocks: their map is just shorter than 2 GiB, as with qemu-img.
pub const MAX_BLOCKS: u32 = 0x1fff_ff80;

/// The largest disk in bytes: one of [`MAX_BLOCKS`].
pub const MAX_DISK_SIZE: u64 = (MAX_BLOCKS as u64) << 20;

/// The size of an entry of the block map in bytes.
pub const ENTRY_SIZE: u64 = 4;

/// What the block map has for a block that nobody has written to.
pub const NOT_ALLOCATED: u32 = u32::MAX;

/// What it has for a block that was given back.
pub const FREED: u32 = u32::MAX - 1;

/// The text that a new image starts with.
pub const TEXT: &[u8] = b"<<< Oracle VM VirtualBox Disk Image >>>\n";

/// The size that the header of a new image says it has behind that field, in bytes.
pub const HEADER_SIZE: u32 = 400;

/// The first sector of an image.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// The name of the maker, for people.
    pub text: [u8; 64],
    /// [`SIGNATURE`].
    pub signature: U32,
    /// [`VERSION`].
    pub version: U32,
    /// The size of what follows in bytes: 400, in old images 384.
    pub header_size: U32,
    /// [`DYNAMIC`], [`STATIC`], or 3 and 4 for layers on top of another image.
    /// Those have ids of a parent, by which they are told.
    pub image_type: U32,
    /// Hints for VirtualBox.
    pub flags: U32,
    /// What the disk is for, text.
    pub description: [u8; 256],
    /// Where the block map is, in bytes.
    pub map_offset: U32,
    /// Where the first block is, in bytes.
    pub data_offset: U32,
    /// The geometry of the disk, for old systems.
    pub cylinders: U32,
    /// Tracks of a cylinder.
    pub heads: U32,
    /// Sectors of a track.
    pub sectors: U32,
    /// The size of a sector in bytes: 512.
    pub sector_size: U32,
    /// Zero.
    pub unused: U32,
    /// The size of the disk in bytes.
    pub disk_size: U64,
    /// [`BLOCK_SIZE`].
    pub block_size: U32,
    /// Bytes in front of each block that are not of the disk: 0.
    pub block_extra: U32,
    /// Entries of the block map.
    pub blocks: U32,
    /// Those of them that have a block of the file.
    pub allocated_blocks: U32,
    /// The id of the image.
    pub image_id: [u8; 16],
    /// The id of its last modification.
    pub modification_id: [u8; 16],
    /// The id of the image underneath, zeros if there is none.
    pub parent_id: [u8; 16],
    /// The id of that one's last modification.
    pub parent_modification_id: [u8; 16],
    /// A second geometry, and zeros.
    pub padding: [u8; 56],
}

/// Whether a file that starts with these bytes has the signature.
#[must_use]
pub fn has_signature(head: &[u8]) -> bool {
    let rest = head.get(offset_of!(Header, signature)..);
    rest.is_some_and(|rest| rest.starts_with(&SIGNATURE.to_le_bytes()))
}

impl Header {
    /// Where the map of blocks ends, in bytes.
    #[must_use]
    pub fn map_end(&self) -> u64 {
        let length = u64::from(self.blocks.get()).saturating_mul(ENTRY_SIZE);
        u64::from(self.map_offset.get()).saturating_add(length)
    }

    /// The layout of the image that this is the header of, in a file of this length in bytes.
    /// Checks are in the order of qemu-img, whose messages they have.
    ///
    /// # Errors
    ///
    /// If the header is damaged or is of an image that is not supported, or the
    /// file is cut off.
    pub fn layout(&self, file_length: u64) -> Result<Layout, VdiError> {
        let size = self.disk_size.get();
        if size > MAX_DISK_SIZE {
            return Err(VdiError::DiskTooLarge { size });
        }
        self.check_identity()?;
        self.check_units()?;
        // VirtualBox makes disks that end inside a sector of raw images that do.
        let size = size.next_multiple_of(SECTOR);
        let blocks = self.blocks.get();
        let room = u64::from(blocks).saturating_mul(BLOCK_SIZE);
        if size > room {
            return Err(VdiError::MapTooSmall { size, room });
        }
        self.check_no_parent()?;
        if blocks > MAX_BLOCKS {
            return Err(VdiError::TooManyBlocks { blocks });
        }
        let map = u64::from(self.map_offset.get());
        let length = u64::from(blocks).saturating_mul(ENTRY_SIZE);
        if self.map_end() > file_length {
            return Err(VdiError::MapOutsideFile { offset: map, length });
        }
        Ok(Layout {
            size,
            blocks,
            allocated_blocks: self.allocated_blocks.get(),
            is_static: self.image_type.get() == STATIC,
            map,
            data: self.data_offset.get().into(),
        })
    }

    /// Checks that this is a header of the version that is known.
    fn check_identity(&self) -> Result<(), VdiError> {
        let (signature, version) = (self.signature.get(), self.version.get());
        if signature != SIGNATURE {
            return Err(VdiError::BadSignature { signature });
        }
        if version != VERSION {
            let (major, minor) = (version >> 16, version & 0xffff);
            return Err(VdiError::UnsupportedVersion { major, minor });
        }
        Ok(())
    }

    /// Checks that places are on sectors, and that sectors and blocks have the
    /// usual size.
    fn check_units(&self) -> Result<(), VdiError> {
        let (map, data) = (self.map_offset.get(), self.data_offset.get());
        let (sector, block) = (self.sector_size.get(), self.block_size.get());
        if !u64::from(map).is_multiple_of(SECTOR) {
            Err(VdiError::UnalignedMap { offset: map })
        } else if !u64::from(data).is_multiple_of(SECTOR) {
            Err(VdiError::UnalignedData { offset: data })
        } else if u64::from(sector) != SECTOR {
            Err(VdiError::SectorSize { size: sector })
        } else if u64::from(block) != BLOCK_SIZE {
            Err(VdiError::BlockSize { size: block })
        } else {
            Ok(())
        }
    }

    /// Checks that there is no image underneath. Which file that is only the
    /// settings of VirtualBox know.
    fn check_no_parent(&self) -> Result<(), VdiError> {
        if self.parent_id != [0; 16] {
            Err(VdiError::HasParent { which: "link" })
        } else if self.parent_modification_id != [0; 16] {
            Err(VdiError::HasParent { which: "parent" })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
