//! Making images: L2 tables and clusters in the order in which they come, counted as they
//! are given out.
//!
//! Nothing is in memory but a piece of each table: of the L1 table, of one L2 table, of
//! the refcount table, and of one refcount block. The layout is that of qemu-img, so that
//! an image without data is the same to the byte, unless its refcount table can need more
//! than one cluster: it has its final length from the start.
//!
//! Reading order: [`shape`] (what the options say), [`clusters`] (clusters of the file, and
//! reference counts), [`packing`] (compressed clusters), [`head`] (what the file starts
//! with), then this file.

pub mod clusters;
pub mod head;
pub mod packing;
pub mod shape;

use alloc::vec::Vec;

use super::Qcow2Error;
use super::header::MIN_VERSION;
use super::layout::{Compression, L1_ENTRY_SIZE, SUBCLUSTERS};
use super::reader::{COMPRESSED, COMPRESSED_SECTOR, COPIED, ZERO, compressed_offset_bits};
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::storage::StorageError;
use crate::table::Table;
use crate::writer::{Encoding, OtherFile, Output, Preallocation, Run, Writer};
use clusters::Clusters;
use packing::Packing;
use shape::Shape;

/// Makes a qcow2 image.
#[derive(Debug)]
pub struct Qcow2Writer {
    shape: Shape,
    /// What the file starts with.
    head: Vec<u8>,
    clusters: Clusters,
    packing: Packing,
    l1: Table<8>,
    l2: Option<L2>,
    /// The cluster of the disk that came last.
    current: Option<Current>,
    /// The first cluster of the disk that has no room yet, if all get some.
    next: u64,
}

/// The L2 table that is being filled.
#[derive(Debug)]
struct L2 {
    /// The index of its entry in the L1 table.
    index: u64,
    table: L2Table,
}

/// An L2 table without subclusters, and one with them.
#[derive(Debug)]
enum L2Table {
    Plain(Table<8>),
    Extended(Table<16>),
}

/// A cluster of the disk.
#[derive(Clone, Copy, Debug)]
struct Current {
    number: u64,
    /// Where its room is, in bytes, if it has some.
    place: Option<u64>,
    /// Which subclusters have data, and from bit 32 on, which are zeros.
    bitmap: u64,
}

impl L2Table {
    fn set(
        &mut self,
        index: u64,
        entry: u64,
        bitmap: u64,
        output: &mut dyn Output,
    ) -> Result<(), StorageError> {
        let (entry, bitmap) = (entry.to_be_bytes(), bitmap.to_be_bytes());
        match self {
            Self::Plain(table) => table.set(index, entry, output),
            Self::Extended(table) => {
                let mut both = [0; 16];
                both.iter_mut().zip(entry.iter().chain(&bitmap)).for_each(|(to, from)| *to = *from);
                table.set(index, both, output)
            }
        }
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), StorageError> {
        match self {
            Self::Plain(table) => table.finish(output),
            Self::Extended(table) => table.finish(output),
        }
    }
}

impl Qcow2Writer {
    /// Begins to make an image, with all options of qemu-img but those for encryption.
    ///
    /// # Errors
    ///
    /// If there is no such image.
    pub fn new(creation: &Creation<'_>) -> Result<Self, Error> {
        let shape = Shape::of(creation)?;
        let l1_entries = shape.l1_entries();
        let l1_clusters = l1_entries.saturating_mul(L1_ENTRY_SIZE).div_ceil(shape.cluster_size);
        let clusters = Clusters::new(
            shape.cluster_size,
            shape.refcount_bits,
            l1_clusters,
            most_clusters(&shape),
        );
        Ok(Self {
            head: head::head(&shape, &clusters)?,
            l1: Table::new(File::Own, clusters.l1_table(), l1_entries, [0; 8]),
            clusters,
            packing: Packing::default(),
            l2: None,
            current: None,
            next: 0,
            shape,
        })
    }

    /// The file that has the data.
    fn data(&self) -> File {
        if self.shape.data_file.is_some() { File::Other(0) } else { File::Own }
    }

    /// Sets the entry of a cluster of the disk.
    fn set_entry(
        &mut self,
        cluster: u64,
        entry: u64,
        bitmap: u64,
        output: &mut dyn Output,
    ) -> Result<(), Error> {
        let index = cluster.checked_rem(self.shape.l2_entries()).unwrap_or(0);
        Ok(self.table_of(cluster, output)?.table.set(index, entry, bitmap, output)?)
    }

