use alloc::rc::Rc;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::Format;
use crate::image::{Image, SnapshotChoice};
use crate::qcow2::Qcow2;
use crate::qcow2::sample::{Sample, Snapshot};
use crate::qcow2::snapshot;
use zerocopy::IntoBytes;

/// An image with one L2 table, which starts with these words. It is the last cluster.
fn file(sample: &Sample, l2: &[u64]) -> Vec<u8> {
    let mut bytes = sample.bytes();
    let cluster_size = 1 << sample.cluster_bits;
    let table = bytes.len();
    bytes.resize(table + cluster_size, 0);
    let words = l2.iter().flat_map(|word| word.to_be_bytes());
    bytes[table..].iter_mut().zip(words).for_each(|(target, byte)| *target = byte);
    // The L1 table is the second cluster.
    bytes[cluster_size..][..8].copy_from_slice(&(table as u64 | COPIED).to_be_bytes());
    bytes
}

fn opened(bytes: Vec<u8>) -> alloc::boxed::Box<dyn Image> {
    Qcow2.open(Rc::new(bytes)).unwrap()
}

fn extent(sample: &Sample, l2: &[u64], offset: u64, limit: u64) -> Result<Extent, String> {
    let found = opened(file(sample, l2)).extent(offset, limit);
    found.map_err(|error| error.to_string())
}

fn data(offset: u64) -> Content {
    Content::Data(Place::own(offset))
}

/// Version 3 with clusters of 512 bytes, and 64 of them to an L2 table.
fn plain() -> Sample {
    Sample::default()
}

#[test]
fn entries_say_where_clusters_are() {
    let zero_at = |place| Content::Zero(Some(Place::own(place)));
    for (entry, expected) in [
        (0, Content::Unallocated),
        (COPIED, Content::Unallocated),
        (0x4000, data(0x4000)),
        (COPIED | 0x4000, data(0x4000)),
        (OFFSET, data(OFFSET)),
        // What is reserved does not matter.
        (0x3f00_0000_0000_01fe | 0x4000, data(0x4000)),
        (ZERO, Content::Zero(None)),
        (ZERO | COPIED | 0x4000, zero_at(0x4000)),
    ] {
        let found = extent(&plain(), &[entry], 0, 512);
        assert_eq!(found, Ok(Extent { length: 512, content: expected }), "{entry:#x}");
    }
}

#[test]
fn clusters_that_follow_each_other_are_one_extent() {
    let l2 = [0x4000, COPIED | 0x4200, 0x4600, 0, 0, ZERO, ZERO, ZERO | 0x5000];
    for (offset, limit, length, content) in [
        (0, 1 << 20, 1024, data(0x4000)),
        (100, 200, 200, data(0x4064)),
        (1000, 1 << 20, 24, data(0x43e8)),
        (1024, 1 << 20, 512, data(0x4600)),
        (1536, 1 << 20, 1024, Content::Unallocated),
        (2560, 1 << 20, 1024, Content::Zero(None)),
        (3584, 512, 512, Content::Zero(Some(Place::own(0x5000)))),
        // The rest of the table, and what has no table.
        (4096, (1 << 20) - 4096, (1 << 20) - 4096, Content::Unallocated),
        (64 * 512, 10, 10, Content::Unallocated),
    ] {
        let found = extent(&plain(), &l2, offset, limit);
        assert_eq!(found, Ok(Extent { length, content }), "{limit} at {offset}");
    }
}

#[test]
fn compressed_clusters_have_a_place_and_sectors() {
    // Bits of the place, and what an entry makes of all of its bits.
    for (cluster_bits, offset_bits) in [(9, 61), (12, 58), (16, 54), (21, 49)] {
        assert_eq!(compressed_offset_bits(1 << cluster_bits), offset_bits);
        let size = 1 << cluster_bits;
        let sample = Sample { cluster_bits, ..plain() };
        let most = (1 << (62 - offset_bits)) - 1;
        for (place, sectors) in [(0x1234, 0), (0x1234, 1), ((1 << offset_bits) - 1, most)] {
            let entry = COMPRESSED | sectors << offset_bits | place;
            let length = (sectors + 1) * 512 - place % 512;
            for (compression, codec) in [(0, Codec::Deflate), (1, Codec::Zstandard)] {
                let incompatible = if compression == 0 { 0 } else { 8 };
                let sample = Sample { compression, incompatible, ..sample.clone() };
                let found = extent(&sample, &[entry, entry], 3, 2 * size).unwrap();
                let unit = Compressed { place: Place::own(place), length, codec, size, skip: 3 };
                // Each is an extent by itself.
                let expected = Extent { length: size - 3, content: Content::Compressed(unit) };
                assert_eq!(found, expected, "{entry:#x}");
            }
        }
    }
}

