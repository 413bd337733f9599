//! Ranges of a file that are not there any more.

use std::collections::BTreeMap;

/// Ranges, in order and apart from each other: the start of each, and its end.
#[derive(Debug, Default)]
pub struct Gone(BTreeMap<u64, u64>);

impl Gone {
    /// Adds a range, in bytes.
    pub fn add(&mut self, start: u64, end: u64) {
        let (mut start, mut end) = (start, end);
        // Those that it touches become one with it.
        while let Some((&first, &last)) = self.0.range(..=end).next_back() {
            if last < start {
                break;
            }
            self.0.remove(&first);
            (start, end) = (start.min(first), end.max(last));
        }
        self.0.insert(start, end);
    }

    /// The first byte of a range that is gone, if one is.
    #[must_use]
    pub fn first_in(&self, start: u64, end: u64) -> Option<u64> {
        let before = self.0.range(..=start).next_back();
        if before.is_some_and(|(_, last)| *last > start) {
            return Some(start);
        }
        self.0.range(start..end).next().map(|(first, _)| *first)
    }

    /// Where the first range ends, or zero if nothing is gone.
    #[must_use]
    pub fn end_of_first(&self) -> u64 {
        self.0.first_key_value().map_or(0, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        for (ranges, expected) in [
            (&[(10, 20), (30, 40)][..], &[(10, 20), (30, 40)][..]),
            (&[(30, 40), (10, 20)], &[(10, 20), (30, 40)]),
            (&[(10, 20), (20, 30)], &[(10, 30)]),
            (&[(20, 30), (10, 20)], &[(10, 30)]),
            (&[(10, 20), (30, 40), (15, 35)], &[(10, 40)]),
            (&[(10, 20), (30, 40), (50, 60), (0, 100)], &[(0, 100)]),
            (&[(10, 40), (20, 30)], &[(10, 40)]),
        ] {
            let mut gone = Gone::default();
            ranges.iter().for_each(|(start, end)| gone.add(*start, *end));
            let found: Vec<_> = gone.0.iter().map(|(start, end)| (*start, *end)).collect();
            assert_eq!(found, expected, "{ranges:?}");
        }
    }

    #[test]
    fn what_is_gone_is_found() {
        let mut gone = Gone::default();
        assert_eq!((gone.first_in(0, u64::MAX), gone.end_of_first()), (None, 0));
        gone.add(10, 20);
        gone.add(30, 40);
        assert_eq!(gone.end_of_first(), 20);
        for (start, end, expected) in [
            (0, 10, None),
            (0, 11, Some(10)),
            (10, 11, Some(10)),
            (19, 25, Some(19)),
            (20, 30, None),
            (20, 31, Some(30)),
            (40, 50, None),
            (0, 100, Some(10)),
        ] {
            assert_eq!(gone.first_in(start, end), expected, "{start}..{end}");
        }
    }
}
