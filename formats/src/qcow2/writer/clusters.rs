//! The clusters of the file: given out one after the other, and counted (specification,
//! "Host cluster management").
//!
//! ```text
//! header │ refcount table │ refcount blocks │ L1 table │ … │ refcount block │ …
//! ```
//!
//! The first refcount blocks count what is in front of the first cluster that is given
//! out. Each other one is the first cluster of those that it counts.

use alloc::vec::Vec;

use super::super::Qcow2Error;
use super::super::layout::REFCOUNT_TABLE;
use super::super::reader::OFFSET;
use crate::error::Error;
use crate::extent::File;
use crate::table::{PIECE, Table};
use crate::writer::Output;

/// The size of an entry of the refcount table in bytes.
const ENTRY_SIZE: u64 = 8;

/// How many clusters the refcount table has, and how many refcount blocks there are, if a
/// file has so many clusters besides. These are counted as well.
#[must_use]
pub fn refcount_clusters(clusters: u64, cluster_size: u64, refcount_bits: u64) -> (u64, u64) {
    let counts_in_block = counts_in_block(cluster_size, refcount_bits);
    let (mut table, mut blocks) = (0, 0);
    loop {
        let all = clusters.saturating_add(table).saturating_add(blocks);
        let needed = all.div_ceil(counts_in_block);
        let needed_table = needed.saturating_mul(ENTRY_SIZE).div_ceil(cluster_size);
        if (needed_table, needed) == (table, blocks) {
            return (table, blocks);
        }
        (table, blocks) = (needed_table, needed);
    }
}

/// Reference counts in a refcount block.
fn counts_in_block(cluster_size: u64, refcount_bits: u64) -> u64 {
    cluster_size.saturating_mul(8).checked_div(refcount_bits).unwrap_or(1).max(1)
}

/// The clusters of the file.
#[derive(Debug)]
pub struct Clusters {
    cluster_size: u64,
    refcount_bits: u64,
    table: Table<8>,
    /// The length of the refcount table in clusters.
    table_clusters: u64,
    /// Refcount blocks behind the refcount table.
    first_blocks: u64,
    /// Clusters that were taken from the start.
    taken: u64,
    /// The next one that is given out.
    next: u64,
    /// Clusters that have been counted.
    counted: u64,
    /// A piece of a refcount block, which is not written yet.
    piece: Vec<u8>,
    /// The first cluster that it counts.
    start: u64,
}

impl Clusters {
    /// The clusters of a file that has an L1 table of so many, and at most so many besides
    /// that are given out.
    #[must_use]
    pub fn new(cluster_size: u64, refcount_bits: u64, l1_clusters: u64, most: u64) -> Self {
        let most = most.saturating_add(l1_clusters).saturating_add(1);
        let (table_clusters, _) = refcount_clusters(most, cluster_size, refcount_bits);
        // A table that would be longer than one can be is enough for what there can be.
        let longest = REFCOUNT_TABLE.length.checked_div(cluster_size).unwrap_or(1);
        let table_clusters = table_clusters.clamp(1, longest);
        let entries = table_clusters.saturating_mul(cluster_size) / ENTRY_SIZE;
        let mut clusters = Self {
            cluster_size,
            refcount_bits,
            table: Table::new(File::Own, cluster_size, entries, [0; 8]),
            table_clusters,
            first_blocks: 1,
            taken: 0,
            next: 0,
            counted: 0,
            piece: Vec::new(),
            start: 0,
        };
        // Blocks that count others can need one more for themselves.
        while clusters.taken_with(l1_clusters) > clusters.first_counted() {
            clusters.first_blocks = clusters.first_blocks.saturating_add(1);
        }
        clusters.taken = clusters.taken_with(l1_clusters);
        clusters.next = clusters.taken;
        clusters
    }

    /// What is in front of the first cluster that is given out, with such an L1 table.
    fn taken_with(&self, l1_clusters: u64) -> u64 {
        self.clusters_before_l1().saturating_add(l1_clusters)
    }

    /// Clusters that the first blocks count.
    fn first_counted(&self) -> u64 {
        self.first_blocks.saturating_mul(self.counts_in_block())
    }

    /// Where the refcount table is, in bytes, and its length in clusters.
    #[must_use]
    pub fn table(&self) -> (u64, u64) {
        (self.cluster_size, self.table_clusters)
    }

    /// Where the L1 table is, in bytes.
    #[must_use]
    pub fn l1_table(&self) -> u64 {
        self.clusters_before_l1().saturating_mul(self.cluster_size)
    }

    /// Clusters of header, refcount table, and refcount blocks.
    fn clusters_before_l1(&self) -> u64 {
        self.table_clusters.saturating_add(self.first_blocks).saturating_add(1)
    }

    /// Clusters of a file of which so many are given out, with those that count them.
    #[must_use]
    pub fn most(&self, given: u64) -> u64 {
        let l1_clusters = self.taken.saturating_sub(self.taken_with(0));
        let clusters = given.saturating_add(l1_clusters).saturating_add(1);
        let (_, blocks) = refcount_clusters(clusters, self.cluster_size, self.refcount_bits);
        let table = self.table_clusters;
        clusters.saturating_add(table).saturating_add(blocks.max(self.first_blocks))
    }

