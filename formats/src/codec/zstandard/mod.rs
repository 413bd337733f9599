//! Zstandard (RFC 8878).
//!
//! A frame is made of blocks. A block that is compressed has literals, in a Huffman
//! code, and sequences: how many literals come next, and which match after them. The
//! numbers of sequences are in codes whose words need not be whole bits.
//!
//! Reading order: [`decoder`], [`frame`] (headers), [`literals`] and [`huffman`],
//! [`sequences`], [`codes`] and [`fse`] (the numbers in them), then [`bits`] and
//! [`copy`], where the time goes.

mod bits;
mod codes;
mod copy;
mod decoder;
mod frame;
mod fse;
mod huffman;
mod literals;
mod sequences;

pub(super) use decoder::Zstandard;

/// The most bytes of a block, and of what it is decompressed to (section 3.1.1.2.4).
const LARGEST_BLOCK: usize = 128 << 10;

/// The literals of a block.
struct Part<'a> {
    /// They come first. There may be something else behind them.
    bytes: &'a [u8],
    length: usize,
}

#[cfg(test)]
mod tests;
