//! Blocks: a code, and tokens in it; or bytes as they are (RFC 1951, section 3.2.3).

use alloc::vec::Vec;

use super::bits::BitWriter;
use super::token::{
    DISTANCES, END, LITERALS, Meaning, Token, distance_bits, distance_symbol, length_bits,
    length_symbol,
};
use crate::codec::huffman::{self, SHIFT, Words};

/// The longest word for tokens, in bits.
const LONGEST: usize = 15;

/// The longest word for the lengths of words.
const LONGEST_OF_LENGTHS: usize = 7;

/// Symbols for the lengths of words: the lengths, and three for runs.
const LENGTHS: usize = 19;

/// In which order the lengths of their words are written.
const ORDER: [usize; LENGTHS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The most bytes of a block that is stored.
const STORED: usize = 0xffff;

/// Tokens on their way into a block, and how often each symbol comes.
#[derive(Debug)]
pub(super) struct Block {
    tokens: Vec<Token>,
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

/// How a block is written in its own code.
struct Plan {
    literals: [u8; LITERALS],
    distances: [u8; DISTANCES],
    /// How many lengths are written of each.
    counts: [usize; 2],
    /// The symbols for lengths, with what follows them and in how many bits.
    runs: Vec<(u8, u8, u8)>,
    lengths: [u8; LENGTHS],
    /// How many of them are written.
    count: usize,
    /// What the block takes, in bits.
    bits: u64,
}

impl Default for Block {
    fn default() -> Self {
        Self { tokens: Vec::new(), literals: [0; LITERALS], distances: [0; DISTANCES] }
    }
}

impl Block {
    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    #[inline]
    pub(super) fn literal(&mut self, byte: u8) {
        self.tokens.push(Token::literal(byte));
        increment(&mut self.literals, byte.into());
    }

    #[inline]
    pub(super) fn of_match(&mut self, length: usize, distance: usize) {
        let token = Token::of_match(length, distance);
        self.tokens.push(token);
        if let Meaning::Match(length, distance) = token.meaning() {
            increment(&mut self.literals, length_symbol(length).0);
            increment(&mut self.distances, distance_symbol(distance).0);
        }
    }

    /// Writes the block, in the way that takes the least room, and begins another.
    /// `bytes` is what the tokens stand for.
    pub(super) fn write(&mut self, bytes: &[u8], is_last: bool, bits: &mut BitWriter<'_>) {
        increment(&mut self.literals, END);
        let plan = self.plan();
        let is_last = u32::from(is_last);
        let blocks = bytes.len().div_ceil(STORED).max(1) as u64;
        let stored = (bytes.len() as u64)
            .saturating_mul(8)
            .saturating_add(blocks.saturating_mul(40).saturating_sub(bits.partial().into()));
        if stored <= plan.bits {
            store(bytes, is_last, bits);
        } else {
            bits.put(is_last | (2 << 1), 3);
            plan.write(bits);
            let literals = huffman::words(&plan.literals);
            let distances = huffman::words(&plan.distances);
            write_tokens(&self.tokens, &literals, &distances, bits);
        }
        self.tokens.clear();
        self.literals.fill(0);
        self.distances.fill(0);
    }

    fn plan(&self) -> Plan {
        let literals = huffman::lengths(&self.literals, LONGEST);
        let distances = huffman::lengths(&self.distances, LONGEST);
        let tokens = cost(&self.literals, &literals, length_bits).saturating_add(cost(
            &self.distances,
            &distances,
            distance_bits,
        ));
        let used = |lengths: &[u8], least: usize| {
            let last = lengths.iter().rposition(|length| *length > 0).unwrap_or(0);
            last.saturating_add(1).max(least)
        };
        let counts = [used(&literals, 257), used(&distances, 1)];
        let [literal_count, distance_count] = counts;
        let all = literals.iter().take(literal_count);
        let runs = runs(all.chain(distances.iter().take(distance_count)).copied());
        let mut numbers = [0_u32; LENGTHS];
        for (symbol, ..) in &runs {
            increment(&mut numbers, (*symbol).into());
        }
        let lengths = huffman::lengths(&numbers, LONGEST_OF_LENGTHS);
        let of = |symbol: usize| lengths.get(symbol).copied().unwrap_or(0);
        let count = ORDER.iter().rposition(|symbol| of(*symbol) > 0).unwrap_or(0);
        let count = count.saturating_add(1).max(4);
        let header = runs.iter().fold(0_u64, |sum, (symbol, _, more)| {
            sum.saturating_add(u64::from(of((*symbol).into())).saturating_add((*more).into()))
        });
        let bits = tokens
            .saturating_add(header)
            .saturating_add(17)
            .saturating_add((count as u64).saturating_mul(3));
        Plan { literals, distances, counts, runs, lengths, count, bits }
    }
}

impl Plan {
    /// Writes the code (RFC 1951, section 3.2.7).
    fn write(&self, bits: &mut BitWriter<'_>) {
        let small = |number: usize| u32::try_from(number).unwrap_or(0);
        let [literals, distances] = self.counts;
        bits.put(small(literals.saturating_sub(257)), 5);
        bits.put(small(distances.saturating_sub(1)), 5);
        bits.put(small(self.count.saturating_sub(4)), 4);
        for symbol in ORDER.iter().take(self.count) {
            bits.put(self.lengths.get(*symbol).copied().unwrap_or(0).into(), 3);
        }
        let words = huffman::words(&self.lengths);
        for (symbol, rest, count) in &self.runs {
            put(words.get(usize::from(*symbol)), bits);
            bits.put((*rest).into(), (*count).into());
        }
    }
}

/// How many bits tokens take that come so often.
fn cost<const N: usize>(counts: &[u32; N], lengths: &[u8; N], more: fn(usize) -> u64) -> u64 {
    let symbols = counts.iter().zip(lengths).enumerate();
    symbols.fold(0, |sum, (symbol, (count, length))| {
        let bits = u64::from(*length).saturating_add(more(symbol));
        sum.saturating_add(bits.saturating_mul((*count).into()))
    })
}

/// The lengths of words as they are written: runs of the same one are one symbol, with
/// how long they are.
fn runs(lengths: impl Iterator<Item = u8>) -> Vec<(u8, u8, u8)> {
    let mut runs = Vec::new();
    let mut lengths = lengths.peekable();
    while let Some(length) = lengths.next() {
        let most = if length == 0 { 138 } else { 7 };
        let mut count = 1_u8;
        while count < most && lengths.next_if_eq(&length).is_some() {
            count = count.saturating_add(1);
        }
        match (length, count) {
            (0, 11..) => runs.push((18, count.saturating_sub(11), 7)),
            (0, 3..) => runs.push((17, count.saturating_sub(3), 3)),
            (_, 4..) => {
                runs.push((length, 0, 0));
                runs.push((16, count.saturating_sub(4), 2));
            }
            _ => (0..count).for_each(|_| runs.push((length, 0, 0))),
        }
    }
    runs
}

/// Writes bytes as they are.
fn store(bytes: &[u8], is_last: u32, bits: &mut BitWriter<'_>) {
    let mut rest = bytes;
    loop {
        let (part, behind) = rest.split_at_checked(STORED).unwrap_or((rest, &[]));
        rest = behind;
        bits.put(if rest.is_empty() { is_last } else { 0 }, 3);
        bits.align();
        let length = u16::try_from(part.len()).unwrap_or(0);
        bits.bytes(&length.to_le_bytes());
        bits.bytes(&(!length).to_le_bytes());
        bits.bytes(part);
        if rest.is_empty() {
            return;
        }
    }
}

/// Writes tokens, and the end of the block.
fn write_tokens(
    tokens: &[Token],
    literals: &Words<LITERALS>,
    distances: &Words<DISTANCES>,
    bits: &mut BitWriter<'_>,
) {
    // The words of lengths with what follows them.
    let mut lengths = [0_u32; 256];
    for (length, word) in (0..=u8::MAX).zip(&mut lengths) {
        let (symbol, more) = length_symbol(length);
        let symbol = literals.get(symbol).copied().unwrap_or(0);
        let count = symbol >> SHIFT;
        let rest = u32::from(length) & (1_u32 << more).wrapping_sub(1);
        let total = count.wrapping_add(more);
        // At most 20 bits.
        *word = (symbol & WORD) | (rest << count) | (total << SHIFT);
    }
    for token in tokens {
        match token.meaning() {
            Meaning::Literal(byte) => put(literals.get(usize::from(byte)), bits),
            Meaning::Match(length, distance) => {
                put(lengths.get(usize::from(length)), bits);
                let (symbol, more) = distance_symbol(distance);
                let word = distances.get(symbol).copied().unwrap_or(0);
                let count = word >> SHIFT;
                let rest = u32::from(distance) & (1_u32 << more).wrapping_sub(1);
                // At most 28 bits.
                bits.put((word & WORD) | (rest << count), count.wrapping_add(more));
            }
        }
    }
    put(literals.get(END), bits);
}

/// The bits of a word.
const WORD: u32 = (1 << SHIFT) - 1;

#[inline]
fn put(word: Option<&u32>, bits: &mut BitWriter<'_>) {
    let word = word.copied().unwrap_or(0);
    bits.put(word & WORD, word >> SHIFT);
}

#[inline]
fn increment(counts: &mut [u32], symbol: usize) {
    if let Some(count) = counts.get_mut(symbol) {
        *count = count.wrapping_add(1);
    }
}
