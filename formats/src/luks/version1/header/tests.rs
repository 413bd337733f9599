use core::mem::{offset_of, size_of};
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::error::ErrorKind;
use crate::luks::sample::Version1;

/// The header of the sample, whose payload starts at sector 1032.
fn sample() -> Vec<u8> {
    Version1::default().header().as_bytes().to_vec()
}

/// Where a field of a slot is.
fn in_slot(slot: usize, field: usize) -> usize {
    offset_of!(Header, key_slots) + slot * size_of::<KeySlot>() + field
}

fn said(bytes: &Vec<u8>) -> String {
    Header::read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

/// What is said of the sample with some fields changed.
fn with(changes: &[(usize, u32)]) -> String {
    let mut bytes = sample();
    for (offset, value) in changes {
        bytes[*offset..*offset + 4].copy_from_slice(&value.to_be_bytes());
    }
    said(&bytes)
}

const STATE: usize = offset_of!(KeySlot, state);
const ITERATIONS: usize = offset_of!(KeySlot, iterations);
const KEY_OFFSET: usize = offset_of!(KeySlot, key_offset);
const STRIPES_OF_SLOT: usize = offset_of!(KeySlot, stripes);
const PAYLOAD: usize = offset_of!(Header, payload_offset);
const KEY_SIZE: usize = offset_of!(Header, key_size);

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!((size_of::<Header>(), size_of::<KeySlot>()), (592, 48));
    for (offset, expected) in [
        (offset_of!(Header, version), 6),
        (offset_of!(Header, cipher), 8),
        (offset_of!(Header, mode), 40),
        (offset_of!(Header, hash), 72),
        (PAYLOAD, 104),
        (KEY_SIZE, 108),
        (offset_of!(Header, digest), 112),
        (offset_of!(Header, digest_salt), 132),
        (offset_of!(Header, digest_iterations), 164),
        (offset_of!(Header, uuid), 168),
        (offset_of!(Header, key_slots), 208),
        (KEY_OFFSET, 40),
        (STRIPES_OF_SLOT, 44),
    ] {
        assert_eq!(offset, expected);
    }
}

#[test]
fn other_files_and_versions_are_refused() {
    for (offset, value, expected, kind) in [
        (0, b'l', "Volume is not in LUKS format", ErrorKind::NotThisFormat),
        (5, 0xbf, "Volume is not in LUKS format", ErrorKind::NotThisFormat),
        (7, 2, "LUKS version 2 is not supported", ErrorKind::Unsupported),
        (6, 0xff, "LUKS version 65281 is not supported", ErrorKind::Unsupported),
    ] {
        let mut bytes = sample();
        bytes[offset] = value;
        let error = Header::read(&bytes).unwrap_err();
        assert_eq!((error.to_string(), error.kind()), (expected.into(), kind));
    }
    assert_eq!(said(&Vec::new()), "Volume is not in LUKS format");
}

#[test]
fn names_have_an_end() {
    for (offset, name) in [(8, "cipher name"), (40, "cipher mode"), (72, "hash spec")] {
        let mut bytes = sample();
        bytes[offset..offset + 31].fill(b'x');
        assert_eq!(said(&bytes), "");
        bytes[offset + 31] = b'x';
        assert_eq!(said(&bytes), std::format!("LUKS header {name} is not NUL terminated"));
    }
}

#[test]
fn the_payload_lies_behind_header_and_keys() {
    let in_header = "LUKS payload is overlapping with the header";
    for (payload, expected) in [
        (0, in_header),
        (7, in_header),
        (8, "Keyslot 0 is overlapping with the encrypted payload"),
        (135, "Keyslot 0 is overlapping with the encrypted payload"),
        (136, "Keyslot 1 is overlapping with the encrypted payload"),
        (1031, "Keyslot 7 is overlapping with the encrypted payload"),
        (1032, ""),
        (u32::MAX, ""),
    ] {
        assert_eq!(with(&[(PAYLOAD, payload)]), expected, "{payload}");
    }
}

#[test]
fn iterations_are_counted() {
    let digest = offset_of!(Header, digest_iterations);
    let none = "LUKS key iteration count is zero";
    for (iterations, expected) in [(0, none), (1, ""), (u32::MAX, "")] {
        assert_eq!(with(&[(digest, iterations)]), expected);
    }
    let none = "Keyslot 0 iteration count is zero";
    for (iterations, expected) in [(0, none), (1, ""), (u32::MAX, "")] {
        assert_eq!(with(&[(in_slot(0, ITERATIONS), iterations)]), expected);
        // Of a slot that is free it does not matter.
        assert_eq!(with(&[(in_slot(1, ITERATIONS), iterations)]), "");
    }
}

