use core::mem::size_of;
use std::format;
use std::string::{String, ToString};

use super::*;
use crate::error::{ErrorKind, FormatError};
use crate::vdi::sample::Disk;

/// The header of the usual sample with some bytes changed, in a file of a
/// length.
fn patched(offset: usize, value: &[u8], file_length: u64) -> Result<Layout, VdiError> {
    let mut bytes = Disk::default().bytes();
    bytes[offset..offset + value.len()].copy_from_slice(value);
    let (header, _) = Header::read_from_prefix(&bytes).unwrap();
    header.layout(file_length)
}

/// Why there is no image; nothing if there is one.
fn said(image: Result<Layout, VdiError>) -> String {
    image.map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(size_of::<Header>() as u64, SECTOR);
    for (offset, expected) in [
        (offset_of!(Header, signature), 0x40),
        (offset_of!(Header, version), 0x44),
        (offset_of!(Header, header_size), 0x48),
        (offset_of!(Header, image_type), 0x4c),
        (offset_of!(Header, map_offset), 0x154),
        (offset_of!(Header, data_offset), 0x158),
        (offset_of!(Header, sector_size), 0x168),
        (offset_of!(Header, disk_size), 0x170),
        (offset_of!(Header, block_size), 0x178),
        (offset_of!(Header, blocks), 0x180),
        (offset_of!(Header, allocated_blocks), 0x184),
        (offset_of!(Header, image_id), 0x188),
        (offset_of!(Header, parent_id), 0x1a8),
        (offset_of!(Header, parent_modification_id), 0x1b8),
    ] {
        assert_eq!(offset, expected);
    }
}

#[test]
fn the_signature_is_behind_the_text() {
    let bytes = Disk::default().bytes();
    for (head, expected) in [
        (&bytes[..], true),
        (&bytes[..512], true),
        (&bytes[..68], true),
        (&bytes[..67], false),
        (&bytes[..64], false),
        (&bytes[..63], false),
        (&bytes[1..], false),
        (b"", false),
    ] {
        assert_eq!(has_signature(head), expected, "{}", head.len());
    }
}

#[test]
fn the_header_describes_the_image() {
    let image = |disk: Disk| {
        let bytes = disk.bytes();
        let (header, _) = Header::read_from_prefix(&bytes).unwrap();
        header.layout(bytes.len() as u64).unwrap()
    };
    let dynamic = Layout {
        size: 10 << 20,
        blocks: 10,
        allocated_blocks: 0,
        is_static: false,
        map: 512,
        data: 1024,
    };
    assert_eq!(image(Disk::default()), dynamic);
    let aligned = Layout { map: 1 << 20, data: 2 << 20, ..dynamic.clone() };
    assert_eq!(image(Disk::aligned()), aligned);
    let disk = Disk { image_type: STATIC, size: (2 << 20) + 512, ..Disk::default() };
    let fixed = Layout {
        size: (2 << 20) + 512,
        blocks: 3,
        allocated_blocks: 3,
        is_static: true,
        ..dynamic
    };
    assert_eq!(image(disk), fixed);
}

#[test]
fn a_size_inside_a_sector_is_rounded_up() {
    for (size, expected) in [
        (0, 0),
        (1, 512),
        (511, 512),
        (512, 512),
        (513, 1024),
        ((10 << 20) - 511, 10 << 20),
        (10 << 20, 10 << 20),
    ] {
        let bytes = u64::to_le_bytes(size);
        let image = patched(offset_of!(Header, disk_size), &bytes, 1024).unwrap();
        assert_eq!(image.size, expected, "{size}");
    }
}

