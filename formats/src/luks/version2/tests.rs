use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::image::KeyCost;
use crate::luks::sample::{KDF, UUID, Version2, key_slot, segment, superblock, with_checksum};
use crate::storage::StorageError;
use crate::testing::Long;

/// Where the second header of the sample is.
const SECONDARY: usize = 16 << 10;

fn read(bytes: &Vec<u8>) -> Result<Volume, String> {
    Volume::read(bytes).map_err(|error| error.to_string())
}

/// The size of the disk in a file.
fn size(bytes: &Vec<u8>) -> Result<u64, String> {
    read(bytes)?.disk_size(bytes).map_err(|error| error.to_string())
}

/// The label of the volume, which tells the copies apart.
fn label(bytes: &Vec<u8>) -> Result<String, String> {
    let description = read(bytes)?.description().map_err(|error| error.to_string())?;
    Ok(String::from_utf8(description.label).unwrap())
}

/// A file whose headers have these sequence numbers, and labels that tell them
/// apart.
fn copies(primary: u64, secondary: u64) -> Vec<u8> {
    let sample = Version2::default();
    let text = sample.metadata();
    let header = |label, sequence, offset| {
        Version2 { label, sequence, ..sample.clone() }.header(offset, text.as_bytes())
    };
    let second = header("second", secondary, SECONDARY as u64);
    sample.with_headers(header("first", primary, 0), second)
}

#[test]
fn a_volume_is_described() {
    let pbkdf2 = r#"{"type":"pbkdf2","hash":"sha256","iterations":1000}"#;
    let sample = Version2 {
        label: "a label",
        subsystem: "a subsystem",
        key_slots: vec![key_slot(3, 36_864, pbkdf2), key_slot(0, 32_768, KDF)],
        ..Version2::default()
    };
    let bytes = sample.bytes();
    let volume = read(&bytes).unwrap();
    let description = Luks2 {
        uuid: UUID.into(),
        label: b"a label".into(),
        subsystem: b"a subsystem".into(),
        encryption: b"aes-xts-plain64".into(),
        integrity: None,
        sector_size: 512,
        payload_offset: 288 << 10,
        reencryption: false,
    };
    assert_eq!(volume.description(), Ok(description));
    let slot = |number, derivation: &[u8], cost, key_offset| KeySlot2 {
        number,
        derivation: derivation.into(),
        cost: Some(cost),
        encryption: b"aes-xts-plain64".into(),
        key_size: 64,
        key_offset,
    };
    let argon2 = KeyCost::Argon2 { time: 4, memory: 1_048_576, cpus: 2 };
    let pbkdf2 = KeyCost::Pbkdf2 { hash: b"sha256".into(), iterations: 1000 };
    assert_eq!(
        volume.key_slots().collect::<Vec<_>>(),
        [slot(0, b"argon2id", argon2, 32_768), slot(3, b"pbkdf2", pbkdf2, 36_864)]
    );
    assert_eq!(size(&bytes), Ok(64 << 10));
}

#[test]
fn labels_can_fill_their_fields() {
    let long = "x".repeat(48);
    let mut bytes = Version2::default().header(0, Version2::default().metadata().as_bytes());
    bytes[24..72].copy_from_slice(long.as_bytes());
    bytes[168..208].copy_from_slice(&[0xff; 40]);
    let bytes = Version2::default().with_headers(with_checksum(bytes), Vec::new());
    let description = read(&bytes).unwrap().description().unwrap();
    assert_eq!((description.label, description.uuid), (long.into(), vec![0xff; 40]));
}

#[test]
fn the_newer_header_counts() {
    for (primary, secondary, expected) in [
        (3, 3, "first"),
        (4, 3, "first"),
        (3, 4, "second"),
        (u64::MAX, 0, "first"),
        (0, u64::MAX, "second"),
    ] {
        assert_eq!(label(&copies(primary, secondary)), Ok(expected.into()));
    }
}

#[test]
fn a_header_that_is_damaged_does_not_count() {
    let damaged = |bytes: &[u8], place: usize| {
        let mut bytes = bytes.to_vec();
        bytes[place] ^= 0x40;
        bytes
    };
    let newer = copies(3, 4);
    let older = copies(4, 3);
    // The sequence number, the label, the checksum, the text, the zeros behind it.
    for place in [16, 30, 450, 4096, 4200, 16_000] {
        assert_eq!(label(&damaged(&older, place)), Ok("second".into()), "{place}");
        assert_eq!(label(&damaged(&older, SECONDARY + place)), Ok("first".into()), "{place}");
        assert_eq!(label(&damaged(&newer, place)), Ok("second".into()), "{place}");
        assert_eq!(label(&damaged(&newer, SECONDARY + place)), Ok("first".into()), "{place}");
        let both = damaged(&damaged(&newer, place), SECONDARY + place);
        let message =
            "the checksum of the header is wrong, and the other header is not valid either";
        assert_eq!(label(&both), Err(message.into()), "{place}");
    }
    // The second header is found even where the first does not say where it is.
    for place in [0, 6, 8, 15, 72, 256] {
        assert_eq!(label(&damaged(&older, place)), Ok("second".into()), "{place}");
        assert_eq!(label(&damaged(&newer, SECONDARY + place)), Ok("first".into()), "{place}");
    }
}

