//! The header (specification, "Header"), and what it says of the rest.

use bitflags::bitflags;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::QedError;
use super::image::Layout;
use crate::error::Error;
use crate::image::{Backing, MAX_DISK};
use crate::storage::{self, Storage};
use crate::text::until_nul;

/// What an image starts with.
pub const MAGIC: [u8; 4] = *b"QED\0";

/// The smallest cluster in bytes. All are powers of 2.
pub const MIN_CLUSTER_SIZE: u32 = 4 << 10;

/// The largest cluster in bytes.
pub const MAX_CLUSTER_SIZE: u32 = 64 << 20;

/// The most clusters of a table. All numbers are powers of 2.
pub const MAX_TABLE_SIZE: u32 = 16;

/// The longest name of a backing file in bytes: as long as a file name can be on
/// Linux.
pub const MAX_BACKING_NAME: u32 = 4095;

/// The unit of a disk's size in bytes.
const SECTOR: u64 = 512;

/// The size of a table entry in bytes: the place of a table or a cluster.
pub const ENTRY_SIZE: u64 = 8;

/// The first bytes of an image.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// The size of a cluster in bytes.
    pub cluster_size: U32,
    /// The size of an L1 or L2 table in clusters.
    pub table_size: U32,
    /// The size of all that comes before the first table, in clusters.
    pub header_size: U32,
    /// [`Features`]. Who does not know one that is set must not open the image.
    pub features: U64,
    /// Features that one need not know. There are none.
    pub compat_features: U64,
    /// Features that one takes back that one does not know. There are none.
    pub autoclear_features: U64,
    /// Where the L1 table is, in bytes.
    pub l1_table_offset: U64,
    /// The size of the disk in bytes.
    pub image_size: U64,
    /// Where the name of the backing file is, in bytes.
    pub backing_name_offset: U32,
    /// Its length in bytes.
    pub backing_name_size: U32,
}

bitflags! {
    /// Features that one must know.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Features: u64 {
        /// There is a backing file.
        const BACKING_FILE = 1;
        /// The tables may be out of order: the last user did not close the image.
        const NEED_CHECK = 1 << 1;
        /// The backing file is raw, whatever it looks like.
        const BACKING_FORMAT_NO_PROBE = 1 << 2;
    }
}

impl Header {
    /// The layout of the image that this is the header of. Checks are in the order of qemu-img,
    /// whose messages they have.
    ///
    /// # Errors
    ///
    /// If the header is damaged, or the image has features that are not supported,
    /// or the L1 table is not in the file.
    pub fn layout(&self, file: &dyn Storage) -> Result<Layout, Error> {
        if self.magic != MAGIC {
            return Err(QedError::NotQed.into());
        }
        let unknown = self.features.get() & !Features::all().bits();
        if unknown != 0 {
            return Err(QedError::UnsupportedFeatures { unknown }.into());
        }
        let geometry = self.geometry()?;
        let size = self.image_size.get();
        if !size.is_multiple_of(SECTOR) || size > geometry.most_covered() {
            return Err(QedError::ImageSize.into());
        }
        let l1_table = self.l1_table_offset.get();
        if !geometry.has_table(l1_table, file.length()) {
            return Err(QedError::TableOffset.into());
        }
        if geometry.header_size > u64::from(u32::MAX) {
            return Err(QedError::HeaderTooLarge.into());
        }
        let features = Features::from_bits_retain(self.features.get());
        let backing = self.backing(features, geometry, file)?;
        if size > MAX_DISK {
            return Err(QedError::DiskTooLarge.into());
        }
        Ok(Layout { size, geometry, l1_table, features, backing })
    }

