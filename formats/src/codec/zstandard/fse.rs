//! Codes by finite state entropy (RFC 8878, section 4.1): each state stands for a
//! symbol, and says how many bits choose the next state out of those from a base on.

use super::codes::{Kind, MOST};
use crate::codec::CodecError;

/// States of the largest table (section 3.1.1.3.2.1).
pub(super) const STATES: usize = 512;

/// The least states of a distribution that is written, as a power of two.
pub(super) const LEAST_LOG: u32 = 5;

/// How often each symbol comes, of so many times as there are states.
#[derive(Debug)]
pub(super) struct Distribution {
    /// By symbol. Less than once is -1.
    pub(super) counts: [i16; MOST],
    /// There are 2 to the power of this many states.
    pub(super) log: u32,
}

impl Distribution {
    /// One that a kind of codes has if no other is written.
    pub(super) fn default_of(kind: &Kind) -> Self {
        let mut counts = [0; MOST];
        counts.iter_mut().zip(kind.default).for_each(|(count, default)| *count = *default);
        Self { counts, log: kind.default_log }
    }

    /// Reads one (section 4.1.1), of so many symbols at most, and takes it off the front
    /// of the bytes.
    pub(super) fn read(
        bytes: &mut &[u8],
        symbols: usize,
        most_log: u32,
    ) -> Result<Self, CodecError> {
        let mut bits = Forward { bytes, place: 0 };
        let log = bits.peek(4).wrapping_add(LEAST_LOG);
        bits.skip(4);
        if log > most_log {
            return Err(CodecError::Damaged);
        }
        let mut distribution = Self { counts: [0; MOST], log };
        let mut counts = distribution.counts.iter_mut().take(symbols);
        let mut left = 1_u32 << log;
        while left > 0 {
            // There are left + 2 values. So many bits can hold them, and some of the
            // values that they can hold are left over: those are for the lowest, which
            // take a bit less.
            let width = left.wrapping_add(1).ilog2().wrapping_add(1);
            let half = 1_u32.wrapping_shl(width.wrapping_sub(1));
            let spare = half.wrapping_mul(2).wrapping_sub(left).wrapping_sub(2);
            let value = bits.peek(width);
            let low = value & half.wrapping_sub(1);
            let value = if low < spare {
                bits.skip(width.wrapping_sub(1));
                low
            } else {
                bits.skip(width);
                if value < half { value } else { value.wrapping_sub(spare) }
            };
            let count = i16::try_from(value).unwrap_or(0).wrapping_sub(1);
            *counts.next().ok_or(CodecError::Damaged)? = count;
            left = left.checked_sub(count.unsigned_abs().into()).ok_or(CodecError::Damaged)?;
            if count == 0 {
                // How many more there are.
                loop {
                    let more = bits.peek(2);
                    bits.skip(2);
                    for _ in 0..more {
                        counts.next().ok_or(CodecError::Damaged)?;
                    }
                    if more < 3 {
                        break;
                    }
                }
            }
        }
        *bytes = bits.rest().ok_or(CodecError::Short)?;
        Ok(distribution)
    }

    /// Calls back with each state in turn: its symbol, how many bits choose the next
    /// state, and the base of those (section 4.1.1).
    #[inline]
    pub(super) fn states(&self, mut each: impl FnMut(usize, u8, u32, u16)) {
        let size = 1_usize << self.log;
        let mask = size.wrapping_sub(1);
        let mut symbols = [0_u8; STATES];
        // For each symbol, the number of the next state that it gets.
        let mut numbers = [0_u16; MOST];
        let mut high = mask;
        for ((symbol, count), number) in (0..).zip(&self.counts).zip(&mut numbers) {
            *number = count.unsigned_abs();
            if *count < 0 {
                put(&mut symbols, high, symbol);
                high = high.wrapping_sub(1);
            }
        }
        let step = (size >> 1).wrapping_add(size >> 3).wrapping_add(3);
        let mut place = 0;
        for (symbol, count) in (0..).zip(&self.counts) {
            for _ in 0..*count {
                put(&mut symbols, place, symbol);
                place = place.wrapping_add(step) & mask;
                while place > high {
                    place = place.wrapping_add(step) & mask;
                }
            }
        }
        for (state, symbol) in symbols.iter().enumerate().take(size) {
            let Some(number) = numbers.get_mut(usize::from(*symbol)) else { return };
            let bits = self.log.wrapping_sub(number.checked_ilog2().unwrap_or(0));
            let size = u16::try_from(size).unwrap_or(0);
            let base = number.wrapping_shl(bits).wrapping_sub(size);
            each(state, *symbol, bits, base);
            *number = number.wrapping_add(1);
        }
    }
}

