//! Zstandard (RFC 8878).

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;

use super::CodecError;

/// The largest window in bytes: that which every decoder should have (RFC 8878, section
/// 3.1.1.1.2). No unit is as long, so none needs a larger one.
const MAX_WINDOW: u64 = 8 << 20;

/// Decompresses one unit after the other.
pub(super) struct Zstandard(FrameDecoder);

impl Default for Zstandard {
    fn default() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self(decoder)
    }
}

impl Zstandard {
    /// Fills a unit from one frame, or from several that follow each other. There may be
    /// something else behind the last. The checksum that a frame may have is not looked
    /// at.
    pub(super) fn decode(&mut self, mut bytes: &[u8], unit: &mut [u8]) -> Result<(), CodecError> {
        let mut rest = unit;
        while !rest.is_empty() {
            match self.0.init(&mut bytes) {
                Ok(()) => rest = self.decode_frame(&mut bytes, rest)?,
                Err(error) => {
                    let length = length_to_skip(&error).ok_or(CodecError::Damaged)?;
                    bytes = bytes.get(length..).ok_or(CodecError::Short)?;
                }
            }
        }
        Ok(())
    }

    /// Fills the first part of a unit from a frame, and returns what is left of it.
    fn decode_frame<'a>(
        &mut self,
        bytes: &mut &[u8],
        unit: &'a mut [u8],
    ) -> Result<&'a mut [u8], CodecError> {
        let mut rest = unit;
        loop {
            // A block at a time, so that a long frame is noticed before it is in memory.
            let one = BlockDecodingStrategy::UptoBlocks(1);
            let decoded = self.0.decode_blocks(&mut *bytes, one);
            let is_last = decoded.map_err(|_| CodecError::Damaged)?;
            let there = self.0.can_collect();
            let part = rest.split_at_mut_checked(there).ok_or(CodecError::Long)?;
            self.0.read_exact(part.0).map_err(|_| CodecError::Damaged)?;
            rest = part.1;
            if is_last {
                return Ok(rest);
            }
        }
    }
}

/// The length of a frame that holds no data (RFC 8878, section 3.1.2), behind its header,
/// if that is what was found.
fn length_to_skip(error: &FrameDecoderError) -> Option<usize> {
    match error {
        FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
            length, ..
        }) => usize::try_from(*length).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn compressed(unit: &[u8]) -> Vec<u8> {
        compress_to_vec(unit, CompressionLevel::Fastest)
    }

    fn decoded(bytes: &[u8], length: usize) -> Result<Vec<u8>, CodecError> {
        let mut unit = vec![7; length];
        Zstandard::default().decode(bytes, &mut unit).map(|()| unit)
    }

    /// A unit with something of everything in it, longer than a block.
    fn unit() -> Vec<u8> {
        let bytes = (0..300_000_u32).map(|index| (index % 251 * (index >> 12)).to_le_bytes()[0]);
        bytes.collect()
    }

    #[test]
    fn a_unit_is_a_frame_or_several() {
        let unit = unit();
        let whole = compressed(&unit);
        assert_eq!(decoded(&whole, unit.len()), Ok(unit.clone()));
        let (first, second) = unit.split_at(100_000);
        let skipped = [&b"\x50\x2a\x4d\x18\x03\0\0\0"[..], b"abc"].concat();
        let empty = compressed(b"");
        let parts = [compressed(first), skipped, empty, compressed(second)].concat();
        assert_eq!(decoded(&parts, unit.len()), Ok(unit.clone()));
        // What is behind does not matter.
        let more = [&whole[..], &[0xee; 511]].concat();
        assert_eq!(decoded(&more, unit.len()), Ok(unit));
    }

    #[test]
    fn units_of_another_length_and_damage_are_errors() {
        let unit = unit();
        let whole = compressed(&unit);
        assert_eq!(decoded(&whole, unit.len() - 1), Err(CodecError::Long));
        assert_eq!(decoded(&whole, unit.len() + 1), Err(CodecError::Damaged));
        assert_eq!(decoded(b"", 1), Err(CodecError::Damaged));
        assert_eq!(decoded(b"\x50\x2a\x4d\x18\xff\xff\xff\xff", 1), Err(CodecError::Short));
        for length in 0..whole.len() {
            assert!(decoded(&whole[..length], unit.len()).is_err(), "{length}");
        }
        for place in 0..whole.len().min(300) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x55;
            // Whatever it is, it is something.
            let _ = decoded(&bytes, unit.len());
        }
    }

    #[test]
    fn windows_have_a_largest_size() {
        // A frame with one block of one byte, and a window of 8 MiB, or twice that.
        for (window, expected) in [(0x68, Ok(vec![9])), (0x70, Err(CodecError::Damaged))] {
            let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, window, 9, 0, 0, 9];
            assert_eq!(decoded(&frame, 1), expected);
        }
    }

    #[test]
    fn a_decoder_can_be_used_again_after_an_error() {
        let mut decoder = Zstandard::default();
        let unit = unit();
        let mut read = vec![0; unit.len()];
        assert!(decoder.decode(&compressed(&unit)[..1000], &mut read).is_err());
        decoder.decode(&compressed(&unit), &mut read).unwrap();
        assert_eq!(read, unit);
    }
}