    /// The sizes of what the image consists of.
    fn geometry(&self) -> Result<Geometry, QedError> {
        let (cluster_size, table_size) = (self.cluster_size.get(), self.table_size.get());
        let is_one = (MIN_CLUSTER_SIZE..=MAX_CLUSTER_SIZE).contains(&cluster_size);
        if !is_one || !cluster_size.is_power_of_two() {
            return Err(QedError::ClusterSize);
        }
        if table_size > MAX_TABLE_SIZE || !table_size.is_power_of_two() {
            return Err(QedError::TableSize);
        }
        let bytes = |clusters: u32| u64::from(clusters).saturating_mul(cluster_size.into());
        Ok(Geometry {
            cluster_size: cluster_size.into(),
            table_size: bytes(table_size),
            header_size: bytes(self.header_size.get()),
        })
    }

    /// The backing file. An empty name is none.
    fn backing(
        &self,
        features: Features,
        geometry: Geometry,
        file: &dyn Storage,
    ) -> Result<Option<Backing>, Error> {
        if !features.contains(Features::BACKING_FILE) {
            return Ok(None);
        }
        let (offset, size) = (self.backing_name_offset.get(), self.backing_name_size.get());
        if u64::from(offset).saturating_add(size.into()) > geometry.header_size {
            return Err(QedError::BackingNameOffset.into());
        }
        if size > MAX_BACKING_NAME {
            return Err(QedError::BackingNameTooLong.into());
        }
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let name = storage::read_bytes(file, offset.into(), length)?;
        let path = until_nul(&name).to_vec();
        let is_raw = features.contains(Features::BACKING_FORMAT_NO_PROBE);
        let format = is_raw.then(|| b"raw".to_vec());
        Ok(Some(Backing { path, format }).filter(|backing| !backing.path.is_empty()))
    }
}

/// The sizes of what an image consists of, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Of a cluster: a power of 2.
    pub cluster_size: u64,
    /// Of an L1 or L2 table: whole clusters, a power of 2.
    pub table_size: u64,
    /// Of all that comes before the first table: whole clusters.
    pub header_size: u64,
}

impl Geometry {
    /// How much of a disk the tables cover. Where that is more than 64 bits can
    /// count it is nothing, as with qemu-img, which makes no such images.
    pub(super) fn most_covered(self) -> u64 {
        let entries = self.entries();
        let covered = entries.checked_mul(entries);
        covered.and_then(|clusters| clusters.checked_mul(self.cluster_size)).unwrap_or(0)
    }

    /// Whether a table can be at an offset of a file of this length. As with
    /// qemu-img there are no tables of one cluster: it makes images with them, but
    /// does not open them.
    fn has_table(self, offset: u64, file_length: u64) -> bool {
        let span = self.table_size.saturating_sub(self.cluster_size);
        let has = |offset| self.has_cluster(offset, file_length);
        span > 0 && has(offset) && offset.checked_add(span).is_some_and(has)
    }

    /// Entries of a table, and clusters that an L2 table finds.
    #[must_use]
    pub fn entries(self) -> u64 {
        self.table_size / ENTRY_SIZE
    }

    /// Whether a cluster can start at an offset of a file of this length. Its end may be
    /// missing, as with qemu-img.
    #[must_use]
    pub fn can_start(self, offset: u64, file_length: u64) -> bool {
        offset.is_multiple_of(self.cluster_size)
            && offset >= self.header_size
            && offset < file_length
    }

    /// Whether an L2 table can start at an offset of a file of this length: its last
    /// cluster does.
    #[must_use]
    pub fn can_start_table(self, offset: u64, file_length: u64) -> bool {
        let last = offset.checked_add(self.table_size.saturating_sub(self.cluster_size));
        self.can_start(offset, file_length)
            && last.is_some_and(|last| self.can_start(last, file_length))
    }

    /// Whether a cluster can be at an offset of a file of this length.
    fn has_cluster(self, offset: u64, file_length: u64) -> bool {
        let end = offset.checked_add(self.cluster_size);
        offset.is_multiple_of(self.cluster_size)
            && offset >= self.header_size
            && end.is_some_and(|end| end <= file_length)
    }
}

#[cfg(test)]
mod tests;
