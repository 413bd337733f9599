//! What can be wrong with a qcow image.

use crate::error::{ErrorKind, FormatError};

/// A qcow image that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QcowError {
    /// The magic is not there.
    #[error("Image not in qcow format")]
    NoMagic,
    /// It is another version.
    #[error("qcow (v1) does not support qcow version {version}")]
    UnsupportedVersion {
        /// The version.
        version: u32,
    },
    /// There is no disk in it.
    #[error("Image size is too small (must be at least 2 bytes)")]
    TooSmall,
    /// A cluster has a size that none has.
    #[error("Cluster size must be between 512 and 64k")]
    ClusterSize,
    /// An L2 table has a size that none has.
    #[error("L2 table size must be between 512 and 64k")]
    L2TableSize,
    /// It is encrypted in an unknown way.
    #[error("invalid encryption method in qcow header")]
    UnsupportedEncryption,
    /// The L1 table would have more entries than one can have.
    #[error("Image too large")]
    TooLarge,
    /// The name of the backing file is longer than one can be.
    #[error("Backing file name too long")]
    BackingNameTooLong,
    /// What the header names is not in the file.
    #[error("the {what} at {offset} ({length} bytes) does not lie in the file")]
    OutsideFile {
        /// What it is.
        what: &'static str,
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// The content cannot be read without a key.
    #[error("Parameter 'encrypt.key-secret' is required for cipher")]
    Encrypted,
    /// A new image has no disk.
    #[error("Image size is too small, cannot be zero length")]
    NoSize,
    /// A new image is to be encrypted.
    #[error("encrypted qcow images cannot be made")]
    EncryptedCreation,
    /// An L2 table lies where no file reaches.
    #[error("L2 table {index} lies at {offset}, where no file reaches")]
    TableOutOfReach {
        /// The index of its entry in the L1 table.
        index: u64,
        /// Where it starts, in bytes.
        offset: u64,
    },
    /// A cluster of the file does not start with a sector.
    #[error("cluster {cluster} of the disk lies at {offset}, inside a sector")]
    UnalignedCluster {
        /// The number of the cluster.
        cluster: u64,
        /// Where it starts, in bytes.
        offset: u64,
    },
    /// A cluster lies where no file reaches.
    #[error("cluster {cluster} of the disk lies at {offset}, where no file reaches")]
    ClusterOutOfReach {
        /// The number of the cluster.
        cluster: u64,
        /// Where it starts, in bytes.
        offset: u64,
    },
}

impl FormatError for QcowError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoMagic => ErrorKind::NotThisFormat,
            Self::UnsupportedVersion { .. }
            | Self::UnsupportedEncryption
            | Self::TooLarge
            | Self::Encrypted
            | Self::NoSize
            | Self::EncryptedCreation => ErrorKind::Unsupported,
            Self::TooSmall
            | Self::ClusterSize
            | Self::L2TableSize
            | Self::BackingNameTooLong
            | Self::OutsideFile { .. }
            | Self::TableOutOfReach { .. }
            | Self::UnalignedCluster { .. }
            | Self::ClusterOutOfReach { .. } => ErrorKind::Corrupt,
        }
    }
}
