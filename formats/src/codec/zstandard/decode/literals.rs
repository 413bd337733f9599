//! The literals of a block (RFC 8878, section 3.1.1.3.1).

use alloc::vec::Vec;

use super::Part;
use super::huffman::Code;
use crate::codec::CodecError;
use crate::codec::zstandard::LARGEST_BLOCK;

/// So much more is kept behind literals, for them to be copied in whole steps.
const MARGIN: usize = 16;

/// Reads the literals of one block after the other.
#[derive(Default)]
pub(super) struct Literals {
    buffer: Vec<u8>,
    code: Code,
    /// Whether the frame has had a code.
    is_coded: bool,
}

/// How literals are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Raw,
    /// One byte, that comes again and again.
    Run,
    /// In a code that comes first, or in that of the block before.
    Coded {
        is_new: bool,
    },
}

/// What is in front of literals.
struct Header {
    kind: Kind,
    /// Bytes of all literals.
    length: usize,
    /// Bytes of them as they are written, and of the code.
    written: usize,
    has_four_streams: bool,
}

impl Header {
    /// Reads a header, and takes it off the front of the bytes.
    fn read(bytes: &mut &[u8]) -> Result<Self, CodecError> {
        let first = *bytes.first().ok_or(CodecError::Short)?;
        let size_format = (first >> 2) & 3;
        let kind = match first & 3 {
            0 => Kind::Raw,
            1 => Kind::Run,
            kind => Kind::Coded { is_new: kind == 2 },
        };
        let is_coded = matches!(kind, Kind::Coded { .. });
        // Bytes of the header, bits in front of the length, and bits of each length.
        let (size, skipped, width) = match (is_coded, size_format) {
            (false, 0 | 2) => (1, 3, 5),
            (false, 1) => (2, 4, 12),
            (false, _) => (3, 4, 20),
            (true, 0 | 1) => (3, 4, 10),
            (true, 2) => (4, 4, 14),
            (true, _) => (5, 4, 18),
        };
        let (header, rest) = bytes.split_at_checked(size).ok_or(CodecError::Short)?;
        *bytes = rest;
        let number = header.iter().rev().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let low = |bits: u64| bits & ((1_u64 << width).wrapping_sub(1));
        let length = usize::try_from(low(number >> skipped)).unwrap_or(0);
        let written = usize::try_from(low(number >> skipped >> width)).unwrap_or(0);
        let has_four_streams = is_coded && size_format != 0;
        let header = Self { kind, length, written, has_four_streams };
        if length > LARGEST_BLOCK { Err(CodecError::Damaged) } else { Ok(header) }
    }
}

impl Literals {
    /// Begins with a frame.
    pub(super) fn begin(&mut self) {
        self.is_coded = false;
    }

    /// Reads the literals of a block, and takes them off the front of it.
    pub(super) fn read<'a>(&'a mut self, block: &mut &'a [u8]) -> Result<Part<'a>, CodecError> {
        let header = Header::read(block)?;
        let Header { kind, length, written, .. } = header;
        match kind {
            Kind::Raw => {
                let bytes = *block;
                *block = block.get(length..).ok_or(CodecError::Short)?;
                return Ok(Part { bytes, length });
            }
            Kind::Run => {
                let (byte, rest) = block.split_first().ok_or(CodecError::Short)?;
                *block = rest;
                self.room(length).fill(*byte);
            }
            Kind::Coded { is_new } => {
                let (mut bytes, rest) = block.split_at_checked(written).ok_or(CodecError::Short)?;
                *block = rest;
                if is_new {
                    self.is_coded = false;
                    self.code.read(&mut bytes)?;
                    self.is_coded = true;
                } else if !self.is_coded {
                    return Err(CodecError::Damaged);
                }
                self.room(length);
                let literals = self.buffer.get_mut(..length).unwrap_or_default();
                if header.has_four_streams {
                    self.code.decode_four(bytes, literals)?;
                } else {
                    self.code.decode(bytes, literals)?;
                }
            }
        }
        Ok(Part { bytes: &self.buffer, length })
    }

    /// Room for so many literals.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let size = length.wrapping_add(MARGIN);
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        self.buffer.get_mut(..length).unwrap_or_default()
    }
}
