use std::vec;
use std::vec::Vec;

use super::*;

fn decoded(bytes: &[u8], length: usize) -> Result<Vec<u8>, CodecError> {
    let mut unit = vec![0xee; length];
    Bzip2::default().decode(bytes, &mut unit).map(|()| unit)
}

/// What bzip2 makes of `Hello, bzip2! Hello, bzip2!`, followed by 300 times the letter a.
const HELLO: &[u8] = &[
    0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0xce, 0xe2, 0xdf, 0x24, 0x00, 0x00,
    0x05, 0x1d, 0x80, 0xe0, 0x24, 0x10, 0x00, 0x00, 0x40, 0x32, 0x24, 0xc0, 0x10, 0x00, 0x08, 0x20,
    0x00, 0x31, 0x4c, 0x00, 0x00, 0x94, 0x8c, 0x8d, 0x06, 0x9e, 0xa5, 0x9c, 0x83, 0x3d, 0x28, 0x99,
    0x86, 0x5a, 0xbb, 0x39, 0xb1, 0x14, 0x20, 0x42, 0x27, 0xe2, 0xee, 0x48, 0xa7, 0x0a, 0x12, 0x19,
    0xdc, 0x5b, 0xe4, 0x80,
];

#[test]
fn streams_are_decoded() {
    let expected = [&b"Hello, bzip2! Hello, bzip2!"[..], &[b'a'; 300]].concat();
    assert_eq!(decoded(HELLO, expected.len()).unwrap(), expected);
    // What is behind the stream is something else.
    assert_eq!(decoded(&[HELLO, b"BZh9"].concat(), expected.len()).unwrap(), expected);
    assert_eq!(decoded(HELLO, expected.len() - 1), Err(CodecError::Long));
    assert_eq!(decoded(HELLO, expected.len() + 1), Err(CodecError::Short));
    // A stream without blocks.
    let nothing = b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0";
    assert_eq!(decoded(nothing, 0), Ok(vec![]));
    assert_eq!(decoded(nothing, 1), Err(CodecError::Short));
}

#[test]
fn no_damage_does_harm() {
    let length = 327;
    let good = decoded(HELLO, length).unwrap();
    for cut in 0..HELLO.len() - 4 {
        assert!(decoded(&HELLO[..cut], length).is_err(), "{cut}");
    }
    for place in 0..HELLO.len() * 8 {
        let mut bytes = HELLO.to_vec();
        bytes[place / 8] ^= 1 << (place % 8);
        // The level can be another one; and the checksum at the end is of those before.
        if let Ok(read) = decoded(&bytes, length) {
            assert_eq!(read, good, "{place}");
        }
    }
}
