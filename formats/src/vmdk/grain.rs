//! Where the grains of a sparse extent are: its grain directory and grain tables
//! (specification, "Hosted Sparse Extents", "Grain Directories and Grain Tables").

use zerocopy::little_endian::{U32, U64};

use super::sparse::{Entries, Sparse};
use super::{SECTOR, VmdkError, sector};
use crate::codec::Codec;
use crate::codec::grain::MARKER_SIZE;
use crate::error::Error;
use crate::extent::{Compressed, Content, Extent, File, Place};
use crate::storage::{self, Storage};

/// What a grain table has for a grain of zeros.
pub const ZEROED: u32 = 1;

/// How an entry of a seSparse grain directory starts that has a grain table. The
/// number of the table follows.
const TYPED_TABLE: u64 = 0x1000_0000;

/// The size of a sector, for what is in memory.
const SECTOR_BYTES: usize = 512;

/// The most bytes of the file that a compressed grain of so many bytes takes, with
/// its marker. qemu reads no more.
#[must_use]
pub fn most_compressed(grain: u64) -> u64 {
    grain.saturating_mul(2)
}

/// The most bytes of a grain without its marker.
#[must_use]
pub fn most_compressed_data(grain: u64) -> u64 {
    most_compressed(grain).saturating_sub(MARKER_SIZE)
}

/// The grains of a sparse extent. It keeps what was read last of the grain tables.
pub(super) struct Grains<'a> {
    sparse: &'a Sparse,
    /// The file with the extent.
    storage: &'a dyn Storage,
    /// Which of the files of the image that is.
    file: File,
    window: Window,
}

/// A sector of a grain table, or all of one that is not there.
struct Window {
    /// The grain of its first entry.
    start: u64,
    /// How many entries it has.
    entries: u64,
    bytes: [u8; SECTOR_BYTES],
}

impl<'a> Grains<'a> {
    /// The grains of an extent in a file.
    pub(super) fn new(sparse: &'a Sparse, storage: &'a dyn Storage, file: File) -> Self {
        let window = Window { start: 0, entries: 0, bytes: [0; SECTOR_BYTES] };
        Self { sparse, storage, file, window }
    }

    /// How the extent is stored from an offset on, for `limit` bytes at the most.
    pub(super) fn extent(&mut self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let missing = self.missing_tables(offset, limit)?;
        if missing > 0 {
            return Ok(Extent::new(missing, limit, Content::Unallocated));
        }
        let grain = self.sparse.grain_bytes();
        Extent::of_units(offset, limit, grain, |grain| self.content(grain))
    }

    /// For how many bytes from an offset on there are no grain tables. A large disk
    /// that is nearly empty would be walked grain by grain otherwise.
    fn missing_tables(&self, offset: u64, limit: u64) -> Result<u64, Error> {
        let covered = self.sparse.grain_bytes().saturating_mul(self.sparse.table_entries);
        let mut table = offset.checked_div(covered).unwrap_or(0);
        let skip = offset.checked_rem(covered).unwrap_or(0);
        if self.table(table)?.is_some() {
            return Ok(0);
        }
        let mut length = covered.saturating_sub(skip);
        while length < limit {
            table = table.saturating_add(1);
            // What is wrong there is said when it is asked about.
            if !matches!(self.table(table), Ok(None)) {
                break;
            }
            length = length.saturating_add(covered);
        }
        Ok(length)
    }

    /// How a grain is stored.
    fn content(&mut self, grain: u64) -> Result<Content, Error> {
        let entry = self.entry(grain)?;
        match self.sparse.entries {
            _ if entry == 0 => Ok(Content::Unallocated),
            Entries::Sectors if self.sparse.zeroed_grains && entry == ZEROED.into() => {
                Ok(Content::Zero(None))
            }
            Entries::Sectors if self.sparse.compressed => Ok(self.compressed(grain, entry)),
            Entries::Sectors => Ok(self.data(entry.saturating_mul(SECTOR))),
            Entries::Typed { grains, .. } => self.typed(grain, entry, grains),
        }
    }

    /// A grain of a seSparse extent, whose entry has a kind in its highest bits.
    fn typed(&self, grain: u64, entry: u64, grains: u64) -> Result<Content, Error> {
        let invalid = VmdkError::InvalidGrainEntry { grain, entry };
        match entry >> 60 {
            // Given back by the guest, or written with zeros.
            1 | 2 => Ok(Content::Zero(None)),
            3 => {
                // The lowest bits of the number come first.
                let low = (entry >> 48) & 0xfff;
                let number = ((entry & 0xffff_ffff_ffff) << 12) | low;
                let sector = number.checked_mul(self.sparse.grain_size);
                let sector = sector.and_then(|sector| sector.checked_add(grains));
                let offset = sector.and_then(|sector| sector.checked_mul(SECTOR));
                let size = self.sparse.grain_bytes();
                let offset = offset.filter(|offset| storage::is_reachable(*offset, size));
                Ok(self.data(offset.ok_or(invalid)?))
            }
            _ => Err(invalid.into()),
        }
    }

