//! An open LUKS image: a volume and its payload in one file.

use super::{LuksError, SECTOR, version1, version2};
use crate::error::Error;
use crate::extent::Extent;
use crate::image::{Description, Image, Part, Specific, Visitor};
use crate::storage::Storage;

/// An open LUKS image.
#[derive(Clone, Debug)]
pub struct LuksImage {
    volume: Volume,
    /// What only LUKS has.
    specific: Specific,
    /// The size of the disk in bytes.
    size: u64,
}

/// A volume of either version.
#[derive(Clone, Debug)]
enum Volume {
    Version1(version1::Volume),
    Version2(version2::Volume),
}

impl LuksImage {
    /// The image of a volume whose payload is the rest of its file.
    ///
    /// # Errors
    ///
    /// If the file ends before the payload.
    pub fn version_1(volume: version1::Volume, storage: &dyn Storage) -> Result<Self, Error> {
        // A file is counted in whole sectors, as by qemu-img.
        let length = storage.length().checked_next_multiple_of(SECTOR);
        let size = length.and_then(|length| length.checked_sub(volume.payload_offset()));
        Ok(Self {
            specific: Specific::Luks(volume.description(false)),
            size: size.ok_or(LuksError::PayloadPastEnd)?,
            volume: Volume::Version1(volume),
        })
    }

    /// The image of a volume whose keys and segments are in its file.
    ///
    /// # Errors
    ///
    /// If they are not, or there is nothing that is encrypted.
    pub fn version_2(volume: version2::Volume, storage: &dyn Storage) -> Result<Self, Error> {
        Ok(Self {
            specific: Specific::Luks2(volume.description()?),
            size: volume.disk_size(storage)?,
            volume: Volume::Version2(volume),
        })
    }
}

impl LuksImage {
    /// Why the content cannot be read.
    fn refusal(&self) -> LuksError {
        match self.volume {
            Volume::Version1(_) => LuksError::KeyNeeded,
            Volume::Version2(_) => LuksError::KeyNeeded2,
        }
    }
}

impl Image for LuksImage {
    fn description(&self) -> Description {
        Description {
            virtual_size: self.size,
            encrypted: true,
            dirty: Some(false),
            specific: Some(self.specific.clone()),
            ..Description::default()
        }
    }

    /// What is encrypted is nowhere to be had.
    fn extent(&self, _offset: u64, _limit: u64) -> Result<Extent, Error> {
        Err(self.refusal().into())
    }

    fn check_content(&self) -> Result<(), Error> {
        Err(self.refusal().into())
    }

    fn visit_parts(&self, visit: &mut Visitor<'_>) -> Result<(), Error> {
        match &self.volume {
            Volume::Version1(volume) => {
                volume.key_slots().try_for_each(|slot| visit(Part::KeySlot(slot)))
            }
            Volume::Version2(volume) => {
                volume.key_slots().try_for_each(|slot| visit(Part::KeySlot2(slot)))
            }
        }
    }
}
