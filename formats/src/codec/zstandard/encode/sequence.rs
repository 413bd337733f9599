//! What a block is divided into: literals, and sequences.

use alloc::vec::Vec;

use crate::codec::zstandard::codes::SHORTEST_MATCH;

/// Literals go in steps of so many bytes, as most of them are few.
const STEP: usize = 16;

/// Some literals, and a match behind them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    /// How many literals.
    pub(super) literals: u32,
    /// The length of the match.
    pub(super) length: u32,
    /// Its offset, as it is written.
    pub(super) offset: u32,
}

/// The sequences of a block.
#[derive(Default)]
pub(super) struct Sequences {
    list: Vec<Sequence>,
    /// All literals, and room for a step.
    literals: Vec<u8>,
    /// How many of them there are.
    count: usize,
}

impl Sequences {
    /// Begins with a block of so many bytes.
    pub(super) fn begin(&mut self, length: usize) {
        self.list.clear();
        self.count = 0;
        let size = length.wrapping_add(STEP);
        if self.literals.len() < size {
            self.literals.resize(size, 0);
        }
    }

    /// The sequences.
    pub(super) fn list(&self) -> &[Sequence] {
        &self.list
    }

    /// All literals.
    pub(super) fn literals(&self) -> &[u8] {
        self.literals.get(..self.count).unwrap_or_default()
    }

    /// Adds literals of a unit, from an anchor up to a place, and a match there.
    #[inline(always)]
    pub(super) fn push(
        &mut self,
        unit: &[u8],
        anchor: usize,
        place: usize,
        length: usize,
        offset: usize,
    ) {
        let count = place.wrapping_sub(anchor);
        self.append(unit.get(anchor..).unwrap_or_default(), count);
        // A block is no longer than 128 KiB, a unit shorter than 4 GiB.
        let number = |number: usize| u32::try_from(number).unwrap_or(0);
        let (literals, length) = (number(count), number(length));
        debug_assert!(length >= SHORTEST_MATCH, "a match is too short");
        self.list.push(Sequence { literals, length, offset: number(offset) });
    }

    /// Adds the literals behind the last match.
    pub(super) fn finish(&mut self, bytes: &[u8]) {
        self.append(bytes, bytes.len());
    }

    #[inline(always)]
    fn append(&mut self, bytes: &[u8], count: usize) {
        let place = self.literals.get_mut(self.count..).unwrap_or_default();
        self.count = self.count.wrapping_add(count);
        if count <= STEP
            && let Some(step) = bytes.first_chunk::<STEP>()
            && let Some(place) = place.first_chunk_mut()
        {
            *place = *step;
            return;
        }
        if let (Some(place), Some(bytes)) = (place.get_mut(..count), bytes.get(..count)) {
            place.copy_from_slice(bytes);
        }
    }
}
