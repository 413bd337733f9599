//! Making images: header, L1 table, then L2 tables and clusters in the order in which they
//! come.

use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::QedError;
use super::header::{
    Features, Geometry, Header, MAGIC, MAX_BACKING_NAME, MAX_CLUSTER_SIZE, MAX_TABLE_SIZE,
    MIN_CLUSTER_SIZE,
};
use super::reader::ZERO;
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::storage::StorageError;
use crate::table::Table;
use crate::writer::{Output, Run, Writer};

/// The size of a cluster if nobody says another, in bytes.
const CLUSTER_SIZE: u64 = 64 << 10;

/// The size of a table if nobody says another, in clusters.
const TABLE_SIZE: u64 = 4;

/// The unit of a disk's size in bytes.
const SECTOR: u64 = 512;

/// Makes a QED image.
#[derive(Debug)]
pub struct QedWriter {
    /// The header, and the name of the backing file.
    head: Vec<u8>,
    geometry: Geometry,
    /// The size of the disk in bytes.
    size: u64,
    has_backing: bool,
    l1: Table<8>,
    /// The index and the entries of the L2 table that is being filled.
    l2: Option<(u64, Table<8>)>,
    /// The cluster of the disk that came last, and where it is, in bytes.
    last: Option<(u64, u64)>,
    /// Where the file ends, in bytes.
    end: u64,
}

impl QedWriter {
    /// Begins to make an image, with all options of qemu-img: `cluster_size`, `table_size`,
    /// `backing_file` and `backing_fmt`.
    ///
    /// # Errors
    ///
    /// If there is no such image.
    pub fn new(creation: &Creation<'_>) -> Result<Self, Error> {
        let geometry = geometry(creation)?;
        let most = geometry.most_covered();
        let size = creation.size.checked_next_multiple_of(SECTOR);
        let size = size.filter(|size| *size <= most).ok_or(QedError::DiskSize { most })?;
        let l1_table = geometry.cluster_size;
        let end = l1_table.saturating_add(geometry.table_size);
        Ok(Self {
            head: head(creation, geometry, size)?,
            geometry,
            size,
            has_backing: creation.options.text("backing_file").is_some(),
            l1: Table::new(File::Own, l1_table, geometry.entries(), [0; 8]),
            l2: None,
            last: None,
            end,
        })
    }

    /// Takes bytes from the end of the file. Returns where they start.
    fn append(&mut self, length: u64) -> u64 {
        let start = self.end;
        self.end = start.saturating_add(length);
        start
    }

    /// The L2 table that finds a cluster of the disk, and the index in it.
    fn table_of(
        &mut self,
        cluster: u64,
        output: &mut dyn Output,
    ) -> Result<(&mut Table<8>, u64), StorageError> {
        let entries = self.geometry.entries();
        let l1_index = cluster.checked_div(entries).unwrap_or(0);
        let l2 = match self.l2.take() {
            Some(l2) if l2.0 == l1_index => l2,
            before => {
                if let Some((_, mut before)) = before {
                    before.finish(output)?;
                }
                let place = self.append(self.geometry.table_size);
                self.l1.set(l1_index, place.to_le_bytes(), output)?;
                (l1_index, Table::new(File::Own, place, entries, [0; 8]))
            }
        };
        let (_, table) = self.l2.insert(l2);
        Ok((table, cluster.checked_rem(entries).unwrap_or(0)))
    }

    /// Where a cluster of the disk is, in bytes. It gets room if it has none.
    fn cluster(&mut self, cluster: u64, output: &mut dyn Output) -> Result<u64, Error> {
        if let Some((_, place)) = self.last.filter(|(last, _)| *last == cluster) {
            return Ok(place);
        }
        // The table comes first.
        self.table_of(cluster, output)?;
        let place = self.append(self.geometry.cluster_size);
        self.last = Some((cluster, place));
        let (table, index) = self.table_of(cluster, output)?;
        table.set(index, place.to_le_bytes(), output)?;
        Ok(place)
    }
}

impl Writer for QedWriter {
    fn longest(&self, _file: File) -> u64 {
        let Geometry { cluster_size, table_size, .. } = self.geometry;
        let clusters = self.size.div_ceil(cluster_size);
        let tables = clusters.div_ceil(self.geometry.entries()).saturating_add(1);
        let data = clusters.saturating_add(1).saturating_mul(cluster_size);
        data.saturating_add(tables.saturating_mul(table_size))
    }

