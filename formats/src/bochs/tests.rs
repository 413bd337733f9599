use core::mem::{offset_of, size_of};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::{HEADER_SIZE, MAX_CATALOG_ENTRIES, Rest2, VERSION_1, VERSION_2};
use super::sample::Growing;
use super::*;
use crate::error::ErrorKind;
use crate::extent::{Content, Extent, Place};
use crate::image::Description;
use crate::testing;

fn opened(bytes: impl AsRef<[u8]>) -> Result<Layout, Error> {
    Layout::new(&bytes.as_ref().to_vec())
}

fn image(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Bochs.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<Layout, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

/// A sample with other bytes somewhere.
fn patched(sample: &Growing, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = sample.bytes();
    image[offset..offset + bytes.len()].copy_from_slice(bytes);
    image
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Bochs, bytes, b"")
}

const VERSION: usize = offset_of!(Header, version);
const DISK: usize = offset_of!(Header, rest) + offset_of!(Rest2, disk);

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(size_of::<Header>(), HEADER_SIZE);
    assert_eq!(offset_of!(Header, header_size), 68);
    assert_eq!(offset_of!(Header, extent_size), 80);
    assert_eq!(DISK, 88);
}

#[test]
fn images_are_recognised_by_their_three_names_and_the_version() {
    let sample = Growing { disk: 0, ..Growing::default() };
    for (offset, bytes, expected) in [
        (0, &b"B"[..], true),
        (0, b"b", false),
        (22, b"\0", true),
        (22, b"s", false),
        // What is behind the NUL is nothing.
        (23, b"s", true),
        (32, b"Redolog\0more", true),
        (32, b"Redolog2", false),
        (32, b"Redo\0", false),
        (48, b"Growing\0", true),
        (48, b"Undoable", false),
        (48, b"Volatile", false),
        (48, b"vvfat\0", false),
        (VERSION, &VERSION_1.to_le_bytes(), true),
        (VERSION, &VERSION_2.to_le_bytes(), true),
        (VERSION, &0x0003_0000_u32.to_le_bytes(), false),
        (VERSION, &0_u32.to_le_bytes(), false),
        // A field without an end is another name.
        (0, &[b'B'; 32], false),
    ] {
        let image = patched(&sample, offset, bytes);
        let context = bytes.escape_ascii().to_string();
        assert_eq!(confidence(&image), Confidence::certain_if(expected), "{context}");
        let expected = if expected { "" } else { "Image not in Bochs format" };
        assert_eq!(said(opened(image)), expected, "{context}");
    }
    assert_eq!(confidence(&[]), Confidence::NONE);
    assert_eq!(confidence(&vec![0; 4096]), Confidence::NONE);
}

#[test]
fn the_header_describes_the_image() {
    for version in [VERSION_1, VERSION_2] {
        let sample = Growing { version, ..Growing::written() };
        let expected = Layout {
            sectors: 2048,
            catalog: 512,
            catalog_entries: 512,
            bitmap_size: 1,
            extent_size: 4096,
        };
        assert_eq!(opened(sample.bytes()).unwrap(), expected);
        let image = Bochs.open(Rc::new(sample.bytes())).unwrap();
        let expected = Description { virtual_size: 1 << 20, ..Description::default() };
        assert_eq!(image.description(), expected);
        assert_eq!(image.references(), []);
    }
}

#[test]
fn the_disk_has_whole_sectors() {
    for (disk, sectors) in [(0, 0), (511, 0), (512, 1), (1023, 1), (2 << 20, 4096)] {
        let image = opened(Growing { disk, ..Growing::default() }.bytes()).unwrap();
        assert_eq!(image.sectors, sectors, "{disk}");
    }
}

