use core::mem::{offset_of, size_of};
use std::string::{String, ToString};

use super::*;
use crate::luks::sample::{UUID, Version2, with_checksum};

/// What is said of the copy at `offset` of a file.
fn said(bytes: &Vec<u8>, offset: u64) -> String {
    let read = Header::read(bytes, offset).unwrap();
    let text = read.and_then(|header| header.metadata(bytes).unwrap());
    text.map_or_else(|fault| fault.to_string(), |_| String::new())
}

/// The first header of the sample with a field changed, and its checksum.
fn with(offset: usize, value: &[u8]) -> Vec<u8> {
    let sample = Version2::default();
    let mut bytes = sample.header(0, sample.metadata().as_bytes());
    bytes[offset..offset + value.len()].copy_from_slice(value);
    with_checksum(bytes)
}

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(size_of::<Header>(), 512);
    for (offset, expected) in [
        (offset_of!(Header, version), 6),
        (offset_of!(Header, size), 8),
        (offset_of!(Header, sequence), 16),
        (offset_of!(Header, label), 24),
        (offset_of!(Header, checksum_algorithm), 72),
        (offset_of!(Header, salt), 104),
        (offset_of!(Header, uuid), 168),
        (offset_of!(Header, subsystem), 208),
        (offset_of!(Header, offset), 256),
        (offset_of!(Header, checksum), 448),
    ] {
        assert_eq!(offset, expected);
    }
}

#[test]
fn both_copies_have_the_metadata() {
    for size in SIZES {
        let sample = Version2 { header_size: size, ..Version2::default() };
        let bytes = sample.bytes();
        for offset in [0, size] {
            let header = Header::read(&bytes, offset).unwrap().unwrap();
            assert_eq!(
                (header.sequence.get(), text::until_nul(&header.uuid)),
                (3, UUID.as_bytes())
            );
            let text = header.metadata(&bytes).unwrap().unwrap();
            assert_eq!(text, sample.metadata().into_bytes(), "{size} {offset}");
        }
    }
}

#[test]
fn headers_are_recognised() {
    let bytes = Version2::default().bytes();
    assert_eq!(said(&bytes, 512), "there is no header at 512");
    // Each copy has a magic of its own.
    let moved = [&bytes[16 << 10..32 << 10], &bytes[..16 << 10]].concat();
    assert_eq!(said(&moved, 0), "there is no header at 0");
    assert_eq!(said(&moved, 16 << 10), "there is no header at 16384");
    assert_eq!(said(&with(0, b"l"), 0), "there is no header at 0");
    for version in [0_u16, 1, 3, u16::MAX] {
        assert_eq!(said(&with(6, &version.to_be_bytes()), 0), "there is no header at 0");
    }
}

#[test]
fn a_header_is_where_it_says() {
    assert_eq!(said(&with(256, &1_u64.to_be_bytes()), 0), "the header at 0 belongs to 1");
    let sample = Version2::default();
    let mut bytes = sample.bytes();
    bytes.drain(..16 << 10);
    // At a place that is not its own; and at one that is not its size.
    let moved = [vec![0; 32 << 10], bytes.clone()].concat();
    assert_eq!(said(&moved, 32 << 10), "the header at 32768 belongs to 16384");
    let mut header = sample.header(32 << 10, b"{}");
    header.splice(0..0, vec![0; 32 << 10]);
    assert_eq!(said(&header, 32 << 10), "a header cannot have 16384 bytes");
}

#[test]
fn a_header_has_one_of_the_sizes() {
    for size in [0, 4096, 8192, (16 << 10) - 1, (16 << 10) + 1, 48 << 10, 8 << 20, u64::MAX] {
        let expected = std::format!("a header cannot have {size} bytes");
        assert_eq!(said(&with(8, &size.to_be_bytes()), 0), expected);
    }
    // It has to be in the file.
    let expected = "the header at 0 (4194304 bytes) does not lie in the file";
    assert_eq!(said(&with(8, &(4_u64 << 20).to_be_bytes()), 0), expected);
}

#[test]
fn only_one_kind_of_checksum_is_known() {
    for name in ["sha1", "sha512", "SHA256", "sha2566", ""] {
        let mut field = [0; 32];
        field[..name.len()].copy_from_slice(name.as_bytes());
        let expected = std::format!("Checksum algorithm '{name}' not supported");
        assert_eq!(said(&with(72, &field), 0), expected);
    }
    let expected = std::format!("Checksum algorithm '{}' not supported", "x".repeat(32));
    assert_eq!(said(&with(72, &[b'x'; 32]), 0), expected);
}

#[test]
fn the_checksum_is_over_header_and_metadata() {
    let sample = Version2 { header_size: 64 << 10, ..Version2::default() };
    let bytes = sample.header(0, sample.metadata().as_bytes());
    assert_eq!(said(&bytes, 0), "");
    for place in [16, 24, 104, 168, 208, 264, 448, 479, 512, 4095, 4096, 5000, 40_000, 65_535] {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        assert_eq!(said(&bytes, 0), "the checksum of the header is wrong", "{place}");
    }
    // What is behind the checksum in its field does not count.
    let mut other = bytes.clone();
    other[480] ^= 1;
    assert_eq!(said(&other, 0), "");
}

#[test]
fn metadata_end_with_zeros() {
    let sample = Version2::default();
    let room = (16 << 10) - 4096;
    for (text, expected) in [
        (vec![b' '; room - 1], ""),
        (vec![b' '; room], "the metadata have no end"),
        (Vec::new(), ""),
        (b"{}\0".to_vec(), ""),
        (b"{}\0{}".to_vec(), "the metadata have no end"),
        ([&b"{}"[..], &[0; 10_000], b"x"].concat(), "the metadata have no end"),
    ] {
        assert_eq!(said(&sample.header(0, &text), 0), expected);
    }
    // The end can be in any of the pieces that are read.
    let sample = Version2 { header_size: 128 << 10, ..sample };
    for length in [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK] {
        let bytes = sample.header(0, &vec![b' '; length]);
        let header = Header::read(&bytes, 0).unwrap().unwrap();
        assert_eq!(header.metadata(&bytes).unwrap().unwrap().len(), length);
        let mut bytes = bytes;
        bytes[4096 + length + 1] = b'x';
        assert_eq!(said(&with_checksum(bytes), 0), "the metadata have no end");
    }
}

#[test]
fn a_header_that_is_cut_off_is_an_error() {
    let sample = Version2::default();
    let bytes = sample.header(0, sample.metadata().as_bytes());
    for length in 0..bytes.len() {
        let size = if length < 4096 { 4096 } else { 16_384 };
        let expected = std::format!("the header at 0 ({size} bytes) does not lie in the file");
        assert_eq!(said(&bytes[..length].to_vec(), 0), expected);
    }
    assert_eq!(
        said(&bytes, u64::MAX),
        "the header at 18446744073709551615 (4096 bytes) does not lie in the file"
    );
}
