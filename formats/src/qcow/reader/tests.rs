use alloc::rc::Rc;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::Format;
use crate::qcow::Qcow;
use crate::qcow::sample::Sample;

/// Where the L2 table is, not even at a word, which nobody asks for.
const TABLE: usize = 0x1003;

/// An image with clusters of 4 KiB and one L2 table, which starts with these entries.
fn file(l2: &[u64]) -> Vec<u8> {
    let mut bytes = Sample::default().bytes();
    // The L1 table is behind the header.
    bytes[48..56].copy_from_slice(&(TABLE as u64).to_be_bytes());
    bytes.resize(TABLE + 4096, 0);
    let entries = l2.iter().flat_map(|entry| entry.to_be_bytes());
    bytes[TABLE..].iter_mut().zip(entries).for_each(|(target, byte)| *target = byte);
    bytes
}

fn extent(bytes: Vec<u8>, offset: u64, limit: u64) -> Result<Extent, String> {
    let image = Qcow.open(Rc::new(bytes)).unwrap();
    image.extent(offset, limit).map_err(|error| error.to_string())
}

fn data(offset: u64) -> Content {
    Content::Data(Place::own(offset))
}

#[test]
fn entries_say_where_clusters_are() {
    let l2 = [0x5000, 0x6000, 0, 0, 0x8200, 0x7fff_ffff_bfff_f000];
    for (offset, limit, length, content) in [
        (0, 1 << 20, 8192, data(0x5000)),
        (5, 4096, 4096, data(0x5005)),
        (8192, 1 << 20, 8192, Content::Unallocated),
        (16384, 1 << 20, 4096, data(0x8200)),
        (20480, 1 << 20, 4096, data(0x7fff_ffff_bfff_f000)),
        (24576, 1 << 19, 1 << 19, Content::Unallocated),
    ] {
        let found = extent(file(&l2), offset, limit);
        assert_eq!(found, Ok(Extent { length, content }), "{limit} at {offset}");
    }
    // Nothing is in an image without L2 tables.
    let nothing = Extent { length: 1 << 20, content: Content::Unallocated };
    assert_eq!(extent(Sample::default().bytes(), 0, 1 << 20), Ok(nothing));
}

#[test]
fn compressed_clusters_have_a_place_and_a_length() {
    for (place, length) in [(0x1234, 1), (0, 4095), ((1 << 51) - 1, 0)] {
        let entry = COMPRESSED | length << 51 | place;
        let found = extent(file(&[0, entry, entry]), 4099, 8192).unwrap();
        let unit = Compressed {
            place: Place::own(place),
            length,
            codec: Codec::Deflate,
            size: 4096,
            skip: 3,
        };
        let expected = Extent { length: 4093, content: Content::Compressed(unit) };
        assert_eq!(found, expected, "{entry:#x}");
    }
    for (cluster_size, bits) in [(512, 54), (4096, 51), (65_536, 47)] {
        assert_eq!(compressed_offset_bits(cluster_size), bits);
    }
}

#[test]
fn damaged_entries_are_errors() {
    for (entry, expected) in [
        (0x5001, "cluster 1 of the disk lies at 20481, inside a sector"),
        (
            0x7fff_ffff_c000_0000,
            "cluster 1 of the disk lies at 9223372035781033984, where no file reaches",
        ),
    ] {
        assert_eq!(extent(file(&[0, entry]), 4096, 1), Err(expected.into()));
        // What comes before is not touched.
        let before = extent(file(&[0, entry]), 0, 8192).unwrap();
        assert_eq!(before.length, 4096);
    }
    let mut bytes = file(&[]);
    bytes[48] = 0x80;
    let expected = "L2 table 0 lies at 9223372036854779907, where no file reaches";
    assert_eq!(extent(bytes, 0, 1), Err(expected.into()));
}

#[test]
fn what_lies_behind_the_end_of_the_file_is_zeros() {
    let mut bytes = file(&[0x5000, 0x7000]);
    bytes.truncate(0x1200);
    assert_eq!(extent(bytes, 0, 8192).unwrap().content, data(0x5000));
    let mut bytes = file(&[]);
    bytes[51] = 9;
    assert_eq!(extent(bytes, 0, 8192).unwrap().content, Content::Unallocated);
}

#[test]
fn encrypted_content_cannot_be_read() {
    for (encrypted, expected) in
        [(false, ""), (true, "Parameter 'encrypt.key-secret' is required for cipher")]
    {
        let image = Qcow.open(Rc::new(Sample { encrypted, ..Sample::default() }.bytes())).unwrap();
        let said = image.check_content().map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(said, expected);
    }
}
