//! Text that came out of an image, with a bound.

use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// At most `MAX` bytes of text that somebody else wrote: a file name, a
/// snapshot's tag, a message that quotes one of them.
///
/// The bytes are opaque. They may not be UTF-8 and they may hold terminal
/// escapes, so the type has no `Display`: the host escapes before it prints.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text<const MAX: usize>(Vec<u8>);

/// The name of an algorithm, an extent type, or something as short.
pub type Name = Text<64>;

/// A file name. The longest that Linux can open has 4,095 bytes.
pub type Path = Text<4096>;

/// A message for people.
pub type Message = Text<2048>;

impl<const MAX: usize> Text<MAX> {
    /// The first `MAX` bytes of a text.
    #[must_use]
    pub fn truncated(text: &[u8]) -> Self {
        Self(text.iter().take(MAX).copied().collect())
    }

    /// The whole text, if it is no longer than `MAX` bytes.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        (text.len() <= MAX).then(|| Self(text.into()))
    }

    /// The bytes as they are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> From<&'static str> for Text<MAX> {
    fn from(text: &'static str) -> Self {
        Self::truncated(text.as_bytes())
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0.escape_ascii())
    }
}

/// Collects what is written to it up to `MAX` bytes and drops the rest, so a
/// message can quote an image at any length.
impl<const MAX: usize> fmt::Write for Text<MAX> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX.saturating_sub(self.0.len());
        self.0.extend(text.bytes().take(room));
        Ok(())
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes<const MAX: usize>;

        impl<'de, const MAX: usize> Visitor<'de> for Bytes<MAX> {
            type Value = Text<MAX>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "at most {MAX} bytes of text")
            }

            // The message has arrived whole, so the bytes are borrowed from it:
            // a length that lies cannot make us allocate.
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Text::new(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Self::Value, A::Error> {
                let mut text = Vec::new();
                while let Some(byte) = bytes.next_element()? {
                    if text.len() == MAX {
                        return Err(A::Error::invalid_length(MAX + 1, &self));
                    }
                    text.push(byte);
                }
                Ok(Text(text))
            }
        }

        deserializer.deserialize_bytes(Bytes::<MAX>)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use core::fmt::Write as _;

    use super::*;

    #[test]
    fn the_bound_holds_at_below_and_above() {
        assert!(Text::<4>::new(b"abc").is_some());
        assert!(Text::<4>::new(b"abcd").is_some());
        assert!(Text::<4>::new(b"abcde").is_none());
        assert_eq!(Text::<4>::truncated(b"abcde").as_bytes(), b"abcd");
    }

    #[test]
    fn a_longer_text_does_not_decode() {
        let long = postcard::to_allocvec(&Text::<8>::from("12345678")).unwrap();
        assert!(postcard::from_bytes::<Text<8>>(&long).is_ok());
        assert!(postcard::from_bytes::<Text<7>>(&long).is_err());
    }

    #[test]
    fn a_length_beyond_the_message_does_not_decode() {
        // A varint of 2^32 - 1, and then nothing.
        let lie = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(postcard::from_bytes::<Text<{ usize::MAX }>>(&lie).is_err());
    }

    #[test]
    fn writing_stops_at_the_bound_without_an_error() {
        let mut text = Text::<6>::default();
        write!(text, "{}-{}", 1234, 5678).unwrap();
        assert_eq!(text.as_bytes(), b"1234-5");
    }

    #[test]
    fn debug_output_is_escaped() {
        assert_eq!(format!("{:?}", Text::<9>::truncated(b"\x1b[2J\xff")), r#""\x1b[2J\xff""#);
    }
}
