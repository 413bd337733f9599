//! Making images: header, L1 table, then L2 tables and clusters in the order in which they
//! come.

use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::QcowError;
use super::header::{ENTRY_SIZE, Header, MAX_BACKING_NAME, MAX_L1_ENTRIES, VERSION};
use super::reader::{COMPRESSED, compressed_offset_bits};
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::qcow2::header::MAGIC;
use crate::storage::StorageError;
use crate::table::Table;
use crate::writer::{Encoding, Output, Run, Writer};

/// The unit of writes, and of a disk's size, in bytes.
const SECTOR: u64 = 512;

/// Makes a qcow image.
#[derive(Debug)]
pub struct QcowWriter {
    /// The header, the name of the backing file, and the first entries of the L1 table: the
    /// sectors that the table does not have to itself.
    head: Vec<u8>,
    /// Where the L1 table is, in bytes: in the head.
    l1_table: u64,
    /// The entries of the L1 table behind the head.
    l1: Table<8>,
    /// How many entries the head has.
    head_entries: u64,
    /// Where the L1 table ends, in bytes.
    l1_end: u64,
    size: u64,
    cluster_size: u64,
    l2_entries: u64,
    has_backing: bool,
    compress: bool,
    /// The index and the entries of the L2 table that is being filled.
    l2: Option<(u64, Table<8>)>,
    /// The cluster of the disk that came last, and where it is, in bytes.
    last: Option<(u64, u64)>,
    /// Where the file ends, in bytes.
    end: u64,
    /// What is in the last sector, if a compressed cluster ends in it.
    tail: Vec<u8>,
}

/// Bits of an offset in a cluster, and of the number of an entry in an L2 table. On top of
/// another image clusters are as small as can be, as with qemu-img.
pub(super) const fn bits(has_backing: bool) -> (u8, u8) {
    if has_backing { (9, 12) } else { (12, 9) }
}

impl QcowWriter {
    /// Begins to make an image. The one option is `backing_file`; the format of that has no
    /// place in the image.
    ///
    /// # Errors
    ///
    /// If there is no such image.
    pub fn new(creation: &Creation<'_>) -> Result<Self, Error> {
        let options = &creation.options;
        let is_encrypted = options.flag("encryption").unwrap_or(false);
        if is_encrypted || options.text("encrypt.format").is_some() {
            return Err(QcowError::EncryptedCreation.into());
        }
        let size = creation.size.checked_next_multiple_of(SECTOR).ok_or(QcowError::TooLarge)?;
        if size == 0 {
            return Err(QcowError::NoSize.into());
        }
        let name = options.text("backing_file");
        if name.is_some_and(|name| name.len() > MAX_BACKING_NAME as usize) {
            return Err(QcowError::BackingNameTooLong.into());
        }
        let (cluster_bits, l2_bits) = bits(name.is_some());
        let l1_entries = size.div_ceil(1 << 21);
        if l1_entries > MAX_L1_ENTRIES {
            return Err(QcowError::TooLarge.into());
        }
        let mut head = head(size, name, cluster_bits, l2_bits);
        let l1_table = head.len() as u64;
        let behind = l1_table.next_multiple_of(SECTOR);
        head.resize(usize::try_from(behind).unwrap_or(0), 0);
        let head_entries = behind.saturating_sub(l1_table) / ENTRY_SIZE;
        let table_entries = l1_entries.saturating_sub(head_entries);
        let l1_end = l1_table.saturating_add(l1_entries.saturating_mul(ENTRY_SIZE));
        Ok(Self {
            head,
            l1_table,
            l1: Table::new(File::Own, behind, table_entries, [0; 8]),
            head_entries,
            l1_end,
            size,
            cluster_size: 1 << cluster_bits,
            l2_entries: 1 << l2_bits,
            has_backing: name.is_some(),
            compress: creation.compress,
            l2: None,
            last: None,
            end: l1_end,
            tail: Vec::new(),
        })
    }

    /// Takes bytes from the end of the file. They start with a cluster. Returns where.
    fn append(&mut self, length: u64) -> u64 {
        let start = self.end.next_multiple_of(self.cluster_size.max(1));
        self.end = start.saturating_add(length);
        self.tail.clear();
        start
    }

    /// Sets an entry of the L1 table.
    fn set_l1(&mut self, index: u64, entry: u64, output: &mut dyn Output) -> Result<(), Error> {
        let entry = entry.to_be_bytes();
        if let Some(index) = index.checked_sub(self.head_entries) {
            return Ok(self.l1.set(index, entry, output)?);
        }
        let place = self.l1_table.saturating_add(index.saturating_mul(ENTRY_SIZE));
        let place = usize::try_from(place).ok().and_then(|place| self.head.get_mut(place..));
        let place = place.and_then(|rest| rest.first_chunk_mut());
        *place.ok_or(StorageError::InputOutput)? = entry;
        Ok(())
    }

