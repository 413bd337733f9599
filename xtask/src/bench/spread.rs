//! Many times of one thing.

use std::time::Duration;

/// The middle of many times and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    /// What it takes if nothing else is going on.
    pub(super) least: Duration,
    pub(super) median: Duration,
    /// Nine of ten are below.
    pub(super) ninth_tenth: Duration,
}

impl Spread {
    /// Of no times, all are zero.
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Self { least: at(0), median: at(times.len() / 2), ninth_tenth: at(times.len() * 9 / 10) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_times_does_not_matter() {
        let spread =
            |times: &[u64]| Spread::of(times.iter().copied().map(Duration::from_millis).collect());
        let expected = |[least, median, ninth_tenth]: [u64; 3]| Spread {
            least: Duration::from_millis(least),
            median: Duration::from_millis(median),
            ninth_tenth: Duration::from_millis(ninth_tenth),
        };
        for (times, numbers) in [
            (&[][..], [0, 0, 0]),
            (&[7], [7, 7, 7]),
            (&[3, 1, 2], [1, 2, 3]),
            (&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [0, 5, 9]),
        ] {
            assert_eq!(spread(times), expected(numbers), "{times:?}");
        }
    }
}