#[test]
fn damage_is_found() {
    let signature = offset_of!(Header, signature);
    let version = offset_of!(Header, version);
    let map = offset_of!(Header, map_offset);
    let data = offset_of!(Header, data_offset);
    let sector = offset_of!(Header, sector_size);
    let block = offset_of!(Header, block_size);
    let blocks = offset_of!(Header, blocks);
    let link = offset_of!(Header, parent_id);
    let parent = offset_of!(Header, parent_modification_id);
    let unsupported = |detail: &str| format!("unsupported VDI image ({detail})");
    for (offset, value, expected) in [
        (signature, 0, "Image not in VDI format (bad signature 00000000)".into()),
        (signature, 0x7f10_dabe, "Image not in VDI format (bad signature 7f10dabe)".into()),
        (version, 0x0001_0000, unsupported("version 1.0")),
        (version, 0x0001_0002, unsupported("version 1.2")),
        (version, 0x0000_0001, unsupported("version 0.1")),
        (version, u32::MAX, unsupported("version 65535.65535")),
        (map, 0, String::new()),
        (map, 513, unsupported("unaligned block map offset 0x201")),
        (map, u32::MAX, unsupported("unaligned block map offset 0xffffffff")),
        (data, 0, String::new()),
        (data, 1, unsupported("unaligned data offset 0x1")),
        (data, u32::MAX - 511, String::new()),
        (sector, 0, unsupported("sector size 0 is not 512")),
        (sector, 4096, unsupported("sector size 4096 is not 512")),
        (block, 0, unsupported("block size 0 is not 1048576")),
        (block, 2 << 20, unsupported("block size 2097152 is not 1048576")),
        (block, u32::MAX, unsupported("block size 4294967295 is not 1048576")),
        (blocks, 9, unsupported("disk size 10485760, image bitmap has room for 9437184")),
        (blocks, 10, String::new()),
        (link, 1, unsupported("non-NULL link UUID")),
        (link + 12, 1 << 24, unsupported("non-NULL link UUID")),
        (parent, 1, unsupported("non-NULL parent UUID")),
        (parent + 12, 1 << 24, unsupported("non-NULL parent UUID")),
    ] {
        let image = patched(offset, &value.to_le_bytes(), 1024);
        assert_eq!(said(image), expected, "{value:#x} at {offset:#x}");
    }
}

#[test]
fn other_fields_do_not_matter() {
    for (offset, length) in [
        (offset_of!(Header, text), 64),
        (offset_of!(Header, header_size), 12),
        (offset_of!(Header, description), 256),
        (offset_of!(Header, cylinders), 12),
        (offset_of!(Header, unused), 4),
        (offset_of!(Header, block_extra), 4),
        (offset_of!(Header, allocated_blocks), 4 + 16 + 16),
        (offset_of!(Header, padding), 56),
    ] {
        for value in [0, 1, 0xff] {
            let image = patched(offset, &[value; 256][..length], 1024);
            assert_eq!(image.map(|image| image.size), Ok(10 << 20), "{value} at {offset:#x}");
        }
    }
}

#[test]
fn a_disk_has_a_largest_size() {
    let mut bytes = Disk::default().bytes();
    let offset = offset_of!(Header, blocks);
    bytes[offset..offset + 4].copy_from_slice(&MAX_BLOCKS.to_le_bytes());
    let (mut header, _) = Header::read_from_prefix(&bytes).unwrap();
    let file_length = 512 + u64::from(MAX_BLOCKS) * 4;
    for (size, expected) in [
        (MAX_DISK_SIZE - 1, Ok(MAX_DISK_SIZE)),
        (MAX_DISK_SIZE, Ok(MAX_DISK_SIZE)),
        (MAX_DISK_SIZE + 1, Err("0x1fffff8000001")),
        (u64::MAX, Err("0xffffffffffffffff")),
    ] {
        header.disk_size = size.into();
        let image = header.layout(file_length);
        let expected = expected.map_err(|size| {
            format!("Unsupported VDI image size (size is {size}, max supported is 0x1fffff8000000)")
        });
        assert_eq!(image.map(|image| image.size).map_err(|error| error.to_string()), expected);
    }
}

