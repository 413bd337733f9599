//! Huffman codes: short words for what comes often (RFC 1951, section 3.2.2).

/// The words of a code, by symbol: the bits as they are written, the lowest first, and
/// above [`SHIFT`] how many they are; zero for what has no word.
pub(super) type Words<const N: usize> = [u32; N];

/// Where the length of a word is.
pub(super) const SHIFT: u32 = 24;

/// The most symbols of a code.
const MOST: usize = 288;

/// Lengths of words, by symbol, for symbols that come so often. The longest has `limit`
/// bits at the most; two words are there at least.
pub(super) fn lengths<const N: usize>(counts: &[u32; N], limit: usize) -> [u8; N] {
    let mut lengths = [0_u8; N];
    // In the order of how often they come, with the symbol below.
    let mut order = [0_u64; MOST];
    let mut used = 0_usize;
    for (symbol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        if let Some(place) = order.get_mut(used) {
            *place = (u64::from(*count) << 16) | symbol as u64;
            used = used.saturating_add(1);
        }
    }
    let order = order.get_mut(..used).unwrap_or_default();
    order.sort_unstable();
    if used < 2 {
        // A code of one word is not a code for every reader.
        let only = order.first().map_or(0, |entry| entry & 0xffff);
        for symbol in [only, u64::from(only == 0)] {
            let place = usize::try_from(symbol).ok().and_then(|symbol| lengths.get_mut(symbol));
            place.into_iter().for_each(|length| *length = 1);
        }
        return lengths;
    }
    let mut numbers = depths(order, limit);
    // The least often ones have the longest words.
    let mut length = limit;
    for entry in order.iter() {
        while numbers.get(length).is_some_and(|left| *left == 0) {
            length = length.saturating_sub(1);
        }
        if let Some(left) = numbers.get_mut(length) {
            *left = left.saturating_sub(1);
        }
        let symbol = usize::try_from(entry & 0xffff).unwrap_or(0);
        let place = lengths.get_mut(symbol);
        place.into_iter().for_each(|place| *place = u8::try_from(length).unwrap_or(0));
    }
    lengths
}

/// How many words there are of each length, for symbols in the order of how often they
/// come.
fn depths(order: &[u64], limit: usize) -> [u32; 16] {
    // The tree, from its leaves up: the weights of inner nodes come in ascending order,
    // so that the two lightest nodes are in front of one of two queues (J. van Leeuwen,
    // 1976).
    let mut weights = [0_u64; MOST];
    let mut parents = [0_usize; MOST];
    let mut leaf_parents = [0_usize; MOST];
    let (mut leaf, mut inner) = (0_usize, 0_usize);
    let nodes = order.len().saturating_sub(1);
    for node in 0..nodes {
        let mut weight = 0_u64;
        for _ in 0..2 {
            let leaf_weight = order.get(leaf).map(|entry| entry >> 16);
            let inner_weight = weights.get(inner).copied().filter(|_| inner < node);
            match (leaf_weight, inner_weight) {
                (Some(first), second) if second.is_none_or(|second| first <= second) => {
                    weight = weight.saturating_add(first);
                    leaf_parents.get_mut(leaf).into_iter().for_each(|parent| *parent = node);
                    leaf = leaf.saturating_add(1);
                }
                (_, Some(second)) => {
                    weight = weight.saturating_add(second);
                    parents.get_mut(inner).into_iter().for_each(|parent| *parent = node);
                    inner = inner.saturating_add(1);
                }
                _ => {}
            }
        }
        weights.get_mut(node).into_iter().for_each(|place| *place = weight);
    }
    // And down again: the last node is the root.
    let mut levels = [0_usize; MOST];
    for node in (0..nodes.saturating_sub(1)).rev() {
        let parent = parents.get(node).and_then(|parent| levels.get(*parent)).copied();
        let level = parent.unwrap_or(0).saturating_add(1);
        levels.get_mut(node).into_iter().for_each(|place| *place = level);
    }
    let mut numbers = [0_u32; 16];
    for parent in leaf_parents.iter().take(order.len()) {
        let level = levels.get(*parent).copied().unwrap_or(0).saturating_add(1);
        let place = numbers.get_mut(level.min(limit));
        place.into_iter().for_each(|number| *number = number.saturating_add(1));
    }
    shorten(&mut numbers, limit);
    numbers
}

