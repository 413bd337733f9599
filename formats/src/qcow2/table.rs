//! Where a table is: checks that all tables have in common.

use super::Qcow2Error;
use crate::storage::{Storage, check_range};

/// A part of the file that starts at a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

/// What a table is called, and how long it can be.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its name in messages.
    pub name: &'static str,
    /// The most bytes that it can have.
    pub length: u64,
}

impl Table {
    /// A table of so many entries, if there can be such a table at such a place.
    ///
    /// # Errors
    ///
    /// If not.
    pub fn new(
        offset: u64,
        entries: u32,
        entry_size: u64,
        cluster_size: u64,
        limit: Limit,
    ) -> Result<Self, Qcow2Error> {
        let length = u64::from(entries).saturating_mul(entry_size);
        if length > limit.length {
            return Err(Qcow2Error::TableTooLarge { table: limit.name });
        }
        // No file is longer than a signed number can say.
        let end = offset.checked_add(length).filter(|end| *end <= i64::MAX.cast_unsigned());
        if end.is_none() || !offset.is_multiple_of(cluster_size) {
            return Err(Qcow2Error::InvalidTableOffset { table: limit.name });
        }
        Ok(Self { offset, length })
    }

    /// Whether it is in the file. Errors call it `what`.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn check_inside(
        &self,
        storage: &dyn Storage,
        what: &'static str,
    ) -> Result<(), Qcow2Error> {
        check_inside(storage, what, self.offset, self.length)
    }
}

/// Whether a part of the file is there. Errors call it `what`.
///
/// # Errors
///
/// If it is not.
pub fn check_inside(
    storage: &dyn Storage,
    what: &'static str,
    offset: u64,
    length: u64,
) -> Result<(), Qcow2Error> {
    let outside = |_| Qcow2Error::OutsideFile { what, offset, length };
    check_range(storage, offset, length).map_err(outside)
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec;

    use super::*;

    const LIMIT: Limit = Limit { name: "Some table", length: 1 << 20 };

    #[test]
    fn a_table_has_a_limit_and_starts_at_a_cluster() {
        let last = (1_u64 << 63) - 512;
        for (offset, entries, expected) in [
            (0, 0, ""),
            (512, 1, ""),
            (512, 1 << 17, ""),
            (512, (1 << 17) + 1, "Some table too large"),
            (512, u32::MAX, "Some table too large"),
            (1, (1 << 17) + 1, "Some table too large"),
            (1, 1, "Some table offset invalid"),
            (256, 1, "Some table offset invalid"),
            (last, 0, ""),
            (last, 63, ""),
            (last, 64, "Some table offset invalid"),
            (1 << 63, 0, "Some table offset invalid"),
            (u64::MAX - 511, 64, "Some table offset invalid"),
        ] {
            let said = Table::new(offset, entries, 8, 512, LIMIT);
            let said = said.map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(said, expected, "{entries} at {offset}");
        }
    }

    #[test]
    fn a_table_lies_in_the_file() {
        for (file, offset, length, expected) in [
            (1024, 512, 512, true),
            (1024, 512, 513, false),
            (1023, 512, 512, false),
            (512, 512, 0, true),
            (512, 512, 1, false),
            (512, 1024, 0, false),
            (512, u64::MAX, 1, false),
        ] {
            let inside = Table { offset, length }.check_inside(&vec![0; file], "table");
            assert_eq!(inside.is_ok(), expected, "{length} at {offset} of {file}");
        }
    }
}
