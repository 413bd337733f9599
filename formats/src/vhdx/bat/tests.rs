use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::guid::Guid;
use crate::storage::{MAX_LENGTH, PIECE};
use crate::testing::Long;
use crate::vhdx::header::Header;
use crate::vhdx::sample::Vhdx;

fn metadata(vhdx: &Vhdx) -> Metadata {
    Metadata {
        block_size: vhdx.block_size,
        leaves_blocks_allocated: vhdx.fixed,
        disk_size: vhdx.size,
        disk_id: Guid::ZERO,
        logical_sector_size: vhdx.sector_size,
        physical_sector_size: 512,
        parent_locator: vhdx.parent.as_ref().map(|_| Region::new(0, 0)),
    }
}

/// What is said of a file with one entry changed.
fn said(vhdx: &Vhdx, number: u64, entry: u64) -> String {
    let mut bytes = vhdx.bytes();
    let place = usize::try_from(vhdx.bat().start + number * 8).unwrap();
    bytes[place..place + 8].copy_from_slice(&entry.to_le_bytes());
    check(&bytes)
}

fn check(bytes: &[u8]) -> String {
    let bytes = &bytes.to_vec();
    let header = Header::current(bytes).unwrap();
    let regions = Regions::read(bytes, &header).unwrap();
    let metadata = Metadata::read(bytes, regions.metadata).unwrap();
    let checked = Bat::new(bytes, regions.bat, &metadata)
        .map_err(Error::from)
        .and_then(|bat| bat.check(bytes, &regions));
    checked.map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn entries_are_counted_by_chunks() {
    // With blocks of 256 MiB a chunk of 4 GiB has 16, with larger sectors 128.
    const BLOCK: u64 = 256 << 20;
    let large = Vhdx { block_size: 256 << 20, ..Vhdx::default() };
    let child = Vhdx::differencing(&large);
    let sectors = Vhdx { sector_size: 4096, ..large.clone() };
    let small = Vhdx::default();
    for (vhdx, size, expected) in [
        (&large, 1, 1),
        (&large, BLOCK, 1),
        (&large, 16 * BLOCK, 16),
        (&large, 16 * BLOCK + 1, 18),
        (&large, 32 * BLOCK, 33),
        (&large, 33 * BLOCK, 35),
        (&sectors, 128 * BLOCK, 128),
        (&sectors, 129 * BLOCK, 130),
        (&child, 1, 17),
        (&child, 16 * BLOCK, 17),
        (&child, 16 * BLOCK + 1, 34),
        (&small, 4096 << 20, 4096),
        (&small, 4097 << 20, 4098),
        (&small, MAX_DISK, (64 << 20) + (16 << 10) - 1),
    ] {
        let metadata = metadata(&Vhdx { size, ..vhdx.clone() });
        let bat = Bat::new(&Long::zeros(1 << 40), Region::new(MIB, 1 << 30), &metadata).unwrap();
        assert_eq!(bat.entries, expected, "{size} in blocks of {}", vhdx.block_size);
    }
}

#[test]
fn the_table_has_room_in_its_region_and_in_the_file() {
    let metadata = metadata(&Vhdx { size: 100 * MIB, ..Vhdx::default() });
    let said = |offset, length, file| {
        let bat = Bat::new(&Long::zeros(file), Region::new(offset, length), &metadata);
        bat.map_or_else(|error| error.to_string(), |_| String::new())
    };
    for (offset, length, file, expected) in [
        (MIB, 800, MIB + 800, ""),
        (MIB, 799, 2 * MIB, "Invalid argument"),
        (MIB, 0, 2 * MIB, "Invalid argument"),
        (
            MIB,
            MIB,
            MIB + 799,
            "the block allocation table at 1048576 (800 bytes) does not lie in the file",
        ),
        (MAX_LENGTH - 800, 800, MIB, "does not lie in the file"),
        (MAX_LENGTH - 799, 800, MIB, "Input/output error"),
        (u64::MAX - 800, 800, MIB, "Input/output error"),
    ] {
        let said = said(offset, length, file);
        assert!(said.ends_with(expected) && said.is_empty() == expected.is_empty(), "{said}");
    }
}

#[test]
fn an_empty_disk_has_a_large_table() {
    let metadata = metadata(&Vhdx { size: 0, ..Vhdx::default() });
    for (length, expected) in [
        (0, Err(VhdxError::TableTooSmall)),
        (8 * MIB - 9, Err(VhdxError::TableTooSmall)),
        (8 * MIB - 8, Ok(0)),
        (8 * MIB, Ok(0)),
    ] {
        let bat = Bat::new(&Long::zeros(1 << 40), Region::new(MIB, length), &metadata);
        assert_eq!(bat.map(|bat| bat.entries), expected, "{length}");
    }
}

#[test]
fn a_disk_has_a_largest_size() {
    for (size, expected) in [
        (MAX_DISK - 512, Ok(())),
        (MAX_DISK, Ok(())),
        (MAX_DISK + 512, Err(VhdxError::DiskTooLarge)),
        // The table of that would have no room.
        (u64::MAX, Err(VhdxError::TableTooSmall)),
    ] {
        let metadata = metadata(&Vhdx { size, ..Vhdx::default() });
        let bat = Bat::new(&Long::zeros(1 << 40), Region::new(MIB, 1 << 30), &metadata);
        assert_eq!(bat.map(|_| ()), expected, "{size}");
    }
}

#[test]
fn blocks_lie_in_the_file() {
    // Three blocks, and the file ends behind the table.
    let vhdx =
        Vhdx { size: 3 * MIB - 512, content: Vec::from([(0, Vec::from([7]))]), ..Vhdx::default() };
    let end = vhdx.bytes().len() as u64;
    assert_eq!(end, 5 * MIB);
    for (number, entry, expected) in [
        (0, (4 * MIB) | 6, ""),
        (1, (4 * MIB) | 6, ""),
        (
            1,
            end | 6,
            "VHDX BAT entry 1 start offset 5242880 points after end of file (5242880). \
                      Image has probably been truncated.",
        ),
        (
            1,
            (1 << 40) | 6,
            "VHDX BAT entry 1 start offset 1099511627776 points after end of file \
                            (5242880). Image has probably been truncated.",
        ),
        (
            0,
            0x7fff_ffff_ffe0_0000 | 6,
            "VHDX BAT entry 0 start offset \
                            9223372036852678656 points after end of file (5242880). Image has \
                            probably been truncated.",
        ),
        (0, 0x7fff_ffff_fff0_0000 | 6, "VHDX BAT entry 0 offset overflow."),
        (0, (1 << 63) | 6, "VHDX BAT entry 0 offset overflow."),
        (0, u64::MAX - 1, "VHDX BAT entry 0 offset overflow."),
        // States of blocks that are not in the file.
        (0, (1 << 40), ""),
        (0, (1 << 40) | 1, ""),
        (0, (1 << 40) | 2, ""),
        (0, (1 << 40) | 3, ""),
        (0, (1 << 40) | 4, ""),
        (0, (1 << 40) | 5, ""),
        (0, (1 << 40) | 7, ""),
        // Only the bits of the state and of the offset count.
        (0, (4 * MIB) | 0xf_fff8 | 6, ""),
        (1, MIB | 6, "VHDX region 1048576-2097152 overlaps with region 1048576-2097152"),
        (1, (2 * MIB) | 6, "VHDX region 2097152-3145728 overlaps with region 2097152-3145728"),
        (1, (3 * MIB) | 6, "VHDX region 3145728-4194304 overlaps with region 3145728-4194304"),
        // Behind the last block there is nothing.
        (3, (1 << 40) | 6, ""),
    ] {
        assert_eq!(said(&vhdx, number, entry), expected, "{number} {entry:#x}");
    }
}

#[test]
fn the_last_block_may_end_with_the_disk() {
    let vhdx = Vhdx { size: 3 * MIB - 1024, fixed: true, ..Vhdx::default() };
    let bytes = vhdx.bytes();
    for (missing, fits) in [(0, true), (1024, true), (1025, true), (1536, false), (MIB, false)] {
        let length = bytes.len() - usize::try_from(missing).unwrap();
        assert_eq!(check(&bytes[..length]).is_empty(), fits, "{missing}");
    }
    assert_eq!(
        check(&bytes[..bytes.len() - 2048]),
        "VHDX BAT entry 2 end offset 7339007 points after end of file (7337984). Image has \
         probably been truncated."
    );
}

#[test]
fn sector_bitmap_blocks_matter_to_differencing_disks() {
    // A chunk has 16 blocks, so that the entry 16 is of a sector bitmap block.
    let alone = Vhdx { size: 5 << 30, block_size: 256 << 20, ..Vhdx::default() };
    let child = Vhdx::differencing(&alone);
    let end = "VHDX BAT entry 16 start offset 1099511627776 points after end of file (4194304). \
               Image has probably been truncated.";
    for (vhdx, state, expected) in
        [(&alone, 6, ""), (&alone, 7, ""), (&child, 0, ""), (&child, 6, end), (&child, 7, "")]
    {
        assert_eq!(said(vhdx, 16, (1 << 40) | state), expected, "{state}");
    }
    // A payload block of which the parent has the rest.
    for (vhdx, state, fits) in [(&alone, 7, true), (&child, 7, false), (&child, 6, false)] {
        assert_eq!(said(vhdx, 17, (1 << 40) | state).is_empty(), fits, "{state}");
    }
}

#[test]
fn the_last_entry_of_a_long_table_counts() {
    // Three pieces, the last of which is not full.
    let entries = 2 * usize::try_from(PIECE).unwrap() / ENTRY + 5;
    let size = (entries as u64 - 3) << 20;
    let vhdx = Vhdx { size, ..Vhdx::default() };
    let last = (size >> 20) + (size >> 20) / 4096 - 1;
    assert_eq!(said(&vhdx, last + 1, (1 << 40) | 6), "");
    let expected = "points after end of file (4194304). Image has probably been truncated.";
    assert!(said(&vhdx, last, (1 << 40) | 6).ends_with(expected));
}
