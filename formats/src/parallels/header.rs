//! The header (specification, "Header"), and what it says of the rest.

use core::mem::size_of;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::image::Layout;
use super::{ParallelsError, SECTOR, extension};
use crate::error::Error;
use crate::image::MAX_DISK;
use crate::storage::{self, Storage};

/// What an image starts with whose BAT counts sectors.
pub const MAGIC: [u8; 16] = *b"WithoutFreeSpace";

/// What an image starts with whose BAT counts clusters.
pub const EXTENDED_MAGIC: [u8; 16] = *b"WithouFreSpacExt";

/// The one version there is.
pub const VERSION: u32 = 2;

/// In [`Header::in_use`]: the image is open, or its last user left it open.
pub const IN_USE: u32 = 0x746f_6e59;

/// In [`Header::in_use`]: the image was closed.
pub const CLOSED: u32 = 0x312e_3276;

/// The largest cluster in sectors, just below 2 GiB, as with qemu-img. Real ones
/// have 1 MiB or less.
pub const MAX_CLUSTER_SECTORS: u32 = 4_186_127;

/// The most entries in a BAT, which then has 2 GiB, as with qemu-img. In clusters
/// of the usual size they cover 512 TiB.
pub const MAX_BAT_ENTRIES: u32 = 0x1fff_ffff;

/// What the offset of the format extension must be below, in sectors: where a
/// signed offset in bytes ends.
pub const MAX_EXTENSION_OFFSET: u64 = (1 << 54) - 1;

/// Where the BAT starts, in bytes.
pub const BAT_OFFSET: u64 = size_of::<Header>() as u64;

/// The size of a BAT entry in bytes.
pub const ENTRY_SIZE: u64 = 4;

/// The first bytes of an image. The BAT follows.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`] or [`EXTENDED_MAGIC`].
    pub magic: [u8; 16],
    /// [`VERSION`].
    pub version: U32,
    /// The geometry of the disk.
    pub heads: U32,
    /// And its cylinders.
    pub cylinders: U32,
    /// The size of a cluster in sectors.
    pub tracks: U32,
    /// Entries of the BAT.
    pub bat_entries: U32,
    /// The size of the disk in sectors; behind the old magic only 32 bits of it.
    pub sectors: U64,
    /// [`IN_USE`], [`CLOSED`], or zero from old software.
    pub in_use: U32,
    /// Where clusters start, in sectors; zero behind the old magic: with the
    /// sector behind the BAT.
    pub data_offset: U32,
    /// Bit 0: the disk is empty.
    pub flags: U32,
    /// Where the format extension is, in sectors; zero if there is none.
    pub extension_offset: U64,
}

/// Whether a file that starts with these bytes has a magic and the version.
#[must_use]
pub fn is_header(head: &[u8]) -> bool {
    let rest = head.strip_prefix(&MAGIC).or(head.strip_prefix(&EXTENDED_MAGIC));
    rest.is_some_and(|rest| rest.starts_with(&VERSION.to_le_bytes()))
}

impl Header {
    /// The layout of the image that this is the header of. Checks are in the order of qemu-img,
    /// whose messages they have.
    ///
    /// # Errors
    ///
    /// If the header is damaged or the disk too large, or a table that it names is
    /// not in the file.
    pub fn layout(&self, file: &dyn Storage) -> Result<Layout, Error> {
        let is_known = self.version.get() == VERSION;
        let (sectors, extended) = match self.magic {
            MAGIC if is_known => (self.sectors.get() & u64::from(u32::MAX), false),
            EXTENDED_MAGIC if is_known => (self.sectors.get(), true),
            _ => return Err(ParallelsError::NotParallels.into()),
        };
        let cluster_size = self.cluster_size()?;
        let bat_entries = self.bat_entries.get();
        if bat_entries > MAX_BAT_ENTRIES {
            return Err(ParallelsError::TooManyEntries.into());
        }
        let extension = self.extension()?;
        check_bat(bat_entries, file)?;
        if let Some(offset) = extension {
            extension::check(file, offset, cluster_size)?;
        }
        let size = sectors.checked_mul(SECTOR).filter(|size| *size <= MAX_DISK);
        Ok(Layout {
            size: size.ok_or(ParallelsError::DiskTooLarge)?,
            cluster_size,
            bat_entries,
            bat_unit: if extended { cluster_size } else { SECTOR },
            data: u64::from(self.data_offset.get()).saturating_mul(SECTOR),
            extension,
            in_use: self.in_use.get() == IN_USE,
        })
    }

    /// The size of a cluster in bytes.
    fn cluster_size(&self) -> Result<u64, ParallelsError> {
        match self.tracks.get() {
            0 => Err(ParallelsError::ClusterWithoutSize),
            1..=MAX_CLUSTER_SECTORS => Ok(u64::from(self.tracks.get()).saturating_mul(SECTOR)),
            _ => Err(ParallelsError::ClusterTooLarge),
        }
    }

    /// Where the format extension is, in bytes.
    fn extension(&self) -> Result<Option<u64>, ParallelsError> {
        match self.extension_offset.get() {
            0 => Ok(None),
            offset if offset < MAX_EXTENSION_OFFSET => Ok(offset.checked_mul(SECTOR)),
            _ => Err(ParallelsError::ExtensionOffset),
        }
    }
}

/// Checks that a BAT lies in the file.
fn check_bat(entries: u32, file: &dyn Storage) -> Result<(), ParallelsError> {
    let offset = BAT_OFFSET;
    let length = u64::from(entries).saturating_mul(ENTRY_SIZE);
    if storage::check_range(file, offset, length).is_err() {
        return Err(ParallelsError::BatOutsideFile { offset, length });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
