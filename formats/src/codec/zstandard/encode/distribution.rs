//! Choosing and writing distributions (RFC 8878, section 4.1.1).

use super::bits::Bits;
use crate::codec::zstandard::codes::MOST;
use crate::codec::zstandard::fse::{Distribution, LEAST_LOG};

/// How often each symbol comes.
pub(super) type Counts = [u32; MOST];

/// A bit, in the unit of costs.
pub(super) const BIT: u64 = 256;

impl Distribution {
    /// The one that is closest to how often symbols come. There are two of them at
    /// least, and `most_log` has more states than symbols.
    pub(super) fn closest(counts: &Counts, most_log: u32) -> Self {
        let total: u32 = counts.iter().fold(0, |sum, count| sum.wrapping_add(*count));
        let symbols = counts.iter().filter(|count| **count > 0).count();
        // Few symbols do not need exact counts, which take room.
        let log = total.checked_ilog2().unwrap_or(0).saturating_sub(2);
        let least = symbols.checked_ilog2().unwrap_or(0).wrapping_add(2).max(LEAST_LOG);
        let log = log.max(least).min(most_log);
        let states = 1_u32 << log;
        let mut chosen = Self { counts: [0; MOST], log };
        let mut left = i64::from(states);
        for (state_count, count) in chosen.counts.iter_mut().zip(counts) {
            if *count > 0 {
                let share = u64::from(*count).wrapping_mul(states.into());
                let rounded = share.wrapping_add(u64::from(total >> 1));
                let share = rounded.checked_div(total.into()).unwrap_or(0).max(1);
                *state_count = i16::try_from(share).unwrap_or(i16::MAX);
                left = left.wrapping_sub(i64::from(*state_count));
            }
        }
        while left != 0 {
            // A state more or less is where it changes the length of all words most, or
            // least: that is nearly how often a symbol comes for each half of a state.
            let ratios = chosen.counts.iter_mut().zip(counts).filter(|(_, count)| **count > 0);
            let step: i16 = if left > 0 { 1 } else { -1 };
            let weight = |states: i16| i64::from(states).wrapping_mul(2).wrapping_add(step.into());
            let worth = |states: i16, count: u32| {
                let scaled = u64::from(count) << 20;
                scaled.checked_div(weight(states).unsigned_abs()).unwrap_or(0)
            };
            let best = if left > 0 {
                ratios.max_by_key(|(states, count)| worth(**states, **count))
            } else {
                let can_lose = ratios.filter(|(states, _)| **states > 1);
                can_lose.min_by_key(|(states, count)| worth(**states, **count))
            };
            let Some((best, _)) = best else { break };
            *best = best.wrapping_add(step);
            left = left.wrapping_sub(step.into());
        }
        chosen
    }

    /// One symbol that comes always.
    pub(super) fn only(symbol: usize) -> Self {
        let mut counts = [0; MOST];
        counts.get_mut(symbol).into_iter().for_each(|count| *count = 1);
        Self { counts, log: 0 }
    }

    /// What symbols take that come so often, in 256ths of a bit. None if one of them has
    /// no word.
    pub(super) fn cost(&self, counts: &Counts) -> Option<u64> {
        let used = self.counts.iter().zip(counts).filter(|(_, count)| **count > 0);
        used.map(|(states, count)| {
            let states = states.unsigned_abs();
            let bits = u64::from(self.log).wrapping_mul(BIT).checked_sub(logarithm(states)?)?;
            Some(bits.wrapping_mul((*count).into()))
        })
        .try_fold(0_u64, |sum, cost| Some(sum.wrapping_add(cost?)))
    }