#[test]
fn subclusters_have_bits() {
    let sample = Sample { cluster_bits: 14, incompatible: 16, ..plain() };
    let place = 0x10000;
    let zero_at = |offset| Content::Zero(Some(Place::own(offset)));
    let all = u64::from(u32::MAX);
    for (entry, bitmap, offset, length, content) in [
        (place, all, 0, 16384, data(place)),
        (place, all, 700, 15684, data(place + 700)),
        (place, 0, 0, 16384, Content::Reserved(Place::own(place))),
        (place, all << 32, 0, 16384, zero_at(place)),
        (place, 0b0110, 0, 512, Content::Reserved(Place::own(place))),
        (place, 0b0110, 512, 1024, data(place + 512)),
        (place, 0b0110, 1000, 536, data(place + 1000)),
        (place, 0b0110, 1536, 14848, Content::Reserved(Place::own(place + 1536))),
        (place, 1 << 31, 15872, 512, data(place + 15872)),
        (place, (0b1100 << 32) | 0b0011, 0, 1024, data(place)),
        (place, (0b1100 << 32) | 0b0011, 1024, 1024, zero_at(place + 1024)),
        (0, 0, 0, 16384, Content::Unallocated),
        (0, 0b1100 << 32, 0, 1024, Content::Unallocated),
        (0, 0b1100 << 32, 1024, 1024, Content::Zero(None)),
        // The bit for zeros is reserved here.
        (place | ZERO, all, 0, 16384, data(place)),
    ] {
        let found = extent(&sample, &[entry, bitmap], offset, 16384 - offset);
        assert_eq!(found, Ok(Extent { length, content }), "{entry:#x} {bitmap:#x} {offset}");
    }
    // Clusters go on where subclusters do.
    let l2 = [place, all << 16 & all, place + 16384, 1];
    let found = extent(&sample, &l2, 8192, 24576);
    assert_eq!(found, Ok(Extent { length: 8704, content: data(place + 8192) }));
    // A compressed cluster has none, whatever the bits say.
    let found = extent(&sample, &[COMPRESSED | place, u64::MAX], 0, 32768).unwrap();
    assert_eq!(found.length, 16384);
    assert!(matches!(found.content, Content::Compressed(_)));
}

#[test]
fn data_in_another_file_is_where_it_is_on_the_disk() {
    let sample = Sample { incompatible: 4, ..plain() };
    let other = |offset| Place { file: File::Other(0), offset };
    for (l2, expected) in [
        (
            &[COPIED, COPIED | 512, 1024][..],
            Extent { length: 1536, content: Content::Data(other(0)) },
        ),
        (&[0, COPIED | 512], Extent { length: 512, content: Content::Unallocated }),
        (&[COPIED | ZERO], Extent { length: 512, content: Content::Zero(Some(other(0))) }),
        (&[ZERO], Extent { length: 512, content: Content::Zero(None) }),
    ] {
        assert_eq!(extent(&sample, l2, 0, 4096), Ok(expected), "{l2:?}");
    }
    for (l2, expected) in [
        (
            [COPIED | 512],
            "External data file host cluster offset 0x200 does not match guest cluster offset: \
             0x0, L2 index: 0x0)",
        ),
        (
            [COMPRESSED | 512],
            "Compressed cluster entry found in image with external data file (L2 offset: 0x800, \
             L2 index: 0x0)",
        ),
    ] {
        assert_eq!(extent(&sample, &l2, 0, 512), Err(expected.into()));
    }
}

