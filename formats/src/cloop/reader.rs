//! Where the bytes of the disk are: the table of places. Every block is compressed.

use zerocopy::big_endian::U64;

use super::CloopError;
use super::header::{MAX_COMPRESSED_SIZE, OFFSET, OFFSETS};
use super::image::CloopImage;
use crate::codec::Codec;
use crate::error::Error;
use crate::extent::{Compressed, Content, Extent, Place};
use crate::storage;

impl CloopImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let size = u64::from(self.layout.block_size);
        Extent::of_units(offset, limit, size, |block| self.content(block, size))
    }

    /// How a block is stored. It was checked when the image was opened; that it still
    /// is so costs nothing to see.
    fn content(&self, block: u64, size: u64) -> Result<Content, Error> {
        let entry = block.saturating_mul(OFFSET).saturating_add(OFFSETS);
        let [start, end]: [U64; 2] = storage::read_struct(self.file.as_ref(), entry)?;
        let (place, length) = (start.get(), end.get().checked_sub(start.get()));
        let length = length.filter(|length| *length <= MAX_COMPRESSED_SIZE);
        let length = length.filter(|length| storage::is_reachable(place, *length));
        let length = length.ok_or(CloopError::BlockOutOfReach { block, place })?;
        let place = Place::own(place);
        Ok(Content::Compressed(Compressed { place, length, codec: Codec::Zlib, size, skip: 0 }))
    }
}
