//! A tree of values, with dictionaries in qemu's order.
//!
//! qemu keeps a dictionary in 512 hash buckets and prints it bucket by bucket,
//! within one bucket the entry that was added last first. The order looks
//! random, but callers have seen no other, and it can be computed.

/// A value that can be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(u64),
    /// A number that can be negative.
    Signed(i64),
    /// Text, which may hold anything.
    Text(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A dictionary.
    Dict(Dict),
}

/// A dictionary. Entries are in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dict(Vec<(&'static str, Value)>);

/// How many buckets qemu's dictionaries have.
const BUCKETS: u32 = 512;

impl Dict {
    /// An empty dictionary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((key, value.into()));
        self
    }

    /// Adds an entry if there is a value.
    #[must_use]
    pub fn with_some(self, key: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in the order in which they were added.
    pub fn in_declared_order(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// The entries in the order in which qemu prints them.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&'static str, &Value)> {
        // A stable sort of the reversed entries puts the later ones of a bucket
        // first.
        let mut entries: Vec<_> = self.0.iter().rev().map(|(key, value)| (*key, value)).collect();
        entries.sort_by_key(|(key, _)| bucket(key));
        entries
    }
}

/// The bucket of a key: the hash of the Trivial Database, as qemu uses it.
fn bucket(key: &str) -> u32 {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = 0x238f_13af_u32.wrapping_mul(length);
    for (shift, byte) in (0..).step_by(5).map(|shift| shift % 24).zip(key.bytes()) {
        hash = hash.wrapping_add(u32::from(byte) << shift);
    }
    hash.wrapping_mul(1_103_515_243).wrapping_add(12345) % BUCKETS
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Text(value.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value)
    }
}

impl From<Dict> for Value {
    fn from(value: Dict) -> Self {
        Self::Dict(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fall_into_qemus_buckets() {
        for (key, expected) in [
            ("children", 206),
            ("backing-filename-format", 206),
            ("virtual-size", 309),
            ("filename", 313),
            ("cluster-size", 316),
            ("format", 337),
            ("actual-size", 351),
            ("dirty-flag", 501),
            ("compat", 16),
            ("extended-l2", 503),
            ("ivgen-alg", 7),
            ("name", 39),
        ] {
            assert_eq!(bucket(key), expected, "{key}");
        }
    }

    #[test]
    fn in_one_bucket_the_last_comes_first() {
        let dict = Dict::new()
            .with("virtual-size", 1_u64)
            .with("backing-filename-format", "raw")
            .with("children", Vec::<Value>::new());
        let keys: Vec<_> = dict.in_order().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["children", "backing-filename-format", "virtual-size"]);
    }
}
