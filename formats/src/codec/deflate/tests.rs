use std::vec;
use std::vec::Vec;

use super::*;
use crate::codec::random::Random;

/// Units of every kind.
fn units() -> Vec<Vec<u8>> {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut units: Vec<Vec<u8>> = (0..20).map(|length| vec![7; length]).collect();
    for length in [4095, 4096, 4097, 65_535, 65_536, 65_537, 200_000] {
        units.push(vec![0; length]);
        units.push(random.bytes(length, 256));
        units.push(random.bytes(length, 4));
        units.push(random.bytes(length, 60));
        // What was there before, at any distance and of any length.
        let mut unit = random.bytes(300, 256);
        while unit.len() < length {
            let bound = unit.len().min(40_000) as u64;
            let from = unit.len() - 1 - usize::try_from(random.next(bound)).unwrap();
            let count = usize::try_from(random.next(300)).unwrap();
            (from..from + count).for_each(|place| unit.push(unit[place]));
            let some = usize::try_from(random.next(9)).unwrap();
            unit.extend(random.bytes(some, 256));
        }
        units.push(unit);
        // A period of exactly the window, and one byte more.
        for period in [4096, 4097, 32_768, 32_769] {
            let part = random.bytes(period, 256);
            units.push(part.iter().copied().cycle().take(length).collect());
        }
    }
    units.push(include_bytes!("block.rs").to_vec());
    units
}

#[test]
fn what_was_compressed_is_decompressed() {
    let (mut deflate, mut inflate) = (Deflate::default(), Inflate::default());
    for (number, unit) in units().iter().enumerate() {
        for (window, wrapper) in [
            (4096, Wrapper::None),
            (32_768, Wrapper::Zlib),
            (1, Wrapper::None),
            (300, Wrapper::None),
        ] {
            let mut bytes = Vec::new();
            deflate.encode(unit, window, wrapper, &mut bytes);
            let mut read = vec![0xee; unit.len()];
            let read_well = inflate.decode(&bytes, &mut read, wrapper);
            assert!(read_well.is_ok() || unit.is_empty(), "{number} {window} {read_well:?}");
            assert!(read == *unit, "{number} {window}");
            // What cannot be compressed takes little more.
            let most = unit.len() + unit.len() / 16_384 * 5 + 30;
            assert!(bytes.len() <= most, "{number} {window}: {} of {most}", bytes.len());
        }
    }
}

#[test]
fn no_match_lies_behind_the_window() {
    let mut random = Random(0xfeed_beef_1234_5679);
    for (period, window, is_short) in [
        (4096, 4096, true),
        (4097, 4096, false),
        (4097, 32_768, true),
        (32_768, 32_768, true),
        (32_769, 32_768, false),
    ] {
        let part = random.bytes(period, 256);
        let unit = part.repeat(3);
        let mut bytes = Vec::new();
        Deflate::default().encode(&unit, window, Wrapper::None, &mut bytes);
        assert_eq!(bytes.len() < period + period / 4, is_short, "{period} {window}");
    }
}

#[test]
fn units_do_not_depend_on_those_before() {
    let units = units();
    let mut kept = Deflate::default();
    for unit in &units {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        kept.encode(unit, 4096, Wrapper::None, &mut one);
        Deflate::default().encode(unit, 4096, Wrapper::None, &mut other);
        assert!(one == other, "{}", unit.len());
    }
}
