//! Making images: log, block allocation table and metadata, then blocks in the order in
//! which they come. A fixed disk has all of them in the order of the disk.

use alloc::vec::Vec;

use zerocopy::FromZeros;

use super::bat::{Bat, ENTRY, Entry, MAX_DISK};
use super::header::{self, Header};
use super::metadata::{MAX_BLOCK_SIZE, Metadata, TABLE_SIZE};
use super::region::{self, Region};
use super::{MIB, VhdxError};
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::guid::Guid;
use crate::table::Table;
use crate::writer::{Output, Run, Writer};

/// Where the log is, in bytes: behind the headers and the region tables.
const LOG_OFFSET: u64 = MIB;

/// The size of the region with the metadata in bytes.
const METADATA_SIZE: u64 = MIB;

/// What is left free behind the metadata, in bytes.
const SPARE: u64 = 4 * MIB;

/// The size of a sector in bytes, logical and physical.
pub(super) const SECTOR: u32 = 512;

/// What the file says of the program that made it.
const CREATOR: &str = "exuvia";

/// Makes a VHDX image.
#[derive(Debug)]
pub struct VhdxWriter {
    header: Header,
    metadata: Metadata,
    bat: Bat,
    table: Table<ENTRY>,
    /// The size of the disk, if it is not the one that was asked for.
    rounded_size: Option<u64>,
    /// Where the table's region ends, in bytes.
    table_end: u64,
    /// The chunk whose payload blocks come next.
    chunk: u64,
    /// The block that came last.
    last: Option<u64>,
    /// How many blocks the file has.
    allocated: u64,
}

impl VhdxWriter {
    /// Begins to make an image. Options are `subformat`, which is `dynamic` or `fixed`,
    /// `log_size` and `block_size` in bytes, and `block_state_zero`: what never comes
    /// is zeros, not just not present.
    ///
    /// # Errors
    ///
    /// If the disk is too large, or an option is wrong.
    pub fn new(creation: &Creation<'_>) -> Result<Self, Error> {
        let options = &creation.options;
        let subformat = options.choice("subformat", &[("dynamic", false), ("fixed", true)])?;
        let is_fixed = subformat.unwrap_or(false);
        let size = creation.size.checked_next_multiple_of(SECTOR.into());
        let size = size.filter(|size| *size <= MAX_DISK).ok_or(VhdxError::DiskTooLarge)?;
        let log_length = log_length(options.number("log_size"))?;
        let metadata = Metadata {
            block_size: block_size(options.number("block_size"), size)?,
            leaves_blocks_allocated: is_fixed,
            disk_size: size,
            disk_id: Guid::from_bytes(creation.id(2)),
            logical_sector_size: SECTOR,
            physical_sector_size: SECTOR,
            parent_locator: None,
        };
        let bat = Bat::of(&metadata, LOG_OFFSET.saturating_add(log_length.into()));
        let zero = options.flag("block_state_zero").unwrap_or(true);
        let blank = if zero && !is_fixed { Entry::ZERO } else { Entry::NOT_PRESENT };
        let table_end = bat.offset.saturating_add(bat.room().next_multiple_of(MIB));
        Ok(Self {
            header: header(creation, log_length),
            table: Table::new(File::Own, bat.offset, bat.entries, blank.to_le_bytes()),
            metadata,
            bat,
            rounded_size: Some(size).filter(|size| *size != creation.size),
            table_end,
            chunk: 0,
            last: None,
            allocated: 0,
        })
    }

    /// Gives a block of the disk the next one of the file.
    fn allocate(&mut self, block: u64, output: &mut dyn Output) -> Result<(), Error> {
        self.leave_chunks(block.checked_div(self.bat.chunk_ratio).unwrap_or(0), output)?;
        let entry = self.start(self.allocated) | Entry::FULLY_PRESENT;
        self.table.set(self.bat.payload_number(block), entry.to_le_bytes(), output)?;
        self.last = Some(block);
        self.allocated = self.allocated.saturating_add(1);
        Ok(())
    }

    /// Goes on to a chunk. Those in front of it have no sector bitmap blocks, whatever
    /// entries are like that are not set.
    fn leave_chunks(&mut self, chunk: u64, output: &mut dyn Output) -> Result<(), Error> {
        while self.chunk < chunk {
            let number = self.bat.bitmap_number(self.chunk);
            self.table.set(number, Entry::NOT_PRESENT.to_le_bytes(), output)?;
            self.chunk = self.chunk.saturating_add(1);
        }
        Ok(())
    }

    /// Where a block of the file starts, in bytes.
    fn start(&self, block: u64) -> u64 {
        let first = self.table_end.saturating_add(METADATA_SIZE).saturating_add(SPARE);
        block.saturating_mul(self.bat.block_size).saturating_add(first)
    }