    /// A grain that is stored as it is.
    fn data(&self, offset: u64) -> Content {
        Content::Data(Place { file: self.file, offset })
    }

    /// A grain that is compressed. Its marker would say how long it is; where the next
    /// one starts says nearly as much, and need not be fetched.
    fn compressed(&mut self, grain: u64, sector: u64) -> Content {
        let unit = self.sparse.grain_bytes();
        let offset = sector.saturating_mul(SECTOR);
        // The last grain of an extent is only compressed as far as the extent goes.
        let before = grain.saturating_mul(unit);
        let left = self.sparse.capacity.saturating_mul(SECTOR).saturating_sub(before);
        let (codec, length) = if self.sparse.markers {
            let next = self.entry(grain.saturating_add(1)).unwrap_or(0);
            let distance = next.checked_sub(sector).filter(|sectors| *sectors > 0);
            let distance = distance.map_or(u64::MAX, |sectors| sectors.saturating_mul(SECTOR));
            (Codec::Grain, distance.min(most_compressed(unit)))
        } else {
            (Codec::Zlib, unit)
        };
        let place = Place { file: self.file, offset };
        Content::Compressed(Compressed { place, length, codec, size: unit.min(left), skip: 0 })
    }

    /// The entry that a grain has in its grain table; zero if it has no table.
    fn entry(&mut self, grain: u64) -> Result<u64, Error> {
        let inside = |window: &Window| {
            grain.checked_sub(window.start).filter(|index| *index < window.entries)
        };
        if inside(&self.window).is_none() {
            self.window = self.load(grain)?;
        }
        // Behind the last grain there is nothing.
        let Some(index) = inside(&self.window) else { return Ok(0) };
        let place = index.saturating_mul(self.sparse.entries.size());
        let bytes = usize::try_from(place).ok().and_then(|place| self.window.bytes.get(place..));
        let bytes = bytes.unwrap_or_default();
        // Only the window of a table that is not there has entries without bytes.
        Ok(match self.sparse.entries {
            Entries::Sectors => bytes.first_chunk().map_or(0, |it| u32::from_le_bytes(*it).into()),
            Entries::Typed { .. } => bytes.first_chunk().map_or(0, |it| u64::from_le_bytes(*it)),
        })
    }

    /// The part of a grain table that has the entry of a grain.
    fn load(&self, grain: u64) -> Result<Window, Error> {
        let Sparse { table_entries, entries, .. } = *self.sparse;
        let table = grain.checked_div(table_entries).unwrap_or(0);
        let first = table.saturating_mul(table_entries);
        let mut bytes = [0; SECTOR_BYTES];
        let Some(place) = self.table(table)? else {
            return Ok(Window { start: first, entries: table_entries, bytes });
        };
        let in_sector = SECTOR.checked_div(entries.size()).unwrap_or(1);
        let sectors = grain.saturating_sub(first).checked_div(in_sector).unwrap_or(0);
        let start = first.saturating_add(sectors.saturating_mul(in_sector));
        // Neither table nor disk need to end with a sector.
        let end = first.saturating_add(table_entries).min(self.sparse.grains());
        let count = end.saturating_sub(start).min(in_sector);
        let length = count.saturating_mul(entries.size());
        let place = place.saturating_add(sectors);
        let place = sector::locate(self.storage, "grain table", place, length)?;
        let length = usize::try_from(length).unwrap_or(SECTOR_BYTES);
        if let Some(bytes) = bytes.get_mut(..length) {
            storage::read_at_padded(self.storage, place, bytes)?;
        }
        Ok(Window { start, entries: count, bytes })
    }

    /// The first sector of a grain table, if it is there.
    fn table(&self, table: u64) -> Result<Option<u64>, Error> {
        if table >= self.sparse.directory_entries {
            return Err(VmdkError::NoDirectoryEntry { table }.into());
        }
        let place = table.saturating_mul(self.sparse.entries.size());
        let place = self.sparse.directory.saturating_mul(SECTOR).saturating_add(place);
        let sector = match self.sparse.entries {
            Entries::Sectors => {
                let entry: U32 = storage::read_padded(self.storage, place)?;
                entry.get().into()
            }
            Entries::Typed { tables, .. } => {
                let entry: U64 = storage::read_padded(self.storage, place)?;
                self.typed_table(table, entry.get(), tables)?
            }
        };
        Ok(Some(sector).filter(|sector| *sector != 0))
    }

    /// The first sector of a grain table of a seSparse extent.
    fn typed_table(&self, table: u64, entry: u64, tables: u64) -> Result<u64, VmdkError> {
        if entry == 0 {
            return Ok(0);
        }
        let number = entry & u64::from(u32::MAX);
        let size = self.sparse.table_entries.saturating_mul(self.sparse.entries.size());
        let sectors = size.div_ceil(SECTOR).saturating_mul(number);
        let sector = tables.checked_add(sectors).filter(|it| *it <= u32::MAX.into());
        let sector = sector.filter(|_| entry >> 32 == TYPED_TABLE);
        sector.ok_or(VmdkError::InvalidTableEntry { table, entry })
    }
}

#[cfg(test)]
mod tests;
