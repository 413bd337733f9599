use core::mem::offset_of;
use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::vhdx::MIB;
use crate::vhdx::sample::{Item, Parent, Vhdx};

/// The metadata of a file with these items.
fn with_items(vhdx: &Vhdx, items: &[Item]) -> Result<Metadata, std::string::String> {
    let bytes = vhdx.bytes_with(&vhdx.regions(), items);
    Metadata::read(&bytes, vhdx.metadata()).map_err(|error| error.to_string())
}

/// The same with one item changed.
fn with_item(vhdx: &Vhdx, id: Guid, bytes: &[u8]) -> Result<Metadata, std::string::String> {
    let mut items = vhdx.items();
    items.iter_mut().find(|item| item.id == id).unwrap().bytes = bytes.to_vec();
    with_items(vhdx, &items)
}

const INVALID: &str = "Invalid argument";
const UNSUPPORTED: &str = "Operation not supported";

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!((size_of::<TableHeader>(), size_of::<Entry>()), (32, 32));
    assert_eq!(offset_of!(TableHeader, entry_count), 10);
    assert_eq!(offset_of!(Entry, offset), 16);
    assert_eq!(offset_of!(Entry, flags), 24);
    let room = TABLE_SIZE / 32 - 1;
    assert_eq!(room, MAX_ENTRIES.into());
}

#[test]
fn every_item_is_read() {
    let vhdx = Vhdx { size: 5 * MIB, block_size: 4 << 20, fixed: true, ..Vhdx::default() };
    let expected = Metadata {
        block_size: 4 << 20,
        leaves_blocks_allocated: true,
        disk_size: 5 * MIB,
        disk_id: Guid::new(0x1234_5678, 0xd15c, 0x4444, *b"the disk"),
        logical_sector_size: 512,
        physical_sector_size: 4096,
        parent_locator: None,
    };
    assert_eq!(with_items(&vhdx, &vhdx.items()), Ok(expected.clone()));
    // In any order.
    let items: Vec<Item> = vhdx.items().into_iter().rev().collect();
    assert_eq!(with_items(&vhdx, &items), Ok(expected));

    let vhdx = Vhdx::differencing(&Vhdx { sector_size: 4096, ..Vhdx::default() });
    let metadata = with_items(&vhdx, &vhdx.items()).unwrap();
    let length = vhdx.parent.as_ref().unwrap().bytes().len() as u64;
    let start = vhdx.metadata().start + TABLE_SIZE + 8 + 8 + 16 + 4 + 4;
    assert_eq!(metadata.parent_locator, Some(Region::new(start, length)));
    assert_eq!((metadata.logical_sector_size, metadata.leaves_blocks_allocated), (4096, false));
}

#[test]
fn items_are_complete_and_known() {
    let vhdx = Vhdx::default();
    let items = vhdx.items();
    for missing in 0..items.len() {
        let mut items = items.clone();
        items.remove(missing);
        assert_eq!(with_items(&vhdx, &items).unwrap_err(), UNSUPPORTED, "{missing}");
    }
    for repeated in &items {
        let items = [&items[..], core::slice::from_ref(repeated)].concat();
        assert_eq!(with_items(&vhdx, &items).unwrap_err(), INVALID, "{repeated:?}");
    }
    let unknown = Guid::new(1, 2, 3, *b"unknown\0");
    for (flags, known) in [
        (0, true),
        (Entry::IS_USER | Entry::IS_DISK, true),
        (Entry::IS_REQUIRED, false),
        (u32::MAX, false),
    ] {
        let items = [&items[..], &[Item::new(unknown, flags, b"something")]].concat();
        let metadata = with_items(&vhdx, &items);
        assert_eq!(
            metadata.map_err(|said| said == UNSUPPORTED),
            if known { with_items(&vhdx, &vhdx.items()).map_err(|_| false) } else { Err(true) }
        );
    }
    assert_eq!(with_items(&vhdx, &[]).unwrap_err(), UNSUPPORTED);
}

#[test]
fn parent_and_parent_locator_go_together() {
    let locator = Parent::new(Guid::ZERO, "a", "").bytes();
    let item = Item::new(PARENT_LOCATOR, Entry::IS_REQUIRED, &locator);
    let child = Vhdx::differencing(&Vhdx::default());
    let without: Vec<Item> =
        child.items().into_iter().filter(|item| item.id != PARENT_LOCATOR).collect();
    assert_eq!(with_items(&child, &without).unwrap_err(), INVALID);
    let alone = Vhdx::default();
    let with = [&alone.items()[..], &[item]].concat();
    assert_eq!(with_items(&alone, &with).unwrap_err(), UNSUPPORTED);
    let twice = [&child.items()[..], &child.items()[5..]].concat();
    assert_eq!(with_items(&child, &twice).unwrap_err(), INVALID);
}

