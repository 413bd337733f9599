//! Where a file has data, and where holes.
//!
//! A hole reads as zeros and need not be read. The host's file system knows them; the
//! guest asks for what lies behind an offset, and gets the ranges of data there, as far
//! as they fit into an [`ANSWER`].

use alloc::vec::Vec;

/// The length of an answer in bytes.
pub const ANSWER: usize = 4096;

/// How many ranges fit in an answer.
pub const MAX_RANGES: usize = (ANSWER - HEAD) / RANGE;

/// The end of what the answer is about, and the number of ranges: 64 bits each,
/// little-endian, as all numbers of an answer.
const HEAD: usize = 16;

/// The start and the end of a range.
const RANGE: usize = 16;

/// The ranges of a file that have data, up to some end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Where the answer ends, in bytes: nothing is said about what is behind.
    pub end: u64,
    /// The ranges with data, in order: start and end, in bytes.
    pub data: Vec<(u64, u64)>,
}

impl Ranges {
    /// What is known at an offset: whether it is a hole, and how far that goes. Nothing
    /// is known behind the end.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<(bool, u64)> {
        let left = self.end.checked_sub(offset).filter(|left| *left > 0)?;
        let next = self.data.partition_point(|(_, end)| *end <= offset);
        match self.data.get(next) {
            Some((start, end)) if *start <= offset => Some((false, (end - offset).min(left))),
            Some((start, _)) => Some((true, (start - offset).min(left))),
            None => Some((true, left)),
        }
    }

    /// The answer as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ANSWER] {
        let ranges = self.data.iter().take(MAX_RANGES);
        let count = ranges.len() as u64;
        let numbers = ranges.flat_map(|(start, end)| [*start, *end]);
        let numbers = [self.end, count].into_iter().chain(numbers);
        let mut answer = [0; ANSWER];
        for (place, number) in answer.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        answer
    }

    /// The answer that bytes are.
    #[must_use]
    pub fn from_bytes(answer: &[u8]) -> Self {
        let (words, _) = answer.as_chunks::<8>();
        let mut numbers = words.iter().map(|word| u64::from_le_bytes(*word));
        let end = numbers.next().unwrap_or(0);
        let count = numbers.next().unwrap_or(0);
        let count = usize::try_from(count).unwrap_or(0).min(MAX_RANGES);
        let range = || Some((numbers.next()?, numbers.next()?));
        Self { end, data: core::iter::from_fn(range).take(count).collect() }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn ranges() -> Ranges {
        Ranges { end: 100, data: vec![(10, 20), (30, 40), (90, 200)] }
    }

    #[test]
    fn what_is_not_data_is_a_hole() {
        for (offset, expected) in [
            (0, Some((true, 10))),
            (10, Some((false, 10))),
            (19, Some((false, 1))),
            (20, Some((true, 10))),
            (35, Some((false, 5))),
            (40, Some((true, 50))),
            (95, Some((false, 5))),
            (99, Some((false, 1))),
            (100, None),
            (u64::MAX, None),
        ] {
            assert_eq!(ranges().at(offset), expected, "{offset}");
        }
        assert_eq!(Ranges { end: 5, data: vec![] }.at(1), Some((true, 4)));
    }

    #[test]
    fn an_answer_survives_the_wire() {
        let many =
            Ranges { end: u64::MAX, data: (0..255).map(|at| (2 * at, 2 * at + 1)).collect() };
        assert_eq!(many.data.len(), MAX_RANGES);
        for answer in [Ranges::default(), ranges(), many] {
            assert_eq!(Ranges::from_bytes(&answer.to_bytes()), answer);
        }
    }
}
