//! What can be wrong with a QED image.

use super::header::{MAX_CLUSTER_SIZE, MAX_TABLE_SIZE, MIN_CLUSTER_SIZE};
use crate::error::{ErrorKind, FormatError};

/// A QED image that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QedError {
    /// The file has no header of a QED image.
    #[error("Image not in QED format")]
    NotQed,
    /// The image has features that nobody knows.
    #[error("Unsupported QED features: {unknown:x}")]
    UnsupportedFeatures {
        /// Their bits.
        unknown: u64,
    },
    /// Clusters have a size that they cannot have.
    #[error("QED cluster size is invalid")]
    ClusterSize,
    /// Tables have a size that they cannot have.
    #[error("QED table size is invalid")]
    TableSize,
    /// The disk is larger than what the tables cover, or ends inside a sector.
    #[error("QED image size is invalid")]
    ImageSize,
    /// The L1 table is not where a table can be, or not in the file.
    #[error("QED table offset is invalid")]
    TableOffset,
    /// What comes before the first table is larger than it can be.
    #[error("QED header size is too large")]
    HeaderTooLarge,
    /// The name of the backing file does not lie in front of the first table.
    #[error("QED backing filename offset is invalid")]
    BackingNameOffset,
    /// The name of the backing file is too long to be one.
    #[error("Failed to read backing filename")]
    BackingNameTooLong,
    /// The disk is larger than one can be.
    #[error("Could not refresh total sector count: File too large")]
    DiskTooLarge,
    /// Clusters of a new image cannot have such a size.
    #[error(
        "QED cluster size must be within range [{MIN_CLUSTER_SIZE}, {MAX_CLUSTER_SIZE}] and power \
         of 2"
    )]
    NewClusterSize,
    /// Tables of a new image cannot have such a size.
    #[error("QED table size must be within range [1, {MAX_TABLE_SIZE}] and power of 2")]
    NewTableSize,
    /// The disk of a new image cannot have such a size.
    #[error(
        "QED image size must be a non-zero multiple of cluster size and less than {most} bytes"
    )]
    DiskSize {
        /// The largest that it can have, in bytes.
        most: u64,
    },
    /// An L2 table is not where a table can be.
    #[error("L2 table {index} lies at {offset}, where none can be")]
    MisplacedTable {
        /// The index of its entry in the L1 table.
        index: u64,
        /// Where it starts, in bytes.
        offset: u64,
    },
    /// A cluster is not where one can be.
    #[error("cluster {cluster} of the disk lies at {offset}, where none can be")]
    MisplacedCluster {
        /// Its number.
        cluster: u64,
        /// Where it starts, in bytes.
        offset: u64,
    },
}

impl FormatError for QedError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotQed => ErrorKind::NotThisFormat,
            Self::UnsupportedFeatures { .. }
            | Self::BackingNameTooLong
            | Self::DiskTooLarge
            | Self::NewClusterSize
            | Self::NewTableSize
            | Self::DiskSize { .. } => ErrorKind::Unsupported,
            Self::ClusterSize
            | Self::TableSize
            | Self::ImageSize
            | Self::TableOffset
            | Self::HeaderTooLarge
            | Self::BackingNameOffset
            | Self::MisplacedTable { .. }
            | Self::MisplacedCluster { .. } => ErrorKind::Corrupt,
        }
    }
}
