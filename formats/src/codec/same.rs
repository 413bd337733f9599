//! How long a match is, for those who look for matches.

/// How many bytes are the same at two places, for so many at the most: a word at a time.
#[inline]
pub(super) fn same(unit: &[u8], there: usize, here: usize, most: usize) -> usize {
    let end = here.wrapping_add(most);
    let here = unit.get(here..end).unwrap_or_default();
    let there = unit.get(there..).unwrap_or_default();
    let (heres, _) = here.as_chunks::<8>();
    let (theres, _) = there.as_chunks::<8>();
    let mut length = 0_usize;
    for (left, right) in heres.iter().zip(theres) {
        let difference = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if difference != 0 {
            let equal = usize::try_from(difference.trailing_zeros() / 8).unwrap_or(0);
            return length.wrapping_add(equal);
        }
        length = length.wrapping_add(8);
    }
    let rest = here.iter().zip(there).skip(length);
    length.wrapping_add(rest.take_while(|(left, right)| left == right).count())
}
