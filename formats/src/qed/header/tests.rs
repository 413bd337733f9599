use core::mem::{offset_of, size_of};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::error::ErrorKind;
use crate::qed::sample::Disk;
use crate::testing::Long;

fn read(bytes: &Vec<u8>) -> Result<Layout, Error> {
    let header: Header = storage::read_struct(bytes, 0)?;
    header.layout(bytes)
}

/// Why there is no image; nothing if there is one.
fn said(bytes: &Vec<u8>) -> String {
    read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

/// The usual sample with some bytes changed.
fn patched(offset: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = Disk::default().bytes();
    bytes[offset..offset + value.len()].copy_from_slice(value);
    bytes
}

/// The header of a sample whose files are as long as one likes.
fn header() -> Header {
    storage::read_struct(&Disk::default().bytes(), 0).unwrap()
}

fn said_of(header: &Header, file_length: u64) -> String {
    let image = header.layout(&Long::zeros(file_length));
    image.map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(size_of::<Header>(), 64);
    for (offset, expected) in [
        (offset_of!(Header, cluster_size), 4),
        (offset_of!(Header, table_size), 8),
        (offset_of!(Header, header_size), 12),
        (offset_of!(Header, features), 16),
        (offset_of!(Header, compat_features), 24),
        (offset_of!(Header, autoclear_features), 32),
        (offset_of!(Header, l1_table_offset), 40),
        (offset_of!(Header, image_size), 48),
        (offset_of!(Header, backing_name_offset), 56),
        (offset_of!(Header, backing_name_size), 60),
    ] {
        assert_eq!(offset, expected);
    }
}

#[test]
fn the_header_describes_the_image() {
    let geometry = Geometry { cluster_size: 4096, table_size: 8192, header_size: 4096 };
    let image = Layout {
        size: 10 << 20,
        geometry,
        l1_table: 4096,
        features: Features::empty(),
        backing: None,
    };
    assert_eq!(read(&Disk::default().bytes()).unwrap(), image);
    let disk = Disk {
        size: 1 << 40,
        cluster_size: 65_536,
        table_size: 4,
        features: Features::NEED_CHECK | Features::BACKING_FORMAT_NO_PROBE,
        backing: Some(b"../base.raw".to_vec()),
    };
    let expected = Layout {
        size: 1 << 40,
        geometry: Geometry { cluster_size: 65_536, table_size: 262_144, header_size: 65_536 },
        l1_table: 65_536,
        features: Features::all(),
        backing: Some(Backing { path: b"../base.raw".to_vec(), format: Some(b"raw".to_vec()) }),
    };
    assert_eq!(read(&disk.bytes()).unwrap(), expected);
}

#[test]
fn damage_is_found() {
    let cluster = offset_of!(Header, cluster_size);
    let table = offset_of!(Header, table_size);
    let header = offset_of!(Header, header_size);
    let (bad_cluster, bad_table) = ("QED cluster size is invalid", "QED table size is invalid");
    let (bad_size, bad_offset) = ("QED image size is invalid", "QED table offset is invalid");
    for (offset, value, expected) in [
        (0, 0, "Image not in QED format"),
        (0, 0x0144_4551, "Image not in QED format"),
        (cluster, 0, bad_cluster),
        (cluster, 2048, bad_cluster),
        (cluster, 4096, ""),
        (cluster, 4097, bad_cluster),
        (cluster, 6144, bad_cluster),
        // All is well with these but the rest of the sample.
        (cluster, 8192, bad_offset),
        (cluster, MAX_CLUSTER_SIZE, bad_size),
        (cluster, MAX_CLUSTER_SIZE << 1, bad_cluster),
        (cluster, u32::MAX, bad_cluster),
        (table, 0, bad_table),
        (table, 1, bad_offset),
        (table, 2, ""),
        (table, 3, bad_table),
        (table, 4, bad_offset),
        (table, 8, bad_offset),
        (table, 16, bad_offset),
        (table, 17, bad_table),
        (table, 32, bad_table),
        (table, u32::MAX, bad_table),
        (header, 0, ""),
        (header, 1, ""),
        (header, 2, bad_offset),
        (header, u32::MAX, bad_offset),
    ] {
        let bytes = patched(offset, &u32::to_le_bytes(value));
        assert_eq!(said(&bytes), expected, "{value:#x} at {offset}");
    }
}

#[test]
fn unknown_features_are_named() {
    let unsupported = "Unsupported QED features: ";
    for (features, expected) in [
        (0_u64, None),
        (2, None),
        (4, None),
        (6, None),
        (8, Some("8")),
        (15, Some("8")),
        (1 << 63, Some("8000000000000000")),
        (u64::MAX, Some("fffffffffffffff8")),
    ] {
        let message = said(&patched(offset_of!(Header, features), &features.to_le_bytes()));
        let expected = expected.map(|bits| unsupported.to_string() + bits);
        assert_eq!(message, expected.unwrap_or_default(), "{features:#x}");
    }
}

#[test]
fn other_features_do_not_matter() {
    for offset in [offset_of!(Header, compat_features), offset_of!(Header, autoclear_features)] {
        assert_eq!(said(&patched(offset, &[0xff; 8])), "");
    }
    // Nor does the name of a backing file that there is none of.
    assert_eq!(said(&patched(offset_of!(Header, backing_name_offset), &[0xff; 8])), "");
}

#[test]
fn a_disk_is_as_large_as_its_tables_cover() {
    let bad = "QED image size is invalid";
    let too_large = "Could not refresh total sector count: File too large";
    for (cluster_size, table_size, size, expected) in [
        (4096, 2, 0, ""),
        (4096, 2, 1, bad),
        (4096, 2, 511, bad),
        (4096, 2, 512, ""),
        (4096, 2, 513, bad),
        (4096, 2, 4 << 30, ""),
        (4096, 2, (4 << 30) + 512, bad),
        (65_536, 4, 64 << 40, ""),
        (65_536, 4, (64 << 40) + 512, bad),
        (2 << 20, 8, MAX_DISK - 512, ""),
        (2 << 20, 8, MAX_DISK, ""),
        (2 << 20, 8, MAX_DISK + 512, too_large),
        (2 << 20, 8, 1 << 63, too_large),
        (2 << 20, 8, (1 << 63) + 512, bad),
        // Tables that cover more than 64 bits can count.
        (2 << 20, 16, 0, ""),
        (2 << 20, 16, 512, bad),
        (MAX_CLUSTER_SIZE, 16, 0, ""),
        (MAX_CLUSTER_SIZE, 16, 1 << 30, bad),
    ] {
        let mut header = header();
        header.cluster_size = cluster_size.into();
        header.table_size = table_size.into();
        header.l1_table_offset = u64::from(cluster_size).into();
        header.image_size = size.into();
        assert_eq!(said_of(&header, 2 << 30), expected, "{size} by {table_size}*{cluster_size}");
    }
}

#[test]
fn the_table_lies_in_the_file_behind_the_header() {
    let bad = "QED table offset is invalid";
    for (offset, file_length, expected) in [
        (4096, 12_288, ""),
        (4096, 12_287, bad),
        (4096, 16_383, ""),
        (4096, 0, bad),
        (0, 12_288, bad),
        (512, 12_288, bad),
        (4097, 16_384, bad),
        (8192, 12_288, bad),
        (8192, 16_384, ""),
        (1 << 40, (1 << 40) + 8192, ""),
        (1 << 40, (1 << 40) + 8191, bad),
        (u64::MAX - 4095, u64::MAX, bad),
        (u64::MAX - 8191, u64::MAX, bad),
        (u64::MAX - 12_287, u64::MAX, ""),
        (u64::MAX, u64::MAX, bad),
    ] {
        let mut header = header();
        header.l1_table_offset = offset.into();
        assert_eq!(said_of(&header, file_length), expected, "{offset:#x} in {file_length:#x}");
    }
}

#[test]
fn tables_of_one_cluster_are_not_opened() {
    for (table_size, expected) in [(1, "QED table offset is invalid"), (2, ""), (16, "")] {
        let disk = Disk { table_size, size: 1 << 20, ..Disk::default() };
        assert_eq!(said(&disk.bytes()), expected, "{table_size}");
    }
}

#[test]
fn a_header_has_a_largest_size() {
    let too_large = "QED header size is too large";
    for (header_size, expected) in
        [((1 << 20) - 1, ""), (1 << 20, too_large), (u32::MAX, too_large)]
    {
        let mut header = header();
        header.header_size = header_size.into();
        header.l1_table_offset = (1 << 44).into();
        assert_eq!(said_of(&header, 1 << 45), expected, "{header_size}");
    }
}

#[test]
fn a_backing_file_has_a_name_in_front_of_the_table() {
    let bad = "QED backing filename offset is invalid";
    let too_long = "Failed to read backing filename";
    let name = |offset: u32, size: u32, header_size: u32| {
        let disk = Disk { backing: Some(b"base".to_vec()), ..Disk::default() };
        let mut bytes = disk.bytes();
        bytes[4092..4096].copy_from_slice(b"last");
        // The name may be longer than a cluster.
        bytes.splice(4096..4096, vec![b'x'; 4096 * 3]);
        let l1_table = offset_of!(Header, l1_table_offset);
        bytes[l1_table..l1_table + 8].copy_from_slice(&(4096_u64 * 4).to_le_bytes());
        bytes[12..16].copy_from_slice(&header_size.to_le_bytes());
        bytes[56..60].copy_from_slice(&offset.to_le_bytes());
        bytes[60..64].copy_from_slice(&size.to_le_bytes());
        let backing = read(&bytes).map(|image| image.backing);
        backing.map_err(|error| error.to_string())
    };
    let found = |path: &[u8]| Ok(Some(Backing { path: path.to_vec(), format: None }));
    for (offset, size, header_size, expected) in [
        (64, 4, 1, found(b"base")),
        (64, 2, 1, found(b"ba")),
        (64, 5, 1, found(b"base")),
        (64, 0, 1, Ok(None)),
        (68, 4, 1, Ok(None)),
        (0, 4, 1, found(b"QED")),
        (4092, 4, 1, found(b"last")),
        (4092, 5, 1, Err(bad.into())),
        (4096, 0, 1, Ok(None)),
        (4097, 0, 1, Err(bad.into())),
        (64, 0, 0, Err(bad.into())),
        (u32::MAX, u32::MAX, 1, Err(bad.into())),
        (4096, 1, 2, found(b"x")),
        (4096, 4094, 4, found(&[b'x'; 4094])),
        (4096, MAX_BACKING_NAME, 4, found(&[b'x'; 4095])),
        (4096, MAX_BACKING_NAME + 1, 4, Err(too_long.into())),
        (4096, 4096 * 3, 4, Err(too_long.into())),
        (4096, 4096 * 3 + 1, 4, Err(bad.into())),
    ] {
        assert_eq!(name(offset, size, header_size), expected, "{size} at {offset}");
    }
}

#[test]
fn the_format_of_a_backing_file_is_raw_or_unknown() {
    let raw = Features::BACKING_FORMAT_NO_PROBE;
    for (backing, features, expected) in [
        (None, Features::empty(), None),
        (None, raw, None),
        (Some(&b"a"[..]), Features::empty(), Some(None)),
        (Some(b"a"), raw, Some(Some(b"raw".to_vec()))),
        (Some(b""), raw, None),
        (Some(b"\0a"), raw, None),
    ] {
        let backing = backing.map(<[u8]>::to_vec);
        let disk = Disk { features, backing, ..Disk::default() };
        let image = read(&disk.bytes()).unwrap();
        assert_eq!(image.backing.map(|backing| backing.format), expected);
    }
}

#[test]
fn checks_come_in_the_order_of_qemu_img() {
    type Mend = fn(&mut Header);
    let mut header = header();
    header.magic = [0; 4];
    header.features = u64::MAX.into();
    header.cluster_size = 0.into();
    header.table_size = 0.into();
    header.image_size = u64::MAX.into();
    header.l1_table_offset = 0.into();
    header.header_size = (1 << 12).into();
    header.backing_name_offset = u32::MAX.into();
    header.backing_name_size = 4096.into();
    // Each step mends what the message before complained of.
    let steps: [(&str, ErrorKind, Mend); 9] = [
        ("Image not in QED format", ErrorKind::NotThisFormat, |it| it.magic = MAGIC),
        ("Unsupported QED features", ErrorKind::Unsupported, |it| it.features = 7.into()),
        ("QED cluster size is", ErrorKind::Corrupt, |it| it.cluster_size = (2 << 20).into()),
        ("QED table size is", ErrorKind::Corrupt, |it| it.table_size = 8.into()),
        ("QED image size is", ErrorKind::Corrupt, |it| it.image_size = (1 << 63).into()),
        ("QED table offset is", ErrorKind::Corrupt, |it| it.l1_table_offset = (1 << 40).into()),
        ("QED header size is", ErrorKind::Corrupt, |it| it.header_size = 1.into()),
        ("QED backing filename", ErrorKind::Corrupt, |it| it.backing_name_offset = 64.into()),
        ("Failed to read", ErrorKind::Unsupported, |it| it.backing_name_size = 4.into()),
    ];
    let file = Long::zeros(1 << 45);
    for (message, kind, mend) in steps {
        let error = header.layout(&file).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.kind(), kind, "{error}");
        mend(&mut header);
    }
    let error = header.layout(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.to_string(), "Could not refresh total sector count: File too large");
}
