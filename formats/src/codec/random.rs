//! Numbers for tests.

use std::vec::Vec;

/// Numbers that are the same every time.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below another.
    pub(super) fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    /// So many bytes, of so many different ones.
    pub(super) fn bytes(&mut self, length: usize, different: u64) -> Vec<u8> {
        (0..length).map(|_| u8::try_from(self.next(different)).unwrap()).collect()
    }
}
