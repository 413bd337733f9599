//! Numbers that look random and are the same each time.

/// A generator (G. Marsaglia, "Xorshift RNGs", 2003). Its seed is not zero.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below another.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[3]
    }
}
