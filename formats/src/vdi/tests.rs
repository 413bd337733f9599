use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::STATIC;
use super::*;
use crate::creation::Value;
use crate::extent::{Content, File, Place};
use crate::image::Description;
use crate::testing;
use crate::whole::{Disk, Files};

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Vdi.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<Box<dyn Image>, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Vdi, bytes, b"")
}

#[test]
fn images_are_recognised_by_their_signature() {
    let bytes = sample::Disk::default().bytes();
    for (bytes, expected) in [
        (&bytes[..], Confidence::CERTAIN),
        (&sample::Disk::aligned().bytes(), Confidence::CERTAIN),
        (&bytes[..68], Confidence::CERTAIN),
        (&bytes[..67], Confidence::NONE),
        (&[0; 4096], Confidence::NONE),
        (b"", Confidence::NONE),
    ] {
        assert_eq!(confidence(bytes), expected, "{}", bytes.len());
    }
    assert_eq!(crate::probe::detect(&bytes, b"").unwrap().name(), "vdi");
}

#[test]
fn an_image_is_described() {
    for disk in [
        sample::Disk::default(),
        sample::Disk::aligned(),
        sample::Disk { image_type: STATIC, size: 1 << 20, ..sample::Disk::default() },
        // Layers without a parent: qemu-img does not look at the type.
        sample::Disk { image_type: 3, ..sample::Disk::default() },
        sample::Disk { image_type: 4, ..sample::Disk::default() },
        sample::Disk { size: 0, ..sample::Disk::default() },
    ] {
        let image = opened(disk.bytes()).unwrap();
        assert_eq!(
            image.description(),
            Description {
                virtual_size: disk.size,
                cluster_size: Some(1 << 20),
                encrypted: false,
                dirty: Some(false),
                backing: None,
                specific: None,
            },
            "{disk:?}"
        );
        assert_eq!(image.references(), []);
    }
}

#[test]
fn a_file_without_a_header_is_refused() {
    let expected = "Image not in VDI format (bad signature 00000000)";
    for length in [0, 1, 4096] {
        assert_eq!(said(opened(vec![0; length])), expected, "{length}");
    }
}

#[test]
fn a_file_that_ends_early_is_an_error() {
    let bytes = sample::Disk::default().bytes();
    for length in 0..=bytes.len() {
        // Fields of the header that are missing are zero.
        let expected = match length {
            0..=67 => "Image not in VDI format (bad signature 00",
            68..=70 => "unsupported VDI image (version ",
            71..=361 => "unsupported VDI image (sector size 0 is not 512)",
            362..=378 => "unsupported VDI image (block size 0 is not 1048576)",
            379..=384 => "unsupported VDI image (disk size 10485760, image bitmap has room for 0)",
            385..=512 => "the block map at 512 (40 bytes) does not lie in the file",
            _ => {
                assert_eq!(said(opened(&bytes[..length])), "", "{length}");
                continue;
            }
        };
        let message = said(opened(&bytes[..length]));
        assert!(message.starts_with(expected), "{length}: {message}");
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let bytes = sample::Disk::default().bytes();
    for place in 0..bytes.len() {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
            let mut bytes: Vec<u8> = bytes.clone();
            bytes[place] = value;
            // Whatever it says, it must say it.
            if let Ok(image) = opened(bytes) {
                let _ = image.description();
            }
        }
    }
}

/// What is made of a disk with these bytes.
fn made(disk: &[u8], is_static: bool) -> Vec<u8> {
    let mut creation = Creation { size: disk.len() as u64, ..Creation::default() };
    creation.options.set("static", Value::Flag(is_static));
    let mut files = Files::default();
    let mut writer = Vdi.create(&creation).unwrap();
    files.make(writer.as_mut(), disk, 4096).unwrap();
    assert!(files.file(File::Own).len() as u64 <= writer.longest(File::Own));
    files.file(File::Own).to_vec()
}

#[test]
fn a_disk_that_was_written_is_read_again() {
    let mut disk = vec![0; 5_000_000];
    disk[3_000_000..3_100_000].fill(3);
    disk[1_040_000..1_060_000].fill(1);
    disk[4_999_999] = 4;
    for is_static in [false, true] {
        let file = made(&disk, is_static);
        let blocks = if is_static { 5 } else { 4 };
        assert_eq!(file.len(), 1024 + blocks * (1 << 20));
        let image = opened(&file).unwrap();
        let mut read = vec![7; disk.len()];
        Disk::new(image, Rc::new(file)).read(0, &mut read).unwrap();
        assert!(read == disk, "static: {is_static}");
    }
}

#[test]
fn disks_that_are_made_have_a_largest_size() {
    for (size, good) in [
        (header::MAX_DISK_SIZE - 1, true),
        (header::MAX_DISK_SIZE, true),
        (header::MAX_DISK_SIZE + 1, false),
    ] {
        let creation = Creation { size, ..Creation::default() };
        assert_eq!(Vdi.create(&creation).is_ok(), good, "{size}");
    }
}

#[test]
fn entries_of_the_map_say_where_blocks_are() {
    let data = |place| Content::Data(Place::own(place));
    for (start, entry, expected) in [
        (512_u32, 0_u32, data(512)),
        (1024, 7, data((7 << 20) + 1024)),
        (512, 0xffff_fffd, data((0xffff_fffd << 20) + 512)),
        (512, 0xffff_fffe, Content::Zero(None)),
        (512, 0xffff_ffff, Content::Zero(None)),
    ] {
        let mut bytes = sample::Disk { size: 1 << 20, ..sample::Disk::default() }.bytes();
        bytes[344..348].copy_from_slice(&start.to_le_bytes());
        bytes[512..516].copy_from_slice(&entry.to_le_bytes());
        let extent = opened(bytes).unwrap().extent(0, 1 << 20).unwrap();
        assert_eq!((extent.length, extent.content), (1 << 20, expected), "{entry:#x}");
    }
}
