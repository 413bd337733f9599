//! How much of a file has arrived that a pipe brings.
//!
//! The length of such a file is not known before the pipe has ended. The guest asks for a
//! number of bytes, and the host answers as soon as they are there, or the pipe has ended.

/// The length of an answer in bytes.
pub const ANSWER: usize = 16;

/// The largest number of bytes that can be asked for: there are never so many, so it asks
/// for the end. It is a whole number of sectors.
pub const ALL: u64 = u64::MAX - 511;

/// An answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// How many bytes are there.
    pub length: u64,
    /// Whether no more will come.
    pub is_all: bool,
}

impl Arrival {
    /// The answer as bytes: two numbers of 64 bits, little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ANSWER] {
        let mut answer = [0; ANSWER];
        let numbers = [self.length, self.is_all.into()];
        for (place, number) in answer.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        answer
    }

    /// The answer that bytes are, if there are enough.
    #[must_use]
    pub fn from_bytes(answer: &[u8]) -> Option<Self> {
        let (words, _) = answer.as_chunks::<8>();
        let [length, is_all, ..] = words else { return None };
        Some(Self { length: u64::from_le_bytes(*length), is_all: u64::from_le_bytes(*is_all) != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_the_wire() {
        for (length, is_all) in [(0, false), (513, true), (u64::MAX, true)] {
            let arrival = Arrival { length, is_all };
            assert_eq!(Arrival::from_bytes(&arrival.to_bytes()), Some(arrival));
        }
        assert_eq!(Arrival::from_bytes(&[0; ANSWER - 1]), None);
    }
}