#[inline(always)]
fn put(symbols: &mut [u8; STATES], place: usize, symbol: u8) {
    if let Some(there) = symbols.get_mut(place & (STATES - 1)) {
        *there = symbol;
    }
}

/// Bits that are read from the front, the lowest of each byte first.
struct Forward<'a> {
    bytes: &'a [u8],
    /// Bits that were read.
    place: usize,
}

impl<'a> Forward<'a> {
    /// Looks at up to 16 bits. Those behind the end are zeros.
    fn peek(&self, count: u32) -> u32 {
        let rest = self.bytes.get(self.place >> 3..).unwrap_or_default();
        let byte = |place| u32::from(rest.get(place).copied().unwrap_or(0));
        let word = byte(0) | (byte(1) << 8) | (byte(2) << 16);
        (word >> (self.place & 7)) & 1_u32.wrapping_shl(count).wrapping_sub(1)
    }

    fn skip(&mut self, count: u32) {
        self.place = self.place.wrapping_add(usize::try_from(count).unwrap_or(0));
    }

    /// The bytes of which no bit was read, unless more bits were read than there are.
    fn rest(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.place.div_ceil(8)..)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::codec::zstandard::codes;

    #[test]
    fn states_are_those_of_the_specification() {
        // Appendix A: some states of the default distributions.
        for (kind, state, expected) in [
            (&codes::LITERAL_LENGTHS, 0, (0, 4, 0)),
            (&codes::LITERAL_LENGTHS, 1, (0, 4, 16)),
            (&codes::LITERAL_LENGTHS, 2, (1, 5, 32)),
            (&codes::LITERAL_LENGTHS, 63, (32, 6, 0)),
            (&codes::MATCH_LENGTHS, 0, (0, 6, 0)),
            (&codes::MATCH_LENGTHS, 1, (1, 4, 0)),
            (&codes::MATCH_LENGTHS, 63, (46, 6, 0)),
            (&codes::OFFSETS, 0, (0, 5, 0)),
            (&codes::OFFSETS, 1, (6, 4, 0)),
            (&codes::OFFSETS, 31, (24, 5, 0)),
        ] {
            let mut states = Vec::new();
            Distribution::default_of(kind).states(|number, symbol, bits, base| {
                assert_eq!(number, states.len());
                states.push((symbol, bits, base));
            });
            assert_eq!(states.len(), 1 << kind.default_log);
            assert_eq!(states[state], expected, "{state}");
        }
    }

    #[test]
    fn distributions_end_when_nothing_is_left() {
        // 32 states, all but one of which the first symbol has: 62 in 6 bits, 3 in 2.
        let all = |bytes: &[u8], symbols| {
            let mut rest = bytes;
            let found = Distribution::read(&mut rest, symbols, 6)?;
            Ok((found.log, found.counts[0], found.counts[1], rest.len()))
        };
        let bytes = [0xe0, 0x0f, 7];
        assert_eq!(all(&bytes, 2), Ok((5, 31, 1, 1)));
        assert_eq!(all(&bytes, 1), Err(CodecError::Damaged));
        assert_eq!(all(&bytes[..1], 2), Err(CodecError::Damaged));
        assert_eq!(all(b"", 2), Err(CodecError::Damaged));
        // Of 64 states, or of 128.
        assert_eq!(all(&[0xc1, 0x3f], 2).map(|found| found.0), Ok(6));
        assert_eq!(all(&[2, 0, 0, 0], 53), Err(CodecError::Damaged));
    }
}