#[test]
fn slots_are_checked() {
    for slot in [0, 3, 7] {
        for (stripes, printed) in [(0, "0"), (3999, "3999"), (4001, "4001"), (u32::MAX, "-1")] {
            // Of a slot that is free as well.
            let message = std::format!("Keyslot {slot} is corrupted (stripes {printed} != 4000)");
            // A key of other length can lie on another one, which is found first.
            let said = with(&[(in_slot(slot, STRIPES_OF_SLOT), stripes), (KEY_SIZE, 0)]);
            assert_eq!(said, message);
        }
        for state in [0, 1, SLOT_DISABLED + 1, SLOT_ENABLED - 1, u32::MAX] {
            let message = std::format!("Keyslot {slot} state (active/disable) is corrupted");
            assert_eq!(with(&[(in_slot(slot, STATE), state)]), message);
        }
        let both = [(in_slot(slot, STATE), SLOT_ENABLED), (in_slot(slot, ITERATIONS), 1)];
        assert_eq!(with(&both), "");
        assert_eq!(with(&[(in_slot(slot, STATE), SLOT_DISABLED)]), "");
    }
}

#[test]
fn keys_lie_between_header_and_payload() {
    let in_header = "Keyslot 0 is overlapping with the LUKS header";
    let in_payload = "Keyslot 0 is overlapping with the encrypted payload";
    for (sector, expected) in [
        (0, in_header),
        (7, in_header),
        (8, ""),
        (9, "Keyslots 0 and 1 are overlapping in the header"),
        (905, in_payload),
        (1032, in_payload),
        (u32::MAX, in_payload),
    ] {
        assert_eq!(with(&[(in_slot(0, KEY_OFFSET), sector)]), expected, "{sector}");
    }
    // Their order does not matter, and there may be room between them.
    let swapped = [(in_slot(0, KEY_OFFSET), 904), (in_slot(7, KEY_OFFSET), 8)];
    assert_eq!(with(&swapped), "");
    assert_eq!(with(&[(PAYLOAD, 4096), (in_slot(3, KEY_OFFSET), 3000)]), "");
}

#[test]
fn keys_do_not_overlap() {
    for (first, second) in [(0, 1), (0, 7), (3, 4), (6, 7)] {
        let message = std::format!("Keyslots {first} and {second} are overlapping in the header");
        let place = |slot: u32| 8 + slot * 128;
        let slot = usize::try_from(first).unwrap();
        assert_eq!(with(&[(in_slot(slot, KEY_OFFSET), place(second))]), message);
        assert_eq!(
            with(&[(in_slot(slot, KEY_OFFSET), place(second) + 1), (PAYLOAD, 4096)]),
            message
        );
    }
}

#[test]
fn the_size_of_a_key_makes_the_size_of_its_place() {
    // 127 sectors and 128 of them, rounded to whole headers, and one more.
    let overlap = "Keyslots 0 and 1 are overlapping in the header";
    for (size, expected) in [(0, ""), (15, ""), (16, ""), (17, overlap), (64, overlap)] {
        assert_eq!(with(&[(KEY_SIZE, size), (PAYLOAD, 1 << 20)]), expected, "{size}");
    }
    for (size, expected) in [
        // 4000 times this is a multiple of 2^32.
        (0x0800_0000, ""),
        (0x0800_0001, ""),
        (u32::MAX, "Keyslot 0 is overlapping with the encrypted payload"),
    ] {
        assert_eq!(with(&[(KEY_SIZE, size)]), expected, "{size}");
    }
}

#[test]
fn a_header_that_is_cut_off_is_an_error() {
    let bytes = sample();
    for length in 0..bytes.len() {
        let message = said(&bytes[..length].to_vec());
        let expected = match length {
            0..6 => "Volume is not in LUKS format",
            6..7 => "LUKS version 0 is not supported",
            7..8 => "LUKS version 0 is not supported",
            8..106 => "LUKS payload is overlapping with the header",
            591 => "Keyslot 7 is corrupted (stripes 3840 != 4000)",
            _ => "",
        };
        assert!(!message.is_empty(), "{length}");
        assert!(expected.is_empty() || message == expected, "{length}: {message}");
    }
    assert_eq!(said(&bytes), "");
}
