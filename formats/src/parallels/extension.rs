//! The format extension (specification, "Format Extension"): a cluster with what
//! was added to the format later, which is dirty bitmaps.
//!
//! Nothing in it is needed to read the disk, and the specification wants what
//! cannot be made use of to be left alone. So only its magic is looked at here,
//! not its checksum, which is over the whole cluster.

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::ParallelsError;
use crate::error::Error;
use crate::image::MAX_DISK;
use crate::storage::{self, Storage, StorageError};

/// What the format extension starts with.
pub const MAGIC: u64 = 0xab23_4cef_23dc_ea87;

/// The first bytes of the format extension. Features follow.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: U64,
    /// The MD5 checksum of the rest of the cluster.
    pub checksum: [u8; 16],
}

/// Checks that there is a format extension, at an offset in bytes.
///
/// # Errors
///
/// If there is something else, or nothing.
pub fn check(file: &dyn Storage, offset: u64, cluster_size: u64) -> Result<(), Error> {
    // No file goes on so far. qemu-img reads zeros behind the end, but not there.
    if offset.saturating_add(cluster_size) > MAX_DISK {
        return Err(ParallelsError::ExtensionUnreadable.into());
    }
    let header = match storage::read_struct(file, offset) {
        Err(StorageError::PastEnd { .. }) => Header::new_zeroed(),
        header => header?,
    };
    match header.magic.get() {
        MAGIC => Ok(()),
        magic => Err(ParallelsError::ExtensionMagic { magic }.into()),
    }
}