    /// Writes it. Returns how many bytes it takes, if there is room.
    pub(super) fn write(&self, bytes: &mut [u8]) -> Option<usize> {
        let mut bits = Bits::new(bytes);
        bits.put(self.log.wrapping_sub(LEAST_LOG).into(), 4);
        let mut left = 1_u32 << self.log;
        let mut counts = self.counts.iter().peekable();
        while left > 0 {
            let count = *counts.next()?;
            // What is not said of a value is told where distributions are read.
            let value = u32::try_from(count.wrapping_add(1)).ok()?;
            let width = left.wrapping_add(1).ilog2().wrapping_add(1);
            let half = 1_u32.wrapping_shl(width.wrapping_sub(1));
            let spare = half.wrapping_mul(2).wrapping_sub(left).wrapping_sub(2);
            if value < spare {
                bits.put(value.into(), width.wrapping_sub(1));
            } else if value < half {
                bits.put(value.into(), width);
            } else {
                bits.put(value.wrapping_add(spare).into(), width);
            }
            bits.flush();
            left = left.checked_sub(count.unsigned_abs().into())?;
            if count == 0 {
                let mut more = 0_u64;
                while counts.next_if(|count| **count == 0).is_some() {
                    more = more.wrapping_add(1);
                }
                while more >= 3 {
                    bits.put(3, 2);
                    bits.flush();
                    more = more.wrapping_sub(3);
                }
                bits.put(more, 2);
                bits.flush();
            }
        }
        bits.finish()
    }
}

/// The binary logarithm of a number, in 256ths.
fn logarithm(number: u16) -> Option<u64> {
    let whole = number.checked_ilog2()?;
    let mut fraction = 0_u64;
    // From 1 up to, but not, 2: squared, it is twice as much of the logarithm.
    let mut rest = (u64::from(number) << 32).wrapping_shr(whole);
    for _ in 0..8 {
        rest = (rest >> 1).wrapping_mul(rest >> 1) >> 30;
        let digit = rest >> 33;
        rest = rest.wrapping_shr(u32::try_from(digit).unwrap_or(0));
        fraction = (fraction << 1) | digit;
    }
    Some(u64::from(whole).wrapping_mul(BIT).wrapping_add(fraction))
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    fn counts(some: &[u32]) -> Counts {
        let mut counts = [0; MOST];
        counts[..some.len()].copy_from_slice(some);
        counts
    }

    #[test]
    fn logarithms_are_exact_to_a_256th() {
        for number in 1..=512_u16 {
            let expected = f64::from(number).log2() * 256.0;
            let found = logarithm(number).map(|found| f64::from(u32::try_from(found).unwrap()));
            assert!((found.unwrap() - expected).abs() < 1.1, "{number}");
        }
        assert_eq!(logarithm(0), None);
    }

    #[test]
    fn distributions_are_read_as_they_were_written() {
        for (some, log) in [
            (&[1, 1][..], 5),
            (&[1, 100_000], 9),
            (&[0, 0, 0, 7, 0, 0, 0, 0, 0, 9], 6),
            (&[0, 900, 30, 0, 0, 1, 0, 20, 5000, 1], 9),
            (&[3; 53], 9),
            (&[1; 53], 8),
            (&[900_000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 6),
        ] {
            let counts = counts(some);
            let distribution = Distribution::closest(&counts, log);
            let states: u32 =
                distribution.counts.iter().map(|it| u32::from(it.unsigned_abs())).sum();
            assert_eq!(states, 1 << distribution.log, "{some:?}");
            assert!(distribution.cost(&counts).is_some());
            let mut bytes = vec![0; 200];
            let length = distribution.write(&mut bytes).unwrap();
            let mut rest = &bytes[..length];
            let read = Distribution::read(&mut rest, MOST, log).unwrap();
            assert_eq!(
                (read.log, read.counts, rest.len()),
                (distribution.log, distribution.counts, 0)
            );
        }
    }

    #[test]
    fn what_cannot_be_written_has_no_cost() {
        let distribution = Distribution::closest(&counts(&[5, 0, 5]), 5);
        assert_eq!(distribution.cost(&counts(&[10, 0, 10])), Some(20 * BIT));
        assert_eq!(distribution.cost(&counts(&[10, 1, 10])), None);
        assert_eq!(Distribution::only(3).cost(&counts(&[0, 0, 0, 9])), Some(0));
    }
}
