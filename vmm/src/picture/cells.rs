//! Extents become cells.
//!
//! How large a disk is shows only at its end, and by then its extents are gone. So cells
//! begin as small as a sector, and whenever the disk does not fit into as many as there may
//! be, every two of them become one. Cells and rows therefore always have a power of two of
//! bytes, which gives round addresses, and between half and all of the room is used.

use abi::map::Extent;
use thiserror::Error;

use super::class::{CLASSES, Class};

/// How many cells a row has.
pub const CELLS_IN_A_ROW: usize = 128;

/// The most rows: with more, a picture does not fit on a screen.
pub const MAX_ROWS: usize = 64;

/// The most cells. Their counts take 2 MiB.
pub const MAX_CELLS: usize = CELLS_IN_A_ROW * MAX_ROWS;

/// The smallest cell: nothing smaller than a sector is stored by itself.
const SECTOR: u64 = 512;

/// Why something is no map of a disk. A guest may say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoMap {
    /// An extent begins elsewhere than the one before it has ended.
    #[error("the guest's map has a gap or an overlap at byte {0}")]
    OutOfOrder(u64),
    /// An extent ends behind the last byte that a disk can have.
    #[error("the guest's map leads behind the largest disk there can be")]
    TooLarge,
}

/// How many bytes of something are stored in which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix([u64; CLASSES]);

impl Default for Mix {
    fn default() -> Self {
        Self([0; CLASSES])
    }
}

impl Mix {
    /// How many bytes are in a class.
    #[must_use]
    pub fn of(&self, class: Class) -> u64 {
        self.0.get(class.index()).copied().unwrap_or(0)
    }

    /// How many bytes there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The classes that it has, from the bottom of a cell up, with their bytes.
    pub fn present(&self) -> impl Iterator<Item = (Class, u64)> {
        Class::all().map(|class| (class, self.of(class))).filter(|(_, bytes)| *bytes > 0)
    }

    /// Adds bytes. The sum of all is an offset on a disk, so it does not overflow.
    pub fn add(&mut self, class: Class, bytes: u64) {
        if let Some(sum) = self.0.get_mut(class.index()) {
            *sum += bytes;
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, bytes)| *sum += bytes);
    }
}

/// What is where on a disk, from an offset on.
#[derive(Clone, Debug)]
pub struct Cells {
    start: u64,
    length: u64,
    /// How many bytes a cell has.
    cell: u64,
    cells: Vec<Mix>,
    totals: Mix,
}

impl Cells {
    /// Nothing yet, of a disk from an offset on, in bytes.
    #[must_use]
    pub fn from(start: u64) -> Self {
        Self { start, length: 0, cell: SECTOR, cells: Vec::new(), totals: Mix::default() }
    }

    /// Adds the next extent.
    ///
    /// # Errors
    ///
    /// If it does not begin where the last one has ended, or ends where no disk does.
    pub fn add(&mut self, extent: &Extent) -> Result<(), NoMap> {
        let end = self.end();
        if extent.start != end {
            return Err(NoMap::OutOfOrder(end));
        }
        let new_end = end.checked_add(extent.length).filter(|end| i64::try_from(*end).is_ok());
        let new_length = new_end.ok_or(NoMap::TooLarge)? - self.start;
        while new_length.div_ceil(self.cell) > MAX_CELLS as u64 {
            self.coarsen();
        }
        let class = Class::of(extent);
        while self.length < new_length {
            let inside = self.length % self.cell;
            if inside == 0 {
                self.cells.push(Mix::default());
            }
            let bytes = (self.cell - inside).min(new_length - self.length);
            if let Some(last) = self.cells.last_mut() {
                last.add(class, bytes);
            }
            self.totals.add(class, bytes);
            self.length += bytes;
        }
        Ok(())
    }

    /// Makes one cell of every two.
    fn coarsen(&mut self) {
        self.cell *= 2;
        let two_by_two = self.cells.chunks(2).map(|cells| {
            let mut sum = Mix::default();
            cells.iter().for_each(|cell| sum.merge(cell));
            sum
        });
        self.cells = two_by_two.collect();
    }

    /// Where it starts on the disk, in bytes.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How much of the disk it is, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where it ends on the disk, in bytes.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// How many bytes a cell has; the last one may have fewer.
    #[must_use]
    pub fn cell_size(&self) -> u64 {
        self.cell
    }

    /// How many bytes a row has; the last one may have fewer.
    #[must_use]
    pub fn row_size(&self) -> u64 {
        self.cell * CELLS_IN_A_ROW as u64
    }

    /// The cells, row by row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[Mix]> {
        self.cells.chunks(CELLS_IN_A_ROW)
    }

    /// How many bytes of all are stored in which way.
    #[must_use]
    pub fn totals(&self) -> &Mix {
        &self.totals
    }
}

#[cfg(test)]
pub(super) mod tests {
    use abi::map::Flags;

    use super::*;