    /// The L2 table that finds a cluster of the disk, and the index in it.
    fn table_of(
        &mut self,
        cluster: u64,
        output: &mut dyn Output,
    ) -> Result<(&mut Table<8>, u64), Error> {
        let entries = self.l2_entries;
        let l1_index = cluster.checked_div(entries).unwrap_or(0);
        let l2 = match self.l2.take() {
            Some(l2) if l2.0 == l1_index => l2,
            before => {
                if let Some((_, mut before)) = before {
                    before.finish(output)?;
                }
                let place = self.append(entries.saturating_mul(ENTRY_SIZE));
                self.set_l1(l1_index, place, output)?;
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
        let place = self.append(self.cluster_size);
        self.last = Some((cluster, place));
        let (table, index) = self.table_of(cluster, output)?;
        table.set(index, place.to_be_bytes(), output)?;
        Ok(place)
    }
}

impl Writer for QcowWriter {
    fn longest(&self, _file: File) -> u64 {
        let clusters = self.size.div_ceil(self.cluster_size);
        let table = self.l2_entries.saturating_mul(ENTRY_SIZE);
        // What is compressed can leave a part of a cluster in front of each table.
        let tables = clusters.div_ceil(self.l2_entries);
        let tables = tables.saturating_mul(table.saturating_add(self.cluster_size));
        let data = clusters.saturating_add(1).saturating_mul(self.cluster_size);
        self.l1_end.saturating_add(tables).saturating_add(data)
    }

    fn unit(&self) -> u64 {
        self.cluster_size
    }

    fn encoding(&self) -> Option<Encoding> {
        self.compress.then_some(Encoding::Deflate)
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        let cluster_size = self.cluster_size;
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

    fn store(&mut self, offset: u64, bytes: &[u8], output: &mut dyn Output) -> Result<(), Error> {
        let length = bytes.len() as u64;
        let is_good =
            offset.is_multiple_of(self.cluster_size) && (1..self.cluster_size).contains(&length);
        if !is_good || !self.compress {
            return Err(StorageError::InputOutput.into());
        }
        let cluster = offset.checked_div(self.cluster_size).unwrap_or(0);
        // The table comes first.
        self.table_of(cluster, output)?;
        if self.tail.is_empty() {
            self.end = self.end.next_multiple_of(SECTOR);
        }
        let place = self.end;
        let bits = compressed_offset_bits(self.cluster_size);
        if place.checked_shr(bits) != Some(0) {
            return Err(QcowError::TooLarge.into());
        }
        // Only whole sectors can be written: the last one once more.
        let start = place.saturating_sub(self.tail.len() as u64);
        output.write(File::Own, start, &self.tail)?;
        output.write(File::Own, place, bytes)?;
        self.end = place.saturating_add(length);
        self.tail.extend_from_slice(bytes);
        let inside = usize::try_from(self.end % SECTOR).unwrap_or(0);
        self.tail.drain(..self.tail.len().saturating_sub(inside));
        let entry = COMPRESSED | length.checked_shl(bits).unwrap_or(0) | place;
        let (table, index) = self.table_of(cluster, output)?;
        Ok(table.set(index, entry.to_be_bytes(), output)?)
    }

    fn zero(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<(), Error> {
        // Without another image underneath everything is zeros.
        if !self.has_backing {
            return Ok(());
        }
        let end = offset.saturating_add(length);
        let ends_well = end.is_multiple_of(self.cluster_size) || end >= self.size;
        if !offset.is_multiple_of(self.cluster_size) || !ends_well {
            return Err(StorageError::InputOutput.into());
        }
        // There are no zeros but those that were written. In a new file they need not be.
        let first = offset.checked_div(self.cluster_size).unwrap_or(0);
        for cluster in first..end.div_ceil(self.cluster_size) {
            self.cluster(cluster, output)?;
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        if let Some((_, mut l2)) = self.l2.take() {
            l2.finish(output)?;
        }
        self.l1.finish(output)?;
        // As with qemu-img, the L1 table has whole sectors, wherever it starts.
        let l1_length = self.l1_end.saturating_sub(self.l1_table).next_multiple_of(SECTOR);
        let least = self.l1_table.saturating_add(l1_length);
        output.set_length(File::Own, self.end.max(least))?;
        output.barrier()?;
        Ok(output.write(File::Own, 0, &self.head)?)
    }
}

/// The header of a new image, and the name of the backing file behind it, up to where the L1
/// table starts.
fn head(size: u64, name: Option<&[u8]>, cluster_bits: u8, l2_bits: u8) -> Vec<u8> {
    let mut header = Header::new_zeroed();
    let name_offset = size_of::<Header>() as u64;
    let name_length = name.unwrap_or_default().len();
    let l1_table = name_offset.saturating_add(name_length as u64).next_multiple_of(ENTRY_SIZE);
    header.magic = MAGIC;
    header.version = VERSION.into();
    if name.is_some() {
        header.backing_name_offset = name_offset.into();
        header.backing_name_length = u32::try_from(name_length).unwrap_or(u32::MAX).into();
    }
    header.size = size.into();
    header.cluster_bits = cluster_bits;
    header.l2_bits = l2_bits;
    header.l1_table_offset = l1_table.into();
    let mut head = [header.as_bytes(), name.unwrap_or_default()].concat();
    head.resize(usize::try_from(l1_table).unwrap_or(0), 0);
    head
}
