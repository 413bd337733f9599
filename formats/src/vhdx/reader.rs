//! Where the bytes of the disk are: the block allocation table, for differencing disks
//! the sector bitmap blocks, and what the log has changed of the blocks.

use super::VhdxError;
use super::bat::Entry;
use super::image::VhdxImage;
use super::log::File;
use crate::error::Error;
use crate::extent::{Content, Extent, Place};
use crate::sector_bitmap::{Order, SectorBitmap};

impl VhdxImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let stored = |limit| Extent::of_pieces(offset, limit, |at, limit| self.block(at, limit));
        // The log can hold any sector of the file, be it of data (section 2.3).
        let File::Changed(overlay) = &self.file else { return stored(limit) };
        let Content::Data(place) = self.block(offset, 1)?.content else { return stored(limit) };
        let (content, end) = overlay.content(place.offset);
        let extent = stored(limit.min(end.saturating_sub(place.offset)))?;
        Ok(Extent { content, ..extent })
    }

    /// How a payload block is stored from an offset of the disk on, up to where its
    /// next part is stored in another way.
    fn block(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let size = self.bat.block_size;
        let block = offset.checked_div(size).unwrap_or(0);
        let skip = offset.checked_rem(size).unwrap_or(0);
        let length = size.saturating_sub(skip);
        let entry = self.bat.payload_entry(self.file.storage(), block)?;
        let data = Content::Data(Place::own(entry.offset().saturating_add(skip)));
        let content = match entry.state() {
            Entry::FULLY_PRESENT => data,
            Entry::PARTIALLY_PRESENT if self.bat.has_parent => {
                let (is_here, length) = self.sectors(block, offset, limit.min(length))?;
                let content = if is_here { data } else { Content::Unallocated };
                return Ok(Extent { length, content });
            }
            Entry::NOT_PRESENT => Content::Unallocated,
            // Of what is not defined nobody wants the parent's (section 2.5.1.1).
            Entry::UNDEFINED | Entry::ZERO | Entry::UNMAPPED | Entry::UNMAPPED_BEFORE => {
                Content::Zero(None)
            }
            state => return Err(VhdxError::UnknownState { block, state }.into()),
        };
        Ok(Extent { length, content })
    }

    /// Whether a block that is partially present has the sector at an offset of the
    /// disk, and for how many bytes the same is true.
    fn sectors(&self, block: u64, offset: u64, limit: u64) -> Result<(bool, u64), Error> {
        let file = self.file.storage();
        let chunk = block.checked_div(self.bat.chunk_ratio).unwrap_or(0);
        let entry = self.bat.bitmap_entry(file, chunk)?;
        if entry.state() != Entry::FULLY_PRESENT {
            return Err(VhdxError::NoSectorBitmap { block }.into());
        }
        let bitmap = SectorBitmap { file, offset: entry.offset(), order: Order::LowestFirst };
        // All is counted in sectors; what starts inside of one ends with one.
        let size = self.bat.sector_size;
        let chunk_start = chunk.saturating_mul(self.bat.chunk_ratio);
        let chunk_start = chunk_start.saturating_mul(self.bat.block_size);
        let first = offset.saturating_sub(chunk_start).checked_div(size).unwrap_or(0);
        let within = offset.checked_rem(size).unwrap_or(0);
        let (is_here, sectors) = bitmap.run(first, limit.saturating_add(within).div_ceil(size))?;
        Ok((is_here, sectors.saturating_mul(size).saturating_sub(within)))
    }
}

#[cfg(test)]
mod tests;
