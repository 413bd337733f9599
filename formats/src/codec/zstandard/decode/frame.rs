//! Frames and their blocks (RFC 8878, sections 3.1.1 and 3.1.2).

use crate::codec::CodecError;
use crate::codec::zstandard::{LARGEST_BLOCK, MAGIC};

/// What a frame begins with that is to be skipped, less four bits, which can be any.
const SKIPPABLE: u32 = 0x184d_2a50;

/// The largest window in bytes: 128 MiB, as with libzstd. It takes no memory here, since
/// a unit is its own window.
const LARGEST_WINDOW: u64 = 128 << 20;

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Nothing to decompress: so many bytes.
    Skippable(usize),
    /// Blocks.
    Data(Header),
}

/// What a frame with blocks says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of its content, if it says that.
    pub(super) length: Option<u64>,
    /// The most bytes of a block.
    pub(super) block: usize,
    /// Whether there is a checksum behind the blocks.
    pub(super) has_checksum: bool,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// So many bytes, as they are.
    Raw(usize),
    /// So many times the byte that follows.
    Run(usize),
    /// So many bytes of literals and sequences.
    Compressed(usize),
}

impl Frame {
    /// Reads the header of a frame, and takes it off the front of the bytes.
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Self, CodecError> {
        let magic: [u8; 4] = take(bytes).map_err(|_| CodecError::Damaged)?;
        if magic == MAGIC {
            return Header::read(bytes).map(Self::Data);
        }
        if u32::from_le_bytes(magic) & !15 != SKIPPABLE {
            return Err(CodecError::Damaged);
        }
        let length = u32::from_le_bytes(take(bytes)?);
        usize::try_from(length).map(Self::Skippable).map_err(|_| CodecError::Short)
    }
}

impl Header {
    fn read(bytes: &mut &[u8]) -> Result<Self, CodecError> {
        let [descriptor] = take(bytes)?;
        // A bit that is reserved.
        if descriptor & 8 != 0 {
            return Err(CodecError::Damaged);
        }
        let is_single_segment = descriptor & 0x20 != 0;
        let window = if is_single_segment {
            None
        } else {
            let [window] = take(bytes)?;
            let base = 1_u64 << (window >> 3).wrapping_add(10);
            // Eighths of it, up to seven.
            Some((base >> 3).wrapping_mul(u64::from(window & 7).wrapping_add(8)))
        };
        let dictionary = match descriptor & 3 {
            0 => 0,
            1 => number(take::<1>(bytes)?),
            2 => number(take::<2>(bytes)?),
            _ => number(take::<4>(bytes)?),
        };
        // There is none.
        if dictionary != 0 {
            return Err(CodecError::Damaged);
        }
        let length = match descriptor >> 6 {
            0 if is_single_segment => Some(number(take::<1>(bytes)?)),
            0 => None,
            1 => Some(number(take::<2>(bytes)?).wrapping_add(256)),
            2 => Some(number(take::<4>(bytes)?)),
            _ => Some(number(take::<8>(bytes)?)),
        };
        let window = window.or(length).unwrap_or(0);
        if window > LARGEST_WINDOW {
            return Err(CodecError::Damaged);
        }
        let block = usize::try_from(window).unwrap_or(LARGEST_BLOCK).min(LARGEST_BLOCK);
        Ok(Self { length, block, has_checksum: descriptor & 4 != 0 })
    }
}

impl Block {
    /// Reads the header of a block, and takes it off the front of the bytes. Returns
    /// whether it is the last one, too.
    pub(super) fn read(bytes: &mut &[u8]) -> Result<(Self, bool), CodecError> {
        let [low, middle, high] = take(bytes)?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let size = usize::try_from(header >> 3).unwrap_or(usize::MAX);
        let block = match (header >> 1) & 3 {
            0 => Self::Raw(size),
            1 => Self::Run(size),
            2 => Self::Compressed(size),
            _ => return Err(CodecError::Damaged),
        };
        Ok((block, header & 1 != 0))
    }
}

