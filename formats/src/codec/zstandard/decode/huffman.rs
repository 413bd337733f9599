//! Huffman codes of literals (RFC 8878, section 4.2).

use super::bits::Bits;
use crate::codec::CodecError;
use crate::codec::zstandard::fse::Distribution;
use crate::codec::zstandard::{LONGEST_WORD, WEIGHT_LOG};

/// Entries of the table: what the next bits can be.
const ENTRIES: usize = 1 << LONGEST_WORD;

/// Words that are read between two refills: no more than 55 bits.
const ROUND: usize = 5;

/// So many bytes are left behind in a round at the most, bits of the byte before
/// included.
const ROUND_BYTES: usize = 7;

/// Weights are from 0 to 11.
const WEIGHTS: usize = 12;

/// A length in the first byte of a tree, or a number of weights from here on.
const DIRECT: u8 = 128;

/// A code, by what the next bits are: the length of the word in the low byte, and the
/// symbol above it.
#[derive(Debug)]
pub(super) struct Code {
    entries: [u16; ENTRIES],
}

impl Default for Code {
    fn default() -> Self {
        Self { entries: [0; ENTRIES] }
    }
}

impl Code {
    /// Reads a code, and takes it off the front of the bytes.
    pub(super) fn read(&mut self, bytes: &mut &[u8]) -> Result<(), CodecError> {
        let (first, rest) = bytes.split_first().ok_or(CodecError::Short)?;
        // One more than can be written, for the last.
        let mut weights = [0_u8; 256];
        let (count, rest) = if let Some(number) = first.checked_sub(DIRECT) {
            let count = usize::from(number).wrapping_add(1);
            let (there, rest) =
                rest.split_at_checked(count.div_ceil(2)).ok_or(CodecError::Short)?;
            for (pair, byte) in weights.chunks_mut(2).zip(there) {
                // In an odd number of weights the last half is not one.
                pair.copy_from_slice(&[byte >> 4, byte & 15]);
            }
            weights.get_mut(count..).unwrap_or_default().fill(0);
            (count, rest)
        } else {
            let (there, rest) =
                rest.split_at_checked(usize::from(*first)).ok_or(CodecError::Short)?;
            (read_weights(there, &mut weights)?, rest)
        };
        self.fill(&mut weights, count)?;
        *bytes = rest;
        Ok(())
    }

    /// Fills the table for symbols of these weights, and one more, which has the weight
    /// that is left (section 4.2.1).
    fn fill(&mut self, weights: &mut [u8; 256], count: usize) -> Result<(), CodecError> {
        let mut numbers = [0_u32; WEIGHTS];
        let mut sum = 0_u32;
        for weight in weights.iter().take(count) {
            let number = numbers.get_mut(usize::from(*weight)).ok_or(CodecError::Damaged)?;
            *number = number.wrapping_add(1);
            sum = sum.wrapping_add((1_u32 << weight) >> 1);
        }
        let log = sum.checked_ilog2().ok_or(CodecError::Damaged)?.wrapping_add(1);
        let left = (1_u32 << log).wrapping_sub(sum);
        if log > LONGEST_WORD || !left.is_power_of_two() {
            return Err(CodecError::Damaged);
        }
        let last = u8::try_from(left.ilog2().wrapping_add(1)).unwrap_or(0);
        *weights.get_mut(count).ok_or(CodecError::Damaged)? = last;
        if let Some(number) = numbers.get_mut(usize::from(last)) {
            *number = number.wrapping_add(1);
        }
        // The lowest weights come first: their words are the longest, and the lowest.
        let mut place = 0_u32;
        let mut places = [0_usize; WEIGHTS];
        for ((weight, number), start) in (0_u32..).zip(&numbers).zip(&mut places).skip(1) {
            *start = usize::try_from(place).unwrap_or(0);
            let width =
                1_u32 << LONGEST_WORD.wrapping_sub(log).wrapping_add(weight.wrapping_sub(1));
            place = place.wrapping_add(number.wrapping_mul(width));
        }
        for (symbol, weight) in (0_u16..).zip(weights.iter()).take(count.wrapping_add(1)) {
            if *weight == 0 {
                continue;
            }
            let length = log.wrapping_add(1).wrapping_sub(u32::from(*weight));
            let width = 1_usize << LONGEST_WORD.wrapping_sub(length);
            let entry = (symbol << 8) | u16::try_from(length).unwrap_or(0);
            let Some(start) = places.get_mut(usize::from(*weight)) else { continue };
            let end = start.wrapping_add(width);
            self.entries.get_mut(*start..end).ok_or(CodecError::Damaged)?.fill(entry);
            *start = end;
        }
        Ok(())
    }

