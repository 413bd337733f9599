//! Making images: a fixed disk is the disk and a footer, a dynamic one has footer, header,
//! block allocation table, and blocks in the order in which they come.

use alloc::boxed::Box;

use zerocopy::{FromZeros, IntoBytes};

use super::footer::{self, Footer, MAX_SECTORS};
use super::geometry::Geometry;
use super::header::{self, Header};
use super::table::UNALLOCATED;
use super::{SECTOR, VpcError};
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::guid::Guid;
use crate::table::Table;
use crate::writer::{Output, Run, Writer};

/// The size of a block in bytes, as everybody makes them, as the header has it.
const BLOCK_SIZE_FIELD: u32 = 2 << 20;

/// The same, to count with.
pub(super) const BLOCK_SIZE: u64 = BLOCK_SIZE_FIELD as u64;

/// The bitmap in front of a block: a bit for each of its sectors, which all count.
const BITMAP: [u8; 512] = [0xff; 512];

/// The size of a bitmap in bytes.
const BITMAP_SIZE: u64 = BITMAP.len() as u64;

/// Where the dynamic header is, in bytes: behind the copy of the footer.
const HEADER_OFFSET: u64 = SECTOR;

/// Where the block allocation table is, in bytes: behind the header.
const TABLE_OFFSET: u64 = 3 * SECTOR;

/// The versions of footer and header.
const VERSION: u32 = 0x0001_0000;

/// A disk whose size is that of its geometry, as with Virtual PC.
const CREATOR_BY_GEOMETRY: [u8; 4] = *b"qemu";

/// A disk that is as large as its size says.
const CREATOR_BY_SIZE: [u8; 4] = *b"qem2";

/// The version of Virtual PC 2007, in whose way disks are made.
const CREATOR_VERSION: u32 = 0x0005_0003;

/// The start of 2000, from which times are counted, in seconds since 1970.
const EPOCH: u64 = 946_684_800;

/// Begins to make an image. Options are `subformat`, which is `dynamic` or `fixed`, and
/// `force_size`: the disk is as large as it should be, whatever its geometry.
///
/// # Errors
///
/// If the disk is too large, or an option is wrong.
pub fn begin(creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
    let types = [("dynamic", Footer::DYNAMIC), ("fixed", Footer::FIXED)];
    let disk_type = creation.options.choice("subformat", &types)?.unwrap_or(Footer::DYNAMIC);
    let footer = footer(creation, disk_type)?;
    let rounded_size = Some(footer.current_size.get()).filter(|size| *size != creation.size);
    Ok(if disk_type == Footer::FIXED {
        Box::new(FixedWriter { footer, rounded_size })
    } else {
        Box::new(DynamicWriter::new(footer, rounded_size)?)
    })
}

/// The footer of a new image.
fn footer(creation: &Creation<'_>, disk_type: u32) -> Result<Footer, VpcError> {
    let wanted = creation.size.div_ceil(SECTOR);
    let by_size = creation.options.flag("force_size").unwrap_or(false);
    let geometry = if by_size { Geometry::MAX } else { Geometry::with_room_for(wanted) };
    // The largest geometry says nothing of the size.
    let sectors = if geometry == Geometry::MAX { wanted } else { geometry.disk_sectors() };
    if sectors > MAX_SECTORS {
        return Err(VpcError::TooLargeToMake);
    }
    let size = sectors.saturating_mul(SECTOR);
    let is_fixed = disk_type == Footer::FIXED;
    let time = u32::try_from(creation.time.saturating_sub(EPOCH)).unwrap_or(u32::MAX);
    let mut footer = Footer::new_zeroed();
    footer.cookie = footer::COOKIE;
    footer.features = 2.into();
    footer.version = VERSION.into();
    footer.data_offset = if is_fixed { u64::MAX } else { HEADER_OFFSET }.into();
    footer.timestamp = time.into();
    footer.creator = if by_size { CREATOR_BY_SIZE } else { CREATOR_BY_GEOMETRY };
    footer.creator_version = CREATOR_VERSION.into();
    footer.creator_system = *b"Wi2k";
    footer.original_size = size.into();
    footer.current_size = size.into();
    footer.geometry = geometry;
    footer.disk_type = disk_type.into();
    footer.id = Guid::from_bytes(creation.id(0));
    footer.checksum = footer.sum().into();
    Ok(footer)
}

/// Makes a fixed disk.
#[derive(Debug)]
struct FixedWriter {
    footer: Footer,
    rounded_size: Option<u64>,
}

