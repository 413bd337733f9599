//! Finding what was there before.
//!
//! Places are kept by the next eight bytes, and by the next five: for each hash the last
//! place. A long match is worth more, so that it is looked for first. Places are counted
//! over all units, so that nothing has to be cleared for the next one.

use alloc::boxed::Box;
use alloc::vec;

use super::sequence::Sequences;
use crate::codec::same;
use crate::codec::zstandard::FIRST_OFFSETS;

/// Bits of the hashes of eight bytes, and of five. For units up to [`SMALL_UNIT`] tables
/// are small: larger ones find little more, but do not stay in caches.
const LONG_BITS: u32 = 17;
const SHORT_BITS: u32 = 16;
const SMALL_LONG_BITS: u32 = 15;
const SMALL_SHORT_BITS: u32 = 14;
const SMALL_UNIT: usize = 128 << 10;

/// After so many bytes without a match, as a power of two, one more place is left out
/// each time: nothing will be found in what is random.
const PATIENCE: u32 = 8;

/// The bytes that are looked at at a time.
const WORD: usize = 8;

/// The shortest match that is found.
const SHORTEST: usize = 4;

/// 2^64 divided by the golden ratio (Knuth).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The last place of each hash.
struct Table<const N: usize>(Box<[u32; N]>);

/// Finds matches in one unit after the other.
#[derive(Default)]
pub(super) struct Matcher {
    long: Table<{ 1 << LONG_BITS }>,
    short: Table<{ 1 << SHORT_BITS }>,
    /// How far the products that hashes are made of are shifted.
    long_shift: u32,
    short_shift: u32,
    /// The number of the first place of the unit, and of the first of the next one.
    base: u32,
    next: u32,
    /// The offsets of the last matches, the last one first.
    pub(super) recent: Recent,
}

/// The offsets that can come again in short. A third one is known; it is seldom worth
/// looking for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recent {
    first: usize,
    second: usize,
}

impl Default for Recent {
    fn default() -> Self {
        let [first, second, _] = FIRST_OFFSETS;
        Self { first, second }
    }
}

/// A match.
struct Match {
    place: usize,
    distance: usize,
    length: usize,
}

impl<const N: usize> Default for Table<N> {
    fn default() -> Self {
        let places = vec![0; N].into_boxed_slice().try_into();
        Self(places.unwrap_or_else(|_| Box::new([0; N])))
    }
}

impl<const N: usize> Table<N> {
    /// Notes a place, and returns the last one with the same hash.
    #[inline(always)]
    fn insert(&mut self, hash: u64, place: u32) -> u32 {
        let hash = usize::try_from(hash).unwrap_or(0) & N.wrapping_sub(1);
        self.0.get_mut(hash).map_or(0, |last| core::mem::replace(last, place))
    }
}

impl Matcher {
    /// Begins with a unit of so many bytes. Nothing before it is found any more.
    pub(super) fn begin(&mut self, length: usize) {
        let (long, short) = match length {
            ..=SMALL_UNIT => (SMALL_LONG_BITS, SMALL_SHORT_BITS),
            _ => (LONG_BITS, SHORT_BITS),
        };
        (self.long_shift, self.short_shift) =
            (64_u32.wrapping_sub(long), 64_u32.wrapping_sub(short));
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.recent = Recent::default();
        self.base = self.next.max(1);
        // A number that comes again would be taken for another place.
        self.next = match self.base.checked_add(length) {
            Some(next) => next,
            None => {
                self.long.0.fill(0);
                self.short.0.fill(0);
                self.base = 1;
                length.saturating_add(1)
            }
        };
    }

    /// Divides a part of a unit into sequences. Matches can lie anywhere before it.
    pub(super) fn run(&mut self, unit: &[u8], start: usize, end: usize, sequences: &mut Sequences) {
        let unit = unit.get(..end).unwrap_or_default();
        let (mut place, mut anchor) = (start, start);
        while let Some(word) = load(unit, place.wrapping_add(1)).and_then(|_| load(unit, place)) {
            let Some(found) = self.find(unit, place, word) else {
                let skipped = place.wrapping_sub(anchor) >> PATIENCE;
                place = place.wrapping_add(skipped).wrapping_add(1);
                continue;
            };
            let found = begin_earlier(unit, anchor, found);
            let offset = self.recent.code(found.distance, found.place != anchor);
            sequences.push(unit, anchor, found.place, found.length, offset);
            anchor = found.place.wrapping_add(found.length);
            self.insert(unit, place.wrapping_add(2));
            self.insert(unit, anchor.wrapping_sub(2));
            place = self.again(unit, anchor, sequences);
            anchor = place;
        }
        sequences.finish(unit.get(anchor..).unwrap_or_default());
    }