    /// An extent of a kind that depends on a number.
    pub(in super::super) fn extent(start: u64, length: u64, number: u64) -> Extent {
        let flags = Flags {
            present: number & 7 != 0,
            zero: number & 2 != 0,
            data: number & 1 != 0,
            compressed: number & 4 != 0,
        };
        let depth = u32::try_from(number >> 3 & 31).unwrap();
        Extent { start, length, depth, flags, place: None }
    }

    /// A disk of a size, in pieces of at most a length, one unlike the other.
    pub(in super::super) fn disk(start: u64, size: u64, longest: u64) -> Cells {
        let mut cells = Cells::from(start);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        while cells.length() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let length = (1 + state % longest).min(size - cells.length());
            cells.add(&extent(cells.end(), length, state >> 40)).unwrap();
        }
        cells
    }

    #[test]
    fn every_byte_is_counted_once() {
        let gib = 1 << 30;
        for (start, size, longest) in [
            (0, 1, 1),
            (0, 512, 512),
            (0, 512, 1),
            (0, 513, 100),
            (0, 1 << 20, 700),
            (1_000_448, 65_536 + 1, 300),
            (0, 4 << 20, 512),
            (0, (4 << 20) + 1, 3000),
            (7, gib, 1 << 14),
            (0, 10 * gib, 1 << 18),
            (0, 2048 * gib, 2048 * gib),
            (0, 2048 * gib, 1 << 27),
            (0, i64::MAX.unsigned_abs(), 1 << 50),
            (1 << 62, 1 << 61, 1 << 60),
        ] {
            let cells = disk(start, size, longest);
            assert_eq!((cells.start(), cells.length()), (start, size));
            assert_eq!(cells.totals().total(), size, "{size}");
            // Each cell is full, but the last one; together they are the totals.
            let all: Vec<_> = cells.rows().flatten().collect();
            let count = size.div_ceil(cells.cell_size());
            assert_eq!(all.len() as u64, count, "{size}");
            assert!(all.len() <= MAX_CELLS, "{size}: {} cells", all.len());
            let (last, full) = all.split_last().unwrap();
            assert!(full.iter().all(|cell| cell.total() == cells.cell_size()), "{size}");
            assert_eq!(last.total(), size - (count - 1) * cells.cell_size(), "{size}");
            let mut sum = Mix::default();
            all.iter().for_each(|cell| sum.merge(cell));
            assert_eq!(sum, *cells.totals(), "{size}");
        }
    }

    #[test]
    fn a_disk_has_round_rows_and_fills_the_picture() {
        for (size, row, rows) in [
            (0, 64 << 10, 0),
            (1, 64 << 10, 1),
            (512, 64 << 10, 1),
            (64 << 10, 64 << 10, 1),
            ((64 << 10) + 1, 64 << 10, 2),
            (4 << 20, 64 << 10, 64),
            ((4 << 20) + 1, 128 << 10, 33),
            (1 << 30, 16 << 20, 64),
            (10 << 30, 256 << 20, 40),
            (2 << 40, 32 << 30, 64),
            (i64::MAX.unsigned_abs(), 1 << 57, 64),
        ] {
            let mut cells = Cells::from(0);
            cells.add(&extent(0, size, 1)).unwrap();
            assert_eq!((cells.row_size(), cells.rows().len()), (row, rows), "{size}");
        }
    }

    #[test]
    fn the_pieces_that_it_comes_in_make_no_difference() {
        let mut pieces = Cells::from(0);
        let mut whole = Cells::from(0);
        whole.add(&extent(0, 3 << 30, 5)).unwrap();
        for piece in 0..3 << 10 {
            pieces.add(&extent(piece << 20, 1 << 20, 5)).unwrap();
        }
        assert!(pieces.rows().eq(whole.rows()));
        assert_eq!(pieces.totals(), whole.totals());
    }

    #[test]
    fn what_is_no_map_is_refused() {
        let most = i64::MAX.unsigned_abs();
        for (first, second, expected) in [
            ((0, 512), (512, 512), Ok(())),
            ((0, 512), (1024, 512), Err(NoMap::OutOfOrder(512))),
            ((0, 512), (0, 512), Err(NoMap::OutOfOrder(512))),
            ((0, 512), (511, 1), Err(NoMap::OutOfOrder(512))),
            ((0, 512), (512, most - 512), Ok(())),
            ((0, 512), (512, most - 511), Err(NoMap::TooLarge)),
            ((0, 512), (512, u64::MAX), Err(NoMap::TooLarge)),
        ] {
            let mut cells = Cells::from(0);
            cells.add(&extent(first.0, first.1, 1)).unwrap();
            assert_eq!(cells.add(&extent(second.0, second.1, 2)), expected);
        }
        let mut cells = Cells::from(512);
        assert_eq!(cells.add(&extent(0, 512, 1)), Err(NoMap::OutOfOrder(512)));
    }
}
