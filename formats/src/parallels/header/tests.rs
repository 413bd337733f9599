use core::mem::offset_of;
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::error::ErrorKind;
use crate::parallels::sample::{Disk, Extension};
use crate::storage;
use crate::testing::Long;

fn read(bytes: &Vec<u8>) -> Result<Layout, Error> {
    let header: Header = storage::read_struct(bytes, 0)?;
    header.layout(bytes)
}

/// Why there is no image; nothing if there is one.
fn said(bytes: &Vec<u8>) -> String {
    read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

/// A sample with some bytes changed.
fn patched(disk: &Disk, offset: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = disk.bytes();
    bytes[offset..offset + value.len()].copy_from_slice(value);
    bytes
}

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(size_of::<Header>(), 64);
    assert_eq!(size_of::<extension::Header>(), 24);
    for (offset, expected) in [
        (offset_of!(Header, version), 16),
        (offset_of!(Header, tracks), 28),
        (offset_of!(Header, bat_entries), 32),
        (offset_of!(Header, sectors), 36),
        (offset_of!(Header, in_use), 44),
        (offset_of!(Header, data_offset), 48),
        (offset_of!(Header, flags), 52),
        (offset_of!(Header, extension_offset), 56),
    ] {
        assert_eq!(offset, expected);
    }
}

#[test]
fn a_header_has_a_magic_and_a_version() {
    let old = b"WithoutFreeSpace\x02\0\0\0";
    for (head, expected) in [
        (&old[..], true),
        (b"WithouFreSpacExt\x02\0\0\0", true),
        (b"WithoutFreeSpace\x01\0\0\0", false),
        (b"WithoutFreeSpace\x02\0\x01\0", false),
        (b"WithoutFreeSpac \x02\0\0\0", false),
        (&old[..19], false),
        (&old[..16], false),
        (&old[..4], false),
        (b"", false),
    ] {
        assert_eq!(is_header(head), expected, "{}", head.escape_ascii());
    }
}

#[test]
fn the_header_describes_the_image() {
    let image = Layout {
        size: 10 << 20,
        cluster_size: 4096,
        bat_entries: 2560,
        bat_unit: 4096,
        data: 12_288,
        extension: None,
        in_use: false,
    };
    assert_eq!(read(&Disk::default().bytes()).unwrap(), image);
    let in_use = Disk { in_use: IN_USE, ..Disk::default() };
    let expected = Layout { in_use: true, ..image.clone() };
    assert_eq!(read(&in_use.bytes()).unwrap(), expected);
    for extension in [Extension::empty(), Extension::dirty_bitmap()] {
        let disk = Disk { extension: Some(extension), ..Disk::default() };
        let expected = Layout { extension: Some(12_288), ..image.clone() };
        assert_eq!(read(&disk.bytes()).unwrap(), expected);
    }
    let old = Layout { cluster_size: 63 * 512, bat_entries: 326, bat_unit: 512, data: 0, ..image };
    assert_eq!(read(&Disk::old().bytes()).unwrap(), old);
}

#[test]
fn the_old_magic_has_sizes_of_32_bits() {
    let offset = offset_of!(Header, sectors);
    for (sectors, old, extended) in [
        (0, 0, Some(0)),
        (1, 512, Some(512)),
        (u64::from(u32::MAX), u64::from(u32::MAX) * 512, Some(u64::from(u32::MAX) * 512)),
        (1 << 32, 0, Some(1 << 41)),
        ((1 << 32) + 1, 512, Some((1 << 41) + 512)),
        (u64::MAX, u64::from(u32::MAX) * 512, None),
    ] {
        let size = |disk: &Disk| {
            read(&patched(disk, offset, &sectors.to_le_bytes())).map(|image| image.size).ok()
        };
        assert_eq!(size(&Disk::old()), Some(old), "{sectors}");
        assert_eq!(size(&Disk::default()), extended, "{sectors}");
    }
}

#[test]
fn damage_is_found() {
    let version = offset_of!(Header, version);
    let tracks = offset_of!(Header, tracks);
    let entries = offset_of!(Header, bat_entries);
    let not_parallels = "Image not in Parallels format";
    let too_big = "Invalid image: Too big cluster";
    for (offset, value, expected) in [
        (0, 0, not_parallels),
        (8, 0, not_parallels),
        (version, 0, not_parallels),
        (version, 1, not_parallels),
        (version, 3, not_parallels),
        (tracks, 0, "Invalid image: Zero sectors per track"),
        (tracks, 1, ""),
        (tracks, MAX_CLUSTER_SECTORS, ""),
        (tracks, MAX_CLUSTER_SECTORS + 1, too_big),
        (tracks, u32::MAX, too_big),
        (entries, 0, ""),
        (entries, 1, ""),
        (entries, 3056, ""),
        (entries, 3057, "the BAT at 64 (12228 bytes) does not lie in the file"),
        (entries, MAX_BAT_ENTRIES, "the BAT at 64 (2147483644 bytes) does not lie in the file"),
        (entries, MAX_BAT_ENTRIES + 1, "Catalog too large"),
        (entries, u32::MAX, "Catalog too large"),
    ] {
        let bytes = patched(&Disk::default(), offset, &value.to_le_bytes());
        assert_eq!(said(&bytes), expected, "{value:#x} at {offset}");
    }
}

