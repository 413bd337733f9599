//! Images whose extents are other files: the image's own file is the descriptor.

use alloc::vec::Vec;

use super::descriptor::{self, ExtentLine};
use super::settings::Settings;
use super::sparse::SparseExtent;
use super::{GRAIN, SECTOR};
use crate::error::Error;
use crate::extent::{File, Place};
use crate::vmdk::VmdkError;
use crate::vmdk::descriptor::{MAX_EXTENTS, MAX_TEXT};
use crate::writer::{OtherFile, Output, Run, Writer};

/// The size of the extents that a disk is split into, in sectors: 2 GiB.
const SPLIT_SECTORS: u64 = (2 << 30) / SECTOR;

/// The extents of a disk, and the descriptor that names them.
#[derive(Clone, Debug)]
struct Extents {
    /// The size of the disk in sectors.
    sectors: u64,
    /// The size of each extent but the last, in sectors, not zero.
    each: u64,
    /// What their files are called.
    files: Vec<OtherFile>,
    descriptor: Vec<u8>,
}

impl Extents {
    fn new(settings: &Settings) -> Result<Self, VmdkError> {
        let sectors = settings.sectors;
        let is_split = settings.subformat.is_split();
        let each = if is_split { SPLIT_SECTORS } else { sectors.max(1) };
        let count = usize::try_from(sectors.div_ceil(each)).unwrap_or(usize::MAX);
        if count > MAX_EXTENTS {
            return Err(VmdkError::TooManyExtents { limit: MAX_EXTENTS });
        }
        let file = |number| match (is_split, settings.subformat.is_flat()) {
            (false, _) => OtherFile::Flat,
            (true, true) => OtherFile::FlatPart(number),
            (true, false) => OtherFile::SparsePart(number),
        };
        let files = (1..).take(count).map(file);
        let mut extents = Self { sectors, each, files: files.collect(), descriptor: Vec::new() };
        let lines = extents.files.iter().enumerate().map(|(index, file)| ExtentLine {
            sectors: extents.length(index),
            name: file.name(&settings.file_name),
        });
        let lines: Vec<ExtentLine> = lines.collect();
        extents.descriptor = descriptor::descriptor(settings, &lines, MAX_TEXT as u64)?;
        Ok(extents)
    }

    /// How many sectors of the disk an extent has.
    fn length(&self, index: usize) -> u64 {
        let before = (index as u64).saturating_mul(self.each);
        self.sectors.saturating_sub(before).min(self.each)
    }

    /// The extent with an offset of the disk, where in it that is, and how much of it
    /// follows there, in bytes.
    fn find(&self, offset: u64) -> (usize, u64, u64) {
        let each = self.each.saturating_mul(SECTOR);
        let index = offset.checked_div(each).unwrap_or(0);
        let inside = offset.checked_rem(each).unwrap_or(0);
        // Nothing comes behind the disk.
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        (index, inside, each.saturating_sub(inside))
    }

    /// Writes the descriptor, which makes the files an image.
    fn publish(&self, output: &mut dyn Output) -> Result<(), Error> {
        output.barrier()?;
        output.write(File::Own, 0, &self.descriptor)?;
        Ok(output.set_length(File::Own, self.descriptor.len() as u64)?)
    }
}

/// Makes an image with flat extents.
#[derive(Clone, Debug)]
pub(super) struct Flat(Extents);

impl Flat {
    /// Begins to make an image.
    pub(super) fn new(settings: &Settings) -> Result<Self, VmdkError> {
        Ok(Self(Extents::new(settings)?))
    }
}

impl Writer for Flat {
    fn other_files(&self) -> Vec<OtherFile> {
        self.0.files.clone()
    }

    fn longest(&self, file: File) -> u64 {
        match file {
            File::Own | File::Replayed => self.0.descriptor.len() as u64,
            File::Other(index) => self.0.length(index).saturating_mul(SECTOR),
        }
    }

    fn unit(&self) -> u64 {
        SECTOR
    }

    fn place(&mut self, offset: u64, length: u64, _output: &mut dyn Output) -> Result<Run, Error> {
        let (index, offset, left) = self.0.find(offset);
        let place = Place { file: File::Other(index), offset };
        Ok(Run { place, length: length.min(left) })
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        for index in 0..self.0.files.len() {
            let file = File::Other(index);
            output.set_length(file, self.longest(file))?;
        }
        self.0.publish(output)
    }
}

/// Makes an image with sparse extents. As ranges come in ascending order, one extent is
/// finished before the next begins.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    extents: Extents,
    zeroed_grains: bool,
    /// The extent that is being made, and its number.
    current: Option<(usize, SparseExtent)>,
    /// How many extents have been begun.
    begun: usize,
}

impl Sparse {
    /// Begins to make an image.
    pub(super) fn new(settings: &Settings) -> Result<Self, VmdkError> {
        let extents = Extents::new(settings)?;
        let zeroed_grains = settings.zeroed_grains;
        Ok(Self { extents, zeroed_grains, current: None, begun: 0 })
    }

    fn new_extent(&self, index: usize) -> SparseExtent {
        SparseExtent::new(File::Other(index), self.extents.length(index), self.zeroed_grains)
    }

    /// Finishes the extent that is being made. Its header is no secret: it is the
    /// descriptor that makes an image of it.
    fn finish_current(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        if let Some((_, mut extent)) = self.current.take() {
            extent.finish(output)?;
            output.barrier()?;
            extent.publish(output)?;
        }
        Ok(())
    }

    /// Goes on until an extent is being made. Those that are passed by stay empty.
    fn advance(
        &mut self,
        index: usize,
        output: &mut dyn Output,
    ) -> Result<&mut SparseExtent, Error> {
        while self.begun <= index {
            self.finish_current(output)?;
            self.current = Some((self.begun, self.new_extent(self.begun)));
            self.begun = self.begun.saturating_add(1);
        }
        let current = self.current.as_mut().filter(|(current, _)| *current == index);
        Ok(current.map(|(_, extent)| extent).ok_or(VmdkError::NoSuchReference { index })?)
    }
}

impl Writer for Sparse {
    fn other_files(&self) -> Vec<OtherFile> {
        self.extents.files.clone()
    }

    fn longest(&self, file: File) -> u64 {
        match file {
            File::Own | File::Replayed => self.extents.descriptor.len() as u64,
            File::Other(index) => self.new_extent(index).longest(),
        }
    }

    fn unit(&self) -> u64 {
        GRAIN
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        let (index, offset, left) = self.extents.find(offset);
        self.advance(index, output)?.place(offset, length.min(left), output)
    }

    fn zero(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<(), Error> {
        let (mut offset, mut rest) = (offset, length);
        while rest > 0 {
            let (index, inside, left) = self.extents.find(offset);
            let length = rest.min(left);
            self.advance(index, output)?.zero(inside, length, output)?;
            offset = offset.saturating_add(length);
            rest = rest.saturating_sub(length);
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        if let Some(last) = self.extents.files.len().checked_sub(1) {
            self.advance(last, output)?;
        }
        self.finish_current(output)?;
        self.extents.publish(output)
    }
}
