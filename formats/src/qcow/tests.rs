use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::sample::Sample;
use super::*;
use crate::creation::Value;
use crate::error::ErrorKind;
use crate::extent::File;
use crate::image::{Backing, Description};
use crate::testing::{self, Nowhere};
use crate::whole::{Disk, Files};

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Qcow.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(bytes: impl AsRef<[u8]>) -> String {
    opened(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

/// An image with other bytes at a place.
fn patched(sample: &Sample, offset: usize, patch: &[u8]) -> Vec<u8> {
    let mut bytes = sample.bytes();
    bytes[offset..offset + patch.len()].copy_from_slice(patch);
    bytes
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Qcow, bytes, b"qcow")
}

#[test]
fn the_version_tells_it_from_qcow2() {
    for (bytes, expected) in [
        (&b"QFI\xfb\0\0\0\x01"[..], Confidence::CERTAIN),
        (b"QFI\xfb\0\0\0\x01 and more", Confidence::CERTAIN),
        (b"QFI\xfb\0\0\0\x02", Confidence::NONE),
        (b"QFI\xfb\0\0\0\0", Confidence::NONE),
        (b"QFI\xfb\x01\0\0\0", Confidence::NONE),
        (b"QFI\xfb\0\0\0", Confidence::NONE),
        (b"QFI\xfb", Confidence::NONE),
        (b"QFI", Confidence::NONE),
        (b"", Confidence::NONE),
    ] {
        assert_eq!(confidence(bytes), expected, "{}", bytes.escape_ascii());
    }
    let found = crate::probe::detect(&Sample::default().bytes(), b"");
    assert_eq!(found.unwrap().name(), "qcow");
}

#[test]
fn an_image_is_described() {
    let image = opened(Sample::default().bytes()).unwrap();
    let expected = Description {
        virtual_size: 1 << 20,
        cluster_size: Some(4096),
        encrypted: false,
        dirty: Some(false),
        backing: None,
        specific: None,
    };
    assert_eq!(image.description(), expected);
    assert_eq!(image.references(), []);
    image.visit_parts(&mut |part| panic!("{part:?}")).unwrap();
}

#[test]
fn every_field_counts() {
    for cluster_bits in 9..=16 {
        for l2_bits in 6..=13 {
            let sample = Sample { cluster_bits, l2_bits, size: 5 << 30, ..Sample::default() };
            let description = opened(sample.bytes()).unwrap().description();
            assert_eq!(description.virtual_size, 5 << 30);
            assert_eq!(description.cluster_size, Some(1 << cluster_bits));
        }
    }
    let encrypted = Sample { encrypted: true, ..Sample::default() };
    assert!(opened(encrypted.bytes()).unwrap().description().encrypted);
    for (size, expected) in [(2, 0), (511, 0), (512, 512), (1023, 512), (1024, 1024)] {
        let description = opened(Sample { size, ..Sample::default() }.bytes()).unwrap();
        assert_eq!(description.description().virtual_size, expected);
    }
}

#[test]
fn a_backing_file_has_a_name() {
    for (name, expected) in [
        (&b"base.raw"[..], Some(&b"base.raw"[..])),
        (b"\xff\x1b", Some(b"\xff\x1b")),
        (b"base\0.raw", Some(b"base")),
        (b"\0base", None),
        (b"", None),
        (&[b'a'; 1023], Some(&[b'a'; 1023])),
    ] {
        let sample = Sample { backing: Some(name.to_vec()), ..Sample::default() };
        let expected = expected.map(|path| Backing { path: path.to_vec(), format: None });
        assert_eq!(opened(sample.bytes()).unwrap().description().backing, expected);
    }
    let sample = Sample { backing: Some(vec![b'a'; 1024]), ..Sample::default() };
    assert_eq!(said(sample.bytes()), "Backing file name too long");
}

#[test]
fn damage_is_found() {
    let sample = Sample { backing: Some(b"base".to_vec()), ..Sample::default() };
    let cluster = "Cluster size must be between 512 and 64k";
    let table = "L2 table size must be between 512 and 64k";
    let method = "invalid encryption method in qcow header";
    for (offset, patch, expected) in [
        (0, &b"QFI\xfa"[..], "Image not in qcow format"),
        (4, &[0, 0, 0, 0], "qcow (v1) does not support qcow version 0"),
        (4, &[0, 0, 0, 2], "qcow (v1) does not support qcow version 2"),
        (4, &[255; 4], "qcow (v1) does not support qcow version 4294967295"),
        (8, &[0; 8], ""),
        (8, &[0, 0, 0, 0, 0, 0, 0, 1], ""),
        (
            8,
            &[0, 0, 0, 0, 0, 1, 0, 0],
            "the name of the backing file at 65536 (4 bytes) does not lie in the file",
        ),
        (
            8,
            &[255; 8],
            "the name of the backing file at 18446744073709551615 (4 bytes) does not lie in the \
             file",
        ),
        (16, &[255; 4], "Backing file name too long"),
        (20, &[255; 4], ""),
        (24, &[0; 8], "Image size is too small (must be at least 2 bytes)"),
        (24, &[0, 0, 0, 0, 0, 0, 0, 1], "Image size is too small (must be at least 2 bytes)"),
        (24, &[0, 0, 0, 0, 0, 0, 0, 2], ""),
        (24, &[255; 8], "Image too large"),
        (
            24,
            &[0, 1, 0, 0, 0, 0, 0, 0],
            "the L1 table at 56 (1073741824 bytes) does not lie in the file",
        ),
        (32, &[8], cluster),
        (32, &[17], cluster),
        (32, &[255], cluster),
        (33, &[5], table),
        (33, &[14], table),
        (33, &[255], table),
        (34, &[255; 2], ""),
        (36, &[0, 0, 0, 2], method),
        (36, &[255; 4], method),
        (40, &[0; 8], ""),
        (40, &[0, 0, 0, 0, 0, 0, 2, 0], "the L1 table at 512 (8 bytes) does not lie in the file"),
        (40, &[255; 8], "the L1 table at 18446744073709551615 (8 bytes) does not lie in the file"),
    ] {
        assert_eq!(said(patched(&sample, offset, patch)), expected, "{patch:?} at {offset}");
    }
}

#[test]
fn the_l1_table_has_a_limit() {
    // With the largest clusters and L2 tables an entry covers 512 MiB.
    let sample = Sample { cluster_bits: 16, l2_bits: 13, ..Sample::default() };
    let most = header::MAX_L1_ENTRIES << 29;
    let outside = "the L1 table at 48 (2147483640 bytes) does not lie in the file";
    for (size, expected) in [
        (most - 1, outside),
        (most, outside),
        (most + 1, "Image too large"),
        (u64::MAX - (1 << 29), "Image too large"),
        (u64::MAX, "Image too large"),
    ] {
        assert_eq!(said(patched(&sample, 24, &size.to_be_bytes())), expected, "{size}");
    }
}

#[test]
fn checks_come_in_order() {
    let mut bytes = Sample::default().bytes();
    bytes[4..].fill(255);
    for (offset, patch, expected) in [
        (4, &[0, 0, 0, 1][..], "Cluster size must be between 512 and 64k"),
        (32, &[9], "L2 table size must be between 512 and 64k"),
        (33, &[9], "invalid encryption method in qcow header"),
        (36, &[0, 0, 0, 1], "Image too large"),
        (
            24,
            &[0, 0, 0, 0, 0, 0, 0, 2],
            "the L1 table at 18446744073709551615 (8 bytes) does not lie in the file",
        ),
        (40, &[0; 8], "Backing file name too long"),
    ] {
        bytes[offset..offset + patch.len()].copy_from_slice(patch);
        assert_eq!(said(&bytes), expected);
    }
}

#[test]
fn errors_have_a_kind() {
    for (offset, patch, expected) in [
        (0, &[0][..], ErrorKind::NotThisFormat),
        (7, &[2], ErrorKind::Unsupported),
        (36, &[1], ErrorKind::Unsupported),
        (24, &[255], ErrorKind::Unsupported),
        (32, &[0], ErrorKind::Corrupt),
        (40, &[1], ErrorKind::Corrupt),
    ] {
        let error = opened(patched(&Sample::default(), offset, patch)).err().unwrap();
        assert_eq!(error.kind(), expected, "{error}");
    }
}

#[test]
fn a_file_has_all_of_its_header_and_table() {
    let sample = Sample { backing: Some(b"base".to_vec()), ..Sample::default() };
    let bytes = sample.bytes();
    assert_eq!(bytes.len(), 64);
    for length in 0..bytes.len() {
        let said = said(&bytes[..length]);
        let expected = match length {
            0..=3 => "Image not in qcow format",
            4..=7 => "qcow (v1) does not support qcow version 0",
            // The third byte of 1 MiB is there.
            8..=29 => "Image size is too small (must be at least 2 bytes)",
            30..=32 => "Cluster size must be between 512 and 64k",
            33 => "L2 table size must be between 512 and 64k",
            // What is missing of the last sector is zeros.
            _ => "",
        };
        assert_eq!(said, expected, "{length}");
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let bytes = Sample { backing: Some(b"base".to_vec()), ..Sample::default() }.bytes();
    for place in 0..bytes.len() {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[place] = value;
            if let Ok(image) = opened(bytes) {
                let _ = image.description();
            }
        }
    }
}

/// An image that is to be made, on top of another if that has a name.
fn creation(size: u64, backing: &[u8]) -> Creation<'static> {
    let mut creation = Creation { size, ..Creation::default() };
    if !backing.is_empty() {
        creation.options.set("backing_file", Value::Text(backing.to_vec()));
    }
    creation
}

