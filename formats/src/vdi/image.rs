//! An open VDI image.

use super::header::BLOCK_SIZE;
use crate::image::{Description, Image};

/// An open VDI image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VdiImage {
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

impl Image for VdiImage {
    fn description(&self) -> Description {
        Description {
            virtual_size: self.size,
            cluster_size: Some(BLOCK_SIZE),
            // Nothing in the file tells whether it was left open.
            dirty: Some(false),
            ..Description::default()
        }
    }
}