/// Makes words of a code again of those that were cut to a limit: there are too many
/// of the longest.
fn shorten(numbers: &mut [u32; 16], limit: usize) {
    let room = |numbers: &[u32; 16]| {
        let sizes = numbers.iter().enumerate().skip(1);
        sizes.fold(0_u32, |sum, (length, number)| {
            let size = 1_u32 << limit.saturating_sub(length);
            sum.saturating_add(number.saturating_mul(size))
        })
    };
    while room(numbers) > 1 << limit {
        // One of the longest goes beside a shorter one, which gets longer by a bit.
        let shorter = (1..limit).rev().find(|length| numbers.get(*length).is_some_and(|n| *n > 0));
        let Some(shorter) = shorter else { return };
        for (length, more) in [(limit, -1), (shorter, -1), (shorter.saturating_add(1), 2)] {
            if let Some(number) = numbers.get_mut(length) {
                *number = number.saturating_add_signed(more);
            }
        }
    }
}

/// The words with these lengths.
pub(super) fn words<const N: usize>(lengths: &[u8; N]) -> Words<N> {
    let mut numbers = [0_u32; 16];
    for length in lengths.iter().filter(|length| **length > 0) {
        let place = numbers.get_mut(usize::from(*length));
        place.into_iter().for_each(|number| *number = number.saturating_add(1));
    }
    let mut word = 0_u32;
    let mut next = numbers.map(|number| {
        word = word.wrapping_mul(2);
        let first = word;
        word = word.wrapping_add(number);
        first
    });
    lengths.map(|length| {
        let Some(word) = next.get_mut(usize::from(length)).filter(|_| length > 0) else {
            return 0;
        };
        let bits = word.reverse_bits() >> 32_u32.saturating_sub(length.into());
        *word = word.wrapping_add(1);
        bits | (u32::from(length) << SHIFT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What words take of all there can be: one, if it is a code.
    fn taken(lengths: &[u8]) -> u64 {
        lengths.iter().filter(|length| **length > 0).map(|length| 1 << (32 - length)).sum()
    }

    #[test]
    fn codes_are_complete_and_short() {
        let mut fibonacci = [0_u32; 40];
        let (mut one, mut two) = (1, 1);
        for count in &mut fibonacci {
            *count = one;
            (one, two) = (two, one + two);
        }
        for limit in [7, 9, 12, 15] {
            let lengths = lengths(&fibonacci, limit);
            assert_eq!(taken(&lengths), 1 << 32, "{limit}");
            assert_eq!(usize::from(*lengths.iter().max().unwrap()), limit);
            assert!(lengths.is_sorted_by(|left, right| left >= right));
        }
        assert_eq!(lengths(&[7; 8], 15), [3; 8]);
        assert_eq!(lengths(&[1, 0, 5, 2, 0, 9], 15), [3, 0, 2, 3, 0, 1]);
        assert_eq!(taken(&lengths(&[1; 286], 15)), 1 << 32);
    }

    #[test]
    fn there_are_always_two_words() {
        assert_eq!(lengths(&[0, 0, 0], 7), [1, 1, 0]);
        assert_eq!(lengths(&[5, 0, 0], 7), [1, 1, 0]);
        assert_eq!(lengths(&[0, 0, 5], 7), [1, 0, 1]);
    }

    #[test]
    fn words_are_those_of_the_specification() {
        // Section 3.2.2: 010, 011, 100, 101, 110, 00, 1110, 1111.
        let expected = [0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111];
        let lengths = [3, 3, 3, 3, 3, 2, 4, 4];
        let found = words(&lengths).map(|word| word & 0xff_ffff);
        assert_eq!(found, expected);
    }
}
