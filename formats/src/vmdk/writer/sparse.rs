//! A hosted sparse extent, and the image that is nothing else.
//!
//! ```text
//! header │ descriptor │ directory, tables │ directory, tables │ grain │ grain │ …
//! ```
//!
//! Both copies of directory and tables are in front of the grains and have room for all
//! of the disk, as qemu-img makes them.

use alloc::vec::Vec;

use zerocopy::IntoBytes;

use super::descriptor::{self, ExtentLine};
use super::settings::Settings;
use super::{
    DESCRIPTOR_SECTOR, DESCRIPTOR_SECTORS, ENTRY_SIZE, GRAIN, GRAIN_SECTORS, TABLE_ENTRIES,
    TABLE_SECTORS, new_header,
};
use crate::error::Error;
use crate::extent::{File, Place};
use crate::table::Table;
use crate::vmdk::grain::ZEROED;
use crate::vmdk::header::{Flags, Header};
use crate::vmdk::{SECTOR, VmdkError};
use crate::writer::{Output, Run, Writer};

/// A grain directory with its grain tables.
#[derive(Clone, Debug)]
struct Tables {
    file: File,
    /// The first sector of the directory. The tables are behind it.
    directory: u64,
    /// How many tables there are.
    count: u64,
    entries: Table<4>,
}

impl Tables {
    /// The tables of so many grains, from a sector on.
    fn new(file: File, directory: u64, grains: u64) -> Self {
        let count = grains.div_ceil(TABLE_ENTRIES);
        let place = directory.saturating_add(directory_sectors(count)).saturating_mul(SECTOR);
        let entries = Table::new(file, place, count.saturating_mul(TABLE_ENTRIES), [0; 4]);
        Self { file, directory, count, entries }
    }

    /// The first sector behind them.
    fn end(&self) -> u64 {
        let tables = self.count.saturating_mul(TABLE_SECTORS);
        self.first_table().saturating_add(tables)
    }

    fn first_table(&self) -> u64 {
        self.directory.saturating_add(directory_sectors(self.count))
    }

    /// Writes the directory, and what is missing of the tables.
    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        let place = self.directory.saturating_mul(SECTOR);
        let mut directory = Table::new(self.file, place, self.count, [0; 4]);
        for table in 0..self.count {
            let sector = table.saturating_mul(TABLE_SECTORS).saturating_add(self.first_table());
            directory.set(table, entry(sector)?, output)?;
        }
        directory.finish(output)?;
        Ok(self.entries.finish(output)?)
    }
}

/// The size of a grain directory in sectors.
pub(super) fn directory_sectors(tables: u64) -> u64 {
    tables.saturating_mul(ENTRY_SIZE).div_ceil(SECTOR)
}

/// An entry that leads to a sector. Entries have 32 bits.
pub(super) fn entry(sector: u64) -> Result<[u8; 4], VmdkError> {
    let sector = u32::try_from(sector).map_err(|_| VmdkError::ExtentTooLong)?;
    Ok(sector.to_le_bytes())
}

/// Makes a sparse extent in a file. Offsets count from where it starts on the disk.
#[derive(Clone, Debug)]
pub(super) struct SparseExtent {
    file: File,
    header: Header,
    redundant: Tables,
    tables: Tables,
    zeroed_grains: bool,
    /// The grain that came last, and its sector. It is the last one of the file.
    last: Option<(u64, u64)>,
    /// The first sector that is free.
    free: u64,
}

impl SparseExtent {
    /// Begins to make an extent of so many sectors.
    pub(super) fn new(file: File, sectors: u64, zeroed_grains: bool) -> Self {
        let grains = sectors.div_ceil(GRAIN_SECTORS);
        let redundant = DESCRIPTOR_SECTOR.saturating_add(DESCRIPTOR_SECTORS);
        let redundant = Tables::new(file, redundant, grains);
        let tables = Tables::new(file, redundant.end(), grains);
        let free = tables.end().next_multiple_of(GRAIN_SECTORS);
        let mut header = new_header(sectors, zeroed_grains);
        let flags = Flags::from_bits_retain(header.flags.get()) | Flags::REDUNDANT_DIRECTORY;
        header.flags = flags.bits().into();
        header.redundant_directory_offset = redundant.directory.into();
        header.directory_offset = tables.directory.into();
        header.overhead = free.into();
        Self { file, header, redundant, tables, zeroed_grains, last: None, free }
    }

