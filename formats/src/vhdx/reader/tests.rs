use alloc::rc::Rc;
use std::boxed::Box;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::extent::File as Where;
use crate::guid::Guid;
use crate::image::Identity;
use crate::vhdx::MIB;
use crate::vhdx::sample::{self, Change, Log, Vhdx};
use crate::whole::Disk;
use crate::{Format, Image};

fn opened(bytes: Vec<u8>) -> Box<dyn Image> {
    crate::vhdx::Vhdx.open(Rc::new(bytes)).unwrap()
}

fn disk(bytes: Vec<u8>) -> Disk {
    Disk::new(opened(bytes.clone()), Rc::new(bytes))
}

/// What is on a disk.
fn content(disk: &Disk) -> Vec<u8> {
    let size = disk.image.description().virtual_size;
    let mut bytes = vec![7; usize::try_from(size).unwrap()];
    disk.read(0, &mut bytes).unwrap();
    bytes
}

fn data(offset: u64) -> Content {
    Content::Data(Place::own(offset))
}

/// The file of a disk with other entries of its table.
fn with_entries(vhdx: &Vhdx, entries: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = vhdx.bytes();
    for (number, entry) in entries {
        let place = usize::try_from(vhdx.bat().start + number * 8).unwrap();
        bytes[place..place + 8].copy_from_slice(&entry.to_le_bytes());
    }
    bytes
}

/// A disk of 3 MiB whose blocks 1, 2 and 0 are there, one behind the other.
fn all_there() -> Vhdx {
    let sectors = [(2048, vec![1; 512]), (4096, vec![2; 512]), (0, vec![3; 512])];
    Vhdx { content: sectors.to_vec(), ..Vhdx::default() }
}

#[test]
fn blocks_are_where_the_table_says() {
    let image = opened(all_there().bytes());
    let first = all_there().bat().end;
    for (offset, limit, length, content) in [
        (MIB, 2 * MIB, 2 * MIB, data(first)),
        (MIB + 5, MIB + 7, MIB + 7, data(first + 5)),
        (0, 3 * MIB, MIB, data(first + 2 * MIB)),
        (MIB - 1, 3 * MIB, 1, data(first + 3 * MIB - 1)),
    ] {
        let expected = Extent { length, content };
        assert_eq!(image.extent(offset, limit).unwrap(), expected, "{limit} at {offset}");
    }
}

#[test]
fn each_state_of_a_block_means_something() {
    let place = 9 << 20;
    let unallocated = Ok(Content::Unallocated);
    let zero = Ok(Content::Zero(None));
    let vhdx = all_there();
    let child = Vhdx { content: vhdx.content.clone(), ..Vhdx::differencing(&vhdx) };
    for (state, alone, on_top) in [
        (0, unallocated, unallocated),
        (1, zero, zero),
        (2, zero, zero),
        (3, zero, zero),
        (
            4,
            Err("block 1 of the disk is in the unknown state 4"),
            Err("block 1 of the disk is in the unknown state 4"),
        ),
        (5, zero, zero),
        (6, Ok(data(place)), Ok(data(place))),
        // Of that block the sample has one sector.
        (7, Err("block 1 of the disk is in the unknown state 7"), Ok(data(place))),
    ] {
        for (vhdx, expected) in [(&vhdx, alone), (&child, on_top)] {
            let mut bytes = with_entries(vhdx, &[(1, place | state)]);
            bytes.resize(11 << 20, 0);
            let found = opened(bytes).extent(MIB, 512);
            let found = found.map(|extent| extent.content).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(|words| words.to_string()), "{state}");
        }
    }
}

