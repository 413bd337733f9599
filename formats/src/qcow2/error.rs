//! What can be wrong with a qcow2 image.

use alloc::boxed::Box;
use alloc::string::String;

use crate::error::{ErrorKind, FormatError};

/// A qcow2 image that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Qcow2Error {
    /// The magic is not there.
    #[error("Image is not in qcow2 format")]
    NoMagic,
    /// It is another version.
    #[error("Unsupported qcow2 version {version}")]
    UnsupportedVersion {
        /// The version.
        version: u32,
    },
    /// A cluster has a size that none has.
    #[error("Unsupported cluster size: 2^{bits}")]
    UnsupportedClusterSize {
        /// The size in bytes, as a power of two.
        bits: u32,
    },
    /// The header is too short for its version.
    #[error("qcow2 header too short")]
    HeaderTooShort,
    /// The header is longer than a cluster.
    #[error("qcow2 header exceeds cluster size")]
    HeaderTooLong,
    /// The name of the backing file is not in the first cluster.
    #[error("Invalid backing file offset")]
    InvalidBackingNameOffset,
    /// Clusters are compressed in an unknown way.
    #[error("qcow2: unknown compression type: {number}")]
    UnknownCompression {
        /// Its number.
        number: u8,
    },
    /// The features say that it is not Deflate, and it is.
    #[error("qcow2: Compression type incompatible feature bit must not be set")]
    CompressionBitSet,
    /// The features do not say that it is not Deflate.
    #[error("qcow2: Compression type incompatible feature bit must be set")]
    CompressionBitNotSet,
    /// Features that one must know, and that are not known.
    #[error("Unsupported qcow2 feature(s): {features}")]
    UnsupportedFeatures {
        /// Their names, or their bits.
        features: String,
    },
    /// Clusters are too small to have subclusters.
    #[error("Unsupported subcluster size: {size}")]
    UnsupportedSubclusterSize {
        /// The size in bytes.
        size: u64,
    },
    /// Reference counts are wider than any are.
    #[error("Reference count entry width too large; may not exceed 64 bits")]
    RefcountsTooWide,
    /// There are no reference counts.
    #[error("Image does not contain a reference count table")]
    NoRefcountTable,
    /// A table is longer than one can be.
    #[error("{table} too large")]
    TableTooLarge {
        /// Which one.
        table: &'static str,
    },
    /// A table cannot be where it is said to be.
    #[error("{table} offset invalid")]
    InvalidTableOffset {
        /// Which one.
        table: &'static str,
    },
    /// The disk is longer than 64 bits can count.
    #[error("Could not refresh total sector count: File too large")]
    DiskTooLarge,
    /// The disk needs more entries in the L1 table than can be.
    #[error("Image is too big")]
    TooManyL1Entries,
    /// The disk needs more entries in the L1 table than there are.
    #[error("L1 table is too small")]
    L1TableTooSmall,
    /// A structure is not in the file that should have it.
    #[error("the {what} at {offset} ({length} bytes) does not lie in the file")]
    OutsideFile {
        /// Which one.
        what: &'static str,
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// It is encrypted in an unknown way.
    #[error("Unsupported encryption method {method}")]
    UnsupportedEncryption {
        /// The number of the method.
        method: i32,
    },
    /// A header extension is longer than the space for it.
    #[error("Header extension too large")]
    ExtensionTooLarge,
    /// The name of the format of the backing file is longer than any is.
    #[error("ERROR: ext_backing_format: len={length} too large (>=16)")]
    BackingFormatTooLong {
        /// Its length in bytes.
        length: u32,
    },
    /// The name of the file with the data is too long to be one.
    #[error("the name of the data file is longer than {limit} bytes")]
    DataFileNameTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// There is a LUKS header, and the image is not encrypted that way.
    #[error("CRYPTO header extension only expected with LUKS encryption method")]
    UnexpectedEncryptionHeader,
    /// The extension for the LUKS header has another length.
    #[error("CRYPTO header extension size {length}, but expected size {expected}")]
    EncryptionHeaderExtensionLength {
        /// Its length in bytes.
        length: u32,
        /// What it should be.
        expected: usize,
    },
    /// The LUKS header does not start at a cluster.
    #[error(
        "Encryption header offset '{offset}' is not a multiple of cluster size '{cluster_size}'"
    )]
    EncryptionHeaderOffset {
        /// Where it starts, in bytes.
        offset: u64,
        /// The size of a cluster in bytes.
        cluster_size: u64,
    },
    /// There is no LUKS header in an image that is encrypted that way.
    #[error("Missing CRYPTO header for crypt method {method}")]
    NoEncryptionHeader {
        /// The number of the method.
        method: u32,
    },
    /// The space for the LUKS header is too small for one.
    #[error("Request for data outside of extension header")]
    EncryptionHeaderTooShort,
    /// The extension for bitmaps has another length.
    #[error("bitmaps_ext: Invalid extension length")]
    BitmapsExtensionLength,
    /// The extension for bitmaps uses what is reserved.
    #[error("bitmaps_ext: Reserved field is not zero")]
    BitmapsReserved,
    /// There are more bitmaps than can be.
    #[error(
        "bitmaps_ext: Image has {count} bitmaps, exceeding the QEMU supported maximum of {limit}"
    )]
    TooManyBitmaps {
        /// How many.
        count: u32,
        /// The limit.
        limit: u32,
    },
    /// There is an extension for bitmaps, and there are none.
    #[error("found bitmaps extension with zero bitmaps")]
    NoBitmaps,
    /// The bitmap directory does not start at a cluster.
    #[error("bitmaps_ext: invalid bitmap directory offset")]
    BitmapDirectoryOffset,
    /// The bitmap directory is longer than one can be.
    #[error(
        "bitmaps_ext: bitmap directory size ({length}) exceeds the maximum supported size ({limit})"
    )]
    BitmapDirectoryTooLong {
        /// How long, in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The bitmap directory has no length.
    #[error("Requested bitmap directory size is zero")]
    BitmapDirectoryEmpty,
    /// An entry of the bitmap directory goes past its end.
    #[error("Broken bitmap directory")]
    BrokenBitmapDirectory,
    /// The bitmap directory has more entries than the extension says.
    #[error("More bitmaps found than specified in header extension")]
    MoreBitmaps,
    /// The bitmap directory has fewer entries than the extension says.
    #[error("Less bitmaps found than specified in header extension")]
    FewerBitmaps,
    /// A bitmap has extra data, of which nothing is known.
    #[error("Bitmap extra data is not supported")]
    BitmapExtra,
    /// A bitmap that cannot be.
    #[error("Bitmap '{name}' doesn't satisfy the constraints")]
    InvalidBitmap {
        /// Its name.
        name: String,
    },
    /// The name of the backing file is longer than one can be.
    #[error("Backing file name too long")]
    BackingNameTooLong,
    /// A snapshot has more extra data than any has.
    #[error("Too much extra metadata in snapshot table entry {number}")]
    TooMuchSnapshotExtra {
        /// The number of the snapshot.
        number: u32,
    },
    /// The snapshot table is longer than one can be.
    #[error("Snapshot table is too big")]
    SnapshotTableTooBig,
    /// There is no snapshot with the id or the name that is wanted.
    #[error("Failed to load snapshot: Can't find snapshot")]
    NoSuchSnapshot,
    /// The L1 table of a snapshot cannot be.
    #[error("Failed to load snapshot: {0}")]
    SnapshotTable(Box<Qcow2Error>),
    /// The content cannot be read without a key.
    #[error("Parameter 'encrypt.key-secret' is required for cipher")]
    Encrypted,
    /// The data is in another file, which is not known.
    #[error("'data-file' is required for this image")]
    NoDataFile,
    /// An L2 table does not start at a cluster.
    #[error("L2 table offset {offset:#x} unaligned (L1 index: {index:#x})")]
    UnalignedL2Table {
        /// Where it starts, in bytes.
        offset: u64,
        /// The index of its entry in the L1 table.
        index: u64,
    },
    /// A cluster of zeros, in a version that has none.
    #[error(
        "Zero cluster entry found in pre-v3 image (L2 offset: {table:#x}, L2 index: {index:#x})"
    )]
    ZeroInVersion2 {
        /// Where the L2 table is, in bytes.
        table: u64,
        /// The index of the entry.
        index: u64,
    },
    /// A compressed cluster, where the data is in another file.
    #[error(
        "Compressed cluster entry found in image with external data file (L2 offset: {table:#x}, \
         L2 index: {index:#x})"
    )]
    CompressedInDataFile {
        /// Where the L2 table is, in bytes.
        table: u64,
        /// The index of the entry.
        index: u64,
    },
    /// A cluster of the file does not start at a multiple of its size.
    #[error(
        "Cluster allocation offset {offset:#x} unaligned (L2 offset: {table:#x}, L2 index: \
         {index:#x})"
    )]
    UnalignedCluster {
        /// Where it starts, in bytes.
        offset: u64,
        /// Where the L2 table is, in bytes.
        table: u64,
        /// The index of the entry.
        index: u64,
    },
    /// A cluster is not where it has to be in a file with the data.
    #[error(
        "External data file host cluster offset {offset:#x} does not match guest cluster offset: \
         {start:#x}, L2 index: {index:#x})"
    )]
    MovedInDataFile {
        /// Where it starts, in bytes.
        offset: u64,
        /// Where it starts on the disk, in bytes.
        start: u64,
        /// The index of the entry.
        index: u64,
    },
    /// Subclusters that have data and are zeros, or have data nowhere.
    #[error("Invalid cluster entry found (L2 offset: {table:#x}, L2 index: {index:#x})")]
    InvalidEntry {
        /// Where the L2 table is, in bytes.
        table: u64,
        /// The index of the entry.
        index: u64,
    },
    /// An option has a value that it cannot have.
    #[error("Parameter '{parameter}' does not accept value '{value}'")]
    NotAccepted {
        /// The option, as qemu's interface calls it.
        parameter: &'static str,
        /// The value.
        value: String,
    },
    /// The same, as it is said when an image is measured.
    #[error("invalid parameter value: {value}")]
    InvalidValue {
        /// The value.
        value: String,
    },
    /// A compatibility level that is none.
    #[error("Invalid compatibility level: '{level}'")]
    CompatibilityLevel {
        /// What is in its place.
        level: String,
    },
    /// An image is to be encrypted.
    #[error("encrypted qcow2 images cannot be made")]
    EncryptedCreation,
    /// Something is wanted that version 2 has not.
    #[error(
        "{what} only supported with compatibility level 1.1 and above (use version=v3 or greater)"
    )]
    NeedsVersion3 {
        /// What, with its verb.
        what: String,
    },
    /// Clusters cannot have such a size.
    #[error("Cluster size must be a power of two between 512 and 2048k")]
    ClusterSize,
    /// Clusters are too small to have subclusters.
    #[error("Extended L2 entries are only supported with cluster sizes of at least {least} bytes")]
    ClusterSizeExtended {
        /// The least size in bytes.
        least: u64,
    },
    /// All clusters get room, and would hide the backing file.
    #[error(
        "Backing file and preallocation can only be used at the same time if extended_l2 is on"
    )]
    PreallocatedOnBacking,
    /// There is a format of a backing file, and no backing file.
    #[error("Backing format cannot be used without backing file")]
    FormatWithoutBacking,
    /// Reference counts cannot have such a width.
    #[error("Refcount width must be a power of two and may not exceed 64 bits")]
    RefcountBits,
    /// Reference counts have another width than those of version 2.
    #[error(
        "Different refcount widths than 16 bits require compatibility level 1.1 or above (use \
         {hint} or greater)"
    )]
    RefcountBitsInVersion2 {
        /// What can be done.
        hint: &'static str,
    },
    /// The file with the data is to be raw, and there is none.
    #[error("data-file-raw requires data-file")]
    RawWithoutDataFile,
    /// A raw file with the data cannot let anything through.
    #[error("Backing file and data-file-raw cannot be used at the same time")]
    RawOnBacking,
    /// A compressed cluster has not the room of a whole one.
    #[error("Compression and preallocation not supported at the same time")]
    CompressedAndPreallocated,
    /// The disk needs an L1 table that is longer than one can be.
    #[error(
        "The image size is too large for file format 'qcow2' (try using a larger cluster size)"
    )]
    SizeTooLarge,
    /// The same, as it is said when an image is measured.
    #[error("The image size is too large (try using a larger cluster size)")]
    MeasuredSizeTooLarge,
    /// The name of the file with the data does not fit into the first cluster.
    #[error("Could not update qcow2 header: No space left on device")]
    HeaderFull,
    /// The name of the backing file does not fit into the first cluster.
    #[error("Could not assign backing file '{name}' with format '{format}': {reason}")]
    BackingNotAssigned {
        /// Its name.
        name: String,
        /// Its format.
        format: String,
        /// What the system calls it.
        reason: &'static str,
    },
    /// The file gets longer than what its reference counts, or its tables, can say.
    #[error("File too large")]
    FileTooLarge,
    /// The image says that it is damaged, so that nothing is written to it.
    #[error("qcow2: Image is corrupt; cannot be opened read/write")]
    MarkedAsCorrupt,
    /// The image has fewer references.
    #[error("the image does not refer to a file number {index}")]
    NoSuchReference {
        /// The number of the reference.
        index: usize,
    },
}

