//! Where the bytes of the disk are: in which extent, and where in that.

use super::grain::Grains;
use super::image::{self, VmdkImage};
use super::{SECTOR, VmdkError};
use crate::error::Error;
use crate::extent::{Content, Extent, File, Place};
use crate::storage;

impl VmdkImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let extent = self.extent_at(offset).ok_or(VmdkError::OffTheDisk { offset })?;
        let inside = offset.saturating_sub(extent.start);
        let limit = limit.min(extent.bytes().saturating_sub(inside));
        match &extent.content {
            image::Content::Zero => Ok(Extent::new(limit, limit, Content::Zero(None))),
            image::Content::Flat { offset: sector } => {
                let content = Content::Data(flat(extent, *sector)?);
                Ok(Extent::new(limit, limit, content.inside(inside)))
            }
            image::Content::Sparse(sparse) => {
                let storage = extent.storage.as_deref().ok_or_else(|| extent.missing())?;
                Grains::new(sparse, storage, file(extent)).extent(inside, limit)
            }
            image::Content::UnknownSparse => Err(extent.missing().into()),
        }
    }
}

/// Where a flat extent starts.
fn flat(extent: &image::Extent, sector: u64) -> Result<Place, VmdkError> {
    let offset = sector.checked_mul(SECTOR);
    let offset = offset.filter(|offset| storage::is_reachable(*offset, extent.bytes()));
    let offset = offset.ok_or(VmdkError::ExtentOutOfReach { sector })?;
    Ok(Place { file: file(extent), offset })
}

/// The file of an extent.
fn file(extent: &image::Extent) -> File {
    extent.reference.map_or(File::Own, File::Other)
}

#[cfg(test)]
mod tests;
