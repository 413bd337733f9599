use alloc::rc::Rc;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::Format;
use crate::creation::{Options, Value};
use crate::vpc::Vpc;
use crate::whole::{Disk, Files};

const GIB: u64 = 1 << 30;

fn options(subformat: &str, force_size: bool) -> Options {
    let mut options = Options::default();
    options.set("subformat", Value::Text(subformat.into()));
    options.set("force_size", Value::Flag(force_size));
    options
}

fn creation(size: u64, subformat: &str, force_size: bool) -> Creation<'static> {
    let options = options(subformat, force_size);
    Creation { size, options, seed: [7; 16], time: EPOCH + 0x1234, ..Creation::default() }
}

/// What is made of a disk with these bytes.
fn made(disk: &[u8], subformat: &str, force_size: bool) -> Vec<u8> {
    let mut writer = Vpc.create(&creation(disk.len() as u64, subformat, force_size)).unwrap();
    let mut files = Files::default();
    files.make(writer.as_mut(), disk, 4096).unwrap();
    assert!(files.file(File::Own).len() as u64 <= writer.longest(File::Own));
    files.file(File::Own).to_vec()
}

#[test]
fn a_disk_that_was_written_is_read_again() {
    let mut disk = vec![0; 7_000_064];
    disk[3_000_000..3_100_000].fill(3);
    disk[1_040_000..1_060_000].fill(1);
    disk[7_000_063] = 4;
    for subformat in ["dynamic", "fixed"] {
        for force_size in [false, true] {
            let file = made(&disk, subformat, force_size);
            let size: usize = if force_size { 13_672 * 512 } else { 13_736 * 512 };
            let length = if subformat == "fixed" { size + 512 } else { 2560 + 3 * 0x20_0200 };
            assert_eq!(file.len(), length, "{subformat} {force_size}");
            let image = Vpc.open(Rc::new(file.clone())).unwrap();
            assert_eq!(image.description().virtual_size, size as u64);
            let mut read = vec![7; size];
            Disk::new(image, Rc::new(file)).read(0, &mut read).unwrap();
            assert!(read[..disk.len()] == disk && read[disk.len()..].iter().all(|it| *it == 0));
        }
    }
}

#[test]
fn the_footer_has_what_was_asked_for() {
    let footer = |subformat, force_size| {
        footer(&creation(10 << 20, subformat, force_size), Footer::DYNAMIC).unwrap()
    };
    let by_geometry = footer("dynamic", false);
    assert_eq!(by_geometry.creator, *b"qemu");
    assert_eq!(by_geometry.current_size.get(), 20_536 * 512);
    assert_eq!(by_geometry.geometry, Geometry { cylinders: 302.into(), heads: 4, sectors: 17 });
    assert_eq!(by_geometry.timestamp.get(), 0x1234);
    assert_eq!(by_geometry.id, Guid::from_bytes([7; 16]));
    assert_eq!(by_geometry.checksum.get(), by_geometry.sum());
    let by_size = footer("dynamic", true);
    assert_eq!(by_size.creator, *b"qem2");
    assert_eq!(by_size.original_size.get(), 10 << 20);
    assert_eq!(by_size.geometry, Geometry::MAX);
    let timeless = Creation { time: 0, ..creation(0, "dynamic", false) };
    assert_eq!(self::footer(&timeless, Footer::DYNAMIC).unwrap().timestamp.get(), 0);
}

#[test]
fn a_disk_may_get_larger_than_was_asked_for() {
    for (size, force_size, expected) in [
        (0, false, None),
        (1, false, Some(68 * 512)),
        (68 * 512, false, None),
        (10 << 20, false, Some(20_536 * 512)),
        (10 << 20, true, None),
        ((10 << 20) - 1, true, Some(10 << 20)),
        // From here on the geometry does not count.
        (267_382_800 * 512, false, None),
        (200 * GIB, false, None),
    ] {
        for subformat in ["dynamic", "fixed"] {
            let writer = Vpc.create(&creation(size, subformat, force_size)).unwrap();
            assert_eq!(writer.rounded_size(), expected, "{size} {force_size}");
        }
    }
}

#[test]
fn disks_that_are_made_have_a_largest_size() {
    let largest = MAX_SECTORS * 512;
    for (size, good) in
        [(largest - 1, true), (largest, true), (largest + 1, false), (u64::MAX, false)]
    {
        for (subformat, force_size) in [("dynamic", false), ("dynamic", true), ("fixed", false)] {
            let made = Vpc.create(&creation(size, subformat, force_size));
            let said = made.err().map(|error| error.to_string());
            let expected = "The image size is too large for file format 'vpc'".to_string();
            assert_eq!(said, (!good).then_some(expected), "{size}");
        }
    }
    // Sectors of its last block can still be counted.
    let mut writer = Vpc.create(&creation(largest, "dynamic", false)).unwrap();
    assert!(writer.longest(File::Own) / 512 < u64::from(u32::MAX));
    let run = writer.place(largest - 512, 512, &mut Files::default()).unwrap();
    assert_eq!(run.length, 512);
}

#[test]
fn other_subformats_are_refused() {
    let said = Vpc.create(&creation(0, "sparse", false)).err().unwrap().to_string();
    assert_eq!(said, "Parameter 'subformat' does not accept value 'sparse'");
}

#[test]
fn nothing_makes_it_an_image_before_the_end() {
    for subformat in ["dynamic", "fixed"] {
        let mut writer = Vpc.create(&creation(4 << 20, subformat, true)).unwrap();
        let mut files = Files::default();
        writer.place(0, 512, &mut files).unwrap();
        assert!(Vpc.open(Rc::new(files.file(File::Own).to_vec())).is_err());
    }
}