/// A text of the image for a message, with what is not UTF-8 replaced.
#[must_use]
pub fn quote(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

impl FormatError for Qcow2Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoMagic => ErrorKind::NotThisFormat,
            Self::UnsupportedVersion { .. }
            | Self::UnsupportedClusterSize { .. }
            | Self::UnknownCompression { .. }
            | Self::UnsupportedFeatures { .. }
            | Self::UnsupportedSubclusterSize { .. }
            | Self::RefcountsTooWide
            | Self::TableTooLarge { .. }
            | Self::DiskTooLarge
            | Self::TooManyL1Entries
            | Self::UnsupportedEncryption { .. }
            | Self::BackingFormatTooLong { .. }
            | Self::DataFileNameTooLong { .. }
            | Self::TooManyBitmaps { .. }
            | Self::BitmapDirectoryTooLong { .. }
            | Self::BitmapExtra
            | Self::BackingNameTooLong
            | Self::TooMuchSnapshotExtra { .. }
            | Self::SnapshotTableTooBig
            | Self::NoSuchSnapshot
            | Self::Encrypted
            | Self::NoDataFile
            | Self::NotAccepted { .. }
            | Self::InvalidValue { .. }
            | Self::CompatibilityLevel { .. }
            | Self::EncryptedCreation
            | Self::NeedsVersion3 { .. }
            | Self::ClusterSize
            | Self::ClusterSizeExtended { .. }
            | Self::PreallocatedOnBacking
            | Self::FormatWithoutBacking
            | Self::RefcountBits
            | Self::RefcountBitsInVersion2 { .. }
            | Self::RawWithoutDataFile
            | Self::RawOnBacking
            | Self::CompressedAndPreallocated
            | Self::SizeTooLarge
            | Self::MeasuredSizeTooLarge
            | Self::HeaderFull
            | Self::BackingNotAssigned { .. }
            | Self::FileTooLarge
            | Self::NoSuchReference { .. } => ErrorKind::Unsupported,
            Self::HeaderTooShort
            | Self::HeaderTooLong
            | Self::InvalidBackingNameOffset
            | Self::CompressionBitSet
            | Self::CompressionBitNotSet
            | Self::NoRefcountTable
            | Self::InvalidTableOffset { .. }
            | Self::L1TableTooSmall
            | Self::OutsideFile { .. }
            | Self::ExtensionTooLarge
            | Self::UnexpectedEncryptionHeader
            | Self::EncryptionHeaderExtensionLength { .. }
            | Self::EncryptionHeaderOffset { .. }
            | Self::NoEncryptionHeader { .. }
            | Self::EncryptionHeaderTooShort
            | Self::BitmapsExtensionLength
            | Self::BitmapsReserved
            | Self::NoBitmaps
            | Self::BitmapDirectoryOffset
            | Self::BitmapDirectoryEmpty
            | Self::BrokenBitmapDirectory
            | Self::MoreBitmaps
            | Self::FewerBitmaps
            | Self::InvalidBitmap { .. }
            | Self::UnalignedL2Table { .. }
            | Self::ZeroInVersion2 { .. }
            | Self::CompressedInDataFile { .. }
            | Self::UnalignedCluster { .. }
            | Self::MovedInDataFile { .. }
            | Self::MarkedAsCorrupt
            | Self::InvalidEntry { .. } => ErrorKind::Corrupt,
            Self::SnapshotTable(error) => error.kind(),
        }
    }
}
