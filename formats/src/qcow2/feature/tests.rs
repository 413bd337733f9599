use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::qcow2::sample::Sample;

/// An entry of the table as bytes.
fn entry(kind: u8, bit: u8, name: &[u8]) -> Vec<u8> {
    let mut entry = Name { kind, bit, name: [0; 46] };
    entry.name[..name.len()].copy_from_slice(name);
    entry.as_bytes().to_vec()
}

/// What is said of an image with features and tables of their names.
fn said(incompatible: u64, tables: &[Vec<u8>]) -> String {
    let extensions = tables.iter().map(|table| (extension::FEATURE_NAMES, table.clone()));
    // The unknown extension is skipped.
    let extensions = [(1, b"abc".to_vec())].into_iter().chain(extensions).collect();
    let sample = Sample { cluster_bits: 16, extensions, ..Sample::default() };
    let incompatible = Incompatible::from_bits_retain(incompatible);
    let features = Features { incompatible, ..Features::NONE };
    features
        .check(&sample.bytes(), 112..1 << 16)
        .map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn an_entry_has_48_bytes() {
    assert_eq!(size_of::<Name>(), 48);
}

#[test]
fn every_known_feature_is_supported() {
    for bit in 0..64 {
        let expected = if bit < 5 {
            String::new()
        } else {
            std::format!(
                "Unsupported qcow2 feature(s): Unknown incompatible feature: {:x}",
                1_u64 << bit
            )
        };
        assert_eq!(said(1 << bit, &[]), expected);
    }
}

#[test]
fn features_have_names() {
    let long = [b'x'; 46];
    let both = (1 << 63) | (1 << 5);
    let [five, last] = [entry(0, 5, b"five"), entry(0, 63, b"last")];
    for (tables, expected) in [
        (vec![], "Unknown incompatible feature: 8000000000000020"),
        (vec![vec![]], "Unknown incompatible feature: 8000000000000020"),
        (vec![five.clone()], "five, Unknown incompatible feature: 8000000000000000"),
        (vec![[five.clone(), last.clone()].concat()], "five, last"),
        (vec![[last.clone(), five.clone()].concat()], "last, five"),
        // The first name counts.
        (vec![[five.clone(), entry(0, 5, b"other"), last.clone()].concat()], "five, last"),
        // Other kinds have names of their own, and known features too.
        (
            vec![[entry(1, 5, b"a"), entry(2, 5, b"b"), entry(0, 0, b"dirty bit")].concat()],
            "Unknown incompatible feature: 8000000000000020",
        ),
        // There are 64 bits.
        (vec![entry(0, 69, b"five")], "Unknown incompatible feature: 8000000000000020"),
        // An entry without a name ends the table.
        (
            vec![[five.clone(), entry(0, 6, b""), last.clone()].concat()],
            "five, Unknown incompatible feature: 8000000000000000",
        ),
        (
            vec![[entry(0, 5, &long), last.clone()].concat()],
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, last",
        ),
        (vec![[entry(0, 5, b"\xff"), last.clone()].concat()], "\u{fffd}, last"),
        // What is missing of the last entry is zeros.
        (vec![[&five[..], &last[..5]].concat()], "five, las"),
        (
            vec![[&five[..], &last[..1]].concat()],
            "five, Unknown incompatible feature: 8000000000000000",
        ),
        // The last table counts.
        (vec![last, five], "five, Unknown incompatible feature: 8000000000000000"),
    ] {
        let expected = std::format!("Unsupported qcow2 feature(s): {expected}");
        assert_eq!(said(both, &tables), expected);
    }
}

#[test]
fn names_are_found_up_to_what_is_damaged() {
    let sample = Sample {
        extensions: vec![(extension::FEATURE_NAMES, entry(0, 7, b"seven"))],
        ..Sample::default()
    };
    let mut bytes = sample.bytes();
    let incompatible = Incompatible::from_bits_retain(1 << 7);
    let features = Features { incompatible, ..Features::NONE };
    bytes[168..176].copy_from_slice(&[255; 8]);
    let message = features.check(&bytes, 112..512).unwrap_err().to_string();
    assert_eq!(message, "Unsupported qcow2 feature(s): seven");
    // A table that goes past the end is none.
    bytes[112 + 4..112 + 8].copy_from_slice(&512_u32.to_be_bytes());
    let message = features.check(&bytes, 112..512).unwrap_err().to_string();
    assert_eq!(message, "Unsupported qcow2 feature(s): Unknown incompatible feature: 80");
}
