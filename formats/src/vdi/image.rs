//! An open VDI image.

use alloc::rc::Rc;

use super::header::BLOCK_SIZE;
use crate::creation::{Options, Value};
use crate::error::Error;
use crate::extent::{Extent, File};
use crate::image::{Description, Holes, Image};
use crate::storage::Storage;

/// How an image is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The size of the disk in bytes, whole sectors.
    pub size: u64,
    /// Blocks of the disk: entries of the block map.
    pub blocks: u32,
    /// Those of them that have a block of the file, as the header counts.
    pub allocated_blocks: u32,
    /// Whether they all should have.
    pub is_static: bool,
    /// Where the block map is, in bytes. It lies in the file.
    pub map: u64,
    /// Where the first block is, in bytes.
    pub data: u64,
}

/// An open VDI image.
pub struct VdiImage {
    pub(super) file: Rc<dyn Storage>,
    pub(super) layout: Layout,
}

impl Image for VdiImage {
    fn description(&self) -> Description {
        Description {
            virtual_size: self.layout.size,
            cluster_size: Some(BLOCK_SIZE),
            // Nothing in the file tells whether it was left open.
            dirty: Some(false),
            ..Description::default()
        }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn holes(&self, _file: File, _room: u64) -> Result<Holes, Error> {
        Ok(if self.layout.is_static { Holes::Zeros } else { Holes::Hidden })
    }

    fn recreation(&self) -> Result<Options, Error> {
        let mut options = Options::default();
        options.set("static", Value::Flag(self.layout.is_static));
        Ok(options)
    }
}

impl core::fmt::Debug for VdiImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.layout.fmt(formatter)
    }
}
