//! Huffman codes of bzip2. A code is known by the length of the word for each symbol:
//! words are counted upwards, the shortest first.

use super::bits::Bits;
use crate::codec::CodecError;

/// The longest word in bits.
const LONGEST: u32 = 20;

/// The most symbols: 256 bytes, and one more than is needed of three.
const MOST_SYMBOLS: usize = 258;

/// Words up to this length are looked up.
const SHORT: u32 = 9;

/// A code.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// By the next [`SHORT`] bits: the symbol, and the length of its word; no length if
    /// it is longer.
    short: [(u16, u8); 1 << SHORT],
    /// By the length: what is behind the last word, followed by zeros to [`LONGEST`] bits.
    limits: [u32; LONGEST as usize + 1],
    /// By the length: what to add to a word to get the place of its symbol.
    bases: [u32; LONGEST as usize + 1],
    /// Symbols in the order of their words.
    symbols: [u16; MOST_SYMBOLS],
    count: usize,
}

impl Code {
    /// Reads the code of so many symbols.
    pub(super) fn new(bits: &mut Bits<'_>, count: usize) -> Result<Self, CodecError> {
        let mut lengths = [0_u8; MOST_SYMBOLS];
        let mut length = u8::try_from(bits.take(5)?).unwrap_or(0);
        for target in lengths.get_mut(..count).ok_or(CodecError::Damaged)? {
            while bits.take(1)? != 0 {
                let is_less = bits.take(1)? != 0;
                length = if is_less { length.wrapping_sub(1) } else { length.wrapping_add(1) };
                // One more than that, and it would go round one day.
                if u32::from(length) > LONGEST.saturating_add(1) {
                    return Err(CodecError::Damaged);
                }
            }
            if !(1..=LONGEST).contains(&u32::from(length)) {
                return Err(CodecError::Damaged);
            }
            *target = length;
        }
        Ok(Self::of_lengths(lengths.get(..count).unwrap_or_default()))
    }

    /// The code with words of these lengths.
    fn of_lengths(lengths: &[u8]) -> Self {
        let mut code = Self {
            short: [(0, 0); 1 << SHORT],
            limits: [0; LONGEST as usize + 1],
            bases: [0; LONGEST as usize + 1],
            symbols: [0; MOST_SYMBOLS],
            count: 0,
        };
        let (mut word, mut length) = (0_u32, 0_u8);
        let entries = code.limits.iter_mut().zip(&mut code.bases);
        for (limit, base) in entries {
            let place = u32::try_from(code.count).unwrap_or(0);
            *base = place.wrapping_sub(word);
            let members = (0_u16..).zip(lengths).filter(|(_, other)| **other == length);
            for (symbol, _) in members.filter(|_| length > 0) {
                if let Some(target) = code.symbols.get_mut(code.count) {
                    *target = symbol;
                }
                code.count = code.count.saturating_add(1);
                if let Some(free) = SHORT.checked_sub(length.into()) {
                    let from = usize::try_from(word << free).unwrap_or(usize::MAX);
                    let rest = code.short.get_mut(from..).unwrap_or_default();
                    rest.iter_mut().take(1 << free).for_each(|entry| *entry = (symbol, length));
                }
                word = word.saturating_add(1);
            }
            // More words than there can be are never reached.
            *limit = word.checked_shl(LONGEST.saturating_sub(length.into())).unwrap_or(u32::MAX);
            word = word.saturating_mul(2);
            length = length.saturating_add(1);
        }
        code
    }

    /// Reads a symbol.
    pub(super) fn read(&self, bits: &mut Bits<'_>) -> Result<u16, CodecError> {
        let next = bits.peek();
        let start = usize::try_from(next >> LONGEST.saturating_sub(SHORT)).unwrap_or(0);
        if let Some((symbol, length @ 1..)) = self.short.get(start) {
            bits.skip((*length).into())?;
            return Ok(*symbol);
        }
        let mut lengths = (0..).zip(self.limits.iter().zip(&self.bases)).skip(1);
        let found = lengths.find(|(_, (limit, _))| next < **limit);
        let (length, (_, base)) = found.ok_or(CodecError::Damaged)?;
        bits.skip(length)?;
        let word = next >> LONGEST.saturating_sub(length);
        let place = usize::try_from(word.wrapping_add(*base)).unwrap_or(usize::MAX);
        let known = self.symbols.get(..self.count).unwrap_or_default();
        known.get(place).copied().ok_or(CodecError::Damaged)
    }
}