    /// Takes matches that follow each other, with the offset before the last one.
    /// Returns where they end.
    #[inline(always)]
    fn again(&mut self, unit: &[u8], start: usize, sequences: &mut Sequences) -> usize {
        let mut place = start;
        while let Some(length) = same(unit, place, self.recent.second) {
            let offset = self.recent.code(self.recent.second, false);
            sequences.push(unit, place, place, length, offset);
            self.insert(unit, place);
            place = place.wrapping_add(length);
        }
        place
    }

    /// A match at a place, or at the next one.
    #[inline(always)]
    fn find(&mut self, unit: &[u8], place: usize, word: u64) -> Option<Match> {
        let next = place.wrapping_add(1);
        let number = self.number(place);
        let long = self.long.insert(self.hash_long(word), number);
        let short = self.short.insert(self.hash_short(word), number);
        if let Some(length) = same(unit, next, self.recent.first) {
            return Some(Match { place: next, distance: self.recent.first, length });
        }
        if let Some(found) = self.long_match(unit, place, long) {
            return Some(found);
        }
        let distance = self.distance(place, short)?;
        let length = same(unit, place, distance)?;
        // A short match: there may be a long one at the next place.
        let word = load(unit, next)?;
        let long = self.long.insert(self.hash_long(word), self.number(next));
        let better = self.long_match(unit, next, long);
        Some(better.unwrap_or(Match { place, distance, length }))
    }

    /// A match of eight bytes at least.
    #[inline(always)]
    fn long_match(&self, unit: &[u8], place: usize, number: u32) -> Option<Match> {
        let distance = self.distance(place, number)?;
        let length = same(unit, place, distance).filter(|length| *length >= WORD)?;
        Some(Match { place, distance, length })
    }

    /// Notes a place.
    #[inline(always)]
    fn insert(&mut self, unit: &[u8], place: usize) {
        if let Some(word) = load(unit, place) {
            let number = self.number(place);
            self.long.insert(self.hash_long(word), number);
            self.short.insert(self.hash_short(word), number);
        }
    }

    /// How far before a place another one is, if that is in the unit.
    #[inline(always)]
    fn distance(&self, place: usize, number: u32) -> Option<usize> {
        let there = usize::try_from(number.checked_sub(self.base)?).ok()?;
        Some(place.wrapping_sub(there))
    }

    #[inline(always)]
    fn hash_long(&self, word: u64) -> u64 {
        word.wrapping_mul(MULTIPLIER).wrapping_shr(self.long_shift)
    }

    #[inline(always)]
    fn hash_short(&self, word: u64) -> u64 {
        (word << 24).wrapping_mul(MULTIPLIER).wrapping_shr(self.short_shift)
    }

    /// Counts the places of the next unit from a number on.
    #[cfg(test)]
    pub(super) fn count_from(&mut self, number: u32) {
        self.next = number;
    }

    /// The number of a place.
    #[inline(always)]
    fn number(&self, place: usize) -> u32 {
        self.base.wrapping_add(u32::try_from(place).unwrap_or(0))
    }
}

impl Recent {
    /// How an offset is written (RFC 8878, section 3.1.1.5), which makes it the last one.
    #[inline(always)]
    fn code(&mut self, distance: usize, has_literals: bool) -> usize {
        let Self { first, second } = *self;
        if distance == first && has_literals {
            return 1;
        }
        *self = Self { first: distance, second: first };
        match distance == second {
            true if has_literals => 2,
            true => 1,
            false => distance.wrapping_add(3),
        }
    }
}

/// A match that begins as early as it can.
#[inline(always)]
fn begin_earlier(unit: &[u8], anchor: usize, found: Match) -> Match {
    let Match { mut place, distance, mut length } = found;
    let before = unit.get(anchor..place).unwrap_or_default();
    let there = unit.get(..place.wrapping_sub(distance)).unwrap_or_default();
    for (one, other) in before.iter().rev().zip(there.iter().rev()) {
        if one != other {
            break;
        }
        place = place.wrapping_sub(1);
        length = length.wrapping_add(1);
    }
    Match { place, distance, length }
}

/// How many bytes are the same at a place and at a distance before it, if they make a
/// match.
#[inline(always)]
fn same(unit: &[u8], place: usize, distance: usize) -> Option<usize> {
    let there = place.checked_sub(distance)?;
    let difference = load(unit, place)? ^ load(unit, there)?;
    let equal = usize::try_from(difference.trailing_zeros() >> 3).unwrap_or(0);
    if equal < SHORTEST {
        return None;
    }
    let most = unit.len().wrapping_sub(place);
    Some(if difference == 0 { same::same(unit, there, place, most) } else { equal })
}

/// The word at a place.
#[inline(always)]
fn load(unit: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*unit.get(place..)?.first_chunk::<WORD>()?))
}