#[test]
fn the_second_header_can_be_at_nine_places() {
    for header_size in SIZES {
        let keys = header_size * 2;
        let sample = Version2 {
            header_size,
            label: "found",
            key_slots: vec![key_slot(0, keys, KDF)],
            segments: vec![segment(0, keys + (256 << 10), "dynamic")],
            ..Version2::default()
        };
        let mut bytes = sample.bytes();
        assert_eq!(size(&bytes), Ok(64 << 10));
        bytes[..4096].fill(0);
        assert_eq!(label(&bytes), Ok("found".into()), "{header_size}");
        bytes[usize::try_from(header_size).unwrap()] = b'L';
        let message = "there is no header at 0, and the other header is not valid either";
        assert_eq!(label(&bytes), Err(message.into()), "{header_size}");
    }
}

#[test]
fn damaged_metadata_make_a_header_invalid() {
    let sample = Version2::default();
    let good = sample.metadata();
    let short = good.replace("\"12288\"", "\"12287\"");
    let with = |primary: &str, secondary: &str| {
        let second = sample.header(SECONDARY as u64, secondary.as_bytes());
        sample.with_headers(sample.header(0, primary.as_bytes()), second)
    };
    for (text, fault) in [
        (&good[1..], "the metadata are damaged: an object is missing at byte 0"),
        ("{}", "the metadata are damaged: there is no object keyslots at byte 2"),
        (&*short, "the metadata have 12287 bytes, and the header says otherwise"),
    ] {
        assert!(read(&with(text, &good)).is_ok());
        assert!(read(&with(&good, text)).is_ok());
        let message = std::format!("{fault}, and the other header is not valid either");
        assert_eq!(read(&with(text, text)).err(), Some(message));
    }
}

#[test]
fn the_disk_is_the_rest_of_the_file_or_less() {
    let rest = 64 << 10;
    let past_end = Err("the segment at 294912 does not lie in the file".into());
    for (segment_size, payload, expected) in [
        ("dynamic", rest, Ok(64 << 10)),
        ("dynamic", 1, Ok(512)),
        ("dynamic", 0, Ok(0)),
        ("65536", rest, Ok(64 << 10)),
        ("65536", rest - 511, Ok(64 << 10)),
        ("65536", rest - 512, past_end.clone()),
        ("512", rest, Ok(512)),
        ("0", rest, Ok(0)),
        ("18446744073709551104", rest, past_end.clone()),
    ] {
        let segments = vec![segment(0, 288 << 10, segment_size)];
        let sample = Version2 { segments, payload, ..Version2::default() };
        assert_eq!(size(&sample.bytes()), expected, "{segment_size} {payload}");
    }
    for (offset, expected) in [
        (352 << 10, Ok(0)),
        ((352 << 10) + 512, Err("the segment at 360960 does not lie in the file".into())),
        (1 << 63, Err("the segment at 9223372036854775808 does not lie in the file".into())),
    ] {
        let sample =
            Version2 { segments: vec![segment(0, offset, "dynamic")], ..Version2::default() };
        assert_eq!(size(&sample.bytes()), expected, "{offset}");
    }
}

#[test]
fn the_disk_has_whole_sectors() {
    for (payload, expected) in [(4095, 4096), (4096, 4096), (4097, 4096), (8191, 8192), (100, 0)] {
        let segments = vec![
            segment(0, 288 << 10, "dynamic").replace("\"sector_size\":512", "\"sector_size\":4096"),
        ];
        let bytes = Version2 { segments, payload, ..Version2::default() }.bytes();
        assert_eq!(size(&bytes), Ok(expected), "{payload}");
    }
}

#[test]
fn keys_lie_in_the_file() {
    let sample = Version2 {
        key_slots: vec![key_slot(9, (288 << 10) - 4096, KDF)],
        segments: vec![segment(0, 288 << 10, "0")],
        payload: 0,
        ..Version2::default()
    };
    let mut bytes = sample.bytes();
    assert_eq!(size(&bytes), Ok(0));
    bytes.truncate(bytes.len() - 512);
    assert_eq!(size(&bytes), Err("Keyslot 9 does not lie in the file".into()));
}

/// The sample while it is being encrypted anew.
fn reencryption(segments: Vec<String>) -> Version2 {
    let slot = r#""1":{"type":"reencrypt","key_size":1,"mode":"reencrypt","direction":"forward","area":{"type":"checksum","offset":"36864","size":"4096","hash":"sha256","sector_size":512}}"#;
    Version2 {
        key_slots: vec![key_slot(0, 32_768, KDF), slot.into()],
        segments,
        requirements: vec!["online-reencrypt-v2"],
        ..Version2::default()
    }
}

