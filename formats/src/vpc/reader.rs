//! Where the bytes of the disk are: the block allocation table, and for differencing
//! disks the bitmaps of the blocks.

use super::SECTOR;
use super::image::{Layout, VpcImage};
use super::table::Table;
use crate::error::Error;
use crate::extent::{Content, Extent, Place};
use crate::sector_bitmap::{Order, SectorBitmap};

impl VpcImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        match &self.layout {
            Layout::Blocks { table, parent } if !self.is_fixed() => {
                Extent::of_pieces(offset, limit, |offset, limit| {
                    self.read_block(table, parent.is_some(), offset, limit)
                })
            }
            _ => Ok(Extent::new(limit, limit, Content::Data(Place::own(offset)))),
        }
    }

    /// How a block is stored from an offset of the disk on, up to where its next part
    /// is stored in another way.
    fn read_block(
        &self,
        table: &Table,
        has_parent: bool,
        offset: u64,
        limit: u64,
    ) -> Result<Extent, Error> {
        let size = u64::from(table.block_size);
        let skip = offset.checked_rem(size).unwrap_or(0);
        let left = size.saturating_sub(skip);
        let block = table.block(self.file.as_ref(), offset.checked_div(size).unwrap_or(0))?;
        let Some(bitmap) = block else {
            let content = if has_parent { Content::Unallocated } else { Content::Zero(None) };
            return Ok(Extent { length: left, content });
        };
        let place = bitmap.saturating_add(table.bitmap_size()).saturating_add(skip);
        let data = Content::Data(Place::own(place));
        // In a dynamic disk a sector without its bit was never written to. What is in
        // the file counts all the same, as with qemu: not everybody sets the bits.
        if !has_parent {
            return Ok(Extent { length: left, content: data });
        }
        let file = self.file.as_ref();
        let bitmap = SectorBitmap { file, offset: bitmap, order: Order::HighestFirst };
        // All is counted in sectors; what starts inside of one ends with one.
        let within = skip % SECTOR;
        let wanted = limit.min(left).saturating_add(within).div_ceil(SECTOR);
        let (is_here, sectors) = bitmap.run(skip / SECTOR, wanted)?;
        let length = sectors.saturating_mul(SECTOR).saturating_sub(within);
        let content = if is_here { data } else { Content::Unallocated };
        Ok(Extent { length, content })
    }
}

#[cfg(test)]
mod tests {
    use alloc::rc::Rc;
    use std::boxed::Box;
    use std::vec;
    use std::vec::Vec;

    use zerocopy::IntoBytes;

    use super::*;
    use crate::image::Identity;
    use crate::vpc::Vpc;
    use crate::vpc::footer::Footer;
    use crate::vpc::sample::{PARENT_ID, Parent, Vhd};
    use crate::whole::Disk;
    use crate::{Format, Image};

    const MIB: u64 = 1 << 20;

    fn opened(bytes: Vec<u8>) -> Box<dyn Image> {
        Vpc.open(Rc::new(bytes)).unwrap()
    }

    fn disk(vhd: &Vhd) -> Disk {
        let bytes = vhd.bytes();
        Disk::new(opened(bytes.clone()), Rc::new(bytes))
    }

    /// What is on a disk.
    fn content(disk: &Disk) -> Vec<u8> {
        let size = disk.image.description().virtual_size;
        let mut bytes = vec![7; usize::try_from(size).unwrap()];
        disk.read(0, &mut bytes).unwrap();
        bytes
    }

    /// A differencing disk in blocks of 4 KiB with these sectors on it.
    fn child(sectors: &[u64]) -> Vhd {
        let content = sectors.iter().map(|sector| (*sector, vec![9; 512])).collect();
        Vhd { block_size: 4096, content, ..Vhd::differencing(65_536, Parent::default()) }
    }

    fn data(offset: u64) -> Content {
        Content::Data(Place::own(offset))
    }

    #[test]
    fn a_fixed_disk_starts_with_the_file() {
        let image = opened(Vhd::fixed(MIB).bytes());
        for (offset, limit) in [(0, 1), (0, MIB), (512, 1024), (MIB - 1, 1)] {
            let expected = Extent { length: limit, content: data(offset) };
            assert_eq!(image.extent(offset, limit).unwrap(), expected);
        }
    }

    #[test]
    fn a_disk_that_says_it_is_fixed_is_even_if_there_is_a_table() {
        let vhd = Vhd { content: vec![(0, vec![7; 512])], ..Vhd::dynamic(MIB) };
        let mut footer = vhd.footer();
        footer.disk_type = Footer::FIXED.into();
        footer.checksum = 0.into();
        footer.checksum = footer.sum().into();
        let mut bytes = vhd.bytes();
        bytes[..512].copy_from_slice(footer.as_bytes());
        let extent = opened(bytes).extent(1000, 500).unwrap();
        assert_eq!(extent, Extent { length: 500, content: data(1000) });
    }

