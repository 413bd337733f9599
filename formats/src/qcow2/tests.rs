use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::sample::{Bitmap, Sample, Snapshot};
use super::*;
use crate::error::ErrorKind;
use crate::image::{
    Backing, Description, Part, Qcow2 as Qcow2Specific, Qcow2Encryption, Qcow2Version3, Reference,
    Role, Specific,
};
use crate::luks;
use crate::testing;

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Qcow2.open(Rc::new(bytes.as_ref().to_vec()))
}

fn described(sample: &Sample) -> Description {
    opened(sample.bytes()).unwrap().description()
}

fn specific(sample: &Sample) -> Qcow2Specific {
    let Some(Specific::Qcow2(specific)) = described(sample).specific else { panic!() };
    specific
}

fn version_3(sample: &Sample) -> Qcow2Version3 {
    specific(sample).version_3.unwrap()
}

fn parts(image: &dyn Image) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    image.visit_parts(&mut |part| {
        parts.push(part);
        Ok(())
    })?;
    Ok(parts)
}

/// What is said of an image with all that is in it; nothing if all is well.
fn said(bytes: impl AsRef<[u8]>) -> String {
    let visited = opened(bytes).and_then(|image| parts(image.as_ref()));
    visited.map_or_else(|error| error.to_string(), |_| String::new())
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Qcow2, bytes, b"qcow2")
}

/// An image with something of everything.
fn full() -> Sample {
    Sample {
        incompatible: 3,
        compatible: 1,
        extensions: vec![
            (extension::BACKING_FORMAT, b"raw".to_vec()),
            (extension::DATA_FILE, b"data".to_vec()),
            (0x1234, b"unknown".to_vec()),
        ],
        backing: Some(b"base.raw".to_vec()),
        snapshots: vec![Snapshot::new(b"1", b"one"), Snapshot::new(b"2", b"two")],
        bitmaps: vec![Bitmap::new(b"three", 16), Bitmap::new(b"four", 9)],
        ..Sample::default()
    }
}

#[test]
fn images_are_recognised_by_magic_and_version() {
    for (bytes, expected) in [
        (&b"QFI\xfb\0\0\0\x02"[..], Confidence::CERTAIN),
        (b"QFI\xfb\0\0\0\x03 and more", Confidence::CERTAIN),
        (b"QFI\xfb\0\0\0\x04", Confidence::CERTAIN),
        (b"QFI\xfb\xff\xff\xff\xff", Confidence::CERTAIN),
        (b"QFI\xfb\0\0\x01", Confidence::CERTAIN),
        (b"QFI\xfb\0\0\0\x01", Confidence::NONE),
        (b"QFI\xfb\0\0\0\0", Confidence::NONE),
        (b"QFI\xfb", Confidence::NONE),
        (b"QFI", Confidence::NONE),
        (b"", Confidence::NONE),
    ] {
        assert_eq!(confidence(bytes), expected, "{}", bytes.escape_ascii());
    }
    let found = crate::probe::detect(&Sample::default().bytes(), b"");
    assert_eq!(found.unwrap().name(), "qcow2");
}

#[test]
fn an_image_of_version_3_is_described() {
    let expected = Description {
        virtual_size: 1 << 20,
        cluster_size: Some(512),
        encrypted: false,
        dirty: Some(false),
        backing: None,
        specific: Some(Specific::Qcow2(Qcow2Specific {
            refcount_bits: 16,
            compression: "zlib",
            version_3: Some(Qcow2Version3 {
                lazy_refcounts: false,
                corrupt: false,
                extended_l2: false,
                data_file: None,
                data_file_raw: None,
                has_bitmaps: false,
            }),
            encryption: None,
        })),
    };
    assert_eq!(described(&Sample::default()), expected);
    let image = opened(Sample::default().bytes()).unwrap();
    assert_eq!(parts(image.as_ref()).unwrap(), []);
    assert_eq!(image.references(), []);
}

#[test]
fn an_image_of_version_2_has_less_to_say() {
    let sample = Sample { version: 2, ..full() };
    let specific = specific(&sample);
    assert_eq!((specific.refcount_bits, specific.compression), (16, "zlib"));
    assert_eq!(specific.version_3, None);
    let description = described(&sample);
    assert_eq!(description.dirty, Some(false));
    let backing = Backing { path: b"base.raw".to_vec(), format: Some(b"raw".to_vec()) };
    assert_eq!(description.backing, Some(backing));
    let image = opened(sample.bytes()).unwrap();
    assert_eq!(image.references(), []);
    // It can have snapshots, but its bitmaps are never up to date.
    let parts = parts(image.as_ref()).unwrap();
    assert!(matches!(parts[..], [Part::Snapshot(_), Part::Snapshot(_)]));
}

