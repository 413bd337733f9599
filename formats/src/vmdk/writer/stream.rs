//! Images with compressed grains (specification, "Stream-Optimized Compressed Sparse
//! Extents"). They can be written to a pipe: nothing is changed later on.
//!
//! ```text
//! header │ descriptor │ grain │ grain │ … │ table │ grain │ … │ table │ directory │ footer
//! ```
//!
//! Each grain has its marker in front of it, and so has everything else. A grain table
//! follows its last grain; the footer is the header again, which now knows where the
//! directory is. qemu-img reads such images; those that it makes itself have their
//! tables in front of the grains.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::settings::Settings;
use super::sparse::{directory_sectors, embedded, entry};
use super::{DESCRIPTOR_SECTOR, GRAIN, GRAIN_SECTORS, TABLE_ENTRIES, TABLE_SECTORS, new_header};
use crate::codec::grain::Marker as GrainMarker;
use crate::error::Error;
use crate::extent::File;
use crate::vmdk::grain::{ZEROED, most_compressed, most_compressed_data};
use crate::vmdk::header::{DEFLATE, DIRECTORY_AT_END, Flags, Footer, Header, Marker};
use crate::vmdk::{SECTOR, VmdkError};
use crate::writer::{Encoding, Output, Run, Writer};

/// The version of an image with compressed grains, as with qemu-img.
const VERSION: u32 = 3;

/// The first sector behind header and descriptor: where a grain would start.
const FIRST_GRAIN: u64 = GRAIN_SECTORS;

/// Makes an image with compressed grains.
#[derive(Clone, Debug)]
pub(super) struct StreamOptimized {
    header: Header,
    descriptor: Vec<u8>,
    zeroed_grains: bool,
    /// Whether header and descriptor have been written.
    begun: bool,
    /// The first sector that is free.
    free: u64,
    /// The number of the grain table that is being filled.
    current: u64,
    table: Vec<[u8; 4]>,
    /// The grain directory up to the last table that has grains. It has an entry for
    /// 32 MiB of the disk, so that it gets no longer than 32 MiB itself.
    directory: Vec<[u8; 4]>,
}

impl StreamOptimized {
    /// Begins to make an image.
    pub(super) fn new(settings: &Settings) -> Result<Self, VmdkError> {
        let mut header = new_header(settings.sectors, settings.zeroed_grains);
        let flags = Flags::from_bits_retain(header.flags.get());
        header.version = VERSION.into();
        header.flags = (flags | Flags::COMPRESSED | Flags::MARKERS).bits().into();
        header.directory_offset = DIRECTORY_AT_END.into();
        header.overhead = FIRST_GRAIN.into();
        header.compression = DEFLATE.into();
        Ok(Self {
            header,
            descriptor: embedded(settings)?,
            zeroed_grains: settings.zeroed_grains,
            begun: false,
            free: FIRST_GRAIN,
            current: 0,
            table: Vec::new(),
            directory: Vec::new(),
        })
    }

    /// How many grains the disk has.
    fn grains(&self) -> u64 {
        self.header.capacity.get().div_ceil(GRAIN_SECTORS)
    }

    /// Writes header and descriptor, once.
    fn begin(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        if !self.begun {
            self.begun = true;
            output.write(File::Own, 0, self.header.as_bytes())?;
            let place = DESCRIPTOR_SECTOR.saturating_mul(SECTOR);
            output.write(File::Own, place, &self.descriptor)?;
            // Without a gap everything is written in order, as a pipe needs it.
            let end = place.saturating_add(self.descriptor.len() as u64);
            let gap = FIRST_GRAIN.saturating_mul(SECTOR).saturating_sub(end);
            output.write(File::Own, end, &vec![0; usize::try_from(gap).unwrap_or(0)])?;
        }
        Ok(())
    }

    /// Appends a grain behind its marker. Returns the sector of the marker.
    fn append_grain(
        &mut self,
        marker: &GrainMarker,
        bytes: &[u8],
        output: &mut dyn Output,
    ) -> Result<u64, Error> {
        let sector = self.free;
        let place = sector.saturating_mul(SECTOR);
        output.write(File::Own, place, marker.as_bytes())?;
        let place = place.saturating_add(marker.as_bytes().len() as u64);
        output.write(File::Own, place, bytes)?;
        self.free = place.saturating_add(bytes.len() as u64).div_ceil(SECTOR);
        Ok(sector)
    }

    /// Appends a table of so many sectors behind its marker. Entries that are missing are
    /// zeros. Returns the sector of the table.
    fn append_table(
        &mut self,
        kind: u32,
        entries: &[[u8; 4]],
        sectors: u64,
        output: &mut dyn Output,
    ) -> Result<u64, Error> {
        let place = self.free.saturating_mul(SECTOR);
        output.write(File::Own, place, marker(kind, sectors).as_bytes())?;
        let table = self.free.saturating_add(1);
        output.write(File::Own, table.saturating_mul(SECTOR), entries.as_flattened())?;
        self.free = table.saturating_add(sectors);
        Ok(table)
    }

