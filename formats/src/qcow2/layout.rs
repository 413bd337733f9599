//! The header, checked: how big everything is, and where.

use alloc::vec::Vec;
use core::ops::Range;

use super::Qcow2Error;
use super::encryption::Method;
use super::feature::{Features, Incompatible};
use super::header::{
    COMPRESSION_OFFSET, Header, LENGTH_2, MAGIC, MAX_VERSION, MIN_LENGTH_3, MIN_VERSION,
};
use super::snapshot;
use super::table::{Limit, Table, check_inside};
use crate::error::Error;
use crate::storage::{self, Storage};

/// Bits of an offset in the smallest cluster, 512 bytes. A subcluster is no
/// smaller.
pub const MIN_CLUSTER_BITS: u32 = 9;

/// Bits of an offset in the largest cluster, 2 MiB (specification, "Header": the
/// limit is qemu's).
pub const MAX_CLUSTER_BITS: u32 = 21;

/// How many subclusters a cluster has, if it has any (specification, "Extended L2
/// Entries").
pub const SUBCLUSTERS: u64 = 32;

/// The widest reference count, 64 bits, as a power of two.
pub const MAX_REFCOUNT_ORDER: u32 = 6;

/// The width of all reference counts of version 2, 16 bits, as a power of two.
const REFCOUNT_ORDER_2: u32 = 4;

/// The L1 table: enough for 2 EiB in clusters of 2 MiB, 16 TiB in the usual ones of
/// 64 KiB.
pub const L1_TABLE: Limit = Limit { name: "Active L1 table", length: 32 << 20 };

/// The L1 table of a snapshot: as long as that of the disk.
pub const SNAPSHOT_L1_TABLE: Limit = Limit { name: "Snapshot L1 table", ..L1_TABLE };

/// The most entries that an L1 table would need for the disk. The table itself
/// can have far fewer; the two limits have messages of their own.
const MAX_L1_ENTRIES: u64 = i32::MAX.cast_unsigned() as u64;

/// The refcount table: enough for files of 2 PiB in the usual clusters of 64 KiB
/// with the usual counts of 16 bits.
pub const REFCOUNT_TABLE: Limit = Limit { name: "Reference count table", length: 8 << 20 };

/// The snapshot table, without names and extra data.
pub const SNAPSHOT_TABLE: Limit =
    Limit { name: "Snapshot table", length: snapshot::MAX_SNAPSHOTS * snapshot::ENTRY_SIZE };

/// The size of an entry in an L1 table, in bytes.
pub const L1_ENTRY_SIZE: u64 = 8;

/// The size of an entry in an L2 table, in bytes.
pub const L2_ENTRY_SIZE: u64 = 8;

/// The size of an entry that tells subclusters apart, in bytes.
pub const EXTENDED_L2_ENTRY_SIZE: u64 = 16;

/// The longest name of a backing file in bytes (specification, "Header").
pub const MAX_BACKING_NAME: u64 = 1023;

/// The unit of the size of the disk that users see, in bytes. What is left of
/// the last sector cannot be reached.
pub(super) const SECTOR: u64 = 512;

/// How compressed clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Deflate, which qemu calls by the name of the library.
    Zlib,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// What a number stands for, in an image with these features.
    fn of(number: u8, features: &Features) -> Result<Self, Qcow2Error> {
        let compression = match number {
            0 => Self::Zlib,
            1 => Self::Zstd,
            _ => return Err(Qcow2Error::UnknownCompression { number }),
        };
        // Who does not know the field must not take one for the other.
        match (compression, features.incompatible.contains(Incompatible::COMPRESSION)) {
            (Self::Zlib, true) => Err(Qcow2Error::CompressionBitSet),
            (Self::Zstd, false) => Err(Qcow2Error::CompressionBitNotSet),
            _ => Ok(compression),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }
}