#[test]
fn the_catalog_covers_the_disk() {
    let too_small = "Catalog size is too small for this disk size";
    let sample = Growing::default();
    for (disk, catalog_entries, extent_size, expected) in [
        (1 << 20, 256, 4096, ""),
        (1 << 20, 255, 4096, too_small),
        ((1 << 20) + 511, 256, 4096, ""),
        ((1 << 20) + 512, 256, 4096, too_small),
        (0, 0, 4096, ""),
        (512, 0, 4096, too_small),
        (1024, 2, 512, ""),
        (1024, 1, 512, too_small),
        (u64::MAX, 512, 8 << 20, too_small),
    ] {
        let sample = Growing { disk, catalog_entries, extent_size, ..sample.clone() };
        assert_eq!(said(opened(sample.bytes())), expected, "{disk} {catalog_entries}");
    }
}

#[test]
fn the_largest_disk_has_8_tib() {
    let image = image(Growing::largest().bytes()).unwrap();
    assert_eq!(image.description().virtual_size, 8 << 40);
    let more = Growing { disk: (8 << 40) + 512, ..Growing::largest() };
    assert_eq!(said(opened(more.bytes())), "Catalog size is too small for this disk size");
}

#[test]
fn the_catalog_is_bounded_at_below_and_above() {
    let sample = Growing::default();
    for (entries, expected) in [
        (MAX_CATALOG_ENTRIES - 1, "the catalog at 512 (4194300 bytes) does not lie in the file"),
        (MAX_CATALOG_ENTRIES, "the catalog at 512 (4194304 bytes) does not lie in the file"),
        (MAX_CATALOG_ENTRIES + 1, "Catalog size is too large"),
        (u32::MAX, "Catalog size is too large"),
    ] {
        let image = patched(&sample, offset_of!(Header, catalog_entries), &entries.to_le_bytes());
        assert_eq!(said(opened(image)), expected, "{entries}");
    }
}

#[test]
fn the_catalog_lies_in_the_file() {
    let sample = Growing::default();
    for (offset, expected) in [
        (0, ""),
        (511, ""),
        (512, ""),
        (513, "the catalog at 513 (2048 bytes) does not lie in the file"),
        (u32::MAX, "the catalog at 4294967295 (2048 bytes) does not lie in the file"),
    ] {
        let image = patched(&sample, offset_of!(Header, header_size), &offset.to_le_bytes());
        assert_eq!(said(opened(image)), expected, "{offset}");
    }
}

#[test]
fn extents_have_sizes_that_extents_have() {
    let sample = Growing { disk: 512, ..Growing::default() };
    for (size, expected) in [
        (0_u32, "Extent size must be at least 512"),
        (1, "Extent size must be at least 512"),
        (511, "Extent size must be at least 512"),
        (512, ""),
        (513, "Extent size 513 is not a power of two"),
        (4096, ""),
        (0x7f_ffff, "Extent size 8388607 is not a power of two"),
        (0x80_0000, ""),
        (0x80_0001, "Extent size 8388609 is not a power of two"),
        (0x100_0000, "Extent size 16777216 is too large"),
        (0x8000_0000, "Extent size 2147483648 is too large"),
        (u32::MAX, "Extent size 4294967295 is not a power of two"),
    ] {
        let image = patched(&sample, offset_of!(Header, extent_size), &size.to_le_bytes());
        assert_eq!(said(opened(image)), expected, "{size}");
    }
}

#[test]
fn errors_have_their_kinds() {
    let kind = |image: Vec<u8>| opened(image).unwrap_err().kind();
    let sample = Growing::default();
    assert_eq!(kind(vec![0; 4096]), ErrorKind::NotThisFormat);
    assert_eq!(kind(Growing { catalog_entries: 1, ..sample.clone() }.bytes()), ErrorKind::Corrupt);
    assert_eq!(kind(Growing { extent_size: 1 << 24, ..sample }.bytes()), ErrorKind::Unsupported);
}

