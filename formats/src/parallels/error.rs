//! What can be wrong with a Parallels image.

use super::extension;
use crate::error::{ErrorKind, FormatError};

/// A Parallels image that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParallelsError {
    /// The file has no header of a Parallels image, or of another version.
    #[error("Image not in Parallels format")]
    NotParallels,
    /// Clusters have no size.
    #[error("Invalid image: Zero sectors per track")]
    ClusterWithoutSize,
    /// Clusters are larger than one can be.
    #[error("Invalid image: Too big cluster")]
    ClusterTooLarge,
    /// Clusters are to be larger than qemu-img makes them.
    #[error("Cluster size is too large")]
    ClusterSizeTooLarge,
    /// The disk is to have more clusters than qemu-img makes.
    #[error("Image size is too large for this cluster size")]
    DiskTooLargeForClusters,
    /// The BAT has more entries than one can have.
    #[error("Catalog too large")]
    TooManyEntries,
    /// The BAT is not in the file.
    #[error("the BAT at {offset} ({length} bytes) does not lie in the file")]
    BatOutsideFile {
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// The format extension is where no file goes on.
    #[error("Invalid image: Too big offset")]
    ExtensionOffset,
    /// The format extension ends where no file goes on.
    #[error("Failed to read Format Extension cluster: Input/output error")]
    ExtensionUnreadable,
    /// The format extension is none.
    #[error(
        "Wrong parallels Format Extension magic: {magic:#x}, expected: {:#x}",
        extension::MAGIC
    )]
    ExtensionMagic {
        /// What is in place of its magic; zero if it is not in the file.
        magic: u64,
    },
    /// The disk is larger than one can be.
    #[error("Could not refresh total sector count: File too large")]
    DiskTooLarge,
}

impl FormatError for ParallelsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotParallels => ErrorKind::NotThisFormat,
            Self::ClusterSizeTooLarge
            | Self::DiskTooLargeForClusters
            | Self::ClusterTooLarge
            | Self::TooManyEntries
            | Self::DiskTooLarge => ErrorKind::Unsupported,
            Self::ClusterWithoutSize
            | Self::BatOutsideFile { .. }
            | Self::ExtensionOffset
            | Self::ExtensionUnreadable
            | Self::ExtensionMagic { .. } => ErrorKind::Corrupt,
        }
    }
}