#[test]
fn a_disk_that_is_being_encrypted_anew_has_several_segments() {
    let place = 288 << 10;
    let linear = |number: u32, offset: u64, size: &str| {
        std::format!(r#""{number}":{{"type":"linear","offset":"{offset}","size":"{size}"}}"#)
    };
    let backup = |member: String| member.replace("{", "{\"flags\":[\"backup-final\"],");
    let twofish = |member: String| member.replace("aes-", "twofish-");
    for (segments, encryption, expected) in [
        (
            vec![segment(0, place, "8192"), twofish(segment(1, place + 8192, "dynamic"))],
            "aes-xts-plain64",
            Ok(64 << 10),
        ),
        (
            vec![linear(0, place, "8192"), twofish(segment(1, place + 8192, "8192"))],
            "twofish-xts-plain64",
            Ok(16_384),
        ),
        (
            vec![twofish(segment(0, place, "dynamic")), backup(segment(1, 0, "512"))],
            "twofish-xts-plain64",
            Ok(64 << 10),
        ),
        (
            vec![segment(0, place, "dynamic"), segment(1, place, "512")],
            "aes-xts-plain64",
            Err("a segment without a size is not the last one".into()),
        ),
    ] {
        let bytes = reencryption(segments).bytes();
        let volume = read(&bytes).unwrap();
        let description = volume.description().unwrap();
        assert!(description.reencryption);
        assert_eq!(description.encryption, encryption.as_bytes());
        assert_eq!(description.payload_offset, place);
        // The slot that keeps the progress has no key.
        assert_eq!(volume.key_slots().map(|slot| slot.number).collect::<Vec<_>>(), [0]);
        assert_eq!(size(&bytes), expected);
    }
    for segments in [vec![], vec![linear(0, place, "dynamic")], vec![backup(segment(0, 0, "0"))]] {
        let volume = read(&reencryption(segments).bytes()).unwrap();
        let message = volume.description().unwrap_err().to_string();
        assert_eq!(message, "the volume has no encrypted segment");
    }
}

#[test]
fn all_segments_together_have_a_size() {
    // Each fits into a file of this length, and together they do not fit into 64
    // bits.
    let half = (1_u64 << 63).to_string();
    for (count, expected) in
        [(1, Ok(1 << 63)), (2, Err("Could not refresh total sector count: File too large"))]
    {
        let segments = (0..count).map(|number| segment(number, 288 << 10, &half)).collect();
        let start = Version2 { segments, ..Version2::default() }.bytes();
        let file = Long { start, length: u64::MAX - 511 };
        let size = Volume::read(&file).unwrap().disk_size(&file);
        assert_eq!(size.map_err(|error| error.to_string()), expected.map_err(Into::into));
    }
}

#[test]
fn a_segment_of_another_type_is_refused() {
    let opal = r#""1":{"type":"hw-opal","offset":"327680","size":"dynamic"}"#;
    let segments = vec![segment(0, 288 << 10, "32768"), opal.into()];
    let message = size(&Version2 { segments, ..Version2::default() }.bytes());
    assert_eq!(message, Err("Segment type 'hw-opal' not supported".into()));
}

#[test]
fn a_disk_whose_changes_are_noticed_is_smaller() {
    let integrity = "{\"integrity\":{\"type\":\"hmac(sha256)\"},";
    let place = 288 << 10;
    let segments = vec![segment(0, 288 << 10, "dynamic").replacen('{', integrity, 1)];
    let mut bytes = Version2 { segments, ..Version2::default() }.bytes();
    let message = Err("there is no superblock of dm-integrity at 294912".into());
    assert_eq!(size(&bytes), message);
    let description = read(&bytes).unwrap().description().unwrap();
    assert_eq!(description.integrity.as_deref(), Some(&b"hmac(sha256)"[..]));
    let past_end = Err("the segment at 294912 does not lie in the file".into());
    for (sectors, expected) in [
        (0, Ok(0)),
        (100, Ok(51_200)),
        (128, Ok(64 << 10)),
        (129, past_end.clone()),
        (u64::MAX / 512, past_end),
        (u64::MAX, message),
    ] {
        let superblock = superblock(sectors);
        bytes[place..place + superblock.len()].copy_from_slice(&superblock);
        assert_eq!(size(&bytes), expected, "{sectors}");
    }
    bytes.truncate(place + 16);
    assert!(size(&bytes).is_err());
}

#[test]
fn no_cut_can_do_harm() {
    let bytes = Version2::default().bytes();
    for length in (0..5000).chain((5000..bytes.len()).step_by(509)) {
        let cut = bytes[..length].to_vec();
        match length {
            0..16_384 => assert!(read(&cut).is_err(), "{length}"),
            _ => {
                // One header is enough, but keys and segments are not there.
                let payload = 294_912 - 511;
                assert_eq!(size(&cut).is_ok(), length >= payload, "{length}");
            }
        }
    }
}

/// A file that cannot be read from some place on.
struct Broken(Vec<u8>, u64);

impl Storage for Broken {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        if offset >= self.1 {
            return Err(StorageError::InputOutput);
        }
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn what_cannot_be_read_is_not_taken_for_damage() {
    for from in [0, 4096, 16_384] {
        let error = Volume::read(&Broken(copies(3, 4), from)).err().unwrap();
        assert_eq!(error.to_string(), "Input/output error", "{from}");
    }
}