#[test]
fn features_are_described() {
    let sample = Sample { cluster_bits: 16, ..Sample::default() };
    assert_eq!(described(&Sample { incompatible: 1, ..sample.clone() }).dirty, Some(true));
    assert!(version_3(&Sample { incompatible: 2, ..sample.clone() }).corrupt);
    assert!(version_3(&Sample { incompatible: 16, ..sample.clone() }).extended_l2);
    assert!(version_3(&Sample { compatible: 1, ..sample.clone() }).lazy_refcounts);
    let zstd = Sample { incompatible: 8, compression: 1, ..sample.clone() };
    assert_eq!(specific(&zstd).compression, "zstd");
    for refcount_order in 0..=6 {
        let sample = Sample { refcount_order, ..sample.clone() };
        assert_eq!(specific(&sample).refcount_bits, 1 << refcount_order);
    }
    // What need not be known is not looked at.
    let unknown = Sample { compatible: !1, autoclear: !3, ..sample.clone() };
    assert_eq!(described(&unknown), described(&sample));
}

#[test]
fn a_backing_file_has_a_name_and_perhaps_a_format() {
    let format = |name: &[u8]| vec![(extension::BACKING_FORMAT, name.to_vec())];
    for (name, extensions, expected) in [
        (Some(&b"base"[..]), vec![], Some((&b"base"[..], None))),
        (Some(b"base"), format(b"qcow2"), Some((b"base", Some(&b"qcow2"[..])))),
        (Some(b"base"), format(b""), Some((b"base", None))),
        (Some(b"ba\0se"), format(b"ra\0w"), Some((b"ba", Some(b"ra")))),
        (Some(b"\xff\x1b"), vec![], Some((b"\xff\x1b", None))),
        (Some(b""), format(b"raw"), None),
        (Some(b"\0base"), format(b"raw"), None),
        (None, format(b"raw"), None),
    ] {
        let sample = Sample { backing: name.map(<[u8]>::to_vec), extensions, ..Sample::default() };
        let expected = expected.map(|(path, format)| Backing {
            path: path.to_vec(),
            format: format.map(<[u8]>::to_vec),
        });
        assert_eq!(described(&sample).backing, expected);
    }
    for (length, expected) in [(1023, ""), (1024, "Backing file name too long")] {
        let backing = Some(vec![b'a'; length]);
        let sample = Sample { cluster_bits: 16, backing, ..Sample::default() };
        assert_eq!(said(sample.bytes()), expected);
    }
}

#[test]
fn the_data_can_be_in_another_file() {
    let name = vec![(extension::DATA_FILE, b"../data.raw".to_vec())];
    let reference = Reference { path: b"../data.raw".to_vec(), role: Role::Data };
    for (incompatible, autoclear, extensions, data_file, raw, references) in [
        (4, 0, name.clone(), Some(&b"../data.raw"[..]), Some(false), vec![reference.clone()]),
        (4, 2, name.clone(), Some(b"../data.raw"), Some(true), vec![reference]),
        // The user must know its name.
        (4, 2, vec![], None, Some(true), vec![]),
        (4, 0, vec![(extension::DATA_FILE, Vec::new())], Some(b""), Some(false), vec![]),
        // The name without the feature is only a name.
        (0, 2, name, Some(b"../data.raw"), None, vec![]),
    ] {
        let sample = Sample { incompatible, autoclear, extensions, ..Sample::default() };
        let version_3 = version_3(&sample);
        assert_eq!(version_3.data_file.as_deref(), data_file);
        assert_eq!(version_3.data_file_raw, raw);
        let mut image = opened(sample.bytes()).unwrap();
        assert_eq!(image.references(), references);
        let mut attach = |index| match image.attach(index, Rc::new(Vec::new())) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        let first =
            if references.is_empty() { "the image does not refer to a file number 0" } else { "" };
        assert_eq!(attach(0), first);
        assert_eq!(attach(1), "the image does not refer to a file number 1");
    }
}

#[test]
fn the_old_encryption_needs_nothing_more() {
    for version in [2, 3] {
        let sample = Sample { version, encryption: 1, ..Sample::default() };
        assert!(described(&sample).encrypted);
        assert_eq!(specific(&sample).encryption, Some(Qcow2Encryption::Aes));
    }
}