    fn unit(&self) -> u64 {
        self.geometry.cluster_size
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        let cluster_size = self.geometry.cluster_size;
        let mut number = offset.checked_div(cluster_size).unwrap_or(0);
        let skip = offset.checked_rem(cluster_size).unwrap_or(0);
        let start = self.cluster(number, output)?.saturating_add(skip);
        let mut reached = cluster_size.saturating_sub(skip);
        // What comes next is a part of the same run, if its room is right behind.
        while reached < length {
            number = number.saturating_add(1);
            if self.cluster(number, output)? != start.saturating_add(reached) {
                break;
            }
            reached = reached.saturating_add(cluster_size);
        }
        Ok(Run { place: Place::own(start), length: reached.min(length) })
    }

    fn zero(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<(), Error> {
        // Without another image underneath everything is zeros.
        if !self.has_backing {
            return Ok(());
        }
        let (cluster_size, end) = (self.geometry.cluster_size, offset.saturating_add(length));
        let ends_well = end.is_multiple_of(cluster_size) || end >= self.size;
        if !offset.is_multiple_of(cluster_size) || !ends_well {
            return Err(StorageError::InputOutput.into());
        }
        let first = offset.checked_div(cluster_size).unwrap_or(0);
        for cluster in first..end.div_ceil(cluster_size) {
            let (table, index) = self.table_of(cluster, output)?;
            table.set(index, ZERO.to_le_bytes(), output)?;
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        if let Some((_, mut l2)) = self.l2.take() {
            l2.finish(output)?;
        }
        self.l1.finish(output)?;
        output.set_length(File::Own, self.end)?;
        output.barrier()?;
        Ok(output.write(File::Own, 0, &self.head)?)
    }
}

/// The sizes that the options say.
fn geometry(creation: &Creation<'_>) -> Result<Geometry, QedError> {
    let number = |name, usual| creation.options.number(name).unwrap_or(usual);
    let cluster_size = number("cluster_size", CLUSTER_SIZE);
    let table_size = number("table_size", TABLE_SIZE);
    let clusters = u64::from(MIN_CLUSTER_SIZE)..=u64::from(MAX_CLUSTER_SIZE);
    if !clusters.contains(&cluster_size) || !cluster_size.is_power_of_two() {
        return Err(QedError::NewClusterSize);
    }
    if table_size > MAX_TABLE_SIZE.into() || !table_size.is_power_of_two() {
        return Err(QedError::NewTableSize);
    }
    // qemu-img makes such images as well, but opens none.
    if table_size == 1 {
        return Err(QedError::TableOffset);
    }
    let table_size = table_size.saturating_mul(cluster_size);
    Ok(Geometry { cluster_size, table_size, header_size: cluster_size })
}

/// The header of a new image, and the name of the backing file behind it.
fn head(creation: &Creation<'_>, geometry: Geometry, size: u64) -> Result<Vec<u8>, QedError> {
    let small = |number: u64| u32::try_from(number).map_err(|_| QedError::BackingNameTooLong);
    let Geometry { cluster_size, table_size, header_size } = geometry;
    let name = creation.options.text("backing_file");
    let mut features = Features::empty();
    features.set(Features::BACKING_FILE, name.is_some());
    let is_raw = creation.options.text("backing_fmt") == Some(b"raw");
    features.set(Features::BACKING_FORMAT_NO_PROBE, name.is_some() && is_raw);
    let name = name.unwrap_or_default();
    let length = name.len() as u64;
    let end = length.saturating_add(size_of::<Header>() as u64);
    if length > MAX_BACKING_NAME.into() || end > header_size {
        return Err(QedError::BackingNameTooLong);
    }
    let mut header = Header::new_zeroed();
    header.magic = MAGIC;
    header.cluster_size = small(cluster_size)?.into();
    header.table_size = small(table_size.checked_div(cluster_size).unwrap_or(0))?.into();
    header.header_size = 1.into();
    header.features = features.bits().into();
    header.l1_table_offset = cluster_size.into();
    header.image_size = size.into();
    if features.contains(Features::BACKING_FILE) {
        header.backing_name_offset = small(size_of::<Header>() as u64)?.into();
        header.backing_name_size = small(length)?.into();
    }
    Ok([header.as_bytes(), name].concat())
}
