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
            // Bare streams come from files that only know in whole sectors how long they
            // are. As with qemu a unit that is full is good, wherever its stream ends.
            TINFLStatus::HasMoreOutput
            | TINFLStatus::FailedCannotMakeProgress
            | TINFLStatus::NeedsMoreInput
                if wrapper == Wrapper::None && written == unit.len() =>
            {
                Ok(())
            }
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

#[cfg(test)]
mod tests {
    use std::vec;

    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

    use super::*;

    #[test]
    fn a_bare_stream_may_end_behind_its_unit() {
        let unit: std::vec::Vec<u8> = (0..5000_u32).map(|it| (it % 253).to_le_bytes()[0]).collect();
        let bare = compress_to_vec(&unit, 6);
        let wrapped = compress_to_vec_zlib(&unit, 6);
        let end = bare.len();
        for (bytes, length, wrapper, expected) in [
            (&bare[..], 5000, Wrapper::None, Ok(())),
            (&bare, 4999, Wrapper::None, Ok(())),
            (&bare, 5001, Wrapper::None, Err(CodecError::Short)),
            (&bare[..end - 1], 4000, Wrapper::None, Ok(())),
            (&bare[..end / 2], 5000, Wrapper::None, Err(CodecError::Short)),
            (&[], 1, Wrapper::None, Err(CodecError::Short)),
            (&wrapped, 5000, Wrapper::Zlib, Ok(())),
            (&wrapped, 4999, Wrapper::Zlib, Err(CodecError::Long)),
            (&wrapped, 5001, Wrapper::Zlib, Err(CodecError::Short)),
        ] {
            let mut read = vec![0; length];
            let decoded = Inflate::default().decode(bytes, &mut read, wrapper);
            assert_eq!(decoded, expected, "{length} of {}", bytes.len());
            if expected == Ok(()) {
                assert_eq!(read, unit[..length]);
            }
        }
    }
}