    /// Fills literals from one stream.
    pub(super) fn decode(&self, bytes: &[u8], literals: &mut [u8]) -> Result<(), CodecError> {
        self.finish(Bits::new(bytes)?, literals)
    }

    /// Fills literals from four streams, each of which has a quarter of them (section
    /// 3.1.1.3.1.6).
    pub(super) fn decode_four(&self, bytes: &[u8], literals: &mut [u8]) -> Result<(), CodecError> {
        let ([a, b, c, d, e, f], rest) = bytes.split_first_chunk().ok_or(CodecError::Short)?;
        let size = |low: &u8, high: &u8| usize::from(u16::from_le_bytes([*low, *high]));
        let (first, rest) = rest.split_at_checked(size(a, b)).ok_or(CodecError::Short)?;
        let (second, rest) = rest.split_at_checked(size(c, d)).ok_or(CodecError::Short)?;
        let (third, fourth) = rest.split_at_checked(size(e, f)).ok_or(CodecError::Short)?;
        let quarter = literals.len().div_ceil(4);
        let parts = literals.split_at_mut_checked(quarter).and_then(|(one, rest)| {
            let (two, rest) = rest.split_at_mut_checked(quarter)?;
            let (three, four) = rest.split_at_mut_checked(quarter)?;
            Some([one, two, three, four])
        });
        let mut parts = parts.ok_or(CodecError::Damaged)?;
        let streams = [first, second, third, fourth];
        if let [Some(one), Some(two), Some(three), Some(four)] = streams.map(Stream::new) {
            return self.decode_long([one, two, three, four], &mut parts);
        }
        for (stream, part) in streams.into_iter().zip(parts) {
            self.decode(stream, part)?;
        }
        Ok(())
    }

    /// Fills parts of the literals from a stream each. What one waits for is not what the
    /// others wait for, so that they go on at the same time.
    fn decode_long(
        &self,
        streams: [Stream<'_>; 4],
        parts: &mut [&mut [u8]; 4],
    ) -> Result<(), CodecError> {
        let [mut one, mut two, mut three, mut four] = streams;
        let mut done = 0_usize;
        {
            let [first, second, third, fourth] = &mut *parts;
            let (firsts, _) = first.as_chunks_mut::<ROUND>();
            let (seconds, _) = second.as_chunks_mut::<ROUND>();
            let (thirds, _) = third.as_chunks_mut::<ROUND>();
            let (fourths, _) = fourth.as_chunks_mut::<ROUND>();
            let rounds = firsts.iter_mut().zip(seconds).zip(thirds).zip(fourths);
            for (((first, second), third), fourth) in rounds {
                if one.left().min(two.left()).min(three.left()).min(four.left()) < ROUND_BYTES {
                    break;
                }
                let words = first.iter_mut().zip(second).zip(third).zip(fourth);
                for (((first, second), third), fourth) in words {
                    *first = self.next(&mut one);
                    *second = self.next(&mut two);
                    *third = self.next(&mut three);
                    *fourth = self.next(&mut four);
                }
                one.refill();
                two.refill();
                three.refill();
                four.refill();
                done = done.wrapping_add(ROUND);
            }
        }
        for (stream, part) in [one, two, three, four].into_iter().zip(parts) {
            let rest = part.get_mut(done..).unwrap_or_default();
            self.finish(stream.bits(), rest)?;
        }
        Ok(())
    }

    /// The next symbol of a stream.
    #[inline(always)]
    fn next(&self, stream: &mut Stream<'_>) -> u8 {
        let index = usize::try_from(stream.word >> (64 - LONGEST_WORD)).unwrap_or(0);
        let [length, symbol] = self.entry(index).to_le_bytes();
        stream.word = stream.word.wrapping_shl(length.into());
        symbol
    }

    #[inline(always)]
    fn entry(&self, index: usize) -> u16 {
        self.entries.get(index & (ENTRIES - 1)).copied().unwrap_or(0)
    }

    /// Fills literals from all that is left of a stream.
    fn finish(&self, mut bits: Bits<'_>, literals: &mut [u8]) -> Result<(), CodecError> {
        for round in literals.chunks_mut(ROUND) {
            bits.refill();
            for literal in round {
                let index = bits.peek(LONGEST_WORD);
                let [length, symbol] = self.entry(index).to_le_bytes();
                bits.skip(length.into());
                *literal = symbol;
            }
        }
        if bits.is_done() { Ok(()) } else { Err(CodecError::Damaged) }
    }
}

/// A stream, while there is more left of it than a round needs.
struct Stream<'a> {
    /// What is left of it: the last bytes are the word.
    bytes: &'a [u8],
    /// The next bits, from the highest on. Behind them is a one, and zeros: as many as
    /// bits were read. The bit in the place of the one is not needed in a round.
    word: u64,
}