#[test]
fn the_new_encryption_has_a_luks_header() {
    let header = luks::sample::Version1 { payload: 0, ..Default::default() };
    for version in [2, 3] {
        let luks_header = Some(header.bytes());
        let sample = Sample { version, encryption: 2, luks_header, ..full() };
        assert!(described(&sample).encrypted);
        let Some(Qcow2Encryption::Luks(luks)) = specific(&sample).encryption else { panic!() };
        assert_eq!((&luks.uuid[..], luks.detached_header), (luks::sample::UUID.as_bytes(), false));
        // Its key slots come first.
        let image = opened(sample.bytes()).unwrap();
        let parts = parts(image.as_ref()).unwrap();
        assert!(parts[..8].iter().all(|part| matches!(part, Part::KeySlot(_))));
        assert!(matches!(parts[8], Part::Snapshot(_)));
    }
    let sample = Sample { encryption: 2, ..Sample::default() };
    assert_eq!(said(sample.bytes()), "Missing CRYPTO header for crypt method 2");
}

#[test]
fn other_encryption_is_not_supported() {
    for (encryption, expected) in [
        (3, "Unsupported encryption method 3"),
        (1 << 31, "Unsupported encryption method -2147483648"),
    ] {
        assert_eq!(said(Sample { encryption, ..Sample::default() }.bytes()), expected);
    }
}

#[test]
fn snapshots_come_before_bitmaps() {
    let image = opened(full().bytes()).unwrap();
    let names: Vec<Vec<u8>> = parts(image.as_ref())
        .unwrap()
        .into_iter()
        .map(|part| match part {
            Part::Snapshot(snapshot) => snapshot.name,
            Part::Bitmap(bitmap) => bitmap.name,
            part => panic!("{part:?}"),
        })
        .collect();
    assert_eq!(names, [&b"one"[..], b"two", b"three", b"four"]);
    assert!(version_3(&full()).has_bitmaps);
}

#[test]
fn there_can_be_very_many_of_them() {
    let snapshots = vec![Snapshot::new(b"1", b"one"); 65_536];
    let bitmaps = vec![Bitmap { flags: 0, ..Bitmap::new(b"two", 31) }; 65_535];
    let sample = Sample { snapshots, bitmaps, ..Sample::default() };
    let image = opened(sample.bytes()).unwrap();
    let mut counts = (0, 0);
    let visited = image.visit_parts(&mut |part| {
        match part {
            Part::Snapshot(_) => counts.0 += 1,
            _ => counts.1 += 1,
        }
        Ok(())
    });
    visited.unwrap();
    assert_eq!(counts, (65_536, 65_535));
}

#[test]
fn errors_have_a_kind() {
    for (offset, patch, expected) in [
        (0, &[0][..], ErrorKind::NotThisFormat),
        (7, &[4], ErrorKind::Unsupported),
        (23, &[22], ErrorKind::Unsupported),
        (72, &[1], ErrorKind::Unsupported),
        (103, &[0], ErrorKind::Corrupt),
        (40, &[1], ErrorKind::Corrupt),
        (112, &[255; 8], ErrorKind::Corrupt),
    ] {
        let mut bytes = Sample::default().bytes();
        bytes[offset..offset + patch.len()].copy_from_slice(patch);
        let error = opened(bytes).err().unwrap();
        assert_eq!(error.kind(), expected, "{error}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_found_out() {
    let sample = full();
    let bytes = sample.bytes();
    for length in 0..bytes.len() {
        let said = said(&bytes[..length]);
        let expected = match length {
            0..=3 => "Image is not in qcow2 format",
            4..=7 => "Unsupported qcow2 version 0",
            8..=23 => "Unsupported cluster size: 2^0",
            24..=103 => "qcow2 header too short",
            // The L1 table has the second cluster, the refcount table the seventh.
            104..=512 => "the L1 table at 512 (256 bytes) does not lie in the file",
            513..=3072 => "the refcount table at 3072 (512 bytes) does not lie in the file",
            // What is missing of the last sector is zeros.
            _ => "",
        };
        assert_eq!(said, expected, "{length}");
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    for sample in [full(), Sample { version: 2, ..full() }] {
        let bytes = sample.bytes();
        for place in 0..bytes.len() {
            for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = value;
                // Whatever it says, it must say it.
                if let Ok(image) = opened(bytes) {
                    let _ = (image.description(), image.references(), parts(image.as_ref()));
                }
            }
        }
    }
}
