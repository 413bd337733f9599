//! Where the bytes of the disk are: the BAT (specification, "BAT").

use zerocopy::little_endian::U32;

use super::header::{BAT_OFFSET, ENTRY_SIZE};
use super::image::ParallelsImage;
use crate::error::Error;
use crate::extent::{Content, Extent, Place};
use crate::storage;

impl ParallelsImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let cluster_size = self.layout.cluster_size;
        // The BAT may cover less than the disk. What is behind it can be long, and is
        // not looked at by clusters.
        let covered = u64::from(self.layout.bat_entries).saturating_mul(cluster_size);
        match covered.checked_sub(offset) {
            Some(rest) if rest > 0 => {
                let limit = limit.min(rest);
                Extent::of_units(offset, limit, cluster_size, |cluster| self.content(cluster))
            }
            _ => Ok(Extent { length: limit, content: Content::Unallocated }),
        }
    }

    /// How a cluster is stored that the BAT covers.
    fn content(&self, cluster: u64) -> Result<Content, Error> {
        let entry = cluster.saturating_mul(ENTRY_SIZE).saturating_add(BAT_OFFSET);
        let entry: U32 = storage::read_struct(self.file.as_ref(), entry)?;
        Ok(match entry.get() {
            0 => Content::Unallocated,
            // With 32 bits and the largest cluster it is still where files can be.
            entry => {
                let place = u64::from(entry).saturating_mul(self.layout.bat_unit);
                Content::Data(Place::own(place))
            }
        })
    }
}
