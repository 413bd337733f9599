//! What the samples of several formats need.

use alloc::vec::Vec;

use crate::checksum::adler32;

/// The most bytes in a block of Deflate that is stored.
const STORED: usize = 0xffff;

/// Bytes in a zlib wrapper (RFC 1950), without compression: blocks of Deflate
/// that are stored (RFC 1951, section 3.2.4).
#[must_use]
pub fn zlib_stored(bytes: &[u8]) -> Vec<u8> {
    // Deflate with a window of 32 KiB, at the fastest level.
    let mut stream = Vec::from([0x78, 0x01]);
    let mut rest = bytes;
    loop {
        let (block, behind) = rest.split_at(rest.len().min(STORED));
        let length = u16::try_from(block.len()).unwrap_or(0);
        stream.push(u8::from(behind.is_empty()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend_from_slice(block);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn long_streams_have_several_blocks() {
        assert_eq!(zlib_stored(b""), [0x78, 1, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 1]);
        for (length, blocks) in [(1, 1), (STORED, 1), (STORED + 1, 2), (2 * STORED + 1, 3)] {
            assert_eq!(zlib_stored(&vec![7; length]).len(), 6 + length + blocks * 5);
        }
    }
}
