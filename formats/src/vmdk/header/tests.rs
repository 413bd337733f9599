use core::mem::{offset_of, size_of};
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::error::ErrorKind;
use crate::vmdk::sample::Hosted;

fn read(bytes: &Vec<u8>) -> Result<Sparse, Error> {
    let header: Header = sector::read(bytes, "header", 0)?;
    header.extent(bytes)
}

/// A sample with some bytes changed.
fn patched(sample: &Hosted, offset: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = sample.bytes();
    bytes[offset..offset + value.len()].copy_from_slice(value);
    bytes
}

fn said(bytes: &Vec<u8>) -> String {
    read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(size_of::<Header>() as u64, SECTOR);
    assert_eq!(size_of::<Footer>() as u64, FOOTER_SECTORS * SECTOR);
    for (offset, expected) in [
        (offset_of!(Header, capacity), 12),
        (offset_of!(Header, grain_size), 20),
        (offset_of!(Header, descriptor_offset), 28),
        (offset_of!(Header, descriptor_size), 36),
        (offset_of!(Header, table_entries), 44),
        (offset_of!(Header, redundant_directory_offset), 48),
        (offset_of!(Header, directory_offset), 56),
        (offset_of!(Header, overhead), 64),
        (offset_of!(Header, unclean_shutdown), 72),
        (offset_of!(Header, line_ends), 73),
        (offset_of!(Header, compression), 77),
    ] {
        assert_eq!(offset, expected);
    }
}

#[test]
fn the_header_describes_the_extent() {
    let sample = Hosted { capacity: 1 << 20, grain_size: 16, ..Hosted::default() };
    assert_eq!(
        read(&sample.bytes()).unwrap(),
        Sparse {
            capacity: 1 << 20,
            grain_size: 16,
            table_entries: 512,
            entries: Entries::Sectors,
            directory: 21 + 1 + 128 * 4,
            directory_entries: 128,
            redundant_directory: Some(21),
            compressed: false,
            markers: false,
            zeroed_grains: false,
            unclean: false,
        }
    );
}

#[test]
fn every_feature_is_seen() {
    let extent = |sample: Hosted| read(&sample.bytes()).unwrap();
    assert!(!extent(Hosted { version: 1, ..Hosted::default() }).zeroed_grains);
    assert!(extent(Hosted { version: 2, ..Hosted::default() }).zeroed_grains);
    assert!(!extent(Hosted { version: 3, ..Hosted::default() }).zeroed_grains);
    assert!(extent(Hosted { unclean: true, ..Hosted::default() }).unclean);
    assert_eq!(extent(Hosted { redundant: false, ..Hosted::default() }).redundant_directory, None);
    for footer in [false, true] {
        let extent = extent(Hosted { footer, ..Hosted::stream_optimized() });
        assert!(extent.compressed && extent.markers, "{footer}");
        assert_eq!(extent.directory_entries, 1);
    }
}

