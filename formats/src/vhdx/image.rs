//! An open VHDX image.

use alloc::rc::Rc;

use super::bat::Bat;
use super::header::Header;
use super::log::{self, File};
use super::metadata::Metadata;
use super::parent::Parent;
use super::region::Regions;
use super::writer::SECTOR;
use crate::creation::{Options, Value};
use crate::error::Error;
use crate::extent::Extent;
use crate::guid::Guid;
use crate::image::{Backing, Description, Identity, Image};
use crate::recreation::Irreplaceable;
use crate::storage::Storage;

/// An open VHDX image.
pub struct VhdxImage {
    /// The file, as it is with the changes of its log.
    pub(super) file: File,
    metadata: Metadata,
    pub(super) bat: Bat,
    /// What changes whenever the disk does.
    data_write_id: Guid,
    /// The length of the log in bytes.
    log_length: u32,
    /// The disk underneath.
    parent: Option<Parent>,
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
        let file = log::replayed(storage, &header)?;
        let storage = file.storage();
        let regions = Regions::read(storage, &header)?;
        let metadata = Metadata::read(storage, regions.metadata)?;
        let bat = Bat::new(storage, regions.bat, &metadata)?;
        bat.check(storage, &regions)?;
        let locator = metadata.parent_locator;
        let parent = locator.map(|locator| Parent::read(storage, locator)).transpose()?;
        let (data_write_id, log_length) = (header.data_write_id, header.log_length.get());
        Ok(Self { file, metadata, bat, data_write_id, log_length, parent })
    }
}

impl Image for VhdxImage {
    fn description(&self) -> Description {
        let sector_size = u64::from(self.metadata.logical_sector_size);
        let sectors = self.metadata.disk_size.checked_div(sector_size).unwrap_or(0);
        let backing =
            |parent: &Parent| Backing { path: parent.name.clone(), format: Some(b"vhdx".to_vec()) };
        Description {
            virtual_size: sectors.saturating_mul(sector_size),
            cluster_size: Some(self.metadata.block_size.into()),
            dirty: Some(false),
            backing: self.parent.as_ref().map(backing),
            ..Description::default()
        }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn replayed(&self) -> Option<Rc<dyn Storage>> {
        match &self.file {
            File::Clean(_) => None,
            File::Changed(overlay) => Some(Rc::clone(overlay) as Rc<dyn Storage>),
        }
    }

    /// What the log has is on the disk, which gets another content anyway.
    fn recreation(&self) -> Result<Options, Error> {
        if self.parent.is_some() {
            return Err(Irreplaceable::Lost("the parent").into());
        }
        let sector_size = self.metadata.logical_sector_size;
        if sector_size != SECTOR {
            let bytes = sector_size.into();
            return Err(Irreplaceable::OtherSize { what: "sectors", bytes }.into());
        }
        let is_fixed = self.metadata.leaves_blocks_allocated;
        let subformat: &[u8] = if is_fixed { b"fixed" } else { b"dynamic" };
        let mut options = Options::default();
        options.set("subformat", Value::Text(subformat.to_vec()));
        options.set("block_size", Value::Number(self.metadata.block_size.into()));
        options.set("log_size", Value::Number(self.log_length.into()));
        Ok(options)
    }

    fn identity(&self) -> Identity {
        let parent = self.parent.as_ref().and_then(|parent| parent.id);
        Identity { own: Some(self.data_write_id), parent }
    }
}

impl core::fmt::Debug for VhdxImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.metadata.fmt(formatter)
    }
}
