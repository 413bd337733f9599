//! bzip2, of DMG images.
//!
//! A stream has blocks of up to 900,000 bytes. In each the bytes are sorted by what
//! follows them (the transform of Burrows and Wheeler), so that the same ones come
//! together; then they are written as places in a list of those that came last, and
//! those in Huffman codes. Specified in "bzip2 Format Specification" (J. Tsai, 2016).
//!
//! Reading order: [`Bzip2`], then [`huffman`].

mod bits;
mod huffman;

use alloc::vec::Vec;

use super::CodecError;
use crate::checksum::CRC_32_REVERSED;
use bits::Bits;
use huffman::Code;

/// What a block starts with: the digits of pi.
const BLOCK: u64 = 0x3141_5926_5359;

/// What is behind the last block: the digits of its root.
const END: u64 = 0x1772_4538_5090;

/// Bytes of a block, for each level from 1 to 9.
const LEVEL: u32 = 100_000;

/// The most and fewest codes of a block.
const CODES: core::ops::RangeInclusive<usize> = 2..=6;

/// How many symbols have the same code before another can be chosen.
const GROUP: usize = 50;

/// The later of the two symbols with which the length of a run is written.
const LAST_RUN: u16 = 1;

/// Decompresses one stream after the other.
#[derive(Default)]
pub(super) struct Bzip2 {
    /// A byte of the block in the low 8 bits; above it, once they are known, the place
    /// of the one that follows it.
    block: Vec<u32>,
    codes: Vec<Code>,
    selectors: Vec<u8>,
}

impl Bzip2 {
    /// Fills a unit from a stream.
    pub(super) fn decode(&mut self, bytes: &[u8], unit: &mut [u8]) -> Result<(), CodecError> {
        let mut bits = Bits::new(bytes);
        let level = match bits.take(32)?.to_be_bytes() {
            [.., b'B', b'Z', b'h', level @ b'1'..=b'9'] => u32::from(level.wrapping_sub(b'0')),
            _ => return Err(CodecError::Damaged),
        };
        let most = usize::try_from(level.saturating_mul(LEVEL)).unwrap_or(0);
        let mut done = 0_usize;
        loop {
            match bits.take(48)? {
                BLOCK => {
                    let checksum = bits.take(32)?;
                    let start = self.read_block(&mut bits, most)?;
                    let rest = unit.get_mut(done..).unwrap_or_default();
                    let count = self.unfold(start, rest)?;
                    let written = rest.get(..count).unwrap_or_default();
                    if u64::from(CRC_32_REVERSED.checksum(written)) != checksum {
                        return Err(CodecError::Damaged);
                    }
                    done = done.saturating_add(count);
                }
                END if done == unit.len() => return Ok(()),
                END => return Err(CodecError::Short),
                _ => return Err(CodecError::Damaged),
            }
        }
    }

    /// Reads a block, as it is sorted. Returns the place of its first byte.
    fn read_block(&mut self, bits: &mut Bits<'_>, most: usize) -> Result<usize, CodecError> {
        // Blocks of version 0.9.0 can be randomised. Nothing else ever made them.
        if bits.take(1)? != 0 {
            return Err(CodecError::Damaged);
        }
        let start = bits.take_usize(24)?;
        let (mut recent, used) = alphabet(bits)?;
        // Two symbols for runs, all places but the first, and one for the end.
        let symbols = used.saturating_add(2);
        self.read_codes(bits, symbols)?;
        self.block.clear();
        let end = u16::try_from(symbols.saturating_sub(1)).unwrap_or(u16::MAX);
        let mut counts = [0_u32; 256];
        let (mut run, mut weight) = (0_usize, 1_usize);
        for selector in &self.selectors {
            let code = self.codes.get(usize::from(*selector)).ok_or(CodecError::Damaged)?;
            for _ in 0..GROUP {
                let symbol = code.read(bits)?;
                if symbol <= LAST_RUN {
                    // Digits 1 and 2 of a number, the lowest first.
                    let digit = usize::from(symbol).saturating_add(1);
                    run = run.saturating_add(weight.saturating_mul(digit));
                    weight = weight.saturating_mul(2);
                    if run > most {
                        return Err(CodecError::Damaged);
                    }
                    continue;
                }
                if run > 0 {
                    let [byte, ..] = recent;
                    append(&mut self.block, &mut counts, byte, run, most)?;
                    (run, weight) = (0, 1);
                }
                if symbol == end {
                    return self.link(start, &counts);
                }
                let place = usize::from(symbol).saturating_sub(1);
                let front = recent.get_mut(..=place).ok_or(CodecError::Damaged)?;
                front.rotate_right(1);
                let [byte, ..] = recent;
                append(&mut self.block, &mut counts, byte, 1, most)?;
            }
        }
        Err(CodecError::Damaged)
    }