#[test]
fn blocks_have_a_size_that_is_a_power_of_two() {
    for (block_size, valid) in [
        (0, false),
        (1 << 19, false),
        (MIN_BLOCK_SIZE - 1, false),
        (MIN_BLOCK_SIZE, true),
        (MIN_BLOCK_SIZE + 1, false),
        (3 << 20, false),
        (32 << 20, true),
        (MAX_BLOCK_SIZE - 1, false),
        (MAX_BLOCK_SIZE, true),
        (MAX_BLOCK_SIZE + 1, false),
        (512 << 20, false),
        (u32::MAX, false),
    ] {
        let bytes = u64::from(block_size).to_le_bytes();
        let metadata = with_item(&Vhdx::default(), FILE_PARAMETERS, &bytes);
        let expected = if valid { Ok(block_size) } else { Err(INVALID.into()) };
        assert_eq!(metadata.map(|metadata| metadata.block_size), expected);
    }
}

#[test]
fn sectors_have_one_of_two_sizes() {
    for (size, expected) in [
        (512, Ok(512)),
        (4096, Ok(4096)),
        (0, Err(UNSUPPORTED)),
        (1, Err(UNSUPPORTED)),
        (1024, Err(UNSUPPORTED)),
        (4097, Err(UNSUPPORTED)),
        (u32::MAX, Err(UNSUPPORTED)),
    ] {
        let metadata = with_item(&Vhdx::default(), LOGICAL_SECTOR_SIZE, &u32::to_le_bytes(size));
        let size = metadata.map(|metadata| metadata.logical_sector_size);
        assert_eq!(size, expected.map_err(Into::into));
    }
    // Nobody reads by physical sectors.
    let metadata = with_item(&Vhdx::default(), PHYSICAL_SECTOR_SIZE, &7_u32.to_le_bytes());
    assert_eq!(metadata.unwrap().physical_sector_size, 7);
}

#[test]
fn the_table_is_one_and_has_a_limit() {
    let vhdx = Vhdx::default();
    let start = usize::try_from(vhdx.metadata().start).unwrap();
    let said = |place: usize, value: &[u8]| {
        let mut bytes = vhdx.bytes();
        bytes[start + place..start + place + value.len()].copy_from_slice(value);
        Metadata::read(&bytes, vhdx.metadata()).err().map(|error| error.to_string())
    };
    assert_eq!(said(0, b"Metadata"), Some(INVALID.into()));
    assert_eq!(said(7, b"b"), Some(INVALID.into()));
    // Entries that are all zeros are unknown ones that nobody needs to know.
    assert_eq!(said(10, &(MAX_ENTRIES - 1).to_le_bytes()), None);
    assert_eq!(said(10, &MAX_ENTRIES.to_le_bytes()), None);
    assert_eq!(said(10, &(MAX_ENTRIES + 1).to_le_bytes()), Some(INVALID.into()));
    assert_eq!(said(10, &u16::MAX.to_le_bytes()), Some(INVALID.into()));
    assert_eq!(said(10, &4_u16.to_le_bytes()), Some(UNSUPPORTED.into()));
}

#[test]
fn items_lie_in_the_file() {
    let vhdx = Vhdx::default();
    let start = usize::try_from(vhdx.metadata().start).unwrap();
    let entry = |index: usize| start + 32 + index * 32 + offset_of!(Entry, offset);
    let outside = "does not lie in the file";
    for (index, what) in [
        (0, INVALID),
        (1, "the size of the disk at"),
        (2, "the id of the disk at"),
        (3, UNSUPPORTED),
        (4, "the physical sector size at"),
    ] {
        let mut bytes = vhdx.bytes();
        bytes[entry(index)..entry(index) + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = Metadata::read(&bytes, vhdx.metadata()).unwrap_err().to_string();
        assert!(error.starts_with(what), "{error}");
        assert_eq!(error.ends_with(outside), what.starts_with("the"), "{error}");
    }
    // The physical sector size has the last four bytes of this file.
    let end = start + usize::try_from(TABLE_SIZE).unwrap() + 8 + 8 + 16 + 4 + 4;
    let bytes = vhdx.bytes();
    assert!(Metadata::read(&bytes[..end].to_vec(), vhdx.metadata()).is_ok());
    for length in
        (start..start + 200).chain((start + 200..end - 50).step_by(997)).chain(end - 50..end)
    {
        let cut = bytes[..length].to_vec();
        assert!(Metadata::read(&cut, vhdx.metadata()).is_err(), "{length}");
    }
}

#[test]
fn a_region_may_be_anywhere() {
    let bytes = Vhdx::default().bytes();
    for (start, expected) in [
        (1 << 40, INVALID),
        (0x7fff_ffff_c000_0000 - TABLE_SIZE, INVALID),
        (0x7fff_ffff_c000_0000 - TABLE_SIZE + 1, "Input/output error"),
        (u64::MAX, "Input/output error"),
    ] {
        let error = Metadata::read(&bytes, Region::new(start, MIB)).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_bare()), (expected, true));
    }
}