/// What the header says. Offsets and lengths are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// 2 or 3.
    pub version: u32,
    /// The size of a cluster.
    pub cluster_size: u64,
    /// Entries in an L2 table, which is one cluster.
    pub l2_entries: u64,
    /// The size of the disk, in whole sectors.
    pub virtual_size: u64,
    /// Its features.
    pub features: Features,
    /// How compressed clusters are compressed.
    pub compression: Compression,
    /// The width of a reference count in bits.
    pub refcount_bits: u64,
    /// How clusters are encrypted, if they are.
    pub encryption: Option<Method>,
    /// Where the L1 table is.
    pub l1_table: Table,
    /// Where the refcount table is.
    pub refcount_table: Table,
    /// Where the snapshot table is. Its true length is only known when it has been
    /// read.
    pub snapshot_table: Table,
    /// How many snapshots there are.
    pub snapshot_count: u32,
    /// Where the name of the backing file is, if there is one.
    pub backing_name: Option<Range<u64>>,
    /// Where header extensions are.
    pub extensions: Range<u64>,
}

impl Layout {
    /// Reads the header. Checks are in the order of qemu-img, whose messages they
    /// have.
    ///
    /// # Errors
    ///
    /// If it is no header of a qcow2 image, or says what cannot be or is not
    /// supported, or a table that it names is not in the file.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        // A file has whole sectors, but for an empty one.
        if storage.reach(1) == 0 {
            return Err(Qcow2Error::NoMagic.into());
        }
        let header: Header = storage::read_padded(storage, 0)?;
        header.check_version()?;
        let cluster_size = header.cluster_size()?;
        let header_length = header.checked_length(cluster_size)?;
        let extensions = u64::from(header_length)..header.extensions_end(cluster_size)?;
        let features = if header.is_version_2() { Features::NONE } else { Features::of(&header) };
        let has_compression = header_length > COMPRESSION_OFFSET;
        let compression = if has_compression { header.compression } else { 0 };
        let compression = Compression::of(compression, &features)?;
        features.check(storage, extensions.clone())?;
        let l2_entries = l2_entries(cluster_size, &features)?;
        let refcount_bits = header.refcount_bits()?;
        let refcount_table = header.refcount_table(cluster_size)?;
        let snapshot_table = header.snapshot_table(cluster_size)?;
        let l1_table = header.l1_table(cluster_size, l2_entries)?;
        l1_table.check_inside(storage, "L1 table")?;
        let encryption = Method::of(header.encryption.get())?;
        refcount_table.check_inside(storage, "refcount table")?;
        let sectors = header.size.get() / SECTOR;
        Ok(Self {
            version: header.version.get(),
            cluster_size,
            l2_entries,
            virtual_size: sectors.saturating_mul(SECTOR),
            features,
            compression,
            refcount_bits,
            encryption,
            l1_table,
            refcount_table,
            snapshot_table,
            snapshot_count: header.snapshot_count.get(),
            backing_name: header.backing_name(),
            extensions,
        })
    }

    /// The name of the backing file as it is in the file, if there is one.
    ///
    /// # Errors
    ///
    /// If it is too long or cannot be read.
    pub fn read_backing_name(&self, storage: &dyn Storage) -> Result<Option<Vec<u8>>, Error> {
        let Some(Range { start, end }) = self.backing_name.clone() else { return Ok(None) };
        let length = end.saturating_sub(start);
        if length > MAX_BACKING_NAME || end > self.cluster_size {
            return Err(Qcow2Error::BackingNameTooLong.into());
        }
        check_inside(storage, "name of the backing file", start, length)?;
        let length = usize::try_from(length).unwrap_or(0);
        Ok(Some(storage::read_bytes(storage, start, length)?))
    }
}

impl Header {
    fn is_version_2(&self) -> bool {
        self.version.get() == MIN_VERSION
    }

    fn check_version(&self) -> Result<(), Qcow2Error> {
        if self.magic != MAGIC {
            return Err(Qcow2Error::NoMagic);
        }
        match self.version.get() {
            MIN_VERSION..=MAX_VERSION => Ok(()),
            version => Err(Qcow2Error::UnsupportedVersion { version }),
        }
    }

    /// The size of a cluster in bytes.
    fn cluster_size(&self) -> Result<u64, Qcow2Error> {
        let bits = self.cluster_bits.get();
        let valid = (MIN_CLUSTER_BITS..=MAX_CLUSTER_BITS).contains(&bits);
        let size = 1_u64.checked_shl(bits).filter(|_| valid);
        size.ok_or(Qcow2Error::UnsupportedClusterSize { bits })
    }

