//! Compressing: a walk through a unit, from match to match.

use alloc::vec::Vec;

use super::Wrapper;
use super::bits::BitWriter;
use super::block::Block;
use super::matcher::{Match, Matcher};
use crate::checksum::adler32;

/// Tokens of a block. Then the next one gets a code of its own.
const TOKENS: usize = 16 << 10;

/// If a match is this long, the next place is not asked for a longer one.
const LAZY: usize = 20;

/// After each so many bytes without a match, as a power of two, one more place is left
/// out: nothing will be found in what is random.
const PATIENCE: u32 = 7;

/// The most places that are left out.
const MOST_SKIPPED: usize = 32;

/// The first bytes of a stream of zlib: Deflate with a window of 32 KiB, at the usual
/// level.
const ZLIB: [u8; 2] = [0x78, 0x9c];

/// Compresses one unit after the other.
#[derive(Default)]
pub(in crate::codec) struct Deflate {
    matcher: Matcher,
    block: Block,
}

impl Deflate {
    /// Appends a unit, compressed, to other bytes. No match lies further back than the
    /// window, in bytes.
    pub(in crate::codec) fn encode(
        &mut self,
        unit: &[u8],
        window: usize,
        wrapper: Wrapper,
        bytes: &mut Vec<u8>,
    ) {
        if wrapper == Wrapper::Zlib {
            bytes.extend_from_slice(&ZLIB);
        }
        self.matcher.begin(unit.len(), window);
        let mut bits = BitWriter::new(bytes);
        self.walk(unit, &mut bits);
        bits.align();
        if wrapper == Wrapper::Zlib {
            bytes.extend_from_slice(&adler32(unit).to_be_bytes());
        }
    }

    fn walk(&mut self, unit: &[u8], bits: &mut BitWriter<'_>) {
        let (mut place, mut start, mut misses) = (0_usize, 0_usize, 0_usize);
        while place < unit.len() {
            if self.block.len() >= TOKENS {
                self.block.write(unit.get(start..place).unwrap_or_default(), false, bits);
                start = place;
            }
            let last = self.matcher.insert(unit, place);
            let found = self.matcher.find(unit, place, last, 0);
            if found.length == 0 {
                misses = misses.wrapping_add(1);
                let skipped = (misses >> PATIENCE).min(MOST_SKIPPED).wrapping_add(1);
                let end = place.wrapping_add(skipped).min(unit.len());
                self.literals(unit, place, end);
                place = end;
            } else {
                misses = 0;
                place = self.take(unit, place, found);
            }
        }
        self.block.write(unit.get(start..).unwrap_or_default(), true, bits);
    }

    /// Takes a match, or a longer one that begins a little later. Returns where it ends.
    fn take(&mut self, unit: &[u8], place: usize, found: Match) -> usize {
        let (mut place, mut found) = (place, found);
        while found.length < LAZY {
            let next = place.wrapping_add(1);
            let last = self.matcher.insert(unit, next);
            let better = self.matcher.find(unit, next, last, found.length);
            if better.length == 0 {
                let end = self.push(place, found);
                (place.wrapping_add(2)..end).for_each(|inside| {
                    self.matcher.insert(unit, inside);
                });
                return end;
            }
            self.literals(unit, place, next);
            (place, found) = (next, better);
        }
        let end = self.push(place, found);
        (place.wrapping_add(1)..end).for_each(|inside| {
            self.matcher.insert(unit, inside);
        });
        end
    }

    fn push(&mut self, place: usize, found: Match) -> usize {
        self.block.of_match(found.length, found.distance);
        place.wrapping_add(found.length)
    }

    fn literals(&mut self, unit: &[u8], start: usize, end: usize) {
        let bytes = unit.get(start..end).unwrap_or_default();
        bytes.iter().for_each(|byte| self.block.literal(*byte));
    }
}
