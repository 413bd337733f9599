use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::testing::Long;
use crate::vmdk::sample::{Cowd, Hosted, SeSparse};
use crate::vmdk::{cowd, sesparse};

/// Where the grain table of the extent of 1 MiB is, in bytes.
const HOSTED_TABLE: usize = 7 * SECTOR_BYTES;

/// What is said of a grain of the extent in a file; the grain is all that is asked about.
fn said(file: &dyn Storage, extent: &Sparse, grain: u64) -> Result<Content, String> {
    let size = extent.grain_bytes();
    let mut grains = Grains::new(extent, file, File::Other(3));
    let found = grains.extent(grain * size, size).map_err(|error| error.to_string())?;
    assert_eq!(found.length, size);
    Ok(found.content)
}

/// The same of a hosted extent of which some entries are set.
fn hosted(extent: &Hosted, entries: &[(usize, u32)]) -> (Vec<u8>, Sparse) {
    let mut bytes = extent.bytes();
    for (index, entry) in entries {
        let place = HOSTED_TABLE + index * 4;
        bytes[place..place + 4].copy_from_slice(&entry.to_le_bytes());
    }
    let extent = Sparse::read(&bytes).unwrap();
    (bytes, extent)
}

fn data(sector: u64) -> Content {
    Content::Data(Place { file: File::Other(3), offset: sector * SECTOR })
}

#[test]
fn entries_are_sectors() {
    let plain = Hosted::extent();
    let zeroed = Hosted { version: 2, ..Hosted::extent() };
    for (extent, entry, expected) in [
        (&plain, 0, Content::Unallocated),
        (&plain, 128, data(128)),
        // Without the flag this is a sector like others, as it is for qemu.
        (&plain, 1, data(1)),
        (&plain, u32::MAX, data(u32::MAX.into())),
        (&zeroed, 0, Content::Unallocated),
        (&zeroed, 1, Content::Zero(None)),
        (&zeroed, 2, data(2)),
    ] {
        let (bytes, extent) = hosted(extent, &[(5, entry)]);
        assert_eq!(said(&bytes, &extent, 5).unwrap(), expected, "{entry}");
        assert_eq!(said(&bytes, &extent, 4).unwrap(), Content::Unallocated);
    }
}

#[test]
fn grains_that_follow_each_other_are_one_extent() {
    let entries = [(0, 128), (1, 256), (2, 1000), (5, 1), (6, 1), (15, 384)];
    let extent = Hosted { version: 2, ..Hosted::extent() };
    let (bytes, extent) = hosted(&extent, &entries);
    for (offset, limit, length, content) in [
        (0, 1 << 20, 2 << 16, data(128)),
        (65_536 + 512, 1 << 19, 65_024, data(257)),
        (2 << 16, 1 << 19, 1 << 16, data(1000)),
        (3 << 16, 1 << 19, 2 << 16, Content::Unallocated),
        (5 << 16, 1 << 19, 2 << 16, Content::Zero(None)),
        (7 << 16, 100, 100, Content::Unallocated),
        (15 << 16, 1 << 16, 1 << 16, data(384)),
    ] {
        let mut grains = Grains::new(&extent, &bytes, File::Other(3));
        let found = grains.extent(offset, limit).unwrap();
        assert_eq!(found, Extent { length, content }, "{offset}");
    }
}

#[test]
fn compressed_grains_end_where_the_next_begins() {
    // The disk ends inside its last grain.
    let compressed = Hosted { compressed: true, capacity: 2000, ..Hosted::extent() };
    let most = 2 << 16;
    for (entries, grain, length, size) in [
        (&[(0, 128), (1, 129)][..], 0, 512, 65_536),
        (&[(0, 128), (1, 200)], 0, 72 * 512, 65_536),
        (&[(0, 128), (1, 384)], 0, most, 65_536),
        (&[(0, 128), (1, 385)], 0, most, 65_536),
        (&[(0, 128)], 0, most, 65_536),
        // Grains need not be in order.
        (&[(0, 128), (1, 100)], 0, most, 65_536),
        (&[(0, 128), (1, 128)], 0, most, 65_536),
        (&[(0, 128), (15, 200)], 15, most, 80 * 512),
    ] {
        let (bytes, extent) = hosted(&compressed, entries);
        let place =
            Place { file: File::Other(3), offset: if grain == 0 { 128 } else { 200 } * 512 };
        let codec = Codec::Grain;
        let expected = Compressed { place, length, codec, size, skip: 0 };
        let found = said(&bytes, &extent, grain).unwrap();
        assert_eq!(found, Content::Compressed(expected), "{entries:?}");
    }
    // Without markers a grain has no more bytes than it stands for.
    let (bytes, extent) = hosted(&compressed, &[(0, 128), (1, 129)]);
    let extent = Sparse { markers: false, ..extent };
    let Content::Compressed(found) = said(&bytes, &extent, 0).unwrap() else { panic!() };
    assert_eq!((found.codec, found.length), (Codec::Zlib, 65_536));
}

