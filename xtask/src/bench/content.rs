//! What is on the disks: always the same, so that runs can be compared.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};

/// How much of a disk is what, in hundredths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proportions {
    /// Words, which can be compressed to about a third.
    pub(super) text: u64,
    /// What cannot be compressed.
    pub(super) random: u64,
    /// Zeros that are stored.
    pub(super) zeros: u64,
    // The rest are holes.
}

/// A disk in use: 70 of 100 are data.
pub(super) const DENSE: Proportions = Proportions { text: 35, random: 35, zeros: 10 };

/// A disk that is hardly used: 20 of 100 are data. Large ones have room in memory, with what
/// is made of them.
pub(super) const SPARSE: Proportions = Proportions { text: 10, random: 10, zeros: 5 };

/// What a piece of a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Text,
    Random,
    Zeros,
    Hole,
}

/// Where pieces of a disk begin and end.
const GRAIN: u64 = 64 << 10;

/// The largest piece, in grains.
const LARGEST: u64 = 64;

/// Numbers that look random: George Marsaglia, "Xorshift RNGs", 2003.
#[derive(Debug)]
pub(super) struct Xorshift(u64);

impl Xorshift {
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below another.
    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}

/// The pieces of a disk of a size, with their lengths. Wherever one stops, what came before
/// has the proportions, give or take a piece: so disks of all sizes are alike.
fn pieces(size: u64, proportions: Proportions) -> Vec<(Piece, u64)> {
    let Proportions { text, random, zeros } = proportions;
    let holes = 100 - text - random - zeros;
    // What there should be of each, less what there is, in hundredths of a byte.
    let mut wanting = [
        (Piece::Text, text, 0_i64),
        (Piece::Random, random, 0),
        (Piece::Zeros, zeros, 0),
        (Piece::Hole, holes, 0),
    ];
    let mut numbers = Xorshift::new();
    let mut pieces = Vec::new();
    let mut position = 0;
    while position < size {
        // Small pieces are as frequent as large ones.
        let limit = 1 << numbers.below(u64::from(LARGEST.ilog2()) + 1);
        let length = (GRAIN * (1 + numbers.below(limit))).min(size - position);
        for (_, share, missing) in &mut wanting {
            *missing += (*share * length).cast_signed();
        }
        if let Some((piece, _, missing)) = wanting.iter_mut().max_by_key(|it| it.2) {
            *missing -= (100 * length).cast_signed();
            pieces.push((*piece, length));
        }
        position += length;
    }
    pieces
}

/// Makes a raw image.
pub(super) fn write(path: &Path, size: u64, proportions: Proportions) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let file = File::create_new(path).with_context(context)?;
    file.set_len(size).with_context(context)?;
    let mut numbers = Xorshift::new();
    let words = words(&mut numbers);
    let mut buffer = Vec::new();
    let mut position = 0;
    for (piece, length) in pieces(size, proportions) {
        buffer.clear();
        let length_in_memory = usize::try_from(length)?;
        match piece {
            Piece::Text => fill_with_text(&mut buffer, length_in_memory, &words, &mut numbers),
            Piece::Random => {
                while buffer.len() < length_in_memory {
                    buffer.extend_from_slice(&numbers.next().to_le_bytes());
                }
            }
            Piece::Zeros => buffer.resize(length_in_memory, 0),
            Piece::Hole => {}
        }
        buffer.truncate(length_in_memory);
        file.write_all_at(&buffer, position).with_context(context)?;
        position += length;
    }
    Ok(())
}

/// The words of a language.
fn words(numbers: &mut Xorshift) -> Vec<Vec<u8>> {
    const LETTERS: &[u8; 32] = b"eeeeeettttaaaooiinnsshhrrdllucmf";
    let letter = |numbers: &mut Xorshift| LETTERS.get((numbers.next() >> 59) as usize);
    let word = |numbers: &mut Xorshift| {
        let length = 2 + numbers.below(9);
        let letters = (0..length).filter_map(|_| letter(numbers).copied());
        letters.chain([b' ']).collect()
    };
    (0..4096).map(|_| word(numbers)).collect()
}

/// Some words are used more than others.
fn fill_with_text(buffer: &mut Vec<u8>, length: usize, words: &[Vec<u8>], numbers: &mut Xorshift) {
    while buffer.len() < length {
        let number = numbers.next();
        let choices = [number >> 52, (number >> 40) & 0xfff, (number >> 28) & 0xfff];
        let index = choices.into_iter().min().unwrap_or(0);
        if let Some(word) = usize::try_from(index).ok().and_then(|index| words.get(index)) {
            buffer.extend_from_slice(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_of_all_sizes_have_the_same_proportions() {
        for (proportions, hundredths) in [(DENSE, [35, 35, 10, 20]), (SPARSE, [10, 10, 5, 75])] {
            for size in [64 << 20, 1 << 30, 16 << 30] {
                let pieces = pieces(size, proportions);
                assert_eq!(pieces.iter().map(|(_, length)| length).sum::<u64>(), size);
                let kinds = [Piece::Text, Piece::Random, Piece::Zeros, Piece::Hole];
                for (kind, hundredths) in kinds.into_iter().zip(hundredths) {
                    let of_kind = pieces.iter().filter(|(piece, _)| *piece == kind);
                    let sum: u64 = of_kind.map(|(_, length)| length).sum();
                    let off = sum.abs_diff(size / 100 * hundredths);
                    assert!(off <= 2 * GRAIN * LARGEST, "{kind:?}, {size}: {off}");
                }
            }
        }
    }

    #[test]
    fn larger_disks_begin_like_smaller_ones() {
        let (small, large) = (pieces(64 << 20, DENSE), pieces(1 << 30, DENSE));
        let all_but_last = small.len() - 1;
        assert_eq!(small[..all_but_last], large[..all_but_last]);
    }
}
