//! Compressing.
//!
//! Reading order: this file, [`matcher`] (what was there before), [`sequence`] (what it
//! finds), [`literals`] and [`sequences`] (how those are written), then
//! [`distribution`], [`states`] and [`bits`].

mod bits;
mod distribution;
mod literals;
mod matcher;
mod sequence;
mod sequences;
mod states;

use alloc::vec::Vec;

use super::{LARGEST_BLOCK, MAGIC};
use matcher::Matcher;
use sequence::Sequences;
use sequences::Writer;

/// Bytes of the header of a block.
const BLOCK_HEADER: usize = 3;

/// Kinds of blocks.
const RAW: u32 = 0;
const RUN: u32 = 1;
const COMPRESSED: u32 = 2;

/// Room that is left behind what is written, so that it goes in whole words.
const MARGIN: usize = 16;

/// Compresses one unit after the other.
#[derive(Default)]
pub(in crate::codec) struct Compressor {
    matcher: Matcher,
    sequences: Sequences,
    writer: Writer,
}

impl Compressor {
    /// Appends a unit to other bytes, as one frame. It is shorter than 4 GiB.
    pub(in crate::codec) fn encode(&mut self, unit: &[u8], bytes: &mut Vec<u8>) {
        write_frame_header(unit.len(), bytes);
        self.matcher.begin(unit.len());
        let mut start = 0_usize;
        loop {
            let end = start.wrapping_add(LARGEST_BLOCK).min(unit.len());
            self.block(unit, start, end, bytes);
            if end == unit.len() {
                return;
            }
            start = end;
        }
    }

    /// Appends a block.
    fn block(&mut self, unit: &[u8], start: usize, end: usize, bytes: &mut Vec<u8>) {
        let block = unit.get(start..end).unwrap_or_default();
        let is_last = end == unit.len();
        let place = bytes.len();
        if let Some((first, rest)) = block.split_first()
            && rest.iter().all(|byte| byte == first)
            && !rest.is_empty()
        {
            bytes.extend_from_slice(&header(RUN, block.len(), is_last));
            bytes.push(*first);
            return;
        }
        let recent = self.matcher.recent;
        self.sequences.begin(block.len());
        self.matcher.run(unit, start, end, &mut self.sequences);
        // What is no shorter has no room.
        let room = place.wrapping_add(BLOCK_HEADER);
        bytes.resize(room.wrapping_add(block.len()).wrapping_add(MARGIN), 0);
        let length = self.write(bytes.get_mut(room..).unwrap_or_default());
        if let Some(length) = length.filter(|length| *length < block.len()) {
            bytes.truncate(room.wrapping_add(length));
            let header = header(COMPRESSED, length, is_last);
            let there = bytes.get_mut(place..room).unwrap_or_default();
            there.copy_from_slice(&header);
        } else {
            // Nobody sees the matches, so nobody knows of their offsets.
            self.matcher.recent = recent;
            bytes.truncate(place);
            bytes.extend_from_slice(&header(RAW, block.len(), is_last));
            bytes.extend_from_slice(block);
        }
    }

    /// Writes literals and sequences to the front of a buffer. Returns how many bytes
    /// they take, if there is room.
    fn write(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let length = literals::write(self.sequences.literals(), bytes)?;
        let rest = bytes.get_mut(length..)?;
        self.writer.write(self.sequences.list(), rest)?.checked_add(length)
    }
}

/// The header of a block (section 3.1.1.2).
fn header(kind: u32, size: usize, is_last: bool) -> [u8; BLOCK_HEADER] {
    let size = u32::try_from(size).unwrap_or(0);
    let [low, middle, high, _] = (size << 3 | kind << 1 | u32::from(is_last)).to_le_bytes();
    [low, middle, high]
}

/// Appends the header of a frame that is its own window (section 3.1.1.1).
fn write_frame_header(length: usize, bytes: &mut Vec<u8>) {
    /// The window is as large as the content.
    const SINGLE_SEGMENT: u8 = 0x20;
    bytes.extend_from_slice(&MAGIC);
    let length = u32::try_from(length).unwrap_or(0);
    let [first, ..] = length.to_le_bytes();
    match length {
        ..0x100 => bytes.extend_from_slice(&[SINGLE_SEGMENT, first]),
        0x100..0x1_0100 => {
            let [first, second, ..] = length.wrapping_sub(0x100).to_le_bytes();
            bytes.extend_from_slice(&[SINGLE_SEGMENT | 0x40, first, second]);
        }
        _ => {
            bytes.push(SINGLE_SEGMENT | 0x80);
            bytes.extend_from_slice(&length.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
