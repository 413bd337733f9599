//! Tables of a new image, written while they are filled.
//!
//! The tables of a large disk are too long to be kept in memory. As ranges come in
//! ascending order, so do the entries of a table, and a piece of it can be written
//! as soon as an entry behind it comes.

use alloc::vec::Vec;

use crate::extent::File;
use crate::storage::StorageError;
use crate::writer::Output;

/// How much of a table is kept in memory, in bytes.
pub const PIECE: usize = 64 << 10;

/// A table with entries of `N` bytes, a power of two.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    file: File,
    offset: u64,
    entries: u64,
    blank: [u8; N],
    piece: Vec<[u8; N]>,
    /// The index of the first entry of the piece.
    start: u64,
    touched: bool,
}

impl<const N: usize> Table<N> {
    /// How many entries a piece has.
    const PIECE_ENTRIES: usize = PIECE / N;

    /// A table at an offset of a file, a multiple of 512, with so many entries. Those
    /// that are not set are `blank`.
    #[must_use]
    pub fn new(file: File, offset: u64, entries: u64, blank: [u8; N]) -> Self {
        Self { file, offset, entries, blank, piece: Vec::new(), start: 0, touched: false }
    }

    /// Sets an entry. Its index is not below any that came before.
    ///
    /// # Errors
    ///
    /// If the index is not in the table, or what is complete cannot be written.
    pub fn set(
        &mut self,
        index: u64,
        entry: [u8; N],
        output: &mut dyn Output,
    ) -> Result<(), StorageError> {
        if index < self.start || index >= self.entries {
            return Err(StorageError::InputOutput);
        }
        while index.saturating_sub(self.start) >= Self::PIECE_ENTRIES as u64 {
            self.complete_piece(output)?;
        }
        self.fill_piece();
        let place = usize::try_from(index.saturating_sub(self.start)).ok();
        let place = place.and_then(|place| self.piece.get_mut(place));
        *place.ok_or(StorageError::InputOutput)? = entry;
        self.touched = true;
        Ok(())
    }

    /// Writes what has not been written.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(&mut self, output: &mut dyn Output) -> Result<(), StorageError> {
        while self.start < self.entries {
            self.complete_piece(output)?;
        }
        Ok(())
    }

    /// Makes a piece of blank entries, if there is none.
    fn fill_piece(&mut self) {
        if self.piece.is_empty() {
            let left = self.entries.saturating_sub(self.start);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            self.piece.resize(left.min(Self::PIECE_ENTRIES), self.blank);
        }
    }

    /// Writes the piece and goes on to the next. A piece of zeros need not be
    /// written.
    fn complete_piece(&mut self, output: &mut dyn Output) -> Result<(), StorageError> {
        let place = self.start.checked_mul(N as u64);
        let place = place.and_then(|bytes| bytes.checked_add(self.offset));
        let place = place.ok_or(StorageError::InputOutput)?;
        if self.touched || self.blank != [0; N] {
            self.fill_piece();
            output.write(self.file, place, self.piece.as_flattened())?;
        }
        self.piece.clear();
        self.touched = false;
        let next = self.start.saturating_add(Self::PIECE_ENTRIES as u64);
        self.start = next.min(self.entries);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::whole::Files;

    const ENTRIES: usize = PIECE / 4;

    /// The file with a table at offset 512 in which entries are set to their index.
    fn table(entries: u64, blank: [u8; 4], set: &[u64]) -> Vec<u8> {
        let mut files = Files::default();
        let mut table = Table::new(File::Own, 512, entries, blank);
        for index in set {
            let entry = u32::try_from(*index).unwrap().to_le_bytes();
            table.set(*index, entry, &mut files).unwrap();
        }
        table.finish(&mut files).unwrap();
        files.file(File::Own).to_vec()
    }

    #[test]
    fn entries_are_where_they_belong() {
        let last = 2 * ENTRIES as u64 + 5;
        for blank in [[0; 4], [0xff; 4]] {
            for set in [&[0][..], &[1, 2, 3], &[ENTRIES as u64 - 1, ENTRIES as u64], &[last]] {
                let bytes = table(last + 1, blank, set);
                for index in 0..=last {
                    let place = 512 + usize::try_from(index).unwrap() * 4;
                    let entry = bytes.get(place..place + 4).unwrap_or(&[0; 4]);
                    let expected = u32::try_from(index).unwrap().to_le_bytes();
                    let expected = if set.contains(&index) { expected } else { blank };
                    assert_eq!(entry, expected, "{index} of {set:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_written_of_a_table_of_zeros() {
        assert_eq!(table(10 * ENTRIES as u64, [0; 4], &[]), []);
        assert_eq!(table(3, [7; 4], &[]), [vec![0; 512], vec![7; 12], vec![0; 500]].concat());
    }

    #[test]
    fn what_is_not_in_the_table_is_an_error() {
        let mut files = Files::default();
        let mut table = Table::new(File::Own, 0, 2 * ENTRIES as u64, [0; 4]);
        assert!(table.set(2 * ENTRIES as u64, [1; 4], &mut files).is_err());
        assert!(table.set(ENTRIES as u64, [1; 4], &mut files).is_ok());
        assert!(table.set(0, [1; 4], &mut files).is_err());
    }
}