#[test]
fn tables_that_are_not_there_are_skipped() {
    // Three tables, of which only the second is there.
    let extent = Hosted { capacity: 3 * 512 * 128, redundant: false, ..Hosted::extent() };
    let mut bytes = extent.bytes();
    bytes[SECTOR_BYTES..SECTOR_BYTES + 12].fill(0);
    bytes[SECTOR_BYTES + 4] = 6;
    let place = 6 * SECTOR_BYTES + 511 * 4;
    bytes[place..place + 4].copy_from_slice(&[128, 0, 0, 0]);
    let extent = Sparse::read(&bytes).unwrap();
    let table = 512 << 16;
    for (offset, length, content) in [
        (0, table, Content::Unallocated),
        (table - 1, 1, Content::Unallocated),
        (table, table - 65_536, Content::Unallocated),
        (2 * table - 65_536, 65_536, data(128)),
        (2 * table, table, Content::Unallocated),
    ] {
        let mut grains = Grains::new(&extent, &bytes, File::Other(3));
        let found = grains.extent(offset, 3 * table - offset).unwrap();
        assert_eq!(found, Extent { length, content }, "{offset}");
    }
}

#[test]
fn tables_lie_in_the_file() {
    let (bytes, extent) = hosted(&Hosted { redundant: false, ..Hosted::extent() }, &[]);
    for (sector, expected) in [
        (0, Ok(Content::Unallocated)),
        (2, Ok(Content::Unallocated)),
        (127, Ok(Content::Unallocated)),
        // Only the part that is needed must be there: one sector of four.
        (128, Err("the grain table at sector 128 (64 bytes) does not lie in the file")),
        (u32::MAX, Err("the grain table at sector 4294967295 (64 bytes) does not lie in the file")),
    ] {
        let mut bytes = bytes.clone();
        bytes[SECTOR_BYTES..SECTOR_BYTES + 4].copy_from_slice(&sector.to_le_bytes());
        let found = said(&bytes, &extent, 0);
        assert_eq!(found, expected.map_err(String::from), "{sector}");
    }
}

#[test]
fn an_esx_extent_has_larger_tables() {
    let mut bytes = Cowd { capacity: 8192, ..Cowd::default() }.bytes();
    let table = bytes.len();
    bytes.resize(table + 16_384, 0);
    let sector = u32::try_from(table / SECTOR_BYTES).unwrap();
    bytes[2048..2052].copy_from_slice(&sector.to_le_bytes());
    bytes[table + 16_380..].copy_from_slice(&77_u32.to_le_bytes());
    let extent = cowd::read(&bytes).unwrap();
    assert_eq!(said(&bytes, &extent, 4095).unwrap(), data(77));
    assert_eq!(said(&bytes, &extent, 4094).unwrap(), Content::Unallocated);
    assert_eq!(said(&bytes, &extent, 4096).unwrap(), Content::Unallocated);
}

#[test]
fn a_directory_can_be_too_short() {
    let mut bytes = Cowd { capacity: 8192, ..Cowd::default() }.bytes();
    bytes[24] = 1;
    let extent = cowd::read(&bytes).unwrap();
    assert_eq!(said(&bytes, &extent, 4095).unwrap(), Content::Unallocated);
    let message = "the grain directory has no entry for grain table 1";
    assert_eq!(said(&bytes, &extent, 4096), Err(message.into()));
    // Grains in front of it can be read in any case.
    let mut grains = Grains::new(&extent, &bytes, File::Own);
    assert_eq!(grains.extent(0, 8192 * 512).unwrap().length, 4096 * 512);
}

