//! An open cloop image.

use alloc::rc::Rc;

use super::CloopError;
use super::header::{Header, MAX_COMPRESSED_SIZE, OFFSET, OFFSETS};
use crate::error::Error;
use crate::extent::Extent;
use crate::image::{Description, Image};
use crate::storage::{self, Storage};

/// How an image is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The size of a block in bytes: whole sectors.
    pub block_size: u32,
    /// How many blocks there are. The table of their places, at [`OFFSETS`], has
    /// one entry more.
    pub blocks: u32,
}

impl Layout {
    /// The layout of the image in a file. Checks are in the order of qemu-img, whose
    /// messages they have.
    ///
    /// # Errors
    ///
    /// If the header or the table of places is damaged, or not in the file.
    pub fn new(storage: &dyn Storage) -> Result<Self, Error> {
        let header = Header::read(storage)?;
        let layout = Self { block_size: header.block_size()?, blocks: header.blocks()? };
        check_offsets(storage, layout.blocks)?;
        Ok(layout)
    }
}

/// An open cloop image.
pub struct CloopImage {
    pub(super) file: Rc<dyn Storage>,
    pub(super) layout: Layout,
}

impl Image for CloopImage {
    fn description(&self) -> Description {
        // Two numbers of 32 bits make one of 64.
        let size = u64::from(self.layout.blocks).saturating_mul(self.layout.block_size.into());
        Description { virtual_size: size, ..Description::default() }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }
}

impl core::fmt::Debug for CloopImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.layout.fmt(formatter)
    }
}

/// Whether the table of places is one: each block ends where the next starts.
fn check_offsets(storage: &dyn Storage, blocks: u32) -> Result<(), Error> {
    // The number of blocks is bounded, and so is the table: to 512 MiB.
    let length = u64::from(blocks).saturating_add(1).saturating_mul(OFFSET);
    storage::check_range(storage, OFFSETS, length)
        .map_err(|_| CloopError::OffsetsOutsideFile { length })?;
    let mut previous = None;
    let mut index = 0_u32;
    storage::visit_pieces(storage, OFFSETS, length, &mut |bytes| {
        for offset in bytes.as_chunks().0 {
            let offset = u64::from_be_bytes(*offset);
            let size = offset.checked_sub(previous.unwrap_or(offset));
            let size = size.ok_or(CloopError::OffsetsNotIncreasing { index })?;
            if size > MAX_COMPRESSED_SIZE {
                return Err(CloopError::InvalidBlockSize { index }.into());
            }
            previous = Some(offset);
            index = index.saturating_add(1);
        }
        Ok(())
    })
}
