//! Small valid images, for tests.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::SECTOR;
use super::header::{
    BLOCK_SIZE, DYNAMIC, HEADER_SIZE, Header, NOT_ALLOCATED, SIGNATURE, STATIC, TEXT, VERSION,
};

/// A disk of zeros.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its size in bytes.
    pub size: u64,
    /// [`DYNAMIC`] or [`STATIC`].
    pub image_type: u32,
    /// Where the block map is, in bytes: a multiple of a sector.
    pub map_offset: u32,
    /// What the offset of the first block is a multiple of, in bytes.
    pub alignment: u64,
}

impl Default for Disk {
    /// A dynamic one of 10 MiB, as old versions of VirtualBox make it.
    fn default() -> Self {
        Self { size: 10 << 20, image_type: DYNAMIC, map_offset: 512, alignment: SECTOR }
    }
}

impl Disk {
    /// A disk as newer versions make it: map and blocks start with a mebibyte.
    #[must_use]
    pub fn aligned() -> Self {
        Self { map_offset: 1 << 20, alignment: 1 << 20, ..Self::default() }
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let blocks = self.size.div_ceil(BLOCK_SIZE);
        let is_static = self.image_type == STATIC;
        let map = (0..blocks).map(|block| match u32::try_from(block) {
            Ok(block) if is_static => block,
            _ => NOT_ALLOCATED,
        });
        let map: Vec<[u8; 4]> = map.map(u32::to_le_bytes).collect();
        let map_end = u64::from(self.map_offset).saturating_add(blocks.saturating_mul(4));
        let data_offset = map_end.next_multiple_of(self.alignment);
        let allocated = if is_static { blocks } else { 0 };
        let length = data_offset.saturating_add(allocated.saturating_mul(BLOCK_SIZE));

        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).into();
        let mut header = Header::new_zeroed();
        header.text.iter_mut().zip(TEXT).for_each(|(byte, letter)| *byte = *letter);
        header.signature = SIGNATURE.into();
        header.version = VERSION.into();
        header.header_size = HEADER_SIZE.into();
        header.image_type = self.image_type.into();
        header.map_offset = self.map_offset.into();
        header.data_offset = small(data_offset);
        header.sector_size = small(SECTOR);
        header.disk_size = self.size.into();
        header.block_size = small(BLOCK_SIZE);
        header.blocks = small(blocks);
        header.allocated_blocks = small(allocated);
        header.image_id = [0x11; 16];
        header.modification_id = [0x22; 16];

        let mut file = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut put = |offset: u32, bytes: &[u8]| {
            let place = file.iter_mut().skip(usize::try_from(offset).unwrap_or(usize::MAX));
            place.zip(bytes).for_each(|(target, byte)| *target = *byte);
        };
        put(0, header.as_bytes());
        put(self.map_offset, map.as_flattened());
        file
    }
}