    /// Where the last cluster ends that was given out, in bytes, if one was.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        (self.next > self.taken).then(|| self.next.saturating_mul(self.cluster_size))
    }

    fn counts_in_block(&self) -> u64 {
        counts_in_block(self.cluster_size, self.refcount_bits)
    }

    /// Counts in a piece of a block: all of them, if the block is short enough.
    fn counts_in_piece(&self) -> u64 {
        self.counts_in_block().min(counts_in_block(PIECE as u64, self.refcount_bits))
    }

    /// Where a refcount block is, in bytes.
    fn block(&self, number: u64) -> u64 {
        let cluster = if number < self.first_blocks {
            number.saturating_add(self.table_clusters).saturating_add(1)
        } else {
            number.saturating_mul(self.counts_in_block())
        };
        cluster.saturating_mul(self.cluster_size)
    }

    /// Gives out a cluster. Returns where it starts, in bytes.
    ///
    /// # Errors
    ///
    /// If the file gets too large, or cannot be written.
    pub fn allocate(&mut self, output: &mut dyn Output) -> Result<u64, Error> {
        let begins_block = self.next.checked_rem(self.counts_in_block()) == Some(0);
        if begins_block && self.next >= self.first_counted() {
            self.next = self.next.saturating_add(1);
        }
        let place = self.next.saturating_mul(self.cluster_size);
        if place & !OFFSET != 0 {
            return Err(Qcow2Error::FileTooLarge.into());
        }
        self.next = self.next.saturating_add(1);
        self.count(output)?;
        Ok(place)
    }

    /// Counts a cluster once more, if it can be. Its offset is in bytes.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn share(&mut self, offset: u64, output: &mut dyn Output) -> Result<bool, Error> {
        self.count(output)?;
        let cluster = offset.checked_div(self.cluster_size).unwrap_or(0);
        Ok(cluster >= self.start && self.add(cluster))
    }

    /// Counts all clusters that were given out.
    fn count(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        while self.counted < self.next {
            let cluster = self.counted;
            if cluster.checked_rem(self.counts_in_block()) == Some(0) {
                let block = cluster.checked_div(self.counts_in_block()).unwrap_or(0);
                if block >= self.table_clusters.saturating_mul(self.cluster_size) / ENTRY_SIZE {
                    return Err(Qcow2Error::FileTooLarge.into());
                }
                self.table.set(block, self.block(block).to_be_bytes(), output)?;
            }
            if cluster.checked_rem(self.counts_in_piece()) == Some(0) {
                self.write_piece(output)?;
                self.start = cluster;
            }
            self.add(cluster);
            self.counted = cluster.saturating_add(1);
        }
        Ok(())
    }

    /// Adds one to a count in the piece, if there is room for it.
    fn add(&mut self, cluster: u64) -> bool {
        let bit = cluster.saturating_sub(self.start).saturating_mul(self.refcount_bits);
        let byte = usize::try_from(bit / 8).unwrap_or(usize::MAX);
        if self.refcount_bits < 8 {
            // Counts narrower than a byte start with its lowest bit.
            let most = u8::MAX >> 8_u64.saturating_sub(self.refcount_bits);
            let Some(byte) = self.piece.get_mut(byte) else { return false };
            let first = u32::try_from(bit % 8).unwrap_or(0);
            let one = 1_u8.checked_shl(first).unwrap_or(0);
            let has_room = byte.checked_shr(first).unwrap_or(0) & most < most;
            *byte = byte.saturating_add(if has_room { one } else { 0 });
            return has_room;
        }
        let width = usize::try_from(self.refcount_bits / 8).unwrap_or(1);
        let count = self.piece.get_mut(byte..).and_then(|rest| rest.get_mut(..width));
        let Some(count) = count.filter(|count| count.iter().any(|byte| *byte != u8::MAX)) else {
            return false;
        };
        // Wider ones end with their lowest byte.
        for byte in count.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        true
    }

    /// Writes the piece, if there is one, and begins another.
    fn write_piece(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        let counts = self.counts_in_block();
        let block = self.block(self.start.checked_div(counts).unwrap_or(0));
        let inside = self.start.checked_rem(counts).unwrap_or(0);
        let place = block.saturating_add(inside.saturating_mul(self.refcount_bits) / 8);
        if !self.piece.is_empty() {
            output.write(File::Own, place, &self.piece)?;
        }
        let length = self.counts_in_piece().saturating_mul(self.refcount_bits) / 8;
        self.piece.clear();
        self.piece.resize(usize::try_from(length).unwrap_or(0), 0);
        Ok(())
    }

    /// Writes what has not been written.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        self.count(output)?;
        self.write_piece(output)?;
        Ok(self.table.finish(output)?)
    }
}

#[cfg(test)]
mod tests;
