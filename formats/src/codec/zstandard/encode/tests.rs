use std::vec;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;

use super::*;
use crate::codec::random::Random;
use crate::codec::zstandard::Decompressor;

/// Lengths where something changes: of literals, of blocks, and in headers.
const LENGTHS: [usize; 12] =
    [63, 64, 255, 256, 257, 1023, 1024, 16_384, 65_536, 131_072, 131_073, 300_000];

/// Units of every kind.
fn units() -> Vec<Vec<u8>> {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut units: Vec<Vec<u8>> = (0..20).map(|length| vec![7; length]).collect();
    units.extend((1..20).map(|length| random.bytes(length, 3)));
    for length in LENGTHS {
        units.push(vec![0; length]);
        for different in [2, 4, 60, 200, 256] {
            units.push(random.bytes(length, different));
        }
        // Only high ones, so that a tree has many weights; and many of one, few of others.
        units.push(random.bytes(length, 20).iter().map(|byte| 255 - byte).collect());
        units.push(random.bytes(length, 256).iter().map(|byte| byte & (byte >> 3)).collect());
        units.push(copies(&mut random, length, 40_000));
        units.push(copies(&mut random, length, 600_000));
    }
    units.push(include_bytes!("matcher.rs").repeat(10));
    units
}

/// What was there before, at any distance up to a bound, and of any length.
fn copies(random: &mut Random, length: usize, bound: usize) -> Vec<u8> {
    let mut unit = random.bytes(50, 256);
    while unit.len() < length {
        let back = random.next(unit.len().min(bound) as u64);
        let from = unit.len() - 1 - usize::try_from(back).unwrap();
        let count = usize::try_from(random.next(90)).unwrap();
        (from..from + count).for_each(|place| unit.push(unit[place]));
        let some = usize::try_from(random.next(20)).unwrap();
        unit.extend(random.bytes(some, 40));
    }
    unit.truncate(length);
    unit
}

/// What another decoder makes of a frame.
fn expected(mut frame: &[u8], length: usize) -> Vec<u8> {
    let mut decoder = FrameDecoder::new();
    decoder.init(&mut frame).unwrap();
    decoder.decode_blocks(&mut frame, BlockDecodingStrategy::All).unwrap();
    assert!(frame.is_empty());
    let mut unit = vec![0; length];
    decoder.read_exact(&mut unit).unwrap();
    unit
}

#[test]
fn what_was_compressed_is_decompressed() {
    let (mut compressor, mut decompressor) = (Compressor::default(), Decompressor::default());
    for (number, unit) in units().iter().enumerate() {
        let mut frame = Vec::new();
        compressor.encode(unit, &mut frame);
        let mut read = vec![0xee; unit.len()];
        decompressor.decode(&frame, &mut read).unwrap();
        assert!(read == *unit, "{number}");
        assert!(expected(&frame, unit.len()) == *unit, "{number}");
        // What cannot be compressed takes headers more.
        let blocks = unit.len().div_ceil(LARGEST_BLOCK).max(1);
        assert!(frame.len() <= unit.len() + 9 + 3 * blocks, "{number}: {}", frame.len());
        // A unit does not depend on those before.
        let mut other = Vec::new();
        Compressor::default().encode(unit, &mut other);
        assert!(frame == other, "{number}");
    }
}

#[test]
fn units_get_shorter() {
    let mut random = Random(0xfeed_beef_1234_5679);
    let text = include_bytes!("matcher.rs");
    let far = random.bytes(400_000, 256);
    for (unit, most) in [
        (vec![5; 65_536], 11),
        (vec![5; 300_000], 21),
        (text.to_vec(), text.len() * 4 / 10),
        (text.repeat(20), text.len() * 5 / 10),
        // Of 4 and of 60 symbols: for 2 and nearly 6 bits each. Matches of the former take
        // more than its literals would, as with libzstd.
        (random.bytes(65_536, 4), 65_536 / 3),
        (random.bytes(65_536, 60), 65_536 * 60 / 80),
        // The second time everything was there before, if far away.
        (far.repeat(2), 400_000 + 1000),
        (b"abcdefg".repeat(10_000), 60),
    ] {
        let mut frame = Vec::new();
        Compressor::default().encode(&unit, &mut frame);
        assert!(frame.len() <= most, "{} of {most}, of {}", frame.len(), unit.len());
    }
}

#[test]
fn frames_and_blocks_have_headers() {
    for (unit, expected) in [
        (vec![], &[0x20, 0, 1, 0, 0][..]),
        (vec![7], &[0x20, 1, 0x09, 0, 0, 7]),
        (vec![7; 2], &[0x20, 2, 0x13, 0, 0, 7]),
        (vec![7; 255], &[0x20, 255, 0xfb, 0x07, 0, 7]),
        (vec![7; 256], &[0x60, 0, 0, 0x03, 0x08, 0, 7]),
        (vec![7; 65_791], &[0x60, 255, 255, 0xfb, 0x07, 0x08, 7]),
        (vec![7; 65_792], &[0xa0, 0, 1, 1, 0, 0x03, 0x08, 0x08, 7]),
        (vec![7; 131_073], &[0xa0, 1, 0, 2, 0, 0x02, 0, 0x10, 7, 0x09, 0, 0, 7]),
    ] {
        let mut frame = Vec::new();
        Compressor::default().encode(&unit, &mut frame);
        assert_eq!(frame, [&MAGIC, expected].concat());
    }
}

#[test]
fn places_can_be_counted_over() {
    let unit = include_bytes!("matcher.rs").repeat(3);
    let mut once = Vec::new();
    Compressor::default().encode(&unit, &mut once);
    let mut compressor = Compressor::default();
    for left in [20_000, 100] {
        compressor.matcher.count_from(u32::MAX - left);
        for _ in 0..2 {
            let mut frame = Vec::new();
            compressor.encode(&unit, &mut frame);
            assert!(frame == once);
        }
    }
}
