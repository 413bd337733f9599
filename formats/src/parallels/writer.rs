//! Making images: header, BAT, clusters in the order in which they come.
//!
//! The BAT starts in the sector of the header, so that its first entries are written
//! with it, last of all.

use zerocopy::{FromZeros, IntoBytes};

use super::header::{
    BAT_OFFSET, ENTRY_SIZE, EXTENDED_MAGIC, Header, MAX_BAT_ENTRIES, MAX_CLUSTER_SECTORS, VERSION,
};
use super::{ParallelsError, SECTOR};
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::table::Table;
use crate::writer::{Output, Run, Writer};

/// The size of a cluster in bytes, if nothing else is wanted.
const CLUSTER_SIZE: u64 = 1 << 20;

/// No cluster is as large as this, in bytes, as with qemu-img.
const CLUSTER_LIMIT: u64 = (1 << 31) - 1;

/// No disk has as many clusters, as with qemu-img.
const CLUSTERS_LIMIT: u64 = 1 << 32;

/// The geometry of a disk that nobody looks at: its heads, and the sectors of a track.
const HEADS: u64 = 16;
const TRACK: u64 = 32;

/// Entries of the BAT in the sector of the header.
const FIRST_ENTRIES: usize = 112;

/// Makes a Parallels image.
#[derive(Debug)]
pub struct ParallelsWriter {
    header: Header,
    /// The entries of the BAT in the sector of the header.
    first: [[u8; 4]; FIRST_ENTRIES],
    /// Those behind it.
    rest: Table<4>,
    cluster_size: u64,
    /// Clusters of the disk.
    clusters: u64,
    /// Clusters of the file in front of the first one of the disk.
    start: u64,
    /// The cluster that came last.
    last: Option<u64>,
    /// How many clusters of the disk the file has.
    allocated: u64,
}

impl ParallelsWriter {
    /// Begins to make an image. The one option is `cluster_size`.
    ///
    /// # Errors
    ///
    /// If a cluster of that size cannot be, or the disk is too large for it.
    pub fn new(creation: &Creation<'_>) -> Result<Self, Error> {
        let whole = |size: u64| size.checked_next_multiple_of(SECTOR).unwrap_or(u64::MAX);
        let size = whole(creation.size);
        let cluster_size = whole(creation.options.number("cluster_size").unwrap_or(CLUSTER_SIZE));
        let sectors = cluster_size / SECTOR;
        if cluster_size >= CLUSTER_LIMIT {
            return Err(ParallelsError::ClusterSizeTooLarge.into());
        }
        if size >= cluster_size.saturating_mul(CLUSTERS_LIMIT) {
            return Err(ParallelsError::DiskTooLargeForClusters.into());
        }
        // Larger ones qemu-img makes as well, but then it cannot open them.
        let tracks = u32::try_from(sectors).ok().filter(|sectors| *sectors <= MAX_CLUSTER_SECTORS);
        let tracks = tracks.ok_or(ParallelsError::ClusterTooLarge)?;
        let clusters = size.div_ceil(cluster_size);
        let entries = u32::try_from(clusters).ok().filter(|entries| *entries <= MAX_BAT_ENTRIES);
        let entries = entries.ok_or(ParallelsError::TooManyEntries)?;
        let bat_end = clusters.saturating_mul(ENTRY_SIZE).saturating_add(BAT_OFFSET);
        let start = first_cluster(bat_end.div_ceil(SECTOR), sectors);

        // A BAT of 2 GiB and a cluster are less than 2^32 sectors.
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).into();
        let mut header = Header::new_zeroed();
        header.magic = EXTENDED_MAGIC;
        header.version = VERSION.into();
        header.heads = small(HEADS);
        header.cylinders = small((size / SECTOR / HEADS / TRACK) & u64::from(u32::MAX));
        header.tracks = tracks.into();
        header.bat_entries = entries.into();
        header.sectors = (size / SECTOR).into();
        header.data_offset = small(start.saturating_mul(sectors));
        let rest = clusters.saturating_sub(FIRST_ENTRIES as u64);
        Ok(Self {
            header,
            first: [[0; 4]; FIRST_ENTRIES],
            rest: Table::new(File::Own, SECTOR, rest, [0; 4]),
            cluster_size,
            clusters,
            start,
            last: None,
            allocated: 0,
        })
    }

    /// Gives a cluster of the disk the next one of the file, if it has none.
    fn allocate(&mut self, cluster: u64, output: &mut dyn Output) -> Result<(), Error> {
        if self.last == Some(cluster) {
            return Ok(());
        }
        self.last = Some(cluster);
        let entry = self.start.saturating_add(self.allocated);
        let entry = u32::try_from(entry).map_err(|_| ParallelsError::TooManyEntries)?.to_le_bytes();
        let place = usize::try_from(cluster).ok().and_then(|place| self.first.get_mut(place));
        match place {
            Some(place) => *place = entry,
            None => {
                let index = cluster.saturating_sub(FIRST_ENTRIES as u64);
                self.rest.set(index, entry, output)?;
            }
        }
        self.allocated = self.allocated.saturating_add(1);
        Ok(())
    }

    /// Where a cluster starts that the disk has as so many, in bytes.
    fn place(&self, allocated: u64) -> u64 {
        self.start.saturating_add(allocated).saturating_mul(self.cluster_size)
    }
}

/// The first cluster of the file behind a BAT that ends with so many sectors.
///
/// `qemu-img check` rounds up as one can for powers of two. Other clusters it wants further
/// back than they need be, or it says that the image is damaged, as it does of its own.
fn first_cluster(bat_end: u64, cluster: u64) -> u64 {
    let mask = cluster.saturating_sub(1);
    let wanted = bat_end.saturating_add(mask) & !mask;
    wanted.max(bat_end).div_ceil(cluster)
}

impl Writer for ParallelsWriter {
    fn longest(&self, _file: File) -> u64 {
        self.place(self.clusters)
    }

    fn unit(&self) -> u64 {
        self.cluster_size
    }

    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error> {
        let cluster = |offset: u64| offset.checked_div(self.cluster_size).unwrap_or(0);
        let skip = offset.checked_rem(self.cluster_size).unwrap_or(0);
        let (first, last) =
            (cluster(offset), cluster(offset.saturating_add(length).saturating_sub(1)));
        self.allocate(first, output)?;
        let place = Self::place(self, self.allocated.saturating_sub(1)).saturating_add(skip);
        // Clusters that come together are together.
        for cluster in first.saturating_add(1)..=last {
            self.allocate(cluster, output)?;
        }
        Ok(Run { place: Place::own(place), length })
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        self.rest.finish(output)?;
        output.set_length(File::Own, Self::place(self, self.allocated))?;
        output.barrier()?;
        output.write(File::Own, 0, self.header.as_bytes())?;
        Ok(output.write(File::Own, BAT_OFFSET, self.first.as_flattened())?)
    }
}
