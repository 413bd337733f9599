//! Decompressing.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::Wrapper;
use crate::codec::CodecError;

/// Decompresses one stream after the other.
#[derive(Default)]
pub(in crate::codec) struct Inflate(DecompressorOxide);

impl Inflate {
    /// Fills a unit from a stream.
    pub(in crate::codec) fn decode(
        &mut self,
        bytes: &[u8],
        unit: &mut [u8],
        wrapper: Wrapper,
    ) -> Result<(), CodecError> {
        let mut flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        if wrapper == Wrapper::Zlib {
            flags |= inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER;
        }
        self.0.init();
        let (status, _, written) = decompress(&mut self.0, bytes, unit, 0, flags);
        match status {
            TINFLStatus::Done if written == unit.len() => Ok(()),
            TINFLStatus::Done => Err(CodecError::Short),
            // A unit is full before its stream ends, if the rest of the stream says
            // no more than that this is the end, or if it is of a longer unit.
            TINFLStatus::HasMoreOutput => Err(CodecError::Long),
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                Err(CodecError::Short)
            }
            _ => Err(CodecError::Damaged),
        }
    }
}
