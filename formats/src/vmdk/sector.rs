//! Files in whole sectors.
//!
//! A file may end inside a sector; what is missing of that sector reads as
//! zeros. What lies behind it is not in the file.

use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::{SECTOR, VmdkError};
use crate::error::Error;
use crate::storage::{Storage, read_padded};

/// How many sectors a file has.
pub(super) fn count(storage: &dyn Storage) -> u64 {
    storage.length().div_ceil(SECTOR)
}

/// Whether a file has so many sectors.
pub(super) fn has(storage: &dyn Storage, sectors: u64) -> bool {
    let there = storage.reach(sectors.saturating_mul(SECTOR));
    sectors <= there.div_ceil(SECTOR)
}

/// Where a part of a file starts, in bytes, if all its `length` bytes are there.
/// Errors call it `what`.
pub(super) fn locate(
    storage: &dyn Storage,
    what: &'static str,
    sector: u64,
    length: u64,
) -> Result<u64, VmdkError> {
    let end = sector.checked_add(length.div_ceil(SECTOR));
    let inside = end.is_some_and(|end| has(storage, end));
    let offset = sector.checked_mul(SECTOR).filter(|_| inside);
    offset.ok_or(VmdkError::OutsideFile { what, sector, length })
}

/// Reads a structure that starts at a sector.
pub(super) fn read<T: FromZeros + IntoBytes + FromBytes>(
    storage: &dyn Storage,
    what: &'static str,
    sector: u64,
) -> Result<T, Error> {
    let offset = locate(storage, what, sector, size_of::<T>() as u64)?;
    Ok(read_padded(storage, offset)?)
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn the_last_sector_is_filled_up_with_zeros() {
        for (length, sector, expected) in [
            (1024, 1, Some([7, 7])),
            (513, 1, Some([7, 0])),
            (512, 1, None),
            (1, 0, Some([7, 0])),
            (0, 0, None),
            (1024, u64::MAX, None),
            (1024, u64::MAX / SECTOR, None),
        ] {
            let read = read::<[u8; 512]>(&vec![7; length], "header", sector);
            assert_eq!(read.ok().map(|bytes| [bytes[0], bytes[511]]), expected, "{length}");
        }
    }

    #[test]
    fn a_part_lies_in_the_file() {
        let file: Vec<u8> = vec![0; 1025];
        for (sector, length, inside) in [
            (0, 1536, true),
            (0, 1537, false),
            (2, 512, true),
            (2, 513, false),
            (3, 0, true),
            (4, 0, false),
            (0, u64::MAX, false),
            (u64::MAX, 1, false),
        ] {
            assert_eq!(locate(&file, "table", sector, length).is_ok(), inside, "{sector} {length}");
        }
    }
}
