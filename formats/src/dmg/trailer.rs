//! The trailer (description, "File footer"): the last 512 bytes of the file.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{DmgError, SECTOR};
use crate::error::Error;
use crate::storage::{self, Storage, StorageError};

/// What a trailer starts with.
pub const MAGIC: [u8; 4] = *b"koly";

/// The version that every trailer has.
pub const VERSION: u32 = 4;

/// The size of the trailer in bytes.
pub const TRAILER_SIZE: u32 = 512;

/// How much of the end of a file is searched for the trailer, in bytes. qemu-img
/// sees a file in whole sectors, so a trailer that ends with the file may start
/// anywhere in the last sector but one.
const TAIL: u64 = 1023;

/// The last of the places in it, counted from its start.
const LAST_PLACE: usize = 511;

/// The trailer as it is in the file.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct OnDisk {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// [`VERSION`].
    pub version: U32,
    /// [`TRAILER_SIZE`].
    pub size: U32,
    /// Flags; 1 is set in every image.
    pub flags: U32,
    /// Zero, or where the data fork of a segment is in that of the whole image.
    pub running_data_fork_offset: U64,
    /// Where the data fork starts, in bytes. Chunks count from there.
    pub data_fork_offset: U64,
    /// The size of the data fork in bytes.
    pub data_fork_length: U64,
    /// Where the resource fork starts, in bytes.
    pub resource_fork_offset: U64,
    /// The size of the resource fork in bytes; zero if there is none.
    pub resource_fork_length: U64,
    /// The number of this segment, from 1 on, if the image has several files.
    pub segment_number: U32,
    /// How many segments there are.
    pub segment_count: U32,
    /// The id that all segments have in common.
    pub segment_id: [u8; 16],
    /// The checksum of the data fork.
    pub data_checksum: Checksum,
    /// Where the property list starts, in bytes.
    pub property_list_offset: U64,
    /// The size of the property list in bytes; zero if there is none.
    pub property_list_length: U64,
    /// Zeros.
    pub reserved: [u8; 120],
    /// The checksum of the checksums of all tables.
    pub master_checksum: Checksum,
    /// What is in the image: 1 for a disk, 2 for a partition.
    pub variant: U32,
    /// The size of the disk in sectors.
    pub sectors: U64,
    /// Zeros.
    pub padding: [u8; 12],
}

/// A checksum, of a kind that it names.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Checksum {
    /// 2 for CRC-32.
    pub kind: U32,
    /// Its size in bits.
    pub bits: U32,
    /// Its value, as far as it goes.
    pub value: [u8; 128],
}

/// What a trailer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Where the data fork starts, in bytes.
    pub data_fork: u64,
    /// The resource fork, in front of the trailer.
    pub resource_fork: Range,
    /// The property list, in front of the trailer.
    pub property_list: Range,
    /// The size of the disk in sectors.
    pub sectors: u64,
}

/// A part of the file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where it starts.
    pub offset: u64,
    /// How long it is; zero if it is not there.
    pub length: u64,
}

impl Trailer {
    /// The trailer of a file.
    ///
    /// # Errors
    ///
    /// If it has none, or one that speaks of places behind itself.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        if storage.length() == 0 {
            return Err(DmgError::TooSmall.into());
        }
        let (start, tail) = read_tail(storage)?;
        let places = tail.windows(MAGIC.len()).take(LAST_PLACE.saturating_add(1));
        let place = places.into_iter().position(|bytes| bytes == MAGIC);
        let place = place.ok_or(DmgError::NoTrailer)?;
        let offset = start.saturating_add(place as u64);
        let bytes = tail.get(place..).unwrap_or_default();
        let (on_disk, _) =
            OnDisk::read_from_prefix(bytes).map_err(|_| DmgError::TrailerCutOff { offset })?;
        Ok(on_disk.checked(offset)?)
    }
}

impl OnDisk {
    /// What the trailer says, if all that it speaks of is in front of it.
    fn checked(&self, trailer: u64) -> Result<Trailer, DmgError> {
        let data_fork = self.data_fork_offset.get();
        if data_fork > trailer {
            return Err(DmgError::BehindTrailer {
                what: "data fork",
                offset: data_fork,
                length: 0,
            });
        }
        let range = |what, offset: U64, length: U64| {
            let (offset, length) = (offset.get(), length.get());
            let room = trailer.checked_sub(offset).filter(|room| *room != 0);
            match room {
                Some(room) if length <= room => Ok(Range { offset, length }),
                _ => Err(DmgError::BehindTrailer { what, offset, length }),
            }
        };
        Ok(Trailer {
            data_fork,
            resource_fork: range(
                "resource fork",
                self.resource_fork_offset,
                self.resource_fork_length,
            )?,
            property_list: range(
                "property list",
                self.property_list_offset,
                self.property_list_length,
            )?,
            sectors: self.sectors.get(),
        })
    }
}

/// The end of a file and where it starts.
fn read_tail(storage: &dyn Storage) -> Result<(u64, Vec<u8>), StorageError> {
    let sectors = storage.length().div_ceil(SECTOR);
    let start = sectors.saturating_mul(SECTOR).saturating_sub(TAIL);
    let length = storage.length().saturating_sub(start);
    let mut tail = vec![0; usize::try_from(length).unwrap_or(0)];
    storage.read_at(start, &mut tail)?;
    Ok((start, tail))
}

/// Whether a file ends with a trailer as every image has it.
#[must_use]
pub fn is_at_end(storage: &dyn Storage) -> bool {
    let Some(offset) = storage.length().checked_sub(TRAILER_SIZE.into()) else { return false };
    storage::read_struct::<OnDisk>(storage, offset).is_ok_and(|trailer| {
        trailer.magic == MAGIC
            && trailer.version.get() == VERSION
            && trailer.size.get() == TRAILER_SIZE
    })
}