    /// Reads which code is for which symbols, and the codes.
    fn read_codes(&mut self, bits: &mut Bits<'_>, symbols: usize) -> Result<(), CodecError> {
        let count = bits.take_usize(3)?;
        let selectors = bits.take_usize(15)?;
        if !CODES.contains(&count) || selectors == 0 {
            return Err(CodecError::Damaged);
        }
        let mut recent = [0, 1, 2, 3, 4, 5_u8];
        self.selectors.clear();
        for _ in 0..selectors {
            let mut place = 0_usize;
            while bits.take(1)? != 0 {
                place = place.saturating_add(1);
                if place >= count {
                    return Err(CodecError::Damaged);
                }
            }
            let front = recent.get_mut(..=place).ok_or(CodecError::Damaged)?;
            front.rotate_right(1);
            let [selector, ..] = recent;
            self.selectors.push(selector);
        }
        self.codes.clear();
        for _ in 0..count {
            self.codes.push(Code::new(bits, symbols)?);
        }
        Ok(())
    }

    /// Links each byte of a sorted block to the one that follows it. Returns the place
    /// of the first.
    fn link(&mut self, start: usize, counts: &[u32; 256]) -> Result<usize, CodecError> {
        let mut sum = 0_u32;
        let mut places = counts.map(|count| {
            let place = sum;
            sum = sum.saturating_add(count);
            place
        });
        for index in 0..self.block.len() {
            let byte = self.block.get(index).copied().unwrap_or(0) & 0xff;
            let place = usize::try_from(byte).ok().and_then(|byte| places.get_mut(byte));
            let place = place.ok_or(CodecError::Damaged)?;
            let target = usize::try_from(*place).ok().and_then(|at| self.block.get_mut(at));
            // There are at most 900,000.
            let link = u32::try_from(index).unwrap_or(0) << 8;
            *target.ok_or(CodecError::Damaged)? |= link;
            *place = place.saturating_add(1);
        }
        let first = self.block.get(start).ok_or(CodecError::Damaged)?;
        Ok(usize::try_from(first >> 8).unwrap_or(0))
    }

    /// Writes a block into a unit. Behind four bytes that are the same there is how
    /// often it comes again. Returns how much was written.
    fn unfold(&self, start: usize, unit: &mut [u8]) -> Result<usize, CodecError> {
        let (mut place, mut done) = (start, 0_usize);
        let (mut last, mut same) = (0_u8, 0_u32);
        for _ in 0..self.block.len() {
            let entry = self.block.get(place).copied().ok_or(CodecError::Damaged)?;
            place = usize::try_from(entry >> 8).unwrap_or(usize::MAX);
            let [byte, ..] = entry.to_le_bytes();
            if same == 4 {
                let end = done.saturating_add(byte.into());
                unit.get_mut(done..end).ok_or(CodecError::Long)?.fill(last);
                done = end;
                same = 0;
                continue;
            }
            same = if byte == last { same.saturating_add(1) } else { 1 };
            last = byte;
            *unit.get_mut(done).ok_or(CodecError::Long)? = byte;
            done = done.saturating_add(1);
        }
        Ok(done)
    }
}

/// The bytes that a block has, in order, and how many there are.
fn alphabet(bits: &mut Bits<'_>) -> Result<([u8; 256], usize), CodecError> {
    let mut bytes = [0; 256];
    let mut used = 0_usize;
    let groups = bits.take(16)?;
    for group in (0..16_u8).filter(|group| groups & (0x8000 >> group) != 0) {
        let members = bits.take(16)?;
        for member in (0..16_u8).filter(|member| members & (0x8000 >> member) != 0) {
            *bytes.get_mut(used).ok_or(CodecError::Damaged)? = (group << 4) | member;
            used = used.saturating_add(1);
        }
    }
    if used == 0 { Err(CodecError::Damaged) } else { Ok((bytes, used)) }
}

/// Appends a byte to a block, so many times.
fn append(
    block: &mut Vec<u32>,
    counts: &mut [u32; 256],
    byte: u8,
    times: usize,
    most: usize,
) -> Result<(), CodecError> {
    let length = block.len().saturating_add(times);
    if length > most {
        return Err(CodecError::Damaged);
    }
    block.resize(length, byte.into());
    if let Some(count) = counts.get_mut(usize::from(byte)) {
        *count = count.saturating_add(u32::try_from(times).unwrap_or(0));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
