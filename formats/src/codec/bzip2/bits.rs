//! Bits of a stream, the highest of each byte first.

use crate::codec::CodecError;

/// Bits that are left of a stream.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits that were taken out of the bytes, the lowest ones being the last.
    buffer: u64,
    /// How many there are.
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, buffer: 0, count: 0 }
    }

    /// Has so many bits in the buffer, up to 48, or as many as are left.
    fn fill(&mut self, wanted: u32) {
        while self.count < wanted {
            let Some((byte, rest)) = self.bytes.split_first() else { return };
            self.bytes = rest;
            self.buffer = (self.buffer << 8) | u64::from(*byte);
            self.count = self.count.saturating_add(8);
        }
    }

    /// Takes up to 48 bits.
    pub(super) fn take(&mut self, wanted: u32) -> Result<u64, CodecError> {
        self.fill(wanted);
        self.count = self.count.checked_sub(wanted).ok_or(CodecError::Short)?;
        let above = self.buffer >> self.count;
        Ok(above & (1_u64 << wanted).wrapping_sub(1))
    }

    /// Takes up to 24 bits.
    pub(super) fn take_usize(&mut self, wanted: u32) -> Result<usize, CodecError> {
        usize::try_from(self.take(wanted)?).map_err(|_| CodecError::Damaged)
    }

    /// Looks at the next 20 bits. Those behind the end are zeros.
    pub(super) fn peek(&mut self) -> u32 {
        self.fill(20);
        let bits = match self.count.checked_sub(20) {
            Some(below) => self.buffer >> below,
            None => self.buffer << 20_u32.saturating_sub(self.count),
        };
        u32::try_from(bits & 0xf_ffff).unwrap_or(0)
    }

    /// Leaves out bits that were looked at.
    pub(super) fn skip(&mut self, count: u32) -> Result<(), CodecError> {
        self.count = self.count.checked_sub(count).ok_or(CodecError::Short)?;
        Ok(())
    }
}
