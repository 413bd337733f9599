use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::sample::{Change, Item, Log, Vhdx as Sample, put_headers, seal};
use super::*;
use crate::error::ErrorKind;
use crate::guid::Guid;
use crate::image::{Backing, Description};

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Vhdx.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(bytes: impl AsRef<[u8]>) -> String {
    opened(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn each_type_of_disk_has_a_description() {
    let alone = Description {
        virtual_size: 3 * MIB,
        cluster_size: Some(MIB),
        dirty: Some(false),
        ..Description::default()
    };
    let backing = Backing { path: b"parent.vhdx".to_vec(), format: Some(b"vhdx".to_vec()) };
    let on_top = Description { backing: Some(backing), ..alone.clone() };
    let dynamic = Sample::default();
    for (sample, expected) in [
        (dynamic.clone(), alone.clone()),
        (Sample { fixed: true, ..dynamic.clone() }, alone.clone()),
        (Sample { sector_size: 4096, ..dynamic.clone() }, alone),
        (Sample::differencing(&dynamic), on_top),
    ] {
        assert_eq!(opened(sample.bytes()).unwrap().description(), expected);
        // What is written to it changes nothing.
        let written = Sample { content: vec![(100, vec![7; 8192])], ..sample };
        assert_eq!(opened(written.bytes()).unwrap().description(), expected);
    }
}

#[test]
fn disks_have_whole_sectors() {
    for (size, sector_size, expected) in
        [(3 * MIB + 511, 512, 3 * MIB), (511, 512, 0), (8191, 4096, 4096)]
    {
        let sample = Sample { size, sector_size, ..Sample::default() };
        assert_eq!(opened(sample.bytes()).unwrap().description().virtual_size, expected);
    }
}

#[test]
fn files_are_known_by_their_signature() {
    let confidence =
        |head: &[u8]| Vhdx.probe(&Probe { head, extension: b"vhdx", storage: &head.to_vec() });
    assert_eq!(confidence(&Sample::default().bytes()[..2048]), Confidence::CERTAIN);
    assert_eq!(confidence(b"vhdxfile"), Confidence::CERTAIN);
    assert_eq!(confidence(b"vhdxfil"), Confidence::NONE);
    assert_eq!(confidence(b""), Confidence::NONE);
}

#[test]
fn what_the_log_has_is_the_truth() {
    let old = Sample::default();
    let new = Sample { size: 4 * MIB, content: vec![(0, vec![7; 4096])], ..old.clone() };
    let changes = Change::between(&old, &old.bytes(), &new.bytes());
    let length = new.bytes().len() as u64;
    let each = changes.iter().map(|change| vec![change.clone()]);
    for entries in [vec![changes.clone()], each.collect()] {
        for first_sector in [0, 200, 253, 255] {
            let log =
                Log { first_sector, last_file_offset: Some(length), ..Log::new(entries.clone()) };
            let image = opened(log.in_image(&old)).unwrap();
            assert_eq!(image.description(), opened(new.bytes()).unwrap().description());
        }
    }
    // Of damage that the log repairs nobody hears.
    let mut broken = old.bytes();
    broken[usize::try_from(old.metadata().start).unwrap()] = b'M';
    assert_eq!(said(&broken), "Invalid argument");
    let changes = Change::between(&old, &broken, &old.bytes());
    assert_eq!(said(Log::new(vec![changes]).in_file(&old, broken)), "");
}

#[test]
fn files_that_are_no_image_are_refused() {
    let error = opened(vec![0; 4096]).err().unwrap();
    assert_eq!((error.kind(), error.is_bare()), (ErrorKind::NotThisFormat, true));
    for (bytes, expected) in [
        (Vec::new(), "Invalid argument"),
        (b"vhdxfil".to_vec(), "Invalid argument"),
        (b"vhdxfile".to_vec(), "No valid VHDX header found"),
        (Sample::default().bytes()[..69_632].to_vec(), "Invalid argument"),
    ] {
        assert_eq!(said(bytes), expected);
    }
    let error = opened(b"vhdxfile").err().unwrap();
    assert_eq!((error.kind(), error.is_bare()), (ErrorKind::Corrupt, false));
}

#[test]
fn a_parent_that_cannot_be_named_is_an_error() {
    let mut sample = Sample::differencing(&Sample::default());
    sample.parent = Some(sample::Parent::new(Guid::ZERO, "", ""));
    assert_eq!(said(sample.bytes()), "the disk has a parent but does not say where it is");
}

#[test]
fn no_cut_can_do_harm() {
    for sample in [Sample::default(), Sample::differencing(&Sample::default())] {
        let bytes = sample.bytes();
        let metadata = usize::try_from(sample.metadata().start).unwrap();
        let bat = usize::try_from(sample.bat().start).unwrap();
        // Where something is, each byte; elsewhere some.
        let places =
            (0..100).chain((65_536..65_700).step_by(3)).chain((69_600..bat).step_by(50_001));
        let places =
            places.chain(metadata..metadata + 300).chain(metadata + 65_500..metadata + 66_500);
        for length in places.chain(bat..bat + 24) {
            if let Ok(image) = opened(&bytes[..length]) {
                panic!("{length}: {:?}", image.description());
            }
        }
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let sample = Sample::differencing(&Sample::default());
    let changes =
        vec![Change::Data(sample.bat().start, vec![0; 4096]), Change::Zeros(8 << 20, 4096)];
    let bytes = Log::new(vec![changes]).in_image(&sample);
    let metadata = usize::try_from(sample.metadata().start).unwrap();
    let bat = usize::try_from(sample.bat().start).unwrap();
    let log = 1 << 20;
    // Each with what has a checksum over it.
    for (places, sealed) in [
        (0..8, None),
        (131_072..131_152, Some(131_072..131_072 + header::SIZE)),
        (196_608..196_608 + 80, Some(196_608..196_608 + region::SIZE)),
        (log..log + 128, Some(log..log + 8192)),
        (metadata..metadata + 232, None),
        (metadata + 65_536..metadata + 65_850, None),
        (bat..bat + 16, None),
    ] {
        for place in places {
            let mut bytes = bytes.clone();
            bytes[place] = [0, 0x7f, 0xff][place % 3];
            if let Some(sealed) = sealed.clone() {
                seal(&mut bytes[sealed]);
            }
            // Whatever it says, it must say it.
            if let Ok(image) = Vhdx.open(Rc::new(bytes)) {
                let _ = image.description();
            }
        }
    }
}

#[test]
fn a_clean_log_may_be_as_long_as_it_likes() {
    let sample = Sample::default();
    let mut bytes = sample.bytes();
    let mut header = sample.header();
    header.log_offset = (1 << 40).into();
    header.log_length = 0xfff0_0000.into();
    put_headers(&mut bytes, &header);
    assert_eq!(said(bytes), "");
}

#[test]
fn items_that_nobody_knows_do_not_matter() {
    let sample = Sample::default();
    let mut items = sample.items();
    items.push(Item::new(Guid::from_bytes([7; 16]), metadata::Entry::IS_USER, b"a note"));
    assert_eq!(said(sample.bytes_with(&sample.regions(), &items)), "");
}
