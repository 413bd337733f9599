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
            Encoding::Zstandard => *bytes = compress_to_vec(unit, CompressionLevel::Fastest),
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
