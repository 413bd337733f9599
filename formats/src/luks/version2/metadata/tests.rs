use std::string::{String, ToString};
use std::vec;

use super::*;
use crate::luks::sample::{KDF, Version2, key_slot, segment};

fn said(text: &str) -> String {
    Metadata::parse(text.as_bytes()).map_or_else(|fault| fault.what.into(), |_| String::new())
}

/// What is said of the sample with a piece of text exchanged.
fn with(piece: &str, other: &str) -> String {
    let text = Version2::default().metadata();
    assert!(text.contains(piece), "{piece}");
    said(&text.replace(piece, other))
}

/// What is said of the places that the metadata of a sample name.
fn checked(sample: &Version2) -> String {
    let metadata = Metadata::parse(sample.metadata().as_bytes()).unwrap();
    let checked = metadata.check(sample.header_size);
    checked.map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn the_metadata_are_taken_apart() {
    let sample = Version2 {
        key_slots: vec![key_slot(7, 40_960, KDF), key_slot(1, 32_768, KDF)],
        segments: vec![segment(2, 1 << 20, "dynamic"), segment(0, 512 << 10, "524288")],
        ..Version2::default()
    };
    let metadata = Metadata::parse(sample.metadata().as_bytes()).unwrap();
    // In the order of their numbers.
    let slots: Vec<_> =
        metadata.key_slots.iter().map(|slot| (slot.number, slot.area.offset)).collect();
    assert_eq!(slots, [(1, 32_768), (7, 40_960)]);
    let segments: Vec<_> = metadata.segments.iter().map(|it| (it.offset, it.size)).collect();
    assert_eq!(segments, [(512 << 10, Some(512 << 10)), (1 << 20, None)]);
    let config = Config { json_size: 12_288, keys_size: 256 << 10, reencryption: false };
    assert_eq!(metadata.config, config);
}

#[test]
fn what_is_missing_is_named() {
    for (member, expected) in [
        ("keyslots\":{\"0", "there is no object keyslots"),
        ("segments\":{", "there is no object segments"),
        ("config", "there is no object config"),
        ("json_size", "config has no json_size"),
        ("keyslots_size", "config has no keyslots_size"),
    ] {
        assert_eq!(with(&std::format!("\"{member}"), &std::format!("\"x{member}")), expected);
    }
    // What is of no interest here may be missing.
    assert_eq!(with("\"tokens\"", "\"xtokens\""), "");
    assert_eq!(with("\"digests\"", "\"xdigests\""), "");
    assert_eq!(with("\"requirements\"", "\"xrequirements\""), "");
}

#[test]
fn what_is_no_json_is_refused() {
    for (text, expected) in [
        ("", "an object is missing"),
        ("[]", "an object is missing"),
        ("{}", "there is no object keyslots"),
        ("{\"keyslots\":[]}", "an object is missing"),
        ("{\"keyslots\":{\"0\":7}}", "an object is missing"),
    ] {
        assert_eq!(said(text), expected, "{text}");
    }
    assert_eq!(said(&(Version2::default().metadata() + " \n")), "");
    assert_eq!(said(&(Version2::default().metadata() + "x")), "the text goes on");
    assert_eq!(with("\"tokens\":{},", "\"tokens\":{}"), "a comma is missing");
}

#[test]
fn members_are_there_once() {
    let twice = "a member is there twice";
    assert_eq!(with("\"tokens\":{}", "\"keyslots\":{}"), twice);
    assert_eq!(with("\"tokens\":{}", "\"segments\":{}"), twice);
    assert_eq!(with("\"json_size\":", "\"keyslots_size\":\"0\",\"json_size\":"), twice);
    assert_eq!(with("\"key_size\":64,\"af\"", "\"key_size\":64,\"key_size\":64,\"af\""), twice);
    assert_eq!(with("\"tokens\":{}", "\"tokens\":{},\"tokens\":{}"), "");
    let sample = Version2 { key_slots: vec![key_slot(3, 0, KDF); 2], ..Version2::default() };
    assert_eq!(said(&sample.metadata()), "a number is there twice");
}

#[test]
fn numbers_are_below_a_limit() {
    let invalid = "a name is no number below 32";
    for (number, expected) in [
        ("0", ""),
        ("31", ""),
        ("32", invalid),
        ("4294967296", invalid),
        ("18446744073709551616", invalid),
        ("-1", invalid),
        ("00", invalid),
        ("", invalid),
        ("x", invalid),
    ] {
        let number = std::format!("\"{number}\":{{\"type\"");
        assert_eq!(with("\"0\":{\"type\":\"luks2\"", &(number.clone() + ":\"luks2\"")), expected);
        assert_eq!(with("\"0\":{\"type\":\"crypt\"", &(number + ":\"crypt\"")), expected);
    }
    let slots = (0..32).map(|number| key_slot(number, 32_768 + 4096 * u64::from(number), KDF));
    let sample = Version2 { key_slots: slots.collect(), ..Version2::default() };
    assert_eq!(Metadata::parse(sample.metadata().as_bytes()).unwrap().key_slots.len(), 32);
    assert_eq!(checked(&sample), "");
}

#[test]
fn long_numbers_are_strings() {
    let invalid = "a number in a string is invalid";
    for (value, expected) in [
        ("\"12288\"", ""),
        ("\"18446744073709551615\"", ""),
        ("\"18446744073709551616\"", invalid),
        ("\"-1\"", invalid),
        ("\"0x10\"", invalid),
        ("\" 1\"", invalid),
        ("\"\"", invalid),
        ("\"dynamic\"", invalid),
        ("12288", "a string is missing"),
        ("null", "a string is missing"),
    ] {
        assert_eq!(with("\"12288\"", value), expected, "{value}");
    }
}

#[test]
fn reencryption_is_a_requirement() {
    for (requirements, expected) in [
        (vec![], false),
        (vec!["online-reencrypt"], true),
        (vec!["online-reencrypt-v2"], true),
        (vec!["other", "online-reencrypt-v3"], true),
        (vec!["offline-reencrypt"], true),
        (vec!["opal", "reencrypt"], false),
    ] {
        let sample = Version2 { requirements, ..Version2::default() };
        let metadata = Metadata::parse(sample.metadata().as_bytes()).unwrap();
        assert_eq!(metadata.config.reencryption, expected);
    }
    assert_eq!(with("{\"mandatory\":[]}", "{\"optional\":7}"), "");
    assert_eq!(with("{\"mandatory\":[]}", "{\"mandatory\":7}"), "an array is missing");
    assert_eq!(with("{\"mandatory\":[]}", "{\"mandatory\":[7]}"), "a string is missing");
}

#[test]
fn sizes_agree() {
    let metadata = Metadata::parse(Version2::default().metadata().as_bytes()).unwrap();
    assert_eq!(metadata.check(16 << 10), Ok(()));
    for header_size in [0, 4096, 32 << 10, u64::MAX] {
        let error = metadata.check(header_size).unwrap_err().to_string();
        assert_eq!(error, "the metadata have 12288 bytes, and the header says otherwise");
    }
    let mut metadata = metadata;
    metadata.config.json_size = u64::MAX;
    assert!(metadata.check(4095).is_err());
}

#[test]
fn the_room_for_keys_has_a_limit() {
    for (keys_size, expected) in [
        (256 << 10, ""),
        (MAX_KEYS_SIZE, ""),
        (MAX_KEYS_SIZE + 4096, "the room for keys cannot have 134221824 bytes"),
        (4097, "the room for keys cannot have 4097 bytes"),
        (u64::MAX, "the room for keys cannot have 18446744073709551615 bytes"),
    ] {
        let segments = vec![segment(0, 1 << 30, "dynamic")];
        let sample = Version2 { keys_size, segments, ..Version2::default() };
        assert_eq!(checked(&sample), expected);
    }
}

#[test]
fn keys_and_segments_have_their_places() {
    let in_header = "Keyslot 0 is overlapping with the LUKS header";
    let in_payload = "Keyslot 0 is overlapping with the encrypted payload";
    for (offset, expected) in [
        (0, in_header),
        (32_767, in_header),
        (32_768, ""),
        (294_912 - 4096, ""),
        (294_912 - 4095, in_payload),
        (294_912, in_payload),
        (u64::MAX, in_payload),
    ] {
        let sample = Version2 { key_slots: vec![key_slot(0, offset, KDF)], ..Version2::default() };
        assert_eq!(checked(&sample), expected, "{offset}");
    }
    let in_header = "LUKS payload is overlapping with the header";
    for (offset, expected) in [(0, in_header), (294_400, in_header), (294_912, ""), (1 << 62, "")] {
        let segments = vec![segment(0, offset, "dynamic")];
        assert_eq!(checked(&Version2 { segments, ..Version2::default() }), expected);
    }
    // What is kept for later may have been anywhere.
    let backup = segment(1, 0, "512").replace("\"type\"", "\"flags\":[\"backup-final\"],\"type\"");
    let segments = vec![segment(0, 294_912, "dynamic"), backup];
    assert_eq!(checked(&Version2 { segments, ..Version2::default() }), "");
}

#[test]
fn keys_do_not_overlap() {
    for (first, second, expected) in [
        (32_768, 36_864, ""),
        (36_864, 32_768, ""),
        (32_768, 36_863, "Keyslots 2 and 5 are overlapping in the header"),
        (36_863, 32_768, "Keyslots 2 and 5 are overlapping in the header"),
        (32_768, 32_768, "Keyslots 2 and 5 are overlapping in the header"),
    ] {
        let key_slots = vec![key_slot(2, first, KDF), key_slot(5, second, KDF)];
        assert_eq!(checked(&Version2 { key_slots, ..Version2::default() }), expected);
    }
}

#[test]
fn no_byte_and_no_cut_can_do_harm() {
    let text = Version2::default().metadata().into_bytes();
    for place in 0..text.len() {
        assert!(Metadata::parse(&text[..place]).is_err(), "{place}");
        for value in [0, b'0', b'9', b'"', b'{', b'}', b'[', b',', b'\\', 0xff] {
            let mut text = text.clone();
            text[place] = value;
            if let Ok(metadata) = Metadata::parse(&text) {
                let _ = metadata.check(16 << 10);
            }
        }
    }
}
