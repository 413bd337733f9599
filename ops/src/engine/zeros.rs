//! Looking for zeros.

use alloc::vec::Vec;
use core::ops::Range;

/// How many bytes are looked at before it is decided whether to go on: enough to keep
/// the vector units busy.
const STRIDE: usize = 256;

/// Whether all bytes are zero.
#[must_use]
pub fn are_zero(bytes: &[u8]) -> bool {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let any = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all | byte) != 0;
    !strides.iter().any(|stride| any(stride)) && !any(rest)
}

/// The parts of a piece that are to be stored: what is between runs of at least `sparse`
/// zeros. Runs begin and end with a block of the largest power of two that is not larger
/// than that. If `sparse` is zero, all is to be stored.
#[must_use]
pub fn data_runs(bytes: &[u8], sparse: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    if sparse == 0 {
        runs.push(0..bytes.len());
        return runs;
    }
    let block = 1_usize.checked_shl(sparse.ilog2()).unwrap_or(sparse);
    let mut start = 0;
    for block in bytes.chunks(block) {
        let end = start + block.len();
        if !are_zero(block) {
            match runs.last_mut() {
                // What is in between is too little to be left out.
                Some(last) if start - last.end < sparse => last.end = end,
                _ => runs.push(start..end),
            }
        }
        start = end;
    }
    runs
}

/// The same runs, grown to whole units.
#[must_use]
pub fn in_units(runs: &[Range<usize>], unit: usize, length: usize) -> Vec<Range<usize>> {
    let mut grown: Vec<Range<usize>> = Vec::new();
    for run in runs {
        let start = run.start - run.start % unit;
        let end = run.end.next_multiple_of(unit).min(length);
        match grown.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => grown.push(start..end),
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn one_byte_makes_the_difference() {
        for length in [0, 1, 255, 256, 257, 1000] {
            let mut bytes = vec![0; length];
            assert!(are_zero(&bytes), "{length}");
            for place in 0..length {
                bytes[place] = 1;
                assert!(!are_zero(&bytes), "{place} of {length}");
                bytes[place] = 0;
            }
        }
    }

    /// Runs as pairs of numbers.
    fn pairs(runs: &[Range<usize>], unit: usize) -> Vec<(usize, usize)> {
        runs.iter().map(|run| (run.start / unit, run.end / unit)).collect()
    }

    #[test]
    fn runs_of_zeros_are_left_out_if_they_are_long_enough() {
        for (pattern, sparse, expected) in [
            ("", 512, vec![]),
            ("00", 512, vec![]),
            ("11", 512, vec![(0, 2)]),
            ("0101", 512, vec![(1, 2), (3, 4)]),
            ("0101", 1024, vec![(0, 4)]),
            ("10000010", 1024, vec![(0, 2), (6, 8)]),
            ("10000010", 2048, vec![(0, 8)]),
            ("10000001", 1536, vec![(0, 2), (6, 8)]),
            ("010", 0, vec![(0, 3)]),
        ] {
            let sectors = pattern.bytes().map(|digit| vec![digit - b'0'; 512]);
            let bytes: Vec<u8> = sectors.flatten().collect();
            let runs = data_runs(&bytes, sparse);
            assert_eq!(pairs(&runs, 512), expected, "{pattern} {sparse}");
        }
    }

    #[test]
    fn runs_grow_to_whole_units() {
        let grown = |runs: &[(usize, usize)]| {
            let runs: Vec<_> = runs.iter().map(|(start, end)| *start..*end).collect();
            pairs(&in_units(&runs, 4096, 10_000), 1)
        };
        assert_eq!(grown(&[(512, 1024), (5000, 5001)]), [(0, 8192)]);
        assert_eq!(grown(&[(512, 1024), (9000, 9500)]), [(0, 4096), (8192, 10_000)]);
        assert_eq!(grown(&[]), []);
    }
}
