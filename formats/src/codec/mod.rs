//! How units of a disk are compressed.
//!
//! A codec turns the bytes of one unit into others and knows nothing else: not
//! where they lie, nor what they are of. Units are independent of each other, so
//! that many can be worked on at the same time.
//!
//! Reading order: this file, then a file for each way of compressing.

mod adc;
mod bzip2;
mod deflate;
mod encoder;
pub mod grain;
mod huffman;
#[cfg(test)]
mod random;
mod same;
mod zstandard;

use alloc::boxed::Box;

pub use encoder::Encoder;
use thiserror::Error;

/// A way of compressing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Deflate (RFC 1951).
    Deflate,
    /// Deflate in the wrapper of zlib (RFC 1950).
    Zlib,
    /// The same behind a marker that says how long it is: a grain of VMDK.
    Grain,
    /// bzip2.
    Bzip2,
    /// Apple Data Compression.
    Adc,
    /// Zstandard (RFC 8878).
    Zstandard,
}

/// A unit that cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The bytes are not what the codec makes.
    #[error("compressed data is damaged")]
    Damaged,
    /// They are of a unit that is too short.
    #[error("compressed data ends early")]
    Short,
    /// They are of a unit that is too long.
    #[error("compressed data is longer than it should be")]
    Long,
}

/// Decompresses one unit after the other. It has what the codecs keep between two
/// units, which is dear to make.
#[derive(Default)]
pub struct Decoder {
    inflate: Box<deflate::Inflate>,
    bzip2: bzip2::Bzip2,
    zstandard: Box<zstandard::Decompressor>,
}

impl Decoder {
    /// Decompresses a unit: fills `unit` from `bytes`, which may have something
    /// else behind what is needed.
    ///
    /// # Errors
    ///
    /// If the bytes are damaged, or of a shorter unit.
    pub fn decode(
        &mut self,
        codec: Codec,
        bytes: &[u8],
        unit: &mut [u8],
    ) -> Result<(), CodecError> {
        match codec {
            Codec::Deflate => self.inflate.decode(bytes, unit, deflate::Wrapper::None),
            Codec::Zlib => self.inflate.decode(bytes, unit, deflate::Wrapper::Zlib),
            Codec::Grain => grain::decode(&mut self.inflate, bytes, unit),
            Codec::Bzip2 => self.bzip2.decode(bytes, unit),
            Codec::Adc => adc::decode(bytes, unit),
            Codec::Zstandard => self.zstandard.decode(bytes, unit),
        }
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("Decoder")
    }
}