#[test]
fn every_cut_is_an_error_that_fits() {
    let sample = Growing::default().bytes();
    let catalog = "the catalog at 512 (2048 bytes) does not lie in the file";
    for length in 0..sample.len() {
        let expected = match length {
            // Up to the end of the version, of which the last byte is zero.
            ..67 => "Image not in Bochs format",
            67..512 => "the header (512 bytes) does not lie in the file",
            _ => catalog,
        };
        let image = &sample[..length];
        assert_eq!(said(opened(image)), expected, "{length}");
        assert_eq!(confidence(image), Confidence::certain_if(length >= 67), "{length}");
    }
    assert_eq!(said(opened(sample)), "");
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let sample = Growing::written();
    for place in (0..HEADER_SIZE).chain(524..528).chain(2560..2562) {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
            if let Ok(image) = image(patched(&sample, place, &[value])) {
                testing::extents(image.as_ref());
            }
        }
    }
}

#[test]
fn bitmaps_say_which_sectors_are_there() {
    let mut bytes = Growing::written().bytes();
    // Of the second extent in the file, which is the fourth of the disk, these sectors.
    let bitmap = 2560 + 512 + 4096;
    bytes[bitmap] = 0b1011_0001;
    let data = |sector: u64| Content::Data(Place::own(bitmap as u64 + 512 + sector * 512));
    let start = 3 * 4096;
    let image = image(bytes).unwrap();
    for (offset, limit, length, content) in [
        // What is not there goes on over extents.
        (0, u64::MAX, start, Content::Unallocated),
        (5, 100, 100, Content::Unallocated),
        (start, u64::MAX, 512, data(0)),
        (start + 512, u64::MAX, 3 * 512, Content::Unallocated),
        (start + 1023, 1, 1, Content::Unallocated),
        (start + 2048, u64::MAX, 1024, data(4)),
        (start + 2049, u64::MAX, 1023, data(4).inside(1)),
        (start + 3072, u64::MAX, 512, Content::Unallocated),
        // What is there ends with its extent.
        (start + 3584, u64::MAX, 512, data(7)),
        (start + 4096, 196 * 4096, 196 * 4096, Content::Unallocated),
        (200 * 4096 + 7, u64::MAX, 4089, Content::Data(Place::own(2560 + 512 + 7))),
    ] {
        let limit = limit.min((1 << 20) - offset);
        let found = image.extent(offset, limit).unwrap();
        assert_eq!(found, Extent { length, content }, "{limit} at {offset}");
    }
}

#[test]
fn long_bitmaps_are_read_by_pieces() {
    let extent_size = 1 << 20;
    for sectors in [1, 7, 8, 9, 511, 512, 513, 1024, 1535, 2047, 2048] {
        let extents = vec![(1, vec![7; sectors * 512])];
        let (disk, bitmap_size) = (4 << 20, 256);
        let growing = Growing { disk, extent_size, bitmap_size, extents, ..Growing::default() };
        let found = testing::extents(image(growing.bytes()).unwrap().as_ref());
        let place = Place::own(2560 + 512);
        let length = sectors as u64 * 512;
        assert_eq!(found[1], Extent { length, content: Content::Data(place) }, "{sectors}");
        assert_eq!(found.len(), 3, "{sectors}");
        assert_eq!(found[2].content, Content::Unallocated, "{sectors}");
    }
}

#[test]
fn extents_lie_where_files_can_be() {
    // All extents are there, as the file ends with their catalog, but hold nothing.
    let mut bytes = Growing::default().bytes();
    for (entry, expected) in [(0_u32, ""), (0xffff_fffe, ""), (u32::MAX, "")] {
        bytes[512..516].copy_from_slice(&entry.to_le_bytes());
        let found = image(&bytes).unwrap().extent(0, 4096);
        let found = found.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(found, expected, "{entry:#x}");
    }
    // Bitmaps of 4 GiB, as one without bytes has: two to the power of 31 lie nowhere.
    bytes[76..80].fill(0);
    for (entry, is_there) in [(0x7fff_0000_u32, true), (0x7fff_ffff, false), (0x8000_0000, false)] {
        bytes[512..516].copy_from_slice(&entry.to_le_bytes());
        let found = image(&bytes).unwrap().extent(0, 4096);
        assert_eq!(found.is_ok(), is_there, "{entry:#x}");
        if let Err(error) = found {
            let expected = "extent 0 of the disk is number ";
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
}
