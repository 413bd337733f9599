use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use zerocopy::IntoBytes;

use super::header::Header;
use super::sample::{Parent, Vhd};
use super::*;
use crate::error::ErrorKind;
use crate::image::{Backing, Description};
use crate::storage::MAX_LENGTH;
use crate::testing;

const MIB: u64 = 1 << 20;

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Vpc.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(bytes: impl AsRef<[u8]>) -> String {
    opened(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Vpc, bytes, b"vhd")
}

/// The file of a disk with another footer, whose checksum is right.
fn with_footer(vhd: &Vhd, change: impl Fn(&mut Footer)) -> Vec<u8> {
    let mut footer = vhd.footer();
    change(&mut footer);
    footer.checksum = footer.sum().into();
    let mut bytes = vhd.bytes();
    let end = bytes.len() - 512;
    bytes[end..].copy_from_slice(footer.as_bytes());
    if vhd.disk_type != Footer::FIXED {
        bytes[..512].copy_from_slice(footer.as_bytes());
    }
    bytes
}

/// The file of a disk with another header.
fn with_header(vhd: &Vhd, change: impl Fn(&mut Header)) -> Vec<u8> {
    let mut header = vhd.header();
    change(&mut header);
    let mut bytes = vhd.bytes();
    bytes[512..512 + 1024].copy_from_slice(header.as_bytes());
    bytes
}

#[test]
fn each_type_of_disk_has_a_description() {
    let fixed = Description { virtual_size: 3 * MIB, dirty: Some(false), ..Description::default() };
    let dynamic = Description { cluster_size: Some(2 * MIB), ..fixed.clone() };
    let backing = Backing { path: b"parent.vhd".to_vec(), format: Some(b"vpc".to_vec()) };
    let differencing = Description { backing: Some(backing), ..dynamic.clone() };
    for (vhd, expected) in [
        (Vhd::fixed(3 * MIB), fixed),
        (Vhd::dynamic(3 * MIB), dynamic),
        (Vhd::differencing(3 * MIB, Parent::default()), differencing),
    ] {
        assert_eq!(opened(vhd.bytes()).unwrap().description(), expected);
        // What is written to it changes nothing.
        let written = Vhd { content: vec![(4096, vec![7; 4096])], ..vhd };
        assert_eq!(opened(written.bytes()).unwrap().description(), expected);
    }
}

#[test]
fn other_types_are_dynamic_disks_if_there_is_a_copy_of_the_footer() {
    for (disk_type, cluster_size) in [
        (0, Some(2 * MIB)),
        (1, Some(2 * MIB)),
        (Footer::FIXED, None),
        (5, Some(2 * MIB)),
        (u32::MAX, Some(2 * MIB)),
    ] {
        let bytes = with_footer(&Vhd::dynamic(3 * MIB), |it| it.disk_type = disk_type.into());
        let description = opened(bytes).unwrap().description();
        assert_eq!((description.virtual_size, description.cluster_size), (3 * MIB, cluster_size));
        assert_eq!(description.backing, None);
    }
}

#[test]
fn disks_are_known_by_their_footers() {
    for (bytes, expected) in [
        (Vhd::dynamic(MIB).bytes(), Confidence::CERTAIN),
        (Vhd::differencing(MIB, Parent::default()).bytes(), Confidence::CERTAIN),
        (b"conectix".to_vec(), Confidence::CERTAIN),
        (Vhd::fixed(MIB).bytes(), Confidence::LIKELY),
        (Vhd::fixed(0).bytes(), Confidence::CERTAIN),
        (b"conecti".to_vec(), Confidence::NONE),
        (vec![0; 4096], Confidence::NONE),
        (Vec::new(), Confidence::NONE),
    ] {
        assert_eq!(confidence(&bytes), expected);
    }
    // With one byte more it is a raw image that ends in something.
    assert_eq!(confidence(&[Vhd::fixed(MIB).bytes(), vec![0]].concat()), Confidence::NONE);
    assert_eq!(confidence(&[vec![0], Vhd::fixed(MIB).bytes()].concat()), Confidence::NONE);
}

