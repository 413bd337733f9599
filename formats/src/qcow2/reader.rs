//! Where the bytes of the disk are: L1 table, L2 tables (specification, "Cluster
//! mapping").

use super::Qcow2Error;
use super::feature::Incompatible;
use super::header::MIN_VERSION;
use super::image::Qcow2Image;
use super::layout::{
    Compression, EXTENDED_L2_ENTRY_SIZE, L1_ENTRY_SIZE, L2_ENTRY_SIZE, Layout, MIN_CLUSTER_BITS,
    SUBCLUSTERS,
};
use crate::codec::Codec;
use crate::entries::Entries;
use crate::error::Error;
use crate::extent::{Compressed, Content, Extent, File, Place};

/// The bits of an entry of an L1 or L2 table that are a place in the file.
pub const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;

/// The bit of an entry of an L1 or L2 table for what has a reference count of exactly
/// one.
pub const COPIED: u64 = 1 << 63;

/// The bit of an entry of an L2 table for a cluster that is compressed.
pub const COMPRESSED: u64 = 1 << 62;

/// The bit of an entry of an L2 table for a cluster of zeros. Not in version 2, and not
/// where clusters have subclusters.
pub const ZERO: u64 = 1;

/// The unit in which an entry counts what a compressed cluster takes, in bytes.
pub const COMPRESSED_SECTOR: u64 = 512;

/// Bits of an entry for a compressed cluster that are not flags.
const WIDEST_OFFSET: u32 = 62;

/// Bits of the place of a compressed cluster (specification, "Compressed Clusters
/// Descriptor"). Behind them is the number of sectors that it goes on for.
#[must_use]
pub fn compressed_offset_bits(cluster_size: u64) -> u32 {
    // One bit more than the sectors of a cluster have.
    let sectors = cluster_size.trailing_zeros().saturating_sub(MIN_CLUSTER_BITS);
    WIDEST_OFFSET.saturating_sub(sectors.saturating_add(1))
}

/// A number with so many of its lowest bits set.
fn low_bits(bits: u32) -> u64 {
    1_u64.checked_shl(bits).map_or(u64::MAX, |bit| bit.wrapping_sub(1))
}

/// An entry of an L2 table, and where it is.
#[derive(Clone, Copy)]
struct Entry {
    /// The cluster.
    value: u64,
    /// Its subclusters, if it has any: a bit for each that has data, and from bit 32 on
    /// a bit for each that is zeros.
    bitmap: u64,
    /// Where the L2 table is, in bytes.
    table: u64,
    /// The index in it.
    index: u64,
}

/// How a subcluster is stored, or a whole cluster that has none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unallocated,
    Zero,
    Data,
}

