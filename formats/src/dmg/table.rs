//! Tables of chunks (description, "Block table"): resources that start with
//! "mish".
//!
//! A table comes out of a resource fork in pieces, out of a property list byte by
//! byte; none is ever in memory as a whole.

use alloc::boxed::Box;
use alloc::vec::Vec;

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::DmgError;
use super::chunk::{self, Chunk};
use super::trailer::Checksum;

/// What a table starts with. Other resources start with something else.
pub const MAGIC: [u8; 4] = *b"mish";

/// The size of the header in bytes.
const HEADER_SIZE: usize = 204;

/// The size of an entry in bytes.
const ENTRY_SIZE: usize = 40;

/// The header of a table.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// 1.
    pub version: U32,
    /// The first sector of the partition; chunks count from there.
    pub sector: U64,
    /// How many sectors the partition has.
    pub sectors: U64,
    /// What chunks add to their place in the data fork, in bytes.
    pub data_offset: U64,
    /// How many sectors a buffer for a chunk must have room for.
    pub buffers_needed: U32,
    /// The number of the partition.
    pub partition: U32,
    /// Zeros.
    pub reserved: [u8; 24],
    /// The checksum of the partition.
    pub checksum: Checksum,
    /// How many entries follow. As with qemu-img it is the length of the table
    /// that counts.
    pub entries: U32,
}

/// Takes the chunks of all tables, and checks each.
#[derive(Clone, Debug)]
pub struct Chunks {
    data_fork: u64,
    count: u32,
    /// Those that hold something, since they were fetched last.
    pending: Vec<Chunk>,
}

impl Chunks {
    /// No chunks yet but so many that came before, in a data fork that starts there.
    #[must_use]
    pub fn new(data_fork: u64, count: u32) -> Self {
        Self { data_fork, count, pending: Vec::new() }
    }

    /// How many chunks there were.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Hands out the chunks that came since the last time, but none without sectors.
    pub fn fetch(&mut self) -> Vec<Chunk> {
        core::mem::take(&mut self.pending)
    }

    fn take(&mut self, entry: &chunk::OnDisk, table: &Header) -> Result<(), DmgError> {
        if let Some(chunk) = Chunk::from_entry(entry, table, self.data_fork, self.count)? {
            self.count = self.count.saturating_add(1);
            if chunk.sectors > 0 {
                self.pending.push(chunk);
            }
        }
        Ok(())
    }
}

/// A resource that is being read.
#[derive(Clone, Debug)]
pub struct Table {
    /// What has been read of the header or of an entry.
    pending: [u8; HEADER_SIZE],
    filled: usize,
    state: State,
}

/// How far a resource has been read.
#[derive(Clone, Debug)]
enum State {
    /// Not even its header.
    Start,
    /// It is a table, and here is its header.
    Table(Box<Header>),
    /// It is something else.
    Other,
}

impl Default for Table {
    fn default() -> Self {
        Self { pending: [0; HEADER_SIZE], filled: 0, state: State::Start }
    }
}

impl Table {
    /// Takes the next bytes. An entry that is cut off counts for nothing.
    ///
    /// # Errors
    ///
    /// If a chunk is impossible.
    pub fn push(&mut self, mut bytes: &[u8], chunks: &mut Chunks) -> Result<(), DmgError> {
        while !bytes.is_empty() {
            let size = match self.state {
                State::Start => HEADER_SIZE,
                State::Table(_) => ENTRY_SIZE,
                State::Other => return Ok(()),
            };
            let missing = self.pending.get_mut(self.filled..size).unwrap_or_default();
            let count = missing.len().min(bytes.len());
            let (taken, rest) = bytes.split_at(count);
            for (target, source) in missing.iter_mut().zip(taken) {
                *target = *source;
            }
            bytes = rest;
            self.filled = self.filled.saturating_add(count);
            if self.filled == size {
                self.filled = 0;
                self.complete(chunks)?;
            }
        }
        Ok(())
    }

    /// Looks at a header or an entry that has been read.
    fn complete(&mut self, chunks: &mut Chunks) -> Result<(), DmgError> {
        if let State::Table(header) = &self.state {
            // An entry fits into the room for a header.
            return match chunk::OnDisk::read_from_prefix(&self.pending) {
                Ok((entry, _)) => chunks.take(&entry, header),
                Err(_) => Ok(()),
            };
        }
        self.state = match Header::read_from_bytes(&self.pending) {
            Ok(header) if header.magic == MAGIC => State::Table(Box::new(header)),
            _ => State::Other,
        };
        Ok(())
    }
}