    /// Sets the entry of a grain. The table before is complete when a later one begins.
    fn set(&mut self, grain: u64, entry: [u8; 4], output: &mut dyn Output) -> Result<(), Error> {
        self.turn_to(grain / TABLE_ENTRIES, output)?;
        let index = usize::try_from(grain % TABLE_ENTRIES).unwrap_or(0);
        if self.table.is_empty() {
            self.table = vec![[0; 4]; usize::try_from(TABLE_ENTRIES).unwrap_or(0)];
        }
        if let Some(place) = self.table.get_mut(index) {
            *place = entry;
        }
        Ok(())
    }

    /// Writes the table that is being filled, if another is to be.
    fn turn_to(&mut self, table: u64, output: &mut dyn Output) -> Result<(), Error> {
        if table == self.current {
            return Ok(());
        }
        if !self.table.is_empty() {
            let entries = core::mem::take(&mut self.table);
            let sector = self.append_table(Marker::GRAIN_TABLE, &entries, TABLE_SECTORS, output)?;
            let index = usize::try_from(self.current).unwrap_or(usize::MAX);
            self.directory.resize(index, [0; 4]);
            self.directory.push(entry(sector)?);
        }
        self.current = table;
        Ok(())
    }
}

impl Writer for StreamOptimized {
    fn longest(&self, _file: File) -> u64 {
        let tables = self.grains().div_ceil(TABLE_ENTRIES);
        let tables_sectors = tables.saturating_mul(TABLE_SECTORS.saturating_add(1));
        let grains = self.grains().saturating_mul(most_compressed(GRAIN));
        // Behind the tables: the directory and its marker, and the footer.
        let end = directory_sectors(tables).saturating_add(4);
        let sectors = FIRST_GRAIN.saturating_add(tables_sectors).saturating_add(end);
        sectors.saturating_mul(SECTOR).saturating_add(grains)
    }

    fn unit(&self) -> u64 {
        GRAIN
    }

    fn encoding(&self) -> Option<Encoding> {
        Some(Encoding::Zlib)
    }

    fn place(&mut self, _: u64, _: u64, _: &mut dyn Output) -> Result<Run, Error> {
        Err(VmdkError::NotCompressed.into())
    }

    fn store(&mut self, offset: u64, bytes: &[u8], output: &mut dyn Output) -> Result<(), Error> {
        let limit = most_compressed_data(GRAIN);
        let size = u32::try_from(bytes.len()).ok().filter(|size| u64::from(*size) <= limit);
        let size = size.filter(|_| !bytes.is_empty() && offset.is_multiple_of(GRAIN));
        let size = size.ok_or(VmdkError::InvalidGrain { offset })?;
        self.begin(output)?;
        let grain = offset / GRAIN;
        self.turn_to(grain / TABLE_ENTRIES, output)?;
        let marker = GrainMarker { sector: (offset / SECTOR).into(), size: size.into() };
        let sector = self.append_grain(&marker, bytes, output)?;
        self.set(grain, entry(sector)?, output)
    }

    fn zero(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<(), Error> {
        if !self.zeroed_grains {
            return Err(crate::writer::Refusal::Zeros.into());
        }
        self.begin(output)?;
        for grain in offset / GRAIN..offset.saturating_add(length).div_ceil(GRAIN) {
            self.set(grain, ZEROED.to_le_bytes(), output)?;
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        self.begin(output)?;
        // No table has this number, so the last one gets written.
        self.turn_to(u64::MAX, output)?;
        let directory = core::mem::take(&mut self.directory);
        let sectors = directory_sectors(self.grains().div_ceil(TABLE_ENTRIES));
        let place = self.append_table(Marker::GRAIN_DIRECTORY, &directory, sectors, output)?;
        self.header.directory_offset = place.into();
        let footer = Footer {
            marker: marker(Marker::FOOTER, 1),
            header: self.header.clone(),
            end: marker(Marker::END_OF_STREAM, 0),
        };
        let footer = footer.as_bytes();
        let place = self.free.saturating_mul(SECTOR);
        output.set_length(File::Own, place.saturating_add(footer.len() as u64))?;
        output.barrier()?;
        Ok(output.write(File::Own, place, footer)?)
    }
}

/// A sector that says what comes next.
fn marker(kind: u32, sectors: u64) -> Marker {
    let mut marker = Marker::new_zeroed();
    marker.sectors = sectors.into();
    marker.kind = kind.into();
    marker
}
