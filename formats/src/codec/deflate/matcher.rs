//! Finding what was there before.
//!
//! Places are kept by the next four bytes: for each hash the last place, and for each
//! place of the window the one before with the same hash. They are counted over all
//! units, so that nothing has to be cleared for the next one.

use alloc::boxed::Box;
use alloc::vec;

use super::token::{LONGEST, SHORTEST};
use crate::codec::same::same;

/// Bits of a hash.
const HASH_BITS: u32 = 15;

/// How many hashes there are.
const HASHES: usize = 1 << HASH_BITS;

/// The largest window.
pub(super) const LARGEST: usize = 32 << 10;

/// Places of the window that are looked at for one match.
const CHAIN: u32 = 24;

/// If there is a match of this length already, a quarter of that.
const GOOD: usize = 12;

/// A match of this length is good enough.
const NICE: usize = 96;

/// Finds matches in one unit after the other.
pub(super) struct Matcher {
    /// By the hash: the last place that has it.
    heads: Box<[u32; HASHES]>,
    /// By the place in the window: the place before with the same hash.
    before: Box<[u32; LARGEST]>,
    /// The number of the first place of the unit.
    base: u32,
    /// Places of the units so far.
    next: u32,
    /// How far back a match may lie.
    window: u32,
}

/// A match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) length: usize,
    pub(super) distance: usize,
}

impl Default for Matcher {
    fn default() -> Self {
        let heads = vec![0; HASHES].into_boxed_slice().try_into();
        let before = vec![0; LARGEST].into_boxed_slice().try_into();
        Self {
            heads: heads.unwrap_or_else(|_| Box::new([0; HASHES])),
            before: before.unwrap_or_else(|_| Box::new([0; LARGEST])),
            base: 1,
            next: 1,
            window: 0,
        }
    }
}

impl Matcher {
    /// Begins with a unit of so many bytes. Nothing before it is found any more.
    pub(super) fn begin(&mut self, length: usize, window: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.window = u32::try_from(window.min(LARGEST)).unwrap_or(0);
        self.base = self.next;
        // A number that comes again would be taken for another place.
        self.next = match self.base.checked_add(length) {
            Some(next) => next,
            None => {
                self.heads.fill(0);
                self.before.fill(0);
                self.base = 1;
                length.saturating_add(1)
            }
        };
    }

    /// Notes a place, and returns the last one with the same hash.
    #[inline]
    pub(super) fn insert(&mut self, unit: &[u8], place: usize) -> u32 {
        let Some(bytes) = load(unit, place) else { return 0 };
        let number = self.number(place);
        // The multiplier is 2^32 divided by the golden ratio (Knuth).
        let hash = bytes.wrapping_mul(0x9e37_79b1) >> 32_u32.wrapping_sub(HASH_BITS);
        let Some(head) = self.heads.get_mut(index(hash) & (HASHES - 1)) else { return 0 };
        let last = core::mem::replace(head, number);
        if let Some(before) = self.before.get_mut(index(number) & (LARGEST - 1)) {
            *before = last;
        }
        last
    }

    /// The longest match at a place that is longer than `than`, from the last place with
    /// the same hash on.
    #[inline]
    pub(super) fn find(&self, unit: &[u8], place: usize, last: u32, than: usize) -> Match {
        let mut best = Match { length: than.max(SHORTEST.wrapping_sub(1)), distance: 0 };
        let number = self.number(place);
        let lowest = number.saturating_sub(self.window).max(self.base);
        let most = unit.len().wrapping_sub(place).min(LONGEST);
        let mut candidate = last;
        let mut left = if than >= GOOD { CHAIN / 4 } else { CHAIN };
        let Some(start) = load(unit, place) else { return Match::default() };
        if best.length >= most {
            return Match::default();
        }
        let mut end = load(unit, place.wrapping_add(best.length).wrapping_sub(3));
        while candidate >= lowest && candidate < number && left > 0 {
            let there = index(candidate.wrapping_sub(self.base));
            // What makes a match longer is at its end, so that is looked at first.
            if load(unit, there.wrapping_add(best.length).wrapping_sub(3)) == end
                && load(unit, there) == Some(start)
            {
                let length = same(unit, there, place, most);
                if length > best.length {
                    best = Match { length, distance: place.wrapping_sub(there) };
                    if length >= NICE || length >= most {
                        break;
                    }
                    end = load(unit, place.wrapping_add(length).wrapping_sub(3));
                }
            }
            let before = self.before.get(index(candidate) & (LARGEST - 1)).copied().unwrap_or(0);
            // Its place was taken by a later one.
            if before >= candidate {
                break;
            }
            candidate = before;
            left = left.wrapping_sub(1);
        }
        if best.distance == 0 { Match::default() } else { best }
    }

    /// The number of a place.
    #[inline]
    fn number(&self, place: usize) -> u32 {
        self.base.wrapping_add(u32::try_from(place).unwrap_or(0))
    }
}

#[inline]
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// The four bytes at a place.
#[inline]
fn load(unit: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*unit.get(place..)?.first_chunk()?))
}
