use core::mem::offset_of;
use core::slice;
use std::string::{String, ToString};
use std::vec;

use super::*;
use crate::vhdx::MIB;
use crate::vhdx::sample::{Vhdx, region_table, seal};

/// The log of a sample is from here.
const LOG: u64 = MIB;

fn entry(id: Guid, offset: u64, length: u64, required: u32) -> Entry {
    let length = u32::try_from(length).unwrap().into();
    Entry { id, offset: offset.into(), length, required: required.into() }
}

/// What is said of a file with these entries in its region table.
fn said(entries: &[Entry]) -> String {
    let vhdx = Vhdx::default();
    let bytes = vhdx.bytes_with(&region_table(entries), &vhdx.items());
    let regions = Regions::read(&bytes, &vhdx.header());
    regions.map_or_else(|error| error.to_string(), |_| String::new())
}

const INVALID: &str = "Invalid argument";
const UNKNOWN: Guid = Guid::new(1, 2, 3, *b"unknown\0");

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!((size_of::<TableHeader>(), size_of::<Entry>()), (16, 32));
    assert_eq!(offset_of!(Entry, offset), 16);
    assert_eq!(offset_of!(Entry, length), 24);
    assert_eq!(offset_of!(Entry, required), 28);
    let room = (SIZE - size_of::<TableHeader>()) / size_of::<Entry>();
    assert_eq!(u32::try_from(room).unwrap(), MAX_ENTRIES);
}

#[test]
fn the_table_leads_to_metadata_and_block_allocation_table() {
    let vhdx = Vhdx::default();
    let regions = Regions::read(&vhdx.bytes(), &vhdx.header()).unwrap();
    assert_eq!(regions.metadata, Region { start: 2 * MIB, end: 3 * MIB });
    assert_eq!(regions.bat, Region { start: 3 * MIB, end: 4 * MIB });
    assert_eq!((regions.bat.length(), regions.all.len()), (MIB, 3));
}

#[test]
fn the_second_copy_counts_if_the_first_is_damaged() {
    let vhdx = Vhdx::default();
    let [first, second] = OFFSETS.map(|offset| usize::try_from(offset).unwrap());
    for place in [0, 3, 4, 7, 8, 16, 70, 80, SIZE - 1] {
        let mut bytes = vhdx.bytes();
        bytes[first + place] ^= 1;
        assert!(Regions::read(&bytes, &vhdx.header()).is_ok(), "{place}");
        bytes[second + place] ^= 1;
        let error = Regions::read(&bytes, &vhdx.header()).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_bare()), (INVALID, true), "{place}");
        bytes[first + place] ^= 1;
        assert!(Regions::read(&bytes, &vhdx.header()).is_ok(), "{place}");
    }
    // The first that is not damaged counts, whatever it says.
    let mut bytes = vhdx.bytes();
    bytes[first..first + SIZE].copy_from_slice(&region_table(&[]));
    assert!(Regions::read(&bytes, &vhdx.header()).is_err());
}

#[test]
fn a_copy_may_be_cut_off() {
    let vhdx = Vhdx::default();
    let bytes = vhdx.bytes();
    for (length, complete) in
        [(0, false), (196_608, false), (262_143, false), (262_144, true), (262_200, true)]
    {
        let regions = Regions::read(&bytes[..length].to_vec(), &vhdx.header());
        assert_eq!(regions.is_ok(), complete, "{length}");
    }
}

#[test]
fn the_table_has_a_limit() {
    let with = |count: u32| {
        // Regions of no length are nowhere in the way.
        let unknown = |number: u32| entry(UNKNOWN, (100 + u64::from(number)) * MIB, 0, 0);
        let mut entries: Vec<Entry> = (2..count).map(unknown).collect();
        entries.extend([entry(BAT, 3 * MIB, MIB, 1), entry(METADATA, 2 * MIB, MIB, 1)]);
        let mut table = region_table(&entries);
        table.truncate(SIZE);
        seal(&mut table);
        let vhdx = Vhdx::default();
        let bytes = vhdx.bytes_with(&table, &vhdx.items());
        Regions::read(&bytes, &vhdx.header()).is_ok()
    };
    assert!(with(MAX_ENTRIES - 1));
    assert!(with(MAX_ENTRIES));
    assert!(!with(MAX_ENTRIES + 1));
    assert!(!with(MAX_ENTRIES + 100));
}

