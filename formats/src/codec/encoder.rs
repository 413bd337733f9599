//! Compressing units.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::deflate::{Deflate, Wrapper};
use super::zstandard::Compressor;
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
    /// Its tables are large, so that they are made when they are wanted.
    zstandard: Option<Box<Compressor>>,
}

impl Encoder {
    /// Compresses a unit. Returns whether it is to be stored like that: if not, it got
    /// no shorter, and `bytes` has nothing.
    pub fn encode(&mut self, encoding: Encoding, unit: &[u8], bytes: &mut Vec<u8>) -> bool {
        bytes.clear();
        match encoding {
            Encoding::Deflate => self.deflate.encode(unit, SMALL_WINDOW, Wrapper::None, bytes),
            Encoding::Zlib => self.deflate.encode(unit, LARGE_WINDOW, Wrapper::Zlib, bytes),
            Encoding::Zstandard => self.zstandard.get_or_insert_default().encode(unit, bytes),
        }
        let is_stored = encoding == Encoding::Zlib || bytes.len() < unit.len();
        if !is_stored {
            bytes.clear();
        }
        is_stored
    }
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
    use crate::codec::random::Random;

    #[test]
    fn what_gets_no_shorter_is_not_stored() {
        let mut encoder = Encoder::default();
        let mut bytes = Vec::new();
        let random = Random(0x9e37_79b9_7f4a_7c15).bytes(65_536, 256);
        let twice = random[..30_000].repeat(2);
        for encoding in [Encoding::Deflate, Encoding::Zstandard] {
            assert!(!encoder.encode(encoding, &random, &mut bytes), "{encoding:?}");
            assert_eq!(bytes, []);
            assert!(encoder.encode(encoding, &vec![7; 65_536], &mut bytes), "{encoding:?}");
            assert!(bytes.len() < 1000);
        }
        // Every byte occurs as often as any other, and half of it was there before.
        assert!(encoder.encode(Encoding::Zstandard, &twice, &mut bytes));
        assert!(encoder.encode(Encoding::Zlib, &random, &mut bytes), "it has no choice");
    }
}
