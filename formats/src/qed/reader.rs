//! Where the bytes of the disk are: L1 table, L2 tables (specification, "Tables").

use super::QedError;
use super::header::ENTRY_SIZE;
use super::image::{Layout, QedImage};
use crate::entries::Entries;
use crate::error::Error;
use crate::extent::{Content, Extent, Place};

/// The entry of a table for what is not there.
const UNALLOCATED: u64 = 0;

/// The entry of an L2 table for a cluster of zeros.
pub const ZERO: u64 = 1;

impl QedImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let file = self.file.as_ref();
        let (mut l1, mut l2) = (Entries::new(file), Entries::new(file));
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
        let Layout { geometry, l1_table, .. } = self.layout;
        let cluster = offset.checked_div(geometry.cluster_size).unwrap_or(0);
        let skip = offset.checked_rem(geometry.cluster_size).unwrap_or(0);
        let l1_index = cluster.checked_div(geometry.entries()).unwrap_or(0);
        let index = cluster.checked_rem(geometry.entries()).unwrap_or(0);

        let place = l1_table.saturating_add(l1_index.saturating_mul(ENTRY_SIZE));
        let table = u64::from_le_bytes(l1.read(place)?);
        if table == UNALLOCATED {
            let clusters = geometry.entries().saturating_sub(index);
            let length = clusters.saturating_mul(geometry.cluster_size).saturating_sub(skip);
            return Ok(Extent { length, content: Content::Unallocated });
        }
        if !geometry.can_start_table(table, self.file.length()) {
            return Err(QedError::MisplacedTable { index: l1_index, offset: table }.into());
        }
        let entry = l2.read(table.saturating_add(index.saturating_mul(ENTRY_SIZE)))?;
        let content = match u64::from_le_bytes(entry) {
            UNALLOCATED => Content::Unallocated,
            ZERO => Content::Zero(None),
            place if geometry.can_start(place, self.file.length()) => {
                Content::Data(Place::own(place.saturating_add(skip)))
            }
            offset => return Err(QedError::MisplacedCluster { cluster, offset }.into()),
        };
        Ok(Extent { length: geometry.cluster_size.saturating_sub(skip), content })
    }
}

#[cfg(test)]
mod tests;