    #[test]
    fn blocks_are_where_the_table_says() {
        // The table takes a sector; then come the blocks 2, 3 and 0, with bitmaps.
        let content = vec![(8, vec![3; 4096]), (16, vec![4; 512]), (0, vec![1; 512])];
        let vhd = Vhd { block_size: 4096, content, ..Vhd::dynamic(32_768) };
        let image = opened(vhd.bytes());
        let first = 4 * 512 + 512;
        for (offset, limit, length, content) in [
            (4096, 32_768, 4096, data(first)),
            (5000, 1, 1, data(first + 904)),
            (8191, 9000, 1, data(first + 4095)),
            (8192, 9000, 4096, data(first + 4608)),
            (0, 9000, 4096, data(first + 2 * 4608)),
            (12_288, 20_480, 20_480, Content::Zero(None)),
            (13_000, 5, 5, Content::Zero(None)),
        ] {
            let expected = Extent { length, content };
            assert_eq!(image.extent(offset, limit).unwrap(), expected, "{limit} at {offset}");
        }
    }

    #[test]
    fn bits_do_not_matter_without_a_parent() {
        let vhd = Vhd { content: vec![(0, vec![7; 1 << 20])], ..Vhd::dynamic(MIB) };
        let mut bytes = vhd.bytes();
        bytes[4 * 512..5 * 512].fill(0);
        let disk = Disk::new(opened(bytes.clone()), Rc::new(bytes));
        assert!(content(&disk) == vec![7; 1 << 20]);
    }

    #[test]
    fn bits_say_which_sectors_are_the_parents() {
        let vhd = child(&[8, 9, 11, 15, 16, 31]);
        let image = opened(vhd.bytes());
        let first = u64::try_from(vhd.bytes().len()).unwrap() - 512 - 3 * 4608 + 512;
        for (offset, limit, length, content) in [
            (0, 65_536, 4096, Content::Unallocated),
            (4096, 65_536, 1024, data(first)),
            (4097, 65_536, 1023, data(first + 1)),
            (4097, 100, 100, data(first + 1)),
            (5120, 65_536, 512, Content::Unallocated),
            (5632, 65_536, 512, data(first + 1536)),
            (6144, 65_536, 1536, Content::Unallocated),
            // Of two blocks there is a bitmap in between.
            (7680, 65_536, 512, data(first + 3584)),
            (8192, 65_536, 512, data(first + 4608)),
            // The rest of a block, and a part of the next.
            (8704, 65_536, 7 * 512 + 7 * 512, Content::Unallocated),
            (8705, 65_536, 14 * 512 - 1, Content::Unallocated),
            (8705, 600, 600, Content::Unallocated),
            (15_872, 65_536, 512, data(first + 2 * 4608 + 3584)),
            (16_384, 49_152, 49_152, Content::Unallocated),
        ] {
            let expected = Extent { length, content };
            assert_eq!(image.extent(offset, limit).unwrap(), expected, "{limit} at {offset}");
        }
    }

    #[test]
    fn a_chain_of_disks_is_one_disk() {
        let parent = Vhd { content: vec![(0, vec![1; 32_768])], ..Vhd::fixed(65_536) };
        let middle = child(&[1, 2, 60, 100]);
        let top = Vhd { content: vec![(2, vec![5; 512])], ..child(&[]) };
        let mut middle = disk(&middle);
        middle.backing = Some(Box::new(disk(&parent)));
        let mut top = disk(&top);
        top.backing = Some(Box::new(middle));
        let mut expected = [vec![1; 32_768], vec![0; 32_768]].concat();
        for (sector, byte) in [(1, 9), (2, 5), (60, 9), (100, 9)] {
            expected[sector * 512..(sector + 1) * 512].fill(byte);
        }
        assert!(content(&top) == expected);
    }

    #[test]
    fn sectors_anywhere_are_found() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut below = |limit: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % limit
        };
        for block_size in [512, 1024, 4096, 32_768, 1 << 20] {
            let mut expected = vec![1; 128 * 512];
            let parent = Vhd { content: vec![(0, expected.clone())], ..Vhd::fixed(65_536) };
            let mut content = Vec::new();
            for byte in 2..30 {
                let first = below(128);
                let count = usize::try_from(below(12).min(127 - first) + 1).unwrap();
                content.push((first, vec![byte; count * 512]));
                let start = usize::try_from(first * 512).unwrap();
                expected[start..start + count * 512].fill(byte);
            }
            let vhd = Vhd { block_size, content, ..child(&[]) };
            let mut disk = disk(&vhd);
            disk.backing = Some(Box::new(self::disk(&parent)));
            assert!(self::content(&disk) == expected, "{block_size}");
        }
    }

    #[test]
    fn disks_know_each_other_by_their_ids() {
        let identity = |vhd: &Vhd| opened(vhd.bytes()).identity();
        let own = Some(PARENT_ID);
        assert_eq!(identity(&Vhd::fixed(MIB)), Identity { own, parent: None });
        assert_eq!(identity(&Vhd::dynamic(MIB)), Identity { own, parent: None });
        let own = Some(child(&[]).id);
        assert_eq!(identity(&child(&[])), Identity { own, parent: Some(PARENT_ID) });
    }

    #[test]
    fn no_byte_of_table_and_bitmaps_can_do_harm() {
        let bytes = child(&[8, 9, 11, 15, 16, 31]).bytes();
        let first = bytes.len() - 512 - 3 * 4608;
        for place in (1536..1536 + 64).chain(first..first + 512) {
            for value in [0, 1, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = value;
                let Ok(image) = Vpc.open(Rc::new(bytes)) else { continue };
                let mut offset = 0;
                while offset < 65_536 {
                    let extent = image.extent(offset, 65_536 - offset).unwrap();
                    assert!(extent.length > 0 && extent.length <= 65_536 - offset);
                    offset += extent.length;
                }
            }
        }
    }
}