#[test]
fn regions_are_checked_in_order() {
    let bat = entry(BAT, 3 * MIB, MIB, 1);
    let metadata = entry(METADATA, 2 * MIB, MIB, 1);
    let unknown = |required| entry(UNKNOWN, 8 * MIB, MIB, required);
    let unsupported = "Operation not supported";
    for (entries, expected) in [
        (&[bat.clone(), metadata.clone()][..], ""),
        (&[metadata.clone(), bat.clone(), unknown(0)], ""),
        (&[unknown(2), metadata.clone(), bat.clone()], ""),
        (&[unknown(1), metadata.clone(), bat.clone()], unsupported),
        (&[metadata.clone(), bat.clone(), unknown(u32::MAX)], unsupported),
        (&[], INVALID),
        (slice::from_ref(&bat), INVALID),
        (slice::from_ref(&metadata), INVALID),
        (&[bat.clone(), entry(BAT, 9 * MIB, MIB, 1), metadata.clone()], INVALID),
        (&[bat.clone(), metadata.clone(), entry(METADATA, 9 * MIB, MIB, 1)], INVALID),
        // Of the known ones nobody asks whether they are required.
        (&[entry(BAT, 3 * MIB, MIB, 0), entry(METADATA, 2 * MIB, MIB, 0)], ""),
        (
            &[bat.clone(), entry(METADATA, 4 * MIB - 1, MIB, 1)],
            "VHDX region 4194303-5242879 overlaps with region 3145728-4194304",
        ),
        (
            &[bat.clone(), metadata.clone(), entry(UNKNOWN, 2 * MIB, 4 * MIB, 0)],
            "VHDX region 2097152-6291456 overlaps with region 2097152-3145728",
        ),
        (
            &[entry(BAT, LOG + 4096, 8, 1), metadata.clone()],
            "VHDX region 1052672-1052680 overlaps with region 1048576-2097152",
        ),
        // What overlaps is said before what is repeated.
        (
            &[bat.clone(), bat.clone()],
            "VHDX region 3145728-4194304 overlaps with region 3145728-4194304",
        ),
        (
            &[entry(UNKNOWN, u64::MAX, 5, 0), entry(UNKNOWN, u64::MAX - 3, 5, 0)],
            "VHDX region 18446744073709551612-18446744073709551615 overlaps with region \
             18446744073709551615-18446744073709551615",
        ),
    ] {
        let expected = if expected.contains("18446744073709551615-") { INVALID } else { expected };
        assert_eq!(said(entries), expected, "{entries:?}");
    }
}

#[test]
fn blocks_must_not_lie_in_regions() {
    let vhdx = Vhdx::default();
    let regions = Regions::read(&vhdx.bytes(), &vhdx.header()).unwrap();
    for (start, length, expected) in [
        (0, MIB, None),
        (0, MIB + 1, Some((MIB, 2 * MIB))),
        (MIB, MIB, Some((MIB, 2 * MIB))),
        (2 * MIB - 1, 1, Some((MIB, 2 * MIB))),
        (2 * MIB, 1, Some((2 * MIB, 3 * MIB))),
        (4 * MIB - 1, MIB, Some((3 * MIB, 4 * MIB))),
        (4 * MIB, MIB, None),
        (u64::MAX, MIB, None),
    ] {
        let region = Region::new(start, length);
        let expected = match expected {
            Some((start, end)) => Err(VhdxError::Overlap { region, other: Region { start, end } }),
            None => Ok(()),
        };
        assert_eq!(regions.check(region), expected, "{start} {length}");
    }
}

#[test]
fn an_empty_log_is_in_the_way_of_nothing() {
    let vhdx = Vhdx::default();
    let mut header = vhdx.header();
    header.log_length = 0.into();
    let table = region_table(&[entry(BAT, LOG, MIB, 1), entry(METADATA, 2 * MIB, MIB, 1)]);
    let bytes = vhdx.bytes_with(&table, &vhdx.items());
    let regions = Regions::read(&bytes, &header).unwrap();
    assert_eq!(regions.check(Region::new(3 * MIB, MIB)), Ok(()));
    assert_eq!(vec![regions.bat], [Region::new(LOG, MIB)]);
}
