//! An open DMG image.

use alloc::rc::Rc;

use super::index::Index;
use super::trailer::Trailer;
use super::{DmgError, SECTOR};
use crate::error::Error;
use crate::extent::Extent;
use crate::image::{Description, Image, MAX_DISK};
use crate::storage::Storage;

/// An open DMG image.
#[derive(Debug)]
pub struct DmgImage {
    /// What the trailer says.
    pub trailer: Trailer,
    /// The chunks that hold a part of the disk.
    pub chunks: Index,
}

impl DmgImage {
    /// The image in a file. Checks are in the order of qemu-img, whose messages
    /// they have where it has any.
    ///
    /// # Errors
    ///
    /// If the image is damaged or too large.
    pub fn new(file: Rc<dyn Storage>) -> Result<Self, Error> {
        let trailer = Trailer::read(file.as_ref())?;
        let chunks = Index::read(file, &trailer)?;
        if chunks.count() == 0 {
            return Err(DmgError::NoChunks.into());
        }
        if trailer.sectors > MAX_DISK / SECTOR {
            return Err(DmgError::DiskTooLarge.into());
        }
        Ok(Self { trailer, chunks })
    }
}

impl Image for DmgImage {
    fn description(&self) -> Description {
        // Not more than the largest disk.
        let virtual_size = self.trailer.sectors.saturating_mul(SECTOR);
        Description { virtual_size, ..Description::default() }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn check_content(&self) -> Result<(), Error> {
        Ok(self.chunks.check_order()?)
    }
}