    /// The length of the header in bytes.
    fn checked_length(&self, cluster_size: u64) -> Result<u32, Qcow2Error> {
        let length = if self.is_version_2() { LENGTH_2 } else { self.header_length.get() };
        if !self.is_version_2() && length < MIN_LENGTH_3 {
            Err(Qcow2Error::HeaderTooShort)
        } else if u64::from(length) > cluster_size {
            Err(Qcow2Error::HeaderTooLong)
        } else {
            Ok(length)
        }
    }

    /// Where header extensions end at the latest: at the name of the backing file,
    /// or with the first cluster.
    fn extensions_end(&self, cluster_size: u64) -> Result<u64, Qcow2Error> {
        match self.backing_name_offset.get() {
            0 => Ok(cluster_size),
            offset if offset <= cluster_size => Ok(offset),
            _ => Err(Qcow2Error::InvalidBackingNameOffset),
        }
    }

    /// The width of a reference count in bits.
    fn refcount_bits(&self) -> Result<u64, Qcow2Error> {
        let order = if self.is_version_2() { REFCOUNT_ORDER_2 } else { self.refcount_order.get() };
        let bits = 1_u64.checked_shl(order).filter(|_| order <= MAX_REFCOUNT_ORDER);
        bits.ok_or(Qcow2Error::RefcountsTooWide)
    }

    fn refcount_table(&self, cluster_size: u64) -> Result<Table, Qcow2Error> {
        let offset = self.refcount_table_offset.get();
        match self.refcount_table_clusters.get() {
            0 => Err(Qcow2Error::NoRefcountTable),
            clusters => Table::new(offset, clusters, cluster_size, cluster_size, REFCOUNT_TABLE),
        }
    }

    fn snapshot_table(&self, cluster_size: u64) -> Result<Table, Qcow2Error> {
        let (offset, count) = (self.snapshot_table_offset.get(), self.snapshot_count.get());
        Table::new(offset, count, snapshot::ENTRY_SIZE, cluster_size, SNAPSHOT_TABLE)
    }

    /// The L1 table, with entries for the whole disk.
    fn l1_table(&self, cluster_size: u64, l2_entries: u64) -> Result<Table, Qcow2Error> {
        let (offset, entries) = (self.l1_table_offset.get(), self.l1_entries.get());
        let table = Table::new(offset, entries, L1_ENTRY_SIZE, cluster_size, L1_TABLE)?;
        // What an entry covers, 512 GiB at most.
        let covered = cluster_size.saturating_mul(l2_entries);
        let size = self.size.get();
        size.checked_next_multiple_of(covered).ok_or(Qcow2Error::DiskTooLarge)?;
        let needed = size.div_ceil(covered);
        if needed > MAX_L1_ENTRIES {
            Err(Qcow2Error::TooManyL1Entries)
        } else if needed > u64::from(entries) {
            Err(Qcow2Error::L1TableTooSmall)
        } else {
            Ok(table)
        }
    }

    /// Where the name of the backing file is.
    fn backing_name(&self) -> Option<Range<u64>> {
        let offset = self.backing_name_offset.get();
        let end = offset.saturating_add(self.backing_name_length.get().into());
        (offset != 0).then_some(offset..end)
    }
}

/// Entries in an L2 table. They are twice as long where clusters have subclusters,
/// and then a cluster must be large enough for those.
fn l2_entries(cluster_size: u64, features: &Features) -> Result<u64, Qcow2Error> {
    if !features.incompatible.contains(Incompatible::EXTENDED_L2) {
        return Ok(cluster_size / L2_ENTRY_SIZE);
    }
    let subcluster_size = cluster_size / SUBCLUSTERS;
    if subcluster_size < 1 << MIN_CLUSTER_BITS {
        return Err(Qcow2Error::UnsupportedSubclusterSize { size: subcluster_size });
    }
    Ok(cluster_size / EXTENDED_L2_ENTRY_SIZE)
}

#[cfg(test)]
mod tests;
