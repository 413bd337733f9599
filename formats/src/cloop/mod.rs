//! cloop images: file systems compressed by blocks, for the compressed loop
//! device of Knoppix.
//!
//! A shell script that mounts the image, a header, a table with the place of
//! each block, and the blocks, each a zlib stream.
//!
//! Specified by its tools, `create_compressed_fs` and the driver's `cloop.h`
//! (version 2.0; later versions have another table, at the end of the file).
//!
//! Reading order: [`header`], then [`CloopImage`].

pub mod error;
pub mod header;
#[cfg(any(test, feature = "samples"))]
pub mod sample;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::CloopError;

use crate::error::Error;
use crate::image::{Description, Image};
use crate::storage::{self, Storage};
use crate::{Confidence, Format, Probe};
use header::{Header, MAX_COMPRESSED_SIZE, OFFSET, OFFSETS, SCRIPT};

/// The cloop format.
#[derive(Debug)]
pub struct Cloop;

impl Format for Cloop {
    fn name(&self) -> &'static str {
        "cloop"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        // It is a script as well, so somebody may see something else in it.
        if probe.starts_with(SCRIPT) { Confidence::WEAK } else { Confidence::NONE }
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(CloopImage::new(storage.as_ref())?))
    }
}

/// An open cloop image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloopImage {
    /// The size of a block in bytes: whole sectors.
    pub block_size: u32,
    /// How many blocks there are. The table of their places, at [`OFFSETS`], has
    /// one entry more.
    pub blocks: u32,
}

impl CloopImage {
    /// The image in a file. Checks are in the order of qemu-img, whose messages
    /// they have.
    fn new(storage: &dyn Storage) -> Result<Self, Error> {
        let header = Header::read(storage)?;
        let image = Self { block_size: header.block_size()?, blocks: header.blocks()? };
        check_offsets(storage, image.blocks)?;
        Ok(image)
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

impl Image for CloopImage {
    fn description(&self) -> Description {
        // Two numbers of 32 bits make one of 64.
        let virtual_size = u64::from(self.blocks).saturating_mul(self.block_size.into());
        Description { virtual_size, ..Description::default() }
    }
}

#[cfg(test)]
mod tests;
