use std::string::{String, ToString};
use std::vec::Vec;

use super::sample::{UUID, Version1};
use super::*;
use crate::error::ErrorKind;
use crate::image::{Description, KeySlot, Luks as LuksSpecific, Part, Specific};
use crate::testing;
use crate::testing::Long;

fn opened(bytes: Vec<u8>) -> Result<Box<dyn Image>, Error> {
    Luks.open(Rc::new(bytes))
}

/// Why an image cannot be opened; nothing if it can.
fn said(bytes: Vec<u8>) -> String {
    opened(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

fn parts(image: &dyn Image) -> Vec<Part> {
    let mut parts = Vec::new();
    let visited = image.visit_parts(&mut |part| {
        parts.push(part);
        Ok(())
    });
    visited.unwrap();
    parts
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Luks, bytes, b"")
}

#[test]
fn volumes_are_recognised_by_magic_and_version() {
    for (bytes, expected) in [
        (&b"LUKS\xba\xbe\0\x01"[..], Confidence::CERTAIN),
        (b"LUKS\xba\xbe\0\x01 and more", Confidence::CERTAIN),
        (b"LUKS\xba\xbe\0", Confidence::NONE),
        (b"LUKS\xba\xbe\0\0", Confidence::NONE),
        (b"LUKS\xba\xbe\0\x03", Confidence::NONE),
        (b"LUKS\xba\xbe\x01\x01", Confidence::NONE),
        (b"LUKS\xba\xbf\0\x01", Confidence::NONE),
        (b"luks\xba\xbe\0\x01", Confidence::NONE),
        (b"", Confidence::NONE),
    ] {
        assert_eq!(confidence(bytes), expected, "{}", bytes.escape_ascii());
    }
    let found = crate::probe::detect(&Version1::default().bytes(), b"");
    assert_eq!(found.unwrap().name(), "luks");
}

#[test]
fn version_1_is_described() {
    let slots = [0, 0, 1234, 0, 0, 0, 0, u32::MAX];
    let image = opened(Version1 { slots, ..Version1::default() }.bytes()).unwrap();
    let specific = LuksSpecific {
        cipher: "aes-128".into(),
        mode: "cbc".into(),
        iv_generator: "plain64".into(),
        iv_hash: None,
        hash: "sha256".into(),
        detached_header: false,
        uuid: UUID.into(),
        payload_offset: 1032 * 512,
        master_key_iterations: 7000,
    };
    assert_eq!(
        image.description(),
        Description {
            virtual_size: 1 << 20,
            cluster_size: None,
            encrypted: true,
            dirty: Some(false),
            backing: None,
            specific: Some(Specific::Luks(specific)),
        }
    );
    let slot = |number: u64, active| {
        Part::KeySlot(KeySlot { key_offset: (8 + number * 128) * 512, active })
    };
    let active = [(2, (1234, 4000)), (7, (u64::from(u32::MAX), 4000))];
    let expected = (0..8).map(|number| {
        let active = active.iter().find(|(slot, _)| *slot == number).map(|(_, active)| *active);
        slot(number, active)
    });
    assert_eq!(parts(image.as_ref()), expected.collect::<Vec<_>>());
}

#[test]
fn version_1_names_its_hashes() {
    let sample = Version1 { mode: "cbc-essiv:sm3", hash: "sha512", ..Version1::default() };
    let description = opened(sample.bytes()).unwrap().description();
    let Some(Specific::Luks(specific)) = description.specific else { panic!() };
    assert_eq!(specific.iv_hash.as_deref(), Some("sm3"));
    assert_eq!((&*specific.iv_generator, &*specific.hash), ("essiv", "sha512"));
    let sample = Version1 { mode: "ecb", ..Version1::default() };
    let description = opened(sample.bytes()).unwrap().description();
    let Some(Specific::Luks(specific)) = description.specific else { panic!() };
    assert_eq!(&*specific.iv_generator, "none");
}

#[test]
fn an_id_is_text_of_any_kind() {
    let mut bytes = Version1::default().bytes();
    for (text, expected) in
        [(&[b'x'; 40], &[b'x'; 40][..]), (&[0xff; 40], &[0xff; 40]), (&[0; 40], b"")]
    {
        bytes[168..208].copy_from_slice(text);
        let description = opened(bytes.clone()).unwrap().description();
        let Some(Specific::Luks(specific)) = description.specific else { panic!() };
        assert_eq!(specific.uuid, expected);
    }
}

#[test]
fn the_disk_is_the_rest_of_the_file_in_whole_sectors() {
    let payload = 1032 * 512;
    let past_end = "Could not refresh total sector count: Input/output error";
    for (length, expected) in [
        (592, Err(past_end)),
        (payload - 512, Err(past_end)),
        (payload - 511, Ok(0)),
        (payload, Ok(0)),
        (payload + 1, Ok(512)),
        (payload + 512, Ok(512)),
        (payload + 513, Ok(1024)),
    ] {
        let mut bytes = Version1::default().bytes();
        bytes.resize(length, 0);
        let size = opened(bytes).map(|image| image.description().virtual_size);
        assert_eq!(size.map_err(|error| error.to_string()), expected.map_err(Into::into));
    }
}

#[test]
fn a_payload_can_be_far_away() {
    let mut header = Version1::default().bytes();
    header[104..108].copy_from_slice(&u32::MAX.to_be_bytes());
    let payload = u64::from(u32::MAX) * 512;
    for (length, expected) in [
        (payload, Some(0)),
        (payload + 4096, Some(4096)),
        (u64::MAX - 511, Some(u64::MAX - 511 - payload)),
        (payload - 512, None),
        (u64::MAX, None),
    ] {
        let image = Luks.open(Rc::new(Long { start: header.clone(), length }));
        assert_eq!(image.map(|image| image.description().virtual_size).ok(), expected);
    }
}

#[test]
fn the_header_of_another_format_can_be_a_part_of_its_file() {
    let mut file = std::vec![0xee; 512];
    let header = Version1 { slots: [5; 8], ..Version1::default() }.bytes();
    file.extend_from_slice(&header[..4096]);
    file.extend_from_slice(&[0xee; 512]);
    // The payload is where the other format has it.
    let part = crate::storage::Part::new(Rc::new(file), 512, 4096).unwrap();
    let volume = version1::Volume::read(&part).unwrap();
    for detached_header in [false, true] {
        let description = volume.description(detached_header);
        assert_eq!(description.detached_header, detached_header);
        assert_eq!(description.uuid, UUID.as_bytes());
    }
    assert_eq!(volume.key_slots().filter(|slot| slot.active == Some((5, 4000))).count(), 8);
}

#[test]
fn unknown_names_are_refused() {
    for (sample, expected) in [
        (
            Version1 { cipher: "rot13", ..Version1::default() },
            "Algorithm 'rot13' with key size 16 bytes not supported",
        ),
        (Version1 { mode: "cfb-plain", ..Version1::default() }, "Cipher mode 'cfb' not supported"),
        (Version1 { mode: "cbc-foo", ..Version1::default() }, "IV generator 'foo' not supported"),
        (Version1 { hash: "foo", ..Version1::default() }, "Hash algorithm 'foo' not supported"),
    ] {
        let error = opened(sample.bytes()).err().unwrap();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unsupported, expected.into()));
    }
    assert_eq!(said(Version1 { cipher: "camellia", ..Version1::default() }.bytes()), "");
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let bytes = Version1::default().bytes();
    for place in 0..size_of::<version1::header::Header>() {
        for value in [0, 1, 0x7f, 0x80, 0xff, b'-', b':'] {
            let mut header = bytes[..592].to_vec();
            header[place] = value;
            // Whatever it says, it must say it.
            if let Ok(volume) = version1::Volume::read(&header) {
                let _ = (volume.description(false), volume.key_slots().count());
            }
        }
    }
}