impl Qcow2Image {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let storage = self.storage.as_ref();
        let (mut l1, mut l2) = (Entries::new(storage), Entries::new(storage));
        Extent::of_pieces(offset, limit, |offset, _| self.piece(offset, &mut l1, &mut l2))
    }

    /// How the disk is stored from an offset on, up to the end of the cluster at most; or
    /// of the part of it that has no L2 table.
    fn piece(
        &self,
        offset: u64,
        l1: &mut Entries<'_>,
        l2: &mut Entries<'_>,
    ) -> Result<Extent, Error> {
        let Layout { cluster_size, l2_entries, l1_table, .. } = self.layout;
        let cluster = offset.checked_div(cluster_size).unwrap_or(0);
        let skip = offset.checked_rem(cluster_size).unwrap_or(0);
        let l1_index = cluster.checked_div(l2_entries).unwrap_or(0);
        let index = cluster.checked_rem(l2_entries).unwrap_or(0);

        let place = l1_index.saturating_mul(L1_ENTRY_SIZE);
        // The table of a snapshot can be too short for its disk.
        let table = if place < l1_table.length {
            u64::from_be_bytes(l1.read(l1_table.offset.saturating_add(place))?) & OFFSET
        } else {
            0
        };
        if table == 0 {
            let clusters = l2_entries.saturating_sub(index);
            let length = clusters.saturating_mul(cluster_size).saturating_sub(skip);
            return Ok(Extent { length, content: Content::Unallocated });
        }
        if !table.is_multiple_of(cluster_size) {
            return Err(Qcow2Error::UnalignedL2Table { offset: table, index: l1_index }.into());
        }
        let entry = self.read_entry(table, index, l2)?;
        Ok(self.extent_of(entry, cluster.saturating_mul(cluster_size), skip)?)
    }

    /// Reads an entry of the L2 table at a place.
    fn read_entry(&self, table: u64, index: u64, l2: &mut Entries<'_>) -> Result<Entry, Error> {
        let (value, bitmap) = if self.has(Incompatible::EXTENDED_L2) {
            let place = table.saturating_add(index.saturating_mul(EXTENDED_L2_ENTRY_SIZE));
            (l2.read(place)?, l2.read(place.saturating_add(L2_ENTRY_SIZE))?)
        } else {
            (l2.read(table.saturating_add(index.saturating_mul(L2_ENTRY_SIZE)))?, [0; 8])
        };
        let (value, bitmap) = (u64::from_be_bytes(value), u64::from_be_bytes(bitmap));
        Ok(Entry { value, bitmap, table, index })
    }

    /// What an entry says of the cluster that starts at an offset of the disk, from a
    /// byte of it on. Checks are in the order of qemu-img.
    fn extent_of(&self, entry: Entry, start: u64, skip: u64) -> Result<Extent, Qcow2Error> {
        let cluster_size = self.layout.cluster_size;
        let has_data_file = self.has(Incompatible::DATA_FILE);
        let Entry { value, table, index, .. } = entry;
        if value & COMPRESSED != 0 {
            if has_data_file {
                return Err(Qcow2Error::CompressedInDataFile { table, index });
            }
            let length = cluster_size.saturating_sub(skip);
            return Ok(Extent { length, content: self.compressed(value, skip) });
        }
        let place = value & OFFSET;
        // In a data file the first cluster can be used: there the other bit tells.
        let has_place = place != 0 || has_data_file && value & COPIED != 0;
        let (kind, length) = self.kind(entry, has_place, skip)?;
        if !has_place {
            let content =
                if kind == Kind::Zero { Content::Zero(None) } else { Content::Unallocated };
            return Ok(Extent { length, content });
        }
        if !place.is_multiple_of(cluster_size) {
            return Err(Qcow2Error::UnalignedCluster { offset: place, table, index });
        }
        if has_data_file && place != start {
            return Err(Qcow2Error::MovedInDataFile { offset: place, start, index });
        }
        let file = if has_data_file { File::Other(0) } else { File::Own };
        let place = Place { file, offset: place.saturating_add(skip) };
        let content = match kind {
            Kind::Data => Content::Data(place),
            Kind::Zero => Content::Zero(Some(place)),
            Kind::Unallocated => Content::Reserved(place),
        };
        Ok(Extent { length, content })
    }

    /// How a cluster is stored from a byte of it on, and for how many bytes.
    fn kind(&self, entry: Entry, has_place: bool, skip: u64) -> Result<(Kind, u64), Qcow2Error> {
        let Entry { value, bitmap, table, index } = entry;
        let cluster_size = self.layout.cluster_size;
        if self.has(Incompatible::EXTENDED_L2) {
            let (data, zero) = (bitmap & u64::from(u32::MAX), bitmap >> 32);
            if data & zero != 0 || !has_place && data != 0 {
                return Err(Qcow2Error::InvalidEntry { table, index });
            }
            return Ok(subclusters(data, zero, cluster_size, skip));
        }
        let kind = match (value & ZERO != 0, has_place) {
            (true, _) if self.layout.version == MIN_VERSION => {
                return Err(Qcow2Error::ZeroInVersion2 { table, index });
            }
            (true, _) => Kind::Zero,
            (false, true) => Kind::Data,
            (false, false) => Kind::Unallocated,
        };
        Ok((kind, cluster_size.saturating_sub(skip)))
    }

    /// A cluster that is compressed, from a byte of it on.
    fn compressed(&self, value: u64, skip: u64) -> Content {
        let cluster_size = self.layout.cluster_size;
        let bits = compressed_offset_bits(cluster_size);
        let offset = value & low_bits(bits);
        // In front of the number of sectors are two flags.
        let sectors =
            (value & low_bits(WIDEST_OFFSET)).checked_shr(bits).unwrap_or(0).saturating_add(1);
        let used = offset % COMPRESSED_SECTOR;
        let length = sectors.saturating_mul(COMPRESSED_SECTOR).saturating_sub(used);
        let codec = match self.layout.compression {
            Compression::Zlib => Codec::Deflate,
            Compression::Zstd => Codec::Zstandard,
        };
        let place = Place::own(offset);
        Content::Compressed(Compressed { place, length, codec, size: cluster_size, skip })
    }
}

/// How a cluster with subclusters is stored from a byte of it on, and for how many bytes.
/// There is a bit for each subcluster that has data, or is zeros.
fn subclusters(data: u64, zero: u64, cluster_size: u64, skip: u64) -> (Kind, u64) {
    let kind = |number: u64| {
        let bit =
            |bits: u64| bits.checked_shr(u32::try_from(number).unwrap_or(64)).unwrap_or(0) & 1;
        match (bit(data), bit(zero)) {
            (1, _) => Kind::Data,
            (_, 1) => Kind::Zero,
            _ => Kind::Unallocated,
        }
    };
    let size = cluster_size / SUBCLUSTERS;
    let first = skip.checked_div(size).unwrap_or(0);
    let end = (first..SUBCLUSTERS).find(|number| kind(*number) != kind(first));
    let end = end.unwrap_or(SUBCLUSTERS).saturating_mul(size);
    (kind(first), end.saturating_sub(skip))
}

#[cfg(test)]
mod tests;
