//! An open LUKS image: a volume and its payload in one file.

use super::version1::Volume;
use super::{LuksError, SECTOR};
use crate::error::Error;
use crate::image::{Description, Image, Part, Specific, Visitor};
use crate::storage::Storage;

/// An open LUKS image.
#[derive(Clone, Debug)]
pub struct LuksImage {
    volume: Volume,
    /// The size of the disk in bytes.
    size: u64,
}

impl LuksImage {
    /// The image of a volume whose payload is the rest of its file.
    ///
    /// # Errors
    ///
    /// If the file ends before the payload.
    pub fn new(volume: Volume, storage: &dyn Storage) -> Result<Self, Error> {
        // A file is counted in whole sectors, as by qemu-img.
        let length = storage.length().checked_next_multiple_of(SECTOR);
        let size = length.and_then(|length| length.checked_sub(volume.payload_offset()));
        Ok(Self { volume, size: size.ok_or(LuksError::PayloadPastEnd)? })
    }
}

impl Image for LuksImage {
    fn description(&self) -> Description {
        Description {
            virtual_size: self.size,
            encrypted: true,
            dirty: Some(false),
            specific: Some(Specific::Luks(self.volume.description(false))),
            ..Description::default()
        }
    }

    fn visit_parts(&self, visit: &mut Visitor<'_>) -> Result<(), Error> {
        self.volume.key_slots().try_for_each(|slot| visit(Part::KeySlot(slot)))
    }
}
