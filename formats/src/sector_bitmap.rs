//! Bitmaps of sectors: a bit says of each sector of a differencing disk whether the
//! disk has it, or its parent.

use crate::storage::{Storage, StorageError, read_padded};

/// Which bit of a byte is for the first of its eight sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The highest, as in a VHD.
    HighestFirst,
    /// The lowest, as in a VHDX.
    LowestFirst,
}

/// The unit in which bits are looked at: a sector of the file in words of 64 bits.
type Piece = [[u8; 8]; 64];

/// How many bits a word has.
const WORD: u64 = 64;

/// How many bits a piece has.
const PIECE: u64 = 64 * WORD;

/// A bitmap in a file.
#[derive(Clone, Copy)]
pub struct SectorBitmap<'a> {
    /// The file.
    pub file: &'a dyn Storage,
    /// Where the bitmap starts, in bytes.
    pub offset: u64,
    /// The order of the bits.
    pub order: Order,
}

impl SectorBitmap<'_> {
    /// Whether the bit of a sector is set, and how many bits from there on are like
    /// it: up to `limit`, which is not zero.
    ///
    /// # Errors
    ///
    /// If the file cannot be read. What is missing at its end reads as zeros.
    pub fn run(&self, first: u64, limit: u64) -> Result<(bool, u64), StorageError> {
        let mut is_set = None;
        let mut length = 0_u64;
        while length < limit {
            let next = first.saturating_add(length);
            let words = self.words(next / PIECE)?;
            let (word, mut skip) = (next % PIECE / WORD, next % WORD);
            for bits in words.into_iter().skip(usize::try_from(word).unwrap_or(0)) {
                let bits = self.bits(bits) >> skip;
                let is_set = *is_set.get_or_insert(bits & 1 == 1);
                let alike = if is_set { bits.trailing_ones() } else { bits.trailing_zeros() };
                let there = WORD.saturating_sub(skip);
                let alike = u64::from(alike).min(there);
                length = length.saturating_add(alike);
                if alike < there || length >= limit {
                    return Ok((is_set, length.min(limit)));
                }
                skip = 0;
            }
        }
        Ok((is_set.unwrap_or(false), length.min(limit)))
    }

    fn words(&self, piece: u64) -> Result<Piece, StorageError> {
        let offset = piece.saturating_mul(size_of::<Piece>() as u64);
        read_padded(self.file, self.offset.saturating_add(offset))
    }

    /// The bits of a word, of which the lowest is the first.
    fn bits(&self, word: [u8; 8]) -> u64 {
        match self.order {
            Order::HighestFirst => u64::from_be_bytes(word).reverse_bits(),
            Order::LowestFirst => u64::from_le_bytes(word),
        }
    }
}

impl core::fmt::Debug for SectorBitmap<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "SectorBitmap(at {}, {:?})", self.offset, self.order)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn run(bytes: &Vec<u8>, order: Order, first: u64, limit: u64) -> (bool, u64) {
        SectorBitmap { file: bytes, offset: 512, order }.run(first, limit).unwrap()
    }

    /// A file with a bitmap in which these bits are set.
    fn bitmap(order: Order, set: &[u64]) -> Vec<u8> {
        let mut bytes = vec![0; 512 + 3 * 512];
        for bit in set {
            let place = 512 + usize::try_from(bit / 8).unwrap();
            bytes[place] |= match order {
                Order::HighestFirst => 0x80 >> (bit % 8),
                Order::LowestFirst => 1 << (bit % 8),
            };
        }
        bytes
    }

    #[test]
    fn runs_end_where_a_bit_is_another() {
        let set: Vec<u64> = [0, 1, 2, 9].into_iter().chain(60..70).chain(4000..9000).collect();
        for order in [Order::HighestFirst, Order::LowestFirst] {
            let bytes = bitmap(order, &set);
            for (first, limit, expected) in [
                (0, 100, (true, 3)),
                (0, 3, (true, 3)),
                (0, 2, (true, 2)),
                (2, 100, (true, 1)),
                (3, 100, (false, 6)),
                (9, 1, (true, 1)),
                (10, 100, (false, 50)),
                (59, 100, (false, 1)),
                (60, 100, (true, 10)),
                (64, 100, (true, 6)),
                (63, 1, (true, 1)),
                (70, 10_000, (false, 3930)),
                (70, 3000, (false, 3000)),
                (4000, 100_000, (true, 5000)),
                (4095, 100_000, (true, 4905)),
                (4096, 4096, (true, 4096)),
                (8191, 1, (true, 1)),
                // Nothing is behind the end of the file.
                (9000, 100_000, (false, 100_000)),
                (12_288, 5, (false, 5)),
            ] {
                assert_eq!(run(&bytes, order, first, limit), expected, "{first} {limit} {order:?}");
            }
        }
    }

    #[test]
    fn the_order_of_bits_matters() {
        let mut bytes = vec![0; 1024];
        bytes[512] = 0b1100_0001;
        assert_eq!(run(&bytes, Order::HighestFirst, 0, 64), (true, 2));
        assert_eq!(run(&bytes, Order::LowestFirst, 0, 64), (true, 1));
        assert_eq!(run(&bytes, Order::HighestFirst, 7, 64), (true, 1));
        assert_eq!(run(&bytes, Order::LowestFirst, 6, 64), (true, 2));
    }
}