#[test]
fn a_signature_at_the_start_of_a_fixed_disk_counts_more() {
    let detected = |first: &[u8]| {
        let vhd = Vhd { content: vec![(0, first.to_vec())], ..Vhd::fixed(MIB) };
        crate::probe::detect(&vhd.bytes(), b"vhd").unwrap().name()
    };
    assert_eq!(detected(b""), "vpc");
    assert_eq!(detected(b"KDMV"), "vmdk");
    assert_eq!(detected(b"conectix"), "vpc");
}

#[test]
fn what_is_on_a_fixed_disk_does_not_make_it_another() {
    // A disk with the file of a disk on it, from the first sector on.
    let inner = Vhd::differencing(MIB, Parent::default()).bytes();
    let vhd = Vhd { content: vec![(0, inner)], ..Vhd::fixed(8 * MIB) };
    let description = opened(vhd.bytes()).unwrap().description();
    assert_eq!((description.virtual_size, description.backing), (8 * MIB, None));
}

#[test]
fn a_footer_may_lack_its_last_byte() {
    let mut bytes = Vhd::fixed(MIB).bytes();
    bytes.pop();
    assert_eq!(confidence(&bytes), Confidence::LIKELY);
    assert_eq!(opened(bytes).unwrap().description().virtual_size, MIB);
}

#[test]
fn a_fixed_disk_may_be_opened_that_nobody_would_recognise() {
    // The size is another than the file's.
    let longer = [vec![0; 512], Vhd::fixed(MIB).bytes()].concat();
    assert_eq!(confidence(&longer), Confidence::NONE);
    assert_eq!(opened(longer).unwrap().description().virtual_size, MIB);
}

#[test]
fn files_without_a_footer_are_refused() {
    let dynamic_at_end = [&[0; 512], Vhd::dynamic(MIB).footer().as_bytes()].concat();
    for (bytes, expected) in [
        (Vec::new(), "File too small for a VHD header"),
        (vec![7], "invalid VPC image"),
        (vec![0; 4096], "invalid VPC image"),
        (dynamic_at_end, "invalid VPC image"),
        (b"conectix".to_vec(), "Incorrect header checksum"),
    ] {
        assert_eq!(said(bytes), expected);
    }
    let kind = |bytes: Vec<u8>| opened(bytes).err().unwrap().kind();
    assert_eq!(kind(vec![0; 4096]), ErrorKind::NotThisFormat);
    assert_eq!(kind(b"conectix".to_vec()), ErrorKind::Corrupt);
}

#[test]
fn a_wrong_checksum_is_refused() {
    for vhd in [Vhd::fixed(MIB), Vhd::dynamic(MIB)] {
        let mut bytes = vhd.bytes();
        let place = if vhd.disk_type == Footer::FIXED { bytes.len() - 512 } else { 0 };
        for byte in 8..512 {
            // Of another type there is no fixed disk.
            if vhd.disk_type != Footer::FIXED || !(60..64).contains(&byte) {
                bytes[place + byte] ^= 1;
                assert_eq!(said(&bytes), "Incorrect header checksum", "{byte}");
                bytes[place + byte] ^= 1;
            }
        }
    }
    // The checksum of the header does not matter, nor the footer at the end.
    let bytes = with_header(&Vhd::dynamic(MIB), |header| header.checksum = 7.into());
    assert_eq!(said(&bytes), "");
    assert_eq!(said(&bytes[..bytes.len() - 512]), "");
}

#[test]
fn a_disk_that_is_too_large_is_refused_in_the_systems_word() {
    let size = (footer::MAX_SECTORS + 1) * 512;
    let bytes = with_footer(&Vhd::fixed(4096), |footer| footer.current_size = size.into());
    let error = opened(bytes).err().unwrap();
    assert_eq!(error.to_string(), "File too large");
    assert_eq!((error.kind(), error.is_bare()), (ErrorKind::Unsupported, true));
    let error = opened(vec![0; 512]).err().unwrap();
    assert!(!error.is_bare());
}

