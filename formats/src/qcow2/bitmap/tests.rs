use std::string::{String, ToString};
use std::vec;

use super::*;
use crate::qcow2::extension::Extra;
use crate::qcow2::sample::{self, Sample};

/// The bitmaps of an image.
fn read(bytes: &Vec<u8>) -> Result<Vec<Bitmap>, Error> {
    let layout = Layout::read(bytes)?;
    let directory = Extra::read(bytes, &layout)?.bitmaps.unwrap();
    let mut bitmaps = Vec::new();
    directory.visit(bytes, &layout, &mut |part| {
        let Part::Bitmap(bitmap) = part else { panic!("{part:?}") };
        bitmaps.push(bitmap);
        Ok(())
    })?;
    Ok(bitmaps)
}

fn said(bytes: &Vec<u8>) -> String {
    read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

fn with(bitmaps: &[sample::Bitmap]) -> Sample {
    Sample { bitmaps: bitmaps.to_vec(), ..Sample::default() }
}

/// Where the directory is in a sample with one bitmap, and with two.
const DIRECTORY: [usize; 2] = [3 * 512, 4 * 512];

/// Where the extension for bitmaps is in a sample.
const EXTENSION: usize = 120;

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(ENTRY_SIZE, 24);
    assert_eq!(core::mem::offset_of!(Entry, kind), 16);
    assert_eq!(core::mem::offset_of!(Entry, extra_length), 20);
    assert_eq!(size_of::<Extension>(), 24);
}

#[test]
fn bitmaps_come_in_their_order() {
    let bitmaps = [
        sample::Bitmap::new(b"one", 16),
        sample::Bitmap { flags: 0, ..sample::Bitmap::new(b"", 9) },
        sample::Bitmap { flags: 1, ..sample::Bitmap::new(b"12345678", 31) },
        sample::Bitmap { flags: 3, ..sample::Bitmap::new(b"\xff\0more", 10) },
    ];
    let bitmap = |name: &[u8], granularity, in_use, auto| Bitmap {
        name: name.to_vec(),
        granularity,
        in_use,
        auto,
    };
    let expected = [
        bitmap(b"one", 1 << 16, false, true),
        bitmap(b"", 1 << 9, false, false),
        bitmap(b"12345678", 1 << 31, true, false),
        bitmap(b"\xff", 1 << 10, true, true),
    ];
    assert_eq!(read(&with(&bitmaps).bytes()).unwrap(), expected);
}

#[test]
fn a_name_has_1023_bytes_at_most() {
    for length in [1022, 1023] {
        let name = vec![b'a'; length];
        let bitmaps = read(&with(&[sample::Bitmap::new(&name, 16)]).bytes()).unwrap();
        assert_eq!(bitmaps[0].name, name);
    }
    for length in [1024, 65_535] {
        let message = said(&with(&[sample::Bitmap::new(&vec![b'a'; length], 16)]).bytes());
        let name: String = ['a'; 1023].iter().collect();
        assert_eq!(message, std::format!("Bitmap '{name}' doesn't satisfy the constraints"));
    }
}

#[test]
fn a_bitmap_is_checked() {
    let invalid = "Bitmap 'one' doesn't satisfy the constraints";
    let mebi = 1_u32 << 20;
    for (offset, patch, expected) in [
        // The table.
        (0, &0_u64.to_be_bytes()[..], invalid),
        (0, &513_u64.to_be_bytes(), invalid),
        (0, &(1_u64 << 40).to_be_bytes(), ""),
        (0, &(u64::MAX - 511).to_be_bytes(), ""),
        (8, &0_u32.to_be_bytes(), invalid),
        (8, &1_u32.to_be_bytes(), ""),
        // In clusters of 512 bytes the size is what limits it.
        (8, &mebi.to_be_bytes(), ""),
        (8, &(mebi + 1).to_be_bytes(), invalid),
        (8, &u32::MAX.to_be_bytes(), invalid),
        // The flags.
        (12, &0_u32.to_be_bytes(), ""),
        (12, &3_u32.to_be_bytes(), ""),
        (12, &4_u32.to_be_bytes(), invalid),
        (12, &(1_u32 << 31).to_be_bytes(), invalid),
        // The type.
        (16, &[0], invalid),
        (16, &[2], invalid),
        // The granularity.
        (17, &[8], invalid),
        (17, &[9], ""),
        (17, &[31], ""),
        (17, &[32], invalid),
        (17, &[255], invalid),
        // Lengths.
        (18, &0_u16.to_be_bytes(), "Broken bitmap directory"),
        (18, &1_u16.to_be_bytes(), ""),
        (18, &8_u16.to_be_bytes(), ""),
        (18, &9_u16.to_be_bytes(), "Broken bitmap directory"),
        (18, &u16::MAX.to_be_bytes(), "Broken bitmap directory"),
        (20, &5_u32.to_be_bytes(), "Bitmap extra data is not supported"),
        (20, &6_u32.to_be_bytes(), "Broken bitmap directory"),
        (20, &u32::MAX.to_be_bytes(), "Broken bitmap directory"),
    ] {
        let mut bytes = with(&[sample::Bitmap::new(b"one", 16)]).bytes();
        let place = DIRECTORY[0] + offset;
        bytes[place..place + patch.len()].copy_from_slice(patch);
        assert_eq!(said(&bytes), expected, "{patch:?} at {offset}");
    }
}

