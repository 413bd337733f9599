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
const LENGTH_SIZE: u64 = 4;

/// Reads the tables in a resource fork.
///
/// # Errors
///
/// If the fork or a chunk is damaged.
pub fn read(storage: &dyn Storage, fork: Range, chunks: &mut Chunks) -> Result<(), Error> {
    if fork.length > MAX_LENGTH {
        let (what, length, limit) = ("resource fork", fork.length, MAX_LENGTH);
        return Err(DmgError::TooLong { what, length, limit }.into());
    }
    if fork.length < size_of::<Header>() as u64 {
        return Err(DmgError::ResourcesOutsideFork.into());
    }
    let header: Header = storage::read_struct(storage, fork.offset)?;
    let start = u64::from(header.data_offset.get());
    let end = start.saturating_add(header.data_length.get().into());
    if header.data_length.get() == 0 || end > fork.length {
        return Err(DmgError::ResourcesOutsideFork.into());
    }
    let mut place = start;
    while place < end {
        place = read_resource(storage, fork.offset, place, end, chunks)?;
    }
    Ok(())
}

/// Reads the resource at a place of the fork. Returns where it ends.
fn read_resource(
    storage: &dyn Storage,
    fork: u64,
    place: u64,
    end: u64,
    chunks: &mut Chunks,
) -> Result<u64, Error> {
    let outside = DmgError::ResourceOutsideFork { place };
    let content = place.saturating_add(LENGTH_SIZE);
    if content > end {
        return Err(outside.into());
    }
    let length: U32 = storage::read_struct(storage, fork.saturating_add(place))?;
    let next = content.saturating_add(length.get().into());
    if length.get() == 0 || next > end {
        return Err(outside.into());
    }
    let mut table = Table::default();
    let offset = fork.saturating_add(content);
    storage::visit_pieces(storage, offset, length.get().into(), &mut |bytes| {
        table.push(bytes, chunks).map_err(Error::from)
    })?;
    Ok(next)
}