    /// The L2 table that finds a cluster of the disk.
    fn table_of(&mut self, cluster: u64, output: &mut dyn Output) -> Result<&mut L2, Error> {
        let index = cluster.checked_div(self.shape.l2_entries()).unwrap_or(0);
        let table = match self.l2.take() {
            Some(l2) if l2.index == index => l2,
            before => {
                if let Some(mut before) = before {
                    before.table.finish(output)?;
                }
                let place = self.clusters.allocate(output)?;
                self.l1.set(index, (place | COPIED).to_be_bytes(), output)?;
                let entries = self.shape.l2_entries();
                let table = if self.shape.extended_l2 {
                    L2Table::Extended(Table::new(File::Own, place, entries, [0; 16]))
                } else {
                    L2Table::Plain(Table::new(File::Own, place, entries, [0; 8]))
                };
                L2 { index, table }
            }
        };
        Ok(self.l2.insert(table))
    }

    /// Goes on to a cluster of the disk. If all get room, those in between do as well.
    fn go_to(&mut self, number: u64, output: &mut dyn Output) -> Result<Current, Error> {
        if let Some(current) = self.current.filter(|current| current.number == number) {
            return Ok(current);
        }
        while self.shape.preallocate && self.next < number {
            self.make_room(Current::new(self.next), output)?;
        }
        let current = Current::new(number);
        if self.shape.preallocate { self.make_room(current, output) } else { Ok(current) }
    }

    /// Gives room to a cluster of the disk, if it has none. Returns it with its place.
    fn make_room(&mut self, current: Current, output: &mut dyn Output) -> Result<Current, Error> {
        if current.place.is_some() {
            return Ok(current);
        }
        // The table comes first.
        self.table_of(current.number, output)?;
        let place = match self.data() {
            File::Own => self.clusters.allocate(output)?,
            _ => current.number.saturating_mul(self.shape.cluster_size),
        };
        let current = Current { place: Some(place), ..current };
        self.put(current, output)?;
        self.next = current.number.saturating_add(1);
        Ok(current)
    }

    /// Writes what there is to say of a cluster of the disk.
    fn put(&mut self, current: Current, output: &mut dyn Output) -> Result<(), Error> {
        self.current = Some(current);
        let entry = current.place.map_or(0, |place| place | COPIED);
        self.set_entry(current.number, entry, current.bitmap, output)
    }

    /// Marks the subclusters that a part of a cluster touches, if it has any.
    fn mark(
        &mut self,
        current: Current,
        skip: u64,
        length: u64,
        output: &mut dyn Output,
    ) -> Result<(), Error> {
        if !self.shape.extended_l2 {
            return Ok(());
        }
        let bits = self.subclusters(skip, length);
        let bitmap = (current.bitmap | bits) & !bits.checked_shl(u32::BITS).unwrap_or(0);
        if bitmap == current.bitmap {
            Ok(())
        } else {
            self.put(Current { bitmap, ..current }, output)
        }
    }

    /// A bit for each subcluster that a part of a cluster touches.
    fn subclusters(&self, skip: u64, length: u64) -> u64 {
        let size = self.shape.cluster_size / SUBCLUSTERS;
        let below = |number: u64| {
            let bit = 1_u64.checked_shl(u32::try_from(number.min(SUBCLUSTERS)).unwrap_or(0));
            bit.unwrap_or(0).wrapping_sub(1)
        };
        let first = skip.checked_div(size).unwrap_or(0);
        below(skip.saturating_add(length).div_ceil(size)) & !below(first)
    }

    /// Makes zeros of a cluster of the disk, or of some of its subclusters.
    fn zero_part(
        &mut self,
        number: u64,
        skip: u64,
        length: u64,
        output: &mut dyn Output,
    ) -> Result<(), Error> {
        let current = self.go_to(number, output)?;
        if self.shape.extended_l2 {
            let bits = self.subclusters(skip, length).checked_shl(u32::BITS).unwrap_or(0);
            self.put(Current { bitmap: current.bitmap | bits, ..current }, output)
        } else if self.shape.version == MIN_VERSION {
            // It has no zeros but those that were written. In a new file they need not be.
            self.make_room(current, output).map(|_| ())
        } else {
            self.current = Some(current);
            self.set_entry(number, ZERO, 0, output)
        }
    }
}

impl Current {
    /// A cluster of which nothing is known.
    fn new(number: u64) -> Self {
        Self { number, place: None, bitmap: 0 }
    }
}

/// The most clusters of the file that can be given out: L2 tables and data. A compressed
/// cluster never begins more than one.
fn most_clusters(shape: &Shape) -> u64 {
    let data = if shape.data_file.is_some() { 0 } else { shape.disk_clusters() };
    data.saturating_add(shape.l1_entries())
}

impl Writer for Qcow2Writer {
    fn other_files(&self) -> Vec<OtherFile> {
        self.shape.data_file.iter().cloned().map(OtherFile::Named).collect()
    }

