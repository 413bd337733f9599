use std::string::{String, ToString};
use std::vec;

use zerocopy::{FromBytes, IntoBytes};

use super::*;
use crate::qcow2::feature::{Autoclear, Compatible};
use crate::qcow2::sample::{Sample, Snapshot};

/// The file of a sample with another header.
fn with(sample: &Sample, change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut bytes = sample.bytes();
    let start = &mut bytes[..size_of::<Header>()];
    let mut header = Header::read_from_bytes(start).unwrap();
    change(&mut header);
    start.copy_from_slice(header.as_bytes());
    bytes
}

/// What is said of the default sample with another header; nothing if all is well.
fn said(change: impl FnOnce(&mut Header)) -> String {
    said_of(&with(&Sample::default(), change))
}

fn said_of(bytes: &Vec<u8>) -> String {
    Layout::read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn the_header_describes_the_image() {
    let sample = Sample {
        size: (1 << 20) + 513,
        incompatible: 3,
        compatible: 1 << 63,
        autoclear: 2,
        backing: Some(b"base".to_vec()),
        snapshots: vec![Snapshot::new(b"1", b"one"), Snapshot::new(b"2", b"two")],
        ..Sample::default()
    };
    let layout = Layout::read(&sample.bytes()).unwrap();
    let expected = Layout {
        version: 3,
        cluster_size: 512,
        l2_entries: 64,
        virtual_size: (1 << 20) + 512,
        features: Features {
            incompatible: Incompatible::DIRTY | Incompatible::CORRUPT,
            compatible: Compatible::from_bits_retain(1 << 63),
            autoclear: Autoclear::RAW_DATA_FILE,
        },
        compression: Compression::Zlib,
        refcount_bits: 16,
        encryption: None,
        l1_table: Table { offset: 512, length: 33 * 8 },
        refcount_table: Table { offset: 1536, length: 512 },
        snapshot_table: Table { offset: 1024, length: 80 },
        snapshot_count: 2,
        backing_name: Some(120..124),
        extensions: 112..120,
    };
    assert_eq!(layout, expected);
}

#[test]
fn version_2_has_none_of_the_later_fields() {
    let sample = Sample {
        version: 2,
        extensions: vec![(0xffff_ffff, vec![0xff; 100])],
        ..Sample::default()
    };
    let layout = Layout::read(&sample.bytes()).unwrap();
    assert_eq!((layout.version, layout.refcount_bits), (2, 16));
    assert_eq!(layout.features, Features::NONE);
    assert_eq!(layout.compression, Compression::Zlib);
    assert_eq!(layout.extensions, 72..512);
}

#[test]
fn there_are_two_versions() {
    for (version, expected) in [
        (0, "Unsupported qcow2 version 0"),
        (1, "Unsupported qcow2 version 1"),
        (2, ""),
        (3, ""),
        (4, "Unsupported qcow2 version 4"),
        (u32::MAX, "Unsupported qcow2 version 4294967295"),
    ] {
        assert_eq!(said(|header| header.version = version.into()), expected);
    }
    assert_eq!(said(|header| header.magic[3] = 0xfa), "Image is not in qcow2 format");
}

#[test]
fn clusters_have_512_bytes_to_2_mib() {
    for cluster_bits in 9..=21 {
        let sample = Sample { cluster_bits, ..Sample::default() };
        let layout = Layout::read(&sample.bytes()).unwrap();
        assert_eq!(layout.cluster_size, 1 << cluster_bits);
        assert_eq!(layout.l2_entries, 1 << (cluster_bits - 3));
    }
    for bits in [0, 8, 22, 64, u32::MAX] {
        let message = said(|header| header.cluster_bits = bits.into());
        assert_eq!(message, std::format!("Unsupported cluster size: 2^{bits}"));
    }
}

#[test]
fn subclusters_have_512_bytes_or_more() {
    for (cluster_bits, expected) in [
        (9, "Unsupported subcluster size: 16"),
        (13, "Unsupported subcluster size: 256"),
        (14, ""),
        (21, ""),
    ] {
        let sample = Sample { cluster_bits, incompatible: 1 << 4, ..Sample::default() };
        assert_eq!(said_of(&sample.bytes()), expected);
    }
    let sample = Sample { cluster_bits: 16, incompatible: 1 << 4, ..Sample::default() };
    assert_eq!(Layout::read(&sample.bytes()).unwrap().l2_entries, 4096);
}

#[test]
fn reference_counts_have_1_to_64_bits() {
    for refcount_order in 0..=6 {
        let sample = Sample { refcount_order, ..Sample::default() };
        assert_eq!(Layout::read(&sample.bytes()).unwrap().refcount_bits, 1 << refcount_order);
    }
    let message = "Reference count entry width too large; may not exceed 64 bits";
    for order in [7, 64, u32::MAX] {
        assert_eq!(said(|header| header.refcount_order = order.into()), message);
    }
}

#[test]
fn the_header_has_a_length() {
    for (length, expected) in [
        (0, "qcow2 header too short"),
        (103, "qcow2 header too short"),
        (104, ""),
        (105, ""),
        (112, ""),
        (512, ""),
        (513, "qcow2 header exceeds cluster size"),
        (u32::MAX, "qcow2 header exceeds cluster size"),
    ] {
        assert_eq!(said(|header| header.header_length = length.into()), expected);
    }
}

#[test]
fn compression_goes_with_its_bit() {
    let set = "qcow2: Compression type incompatible feature bit must be set";
    let not_set = "qcow2: Compression type incompatible feature bit must not be set";
    for (length, compression, bit, expected) in [
        (112, 0, 0, ""),
        (112, 1, 8, ""),
        (105, 1, 8, ""),
        (112, 1, 0, set),
        (112, 0, 8, not_set),
        (112, 2, 8, "qcow2: unknown compression type: 2"),
        (112, 255, 0, "qcow2: unknown compression type: 255"),
        // The header is too short for the field.
        (104, 1, 0, ""),
        (104, 1, 8, not_set),
        (104, 2, 0, ""),
    ] {
        let message = said(|header| {
            header.header_length = length.into();
            header.compression = compression;
            header.incompatible = bit.into();
        });
        assert_eq!(message, expected, "{length} {compression} {bit}");
    }
    let zstd = Sample { compression: 1, incompatible: 8, ..Sample::default() };
    let compression = Layout::read(&zstd.bytes()).unwrap().compression;
    assert_eq!((compression, compression.name()), (Compression::Zstd, "zstd"));
    assert_eq!(Compression::Zlib.name(), "zlib");
}

#[test]
fn the_name_of_the_backing_file_is_in_the_first_cluster() {
    let too_long = "Backing file name too long";
    let invalid = "Invalid backing file offset";
    for (cluster_bits, offset, length, expected) in [
        (9, 0, u32::MAX, ""),
        (9, 112, 0, ""),
        (9, 112, 400, ""),
        (9, 112, 401, too_long),
        (9, 511, 1, ""),
        (9, 511, 2, too_long),
        (9, 512, 0, ""),
        (9, 512, 1, too_long),
        (9, 513, 0, invalid),
        (9, u64::MAX, 0, invalid),
        (16, 200, 1023, ""),
        (16, 200, 1024, too_long),
        (16, 200, u32::MAX, too_long),
    ] {
        let bytes = with(&Sample { cluster_bits, ..Sample::default() }, |header| {
            header.backing_name_offset = offset.into();
            header.backing_name_length = length.into();
        });
        let read = Layout::read(&bytes).and_then(|layout| layout.read_backing_name(&bytes));
        let message = read.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(message, expected, "{length} at {offset}");
    }
}

#[test]
fn there_is_a_refcount_table() {
    let too_large = "Reference count table too large";
    let invalid = "Reference count table offset invalid";
    for (offset, clusters, expected) in [
        (512, 0, "Image does not contain a reference count table"),
        (512, 1, ""),
        (0, 1, ""),
        (1024, 1, ""),
        (1536, 1, ""),
        (2048, 1, "the refcount table at 2048 (512 bytes) does not lie in the file"),
        (512, 3, ""),
        (512, 4, "the refcount table at 512 (2048 bytes) does not lie in the file"),
        (512, 16_384, "the refcount table at 512 (8388608 bytes) does not lie in the file"),
        (512, 16_385, too_large),
        (512, u32::MAX, too_large),
        (511, 1, invalid),
        (1 << 63, 1, invalid),
        (u64::MAX - 511, 1, invalid),
    ] {
        let message = said(|header| {
            header.refcount_table_offset = offset.into();
            header.refcount_table_clusters = clusters.into();
        });
        assert_eq!(message, expected, "{clusters} at {offset}");
    }
}

#[test]
fn the_snapshot_table_can_be_where_it_is() {
    let too_large = "Snapshot table too large";
    let invalid = "Snapshot table offset invalid";
    for (offset, count, expected) in [
        (0, 0, ""),
        (512, 0, ""),
        // Where it really ends is not known yet.
        (1 << 40, 65_536, ""),
        (512, 65_537, too_large),
        (512, u32::MAX, too_large),
        (1, 0, invalid),
        (256, 1, invalid),
        (1 << 63, 0, invalid),
    ] {
        let message = said(|header| {
            header.snapshot_table_offset = offset.into();
            header.snapshot_count = count.into();
        });
        assert_eq!(message, expected, "{count} at {offset}");
    }
}

#[test]
fn the_l1_table_can_be_where_it_is() {
    let too_large = "Active L1 table too large";
    let invalid = "Active L1 table offset invalid";
    for (offset, entries, expected) in [
        (512, 32, ""),
        (512, 31, "L1 table is too small"),
        (512, 0, "L1 table is too small"),
        (0, 32, ""),
        (512, 192, ""),
        (512, 193, "the L1 table at 512 (1544 bytes) does not lie in the file"),
        (512, 1 << 22, "the L1 table at 512 (33554432 bytes) does not lie in the file"),
        (512, (1 << 22) + 1, too_large),
        (512, u32::MAX, too_large),
        (513, 32, invalid),
        (1 << 63, 32, invalid),
        (
            (1 << 63) - 512,
            32,
            "the L1 table at 9223372036854775296 (256 bytes) does not lie in the file",
        ),
        ((1 << 63) - 512, 64, invalid),
    ] {
        let message = said(|header| {
            header.l1_table_offset = offset.into();
            header.l1_entries = entries.into();
        });
        assert_eq!(message, expected, "{entries} at {offset}");
    }
}

#[test]
fn the_l1_table_is_large_enough_for_the_disk() {
    // An entry covers 32 KiB in the smallest clusters, 512 GiB in the largest.
    let (too_small, too_big) = ("L1 table is too small", "Image is too big");
    let wraps = "Could not refresh total sector count: File too large";
    for (cluster_bits, size, expected) in [
        (9, 0, ""),
        (9, 1, ""),
        (9, 1 << 20, ""),
        (9, (1 << 20) + 1, too_small),
        (9, ((1 << 31) - 1) << 15, too_small),
        (9, (((1 << 31) - 1) << 15) + 1, too_big),
        (9, 1 << 60, too_big),
        (9, u64::MAX - (1 << 15) + 1, too_big),
        (9, u64::MAX - (1 << 15) + 2, wraps),
        (9, u64::MAX, wraps),
        (16, 512 << 20, ""),
        (16, (512 << 20) + 1, too_small),
        (16, 1 << 60, too_big),
        (21, 1 << 39, ""),
        (21, (1 << 39) + 1, too_small),
        (21, 1 << 60, too_small),
        (21, 1 << 63, too_small),
        (21, u64::MAX, wraps),
    ] {
        let sample = Sample { cluster_bits, ..Sample::default() };
        let bytes = with(&sample, |header| header.size = size.into());
        assert_eq!(said_of(&bytes), expected, "{size} with {cluster_bits}");
    }
    // Subclusters halve what an entry covers.
    let sample = Sample { cluster_bits: 16, incompatible: 1 << 4, ..Sample::default() };
    for (size, expected) in [(256 << 20, ""), ((256 << 20) + 1, too_small)] {
        let bytes = with(&sample, |header| header.size = u64::into(size));
        assert_eq!(said_of(&bytes), expected, "{size}");
    }
}

#[test]
fn checks_come_in_order() {
    let mut bytes = Sample { cluster_bits: 16, ..Sample::default() }.bytes();
    bytes[..112].fill(0xff);
    let steps: &[Step] = &[
        (&|it| it.magic = MAGIC, "Unsupported qcow2 version 4294967295"),
        (&|it| it.version = 3.into(), "Unsupported cluster size: 2^4294967295"),
        (&|it| it.cluster_bits = 16.into(), "qcow2 header exceeds cluster size"),
        (&|it| it.header_length = 112.into(), "Invalid backing file offset"),
        (&|it| it.backing_name_offset = 120.into(), "qcow2: unknown compression type: 255"),
        (
            &|it| it.compression = 0,
            "qcow2: Compression type incompatible feature bit must not be set",
        ),
        (
            &|it| it.incompatible = (!8).into(),
            "Unsupported qcow2 feature(s): Unknown incompatible feature: ffffffffffffffe0",
        ),
        (
            &|it| it.incompatible = 0.into(),
            "Reference count entry width too large; may not exceed 64 bits",
        ),
        (&|it| it.refcount_order = 6.into(), "Reference count table too large"),
        (&|it| it.refcount_table_clusters = 1.into(), "Reference count table offset invalid"),
        (&|it| it.refcount_table_offset = (1 << 40).into(), "Snapshot table too large"),
        (&|it| it.snapshot_count = 1.into(), "Snapshot table offset invalid"),
        (&|it| it.snapshot_table_offset = 0.into(), "Active L1 table too large"),
        (&|it| it.l1_entries = 1.into(), "Active L1 table offset invalid"),
        (
            &|it| it.l1_table_offset = (1 << 40).into(),
            "Could not refresh total sector count: File too large",
        ),
        (
            &|it| it.size = 1.into(),
            "the L1 table at 1099511627776 (8 bytes) does not lie in the file",
        ),
        (&|it| it.l1_table_offset = 0.into(), "Unsupported encryption method -1"),
        (
            &|it| it.encryption = 0.into(),
            "the refcount table at 1099511627776 (65536 bytes) does not lie in the file",
        ),
        (&|it| it.refcount_table_offset = 0.into(), ""),
    ];
    for (change, expected) in steps {
        let mut header = Header::read_from_bytes(&bytes[..112]).unwrap();
        change(&mut header);
        bytes[..112].copy_from_slice(header.as_bytes());
        assert_eq!(said_of(&bytes), *expected);
    }
}

/// A change of the header, and what is said of it then.
type Step<'a> = (&'a dyn Fn(&mut Header), &'a str);
