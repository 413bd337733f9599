//! Decompressing.
//!
//! Reading order: this file, [`frame`] (headers), [`literals`] and [`huffman`],
//! [`sequences`], then [`bits`] and [`copy`], where the time goes.

mod bits;
mod copy;
mod frame;
mod huffman;
mod literals;
mod sequences;

use super::LARGEST_BLOCK;
use crate::checksum::xxh64;
use crate::codec::CodecError;
use frame::{Block, Frame, Header, take};
use literals::Literals;
use sequences::Sequences;

/// Decompresses one unit after the other, straight to where it is wanted: what was
/// decompressed is the window.
#[derive(Default)]
pub(in crate::codec) struct Decompressor {
    literals: Literals,
    sequences: Sequences,
}

impl Decompressor {
    /// Fills a unit from one frame, or from several that follow each other. There may be
    /// something else behind the last.
    pub(in crate::codec) fn decode(
        &mut self,
        mut bytes: &[u8],
        unit: &mut [u8],
    ) -> Result<(), CodecError> {
        let mut rest = unit;
        while !rest.is_empty() {
            match Frame::read(&mut bytes)? {
                Frame::Skippable(length) => {
                    bytes = bytes.get(length..).ok_or(CodecError::Short)?;
                }
                Frame::Data(header) => {
                    let length = self.decode_frame(header, &mut bytes, rest)?;
                    rest = rest.get_mut(length..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    /// Fills the first part of a unit from a frame, and returns how long it is.
    fn decode_frame(
        &mut self,
        header: Header,
        bytes: &mut &[u8],
        unit: &mut [u8],
    ) -> Result<usize, CodecError> {
        self.literals.begin();
        self.sequences.begin();
        let mut place = 0_usize;
        loop {
            let (block, is_last) = Block::read(bytes)?;
            place = self.decode_block(block, header.block, bytes, unit, place)?;
            if is_last {
                break;
            }
        }
        if header.length.is_some_and(|length| length != place as u64) {
            return Err(CodecError::Damaged);
        }
        if header.has_checksum {
            let checksum = u32::from_le_bytes(take(bytes)?);
            let [.., a, b, c, d] = xxh64(unit.get(..place).unwrap_or_default()).to_be_bytes();
            if checksum != u32::from_be_bytes([a, b, c, d]) {
                return Err(CodecError::Damaged);
            }
        }
        Ok(place)
    }

    /// Fills the next part of a unit from a block, and returns where it ends.
    fn decode_block(
        &mut self,
        block: Block,
        most: usize,
        bytes: &mut &[u8],
        unit: &mut [u8],
        place: usize,
    ) -> Result<usize, CodecError> {
        let (Block::Raw(size) | Block::Run(size) | Block::Compressed(size)) = block;
        if size > most {
            return Err(CodecError::Damaged);
        }
        let end = place.wrapping_add(size);
        match block {
            Block::Raw(_) => {
                let (there, rest) = bytes.split_at_checked(size).ok_or(CodecError::Short)?;
                *bytes = rest;
                unit.get_mut(place..end).ok_or(CodecError::Long)?.copy_from_slice(there);
                Ok(end)
            }
            Block::Run(_) => {
                let [byte] = take(bytes)?;
                unit.get_mut(place..end).ok_or(CodecError::Long)?.fill(byte);
                Ok(end)
            }
            Block::Compressed(_) => {
                let (mut there, rest) = bytes.split_at_checked(size).ok_or(CodecError::Short)?;
                *bytes = rest;
                let literals = self.literals.read(&mut there)?;
                let end = self.sequences.decode(there, &literals, unit, place)?;
                let length = end.wrapping_sub(place);
                if length > LARGEST_BLOCK { Err(CodecError::Damaged) } else { Ok(end) }
            }
        }
    }
}

/// The literals of a block.
struct Part<'a> {
    /// They come first. There may be something else behind them.
    bytes: &'a [u8],
    length: usize,
}

#[cfg(test)]
mod tests;
