use alloc::rc::Rc;
use std::boxed::Box;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::Format;
use crate::creation::{Options, Value};
use crate::storage::StorageError;
use crate::vhdx::Vhdx;
use crate::whole::{Disk, Files};

const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn creation(size: u64, options: &[(&str, Value)]) -> Creation<'static> {
    let mut set = Options::default();
    options.iter().for_each(|(name, value)| set.set(name, value.clone()));
    Creation { size, options: set, seed: [7; 16], ..Creation::default() }
}

fn writer(size: u64, options: &[(&str, Value)]) -> Result<VhdxWriter, Error> {
    VhdxWriter::new(&creation(size, options))
}

fn subformat(name: &str) -> (&'static str, Value) {
    ("subformat", Value::Text(name.into()))
}

fn block(size: u64) -> (&'static str, Value) {
    ("block_size", Value::Number(size))
}

/// What is made of a disk with these bytes.
fn made(disk: &[u8], options: &[(&str, Value)]) -> Vec<u8> {
    let mut writer = writer(disk.len() as u64, options).unwrap();
    let mut files = Files::default();
    files.make(&mut writer, disk, 4096).unwrap();
    assert!(files.file(File::Own).len() as u64 <= writer.longest(File::Own));
    files.file(File::Own).to_vec()
}

#[test]
fn a_disk_that_was_written_is_read_again() {
    let mut disk = vec![0; 5_000_192];
    disk[3_000_000..3_100_000].fill(3);
    disk[1_040_000..1_060_000].fill(1);
    disk[5_000_191] = 4;
    // Sizes of the files are in megabytes.
    for (options, length) in [
        (&[block(MIB)][..], 8 + 4),
        (&[block(2 * MIB)], 8 + 3 * 2),
        (&[block(MIB), subformat("fixed")], 8 + 5),
        (&[block(MIB), subformat("dynamic"), ("block_state_zero", Value::Flag(false))], 8 + 4),
        (&[block(MIB), ("log_size", Value::Number(MIB + 1))], 9 + 4),
    ] {
        let file = made(&disk, options);
        assert_eq!(file.len(), length << 20, "{options:?}");
        let image = Vhdx.open(Rc::new(file.clone())).unwrap();
        let mut read = vec![7; disk.len()];
        Disk::new(image, Rc::new(file)).read(0, &mut read).unwrap();
        assert!(read == disk, "{options:?}");
    }
}

/// The entries of the table of an image.
fn entries(file: &[u8], count: usize) -> Vec<u64> {
    let (entries, _) = file[2 << 20..].as_chunks();
    entries[..count].iter().map(|entry| u64::from_le_bytes(*entry)).collect()
}

#[test]
fn what_never_comes_is_zeros_or_not_present() {
    let mut disk = vec![0; 3 << 20];
    disk[1 << 20] = 1;
    let place = 8 << 20;
    for (zero, blank) in [(None, 2), (Some(true), 2), (Some(false), 0)] {
        let zero = zero.map(|zero| ("block_state_zero", Value::Flag(zero)));
        let options: Vec<_> = zero.clone().into_iter().chain([block(MIB)]).collect();
        let file = made(&disk, &options);
        assert_eq!(entries(&file, 4), [blank, place | 6, blank, 0], "{zero:?}");
    }
    // A fixed disk has all blocks, the last one as a whole.
    let file = made(&disk[..(2 << 20) + 512], &[block(MIB), subformat("fixed")]);
    let expected = [place | 6, (place + MIB) | 6, (place + 2 * MIB) | 6, 0];
    assert_eq!(entries(&file, 4), expected);
    assert_eq!(file.len(), 11 << 20);
}

/// Keeps what is written below some place, and drops the rest.
#[derive(Default)]
struct Start(Files);

/// What is kept: all but the blocks of the disk.
const KEPT: u64 = 8 * MIB;

