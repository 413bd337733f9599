//! What can be wrong with a VMDK image.

use alloc::string::String;

use crate::error::{ErrorKind, FormatError};

/// How much of a text that somebody else wrote a message quotes, in bytes. An
/// extent line with the longest file name is shorter.
const QUOTED: usize = 640;

/// A VMDK image that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VmdkError {
    /// There is nothing in the file.
    #[error("File is too small, not a valid image")]
    TooSmall,
    /// The file of a sparse extent has no header of one.
    #[error("Image not in VMDK format")]
    NoMagic,
    /// The text has no type of disk, so it is none of VMDK.
    #[error("invalid VMDK image descriptor")]
    InvalidDescriptor,
    /// The text goes on past the limit.
    #[error("the descriptor is longer than {limit} bytes")]
    DescriptorTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A sparse extent without a descriptor.
    #[error("the file is an extent without a descriptor: the disk is opened by its descriptor")]
    NoDescriptor,
    /// The type of disk is not supported.
    #[error("Unsupported image type '{create_type}'")]
    UnsupportedType {
        /// `custom` and the like.
        create_type: String,
    },
    /// A content id is missing or is not a number of 32 bits.
    #[error("the descriptor has no valid {key}")]
    NoContentId {
        /// Which one: `CID` or `parentCID`.
        key: &'static str,
    },
    /// The name of the parent has no end.
    #[error("the name of the parent is not in quotation marks")]
    ParentNotQuoted,
    /// The name of the parent is too long to be one.
    #[error("the name of the parent is longer than {limit} bytes")]
    ParentTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// An extent line says too little, too much or nonsense.
    #[error("Invalid extent line: {line}")]
    InvalidExtentLine {
        /// The line, or the start of a long one.
        line: String,
    },
    /// An extent of an unknown type.
    #[error("Unsupported extent type '{extent_type}'")]
    UnsupportedExtentType {
        /// `VMFSRDM` and the like.
        extent_type: String,
    },
    /// An extent that nobody may read.
    #[error("Unsupported extent access 'NOACCESS'")]
    NoAccess,
    /// The descriptor has no extent.
    #[error("the descriptor names no extents")]
    NoExtents,
    /// The descriptor has more extents than a disk can need.
    #[error("the descriptor names more than {limit} extents")]
    TooManyExtents {
        /// The limit.
        limit: usize,
    },
    /// The file of an extent is a descriptor that names extents again.
    #[error("the file of an extent holds a descriptor instead")]
    NestedDescriptor,
    /// The image has fewer references.
    #[error("the image does not refer to a file number {index}")]
    NoSuchReference {
        /// The number of the reference.
        index: usize,
    },
    /// Extents together are longer than a disk can be.
    #[error("Could not refresh total sector count: File too large")]
    DiskTooLarge,
    /// A file with an extent is not there.
    #[error("the file '{name}' with an extent of the disk is missing")]
    ExtentMissing {
        /// The name of the file.
        name: String,
    },
    /// A flat extent lies where no file reaches.
    #[error("an extent starts at sector {sector} of its file, where no file reaches")]
    ExtentOutOfReach {
        /// Where it starts, in sectors.
        sector: u64,
    },
    /// The disk does not go on that far.
    #[error("the disk has no extent at {offset}")]
    OffTheDisk {
        /// In bytes.
        offset: u64,
    },
    /// The parent is not what it was when this image was made on top of it.
    #[error(
        "the content of the parent has changed (its CID is {found:x}, the child expects \
         {expected:x})"
    )]
    ParentChanged {
        /// Its content id.
        found: u32,
        /// The one that the child has for it.
        expected: u32,
    },
    /// The parent is of another format, so that it has no content id.
    #[error("the parent is not a VMDK image")]
    ParentNotVmdk,
    /// The grain directory has no entry for a grain table.
    #[error("the grain directory has no entry for grain table {table}")]
    NoDirectoryEntry {
        /// The number of the table.
        table: u64,
    },
    /// An entry of a grain directory makes no sense.
    #[error("the grain directory has an invalid entry for grain table {table}: {entry:#018x}")]
    InvalidTableEntry {
        /// The number of the table.
        table: u64,
        /// What is in the directory.
        entry: u64,
    },
    /// An entry of a grain table makes no sense.
    #[error("the entry of grain {grain} is invalid: {entry:#018x}")]
    InvalidGrainEntry {
        /// The number of the grain in its extent.
        grain: u64,
        /// What is in the table.
        entry: u64,
    },
    /// Compressed grains are larger than there is memory for.
    #[error("compressed grains of {size} bytes are too large, the limit is {limit}")]
    CompressedGrainTooLarge {
        /// Their size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// An option has a value that it cannot have.
    #[error("invalid parameter value: {value}")]
    InvalidParameter {
        /// The value.
        value: String,
    },
    /// Two options say the version of the virtual hardware.
    #[error("compat6 cannot be enabled with hwversion set")]
    CompatWithHardwareVersion,
    /// A flat image has nothing that could fall to a parent.
    #[error("Flat image can't have backing file")]
    FlatWithBacking,
    /// A flat image has no grains.
    #[error("Flat image can't enable zeroed grain")]
    FlatWithZeroedGrains,
    /// The parent of a new image is said to be of another format.
    #[error("backing_file must be a vmdk image")]
    BackingFormatNotVmdk,
    /// The parent of a new image is of another format.
    #[error("Invalid backing file format: {format}. Must be vmdk")]
    BackingNotVmdk {
        /// Which one.
        format: String,
    },
    /// The parent of a new image could not be looked at.
    #[error("Failed to read parent CID")]
    NoParentContentId,
    /// A text that is to be in a descriptor cannot be in quotation marks.
    #[error("'{text}' cannot be in a descriptor: it has a quotation mark or a line end in it")]
    NotQuotable {
        /// The text.
        text: String,
    },
    /// A new extent gets longer than the numbers of sectors reach.
    #[error("the image gets too large: grains start in the first 2 TiB of a file")]
    ExtentTooLong,
    /// What is to be stored is not compressed.
    #[error("the grains of a streamOptimized image are compressed")]
    NotCompressed,
    /// What is to be stored is not one compressed grain.
    #[error("what is to be stored at {offset} is not a grain")]
    InvalidGrain {
        /// Where on the disk, in bytes.
        offset: u64,
    },
    /// A header or table is not in the file that should have it.
    #[error("the {what} at sector {sector} ({length} bytes) does not lie in the file")]
    OutsideFile {
        /// Which one.
        what: &'static str,
        /// Where it starts, in sectors.
        sector: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// A hosted sparse extent of a later version.
    #[error("Unsupported VMDK version {version}")]
    UnsupportedVersion {
        /// The version.
        version: u32,
    },
    /// Grains are compressed in an unknown way.
    #[error("Unsupported compression algorithm {algorithm}")]
    UnsupportedCompression {
        /// Its number.
        algorithm: u16,
    },
    /// The grain directory is at the end, and the file has no place for a footer.
    #[error("Failed to read footer: Input/output error")]
    NoFooter,
    /// The footer or the markers around it are damaged.
    #[error("Invalid footer")]
    InvalidFooter,
    /// A grain table has more entries than one can have.
    #[error("L2 table size too big")]
    GrainTableTooBig,
    /// A grain table covers nothing.
    #[error("L1 entry size is invalid")]
    GrainTableCoversNothing,
    /// The grain directory has more entries than one can have.
    #[error("L1 size too big")]
    GrainDirectoryTooBig,
    /// A grain has no size, or one that no grain has.
    #[error("Invalid granularity, image may be corrupt")]
    InvalidGrainSize,
    /// The file ends before the first grain.
    #[error("File truncated, expecting at least {expected} bytes")]
    Truncated {
        /// Where the first grain starts, in bytes. A sector number in 64 bits
        /// makes more than 64 bits.
        expected: u128,
    },
    /// The header of a seSparse extent is none.
    #[error("Bad const header magic: {magic:#018x}")]
    SeSparseMagic {
        /// What is there instead.
        magic: u64,
    },
    /// A seSparse extent of another version.
    #[error("Unsupported version: {version:#018x}")]
    SeSparseVersion {
        /// The version.
        version: u64,
    },
    /// A seSparse extent with other grains.
    #[error("Unsupported grain size: {sectors}")]
    SeSparseGrainSize {
        /// Their size in sectors.
        sectors: u64,
    },
    /// A seSparse extent with other grain tables.
    #[error("Unsupported grain table size: {sectors}")]
    SeSparseGrainTableSize {
        /// Their size in sectors.
        sectors: u64,
    },
    /// A seSparse extent with unknown flags.
    #[error("Unsupported flags: {flags:#018x}")]
    SeSparseFlags {
        /// The flags.
        flags: u64,
    },
    /// A seSparse extent that uses what is reserved.
    #[error("Unsupported reserved bits: {:#018x} {:#018x} {:#018x} {:#018x}", .0[0], .0[1], .0[2], .0[3])]
    SeSparseReserved([u64; 4]),
    /// A seSparse extent that uses the padding of its header.
    #[error("Unsupported non-zero const header padding")]
    SeSparsePadding,
    /// The volatile header of a seSparse extent is none.
    #[error("Bad volatile header magic: {magic:#018x}")]
    SeSparseVolatileMagic {
        /// What is there instead.
        magic: u64,
    },
    /// A seSparse extent with a journal that must be replayed first.
    #[error("Image is dirty, Replaying journal not supported")]
    SeSparseDirty,
    /// A seSparse extent that uses the padding of its volatile header.
    #[error("Unsupported non-zero volatile header padding")]
    SeSparseVolatilePadding,
}

/// A text of the image for a message: its start, with what is not UTF-8
/// replaced.
#[must_use]
pub fn quote(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(..QUOTED).unwrap_or(text)).into_owned()
}

