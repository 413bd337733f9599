//! What the tests of several formats need.

use std::vec::Vec;

use crate::extent::File;
use crate::image::Image;
use crate::probe::HEAD;
use crate::storage::{Storage, StorageError, check_range};
use crate::writer::Output;
use crate::{Confidence, Extent, Format, Probe};

/// How sure a format is of a file with these bytes, and a name with this extension.
pub(crate) fn confidence(format: &dyn Format, bytes: &[u8], extension: &[u8]) -> Confidence {
    let head = &bytes[..bytes.len().min(HEAD)];
    format.probe(&Probe { head, extension, storage: &bytes.to_vec() })
}

/// The first extents of a disk, up to one that cannot be had. They lie in the disk.
pub(crate) fn extents(image: &dyn Image) -> Vec<Extent> {
    let size = image.description().virtual_size;
    let (mut offset, mut extents) = (0, Vec::new());
    while offset < size && extents.len() < 1000 {
        let Ok(extent) = image.extent(offset, size - offset) else { break };
        assert!((1..=size - offset).contains(&extent.length), "{extent:?} at {offset} of {size}");
        offset += extent.length;
        extents.push(extent);
    }
    extents
}

/// A file that is as long as one likes, with zeros behind its first bytes.
#[derive(Clone, Debug)]
pub(crate) struct Long {
    /// The first bytes.
    pub(crate) start: Vec<u8>,
    /// The length in bytes.
    pub(crate) length: u64,
}

impl Long {
    /// A file with nothing but zeros in it.
    pub(crate) fn zeros(length: u64) -> Self {
        Self { start: Vec::new(), length }
    }
}

impl Storage for Long {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        check_range(self, offset, buffer.len() as u64)?;
        let start = usize::try_from(offset).ok().and_then(|offset| self.start.get(offset..));
        let start = start.unwrap_or_default();
        let (there, missing) = buffer.split_at_mut(start.len().min(buffer.len()));
        there.copy_from_slice(&start[..there.len()]);
        missing.fill(0);
        Ok(())
    }
}

/// Takes writes and forgets them: what is made can be as large as one likes.
#[derive(Debug, Default)]
pub(crate) struct Nowhere {
    /// The most bytes of a write.
    pub(crate) longest: usize,
    /// The end of the last byte that was written.
    pub(crate) end: u64,
    /// The final length of the own file in bytes.
    pub(crate) length: u64,
}

impl Output for Nowhere {
    fn write(&mut self, _file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.longest = self.longest.max(bytes.len());
        self.end = self.end.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn set_length(&mut self, file: File, length: u64) -> Result<(), StorageError> {
        if file == File::Own {
            self.length = length;
        }
        Ok(())
    }
}
