//! Compressed clusters: packed byte by byte, without regard to clusters of the file
//! (specification, "Compressed Clusters Descriptor").

use alloc::vec::Vec;

use super::clusters::Clusters;
use crate::error::Error;
use crate::extent::File;
use crate::writer::Output;

/// The unit of writes in bytes.
const SECTOR: u64 = 512;

/// Where compressed clusters go.
#[derive(Debug, Default)]
pub struct Packing {
    /// The first byte behind the last one, if its cluster of the file has room.
    free: Option<u64>,
    /// What is in the sector of that byte.
    tail: Vec<u8>,
}

impl Packing {
    /// Writes a compressed cluster, and returns where.
    ///
    /// # Errors
    ///
    /// If the file gets too large, or cannot be written.
    pub fn store(
        &mut self,
        bytes: &[u8],
        cluster_size: u64,
        clusters: &mut Clusters,
        output: &mut dyn Output,
    ) -> Result<u64, Error> {
        let length = bytes.len() as u64;
        let place = self.room(length, cluster_size, clusters, output)?;
        if self.free != Some(place) {
            self.tail.clear();
        }
        // Only whole sectors can be written: the first one once more.
        let start = place.saturating_sub(self.tail.len() as u64);
        output.write(File::Own, start, &self.tail)?;
        output.write(File::Own, place, bytes)?;
        let end = place.saturating_add(length);
        self.keep(bytes, usize::try_from(end % SECTOR).unwrap_or(0));
        self.free = (!end.is_multiple_of(cluster_size)).then_some(end);
        Ok(place)
    }

    /// Keeps the last bytes of what was written.
    fn keep(&mut self, bytes: &[u8], length: usize) {
        if let Some(first) = bytes.len().checked_sub(length) {
            self.tail.clear();
            self.tail.extend_from_slice(bytes.get(first..).unwrap_or_default());
        } else {
            self.tail.extend_from_slice(bytes);
        }
    }

    /// Finds room for so many bytes. Each cluster of the file that has some of them is
    /// counted once for it.
    fn room(
        &self,
        length: u64,
        cluster_size: u64,
        clusters: &mut Clusters,
        output: &mut dyn Output,
    ) -> Result<u64, Error> {
        let Some(free) = self.free else { return clusters.allocate(output) };
        let end = free.next_multiple_of(cluster_size.max(1));
        if end.saturating_sub(free) >= length {
            let is_shared = clusters.share(free, output)?;
            return if is_shared { Ok(free) } else { clusters.allocate(output) };
        }
        let next = clusters.allocate(output)?;
        let goes_on = next == end && clusters.share(free, output)?;
        Ok(if goes_on { free } else { next })
    }
}