    /// How long the file gets if every grain has data, in bytes.
    pub(super) fn longest(&self) -> u64 {
        let grains = self.header.capacity.get().next_multiple_of(GRAIN_SECTORS);
        self.header.overhead.get().saturating_add(grains).saturating_mul(SECTOR)
    }

    /// Makes room for data. Grains that come together lie together.
    pub(super) fn place(
        &mut self,
        offset: u64,
        length: u64,
        output: &mut dyn Output,
    ) -> Result<Run, Error> {
        let skip = offset % GRAIN;
        let mut grain = offset / GRAIN;
        let first = self.grain(grain, output)?;
        let mut room = GRAIN.saturating_sub(skip);
        while room < length {
            grain = grain.saturating_add(1);
            self.grain(grain, output)?;
            room = room.saturating_add(GRAIN);
        }
        let offset = first.saturating_mul(SECTOR).saturating_add(skip);
        Ok(Run { place: Place { file: self.file, offset }, length: length.min(room) })
    }

    /// Makes grains zeros. If they cannot be marked, they get room in which nothing is
    /// written.
    pub(super) fn zero(
        &mut self,
        offset: u64,
        length: u64,
        output: &mut dyn Output,
    ) -> Result<(), Error> {
        for grain in offset / GRAIN..offset.saturating_add(length).div_ceil(GRAIN) {
            if !self.zeroed_grains {
                self.grain(grain, output)?;
            } else if self.last.is_none_or(|(last, _)| last != grain) {
                self.set(grain, ZEROED.to_le_bytes(), output)?;
            }
        }
        Ok(())
    }

    /// The sector that a grain has, or gets.
    fn grain(&mut self, grain: u64, output: &mut dyn Output) -> Result<u64, Error> {
        if let Some((_, sector)) = self.last.filter(|(last, _)| *last == grain) {
            return Ok(sector);
        }
        let sector = self.free;
        self.set(grain, entry(sector)?, output)?;
        self.free = sector.saturating_add(GRAIN_SECTORS);
        self.last = Some((grain, sector));
        Ok(sector)
    }

    fn set(&mut self, grain: u64, entry: [u8; 4], output: &mut dyn Output) -> Result<(), Error> {
        self.redundant.entries.set(grain, entry, output)?;
        Ok(self.tables.entries.set(grain, entry, output)?)
    }

    /// Writes everything but the header.
    pub(super) fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        self.redundant.finish(output)?;
        self.tables.finish(output)?;
        Ok(output.set_length(self.file, self.free.saturating_mul(SECTOR))?)
    }

    /// Writes the header, which makes the file an extent.
    pub(super) fn publish(&self, output: &mut dyn Output) -> Result<(), Error> {
        Ok(output.write(self.file, 0, self.header.as_bytes())?)
    }
}

/// Makes an image that is one sparse extent.
#[derive(Clone, Debug)]
pub(super) struct MonolithicSparse {
    extent: SparseExtent,
    descriptor: Vec<u8>,
}

impl MonolithicSparse {
    /// Begins to make an image.
    pub(super) fn new(settings: &Settings) -> Result<Self, VmdkError> {
        Ok(Self {
            extent: SparseExtent::new(File::Own, settings.sectors, settings.zeroed_grains),
            descriptor: embedded(settings)?,
        })
    }
}

/// The descriptor of an image whose extent is in its own file.
pub(super) fn embedded(settings: &Settings) -> Result<Vec<u8>, VmdkError> {
    let line = ExtentLine { sectors: settings.sectors, name: settings.file_name.clone() };
    let limit = DESCRIPTOR_SECTORS.saturating_mul(SECTOR);
    descriptor::descriptor(settings, &[line], limit)
}

impl Writer for MonolithicSparse {
    fn longest(&self, _file: File) -> u64 {
        self.extent.longest()
    }

    fn unit(&self) -> u64 {
        GRAIN
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        self.extent.place(offset, length, output)
    }

    fn zero(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<(), Error> {
        self.extent.zero(offset, length, output)
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        self.extent.finish(output)?;
        let place = DESCRIPTOR_SECTOR.saturating_mul(SECTOR);
        output.write(File::Own, place, &self.descriptor)?;
        output.barrier()?;
        self.extent.publish(output)
    }
}
