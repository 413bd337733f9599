//! An open Bochs image.

use alloc::rc::Rc;

use super::header::{CATALOG_ENTRY, Header};
use super::{BochsError, SECTOR};
use crate::error::Error;
use crate::extent::Extent;
use crate::image::{Description, Image};
use crate::storage::{self, Storage};

/// How an image is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
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

impl Layout {
    /// The layout of the image in a file. Checks are in the order of qemu-img, whose
    /// messages they have.
    ///
    /// # Errors
    ///
    /// If the header is damaged or not supported, or the catalog is not in the file.
    pub fn new(storage: &dyn Storage) -> Result<Self, Error> {
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

    /// Where the extents are, in bytes: behind the catalog.
    #[must_use]
    pub fn data(&self) -> u64 {
        let catalog = u64::from(self.catalog_entries).saturating_mul(CATALOG_ENTRY);
        self.catalog.saturating_add(catalog)
    }

    /// The size of a bitmap in the file, in bytes. It takes a sector more than its last
    /// byte has in front of it, counted in 32 bits: one without bytes takes 4 GiB.
    #[must_use]
    pub fn bitmap_room(&self) -> u64 {
        let sectors = u64::from(self.bitmap_size.wrapping_sub(1)) / SECTOR;
        sectors.saturating_add(1).saturating_mul(SECTOR)
    }
}

/// An open Bochs image.
pub struct BochsImage {
    pub(super) file: Rc<dyn Storage>,
    pub(super) layout: Layout,
}

impl Image for BochsImage {
    fn description(&self) -> Description {
        // The catalog covers no more than 8 TiB.
        let virtual_size = self.layout.sectors.saturating_mul(SECTOR);
        Description { virtual_size, ..Description::default() }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }
}

impl core::fmt::Debug for BochsImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.layout.fmt(formatter)
    }
}
