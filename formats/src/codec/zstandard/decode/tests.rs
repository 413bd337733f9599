use std::vec;
use std::vec::Vec;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;
use crate::codec::CodecError;

fn compressed(unit: &[u8]) -> Vec<u8> {
    compress_to_vec(unit, CompressionLevel::Fastest)
}

fn decoded(bytes: &[u8], length: usize) -> Result<Vec<u8>, CodecError> {
    let mut unit = vec![7; length];
    Decompressor::default().decode(bytes, &mut unit).map(|()| unit)
}

/// A unit with something of everything in it, longer than a block.
fn unit() -> Vec<u8> {
    let bytes = (0..300_000_u32).map(|index| (index % 251 * (index >> 12)).to_le_bytes()[0]);
    bytes.collect()
}

#[test]
fn a_unit_is_a_frame_or_several() {
    let unit = unit();
    let whole = compressed(&unit);
    assert_eq!(decoded(&whole, unit.len()), Ok(unit.clone()));
    let (first, second) = unit.split_at(100_000);
    let skipped = [&b"\x50\x2a\x4d\x18\x03\0\0\0"[..], b"abc"].concat();
    let empty = compressed(b"");
    let parts = [compressed(first), skipped, empty, compressed(second)].concat();
    assert_eq!(decoded(&parts, unit.len()), Ok(unit.clone()));
    // What is behind does not matter.
    let more = [&whole[..], &[0xee; 511]].concat();
    assert_eq!(decoded(&more, unit.len()), Ok(unit));
}

#[test]
fn units_of_another_length_and_damage_are_errors() {
    let unit = unit();
    let whole = compressed(&unit);
    assert_eq!(decoded(&whole, unit.len() - 1), Err(CodecError::Long));
    assert_eq!(decoded(&whole, unit.len() + 1), Err(CodecError::Damaged));
    assert_eq!(decoded(b"", 1), Err(CodecError::Damaged));
    assert_eq!(decoded(b"\x50\x2a\x4d\x18\xff\xff\xff\xff", 1), Err(CodecError::Short));
    for length in 0..whole.len() {
        assert!(decoded(&whole[..length], unit.len()).is_err(), "{length}");
    }
    for place in 0..whole.len().min(300) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        // Whatever it is, it is something.
        let _ = decoded(&bytes, unit.len());
    }
}

/// A frame that has no length, and a window of 1 KiB.
fn frame(blocks: &[&[u8]]) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0], &blocks.concat()[..]].concat()
}

/// The last block of a frame, or another one.
fn block(is_last: bool, kind: u32, size: usize, bytes: &[u8]) -> Vec<u8> {
    let header = u32::try_from(size).unwrap() << 3 | kind << 1 | u32::from(is_last);
    [&header.to_le_bytes()[..3], bytes].concat()
}

/// A block of literals and sequences, the last one.
fn compressed_block(literals: &[u8], sequences: &[u8]) -> Vec<u8> {
    block(true, 2, literals.len() + sequences.len(), &[literals, sequences].concat())
}

/// Literals 0, 1, 0, 1 in a code of words of one bit, which is written, and in that of
/// the block before.
const CODED: &[u8] = b"\x42\xc0\0\x80\x10\x15";
const CODED_AGAIN: &[u8] = b"\x43\x40\0\x15";

#[test]
fn blocks_and_literals_are_of_every_kind() {
    let four_streams = b"\x86\0\x03\x80\x10\x01\0\x01\0\x01\0\x05\x05\x05\x05";
    let first = block(false, 2, CODED.len() + 1, &[CODED, b"\0"].concat());
    for (blocks, expected) in [
        (vec![block(true, 0, 0, b"")], &b""[..]),
        (vec![block(true, 0, 3, b"abc")], b"abc"),
        (vec![block(true, 1, 5, b"a")], b"aaaaa"),
        (vec![block(false, 1, 3, b"a"), block(false, 0, 0, b""), block(true, 0, 1, b"b")], b"aaab"),
        // Raw literals, with lengths of 5, 12 and 20 bits.
        (vec![compressed_block(b"\x18abc", b"\0")], b"abc"),
        (vec![compressed_block(b"\x34\0abc", b"\0")], b"abc"),
        (vec![compressed_block(b"\x3c\0\0abc", b"\0")], b"abc"),
        // A run of them.
        (vec![compressed_block(b"\x19a", b"\0")], b"aaa"),
        (vec![compressed_block(b"\x35\0a", b"\0")], b"aaa"),
        (vec![compressed_block(b"\x3d\0\0a", b"\0")], b"aaa"),
        (vec![compressed_block(CODED, b"\0")], &[0, 1, 0, 1]),
        (vec![compressed_block(four_streams, b"\0")], &[0, 1, 0, 1, 0, 1, 0, 1]),
        (vec![first, compressed_block(CODED_AGAIN, b"\0")], &[0, 1, 0, 1, 0, 1, 0, 1]),
    ] {
        let blocks: Vec<&[u8]> = blocks.iter().map(|block| &block[..]).collect();
        let bytes = frame(&blocks);
        assert_eq!(decoded(&bytes, expected.len()), Ok(expected.to_vec()), "{blocks:x?}");
    }
}