#[test]
fn damaged_entries_are_errors() {
    let big = Sample { cluster_bits: 16, ..plain() };
    let extended = Sample { incompatible: 16, ..big.clone() };
    let version_2 = Sample { version: 2, ..plain() };
    let zeros = "Zero cluster entry found in pre-v3 image (L2 offset: 0x800, L2 index: 0x0)";
    let invalid = "Invalid cluster entry found (L2 offset: 0x40000, L2 index: 0x0)";
    let unaligned = "Cluster allocation offset 0x200 unaligned (L2 offset: 0x40000, L2 index: 0x0)";
    for (sample, l2, expected) in [
        (&version_2, &[ZERO][..], zeros),
        (&version_2, &[ZERO | 512], zeros),
        (&big, &[512], unaligned),
        (&big, &[ZERO | 512], unaligned),
        (&extended, &[512, 1], unaligned),
        (&extended, &[512, 0], unaligned),
        (&extended, &[0x10000, 1 << 32 | 1], invalid),
        (&extended, &[0, 1], invalid),
    ] {
        assert_eq!(extent(sample, l2, 0, 512), Err(expected.into()), "{l2:x?}");
        // An error behind an extent does not matter to it.
        let entries =
            if l2.len() == 2 { vec![0x10000, u64::from(u32::MAX)] } else { vec![0x10000] };
        let size = 1 << sample.cluster_bits;
        let found = extent(sample, &[&entries, l2].concat(), 0, 2 * size);
        assert_eq!(found, Ok(Extent { length: size, content: data(0x10000) }));
    }
    let mut bytes = big.bytes();
    bytes[0x10000..0x10008].copy_from_slice(&0x10200_u64.to_be_bytes());
    let error = opened(bytes).extent(0, 512).unwrap_err();
    assert_eq!(error.to_string(), "L2 table offset 0x10200 unaligned (L1 index: 0x0)");
}

#[test]
fn what_lies_behind_the_end_of_the_file_is_zeros() {
    let mut bytes = plain().bytes();
    bytes[512..520].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    let found = opened(bytes).extent(0, 1 << 20).unwrap();
    assert_eq!(found, Extent { length: 1 << 20, content: Content::Unallocated });
    // A part of the table is there.
    let mut bytes = file(&plain(), &[0x4000, 0x5000]);
    bytes.truncate(bytes.len() - 504);
    let image = opened(bytes);
    assert_eq!(image.extent(0, 512).unwrap().content, data(0x4000));
    assert_eq!(image.extent(512, 512).unwrap().content, Content::Unallocated);
}

#[test]
fn content_must_be_readable() {
    let said = |sample: &Sample| {
        let checked = opened(sample.bytes()).check_content();
        checked.map_or_else(|error| error.to_string(), |()| String::new())
    };
    let key = "Parameter 'encrypt.key-secret' is required for cipher";
    assert_eq!(said(&plain()), "");
    assert_eq!(said(&Sample { encryption: 1, ..plain() }), key);
    let data_file = Sample {
        incompatible: 4,
        extensions: vec![(crate::qcow2::extension::DATA_FILE, b"data".to_vec())],
        ..plain()
    };
    let missing = "'data-file' is required for this image";
    assert_eq!(said(&data_file), missing);
    assert_eq!(said(&Sample { extensions: vec![], ..data_file.clone() }), missing);
    let mut image = opened(data_file.bytes());
    image.attach(0, Rc::new(Vec::new())).unwrap();
    assert_eq!(image.check_content().map_err(|error| error.to_string()), Ok(()));
}

/// A snapshot of a disk of a size.
fn taken(id: &[u8], name: &[u8], disk_size: u64) -> Snapshot {
    let mut taken = Snapshot::new(id, name);
    let extra = snapshot::Extra {
        vm_state_size: 0.into(),
        disk_size: disk_size.into(),
        instruction_count: u64::MAX.into(),
    };
    taken.extra = extra.as_bytes().to_vec();
    taken
}