#[test]
fn headers_are_checked_in_order() {
    let vhd = Vhd::dynamic(3 * MIB);
    let truncated = VpcError::Truncated.to_string();
    for (bytes, expected) in [
        (with_header(&vhd, |header| header.cookie[7] = b'f'), "Invalid header magic"),
        (with_header(&vhd, |header| header.block_size = 0.into()), "Invalid block size 0"),
        (
            with_header(&vhd, |header| header.block_size = 0x30_0000.into()),
            "Invalid block size 3145728",
        ),
        (with_header(&vhd, |header| header.table_entries = 1.into()), "Page table too small"),
        (
            with_header(&vhd, |header| header.table_entries = u32::MAX.into()),
            "Max Table Entries too large (-1)",
        ),
        (
            with_header(&vhd, |header| header.table_offset = u64::MAX.into()),
            "Error reading pagetable",
        ),
        (with_header(&vhd, |header| header.table_offset = (1 << 40).into()), &*truncated),
        // Zeros are the number of a sector.
        (with_header(&vhd, |header| header.table_offset = 700.into()), &truncated),
    ] {
        assert_eq!(said(bytes), expected);
    }
    for (offset, expected) in [
        (512, ""),
        (0, "Invalid header magic"),
        (1 << 40, "Invalid header magic"),
        (MAX_LENGTH - 1024, "Invalid header magic"),
        (MAX_LENGTH - 1023, "Error reading dynamic VHD header"),
        (u64::MAX, "Error reading dynamic VHD header"),
    ] {
        let bytes = with_footer(&vhd, |footer| footer.data_offset = offset.into());
        assert_eq!(said(bytes), expected, "{offset:#x}");
    }
}

#[test]
fn a_header_that_is_cut_off_is_refused() {
    // A table in front of the header, so that nothing else is missing.
    let vhd = Vhd::dynamic(3 * MIB);
    let mut header = vhd.header();
    header.table_offset = 512.into();
    let footer = with_footer(&vhd, |footer| footer.data_offset = 1024.into())[..512].to_vec();
    let bytes = [&footer[..], &[0xff; 512], header.as_bytes()].concat();
    assert_eq!(said(&bytes), "");
    for length in 1024 + 40..bytes.len() {
        let expected = "the dynamic header at 1024 does not lie in the file";
        assert_eq!(said(&bytes[..length]), expected, "{length}");
    }
}

#[test]
fn blocks_must_be_there() {
    let vhd = Vhd { content: vec![(4096, vec![7; 512])], ..Vhd::dynamic(3 * MIB) };
    let bytes = vhd.bytes();
    assert_eq!(said(&bytes), "");
    // The footer at the end does not matter, what is before it does.
    assert_eq!(said(&bytes[..bytes.len() - 512]), "");
    assert_eq!(said(&bytes[..bytes.len() - 1024]), VpcError::Truncated.to_string());
}

#[test]
fn no_cut_can_do_harm() {
    let parent = Parent::default();
    for vhd in [Vhd::fixed(4096), Vhd::dynamic(MIB), Vhd::differencing(MIB, parent)] {
        let bytes = vhd.bytes();
        for length in 0..bytes.len() {
            if let Ok(image) = opened(&bytes[..length]) {
                let description = image.description();
                // Only the footer at the end and the path that is not used.
                assert!(length + 2 * 512 + 488 >= bytes.len(), "{length}");
                assert_eq!(description.virtual_size, vhd.size);
            }
        }
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let vhd = Vhd::differencing(MIB, Parent::default());
    let bytes = vhd.bytes();
    for place in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[place] = value;
            // With a right checksum there is more to be reached.
            if place < 512 && !(64..68).contains(&place) {
                bytes[64..68].fill(0);
                let sum = footer::sum(&bytes[..512]);
                bytes[64..68].copy_from_slice(&sum.to_be_bytes());
            }
            // Whatever it says, it must say it.
            if let Ok(image) = opened(bytes) {
                let _ = image.description();
            }
        }
    }
}
