//! The codes of lengths and offsets, which the numbers of a sequence are written in
//! (RFC 8878, section 3.1.1.3.2.1.1): each stands for the numbers from a base on, and
//! which one it is is in bits of its own.

/// A kind of code.
#[derive(Debug)]
pub(super) struct Kind {
    /// The base of each code, and how many bits follow it.
    pub(super) codes: &'static [(u32, u8)],
    /// How often each code comes in the default distribution (section 3.1.1.3.2.2): of
    /// so many times as there are states.
    pub(super) default: &'static [i16],
    /// The default distribution has 2 to the power of this many states.
    pub(super) default_log: u32,
    /// The most that any distribution may have.
    pub(super) most_log: u32,
}

/// Lengths of literals.
pub(super) static LITERAL_LENGTHS: Kind = Kind {
    codes: &LITERAL_LENGTH_CODES,
    default: &[
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1,
        1, 1, -1, -1, -1, -1,
    ],
    default_log: 6,
    most_log: 9,
};

/// Lengths of matches.
pub(super) static MATCH_LENGTHS: Kind = Kind {
    codes: &MATCH_LENGTH_CODES,
    default: &[
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
    default_log: 6,
    most_log: 9,
};

/// Offsets.
pub(super) static OFFSETS: Kind = Kind {
    codes: &OFFSET_CODES,
    default: &[
        1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
    ],
    default_log: 5,
    most_log: 8,
};

/// The most codes of a kind.
pub(super) const MOST: usize = 53;

/// How many bits follow the codes for lengths of literals from [`LITERAL_PLAIN`] on.
const LITERAL_BITS: [u8; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// Lengths below this are codes by themselves.
const LITERAL_PLAIN: usize = 16;

/// The same for lengths of matches.
const MATCH_BITS: [u8; 21] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

const MATCH_PLAIN: usize = 32;

/// The shortest match.
pub(super) const SHORTEST_MATCH: u32 = 3;

pub(super) const LITERAL_LENGTH_CODES: [(u32, u8); 36] = lengths(0, LITERAL_PLAIN, &LITERAL_BITS);

pub(super) const MATCH_LENGTH_CODES: [(u32, u8); MOST] =
    lengths(SHORTEST_MATCH, MATCH_PLAIN, &MATCH_BITS);

/// The code of an offset is how many bits it has, less one. There are 28 for windows
/// of 128 MiB; longer ones can be written, and are refused for where they lead to.
const OFFSET_CODES: [(u32, u8); 32] = offsets();

/// Codes without bits, from the least number on, then those with so many.
#[expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "done at build time")]
const fn lengths<const N: usize>(least: u32, plain: usize, bits: &[u8]) -> [(u32, u8); N] {
    let mut codes = [(0, 0); N];
    let (mut code, mut base) = (0, least);
    while code < N {
        let more = if code < plain { 0 } else { bits[code - plain] };
        codes[code] = (base, more);
        base += 1 << more;
        code += 1;
    }
    codes
}

#[expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "done at build time")]
const fn offsets() -> [(u32, u8); 32] {
    let mut codes = [(0, 0); 32];
    let mut code = 0_u8;
    while code < 32 {
        codes[code as usize] = (1 << code, code);
        code += 1;
    }
    codes
}

/// Lengths below these have their codes in a table. Above, each code stands for twice as
/// many as the one before.
const LITERAL_TABLE: usize = 64;
const MATCH_TABLE: usize = 128;

/// The code of each length of literals, and of each length of a match less the shortest.
const LITERAL_CODES: [u8; LITERAL_TABLE] = by_number(&LITERAL_LENGTH_CODES, 0);
const MATCH_CODES: [u8; MATCH_TABLE] = by_number(&MATCH_LENGTH_CODES, SHORTEST_MATCH);

/// The code of a number of literals.
#[inline(always)]
pub(super) fn literal_length_code(length: u32) -> u8 {
    by_table(&LITERAL_CODES, length, 19)
}

/// The code of the length of a match.
#[inline(always)]
pub(super) fn match_length_code(length: u32) -> u8 {
    by_table(&MATCH_CODES, length.wrapping_sub(SHORTEST_MATCH), 36)
}

/// The code of an offset.
#[inline(always)]
pub(super) fn offset_code(offset: u32) -> u8 {
    u8::try_from(offset.checked_ilog2().unwrap_or(0)).unwrap_or(0)
}

/// The code of a number: that of the table, or the number of bits with something added.
#[inline(always)]
fn by_table<const N: usize>(table: &[u8; N], number: u32, more: u32) -> u8 {
    match usize::try_from(number).ok().and_then(|number| table.get(number)) {
        Some(code) => *code,
        None => {
            let bits = number.checked_ilog2().unwrap_or(0);
            u8::try_from(bits.wrapping_add(more)).unwrap_or(0)
        }
    }
}

#[expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "done at build time")]
const fn by_number<const N: usize>(codes: &[(u32, u8)], least: u32) -> [u8; N] {
    let mut table = [0; N];
    let (mut number, mut code) = (0, 0_u8);
    while number < N {
        while code as usize + 1 < codes.len()
            && codes[code as usize + 1].0 as usize <= number + least as usize
        {
            code += 1;
        }
        table[number] = code;
        number += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_specification() {
        // Tables 16, 17 and section 3.1.1.3.2.1.1.
        for (kind, code, expected) in [
            (&LITERAL_LENGTHS, 0, (0, 0)),
            (&LITERAL_LENGTHS, 15, (15, 0)),
            (&LITERAL_LENGTHS, 16, (16, 1)),
            (&LITERAL_LENGTHS, 19, (22, 1)),
            (&LITERAL_LENGTHS, 20, (24, 2)),
            (&LITERAL_LENGTHS, 23, (40, 3)),
            (&LITERAL_LENGTHS, 24, (48, 4)),
            (&LITERAL_LENGTHS, 25, (64, 6)),
            (&LITERAL_LENGTHS, 35, (65_536, 16)),
            (&MATCH_LENGTHS, 0, (3, 0)),
            (&MATCH_LENGTHS, 31, (34, 0)),
            (&MATCH_LENGTHS, 32, (35, 1)),
            (&MATCH_LENGTHS, 36, (43, 2)),
            (&MATCH_LENGTHS, 40, (67, 4)),
            (&MATCH_LENGTHS, 42, (99, 5)),
            (&MATCH_LENGTHS, 43, (131, 7)),
            (&MATCH_LENGTHS, 52, (65_539, 16)),
            (&OFFSETS, 0, (1, 0)),
            (&OFFSETS, 22, (1 << 22, 22)),
        ] {
            assert_eq!(kind.codes[code], expected, "{code}");
        }
    }

    #[test]
    fn numbers_have_the_last_code_that_is_not_above_them() {
        for number in (0..3000).chain((3000..131_074).step_by(89)).chain([u32::MAX]) {
            let code = |codes: &[(u32, u8)], number| {
                u8::try_from(codes.iter().rposition(|code| code.0 <= number).unwrap()).unwrap()
            };
            let length = number.min(131_071);
            assert_eq!(literal_length_code(length), code(&LITERAL_LENGTH_CODES, length));
            let length = length + SHORTEST_MATCH;
            assert_eq!(match_length_code(length), code(&MATCH_LENGTH_CODES, length));
            let offset = number.max(1);
            assert_eq!(offset_code(offset), code(&OFFSET_CODES, offset));
        }
    }

    #[test]
    fn default_distributions_are_complete() {
        for kind in [&LITERAL_LENGTHS, &MATCH_LENGTHS, &OFFSETS] {
            let states: i16 = kind.default.iter().map(|count| count.abs()).sum();
            assert_eq!(states, 1 << kind.default_log);
            assert!(kind.default.len() <= kind.codes.len() && kind.codes.len() <= MOST);
        }
    }
}