#[test]
fn sector_bitmaps_say_which_sectors_are_the_parents() {
    for sector_size in [512, 4096] {
        let size = u64::from(sector_size);
        let bytes = |sectors: usize| vec![9; sectors * usize::try_from(size).unwrap()];
        let parent = Vhdx { sector_size, ..Vhdx::default() };
        let in_block = MIB / size;
        let sectors =
            [(0, bytes(2)), (3, bytes(1)), (in_block - 1, bytes(2)), (2 * in_block + 5, bytes(1))];
        let child = Vhdx { content: sectors.to_vec(), ..Vhdx::differencing(&parent) };
        let image = opened(child.bytes());
        // Block 0, the sector bitmap block, block 1, block 2.
        let first = child.bat().end;
        let all = 3 * MIB;
        for (offset, limit, length, content) in [
            (0, all, 2 * size, data(first)),
            (1, all, 2 * size - 1, data(first + 1)),
            (1, 100, 100, data(first + 1)),
            (2 * size, all, size, Content::Unallocated),
            (3 * size, all, size, data(first + 3 * size)),
            (4 * size, all, (in_block - 5) * size, Content::Unallocated),
            (MIB - size, all, size, data(first + MIB - size)),
            (MIB, all, size, data(first + 2 * MIB)),
            // The rest of a block, and a part of the next.
            (MIB + size, all, (in_block + 4) * size, Content::Unallocated),
            (MIB + size + 1, all, (in_block + 4) * size - 1, Content::Unallocated),
            (2 * MIB + 5 * size, all, size, data(first + 3 * MIB + 5 * size)),
            (2 * MIB + 6 * size, MIB - 6 * size, MIB - 6 * size, Content::Unallocated),
        ] {
            let limit = limit.min(all - offset);
            let expected = Extent { length, content };
            assert_eq!(image.extent(offset, limit).unwrap(), expected, "{limit} at {offset}");
        }
    }
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
    for (sector_size, block_size) in [(512, 1 << 20), (512, 2 << 20), (4096, 1 << 20)] {
        let size = u64::from(sector_size);
        let sectors = 3 * MIB / size;
        let bytes = |count: u64| usize::try_from(count * size).unwrap();
        let mut expected = vec![1; 3 << 20];
        let content = vec![(0, expected.clone())];
        let parent = Vhdx { sector_size, block_size, content, ..Vhdx::default() };
        let mut content = Vec::new();
        for byte in 2..30 {
            let first = below(sectors);
            let count = below(12).min(sectors - 1 - first) + 1;
            content.push((first, vec![byte; bytes(count)]));
            expected[bytes(first)..bytes(first + count)].fill(byte);
        }
        let child = Vhdx { content, ..Vhdx::differencing(&parent) };
        let mut disk = disk(child.bytes());
        disk.backing = Some(Box::new(self::disk(parent.bytes())));
        assert!(self::content(&disk) == expected, "{sector_size} {block_size}");
    }
}

#[test]
fn each_chunk_has_its_sector_bitmap() {
    // Chunks of 4 GiB in blocks of 256 MiB.
    let chunk: u64 = 4 << 30;
    let parent = Vhdx { size: 2 * chunk, block_size: 256 << 20, ..Vhdx::default() };
    let child = Vhdx::differencing(&parent);
    let (bitmaps, block) = (child.bat().end, child.bat().end + 2 * MIB);
    // The last block of the first chunk, the first of the second, and both bitmaps; the
    // second block begins inside of the first, which nobody minds.
    let entries =
        [(15, block | 7), (17, (block + MIB) | 7), (16, bitmaps | 6), (33, (bitmaps + MIB) | 6)];
    let mut bytes = with_entries(&child, &entries);
    let bitmap = usize::try_from(bitmaps).unwrap();
    bytes.resize(bitmap + (2 << 20), 0);
    bytes[bitmap + (1 << 20) - 1] = 0x80;
    bytes[bitmap + (1 << 20)] = 0x03;
    let file = crate::testing::Long { start: bytes, length: block + (300 << 20) };
    let image = crate::vhdx::Vhdx.open(Rc::new(file)).unwrap();
    for (offset, length, content) in [
        (0, chunk - 512, Content::Unallocated),
        (chunk - 512, 512, data(block + (256 << 20) - 512)),
        (chunk, 1024, data(block + MIB)),
        (chunk + 1024, chunk - 1024, Content::Unallocated),
    ] {
        let extent = image.extent(offset, 2 * chunk - offset).unwrap();
        assert_eq!(extent, Extent { length, content }, "{offset}");
    }
}

#[test]
fn without_its_sector_bitmap_a_block_cannot_be_read() {
    let child = Vhdx { content: vec![(0, vec![9; 512])], ..Vhdx::differencing(&Vhdx::default()) };
    for state in [0, 1, 2, 3, 4, 5, 7] {
        let entry = child.bat().end + MIB + state;
        let error = opened(with_entries(&child, &[(4096, entry)])).extent(0, 512).unwrap_err();
        assert_eq!(error.to_string(), "block 0 of the disk has no sector bitmap");
    }
}

#[test]
fn a_block_that_is_all_there_needs_no_sector_bitmap() {
    let child = Vhdx::differencing(&Vhdx::default());
    let block = child.bat().end;
    let mut bytes = with_entries(&child, &[(1, block | Entry::FULLY_PRESENT)]);
    bytes.resize(usize::try_from(block + MIB).unwrap(), 8);
    let extent = opened(bytes).extent(MIB, MIB).unwrap();
    assert_eq!(extent, Extent { length: MIB, content: data(block) });
}

