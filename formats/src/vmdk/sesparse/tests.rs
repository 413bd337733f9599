use core::mem::{offset_of, size_of};
use std::string::{String, ToString};

use super::*;
use crate::vmdk::SECTOR;
use crate::vmdk::sample::SeSparse;

/// What is said of a sample with one number changed.
fn said(offset: usize, value: u64) -> String {
    let mut bytes = SeSparse::default().bytes();
    bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    read(&bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn headers_have_a_sector() {
    assert_eq!(size_of::<ConstHeader>() as u64, SECTOR);
    assert_eq!(size_of::<VolatileHeader>() as u64, SECTOR);
}

#[test]
fn the_headers_describe_the_extent() {
    let extent = read(&SeSparse { capacity: 1 << 20 }.bytes()).unwrap();
    assert_eq!((extent.capacity, extent.grain_size, extent.table_entries), (1 << 20, 8, 4096));
    assert_eq!((extent.directory, extent.directory_entries), (2, 64));
    assert_eq!(extent.entries, Entries::Typed { tables: 3, grains: 67 });
}

#[test]
fn only_what_is_known_is_read() {
    for (offset, value, expected) in [
        (offset_of!(ConstHeader, magic), 1, "Bad const header magic: 0x0000000000000001"),
        (offset_of!(ConstHeader, version), 1, "Unsupported version: 0x0000000000000001"),
        (offset_of!(ConstHeader, grain_size), 16, "Unsupported grain size: 16"),
        (offset_of!(ConstHeader, grain_table_size), 63, "Unsupported grain table size: 63"),
        (offset_of!(ConstHeader, flags), 3, "Unsupported flags: 0x0000000000000003"),
        (
            offset_of!(ConstHeader, reserved) + 8,
            4,
            "Unsupported reserved bits: 0x0000000000000000 0x0000000000000004 \
             0x0000000000000000 0x0000000000000000",
        ),
        (offset_of!(ConstHeader, padding) + 296, 1, "Unsupported non-zero const header padding"),
        (512, 5, "Bad volatile header magic: 0x0000000000000005"),
        (
            512 + offset_of!(VolatileHeader, replay_journal),
            1,
            "Image is dirty, Replaying journal not supported",
        ),
        (
            512 + offset_of!(VolatileHeader, padding) + 472,
            1,
            "Unsupported non-zero volatile header padding",
        ),
        (
            offset_of!(ConstHeader, volatile_header_offset),
            u64::MAX,
            "the volatile header at sector 18446744073709551615 (512 bytes) does not lie in \
             the file",
        ),
        (
            offset_of!(ConstHeader, grain_directory_offset),
            1 << 60,
            "the grain directory at sector 1152921504606846976 (512 bytes) does not lie in \
             the file",
        ),
        (
            offset_of!(ConstHeader, grain_directory_size),
            (32 << 20) / 64,
            "the grain directory at sector 2 (268435456 bytes) does not lie in the file",
        ),
        (offset_of!(ConstHeader, grain_directory_size), (32 << 20) / 64 + 1, "L1 size too big"),
        (offset_of!(ConstHeader, grain_directory_size), u64::MAX, "L1 size too big"),
    ] {
        assert_eq!(said(offset, value), expected);
    }
}

#[test]
fn the_file_has_headers_and_directory() {
    let bytes = SeSparse::default().bytes();
    for length in 1..bytes.len() {
        // Behind the headers the directory has a sector, and a sector of
        // zeros is as good as one that is partly there.
        assert_eq!(read(&bytes[..length].to_vec()).is_ok(), length > 1024, "{length}");
    }
}