/// Takes bytes off the front.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], CodecError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(CodecError::Short)?;
    *bytes = rest;
    Ok(*first)
}

fn number<const N: usize>(bytes: [u8; N]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(length: Option<u64>, block: usize, has_checksum: bool) -> Result<Frame, CodecError> {
        Ok(Frame::Data(Header { length, block, has_checksum }))
    }

    #[test]
    fn headers_are_those_of_the_specification() {
        let damaged = || Err(CodecError::Damaged);
        for (bytes, expected) in [
            // A window of 1 KiB, of 64 KiB and three eighths, of 128 MiB, and more.
            (&[0, 0][..], data(None, 1024, false)),
            (&[4, 0x33], data(None, 65_536 + 3 * 8192, true)),
            (&[0, 0x88], data(None, LARGEST_BLOCK, false)),
            (&[0, 0x89], damaged()),
            (&[0, 0xff], damaged()),
            // A single segment, with lengths of all sizes.
            (&[0x20, 9], data(Some(9), 9, false)),
            (&[0x60, 1, 2], data(Some(256 + 0x201), 256 + 0x201, false)),
            (&[0xa4, 0, 0, 2, 0], data(Some(0x20000), LARGEST_BLOCK, true)),
            (&[0xe0, 0, 0, 0, 8, 0, 0, 0, 0], data(Some(LARGEST_WINDOW), LARGEST_BLOCK, false)),
            (&[0xe0, 1, 0, 0, 8, 0, 0, 0, 0], damaged()),
            (&[0xc0, 0x30, 0, 0, 0, 9, 0, 0, 0, 0], data(Some(9 << 24), 65_536, false)),
            // Dictionaries, in one, two and four bytes: none is one.
            (&[0x21, 0, 9], data(Some(9), 9, false)),
            (&[0x22, 0, 0, 9], data(Some(9), 9, false)),
            (&[0x23, 0, 0, 0, 0, 9], data(Some(9), 9, false)),
            (&[0x21, 1, 9], damaged()),
            (&[0x22, 0, 1, 9], damaged()),
            (&[0x23, 0, 0, 0, 1, 9], damaged()),
            // A bit that is reserved, and one that is ignored.
            (&[0x28, 9], damaged()),
            (&[0x30, 9], data(Some(9), 9, false)),
        ] {
            let frame = [&MAGIC, bytes].concat();
            let mut rest = &frame[..];
            assert_eq!(Frame::read(&mut rest), expected, "{bytes:x?}");
            assert!(rest.is_empty() || expected.is_err());
            for length in 4..frame.len() {
                assert!(Frame::read(&mut &frame[..length]).is_err());
            }
        }
    }

    #[test]
    fn frames_can_be_skipped() {
        for low in [0x50, 0x57, 0x5f] {
            let bytes = [low, 0x2a, 0x4d, 0x18, 1, 2, 0, 0];
            assert_eq!(Frame::read(&mut &bytes[..]), Ok(Frame::Skippable(0x201)));
        }
        for bytes in [&b""[..], b"\x50\x2a\x4d", b"\x60\x2a\x4d\x18\0\0\0\0", &[0; 20]] {
            assert_eq!(Frame::read(&mut &bytes[..]), Err(CodecError::Damaged));
        }
    }

    #[test]
    fn blocks_have_kinds() {
        for (bytes, expected) in [
            ([0, 0, 0], Ok((Block::Raw(0), false))),
            ([1, 0, 0x10], Ok((Block::Raw(0x2_0000), true))),
            ([0x0b, 0, 0], Ok((Block::Run(1), true))),
            ([0x14, 1, 0], Ok((Block::Compressed(0x22), false))),
            ([0x06, 0, 0], Err(CodecError::Damaged)),
        ] {
            assert_eq!(Block::read(&mut &bytes[..]), expected, "{bytes:x?}");
        }
    }
}
