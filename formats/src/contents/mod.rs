//! What a raw image holds: partition tables and file systems of optical discs.
//!
//! An image can hold several at once: a hybrid ISO image has an ISO 9660 file
//! system, which leaves the first 32 KiB to others, and a partition table there.
//!
//! Everything is recognised by its structures, and each is checked as far as it
//! takes to tell it from something else. Nothing here is an error: what is damaged
//! is said to be, or is not there.
//!
//! Reading order: this file, then [`mbr`], [`gpt`] and [`volumes`].

pub mod gpt;
pub mod mbr;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod volumes;

use alloc::vec::Vec;

use zerocopy::{FromBytes, FromZeros, IntoBytes};

pub use gpt::Gpt;
pub use mbr::Mbr;
pub use volumes::Iso9660;

use crate::storage::{self, Storage, StorageError};

/// Something that a raw image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A DOS partition table.
    Mbr(Mbr),
    /// A GUID partition table.
    Gpt(Gpt),
    /// An ISO 9660 file system.
    Iso9660(Iso9660),
    /// A UDF file system.
    Udf,
}

/// What a raw image holds: each kind of content once at most.
///
/// # Errors
///
/// If the image cannot be read.
pub fn of(disk: &dyn Storage) -> Result<Vec<Content>, StorageError> {
    let boot_sector = mbr::BootSector::read(disk)?;
    let is_protective = boot_sector.as_ref().is_some_and(mbr::BootSector::is_protective);
    let gpt = gpt::read(disk, is_protective)?;
    let mbr = match boot_sector {
        // A protective table only says that the disk is not empty.
        Some(boot_sector) => boot_sector.table(disk, gpt.is_some())?,
        None => None,
    };
    let volumes = volumes::read(disk)?;
    let contents = [
        mbr.map(Content::Mbr),
        gpt.map(Content::Gpt),
        volumes.iso9660.map(Content::Iso9660),
        volumes.udf.then_some(Content::Udf),
    ];
    Ok(contents.into_iter().flatten().collect())
}

/// Reads a structure, if it lies on the disk.
fn read<T: FromZeros + IntoBytes + FromBytes>(
    disk: &dyn Storage,
    offset: u64,
) -> Result<Option<T>, StorageError> {
    match storage::read_struct(disk, offset) {
        Ok(value) => Ok(Some(value)),
        Err(StorageError::PastEnd { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