impl Output for Start {
    fn write(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        if offset < KEPT { self.0.write(file, offset, bytes) } else { Ok(()) }
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn set_length(&mut self, _file: File, _length: u64) -> Result<(), StorageError> {
        Ok(())
    }
}

#[test]
fn sector_bitmap_blocks_are_not_present() {
    // Chunks of 4 GiB in blocks of 256 MiB.
    let chunk = 4 * GIB;
    for (zero, blank) in [(true, 2), (false, 0)] {
        for touched in [None, Some(0), Some(chunk - 512), Some(chunk), Some(2 * chunk)] {
            let options = [block(256 << 20), ("block_state_zero", Value::Flag(zero))];
            let mut writer = writer(3 * chunk - 512, &options).unwrap();
            let mut output = Start::default();
            if let Some(offset) = touched {
                Writer::place(&mut writer, offset, 512, &mut output).unwrap();
            }
            writer.finish(&mut output).unwrap();
            let entries = entries(output.0.file(File::Own), 51);
            let touched = touched.map(|offset| offset / (256 << 20));
            let touched = touched.map(|block| block + block / 16);
            for (number, entry) in (0_u64..).zip(&entries[..50]) {
                let expected = match number {
                    16 | 33 => 0,
                    _ if Some(number) == touched => (8 << 20) | 6,
                    _ => blank,
                };
                assert_eq!(*entry, expected, "{number}, {touched:?} is there");
            }
            assert_eq!(entries[50], 0);
        }
    }
}

#[test]
fn blocks_have_the_size_that_is_wanted_or_one_for_the_disk() {
    for (wanted, size, expected) in [
        (None, 0, Ok(8 * MIB)),
        (Some(0), GIB, Ok(8 * MIB)),
        (None, GIB + 1, Ok(16 * MIB)),
        (None, 100 * GIB, Ok(16 * MIB)),
        (None, 100 * GIB + 1, Ok(32 * MIB)),
        (None, 32 * TIB, Ok(32 * MIB)),
        (None, 32 * TIB + 1, Ok(64 * MIB)),
        (Some(1), GIB, Ok(MIB)),
        (Some(MIB), GIB, Ok(MIB)),
        (Some(MIB + 1), GIB, Ok(2 * MIB)),
        (Some(2 * MIB + 1), GIB, Err("Block size must be a power of two")),
        (Some(255 * MIB + 1), GIB, Ok(256 * MIB)),
        (Some(256 * MIB), GIB, Ok(256 * MIB)),
        (Some(300 * MIB), GIB, Ok(256 * MIB)),
        (Some(u64::MAX), GIB, Ok(256 * MIB)),
    ] {
        let found = block_size(wanted, size).map(u64::from).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(ToString::to_string), "{wanted:?} {size}");
    }
}

#[test]
fn logs_have_whole_megabytes() {
    let limit = 4 * GIB - MIB;
    for (wanted, expected) in [
        (None, Ok(MIB)),
        (Some(0), Err("Log size must be a multiple of 1 MB")),
        (Some(1), Ok(MIB)),
        (Some(MIB + 1), Ok(2 * MIB)),
        (Some(limit), Ok(limit)),
        (Some(limit + 1), Err("Log size must be smaller than 4 GB")),
        (Some(u64::MAX), Err("Log size must be smaller than 4 GB")),
    ] {
        let found = log_length(wanted).map(u64::from).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(ToString::to_string), "{wanted:?}");
    }
}

#[test]
fn disks_that_are_made_have_a_largest_size() {
    for (size, good) in
        [(MAX_DISK - 1, true), (MAX_DISK, true), (MAX_DISK + 1, false), (u64::MAX, false)]
    {
        let said = writer(size, &[]).err().map(|error| error.to_string());
        let expected = "Image size too large; max of 64TB".to_string();
        assert_eq!(said, (!good).then_some(expected), "{size}");
    }
    assert_eq!(writer(1000, &[]).unwrap().rounded_size(), Some(1024));
    assert_eq!(writer(1024, &[]).unwrap().rounded_size(), None);
}

#[test]
fn complaints_come_in_order() {
    let wrong = [
        subformat("sparse"),
        ("size", Value::Number(0)),
        ("log_size", Value::Number(0)),
        block(3 * MIB),
    ];
    for (first, expected) in [
        (0, "Parameter 'subformat' does not accept value 'sparse'"),
        (1, "Image size too large; max of 64TB"),
        (2, "Log size must be a multiple of 1 MB"),
        (3, "Block size must be a power of two"),
    ] {
        let size = if first <= 1 { MAX_DISK + 1 } else { 0 };
        let said = writer(size, &wrong[first..]).err().unwrap().to_string();
        assert_eq!(said, expected);
    }
}

#[test]
fn the_largest_table_of_an_empty_disk_fits_in_its_region() {
    let writer = writer(0, &[block(256 << 20)]).unwrap();
    assert_eq!(writer.table_end - writer.bat.offset, 2 * GIB);
    assert_eq!(writer.longest(File::Own), 2 * GIB + 7 * MIB);
}

#[test]
fn nothing_makes_it_an_image_before_the_end() {
    let mut writer = writer(4 << 20, &[]).unwrap();
    let mut files = Files::default();
    Writer::place(&mut writer, 0, 512, &mut files).unwrap();
    assert!(Vhdx.open(Rc::new(files.file(File::Own).to_vec())).is_err());
}

#[test]
fn ids_come_from_the_seed() {
    let file = made(&vec![0; 512], &[block(MIB)]);
    let image: Box<dyn crate::Image> = Vhdx.open(Rc::new(file.clone())).unwrap();
    let own = image.identity().own;
    assert_eq!(own, Some(Guid::from_bytes(creation(0, &[]).id(1))));
    assert_eq!(file, made(&vec![0; 512], &[block(MIB)]));
}
