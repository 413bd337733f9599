//! Bits on their way into bytes, the lowest of each byte first.

/// Bits of a stream that is read from its end, or from its front.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a mut [u8],
    /// Bytes that are complete.
    length: usize,
    word: u64,
    /// How many bits the word has: less than eight behind a flush.
    count: u32,
}

impl<'a> Bits<'a> {
    /// Writes to the front of a buffer.
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, length: 0, word: 0, count: 0 }
    }

    /// Adds bits, the lowest first. All above them are zeros. Between two flushes there
    /// is room for 56.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.word |= bits.wrapping_shl(self.count);
        self.count = self.count.wrapping_add(count);
    }

    /// Writes the bytes that are complete.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        let place = self.bytes.get_mut(self.length..).and_then(|bytes| bytes.first_chunk_mut());
        if let Some(place) = place {
            *place = self.word.to_le_bytes();
        }
        let whole = self.count >> 3;
        self.length = self.length.wrapping_add(usize::try_from(whole).unwrap_or(0));
        self.word = self.word.wrapping_shr(whole.wrapping_mul(8));
        self.count &= 7;
    }

    /// Marks the end, for those who read from there (RFC 8878, section 4.1). Returns how
    /// many bytes there are, if the buffer had some more than that.
    pub(super) fn close(mut self) -> Option<usize> {
        self.put(1, 1);
        self.finish()
    }

    /// Fills up the last byte with zeros. Returns the same.
    pub(super) fn finish(mut self) -> Option<usize> {
        self.put(0, 7);
        self.flush();
        // What has room for a whole word had room for all before it.
        (self.length.wrapping_add(8) <= self.bytes.len()).then_some(self.length)
    }
}
