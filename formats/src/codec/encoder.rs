//! Compressing units.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::deflate::{Deflate, Wrapper};
use crate::writer::Encoding;

/// The window of [`Encoding::Deflate`] in bytes.
const SMALL_WINDOW: usize = 4 << 10;

/// The window of [`Encoding::Zlib`] in bytes.
const LARGE_WINDOW: usize = 32 << 10;

/// Compresses one unit after the other. It has what the codecs keep between two units,
/// which is dear to make.
#[derive(Default)]
pub struct Encoder {
    deflate: Box<Deflate>,
}

impl Encoder {
    /// Compresses a unit. Returns whether it is to be stored like that: if not, it got
    /// no shorter, and `bytes` has nothing.
    pub fn encode(&mut self, encoding: Encoding, unit: &[u8], bytes: &mut Vec<u8>) -> bool {
        bytes.clear();
        match encoding {
            Encoding::Deflate => self.deflate.encode(unit, SMALL_WINDOW, Wrapper::None, bytes),
            Encoding::Zlib => self.deflate.encode(unit, LARGE_WINDOW, Wrapper::Zlib, bytes),
            Encoding::Zstandard if self.is_random(unit, bytes) => return false,
            Encoding::Zstandard => *bytes = compress_to_vec(unit, CompressionLevel::Fastest),
        }
        let is_stored = encoding == Encoding::Zlib || bytes.len() < unit.len();
        if !is_stored {
            bytes.clear();
        }
        is_stored
    }
}

impl Encoder {
    /// Whether nothing can be made of a unit. The encoder for Zstandard takes much longer
    /// to find that out than ours for Deflate does.
    fn is_random(&mut self, unit: &[u8], bytes: &mut Vec<u8>) -> bool {
        if !is_level(unit) {
            return false;
        }
        self.deflate.encode(unit, LARGE_WINDOW, Wrapper::None, bytes);
        let is_random = bytes.len() >= unit.len();
        bytes.clear();
        is_random
    }
}

/// Whether every byte occurs about as often as any other.
fn is_level(unit: &[u8]) -> bool {
    let mut counts = [0_usize; 256];
    for byte in unit {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.wrapping_add(1);
        }
    }
    // Twice as often as on the average.
    let most = unit.len() >> 7;
    counts.iter().all(|count| *count > 0 && *count <= most)
}

impl core::fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("Encoder")
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    /// Bytes that look like any.
    fn random(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let bytes = core::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        });
        bytes.take(length).collect()
    }

    #[test]
    fn what_gets_no_shorter_is_not_stored() {
        let mut encoder = Encoder::default();
        let mut bytes = Vec::new();
        let twice = [random(30_000), random(30_000)].concat();
        for encoding in [Encoding::Deflate, Encoding::Zstandard] {
            assert!(!encoder.encode(encoding, &random(65_536), &mut bytes), "{encoding:?}");
            assert_eq!(bytes, []);
            assert!(encoder.encode(encoding, &vec![7; 65_536], &mut bytes), "{encoding:?}");
            assert!(bytes.len() < 1000);
        }
        // Every byte occurs as often as any other, and half of it was there before.
        assert!(is_level(&twice));
        assert!(encoder.encode(Encoding::Zstandard, &twice, &mut bytes));
        assert!(encoder.encode(Encoding::Zlib, &random(65_536), &mut bytes), "it has no choice");
    }
}
