//! Bits of a stream that is read from its end (RFC 8878, section 4.1).

use crate::codec::CodecError;

/// The bytes that are looked at at a time.
const WORD: usize = 8;

/// Bits that are left of a stream.
///
/// Reading goes on behind the end of the stream, with any bits: who reads asks
/// [`Self::is_done`] at last, which finds out.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    /// What is left of the stream: the last bytes of it are the word, as long as it is
    /// no shorter.
    bytes: &'a [u8],
    /// The first of its bytes is the lowest.
    word: u64,
    /// How many of its bits, from the highest on, were read. There may be more than the
    /// word has if the stream is over.
    used: u32,
}

impl<'a> Bits<'a> {
    /// The bits before the mark, which is the highest bit that is set in the last byte.
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let last = bytes.last().copied().unwrap_or(0);
        if last == 0 {
            return Err(CodecError::Damaged);
        }
        let mark = last.leading_zeros().wrapping_add(1);
        let used = mark.wrapping_add(missing(bytes));
        // A short stream is at the bottom of the only word.
        let word = bytes.iter().rev().take(WORD);
        let word = word.fold(0, |word, byte| (word << 8) | u64::from(*byte));
        Ok(Self { bytes, word, used })
    }

    /// What is left of a stream when all before a place in it was read.
    #[inline]
    pub(super) fn resume(bytes: &'a [u8], used: u32) -> Self {
        let word = bytes.last_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        Self { bytes, word, used }
    }

    /// Has 57 bits at least, or as many as are left.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let length = self.bytes.len().wrapping_sub(to_usize(self.used >> 3));
        if let Some(bytes) = self.bytes.get(..length)
            && let Some(word) = bytes.last_chunk::<WORD>()
        {
            *self = Self { bytes, word: u64::from_le_bytes(*word), used: self.used & 7 };
        } else {
            (self.bytes, self.word, self.used) = first_word(self.bytes, self.word, self.used);
        }
    }

    /// Looks at up to 57 bits behind a refill, but at one at least.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> usize {
        let bits = self.word.wrapping_shl(self.used).wrapping_shr(64_u32.wrapping_sub(count));
        usize::try_from(bits).unwrap_or(usize::MAX)
    }

    /// Leaves out bits.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.used = self.used.wrapping_add(count);
    }

    /// Reads up to 57 bits behind a refill.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> usize {
        // Two shifts, since one by 64 bits would be one by none.
        let bits =
            (self.word.wrapping_shl(self.used) >> 1).wrapping_shr(63_u32.wrapping_sub(count));
        self.skip(count);
        usize::try_from(bits).unwrap_or(usize::MAX)
    }

    /// Whether the whole stream was read, and no more.
    #[inline]
    pub(super) fn is_done(&mut self) -> bool {
        self.refill();
        self.bytes.len() <= WORD && self.used == 64
    }

    /// Whether more was read than there is.
    #[inline]
    pub(super) fn is_behind(&mut self) -> bool {
        self.refill();
        self.bytes.len() <= WORD && self.used > 64
    }
}

/// What is left of a stream with the first word of it, if it is as long. This takes no
/// [`Bits`], so that those are in registers.
#[cold]
fn first_word(bytes: &[u8], word: u64, used: u32) -> (&[u8], u64, u32) {
    let Some((first, rest)) = bytes.split_first_chunk::<WORD>() else {
        return (bytes, word, used);
    };
    let bits = u32::try_from(rest.len()).unwrap_or(0).wrapping_mul(8);
    (first, u64::from_le_bytes(*first), used.wrapping_sub(bits))
}

/// Bits that a stream lacks to be a word.
fn missing(bytes: &[u8]) -> u32 {
    let missing = WORD.saturating_sub(bytes.len());
    u32::try_from(missing).unwrap_or(0).wrapping_mul(8)
}

#[inline(always)]
fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_read_from_their_end() {
        for length in 1..40_usize {
            let mut bytes: std::vec::Vec<u8> =
                (0..length).map(|it| u8::try_from(it * 37 % 256).unwrap()).collect();
            bytes[length - 1] = 0b0001_0110;
            let total = length * 8 - 4;
            let bit = |place: usize| usize::from(bytes[place / 8] >> (place % 8) & 1);
            for step in 1..=9_usize {
                let mut bits = Bits::new(&bytes).unwrap();
                let mut left = total;
                while left >= step {
                    assert!(!bits.is_done());
                    let expected = (left - step..left).rev().fold(0, |sum, at| sum << 1 | bit(at));
                    let count = u32::try_from(step).unwrap();
                    assert_eq!(bits.peek(count), expected);
                    assert_eq!(bits.take(count), expected, "{length} {step} {left}");
                    assert_eq!(bits.take(0), 0);
                    left -= step;
                }
                bits.take(u32::try_from(left).unwrap());
                assert!(bits.is_done());
                assert!(!bits.is_behind());
                bits.take(1);
                assert!(bits.is_behind());
                assert!(!bits.is_done());
            }
        }
    }

    #[test]
    fn streams_have_a_mark() {
        for bytes in [&b""[..], b"\0", b"\x01\0", &[0; 20]] {
            assert_eq!(Bits::new(bytes).map(|_| ()), Err(CodecError::Damaged));
        }
        assert!(Bits::new(b"\x01").unwrap().is_done());
    }
}
