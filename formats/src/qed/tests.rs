use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::Features;
use super::sample::Disk;
use super::*;
use crate::creation::Value;
use crate::extent::File;
use crate::image::{Backing, Description};
use crate::testing::{self, Nowhere};
use crate::whole::{self, Files};

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

/// An image that is to be made.
fn creation(size: u64, set: &[(&str, Value)]) -> Creation<'static> {
    let mut creation = Creation { size, ..Creation::default() };
    set.iter().for_each(|(name, value)| creation.options.set(name, value.clone()));
    creation
}

#[test]
fn what_cannot_be_made_is_refused_in_the_words_of_qemu() {
    let cluster = "QED cluster size must be within range [4096, 67108864] and power of 2";
    let table = "QED table size must be within range [1, 16] and power of 2";
    let size = "QED image size must be a non-zero multiple of cluster size and less than 70368744177664 \
         bytes";
    let number = Value::Number;
    for (bytes, set, expected) in [
        (0, &[][..], ""),
        (1 << 46, &[], ""),
        ((1 << 46) + 1, &[], size),
        (u64::MAX, &[], size),
        (512, &[("cluster_size", number(2048))], cluster),
        (512, &[("cluster_size", number(4096))], ""),
        (512, &[("cluster_size", number(5000))], cluster),
        (512, &[("cluster_size", number(64 << 20))], &size.replace("70368744177664", "0")),
        (512, &[("cluster_size", number(4 << 20)), ("table_size", number(2))], ""),
        (512, &[("cluster_size", number(128 << 20))], cluster),
        (512, &[("table_size", number(0))], table),
        // qemu-img makes them, and then cannot open them.
        (512, &[("table_size", number(1))], "QED table offset is invalid"),
        (512, &[("table_size", number(2))], ""),
        (512, &[("table_size", number(3))], table),
        (512, &[("table_size", number(16))], ""),
        (512, &[("table_size", number(32))], table),
    ] {
        let made = Qed.create(&creation(bytes, set));
        let said = made.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(said, expected, "{bytes} {set:?}");
    }
}

#[test]
fn a_disk_that_was_written_is_read_again() {
    let mut disk = vec![0; 5_000_192];
    disk[3_000_000..3_100_000].fill(3);
    disk[1_040_000..1_060_000].fill(1);
    disk[5_000_000] = 4;
    let set = [("cluster_size", Value::Number(4096)), ("table_size", Value::Number(2))];
    for set in [&set[..], &[]] {
        let mut files = Files::default();
        let mut writer = Qed.create(&creation(disk.len() as u64, set)).unwrap();
        files.make(writer.as_mut(), &disk, 4096).unwrap();
        let file = files.file(File::Own).to_vec();
        assert!(file.len() as u64 <= writer.longest(File::Own));
        let image = opened(&file).unwrap();
        let mut read = vec![7; disk.len()];
        whole::Disk::new(image, Rc::new(file)).read(0, &mut read).unwrap();
        assert!(read == disk, "{set:?}");
    }
}

#[test]
fn a_large_disk_takes_little_memory() {
    let size = 1 << 46;
    let mut writer = Qed.create(&creation(size, &[])).unwrap();
    let mut output = Nowhere::default();
    for offset in (0..size).step_by(1 << 39) {
        writer.place(offset, 1 << 20, &mut output).unwrap();
    }
    writer.finish(&mut output).unwrap();
    assert!(output.longest <= crate::table::PIECE);
    assert!(output.length <= writer.longest(File::Own) && output.end <= output.length);
}
