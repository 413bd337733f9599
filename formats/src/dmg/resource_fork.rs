//! The resource fork (Inside Macintosh: More Macintosh Toolbox, "Resource File
//! Format"): a header, the resources, each behind its length, and a map of them.
//!
//! The map tells which resources are tables of chunks, but so do they themselves.

use zerocopy::big_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::DmgError;
use super::table::{Chunks, Table};
use super::trailer::Range;
use crate::error::Error;
use crate::storage::{self, Storage};

/// The longest resource fork in bytes: that of a property list, which took its
/// place. It has room for chunks of 100 GiB.
pub const MAX_LENGTH: u64 = super::property_list::MAX_LENGTH;

/// The header of a resource fork.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// Where the resources start, in bytes.
    pub data_offset: U32,
    /// Where the map starts, in bytes.
    pub map_offset: U32,
    /// The size of all resources together with their lengths, in bytes.
    pub data_length: U32,
    /// The size of the map in bytes.
    pub map_length: U32,
}

/// The size of a resource's length in bytes.
const LENGTH_SIZE: usize = 4;

/// The resources of a fork that are being read, for the tables among them.
#[derive(Clone, Debug)]
pub struct Resources {
    /// The length of this resource, as far as it was read.
    length: [u8; LENGTH_SIZE],
    filled: usize,
    /// Bytes that are left of it.
    rest: u64,
    /// Where it starts in the fork, and where all end.
    place: u64,
    end: u64,
    table: Table,
}

impl Resources {
    /// Begins with a resource fork. Returns the part of it that has the resources.
    ///
    /// # Errors
    ///
    /// If the fork is too long, or the resources do not lie in it.
    pub fn new(storage: &dyn Storage, fork: Range) -> Result<(Self, Range), Error> {
        if fork.length > MAX_LENGTH {
            let (what, length, limit) = ("resource fork", fork.length, MAX_LENGTH);
            return Err(DmgError::TooLong { what, length, limit }.into());
        }
        if fork.length < size_of::<Header>() as u64 {
            return Err(DmgError::ResourcesOutsideFork.into());
        }
        let header: Header = storage::read_struct(storage, fork.offset)?;
        let place = u64::from(header.data_offset.get());
        let length = u64::from(header.data_length.get());
        let end = place.saturating_add(length);
        if length == 0 || end > fork.length {
            return Err(DmgError::ResourcesOutsideFork.into());
        }
        let resources = Self {
            length: [0; LENGTH_SIZE],
            filled: 0,
            rest: 0,
            place,
            end,
            table: Table::default(),
        };
        Ok((resources, Range { offset: fork.offset.saturating_add(place), length }))
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// If a resource goes on behind the last, or a chunk is impossible.
    pub fn push(&mut self, mut bytes: &[u8], chunks: &mut Chunks) -> Result<(), DmgError> {
        while !bytes.is_empty() {
            if self.rest == 0 {
                let (taken, rest) = bytes.split_first().unwrap_or((&0, &[]));
                bytes = rest;
                self.push_length(*taken)?;
                continue;
            }
            let length = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
            let (taken, rest) = bytes.split_at_checked(length).unwrap_or_default();
            bytes = rest;
            self.table.push(taken, chunks)?;
            self.rest = self.rest.saturating_sub(taken.len() as u64);
            if self.rest == 0 {
                self.place = self.content().saturating_add(u32::from_be_bytes(self.length).into());
                self.filled = 0;
            }
        }
        Ok(())
    }

    /// Whether the resources may end here.
    ///
    /// # Errors
    ///
    /// If they end inside a resource.
    pub fn finish(&self) -> Result<(), DmgError> {
        match self.filled {
            0 => Ok(()),
            _ => Err(DmgError::ResourceOutsideFork { place: self.place }),
        }
    }

    /// Where the content of this resource starts in the fork.
    fn content(&self) -> u64 {
        self.place.saturating_add(LENGTH_SIZE as u64)
    }

    /// Takes a byte of a length, and begins with the resource if it is the last one.
    fn push_length(&mut self, byte: u8) -> Result<(), DmgError> {
        if let Some(target) = self.length.get_mut(self.filled) {
            *target = byte;
        }
        self.filled = self.filled.saturating_add(1);
        if self.filled < LENGTH_SIZE {
            return Ok(());
        }
        let length = u64::from(u32::from_be_bytes(self.length));
        if length == 0 || self.content().saturating_add(length) > self.end {
            return Err(DmgError::ResourceOutsideFork { place: self.place });
        }
        self.rest = length;
        self.table = Table::default();
        Ok(())
    }
}
