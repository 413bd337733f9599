//! Which chunk holds a sector, of any number of chunks.
//!
//! The tables are read once when an image is opened. Of each piece in which there are
//! chunks, the first sector is kept, and how far the tables had been read in front of
//! it: enough to read the piece again. One piece of chunks is in memory, the one that
//! was needed last. Whoever goes through a disk from start to end so reads the tables
//! once more, and each question is a search in some thousand chunks at the most.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::DmgError;
use super::chunk::Chunk;
use super::property_list::PropertyList;
use super::resource_fork::Resources;
use super::table::Chunks;
use super::trailer::{Range, Trailer};
use crate::error::Error;
use crate::storage::{self, Storage};

/// All chunks of an image.
pub struct Index {
    file: Rc<dyn Storage>,
    data_fork: u64,
    /// Those parts of the tables that have chunks: no more than tables of their largest
    /// size, 16 MiB, have pieces of 64 KiB.
    pieces: Vec<Piece>,
    count: u32,
    /// The first sector of a chunk that does not come behind the one before.
    disorder: Option<u64>,
    /// The number of the piece that was needed last, and its chunks.
    window: RefCell<Option<(usize, Vec<Chunk>)>>,
}

/// A part of the tables.
#[derive(Clone, Debug)]
struct Piece {
    /// Where it is in the file.
    range: Range,
    /// The first sector of its first chunk.
    sector: u64,
    /// How many chunks are in front of it.
    number: u32,
    /// What has been read in front of it.
    tables: Tables,
}

/// Tables that are being read.
#[derive(Clone, Debug)]
enum Tables {
    Resources(Box<Resources>),
    PropertyList(PropertyList),
}

impl Tables {
    fn push(&mut self, bytes: &[u8], chunks: &mut Chunks) -> Result<(), DmgError> {
        match self {
            Self::Resources(resources) => resources.push(bytes, chunks),
            Self::PropertyList(list) => list.push(bytes, chunks),
        }
    }

    fn finish(&self) -> Result<(), DmgError> {
        match self {
            Self::Resources(resources) => resources.finish(),
            Self::PropertyList(list) => list.finish(),
        }
    }
}

impl Index {
    /// Reads the tables that a trailer speaks of. Newer ones do not count if there are
    /// old ones.
    ///
    /// # Errors
    ///
    /// If there are none, or they or a chunk are damaged.
    pub fn read(file: Rc<dyn Storage>, trailer: &Trailer) -> Result<Self, Error> {
        let (tables, range) = if trailer.resource_fork.length != 0 {
            let (resources, range) = Resources::new(file.as_ref(), trailer.resource_fork)?;
            (Tables::Resources(Box::new(resources)), range)
        } else if trailer.property_list.length != 0 {
            let list = PropertyList::new(trailer.property_list)?;
            (Tables::PropertyList(list), trailer.property_list)
        } else {
            return Err(DmgError::NoTables.into());
        };
        let mut index = Self {
            file: Rc::clone(&file),
            data_fork: trailer.data_fork,
            pieces: Vec::new(),
            count: 0,
            disorder: None,
            window: RefCell::new(None),
        };
        index.scan(tables, range)?;
        Ok(index)
    }

    /// Reads tables in a part of the file.
    fn scan(&mut self, mut tables: Tables, range: Range) -> Result<(), Error> {
        let mut chunks = Chunks::new(self.data_fork, 0);
        let mut offset = range.offset;
        let mut end = 0;
        let file = Rc::clone(&self.file);
        storage::visit_pieces(file.as_ref(), range.offset, range.length, &mut |bytes| {
            let before = tables.clone();
            let number = chunks.count();
            tables.push(bytes, &mut chunks)?;
            let found = chunks.fetch();
            for chunk in &found {
                if chunk.sector < end && self.disorder.is_none() {
                    self.disorder = Some(chunk.sector);
                }
                end = chunk.sector.saturating_add(chunk.sectors);
            }
            let range = Range { offset, length: bytes.len() as u64 };
            offset = offset.saturating_add(range.length);
            if let Some(first) = found.first() {
                self.pieces.push(Piece { range, sector: first.sector, number, tables: before });
            }
            Ok::<_, Error>(())
        })?;
        self.count = chunks.count();
        Ok(tables.finish()?)
    }

    /// How many chunks there are, those without sectors among them.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether each chunk is behind the one before, as a search needs it.
    ///
    /// # Errors
    ///
    /// [`DmgError::ChunksInDisorder`] if not.
    pub fn check_order(&self) -> Result<(), DmgError> {
        match self.disorder {
            Some(sector) => Err(DmgError::ChunksInDisorder { sector }),
            None => Ok(()),
        }
    }

    /// The chunk that holds a sector, if one does.
    ///
    /// # Errors
    ///
    /// If the tables cannot be read again.
    pub fn find(&self, sector: u64) -> Result<Option<Chunk>, Error> {
        let behind = |number: usize| self.pieces.get(number).map(|piece| piece.sector);
        let mut window = self.window.borrow_mut();
        let holds = |number: usize| {
            behind(number).is_some_and(|first| first <= sector)
                && behind(number.saturating_add(1)).is_none_or(|first| first > sector)
        };
        if !window.as_ref().is_some_and(|(number, _)| holds(*number)) {
            let number = self.pieces.partition_point(|piece| piece.sector <= sector);
            let Some(number) = number.checked_sub(1) else { return Ok(None) };
            *window = Some((number, self.chunks(number)?));
        }
        let chunks = window.as_ref().map(|(_, chunks)| chunks.as_slice()).unwrap_or_default();
        let place = chunks.partition_point(|chunk| chunk.sector <= sector).checked_sub(1);
        let chunk = place.and_then(|place| chunks.get(place)).copied();
        Ok(chunk.filter(|chunk| sector.saturating_sub(chunk.sector) < chunk.sectors))
    }

    /// Reads the chunks of a piece again.
    fn chunks(&self, number: usize) -> Result<Vec<Chunk>, Error> {
        let Some(piece) = self.pieces.get(number) else { return Ok(Vec::new()) };
        let mut tables = piece.tables.clone();
        let mut chunks = Chunks::new(self.data_fork, piece.number);
        let Range { offset, length } = piece.range;
        storage::visit_pieces(self.file.as_ref(), offset, length, &mut |bytes| {
            tables.push(bytes, &mut chunks).map_err(Error::from)
        })?;
        Ok(chunks.fetch())
    }
}

impl core::fmt::Debug for Index {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Index({} chunks in {} pieces)", self.count, self.pieces.len())
    }
}
