//! Base64 (RFC 4648, section 4), as lenient as qemu-img: what is not of the
//! alphabet does not count, be it white space or not.

/// A text that is being decoded.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// The characters of a group and what they stand for.
    group: [(u8, u8); 4],
    filled: usize,
    decoded: [u8; 3],
}

/// What stands for nothing, at the end.
const PADDING: u8 = b'=';

impl Decoder {
    /// Takes the next character. Returns what a group of four stands for, if it is
    /// the last of one. A group that is cut off counts for nothing.
    pub fn push(&mut self, character: u8) -> &[u8] {
        let Some(value) = value(character) else { return &[] };
        if let Some(place) = self.group.get_mut(self.filled) {
            *place = (character, value);
        }
        self.filled = self.filled.saturating_add(1);
        if self.filled < self.group.len() {
            return &[];
        }
        self.filled = 0;
        let [(_, first), (_, second), (third_character, third), (last_character, last)] =
            self.group;
        self.decoded =
            [(first << 2) | (second >> 4), (second << 4) | (third >> 2), (third << 6) | last];
        let count = match (third_character, last_character) {
            (PADDING, _) => 1,
            (_, PADDING) => 2,
            _ => 3,
        };
        self.decoded.get(..count).unwrap_or_default()
    }
}

/// The six bits that a character stands for.
fn value(character: u8) -> Option<u8> {
    let from = |first: u8, value: u8| Some(character.wrapping_sub(first).wrapping_add(value));
    match character {
        b'A'..=b'Z' => from(b'A', 0),
        b'a'..=b'z' => from(b'a', 26),
        b'0'..=b'9' => from(b'0', 52),
        b'+' => Some(62),
        b'/' => Some(63),
        PADDING => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn decoded(text: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder::default();
        let mut bytes = Vec::new();
        for character in text {
            bytes.extend_from_slice(decoder.push(*character));
        }
        bytes
    }

    #[test]
    fn texts_are_decoded() {
        for (text, expected) in [
            (&b""[..], &b""[..]),
            (b"Zg==", b"f"),
            (b"Zm8=", b"fo"),
            (b"Zm9v", b"foo"),
            (b"Zm9vYmFy", b"foobar"),
            (b"+/+/", &[0xfb, 0xff, 0xbf]),
            (b"AZaz09+/", &[0x01, 0x96, 0xb3, 0xd3, 0xdf, 0xbf]),
            // White space, and what else is not of the alphabet.
            (b"\n\t\tZ m\r\n9v\n\t", b"foo"),
            (b"Z-m_9\xffv", b"foo"),
            // Groups go on behind padding.
            (b"Zg==Zm9v", b"ffoo"),
            // What is cut off.
            (b"Z", b""),
            (b"Zm9", b""),
            (b"Zm9vYm", b"foo"),
            (b"====", &[0]),
        ] {
            assert_eq!(decoded(text), expected, "{}", text.escape_ascii());
        }
    }
}