#[test]
fn snapshots_are_found_by_id_and_then_by_name() {
    let snapshots = vec![
        taken(b"1", b"2", 1024),
        taken(b"2", b"two", 2560),
        taken(b"3", b"two", 4096),
        Snapshot { extra: vec![], ..taken(b"4", b"bare", 0) },
    ];
    let image = opened(Sample { snapshots, ..plain() }.bytes());
    let size = |choice: SnapshotChoice| {
        let found = image.snapshot(&choice);
        found.map(|image| image.description().virtual_size).map_err(|error| error.to_string())
    };
    let either = |text: &[u8]| size(SnapshotChoice::Either(text.to_vec()));
    let exactly = |id: Option<&[u8]>, name: Option<&[u8]>| {
        size(SnapshotChoice::Exactly { id: id.map(<[u8]>::to_vec), name: name.map(<[u8]>::to_vec) })
    };
    let none = Err("Failed to load snapshot: Can't find snapshot".to_string());
    assert_eq!(either(b"1"), Ok(1024));
    assert_eq!(either(b"2"), Ok(2560));
    assert_eq!(either(b"two"), Ok(2560));
    assert_eq!(either(b"bare"), Ok(1 << 20));
    assert_eq!(either(b"tw"), none);
    assert_eq!(either(b"two "), none);
    assert_eq!(exactly(Some(b"3"), Some(b"two")), Ok(4096));
    assert_eq!(exactly(Some(b"1"), Some(b"two")), none);
    assert_eq!(exactly(None, Some(b"2")), Ok(1024));
    assert_eq!(exactly(Some(b"two"), None), none);
}

#[test]
fn a_snapshot_has_an_l1_table_of_its_own() {
    let mut bytes =
        file(&Sample { snapshots: vec![taken(b"1", b"", 65_536)], ..plain() }, &[0x4000]);
    let read = |bytes: &Vec<u8>| {
        let snapshot = opened(bytes.clone()).snapshot(&SnapshotChoice::Either(b"1".to_vec()));
        let found = snapshot.and_then(|image| image.extent(0, 65_536));
        found.map_err(|error| error.to_string())
    };
    let nothing = Extent { length: 65_536, content: Content::Unallocated };
    assert_eq!(read(&bytes), Ok(nothing));
    // The snapshot table follows the L1 table. It starts with where another is.
    let entry = u64::from_be_bytes(bytes[64..72].try_into().unwrap());
    let entry = usize::try_from(entry).unwrap();
    let mut put = |offset: u64, entries: u32| {
        bytes[entry..entry + 8].copy_from_slice(&offset.to_be_bytes());
        bytes[entry + 8..entry + 12].copy_from_slice(&entries.to_be_bytes());
        read(&bytes)
    };
    // The table is too short for the disk: what it does not cover is not there.
    let first = Extent { length: 512, content: data(0x4000) };
    assert_eq!(put(512, 1), Ok(first));
    let failed = |reason: &str| Err(std::format!("Failed to load snapshot: {reason}"));
    assert_eq!(put(513, 1), failed("Snapshot L1 table offset invalid"));
    assert_eq!(put(512, (4 << 20) + 1), failed("Snapshot L1 table too large"));
    let outside = "the L1 table of the snapshot at 512 (33554432 bytes) does not lie in the file";
    assert_eq!(put(512, 4 << 20), failed(outside));
}

#[test]
fn no_byte_of_a_table_can_do_harm() {
    let extended = Sample { cluster_bits: 14, incompatible: 16, ..plain() };
    for sample in [plain(), Sample { version: 2, ..plain() }, extended] {
        let entries = [COPIED | 0x4000, 3, COMPRESSED | 0x1234, 0, ZERO, 1];
        let bytes = file(&sample, &entries);
        let table = bytes.len() - (1 << sample.cluster_bits);
        let l1 = 1 << sample.cluster_bits;
        for place in (l1..l1 + 8).chain(table..table + 48) {
            for value in [0, 1, 2, 0x40, 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = value;
                let image = opened(bytes);
                for offset in [0, 500, 512, 1024, 2000, 16384, 20_000] {
                    if let Ok(extent) = image.extent(offset, 40_000) {
                        assert!(extent.length > 0 && extent.length <= 40_000);
                    }
                }
            }
        }
    }
}