#[test]
fn what_cannot_be_made_is_refused_in_the_words_of_qemu() {
    let most = header::MAX_L1_ENTRIES << 21;
    for (size, backing, expected) in [
        (0, &b""[..], "Image size is too small, cannot be zero length"),
        (1, b"", ""),
        (most, b"", ""),
        (most + 1, b"", "Image too large"),
        (u64::MAX, b"", "Image too large"),
        (512, &[b'a'; 1023], ""),
        (512, &[b'a'; 1024], "Backing file name too long"),
    ] {
        let made = Qcow.create(&creation(size, backing));
        let said = made.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(said, expected, "{size}");
    }
    let mut encrypted = creation(512, b"");
    encrypted.options.set("encryption", Value::Flag(true));
    let error = Qcow.create(&encrypted).err().unwrap();
    assert_eq!(error.to_string(), "encrypted qcow images cannot be made");
}

#[test]
fn a_disk_that_was_written_is_read_again() {
    // Long enough that the L1 table goes on behind the first sector.
    let mut disk = vec![0; 130 << 20];
    disk[3_000_000..3_100_000].fill(3);
    disk[1_040_000..1_060_000].fill(1);
    disk[(129 << 20) + 5] = 4;
    for compress in [false, true] {
        let mut files = Files::default();
        let creation = Creation { compress, ..creation(disk.len() as u64, b"") };
        let mut writer = Qcow.create(&creation).unwrap();
        files.make(writer.as_mut(), &disk, 4096).unwrap();
        let file = files.file(File::Own).to_vec();
        assert!(file.len() as u64 <= writer.longest(File::Own));
        let image = opened(&file).unwrap();
        let mut read = vec![7; disk.len()];
        Disk::new(image, Rc::new(file)).read(0, &mut read).unwrap();
        assert!(read == disk, "compressed: {compress}");
    }
}

#[test]
fn a_large_disk_takes_little_memory() {
    let size = 64 << 40;
    let mut writer = Qcow.create(&creation(size, b"base")).unwrap();
    let mut output = Nowhere::default();
    for offset in (0..size).step_by(1 << 40) {
        writer.place(offset, 1 << 20, &mut output).unwrap();
    }
    writer.finish(&mut output).unwrap();
    assert!(output.longest <= crate::table::PIECE);
    assert!(output.length <= writer.longest(File::Own) && output.end <= output.length);
}

#[test]
fn only_what_got_shorter_is_stored() {
    let compressed = Creation { compress: true, ..creation(1 << 20, b"") };
    for (offset, length, is_good) in
        [(0, 1, true), (4096, 4095, true), (0, 4096, false), (0, 0, false), (512, 1, false)]
    {
        let mut writer = Qcow.create(&compressed).unwrap();
        let stored = writer.store(offset, &vec![7; length], &mut Files::default());
        assert_eq!(stored.is_ok(), is_good, "{length} at {offset}");
    }
}
