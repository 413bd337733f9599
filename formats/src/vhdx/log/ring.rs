//! The ring of sectors in which the log is.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

use crate::storage::{Storage, StorageError};

/// The size of a sector of the log, in bytes.
pub const SECTOR: usize = 4096;

/// How many sectors are read at a time. Every log has a multiple of it.
const PIECE: u32 = 16;

/// The sectors of a log, read in larger pieces.
pub struct Ring {
    file: Rc<dyn Storage>,
    /// Where the log starts, in bytes.
    offset: u64,
    /// How many sectors it has, not zero.
    sectors: u32,
    /// The piece that was read last, and its first sector.
    piece: Option<(u32, Vec<u8>)>,
}

impl Ring {
    /// The log in a part of a file, which has a megabyte or several.
    #[must_use]
    pub fn new(file: Rc<dyn Storage>, offset: u64, length: u32) -> Self {
        Self { file, offset, sectors: (length / 4096).max(1), piece: None }
    }

    /// How many sectors there are.
    #[must_use]
    pub fn sectors(&self) -> u32 {
        self.sectors
    }

    /// The sector that is so many behind another.
    #[must_use]
    pub fn behind(&self, sector: u32, count: u32) -> u32 {
        let sector = u64::from(sector).saturating_add(count.into());
        let sector = sector.checked_rem(self.sectors.into()).unwrap_or(0);
        u32::try_from(sector).unwrap_or(0)
    }

    /// Where in the file a sector is, in bytes.
    #[must_use]
    pub fn place(&self, sector: u32) -> u64 {
        self.offset.saturating_add(u64::from(sector).saturating_mul(SECTOR as u64))
    }

    /// The bytes of a sector.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn sector(&mut self, sector: u32) -> Result<&[u8; SECTOR], StorageError> {
        let within = sector % PIECE;
        let first = sector.saturating_sub(within);
        if self.piece.as_ref().is_none_or(|(loaded, _)| *loaded != first) {
            let mut bytes = vec![0; SECTOR.saturating_mul(PIECE as usize)];
            self.file.read_at(self.place(first), &mut bytes)?;
            self.piece = Some((first, bytes));
        }
        let bytes = self.piece.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        bytes.as_chunks().0.get(within as usize).ok_or(StorageError::InputOutput)
    }
}

impl core::fmt::Debug for Ring {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Ring({} sectors at {})", self.sectors, self.offset)
    }
}
