use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::Features;
use super::sample::Disk;
use super::*;
use crate::image::{Backing, Description};
use crate::testing;

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Qed.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<Box<dyn Image>, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Qed, bytes, b"")
}

#[test]
fn images_are_recognised_by_their_magic() {
    let bytes = Disk::default().bytes();
    for (bytes, expected) in [
        (&bytes[..], Confidence::CERTAIN),
        (b"QED\0", Confidence::CERTAIN),
        (b"QED", Confidence::NONE),
        (b"QED ", Confidence::NONE),
        (&[0; 4096], Confidence::NONE),
        (b"", Confidence::NONE),
    ] {
        assert_eq!(confidence(bytes), expected, "{}", bytes.len());
    }
    assert_eq!(crate::probe::detect(&bytes, b"").unwrap().name(), "qed");
}

#[test]
fn an_image_is_described() {
    for disk in [
        Disk::default(),
        Disk { size: 0, ..Disk::default() },
        Disk { cluster_size: 65_536, table_size: 4, size: 1 << 40, ..Disk::default() },
        Disk { features: Features::NEED_CHECK, ..Disk::default() },
        Disk { backing: Some(b"base".to_vec()), ..Disk::default() },
        Disk { backing: Some(b"\xff\x1b".to_vec()), features: Features::all(), ..Disk::default() },
    ] {
        let image = opened(disk.bytes()).unwrap();
        let is_raw = disk.features.contains(Features::BACKING_FORMAT_NO_PROBE);
        let format = is_raw.then(|| b"raw".to_vec());
        assert_eq!(
            image.description(),
            Description {
                virtual_size: disk.size,
                cluster_size: Some(disk.cluster_size.into()),
                encrypted: false,
                dirty: Some(disk.features.contains(Features::NEED_CHECK)),
                backing: disk.backing.clone().map(|path| Backing { path, format }),
                specific: None,
            },
            "{disk:?}"
        );
        assert_eq!(image.references(), []);
    }
}

#[test]
fn a_file_that_ends_early_is_an_error() {
    let bytes = Disk { backing: Some(b"base".to_vec()), ..Disk::default() }.bytes();
    for length in 0..=bytes.len() {
        // Fields of the header that are missing are zero.
        let expected = match length {
            0..=2 => "Image not in QED format",
            3..=5 => "QED cluster size is invalid",
            6..=8 => "QED table size is invalid",
            // The last sector is filled up with zeros.
            9..=11_776 => "QED table offset is invalid",
            _ => "",
        };
        assert_eq!(said(opened(&bytes[..length])), expected, "{length}");
    }
}

#[test]
fn a_file_may_go_on_behind_its_last_cluster() {
    let bytes = Disk::default().bytes();
    for more in [1, 511, 512, 4095] {
        assert_eq!(said(opened([&bytes[..], &vec![7; more]].concat())), "", "{more}");
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let bytes = Disk { backing: Some(b"base".to_vec()), ..Disk::default() }.bytes();
    for place in 0..80 {
        for value in 0..=255 {
            let mut bytes: Vec<u8> = bytes.clone();
            bytes[place] = value;
            // Whatever it says, it must say it.
            if let Ok(image) = opened(bytes) {
                let _ = image.description();
            }
        }
    }
}