#[test]
fn entries_of_a_sesparse_extent_have_a_kind() {
    let invalid = |entry: u64| Err(std::format!("the entry of grain 9 is invalid: {entry:#018x}"));
    let first = 67;
    for (entry, expected) in [
        (0, Ok(Content::Unallocated)),
        (1, invalid(1)),
        (1 << 60, Ok(Content::Zero(None))),
        (0x1fff_ffff_ffff_ffff, Ok(Content::Zero(None))),
        (2 << 60, Ok(Content::Zero(None))),
        (3 << 60, Ok(data(first))),
        (0x3001_0000_0000_0000, Ok(data(first + 8))),
        (0x3fff_0000_0000_0000, Ok(data(first + 8 * 0xfff))),
        (0x3000_0000_0000_0001, Ok(data(first + 8 * 0x1000))),
        (0x3fff_ffff_ffff_ffff, invalid(0x3fff_ffff_ffff_ffff)),
        (4 << 60, invalid(4 << 60)),
        (u64::MAX, invalid(u64::MAX)),
    ] {
        let mut bytes = SeSparse::default().bytes();
        let table = bytes.len();
        bytes.resize(table + 64 * SECTOR_BYTES, 0);
        bytes[1024..1032].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        bytes[table + 72..table + 80].copy_from_slice(&entry.to_le_bytes());
        let extent = sesparse::read(&bytes).unwrap();
        assert_eq!(said(&bytes, &extent, 9), expected, "{entry:#x}");
    }
}

#[test]
fn entries_of_a_sesparse_directory_are_checked() {
    let invalid = |entry: u64| {
        let message = "the grain directory has an invalid entry for grain table 0";
        Err(std::format!("{message}: {entry:#018x}"))
    };
    let outside = |sector| {
        let message = std::format!("the grain table at sector {sector} (512 bytes)");
        Err(std::format!("{message} does not lie in the file"))
    };
    // The last table of which the sector has 32 bits.
    let last = (u64::from(u32::MAX) - 3) / 64;
    for (entry, expected) in [
        (0, Ok(Content::Unallocated)),
        (1 << 60, Ok(Content::Unallocated)),
        (1 << 60 | 1, outside(67)),
        (1 << 60 | last, outside(last * 64 + 3)),
        (1 << 60 | (last + 1), invalid(1 << 60 | (last + 1))),
        (1, invalid(1)),
        (1 << 60 | 1 << 32, invalid(1 << 60 | 1 << 32)),
        (2 << 60, invalid(2 << 60)),
        (u64::MAX, invalid(u64::MAX)),
    ] {
        let mut bytes = SeSparse::default().bytes();
        bytes[1024..1032].copy_from_slice(&entry.to_le_bytes());
        let file = Long { length: 67 * 512, start: bytes };
        let extent = sesparse::read(&file).unwrap();
        assert_eq!(said(&file, &extent, 0), expected, "{entry:#x}");
    }
}

#[test]
fn no_table_can_do_harm() {
    let (bytes, extent) = hosted(&Hosted { redundant: false, ..Hosted::extent() }, &[]);
    let extents = [
        Sparse { compressed: true, markers: true, ..extent.clone() },
        Sparse { table_entries: 1, directory_entries: u64::MAX, ..extent.clone() },
        Sparse { grain_size: 1, ..extent.clone() },
        Sparse { entries: Entries::Typed { tables: u64::MAX, grains: u64::MAX }, ..extent.clone() },
        Sparse { capacity: u64::MAX, directory_entries: u64::MAX, ..extent },
    ];
    for byte in [0, 1, 0x10, 0x30, 0xff] {
        let mut bytes = bytes.clone();
        bytes[SECTOR_BYTES..].fill(byte);
        bytes[SECTOR_BYTES + 4] = 9;
        for extent in &extents {
            for offset in [0, 512, 65_536, (1 << 20) - 512, 1 << 40] {
                let mut grains = Grains::new(extent, &bytes, File::Own);
                if let Ok(found) = grains.extent(offset, 1 << 20) {
                    assert!(found.length > 0 && found.length <= 1 << 20);
                }
            }
        }
    }
}
