//! Making images: header, block map, blocks in the order in which they come.

use zerocopy::{FromZeros, IntoBytes};

use super::header::{
    BLOCK_SIZE, DYNAMIC, ENTRY_SIZE, HEADER_SIZE, Header, MAX_DISK_SIZE, NOT_ALLOCATED, SIGNATURE,
    STATIC, TEXT, VERSION,
};
use super::{SECTOR, VdiError};
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::table::Table;
use crate::writer::{Output, Run, Writer};

/// Where the block map is, in bytes: behind the header.
const MAP_OFFSET: u64 = SECTOR;

/// Makes a VDI image.
#[derive(Debug)]
pub struct VdiWriter {
    header: Header,
    map: Table<4>,
    /// Where the first block is, in bytes.
    data: u64,
    blocks: u32,
    is_static: bool,
    /// The block that came last.
    last: Option<u64>,
    /// How many blocks the file has.
    allocated: u32,
}

impl VdiWriter {
    /// Begins to make an image. The one option is `static`: all blocks are there from
    /// the start.
    ///
    /// # Errors
    ///
    /// If the disk is too large.
    pub fn new(creation: &Creation<'_>) -> Result<Self, Error> {
        let size = creation.size;
        let too_large = VdiError::DiskTooLarge { size };
        if size > MAX_DISK_SIZE {
            return Err(too_large.into());
        }
        let blocks = u32::try_from(size.div_ceil(BLOCK_SIZE)).map_err(|_| too_large)?;
        let map_size = u64::from(blocks).saturating_mul(ENTRY_SIZE).next_multiple_of(SECTOR);
        let is_static = creation.options.flag("static").unwrap_or(false);
        let data = MAP_OFFSET.saturating_add(map_size);
        Ok(Self {
            header: header(creation, blocks, data, is_static)?,
            map: Table::new(File::Own, MAP_OFFSET, blocks.into(), NOT_ALLOCATED.to_le_bytes()),
            data,
            blocks,
            is_static,
            last: None,
            allocated: 0,
        })
    }

    /// The block of the file that a block of the disk has, or gets.
    fn block(&mut self, block: u64, output: &mut dyn Output) -> Result<u32, Error> {
        if self.last != Some(block) {
            self.last = Some(block);
            self.allocate(block, output)?;
        }
        Ok(self.allocated.saturating_sub(1))
    }

    /// Gives a block of the disk the next one of the file. A static image has the
    /// blocks in between as well.
    fn allocate(&mut self, block: u64, output: &mut dyn Output) -> Result<(), Error> {
        let first = if self.is_static { self.allocated.into() } else { block };
        for block in first..=block {
            self.map.set(block, self.allocated.to_le_bytes(), output)?;
            self.allocated = self.allocated.saturating_add(1);
        }
        Ok(())
    }

    /// Where a block of the file starts, in bytes.
    fn place(&self, block: u32) -> u64 {
        u64::from(block).saturating_mul(BLOCK_SIZE).saturating_add(self.data)
    }
}

impl Writer for VdiWriter {
    fn longest(&self, _file: File) -> u64 {
        self.place(self.blocks)
    }

    fn unit(&self) -> u64 {
        BLOCK_SIZE
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        let skip = offset % BLOCK_SIZE;
        let block = self.block(offset / BLOCK_SIZE, output)?;
        let place = Self::place(self, block).saturating_add(skip);
        let length = length.min(BLOCK_SIZE.saturating_sub(skip));
        Ok(Run { place: Place::own(place), length })
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        if let Some(last) = self.blocks.checked_sub(1).filter(|_| self.is_static) {
            self.block(last.into(), output)?;
        }
        self.map.finish(output)?;
        output.set_length(File::Own, Self::place(self, self.allocated))?;
        output.barrier()?;
        self.header.allocated_blocks = self.allocated.into();
        Ok(output.write(File::Own, 0, self.header.as_bytes())?)
    }
}

/// The header of a new image.
fn header(
    creation: &Creation<'_>,
    blocks: u32,
    data: u64,
    is_static: bool,
) -> Result<Header, VdiError> {
    let too_large = VdiError::DiskTooLarge { size: creation.size };
    let small = |number: u64| u32::try_from(number).map_err(|_| too_large.clone());
    let mut header = Header::new_zeroed();
    header.text.iter_mut().zip(TEXT).for_each(|(byte, letter)| *byte = *letter);
    header.signature = SIGNATURE.into();
    header.version = VERSION.into();
    header.header_size = HEADER_SIZE.into();
    header.image_type = if is_static { STATIC } else { DYNAMIC }.into();
    header.map_offset = small(MAP_OFFSET)?.into();
    header.data_offset = small(data)?.into();
    header.sector_size = small(SECTOR)?.into();
    header.disk_size = creation.size.into();
    header.block_size = small(BLOCK_SIZE)?.into();
    header.blocks = blocks.into();
    header.image_id = creation.id(0);
    header.modification_id = creation.id(1);
    Ok(header)
}
