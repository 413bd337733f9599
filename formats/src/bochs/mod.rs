//! Bochs images: the growing disks of the Bochs emulator.
//!
//! A header, a catalog with an entry for each extent of the disk, and the
//! extents that were written to, in the order in which that happened first. An
//! extent starts with a bitmap that tells which of its sectors are there; the
//! others hold zeros.
//!
//! Specified in the "Bochs Developers Guide", section "Harddisk Images based on
//! redologs", called the specification here. A redolog can also hold the changes
//! of another disk ("Undoable", "Volatile"); only "Growing" ones are disks of
//! their own.
//!
//! Reading order: [`header`], then [`BochsImage`].

pub mod error;
pub mod header;
#[cfg(any(test, feature = "samples"))]
pub mod sample;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::BochsError;

use crate::error::Error;
use crate::image::{Description, Image};
use crate::storage::{self, Storage};
use crate::{Confidence, Format, Probe};
use header::{CATALOG_ENTRY, Header};

/// The Bochs format.
#[derive(Debug)]
pub struct Bochs;

/// The unit of the disk in bytes. A part of one at its end is not there.
pub const SECTOR: u64 = 512;

impl Format for Bochs {
    fn name(&self) -> &'static str {
        "bochs"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        Confidence::certain_if(Header::from_start(probe.head).is_growing())
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(BochsImage::new(storage.as_ref())?))
    }
}

/// An open Bochs image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BochsImage {
    /// The size of the disk in sectors.
    pub sectors: u64,
    /// Where the catalog is in the file, in bytes.
    pub catalog: u64,
    /// Entries in the catalog: one for each extent.
    pub catalog_entries: u32,
    /// The size of an extent's bitmap in bytes. In the file it takes whole
    /// sectors.
    pub bitmap_size: u32,
    /// The size of an extent in bytes, without its bitmap: a power of two.
    pub extent_size: u32,
}

impl BochsImage {
    /// The image in a file. Checks are in the order of qemu-img, whose messages
    /// they have.
    fn new(storage: &dyn Storage) -> Result<Self, Error> {
        let header = Header::read(storage)?;
        let sectors = header.disk_size() / SECTOR;
        let catalog_entries = header.catalog_entries()?;
        let catalog = header.header_size.get().into();
        let length = u64::from(catalog_entries).saturating_mul(CATALOG_ENTRY);
        storage::check_range(storage, catalog, length)
            .map_err(|_| BochsError::CatalogOutsideFile { offset: catalog, length })?;
        let extent_size = header.extent_size()?;
        // An extent has at least one sector.
        let extents = sectors.div_ceil((u64::from(extent_size) / SECTOR).max(1));
        if u64::from(catalog_entries) < extents {
            return Err(BochsError::CatalogTooSmall.into());
        }
        let bitmap_size = header.bitmap_size.get();
        Ok(Self { sectors, catalog, catalog_entries, bitmap_size, extent_size })
    }
}

impl Image for BochsImage {
    fn description(&self) -> Description {
        // The catalog covers no more than 8 TiB.
        let virtual_size = self.sectors.saturating_mul(SECTOR);
        Description { virtual_size, ..Description::default() }
    }
}

#[cfg(test)]
mod tests;
