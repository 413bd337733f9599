//! What a stream is made of: bytes as they are, and matches, which are lengths and
//! distances (RFC 1951, section 3.2.5).

/// The shortest match that is looked for. Those of three bytes save next to nothing.
pub(super) const SHORTEST: usize = 4;

/// The longest match.
pub(super) const LONGEST: usize = 258;

/// Symbols for bytes, the end of a block, and lengths.
pub(super) const LITERALS: usize = 286;

/// Symbols for distances.
pub(super) const DISTANCES: usize = 30;

/// The symbol of the end of a block.
pub(super) const END: usize = 256;

/// The length that goes with a symbol is this much more than is written.
const BASE: usize = 3;

/// A byte, or a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token(u32);

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A byte.
    Literal(u8),
    /// The length of a match less three, and the distance less one.
    Match(u8, u16),
}

impl Token {
    pub(super) fn literal(byte: u8) -> Self {
        Self(byte.into())
    }

    /// A match. Its length is from 3 to 258, its distance from 1 to 32,768.
    pub(super) fn of_match(length: usize, distance: usize) -> Self {
        let length = u8::try_from(length.wrapping_sub(BASE)).unwrap_or(0);
        let distance = u16::try_from(distance.wrapping_sub(1)).unwrap_or(0);
        Self((1 << 31) | (u32::from(distance) << 8) | u32::from(length))
    }

    #[inline]
    pub(super) fn meaning(self) -> Meaning {
        let [low, middle, high, _] = self.0.to_le_bytes();
        if self.0 >> 31 == 0 {
            Meaning::Literal(low)
        } else {
            Meaning::Match(low, u16::from_le_bytes([middle, high & 0x7f]))
        }
    }
}

/// The symbol of a length (less three), and how many bits of the length follow it.
#[inline]
pub(super) fn length_symbol(length: u8) -> (usize, u32) {
    let bits = match length {
        // The longest has a symbol of its own.
        u8::MAX => return (285, 0),
        0..8 => return (usize::from(length).wrapping_add(257), 0),
        _ => length.ilog2().wrapping_sub(2),
    };
    let within = usize::from(length >> bits) & 3;
    let first = usize::try_from(bits.wrapping_add(1).wrapping_mul(4)).unwrap_or(0);
    (first.wrapping_add(within).wrapping_add(257), bits)
}

/// The symbol of a distance (less one), and how many bits of the distance follow it.
#[inline]
pub(super) fn distance_symbol(distance: u16) -> (usize, u32) {
    if distance < 4 {
        return (distance.into(), 0);
    }
    let bits = distance.ilog2().wrapping_sub(1);
    let within = usize::from(distance >> bits) & 1;
    let first = usize::try_from(bits.wrapping_add(1).wrapping_mul(2)).unwrap_or(0);
    (first.wrapping_add(within), bits)
}

/// How many bits follow the symbol of a distance.
pub(super) fn distance_bits(symbol: usize) -> u64 {
    (symbol / 2).saturating_sub(1) as u64
}

/// How many bits follow the symbol of a length.
pub(super) fn length_bits(symbol: usize) -> u64 {
    match symbol {
        265..285 => (symbol.wrapping_sub(261) / 4) as u64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_those_of_the_specification() {
        for (length, expected) in [
            (3, (257, 0)),
            (10, (264, 0)),
            (11, (265, 1)),
            (13, (266, 1)),
            (18, (268, 1)),
            (19, (269, 2)),
            (115, (280, 4)),
            (130, (280, 4)),
            (131, (281, 5)),
            (257, (284, 5)),
            (258, (285, 0)),
        ] {
            let found = length_symbol(u8::try_from(length - 3).unwrap());
            assert_eq!(found, expected, "{length}");
            assert_eq!(length_bits(found.0), found.1.into());
        }
        for (distance, expected) in [
            (1, (0, 0)),
            (4, (3, 0)),
            (5, (4, 1)),
            (6, (4, 1)),
            (7, (5, 1)),
            (9, (6, 2)),
            (4096, (23, 10)),
            (4097, (24, 11)),
            (24_577, (29, 13)),
            (32_768, (29, 13)),
        ] {
            let found = distance_symbol(u16::try_from(distance - 1).unwrap());
            assert_eq!(found, expected, "{distance}");
            assert_eq!(distance_bits(found.0), found.1.into());
        }
    }

    #[test]
    fn tokens_keep_what_they_mean() {
        assert_eq!(Token::literal(255).meaning(), Meaning::Literal(255));
        for (length, distance, expected) in [
            (3, 1, Meaning::Match(0, 0)),
            (258, 32_768, Meaning::Match(255, 32_767)),
            (4, 4096, Meaning::Match(1, 4095)),
        ] {
            assert_eq!(Token::of_match(length, distance).meaning(), expected);
        }
    }
}
