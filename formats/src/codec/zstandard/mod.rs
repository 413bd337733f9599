//! Zstandard (RFC 8878).
//!
//! A frame is made of blocks. A block that is compressed has literals, in a Huffman
//! code, and sequences: how many literals come next, and which match after them. The
//! numbers of sequences are in codes whose words need not be whole bits.
//!
//! Reading order: [`codes`] (what the numbers of sequences are written as), [`fse`] (the
//! codes that those are in), then [`decode`] and [`encode`].

mod codes;
mod decode;
mod encode;
mod fse;

pub(super) use decode::Decompressor;
pub(super) use encode::Compressor;

/// What a frame begins with (section 3.1.1).
const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// The most bytes of a block, and of what it is decompressed to (section 3.1.1.2.4).
const LARGEST_BLOCK: usize = 128 << 10;

/// The offsets that are known when a frame begins (section 3.1.1.5).
const FIRST_OFFSETS: [usize; 3] = [1, 4, 8];

/// The longest word of a Huffman code in bits (section 4.2.1).
const LONGEST_WORD: u32 = 11;

/// The most states of the code of weights, as a power of two (section 4.2.1.2).
const WEIGHT_LOG: u32 = 6;
