//! Copying within a unit. Most of what is copied is short: it goes in steps of a fixed
//! size, and what such a step writes too much is overwritten later.

/// From so many bytes on there is an instruction that is faster than steps.
const LONG: usize = 512;

/// The bytes of a step, and of one for matches that are near.
const STEP: usize = 16;
const SMALL: usize = 8;

/// Copies a sequence to a place in a unit: so many literals, which are the first of others,
/// and a match from a distance before its own place on. All of that is there.
#[inline(always)]
pub(super) fn sequence(
    unit: &mut [u8],
    place: usize,
    source: &[u8],
    literals: usize,
    distance: usize,
    length: usize,
) {
    let here = place.wrapping_add(literals);
    if literals <= STEP
        && length <= 2 * STEP
        && distance >= STEP
        && let Some(bytes) = source.first_chunk::<STEP>()
        && let Some(room) = room(unit, place)
    {
        *room.first_chunk_mut().unwrap_or(&mut [0; STEP]) = *bytes;
        let from = here.wrapping_sub(distance);
        step(unit, from, place, literals);
        if length > STEP {
            step(unit, from.wrapping_add(STEP), place, literals.wrapping_add(STEP));
        }
        return;
    }
    long_literals(unit, place, source, literals);
    long_match(unit, here, distance, length);
}

/// Room for the longest sequence of few steps.
#[inline(always)]
fn room(unit: &mut [u8], place: usize) -> Option<&mut [u8; 3 * STEP]> {
    unit.get_mut(place..)?.first_chunk_mut()
}

/// Copies a step to where the room at a place has it.
#[inline(always)]
fn step(unit: &mut [u8], from: usize, place: usize, within: usize) {
    if let Some(bytes) = load::<STEP>(unit, from)
        && let Some(room) = room(unit, place)
    {
        store(room, within, bytes);
    }
}

#[inline(never)]
fn long_literals(unit: &mut [u8], place: usize, source: &[u8], length: usize) {
    let here = unit.get_mut(place..).and_then(|unit| unit.get_mut(..length));
    if let (Some(here), Some(there)) = (here, source.get(..length)) {
        here.copy_from_slice(there);
    }
}

#[inline(never)]
fn long_match(unit: &mut [u8], place: usize, distance: usize, length: usize) {
    let (from, end) = (place.wrapping_sub(distance), place.wrapping_add(length));
    match distance {
        _ if end > unit.len() || distance == 0 || distance > place => {}
        _ if length >= LONG && distance >= length => {
            unit.copy_within(from..from.wrapping_add(length), place);
        }
        1 => {
            let byte = unit.get(from).copied().unwrap_or(0);
            unit.get_mut(place..end).unwrap_or_default().fill(byte);
        }
        ..SMALL => repeat(unit, place, distance, end),
        SMALL..STEP => steps::<SMALL>(unit, place, distance, end),
        _ => steps::<STEP>(unit, place, distance, end),
    }
}

/// Copies in steps that are no longer than the distance.
#[inline(always)]
fn steps<const N: usize>(unit: &mut [u8], place: usize, distance: usize, end: usize) {
    let mut place = place;
    while place < end {
        let bytes = load::<N>(unit, place.wrapping_sub(distance)).unwrap_or([0; N]);
        if !store(unit, place, bytes) {
            return finish(unit, place, distance, end);
        }
        place = place.wrapping_add(N);
    }
}

/// Repeats what is shorter than a step.
fn repeat(unit: &mut [u8], place: usize, distance: usize, end: usize) {
    let from = place.wrapping_sub(distance);
    let Some(bytes) = load::<SMALL>(unit, from) else {
        return finish(unit, place, distance, end);
    };
    let bits = |bytes: usize| u32::try_from(bytes.wrapping_mul(8)).unwrap_or(0);
    let mut word = u64::from_le_bytes(bytes) & 1_u64.wrapping_shl(bits(distance)).wrapping_sub(1);
    let mut there = distance;
    while there < SMALL {
        word |= word.wrapping_shl(bits(there));
        there = there.wrapping_mul(2);
    }
    // As often as it goes in whole.
    let whole = SMALL.wrapping_sub(SMALL.checked_rem(distance).unwrap_or(0));
    let mut place = place;
    while place < end {
        if !store(unit, place, word.to_le_bytes()) {
            return finish(unit, place, distance, end);
        }
        place = place.wrapping_add(whole);
    }
}

/// Copies the last bytes of a unit, where there is no room for a step.
#[inline(never)]
fn finish(unit: &mut [u8], place: usize, distance: usize, end: usize) {
    for place in place..end {
        let byte = unit.get(place.wrapping_sub(distance)).copied().unwrap_or(0);
        unit.get_mut(place).into_iter().for_each(|here| *here = byte);
    }
}

#[inline(always)]
fn load<const N: usize>(bytes: &[u8], place: usize) -> Option<[u8; N]> {
    bytes.get(place..)?.first_chunk().copied()
}

#[inline(always)]
fn store<const N: usize>(unit: &mut [u8], place: usize, bytes: [u8; N]) -> bool {
    let here = unit.get_mut(place..).and_then(|unit| unit.first_chunk_mut());
    here.map(|here| *here = bytes).is_some()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Bytes that are all different, as far as that goes.
    fn bytes(length: u32) -> Vec<u8> {
        (0..length).map(|place| (place % 251).to_le_bytes()[0]).collect()
    }

    #[test]
    fn sequences_are_what_a_simple_copy_makes() {
        let lengths = (3..36).chain([511, 512, 600]);
        for (length, literals) in lengths.flat_map(|length| [0, 15, 16, 17].map(|it| (length, it)))
        {
            for distance in (1..20).chain([31, 32, 50]) {
                for behind in [0, 7, 15, 48] {
                    let source = bytes(100);
                    let mut unit = bytes(50);
                    let mut expected = [&unit, &source[..literals]].concat();
                    for _ in 0..length {
                        expected.push(expected[expected.len() - distance]);
                    }
                    unit.resize(expected.len() + behind, 0);
                    // With more literals behind them, and without.
                    for source in [&source, &source[..literals]] {
                        let mut unit = unit.clone();
                        sequence(&mut unit, 50, source, literals, distance, length);
                        assert!(
                            unit.starts_with(&expected),
                            "{literals} {distance} {length} {behind}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn far_matches_are_copied_at_once() {
        for length in [100, 511, 512, 900] {
            let mut unit = bytes(2000);
            let expected = unit[..length].to_vec();
            sequence(&mut unit, 1000, &[], 0, 1000, length);
            assert_eq!(unit[1000..1000 + length], expected);
        }
    }

    #[test]
    fn nothing_is_copied_from_or_to_the_outside() {
        for (distance, length) in [(21, 20), (0, 20), (5, 400), (20, 600), (21, 600)] {
            let mut unit = std::vec![0; 400];
            unit[..20].fill(3);
            let before = unit.clone();
            long_match(&mut unit, 20, distance, length);
            assert_eq!(unit, before);
        }
    }
}
