use std::string::String;

use super::*;
use crate::luks::sample::{KDF, key_slot};

/// The object of a slot, read.
fn parsed(text: &str) -> Result<KeySlot, &'static str> {
    KeySlot::parse(5, &mut Reader::new(text.as_bytes())).map_err(|fault| fault.what)
}

/// The object of the sample.
fn object(kdf: &str) -> String {
    key_slot(5, 32_768, kdf).strip_prefix("\"5\":").unwrap().into()
}

fn with(piece: &str, other: &str) -> Result<KeySlot, &'static str> {
    let text = object(KDF);
    assert!(text.contains(piece), "{piece}");
    parsed(&text.replacen(piece, other, 1))
}

#[test]
fn a_slot_is_taken_apart() {
    let slot = KeySlot {
        number: 5,
        area: Area { offset: 32_768, size: 4096 },
        key: Some(Key {
            size: 64,
            encryption: b"aes-xts-plain64".into(),
            derivation: b"argon2id".into(),
            cost: Some(KeyCost::Argon2 { time: 4, memory: 1_048_576, cpus: 2 }),
        }),
    };
    assert_eq!(parsed(&object(KDF)), Ok(slot));
}

#[test]
fn derivations_have_their_costs() {
    let argon2 = KeyCost::Argon2 { time: 1, memory: 2, cpus: 3 };
    let pbkdf2 = KeyCost::Pbkdf2 { hash: b"sha1".into(), iterations: 9 };
    for (kdf, expected) in [
        (r#"{"type":"argon2i","time":1,"memory":2,"cpus":3}"#, Ok(Some(argon2))),
        (r#"{"type":"argon2i","time":1,"memory":2}"#, Err("a kdf has no cpus")),
        (r#"{"type":"argon2i","time":1,"cpus":3}"#, Err("a kdf has no memory")),
        (r#"{"type":"argon2id","memory":2,"cpus":3}"#, Err("a kdf has no time")),
        (r#"{"type":"pbkdf2","hash":"sha1","iterations":9}"#, Ok(Some(pbkdf2))),
        (r#"{"type":"pbkdf2","hash":"sha1"}"#, Err("a kdf has no iterations")),
        (r#"{"type":"pbkdf2","iterations":9}"#, Err("a kdf has no hash")),
        (r#"{"type":"scrypt","n":9}"#, Ok(None)),
        (r#"{"time":1,"memory":2,"cpus":3}"#, Err("a kdf has no type")),
        (r#"{"type":7}"#, Err("a string is missing")),
        (r#"{"type":"argon2i","time":-1}"#, Err("a number is missing or invalid")),
        ("7", Err("an object is missing")),
    ] {
        let found = parsed(&object(kdf)).map(|slot| slot.key.unwrap().cost);
        assert_eq!(found, expected, "{kdf}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (member, expected) in [
        ("type", "a key slot has no type"),
        ("key_size", "a key slot has no key_size"),
        ("area", "a key slot has no area"),
        ("offset", "an area has no offset"),
        ("size", "an area has no size"),
        ("encryption", "an area has no encryption"),
        ("kdf", "a key slot has no kdf"),
    ] {
        let (name, other) = (std::format!("\"{member}\""), std::format!("\"x{member}\""));
        assert_eq!(with(&name, &other), Err(expected));
    }
    assert!(with("\"af\"", "\"xaf\"").is_ok());
}

#[test]
fn other_slots_have_only_a_place() {
    let text = r#"{"type":"reencrypt","key_size":1,"mode":"encrypt","area":{"type":"none","offset":"32768","size":"8192"}}"#;
    let area = Area { offset: 32_768, size: 8192 };
    assert_eq!(parsed(text), Ok(KeySlot { number: 5, area, key: None }));
    assert_eq!(parsed(&text.replace("area", "xarea")), Err("a key slot has no area"));
}

#[test]
fn areas_can_be_anywhere() {
    let area = |offset, size| Area { offset, size };
    for (first, second, expected) in [
        (area(0, 10), area(10, 10), false),
        (area(0, 11), area(10, 10), true),
        (area(0, 10), area(2, 3), true),
        (area(u64::MAX, u64::MAX), area(0, 10), false),
        (area(0, u64::MAX), area(5, 1), true),
        (area(5, 0), area(0, 5), false),
    ] {
        assert_eq!(first.overlaps(&second), expected);
        assert_eq!(second.overlaps(&first), expected);
    }
}