impl FormatError for VmdkError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooSmall | Self::NoMagic | Self::InvalidDescriptor | Self::NoDescriptor => {
                ErrorKind::NotThisFormat
            }
            Self::DescriptorTooLong { .. }
            | Self::UnsupportedType { .. }
            | Self::UnsupportedExtentType { .. }
            | Self::NoAccess
            | Self::TooManyExtents { .. }
            | Self::NestedDescriptor
            | Self::NoSuchReference { .. }
            | Self::DiskTooLarge
            | Self::InvalidParameter { .. }
            | Self::CompatWithHardwareVersion
            | Self::FlatWithBacking
            | Self::FlatWithZeroedGrains
            | Self::BackingFormatNotVmdk
            | Self::BackingNotVmdk { .. }
            | Self::NoParentContentId
            | Self::NotQuotable { .. }
            | Self::ExtentTooLong
            | Self::NotCompressed
            | Self::InvalidGrain { .. }
            | Self::ExtentMissing { .. }
            | Self::ExtentOutOfReach { .. }
            | Self::ParentNotVmdk
            | Self::CompressedGrainTooLarge { .. }
            | Self::UnsupportedVersion { .. }
            | Self::UnsupportedCompression { .. }
            | Self::SeSparseVersion { .. }
            | Self::SeSparseGrainSize { .. }
            | Self::SeSparseGrainTableSize { .. }
            | Self::SeSparseFlags { .. }
            | Self::SeSparseReserved(_)
            | Self::SeSparsePadding
            | Self::SeSparseDirty
            | Self::SeSparseVolatilePadding => ErrorKind::Unsupported,
            Self::NoContentId { .. }
            | Self::ParentNotQuoted
            | Self::ParentTooLong { .. }
            | Self::InvalidExtentLine { .. }
            | Self::NoExtents
            | Self::OffTheDisk { .. }
            | Self::ParentChanged { .. }
            | Self::NoDirectoryEntry { .. }
            | Self::InvalidTableEntry { .. }
            | Self::InvalidGrainEntry { .. }
            | Self::OutsideFile { .. }
            | Self::NoFooter
            | Self::InvalidFooter
            | Self::GrainTableTooBig
            | Self::GrainTableCoversNothing
            | Self::GrainDirectoryTooBig
            | Self::InvalidGrainSize
            | Self::Truncated { .. }
            | Self::SeSparseMagic { .. }
            | Self::SeSparseVolatileMagic { .. } => ErrorKind::Corrupt,
        }
    }
}
