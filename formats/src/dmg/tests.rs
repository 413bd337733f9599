use core::mem::{offset_of, size_of};
use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::property_list::PropertyList;
use super::sample::{Chunk, Udif, base64, property_list, resource_fork};
use super::table::Chunks;
use super::trailer::{OnDisk, Range};
use super::*;
use crate::codec::Codec;
use crate::error::ErrorKind;
use crate::extent::{Compressed, Content, Extent, Place as Where};
use crate::image::{Description, MAX_DISK};
use crate::testing;

fn opened(bytes: impl AsRef<[u8]>) -> Result<DmgImage, Error> {
    DmgImage::new(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<DmgImage, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

/// An image with another number in its trailer.
fn with_trailer(mut image: Vec<u8>, field: usize, value: u64) -> Vec<u8> {
    let start = image.len() - size_of::<OnDisk>() + field;
    image[start..start + 8].copy_from_slice(&value.to_be_bytes());
    image
}

fn confidence(bytes: &[u8], extension: &[u8]) -> Confidence {
    testing::confidence(&Dmg, bytes, extension)
}

/// How many chunks a property list has.
fn chunks_in(list: &str) -> u32 {
    let mut chunks = Chunks::new(0, 0);
    let range = Range { offset: 0, length: list.len() as u64 };
    let mut list_read = PropertyList::new(range).unwrap();
    list_read.push(list.as_bytes(), &mut chunks).unwrap();
    list_read.finish().unwrap();
    chunks.count()
}

#[test]
fn fields_are_where_the_description_has_them() {
    assert_eq!(size_of::<OnDisk>(), 512);
    assert_eq!(offset_of!(OnDisk, data_fork_offset), 0x18);
    assert_eq!(offset_of!(OnDisk, resource_fork_offset), 0x28);
    assert_eq!(offset_of!(OnDisk, property_list_offset), 0xd8);
    assert_eq!(offset_of!(OnDisk, master_checksum), 0x160);
    assert_eq!(offset_of!(OnDisk, sectors), 0x1ec);
    assert_eq!(size_of::<table::Header>(), 204);
    assert_eq!(offset_of!(table::Header, data_offset), 24);
    assert_eq!(size_of::<chunk::OnDisk>(), 40);
}

#[test]
fn images_are_recognised_by_their_name_or_their_end() {
    let sample = Udif::default().bytes();
    assert_eq!(confidence(&sample, b""), Confidence::LIKELY);
    assert_eq!(confidence(&sample, b"dmg"), Confidence::LIKELY);
    for extension in [&b""[..], b"img", b"DMG", b"dmg2"] {
        assert_eq!(confidence(&[0; 4096], extension), Confidence::NONE);
    }
    assert_eq!(confidence(&[0; 4096], b"dmg"), Confidence::WEAK);
    let end = sample.len() - 512;
    for (offset, byte) in [(0, b'K'), (3, b'x'), (7, 5), (11, 1), (10, 1)] {
        let mut image = sample.clone();
        image[end + offset] = byte;
        assert_eq!(confidence(&image, b""), Confidence::NONE, "{offset}");
    }
    // What is behind it makes it something else, or nothing.
    assert_eq!(confidence(&[&sample[..], b"x"].concat(), b""), Confidence::NONE);
    assert_eq!(confidence(&sample[end..], b""), Confidence::LIKELY);
    assert_eq!(confidence(&sample[end + 1..], b""), Confidence::NONE);
    // It goes before cloop, as with qemu-img.
    let script = [crate::cloop::header::SCRIPT, &[0; 100]].concat();
    assert_eq!(crate::probe::detect(&script, b"dmg").unwrap().name(), "dmg");
    assert_eq!(crate::probe::detect(&script, b"").unwrap().name(), "cloop");
}

#[test]
fn the_trailer_describes_the_image() {
    for sample in [Udif::default(), Udif::default().with_resource_fork()] {
        let image = opened(sample.bytes()).unwrap();
        assert_eq!(
            (image.trailer.sectors, image.trailer.data_fork, image.chunks.count()),
            (128, 0, 4)
        );
        let image = Dmg.open(Rc::new(sample.bytes())).unwrap();
        let expected = Description { virtual_size: 64 << 10, ..Description::default() };
        assert_eq!(image.description(), expected);
        assert_eq!(image.references(), []);
    }
    for sample in [Udif::every_kind(), Udif::every_kind().with_resource_fork()] {
        let image = opened(sample.bytes()).unwrap();
        assert_eq!((image.trailer.sectors, image.chunks.count()), (100_066, 8));
    }
}

#[test]
fn every_kind_of_chunk_is_known() {
    for (kind, count) in [
        (0, 1),
        (1, 1),
        (2, 1),
        (3, 0),
        (chunk::COMMENT, 0),
        (0x8000_0000, 0),
        (0x8000_0003, 0),
        (0x8000_0004, 1),
        (0x8000_0005, 1),
        (0x8000_0006, 1),
        (0x8000_0007, 1),
        (0x8000_0008, 1),
        (0x8000_0009, 0),
        (chunk::TERMINATOR, 0),
    ] {
        let image = opened(Udif::of_kind(kind).bytes());
        match count {
            0 => assert_eq!(said(image), "the image has no chunks", "{kind:#x}"),
            count => assert_eq!(image.unwrap().chunks.count(), count, "{kind:#x}"),
        }
    }
}

#[test]
fn the_trailer_may_end_inside_a_sector() {
    let sample = Udif::default().bytes();
    let (data, end) = sample.split_at(sample.len() - 512);
    for pad in 0..600 {
        let image = [data, &vec![0; pad], end].concat();
        assert_eq!(said(opened(image)), "", "{pad}");
        // Behind it there may be less than a sector, of a file in whole sectors.
        let image = [&sample[..], &vec![0; pad]].concat();
        let length = image.len().next_multiple_of(512);
        let found = sample.len() - 512 >= length - 1023;
        let expected = if found { "" } else { "Could not locate UDIF trailer in dmg file" };
        assert_eq!(said(opened(image)), expected, "{pad}");
    }
}

#[test]
fn the_first_signature_counts() {
    let mut image = Udif::default().bytes();
    let end = image.len().next_multiple_of(512);
    // One byte in front of where the search starts, and there.
    image[end - 1024..end - 1020].copy_from_slice(b"koly");
    assert_eq!(said(opened(&image)), "");
    image[end - 1023..end - 1019].copy_from_slice(b"koly");
    assert_ne!(said(opened(&image)), "");
}

#[test]
fn files_without_a_trailer_are_refused() {
    let none = "Could not locate UDIF trailer in dmg file";
    for (bytes, expected) in [
        (vec![], "dmg file must be at least 512 bytes long"),
        (vec![0; 1], none),
        (vec![0; 512], none),
        (vec![0; 4096], none),
        (b"koly".to_vec(), "the trailer at 0 (512 bytes) does not lie in the file"),
        (
            [&[0; 100][..], b"koly"].concat(),
            "the trailer at 100 (512 bytes) does not lie in the file",
        ),
    ] {
        assert_eq!(said(opened(bytes)), expected);
    }
}

#[test]
fn all_that_the_trailer_speaks_of_is_in_front_of_it() {
    let sample = Udif::default().bytes();
    let end = sample.len() as u64 - 512;
    let front = |what: &str, offset, length| {
        format!("the {what} at {offset} ({length} bytes) does not lie in front of the trailer")
    };
    let fork = offset_of!(OnDisk, data_fork_offset);
    for (offset, expected) in [
        (end, String::new()),
        (end + 1, front("data fork", end + 1, 0)),
        (u64::MAX, front("data fork", u64::MAX, 0)),
    ] {
        let image = with_trailer(sample.clone(), fork, offset);
        let image = said(opened(image));
        assert_eq!(image, expected, "{offset}");
    }
    // Of what is not there, the place has to be right all the same.
    let fork = offset_of!(OnDisk, resource_fork_offset);
    for (offset, expected) in [
        (end - 1, String::new()),
        (end, front("resource fork", end, 0)),
        (u64::MAX, front("resource fork", u64::MAX, 0)),
    ] {
        assert_eq!(said(opened(with_trailer(sample.clone(), fork, offset))), expected);
    }
    let start = u64::from_be_bytes(*sample[sample.len() - 512 + 0xd8..].first_chunk().unwrap());
    let length = end - start;
    let field = offset_of!(OnDisk, property_list_length);
    for (length, expected) in [
        (length - 1, String::new()),
        (length, String::new()),
        (length + 1, front("property list", start, length + 1)),
        (u64::MAX, front("property list", start, u64::MAX)),
        (0, "the image has neither a resource fork nor a property list".into()),
    ] {
        assert_eq!(said(opened(with_trailer(sample.clone(), field, length))), expected);
    }
}

#[test]
fn a_disk_has_a_largest_size() {
    let too_large = "Could not refresh total sector count: File too large";
    let most = MAX_DISK / SECTOR;
    for (sectors, expected) in [
        (0, ""),
        (most - 1, ""),
        (most, ""),
        (most + 1, too_large),
        (u64::MAX / 512, too_large),
        (1 << 63, too_large),
        (u64::MAX, too_large),
    ] {
        let sample = Udif { sectors, ..Udif::default() };
        assert_eq!(said(opened(sample.bytes())), expected, "{sectors}");
    }
}

/// An image of one chunk with these numbers, behind one of zeros.
fn one_chunk(kind: u32, sector: u64, sectors: u64, offset: u64, length: u64) -> Vec<u8> {
    let chunks = vec![Chunk::new(0, 1, b""), Chunk::new(kind, sectors, b"")];
    let mut table =
        Udif { tables: vec![(0, chunks)], ..Udif::default() }.encoded_tables().remove(0);
    for (field, value) in [(8, sector), (24, offset), (32, length)] {
        let start = 204 + 40 + field;
        table[start..start + 8].copy_from_slice(&value.to_be_bytes());
    }
    Udif::default().with_list(property_list(&[table]).as_bytes())
}

#[test]
fn chunks_are_bounded_at_below_and_above() {
    let most = 131_072;
    let sectors = "sector count 131073 for chunk 1 is larger than max (131072)";
    let length = "length 67108865 for chunk 1 is larger than max (67108864)";
    for kind in [0x8000_0004, 0x8000_0005, 0x8000_0006, 0x8000_0007, 0x8000_0008] {
        assert_eq!(said(opened(one_chunk(kind, 0, most - 1, 0, 0))), "");
        assert_eq!(said(opened(one_chunk(kind, 0, most, 0, 0))), "");
        assert_eq!(said(opened(one_chunk(kind, 0, most + 1, 0, 0))), sectors);
        assert_eq!(said(opened(one_chunk(kind, 0, u64::MAX, 0, 0))).len(), sectors.len() + 14);
    }
    for kind in [0, 2] {
        assert_eq!(said(opened(one_chunk(kind, 0, most + 1, 0, 0))), "");
        assert_eq!(said(opened(one_chunk(kind, 0, u64::MAX, 0, 0))), "");
        assert_eq!(said(opened(one_chunk(kind, 0, 1, 0, (64 << 20) + 1))), length);
    }
    for (length, expected) in [((64 << 20) - 1, ""), (64 << 20, ""), ((64 << 20) + 1, length)] {
        assert_eq!(said(opened(one_chunk(0x8000_0005, 0, 1, 0, length))), expected);
        assert_eq!(said(opened(one_chunk(1, 0, most, 0, length))), expected);
    }
    // What does not count may say anything.
    for kind in [3, chunk::COMMENT, chunk::TERMINATOR] {
        assert_eq!(said(opened(one_chunk(kind, u64::MAX, u64::MAX, u64::MAX, u64::MAX))), "");
    }
}

#[test]
fn what_is_stored_as_it_is_has_the_length_of_its_sectors() {
    let wrong = |length, sectors| {
        format!("length {length} for chunk 1 is inconsistent with sector count {sectors}")
    };
    for (sectors, length, expected) in [
        (0, 0, String::new()),
        (1, 1, String::new()),
        (1, 512, String::new()),
        (1, 513, wrong(513, 1)),
        (2, 513, String::new()),
        (2, 512, wrong(512, 2)),
        (1, 0, wrong(0, 1)),
        (0, 1, wrong(1, 0)),
        (131_072, 1, wrong(1, 131_072)),
    ] {
        assert_eq!(said(opened(one_chunk(1, 0, sectors, 0, length))), expected);
        assert_eq!(said(opened(one_chunk(0x8000_0005, 0, sectors, 0, length))), "");
    }
}

#[test]
fn chunks_lie_where_a_disk_and_a_file_go() {
    let nowhere = "chunk 1 lies beyond 64 bits";
    for (sector, sectors, offset, length, expected) in [
        (u64::MAX - 8, 8, 0, 0, ""),
        (u64::MAX - 8, 9, 0, 0, nowhere),
        (u64::MAX, 1, 0, 0, nowhere),
        (0, 8, u64::MAX - 5, 5, ""),
        (0, 8, u64::MAX - 5, 6, nowhere),
        (0, 8, u64::MAX, 1, nowhere),
    ] {
        let image = one_chunk(0x8000_0005, sector, sectors, offset, length);
        assert_eq!(said(opened(image)), expected, "{sector} {sectors} {offset} {length}");
    }
    // The table and the data fork count as well.
    let table = Udif::default().encoded_tables().remove(0);
    for field in [8, 24] {
        let mut table = table.clone();
        table[field..field + 8].fill(0xff);
        let image = Udif::default().with_list(property_list(&[table]).as_bytes());
        let expected = "chunk 0 lies beyond 64 bits";
        assert_eq!(said(opened(image)), expected);
    }
}

#[test]
fn other_resources_are_no_tables() {
    let table = Udif::default().encoded_tables().remove(0);
    let mut other = table.clone();
    other[3] = b'H';
    for (resources, chunks) in [
        (vec![table.clone()], 4),
        (vec![table.clone(), table.clone()], 8),
        (vec![other, vec![7], table.clone()], 4),
        // An entry that is cut off does not count, and one that is not does.
        (vec![table[..204 + 40].to_vec()], 1),
        (vec![table[..204 + 79].to_vec()], 1),
        (vec![table[..204 + 80].to_vec()], 2),
    ] {
        let length = |resource: &Vec<u8>| u32::try_from(resource.len()).unwrap().to_be_bytes();
        let fork = resources.iter().map(|it| [&length(it), &it[..]].concat());
        let fork = resource_fork(&fork.collect::<Vec<_>>().concat());
        assert_eq!(opened(Udif::default().with_fork(&fork)).unwrap().chunks.count(), chunks);
        assert_eq!(chunks_in(&property_list(&resources)), chunks);
    }
    for length in 0..204 + 40 {
        let image =
            Udif::default().with_list(property_list(&[table[..length].to_vec()]).as_bytes());
        assert_eq!(said(opened(image)), "the image has no chunks", "{length}");
    }
}

#[test]
fn resources_lie_in_the_fork() {
    // A table of 404 bytes and 16 bytes of something else, behind their lengths.
    let image = Udif::default().with_resource_fork().bytes();
    let fork = &image[image.len() - 512 - 714..image.len() - 512];
    let outside = "the resources do not lie in the resource fork".to_owned();
    let resource =
        |place: u32| format!("the resource at {place} of the resource fork does not lie in it");
    for (field, value, expected) in [
        // Where resources start.
        (0, 256_u32, String::new()),
        (0, 287, outside.clone()),
        (0, u32::MAX, outside.clone()),
        // How long all are.
        (8, 428, String::new()),
        (8, 0, outside.clone()),
        (8, 408, String::new()),
        (8, 409, resource(664)),
        (8, 411, resource(664)),
        (8, 412, resource(664)),
        (8, 427, resource(664)),
        (8, 429, resource(684)),
        (8, 458, resource(684)),
        (8, 459, outside.clone()),
        (8, u32::MAX, outside.clone()),
        // How long one is.
        (256, 404, String::new()),
        (256, 424, String::new()),
        (256, 425, resource(256)),
        (256, u32::MAX, resource(256)),
        (256, 0, resource(256)),
        (664, 0, resource(664)),
    ] {
        let mut fork = fork.to_vec();
        fork[field..field + 4].copy_from_slice(&value.to_be_bytes());
        assert_eq!(said(opened(Udif::default().with_fork(&fork))), expected, "{value} at {field}");
    }
    for length in 1..fork.len() {
        let expected = if length < 256 + 428 { &outside } else { "" };
        let image = Udif::default().with_fork(&fork[..length]);
        assert_eq!(said(opened(image)), *expected, "{length}");
    }
}

#[test]
fn a_property_list_is_read_by_its_structure() {
    let table = base64(&Udif::of_kind(0).encoded_tables()[0]);
    let list = |before: &str, behind: &str| format!("{before}<data>{table}</data>{behind}");
    for (list, chunks) in [
        (list("<key>blkx</key><array>", "</array>"), 1),
        (list("<key>blkx</key>\n<array>\n<dict><key>Data</key>\n", "</dict></array>"), 1),
        (list("<key>blkx</key><!-- a --><?b?><array>", "</array>"), 1),
        (list("<key a='b'>blkx</key ><array\n>", ""), 1),
        (list("<key>blkx</key><array><array></array>", ""), 1),
        (list("<key>blkx</key><array><array/>", ""), 1),
        (list("<key>blkx</key><array><data/>", ""), 1),
        (list("<key>blkx</key><array><array><key>x</key>", ""), 1),
        (list("<key>plst</key><array></array><key>blkx</key><array>", ""), 1),
        // Other keys, and what is behind the list.
        (list("<key>plst</key><array>", ""), 0),
        (list("<key>blkx2</key><array>", ""), 0),
        (list("<key>blkxblkxblkx</key><array>", ""), 0),
        (list("<key>blk</key><array>", ""), 0),
        (list("<key> blkx</key><array>", ""), 0),
        (list("<key>blkx</key>", ""), 0),
        (list("<key>blkx</key><string>x</string><array>", ""), 0),
        (list("<key>blkx</key><array></array>", ""), 0),
        (list("<key>blkx</key><array/>", ""), 0),
        (list("<key>blkx</key><array/><array>", ""), 0),
        (list("<keys>blkx</keys><array>", ""), 0),
        (list("<key>blkx</key><arrays>", ""), 0),
        (list("blkx<array>", ""), 0),
        (list("<blkx><array>", ""), 0),
        // Comments.
        (list("<!-- <key>blkx</key><array> ", "-->"), 0),
        (list("<key>blkx</key><array><!--", "-->"), 0),
        (list("<key>blkx</key><array><!-- -- >", ""), 0),
        (list("<key>blkx</key><array><!-->", ""), 0),
        (list("<key>blkx</key><array><!--->", ""), 0),
        (list("<key>blkx</key><array><!---->", ""), 1),
        (list("<key>blkx</key><array><!-- > -->", ""), 1),
        (list("<key>blkx</key><array><!DOCTYPE x>", ""), 1),
        // No end of the tag.
        (list("<key>blkx</key><array", ""), 0),
        (String::new(), 0),
        ("no xml".into(), 0),
    ] {
        assert_eq!(chunks_in(&list), chunks, "{}", list.replace(&table, "…"));
    }
    // Comments and other elements in a table do not belong to it.
    let (start, end) = table.split_at(100);
    let list = format!("<key>blkx</key><array><data>{start}<!-- x --><b>{end}</b></data>");
    assert_eq!(chunks_in(&list), 1);
}

#[test]
fn tables_go_on_over_the_ends_of_pieces() {
    let table = base64(&Udif::default().encoded_tables()[0]);
    for pad in 65_400..65_560 {
        let pad = " ".repeat(pad);
        let list = format!("{pad}<key>blkx</key><array><data>{table}</data></array>");
        assert_eq!(chunks_in(&list), 4);
    }
}

#[test]
fn a_table_has_an_end() {
    let table = base64(&Udif::of_kind(0).encoded_tables()[0]);
    for (list, expected) in [
        (format!("<key>blkx</key><array><data>{table}</data>"), ""),
        (format!("<key>blkx</key><array><data>{table}"), "the property list ends inside <data>"),
        (
            format!("<key>blkx</key><array><data>{table}</data"),
            "the property list ends inside <data>",
        ),
        ("<key>blkx</key><array><data>".into(), "the property list ends inside <data>"),
        ("<key>blkx</key><array><data".into(), "the image has no chunks"),
    ] {
        assert_eq!(said(opened(Udif::default().with_list(list.as_bytes()))), expected);
    }
}

#[test]
fn the_parts_are_bounded_at_below_and_above() {
    let limit = 16 << 20;
    let list = property_list(&Udif::default().encoded_tables());
    let fork = Udif::default().with_resource_fork().bytes();
    let fork = &fork[fork.len() - 512 - 714..fork.len() - 512];
    for (length, good) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
        let message = |what| match good {
            true => String::new(),
            false => format!("the {what} has {length} bytes, at most {limit} are allowed"),
        };
        let mut list = list.clone().into_bytes();
        list.resize(length, b' ');
        assert_eq!(said(opened(Udif::default().with_list(&list))), message("property list"));
        let mut fork = fork.to_vec();
        fork.resize(length, 0);
        assert_eq!(said(opened(Udif::default().with_fork(&fork))), message("resource fork"));
    }
}

#[test]
fn errors_have_their_kinds() {
    for (image, expected) in [
        (vec![], ErrorKind::NotThisFormat),
        (vec![0; 4096], ErrorKind::NotThisFormat),
        (Udif { sectors: u64::MAX, ..Udif::default() }.bytes(), ErrorKind::Unsupported),
        (Udif::of_kind(3).bytes(), ErrorKind::Unsupported),
        (one_chunk(1, 0, 1, 0, 1000), ErrorKind::Corrupt),
        (Udif::default().with_list(b""), ErrorKind::Corrupt),
    ] {
        assert_eq!(opened(image).unwrap_err().kind(), expected);
    }
}

#[test]
fn every_cut_is_an_error() {
    for sample in [Udif::of_kind(1), Udif::of_kind(1).with_resource_fork()] {
        let sample = sample.bytes();
        for length in 0..sample.len() {
            // The end of the trailer is zeros.
            let message = said(opened(&sample[..length]));
            assert!(!message.is_empty(), "{length}");
        }
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    for sample in [Udif::of_kind(1), Udif::of_kind(1).with_resource_fork()] {
        let sample = sample.bytes();
        for place in 4096..sample.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, b'<', b'>', b'/', b'A'] {
                let mut image = sample.clone();
                image[place] = value;
                if let Ok(image) = opened(image) {
                    testing::extents(&image);
                }
            }
        }
    }
}

