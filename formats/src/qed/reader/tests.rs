use alloc::rc::Rc;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::Format;
use crate::qed::Qed;
use crate::qed::sample::Disk;

/// An image with clusters of 4 KiB, of which two are a table. The L2 table starts with
/// these entries and is the end of the file.
fn file(l2: &[u64]) -> Vec<u8> {
    let mut bytes = Disk::default().bytes();
    let table = bytes.len();
    bytes[4096..4104].copy_from_slice(&(table as u64).to_le_bytes());
    bytes.resize(table + 8192, 0);
    let entries = l2.iter().flat_map(|entry| entry.to_le_bytes());
    bytes[table..].iter_mut().zip(entries).for_each(|(target, byte)| *target = byte);
    bytes
}

fn extent(bytes: Vec<u8>, offset: u64, limit: u64) -> Result<Extent, String> {
    let image = Qed.open(Rc::new(bytes)).unwrap();
    image.extent(offset, limit).map_err(|error| error.to_string())
}

fn data(offset: u64) -> Content {
    Content::Data(Place::own(offset))
}

#[test]
fn entries_say_where_clusters_are() {
    let l2 = [0x3000, 0x4000, 0, 0, ZERO, ZERO, 0x3000, 0x1000];
    for (offset, limit, length, content) in [
        (0, 1 << 20, 8192, data(0x3000)),
        (5, 4096, 4096, data(0x3005)),
        (8192, 1 << 20, 8192, Content::Unallocated),
        (16384, 1 << 20, 8192, Content::Zero(None)),
        (24576, 1 << 20, 4096, data(0x3000)),
        (28672, 1 << 20, 4096, data(0x1000)),
        // The rest of the table, and the other tables, which are not there.
        (32768, 10 << 19, 10 << 19, Content::Unallocated),
    ] {
        let found = extent(file(&l2), offset, limit);
        assert_eq!(found, Ok(Extent { length, content }), "{limit} at {offset}");
    }
}

#[test]
fn clusters_start_in_the_file_behind_the_header() {
    // The file has five clusters.
    for (place, expected) in [
        (0x1000, Ok(data(0x1000))),
        (0x4000, Ok(data(0x4000))),
        (0x5000, Err("cluster 0 of the disk lies at 20480, where none can be")),
        (2, Err("cluster 0 of the disk lies at 2, where none can be")),
        (0x1200, Err("cluster 0 of the disk lies at 4608, where none can be")),
        (
            u64::MAX - 4095,
            Err("cluster 0 of the disk lies at 18446744073709547520, where none can be"),
        ),
    ] {
        let found = extent(file(&[place]), 0, 4096).map(|extent| extent.content);
        assert_eq!(found, expected.map_err(Into::into), "{place}");
    }
    // Its end may be missing.
    let bytes = [file(&[0x5000]), std::vec![7]].concat();
    assert_eq!(extent(bytes, 0, 4096).unwrap().content, data(0x5000));
}

#[test]
fn tables_start_in_the_file_behind_the_header() {
    for (place, is_one) in [
        (0x1000_u64, true),
        (0x3000, true),
        (0x4000, false),
        (0x3001, false),
        (1, false),
        (u64::MAX - 4095, false),
    ] {
        let mut bytes = file(&[]);
        bytes[4096..4104].copy_from_slice(&place.to_le_bytes());
        let expected = std::format!("L2 table 0 lies at {place}, where none can be");
        match extent(bytes, 0, 4096) {
            Ok(_) => assert!(is_one, "{place}"),
            Err(said) => assert!(!is_one && said == expected, "{said}"),
        }
    }
}
