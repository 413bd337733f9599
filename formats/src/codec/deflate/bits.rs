//! Bits of a stream, the lowest of each byte first.

use alloc::vec::Vec;

/// Bits on their way into bytes.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    bytes: &'a mut Vec<u8>,
    buffer: u64,
    /// How many bits the buffer has: less than 32 between two calls.
    count: u32,
}

impl<'a> BitWriter<'a> {
    /// Appends to bytes.
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, buffer: 0, count: 0 }
    }

    /// Writes up to 32 bits, the lowest first. All above them are zeros.
    #[inline]
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.buffer |= u64::from(bits) << self.count;
        self.count = self.count.wrapping_add(count);
        if self.count >= 32 {
            let [first, second, third, fourth, ..] = self.buffer.to_le_bytes();
            self.bytes.extend_from_slice(&[first, second, third, fourth]);
            self.buffer >>= 32;
            self.count = self.count.wrapping_sub(32);
        }
    }

    /// Fills up the last byte with zeros.
    pub(super) fn align(&mut self) {
        let bytes = usize::try_from(self.count.div_ceil(8)).unwrap_or(0);
        let buffer = self.buffer.to_le_bytes();
        self.bytes.extend_from_slice(buffer.get(..bytes).unwrap_or_default());
        (self.buffer, self.count) = (0, 0);
    }

    /// Writes bytes. Those before are complete.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bits of the last byte there are.
    pub(super) fn partial(&self) -> u32 {
        self.count % 8
    }
}