impl Writer for FixedWriter {
    fn rounded_size(&self) -> Option<u64> {
        self.rounded_size
    }

    fn longest(&self, _file: File) -> u64 {
        self.footer.current_size.get().saturating_add(SECTOR)
    }

    fn unit(&self) -> u64 {
        SECTOR
    }

    fn place(&mut self, offset: u64, length: u64, _output: &mut dyn Output) -> Result<Run, Error> {
        Ok(Run { place: Place::own(offset), length })
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        output.set_length(File::Own, self.longest(File::Own))?;
        output.barrier()?;
        Ok(output.write(File::Own, self.footer.current_size.get(), self.footer.as_bytes())?)
    }
}

/// Makes a dynamic disk.
#[derive(Debug)]
struct DynamicWriter {
    footer: Footer,
    rounded_size: Option<u64>,
    header: Header,
    table: Table<4>,
    blocks: u32,
    /// The block that came last.
    last: Option<u64>,
    /// How many blocks the file has.
    allocated: u32,
}

impl DynamicWriter {
    fn new(footer: Footer, rounded_size: Option<u64>) -> Result<Self, Error> {
        let blocks = footer.current_size.get().div_ceil(BLOCK_SIZE);
        let blocks = u32::try_from(blocks).map_err(|_| VpcError::TooLargeToMake)?;
        let unallocated = UNALLOCATED.to_be_bytes();
        // The rest of the last sector looks as if there were more entries.
        let entries = u64::from(blocks).next_multiple_of(SECTOR / 4);
        let table = Table::new(File::Own, TABLE_OFFSET, entries, unallocated);
        let header = header(blocks);
        Ok(Self { footer, rounded_size, header, table, blocks, last: None, allocated: 0 })
    }

    /// Gives a block of the disk the next one of the file.
    fn allocate(&mut self, block: u64, output: &mut dyn Output) -> Result<(), Error> {
        let bitmap = self.block(self.allocated);
        let sector = u32::try_from(bitmap / SECTOR).map_err(|_| VpcError::TooLargeToMake)?;
        self.table.set(block, sector.to_be_bytes(), output)?;
        output.write(File::Own, bitmap, &BITMAP)?;
        self.last = Some(block);
        self.allocated = self.allocated.saturating_add(1);
        Ok(())
    }

    /// Where a block of the file starts with its bitmap, in bytes.
    fn block(&self, block: u32) -> u64 {
        let table = u64::from(self.blocks).saturating_mul(4).next_multiple_of(SECTOR);
        let first = TABLE_OFFSET.saturating_add(table);
        u64::from(block)
            .saturating_mul(BITMAP_SIZE.saturating_add(BLOCK_SIZE))
            .saturating_add(first)
    }
}

/// The dynamic header of an image with so many blocks.
fn header(blocks: u32) -> Header {
    let mut header = Header::new_zeroed();
    header.cookie = header::COOKIE;
    header.data_offset = u64::MAX.into();
    header.table_offset = TABLE_OFFSET.into();
    header.version = VERSION.into();
    header.table_entries = blocks.into();
    header.block_size = BLOCK_SIZE_FIELD.into();
    header.checksum = footer::sum(header.as_bytes()).into();
    header
}

impl Writer for DynamicWriter {
    fn rounded_size(&self) -> Option<u64> {
        self.rounded_size
    }

    fn longest(&self, _file: File) -> u64 {
        self.block(self.blocks).saturating_add(SECTOR)
    }

    fn unit(&self) -> u64 {
        BLOCK_SIZE
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        let (block, skip) = (offset / BLOCK_SIZE, offset % BLOCK_SIZE);
        if self.last != Some(block) {
            self.allocate(block, output)?;
        }
        let start = self.block(self.allocated.saturating_sub(1)).saturating_add(BITMAP_SIZE);
        let length = length.min(BLOCK_SIZE.saturating_sub(skip));
        Ok(Run { place: Place::own(start.saturating_add(skip)), length })
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        self.table.finish(output)?;
        output.write(File::Own, HEADER_OFFSET, self.header.as_bytes())?;
        let end = self.block(self.allocated);
        output.set_length(File::Own, end.saturating_add(SECTOR))?;
        output.write(File::Own, end, self.footer.as_bytes())?;
        output.barrier()?;
        // By the copy at its start the file is known.
        Ok(output.write(File::Own, 0, self.footer.as_bytes())?)
    }
}

#[cfg(test)]
mod tests;