impl<'a> Stream<'a> {
    /// None if the stream has less than a word, or no mark.
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let last = bytes.last().filter(|last| **last != 0)?;
        let read = last.leading_zeros().wrapping_add(1);
        let word = u64::from_le_bytes(*bytes.last_chunk()?);
        Some(Self { bytes, word: (word | 1) << read })
    }

    /// Bytes before the word.
    #[inline(always)]
    fn left(&self) -> usize {
        self.bytes.len().wrapping_sub(8)
    }

    /// Puts the next bits on top of the word. There is a whole one.
    #[inline(always)]
    fn refill(&mut self) {
        let read = self.word.trailing_zeros();
        let length = self.bytes.len().wrapping_sub(usize::try_from(read >> 3).unwrap_or(0));
        if let Some(bytes) = self.bytes.get(..length)
            && let Some(word) = bytes.last_chunk()
        {
            *self = Self { bytes, word: (u64::from_le_bytes(*word) | 1) << (read & 7) };
        }
    }

    /// What is left.
    fn bits(self) -> Bits<'a> {
        Bits::resume(self.bytes, self.word.trailing_zeros())
    }
}

/// Reads weights that are written in a code of their own (section 4.2.1.2). Returns how
/// many there are.
fn read_weights(bytes: &[u8], weights: &mut [u8; 256]) -> Result<usize, CodecError> {
    let mut rest = bytes;
    let distribution = Distribution::read(&mut rest, WEIGHTS, WEIGHT_LOG)?;
    let mut states = [(0_u8, 0_u8, 0_u16); 1 << WEIGHT_LOG];
    distribution.states(|number, symbol, bits, base| {
        if let Some(state) = states.get_mut(number) {
            *state = (symbol, u8::try_from(bits).unwrap_or(0), base);
        }
    });
    let state = |number: usize| states.get(number).copied().unwrap_or_default();
    let mut bits = Bits::new(rest)?;
    // Two states take turns. The end is where one would need more bits than there are:
    // then only the other has a symbol left.
    let mut current = state(bits.take(distribution.log));
    let mut other = state(bits.take(distribution.log));
    if bits.is_behind() {
        return Err(CodecError::Damaged);
    }
    // The last one is not written.
    let mut places = weights.iter_mut().take(255).enumerate();
    let mut push = |weight| {
        let (place, there) = places.next().ok_or(CodecError::Damaged)?;
        *there = weight;
        Ok(place)
    };
    loop {
        let (symbol, count, base) = current;
        push(symbol)?;
        let next = usize::from(base).wrapping_add(bits.take(count.into()));
        if bits.is_behind() {
            return push(other.0).map(|last| last.wrapping_add(1));
        }
        (current, other) = (other, state(next));
    }
}