    /// The region table.
    fn regions(&self) -> Vec<u8> {
        let bat = Region { start: self.bat.offset, end: self.table_end };
        let metadata = Region::new(self.table_end, METADATA_SIZE);
        let regions = [(region::BAT, bat), (region::METADATA, metadata)];
        region::table_with(&regions.map(|(id, region)| region::Entry {
            id,
            offset: region.start.into(),
            // With the largest blocks the table of an empty disk has 2 GiB.
            length: u32::try_from(region.length()).unwrap_or(u32::MAX).into(),
            required: 1.into(),
        }))
    }
}

impl Writer for VhdxWriter {
    fn rounded_size(&self) -> Option<u64> {
        self.rounded_size
    }

    fn longest(&self, _file: File) -> u64 {
        self.start(self.bat.blocks())
    }

    fn unit(&self) -> u64 {
        self.bat.block_size
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        if self.metadata.leaves_blocks_allocated {
            let place = self.start(0).saturating_add(offset);
            return Ok(Run { place: Place::own(place), length });
        }
        let size = self.bat.block_size;
        let block = offset.checked_div(size).unwrap_or(0);
        let skip = offset.checked_rem(size).unwrap_or(0);
        if self.last != Some(block) {
            self.allocate(block, output)?;
        }
        let place = self.start(self.allocated.saturating_sub(1)).saturating_add(skip);
        Ok(Run { place: Place::own(place), length: length.min(size.saturating_sub(skip)) })
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        if self.metadata.leaves_blocks_allocated {
            (0..self.bat.blocks()).try_for_each(|block| self.allocate(block, output))?;
        }
        self.leave_chunks(self.bat.chunks_in_front(), output)?;
        self.table.finish(output)?;
        let (metadata, items) = self.metadata.bytes();
        output.write(File::Own, self.table_end, &metadata)?;
        output.write(File::Own, self.table_end.saturating_add(TABLE_SIZE), &items)?;
        let regions = self.regions();
        region::OFFSETS.iter().try_for_each(|it| output.write(File::Own, *it, &regions))?;
        for (offset, number) in header::OFFSETS.into_iter().zip(1_u64..) {
            self.header.sequence_number = number.into();
            output.write(File::Own, offset, &self.header.bytes())?;
        }
        output.set_length(File::Own, self.start(self.allocated))?;
        output.barrier()?;
        // Without the signature it is no image.
        let creator = CREATOR.encode_utf16().flat_map(u16::to_le_bytes);
        let start: Vec<u8> = header::FILE_SIGNATURE.into_iter().chain(creator).collect();
        Ok(output.write(File::Own, 0, &start)?)
    }
}

/// A header of a new image.
fn header(creation: &Creation<'_>, log_length: u32) -> Header {
    let mut header = Header::new_zeroed();
    header.signature = header::SIGNATURE;
    header.file_write_id = Guid::from_bytes(creation.id(0));
    header.data_write_id = Guid::from_bytes(creation.id(1));
    header.version = header::VERSION.into();
    header.log_length = log_length.into();
    header.log_offset = LOG_OFFSET.into();
    header
}

/// The length of the log in bytes, as close to the wanted one as it can be: one megabyte
/// or several.
fn log_length(wanted: Option<u64>) -> Result<u32, VhdxError> {
    let wanted = wanted.unwrap_or(MIB);
    let length = wanted.checked_next_multiple_of(MIB).ok_or(VhdxError::LogTooLarge)?;
    let length = u32::try_from(length).map_err(|_| VhdxError::LogTooLarge)?;
    if length == 0 { Err(VhdxError::LogTooSmall) } else { Ok(length) }
}

/// The size of a block of a disk in bytes, as close to the wanted one as it can be. If none
/// is wanted, larger disks have larger blocks, so that their tables stay small.
fn block_size(wanted: Option<u64>, disk_size: u64) -> Result<u32, VhdxError> {
    let fitting = match disk_size {
        0..=0x4000_0000 => 8 * MIB,
        // 100 GiB.
        0x4000_0001..=0x19_0000_0000 => 16 * MIB,
        // 32 TiB.
        0x19_0000_0001..=0x2000_0000_0000 => 32 * MIB,
        _ => 64 * MIB,
    };
    let wanted = wanted.filter(|wanted| *wanted != 0).unwrap_or(fitting);
    let size = wanted.min(MAX_BLOCK_SIZE.into()).next_multiple_of(MIB);
    let size = u32::try_from(size).unwrap_or(MAX_BLOCK_SIZE);
    if size.is_power_of_two() { Ok(size) } else { Err(VhdxError::BlockSizeNotPowerOfTwo) }
}

#[cfg(test)]
mod tests;
