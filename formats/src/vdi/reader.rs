//! Where the bytes of the disk are: the block map.

use zerocopy::little_endian::U32;

use super::VdiError;
use super::header::{BLOCK_SIZE, ENTRY_SIZE, FREED};
use super::image::VdiImage;
use crate::error::Error;
use crate::extent::{Content, Extent, Place};
use crate::storage;

impl VdiImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        Extent::of_units(offset, limit, BLOCK_SIZE, |block| self.content(block))
    }

    /// How a block is stored.
    fn content(&self, block: u64) -> Result<Content, Error> {
        let entry = block.saturating_mul(ENTRY_SIZE).saturating_add(self.layout.map);
        let entry: U32 = storage::read_struct(self.file.as_ref(), entry)?;
        // One that was freed is no more there than one that was never written to. As there
        // is never an image underneath, both are zeros.
        if entry.get() >= FREED {
            return Ok(Content::Zero(None));
        }
        let place = u64::from(entry.get()).saturating_mul(BLOCK_SIZE);
        let place = place.saturating_add(self.layout.data);
        if storage::is_reachable(place, BLOCK_SIZE) {
            Ok(Content::Data(Place::own(place)))
        } else {
            Err(VdiError::BlockOutOfReach { block, place }.into())
        }
    }
}
