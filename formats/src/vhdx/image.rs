//! An open VHDX image.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::bat::Bat;
use super::header::Header;
use super::metadata::Metadata;
use super::region::Regions;
use super::{log, parent};
use crate::error::Error;
use crate::image::{Backing, Description, Image};
use crate::storage::Storage;

/// An open VHDX image.
#[derive(Clone, Debug)]
pub struct VhdxImage {
    metadata: Metadata,
    /// The name of the disk underneath.
    parent: Option<Vec<u8>>,
}

impl VhdxImage {
    /// Opens an image. If its log was not finished, the image is the one that it
    /// would be; the file stays as it is.
    ///
    /// # Errors
    ///
    /// If the file has no VHDX image, or the image is damaged or uses what is not
    /// supported.
    pub fn open(storage: Rc<dyn Storage>) -> Result<Self, Error> {
        let header = Header::current(storage.as_ref())?;
        let storage = log::replayed(storage, &header)?;
        let storage = storage.as_ref();
        let regions = Regions::read(storage, &header)?;
        let metadata = Metadata::read(storage, regions.metadata)?;
        Bat::new(storage, regions.bat, &metadata)?.check(storage, &regions)?;
        let locator = metadata.parent_locator;
        let parent = locator.map(|locator| parent::name(storage, locator)).transpose()?;
        Ok(Self { metadata, parent })
    }
}

impl Image for VhdxImage {
    fn description(&self) -> Description {
        let sector_size = u64::from(self.metadata.logical_sector_size);
        let sectors = self.metadata.disk_size.checked_div(sector_size).unwrap_or(0);
        Description {
            virtual_size: sectors.saturating_mul(sector_size),
            cluster_size: Some(self.metadata.block_size.into()),
            dirty: Some(false),
            backing: self
                .parent
                .clone()
                .map(|path| Backing { path, format: Some(b"vhdx".to_vec()) }),
            ..Description::default()
        }
    }
}
