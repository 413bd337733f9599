//! Apple Data Compression, of old DMG images: bytes as they are, and copies of what was
//! decompressed before.
//!
//! Described in "Apple Data Compression" (J. Metz, documentation of libmodi). A token
//! is one of three:
//!
//! ```text
//! 1lllllll                    l + 1 bytes follow as they are
//! 01llllll dddddddd dddddddd  l + 4 bytes again, from d + 1 bytes before
//! 00lllldd dddddddd           l + 3 bytes again, from d + 1 bytes before
//! ```

use super::CodecError;

/// Fills a unit from tokens.
pub(super) fn decode(bytes: &[u8], unit: &mut [u8]) -> Result<(), CodecError> {
    let mut rest = bytes;
    let mut done = 0_usize;
    while done < unit.len() {
        let (token, behind) = rest.split_first().ok_or(CodecError::Short)?;
        let low = |mask: u8| usize::from(token & mask);
        let taken = match token >> 6 {
            0 => {
                let (next, behind) = behind.split_first().ok_or(CodecError::Short)?;
                rest = behind;
                let distance = (low(3) << 8) | usize::from(*next);
                copy(unit, done, distance, low(0x3c) >> 2, 3)?
            }
            1 => {
                let (next, behind) = behind.split_first_chunk().ok_or(CodecError::Short)?;
                rest = behind;
                copy(unit, done, u16::from_be_bytes(*next).into(), low(0x3f), 4)?
            }
            _ => {
                let length = low(0x7f).saturating_add(1);
                let (plain, behind) = behind.split_at_checked(length).ok_or(CodecError::Short)?;
                rest = behind;
                let target = unit.get_mut(done..).and_then(|rest| rest.get_mut(..length));
                target.ok_or(CodecError::Long)?.copy_from_slice(plain);
                length
            }
        };
        done = done.saturating_add(taken);
    }
    Ok(())
}

/// Repeats what was decompressed `distance` + 1 bytes before a place. Returns how long
/// it is.
fn copy(
    unit: &mut [u8],
    place: usize,
    distance: usize,
    length: usize,
    least: usize,
) -> Result<usize, CodecError> {
    let length = length.saturating_add(least);
    let from = place.checked_sub(distance.saturating_add(1)).ok_or(CodecError::Damaged)?;
    // The copy may go on into itself, which repeats it.
    for index in 0..length {
        let byte = unit.get(from.saturating_add(index)).copied().ok_or(CodecError::Damaged)?;
        let target = unit.get_mut(place.saturating_add(index)).ok_or(CodecError::Long)?;
        *target = byte;
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn decoded(bytes: &[u8], length: usize) -> Result<Vec<u8>, CodecError> {
        let mut unit = vec![0xee; length];
        decode(bytes, &mut unit).map(|()| unit)
    }

    #[test]
    fn tokens_are_decoded() {
        for (bytes, expected) in [
            (&b""[..], &b""[..]),
            (b"\x80a", b"a"),
            (b"\x82abcmore", b"abc"),
            (b"\x80a\x00\x00", b"aaaa"),
            (b"\x81ab\x0c\x01", b"abababab"),
            (b"\x81ab\x40\x00\x00", b"abbbbb"),
            (b"\x82abc\x41\x00\x02\x80x", b"abcabcabx"),
        ] {
            assert_eq!(decoded(bytes, expected.len()).unwrap(), expected, "{bytes:?}");
        }
        // Long distances.
        let far = [&[0xff; 129][..], &[0x80, 7], &[0x00, 128]].concat();
        assert_eq!(&decoded(&far, 132).unwrap()[126..], [0xff, 0xff, 7, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn damage_is_noticed() {
        for (bytes, length, expected) in [
            (&b""[..], 1, CodecError::Short),
            (b"\x81a", 2, CodecError::Short),
            (b"\x80a\x00", 3, CodecError::Short),
            (b"\x80a\x40\x00", 3, CodecError::Short),
            (b"\x81ab", 1, CodecError::Long),
            (b"\x80a\x00\x00", 3, CodecError::Long),
            (b"\x00\x00", 3, CodecError::Damaged),
            (b"\x80a\x00\x01", 4, CodecError::Damaged),
            (b"\x80a\x40\xff\xff", 5, CodecError::Damaged),
        ] {
            assert_eq!(decoded(bytes, length), Err(expected), "{bytes:?}");
        }
    }
}