#[test]
fn a_bat_can_have_as_many_entries_as_there_is_file() {
    let mut header: Header = storage::read_struct(&Disk::default().bytes(), 0).unwrap();
    header.bat_entries = MAX_BAT_ENTRIES.into();
    let length = 64 + u64::from(MAX_BAT_ENTRIES) * 4;
    assert_eq!(header.layout(&Long::zeros(length)).unwrap().bat_entries, MAX_BAT_ENTRIES);
    assert!(header.layout(&Long::zeros(length - 1)).is_err());
}

#[test]
fn a_disk_has_a_largest_size() {
    let most = MAX_DISK / SECTOR;
    let too_large = "Could not refresh total sector count: File too large";
    for (sectors, expected) in [
        (most - 1, ""),
        (most, ""),
        (most + 1, too_large),
        (1 << 54, too_large),
        (1 << 55, too_large),
        (1 << 63, too_large),
        (u64::MAX, too_large),
    ] {
        let sectors = u64::to_le_bytes(sectors);
        let bytes = patched(&Disk::default(), offset_of!(Header, sectors), &sectors);
        assert_eq!(said(&bytes), expected, "{sectors:?}");
    }
}

#[test]
fn an_extension_has_its_magic() {
    let disk = Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() };
    let field = offset_of!(Header, extension_offset);
    let nothing = "Wrong parallels Format Extension magic: 0x0, expected: 0xab234cef23dcea87";
    let unreadable = "Failed to read Format Extension cluster: Input/output error";
    let too_big = "Invalid image: Too big offset";
    let last = (MAX_DISK - 4096) / SECTOR;
    for (offset, expected) in [
        (0_u64, ""),
        (24, ""),
        (1, nothing),
        (32, nothing),
        (last, nothing),
        (last + 1, unreadable),
        (MAX_EXTENSION_OFFSET - 1, unreadable),
        (MAX_EXTENSION_OFFSET, too_big),
        (u64::MAX, too_big),
    ] {
        let bytes = patched(&disk, field, &offset.to_le_bytes());
        assert_eq!(said(&bytes), expected, "{offset}");
    }
    // The header of the image in its place.
    let mut header: Header = storage::read_struct(&disk.bytes(), 0).unwrap();
    header.extension_offset = 24.into();
    let magic = patched(&disk, 24 * 512, b"WithoutF");
    let message = header.layout(&magic).unwrap_err().to_string();
    assert_eq!(
        message,
        "Wrong parallels Format Extension magic: 0x4674756f68746957, expected: \
         0xab234cef23dcea87"
    );
}

#[test]
fn what_is_in_an_extension_does_not_matter() {
    let disk = Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() };
    for offset in 12_288 + 8..12_288 + 4096 {
        assert_eq!(said(&patched(&disk, offset, &[0xff])), "", "{offset}");
    }
}

#[test]
fn other_fields_do_not_matter() {
    for (offset, length) in [
        (offset_of!(Header, heads), 8),
        (offset_of!(Header, in_use), 12),
        (size_of::<Header>(), 2560 * 4),
    ] {
        for value in [0, 1, 0xff] {
            let bytes = patched(&Disk::default(), offset, &[value; 2560 * 4][..length]);
            assert_eq!(read(&bytes).unwrap().size, 10 << 20, "{value} at {offset}");
        }
    }
}

#[test]
fn checks_come_in_the_order_of_qemu_img() {
    type Mend = fn(&mut Header);
    let mut header: Header = storage::read_struct(&Disk::default().bytes(), 0).unwrap();
    header.version = 0.into();
    header.tracks = 0.into();
    header.bat_entries = u32::MAX.into();
    header.extension_offset = u64::MAX.into();
    header.sectors = u64::MAX.into();
    // Each step mends what the message before complained of.
    let steps: [(&str, ErrorKind, Mend); 7] = [
        ("Image not in", ErrorKind::NotThisFormat, |it| it.version = VERSION.into()),
        ("Invalid image: Zero", ErrorKind::Corrupt, |it| it.tracks = u32::MAX.into()),
        ("Invalid image: Too big cluster", ErrorKind::Unsupported, |it| it.tracks = 8.into()),
        ("Catalog too large", ErrorKind::Unsupported, |it| it.bat_entries = (1 << 20).into()),
        ("Invalid image: Too big offset", ErrorKind::Corrupt, |it| it.extension_offset = 1.into()),
        ("the BAT at 64", ErrorKind::Corrupt, |it| it.bat_entries = 10.into()),
        ("Wrong parallels Format", ErrorKind::Corrupt, |it| it.extension_offset = 0.into()),
    ];
    let file: Box<dyn Storage> = Box::new(Long::zeros(512));
    for (message, kind, mend) in steps {
        let error = header.layout(file.as_ref()).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.kind(), kind, "{error}");
        mend(&mut header);
    }
    let error = header.layout(file.as_ref()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.to_string(), "Could not refresh total sector count: File too large");
}
