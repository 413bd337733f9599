use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::IN_USE;
use super::sample::{Disk, Extension};
use super::*;
use crate::image::Description;
use crate::testing;

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Parallels.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<Box<dyn Image>, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Parallels, bytes, b"")
}

#[test]
fn images_are_recognised_by_magic_and_version() {
    let mut version_1 = Disk::old().bytes();
    version_1[16] = 1;
    for (bytes, expected) in [
        (Disk::default().bytes(), Confidence::CERTAIN),
        (Disk::old().bytes(), Confidence::CERTAIN),
        (Disk::old().bytes()[..20].to_vec(), Confidence::CERTAIN),
        (Disk::old().bytes()[..16].to_vec(), Confidence::NONE),
        (version_1, Confidence::NONE),
        (vec![0; 4096], Confidence::NONE),
        (vec![], Confidence::NONE),
    ] {
        assert_eq!(confidence(&bytes), expected, "{}", bytes.len());
    }
    let found = crate::probe::detect(&Disk::default().bytes(), b"hds");
    assert_eq!(found.unwrap().name(), "parallels");
}

#[test]
fn an_image_is_described() {
    for disk in [
        Disk::default(),
        Disk::old(),
        Disk { in_use: IN_USE, ..Disk::default() },
        Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() },
        Disk { sectors: 0, ..Disk::default() },
        Disk { sectors: 1 << 20, cluster_sectors: 2048, ..Disk::default() },
    ] {
        let image = opened(disk.bytes()).unwrap();
        assert_eq!(
            image.description(),
            Description {
                virtual_size: disk.sectors * 512,
                cluster_size: None,
                encrypted: false,
                dirty: (disk.in_use == IN_USE).then_some(true),
                backing: None,
                specific: None,
            },
            "{disk:?}"
        );
        assert_eq!(image.references(), []);
    }
}

#[test]
fn a_file_that_ends_early_is_an_error() {
    let bytes = Disk { sectors: 4096, ..Disk::default() }.bytes();
    for length in 0..=bytes.len() {
        // Fields of the header that are missing are zero.
        let expected = match length {
            0..=16 => "Image not in Parallels format",
            17..=28 => "Invalid image: Zero sectors per track",
            // No entries: 512 has its only bit in the second byte.
            29..=33 => "",
            34..=2048 => "the BAT at 64 (2048 bytes) does not lie in the file",
            _ => "",
        };
        assert_eq!(said(opened(&bytes[..length])), expected, "{length}");
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let samples = [
        (Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() }.bytes(), 12_288),
        (Disk::old().bytes(), 0),
    ];
    for (bytes, extension) in samples {
        let extension = extension..bytes.len().min(extension + 24);
        for place in (0..80).chain(extension) {
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
}