    fn longest(&self, file: File) -> u64 {
        if file != File::Own {
            return self.shape.size;
        }
        let cluster_size = self.shape.cluster_size;
        let clusters = self.clusters.most(most_clusters(&self.shape));
        clusters.saturating_mul(cluster_size)
    }

    fn unit(&self) -> u64 {
        self.shape.unit()
    }

    fn encoding(&self) -> Option<Encoding> {
        self.shape.compress.then_some(match self.shape.compression {
            Compression::Zlib => Encoding::Deflate,
            Compression::Zstd => Encoding::Zstandard,
        })
    }

    fn preallocation(&self) -> Preallocation {
        self.shape.preallocation
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        let cluster_size = self.shape.cluster_size;
        let mut number = offset.checked_div(cluster_size).unwrap_or(0);
        let skip = offset.checked_rem(cluster_size).unwrap_or(0);
        let current = self.go_to(number, output)?;
        let current = self.make_room(current, output)?;
        let start = current.place.unwrap_or(0).saturating_add(skip);
        let mut reached = cluster_size.saturating_sub(skip).min(length);
        self.mark(current, skip, reached, output)?;
        // What comes next is a part of the same run, if its room is right behind.
        while reached < length {
            number = number.saturating_add(1);
            let current = self.go_to(number, output)?;
            let current = self.make_room(current, output)?;
            if current.place != start.checked_add(reached) {
                break;
            }
            let part = cluster_size.min(length.saturating_sub(reached));
            self.mark(current, 0, part, output)?;
            reached = reached.saturating_add(part);
        }
        Ok(Run { place: Place { file: self.data(), offset: start }, length: reached })
    }

    fn store(&mut self, offset: u64, bytes: &[u8], output: &mut dyn Output) -> Result<(), Error> {
        let cluster_size = self.shape.cluster_size;
        let number = offset.checked_div(cluster_size).unwrap_or(0);
        let length = bytes.len() as u64;
        let is_good = offset.is_multiple_of(cluster_size) && (1..cluster_size).contains(&length);
        if !is_good || self.encoding().is_none() {
            return Err(StorageError::InputOutput.into());
        }
        // The table comes first.
        self.table_of(number, output)?;
        let place = self.packing.store(bytes, cluster_size, &mut self.clusters, output)?;
        let last = place.saturating_add(length).saturating_sub(1);
        let sectors = (last / COMPRESSED_SECTOR).saturating_sub(place / COMPRESSED_SECTOR);
        let bits = compressed_offset_bits(cluster_size);
        if place.checked_shr(bits) != Some(0) {
            return Err(Qcow2Error::FileTooLarge.into());
        }
        let entry = COMPRESSED | sectors.checked_shl(bits).unwrap_or(0) | place;
        self.set_entry(number, entry, 0, output)
    }

    fn zero(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<(), Error> {
        // Without another image underneath everything is zeros.
        if self.shape.backing_file.is_none() {
            return Ok(());
        }
        let (cluster_size, end) = (self.shape.cluster_size, offset.saturating_add(length));
        let unit = if self.shape.extended_l2 { cluster_size / SUBCLUSTERS } else { cluster_size };
        let ends_well = end.is_multiple_of(unit) || end >= self.shape.size;
        if !offset.is_multiple_of(unit) || !ends_well {
            return Err(StorageError::InputOutput.into());
        }
        let mut offset = offset;
        while offset < end {
            let number = offset.checked_div(cluster_size).unwrap_or(0);
            let skip = offset.checked_rem(cluster_size).unwrap_or(0);
            let part = cluster_size.saturating_sub(skip).min(end.saturating_sub(offset));
            self.zero_part(number, skip, part, output)?;
            offset = offset.saturating_add(part);
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        let last = self.shape.disk_clusters().checked_sub(1);
        if let Some(last) = last.filter(|_| self.shape.preallocate) {
            self.go_to(last, output)?;
        }
        if let Some(mut l2) = self.l2.take() {
            l2.table.finish(output)?;
        }
        self.l1.finish(output)?;
        self.clusters.finish(output)?;
        let l1_length = self.shape.l1_entries().saturating_mul(L1_ENTRY_SIZE);
        let l1_end = self.clusters.l1_table().saturating_add(l1_length);
        output.set_length(File::Own, self.clusters.end().unwrap_or(l1_end))?;
        if self.shape.data_file.is_some() {
            output.set_length(File::Other(0), self.shape.size)?;
        }
        output.barrier()?;
        Ok(output.write(File::Own, 0, &self.head)?)
    }
}

#[cfg(test)]
mod tests;
