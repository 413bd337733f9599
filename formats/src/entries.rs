//! Entries of tables, read a few at a time.
//!
//! Who walks over a disk needs one entry of a table after the other. Each read has a
//! price, so some entries behind the one that is needed are read with it.

use crate::storage::{Storage, StorageError, read_at_padded};

/// How much is read at a time, in bytes. A table that is not the last thing in its file
/// has as much at least.
const WINDOW: usize = 512;

/// Reads entries of tables of one file. What lies behind its end reads as zeros.
pub(crate) struct Entries<'a> {
    file: &'a dyn Storage,
    /// Where the window is, in bytes, if something was read already.
    start: Option<u64>,
    window: [u8; WINDOW],
}

impl<'a> Entries<'a> {
    /// Tables of this file.
    pub(crate) fn new(file: &'a dyn Storage) -> Self {
        Self { file, start: None, window: [0; WINDOW] }
    }

    /// Reads the entry at an offset of the file.
    ///
    /// # Errors
    ///
    /// [`StorageError::InputOutput`] if it cannot be read.
    pub(crate) fn read<const N: usize>(&mut self, offset: u64) -> Result<[u8; N], StorageError> {
        if let Some(entry) = self.in_window(offset) {
            return Ok(entry);
        }
        self.start = None;
        read_at_padded(self.file, offset, &mut self.window)?;
        self.start = Some(offset);
        self.in_window(offset).ok_or(StorageError::InputOutput)
    }

    /// The entry, if it has been read.
    fn in_window<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let place = usize::try_from(offset.checked_sub(self.start?)?).ok()?;
        self.window.get(place..)?.first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use std::vec::Vec;

    use super::*;

    /// A file that counts how often it is read.
    struct Counting(Vec<u8>, Cell<usize>);

    impl Storage for Counting {
        fn length(&self) -> u64 {
            self.0.length()
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
            self.1.set(self.1.get() + 1);
            self.0.read_at(offset, buffer)
        }
    }

    #[test]
    fn entries_are_where_they_are_and_zeros_behind_the_end() {
        let bytes: Vec<u8> = (0..2000_u32).map(|index| index.to_le_bytes()[0]).collect();
        let file = Counting(bytes.clone(), Cell::new(0));
        let mut entries = Entries::new(&file);
        for offset in [0, 8, 504, 505, 3, 1000, 1992, 1996, 2000, 5000, u64::MAX] {
            let entry: [u8; 8] = entries.read(offset).unwrap();
            let there = usize::try_from(offset).unwrap_or(usize::MAX);
            let expected = bytes.iter().copied().skip(there).chain([0; 8]).take(8);
            assert_eq!(entry.to_vec(), expected.collect::<Vec<u8>>(), "{offset}");
        }
    }

    #[test]
    fn entries_that_follow_each_other_are_read_together() {
        let file = Counting((0..=255).cycle().take(4096).collect(), Cell::new(0));
        let mut entries = Entries::new(&file);
        for index in 0..512 {
            let _: [u8; 8] = entries.read(index * 8).unwrap();
        }
        assert_eq!(file.1.get(), 8);
    }
}
