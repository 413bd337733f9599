use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::STATIC;
use super::sample::Disk;
use super::*;
use crate::image::Description;
use crate::testing;

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
    let bytes = Disk::default().bytes();
    for (bytes, expected) in [
        (&bytes[..], Confidence::CERTAIN),
        (&Disk::aligned().bytes(), Confidence::CERTAIN),
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
        Disk::default(),
        Disk::aligned(),
        Disk { image_type: STATIC, size: 1 << 20, ..Disk::default() },
        // Layers without a parent: qemu-img does not look at the type.
        Disk { image_type: 3, ..Disk::default() },
        Disk { image_type: 4, ..Disk::default() },
        Disk { size: 0, ..Disk::default() },
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
    let bytes = Disk::default().bytes();
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
    let bytes = Disk::default().bytes();
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