#[test]
fn a_map_has_a_most_entries() {
    let offset = offset_of!(Header, blocks);
    let too_many =
        |blocks| format!("unsupported VDI image (too many blocks {blocks}, max is 536870784)");
    for (blocks, expected) in [
        (MAX_BLOCKS - 1, String::new()),
        (MAX_BLOCKS, String::new()),
        (MAX_BLOCKS + 1, too_many("536870785")),
        (u32::MAX, too_many("4294967295")),
    ] {
        assert_eq!(said(patched(offset, &blocks.to_le_bytes(), u64::MAX)), expected);
    }
}

#[test]
fn the_map_lies_in_the_file() {
    let map = offset_of!(Header, map_offset);
    let blocks = offset_of!(Header, blocks);
    for (offset, value, length, expected) in [
        (map, 512, 552, ""),
        (map, 512, 551, "the block map at 512 (40 bytes) does not lie in the file"),
        (map, 512, 0, "the block map at 512 (40 bytes) does not lie in the file"),
        (map, 0, 512, ""),
        (map, 1024, 1024, "the block map at 1024 (40 bytes) does not lie in the file"),
        (
            map,
            u32::MAX - 511,
            1024,
            "the block map at 4294966784 (40 bytes) does not lie in the file",
        ),
        (blocks, 128, 1024, ""),
        (blocks, 129, 1024, "the block map at 512 (516 bytes) does not lie in the file"),
        (
            blocks,
            MAX_BLOCKS,
            1024,
            "the block map at 512 (2147483136 bytes) does not lie in the file",
        ),
    ] {
        let image = patched(offset, &u32::to_le_bytes(value), length);
        assert_eq!(said(image), expected, "{value} at {offset:#x} in {length}");
    }
}

#[test]
fn checks_come_in_the_order_of_qemu_img() {
    type Mend = fn(&mut Header);
    let unsupported = "unsupported VDI image";
    let mut header = Header::read_from_prefix(&Disk::default().bytes()).unwrap().0;
    header.disk_size = u64::MAX.into();
    header.signature = 0.into();
    header.version = 0.into();
    header.map_offset = 1.into();
    header.data_offset = 1.into();
    header.sector_size = 0.into();
    header.block_size = 0.into();
    header.blocks = 0.into();
    header.parent_id = [1; 16];
    header.parent_modification_id = [1; 16];
    // Each step mends what the message before complained of.
    let steps: [(&str, ErrorKind, Mend); 11] = [
        ("Unsupported VDI image size", ErrorKind::Unsupported, |it| {
            it.disk_size = (10 << 20).into();
        }),
        ("Image not in VDI format", ErrorKind::NotThisFormat, |it| {
            it.signature = SIGNATURE.into();
        }),
        ("(version 0.0)", ErrorKind::Unsupported, |it| it.version = VERSION.into()),
        ("(unaligned block map", ErrorKind::Unsupported, |it| it.map_offset = 1024.into()),
        ("(unaligned data", ErrorKind::Unsupported, |it| it.data_offset = 1024.into()),
        ("(sector size", ErrorKind::Unsupported, |it| it.sector_size = 512.into()),
        ("(block size", ErrorKind::Unsupported, |it| it.block_size = (1 << 20).into()),
        ("(disk size", ErrorKind::Corrupt, |it| it.blocks = u32::MAX.into()),
        ("(non-NULL link", ErrorKind::Unsupported, |it| it.parent_id = [0; 16]),
        ("(non-NULL parent", ErrorKind::Unsupported, |it| it.parent_modification_id = [0; 16]),
        ("(too many blocks", ErrorKind::Unsupported, |it| it.blocks = 10.into()),
    ];
    for (message, kind, mend) in steps {
        let error = header.layout(1024).unwrap_err();
        let said = error.to_string();
        let said = said.strip_prefix(unsupported).map_or(&*said, str::trim_start);
        assert!(said.starts_with(message), "{said}");
        assert_eq!(error.kind(), kind, "{said}");
        mend(&mut header);
    }
    let error = header.layout(1024).unwrap_err();
    assert_eq!(error, VdiError::MapOutsideFile { offset: 1024, length: 40 });
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
