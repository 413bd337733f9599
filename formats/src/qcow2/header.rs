//! The header of a qcow2 image (specification, "Header").

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What an image starts with, whatever its version.
pub const MAGIC: [u8; 4] = *b"QFI\xfb";

/// The oldest version that this is.
pub const MIN_VERSION: u32 = 2;

/// The latest version.
pub const MAX_VERSION: u32 = 3;

/// The length of the header of version 2 in bytes.
pub const LENGTH_2: u32 = 72;

/// The shortest header of version 3 in bytes: up to `header_length`.
pub const MIN_LENGTH_3: u32 = 104;

/// What the file starts with. A header can be shorter, and then lacks fields, or
/// longer. Offsets and lengths are in bytes.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// [`MIN_VERSION`] to [`MAX_VERSION`].
    pub version: U32,
    /// Where the name of the backing file is; zero if there is none.
    pub backing_name_offset: U64,
    /// Its length.
    pub backing_name_length: U32,
    /// Bits of an offset in a cluster.
    pub cluster_bits: U32,
    /// The size of the disk.
    pub size: U64,
    /// How clusters are encrypted: 0 for not, 1 for AES, 2 for LUKS.
    pub encryption: U32,
    /// Entries in the L1 table.
    pub l1_entries: U32,
    /// Where it is.
    pub l1_table_offset: U64,
    /// Where the refcount table is.
    pub refcount_table_offset: U64,
    /// Its length in clusters.
    pub refcount_table_clusters: U32,
    /// How many snapshots there are.
    pub snapshot_count: U32,
    /// Where the snapshot table is.
    pub snapshot_table_offset: U64,
    /// [`Incompatible`](super::feature::Incompatible). Not in version 2, as all
    /// that follows.
    pub incompatible: U64,
    /// [`Compatible`](super::feature::Compatible).
    pub compatible: U64,
    /// [`Autoclear`](super::feature::Autoclear).
    pub autoclear: U64,
    /// The width of a reference count in bits, as a power of two.
    pub refcount_order: U32,
    /// The length of the header.
    pub header_length: U32,
    /// How compressed clusters are compressed: 0 for Deflate, 1 for Zstandard. Not
    /// in a header that is too short for it.
    pub compression: u8,
    /// Zeros.
    pub padding: [u8; 7],
}

/// Where the field for the compression is, in bytes.
pub const COMPRESSION_OFFSET: u32 = MIN_LENGTH_3;

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn fields_are_where_the_specification_has_them() {
        assert_eq!(size_of::<Header>(), 112);
        assert_eq!(offset_of!(Header, cluster_bits), 20);
        assert_eq!(offset_of!(Header, l1_table_offset), 40);
        assert_eq!(offset_of!(Header, snapshot_table_offset), 64);
        assert_eq!(offset_of!(Header, incompatible), LENGTH_2 as usize);
        assert_eq!(offset_of!(Header, header_length), 100);
        assert_eq!(offset_of!(Header, compression), COMPRESSION_OFFSET as usize);
    }
}
