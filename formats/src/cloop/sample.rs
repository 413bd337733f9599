//! Small valid images, for tests.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::header::{Header, OFFSET, OFFSETS, SCRIPT};
use crate::samples::zlib_stored;

/// An image.
#[derive(Clone, Debug)]
pub struct Compressed {
    /// The size of a block in bytes.
    pub block_size: u32,
    /// What is in the blocks, each as long as a block.
    pub blocks: Vec<Vec<u8>>,
}

impl Default for Compressed {
    /// Four blocks of 64 KiB.
    fn default() -> Self {
        let block_size = 64 << 10;
        Self { block_size, blocks: [0, 1, 2, 0xff].map(|byte| vec![byte; 64 << 10]).to_vec() }
    }
}

impl Compressed {
    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let streams: Vec<Vec<u8>> = self.blocks.iter().map(|block| zlib_stored(block)).collect();
        let lengths = streams.iter().map(|stream| stream.len() as u64);
        let table = (streams.len() as u64).saturating_add(1).saturating_mul(OFFSET);
        let mut end = OFFSETS.saturating_add(table);
        let mut offsets = vec![end];
        offsets.extend(lengths.map(|length| {
            end = end.saturating_add(length);
            end
        }));
        [&file(self.block_size, &offsets)[..], &streams.concat()].concat()
    }
}

/// A file with a table that says what a test wants, and no blocks behind it.
#[must_use]
pub fn file(block_size: u32, offsets: &[u64]) -> Vec<u8> {
    let mut header = Header::new_zeroed();
    for (target, source) in header.script.iter_mut().zip(SCRIPT) {
        *target = *source;
    }
    header.block_size = block_size.into();
    header.blocks = u32::try_from(offsets.len().saturating_sub(1)).unwrap_or(u32::MAX).into();
    let offsets: Vec<[u8; 8]> = offsets.iter().map(|offset| offset.to_be_bytes()).collect();
    [header.as_bytes(), offsets.as_flattened()].concat()
}