#[test]
fn data_in_the_log_is_seen() {
    let vhdx = all_there();
    let first = vhdx.bat().end;
    let changed: Vec<u8> = (0..4096_usize).map(|place| (place % 251).to_le_bytes()[0]).collect();
    let changes = vec![
        Change::Data(first + 4096, changed.clone()),
        Change::Data(first + 8192, changed.clone()),
        Change::Zeros(first + MIB - 4096, 8192),
        Change::Data(first + 3 * MIB - 4096, changed.clone()),
    ];
    let bytes = Log::new(vec![changes]).in_image(&vhdx);
    let disk = disk(bytes);
    let replayed = |offset| Content::Data(Place { file: Where::Replayed, offset });
    for (offset, limit, length, content) in [
        (MIB, 2 * MIB, 4096, data(first)),
        (MIB + 4095, 2 * MIB - 4095, 1, data(first + 4095)),
        (MIB + 4096, 100, 100, replayed(first + 4096)),
        (MIB + 5000, MIB, 3192, replayed(first + 5000)),
        (MIB + 8192, MIB, 4096, replayed(first + 8192)),
        (MIB + 12_288, MIB, MIB - 16_384, data(first + 12_288)),
        (2 * MIB - 4096, MIB, 8192, Content::Zero(None)),
        (2 * MIB + 4096, MIB - 4096, MIB - 4096, data(first + MIB + 4096)),
        (MIB - 4096, 2 * MIB, 4096, replayed(first + 3 * MIB - 4096)),
    ] {
        let expected = Extent { length, content };
        assert_eq!(disk.image.extent(offset, limit).unwrap(), expected, "{limit} at {offset}");
    }
    let mut expected = vec![0; 3 << 20];
    for (place, bytes) in [
        (0, &[3; 512][..]),
        (1 << 20, &[1; 512]),
        ((1 << 20) + 4096, &changed),
        ((1 << 20) + 8192, &changed),
        ((1 << 20) - 4096, &changed),
    ] {
        expected[place..place + bytes.len()].copy_from_slice(bytes);
    }
    assert!(content(&disk) == expected);
}

#[test]
fn tables_and_bitmaps_in_the_log_are_seen() {
    let parent = all_there();
    let old = Vhdx { content: vec![(0, vec![9; 512])], ..Vhdx::differencing(&parent) };
    let more = [old.content.clone(), vec![(3000, vec![8; 5120])]].concat();
    let new = Vhdx { content: more, ..old.clone() };
    let changes = Change::between(&old, &old.bytes(), &new.bytes());
    let log = Log { last_file_offset: Some(new.bytes().len() as u64), ..Log::new(vec![changes]) };
    let read = |bytes: Vec<u8>| {
        let mut disk = disk(bytes);
        disk.backing = Some(Box::new(self::disk(parent.bytes())));
        content(&disk)
    };
    assert!(read(log.in_image(&old)) == read(new.bytes()));
    assert!(read(old.bytes()) != read(new.bytes()));
}

#[test]
fn only_an_image_with_changes_has_a_file_with_them() {
    assert!(opened(all_there().bytes()).replayed().is_none());
    let log = Log::new(vec![vec![Change::Data(9 << 20, vec![7; 4096])]]);
    let image = opened(log.in_image(&all_there()));
    assert_eq!(image.replayed().unwrap().length(), (9 << 20) + 4096);
}

#[test]
fn disks_know_each_other_by_the_ids_of_their_data() {
    let parent = Vhdx::default();
    let own = Some(parent.data_write_id);
    assert_eq!(opened(parent.bytes()).identity(), Identity { own, parent: None });
    let mut child = Vhdx::differencing(&parent);
    let expected = Identity { own: Some(child.data_write_id), parent: own };
    assert_eq!(opened(child.bytes()).identity(), expected);
    child.parent = Some(sample::Parent::new(Guid::ZERO, "a.vhdx", ""));
    assert_eq!(opened(child.bytes()).identity().parent, Some(Guid::ZERO));
}

#[test]
fn no_entry_can_do_harm() {
    let child = Vhdx { content: all_there().content, ..Vhdx::differencing(&Vhdx::default()) };
    for number in [0, 1, 2, 4096] {
        for value in [0, 1, 6, 7, MIB | 7, u64::MAX, u64::MAX - 1, (64 << 20) | 6, 1 << 63] {
            let bytes = with_entries(&child, &[(number, value)]);
            let Ok(image) = crate::vhdx::Vhdx.open(Rc::new(bytes)) else { continue };
            let mut offset = 0;
            while offset < child.size {
                let Ok(extent) = image.extent(offset, child.size - offset) else { break };
                assert!(extent.length > 0 && extent.length <= child.size - offset);
                offset += extent.length;
            }
        }
    }
}
