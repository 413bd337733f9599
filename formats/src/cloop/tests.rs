use core::mem::{offset_of, size_of};
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::{
    Header, MAX_BLOCK_SIZE, MAX_BLOCKS, MAX_BLOCKS_32, MAX_COMPRESSED_SIZE, OFFSET, OFFSETS,
};
use super::sample::{Compressed, file};
use super::*;
use crate::codec::Codec;
use crate::error::ErrorKind;
use crate::extent::{Compressed as Unit, Content, Extent, Place};
use crate::image::Description;
use crate::testing;
use crate::testing::Long;
use crate::whole::Disk;

fn opened(bytes: impl AsRef<[u8]>) -> Result<Layout, Error> {
    Layout::new(&bytes.as_ref().to_vec())
}

fn image(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Cloop.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<Layout, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

/// The sample with another number in its header.
fn patched(offset: usize, value: u32) -> Vec<u8> {
    let mut image = Compressed::default().bytes();
    image[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    image
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Cloop, bytes, b"")
}

#[test]
fn fields_are_where_the_tools_have_them() {
    assert_eq!(offset_of!(Header, block_size), 128);
    assert_eq!(offset_of!(Header, blocks), 132);
    assert_eq!(size_of::<Header>() as u64, OFFSETS);
}

#[test]
fn images_are_recognised_by_their_script() {
    let sample = Compressed::default().bytes();
    assert_eq!(confidence(&sample), Confidence::WEAK);
    assert_eq!(confidence(&sample[..SCRIPT.len()]), Confidence::WEAK);
    assert_eq!(confidence(&sample[..SCRIPT.len() - 1]), Confidence::NONE);
    for place in 0..SCRIPT.len() {
        let mut image = sample.clone();
        image[place] ^= 1;
        assert_eq!(confidence(&image), Confidence::NONE, "{place}");
        // Who says that it is one need not have the script.
        assert_eq!(said(opened(image)), "");
    }
}

#[test]
fn the_size_is_that_of_all_blocks() {
    let opened = image(Compressed::default().bytes()).unwrap();
    let expected = Description { virtual_size: 4 * (64 << 10), ..Description::default() };
    assert_eq!(opened.description(), expected);
    for (block_size, offsets, expected) in [
        (512, vec![7], 0),
        (512, vec![7, 7], 512),
        (1024, vec![0, 1, 2, 3], 3072),
        // More than 32 bits can count, of sectors as well.
        (MAX_BLOCK_SIZE, vec![0; 40_001], 40_000 << 26),
    ] {
        let image = image(file(block_size, &offsets)).unwrap();
        assert_eq!(image.description().virtual_size, expected);
    }
}

#[test]
fn blocks_have_sizes_that_blocks_have() {
    for (size, expected) in [
        (0, "block_size cannot be zero"),
        (1, "block_size 1 must be a multiple of 512"),
        (511, "block_size 511 must be a multiple of 512"),
        (512, ""),
        (513, "block_size 513 must be a multiple of 512"),
        (MAX_BLOCK_SIZE - 512, ""),
        (MAX_BLOCK_SIZE, ""),
        (MAX_BLOCK_SIZE + 512, "block_size 67109376 must be 64 MB or less"),
        (u32::MAX - 511, "block_size 4294966784 must be 64 MB or less"),
        (u32::MAX, "block_size 4294967295 must be a multiple of 512"),
    ] {
        assert_eq!(said(opened(patched(128, size))), expected, "{size}");
    }
}

#[test]
fn the_number_of_blocks_is_bounded_at_below_and_above() {
    let too_many = "image requires too many offsets, try increasing block size";
    for (blocks, expected) in [
        (MAX_BLOCKS - 1, "the table of offsets at 136 (536870904 bytes) does not lie in the file"),
        (MAX_BLOCKS, "the table of offsets at 136 (536870912 bytes) does not lie in the file"),
        (MAX_BLOCKS + 1, too_many),
        (MAX_BLOCKS_32 - 1, too_many),
        (MAX_BLOCKS_32, too_many),
        (MAX_BLOCKS_32 + 1, "n_blocks 536870912 must be 536870911 or less"),
        (u32::MAX, "n_blocks 4294967295 must be 536870911 or less"),
    ] {
        assert_eq!(said(opened(patched(132, blocks))), expected, "{blocks}");
    }
}

#[test]
fn the_table_is_read_to_its_end() {
    // Zeros, and one entry that is more: the one behind it goes down again.
    let blocks = 100_000_u32;
    let length = OFFSETS + (u64::from(blocks) + 1) * OFFSET;
    let mut start = file(512, &[0]);
    start[132..136].copy_from_slice(&blocks.to_be_bytes());
    assert!(Layout::new(&Long { start: start.clone(), length }).is_ok());
    assert!(Layout::new(&Long { start: start.clone(), length: length - 1 }).is_err());
    for index in [1, 8191, 8192, 8193, 99_998, 99_999_usize] {
        let mut start = start.clone();
        start.resize(136 + 8 * index, 0);
        start.extend(1_u64.to_be_bytes());
        let message = said(Layout::new(&Long { start, length }));
        let index = index + 1;
        let expected = "offsets not monotonically increasing at index";
        assert_eq!(message, std::format!("{expected} {index}, image file is corrupt"));
    }
}

#[test]
fn blocks_follow_each_other() {
    let most = MAX_COMPRESSED_SIZE;
    let down = "offsets not monotonically increasing at index";
    let large = "invalid compressed block size at index";
    for (offsets, expected) in [
        (vec![0], None),
        (vec![u64::MAX], None),
        (vec![5, 5, 6, 6], None),
        (vec![5, 4], Some((down, 1))),
        (vec![5, 6, 7, 6], Some((down, 3))),
        (vec![u64::MAX, 0], Some((down, 1))),
        (vec![0, most - 1, 2 * most - 2], None),
        (vec![0, most, 2 * most], None),
        (vec![0, most, 2 * most + 1], Some((large, 2))),
        (vec![0, u64::MAX], Some((large, 1))),
        (vec![1, u64::MAX, 0], Some((large, 1))),
    ] {
        let expected =
            expected.map(|(start, index)| std::format!("{start} {index}, image file is corrupt"));
        assert_eq!(said(opened(file(512, &offsets))), expected.unwrap_or_default());
    }
}

#[test]
fn errors_have_their_kinds() {
    for (image, expected) in [
        (vec![0; 100], ErrorKind::NotThisFormat),
        (vec![0; 1000], ErrorKind::Corrupt),
        (patched(128, 1 << 31), ErrorKind::Unsupported),
        (patched(132, 1 << 31), ErrorKind::Unsupported),
        (file(512, &[1, 0]), ErrorKind::Corrupt),
    ] {
        assert_eq!(opened(image).unwrap_err().kind(), expected);
    }
}

#[test]
fn every_cut_is_an_error_that_fits() {
    let sample = Compressed::default().bytes();
    for length in 0..1000 {
        let expected = match length {
            ..136 => "the header (136 bytes) does not lie in the file",
            136..176 => "the table of offsets at 136 (40 bytes) does not lie in the file",
            // Whether blocks are there is seen when they are read.
            _ => "",
        };
        assert_eq!(said(opened(&sample[..length])), expected, "{length}");
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let sample = Compressed::default().bytes();
    for place in 0..176 {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
            let mut bytes = sample.clone();
            bytes[place] = value;
            if let Ok(image) = image(bytes) {
                testing::extents(image.as_ref());
            }
        }
    }
}

#[test]
fn blocks_are_compressed() {
    let sample = Compressed::default();
    let bytes = sample.bytes();
    let image = image(&bytes).unwrap();
    let (block, place, length) = (64 << 10, Place::own(176), 65_552);
    for (offset, limit, number, skip, expected) in [
        (0, u64::MAX, 0, 0, block),
        (5, 10, 0, 5, 10),
        (block + 7, u64::MAX, 1, 7, block - 7),
        (4 * block - 1, u64::MAX, 3, block - 1, 1),
    ] {
        let limit = limit.min(4 * block - offset);
        let place = place.after(number * length);
        let unit = Unit { place, length, codec: Codec::Zlib, size: block, skip };
        let content = Content::Compressed(unit);
        let found = image.extent(offset, limit).unwrap();
        assert_eq!(found, Extent { length: expected, content }, "{limit} at {offset}");
    }
    let mut disk = vec![0; 4 * (64 << 10)];
    Disk::new(image, Rc::new(bytes)).read(0, &mut disk).unwrap();
    assert!(disk == sample.blocks.concat());
}

#[test]
fn blocks_lie_where_files_can_be() {
    for (start, good) in [(1 << 40, true), (0x7fff_ffff_c000_0000 - 9, true), (1 << 63, false)] {
        let found = image(file(512, &[start, start + 9])).unwrap().extent(0, 512);
        let found = found.map_or_else(|error| error.to_string(), |_| String::new());
        let expected = format!("block 0 of the disk lies at {start}, where no file reaches");
        assert_eq!(found, if good { String::new() } else { expected });
    }
}