/// The extents of an image.
fn extents(sample: &Udif) -> Vec<Extent> {
    testing::extents(&opened(sample.bytes()).unwrap())
}

#[test]
fn chunks_say_how_sectors_are_stored() {
    let place = Where::own;
    let unit = |offset, length, codec, size| {
        let place = place(offset);
        Content::Compressed(Compressed { place, length, codec, size, skip: 0 })
    };
    for sample in [Udif::every_kind(), Udif::every_kind().with_resource_fork()] {
        let found = extents(&sample);
        let expected = [
            // A sector of which some is missing.
            (1000, Content::Data(place(0))),
            (24 + (100_000 << 9), Content::Zero(None)),
            (30 << 9, Content::Unallocated),
            (4096, unit(1000, 20, Codec::Adc, 4096)),
            (1024, unit(1020, 1035, Codec::Zlib, 1024)),
            (4096, unit(2055, 10, Codec::Bzip2, 4096)),
        ];
        assert_eq!(found, expected.map(|(length, content)| Extent { length, content }));
    }
}

#[test]
fn some_compression_is_not_supported() {
    let image = opened(Udif::every_kind().bytes()).unwrap();
    for (sector, kind) in [(100_050, "LZFSE"), (100_057, "LZFSE"), (100_058, "LZMA")] {
        let first = sector / 8 * 8 + 2;
        let first = if first > sector { first - 8 } else { first };
        let error = image.extent(sector * 512 + 5, 1).unwrap_err();
        let expected = format!(
            "the chunk at sector {first} is compressed with {kind}, which is not supported"
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn raw_chunks_that_follow_each_other_are_one_extent() {
    let raw = |byte, sectors: usize| Chunk::raw(&vec![byte; sectors * 512]);
    let sectors = 40;
    let first = vec![raw(1, 8), raw(2, 8), Chunk::new(0, 8, &[]), Chunk::new(0, 4, &[])];
    let tables = vec![(0, first), (28, vec![raw(3, 12)])];
    let found = extents(&Udif { sectors, tables, ..Udif::default() });
    let data = |place| Content::Data(Where::own(place));
    let expected = [(8192, data(0)), (6144, Content::Zero(None)), (6144, data(8192))];
    assert_eq!(found, expected.map(|(length, content)| Extent { length, content }));
}

#[test]
fn sectors_in_no_chunk_cannot_be_read() {
    let chunk = || vec![Chunk::raw(&[7; 4096])];
    let tables = vec![(8, chunk()), (24, chunk())];
    let image = opened(Udif { sectors: 40, tables, ..Udif::default() }.bytes()).unwrap();
    image.check_content().unwrap();
    for (sector, is_there) in
        [(0, false), (7, false), (8, true), (15, true), (16, false), (23, false), (24, true)]
    {
        let found = image.extent(sector * 512, 512).map_err(|error| error.to_string());
        match found {
            Ok(_) => assert!(is_there, "{sector}"),
            Err(error) => assert_eq!(error, format!("no chunk holds sector {sector}")),
        }
    }
    assert!(image.extent(31 * 512, 512).is_ok());
    assert!(image.extent(32 * 512, 512).is_err());
}

#[test]
fn chunks_come_in_order() {
    let chunk = || Chunk::raw(&[7; 4096]);
    for (starts, expected) in [
        ([0, 8, 16], ""),
        ([0, 9, 30], ""),
        ([0, 7, 16], "the chunk at sector 7 is not behind the one before"),
        ([8, 0, 16], "the chunk at sector 0 is not behind the one before"),
        ([0, 16, 8], "the chunk at sector 8 is not behind the one before"),
        ([0, 8, 8], "the chunk at sector 8 is not behind the one before"),
    ] {
        let mut tables = starts.map(|start| (start, vec![chunk()])).to_vec();
        // One without sectors is nowhere.
        tables.insert(1, (500, vec![Chunk::new(0, 0, &[])]));
        let image = opened(Udif { sectors: 38, tables, ..Udif::default() }.bytes()).unwrap();
        let said = image.check_content().map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(said, expected, "{starts:?}");
    }
}

#[test]
fn long_tables_are_read_by_pieces() {
    // Zeros and others by turns, so that no two are one extent.
    let chunk = |number: u64| match number % 3 {
        0 => Chunk::new(0, 1, &[]),
        1 => Chunk::new(2, 1, &[]),
        _ => Chunk::raw(&[7; 512]),
    };
    let count = 6000_u64;
    let tables: Vec<_> =
        (0..3).map(|table| (table * 2000, (0..2000).map(chunk).collect())).collect();
    for place in [super::sample::Place::PropertyList, super::sample::Place::ResourceFork] {
        let sample = Udif { sectors: count, tables: tables.clone(), place };
        let image = opened(sample.bytes()).unwrap();
        let step = |sector: u64| image.extent(sector * 512, 512).unwrap().content;
        let mut raw = 0;
        let forward: Vec<Content> = (0..count).map(step).collect();
        for (sector, content) in forward.iter().enumerate() {
            let expected = match sector % 2000 % 3 {
                0 => Content::Zero(None),
                1 => Content::Unallocated,
                _ => {
                    raw += 512;
                    Content::Data(Where::own(raw - 512))
                }
            };
            assert_eq!(*content, expected, "{sector}");
        }
        // Here and there, so that pieces are read again.
        for sector in (0..12).rev().map(|step| step * 499).chain((0..count).step_by(1777)) {
            assert_eq!(step(sector), forward[usize::try_from(sector).unwrap()], "{sector}");
        }
    }
}

#[test]
fn chunks_lie_where_files_can_be() {
    let kind = 0x8000_0005;
    let mut sample = Udif::of_kind(kind);
    sample.place = super::sample::Place::ResourceFork;
    let bytes = sample.bytes();
    let table = bytes.windows(4).position(|bytes| bytes == b"mish").unwrap();
    for (offset, good) in [(1 << 50, true), (1 << 63, false)] {
        let mut bytes = bytes.clone();
        bytes[table + 24..table + 32].copy_from_slice(&u64::to_be_bytes(offset));
        let found = opened(bytes).unwrap().extent(0, 512).map_err(|error| error.to_string());
        match found {
            Ok(_) => assert!(good, "{offset}"),
            Err(error) => assert_eq!(
                error,
                format!("the chunk at sector 0 lies at {offset}, where no file reaches")
            ),
        }
    }
}