#[test]
fn a_bitmap_covers_the_disk_or_is_in_use() {
    // A table of one entry with the smallest granularity covers 2 MiB.
    let invalid = "Bitmap 'one' doesn't satisfy the constraints";
    for (size, flags, expected) in [
        (2 << 20, 0, ""),
        ((2 << 20) + 511, 0, ""),
        ((2 << 20) + 512, 0, invalid),
        ((2 << 20) + 512, 1, ""),
        (1 << 30, 1, ""),
    ] {
        let bitmap = sample::Bitmap { flags, ..sample::Bitmap::new(b"one", 9) };
        let sample = Sample { cluster_bits: 9, size, ..with(&[bitmap]) };
        let mut bytes = sample.bytes();
        let directory = u64::from_be_bytes(bytes[EXTENSION + 16..][..8].try_into().unwrap());
        let place = usize::try_from(directory).unwrap() + 8;
        bytes[place..place + 4].copy_from_slice(&1_u32.to_be_bytes());
        assert_eq!(said(&bytes), expected, "{size} {flags}");
    }
}

#[test]
fn large_clusters_allow_fewer_of_them() {
    let invalid = "Bitmap 'one' doesn't satisfy the constraints";
    for (cluster_bits, most) in [(9, 1_u32 << 20), (16, 1 << 13), (21, 1 << 8)] {
        for (entries, expected) in [(most - 1, ""), (most, ""), (most + 1, invalid)] {
            let sample = Sample { cluster_bits, ..with(&[sample::Bitmap::new(b"one", 16)]) };
            let mut bytes = sample.bytes();
            let place = (3 << cluster_bits) + 8;
            bytes[place..place + 4].copy_from_slice(&entries.to_be_bytes());
            assert_eq!(said(&bytes), expected, "{entries} of {cluster_bits}");
        }
    }
}

#[test]
fn the_directory_has_as_many_entries_as_it_should() {
    let bitmaps = [sample::Bitmap::new(b"one", 16), sample::Bitmap::new(b"two", 16)];
    let (more, fewer) = (
        "More bitmaps found than specified in header extension",
        "Less bitmaps found than specified in header extension",
    );
    let broken = "Broken bitmap directory";
    let outside = "the bitmap directory at 2048 (1537 bytes) does not lie in the file";
    for (count, length, expected) in [
        (2, 64, ""),
        (1, 64, more),
        (3, 64, fewer),
        (1, 32, ""),
        (2, 32, fewer),
        (2, 0, "Requested bitmap directory size is zero"),
        (2, 1, broken),
        (2, 23, broken),
        (2, 24, broken),
        (2, 31, broken),
        (1, 33, broken),
        (2, 56, broken),
        (1, 56, more),
        (2, 63, broken),
        (2, 65, broken),
        (2, 88, more),
        (2, 1537, outside),
    ] {
        let mut bytes = with(&bitmaps).bytes();
        assert_eq!(bytes.len(), DIRECTORY[1] + 1536);
        bytes[EXTENSION..EXTENSION + 4].copy_from_slice(&u32::to_be_bytes(count));
        bytes[EXTENSION + 8..EXTENSION + 16].copy_from_slice(&u64::to_be_bytes(length));
        assert_eq!(said(&bytes), expected, "{count} in {length}");
    }
}

#[test]
fn the_visitor_can_stop() {
    let bytes = with(&[sample::Bitmap::new(b"a", 16), sample::Bitmap::new(b"b", 16)]).bytes();
    let layout = Layout::read(&bytes).unwrap();
    let directory = Extra::read(&bytes, &layout).unwrap().bitmaps.unwrap();
    let mut count = 0;
    let visited = directory.visit(&bytes, &layout, &mut |_| {
        count += 1;
        Err(Qcow2Error::NoMagic.into())
    });
    assert!(visited.is_err());
    assert_eq!(count, 1);
}