#[test]
fn matches_have_offsets_that_can_come_again() {
    // Behind "abcdefghi" come so many literals "z" and six bytes of a match: its code of
    // the offset, and the bits behind it, with the mark.
    for (literals, code, bits, expected) in [
        // New ones, of 1 and 9.
        (0, 2, 0b100, Some(&b"iiiiii"[..])),
        (0, 3, 0b1100, Some(b"abcdef")),
        (3, 2, 0b111, Some(b"zzzizzzizz"[..9].as_ref())),
        // The three that there are at first, 1, 4 and 8.
        (3, 0, 0b1, Some(b"zzzzzzzzz")),
        (3, 1, 0b10, Some(b"zzzizzziz")),
        (3, 1, 0b11, Some(b"zzzefghiz")),
        // Without literals: the second, the third, and the first less one, which is none.
        (0, 0, 0b1, Some(b"fghifg")),
        (0, 1, 0b10, Some(b"bcdefg")),
        (0, 1, 0b11, None),
        // Before the frame; fewer bits than there are; more.
        (0, 3, 0b1101, None),
        (0, 2, 0b1000, None),
        (0, 2, 0b10, None),
        (0, 2, 0, None),
    ] {
        let first = block(false, 0, 9, b"abcdefghi");
        let sequences = [1, 0x54, literals, code, 3, bits];
        let block =
            compressed_block(&[&[literals << 3], &b"zzz"[..literals.into()]].concat(), &sequences);
        let found = decoded(&frame(&[&first, &block]), 15 + usize::from(literals));
        let expected = expected.map(|expected| [b"abcdefghi", expected].concat());
        assert_eq!(found.ok(), expected, "{literals} {code} {bits:b}");
    }
    // Three sequences: the third of them, what was the first, and what was the second.
    let first = block(false, 0, 9, b"abcdefghi");
    let block = compressed_block(b"\x18xyz", &[3, 0x54, 1, 1, 0, 0b1101]);
    let found = decoded(&frame(&[&first, &block]), 21);
    assert_eq!(found, Ok(b"abcdefghixcdeyyyyzyyy".to_vec()));
}

#[test]
fn what_is_not_specified_is_an_error() {
    let matched = |sequences: &[u8]| compressed_block(b"\x18abc", sequences);
    for (block, expected) in [
        // A kind of block that there is not, and blocks that are longer than the window.
        (block(true, 3, 0, b""), CodecError::Damaged),
        (block(true, 0, 1025, &[1; 1025]), CodecError::Damaged),
        (block(true, 1, 1025, &[1]), CodecError::Damaged),
        // A code that was not there, and tables.
        (compressed_block(CODED_AGAIN, b"\0"), CodecError::Damaged),
        (matched(&[1, 0xc0, 1, 1, 1]), CodecError::Damaged),
        (matched(&[1, 0x54, 3, 2]), CodecError::Short),
        // Codes that do not exist, bits that are reserved, and bytes that are too many.
        (matched(&[1, 0x54, 36, 2, 0, 0b111]), CodecError::Damaged),
        (matched(&[1, 0x54, 3, 32, 0, 0b111]), CodecError::Damaged),
        (matched(&[1, 0x54, 3, 2, 53, 0b111]), CodecError::Damaged),
        (matched(&[1, 0x55, 3, 2, 0, 0b100]), CodecError::Damaged),
        (matched(&[0, 0]), CodecError::Damaged),
        // More literals than there are.
        (matched(&[1, 0x54, 4, 2, 0, 0b100]), CodecError::Damaged),
        // Four streams of less than a byte each; and a tree of one symbol.
        (
            compressed_block(b"\x56\0\x03\x80\x10\x01\0\x01\0\x01\0\x05\x05\x05\x05", b"\0"),
            CodecError::Damaged,
        ),
        (compressed_block(b"\x42\xc0\0\x80\0\x15", b"\0"), CodecError::Damaged),
        // Weights of 12.
        (compressed_block(b"\x42\xc0\0\x80\xc0\x15", b"\0"), CodecError::Damaged),
        // The unit has six bytes.
        (block(true, 1, 7, b"a"), CodecError::Long),
        (block(true, 0, 7, b"abcdefg"), CodecError::Long),
        (compressed_block(b"\x39a", b"\0"), CodecError::Long),
        (matched(&[1, 0x54, 3, 2, 1, 0b100]), CodecError::Long),
    ] {
        assert_eq!(decoded(&frame(&[&block]), 6), Err(expected), "{block:x?}");
    }
    assert_eq!(decoded(&frame(&[&matched(&[1, 0x54, 3, 2, 0, 0b100])]), 6), Ok(b"abcccc".to_vec()));
}

#[test]
fn lengths_and_checksums_are_verified() {
    // A single segment of three bytes, with a checksum.
    let frame = |length, checksum: [u8; 4]| {
        let block = block(true, 0, 3, b"abc");
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x24, length], &block[..], &checksum].concat()
    };
    // The low half of what the specification of XXH64 says of "abc".
    let checksum = 0xad77_0999_u32.to_le_bytes();
    assert_eq!(decoded(&frame(3, checksum), 3), Ok(b"abc".to_vec()));
    assert_eq!(decoded(&frame(4, checksum), 3), Err(CodecError::Damaged));
    assert_eq!(decoded(&frame(3, [0; 4]), 3), Err(CodecError::Damaged));
    assert_eq!(decoded(&frame(3, checksum)[..14], 3), Err(CodecError::Short));
}

#[test]
fn a_decoder_can_be_used_again_after_an_error() {
    let mut decoder = Decompressor::default();
    let unit = unit();
    let mut read = vec![0; unit.len()];
    assert!(decoder.decode(&compressed(&unit)[..1000], &mut read).is_err());
    decoder.decode(&compressed(&unit), &mut read).unwrap();
    assert_eq!(read, unit);
}