#[test]
fn damage_is_found() {
    let (version, flags) = (offset_of!(Header, version), offset_of!(Header, flags));
    let grain_size = offset_of!(Header, grain_size);
    let entries = offset_of!(Header, table_entries);
    let directory = offset_of!(Header, directory_offset);
    let redundant = offset_of!(Header, redundant_directory_offset);
    let overhead = offset_of!(Header, overhead);
    let compression = offset_of!(Header, compression);
    let capacity = offset_of!(Header, capacity);
    let length = Hosted::default().bytes().len() as u64;
    for (offset, value, expected) in [
        (version, 0, ""),
        (version, 3, ""),
        (version, 4, "Unsupported VMDK version 4"),
        (version, u32::MAX, "Unsupported VMDK version 4294967295"),
        (entries, 512, ""),
        (entries, 513, "L2 table size too big"),
        (entries, u32::MAX, "L2 table size too big"),
        (entries, 0, "L1 entry size is invalid"),
        (flags, 0, ""),
        (flags, u32::MAX, ""),
    ] {
        let bytes = patched(&Hosted::default(), offset, &value.to_le_bytes());
        assert_eq!(said(&bytes), expected, "{value:#x} at {offset}");
    }
    for (offset, value, expected) in [
        (grain_size, 0, "L1 entry size is invalid"),
        (grain_size, 1, ""),
        (grain_size, 0x20_0000, ""),
        (grain_size, 0x20_0001, "Invalid granularity, image may be corrupt"),
        (grain_size, u64::MAX, "Invalid granularity, image may be corrupt"),
        (overhead, length / 512, ""),
        (overhead, length / 512 + 1, "File truncated, expecting at least 66048 bytes"),
        (overhead, u64::MAX, "File truncated, expecting at least 9444732965739290426880 bytes"),
        (directory, length / 512 - 1, ""),
        (
            directory,
            length / 512,
            "the grain directory at sector 128 (4 bytes) does not lie in the file",
        ),
        (
            directory,
            u64::MAX - 1,
            "the grain directory at sector 18446744073709551614 (4 bytes) does not lie in the file",
        ),
        (redundant, 0, ""),
        (
            redundant,
            1 << 56,
            "the redundant grain directory at sector 72057594037927936 (4 bytes) does not lie in \
             the file",
        ),
        (capacity, 0, ""),
        (
            capacity,
            (32 << 20) * 512 * 128,
            "the grain directory at sector 26 (134217728 bytes) does not lie in the file",
        ),
        (capacity, (32 << 20) * 512 * 128 + 1, "L1 size too big"),
        (capacity, u64::MAX, "L1 size too big"),
    ] {
        let bytes = patched(&Hosted::default(), offset, &value.to_le_bytes());
        assert_eq!(said(&bytes), expected, "{value:#x} at {offset}");
    }
    for (value, expected) in [
        (1_u16, ""),
        (2, "Unsupported compression algorithm 2"),
        (u16::MAX, "Unsupported compression algorithm 65535"),
    ] {
        let bytes = patched(&Hosted::default(), compression, &value.to_le_bytes());
        assert_eq!(said(&bytes), expected);
    }
}

#[test]
fn a_redundant_directory_counts_only_with_its_flag() {
    let sample = Hosted { redundant: false, ..Hosted::default() };
    let offset = offset_of!(Header, redundant_directory_offset);
    let bytes = patched(&sample, offset, &u64::MAX.to_le_bytes());
    assert_eq!(read(&bytes).unwrap().redundant_directory, None);
}

#[test]
fn the_footer_takes_the_place_of_the_header() {
    let bytes = Hosted::stream_optimized().bytes();
    let footer = bytes.len() - size_of::<Footer>();
    let header = footer + offset_of!(Footer, header);
    let end = footer + offset_of!(Footer, end);
    for (offset, value, expected) in [
        // What the header at the front says does not matter.
        (offset_of!(Header, version), 9_u32, ""),
        (header + offset_of!(Header, version), 9, "Unsupported VMDK version 9"),
        (header, 0, "Invalid footer"),
        (footer + offset_of!(Marker, sectors), 7, ""),
        (footer + offset_of!(Marker, size), 1, "Invalid footer"),
        (footer + offset_of!(Marker, kind), 2, "Invalid footer"),
        (end + offset_of!(Marker, sectors), 1, "Invalid footer"),
        (end + offset_of!(Marker, size), 1, "Invalid footer"),
        (end + offset_of!(Marker, kind), 3, "Invalid footer"),
    ] {
        let bytes = patched(&Hosted::stream_optimized(), offset, &value.to_le_bytes());
        assert_eq!(said(&bytes), expected, "{value} at {offset}");
    }
    let offset = header + offset_of!(Header, directory_offset);
    let bytes = patched(&Hosted::stream_optimized(), offset, &DIRECTORY_AT_END.to_le_bytes());
    assert_eq!(read(&bytes).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_footer_needs_three_sectors() {
    let bytes = Hosted::stream_optimized().bytes();
    for (sectors, expected) in [
        (1, "Failed to read footer: Input/output error"),
        (2, "Failed to read footer: Input/output error"),
        (3, "Invalid footer"),
    ] {
        assert_eq!(said(&bytes[..sectors * 512].to_vec()), expected);
    }
}

#[test]
fn a_file_that_ends_early_is_an_error() {
    for sample in [Hosted::default(), Hosted::stream_optimized()] {
        let bytes = sample.bytes();
        // The footer is found from the end, so that all of its file but the rest
        // of the last sector matters; other files have padding at their end.
        let last = if sample.footer { bytes.len() - 511 } else { 127 * 512 + 1 };
        for length in 0..bytes.len() {
            let read = read(&bytes[..length].to_vec());
            // The rest of a sector is zeros, with which a part of the header can
            // be one of something else.
            assert!(length < 512 || read.is_ok() == (length >= last), "{length}");
        }
    }
}
