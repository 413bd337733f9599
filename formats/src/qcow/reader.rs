//! Where the bytes of the disk are: L1 table, L2 tables (description, "2-Level Lookup").

use super::QcowError;
use super::header::{ENTRY_SIZE, Layout};
use super::image::QcowImage;
use crate::codec::Codec;
use crate::entries::Entries;
use crate::error::Error;
use crate::extent::{Compressed, Content, Extent, Place};
use crate::storage::is_reachable;

/// The bit of an entry of an L2 table for a cluster that is compressed (description,
/// "Copy-on-Write Images", "Compression").
pub const COMPRESSED: u64 = 1 << 63;

/// The unit of places of clusters, in bytes.
const SECTOR: u64 = 512;

/// Bits of the place of a compressed cluster. Behind them is its length in bytes.
#[must_use]
pub fn compressed_offset_bits(cluster_size: u64) -> u32 {
    63_u32.saturating_sub(cluster_size.trailing_zeros())
}

impl QcowImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let storage = self.storage.as_ref();
        let (mut l1, mut l2) = (Entries::new(storage), Entries::new(storage));
        Extent::of_pieces(offset, limit, |offset, _| self.piece(offset, &mut l1, &mut l2))
    }

    /// How the disk is stored from an offset on, up to the end of the cluster; or of the
    /// part of it that has no L2 table.
    fn piece(
        &self,
        offset: u64,
        l1: &mut Entries<'_>,
        l2: &mut Entries<'_>,
    ) -> Result<Extent, Error> {
        let Layout { cluster_size, l2_entries, l1_table_offset, .. } = self.layout;
        let cluster = offset.checked_div(cluster_size).unwrap_or(0);
        let skip = offset.checked_rem(cluster_size).unwrap_or(0);
        let l1_index = cluster.checked_div(l2_entries).unwrap_or(0);
        let index = cluster.checked_rem(l2_entries).unwrap_or(0);

        let place = l1_table_offset.saturating_add(l1_index.saturating_mul(ENTRY_SIZE));
        let table = u64::from_be_bytes(l1.read(place)?);
        if table == 0 {
            let clusters = l2_entries.saturating_sub(index);
            let length = clusters.saturating_mul(cluster_size).saturating_sub(skip);
            return Ok(Extent { length, content: Content::Unallocated });
        }
        if !is_reachable(table, l2_entries.saturating_mul(ENTRY_SIZE)) {
            return Err(QcowError::TableOutOfReach { index: l1_index, offset: table }.into());
        }
        let entry = l2.read(table.saturating_add(index.saturating_mul(ENTRY_SIZE)))?;
        let content = self.content(u64::from_be_bytes(entry), cluster)?;
        let content = if skip == 0 { content } else { content.inside(skip) };
        Ok(Extent { length: cluster_size.saturating_sub(skip), content })
    }

    /// How a cluster of the disk is stored, by its entry.
    fn content(&self, entry: u64, cluster: u64) -> Result<Content, QcowError> {
        let cluster_size = self.layout.cluster_size;
        if entry == 0 {
            Ok(Content::Unallocated)
        } else if entry & COMPRESSED != 0 {
            Ok(Content::Compressed(compressed(entry, cluster_size)))
        } else if !entry.is_multiple_of(SECTOR) {
            Err(QcowError::UnalignedCluster { cluster, offset: entry })
        } else if is_reachable(entry, cluster_size) {
            Ok(Content::Data(Place::own(entry)))
        } else {
            Err(QcowError::ClusterOutOfReach { cluster, offset: entry })
        }
    }
}

/// The compressed cluster that an entry stands for.
fn compressed(entry: u64, cluster_size: u64) -> Compressed {
    let bits = compressed_offset_bits(cluster_size);
    let length = (entry & !COMPRESSED).checked_shr(bits).unwrap_or(0);
    let mask = 1_u64.checked_shl(bits).unwrap_or(0).saturating_sub(1);
    let place = Place::own(entry & mask);
    Compressed { place, length, codec: Codec::Deflate, size: cluster_size, skip: 0 }
}

#[cfg(test)]
mod tests;
